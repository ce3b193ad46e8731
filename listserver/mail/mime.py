"""The tree of parts of a message, found by offsets in the bytes: nothing is copied, nothing recurses, limits come first.

Broken mail is read as a person would want it: a missing closing boundary ends at the end, a boundary that is not
declared is looked for, a multipart without parts is text (RFC 2045, 2046, 2183, 2231).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from listserver.mail.charsets import decode_bytes
from listserver.mail.headers import MAX_HEADER, Header, decode_text, read_header, unfold

MAX_PARTS = 1_000
MAX_DEPTH = 100
MAX_BOUNDARIES = 20_000  # lines that look like one, in a whole message
MAX_LOOKS = 10  # how often a large message is looked through, which each level costs anew
_LARGE = 2_000_000  # octets; smaller ones may be as deep as they want
_TOO_MANY, _TOO_DEEP, _TOO_OFTEN = "too many parts", "nested too deeply", "too many boundaries"
_LIMITS = frozenset((_TOO_MANY, _TOO_DEEP, _TOO_OFTEN))
_MAX_TYPE = 2_000  # octets of Content-Type and Content-Disposition
_LONGEST_NAME = 150
_LONGEST_SUFFIX = 10

_VALUE = re.compile(r'[^\s;,="()]+')
_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_GAP = re.compile(r"[;\s]*")
_PARAMETER = re.compile(r'([^\s=;"]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))')
_JUNK = re.compile(r'"(?:[^"\\]|\\.)*"?|[^\s;"]+')
_ESCAPED = re.compile(r"\\(.)")
_FREE = ("filename", "name")  # written without quotes, they still hold spaces
_BOUNDARY_LINE = re.compile(rb"^--([^\s-][^\r\n]{0,69}?)[ \t]*\r?$", re.M)
_ENCODING = re.compile(r"[a-z0-9-]+")
# Besides control characters, what turns the direction of a name around: `fdp.exe` must not look like `exe.pdf`.
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_SPACE_AFTER_SOFT = re.compile(rb"=[ \t]+(?=\r?\n)")
_HEX = re.compile(rb"=[0-9A-Fa-f]{2}")
_BASE64 = (ascii_letters + digits + "+/=").encode()
_BASE64_OR_SPACE = _BASE64 + b" \t\r\n"
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _BASE64)
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*={0,3}")


@dataclass(slots=True)
class Part:
    """One part of the tree: where its content lies in the message, and what its fields say of it."""

    kind: str
    """Its type, lower-cased: `text/plain`."""
    parameters: dict[str, str]
    disposition: str
    name: str
    """Its file name, fit for showing only."""
    encoding: str
    start: int
    end: int
    parent: int = -1
    """The place of its multipart in the tuple of parts; -1 for the outermost."""
    depth: int = 0
    is_multipart: bool = False
    head: int = 0
    """Where its own fields begin."""


class Decoded(NamedTuple):
    """Content without its transfer encoding; what stood behind the encoded text; what was wrong."""

    data: bytes
    rest: bytes = b""
    defect: str = ""


@dataclass(slots=True)
class _Reading:
    raw: bytes
    room: int
    """Octets that may still be looked through for boundaries."""
    boundaries: int = MAX_BOUNDARIES
    defects: list[str] = field(default_factory=list)

    def note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)


def read_parts(raw: bytes, header: Header) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts of a message in order, each after its multipart, and what was wrong. Never raises.

    Limits: 1,000 parts, 100 levels (10 in a large message), 20,000 lines that look like a boundary; what is beyond them is
    not opened.
    """
    reading = _Reading(raw, MAX_LOOKS * max(len(raw), _LARGE))
    parts: list[Part] = []
    stack = [_read_part(raw, header, header.size, len(raw))]
    while stack:
        part = stack.pop()
        if len(parts) >= MAX_PARTS:
            reading.note(_TOO_MANY)
            break
        parts.append(part)
        if not part.kind.startswith("multipart/"):
            continue
        reading.room -= part.end - part.start
        if part.depth >= MAX_DEPTH or reading.room < 0:
            reading.note(_TOO_DEEP)
            continue
        part.is_multipart = True
        default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
        index = len(parts) - 1
        for start, end in reversed(_find_children(reading, part)):
            child_header = read_header(raw[start : min(end, start + MAX_HEADER + 1)])
            child = _read_part(raw, child_header, start + child_header.size, end, default)
            child.parent, child.depth, child.head = index, part.depth + 1, start
            stack.append(child)
    return tuple(parts), tuple(reading.defects)


def is_bomb(raw: bytes, header: Header) -> bool:
    """Whether a message has more parts, levels or boundaries than `read_parts` opens: no mail program writes that."""
    return not _LIMITS.isdisjoint(read_parts(raw, header)[1])


def _read_part(raw: bytes, header: Header, start: int, end: int, default: str = "text/plain") -> Part:
    kind, parameters = read_parameters(header.first("content-type"))
    disposition, more = read_parameters(header.first("content-disposition"))
    encoding = _ENCODING.search(unfold(header.first("content-transfer-encoding") or b"", 100).lower())
    return Part(
        kind=kind if _TYPE.fullmatch(kind) else default,
        parameters=parameters,
        disposition=disposition,
        name=clean_name(more.get("filename") or parameters.get("name") or ""),
        encoding=encoding[0] if encoding else "",
        start=start,
        end=end,
    )


def _find_children(reading: _Reading, part: Part) -> list[tuple[int, int]]:
    """Where the parts of a multipart lie; where there is no boundary, the whole of it is one part without fields."""
    boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
    found = _split(reading, part, boundary) if boundary else []
    if not found:
        guess = _BOUNDARY_LINE.search(reading.raw[part.start : min(part.end, part.start + 4096)])
        if guess is not None and guess[1] != boundary:
            found = _split(reading, part, guess[1])
            if found:
                reading.note("a multipart with another boundary than it says")
    if not found:
        reading.note("a multipart without parts")
        return [(part.start, part.end)]
    return found


def _split(reading: _Reading, part: Part, boundary: bytes) -> list[tuple[int, int]]:
    """The parts between the boundaries (RFC 2046 §5.1.1); what follows an unclosed last boundary belongs to its part."""
    raw, delimiter = reading.raw, b"\n--" + boundary
    found: list[tuple[int, int]] = []
    opened: int | None = None
    position = part.start - 1 if raw.startswith(delimiter[1:], part.start) else raw.find(delimiter, part.start, part.end)
    while position >= 0 and len(found) <= MAX_PARTS:
        reading.boundaries -= 1
        if reading.boundaries < 0:
            reading.note(_TOO_OFTEN)
            break
        after = position + len(delimiter)
        closing = raw.startswith(b"--", after)
        line_end = raw.find(b"\n", after, part.end)
        line_end = part.end if line_end < 0 else line_end
        if not raw[after + 2 * closing : line_end].strip():  # else the boundary of another multipart that begins like ours
            if opened is not None:
                before = max(opened, position)
                found.append((opened, before - 1 if before > opened and raw[before - 1] == 13 else before))
            opened = None if closing else min(line_end + 1, part.end)
            if closing:
                break
        position = raw.find(delimiter, line_end, part.end)
    if opened is not None and position < 0:
        reading.note("the last boundary is missing")
        found.append((opened, part.end))
    return found


def read_parameters(body: bytes | None) -> tuple[str, dict[str, str]]:
    """The value of a structured field, lower-cased, and its parameters (RFC 2045 §5.1, 2231 §3, §4). Limits: 2 KB.

    Of one parameter written twice the first counts; one in the extended form of RFC 2231 counts before a plain one.
    """
    if not body:
        return "", {}
    text = unfold(body, _MAX_TYPE)
    value = _VALUE.match(text)
    position = value.end() if value else 0
    forms: dict[str, dict[str, str]] = {}
    while position < len(text):
        position = max(_GAP.match(text, position).end(), position)  # type: ignore[union-attr]  # it matches nothing, too
        match = _PARAMETER.match(text, position)
        if match is None:
            junk = _JUNK.match(text, position)
            position = junk.end() if junk else position + 1
            continue
        base, _star, form = match[1].lower().partition("*")
        position, content = match.end(), match[2]
        if content is not None:
            content = _ESCAPED.sub(r"\1", content) if "\\" in content else content
        elif base in _FREE:
            content = match[3].strip()
        else:
            content = match[3].partition(" ")[0].strip()
            position = match.start(3) + len(content)
        forms.setdefault(base, {}).setdefault(form if _star else "plain", content)
    return (value[0].lower() if value else ""), {base: _join(found) for base, found in forms.items()}


def _join(forms: dict[str, str]) -> str:
    """One value from its forms: `name*`, `name*0`, `name*1*`, … or plain."""
    pieces = [(forms[""], True)] if "" in forms else []
    while "" not in forms:
        number = str(len(pieces))
        if f"{number}*" in forms:
            pieces.append((forms[f"{number}*"], True))
        elif number in forms:
            pieces.append((forms[number], False))
        else:
            break
    if not pieces:
        return forms.get("plain", "")
    charset, (first, extended) = "", pieces[0]
    if extended and first.count("'") >= 2:
        charset, _language, first = first.split("'", 2)
        pieces[0] = (first, True)
    return decode_bytes(b"".join(unquote_to_bytes(p) if e else p.encode("utf-8", "replace") for p, e in pieces), charset)


def clean_name(text: str) -> str:
    """A file's name as text to show: decoded (many write encoded words), no folders, nothing that turns it around."""
    shown = decode_text(text.encode("utf-8", "replace"), 1000) if "=?" in text else text
    shown = " ".join(_UNSHOWN.sub(" ", re.split(r"[/\\]", shown)[-1]).split())
    if len(shown) <= _LONGEST_NAME:
        return shown
    stem, dot, suffix = shown.rpartition(".")
    kept = dot + suffix if stem and len(suffix) <= _LONGEST_SUFFIX else ""
    return shown[: _LONGEST_NAME - len(kept) - 1] + "…" + kept


def decoded_size(raw: bytes, part: Part) -> int:
    """About how many octets a part is without its transfer encoding: counted, because it may be large and is not read."""
    start, end = part.start, part.end
    size = end - start
    if part.encoding == "base64":
        letters = size - sum(raw.count(sign, start, end) for sign in (b"\r", b"\n", b" ", b"\t"))
        return max(letters * 3 // 4 - raw.count(b"=", max(start, end - 8), end), 0)
    if part.encoding == "quoted-printable":
        soft = raw.count(b"=\r\n", start, end)
        return max(size - 3 * soft - 2 * (raw.count(b"=", start, end) - soft), 0)
    return size


def decode_transfer(content: bytes, encoding: str) -> Decoded:
    """Take off a transfer encoding, forgivingly (RFC 2045 §6); content in an unknown one stays as it is."""
    if encoding == "base64":
        return _decode_base64(content)
    if encoding == "quoted-printable":
        # A relay that puts white space at the ends of lines must not undo soft line breaks (RFC 2045 §6.7 rule 3).
        return Decoded(
            binascii.a2b_qp(_SPACE_AFTER_SOFT.sub(b"=", content) if b"= " in content or b"=\t" in content else content)
        )
    return Decoded(content)


def _decode_base64(content: bytes) -> Decoded:
    """Base64 as far as it goes: what some list put behind it, or text that never was base64, is kept as it is."""
    end = len(content)
    if content.translate(None, _BASE64_OR_SPACE):
        end = _end_of_base64(content)
    out = []
    for piece in content[:end].translate(None, _NOT_BASE64).split(b"="):  # several padded pieces, one after another
        whole = piece[:-1] if len(piece) % 4 == 1 else piece  # a single letter left over says nothing
        if whole:
            out.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
    rest = content[end:].strip(b"\r\n")
    defect = "" if not rest else "text after base64" if out else "not base64, though it says so"
    return Decoded(b"".join(out), rest, defect)


def _end_of_base64(content: bytes) -> int:
    """Where the first line begins that is not base64; one long line with a few strange octets still is."""
    position = 0
    for line in content.splitlines(keepends=True):
        letters = line.strip()
        if not _BASE64_LINE.fullmatch(letters):
            strange = len(letters.translate(None, _BASE64))
            if len(letters) < 40 or strange * 20 > len(letters) or b" " in letters:
                return position
        position += len(line)
    return position

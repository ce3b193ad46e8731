"""The readable text of a MIME tree: limits first, a stack instead of recursion, and no message is too broken to read.

Charsets by allow-list (`charsets`), transfer encodings forgivingly (RFC 2045), format=flowed joined (RFC 3676), HTML as
text where there is no plain part; attachments are listed by name and size (RFC 2183, 2231) and never unpacked.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from listserver.mail.charsets import decode_bytes
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.htmltext import html_to_text

MAX_PARTS = 200
MAX_DEPTH = 20
MAX_TEXT = 1_000_000  # characters
_MAX_TYPE = 2_000

_PARAMETER = re.compile(r';\s*([^\s=;"]{1,60})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is not text to be read here; the name is for showing only."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyText:
    """What a person would read, the HTML part as received, and what else was there."""

    text: str
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    flowed: bool = False
    defects: tuple[str, ...] = ()


@dataclass
class _Reading:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    flowed: bool = False
    parts: int = 0
    size: int = 0


def read_parameters(body: bytes | None) -> tuple[str, dict[str, str]]:
    """The value of a structured field, lower-cased, and its parameters (RFC 2045 §5.1, 2231 §3–4). Limits: 2 KB."""
    text = unfold((body or b"")[:_MAX_TYPE])
    value = text.partition(";")[0].strip().lower()
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, quoted, bare in _PARAMETER.findall(text):
        base, star, rest = name.lower().partition("*")
        number = rest.rstrip("*")
        content = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
        pieces.setdefault(base, []).append((int(number) if number.isdigit() else 0, name.endswith("*") and bool(star), content))
    return value, {name: _join(found) for name, found in pieces.items()}


def _join(found: list[tuple[int, bool, str]]) -> str:
    found.sort(key=lambda piece: piece[0])
    if not any(encoded for _number, encoded, _text in found):
        return found[0][2] if found[0][0] == 0 and len(found) == 1 else "".join(text for _n, _e, text in found)
    charset, first = "utf-8", found[0][2]
    if found[0][1] and first.count("'") >= 2:
        charset, _language, first = first.split("'", 2)
    data = b"".join(
        unquote_to_bytes(t) if e else t.encode("utf-8", "replace")
        for (_n, e, _t), t in zip(found, [first, *(t for _n, _e, t in found[1:])], strict=True)
    )
    return decode_bytes(data, charset)


def read_body(raw: bytes, header: Header) -> BodyText:
    """Read the text of a message. Never raises. Limits: 200 parts, 20 levels, a million characters."""
    reading = _Reading()
    stack: list[tuple[bytes, Header, int, str]] = [(raw[header.size :], header, 0, "")]
    while stack:
        content, part, depth, around = stack.pop()
        reading.parts += 1
        if reading.parts > MAX_PARTS or depth > MAX_DEPTH:
            reading.defects.append("too many parts" if reading.parts > MAX_PARTS else "nested too deeply")
            break
        kind, parameters = read_parameters(part.first("content-type"))
        if kind.startswith("multipart/") and parameters.get("boundary"):
            children = _split(content, parameters["boundary"].encode("utf-8", "replace"), reading)
            for child in reversed(children):
                child_header = read_header(child)
                stack.append((child[child_header.size :], child_header, depth + 1, kind))
        else:
            _read_leaf(content, part, kind, parameters, around, reading)
    html = "\n".join(reading.html) or None
    text = "\n".join(reading.plain)
    if not text.strip() and html is not None:
        text = html_to_text(html)
    return BodyText(
        text=text[:MAX_TEXT],
        html=html,
        attachments=tuple(reading.attachments),
        flowed=reading.flowed,
        defects=tuple(reading.defects),
    )


def _split(content: bytes, boundary: bytes, reading: _Reading) -> list[bytes]:
    """The parts between the boundaries (RFC 2046 §5.1.1); text after an unclosed last part belongs to it."""
    pattern = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|$)")
    parts: list[bytes] = []
    start: int | None = None
    position = 0
    while len(parts) <= MAX_PARTS:
        match = pattern.search(content, position)
        if match is None:
            break
        if start is not None:
            parts.append(content[start : match.start()])
        start = None if match[1] else match.end()
        position = max(match.end() - 1, match.start() + 1) if not match[1] else match.end()
        if match[1]:
            break
    if start is not None:
        reading.defects.append("the last boundary is missing")
        parts.append(content[start:])
    if not parts:
        reading.defects.append("a multipart without parts")
        parts.append(b"\r\n" + content)
    return parts


def _read_leaf(content: bytes, part: Header, kind: str, parameters: dict[str, str], around: str, reading: _Reading) -> None:
    disposition, more = read_parameters(part.first("content-disposition"))
    name = _file_name(more.get("filename") or parameters.get("name") or "")
    data = _decode(content, unfold(part.first("content-transfer-encoding") or b"", 100).strip().lower(), reading)
    is_text = kind in ("", "text/plain", "text/html") or (kind == "text" and not name)
    if not is_text or disposition == "attachment" or (name and kind != "text/html" and disposition != "inline"):
        if kind in ("application/pgp-signature", "application/pkcs7-signature") and around == "multipart/signed":
            return
        reading.attachments.append(
            Attachment(name=name or _default_name(kind), content_type=kind or "text/plain", size=len(data))
        )
        return
    if reading.size > MAX_TEXT:
        return
    text = (
        decode_bytes(data[: MAX_TEXT * 4], parameters.get("charset", ""))
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\x00", "")
    )
    reading.size += len(text)
    if kind == "text/html":
        reading.html.append(text)
        return
    if parameters.get("format", "").lower() == "flowed":
        reading.flowed = True
        text = unflow(text, delete_space=parameters.get("delsp", "").lower() == "yes")
    reading.plain.append(text)


def _decode(content: bytes, encoding: str, reading: _Reading) -> bytes:
    if encoding == "base64":
        return _decode_base64(content, reading)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(content)
    return content


def _decode_base64(content: bytes, reading: _Reading) -> bytes:
    """Base64 as far as it goes; a plain footer that some list put behind it is kept as text."""
    end = content.find(b"\n\n") if b"\r\n" not in content else content.find(b"\r\n\r\n")
    rest = b""
    if end > 0 and content[end:].strip():
        candidate = content[end:].strip()
        if _NOT_BASE64.search(candidate.replace(b"\r", b"").replace(b"\n", b"")) and b" " in candidate:
            content, rest = content[:end], b"\n" + candidate + b"\n"
            reading.defects.append("text after base64")
    letters = _NOT_BASE64.sub(b"", content)
    ended = letters.find(b"=")
    if ended >= 0:
        letters = letters[:ended]
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4)) + rest
    except (binascii.Error, ValueError):
        reading.defects.append("broken base64")
        return content


def _file_name(text: str) -> str:
    """A file's name as text to show: decoded, no folders, no control characters."""
    shown = decode_text(text.encode("utf-8", "replace"), 1000) if "=?" in text else text
    return re.sub(r"[\x00-\x1f\x7f]+", " ", re.split(r"[/\\]", shown)[-1]).strip()[:150]


def _default_name(kind: str) -> str:
    return {"message/rfc822": "message.eml", "text/calendar": "invitation.ics", "application/ms-tnef": "winmail.dat"}.get(
        kind, "unnamed"
    )


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the soft line breaks of format=flowed, at each level of quotes by itself (RFC 3676 §4)."""
    out: list[str] = []
    joining = False
    level_before = 0
    for line in text.split("\n"):
        level = len(line) - len(line.lstrip(">"))
        content = line[level:].removeprefix(" ")
        if joining and level == level_before:
            out[-1] += content
        else:
            out.append(">" * level + (" " if level and content else "") + content)
        joining = content.endswith(" ") and content != "-- "
        if joining and delete_space:
            out[-1] = out[-1][:-1]
        level_before = level
    return "\n".join(out)

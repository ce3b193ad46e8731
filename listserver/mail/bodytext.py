"""The readable text of a message: what a person would read in it, and a list of what else is there.

Charsets by allow-list (`charsets`), transfer encodings forgivingly (`mime`), format=flowed joined (RFC 3676). HTML is
turned into text only where no plain text says the same (RFC 2046 §5.1.4). Attachments are named and never unpacked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from listserver.mail.charsets import decode_bytes
from listserver.mail.flowed import unflow
from listserver.mail.headers import Header
from listserver.mail.htmltext import html_to_text
from listserver.mail.mime import Part, decode_transfer, decoded_size, read_parts

MAX_TEXT = 1_000_000  # characters, of all parts together

# Kinds of text that are files to keep, not words to read here.
_FILES = frozenset(
    f"text/{name}"
    for name in ("calendar", "csv", "css", "directory", "javascript", "rfc822-headers", "rtf", "tab-separated-values", "vcard", "x-vcard", "xml")
)  # fmt: skip
_SIGNATURES = frozenset(("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"))
_UNNAMED = {
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "message/delivery-status": "report.txt",
    "text/rfc822-headers": "headers.txt",
    "text/calendar": "invitation.ics",
    "text/html": "page.html",
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
}
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
# No reader sees these, and databases and feeds refuse some of them.
_UNSEEN_CODES = (*range(9), 11, *range(14, 32), *range(0x7F, 0xA0), 0xFEFF, 0xFFFE, 0xFFFF)
_UNSEEN = re.compile(f"[{''.join(map(chr, _UNSEEN_CODES))}]+")
_ENRICHED = re.compile(r"<(?:<|/?[A-Za-z-]{1,60}>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is not read here. The name is for showing only; `inline`: the HTML shows it in its place."""

    name: str
    content_type: str
    size: int
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyText:
    """What a person would read, the HTML as received, and what else was there.

    Invariant: the text is '' or ends with one line end; its lines end with `\\n`; it holds no control characters but tab.
    """

    text: str
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    flowed: bool = False
    defects: tuple[str, ...] = ()


class Piece(NamedTuple):
    """One stretch of a message, in the forms it came in."""

    text: str | None = None
    html: str | None = None


@dataclass(slots=True)
class _Reading:
    raw: bytes
    parts: tuple[Part, ...]
    defects: list[str]
    attachments: list[Attachment] = field(default_factory=list)
    flowed: bool = False
    size: int = 0
    found_text: bool = False


def read_body(raw: bytes, header: Header) -> BodyText:
    """Read the text of a message. Never raises. Limits: those of `mime.read_parts`, and a million characters."""
    parts, defects = read_parts(raw, header)
    reading = _Reading(raw, parts, list(defects))
    return _finish(reading, _read_pieces(reading))


def read_pieces(raw: bytes, header: Header) -> list[Piece]:
    """The stretches of text of a message, in order, HTML not laid out. Never raises. Limits: those of `read_body`."""
    parts, defects = read_parts(raw, header)
    return _read_pieces(_Reading(raw, parts, list(defects)))


def _read_pieces(reading: _Reading) -> list[Piece]:
    parts = reading.parts
    pieces = {index: _read_leaf(reading, index) for index, part in enumerate(parts) if not part.is_multipart}
    children: list[list[int]] = [[] for _part in parts]
    for index, part in enumerate(parts[1:], 1):
        children[part.parent].append(index)
    for index in range(len(parts) - 1, -1, -1):  # children stand behind their multipart: no recursion
        if parts[index].is_multipart:
            pieces[index] = _combine(parts[index].kind, [pieces.pop(child) for child in children[index]])
    return pieces[0]


def attached_parts(raw: bytes, header: Header) -> list[Part]:
    """The parts that are attachments, in order: those that `read_body` names and does not read."""
    parts, _defects = read_parts(raw, header)
    found, found_text = [], False
    for index, part in enumerate(parts):
        if part.is_multipart:
            continue
        around = parts[part.parent].kind if part.parent >= 0 else ""
        if part.kind in _SIGNATURES and around == "multipart/signed":
            continue
        if _is_read(part, around, is_first=index == part.parent + 1, found_text=found_text):
            found_text = True
        else:
            found.append(part)
    return found


def shown_name(part: Part) -> str:
    """What an attachment is called, for showing only."""
    return part.name or _UNNAMED.get(part.kind, "unnamed")


def _finish(reading: _Reading, pieces: list[Piece]) -> BodyText:
    texts: list[str] = []
    for piece in pieces:
        texts.append(piece.text if piece.text is not None else html_to_text(piece.html or ""))
    text = "\n".join(each.strip("\n") for each in texts if each.strip()).strip("\n")
    htmls = [piece.html for piece in pieces if piece.html is not None]
    if reading.size >= MAX_TEXT or len(text) > MAX_TEXT:
        reading.defects.append("the text is cut")
    return BodyText(
        text=text[: MAX_TEXT - 1] + "\n" if text else "",
        html="\n".join(htmls) if htmls else None,
        attachments=tuple(reading.attachments),
        flowed=reading.flowed,
        defects=tuple(reading.defects),
    )


def _combine(kind: str, children: list[list[Piece]]) -> list[Piece]:
    """What a multipart says: its parts one after another, but of alternatives each form once (RFC 2046 §5.1.4)."""
    if kind != "multipart/alternative":
        return [piece for pieces in children for piece in pieces]
    plain = next((p for p in children if any(each.text and each.text.strip() for each in p)), [])
    rich = next((p for p in reversed(children) if any(each.html is not None for each in p)), [])
    if plain is rich:
        return plain
    texts = [each.text for each in plain if each.text is not None]
    htmls = [each.html for each in rich if each.html is not None]
    if not texts:
        return rich
    return [Piece("\n".join(texts), "\n".join(htmls) if htmls else None)]


def _read_leaf(reading: _Reading, index: int) -> list[Piece]:
    """The text of a part that is read, [] for an attachment, which is noted."""
    part = reading.parts[index]
    around = reading.parts[part.parent].kind if part.parent >= 0 else ""
    if part.kind in _SIGNATURES and around == "multipart/signed":
        return []
    if not _is_read(part, around, is_first=index == part.parent + 1, found_text=reading.found_text):
        name = shown_name(part)
        inline = around == "multipart/related" and part.disposition != "attachment"
        size = decoded_size(reading.raw, part)
        reading.attachments.append(Attachment(name=name, content_type=part.kind, size=size, inline=inline))
        return []
    reading.found_text = True
    text = _decode(reading, part)
    if part.kind == "text/html":
        return [Piece(html=text)]
    if part.parameters.get("format", "").lower() == "flowed":
        reading.flowed = True
        text = unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    elif part.kind in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub(lambda match: "<" if match[0] == "<<" else "", text)
    return [Piece(text)]


def _is_read(part: Part, around: str, *, is_first: bool, found_text: bool) -> bool:
    """Whether a part is text to read, not a file: by its type, and by how it was attached (RFC 2183 §2)."""
    if not part.kind.startswith("text/") or part.kind in _FILES:
        return False
    if part.disposition == "attachment":
        return part.parent < 0 and not part.name
    if around == "multipart/related":
        return is_first  # the others are what it shows (RFC 2387)
    if not part.name or around == "multipart/alternative" or not found_text:
        return True  # programs name bodies, too
    return part.disposition == "inline" and part.kind != "text/html"


def _decode(reading: _Reading, part: Part) -> str:
    """The characters of a text part; its lines end with `\\n`."""
    room = MAX_TEXT - reading.size
    content = reading.raw[part.start : min(part.end, part.start + 6 * max(room, 0))]
    decoded = decode_transfer(content, part.encoding)
    if decoded.defect and decoded.defect not in reading.defects:
        reading.defects.append(decoded.defect)
    text = decode_bytes(decoded.data[: 4 * room], part.parameters.get("charset", ""))
    if decoded.rest:
        text = "\n".join(filter(None, (text.rstrip("\r\n"), decode_bytes(decoded.rest[: 4 * room], ""))))
    text = text.replace("\r\n", "\n")
    if not text.replace("\n", "").replace("\t", "").isprintable():  # seldom, and much faster to ask than to replace
        text = _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))
    text = text[:room]
    reading.size += len(text)
    return text

"""Leave attachments out of a list's copies: each is replaced by a line that names it, and every other byte stays.

Encrypted mail, calendars and signatures pass untouched, because what is left of them would be of no use to anybody.
"""

from __future__ import annotations

from listserver.mail.bodytext import attached_parts, shown_name
from listserver.mail.headers import Header, edit_header
from listserver.mail.mime import Part, decoded_size

_KEPT = frozenset(
    (
        "application/pgp-encrypted",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pkcs7-signature",
        "application/pgp-signature",
        "text/calendar",
    )
)
_TYPE = b"Content-Type: text/plain; charset=utf-8\r\n"
_ENCODING = b"Content-Transfer-Encoding: 8bit\r\n"
_REPLACED = frozenset(("content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-description"))


def left_out(raw: bytes, header: Header) -> list[Part]:
    """The parts that a list which strips attachments does not pass on."""
    if header.first("content-type") is None or b"multipart/encrypted" in (header.first("content-type") or b"").lower():
        return []
    return [part for part in attached_parts(raw, header) if part.kind not in _KEPT]


def names_of(parts: list[Part]) -> tuple[str, ...]:
    """What they are called, for telling their writer."""
    return tuple(shown_name(part) for part in parts)


def strip(raw: bytes, header: Header) -> bytes:
    """The message without its attachments.

    Invariant: bytes outside of the parts that are left out are the same, and in the same order.
    """
    parts = left_out(raw, header)
    if len(parts) == 1 and parts[0].parent < 0:  # the whole message is one
        head = edit_header(raw, header, remove=_REPLACED - {"content-type"}, replace={"content-type": _TYPE + _ENCODING})
        return head + b"\r\n" + _note(raw, parts[0]) + b"\r\n"
    out, position = [], 0
    for part in parts:
        out += [raw[position : part.head], _TYPE, _ENCODING, b"\r\n", _note(raw, part)]
        position = part.end
    return b"".join([*out, raw[position:]])


def _note(raw: bytes, part: Part) -> bytes:
    size = max(1, round(decoded_size(raw, part) / 1000))
    return f"[{shown_name(part)}, {size} KB: left out, because this list does not pass on attachments]".encode("utf-8", "replace")

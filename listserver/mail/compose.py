"""New messages of our own: text first, HTML beside it where there is one; every line fits, every byte of a body is ASCII.

Fields go through `headers.write_field`, the one writer that refuses line ends. A body goes as it is where it is plain
ASCII, else quoted-printable, or base64 where it is mostly not Latin (RFC 2045 §6.7, §6.8). Text may be format=flowed.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from hashlib import blake2b

from listserver.mail.flowed import flow
from listserver.mail.headers import write_field

_LONGEST_LINE = 998  # octets (RFC 5322 §2.1.1)
_HIGH = bytes(range(128, 256))
_MOSTLY_HIGH = 3  # base64 is shorter than quoted-printable once a third of the octets would be written as =XX
_BASE64_LINE = 57  # octets that make 76 letters
_LINE_END = re.compile(r"\r\n|\r")
# Mailboxes in mbox form change a line that begins with "From ", and with it a signature (RFC 3676 §4.4).
_FROM_LINE = re.compile(rb"^From ", re.M)
_LONG_FROM = re.compile(rb"^From (?=.{70})", re.M)


def compose(fields: Sequence[tuple[str, str]], text: str, html: str | None = None, *, flowed: bool = False) -> bytes:
    """A whole message with CRLF line ends: `fields` in order, then those of MIME.

    Raises: ValueError on a line end or NUL in a field.
    """
    head = b"".join([write_field(name, value) for name, value in fields]) + b"MIME-Version: 1.0\r\n"
    plain = _part("text/plain; charset=utf-8" + ("; format=flowed" if flowed else ""), flow(_lines(text)) if flowed else text)
    if html is None:
        return head + plain
    # A boundary that follows from the content: the same message is the same bytes. `=_` is not in quoted-printable.
    boundary = b"=_" + blake2b((text + "\x00" + html).encode("utf-8", "replace"), digest_size=12).hexdigest().encode()
    parts = [b"--" + boundary + b"\r\n" + part + b"\r\n" for part in (plain, _part("text/html; charset=utf-8", html))]
    kind = b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"\r\n\r\n'
    return head + kind + b"".join(parts) + b"--" + boundary + b"--\r\n"


def _lines(text: str) -> str:
    return _LINE_END.sub("\n", text).replace("\x00", "")


def _part(content_type: str, text: str) -> bytes:
    """The fields and content of one part; the content ends with a line end."""
    text = _lines(text)
    data = (text if text.endswith("\n") else text + "\n").encode("utf-8", "replace")
    encoding, encoded = _encode(data)
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + encoded


def _encode(data: bytes) -> tuple[str, bytes]:
    if data.isascii() and max(map(len, data.split(b"\n"))) <= _LONGEST_LINE and not _FROM_LINE.search(data):
        return "7bit", data.replace(b"\n", b"\r\n")
    high = len(data) - len(data.translate(None, _HIGH))
    if high * _MOSTLY_HIGH > len(data):
        data = data.replace(b"\n", b"\r\n")
        lines = [binascii.b2a_base64(data[at : at + _BASE64_LINE], newline=False) for at in range(0, len(data), _BASE64_LINE)]
        return "base64", b"".join([line + b"\r\n" for line in lines])
    encoded = binascii.b2a_qp(data, istext=True)
    encoded = _FROM_LINE.sub(b"=46rom ", _LONG_FROM.sub(b"=46rom =\n", encoded))
    return "quoted-printable", encoded.replace(b"\n", b"\r\n")

"""New messages of our own: text first, HTML beside it where there is one; every line fits, every byte is ASCII.

Fields go through `headers.write_field`, the one writer that refuses line ends. The body is quoted-printable, or base64
where it is mostly not Latin (RFC 2045 §6.7, §6.8); text parts may be format=flowed (RFC 3676).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from hashlib import blake2b

from listserver.mail.headers import write_field


def compose(fields: Sequence[tuple[str, str]], text: str, html: str | None = None, *, flowed: bool = False) -> bytes:
    """A whole message with CRLF line ends. Raises: ValueError on a line end or NUL in a field."""
    head = b"".join(write_field(name, value) for name, value in fields) + b"MIME-Version: 1.0\r\n"
    plain = _part("text/plain; charset=utf-8" + ("; format=flowed; delsp=no" if flowed else ""), text)
    if html is None:
        return head + plain
    boundary = b"=_" + blake2b((text + html).encode("utf-8", "replace"), digest_size=12).hexdigest().encode()
    parts = [plain, _part("text/html; charset=utf-8", html)]
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    return head + b'Content-Type: multipart/alternative; boundary="' + boundary + b'"\r\n\r\n' + body


def _part(content_type: str, text: str) -> bytes:
    data = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    encoding, encoded = _encode(data)
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + encoded


def _encode(data: bytes) -> tuple[str, bytes]:
    lines = data.split(b"\r\n")
    if data.isascii() and max(map(len, lines)) <= 998 and b"\x00" not in data:
        return "7bit", data
    if sum(octet > 127 for octet in data) * 3 > len(data):
        return "base64", base64.encodebytes(data).replace(b"\n", b"\r\n")
    encoded = binascii.b2a_qp(data.replace(b"\r\n", b"\n"), istext=True)
    encoded = encoded.replace(b"\nFrom ", b"\n=46rom ").replace(b"\n.", b"\n=2E")
    return "quoted-printable", encoded.replace(b"\n", b"\r\n")

"""Whether two messages say the same: a hash of what the author sent, without what servers added on the way."""

from __future__ import annotations

import hashlib

from listserver.mail.headers import Header

_SAID = ("from", "date", "subject", "message-id")


def content_hash(header: Header, body: bytes) -> bytes:
    """Tells a repeated delivery from another post with the same Message-ID; `body` has CRLF line ends."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _SAID:
        for value in header.all(name):
            digest.update(name.encode() + b":" + b" ".join(value.split()) + b"\n")
    digest.update(body)
    if not body.endswith(b"\n"):
        digest.update(b"\r\n")  # which it has got wherever it was kept in a file
    return digest.digest()


def mail_lines(body: bytes) -> bytes:
    """A body with the line ends that it has on its way (RFC 5321 §2.3.8), as the doors make them: each CRLF."""
    lines = body.replace(b"\r\n", b"\n")
    if b"\r" in lines:
        lines = lines.replace(b"\r", b"\n")
    return lines.replace(b"\n", b"\r\n")

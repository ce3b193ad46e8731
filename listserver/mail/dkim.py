"""DKIM signatures as text and bytes: tag lists, canonical forms, the fields that a signature covers (RFC 6376 §3).

Every function is linear in what it reads, because strangers write it. Nothing here knows keys or the DNS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from listserver.mail.headers import Header

_WHITE = re.compile(rb"[ \t]+")
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def read_tags(text: str) -> dict[str, str] | None:
    """A tag list, `name=value; …`, with the white space around its parts gone (RFC 6376 §3.2).

    None when it is none, or names a tag twice. Values keep their inner white space; names keep their case.
    """
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, sign, value = part.partition("=")
        name = name.strip()
        if not sign and not name:
            continue  # after the last semicolon
        if not sign or name in tags or _TAG_NAME.fullmatch(name) is None:
            return None
        tags[name] = value.strip()
    return tags or None


def relaxed_field(raw: bytes) -> bytes:
    """A field in relaxed form: name in lower case, unfolded, single spaces (RFC 6376 §3.4.2)."""
    name, _colon, value = raw.partition(b":")
    value = _WHITE.sub(b" ", value.replace(b"\r\n", b"").replace(b"\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


def simple_field(raw: bytes) -> bytes:
    """A field as it is (RFC 6376 §3.4.1), with CRLF as line end."""
    return with_crlf(raw if raw.endswith(b"\n") else raw + b"\r\n")


def covered_fields(header: Header, names: Sequence[str], signature: bytes = b"") -> list[bytes]:
    """The fields that `h=` names, each name standing for the next one from the bottom (RFC 6376 §5.4.2).

    A name without a field left covers its absence, and gives nothing. The signature's own field is none of them.
    """
    wanted = set(names)
    left: dict[str, list[bytes]] = {}
    for field in header.fields:
        if field.name in wanted and field.raw is not signature:
            left.setdefault(field.name, []).append(field.raw)
    return [left[name].pop() for name in names if left.get(name)]


def header_input(fields: Iterable[bytes], signature: bytes, *, relaxed: bool) -> bytes:
    """What is signed: the canonical fields, then the signature's own field without its value and line end (§3.7)."""
    canonical = relaxed_field if relaxed else simple_field
    return b"".join(map(canonical, fields)) + canonical(without_value(signature)).removesuffix(b"\r\n")


def without_value(signature: bytes) -> bytes:
    """A DKIM-Signature field with the value of `b=` taken out, white space and all."""
    name, colon, value = signature.partition(b":")
    value = value.rstrip(b"\r\n")
    parts = value.split(b";")
    for index, part in enumerate(parts):
        tag, sign, _value = part.partition(b"=")
        if sign and tag.strip() == b"b":
            parts[index] = tag + sign
    return name + colon + b";".join(parts)


def canonical_body(body: bytes, *, relaxed: bool) -> bytes:
    """The body in canonical form, always with CRLF (RFC 6376 §3.4.3, §3.4.4)."""
    body = with_crlf(body)
    if relaxed:
        body = body.replace(b"\t", b" ")
        while b"  " in body:  # each turn halves every run: faster than an expression by far, and linear
            body = body.replace(b"  ", b" ")
        # A last line without an end loses its white space all the same.
        body = body.replace(b" \r\n", b"\r\n").removesuffix(b" ")
    text = body.rstrip(b"\r\n")
    rest = body[len(text) :].replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b"\r\n")
    text += rest
    return text + b"\r\n" if text or not relaxed else b""


def hash_body(body: bytes, *, relaxed: bool) -> bytes:
    """SHA-256 of the canonical body: what `bh=` holds."""
    return hashlib.sha256(canonical_body(body, relaxed=relaxed)).digest()


def with_crlf(data: bytes) -> bytes:
    """Line ends as CRLF, which mail has had since it came in; stored mail of other origin may not."""
    if data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

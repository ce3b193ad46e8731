"""Keys made once a session, and mails signed with dkimpy: the other implementation that ours is held against."""

from __future__ import annotations

import base64
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Canonical = tuple[bytes, bytes]
CANONICAL: list[Canonical] = [(head, body) for head in (b"simple", b"relaxed") for body in (b"simple", b"relaxed")]


@cache
def rsa_key(bits: int = 1024) -> rsa.RSAPrivateKey:
    """An RSA key of this size."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    """An Ed25519 key."""
    return ed25519.Ed25519PrivateKey.generate()


@cache
def pem(bits: int = 1024) -> bytes:
    """The RSA key as dkimpy reads it."""
    return rsa_key(bits).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@cache
def record(bits: int = 1024) -> str:
    """The DNS record of the RSA key."""
    public = rsa_key(bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def sign(
    raw: bytes,
    names: str,
    canonicalize: Canonical = (b"relaxed", b"relaxed"),
    *,
    domain: str = "example.net",
    bits: int = 1024,
    length: bool = False,
) -> bytes:
    """The mail with a signature of dkimpy's over these fields, selector s1, on top."""
    fields = [name.encode() for name in names.replace(":", " ").lower().split()]
    signature = dkim.sign(
        raw, b"s1", domain.encode(), pem(bits), canonicalize=canonicalize, include_headers=fields, length=length
    )
    return bytes(signature) + raw


def holds(raw: bytes, text: str = "", bits: int = 1024) -> bool:
    """Whether dkimpy finds that the topmost signature of a mail holds."""
    answer = (text or record(bits)).encode()
    return bool(dkim.verify(raw, dnsfunc=lambda _name, timeout=5: answer))

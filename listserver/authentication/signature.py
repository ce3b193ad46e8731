"""One DKIM signature checked by ourselves (RFC 6376 §6.1, 8301, 8463), on `cryptography`.

Our own, because dkimpy verifies Ed25519 only with a library that we do not need otherwise, and takes a minute for one
hostile field or body (`docs/decisions`); the tests hold the two against each other. Linear in the size of the mail.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from listserver.authentication.resolver import DnsFailure, Resolver
from listserver.mail.dkim import canonical_body, covered_fields, header_input, read_tags
from listserver.mail.headers import Header, unfold

PublicKey = RSAPublicKey | Ed25519PublicKey

_SHORTEST_RSA, _LONGEST_RSA = 1024, 4096  # bits (RFC 8301 §3.2)
_LONGEST_FIELD = 8192
_CLOCKS_DIFFER = 3600  # seconds that a signer's clock, or a queue between us, may be off
_ALGORITHMS = {"rsa-sha256": RSAPublicKey, "ed25519-sha256": Ed25519PublicKey}
_CANONICAL = {"": (False, False)} | {
    f"{head}{body}": (head == "relaxed", body == "/relaxed")
    for head in ("simple", "relaxed")
    for body in ("", "/simple", "/relaxed")
}


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a signature holds, and why not; None when the DNS gave no answer."""

    valid: bool | None
    reason: str


class _Bad(Exception):
    """The signature does not hold; the text says why."""


@dataclass
class SignedMail:
    """A mail whose signatures are checked; each canonical body is hashed once."""

    raw: bytes
    header: Header
    _bodies: dict[bool, tuple[bytes, int]] = field(default_factory=dict)

    def body(self, *, relaxed: bool) -> tuple[bytes, int]:
        """Hash and length of the canonical body."""
        if relaxed not in self._bodies:
            body = canonical_body(self.raw[self.header.size :], relaxed=relaxed)
            self._bodies[relaxed] = (hashlib.sha256(body).digest(), len(body))
        return self._bodies[relaxed]


def check_signature(mail: SignedMail, position: int, resolver: Resolver, now: datetime) -> Checked:
    """Check the signature in the DKIM-Signature field at this position from the top."""
    try:
        _check(mail, position, resolver, now)
    except _Bad as bad:
        return Checked(False, str(bad))
    except DnsFailure as failure:
        return Checked(None, str(failure))
    return Checked(True, "DKIM pass")


def _check(mail: SignedMail, position: int, resolver: Resolver, now: datetime) -> None:
    header = mail.header
    if header.too_big or (header.end == header.size and header.end < len(mail.raw)):
        raise _Bad("the header section is malformed")
    signature = [each.raw for each in header.fields if each.name == "dkim-signature"][position]
    tags = _read(signature, now)
    relaxed_header, relaxed_body = _CANONICAL[tags.get("c", "").lower()]
    names = [name.strip().lower() for name in tags["h"].split(":")]
    if "from" not in names:
        raise _Bad("the signature does not cover From")
    _check_body(mail, tags, relaxed=relaxed_body)
    domain, selector = _compact(tags["d"]).lower(), _compact(tags["s"])
    key = _find_key(f"{selector}._domainkey.{domain}", tags, domain, resolver)
    signed = header_input(covered_fields(header, names, signature), signature, relaxed=relaxed_header)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(_octets(tags["b"]), signed, PKCS1v15(), SHA256())
        else:
            key.verify(_octets(tags["b"]), hashlib.sha256(signed).digest())  # RFC 8463 §3
    except (InvalidSignature, ValueError) as error:
        raise _Bad("the signature does not fit the signed fields") from error


def _read(signature: bytes, now: datetime) -> dict[str, str]:
    """The tags of a signature that can be checked at all (RFC 6376 §6.1.1)."""
    body = signature.partition(b":")[2]
    tags = read_tags(unfold(body, _LONGEST_FIELD)) if len(body) <= _LONGEST_FIELD else None
    if tags is None or not all(tags.get(name) for name in ("v", "a", "b", "bh", "d", "h", "s")):
        raise _Bad("the signature cannot be read")
    if tags["v"] != "1" or tags["a"].lower() not in _ALGORITHMS or tags.get("c", "").lower() not in _CANONICAL:
        raise _Bad("the signature is of an unknown kind")
    if "dns/txt" not in tags.get("q", "dns/txt").lower():
        raise _Bad("the key is not in the DNS")
    identity, domain = _compact(tags.get("i", "")).lower().rpartition("@")[2], _compact(tags["d"]).lower()
    if identity and not f".{identity}".endswith(f".{domain}"):
        raise _Bad("the signature speaks for another domain than its own")
    signed_at, expires = _seconds(tags.get("t")), _seconds(tags.get("x"))
    if expires is not None and (expires + _CLOCKS_DIFFER < now.timestamp() or expires < (signed_at or 0)):
        raise _Bad("the signature has expired")
    return tags


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise _Bad("the signature cannot be read")
    return int(text)


def _check_body(mail: SignedMail, tags: dict[str, str], *, relaxed: bool) -> None:
    """Compare the body's hash. With `l=` it must still cover the whole: anybody can add text behind what is covered."""
    digest, length = mail.body(relaxed=relaxed)
    if "l" in tags and _seconds(tags["l"]) != length:
        raise _Bad("the signature covers only a part of the text")
    if _octets(tags["bh"]) != digest:
        raise _Bad("the text was changed after it was signed")


def _find_key(name: str, tags: dict[str, str], domain: str, resolver: Resolver) -> PublicKey:
    """The signer's public key (RFC 6376 §3.6.1, §6.1.2). Raises: _Bad, DnsFailure."""
    records = resolver.txt(name)
    if not records:
        raise _Bad("the signature's key does not exist")
    if len(records) > 1:
        records = tuple(each for each in records if "p" in (read_tags(each) or {})) or records
    record = read_tags(records[0])
    if record is None or record.get("v", "DKIM1") != "DKIM1" or "p" not in record:
        raise _Bad("the signature's key cannot be read")
    if not record["p"]:
        raise _Bad("the signature's key was revoked")
    if "sha256" not in _words(record.get("h", "sha256")) or not {"*", "email"} & _words(record.get("s", "*")):
        raise _Bad("the signature's key is for something else")
    identity = _compact(tags.get("i", "")).lower().rpartition("@")[2]
    if "s" in _words(record.get("t", "")) and identity and identity != domain:
        raise _Bad("the key is not for domains below its own")
    kind = record.get("k", "rsa").lower()
    key = _load(kind, _compact(record["p"]))
    if key is None or not isinstance(key, _ALGORITHMS[tags["a"].lower()]):
        raise _Bad("the signature's key cannot be used")
    return key


@lru_cache(maxsize=512)
def _load(kind: str, text: str) -> PublicKey | None:
    """A public key from its record, or None when it is none, or too short to be believed."""
    try:
        data = _octets(text)
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(data)
        key = load_der_public_key(data) if kind == "rsa" else None
    except (_Bad, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey) or not _SHORTEST_RSA <= key.key_size <= _LONGEST_RSA:
        return None
    return key


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(_compact(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Bad("the signature cannot be read") from error


def _compact(text: str) -> str:
    return "".join(text.split())


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(":")}

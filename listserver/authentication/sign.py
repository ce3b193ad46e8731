"""Our own DKIM signatures, for mails that we write and, when asked, for copies (RFC 6376 §5, 8463).

relaxed/relaxed. What the copies of one post share is read and hashed once; each copy then costs one signature over its
own few fields and the rest. A field that must not be added later is named once more than it is there (over-signed):
a second From or Reply-To, or another way to leave (RFC 8058 §4).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from listserver.mail.dkim import hash_body, relaxed_field
from listserver.mail.headers import Header, read_header

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

# Signed when it is there, as often as it is there (RFC 6376 §5.4.1).
_SIGNED = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
    "precedence",
    "list-id",
    "list-post",
    "list-help",
    "list-owner",
    "list-archive",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "archived-at",
)
# Named once more, so that none can be added.
_OVER_SIGNED = frozenset(
    ("from", "reply-to", "to", "cc", "subject", "date", "content-type", "list-unsubscribe", "list-unsubscribe-post")
)
_SHORTEST_RSA = 1024
_LINE = 72


@dataclass(frozen=True)
class Signable:
    """What the copies of one mail share: fields and body, each brought into canonical form once."""

    content: bytes

    @cached_property
    def body_hash(self) -> str:
        """The value of `bh=`."""
        return base64.b64encode(hash_body(self.content[self._header.size :], relaxed=True)).decode()

    @cached_property
    def fields(self) -> dict[str, list[bytes]]:
        """The fields that are signed, by name, from the top, in canonical form."""
        return _canonical(self._header)

    @cached_property
    def _header(self) -> Header:
        return read_header(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A domain that signs, with its selector and key."""

    domain: str
    selector: str
    key: PrivateKey

    @property
    def algorithm(self) -> str:
        """The value of `a=`."""
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    @property
    def record_name(self) -> str:
        """Where the public key stands in the DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record to publish there (RFC 6376 §3.6.1, RFC 8463 §4)."""
        public = self.key.public_key()
        if isinstance(self.key, RSAPrivateKey):
            data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(data).decode()}"
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()}"

    def sign(self, mail: Signable, own: bytes = b"", *, now: datetime) -> bytes:
        """The DKIM-Signature field for one copy; `own` is whole fields that stand above what the copies share."""
        names, signed = _choose(_canonical(read_header(own)) if own else {}, mail.fields)
        field = (
            f"DKIM-Signature: v=1; a={self.algorithm}; c=relaxed/relaxed; d={self.domain};\r\n"
            f" s={self.selector}; t={int(now.timestamp())};\r\n{_fold_names(names)};\r\n bh={mail.body_hash};\r\n b="
        ).encode("ascii")
        text = base64.b64encode(self._value(signed + relaxed_field(field).removesuffix(b"\r\n")))
        return field + b"\r\n ".join(text[i : i + _LINE] for i in range(0, len(text), _LINE)) + b"\r\n"

    def _value(self, data: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(data).digest())  # RFC 8463 §3


def load_key(pem: bytes) -> PrivateKey:
    """A private key as `openssl genpkey` writes it. Raises: ValueError, with one sentence about what is wrong."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("this is no private key in PEM form without a password") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("a DKIM key is RSA or Ed25519")
    if isinstance(key, RSAPrivateKey) and key.key_size < _SHORTEST_RSA:
        raise ValueError(f"an RSA key of {key.key_size} bits is too short to be believed: take 2048")
    return key


def _canonical(header: Header) -> dict[str, list[bytes]]:
    fields: dict[str, list[bytes]] = {}
    for field in header.fields:
        if field.name in _SIGNED:
            fields.setdefault(field.name, []).append(relaxed_field(field.raw))
    return fields


def _choose(own: dict[str, list[bytes]], shared: dict[str, list[bytes]]) -> tuple[list[str], bytes]:
    """The names for `h=` and the fields behind them, from the bottom up (RFC 6376 §5.4.2)."""
    names: list[str] = []
    signed: list[bytes] = []
    for name in _SIGNED:
        found = [*shared.get(name, ())[::-1], *own.get(name, ())[::-1]]
        signed += found
        names += [name] * (len(found) + (name in _OVER_SIGNED))
    return names, b"".join(signed)


def _fold_names(names: Sequence[str]) -> str:
    lines, line = [], f" h={names[0]}"
    for name in names[1:]:
        if len(line) + len(name) + 1 > _LINE:
            lines.append(line + ":")
            line = f"  {name}"
        else:
            line += f":{name}"
    return "\r\n".join([*lines, line])

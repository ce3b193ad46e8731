"""The keys that we sign with, from the setting DKIM_KEYS: `selector=PATH`, several with commas (RFC 6376 §3.1, 8463).

Every domain that a list lives in signs with the same keys, so a record for each selector stands under each domain. An RSA
key beside an Ed25519 one is the rule: not every receiver reads the latter yet (RFC 8463 §5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from listserver.authentication.sign import PrivateKey, Signable, Signer, load_key
from listserver.errors import ConfigError

_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9-]{1,63}){0,3}")
_RSA_BITS = 2048


@dataclass(frozen=True)
class Signing:
    """Who signs: the keys by selector, and whether copies of posts are signed beside the mails that we write."""

    keys: tuple[tuple[str, PrivateKey], ...]
    posts: bool = False

    def signers(self, domain: str) -> tuple[Signer, ...]:
        """One signer for each key; their signatures stand one above the other."""
        return _signers(self.keys, domain.lower())

    def sign(self, domain: str, mail: Signable, own: bytes, *, now: datetime) -> bytes:
        """The DKIM-Signature fields of one copy."""
        return b"".join([signer.sign(mail, own, now=now) for signer in self.signers(domain)])


@cache
def _signers(keys: tuple[tuple[str, PrivateKey], ...], domain: str) -> tuple[Signer, ...]:
    return tuple(Signer(domain=domain, selector=selector, key=key) for selector, key in keys)


def read_keys(setting: str) -> tuple[tuple[str, PrivateKey], ...]:
    """The keys that DKIM_KEYS names. Raises: ConfigError, which never shows a key."""
    found: list[tuple[str, PrivateKey]] = []
    for entry in (part.strip() for part in setting.split(",") if part.strip()):
        selector, sign, path = (part.strip() for part in entry.partition("="))
        if not sign or not path or _SELECTOR.fullmatch(selector) is None:
            raise ConfigError(f"LISTSERVER_DKIM_KEYS: expected selector=PATH, not {entry!r}")
        try:
            found.append((selector, load_key(Path(path).read_bytes())))
        except OSError as error:
            raise ConfigError(f"LISTSERVER_DKIM_KEYS: cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigError(f"LISTSERVER_DKIM_KEYS: {path}: {error}") from error
    if len({selector.lower() for selector, _key in found}) < len(found):
        raise ConfigError("LISTSERVER_DKIM_KEYS: each selector goes with one key")
    return tuple(found)


def make_keys(folder: Path, selectors: Sequence[str] = ("rsa", "ed25519")) -> list[tuple[str, Path]]:
    """Make an RSA and an Ed25519 key, mode 0600; what is there already stays. Selector and path of each."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[tuple[str, Path]] = []
    for selector, kind in zip(selectors, ("rsa", "ed25519"), strict=True):
        path = folder / f"dkim-{selector}.pem"
        made.append((selector, path))
        if path.exists():
            continue
        key: PrivateKey = generate_private_key(65537, _RSA_BITS) if kind == "rsa" else Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(pem)
    return made

"""From the setting RELAY to a way out. What is wrong with an address is said without repeating it: it may hold a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from listserver.errors import ConfigError
from listserver.flows.ports import Transport
from listserver.transport.maildir import MaildirTransport
from listserver.transport.relay import RelayAddress
from listserver.transport.smtp import SmtpTransport

_SCHEMES = {"smtp": ("", 25), "smtps": ("tls", 465), "smtp+starttls": ("starttls", 587), "lmtp": ("", 24)}
_EXPECTED = (
    "LISTSERVER_RELAY: {}; expected maildir:PATH, smtp://host:25, smtps://…, smtp+starttls://user:password@host, "
    "lmtp://host:24 or lmtp://unix:PATH"
)


def open_transport(address: str, *, hostname: str, connections: int, batch: int = 1) -> Transport:
    """The transport of a RELAY address. Raises: ConfigError."""
    if address.startswith("maildir:"):
        if not address[8:].strip("/ "):
            raise ConfigError(_EXPECTED.format("the folder is missing"))
        return MaildirTransport(Path(address[8:]).absolute(), hostname=hostname)
    return SmtpTransport(read_relay(address), hostname=hostname, connections=connections, batch=batch)


def read_relay(address: str) -> RelayAddress:
    """The parts of a relay's address; in user and password `%40` and the like are decoded. Raises: ConfigError."""
    scheme, sign, rest = address.partition("://")
    if not sign or scheme.lower() not in _SCHEMES:
        raise ConfigError(_EXPECTED.format("this kind of address is not known"))
    scheme = scheme.lower()
    security, port = _SCHEMES[scheme]
    if rest.startswith("unix:"):
        if scheme != "lmtp" or not rest[5:]:
            raise ConfigError(_EXPECTED.format("a socket's path goes with lmtp:// only"))
        return RelayAddress(host="localhost", port=0, lmtp=True, unix=rest[5:])
    try:
        parts = urlsplit(f"//{rest}")
        host, found_port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(_EXPECTED.format("host or port cannot be read")) from None  # the cause would repeat the address
    if not host or found_port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(_EXPECTED.format("host or port cannot be read (in a password, write / as %2F, # as %23, ? as %3F)"))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or "\x00" in user + password:
        raise ConfigError(_EXPECTED.format("user and password go together"))
    return RelayAddress(
        host=host, port=found_port or port, lmtp=scheme == "lmtp", security=security, user=user, password=password
    )

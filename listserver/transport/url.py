"""From the setting RELAY to a way out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from listserver.errors import ConfigError
from listserver.flows.ports import Transport
from listserver.transport.maildir import MaildirTransport
from listserver.transport.smtp import RelayAddress, SmtpTransport

_SCHEMES = {"smtp": ("", 25), "smtps": ("tls", 465), "smtp+starttls": ("starttls", 587), "lmtp": ("", 24)}
_EXPECTED = (
    "LISTSERVER_RELAY: expected maildir:PATH, smtp://host:25, smtps://…, smtp+starttls://user:password@host or lmtp://host:24"
)


def open_transport(address: str, *, hostname: str, connections: int) -> Transport:
    """The transport of a RELAY address. Raises: ConfigError; the address is not repeated, it may hold a password."""
    if address.startswith("maildir:") and len(address) > 8:
        return MaildirTransport(Path(address[8:]).absolute(), hostname=hostname)
    return SmtpTransport(read_relay(address), hostname=hostname, connections=connections)


def read_relay(address: str) -> RelayAddress:
    """The parts of a relay's address. Raises: ConfigError."""
    scheme, sign, rest = address.partition("://")
    if not sign or scheme not in _SCHEMES:
        raise ConfigError(_EXPECTED)
    security, port = _SCHEMES[scheme]
    if scheme == "lmtp" and rest.startswith("unix:"):
        return RelayAddress(host="localhost", port=0, lmtp=True, unix=rest[5:])
    try:
        parts = urlsplit(f"//{rest}")
        found_port = parts.port or port
    except ValueError as error:
        raise ConfigError(_EXPECTED) from error
    if not parts.hostname or parts.path.strip("/"):
        raise ConfigError(_EXPECTED)
    return RelayAddress(
        host=parts.hostname,
        port=found_port,
        lmtp=scheme == "lmtp",
        security=security,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )

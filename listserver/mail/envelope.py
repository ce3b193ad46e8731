"""The envelope: what SMTP carries around the content (RFC 5321 §2.3.1). It routes; the headers only inform."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who spoke to us, as the connection showed it."""

    host: str
    port: int
    helo: str
    trusted: bool
    tls: bool
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Reverse-path ('' is the null one, RFC 5321 §4.5.5), recipients in the order given, and the peer."""

    reverse_path: str
    recipients: tuple[str, ...]
    peer: Peer
    smtputf8: bool = False

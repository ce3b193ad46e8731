"""What a door allows: sizes, counts, patience, and who is exempt.

A listening port meets floods before it meets mail, so every number lives here, beside its reason. Peers named in
`trusted_peers` are our own mail servers: the caps per peer do not bind them, because one MTA speaks for everybody
(RFC 5321 §7.8 leaves such policy to the site). The caps that keep the process alive bind all, but a reserve of
connections is kept for trusted peers, so that strangers can never lock out our own MTA.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from listserver.mail.reply import Reply

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OVERLOADED = Reply(code=421, enhanced="4.3.2", text="Too many connections here; please try again in a while")
_PEER_OVERLOADED = Reply(code=421, enhanced="4.7.0", text="Too many connections from your address; please try again in a while")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of promises that a peer can put to the test."""

    recipients: int = 100
    """In one transaction; RFC 5321 §4.5.3.1.8 asks for at least 100. Beyond: 452, which the peer answers with a second one."""
    connections: int = 800
    """In all. Below the usual 1,024 open files, with room for the database and the way out."""
    reserved_connections: int = 100
    """Of them, kept for trusted peers."""
    connections_per_peer: int = 20
    """From one IPv4 address or one IPv6 /64, which is what a single customer gets."""
    commands: int = 1000
    """In one session of a peer that is not trusted."""
    errors_before_delay: int = 10
    errors_before_drop: int = 20
    delay_seconds: float = 1.0
    """How long each further refusal is kept back once a peer has made `errors_before_delay` errors."""
    idle_seconds: float = 300.0
    """For one whole command, or between two pieces of content (RFC 5321 §4.5.3.2.7: at least 5 minutes)."""
    octets_per_second: float = 500.0
    """The slowest content that we wait for, after a first `idle_seconds`: a trickle must not hold a place for ever."""
    linger_seconds: float = 2.0
    """After our last word, so that the peer can read it: closing over unread input makes TCP throw our 421 away."""
    command_octets: int = 2048
    """RFC 5321 §4.5.3.1.4 asks for 512; SMTPUTF8 addresses and parameters need more."""
    line_octets: int = 1_000_000
    """Of content. RFC 5321 §4.5.3.1.6 promises 1,000 only, but real mail has longer lines and nobody is helped by a bounce."""
    received_fields: int = 100
    """RFC 5321 §6.3: more of them is a loop."""
    memory_octets: int = 0
    """Content being read at one moment, over all sessions; beyond it 452. 0: what four of the largest messages need, at
    least 200 MB, so that the largest one always has a chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """Everything that the doors take from the installation's settings."""

    smtp_listen: tuple[str, ...] = ()
    lmtp_listen: tuple[str, ...] = ()
    hostname: str = "localhost"
    trusted_peers: tuple[Network, ...] = ()
    max_message_bytes: int = 25_000_000
    tls_certificate: str = ""
    tls_key: str = ""
    unix_mode: int = 0o660
    """Of an LMTP socket in the file system: whoever may write to it is trusted."""
    limits: Limits = field(default_factory=Limits)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    has_room: Callable[[int], bool] = lambda _octets: True
    """Whether a message of so many octets can be stored; asked before its content is read (promises P8)."""

    @property
    def memory_octets(self) -> int:
        """How much content may be in memory at one moment."""
        return self.limits.memory_octets or max(200_000_000, 4 * self.max_message_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The far end of one connection, before it has said anything."""

    host: str  # '' for a socket in the file system
    port: int
    trusted: bool
    key: str  # what its connections are counted under

    def __str__(self) -> str:
        return self.host or "local"


def recognise(peername: object, trusted_peers: tuple[Network, ...]) -> Visitor:
    """Read what the socket says of its far end. A socket in the file system is guarded by its file mode, so it is trusted."""
    if not (isinstance(peername, tuple) and len(peername) >= 2):
        return Visitor(host="", port=0, trusted=True, key="")
    host, trusted, key = _look_up(str(peername[0]), trusted_peers)
    return Visitor(host=host, port=int(peername[1]), trusted=trusted, key=key)


@lru_cache(maxsize=4096)
def _look_up(host: str, trusted_peers: tuple[Network, ...]) -> tuple[str, bool, str]:
    """The plain address, whether it is trusted, and the key for counting. The same peers come again and again."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    key = str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))
    return str(address), any(address in network for network in trusted_peers), key


class Turnstile:
    """Counts who is inside, and how much content they have put down, over all listening addresses of the process."""

    def __init__(self, settings: DoorSettings) -> None:
        self._limits = settings.limits
        self._memory = settings.memory_octets
        self._inside = 0
        self._octets = 0
        self._per_peer: Counter[str] = Counter()

    def enter(self, visitor: Visitor) -> Reply | None:
        """Let one connection in, or return the 421 that it gets."""
        limits = self._limits
        room = limits.connections if visitor.trusted else limits.connections - limits.reserved_connections
        if self._inside >= room:
            return _OVERLOADED
        if not visitor.trusted and self._per_peer[visitor.key] >= limits.connections_per_peer:
            return _PEER_OVERLOADED
        self._inside += 1
        self._per_peer[visitor.key] += 1
        return None

    def leave(self, visitor: Visitor) -> None:
        """Take note that a connection which was let in has ended."""
        self._inside -= 1
        self._per_peer[visitor.key] -= 1
        if not self._per_peer[visitor.key]:
            del self._per_peer[visitor.key]

    def hold(self, octets: int) -> bool:
        """Account for content in memory (negative: given back). False when there is no room for more."""
        self._octets += octets
        return self._octets <= self._memory

    def has_room_for(self, octets: int) -> bool:
        """Whether so much more would fit just now."""
        return self._octets + octets <= self._memory

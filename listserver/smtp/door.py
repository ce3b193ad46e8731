"""What all connections of the process share."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from listserver.smtp.limits import DoorSettings, Turnstile


class Closable(Protocol):
    """A connection, as the one who closes the doors sees it."""

    def drain(self) -> None:
        """Close when no transaction is open; else when it ends."""

    def dismiss(self) -> None:
        """Close now, saying 421."""

    async def end(self) -> None:
        """Wait until nothing of this connection runs any more."""


@dataclass(slots=True, kw_only=True, eq=False)
class Door:
    """The state that outlives a connection: who is inside, and whether we are closing."""

    settings: DoorSettings
    turnstile: Turnstile
    tls: ssl.SSLContext | None = None
    connections: set[Closable] = field(default_factory=set)
    draining: bool = False
    empty: asyncio.Event = field(default_factory=asyncio.Event)

"""A look at the relay without giving it mail: whether it answers, and what it offers. For `doctor`."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from listserver.transport.relay import open_session
from listserver.transport.url import read_relay
from listserver.transport.wire import Deadlines, Unusable


@dataclass(frozen=True, kw_only=True)
class RelayLook:
    """Where the relay is, what it offers, and what was wrong with it, if anything."""

    name: str
    offers: dict[str, str] = field(default_factory=dict)
    problem: str = ""


async def look(address: str, *, hostname: str, seconds: float = 5.0) -> RelayLook:
    """Connect, say hello, log in, take leave. Raises: ConfigError when the address cannot be read."""
    where = read_relay(address)
    name = where.unix or f"{where.host}, port {where.port}"
    deadlines = Deadlines(connect=seconds, command=seconds, content=seconds, final=seconds)
    tls = await asyncio.to_thread(ssl.create_default_context) if where.security else None
    try:
        session = await open_session(where, hostname=hostname, deadlines=deadlines, tls=tls)
    except Unusable as error:
        return RelayLook(name=name, problem=error.detail)
    offers = dict(session.capabilities)
    try:
        await asyncio.wait_for(session.quit(), seconds)
    except (TimeoutError, Unusable):
        session.abort("looked at")
    return RelayLook(name=name, offers=offers)

"""How the service stands, in a few quick questions: what waits to leave, what is in flight, how every mail ended.

The conditions are written as in the partial indexes, so that the first two cost what is open and not what was ever kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.store import incoming
from listserver.store.tables import Incoming, Outgoing, table_of

_O: Any = table_of(Outgoing)
_I: Any = table_of(Incoming)
_OPEN = sa.text(
    "SELECT state, count(*), min(outgoing_id) FROM delivery WHERE state IN ('queued', 'retry', 'ambiguous', 'sending') GROUP BY state"
)
_IN_FLIGHT = sa.text(
    "SELECT count(*), min(id) FROM incoming WHERE state IN ('in_flight', 'held', 'asked') AND state = 'in_flight'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Deliveries that have not ended, by state, and since when; mail accepted and not worked yet, and since when."""

    open: dict[str, int]
    oldest: datetime | None
    in_flight: int
    in_flight_oldest: datetime | None

    @property
    def depth(self) -> int:
        """How many deliveries have not ended."""
        return sum(self.open.values())


def take(connection: Connection) -> Pulse:
    """Ask the database."""
    rows = connection.execute(_OPEN).all()
    in_flight, first = connection.execute(_IN_FLIGHT).one()
    oldest = min((row[2] for row in rows), default=None)
    return Pulse(
        open={row[0]: row[1] for row in rows},
        oldest=_moment(connection, _O.c.created_at, _O.c.id, oldest),
        in_flight=in_flight,
        in_flight_oldest=_moment(connection, _I.c.received_at, _I.c.id, first),
    )


def _moment(connection: Connection, column: Any, key: Any, value: int | None) -> datetime | None:
    """Numbers are handed out in order of time, so the smallest is the oldest."""
    if value is None:
        return None
    found: datetime | None = connection.execute(sa.select(column).where(key == value).limit(1)).scalar()
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def endings(connection: Connection) -> tuple[int, dict[str, int]]:
    """How many mails were ever accepted, and how many are in each state (P2); reads them all."""
    return incoming.count(connection), incoming.states(connection)

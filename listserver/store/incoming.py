"""Accepted mail: its original bytes, and the one state in which it ends at each destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.errors import AlreadyEnded
from listserver.store.clean import clean_text
from listserver.store.hot import HotStatement, insert
from listserver.store.tables import Incoming, IncomingState, Original, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """One accepted mail at one destination, before it is stored."""

    list_id: int
    id: int
    original_id: int
    kind: str
    recipient: str
    token: str
    reverse_path: str
    peer: str
    helo: str
    protocol: str
    trusted: bool
    received_at: datetime


class Ending(NamedTuple):
    """How an accepted mail ended: its state, why, and the number of its post."""

    state: str
    detail: str
    post_number: int | None


def add(connection: Connection, raw: bytes, mails: Sequence[NewMail]) -> None:
    """Store an accepted mail: its bytes once a list, and a row `in_flight` for each destination (commit 1)."""
    kept: set[int] = set()
    for mail in mails:
        if mail.original_id not in kept:
            kept.add(mail.original_id)
            _ADD_ORIGINAL.run(connection, {"list_id": mail.list_id, "id": mail.original_id, "raw": raw})
    _ADD.run_many(
        connection,
        [
            {
                "list_id": m.list_id,
                "id": m.id,
                "original_id": m.original_id,
                "kind": m.kind,
                "recipient": clean_text(m.recipient, 400),
                "token": clean_text(m.token, 200),
                "reverse_path": clean_text(m.reverse_path, 400),
                "peer": m.peer,
                "helo": clean_text(m.helo, 255),
                "protocol": m.protocol,
                "trusted": m.trusted,
                "received_at": m.received_at,
                "state": "in_flight",
                "attempts": 0,
                "detail": "",
                "post_number": None,
            }
            for m in mails
        ],
    )


_ADD_ORIGINAL = insert(table_of(Original))
_ADD = insert(table_of(Incoming))


def add_original(connection: Connection, list_id: int, original_id: int, raw: bytes) -> None:
    """Keep bytes that we wrote ourselves or imported."""
    _ADD_ORIGINAL.run(connection, {"list_id": list_id, "id": original_id, "raw": raw})


def add_originals(connection: Connection, list_id: int, originals: Sequence[tuple[int, bytes]]) -> None:
    """Keep the bytes of many messages."""
    if originals:
        _ADD_ORIGINAL.run_many(connection, [{"list_id": list_id, "id": number, "raw": raw} for number, raw in originals])


def finish(
    connection: Connection, list_id: int, incoming_id: int, state: IncomingState, detail: str = "", post_number: int | None = None
) -> None:
    """Record the state in which a mail ended.

    Raises: AlreadyEnded when another worker was quicker; raised on, it undoes whatever this one did for the mail.
    """
    values = {"l": list_id, "i": incoming_id, "to": state.value, "why": clean_text(detail, 500), "post": post_number}
    if _FINISH.run(connection, values).rowcount != 1:
        raise AlreadyEnded


def ending(connection: Connection, list_id: int, incoming_id: int) -> Ending:
    """How a mail stands now."""
    row = _ENDING.run(connection, {"l": list_id, "i": incoming_id}).first()
    return Ending._make(row) if row is not None else Ending(IncomingState.in_flight.value, "", None)


_I = table_of(Incoming)
_ENDING = HotStatement(
    sa.select(_I.c.state, _I.c.detail, _I.c.post_number).where(_I.c.list_id == sa.bindparam("l"), _I.c.id == sa.bindparam("i"))
)
_FINISH = HotStatement(
    sa.update(_I)
    .where(
        _I.c.list_id == sa.bindparam("l"),
        _I.c.id == sa.bindparam("i"),
        sa.or_(_I.c.state == "in_flight", _I.c.state == "held", _I.c.state == "asked"),
    )
    .values(state=sa.bindparam("to"), detail=sa.bindparam("why"), post_number=sa.bindparam("post"))
)


def note_attempt(connection: Connection, list_id: int, incoming_id: int, problem: str) -> int:
    """Count a failed try at processing and return how many there were."""
    return int(
        connection.execute(
            sa.update(Incoming)
            .where(col(Incoming.list_id) == list_id, col(Incoming.id) == incoming_id)
            .values(attempts=Incoming.attempts + 1, detail=clean_text(problem, 500))
            .returning(col(Incoming.attempts))
        ).scalar_one()
    )


def find(connection: Connection, incoming_id: int, list_id: int | None = None) -> Row[Any] | None:
    """A mail by its number."""
    statement = sa.select(table_of(Incoming)).where(col(Incoming.id) == incoming_id)
    if list_id is not None:
        statement = statement.where(col(Incoming.list_id) == list_id)
    return connection.execute(statement).first()


def raw_of(connection: Connection, list_id: int, original_id: int) -> bytes:
    """The original bytes."""
    return bytes(connection.execute(_RAW, {"l": list_id, "i": original_id}).scalar_one())


_RAW = sa.select(col(Original.raw)).where(col(Original.list_id) == sa.bindparam("l"), col(Original.id) == sa.bindparam("i"))


def in_flight(connection: Connection, before: datetime, limit: int) -> list[Row[Any]]:
    """Accepted mails whose second transaction has not ended, oldest first."""
    statement = sa.select(table_of(Incoming)).where(
        col(Incoming.state) == IncomingState.in_flight.value, col(Incoming.received_at) <= before
    )
    return list(connection.execute(statement.order_by(col(Incoming.id)).limit(limit)))


def waiting(connection: Connection, state: IncomingState, list_id: int | None = None, limit: int = 10_000) -> list[Row[Any]]:
    """Mails in an unfinished state, oldest first."""
    statement = sa.select(table_of(Incoming)).where(col(Incoming.state) == state.value)
    if list_id is not None:
        statement = statement.where(col(Incoming.list_id) == list_id)
    return list(connection.execute(statement.order_by(col(Incoming.id)).limit(limit)))


def states(connection: Connection) -> dict[str, int]:
    """How many mails are in each state."""
    counted = dict.fromkeys((s.value for s in IncomingState), 0)
    for state, number in connection.execute(sa.select(col(Incoming.state), sa.func.count()).group_by(col(Incoming.state))):
        counted[state] = number
    return counted


def repeated(connection: Connection, list_id: int, post_number: int) -> list[datetime]:
    """When the mail of a post came again and was not posted a second time."""
    return list(
        connection.execute(
            sa.select(col(Incoming.received_at))
            .where(
                col(Incoming.list_id) == list_id,
                sa.text("state = 'duplicate'"),  # as the index says it
                col(Incoming.post_number) == post_number,
            )
            .order_by(col(Incoming.id))
        ).scalars()
    )


def posts_today(connection: Connection, list_id: int, reverse_path: str, since: datetime) -> int:
    """How many mails of one envelope sender were posted since a time."""
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(Incoming)
            .where(
                col(Incoming.list_id) == list_id,
                col(Incoming.received_at) >= since,
                col(Incoming.reverse_path) == reverse_path,
                col(Incoming.state) == "posted",
            )
        ).scalar_one()
    )


def everything(connection: Connection) -> Iterator[Row[Any]]:
    """All mails, for checks."""
    yield from connection.execution_options(yield_per=1000).execute(sa.select(table_of(Incoming)))


def count(connection: Connection) -> int:
    """How many mails were accepted, counted by destination."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(Incoming)).scalar_one())

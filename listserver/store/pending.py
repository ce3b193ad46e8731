"""Questions that we asked by mail and whose answer we await; and the answers we sent, for their limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.store.tables import Answered, Question, table_of

_Q: Any = table_of(Question)


def ask(
    connection: Connection,
    *,
    list_id: int,
    token_hash: bytes,
    kind: str,
    address: str,
    address_key: str,
    now: datetime,
    expires_at: datetime,
    incoming_id: int | None = None,
    data: str = "{}",
) -> None:
    """Remember a question; its token is kept hashed only."""
    connection.execute(
        sa.insert(Question).values(
            list_id=list_id,
            token_hash=token_hash,
            kind=kind,
            address=address,
            address_key=address_key,
            asked_at=now,
            expires_at=expires_at,
            incoming_id=incoming_id,
            data=data,
        )
    )


def find(connection: Connection, list_id: int, token_hash: bytes) -> Row[Any] | None:
    """The question of a token, open or not."""
    return connection.execute(sa.select(_Q).where(_Q.c.list_id == list_id, _Q.c.token_hash == token_hash)).first()


def open_for(connection: Connection, list_id: int, address_key: str, now: datetime) -> list[Row[Any]]:
    """Questions to one address that can still be answered, newest first."""
    return list(
        connection.execute(
            sa.select(_Q)
            .where(_Q.c.list_id == list_id, _Q.c.address_key == address_key, _Q.c.answered_at.is_(None), _Q.c.expires_at > now)
            .order_by(_Q.c.asked_at.desc())
        )
    )


def answer(connection: Connection, list_id: int, token_hash: bytes, now: datetime) -> bool:
    """Close a question; False when it was closed before."""
    return (
        connection.execute(
            sa.update(Question)
            .where(_Q.c.list_id == list_id, _Q.c.token_hash == token_hash, _Q.c.answered_at.is_(None))
            .values(answered_at=now)
        ).rowcount
        == 1
    )


def note_answer(connection: Connection, *, list_id: int, answer_id: int, address_key: str, name: str, now: datetime) -> None:
    """Note that an answer left for an address."""
    connection.execute(sa.insert(Answered).values(list_id=list_id, id=answer_id, address_key=address_key, name=name, at=now))


def answers_since(
    connection: Connection, address_key: str, since: datetime, *, list_id: int | None = None, name: str | None = None
) -> int:
    """How many answers left for an address since a time: on one list or the whole site, of one name or any."""
    statement = (
        sa.select(sa.func.count())
        .select_from(Answered)
        .where(col(Answered.address_key) == address_key, col(Answered.at) >= since)
    )
    if list_id is not None:
        statement = statement.where(col(Answered.list_id) == list_id)
    if name is not None:
        statement = statement.where(col(Answered.name) == name)
    return int(connection.execute(statement).scalar_one())


def forget(connection: Connection, before: datetime) -> None:
    """Forget answers that left, and questions that ended, before a time."""
    connection.execute(sa.delete(Answered).where(col(Answered.at) < before))
    connection.execute(sa.delete(Question).where(_Q.c.expires_at < before))

"""Posts of a list, numbered without gaps in the order in which they were accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.errors import NotFound
from listserver.store.hot import HotLookup, insert
from listserver.store.tables import Post, table_of

_P: Any = table_of(Post)


def add(connection: Connection, values: Mapping[str, object]) -> None:
    """Store one post; its number was taken under the list's lock."""
    _ADD.run(connection, values)


_ADD = insert(_P)


def by_message_ids(connection: Connection, list_id: int, message_ids: Iterable[str]) -> list[Row[Any]]:
    """Posts of one list that carry any of these Message-IDs, oldest first."""
    return sorted(_BY_IDS.run(connection, message_ids, {"l": list_id}), key=lambda row: row.number)


_BY_IDS = HotLookup(
    lambda ids: sa.select(_P.c.number, _P.c.message_id, _P.c.conversation, _P.c.content_hash).where(
        _P.c.list_id == sa.bindparam("l"), sa.or_(*[_P.c.message_id == each for each in ids])
    )
)


def get(connection: Connection, list_id: int, name: str) -> Row[Any]:
    """A post by its number or its Message-ID. Raises: NotFound."""
    name = name.strip()
    if re.fullmatch(r"#?[0-9]{1,9}", name):
        row = connection.execute(sa.select(_P).where(_P.c.list_id == list_id, _P.c.number == int(name.lstrip("#")))).first()
    else:
        bracketed = name if name.startswith("<") else f"<{name}>"
        row = connection.execute(
            sa.select(_P).where(_P.c.list_id == list_id, _P.c.message_id == bracketed).order_by(_P.c.number)
        ).first()
    if row is None:
        raise NotFound(f"there is no post {name} on this list")
    return row


def by_token(connection: Connection, list_id: int, token: str) -> Row[Any] | None:
    """The post that a reply address names."""
    return connection.execute(sa.select(_P).where(_P.c.list_id == list_id, _P.c.token == token)).first()


def numbered(connection: Connection, list_id: int, first: int, last: int, *, imported: bool = True) -> list[Row[Any]]:
    """Posts with numbers from `first` to `last`; without `imported` only those that came by mail."""
    statement = sa.select(_P).where(_P.c.list_id == list_id, _P.c.number.between(first, last))
    if not imported:
        statement = statement.where(_P.c.incoming_id.is_not(None))
    return list(connection.execute(statement.order_by(_P.c.number)))


def some(connection: Connection, list_id: int, numbers: Sequence[int]) -> list[Row[Any]]:
    """Posts with these numbers."""
    if not numbers:
        return []
    return list(connection.execute(sa.select(_P).where(_P.c.list_id == list_id, _P.c.number.in_(numbers)).order_by(_P.c.number)))


def conversations(connection: Connection, list_id: int) -> list[Row[Any]]:
    """All conversations of a list with their sizes, by the date of the oldest post."""
    first = sa.func.min(_P.c.date)
    return list(
        connection.execute(
            sa.select(_P.c.conversation, sa.func.count().label("posts"), first.label("began"))
            .where(_P.c.list_id == list_id)
            .group_by(_P.c.conversation)
            .order_by(first, _P.c.conversation)
        )
    )


def of_conversations(connection: Connection, list_id: int, conversations: Sequence[int]) -> list[Row[Any]]:
    """All posts of these conversations, in order."""
    if not conversations:
        return []
    return list(
        connection.execute(
            sa.select(_P).where(_P.c.list_id == list_id, _P.c.conversation.in_(list(conversations))).order_by(_P.c.number)
        )
    )


def parents_of(connection: Connection, list_id: int, conversation: int) -> dict[int, int | None]:
    """The tree of one conversation: post number to parent number."""
    return {row.number: row.parent for row in connection.execute(_TREE, {"l": list_id, "c": conversation})}


_TREE = sa.select(_P.c.number, _P.c.parent).where(_P.c.list_id == sa.bindparam("l"), _P.c.conversation == sa.bindparam("c"))


def link(connection: Connection, list_id: int, number: int, *, parent: int | None, kind: str, score: float) -> None:
    """Give a post another parent; the conversation is recomputed by the caller."""
    connection.execute(
        sa.update(Post).where(_P.c.list_id == list_id, _P.c.number == number).values(parent=parent, kind=kind, score=score)
    )


def set_conversation(connection: Connection, list_id: int, numbers: Sequence[int], conversation: int) -> None:
    """Move posts into a conversation, which is named by the number of its root."""
    for start in range(0, len(numbers), 500):
        connection.execute(
            sa.update(Post)
            .where(_P.c.list_id == list_id, _P.c.number.in_(numbers[start : start + 500]))
            .values(conversation=conversation)
        )


def children(connection: Connection, list_id: int, number: int) -> list[int]:
    """The posts that answer this one."""
    return [
        row.number for row in connection.execute(sa.select(_P.c.number).where(_P.c.list_id == list_id, _P.c.parent == number))
    ]


def count_since(connection: Connection, list_id: int, since: datetime) -> int:
    """How many posts were accepted since a time."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(Post).where(_P.c.list_id == list_id, _P.c.accepted_at >= since)
        ).scalar_one()
    )


def move_conversations(connection: Connection, list_id: int, conversations: Sequence[int], into: int) -> None:
    """Make the posts of these conversations part of another."""
    connection.execute(
        sa.update(Post).where(_P.c.list_id == list_id, _P.c.conversation.in_(list(conversations))).values(conversation=into)
    )


def count_by_member(connection: Connection, list_id: int, member_id: int, since: datetime) -> int:
    """How many posts one member wrote since a time, looked for among the newest thousand."""
    newest = (
        sa.select(_P.c.member_id, _P.c.accepted_at)
        .where(_P.c.list_id == list_id)
        .order_by(_P.c.number.desc())
        .limit(1000)
        .subquery()
    )
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(newest).where(newest.c.member_id == member_id, newest.c.accepted_at >= since)
        ).scalar_one()
    )


def last_number(connection: Connection, list_id: int) -> int:
    """The highest number of a post, 0 when there is none."""
    return int(
        connection.execute(sa.select(sa.func.coalesce(sa.func.max(_P.c.number), 0)).where(_P.c.list_id == list_id)).scalar_one()
    )

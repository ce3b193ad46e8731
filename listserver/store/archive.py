"""The read side of the web: a post with what stands around it, and the newest conversations of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.store import incoming
from listserver.store.tables import Post, table_of

_P: Any = table_of(Post)
_MOST_ANSWERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One post, its bytes, what it answers, what answers it, and its neighbours by number."""

    post: Row[Any]
    raw: bytes
    parent: Row[Any] | None
    answers: list[Row[Any]]
    before: int | None
    after: int | None


def find(connection: Connection, list_id: int, number: int) -> Found | None:
    """A post by its number, or None."""
    here = sa.and_(_P.c.list_id == list_id, _P.c.number == number)
    post = connection.execute(sa.select(_P).where(here)).first()
    if post is None:
        return None
    parent = None
    if post.parent is not None:
        parent = connection.execute(sa.select(_P).where(_P.c.list_id == list_id, _P.c.number == post.parent)).first()
    answers = connection.execute(
        sa.select(_P)
        .where(_P.c.list_id == list_id, _P.c.conversation == post.conversation, _P.c.parent == number)
        .order_by(_P.c.number)
        .limit(_MOST_ANSWERS)
    )
    before = sa.select(sa.func.max(_P.c.number)).where(_P.c.list_id == list_id, _P.c.number < number)
    after = sa.select(sa.func.min(_P.c.number)).where(_P.c.list_id == list_id, _P.c.number > number)
    return Found(
        post=post,
        raw=incoming.raw_of(connection, list_id, post.original_id),
        parent=parent,
        answers=list(answers),
        before=connection.execute(before).scalar(),
        after=connection.execute(after).scalar(),
    )


def newest_roots(connection: Connection, list_id: int, limit: int = 30) -> list[Row[Any]]:
    """The first posts of the newest conversations, newest first."""
    return list(
        connection.execute(
            sa.select(_P)
            .where(_P.c.list_id == list_id, _P.c.number == _P.c.conversation)
            .order_by(_P.c.number.desc())
            .limit(limit)
        )
    )

"""Why each post stands where it stands, and which Message-IDs are still awaited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.store.hot import HotStatement, insert
from listserver.store.tables import Awaited, Evidence, Post, table_of

_E: Any = table_of(Evidence)
_A: Any = table_of(Awaited)


def add(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep pieces of evidence."""
    if rows:
        _ADD.run_many(connection, rows)


_ADD = insert(_E)


def of_post(connection: Connection, list_id: int, number: int) -> list[Row[Any]]:
    """All evidence of one post, the chosen piece first, then by score."""
    return list(
        connection.execute(
            sa.select(_E)
            .where(_E.c.list_id == list_id, _E.c.post_number == number)
            .order_by(_E.c.chosen.desc(), _E.c.score.desc(), _E.c.id)
        )
    )


def chosen(connection: Connection, list_id: int, conversations: Sequence[int]) -> dict[int, Row[Any]]:
    """The chosen piece of evidence of every post of these conversations."""
    return {
        row.post_number: row
        for row in connection.execute(
            sa.select(_E.c.post_number, _E.c.detail)
            .join(Post, sa.and_(col(Post.list_id) == _E.c.list_id, col(Post.number) == _E.c.post_number))
            .where(col(Post.list_id) == list_id, col(Post.conversation).in_(list(conversations)), _E.c.chosen.is_(True))
        )
    }


MODERATOR = "moderator"  # the kind of evidence that beats all other


def choose_anew(connection: Connection, list_id: int, number: int, row: Mapping[str, object], now: datetime) -> bool:
    """Add a piece of evidence and make it the chosen one; the one before stays on record as undone.

    Where a moderator has placed the post, that stays: the new piece is kept beside it, for the day on which the repair is
    taken back, and the result is False: the caller must not link the post.
    """
    if _chosen_kind(connection, list_id, number) == MODERATOR:
        _add_next(connection, list_id, number, {**row, "chosen": False, "made_at": now, "undone_at": now})
        return False
    _unchoose(connection, list_id, number, now)
    _add_next(connection, list_id, number, {**row, "chosen": True, "made_at": now})
    return True


def repair(connection: Connection, list_id: int, number: int, row: Mapping[str, object], now: datetime) -> tuple[int, int]:
    """Choose a person's piece of evidence; the ids of the piece that was chosen before, and of this one."""
    before = connection.execute(
        sa.select(_E.c.id).where(_E.c.list_id == list_id, _E.c.post_number == number, _E.c.chosen.is_(True))
    ).scalar()
    _unchoose(connection, list_id, number, now)
    return int(before or 0), _add_next(connection, list_id, number, {**row, "chosen": True, "made_at": now})


def to_return_to(connection: Connection, list_id: int, number: int, before: int) -> Row[Any]:
    """The piece to choose when a repair is taken back: the one from before, or what a later finding put in its place."""
    pieces = {row.id: row for row in of_post(connection, list_id, number)}
    if pieces[before].kind == MODERATOR:
        return pieces[before]
    later = [row for row in pieces.values() if row.id > before and row.undone_at is not None and row.kind != MODERATOR]
    return max(later, key=lambda row: row.id, default=pieces[before])


def choose_again(connection: Connection, list_id: int, number: int, evidence_id: int, now: datetime) -> None:
    """Choose a piece that is on record; the one chosen now stays as undone."""
    _unchoose(connection, list_id, number, now)
    connection.execute(
        sa.update(Evidence)
        .where(_E.c.list_id == list_id, _E.c.post_number == number, _E.c.id == evidence_id)
        .values(chosen=True, undone_at=None)
    )


def _chosen_kind(connection: Connection, list_id: int, number: int) -> str | None:
    return connection.execute(
        sa.select(_E.c.kind).where(_E.c.list_id == list_id, _E.c.post_number == number, _E.c.chosen.is_(True))
    ).scalar()


def _unchoose(connection: Connection, list_id: int, number: int, now: datetime) -> None:
    connection.execute(
        sa.update(Evidence)
        .where(_E.c.list_id == list_id, _E.c.post_number == number, _E.c.chosen.is_(True))
        .values(chosen=False, undone_at=now)
    )


def _add_next(connection: Connection, list_id: int, number: int, row: Mapping[str, object]) -> int:
    last = connection.execute(sa.select(sa.func.max(_E.c.id)).where(_E.c.list_id == list_id, _E.c.post_number == number)).scalar()
    following = int(last or 0) + 1
    _ADD.run(connection, {"undone_at": None, **row, "list_id": list_id, "post_number": number, "id": following})
    return following


def note(connection: Connection, list_id: int, number: int, row: Mapping[str, object], now: datetime) -> None:
    """Add a piece of evidence that was not followed, such as a refused cycle."""
    _add_next(connection, list_id, number, {**row, "chosen": False, "made_at": now})


def await_ids(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Note Message-IDs that a post named and that we do not hold."""
    if rows:
        _AWAIT.run_many(connection, rows)


_AWAIT = insert(_A)


def awaiting(connection: Connection, list_id: int, message_id: str) -> list[Row[Any]]:
    """Posts that named this Message-ID before it came."""
    return list(_AWAITING.run(connection, {"l": list_id, "m": message_id}))


_AWAITING = HotStatement(
    sa.select(_A).where(_A.c.list_id == sa.bindparam("l"), _A.c.message_id == sa.bindparam("m")).order_by(_A.c.post_number)
)


def arrived(connection: Connection, list_id: int, message_id: str) -> None:
    """The Message-ID is no longer awaited."""
    connection.execute(sa.delete(Awaited).where(_A.c.list_id == list_id, _A.c.message_id == message_id))


def no_longer_awaited(connection: Connection, list_id: int, number: int, rank: int) -> None:
    """A post found a parent at `rank` of its chain: what stands further from it no longer matters."""
    connection.execute(sa.delete(Awaited).where(_A.c.list_id == list_id, _A.c.post_number == number, _A.c.rank >= rank))


def awaited_by(connection: Connection, list_id: int, number: int, rank: int) -> list[str]:
    """The ids that a post awaits nearer than `rank` of its chain, nearest first."""
    return list(
        connection.execute(
            sa.select(_A.c.message_id)
            .where(_A.c.list_id == list_id, _A.c.post_number == number, _A.c.rank < rank)
            .order_by(_A.c.rank)
        ).scalars()
    )


def refused_links(connection: Connection, list_id: int, conversation: int, parent: int) -> list[int]:
    """Posts of a conversation whose link to `parent` was refused, because it would have closed a circle."""
    return list(
        connection.execute(
            sa.select(_E.c.post_number)
            .join(Post, sa.and_(col(Post.list_id) == _E.c.list_id, col(Post.number) == _E.c.post_number))
            .where(
                col(Post.list_id) == list_id,
                col(Post.conversation) == conversation,
                _E.c.parent == parent,
                _E.c.score == 0.0,
                _E.c.chosen.is_(False),
                _E.c.undone_at.is_(None),
            )
            .order_by(_E.c.post_number)
        ).scalars()
    )


def ghosts(connection: Connection, list_id: int) -> dict[int, str]:
    """For each post that names ids which never came: the nearest of them."""
    found: dict[int, str] = {}
    for row in connection.execute(sa.select(_A).where(_A.c.list_id == list_id).order_by(_A.c.post_number, _A.c.rank)):
        found.setdefault(row.post_number, row.message_id)
    return found


def conversations_awaiting(connection: Connection, list_id: int, message_ids: Sequence[str]) -> set[int]:
    """The conversations of posts that await any of these ids; a post that a moderator placed draws nobody after it."""
    return set(connection.execute(_CONVERSATIONS_AWAITING, {"l": list_id, "ids": list(message_ids)}).scalars())


_CONVERSATIONS_AWAITING = (
    sa.select(col(Post.conversation))
    .join(Awaited, sa.and_(_A.c.list_id == col(Post.list_id), _A.c.post_number == col(Post.number)))
    .where(
        _A.c.list_id == sa.bindparam("l"),
        _A.c.message_id.in_(sa.bindparam("ids", expanding=True)),
        col(Post.kind) != MODERATOR,
    )
)

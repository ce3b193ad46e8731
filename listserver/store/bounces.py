"""Members whose mail comes back: the scores of their days, and when the clock has to look again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.store.clean import clean_text
from listserver.store.tables import Bounce, BounceDay, MemberRow, table_of

_B: Any = table_of(Bounce)
_D: Any = table_of(BounceDay)
_M: Any = table_of(MemberRow)


def find(connection: Connection, list_id: int, member_id: int) -> Row[Any] | None:
    """What is noted of one member, or None when nothing came back."""
    return connection.execute(sa.select(_B).where(_B.c.list_id == list_id, _B.c.member_id == member_id)).first()


def lock_member(connection: Connection, list_id: int, member_id: int) -> Row[Any] | None:
    """The member's row, locked until the transaction ends, so that two reports at once make one score."""
    return connection.execute(sa.select(_M).where(_M.c.list_id == list_id, _M.c.id == member_id).with_for_update()).first()


def days(connection: Connection, list_id: int, member_id: int) -> dict[date, Row[Any]]:
    """What came back, by day."""
    rows = connection.execute(sa.select(_D).where(_D.c.list_id == list_id, _D.c.member_id == member_id).order_by(_D.c.day))
    return {date.fromisoformat(row.day): row for row in rows}


def note_day(connection: Connection, list_id: int, member_id: int, day: date, points: float) -> None:
    """One more mail came back on this day, which has this score from now on."""
    key = {"list_id": list_id, "member_id": member_id, "day": day.isoformat()}
    changed = connection.execute(
        sa.update(_D)
        .where(*(getattr(_D.c, name) == value for name, value in key.items()))
        .values(returned=_D.c.returned + 1, points=points)
    ).rowcount
    if not changed:
        connection.execute(sa.insert(_D).values(**key, returned=1, points=points))


def note(
    connection: Connection,
    list_id: int,
    member_id: int,
    *,
    now: datetime,
    weight: str,
    reason: str,
    detail: str,
    refused: bool,
    next_at: datetime | None,
) -> None:
    """Note the newest of what came back; `refused`: the relay said so at once."""
    values = {
        "last_at": now,
        "weight": weight,
        "reason": reason,
        "detail": clean_text(detail, 400),
        "refused": refused,
        "next_at": next_at,
    }
    changed = connection.execute(sa.update(_B).where(_B.c.list_id == list_id, _B.c.member_id == member_id).values(**values))
    if not changed.rowcount:
        connection.execute(sa.insert(_B).values(list_id=list_id, member_id=member_id, since=now, tries=0, **values))


def change(connection: Connection, list_id: int, member_id: int, values: Mapping[str, object]) -> None:
    """Write columns of what is noted of one member."""
    connection.execute(sa.update(_B).where(_B.c.list_id == list_id, _B.c.member_id == member_id).values(**values))


def clear(connection: Connection, list_id: int, member_id: int) -> bool:
    """Forget what came back from one member; False when nothing was noted."""
    connection.execute(sa.delete(_D).where(_D.c.list_id == list_id, _D.c.member_id == member_id))
    return bool(connection.execute(sa.delete(_B).where(_B.c.list_id == list_id, _B.c.member_id == member_id)).rowcount)


def due(connection: Connection, now: datetime, limit: int) -> list[tuple[int, int]]:
    """Lists and members that the clock has to look at, the longest waiting first."""
    rows = connection.execute(
        sa.select(_B.c.list_id, _B.c.member_id).where(_B.c.next_at <= now).order_by(_B.c.next_at).limit(limit)
    )
    return [(row.list_id, row.member_id) for row in rows]


def of_list(connection: Connection, list_id: int) -> list[Row[Any]]:
    """Everyone on a list whose mail comes back, by name: what the owners are told (address, name, reason, how often, since when)."""
    counted = (
        sa.select(_D.c.member_id, sa.func.sum(_D.c.returned).label("returned"), sa.func.sum(_D.c.points).label("points"))
        .where(_D.c.list_id == list_id)
        .group_by(_D.c.member_id)
        .subquery()
    )
    return list(
        connection.execute(
            sa.select(_B, _M.c.address, _M.c.name, _M.c.state, counted.c.returned, counted.c.points)
            .select_from(
                sa.join(_B, _M, sa.and_(_M.c.list_id == _B.c.list_id, _M.c.id == _B.c.member_id)).join(
                    counted, counted.c.member_id == _B.c.member_id
                )
            )
            .where(_B.c.list_id == list_id)
            .order_by(_B.c.paused_at.is_(None), _B.c.since)
        )
    )

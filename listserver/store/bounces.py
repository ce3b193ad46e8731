"""Members whose mail comes back: the scores of their days, and when the clock has to look again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.store.clean import clean_text
from listserver.store.hot import HotStatement, insert
from listserver.store.tables import Bounce, BounceDay, MemberRow, table_of

_B: Any = table_of(Bounce)
_D: Any = table_of(BounceDay)
_M: Any = table_of(MemberRow)


def find(connection: Connection, list_id: int, member_id: int) -> Row[Any] | None:
    """What is noted of one member, or None when nothing came back."""
    return connection.execute(_FIND, {"l": list_id, "m": member_id}).first()


def lock_member(connection: Connection, list_id: int, member_id: int) -> Row[Any] | None:
    """The member's row, locked until the transaction ends, so that two reports at once make one score."""
    return connection.execute(_LOCK, {"l": list_id, "m": member_id}).first()


def days(connection: Connection, list_id: int, member_id: int) -> dict[date, Row[Any]]:
    """What came back, by day."""
    return {date.fromisoformat(row.day): row for row in connection.execute(_DAYS, {"l": list_id, "m": member_id})}


def _of(table: Any) -> Any:
    return (table.c.list_id == sa.bindparam("l")) & (table.c.member_id == sa.bindparam("m"))


_FIND = sa.select(_B).where(_of(_B))
_LOCK = sa.select(_M).where(_M.c.list_id == sa.bindparam("l"), _M.c.id == sa.bindparam("m")).with_for_update()
_DAYS = sa.select(_D).where(_of(_D)).order_by(_D.c.day)


def note_day(connection: Connection, list_id: int, member_id: int, day: date, points: float) -> None:
    """One more mail came back on this day, which has this score from now on."""
    key = {"l": list_id, "m": member_id, "d": day.isoformat(), "p": points}
    if not _COUNT_DAY.run(connection, key).rowcount:
        new = {"list_id": list_id, "member_id": member_id, "day": day.isoformat(), "returned": 1, "points": points}
        _ADD_DAY.run(connection, new)


_COUNT_DAY = HotStatement(
    sa.update(_D).where(_of(_D), _D.c.day == sa.bindparam("d")).values(returned=_D.c.returned + 1, points=sa.bindparam("p"))
)
_ADD_DAY = insert(_D)


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
    if not _NOTE.run(
        connection, {"l": list_id, "m": member_id, **{f"to_{key}": value for key, value in values.items()}}
    ).rowcount:
        connection.execute(sa.insert(_B).values(list_id=list_id, member_id=member_id, since=now, tries=0, **values))


_NOTED = ("last_at", "weight", "reason", "detail", "refused", "next_at")
_NOTE = HotStatement(
    sa.update(_B).where(_of(_B)).values({name: sa.bindparam(f"to_{name}", type_=_B.c[name].type) for name in _NOTED})
)


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

"""What came back for single deliveries: reports to our return-paths, and what the relay refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.store.clean import clean_text
from listserver.store.hot import insert
from listserver.store.tables import MemberRow, Report, table_of

_R: Any = table_of(Report)
_M: Any = table_of(MemberRow)


def add(
    connection: Connection,
    *,
    list_id: int,
    report_id: int,
    incoming_id: int | None,
    member_id: int | None,
    now: datetime,
    status: str,
    recipient: str,
    detail: str,
    weight: str,
    reason: str,
    action: str = "",
    tell: bool = False,
) -> None:
    """Store one report; `tell`: the owners are to be told of it by name."""
    _ADD.run(
        connection,
        {
            "list_id": list_id,
            "id": report_id,
            "incoming_id": incoming_id,
            "member_id": member_id,
            "at": now,
            "action": clean_text(action, 40),
            "status": clean_text(status, 40),
            "recipient": clean_text(recipient, 400),
            "detail": clean_text(detail, 400),
            "weight": weight,
            "reason": reason,
            "tell": tell,
        },
    )


_ADD = insert(table_of(Report))


def count(connection: Connection, list_id: int, member_id: int) -> int:
    """How many reports came for one member."""
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(Report)
            .where(col(Report.list_id) == list_id, col(Report.member_id) == member_id)
        ).scalar_one()
    )


def lists_to_tell(connection: Connection) -> list[int]:
    """The lists whose owners are still to be told of something."""
    return [row[0] for row in connection.execute(sa.select(_R.c.list_id).where(_R.c.tell).distinct())]


def to_tell(connection: Connection, list_id: int, weights: Sequence[str], limit: int) -> list[Row[Any]]:
    """What the owners of a list are still to be told of these weights, with the members' addresses and names."""
    return list(
        connection.execute(
            sa.select(_R, _M.c.address, _M.c.name)
            .select_from(sa.join(_R, _M, sa.and_(_M.c.list_id == _R.c.list_id, _M.c.id == _R.c.member_id)))
            .where(_R.c.list_id == list_id, _R.c.tell, _R.c.weight.in_(tuple(weights)))
            .order_by(_R.c.id)
            .limit(limit)
        )
    )


def told(connection: Connection, list_id: int, weights: Sequence[str]) -> None:
    """The owners of a list have been told of everything of these weights."""
    connection.execute(
        sa.update(_R).where(_R.c.list_id == list_id, _R.c.tell, _R.c.weight.in_(tuple(weights))).values(tell=False)
    )


def forget(connection: Connection, before: datetime) -> int:
    """Forget reports that came before a time, and return how many."""
    return connection.execute(sa.delete(_R).where(_R.c.at < before)).rowcount

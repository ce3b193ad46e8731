"""Repairs of conversations by people: what was done, by whom, when, and how to take it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.store.clean import clean_text
from listserver.store.tables import Repair, RepairStep, table_of

_R: Any = table_of(Repair)
_S: Any = table_of(RepairStep)


def add(connection: Connection, list_id: int, action: str, detail: str, by: str, now: datetime) -> int:
    """Note a repair and return its number; its steps follow."""
    last = connection.execute(sa.select(sa.func.max(_R.c.id)).where(_R.c.list_id == list_id)).scalar()
    number = int(last or 0) + 1
    values = {
        "list_id": list_id,
        "id": number,
        "action": action,
        "detail": clean_text(detail, 500),
        "made_by": clean_text(by, 200),
    }
    connection.execute(sa.insert(Repair).values(**values, made_at=now, undone_by="", undone_at=None))
    return number


def add_step(
    connection: Connection,
    list_id: int,
    repair_id: int,
    position: int,
    *,
    post_number: int,
    before: int,
    after: int,
    beside: int | None,
) -> None:
    """Note one post that was moved, and the evidence that was chosen before and after."""
    connection.execute(
        sa.insert(RepairStep).values(
            list_id=list_id,
            repair_id=repair_id,
            position=position,
            post_number=post_number,
            before=before,
            after=after,
            beside=beside,
        )
    )


def newest(connection: Connection, list_id: int) -> Row[Any] | None:
    """The last repair that was not taken back."""
    return connection.execute(
        sa.select(_R).where(_R.c.list_id == list_id, _R.c.undone_at.is_(None)).order_by(_R.c.id.desc()).limit(1)
    ).first()


def steps(connection: Connection, list_id: int, repair_id: int) -> Sequence[Row[Any]]:
    """The steps of a repair, the last first."""
    return connection.execute(
        sa.select(_S).where(_S.c.list_id == list_id, _S.c.repair_id == repair_id).order_by(_S.c.position.desc())
    ).all()


def undone(connection: Connection, list_id: int, repair_id: int, by: str, now: datetime) -> None:
    """Note that a repair was taken back."""
    connection.execute(
        sa.update(Repair)
        .where(_R.c.list_id == list_id, _R.c.id == repair_id)
        .values(undone_by=clean_text(by, 200), undone_at=now)
    )


def history(connection: Connection, list_id: int, most: int = 100) -> Sequence[Row[Any]]:
    """The repairs of a list, the newest first."""
    return connection.execute(sa.select(_R).where(_R.c.list_id == list_id).order_by(_R.c.id.desc()).limit(most)).all()

"""Delivery reports that came back to our return-paths."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from listserver.store.clean import clean_text
from listserver.store.tables import Report


def add(
    connection: Connection,
    *,
    list_id: int,
    report_id: int,
    incoming_id: int,
    member_id: int | None,
    now: datetime,
    action: str,
    status: str,
    recipient: str,
    detail: str,
) -> None:
    """Store one report."""
    connection.execute(
        sa.insert(Report).values(
            list_id=list_id,
            id=report_id,
            incoming_id=incoming_id,
            member_id=member_id,
            at=now,
            action=clean_text(action, 40),
            status=clean_text(status, 40),
            recipient=clean_text(recipient, 400),
            detail=clean_text(detail, 400),
        )
    )


def count(connection: Connection, list_id: int, member_id: int) -> int:
    """How many reports came for one member."""
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(Report)
            .where(col(Report.list_id) == list_id, col(Report.member_id) == member_id)
        ).scalar_one()
    )

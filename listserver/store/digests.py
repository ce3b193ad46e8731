"""Digests as sent: the unique row that makes one happen once, and which post stood where in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.store.tables import DigestEntry, DigestIssue, MemberRow, table_of


def due(connection: Connection, now: datetime, limit: int = 1000, list_id: int | None = None) -> list[Row[Any]]:
    """Members whose digest is due, the longest waiting first; of one list or of all."""
    statement = sa.select(table_of(MemberRow)).where(col(MemberRow.digest_due).is_not(None), col(MemberRow.digest_due) <= now)
    if list_id is not None:
        statement = statement.where(col(MemberRow.list_id) == list_id)
    return list(connection.execute(statement.order_by(col(MemberRow.digest_due)).limit(limit)))


def claim(
    connection: Connection,
    *,
    list_id: int,
    member_id: int,
    day: str,
    first_post: int,
    last_post: int,
    token: str,
    outgoing_id: int | None,
    now: datetime,
) -> bool:
    """Take a member's digest of one local day; False when it was taken before."""
    if connection.execute(
        sa.select(col(DigestIssue.day)).where(
            col(DigestIssue.list_id) == list_id, col(DigestIssue.member_id) == member_id, col(DigestIssue.day) == day
        )
    ).first():
        return False
    connection.execute(
        sa.insert(DigestIssue).values(
            list_id=list_id,
            member_id=member_id,
            day=day,
            first_post=first_post,
            last_post=last_post,
            token=token,
            outgoing_id=outgoing_id,
            made_at=now,
        )
    )
    return True


def add_entries(connection: Connection, list_id: int, member_id: int, day: str, numbers: Sequence[int]) -> None:
    """Note which posts stood in a digest, in their order."""
    connection.execute(
        sa.insert(DigestEntry),
        [
            {"list_id": list_id, "member_id": member_id, "day": day, "post_number": number, "position": position}
            for position, number in enumerate(numbers, start=1)
        ],
    )


def by_token(connection: Connection, list_id: int, token: str) -> Row[Any] | None:
    """The digest that a reply address names."""
    return connection.execute(
        sa.select(table_of(DigestIssue)).where(col(DigestIssue.list_id) == list_id, col(DigestIssue.token) == token)
    ).first()


def entries(connection: Connection, list_id: int, member_id: int, day: str) -> dict[int, int]:
    """Position in the digest to post number."""
    rows = connection.execute(
        sa.select(col(DigestEntry.position), col(DigestEntry.post_number)).where(
            col(DigestEntry.list_id) == list_id, col(DigestEntry.member_id) == member_id, col(DigestEntry.day) == day
        )
    )
    return {row.position: row.post_number for row in rows}

"""When each reader's next digest is due: a stored moment, so that a restart neither skips nor repeats one."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from sqlalchemy.engine import Connection

from listserver.lists.digests import next_local
from listserver.lists.model import MailingList
from listserver.store import members


def place_of(alist: MailingList, member: Any) -> tuple[str, time]:
    """The zone and hour of one reader's digest: their own choice, else the list's."""
    hour = member.digest_at or alist.options.digest_at
    return member.timezone or alist.options.timezone, time.fromisoformat(hour)


def next_due(alist: MailingList, member: Any, after: datetime) -> datetime:
    """The first moment after `after` at which this reader's digest is due."""
    zone, hour = place_of(alist, member)
    return next_local(after, zone, hour)


def plan(connection: Connection, alist: MailingList, now: datetime, *, everyone: bool = False) -> None:
    """Note the next digest of every reader who has none noted, or of all of them."""
    due = {
        row.id: next_due(alist, row, now)
        for row in members.digest_readers(connection, alist.id)
        if everyone or row.digest_due is None
    }
    members.schedule_digests(connection, alist.id, dict(due))

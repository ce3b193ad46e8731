"""What the passing of time ends: held posts that nobody looked at for 14 days, pauses, and old notes about answers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from listserver.flows import reach, schedule, waiting
from listserver.flows.site import Site
from listserver.store import incoming, members, pending
from listserver.store.tables import IncomingState

HELD_FOR = timedelta(days=14)
NOTES_FOR = timedelta(days=40)


def sweep(site: Site) -> int:
    """Let what has expired end, tell moderators what waits, see to mail that comes back; how many held posts ended."""
    now = site.now()

    def work(connection: Connection) -> int:
        old = [row for row in incoming.waiting(connection, IncomingState.held, limit=500) if now - row.received_at > HELD_FOR]
        for row in old:
            incoming.finish(connection, row.list_id, row.id, IncomingState.discarded, "nobody looked at it for 14 days")
        pending.forget(connection, now - NOTES_FOR)
        _resume(connection, site, now)
        return len(old)

    ended = site.database.write(work)
    waiting.remind(site)
    reach.look(site)
    return ended


def _resume(connection: Connection, site: Site, now: datetime) -> None:
    """End the pauses whose day has come."""
    over = [row for row in members.paused(connection) if datetime.fromisoformat(row.paused_until) <= now]
    for row in over:
        members.change(connection, row.list_id, row.id, {"state": "active", "paused_until": ""})
    for list_id in {row.list_id for row in over}:
        alist = site.directory.by_id(list_id)
        if alist is not None:
            schedule.plan(connection, alist, now)

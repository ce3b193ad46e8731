"""What the passing of time ends: held posts that nobody looked at for 14 days, pauses, and old notes about answers."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from listserver.errors import NotFound
from listserver.flows import moderate, reach, schedule, waiting
from listserver.flows.site import Site
from listserver.store import incoming, members, pending
from listserver.store.tables import IncomingState

HELD_FOR = timedelta(days=14)
NOTES_FOR = timedelta(days=40)


def sweep(site: Site) -> int:
    """Let what has expired end, tell moderators what waits, see to mail that comes back; how many held posts ended."""
    now = site.now()

    def work(connection: Connection) -> None:
        pending.forget(connection, now - NOTES_FOR)
        _resume(connection, site, now)

    site.database.write(work)
    ended = _give_up(site, now)
    waiting.remind(site)
    reach.look(site)
    return ended


def _give_up(site: Site, now: datetime) -> int:
    """End what was held for too long, one at a time: each may need a look into the DNS."""
    with site.database.read() as connection:
        old = [row for row in incoming.waiting(connection, IncomingState.held, limit=500) if now - row.received_at > HELD_FOR]
    for row in old:
        if site.directory.by_id(row.list_id) is None:
            continue
        with suppress(NotFound):  # somebody decided meanwhile
            moderate.give_up(site, row.id)
    return len(old)


def _resume(connection: Connection, site: Site, now: datetime) -> None:
    """End the pauses whose day has come."""
    over = [row for row in members.paused(connection) if datetime.fromisoformat(row.paused_until) <= now]
    for row in over:
        members.change(connection, row.list_id, row.id, {"state": "active", "paused_until": ""})
    for list_id in {row.list_id for row in over}:
        alist = site.directory.by_id(list_id)
        if alist is not None:
            schedule.plan(connection, alist, now)

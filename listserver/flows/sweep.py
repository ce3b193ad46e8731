"""What the passing of time ends: held posts that nobody looked at for 14 days, and old notes about answers."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.engine import Connection

from listserver.flows.site import Site
from listserver.store import incoming, pending
from listserver.store.tables import IncomingState

HELD_FOR = timedelta(days=14)
NOTES_FOR = timedelta(days=40)


def sweep(site: Site) -> int:
    """Let what has expired end; how many held posts did."""
    now = site.now()

    def work(connection: Connection) -> int:
        old = [row for row in incoming.waiting(connection, IncomingState.held, limit=500) if now - row.received_at > HELD_FOR]
        for row in old:
            incoming.finish(connection, row.list_id, row.id, IncomingState.rejected, "nobody looked at it for 14 days")
        pending.forget(connection, now - NOTES_FOR)
        return len(old)

    return site.database.write(work)

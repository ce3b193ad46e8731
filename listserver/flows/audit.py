"""Whether everything that was accepted is accounted for (P2), and whether the tables agree with each other."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.flows.site import Site
from listserver.store import imported, incoming

_CHECKS = {
    "posts without their original": "SELECT count(*) FROM post p LEFT JOIN original o ON o.list_id = p.list_id AND o.id = p.original_id "
    "WHERE o.id IS NULL",
    "mails recorded as posted without a post": "SELECT count(*) FROM incoming i LEFT JOIN post p ON p.list_id = i.list_id "
    "AND p.number = i.post_number WHERE i.state = 'posted' AND p.number IS NULL",
    "posts that nothing was accepted for": "SELECT count(*) FROM post p LEFT JOIN incoming i ON i.list_id = p.list_id AND i.id = p.incoming_id "
    "WHERE p.incoming_id IS NOT NULL AND i.id IS NULL",
    "posts that came neither by mail nor out of an archive": "SELECT count(*) FROM post p LEFT JOIN imported m ON m.list_id = p.list_id "
    "AND m.post_number = p.number WHERE p.incoming_id IS NULL AND m.post_number IS NULL",
    "posts whose parent is in another conversation": "SELECT count(*) FROM post c JOIN post p ON p.list_id = c.list_id AND p.number = c.parent "
    "WHERE p.conversation <> c.conversation",
    "posts without a chosen reason for their place": "SELECT count(*) FROM post p LEFT JOIN evidence e ON e.list_id = p.list_id "
    "AND e.post_number = p.number AND e.chosen WHERE e.id IS NULL",
    "deliveries without their mail": "SELECT count(*) FROM delivery d LEFT JOIN outgoing o ON o.list_id = d.list_id AND o.id = d.outgoing_id "
    "WHERE o.id IS NULL",
}


def check(site: Site) -> dict[str, Any]:
    """The document of `database check`: accepted = sum of the states, and what is wrong in words."""
    problems: list[str] = []
    with site.database.read() as connection:
        states = incoming.states(connection)
        accepted = incoming.count(connection)
        if accepted != sum(states.values()):
            problems.append(f"{accepted} mails were accepted, but {sum(states.values())} have a state")
        for words, statement in _CHECKS.items():
            number = connection.execute(sa.text(statement)).scalar_one()
            if number:
                problems.append(f"{number} {words}")
        problems += _integrity(connection) if site.database.is_sqlite else []
        archived = imported.count(connection)
    return {"ok": not problems, "accepted": accepted, "states": states, "imported": archived, "problems": problems}


def _integrity(connection: Connection) -> list[str]:
    rows = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    return [] if rows == ["ok"] else [f"SQLite: {rows[0]}"]

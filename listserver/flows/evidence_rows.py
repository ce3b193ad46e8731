"""Pieces of evidence as rows: what was weighed for a post, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from listserver.lists.threads import Candidate
from listserver.store import evidence, posts
from listserver.store.clean import clean_text


def keep(connection: Connection, list_id: int, number: int, candidates: Sequence[Candidate], now: datetime) -> None:
    """Keep what was weighed for a new post; the first is the chosen one."""
    evidence.add(
        connection,
        [
            {
                "list_id": list_id,
                "post_number": number,
                "id": position,
                "chosen": position == 1,
                "made_at": now,
                "undone_at": None,
                **values(candidate),
            }
            for position, candidate in enumerate(candidates, start=1)
        ],
    )


def choose(connection: Connection, list_id: int, number: int, candidate: Candidate, now: datetime) -> bool:
    """Follow another piece of evidence from now on, unless a person decided; the one before stays on record."""
    if posts.get(connection, list_id, str(number)).kind == "moderator":
        return False
    evidence.choose_anew(connection, list_id, number, values(candidate), now)
    posts.link(connection, list_id, number, parent=candidate.parent, kind=candidate.kind, score=candidate.score)
    return True


def values(candidate: Candidate) -> dict[str, object]:
    """The columns that a candidate fills."""
    return {
        "kind": candidate.kind,
        "parent": candidate.parent,
        "message_id": clean_text(candidate.message_id, 998),
        "score": candidate.score,
        "detail": clean_text(candidate.detail, 1000),
        "made_by": "headers" if candidate.kind in ("token", "in-reply-to", "references", "none") else "text",
    }

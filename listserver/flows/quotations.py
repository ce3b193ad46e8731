"""Every post that a post quotes, its parent or not: how much of each, and whether its words were changed.

Which posts those are is kept when a post is placed; the words themselves are laid side by side when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from listserver.lists.alignment import Alignment, align
from listserver.mail.parse import parse_message
from listserver.mail.quoting import SplitText, split_body
from listserver.store import fingerprints, incoming, posts

_MOST = 12


@dataclass(frozen=True, slots=True)
class Quotation:
    """A post that is quoted: for programs, and in words."""

    described: dict[str, Any]
    sentence: str


def describe(connection: Connection, list_id: int, post: Any) -> list[Quotation]:
    """What one post quotes, most first: the quoted post, its author, the number of characters, whether they were changed."""
    kept = fingerprints.quotations(connection, list_id, post.number)[:_MOST]
    if not kept:
        return []
    rows = {row.number: row for row in posts.some(connection, list_id, [each.quoted for each in kept])}
    quoting = _split(connection, list_id, post)
    found = []
    for row in rows.values():
        aligned = align(quoting, _split(connection, list_id, row))
        if aligned.characters:
            found.append((aligned, row))
    found.sort(key=lambda one: (-one[0].characters, one[1].number))
    return [_quotation(aligned, row) for aligned, row in found]


def _quotation(aligned: Alignment, row: Any) -> Quotation:
    described = {
        "message_id": row.message_id,
        "author": {"name": row.author_name, "address": row.author_address},
        "characters": aligned.characters,
        "changed": aligned.changed,
    }
    sentence = (
        f"it quotes {aligned.characters} characters of #{row.number}, by {row.author_name or row.author_address or 'somebody'}"
    )
    return Quotation(described, sentence + ("; the quoted words were changed" if aligned.changed else ""))


def _split(connection: Connection, list_id: int, row: Any) -> SplitText:
    raw = incoming.raw_of(connection, list_id, row.original_id)
    return split_body(raw, parse_message(raw).header)

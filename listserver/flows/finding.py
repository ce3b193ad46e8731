"""Find posts by their words: a read-only flow for the command line and the web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import conversations, indexing
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.mail.bodytext import read_body
from listserver.mail.headers import read_header
from listserver.mail.words import Term, parse_query, words_of
from listserver.store import incoming, posts, search

_EXCERPT = 200  # characters
_LINES = 2_000  # of a text, in which the words are looked for


def find_posts(site: Site, alist: MailingList, query: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest posts that hold what is asked for, each as in its conversation, with an `excerpt` around the first find."""
    terms = parse_query(query)
    with site.database.read() as connection:
        numbers = search.find(connection, alist.id, terms, limit)
        originals = {row.number: row.original_id for row in posts.some(connection, alist.id, numbers)}
        found = conversations.describe_posts(connection, alist.id, numbers)
        for post in found:
            post["excerpt"] = _excerpt(connection, alist.id, originals[post["number"]], terms)
    return found


def bring_up_to_date(site: Site, alist: MailingList, most: int = 2_000) -> None:
    """Index what came since the clock last did; for a command that runs while no service does."""
    indexing.catch_up(site, alist.id, most=most)


def _excerpt(connection: Connection, list_id: int, original_id: int, terms: Sequence[Term]) -> str:
    """The line that holds most of what was asked for, else the first one."""
    raw = incoming.raw_of(connection, list_id, original_id)
    lines = [line.strip() for line in read_body(raw, read_header(raw)).text.split("\n")[:_LINES]]
    wanted = {word for term in terms if not term.excluded for word in term.words}
    best = max((line for line in lines if line), key=lambda line: len(wanted.intersection(words_of([line]))), default="")
    return best if len(best) <= _EXCERPT else best[: _EXCERPT - 1] + "…"

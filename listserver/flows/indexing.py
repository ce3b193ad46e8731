"""The full-text index follows the posts: it is brought up to date by a clock, so that no post ever waits for it.

Texts are read outside of any writing transaction; the writer only gets words. A post that cannot be read has no words,
and the index goes on behind it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows.site import Site
from listserver.mail.headers import read_header
from listserver.mail.quoting import split_body
from listserver.mail.words import words_of
from listserver.store import incoming, posts, search

_POSTS = 200  # in one transaction


def catch_up(site: Site, list_id: int | None = None, *, most: int = 1_000_000_000) -> int:
    """Index what is not indexed yet, of one list or of all, about `most` posts; returns how many."""
    done = 0
    with site.database.read() as connection:
        waiting = search.behind(connection, list_id)
    for each in waiting:
        after = each.through
        while after < each.last and done < most:
            last = min(after + _POSTS, each.last)
            if not _index(site, each.list_id, after, last):
                break  # somebody else does it
            done += last - after
            after = last
    return done


def _index(site: Site, list_id: int, after: int, last: int) -> bool:
    with site.database.read() as connection:
        words = [(row.number, _words(connection, row)) for row in posts.numbered(connection, list_id, after + 1, last)]
    return site.database.write(lambda connection: search.add(connection, list_id, after, words, last))


def _words(connection: Connection, row: Any) -> str:
    raw = incoming.raw_of(connection, row.list_id, row.original_id)
    try:
        text = split_body(raw, read_header(raw)).text
    except Exception:  # noqa: BLE001 - the index is a convenience: it must go on behind a post that no one can read
        text = ""
    return words_of_post(row.subject, row.author_name, row.author_address, text)


def words_of_post(subject: str, name: str, address: str, text: str) -> str:
    """What the index gets of a post."""
    return " ".join(words_of([subject, name, address, text]))

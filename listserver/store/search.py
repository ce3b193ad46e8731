"""Full text: SQLite's FTS5 and PostgreSQL's tsvector behind the same functions, fed with words that `mail.words` made.

Neither database's own idea of a word is used, so that both find the same: FTS5 gets the words separated by spaces, and
PostgreSQL ready-made vectors. Surprise: on SQLite the index holds no text (it is `contentless`), and a post is named by
list and number in one integer. A list's words are in the index up to its mark, in the order of post numbers; the index
follows the posts, so that no post ever waits for it.
Limits: SQLite: list numbers below 2^32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.mail.words import Term
from listserver.store.tables import MailingListRow, SearchMark, table_of

_M: Any = table_of(SearchMark)
_L: Any = table_of(MailingListRow)
_SHIFT = 31
_MOST_POSITIONS = 255  # of one word in a tsvector
_LAST_POSITION = 16_383


class Behind(NamedTuple):
    """A list whose index lacks posts: those after `through`, up to `last`."""

    list_id: int
    through: int
    last: int


def behind(connection: Connection, list_id: int | None = None) -> list[Behind]:
    """The lists whose index is behind their posts."""
    through = sa.func.coalesce(_M.c.through, 0)
    statement = (
        sa.select(_L.c.id, through, _L.c.next_post - 1).outerjoin(_M, _M.c.list_id == _L.c.id).where(_L.c.next_post - 1 > through)
    )
    if list_id is not None:
        statement = statement.where(_L.c.id == list_id)
    return [Behind(*row) for row in connection.execute(statement.order_by(_L.c.id))]


def mark(connection: Connection, list_id: int) -> int:
    """Up to which post the index is complete."""
    return connection.execute(sa.select(_M.c.through).where(_M.c.list_id == list_id)).scalar() or 0


def add(connection: Connection, list_id: int, after: int, words: Sequence[tuple[int, str]], through: int) -> bool:
    """Add the words of the posts that follow `after`, and move the mark to `through`; False if somebody else was faster."""
    if mark(connection, list_id) != after:
        return False
    held = [(number, text) for number, text in words if text]
    if held and connection.dialect.name == "sqlite":
        if _fits(list_id):
            connection.exec_driver_sql(_ADD_FTS5, [(_rowid(list_id, number), text) for number, text in held])
    elif held:
        connection.exec_driver_sql(_ADD_VECTOR, [{"l": list_id, "n": number, "w": _vector(text)} for number, text in held])
    if after:
        connection.execute(sa.update(SearchMark).where(_M.c.list_id == list_id).values(through=through))
    else:
        connection.execute(sa.delete(SearchMark).where(_M.c.list_id == list_id))
        connection.execute(sa.insert(SearchMark).values(list_id=list_id, through=through))
    return True


_ADD_FTS5 = "INSERT INTO search_words(rowid, words) VALUES (?, ?)"
_ADD_VECTOR = "INSERT INTO search_words (list_id, post_number, words) VALUES (%(l)s, %(n)s, CAST(%(w)s AS tsvector))"


def find(connection: Connection, list_id: int, terms: Sequence[Term], limit: int) -> list[int]:
    """The newest posts that hold all terms, by number. A query without a word to be found finds nothing."""
    if not any(not term.excluded for term in terms):
        return []
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(
            "SELECT rowid FROM search_words WHERE search_words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?",
            (_fts5_query(terms), _rowid(list_id, 0), _rowid(list_id + 1, 0) - 1, limit),
        )
        return [row[0] - _rowid(list_id, 0) for row in rows]
    rows = connection.exec_driver_sql(
        "SELECT post_number FROM search_words WHERE list_id = %(l)s AND words @@ CAST(%(q)s AS tsquery) ORDER BY post_number DESC LIMIT %(n)s",
        {"l": list_id, "q": _tsquery(terms), "n": limit},
    )
    return [row[0] for row in rows]


def forget(connection: Connection, list_id: int, words: Sequence[tuple[int, str]]) -> None:
    """Take posts out of the index; they are given with the words that they were added with."""
    if connection.dialect.name == "sqlite":
        if _fits(list_id):
            for number, text in words:
                connection.exec_driver_sql(
                    "INSERT INTO search_words(search_words, rowid, words) VALUES ('delete', ?, ?)",
                    (_rowid(list_id, number), text),
                )
        return
    for number, _text in words:
        connection.exec_driver_sql(
            "DELETE FROM search_words WHERE list_id = %(l)s AND post_number = %(n)s", {"l": list_id, "n": number}
        )


def _fits(list_id: int) -> bool:
    return list_id >> (63 - _SHIFT) == 0


def _rowid(list_id: int, number: int) -> int:
    return (list_id << _SHIFT) + number


def _vector(words: str) -> str:
    """A tsvector as text: every word with its positions. Words hold letters, digits and marks only, so nothing is escaped."""
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(words.split(" "), start=1):
        positions.setdefault(word, []).append(min(position, _LAST_POSITION))
    return " ".join([f"'{word}':{','.join(map(str, found[:_MOST_POSITIONS]))}" for word, found in positions.items()])


def _fts5_query(terms: Sequence[Term]) -> str:
    wanted = [_fts5_term(term) for term in terms if not term.excluded]
    unwanted = [_fts5_term(term) for term in terms if term.excluded]
    return " NOT ".join([f"({' AND '.join(wanted)})", *unwanted])


def _fts5_term(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.goes_on else "")


def _tsquery(terms: Sequence[Term]) -> str:
    return " & ".join([f"{'!' if term.excluded else ''}({_tsquery_term(term)})" for term in terms])


def _tsquery_term(term: Term) -> str:
    words = [f"'{word}'" for word in term.words]
    if term.goes_on:
        words[-1] += ":*"
    return " <-> ".join(words)

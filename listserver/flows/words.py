"""Keep the words of a placed post: what it wrote itself, what it quotes, and what it quotes that nobody holds."""

from __future__ import annotations

from array import array

from sqlalchemy.engine import Connection

from listserver.flows.weighing import Gathered
from listserver.lists.fingerprints import RULES, Reading, learn_footer, low
from listserver.lists.matching import Held, quoted_posts
from listserver.store import fingerprints

_LEARN = 64  # posts between two looks at a list's footer
_LOOK = 200  # posts that are looked at then
MOST_AWAITED = 100


def keep(connection: Connection, list_id: int, number: int, gathered: Gathered, parent: int | None) -> array[int]:
    """Store and index the words of post `number`, which answers `parent`; returns the fingerprints of its own."""
    reading = gathered.newcomer.reading
    held = _held(gathered, parent)
    own = own_words(reading, held, gathered.footer)
    fingerprints.add_text(
        connection,
        {
            "list_id": list_id,
            "number": number,
            "rules": RULES,
            "written": gathered.newcomer.written,
            "own": fingerprints.pack(low(own)),
            "whole": fingerprints.pack(reading.whole),
            "tail": fingerprints.pack(reading.tail),
        },
    )
    fingerprints.add(connection, list_id, number, own)
    _keep_quotes(connection, list_id, number, gathered, held)
    if number % _LEARN == 0:
        _learn(connection, list_id, number)
    return own


def keep_again(connection: Connection, list_id: int, number: int, gathered: Gathered, parent: int | None) -> None:
    """Correct what is kept of a post's words, now that it answers `parent`: what it shares with that was not its own."""
    held = _held(gathered, parent)
    own = own_words(gathered.newcomer.reading, held, gathered.footer)
    fingerprints.remove(connection, list_id, number, gathered.newcomer.reading.own)
    fingerprints.add(connection, list_id, number, own)
    fingerprints.keep_own(connection, list_id, number, low(own))
    fingerprints.forget_quotations(connection, list_id, number)
    fingerprints.forget_awaited(connection, list_id, number)
    _keep_quotes(connection, list_id, number, gathered, held)


def _keep_quotes(connection: Connection, list_id: int, number: int, gathered: Gathered, parent: Held | None) -> None:
    if gathered.question.marked:
        fingerprints.add_quotations(connection, list_id, number, quoted_posts(gathered.weighed, gathered.question))
        if gathered.is_whole:
            fingerprints.await_text(connection, list_id, number, unheld(gathered, parent))


def _held(gathered: Gathered, number: int | None) -> Held | None:
    found = gathered.of(number)
    return found.weighed.held if found is not None else None


def own_words(reading: Reading, parent: Held | None, footer: frozenset[int]) -> array[int]:
    """The fingerprints of a post's own words: without the footer, and without what it shares with the post that it answers."""
    shared = footer | frozenset(parent.whole) if parent is not None else footer
    return array("q", [each for each in reading.own if each & 0xFFFFFFFF not in shared])


def unheld(gathered: Gathered, parent: Held | None) -> list[int]:
    """What is asked for and stands neither in the parent's text nor in anybody's own words: a ghost, by its text."""
    held = frozenset(parent.whole) if parent is not None else frozenset()
    asked = [each for each in gathered.question.asked if each & 0xFFFFFFFF not in held and each not in gathered.found]
    return sorted(asked, key=lambda each: each & 0xFFFFFFFF)[:MOST_AWAITED]


def _learn(connection: Connection, list_id: int, number: int) -> None:
    """Look again at what most posts end with."""
    fingerprints.keep_footer(
        connection, list_id, number, learn_footer(fingerprints.tails(connection, list_id, number - _LOOK, number))
    )

"""Gather what speaks for each post that a new one may answer: posts whose words it quotes, and those around them.

Reads only, inside one list. The same for a post that arrives and for one that is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver.lists import decision, matching
from listserver.lists.decision import Estimate
from listserver.lists.fingerprints import Reading
from listserver.lists.matching import Held, Newcomer, Question, Weighed
from listserver.lists.people import Person
from listserver.mail.parse import ParsedMessage
from listserver.mail.subject import base_subject, is_reply_subject
from listserver.store import fingerprints
from listserver.store.clean import clean_text

_BY_WORDS = 12  # candidates of each kind
_BY_SUBJECT = 8
_AROUND = 10
_SEEN = 30  # posts of a subject or conversation that are looked at, to take those nearest in time
_CLOCKS = 86_400  # seconds by which a parent may be younger than its answer, by their dates


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that was found out about a post's place."""

    newcomer: Newcomer
    question: Question
    weighed: list[Weighed]
    estimates: list[Estimate]
    footer: frozenset[int]
    same_subject: list[tuple[int, int]]
    found: Mapping[int, Sequence[int]]

    def of(self, number: int | None) -> Estimate | None:
        """What is known about one candidate."""
        return next((e for e in self.estimates if e.weighed.held is not None and e.weighed.held.number == number), None)

    def conversation_of(self, number: int) -> int:
        """The conversation of a candidate. Raises: KeyError."""
        each = self.of(number)
        if each is None or each.weighed.held is None:
            raise KeyError(number)
        return each.weighed.held.conversation


def newcomer(parsed: ParsedMessage, reading: Reading, message_id: str, date: datetime) -> Newcomer:
    """What matching needs to know of a new post."""
    author = parsed.author
    return Newcomer(
        message_id=message_id,
        author=Person(name=author.name, address=str(author.address)) if author is not None else Person(),
        written=int(date.timestamp()),
        subject=parsed.subject,
        base_subject=subject_key(parsed.subject),
        is_reply=is_reply_subject(parsed.subject),
        to=frozenset(str(box.address).lower() for box in parsed.to[:50]),
        cc=frozenset(str(box.address).lower() for box in parsed.cc[:50]),
        reading=reading,
    )


def subject_key(subject: str) -> str:
    """The base subject as it is compared and stored."""
    return clean_text(base_subject(subject), 400).casefold()


def gather(connection: Connection, list_id: int, newcomer: Newcomer, named: Iterable[int] = (), *, itself: int = 0) -> Gathered:
    """Find candidates by words, by subject and around those, and weigh them; `named` are those that its fields name."""
    _learnt_at, footer = fingerprints.footer(connection, list_id)
    question = matching.ask(newcomer.reading, footer)
    found = fingerprints.find(connection, list_id, question.asked)
    ranked = [number for number, _weight in matching.rank_found(question, found, fingerprints.COMMON) if number != itself]
    same_subject: list[tuple[int, int]] = []
    if newcomer.base_subject:
        same_subject = fingerprints.of_subject(connection, list_id, newcomer.base_subject, _SEEN)
    if question.marked:
        by_words = ranked[:_BY_WORDS]
    else:
        alike = {number for number, _written in same_subject}
        by_words = [number for number in ranked if number in alike][:_BY_WORDS]
    around = fingerprints.of_conversations(connection, list_id, by_words[:4], _SEEN)
    numbers = dict.fromkeys(
        (*named, *by_words, *_nearest(same_subject, newcomer.written, _BY_SUBJECT), *_nearest(around, newcomer.written, _AROUND))
    )
    numbers.pop(itself, None)
    rows = fingerprints.facts(connection, list_id, list(numbers))
    pool = [_held(row) for row in rows]
    weighed = matching.weigh(newcomer, question, pool, found, fingerprints.COMMON)
    return Gathered(newcomer, question, weighed, decision.estimate(weighed), footer, same_subject, found)


def _nearest(posts: Sequence[tuple[int, int]], written: int, most: int) -> list[int]:
    """The newest of these posts that were there when the new one was written."""
    before = [(when, number) for number, when in posts if when <= written + _CLOCKS]
    return [number for _when, number in sorted(before, reverse=True)[:most]]


def _held(row: Any) -> Held:
    number, message_id, conversation, parent, name, address, subject, _kind, _score, written, own, whole = row
    return Held(
        number=number,
        message_id=message_id,
        conversation=conversation,
        parent=parent,
        author=Person(name=name, address=address),
        base_subject=subject,
        written=written,
        own=fingerprints.unpack(own),
        whole=fingerprints.unpack(whole),
    )

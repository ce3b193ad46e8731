"""Gather what speaks for each post that a new one may answer: posts whose words it quotes, and those around them.

Reads only, inside one list. The same for a post that arrives and for one that is looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver.lists import decision, matching
from listserver.lists.decision import Estimate
from listserver.lists.fingerprints import Reading
from listserver.lists.matching import Held, Newcomer, Question, Weighed, leads_series
from listserver.lists.people import Person
from listserver.mail.parse import ParsedMessage
from listserver.mail.subject import base_subject, is_reply_subject
from listserver.store import fingerprints
from listserver.store.clean import clean_text

_BY_WORDS = 12  # candidates of each kind
_BY_SUBJECT = 8
_AROUND = 10
_SEEN = 30  # posts of a subject or conversation that are looked at, to take those nearest in time
_FORMER = re.compile(r"\s*[(\[]\s*was\b:?\s*([^()\[\]]{1,300})[)\]]?\s*$", re.I)
_RECENT = 12  # posts before this one among which the other parts of a series are
_ABOVE = 4  # posts of a thread that a reply quotes at most, as far as it is followed upwards
_NEARLY_ALL = 0.9
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
    is_whole: bool = True  # False: only the post that the fields name, and those above it, were looked at

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
        former_subject=former_subject(parsed.subject),
        is_reply=is_reply_subject(parsed.subject),
        to=frozenset(str(box.address).lower() for box in parsed.to[:50]),
        cc=frozenset(str(box.address).lower() for box in parsed.cc[:50]),
        reading=reading,
    )


def subject_key(subject: str) -> str:
    """The base subject as it is compared and stored, without what it was before."""
    base = base_subject(subject)
    return clean_text(_FORMER.sub("", base) or base, 400).casefold()


def former_subject(subject: str) -> str:
    """The base subject that a changed one names: `Beans (was: Peas)` was about peas; '' when it names none."""
    match = _FORMER.search(base_subject(subject))
    return subject_key(match[1]) if match is not None else ""


def gather(connection: Connection, list_id: int, newcomer: Newcomer, named: Sequence[int] = (), *, itself: int = 0) -> Gathered:
    """Find candidates by words, by subject and around those, and weigh them; `named` are those that its fields name."""
    _learnt_at, footer = fingerprints.footer(connection, list_id)
    question = matching.ask(newcomer.reading, footer)
    found = fingerprints.find(connection, list_id, question.asked)
    ranked = [number for number, _weight in matching.rank_found(question, found, fingerprints.COMMON) if number != itself]
    same_subject: list[tuple[int, int]] = []
    if newcomer.base_subject:
        same_subject = fingerprints.of_subject(connection, list_id, newcomer.base_subject, _SEEN)
    if newcomer.former_subject:
        same_subject += fingerprints.of_subject(connection, list_id, newcomer.former_subject, _SEEN)
    by_words = ranked[:_BY_WORDS]
    around = fingerprints.of_conversations(connection, list_id, by_words[:4], _SEEN) if by_words else []
    series = fingerprints.newest(connection, list_id, _RECENT) if matching.series_of(newcomer.subject) else []
    numbers = dict.fromkeys(
        (
            *named,
            *series,
            *by_words,
            *_nearest(same_subject, newcomer.written, _BY_SUBJECT if question.marked else 2 * _BY_SUBJECT),
            *_nearest(around, newcomer.written, _AROUND),
        )
    )
    numbers.pop(itself, None)
    relevant = {*named, *by_words, *(number for number, _written in (*same_subject, *around))}
    rows = fingerprints.facts(connection, list_id, list(numbers))
    pool = [
        held for held in map(_held, rows) if held.number not in series or held.number in relevant or leads_series(newcomer, held)
    ]
    weighed = matching.weigh(newcomer, question, pool, found, fingerprints.COMMON)
    return Gathered(newcomer, question, weighed, decision.estimate(weighed), footer, same_subject, found)


def gather_above(connection: Connection, list_id: int, newcomer: Newcomer, named: int) -> Gathered | None:
    """Weigh only the post that the fields name, and those above it; None if that does not do.

    It does where the text says the same as the fields: the named post holds nearly all that is quoted, or nothing is quoted
    and the subject is that of a reply. Then no other post could be chosen (`decision.decide`), and looking for them would
    cost ten times as much. What is quoted deeper was written by the posts above.
    """
    _learnt_at, footer = fingerprints.footer(connection, list_id)
    question = matching.ask(newcomer.reading, footer)
    if not question.marked and not newcomer.is_reply:
        return None
    quoted = question.near | question.far
    pool: list[Held] = []
    above: int | None = named
    while above is not None and len(pool) < _ABOVE:
        rows = fingerprints.facts(connection, list_id, [above])
        if not rows:
            break
        pool.append(_held(rows[0]))
        if not question.marked:
            break
        if len(pool) == 1 and len(quoted.intersection(pool[0].whole)) < _NEARLY_ALL * len(quoted):
            return None
        above = pool[-1].parent if question.far else None
    if not pool:
        return None
    same_subject = fingerprints.of_subject(connection, list_id, newcomer.base_subject, _SEEN) if newcomer.base_subject else []
    weighed = matching.weigh(newcomer, question, pool, {}, fingerprints.COMMON)
    return Gathered(newcomer, question, weighed, decision.estimate(weighed), footer, same_subject, {}, is_whole=False)


def _nearest(posts: Sequence[tuple[int, int]], written: int, most: int) -> list[int]:
    """The newest of these posts that were there when the new one was written."""
    before = [(when, number) for number, when in posts if when <= written + _CLOCKS]
    return [number for _when, number in sorted(before, reverse=True)[:most]]


def _held(row: Any) -> Held:
    number, message_id, conversation, parent, name, address, subject, base, _kind, _score, written, own, whole = row
    return Held(
        number=number,
        message_id=message_id,
        conversation=conversation,
        parent=parent,
        author=Person(name=name, address=address),
        subject=subject,
        base_subject=base,
        written=written,
        own=fingerprints.unpack(own),
        whole=fingerprints.unpack(whole),
    )

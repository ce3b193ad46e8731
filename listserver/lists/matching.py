"""What speaks for each post that a new one may answer: one row of plain figures for every candidate.

A reply's quoted text is a subset of its parent's *whole* text, own and quoted: that ranks the candidates. That some of a
candidate's *own* words are quoted admits it: otherwise each later post that repeats the conversation would do as well.
Where no quote is marked, all words are compared, with posts of the same base subject only. People, times and subjects
speak beside the words; `lists.decision` weighs everything together. Pure: the same posts always give the same figures.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from listserver.lists.fingerprints import MOST, Reading, low
from listserver.lists.people import Person, agreement, greets, is_same, name_words
from listserver.mail.quoting import Attribution

ASKED = 96  # fingerprints looked up of the nearest quotes, and as many of all others
_DAY = 86_400
_ZONES = 26 * 3_600  # seconds between the same clock time in the two farthest time zones
_KINDS = ("", "i-", "u-")
_MENTIONS = 6  # attributions that are looked at
_FRESH = 5  # new fingerprints in a row that are words of the writer's, not the seam between two quotes
_SERIES = re.compile(r"\b(\d{1,3})\s?/\s?(\d{1,3})\b")
_HALF_HOUR = 1_800  # time zones move a clock by a multiple of this

FEATURES = (
    "named",  # the first attribution of the new post names the candidate's author
    "other-named",  # it names somebody else
    "minute",  # it gives the candidate's minute of writing
    "other-minute",  # it gives another time
    "also-named",  # a later attribution of the new post names the candidate's author
    "also-minute",  # and gives its minute
    "self",  # the author would answer himself
    "to",  # the new post is addressed to the candidate's author
    "cc",  # or copied
    "greeted",  # its first words call the candidate's author by name
    "later",  # the candidate was written after the new post, by their dates
    "q-cover",  # marked quotes: the share of all quoted fingerprints that the candidate's whole text holds
    "q-missing",  # log of the number that it does not hold
    "q-full",  # it holds all of them, or nearly
    "q-own",  # some of its own words are quoted
    "q-first",  # log of the number of quoted fingerprints that no earlier candidate wrote
    "q-alone",  # two or more quoted fingerprints were written by it alone
    "q-near",  # the share of first-level quotes that it wrote itself
    "q-far",  # the share of deeper quotes that it wrote itself
    "q-share",  # the share of its own words that is quoted
    "q-hits",  # log of the number of own fingerprints quoted
    "q-subject",  # same base subject
    "q-age",  # log of the days between them
    "q-between",  # log of the number of candidates of its conversation written after it
    "i-named",  # the same where nothing but a header block or an introduction shows what is quoted: levels are uncertain there
    "i-other-named",
    "i-minute",
    "i-other-minute",
    "i-also-named",
    "i-also-minute",
    "i-cover",
    "i-missing",
    "i-full",
    "i-own",
    "i-first",
    "i-alone",
    "i-near",
    "i-far",
    "i-share",
    "i-hits",
    "i-subject",
    "i-age",
    "i-between",
    "u-cover",  # nothing marked: the share of all known words that the candidate's whole text holds
    "u-own",
    "u-first",
    "u-beside",  # the share of the new post's own words that stand beside words of the candidate
    "u-missing",
    "u-named",  # as above, where nothing is marked and a line only looks like an attribution
    "u-other-named",
    "u-minute",
    "u-other-minute",
    "u-also-named",
    "u-also-minute",
    "u-alone",
    "u-share",
    "u-hits",
    "u-subject",
    "u-age",
    "u-between",
    "n-subject",  # no words in common with anybody: only subject, time and people speak
    "n-age",
    "n-between",
    "n-last-other",  # the newest post of its conversation by somebody else
    "n-root",  # it begins its conversation
    "series",  # it is the cover letter of the numbered series that the new post belongs to, or its first part
    "was",  # its subject is the one that the new post says it had before
    "none-q",  # the alternative that the post answers none of them, by what the post is like
    "none-i",
    "none-u",
    "none-n",
    "none-q-reply",
    "none-i-reply",
    "none-u-reply",
    "none-n-reply",
    "none-q-hits",
    "none-i-hits",
)
_INDEX = {name: index for index, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A post that looks for its place. `written` is in seconds since 1970; addresses are keys (lower case)."""

    message_id: str
    author: Person
    written: int
    subject: str
    base_subject: str
    former_subject: str
    is_reply: bool
    to: frozenset[str]
    cc: frozenset[str]
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A post of the list that may be answered, with its packed words."""

    number: int
    message_id: str
    conversation: int
    parent: int | None
    author: Person
    subject: str
    base_subject: str
    written: int
    own: array[int]
    whole: array[int]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with its figures; `held` is None for the alternative that none is answered.

    `cover` is the share of the quoted words in its whole text; `shared` counts its own fingerprints that are quoted.
    """

    held: Held | None
    figures: dict[int, float]
    cover: float = 0.0
    shared: int = 0
    named: int = 0
    minute: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked up for a new post: fingerprints to find, and which of its words count as quoted."""

    asked: tuple[int, ...]
    near: frozenset[int]
    far: frozenset[int]
    marked: bool


def ask(reading: Reading, footer: frozenset[int]) -> Question:
    """Which fingerprints to look up: of what is quoted. Where no quote is marked, all words count as quoted, and posts of the
    same subject are compared without being looked up. The footer is no quote."""
    if reading.quotes:
        near = [each for each in reading.near if each & 0xFFFFFFFF not in footer]
        far = [each for each in reading.far if each & 0xFFFFFFFF not in footer]
    else:
        near, far = [each for each in reading.own if each & 0xFFFFFFFF not in footer], []
    asked = (*_sample(near), *_sample(far)) if reading.quotes else ()
    return Question(asked=asked, near=frozenset(low(near)), far=frozenset(low(far)), marked=reading.quotes)


def _sample(hashes: list[int]) -> list[int]:
    """At most `ASKED` of them: those with the smallest lower half, so that the choice depends on the words only."""
    return hashes if len(hashes) <= ASKED else sorted(hashes, key=lambda each: each & 0xFFFFFFFF)[:ASKED]


def rank_found(question: Question, found: Mapping[int, Sequence[int]], common: int) -> list[tuple[int, float]]:
    """Posts by how much of what is asked they wrote themselves, rare words counting more; what is too common counts nothing."""
    weights: dict[int, float] = {}
    for numbers in found.values():
        if len(numbers) <= common:
            weight = 1.0 / len(numbers)
            for number in numbers:
                weights[number] = weights.get(number, 0.0) + weight
    return sorted(weights.items(), key=lambda item: (-item[1], -item[0]))


def weigh(
    newcomer: Newcomer, question: Question, pool: Sequence[Held], found: Mapping[int, Sequence[int]], common: int
) -> list[Weighed]:
    """The figures of each candidate, and of the alternative that none is answered (it comes last)."""
    too_common = {each & 0xFFFFFFFF for each, numbers in found.items() if len(numbers) > common}
    near, far = question.near - too_common, question.far - too_common
    quoted = question.near | question.far
    covers = {held.number: quoted.intersection(held.whole) for held in pool}
    owns = {held.number: (near.intersection(held.own), far.intersection(held.own)) for held in pool}
    ordered = sorted(pool, key=lambda held: (held.written, held.message_id))
    first, alone = _writers(ordered, near | far)
    first_counts, alone_counts = Counter(first.values()), Counter(alone.values())
    known: set[int] = set()
    if not question.marked:
        for held in pool:
            if owns[held.number][0]:
                known |= covers[held.number]
    block = ("q" if newcomer.reading.sure else "i") if question.marked and quoted else "u" if len(known) >= 2 else "n"
    context = _Context(newcomer, block, ordered)
    shared = _shared_addresses(pool)
    beside = _beside(newcomer.reading.own, known, first) if block == "u" else {}
    weighed = []
    for held in ordered:
        figures = _about_people(newcomer, held, block, own_address=held.author.address.lower() not in shared)
        if held.written > newcomer.written + 300:
            figures["later"] = 1.0
        own_near, own_far = owns[held.number]
        cover, hits = covers[held.number], len(own_near) + len(own_far)
        share = hits / len(held.own) if held.own else 0.0
        covered = 0.0
        alone_hits, first_hits = alone_counts[held.number], first_counts[held.number]
        if block in "qi":
            reach = held.whole[-1] if len(held.whole) >= MOST else 0xFFFFFFFF
            within = sum(1 for each in quoted if each <= reach) if reach < 0xFFFFFFFF else len(quoted)
            covered = len(cover) / max(within, 1)
            figures |= {
                f"{block}-cover": covered,
                f"{block}-missing": math.log1p(within - len(cover)),
                f"{block}-full": float(covered >= 0.97),
                f"{block}-own": float(hits > 0),
                f"{block}-first": math.log1p(first_hits) / 4,
                f"{block}-alone": float(alone_hits >= 2),
                f"{block}-near": len(own_near) / len(near) if near else 0.0,
                f"{block}-far": len(own_far) / len(far) if far else 0.0,
                f"{block}-share": share,
                f"{block}-hits": math.log1p(hits) / 4,
            }
        elif block == "u":
            covered = len(cover & known) / len(known)
            figures |= {
                "u-cover": covered,
                "u-missing": math.log1p(len(known) - len(cover & known)),
                "u-own": float(hits > 0),
                "u-first": math.log1p(first_hits) / 4,
                "u-beside": beside.get(held.number, 0.0),
                "u-alone": float(alone_hits >= 2),
                "u-share": share,
                "u-hits": math.log1p(hits) / 4,
            }
        else:
            figures |= {"n-last-other": float(context.is_last_other(held)), "n-root": float(held.parent is None)}
        figures |= context.place(held)
        weighed.append(_row(held, figures, covered, hits))
    weighed.append(_row(None, _none(newcomer, block, quoted), 0.0, 0))
    return weighed


def _writers(ordered: Sequence[Held], wanted: frozenset[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Who of the candidates, the oldest first, wrote each of the wanted fingerprints, and which ones only one of them did.

    Whoever has it later repeats it, perhaps without a mark.
    """
    first: dict[int, int] = {}
    again: set[int] = set()
    for held in ordered:
        for each in wanted.intersection(held.own):
            if first.setdefault(each, held.number) != held.number:
                again.add(each)
    return first, {each: number for each, number in first.items() if each not in again}


def _beside(own: Sequence[int], known: set[int], first: Mapping[int, int]) -> dict[int, float]:
    """How much of what is new in an unmarked text stands beside each candidate's words: a writer answers what stands there."""
    weights: dict[int, float] = {}
    fresh, before = 0, None
    total = 0.0
    for each in (*low(own), -1):
        if each in known or each == -1:
            writer = first.get(each)
            if fresh >= _FRESH:
                total += min(fresh, 20)
                for neighbour in {before, writer} - {None}:
                    if neighbour is not None:
                        weights[neighbour] = weights.get(neighbour, 0.0) + min(fresh, 20)
            fresh = 0
            before = writer if writer is not None else before
        else:
            fresh += 1
    return {number: weight / total for number, weight in weights.items()}


def _row(held: Held | None, figures: Mapping[str, float], cover: float, shared: int) -> Weighed:
    named = minute = 0.0
    for kind in _KINDS:
        named += figures.get(f"{kind}named", 0.0) - figures.get(f"{kind}other-named", 0.0)
        minute += figures.get(f"{kind}minute", 0.0) - figures.get(f"{kind}other-minute", 0.0)
    return Weighed(held, {_INDEX[k]: v for k, v in figures.items() if v}, cover, shared, int(named), int(minute))


def _shared_addresses(pool: Sequence[Held]) -> set[str]:
    """Addresses under which different people write, because the list puts its own in their place."""
    names: dict[str, frozenset[str]] = {}
    shared: set[str] = set()
    for held in pool:
        address, words = held.author.address.lower(), name_words(held.author.name)
        if words and not names.setdefault(address, words) & words:
            shared.add(address)
    return shared


def _about_people(newcomer: Newcomer, held: Held, block: str, *, own_address: bool) -> dict[str, float]:
    figures: dict[str, float] = {}
    kind = f"{block}-" if block in "ui" else ""
    for place, each in enumerate(newcomer.reading.attributions[:_MENTIONS]):
        agrees = agreement(Person(name=each.name, address=each.address), held.author)
        at = _same_minute(_moments(each), held.written, exact=each.zone_known) if each.minute_known else 0
        if place == 0:
            figures[f"{kind}named" if agrees > 0 else f"{kind}other-named"] = float(abs(agrees))
            figures[f"{kind}minute" if at > 0 else f"{kind}other-minute"] = float(abs(at))
        elif agrees > 0:
            figures[f"{kind}also-named"] = 1.0
            if at > 0:
                figures[f"{kind}also-minute"] = 1.0
    address = held.author.address.lower()
    figures["to"] = float(own_address and address in newcomer.to)
    figures["cc"] = float(own_address and address in newcomer.cc)
    figures["self"] = float(is_same(newcomer.author, held.author))
    figures["greeted"] = float(bool(newcomer.reading.greeting) and greets(newcomer.reading.greeting, held.author))
    return figures


def _moments(attribution: Attribution) -> list[float]:
    """The moments that an attribution's date can mean; one without a zone is read as UTC, to be compared by its minute."""
    found = [each for each in (attribution.when, attribution.other) if each is not None]
    return [(each if each.tzinfo is not None else each.replace(tzinfo=UTC)).timestamp() for each in found]


def _same_minute(moments: Iterable[float], written: int, *, exact: bool) -> int:
    """1 when an attribution's time can be the candidate's, 0 when it gives none, else -1.

    The zone in it is the quoting program's and may be left out or wrong: time zones move hours, not minutes.
    """
    answer = 0
    for moment in moments:
        apart = abs(moment - written)
        rest = apart % (3_600 if exact else _HALF_HOUR)
        if apart <= _ZONES and min(rest, (3_600 if exact else _HALF_HOUR) - rest) < 60:
            return 1
        answer = -1
    return answer


class _Context:
    """Where candidates stand in time, and in their conversations."""

    def __init__(self, newcomer: Newcomer, block: str, ordered: Sequence[Held]) -> None:
        self._newcomer = newcomer
        self._block = block
        self._after: dict[int, int] = {}
        self._last_other: dict[int, int] = {}
        later: dict[int, int] = {}
        for held in reversed(ordered):
            self._after[held.number] = later.get(held.conversation, 0)
            if held.written <= newcomer.written + 300:
                later[held.conversation] = later.get(held.conversation, 0) + 1
                if held.conversation not in self._last_other and not is_same(held.author, newcomer.author):
                    self._last_other[held.conversation] = held.number

    def is_last_other(self, held: Held) -> bool:
        return self._last_other.get(held.conversation) == held.number

    def place(self, held: Held) -> dict[str, float]:
        same = bool(held.base_subject) and held.base_subject == self._newcomer.base_subject
        days = abs(self._newcomer.written - held.written) / _DAY
        return {
            "series": float(leads_series(self._newcomer, held)),
            "was": float(bool(self._newcomer.former_subject) and held.base_subject == self._newcomer.former_subject),
            f"{self._block}-subject": float(same),
            f"{self._block}-age": math.log1p(days),
            f"{self._block}-between": math.log1p(self._after[held.number]),
        }


def series_of(subject: str) -> tuple[int, int] | None:
    """The place in a numbered series that a subject gives: `[PATCH v2 3/7]` is (3, 7)."""
    match = _SERIES.search(subject)
    return (int(match[1]), int(match[2])) if match is not None and int(match[1]) <= int(match[2]) else None


def leads_series(newcomer: Newcomer, held: Held) -> bool:
    """Whether a new post is a part of a series whose cover letter (or first part, if there is none) the candidate is."""
    mine, theirs = series_of(newcomer.subject), series_of(held.subject)
    if mine is None or theirs is None or newcomer.is_reply or mine[1] != theirs[1] or mine[0] <= theirs[0] or theirs[0] > 1:
        return False
    return is_same(newcomer.author, held.author) and abs(newcomer.written - held.written) <= 3_600


def _none(newcomer: Newcomer, block: str, quoted: frozenset[int]) -> dict[str, float]:
    figures = {f"none-{block}": 1.0, f"none-{block}-reply": float(newcomer.is_reply)}
    if block in "qi":
        figures[f"none-{block}-hits"] = math.log1p(len(quoted)) / 4
    return figures


def quoted_posts(weighed: Iterable[Weighed], question: Question) -> dict[int, int]:
    """Every post that is quoted, with the number of its own fingerprints that are; a single common run is no quote."""
    if not question.marked:
        return {}
    enough = 1 if len(question.near | question.far) < 4 else 2
    return {each.held.number: each.shared for each in weighed if each.held is not None and each.shared >= enough}

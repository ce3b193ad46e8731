"""Which candidate is answered: a fitted choice between them, and the alternative that none is.

Each candidate's figures (`lists.matching.FEATURES`) are weighted and summed; the sums compete (conditional logit:
D. McFadden, "Conditional logit analysis of qualitative choice behavior", 1974), so that two candidates with the same text
share their probability, and a conversation's probability is the sum over its posts. The weights were fitted by
`benchmarks/train_threading.py`; `docs/threading.md` says on what, and how well they hold elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from listserver.lists.fingerprints import words_of
from listserver.lists.matching import FEATURES, Held, Newcomer, Weighed
from listserver.lists.people import is_same
from listserver.lists.threads import Candidate, ThreadMatch

DECIDED = 0.7  # a parent that its words leave in more doubt than this was guessed within its conversation, not named by a quote
CERTAIN = 0.97  # a link of which we are as sure as this is made without a mark
JOIN = 0.9  # as sure that it answers something here: then the likeliest conversation is joined, the parent marked as uncertain,
LIKELY = 0.45  # if that conversation is as likely (two may hold the same text)
_SUGGESTED = 0.02  # what is less likely is not worth keeping
_ENOUGH = 6  # own fingerprints that must be quoted before the text speaks against a field
_SERIES = re.compile(r"\d+\s*/\s*\d+|\b(?:part|patch|vol|no|nr|#)\W{0,2}\d", re.I)
_GREETED = FEATURES.index("greeted")
WEIGHTS: dict[str, float] = {
    "named": 3.16,
    "other-named": 1.95,
    "minute": 0.83,
    "other-minute": -1.02,
    "also-named": -0.67,
    "also-minute": -0.38,
    "self": -1.26,
    "to": 2.17,
    "cc": -0.89,
    "greeted": 1.05,
    "later": -4.73,
    "q-cover": 1.11,
    "q-missing": -0.96,
    "q-full": -1.58,
    "q-own": 0.07,
    "q-first": -0.40,
    "q-alone": 2.33,
    "q-near": 0.92,
    "q-far": -0.34,
    "q-share": 0.63,
    "q-hits": 0.64,
    "q-subject": 2.72,
    "q-age": -0.48,
    "q-between": -1.09,
    "i-other-named": -0.23,
    "i-minute": 2.14,
    "i-other-minute": 1.85,
    "i-also-named": -0.56,
    "i-also-minute": -0.09,
    "i-cover": 3.60,
    "i-missing": -0.43,
    "i-full": -0.48,
    "i-own": -0.40,
    "i-first": 1.05,
    "i-alone": 1.87,
    "i-near": 0.89,
    "i-far": 1.67,
    "i-share": -0.20,
    "i-hits": -2.12,
    "i-subject": 2.34,
    "i-age": -0.54,
    "i-between": -1.49,
    "u-cover": -0.07,
    "u-own": 0.41,
    "u-first": 0.41,
    "u-beside": 0.92,
    "u-missing": -0.61,
    "u-named": 0.45,
    "u-other-named": -0.44,
    "u-minute": 0.76,
    "u-other-minute": -0.75,
    "u-alone": 0.48,
    "u-share": 0.87,
    "u-hits": 0.16,
    "u-subject": -1.31,
    "u-age": -1.27,
    "u-between": -0.96,
    "n-subject": -0.09,
    "n-age": -0.64,
    "n-between": -1.75,
    "n-last-other": -0.33,
    "n-root": 0.05,
    "series": 5.48,
    "was": -0.35,
    "none-q": 3.52,
    "none-i": 5.37,
    "none-u": 0.99,
    "none-n": 2.09,
    "none-q-reply": -7.16,
    "none-i-reply": -6.11,
    "none-u-reply": -8.95,
    "none-n-reply": -7.56,
    "none-q-hits": -0.43,
    "none-i-hits": -1.42,
}
_W = tuple(WEIGHTS.get(name, 0.0) for name in FEATURES)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A candidate with the probability that it is the one answered, and that its conversation is the right one."""

    weighed: Weighed
    parent: float
    conversation: float


def estimate(weighed: Sequence[Weighed], weights: Sequence[float] = _W) -> list[Estimate]:
    """Probabilities of all alternatives, the likeliest first; they add up to one."""
    sums = [sum(weights[index] * value for index, value in each.figures.items()) for each in weighed]
    top = max(sums)
    shares = [math.exp(each - top) for each in sums]
    total = sum(shares)
    conversations: dict[int | None, float] = {}
    for each, share in zip(weighed, shares, strict=True):
        key = each.held.conversation if each.held is not None else None
        conversations[key] = conversations.get(key, 0.0) + share / total
    estimates = [
        Estimate(each, share / total, conversations[each.held.conversation if each.held is not None else None])
        for each, share in zip(weighed, shares, strict=True)
    ]
    return sorted(
        estimates, key=lambda e: (-e.parent, e.weighed.held is None, e.weighed.held.message_id if e.weighed.held else "")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where a post goes: `chosen` is made, `others` are kept beside it."""

    chosen: Candidate
    others: tuple[Candidate, ...]


def decide(headers: ThreadMatch, estimates: Sequence[Estimate], newcomer: Newcomer) -> Decision:
    """Weigh the fields of a post against its text and everything around it.

    A field that names a held post is followed, unless the text's choice is in the top band while the named post holds
    almost nothing of what is quoted, or unless the post only pressed "reply" to begin something else. Without such a
    field the estimates decide: a certain parent is linked, a certain conversation joined with its likeliest parent marked
    as uncertain, and else a conversation begins, with a suggestion.
    """
    texts = [_candidate(each, newcomer) for each in estimates if each.weighed.held is not None and each.parent >= _SUGGESTED]
    named = headers.chosen
    if named.kind == "token":
        return Decision(chosen=named, others=_without(named, (*headers.candidates, *texts)))
    best = next((each for each in estimates if each.weighed.held is not None), None)
    if named.parent is not None:
        at_named = next((e for e in estimates if e.weighed.held is not None and e.weighed.held.number == named.parent), None)
        if best is not None and at_named is not None and _overrules(best, at_named, nearest=headers.is_nearest):
            chosen = _candidate(best, newcomer)
            return Decision(chosen=chosen, others=_without(chosen, (*headers.candidates, *texts)))
        if at_named is not None and at_named.weighed.held is not None and _is_hijack(newcomer, at_named):
            detail = f"split from #{named.parent}: its fields answer that post, but its subject and its words do not"
            split = Candidate(kind="none", parent=None, message_id="", score=0.9, detail=detail)
            return Decision(chosen=split, others=_without(split, (*headers.candidates, *texts)))
        return Decision(chosen=named, others=_without(named, (*headers.candidates, *texts)))
    likeliest = _likeliest(estimates)
    if headers.awaited:  # its fields name a post that never came: only its words can name a better one
        texts = [each for each in texts if each.kind == "quote"]
        likeliest = likeliest if likeliest is not None and likeliest.parent >= CERTAIN and likeliest.weighed.shared else None
    if likeliest is not None:
        chosen = _candidate(likeliest, newcomer)
        return Decision(chosen=chosen, others=_without(chosen, (*texts, *headers.candidates)))
    return Decision(chosen=named, others=_without(named, (*headers.candidates, *texts)))


def _likeliest(estimates: Sequence[Estimate]) -> Estimate | None:
    """The parent that is certain, or the likeliest one of the likeliest conversation, or None when it may answer nothing here."""
    none = next((each.parent for each in estimates if each.weighed.held is None), 0.0)
    known = [each for each in estimates if each.weighed.held is not None]
    if not known:
        return None
    best = max(known, key=lambda each: (each.conversation, each.parent))
    if known[0].parent >= CERTAIN or (1 - none >= JOIN and best.conversation >= LIKELY):
        return known[0] if known[0].parent >= CERTAIN else best
    return None


def _without(chosen: Candidate, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The other candidates: each post once, and beside that what the text quotes of it; the plain root says nothing."""
    kept: list[Candidate] = []
    seen = {(chosen.message_id, chosen.kind == "quote")}
    for each in candidates:
        quoted = each.kind == "quote"
        if each is chosen or not each.message_id or (each.message_id, quoted) in seen or (each.message_id, True) in seen:
            continue
        seen.add((each.message_id, quoted))
        kept.append(each)
    return tuple(kept)


def _overrules(best: Estimate, named: Estimate, *, nearest: bool) -> bool:
    """Whether the text's choice is surer than a field's: it must be in the top band, and what is quoted stand elsewhere."""
    held, other = best.weighed.held, named.weighed.held
    if held is None or other is None or held.number == other.number or best.parent < CERTAIN or best.weighed.shared < _ENOUGH:
        return False
    if held.conversation == other.conversation:  # the fields name an ancestor because the parent's id was lost on the way
        return not nearest
    return best.weighed.cover >= 0.9 and named.weighed.cover < 0.1 and best.weighed.named >= 0


def _is_hijack(newcomer: Newcomer, named: Estimate) -> bool:
    """Whether somebody pressed "reply" to write about something else."""
    held = named.weighed.held
    if held is None or newcomer.is_reply or named.weighed.cover >= 0.05 or not newcomer.base_subject:
        return False
    words, theirs = set(words_of(newcomer.base_subject)), set(words_of(held.base_subject))
    if not words or len(words & theirs) / len(words) >= 0.2 or _SERIES.search(newcomer.subject):
        return False
    return not is_same(newcomer.author, held.author) or newcomer.written - held.written > 86_400


def _candidate(each: Estimate, newcomer: Newcomer) -> Candidate:
    """One estimate as a piece of evidence, in words."""
    held = each.weighed.held
    if held is None:
        raise ValueError("nothing to name")
    kind, detail = _words(each, held, newcomer)
    return Candidate(
        kind=kind, parent=held.number, message_id=held.message_id, score=round(min(each.parent, 0.9995), 4), detail=detail
    )


def _words(each: Estimate, held: Held, newcomer: Newcomer) -> tuple[str, str]:
    whose = f"{held.author.name or held.author.address or 'somebody'}'s post of {datetime.fromtimestamp(held.written, UTC):%-d %B %Y}, #{held.number}"
    also: list[str] = []
    if each.weighed.named > 0:
        also.append("the attribution names its author" + (" and its minute" if each.weighed.minute > 0 else ""))
    elif each.weighed.named < 0:
        also.append("the attribution names somebody else")
    if each.parent >= DECIDED and (each.weighed.shared or each.weighed.cover >= 0.3):
        marked = newcomer.reading.quotes
        text = f"{each.weighed.cover:.0%} of the {'quoted' if marked else 'known'} words are in {whose}"
        return "quote", "; ".join([text, *also])
    if each.parent >= DECIDED and each.weighed.named > 0:
        return "quote", f"it quotes a few words of {whose}: {also[0]}"
    if _GREETED in each.weighed.figures and each.parent >= DECIDED:
        return "greeting", f"its first words greet the author of {whose}, which is near in subject and time"
    if each.weighed.cover >= 0.3:
        return "subject", f"its words and its subject belong to this conversation; the likeliest parent is {whose}"
    return "subject", f"same subject and near in time: {whose}"

"""Where a post belongs, by its headers: token, In-Reply-To, the whole of References; and the order of a tree.

The whole chain is walked, because the first id alone is held for nine replies in ten only. Ids that we do not hold are
ghosts: those nearer than the parent that was found are awaited, and when one of them comes, the post moves under it.
No link may close a circle; what was refused is kept as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from listserver.mail.message_id import ReplyIds


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRef:
    """A post that we hold, as far as threading needs it."""

    number: int
    message_id: str
    conversation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible parent, followed or not: a post that we hold, or a ghost (`parent` is None)."""

    kind: str
    parent: int | None
    message_id: str
    score: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedId:
    """An id named by the post, not held, at `rank` of its chain (0 is the nearest)."""

    message_id: str
    rank: int
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMatch:
    """The decision: `chosen` is also the first of `candidates`; without a parent its kind is `none`."""

    chosen: Candidate
    candidates: tuple[Candidate, ...]
    awaited: tuple[AwaitedId, ...]

    @property
    def is_nearest(self) -> bool:
        """Whether the post that was found is the first one named, so that no nearer one is missing."""
        return not self.awaited


_FIELDS = {"in-reply-to": "In-Reply-To", "references": "References"}


def choose_parent(ids: ReplyIds, known: Mapping[str, PostRef], *, named: PostRef | None = None) -> ThreadMatch:
    """Return the post that this message answers.

    `known` maps ids of its chain to posts held on this list; `named` is the post that our own reply address named.
    In-Reply-To comes first, then References from its end, because the nearest known ancestor stands last
    (RFC 5322 §3.6.4).

    Invariant: the result is never the message itself.
    """
    fields = dict.fromkeys(ids.references, "references") | dict.fromkeys(ids.in_reply_to, "in-reply-to")
    found: list[Candidate] = []
    awaited: list[AwaitedId] = []
    for rank, message_id in enumerate(ids.chain()):
        held = known.get(message_id)
        if held is None:
            awaited.append(AwaitedId(message_id=message_id, rank=rank, field=fields[message_id]))
        else:
            found.append(_by_field(held, fields[message_id], rank, [each.message_id for each in awaited]))
    if named is not None:
        token = Candidate(
            kind="token",
            parent=named.number,
            message_id=named.message_id,
            score=1.0,
            detail=f"it was written to the reply address of #{named.number}",
        )
        found = [token, *(c for c in found if c.parent != named.number)]
        awaited = []
    if found:
        nearest = min((i for i, m in enumerate(ids.chain()) if m in known), default=0)
        awaited = [each for each in awaited if each.rank < nearest]
    else:
        found = [_root(awaited)]
    chosen = found[0]
    if ids.message_id in fields:
        found.append(_itself(fields[ids.message_id], ids.message_id))
    return ThreadMatch(chosen=chosen, candidates=tuple(found), awaited=tuple(awaited))


def _by_field(held: PostRef, field: str, rank: int, missing: Sequence[str], words: str = "") -> Candidate:
    detail = f"{_FIELDS[field]} names #{held.number}{words}"
    if missing:
        detail += f"; nearer, it names {missing[0]}, which never came"
    score = 0.99 if rank == 0 else 0.95 if not missing else 0.9
    return Candidate(kind=field, parent=held.number, message_id=held.message_id, score=score, detail=detail)


def _itself(field: str, message_id: str) -> Candidate:
    return Candidate(
        kind=field,
        parent=None,
        message_id=message_id,
        score=0.0,
        detail=f"{_FIELDS[field]} names the post itself: a circle, refused",
    )


def _root(awaited: Sequence[AwaitedId]) -> Candidate:
    if awaited:
        return Candidate(
            kind="none",
            parent=None,
            message_id=awaited[0].message_id,
            score=0.9,
            detail=f"it answers {awaited[0].message_id}, which never came",
        )
    return Candidate(kind="none", parent=None, message_id="", score=1.0, detail="it starts a conversation")


def late_parent(field: str, rank: int, parent: PostRef, missing: Sequence[str] = ()) -> Candidate:
    """The link of a post to a parent that came after it; `missing` are ids that stand nearer and are still awaited."""
    return _by_field(parent, field, rank, missing, ", which came later")


def refused_cycle(field: str, parent: PostRef) -> Candidate:
    """The link that was not made, because it would have closed a circle."""
    return Candidate(
        kind=field,
        parent=parent.number,
        message_id=parent.message_id,
        score=0.0,
        detail=f"{_FIELDS[field]} names #{parent.number}, but that post answers this one: a circle, refused",
    )


def would_cycle(child: int, parent: int, parent_of: Callable[[int], int | None]) -> bool:
    """Whether `child` is already above `parent`, so that the link would close a circle."""
    seen: set[int] = set()
    current: int | None = parent
    while current is not None and current not in seen:
        if current == child:
            return True
        seen.add(current)
        current = parent_of(current)
    return False


def order_posts(posts: Iterable[tuple[int, int | None, datetime]]) -> list[tuple[int, int]]:
    """Posts, given as (number, parent, date), in thread order with their depth: depth first, siblings by date.

    A parent that is not among them makes its children roots. No recursion: a tree may be as deep as it likes.
    """
    rows = list(posts)
    held = {number for number, _parent, _date in rows}
    children: dict[int | None, list[tuple[datetime, int]]] = {}
    for number, parent, date in rows:
        children.setdefault(parent if parent in held else None, []).append((date, number))
    for siblings in children.values():
        siblings.sort(reverse=True)
    ordered: list[tuple[int, int]] = []
    stack = [(number, 0) for _date, number in children.get(None, [])]
    while stack:
        number, depth = stack.pop()
        ordered.append((number, depth))
        stack += [(child, depth + 1) for _date, child in children.get(number, [])]
    return ordered

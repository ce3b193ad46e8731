"""What is due when, and what goes into a digest in which order. Zones come from the time-zone database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from listserver.lists.threads import order_posts


def next_local(after: datetime, zone: str, at: time) -> datetime:
    """The first moment after `after` at which a clock in `zone` shows `at`: once on each local day.

    An hour that comes twice in an autumn night counts the first time; one that is left out in spring counts at the
    moment the clock jumps over it; a day that a zone skipped altogether has none.
    """
    place = ZoneInfo(zone)
    day = after.astimezone(place).date() - timedelta(days=1)
    while True:
        moment = _moment(day, at, place)
        if moment is not None and moment > after:
            return moment
        day += timedelta(days=1)


def _moment(day: date, at: time, place: ZoneInfo) -> datetime | None:
    local = datetime.combine(day, at, tzinfo=place)  # fold=0: the first of two
    moment = local.astimezone(UTC)
    shown = moment.astimezone(place)
    if shown.replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    gap = place.utcoffset(local.replace(fold=1)) or timedelta()
    before = place.utcoffset(local) or timedelta()
    if abs(before - gap) >= timedelta(hours=20):
        return None  # the day does not exist there (Apia, 30 December 2011)
    return _jump(moment - timedelta(hours=3), moment + timedelta(hours=3), place)


def _jump(early: datetime, late: datetime, place: ZoneInfo) -> datetime:
    """The moment between two at which the zone's offset changes."""
    first = early.astimezone(place).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(place).utcoffset() == first:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def local_day(moment: datetime, zone: str) -> date:
    """The date that a calendar in `zone` shows."""
    return moment.astimezone(ZoneInfo(zone)).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPost:
    """One post as a digest shows it; `text` is what the author wrote, `context` who it answers with a few words of it."""

    number: int
    conversation: int
    parent: int | None
    author: str
    author_id: int | None
    date: datetime
    subject: str
    text: str
    excerpt: str
    attachments: tuple[tuple[str, int], ...]
    token: str
    parent_author: str = ""
    parent_date: datetime | None = None
    parent_excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestConversation:
    """The new posts of one conversation in thread order, and what to say over them."""

    conversation: int
    title: str
    posts: tuple[DigestPost, ...]
    total: int
    people: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFacts:
    """What is known of a conversation beyond its new posts."""

    title: str
    total: int
    people: int
    first_post: int
    with_reader: bool


def arrange(posts: Sequence[DigestPost], facts: dict[int, ConversationFacts]) -> tuple[DigestConversation, ...]:
    """Group posts by conversation: those the reader is in first, then new ones, then by number of new posts, then by age."""
    groups: dict[int, list[DigestPost]] = {}
    for post in posts:
        groups.setdefault(post.conversation, []).append(post)
    conversations = []
    for conversation, members in groups.items():
        known = facts[conversation]
        by_number = {post.number: post for post in members}
        ordered = order_posts([(p.number, p.parent, p.date) for p in members])
        is_new = known.first_post in by_number
        rank = (not known.with_reader, not is_new, -len(members), known.first_post)
        conversations.append(
            (
                rank,
                DigestConversation(
                    conversation=conversation,
                    title=known.title,
                    posts=tuple(by_number[number] for number, _depth in ordered),
                    total=known.total,
                    people=known.people,
                    is_new=is_new,
                ),
            )
        )
    return tuple(each for _rank, each in sorted(conversations, key=lambda pair: pair[0]))

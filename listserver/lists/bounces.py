"""Weigh what comes back from a member's address: history × report → what to do. Pure: the clock is an argument.

One score a member and day, however many mails came back on it: 1 for a hard one, ½ for a soft one; policy, delay and
automatic answers score nothing. Four points within 14 days pause the mail; it is tried again after 7 and 14 days, and
six weeks after the pause the address is taken off. A week in which nothing comes back ends in a mail that asks whether
ours arrive (it is the probe: should it come back, it counts), and when that does not come back, all is forgotten. A
delivery that is known to have succeeded forgets at once. Who owns a list is never taken off it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from listserver.mail.refusal import Weight

LIMIT = 4.0
POINTS = {Weight.hard: 1.0, Weight.soft: 0.5}
WINDOW = timedelta(days=14)
QUIET = timedelta(days=7)
TRIES = (timedelta(days=7), timedelta(days=14))
OFF_AFTER = timedelta(days=42)
WORTH_ASKING = 1.0  # points; below them a quiet week is enough
TOKEN_LIFE = timedelta(days=30)  # a report about an older mail says nothing of today


class Act(StrEnum):
    """What a report, or the passing of time, leads to."""

    nothing = "nothing"
    score = "score"
    pause = "pause"
    leave = "leave"
    clear = "clear"
    probe = "probe"
    try_again = "try-again"
    take_off = "take-off"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What came back from one member so far; `points` are those of each day, of any age."""

    points: Mapping[date, float] = field(default_factory=dict)
    last_at: datetime | None = None
    probe_at: datetime | None = None
    paused_at: datetime | None = None
    tries: int = 0
    is_owner: bool = False

    def score(self, now: datetime) -> float:
        """The points of the last 14 days."""
        oldest = (now - WINDOW).date()
        return sum(points for day, points in self.points.items() if day > oldest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do about a report, and the points that its day has from now on."""

    act: Act
    points: float = 0.0


def weigh(history: History, weight: Weight, now: datetime) -> Decision:
    """What one report means for the member whose mail it is about."""
    today = history.points.get(now.date(), 0.0)
    match weight:
        case Weight.complaint:
            return Decision(act=Act.leave, points=today)
        case Weight.delivered:
            return Decision(act=Act.clear if history.points or history.paused_at else Act.nothing)
        case Weight.policy | Weight.delayed | Weight.auto_reply:
            return Decision(act=Act.nothing, points=today)
        case Weight.hard | Weight.soft:
            points = max(today, POINTS[weight])
    if history.paused_at is not None:
        return Decision(act=Act.score if points > today else Act.nothing, points=points)
    after = history.score(now) - today + points
    if after >= LIMIT:
        return Decision(act=Act.pause, points=points)
    return Decision(act=Act.score if points > today else Act.nothing, points=points)


def due(history: History, now: datetime) -> Act:
    """What the passing of time leads to."""
    if history.paused_at is not None:
        if now >= history.paused_at + OFF_AFTER:
            return Act.nothing if history.is_owner else Act.take_off
        if history.tries < len(TRIES) and now >= history.paused_at + TRIES[history.tries]:
            return Act.try_again
        return Act.nothing
    if history.last_at is None or not history.points:
        return Act.nothing
    if history.probe_at is not None and history.probe_at >= history.last_at:
        return Act.clear if now >= history.probe_at + QUIET else Act.nothing
    if now < history.last_at + QUIET:
        return Act.nothing
    return Act.probe if sum(history.points.values()) >= WORTH_ASKING else Act.clear


def next_look(history: History) -> datetime | None:
    """The next moment at which `due` may have something to say; None: never, unless something comes back.

    Invariant: at the moment returned, `due` says something else than nothing.
    """
    if history.paused_at is not None:
        if history.tries < len(TRIES):
            return history.paused_at + TRIES[history.tries]
        return None if history.is_owner else history.paused_at + OFF_AFTER
    if history.last_at is None or not history.points:
        return None
    if history.probe_at is not None and history.probe_at >= history.last_at:
        return history.probe_at + QUIET
    return history.last_at + QUIET

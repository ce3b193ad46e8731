"""When a deferred delivery is tried again, and when never: back-off over five days (RFC 5321 §4.5.4.1)."""

from __future__ import annotations

from datetime import datetime, timedelta

GIVE_UP = timedelta(days=5)
_STEPS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 60, 120, 120, 240))


def next_attempt(created: datetime, attempts: int, now: datetime, *, jitter: float = 0.0) -> datetime | None:
    """The next try after `attempts` of them, or None when five days have gone by.

    `jitter`, from 0 to 1, lengthens the wait by up to a fifth, so that many retries do not come at one moment.
    """
    if now - created >= GIVE_UP:
        return None
    step = _STEPS[min(max(attempts, 1), len(_STEPS)) - 1]
    return min(now + step * (1 + 0.2 * jitter), created + GIVE_UP)

"""When a deferred delivery is tried again, and when never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.retry import GIVE_UP, next_attempt

MADE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_back_off_over_five_days() -> None:
    """The first tries come soon, later ones hours apart, the last one when five days are over, then none."""
    moment, gaps = MADE, []
    for attempts in range(1, 1000):
        due = next_attempt(MADE, attempts, moment)
        if due is None:
            break
        gaps.append(due - moment)
        moment = due
    assert gaps[0] <= timedelta(minutes=1)
    assert all(later >= earlier for earlier, later in pairwise(gaps[:-1]))
    assert max(gaps) == timedelta(hours=4)
    assert moment == MADE + GIVE_UP == MADE + timedelta(days=5)
    assert 20 < len(gaps) < 60


@given(st.integers(0, 200), st.integers(0, 6 * 24 * 60), st.floats(0, 1))
def test_always_ahead_and_never_after_the_end(attempts: int, minutes: int, jitter: float) -> None:
    """Whatever was tried, and whenever we look."""
    now = MADE + timedelta(minutes=minutes)
    due = next_attempt(MADE, attempts, now, jitter=jitter)
    if due is None:
        assert now - MADE >= GIVE_UP
    else:
        assert now < due <= MADE + GIVE_UP


def test_jitter_spreads_retries() -> None:
    """By up to a fifth, so that many do not come at one moment."""
    early, late = (next_attempt(MADE, 5, MADE, jitter=jitter) for jitter in (0.0, 1.0))
    assert early is not None
    assert late is not None
    assert late - MADE == (early - MADE) * 1.2

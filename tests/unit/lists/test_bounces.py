"""What comes back is weighed: one score a member and day, and what follows from it as time goes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists import bounces
from listserver.lists.bounces import Act, History
from listserver.mail.refusal import Weight

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)


def history(*days_ago: int, points: float = 1.0, **more: object) -> History:
    days = {(NOW - timedelta(days=ago)).date(): points for ago in days_ago}
    last = NOW - timedelta(days=min(days_ago)) if days_ago else None
    return History(points=days, last_at=last, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "weight", "act", "points"),
    [
        (history(), Weight.hard, Act.score, 1.0),
        (history(), Weight.soft, Act.score, 0.5),
        (history(0), Weight.hard, Act.nothing, 1.0),
        (history(0, points=0.5), Weight.hard, Act.score, 1.0),
        (history(0), Weight.soft, Act.nothing, 1.0),
        (history(1, 2, 3), Weight.hard, Act.pause, 1.0),
        (history(1, 2, 3), Weight.soft, Act.score, 0.5),
        (history(1, 2, 3, 4, 5, 6, 7, points=0.5), Weight.soft, Act.pause, 0.5),
        (history(14, 15, 16), Weight.hard, Act.score, 1.0),
        (history(1, 2, 3), Weight.policy, Act.nothing, 0.0),
        (history(1, 2, 3), Weight.delayed, Act.nothing, 0.0),
        (history(1, 2, 3), Weight.auto_reply, Act.nothing, 0.0),
        (history(), Weight.complaint, Act.leave, 0.0),
        (history(1, 2, 3), Weight.delivered, Act.clear, 0.0),
        (history(), Weight.delivered, Act.nothing, 0.0),
        (history(1, 2, 3, 4, paused_at=NOW - timedelta(days=1)), Weight.hard, Act.score, 1.0),
    ],
)
def test_a_report_is_weighed_against_what_is_known(before: History, weight: Weight, act: Act, points: float) -> None:
    """Hard more than soft, a day once, policy and delay never, a success forgets, a complaint leaves."""
    assert bounces.weigh(before, weight, NOW) == bounces.Decision(act=act, points=points)


@pytest.mark.parametrize(
    ("before", "act"),
    [
        (history(), Act.nothing),
        (history(6), Act.nothing),
        (history(7), Act.probe),
        (history(7, points=0.5), Act.clear),
        (history(7, 8, points=0.5), Act.probe),
        (history(10, probe_at=NOW - timedelta(days=3)), Act.nothing),
        (history(14, probe_at=NOW - timedelta(days=7)), Act.clear),
        (history(1, probe_at=NOW - timedelta(days=7)), Act.nothing),
        (history(1, paused_at=NOW - timedelta(days=6)), Act.nothing),
        (history(1, paused_at=NOW - timedelta(days=7)), Act.try_again),
        (history(1, paused_at=NOW - timedelta(days=13), tries=1), Act.nothing),
        (history(1, paused_at=NOW - timedelta(days=14), tries=1), Act.try_again),
        (history(1, paused_at=NOW - timedelta(days=41), tries=2), Act.nothing),
        (history(1, paused_at=NOW - timedelta(days=42), tries=2), Act.take_off),
        (history(1, paused_at=NOW - timedelta(days=90), tries=2, is_owner=True), Act.nothing),
    ],
)
def test_time_leads_to_what_was_promised(before: History, act: Act) -> None:
    """A quiet week asks, another forgets; a pause is tried again after 7 and 14 days and ends after six weeks."""
    assert bounces.due(before, NOW) == act


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0.5, 1.0])), max_size=6),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 60),
    st.integers(0, 2),
    st.booleans(),
)
def test_the_clock_looks_again_exactly_when_something_is_due(
    days: list[tuple[int, float]], probed: int | None, paused: int | None, tries: int, is_owner: bool
) -> None:
    """At the noted moment something is due, and before it nothing is."""
    before = History(
        points={(NOW - timedelta(days=ago)).date(): points for ago, points in days},
        last_at=NOW - timedelta(days=min(ago for ago, _points in days)) if days else None,
        probe_at=None if probed is None else NOW - timedelta(days=probed),
        paused_at=None if paused is None else NOW - timedelta(days=paused),
        tries=tries,
        is_owner=is_owner,
    )
    moment = bounces.next_look(before)

    if moment is None:
        assert bounces.due(before, NOW + timedelta(days=400)) == Act.nothing
    else:
        assert bounces.due(before, moment) != Act.nothing
        assert bounces.due(before, moment - timedelta(seconds=1)) == Act.nothing

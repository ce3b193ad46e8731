"""When a digest is due in any zone, and in which order it shows conversations."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.digests import ConversationFacts, DigestPost, arrange, local_day, next_local

ZONES = {
    "Europe/Berlin": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,  # half an hour
    "Australia/Sydney": 2026,
    "America/Santiago": 2026,  # midnight itself is left out
    "Africa/Casablanca": 2026,  # back for Ramadan
    "Asia/Kathmandu": 1985,  # a quarter of an hour, at midnight of 1 January 1986
    "Pacific/Apia": 2011,  # 30 December does not exist
}
HOURS = ("00:00", "02:30", "23:59")


def _all_days(zone: str, year: int) -> list[date]:
    """Every date that a calendar in this zone showed at any minute of the year and the next days."""
    place, moment, found = ZoneInfo(zone), datetime(year, 1, 2, 12, tzinfo=UTC), []
    while moment.year <= year + 1 and (moment - datetime(year, 1, 2, 12, tzinfo=UTC)).days < 400:
        day = moment.astimezone(place).date()
        if not found or found[-1] != day:
            found.append(day)
        moment += timedelta(hours=1)
    return found


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize(("zone", "year"), ZONES.items())
def test_once_on_each_local_day(zone: str, year: int, hour: str) -> None:
    """Over thirteen months with every change of the clock: each day that exists has exactly one moment, in order."""
    at, days = time.fromisoformat(hour), _all_days(zone, year)
    moment = datetime.combine(days[1], time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(microseconds=1)
    seen = []
    while len(seen) < len(days) - 3:
        moment, before = next_local(moment, zone, at), moment
        assert moment > before
        shown = moment.astimezone(ZoneInfo(zone))
        just_before = (moment - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        if shown.strftime("%H:%M") != hour:  # left out that day: the moment at which the clock jumps over it
            assert just_before.utcoffset() != shown.utcoffset(), (zone, shown)
            assert just_before.replace(tzinfo=None).time() < at or just_before.date() < shown.date()
        seen.append(shown.date())
    assert seen == days[1 : len(seen) + 1]


def test_an_hour_that_comes_twice_counts_the_first_time() -> None:
    """Berlin, 25 October 2026: 02:30 summer time, and not again an hour later."""
    first = next_local(datetime(2026, 10, 24, 12, tzinfo=UTC), "Europe/Berlin", time(2, 30))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_local(first, "Europe/Berlin", time(2, 30)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_an_hour_that_is_left_out_counts_at_the_jump() -> None:
    """Berlin, 29 March 2026: 02:30 does not exist, 02:00 becomes 03:00."""
    assert next_local(datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Berlin", time(2, 30)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_midnight_that_is_left_out() -> None:
    """Santiago, 6 September 2026: the day begins at 01:00."""
    due = next_local(datetime(2026, 9, 5, 12, tzinfo=UTC), "America/Santiago", time(0))
    assert due.astimezone(ZoneInfo("America/Santiago")).strftime("%d %H:%M") == "06 01:00"


def test_a_day_that_never_was_has_no_digest() -> None:
    """Apia went from 29 to 31 December 2011."""
    due = next_local(datetime(2011, 12, 29, 20, tzinfo=UTC), "Pacific/Apia", time(7))
    assert local_day(due, "Pacific/Apia") == date(2011, 12, 31)


@given(
    st.integers(631_152_000, 2_114_380_800),
    st.sampled_from(sorted(ZONES)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
)
def test_the_next_moment_is_ahead_and_near(after: int, zone: str, at: time) -> None:
    """Always later, and never more than two days away."""
    moment = datetime.fromtimestamp(after, UTC)
    due = next_local(moment, zone, at)
    assert moment < due <= moment + timedelta(days=2, hours=2)


def _post(number: int, conversation: int, parent: int | None = None, minute: int = 0) -> DigestPost:
    return DigestPost(
        number=number,
        conversation=conversation,
        parent=parent,
        author="Gwen",
        author_id=1,
        date=datetime(2026, 3, 2, 9, minute, tzinfo=UTC),
        subject="x",
        text="",
        excerpt="",
        attachments=(),
        token="t",
    )


def _facts(first: int, *, with_reader: bool = False) -> ConversationFacts:
    return ConversationFacts(title="x", total=9, people=3, first_post=first, with_reader=with_reader)


def test_order_of_conversations() -> None:
    """Those the reader is in, then new ones, then by number of new posts, then by age."""
    posts = [_post(10, 1), _post(11, 2), _post(12, 2), _post(13, 3), _post(14, 4), _post(15, 5)]
    facts = {1: _facts(1), 2: _facts(2), 3: _facts(13), 4: _facts(4, with_reader=True), 5: _facts(5)}
    assert [c.conversation for c in arrange(posts, facts)] == [4, 3, 2, 1, 5]


def test_order_within_a_conversation() -> None:
    """Parents before children, siblings by time, and a parent outside of the digest makes a root."""
    posts = [_post(5, 1, 3, 1), _post(6, 1, None, 2), _post(7, 1, 6, 9), _post(8, 1, 6, 5)]
    (conversation,) = arrange(posts, {1: _facts(3)})
    assert [post.number for post in conversation.posts] == [5, 6, 8, 7]
    assert not conversation.is_new

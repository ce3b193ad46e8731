"""The digest clock: exactly once a local day, each post once, whatever time, restarts and other clocks do."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from listserver.errors import NotFound
from listserver.flows import digest, membership, moderate
from listserver.store import digests
from listserver.store.engine import Database
from tests.integration.desk import Desk, Left, open_desk

# A zone, and a moment shortly before its clock changes (or a day is left out).
CHANGES = {
    "Europe/Berlin spring": ("Europe/Berlin", datetime(2026, 3, 27, 12, tzinfo=UTC)),
    "Europe/Berlin autumn": ("Europe/Berlin", datetime(2026, 10, 23, 12, tzinfo=UTC)),
    "America/New_York spring": ("America/New_York", datetime(2026, 3, 6, 12, tzinfo=UTC)),
    "America/New_York autumn": ("America/New_York", datetime(2026, 10, 30, 12, tzinfo=UTC)),
    "Australia/Lord_Howe": ("Australia/Lord_Howe", datetime(2026, 4, 3, 12, tzinfo=UTC)),
    "Australia/Sydney": ("Australia/Sydney", datetime(2026, 10, 2, 12, tzinfo=UTC)),
    "America/Santiago": ("America/Santiago", datetime(2026, 9, 4, 12, tzinfo=UTC)),
    "Africa/Casablanca": ("Africa/Casablanca", datetime(2026, 2, 13, 12, tzinfo=UTC)),
    "Asia/Kathmandu": ("Asia/Kathmandu", datetime(1985, 12, 30, 12, tzinfo=UTC)),
    "Pacific/Apia": ("Pacific/Apia", datetime(2011, 12, 28, 12, tzinfo=UTC)),
}


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    made = open_desk(sqlite_database)
    made.join("gwen@example.net")
    return made


@pytest.fixture
def both(database: Database) -> Desk:
    made = open_desk(database)
    made.join("gwen@example.net")
    return made


def _tick(desk: Desk, moment: datetime) -> None:
    desk.clock.moment = moment
    digest.send_due(desk.site)


def _shown(left: Left) -> list[str]:
    """The posts that a digest shows, by the word in their text."""
    return [line for line in left.mail.get_content().replace("\r\n", "\n").split("\n") if line.startswith("word")]


@pytest.mark.parametrize("change", CHANGES)
def test_over_a_change_of_the_clock(desk: Desk, change: str) -> None:
    """Readers at 00:00, 02:30 and 23:59, a post every six hours, a tick every twenty minutes: one digest a day, each post once."""
    zone, begin = CHANGES[change]
    desk.clock.moment = begin
    readers = {f"r{hour[:2]}@example.com": hour for hour in ("00:00", "02:30", "23:59")}
    for address, hour in readers.items():
        desk.join(address, delivery="digest", timezone=zone, digest_at=hour)
    written = 0
    for step in range(4 * 24 * 3):
        if step % 18 == 0 and step < 3 * 24 * 3:
            desk.write(subject=f"s{written}", text=f"word{written:03}\n", Date="")
            written += 1
        _tick(desk, begin + timedelta(minutes=20 * (step + 1)))
    for address in readers:
        got = desk.to(address)
        days = [datetime.strptime(str(m.mail["Date"]), "%a, %d %b %Y %H:%M:%S %z").astimezone(ZoneInfo(zone)).date() for m in got]
        assert len(days) == len(set(days)), (address, days)
        assert Counter(word for left in got for word in _shown(left)) == {f"word{n:03}": 1 for n in range(written)}


def test_nothing_new_is_no_mail(both: Desk) -> None:
    """Neither on a day without posts nor where all of them are one's own."""
    both.join("dilys@example.com", delivery="digest")
    _tick(both, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    both.write("dilys@example.com", text="word of my own\n")
    _tick(both, datetime(2026, 3, 4, 7, 0, 1, tzinfo=UTC))
    assert both.to("dilys@example.com") == []


def test_a_restart_sends_none_twice_and_leaves_none_out(both: Desk) -> None:
    """A crash in the middle of one reader's digest undoes that one only; the next run makes it."""
    readers = [f"r{n}@example.com" for n in range(5)]
    both.join(*readers, delivery="digest")
    both.write(text="word\n")
    calls = iter(range(100))

    def failing(count: int) -> bytes:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return bytes(range(count))

    both.clock.moment = datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC)
    crashing = replace(both.site, random_bytes=failing)
    if both.site.database.is_sqlite:  # the writer thread would die with it: a plain error stands for the crash there

        def plainly(count: int) -> bytes:
            if next(calls) == 2:
                raise RuntimeError("crash")
            return bytes(range(count))

        crashing = replace(both.site, random_bytes=plainly)
        assert digest.send_due(crashing).queued == 4
        both.wait(minutes=16)
    else:
        with pytest.raises(KeyboardInterrupt):
            digest.send_due(crashing)
    for _again in range(2):
        digest.send_due(both.site)
    got = Counter(left.recipient for left in both.deliver())
    assert {name: got[name] for name in readers} == dict.fromkeys(readers, 1)


def test_a_digest_that_cannot_be_made_keeps_no_other_waiting(desk: Desk) -> None:
    """It is tried again a quarter of an hour later."""
    desk.join("ana@example.com", "ben@example.com", delivery="digest")
    desk.write(text="word\n")
    failed = []

    def once(count: int) -> bytes:
        if not failed:
            failed.append(1)
            raise RuntimeError("boom")
        return bytes(range(count))

    desk.clock.moment = datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC)
    assert digest.send_due(replace(desk.site, random_bytes=once)).queued == 1
    assert digest.send_due(desk.site).queued == 0
    desk.wait(minutes=15)
    assert digest.send_due(desk.site).queued == 1
    desk.deliver()
    got = [left.recipient for left in desk.left if str(left.mail["Message-ID"]).startswith("<d-")]
    assert sorted(got) == ["ana@example.com", "ben@example.com"]


def test_several_clocks_at_once(both: Desk) -> None:
    """Four schedulers on one database: each reader gets one."""
    readers = [f"r{n}@example.com" for n in range(20)]
    both.join(*readers, delivery="digest")
    both.write(text="word\n")
    both.clock.moment = datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC)
    start, queued = threading.Barrier(4), []

    def clock() -> None:
        start.wait(10)
        queued.append(digest.send_due(both.site).queued)

    clocks = [threading.Thread(target=clock) for _each in range(4)]
    for each in clocks:
        each.start()
    for each in clocks:
        each.join(30)
    assert sum(queued) == 20
    got = Counter(left.recipient for left in both.deliver())
    assert {name: got[name] for name in readers} == dict.fromkeys(readers, 1)


def test_a_service_that_slept_sends_one_digest(both: Desk) -> None:
    """Three days without a clock: one digest with all of it, not three; and tomorrow's comes as ever."""
    both.join("dilys@example.com", delivery="digest")
    for n in range(3):
        both.write(text=f"word{n}\n", subject=f"s{n}")
        both.wait(days=1)
    both.clock.moment = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
    assert digest.send_due(both.site).queued == 1
    assert digest.send_due(both.site).queued == 0
    assert sorted(_shown(both.newest("dilys@example.com"))) == ["word0", "word1", "word2"]
    both.write(text="word3\n", subject="s3")
    _tick(both, datetime(2026, 3, 7, 7, 0, 1, tzinfo=UTC))
    assert _shown(both.newest("dilys@example.com")) == ["word3"]


def test_a_clock_that_jumps_back_repeats_nothing(both: Desk) -> None:
    """What was sent stays sent."""
    both.join("dilys@example.com", delivery="digest")
    both.write(text="word\n")
    for moment in ((3, 7), (2, 12), (3, 7), (3, 8)):
        _tick(both, datetime(2026, 3, *moment, tzinfo=UTC))
    assert len(both.to("dilys@example.com")) == 1


@pytest.mark.parametrize("after", ["18:00", "05:00"])
def test_a_change_of_the_hour_leaves_no_gap_and_repeats_nothing(both: Desk, after: str) -> None:
    """Never two a day: what came since stands in tomorrow's."""
    both.join("dilys@example.com", delivery="digest")
    both.write(text="word0\n")
    _tick(both, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    both.write(text="word1\n")
    membership.set_member_options(both.site, both.alist, "dilys@example.com", {"digest_at": after})
    for hours in range(24):
        _tick(both, datetime(2026, 3, 3, 8, 0, tzinfo=UTC) + timedelta(hours=hours))
    both.write(text="word2\n")
    for hours in range(24):
        _tick(both, datetime(2026, 3, 4, 8, 0, tzinfo=UTC) + timedelta(hours=hours))
    got = both.to("dilys@example.com")
    assert Counter(word for left in got for word in _shown(left)) == {"word0": 1, "word1": 1, "word2": 1}
    dates = [str(left.mail["Date"])[:11] for left in got]
    assert len(dates) == len(set(dates))


def test_a_post_that_is_approved_late_is_in_the_next_one(both: Desk) -> None:
    """It gets its number when it is approved, so that no cut passes over it."""
    both.set(post="moderated")
    both.join("dilys@example.com", delivery="digest")
    both.write(text="word held\n")
    both.set(post="members")
    both.write(text="word1\n")
    _tick(both, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    (held,) = both.held()
    moderate.approve(both.site, held["id"])
    _tick(both, datetime(2026, 3, 4, 7, 0, 1, tzinfo=UTC))
    assert [_shown(left) for left in both.to("dilys@example.com")] == [["word1"], ["word held"]]


def test_who_begins_with_digests_gets_what_comes_from_then_on(both: Desk) -> None:
    """Not what they had singly already, nor what was written before they came."""
    both.write(text="word0\n")
    both.join("ana@example.com", delivery="digest")
    membership.set_member_options(both.site, both.alist, "gwen@example.net", {"delivery": "digest"})
    both.write("ruth@example.net", text="word1\n")
    _tick(both, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    assert _shown(both.newest("ana@example.com")) == ["word1"]
    assert _shown(both.newest("gwen@example.net")) == ["word1"]


def test_an_altered_answer_moves_in_the_digest(desk: Desk) -> None:
    """Grouped by conversation, parents first, numbered through, with whom each answers."""
    desk.join("dilys@example.com", delivery="digest")
    desk.write("Gwen <gwen@example.net>", subject="Ladder", text="word1 Who has the ladder?\n", Message_ID="<a@x>")
    desk.write("Ruth <ruth@example.net>", subject="Damp", text="word2 The shed is damp.\n", Message_ID="<b@x>")
    desk.write(
        "Ruth <ruth@example.net>",
        subject="Re: Ladder",
        text="> word1 Who has the ladder?\n\nword3 I have.\n",
        In_Reply_To="<a@x>",
        Message_ID="<c@x>",
    )
    _tick(desk, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    received = desk.newest("dilys@example.com")
    assert _shown(received) == ["word1 Who has the ladder?", "word3 I have.", "word2 The shed is damp."]
    text = received.mail.get_content().replace("\r\n", "\n")
    assert "3 new posts in 2 conversations, from 2 people." in text
    assert "A. Ladder: new, 2 posts, #1 to #2" in text
    assert 'In reply to Gwen (#1): "word1 Who has the ladder?"' in text
    assert "[1 quoted line left out]" in text
    assert received.mail["Subject"] == "Tool Share, Tue 3 March: Ladder + 1 more (3 posts)"
    assert max(map(len, text.split("\n"))) <= 72


def test_the_fields_of_a_digest(desk: Desk) -> None:
    """The DIGEST set: a return-path of its own, an address that names the issue, the whole List set once."""
    desk.join("dilys@example.com", delivery="digest")
    desk.write(text="word\n")
    _tick(desk, datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    received = desk.newest("dilys@example.com")
    mail = received.mail
    assert received.reverse_path.startswith("toolshare-bounces+")
    sender = mail["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Tool Share digest", "toolshare-digest@lists.example.org")
    assert mail["Reply-To"].addresses[0].addr_spec.startswith("toolshare+d-")
    assert (mail["Auto-Submitted"], mail["Precedence"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "list", "All")
    for name in (
        "List-Id",
        "List-Post",
        "List-Help",
        "List-Owner",
        "List-Subscribe",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ):
        assert len(mail.get_all(name, [])) == 1, name
    assert "leave+" not in mail.get_content()
    token = mail["Reply-To"].addresses[0].username.removeprefix("toolshare+d-")
    assert str(mail["Message-ID"]).startswith(f"<d-{token}.20260303@")


def test_preview_shows_what_will_come_and_changes_nothing(desk: Desk) -> None:
    """The same text that leaves later."""
    desk.join("dilys@example.com", delivery="digest")
    desk.write(text="word\n")
    at = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
    shown = digest.preview(desk.site, desk.alist, "dilys@example.com", at, html=False)
    assert "word" in shown
    _tick(desk, at + timedelta(seconds=1))
    assert _shown(desk.newest("dilys@example.com")) == ["word"]
    with pytest.raises(NotFound, match="nothing new for dilys"):
        digest.preview(desk.site, desk.alist, "dilys@example.com", at, html=False)


def test_the_row_of_a_day_is_taken_once(both: Desk) -> None:
    """What makes a digest happen once is a row; a second claim of the same day is refused."""
    claims = [
        both.site.database.write(
            lambda c, n=n: digests.claim(  # type: ignore[misc]
                c,
                list_id=1,
                member_id=1,
                day="2026-03-03",
                first_post=1,
                last_post=2,
                token=f"t{n}",
                outgoing_id=n,
                now=both.clock.now(),
            )
        )
        for n in range(2)
    ]
    assert claims == [True, False]

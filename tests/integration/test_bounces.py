"""Mail that comes back: from the report at our return-path to the last mail, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from listserver.flows import deliver, reach, returned, sweep
from listserver.store import bounces, outbox, reports
from listserver.store.engine import Database
from listserver.store.outbox import Settled
from listserver.store.tables import DeliveryState
from tests.integration.desk import LIST, Desk, open_desk

GWEN = "gwen@example.net"
_FORBIDDEN = ("bounce", "dsn", "token", "mime", "envelope", "subscriber", "administrivia", "robot")


@pytest.fixture
def desk(database: Database) -> Desk:
    made = open_desk(database)
    made.join(GWEN, "tom@example.net", delivery="each")
    return made


def report(said: str = "550 5.1.1 User unknown", status: str = "5.1.1", action: str = "failed") -> bytes:
    return f"""From: MAILER-DAEMON@example.net
To: toolshare-bounces@lists.example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: text/plain

Your mail could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; gwen@example.net
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--B--
""".replace("\n", "\r\n").encode()


def return_path(desk: Desk, address: str = GWEN) -> str:
    """The return-path of a post that leaves now for a member."""
    desk.write("tom@example.net", subject="Ladder")
    return next(each.reverse_path for each in desk.deliver() if each.recipient == address)


def come_back(desk: Desk, path: str, **how: str) -> Any:
    (row,) = desk.receive(report(**how), path, path="")
    return row


def noted(desk: Desk, address: str = GWEN) -> dict[str, Any] | None:
    with desk.read() as connection:
        found: Any = reach.describe(connection, desk.alist, desk.member(address).id, desk.clock.now())
    return found


def fail(desk: Desk, reply: str, address: str = GWEN) -> None:
    """The relay refuses what waits for one member, and takes the rest."""
    site = desk.site
    claims = site.database.write(lambda c: outbox.claim(c, desk.clock.now(), 500, timedelta(minutes=10)))
    settled = [
        Settled(each, DeliveryState.failed, reply) if each.address == address else Settled(each, DeliveryState.sent, "250 ok")
        for each in claims
    ]
    site.database.write(lambda c: deliver.record(c, site, settled))


def pause(desk: Desk) -> None:
    """Four days of hard returns."""
    for _day in range(4):
        come_back(desk, return_path(desk))
        desk.wait(days=1)


def test_one_score_a_member_and_day(desk: Desk) -> None:
    """However many come back on a day, they score once; every one is recorded and counted."""
    path = return_path(desk)
    for _each in range(5):
        assert come_back(desk, path).state == "bounce"

    found = noted(desk)
    assert found is not None
    assert (found["score"], found["returned"], found["reason"]) == (1.0, 5, "unknown")
    with desk.read() as connection:
        assert reports.count(connection, desk.alist.id, desk.member(GWEN).id) == 5


def test_a_forged_return_path_counts_nothing(desk: Desk) -> None:
    """A token that we did not sign, or none, is recorded as ignored and changes nothing."""
    path = return_path(desk)
    local, _at, host = path.partition("@")
    forged = [f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{host}", f"{LIST.partition('@')[0]}-bounces@{host}"]

    assert [come_back(desk, each).state for each in forged] == ["ignored", "ignored"]
    assert noted(desk) is None


def test_a_report_about_a_mail_of_long_ago_counts_nothing(desk: Desk) -> None:
    """A return-path of a month ago says nothing of today."""
    path = return_path(desk)
    desk.wait(days=31)

    assert come_back(desk, path).state == "bounce"
    assert noted(desk) is None


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ({"status": "5.7.1", "said": "550 5.7.1 rejected as spam"}, "bounce"),
        ({"status": "4.4.1", "said": "connection timed out", "action": "delayed"}, "bounce"),
    ],
)
def test_policy_and_delay_never_count_against_a_member(desk: Desk, how: dict[str, str], state: str) -> None:
    """Twenty days of them, and the member is as before."""
    for _day in range(20):
        assert come_back(desk, return_path(desk), **how).state == state
        desk.wait(days=1)

    assert noted(desk) is None
    assert desk.member(GWEN).state == "active"


def test_the_owner_is_told_by_name_what_providers_refuse(desk: Desk) -> None:
    """Once a day and with the provider's own words; the member hears nothing."""
    come_back(desk, return_path(desk), status="5.7.1", said="550 5.7.1 rejected as spam, see rule 7")
    sweep.sweep(desk.site)
    come_back(desk, return_path(desk), status="5.7.1", said="550 5.7.1 rejected again")
    sweep.sweep(desk.site)

    told = [each for each in desk.to("ruth@example.net") if "Refused" in str(each.mail["Subject"])]
    assert len(told) == 1
    assert "Gwen, gwen@example.net" in told[0].text
    assert "rule 7" in told[0].text
    assert not [each for each in desk.to(GWEN) if "Refused" in str(each.mail["Subject"])]

    desk.wait(days=1, minutes=1)
    sweep.sweep(desk.site)
    assert "rejected again" in desk.newest("ruth@example.net").text


def test_a_complaint_is_a_leave(desk: Desk) -> None:
    """Whoever presses “spam” is off the list at once and hears no more of us."""
    raw = b"""From: feedback@example.net
Content-Type: multipart/report; report-type=feedback-report; boundary=B

--B
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1

--B--
"""
    path = return_path(desk)
    before = len(desk.to(GWEN))
    (row,) = desk.receive(raw, path, path="feedback@example.net")

    assert row.state == "bounce"
    assert desk.member(GWEN).state == "left"
    assert len(desk.to(GWEN)) == before


def test_an_automatic_answer_is_ignored(desk: Desk) -> None:
    """Out-of-office notes that come to a return-path are no reports."""
    path = return_path(desk)
    row = desk.write(GWEN, path, path="", subject="Automatic reply: Ladder", text="I am away.", Auto_Submitted="auto-replied")

    assert row.state == "ignored"
    assert noted(desk) is None


def test_returned_mail_leads_to_a_pause_two_tries_and_the_end(desk: Desk) -> None:
    """E29 at the limit, again after 7 and 14 days, E30 six weeks after; each from an own return-path, in plain words."""
    pause(desk)
    assert desk.member(GWEN).state == "suspended"
    first = desk.newest(GWEN)
    assert str(first.mail["Subject"]) == "We have paused your email from Hartley Vale Tool Share"
    assert "came back 4 times in 4 days" in first.text
    assert "If we hear nothing by Thursday 16 April 2026" in first.text
    assert first.mail["Reply-To"].addresses[0].addr_spec == "toolshare-request@lists.example.org"

    began = desk.clock.moment - timedelta(days=1)
    tries = []
    for day in range(50):
        desk.clock.moment = began + timedelta(days=day)
        sweep.sweep(desk.site)
        tries += [(day, str(each.mail["Subject"])) for each in desk.deliver() if each.recipient == GWEN]
    assert tries == [
        (7, "We have paused your email from Hartley Vale Tool Share"),
        (14, "We have paused your email from Hartley Vale Tool Share"),
        (42, "We have taken gwen@example.net off Hartley Vale Tool Share"),
    ]
    assert desk.member(GWEN).state == "left"
    assert noted(desk) is None

    for each in desk.left:
        if each.recipient == GWEN and "Tool Share" in str(each.mail["Subject"]):
            taken_off = "taken" in str(each.mail["Subject"])
            assert each.reverse_path.startswith("toolshare-bounces+")
            assert each.mail["Auto-Submitted"] == "auto-generated"
            assert each.mail["X-Auto-Response-Suppress"] == "All"
            assert (each.mail["List-Unsubscribe"] is None) is taken_off
            assert "toolshare-request@" in str(each.mail["From"])
            assert not [word for word in _FORBIDDEN if word in (each.text + str(each.mail["Subject"])).lower()]


def test_nothing_goes_to_the_suspended_but_what_they_missed_comes_after(desk: Desk) -> None:
    """Posts stop at the pause; when mail arrives again (by hand here), they go on."""
    pause(desk)
    desk.deliver()
    desk.write("tom@example.net", subject="During")
    assert "During" not in desk.subjects(GWEN)

    assert returned.clear(desk.site, desk.alist, GWEN) is True
    desk.write("tom@example.net", subject="After")
    assert desk.subjects(GWEN)[-1] == "After"
    assert noted(desk) is None


def test_a_try_that_comes_back_changes_nothing(desk: Desk) -> None:
    """While paused, what comes back is noted; the end comes when it was promised."""
    pause(desk)
    desk.wait(days=6)
    sweep.sweep(desk.site)
    row = come_back(desk, desk.newest(GWEN).reverse_path)

    assert row.state == "bounce"
    assert desk.member(GWEN).state == "suspended"
    assert len([s for s in desk.subjects(GWEN) if "paused" in s]) == 2


def test_a_quiet_week_asks_and_another_forgets(desk: Desk) -> None:
    """E28 carries the probe; when it does not come back, what was is forgotten."""
    come_back(desk, return_path(desk), status="5.2.2", said="552 5.2.2 mailbox full")
    desk.wait(days=1)
    come_back(desk, return_path(desk), status="5.2.2", said="552 5.2.2 mailbox full")
    desk.wait(days=6)
    sweep.sweep(desk.site)
    assert "Are our emails reaching you? (Tool Share)" not in desk.subjects(GWEN)

    desk.wait(days=1)
    sweep.sweep(desk.site)
    asked = desk.newest(GWEN)
    assert str(asked.mail["Subject"]) == "Are our emails reaching you? (Tool Share)"
    assert "2 of our last emails to gwen@example.net came back to us. The last time, your mailbox was full." in asked.text
    assert "stop sending on Tuesday 24 March 2026" in asked.text
    assert asked.mail["List-Unsubscribe"] is not None
    assert asked.mail["Auto-Submitted"] == "auto-generated"
    assert not [word for word in _FORBIDDEN if word in (asked.text + str(asked.mail["Subject"])).lower()]

    desk.wait(days=7)
    sweep.sweep(desk.site)
    assert noted(desk) is None
    assert desk.newest(GWEN) == asked


def test_a_probe_that_comes_back_counts(desk: Desk) -> None:
    """Its return-path is the member's own."""
    come_back(desk, return_path(desk))
    desk.wait(days=7)
    sweep.sweep(desk.site)
    come_back(desk, desk.newest(GWEN).reverse_path)

    found = noted(desk)
    assert found is not None
    assert (found["score"], found["returned"]) == (2.0, 2)


def test_a_success_forgets(desk: Desk) -> None:
    """A report that a mail was delivered undoes what came back before, and a pause."""
    pause(desk)
    come_back(desk, desk.newest(GWEN).reverse_path, action="delivered", status="2.0.0", said="250 ok")

    assert noted(desk) is None
    assert desk.member(GWEN).state == "active"


def test_a_refusal_by_the_relay_counts_in_the_same_way(desk: Desk) -> None:
    """5xx at once is as if it had come back; a mail that the relay takes later undoes it."""
    for day in range(3):
        desk.write("tom@example.net", subject=f"Day {day}")
        fail(desk, "550 5.1.1 no such user")
        desk.wait(days=1)
    found = noted(desk)
    assert found is not None
    assert found["score"] == 3.0

    desk.write("tom@example.net", subject="Taken")
    desk.deliver()
    desk.wait(days=1)
    desk.write("tom@example.net", subject="Refused")
    fail(desk, "550 5.1.1 no such user")
    found = noted(desk)
    assert found is not None
    assert found["score"] == 1.0


def test_a_relay_that_refuses_us_is_no_members_fault(desk: Desk) -> None:
    """“Relaying denied” for a week: nobody is scored, the owner hears of it."""
    for _day in range(7):
        desk.write("tom@example.net", subject="Ladder")
        fail(desk, "554 5.7.1 Relay access denied")
        desk.wait(days=1)

    assert noted(desk) is None
    assert desk.member(GWEN).state == "active"


def test_after_five_days_the_owner_is_told_by_name(desk: Desk) -> None:
    """What could not be delivered in five days is named with the last answer (P3); a silent relay is no member's fault."""
    desk.write("tom@example.net", subject="Ladder")
    fail(desk, "connection refused")
    sweep.sweep(desk.site)

    told = desk.newest("ruth@example.net")
    assert str(told.mail["Subject"]) == "Could not be reached for five days: gwen@example.net (Tool Share)"
    assert "connection refused" in told.text
    assert told.mail["List-Unsubscribe"] is None
    assert told.reverse_path.startswith("toolshare-bounces+")
    assert noted(desk) is None


def test_the_owner_of_a_list_is_never_taken_off_it(desk: Desk) -> None:
    """Paused as anybody, but the list keeps its owner."""
    desk.join("owner@example.com", role="owner", delivery="each")
    for _day in range(4):
        come_back(desk, return_path(desk, "owner@example.com"))
        desk.wait(days=1)
    for _week in range(10):
        sweep.sweep(desk.site)
        desk.wait(days=7)

    assert desk.member("owner@example.com").state == "suspended"


def test_what_the_owners_weekly_notice_needs_is_kept(desk: Desk) -> None:
    """Address, name, reason, how often, and since when it is paused."""
    pause(desk)

    with desk.read() as connection:
        (row,) = bounces.of_list(connection, desk.alist.id)
    assert (row.address, row.name, row.reason, row.returned) == (GWEN, "Gwen", "unknown", 4)
    assert row.paused_at is not None

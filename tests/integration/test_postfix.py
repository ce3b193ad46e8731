"""Beside a real Postfix: in front of the service, behind it, and a bounce on its way back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.store import incoming, outbox
from listserver.store.engine import Database
from listserver.store.tables import Report, table_of
from tests.acceptance.community import LIST
from tests.acceptance.process import ServiceProcess, free_port
from tests.integration.postfixkit import NextHop, Postfix, needs_postfix, swaks, wait_for
from tests.integration.relaykit import Moment, Taken

T = TypeVar("T")
pytestmark = [needs_postfix, pytest.mark.timeout(240)]


@dataclass
class Installation:
    """The service between two doors of one Postfix, and the world behind that."""

    service: ServiceProcess
    postfix: Postfix
    world: NextHop
    lmtp: int
    database: Database

    def read(self, work: Callable[[Connection], T]) -> T:
        """Ask the database beside the running service."""
        with self.database.read() as connection:
            return work(connection)

    def states(self) -> dict[str, int]:
        """How many accepted mails are in each state."""
        return self.read(incoming.states)

    def queue(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        return self.read(outbox.counts)

    def reports(self) -> list[sa.Row[tuple[object, ...]]]:
        """What came back."""
        return self.read(lambda connection: list(connection.execute(sa.select(table_of(Report)))))


def _world(moment: Moment) -> bytes | None:
    """gone@ does not exist; grey@ is told to come back, once."""
    if moment.stage == "RCPT":
        if "gone@" in moment.line:
            return b"550 5.1.1 <gone@example.com>: no such user\r\n"
        if "grey@" in moment.line and moment.line not in _greyed:
            _greyed.add(moment.line)
            return b"450 4.2.0 greylisted, please come back\r\n"
    return None


_greyed: set[str] = set()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A list with three members, started once for all tests of this file."""
    _greyed.clear()
    world = NextHop(_world)
    lmtp = free_port()
    postfix = Postfix(lmtp, world.port)
    folder = tmp_path_factory.mktemp("service")
    service = ServiceProcess(folder, LMTP_LISTEN=f"127.0.0.1:{lmtp}", RELAY=f"smtp://127.0.0.1:{postfix.relay}")
    try:
        service.run("list", "create", LIST, "--set", "post=anyone", "--set", "bcc_posts=post")
        service.run("member", "add", LIST, "anna@example.com", "gone@example.com", "grey@example.com")
        service.start(parts="smtp,lmtp,deliver")
        postfix.start()
        database = Database(service.settings().database_address, checkpoints=False)
        yield Installation(service, postfix, world, lmtp, database)
        database.close()
    finally:
        postfix.stop()
        service.stop()
        world.close()


def test_unknown_addresses_die_in_the_dialogue_of_postfix(installation: Installation) -> None:
    """Postfix asks us by LMTP which addresses exist: a known one is welcome, an unknown one is refused at RCPT and bounces nobody."""
    code, dialogue = swaks(installation.postfix.front, "w@example.net", "nobody@lists.example.org", quit_after="RCPT")

    assert code != 0
    assert "<nobody@lists.example.org>: Recipient address rejected" in dialogue
    assert "<** 550 5.1.1 " in dialogue
    for known in (LIST, LIST.replace("@", "-join@"), LIST.replace("@", "-owner@")):
        code, dialogue = swaks(installation.postfix.front, "w@example.net", known, quit_after="RCPT")
        assert code == 0, dialogue


def test_it_is_no_open_relay(installation: Installation) -> None:
    """Mail for other domains is not taken by our own doors, whoever asks."""
    code, dialogue = swaks(installation.service.port, "w@example.net", "victim@example.com", quit_after="RCPT")

    assert code != 0
    assert "550 5.1.1" in dialogue


def test_a_post_goes_round_and_a_bounce_comes_back_to_its_member(installation: Installation) -> None:
    """Post by swaks through Postfix, LMTP, our outbox, Postfix again: delivered, greylisted then delivered, refused and bounced to VERP."""
    subject = "Once round and back"  # other tests of this file write to the same list, in any order

    def copies() -> list[Taken]:
        return [copy for copy in list(installation.world.relay.taken) if f"\r\nSubject: {subject}\r\n".encode() in copy.content]

    def reports() -> list[Report]:
        return [report for report in installation.reports() if report.recipient == "gone@example.com"]

    known = len(reports())
    code, dialogue = swaks(installation.postfix.front, "writer@example.net", LIST, h_Subject=subject, body="Who has it?")
    assert code == 0, dialogue

    wait_for(lambda: len(copies()) >= 2, "both copies", installation.postfix.log)
    wait_for(lambda: len(reports()) > known, "the report", installation.postfix.log)
    assert sorted(copy.recipients[0] for copy in copies()) == ["anna@example.com", "grey@example.com"]
    assert len({copy.reverse_path for copy in copies()}) == 2
    assert {(report.status, report.weight, report.member_id) for report in reports()} == {("5.1.1", "hard", 2)}
    assert installation.states()["bounce"] >= len(reports()) - known
    assert installation.queue()["sent"] >= 3


def test_refusals_and_greylisting_of_the_relay_itself(installation: Installation) -> None:
    """What Postfix refuses for good fails, what it refuses for now is sent again when it agrees, and the others are not touched."""
    name = "other@lists.example.org"
    installation.service.run("list", "create", name, "--set", "post=anyone", "--set", "bcc_posts=post")
    installation.service.run("member", "add", name, "yes@example.com", "later@example.com", "never@example.com")
    installation.postfix.refusals.update(
        {"later@example.com": "450 4.7.1 greylisted", "never@example.com": "550 5.7.1 not from you"}
    )
    before = installation.queue()

    code, dialogue = swaks(installation.postfix.front, "writer@example.net", name, body="Hello")
    assert code == 0, dialogue
    wait_for(lambda: installation.queue()["failed"] == before["failed"] + 1, "the refusal", lambda: str(installation.queue()))
    wait_for(lambda: installation.queue()["retry"] == before["retry"] + 1, "the deferral", lambda: str(installation.queue()))
    assert installation.queue()["sent"] == before["sent"] + 1

    del installation.postfix.refusals["later@example.com"]
    assert installation.queue()["ambiguous"] == 0
    waiting = installation.read(lambda connection: [row.id for row in outbox.waiting(connection)])
    installation.service.run("queue", "retry", *map(str, waiting))
    wait_for(lambda: installation.queue()["sent"] == before["sent"] + 2, "the second try", lambda: str(installation.queue()))
    wait_for(lambda: {"yes@example.com", "later@example.com"} <= set(installation.world.relay.pairs), "both copies")
    assert "never@example.com" not in installation.world.relay.pairs


def test_smtp_source_through_lmtp_and_smtp(installation: Installation) -> None:
    """Wietse's load generator, ten sessions at once, by SMTP and by LMTP: every mail that was taken is accounted for."""
    name = "silent@lists.example.org"
    installation.service.run("list", "create", name, "--set", "post=anyone", "--set", "bcc_posts=post")
    before = sum(installation.states().values())
    for port, more in ((installation.service.port, []), (installation.lmtp, ["-L"]), (installation.postfix.front, [])):
        source = [
            "smtp-source",
            *more,
            "-s",
            "10",
            "-m",
            "60",
            "-f",
            "w@example.net",
            "-t",
            name,
            "-l",
            "2000",
            f"inet:127.0.0.1:{port}",
        ]
        done = subprocess.run(source, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    wait_for(lambda: sum(installation.states().values()) == before + 180, "all mails", lambda: str(installation.states()))
    wait_for(lambda: installation.states()["in_flight"] == 0, "all to be worked", lambda: str(installation.states()))
    assert json.loads(installation.service.run("database", "check", "--json"))["ok"]


def test_postfix_keeps_what_we_cannot_take(installation: Installation) -> None:
    """While the service is away, Postfix holds the mail for the list; when it is back, the mail arrives and nobody got a bounce."""
    before = installation.states()["posted"]
    swaks(installation.postfix.front, "writer@example.net", LIST, quit_after="RCPT")  # the address is known to be good
    installation.service.stop()
    code, dialogue = swaks(installation.postfix.front, "writer@example.net", LIST, body="While you were out")
    assert code == 0, dialogue
    time.sleep(0.2)
    installation.service.start(parts="smtp,lmtp,deliver")

    wait_for(lambda: installation.states()["posted"] == before + 1, "the post", installation.postfix.log)

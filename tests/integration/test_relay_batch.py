"""Equal copies that share a transaction: each recipient has an end of its own all the same."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest

from listserver.flows.ports import Copy
from listserver.mail.reply import OutcomeKind
from tests.acceptance.community import LIST
from tests.acceptance.process import ServiceProcess
from tests.integration.postfixkit import NextHop, wait_for
from tests.integration.relaykit import WAYS, FakeRelay, Moment, Reaction, make_copies, send_all, transport_to

WAY = pytest.mark.parametrize("way", WAYS)


def _equal(count: int) -> list[Copy]:
    """Copies that differ in nothing but the recipient."""
    return [
        Copy(copy.key, "list-bounces@lists.example.org", copy.recipient, b"X-One: 1\r\n", copy.body)
        for copy in make_copies(count)
    ]


@WAY
async def test_equal_copies_share_transactions_and_others_do_not(way: str) -> None:
    """A hundred equal copies in batches of thirty make four transactions; copies with heads of their own make one each."""
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay, batch=30) as transport:
        together = await send_all(transport, _equal(100))
        shared = list(relay.taken)
        alone = await send_all(transport, make_copies(5, prefix="own"))

    assert len(together.of(OutcomeKind.delivered)) == 100
    assert len(alone.of(OutcomeKind.delivered)) == 5
    assert sorted(len(taken.recipients) for taken in shared) == [10, 30, 30, 30]
    assert sorted(relay.pairs) == sorted([*together, *alone])
    assert all(len(taken.recipients) == 1 for taken in relay.taken[4:])


@WAY
@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize("refused", [{0}, {9}, {3, 4, 29}, set(range(10))], ids=["first", "last", "some", "a-whole-batch"])
@pytest.mark.parametrize("forgiving", [False, True], ids=["503-to-DATA", "354-to-DATA"])
async def test_a_refused_recipient_does_not_harm_the_batch(way: str, code: int, refused: set[int], forgiving: bool) -> None:
    """Whoever is refused at RCPT has that end; the rest of the batch is delivered once."""
    names = {f"m{n}@example.com" for n in refused}

    def script(moment: Moment) -> bytes | None:
        if moment.stage == "RCPT" and moment.line[9:].partition(">")[0] in names:
            return f"{code} {code // 100}.1.1 not this one\r\n".encode()
        return None

    relay = FakeRelay(script, WAYS[way], answers_group_with_354=forgiving)
    async with relay.running(), transport_to(relay, batch=10) as transport:
        outcomes = await send_all(transport, _equal(40))

    assert outcomes.of(OutcomeKind.deferred if code == 450 else OutcomeKind.failed) == names
    assert outcomes.of(OutcomeKind.delivered) == set(outcomes) - names
    assert sorted(relay.pairs) == sorted(outcomes.of(OutcomeKind.delivered))


@WAY
@pytest.mark.parametrize(
    ("stage", "reaction", "kind"),
    [
        ("MAIL", Reaction(b"451 4.3.0 later\r\n"), OutcomeKind.deferred),
        ("dot", Reaction(b"554 5.7.1 spam\r\n"), OutcomeKind.failed),
        ("dot", Reaction(b"", "reset", keep=True), OutcomeKind.ambiguous),
    ],
)
async def test_a_refused_transaction_ends_all_its_recipients_but_those_that_had_an_end(
    way: str, stage: str, reaction: Reaction, kind: OutcomeKind
) -> None:
    """What happens to the transaction happens to everybody in it, except to who was refused by name before."""

    def script(moment: Moment) -> Reaction | bytes | None:
        if moment.stage == "RCPT" and "<m1@" in moment.line:
            return b"550 5.1.1 no such user\r\n"
        return reaction if moment.stage == stage and moment.number == 1 else None

    relay = FakeRelay(script, WAYS[way])
    async with relay.running(), transport_to(relay, batch=5) as transport:
        outcomes = await send_all(transport, _equal(5))

    told_by_name = set() if stage == "MAIL" else {"m1@example.com"}
    assert outcomes.of(kind) - {"m1@example.com"} == {f"m{n}@example.com" for n in (0, 2, 3, 4)}
    assert told_by_name <= outcomes.of(OutcomeKind.failed)


async def test_lmtp_answers_for_each_recipient_of_a_batch() -> None:
    """Behind the final dot LMTP has one reply for each accepted recipient, in order (RFC 2033 §4.2)."""

    def script(moment: Moment) -> bytes | None:
        if moment.stage == "RCPT" and "<m1@" in moment.line:
            return b"550 5.1.1 no such user\r\n"
        if moment.stage == "dot" and len(moment.recipients) == 4:
            return b"250 2.0.0 ok\r\n452 4.2.2 full\r\n552 5.2.2 full for ever\r\n250 2.0.0 ok\r\n"
        return None

    relay = FakeRelay(script, lmtp=True)
    async with relay.running(), transport_to(relay, batch=5) as transport:
        outcomes = await send_all(transport, _equal(5))

    assert outcomes.of(OutcomeKind.delivered) == {"m0@example.com", "m4@example.com"}
    assert outcomes.of(OutcomeKind.deferred) == {"m2@example.com"}
    assert outcomes.of(OutcomeKind.failed) == {"m1@example.com", "m3@example.com"}


def test_the_setting_makes_posts_leave_in_batches(tmp_path: Path) -> None:
    """With RELAY_BATCH a post leaves as one copy for many, from the list's own return-path; every member is recorded as sent."""
    world = NextHop()
    service = ServiceProcess(tmp_path, RELAY=f"smtp://127.0.0.1:{world.port}", RELAY_BATCH="50")
    try:
        service.make_list(120)
        service.start()
        with smtplib.SMTP("127.0.0.1", service.port) as connection:
            connection.sendmail("w@example.net", LIST, f"From: w@example.net\r\nTo: {LIST}\r\nSubject: x\r\n\r\nHello\r\n")
        wait_for(lambda: len(world.relay.pairs) == 120, "the copies")
        wait_for(lambda: json.loads(service.run("queue", "ls", "--json"))["sent"] == 120, "the records")
    finally:
        service.stop()
        world.close()

    local, host = LIST.split("@")
    assert sorted(len(taken.recipients) for taken in world.relay.taken) == [20, 50, 50]
    assert {taken.reverse_path for taken in world.relay.taken} == {f"{local}-bounces@{host}"}
    assert f"<mailto:{local}-leave@{host}?subject=leave>".encode() in world.relay.taken[0].content

"""The pool of connections: kept and probed, shared fairly, bounded, cancelled and closed without losing count."""

from __future__ import annotations

import asyncio
import time

import pytest

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.transport.wire import Deadlines
from tests.integration.relaykit import (
    CHUNKING,
    PIPELINING,
    WAYS,
    FakeRelay,
    Moment,
    Outcomes,
    Reaction,
    make_copies,
    send_all,
    transport_to,
)

WAY = pytest.mark.parametrize("way", WAYS)


@WAY
async def test_a_connection_is_kept_for_the_next_mail(way: str) -> None:
    """Mails that come one after the other go over one connection, which is asked by RSET first whether it is alive."""
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay, connections=4) as transport:
        for number in range(3):
            await send_all(transport, make_copies(1, prefix=f"n{number}-"))
            await _idle(transport)

    assert relay.connections == 1
    probes = [line for line in relay.heard if line == "RSET"]
    assert len(probes) >= 2
    assert relay.pairs == ["n0-0@example.com", "n1-0@example.com", "n2-0@example.com"]


async def _idle(transport: object) -> None:
    """Until a connection waits for work."""
    async with asyncio.timeout(5):
        while not transport._idle:  # type: ignore[attr-defined]
            await asyncio.sleep(0)


@WAY
@pytest.mark.parametrize(
    "probe", [Reaction(b"421 4.4.2 idle\r\n", "close"), Reaction(b"", "reset"), Reaction(b"", "stall"), Reaction(b"500 what\r\n")]
)
async def test_a_connection_that_fell_asleep_costs_no_mail(way: str, probe: Reaction) -> None:
    """When the kept connection turns out dead, the mail goes over a new one; nothing is ambiguous."""

    def script(moment: Moment) -> Reaction | None:
        return probe if moment.stage == "RSET" and moment.connection == 1 and "MAIL" not in relay.heard[-1] and idle else None

    idle = False
    relay = FakeRelay(script, WAYS[way])
    deadlines = Deadlines(connect=2, command=2, content=2, final=2, probe=0.2)
    async with relay.running(), transport_to(relay, deadlines=deadlines) as transport:
        await send_all(transport, make_copies(1, prefix="a"))
        await _idle(transport)
        idle = True
        outcomes = await send_all(transport, make_copies(1, prefix="b"))

    assert outcomes["b0@example.com"].kind is OutcomeKind.delivered
    assert relay.connections == 2
    assert relay.pairs == ["a0@example.com", "b0@example.com"]


async def test_an_idle_connection_takes_leave_after_its_time() -> None:
    """A connection that nobody needs says QUIT and goes."""
    relay = FakeRelay()
    async with relay.running(), transport_to(relay, idle_seconds=0.05) as transport:
        await send_all(transport, make_copies(1))
        async with asyncio.timeout(5):
            while relay.open:
                await asyncio.sleep(0.005)

    assert relay.heard[-1] == "QUIT"


@WAY
async def test_never_more_connections_than_allowed_and_no_more_than_needed(way: str) -> None:
    """A large mail opens as many connections as the setting says, a small one one; each has its number of mails."""
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay, connections=3, most_per_connection=100) as transport:
        await send_all(transport, make_copies(5, prefix="small"))
        small = relay.most_open
        outcomes = await send_all(transport, make_copies(1000))

    assert small == 1
    assert relay.most_open == 3
    assert len(outcomes.of(OutcomeKind.delivered)) == 1000
    per_connection = [sum(taken.connection == n for taken in relay.taken) for n in range(1, relay.connections + 1)]
    assert max(per_connection) <= 100
    assert relay.connections >= 11


@WAY
async def test_a_small_mail_does_not_wait_for_a_large_one(way: str) -> None:
    """Senders take turns copy by copy: thirty copies leave while tens of thousands wait."""
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay, connections=2) as transport:
        large = Outcomes()
        sending = asyncio.create_task(transport.send(make_copies(5000, prefix="large"), large.report))
        async with asyncio.timeout(10):
            while len(relay.taken) < 50:
                await asyncio.sleep(0)
        before = len(relay.taken)
        await send_all(transport, make_copies(30, prefix="small"))
        between = len(relay.taken) - before
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    assert between < 400  # with two connections, windows and turns; all that waited would be thousands


async def test_many_senders_at_once_all_get_their_reports() -> None:
    """A hundred senders share the pool; each copy is reported once to its own sender."""
    relay = FakeRelay(offers=CHUNKING)
    async with relay.running(), transport_to(relay, connections=4) as transport:
        all_outcomes = await asyncio.gather(*[send_all(transport, make_copies(20, prefix=f"s{n}-")) for n in range(100)])

    assert all(len(each.of(OutcomeKind.delivered)) == 20 for each in all_outcomes)
    assert len(set(relay.pairs)) == len(relay.pairs) == 2000


@WAY
async def test_a_cancelled_sender_harms_nobody_else(way: str) -> None:
    """What a cancelled sender had waiting is not sent; the connection goes on with the others."""
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        given_up = Outcomes()
        task = asyncio.create_task(transport.send(make_copies(2000, prefix="gone"), given_up.report))
        async with asyncio.timeout(10):
            while len(relay.taken) < 10:
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        outcomes = await send_all(transport, make_copies(50, prefix="stays"))

    assert len(outcomes.of(OutcomeKind.delivered)) == 50
    assert sum(each.startswith("gone") for each in relay.pairs) < 2000
    assert sorted(each for each in relay.pairs if each.startswith("stays")) == sorted(outcomes)


@WAY
async def test_closing_while_sending_finishes_what_is_on_the_wire_and_defers_the_rest(way: str) -> None:
    """At the end of the service each copy is either delivered or deferred, and none is ambiguous; connections say QUIT."""
    relay = FakeRelay(offers=WAYS[way])
    outcomes = Outcomes()
    async with relay.running(), transport_to(relay, connections=2) as transport:
        task = asyncio.create_task(transport.send(make_copies(3000), outcomes.report))
        async with asyncio.timeout(10):
            while len(relay.taken) < 20:
                await asyncio.sleep(0)
        await transport.close()
        await task
        late = await send_all(transport, make_copies(2, prefix="late"))

    assert len(outcomes) == 3000
    assert outcomes.of(OutcomeKind.delivered) | outcomes.of(OutcomeKind.deferred) == set(outcomes)
    assert sorted(relay.pairs) == sorted(outcomes.of(OutcomeKind.delivered))
    assert relay.heard.count("QUIT") == 2
    assert len(late.of(OutcomeKind.deferred)) == 2


async def test_closing_does_not_wait_for_a_tarpit() -> None:
    """A relay that never answers holds up the end of the service for no longer than the probe's deadline."""
    relay = FakeRelay(lambda m: Reaction(b"", "stall") if m.stage == "dot" else None)
    outcomes = Outcomes()
    deadlines = Deadlines(probe=0.2)
    async with relay.running(), transport_to(relay, deadlines=deadlines) as transport:
        task = asyncio.create_task(transport.send(make_copies(3), outcomes.report))
        async with asyncio.timeout(10):
            while not any(line == "DATA" for line in relay.heard):
                await asyncio.sleep(0)
        started = time.monotonic()
        await transport.close()
        await task

    assert time.monotonic() - started < 3
    assert outcomes["m0@example.com"].kind in (OutcomeKind.ambiguous, OutcomeKind.deferred)
    assert len(outcomes.of(OutcomeKind.deferred)) >= 2


async def test_what_was_not_begun_in_time_is_deferred() -> None:
    """A slow relay does not outlive the lease of a claim: copies whose turn did not come in time are given back."""
    relay = FakeRelay(lambda m: Reaction(b"", "stall") if m.stage == "MAIL" else None)
    async with relay.running(), transport_to(relay, begin_within=0.2) as transport:
        task = asyncio.create_task(send_all(transport, make_copies(100)))
        await asyncio.sleep(0.3)
        relay.stop_stalling()
        outcomes = await task

    assert sum(outcome.detail.startswith("not begun in time") for outcome in outcomes.values()) >= 98
    assert len(outcomes.of(OutcomeKind.deferred)) == 100


async def test_what_a_report_raises_reaches_its_sender_and_no_other() -> None:
    """An error in recording one sender's outcome ends that sender's call; the others' copies still leave."""
    relay = FakeRelay(offers=PIPELINING)

    def broken(copy: Copy, outcome: Outcome) -> None:
        raise RuntimeError("the database is gone")

    async with relay.running(), transport_to(relay) as transport:
        failing = asyncio.create_task(transport.send(make_copies(10, prefix="bad"), broken))
        outcomes = await send_all(transport, make_copies(10, prefix="good"))
        with pytest.raises(RuntimeError, match="the database is gone"):
            await failing

    assert len(outcomes.of(OutcomeKind.delivered)) == 10


async def test_work_that_comes_while_a_connection_is_just_done_is_not_forgotten() -> None:
    """Mail that arrives in the very moment in which a connection runs out of work leaves at once."""
    relay = FakeRelay(offers=PIPELINING)
    async with relay.running(), transport_to(relay, connections=2) as transport:
        started = time.monotonic()
        for number in range(200):
            await send_all(transport, make_copies(1, prefix=f"n{number}-"))

    assert time.monotonic() - started < 10
    assert len(relay.pairs) == 200

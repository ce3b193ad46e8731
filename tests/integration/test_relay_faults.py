"""What the relay does wrong, and what becomes of the copies: only what failed is tried again, doubles only behind the final dot."""

from __future__ import annotations

import asyncio
import time

import pytest

from listserver.mail.reply import OutcomeKind
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

REFUSED = {f"m{n}@example.com" for n in (0, 3, 4, 9)}
WAY = pytest.mark.parametrize("way", WAYS)


def _is_refused(moment: Moment, stage: str) -> bool:
    """Whether this moment is the stage's, for one of the copies to be refused."""
    verb = {"BDAT": "BDAT", "dot": "dot"}.get(stage, stage)
    if moment.stage != verb:
        return False
    if stage == "MAIL":
        number = moment.line.partition("+m")[2].partition("@")[0]
        return f"m{number}@example.com" in REFUSED
    if stage == "RCPT":
        return moment.line[9:].partition(">")[0] in REFUSED
    return bool(REFUSED & set(moment.recipients))


@WAY
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "dot"])
@pytest.mark.parametrize("code", [450, 554])
@pytest.mark.parametrize("forgiving", [False, True], ids=["503-to-DATA", "354-to-DATA"])
async def test_a_refusal_ends_its_own_copy_only(way: str, stage: str, code: int, forgiving: bool) -> None:
    """Whoever is refused, at whatever stage, is deferred or failed with the relay's own words; all others get one copy each."""

    def script(moment: Moment) -> bytes | None:
        if moment.stage == "DATA" and way == "chunking":
            return None
        return f"{code} {code // 100}.7.1 not this one\r\n".encode() if _is_refused(moment, stage) else None

    relay = FakeRelay(script, WAYS[way], answers_group_with_354=forgiving)
    async with relay.running(), transport_to(relay, connections=2) as transport:
        outcomes = await send_all(transport, make_copies(12))

    refused = set() if way == "chunking" and stage == "DATA" else REFUSED
    assert outcomes.of(OutcomeKind.deferred if code < 500 else OutcomeKind.failed) == refused
    assert outcomes.of(OutcomeKind.delivered) == set(outcomes) - refused
    assert sorted(relay.pairs) == sorted(outcomes.of(OutcomeKind.delivered))
    assert all(str(outcomes[each].reply) == f"{code} {code // 100}.7.1 not this one" for each in refused)


@WAY
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
async def test_421_in_mid_session_loses_and_doubles_nothing(way: str, stage: str) -> None:
    """A relay that says 421 after some mails has not touched what comes behind: that goes over another connection, once."""
    if way == "chunking" and stage == "DATA":
        stage = "BDAT"  # behind the last octet of a BDAT stands its only reply, which is `dot`

    def script(moment: Moment) -> Reaction | None:
        again = moment.number == (1 if stage in ("greeting", "EHLO") else 5)
        return Reaction(b"421 4.3.2 restarting\r\n", then="close") if moment.stage == stage and again else None

    relay = FakeRelay(script, WAYS[way])
    async with relay.running(), transport_to(relay, connections=2) as transport:
        first = await send_all(transport, make_copies(30))
        waiting = [copy for copy in make_copies(30) if first[copy.recipient].kind is OutcomeKind.deferred]
        second = await send_all(transport, waiting)

    assert not first.of(OutcomeKind.ambiguous) | first.of(OutcomeKind.failed)
    assert set(second) == second.of(OutcomeKind.delivered)
    assert sorted(relay.pairs) == sorted(first)
    if stage not in ("greeting", "EHLO"):
        assert len(first.of(OutcomeKind.deferred)) <= 1
        assert relay.connections >= 2


RESETS = {  # stage → whether copies can be ambiguous then
    "connect": ("greeting", Reaction(b"", "reset")),
    "hello": ("EHLO", Reaction(b"", "reset")),
    "mail": ("MAIL", Reaction(b"", "reset")),
    "rcpt": ("RCPT", Reaction(b"", "reset")),
    "data": ("DATA", Reaction(b"", "reset")),
    "content": ("content", Reaction(b"", "reset")),
    "dot, dropped": ("dot", Reaction(b"", "reset")),
    "dot, taken": ("dot", Reaction(b"", "reset", keep=True)),
    "half a reply": ("dot", Reaction(b"250 2.0", "reset", keep=True)),
}


@WAY
@pytest.mark.parametrize("ending", ["reset", "close"])
@pytest.mark.parametrize("stage", RESETS)
async def test_a_reset_at_any_stage_loses_nothing_and_doubles_only_what_is_flagged(way: str, ending: str, stage: str) -> None:
    """After a lost connection each copy is sent again; more than one copy gets only who was reported as ambiguous."""
    where, reaction = RESETS[stage]
    if way == "chunking" and where == "DATA":
        where = "BDAT"
    breaks = Reaction(reaction.say, ending, keep=reaction.keep)

    def script(moment: Moment) -> Reaction | None:
        first = 1 if where in ("greeting", "EHLO") else 6
        return breaks if moment.stage == where and moment.number == first else None

    relay = FakeRelay(script, WAYS[way])
    async with relay.running(), transport_to(relay, connections=2) as transport:
        first = await send_all(transport, make_copies(40))
        after_first = list(relay.pairs)
        again = [copy for copy in make_copies(40) if first[copy.recipient].kind is not OutcomeKind.delivered]
        second = await send_all(transport, again)

    ambiguous = first.of(OutcomeKind.ambiguous)
    assert first.of(OutcomeKind.delivered) <= set(after_first)
    assert set(after_first) <= first.of(OutcomeKind.delivered) | ambiguous
    assert set(second) == second.of(OutcomeKind.delivered)
    assert set(relay.pairs) == set(first)
    doubled = {each for each in relay.pairs if relay.pairs.count(each) > 1}
    assert doubled <= ambiguous
    if way != "chunking" and not stage.startswith(("content", "dot", "half")):  # small contents leave at once
        assert not ambiguous
    if stage in ("dot, taken", "half a reply"):
        assert len(doubled) == 1
    if way != "chunking":
        assert len(ambiguous) <= 1


async def test_a_large_content_half_written_is_not_ambiguous() -> None:
    """When the relay leaves in the middle of a large content, its end never left us: the copy is deferred, not ambiguous."""
    body = b"Subject: x\r\n\r\n" + b"All the ladders of the valley, in order of length.\r\n" * 400_000

    def script(moment: Moment) -> Reaction | None:
        return Reaction(b"", "reset") if moment.stage == "content" and moment.number == 1 else None

    for way in WAYS.values():
        relay = FakeRelay(script, way)
        async with relay.running(), transport_to(relay) as transport:
            outcomes = await send_all(transport, make_copies(1, body=body))
        assert outcomes.of(OutcomeKind.deferred) == {"m0@example.com"}, way


@WAY
@pytest.mark.parametrize(
    "reply",
    [b"250-2.0.0 " + b"x" * 100_000 + b"\r\n", b"250-so\r\n" * 20_000, b"2" * 100_000, b"250 " + b"y" * 100_000 + b"\r\n"],
    ids=["one-long-line", "many-lines", "no-line-end", "ended"],
)
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "RCPT", "dot"])
async def test_a_reply_without_end_ends_the_connection(way: str, reply: bytes, stage: str) -> None:
    """A reply of 100 KB is not listened to: the connection is given up at once, the copies keep their honest state."""
    first = 1 if stage in ("greeting", "EHLO") else 3
    relay = FakeRelay(lambda m: Reaction(reply, "stall") if m.stage == stage and m.number >= first else None, WAYS[way])
    started = time.monotonic()
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(6))

    assert time.monotonic() - started < 4
    assert not outcomes.of(OutcomeKind.failed)
    assert outcomes.of(OutcomeKind.delivered) <= set(relay.pairs) <= set(outcomes) - outcomes.of(OutcomeKind.deferred)
    assert len(outcomes.of(OutcomeKind.delivered)) == (0 if first == 1 else 2)


GARBAGE = [
    b"\r\n",
    b"HTTP/1.1 400 Bad Request\r\n",
    b"-ERR what\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n",
    b"25 ok\r\n",
    b"250ok\r\n",
    b"600 ok\r\n",
    b"199 ok\r\n",
    b"\xff\xfe\xfd\r\n",
    "２５０ ok\r\n".encode(),
    b"250-a\r\nb\r\n",
]


@WAY
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "dot"])
@pytest.mark.parametrize("reply", GARBAGE, ids=repr)
async def test_garbage_is_never_taken_for_an_agreement(way: str, reply: bytes, stage: str) -> None:
    """What is no SMTP reply ends the connection: nobody counts as delivered or failed because of it."""
    relay = FakeRelay(lambda m: Reaction(reply, "stall") if m.stage == stage else None, WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(2))

    assert not outcomes.of(OutcomeKind.failed) | outcomes.of(OutcomeKind.delivered)
    assert set(relay.pairs) <= outcomes.of(OutcomeKind.ambiguous)


@WAY
async def test_a_reply_that_comes_too_early_is_not_the_answer_to_the_content(way: str) -> None:
    """A relay that says 250 before it has got a content is confused; that 250 takes responsibility for nothing."""
    early = {"chunking": "BDAT"}.get(way, "DATA")

    def script(moment: Moment) -> bytes | None:
        if moment.stage != ("content" if early == "BDAT" else "DATA") or moment.number != 2:
            return None
        return b"354 go on\r\n250 2.0.0 queued\r\n" if early == "DATA" else b""

    relay = FakeRelay(script, WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(4))

    assert outcomes.of(OutcomeKind.delivered) <= set(relay.pairs)
    assert not outcomes.of(OutcomeKind.failed)


@WAY
async def test_a_reply_that_nobody_asked_for_ends_an_idle_connection(way: str) -> None:
    """What an idle connection says unasked is a farewell: the next mail takes another connection and is delivered once."""

    def script(moment: Moment) -> bytes | None:
        return b"250 2.0.0 queued\r\n421 4.4.2 idle\r\n" if moment.stage == "dot" and moment.number == 1 else None

    relay = FakeRelay(script, WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        first = await send_all(transport, make_copies(1, prefix="a"))
        await asyncio.sleep(0)
        second = await send_all(transport, make_copies(1, prefix="b"))

    assert first["a0@example.com"].kind is OutcomeKind.delivered
    assert second["b0@example.com"].kind is OutcomeKind.delivered
    assert relay.pairs == ["a0@example.com", "b0@example.com"]


@WAY
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "dot"])
async def test_a_tarpit_is_left_after_the_deadline(way: str, stage: str) -> None:
    """A relay that does not answer costs its deadline and no more; behind the final dot the copy is ambiguous, before it is not."""
    quick = Deadlines(connect=0.3, command=0.3, content=0.3, final=0.3, probe=0.3)
    relay = FakeRelay(lambda m: Reaction(b"", "stall") if m.stage == stage else None, WAYS[way])
    started = time.monotonic()
    async with relay.running(), transport_to(relay, deadlines=quick) as transport:
        outcomes = await send_all(transport, make_copies(1))

    assert time.monotonic() - started < 5
    kinds = {outcome.kind for outcome in outcomes.values()}
    assert kinds == {OutcomeKind.ambiguous if stage == "dot" else OutcomeKind.deferred} or (
        way == "chunking" and kinds == {OutcomeKind.ambiguous}  # its content left together with its commands
    )


async def test_a_slow_connection_does_not_hold_up_the_others() -> None:
    """While one connection of the pool is stuck in a tarpit, the other senders' copies go over the others."""
    relay = FakeRelay(lambda m: Reaction(b"", "stall") if m.connection == 1 and m.stage == "RCPT" else None, PIPELINING)
    async with relay.running(), transport_to(relay, connections=4) as transport:
        stuck = Outcomes()
        slow = asyncio.create_task(transport.send(make_copies(100, prefix="slow"), stuck.report))
        others = [await send_all(transport, make_copies(50, prefix=f"other{n}-")) for n in range(10)]
        relay.stop_stalling()
        await slow

    delivered = [len(each.of(OutcomeKind.delivered)) for each in [stuck, *others]]
    assert sum(delivered) >= 599  # the one that met the tarpit
    assert sorted(relay.pairs) == sorted(set(relay.pairs))


async def test_a_relay_that_is_away_defers_everything_at_once() -> None:
    """Nobody listens: every copy is deferred without waiting, and nothing counts as failed."""
    relay = FakeRelay()
    async with relay.running():
        pass
    started = time.monotonic()
    async with transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(500))

    assert len(outcomes.of(OutcomeKind.deferred)) == 500
    assert time.monotonic() - started < 2
    assert "cannot connect to the relay" in outcomes["m0@example.com"].detail


@WAY
async def test_a_relay_that_refuses_every_connection_at_first_is_used_when_it_is_back(way: str) -> None:
    """554 in the greeting defers; the next attempt over a new connection delivers."""
    relay = FakeRelay(
        lambda m: Reaction(b"554 no service\r\n", "close") if m.stage == "greeting" and m.number <= 1 else None, WAYS[way]
    )
    async with relay.running(), transport_to(relay) as transport:
        first = await send_all(transport, make_copies(3))
        second = await send_all(transport, make_copies(3))

    assert len(first.of(OutcomeKind.deferred)) == 3
    assert len(second.of(OutcomeKind.delivered)) == 3


async def test_what_is_in_flight_is_bounded() -> None:
    """With CHUNKING not more copies than the window can be ambiguous when a connection is lost."""
    relay = FakeRelay(lambda m: Reaction(b"", "reset") if m.stage == "dot" and m.number == 20 else None, CHUNKING)
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(500))

    assert 1 <= len(outcomes.of(OutcomeKind.ambiguous)) <= 32
    assert len(outcomes.of(OutcomeKind.delivered)) + len(outcomes.of(OutcomeKind.deferred)) >= 468

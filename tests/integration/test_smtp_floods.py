"""Floods and trickles: every limit of the door, who is exempt, and that a normal client is served beside them."""

from __future__ import annotations

import asyncio

import pytest

from listserver.smtp.limits import DoorSettings, Limits, Turnstile, Visitor
from listserver.smtp.lines import LineReader
from tests.integration.doorkit import PATIENCE, House, open_house, until

OUTSIDE = Visitor(host="192.0.2.1", port=1, trusted=False, key="192.0.2.1")
OURS = Visitor(host="127.0.0.1", port=1, trusted=True, key="127.0.0.1")


async def is_served(house: House) -> bool:
    """Whether a normal client gets its message in."""
    client = await house.visit()
    await client.begin()
    client.send(b"x\r\n.\r\n")
    return (await client.reply()).startswith("250 2.0.0 ")


# -- counts ----------------------------------------------------------------------------------------------------


async def test_recipients_beyond_the_cap_are_put_off() -> None:
    """The 101st recipient gets 452, so that it comes with the next transaction; the others stay (RFC 5321 §4.5.3.1.10)."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c", "MAIL FROM:<>")
        for number in range(100):
            assert (await client.ask(f"RCPT TO:<r{number}@lists.example.org>")).startswith("250 ")
        for number in range(30):  # no error of the peer: it is not cut off for it
            assert (await client.ask(f"RCPT TO:<s{number}@lists.example.org>")).startswith("452 4.5.3 ")
        assert (await client.ask("DATA", ".")).startswith("250 ")
        assert len(house.gate.accepted[0][0].recipients) == 100


async def test_connections_of_one_peer_are_capped() -> None:
    """One address gets so many connections, then 421; a place that was left is free again."""
    async with open_house(limits=Limits(connections_per_peer=2)) as house:
        first, second, third = [await house.visit() for _ in range(3)]
        assert [(await each.reply())[:4] for each in (first, second)] == ["220 ", "220 "]
        assert (await third.close_seen()).startswith(b"421 4.7.0 ")
        assert (await first.ask("QUIT")).startswith("221 ")
        await first.close_seen()
        assert (await (await house.visit()).reply()).startswith("220 ")


async def test_connections_in_all_are_capped() -> None:
    """Trusted peers, too, get 421 when the house is full."""
    async with open_house(trusted=True, limits=Limits(connections=2)) as house:
        clients = [await house.visit() for _ in range(3)]
        assert (await clients[2].close_seen()).startswith(b"421 4.3.2 ")


def test_strangers_cannot_take_the_last_places() -> None:
    """A reserve is kept for trusted peers, which no cap per peer binds."""
    turnstile = Turnstile(DoorSettings(limits=Limits(connections=4, reserved_connections=2, connections_per_peer=10)))
    assert [turnstile.enter(OUTSIDE) is None for _ in range(3)] == [True, True, False]
    assert [turnstile.enter(OURS) is None for _ in range(3)] == [True, True, False]


def test_turnstile_forgets_who_has_left() -> None:
    """Its memory is as large as who is inside, not as who ever was."""
    turnstile = Turnstile(DoorSettings())
    for number in range(1000):
        visitor = Visitor(host=str(number), port=1, trusted=False, key=str(number))
        turnstile.enter(visitor)
        turnstile.leave(visitor)
    assert not turnstile._per_peer


async def test_commands_of_one_session_are_capped() -> None:
    """After so many commands a peer is asked to come again."""
    async with open_house(limits=Limits(commands=50)) as house:
        client = await house.visit()
        client.send(b"NOOP\r\n" * 1000)
        lines = (await client.close_seen()).splitlines()
        assert len(lines) == 52
        assert lines[-1].startswith(b"421 4.7.0 ")


async def test_errors_are_slowed_down_and_then_cut_off() -> None:
    """Ten errors are free, the next ones are answered late, at the twentieth the connection ends."""
    async with open_house(limits=Limits(delay_seconds=0.02)) as house:
        client = await house.visit()
        await client.reply()
        clock = asyncio.get_running_loop().time
        for _ in range(9):
            assert (await client.ask("NONSENSE")).startswith("500 5.5.1 ")
        middle = clock()
        for _ in range(10):
            assert (await client.ask("NONSENSE")).startswith("500 5.5.1 ")
        assert clock() - middle >= 10 * 0.02
        assert (await client.ask("NONSENSE")).startswith("500 5.5.1 ")
        assert (await client.close_seen()).startswith(b"421 4.7.0 ")


async def test_harvesting_of_addresses_is_cut_off() -> None:
    """Refused recipients count as errors, also when they are pipelined."""
    async with open_house(limits=Limits(delay_seconds=0.001)) as house:
        client = await house.visit()
        client.send(b"HELO c\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<nobody@lists.example.org>\r\n" * 500)
        lines = (await client.close_seen()).splitlines()
        assert lines[-1].startswith(b"421 4.7.0 ")
        assert len(house.gate.asked) == 20


async def test_trusted_peer_is_not_counted() -> None:
    """Our own MTA speaks for everybody: neither its errors nor its commands and connections are held against it."""
    limits = Limits(commands=10, errors_before_drop=2, errors_before_delay=1, delay_seconds=1000, connections_per_peer=1)
    async with open_house(trusted=True, limits=limits) as house:
        client, other = await house.visit(), await house.visit()
        await client.reply()
        await client.ask("EHLO mta", "MAIL FROM:<>")
        for _ in range(50):
            assert (await client.ask("RCPT TO:<nobody@lists.example.org>")).startswith("550 5.1.1 ")
        assert (await other.reply()).startswith("220 ")


# -- sizes -----------------------------------------------------------------------------------------------------


async def test_message_that_says_it_is_too_large_is_refused_at_mail() -> None:
    """SIZE over ours: 552 before a single octet of it is sent (RFC 1870 §6.1)."""
    async with open_house(max_message_bytes=1000) as house:
        client = await house.visit()
        await client.reply()
        assert (await client.ask("EHLO c", "MAIL FROM:<> SIZE=1001")).startswith("552 5.3.4 ")
        assert (await client.ask("MAIL FROM:<> SIZE=1000")).startswith("250 ")


@pytest.mark.parametrize("octets", [998, 999, 2000, 100_000], ids=str)
async def test_message_that_grows_too_large_is_refused_at_its_end(octets: int) -> None:
    """What was not declared is counted while it is read; the reply comes after the dot, and the session goes on."""
    async with open_house(max_message_bytes=1000) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"x" * octets + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 2.0.0 " if octets + 2 <= 1000 else "552 5.3.4 ")
        assert await client.ask("NOOP") == "250 2.0.0 OK"


async def test_message_without_end_is_cut_off() -> None:
    """A stream far beyond the limit is not read for ever."""
    async with open_house(max_message_bytes=1000) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"x" * 300_000)
        assert (await client.close_seen()).startswith(b"552 5.3.4 ")


async def test_long_lines_of_content_are_accepted() -> None:
    """A line of 900,000 octets is mail (aiosmtpd refuses 1,002)."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"x" * 900_000 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert house.gate.content() == b"x" * 900_000 + b"\r\n"


async def test_endless_line_of_content_is_refused() -> None:
    """Beyond that length nobody can read it."""
    async with open_house(max_message_bytes=3_000_000) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"x" * 1_000_001 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("554 5.6.0 ")


@pytest.mark.parametrize("octets", [2040, 2041, 10_000], ids=str)
async def test_command_lines_have_a_limit(octets: int) -> None:
    """2,048 octets with the line end; more is answered 500, once, and the next line is read as a command."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        client.send(b"NOOP " + b"x" * (octets + 1) + b"\r\n")
        assert (await client.reply()).startswith("250 " if octets + 8 <= 2048 else "500 5.5.2 ")
        assert await client.ask("NOOP") == "250 2.0.0 OK"


async def test_command_line_without_end_is_cut_off() -> None:
    """A stream without a line end is not read for ever."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        client.send(b"x" * 300_000)
        assert (await client.close_seen()).startswith(b"421 4.7.0 ")


async def test_content_in_memory_is_capped_over_all_sessions() -> None:
    """Large messages at the same time: what does not fit is put off with 452; small mail still passes."""
    async with open_house(limits=Limits(memory_octets=400_000)) as house:
        first, second = await house.visit(), await house.visit()
        await first.begin()
        await second.begin("slow@lists.example.org")
        second.send(b"y" * 300_000 + b"\r\n.\r\n")
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
        first.send(b"x" * 300_000 + b"\r\n.\r\n")
        assert (await first.reply()).startswith("452 4.3.1 ")
        assert (await first.ask("MAIL FROM:<> SIZE=200000")).startswith("452 4.3.1 ")
        assert await is_served(house)
        house.gate.release.set()
        assert (await second.reply()).startswith("250 ")
        assert (await first.ask("MAIL FROM:<> SIZE=200000")).startswith("250 ")


# -- time ------------------------------------------------------------------------------------------------------


async def test_silence_ends_with_421() -> None:
    """Who says nothing is told why the connection ends (RFC 5321 §3.8; aiosmtpd just closes)."""
    async with open_house(limits=Limits(idle_seconds=0.05)) as house:
        client = await house.visit()
        assert (await client.reply()).startswith("220 ")
        assert await client.close_seen() == b"421 4.4.2 Waited too long for you; closing the connection\r\n"


async def test_silence_within_content_ends_with_421() -> None:
    """Content that stops without its end is not waited for."""
    async with open_house(limits=Limits(idle_seconds=0.4)) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Subject: x\r\n")
        assert (await client.close_seen()).startswith(b"421 4.4.2 ")
        assert house.gate.accepted == []


@pytest.mark.parametrize(
    "hello", [b"", b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@lists.example.org>\r\nDATA\r\n"], ids=["command", "data"]
)
async def test_trickle_does_not_hold_a_place(hello: bytes) -> None:
    """An octet now and then does not put the time-out off: a command, and a piece of content, must get on."""
    async with open_house(limits=Limits(idle_seconds=0.2, octets_per_second=1000)) as house:
        client = await house.visit()
        client.send(hello)

        loop = asyncio.get_running_loop()

        def trickle() -> None:
            if not client.writer.is_closing():
                client.send(b"x")
                loop.call_later(0.01, trickle)

        trickle()
        rest = await client.close_seen()
        assert rest.splitlines()[-1].startswith(b"421 4.4.2 ")


async def test_gate_that_thinks_long_is_no_silence_of_the_peer() -> None:
    """The clock runs only while it is the peer who is waited for."""
    async with open_house(limits=Limits(idle_seconds=0.4)) as house:
        client = await house.visit()
        await client.begin("slow@lists.example.org")
        client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
        asyncio.get_running_loop().call_later(0.6, house.gate.release.set)
        assert (await client.reply()).startswith("250 2.0.0 ")
        assert (await client.close_seen()).startswith(b"421 4.4.2 ")


async def test_hundreds_of_idle_connections_do_not_disturb() -> None:
    """F16: beside 300 connections that say an octet now and then a normal client is served at once."""
    async with open_house(trusted=True) as house:
        crowd = [await house.visit() for _ in range(300)]
        for client in crowd:
            client.send(b"E")
        async with asyncio.timeout(2):
            assert await is_served(house)


async def test_peer_that_does_not_read_gets_no_more_replies() -> None:
    """While replies are not read no commands are, and they do not pile up; the time-out ends it."""
    async with open_house(trusted=True, limits=Limits(idle_seconds=0.3, linger_seconds=0.05)) as house:
        client = await house.visit()
        await client.reply()
        connection = house.connection
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"HELP\r\n" * 400_000)
        await until(lambda: connection.choked)
        for _ in range(100):
            await asyncio.sleep(0)
        assert connection.wire.get_write_buffer_size() < 1_000_000
        await until(lambda: connection.gone)
        client.writer.transport.abort()


async def test_peer_that_does_not_read_does_not_hold_up_the_end() -> None:
    """Closing the doors does not wait for replies that nobody reads."""
    async with open_house(trusted=True, limits=Limits(linger_seconds=1000)) as house:
        client = await house.visit()
        await client.reply()
        connection = house.connection
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"HELP\r\n" * 400_000)
        await until(lambda: connection.choked)
        await house.doors.stop(0)
        await until(lambda: connection.gone)
        client.writer.transport.abort()


async def test_peer_that_runs_ahead_is_held_back() -> None:
    """Commands sent while the gate is busy are not read into memory without end, and none of them is lost."""
    async with open_house(trusted=True) as house:
        client = await house.visit()
        await client.begin("slow@lists.example.org")
        connection = house.connection
        client.send(b"x\r\n.\r\n" + b"NOOP\r\n" * 100_000 + b"QUIT\r\n")
        await until(lambda: connection.held_back)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(connection.input.octets) < 450_000
        house.gate.release.set()
        assert (await client.close_seen()).count(b"250 2.0.0 OK\r\n") == 100_000


def test_largest_message_always_has_a_chance() -> None:
    """However large messages may be, the memory for content being read is larger."""
    settings = DoorSettings(max_message_bytes=1_000_000_000)
    assert Turnstile(settings).has_room_for(settings.max_message_bytes)


async def test_memory_of_a_lost_connection_is_given_back() -> None:
    """Content whose connection ended counts no more."""
    async with open_house(limits=Limits(memory_octets=400_000)) as house:
        lost, client = await house.visit(), await house.visit()
        await lost.begin()
        lost.send(b"x" * 300_000)
        lost.writer.write_eof()
        await lost.close_seen()
        await client.reply()
        assert (await client.ask("EHLO c", "MAIL FROM:<> SIZE=300000")).startswith("250 ")


def test_line_too_long_is_one_error_however_it_is_cut() -> None:
    """The tail of a line that was thrown away is no command."""
    reader = LineReader(10)
    reader.octets += b"x" * 50
    assert reader.take() is None
    assert not reader.octets
    reader.octets += b"NOOP\r\nQUIT\r\n"
    assert reader.take() == b""
    assert reader.take() == b"QUIT\r\n"

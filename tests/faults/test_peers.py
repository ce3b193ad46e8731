"""F10, F15, F16, F19, F22: peers that drop, trickle or send nonsense; a relay that is away; workers that race or freeze."""

from __future__ import annotations

import asyncio
import random
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from listserver import scheduler
from listserver.flows import membership, reach
from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.server import Service
from listserver.store import outbox
from listserver.store.outbox import Settled
from listserver.store.tables import DeliveryState
from listserver.transport.recording import RecordingTransport
from tests.acceptance.community import LIST, FixedClock, community, settings_for
from tests.faults.harness import Writers, compare, mail, new_service, settle

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.eml"))


# -- F15 ---------------------------------------------------------------------------------------------------------


def _send_and_drop(port: int, raw: bytes) -> None:
    """Everything up to the final dot, then the connection is cut without hearing the reply."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        stream = peer.makefile("rb")
        stream.readline()
        for command in (b"HELO x", b"MAIL FROM:<w@example.net>", b"RCPT TO:<" + LIST.encode() + b">", b"DATA"):
            peer.sendall(command + b"\r\n")
            stream.readline()
        peer.sendall(raw + b".\r\n")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # RST instead of FIN
        stream.close()


def drops_after_the_dot(folder: Path, rounds: int) -> None:
    """Each post is sent, the reply not heard, and sent again in whole."""
    service = new_service(folder, members=1)
    service.start()
    again = Writers(service.port, "unused", clients=0)
    for number in range(rounds):
        _send_and_drop(service.port, mail("drop", number))
        with smtplib.SMTP("127.0.0.1", service.port, timeout=20) as connection:
            connection.sendmail("w@example.net", [LIST], mail("drop", number))
        again.heard.append(f"<drop.{number}@example.net>")
    settle(service)
    service.stop()
    found = compare(service, again.heard)
    assert found.clean, found
    assert found.check["states"]["posted"] == rounds  # type: ignore[index]


def test_a_sender_that_drops_before_our_250_and_sends_again(tmp_path: Path) -> None:
    """Ten times: exactly one post each."""
    drops_after_the_dot(tmp_path, 10)


# -- F16 ---------------------------------------------------------------------------------------------------------


def trickle(folder: Path, connections: int, seconds: float) -> float:
    """So many peers that send an octet now and then; the longest that a normal client had to wait meanwhile."""
    service = new_service(folder, members=1)
    service.start()
    peers = [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _each in range(connections)]
    waits, end, sent = [], time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for peer in peers[sent % 10 :: 10]:  # each of them once in ten rounds
            peer.sendall(b"N")
        began = time.monotonic()
        with smtplib.SMTP("127.0.0.1", service.port, timeout=20) as connection:
            connection.sendmail("w@example.net", [LIST], mail("slow", sent))
        waits.append(time.monotonic() - began)
        sent += 1
        threading.Event().wait(max(0.0, 1.0 - waits[-1]))
    for peer in peers:
        peer.close()
    settle(service)
    service.stop()
    assert compare(service, [f"<slow.{n}@example.net>" for n in range(sent)]).clean
    return max(waits)


@pytest.mark.large
def test_slow_peers_do_not_keep_others_waiting(tmp_path: Path) -> None:
    """500 connections at an octet in ten seconds: a normal client is served within two."""
    assert trickle(tmp_path, 500, 20.0) < 2.0


# -- F22 ---------------------------------------------------------------------------------------------------------


def mutate(raw: bytes, chance: random.Random) -> bytes:
    """Octets changed, pieces cut, doubled, moved."""
    octets = bytearray(raw[:60_000])
    for _each in range(chance.randint(0, 6)):
        start = chance.randint(0, len(octets))
        end = min(len(octets), start + chance.randint(0, 120))
        match chance.randint(0, 3):
            case 0:
                del octets[start:end]
            case 1:
                octets[start:start] = octets[start:end] * chance.randint(1, 20)
            case 2:
                octets[start:start] = bytes(chance.choices(b'\x00\r\n\t :;=?"<>()@[]\xff\xe9\xc3-.', k=chance.randint(1, 30)))
            case _:
                if octets:
                    octets[start - 1] = chance.randint(0, 255)
    return bytes(octets)


async def feed(folder: Path, number: int, seed: int) -> dict[str, object]:
    """Post odd mails to a running service, many at a time; what `database check` says afterwards."""
    chance = random.Random(seed)
    async with community(folder, options={"post": "anyone", "bcc_posts": "post"}, parts=("smtp", "deliver")) as one:
        refused: Counter[int] = Counter()

        async def client() -> None:
            nonlocal number
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
            await reader.readline()
            while number > 0:
                number -= 1
                raw = mutate(chance.choice(CORPUS).read_bytes(), chance)
                lines = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in raw.split(b"\r\n"))
                address = chance.choice([LIST, LIST, LIST.replace("@", "-request@"), LIST.replace("@", "-leave@")])
                for command in (b"HELO x", b"MAIL FROM:<w@example.net>", f"RCPT TO:<{address}>".encode(), b"DATA"):
                    writer.write(command + b"\r\n")
                    answer = await asyncio.wait_for(reader.readline(), 20)
                writer.write(lines + b"\r\n.\r\n")
                answer = await asyncio.wait_for(reader.readline(), 20)
                refused[int(answer[:3])] += 1
            writer.close()

        await asyncio.gather(*[client() for _each in range(8)])
        await one.settled()
        document = one.check()
        assert set(refused) <= {250, 550, 554}, refused
        assert document["accepted"] >= refused[250] > 0
        return document


async def test_odd_mail_never_ends_the_listener(tmp_path: Path) -> None:
    """Hundreds of mutated odd mails: every one is answered, accounted for, and none is quarantined."""
    document = await feed(tmp_path, 300, 1)
    assert document["ok"], document
    assert document["states"]["quarantined"] == 0  # type: ignore[index]


@pytest.mark.large
@pytest.mark.timeout(900)
async def test_much_odd_mail_never_ends_the_listener(tmp_path: Path) -> None:
    """Twenty thousand."""
    document = await feed(tmp_path, 20_000, 2)
    assert document["ok"], document
    assert document["states"]["quarantined"] == 0  # type: ignore[index]


# -- F10 ---------------------------------------------------------------------------------------------------------


class AwayUntil(RecordingTransport):
    """A relay that nobody can reach for now."""

    def __init__(self) -> None:
        super().__init__()
        self.away = True

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        if not self.away:
            await super().send(copies, report)
            return
        for copy in copies:
            report(copy, Outcome(OutcomeKind.deferred, None, "cannot connect to the relay"))


async def away_for(folder: Path, hours: float, members: int) -> tuple[Counter[str], dict[str, int], list[str]]:
    """A relay that is away for so long, by a moved clock; who got the post, the states, and what the owner was told."""
    clock, relay = FixedClock(), AwayUntil()
    service = Service(settings_for(folder), ("smtp", "deliver"), clock=clock, transport=relay)
    await service.start()
    try:
        site = service.site
        membership.create_list(site, LIST, {"name": "Tool Share"}, ["ruth@example.net"])
        alist = site.directory.by_address(LIST)
        membership.add_members(site, alist, [(f"m{n}@example.com", "") for n in range(members)], {}, welcome=False)
        port = service.doors.addresses[0].port
        await asyncio.to_thread(_post, port)
        work = scheduler.Outbox(site, relay)
        for _hour in range(int(hours)):
            await work.run_until_empty(once=True)
            clock.moment += timedelta(hours=1)
        relay.away = False
        for _hour in range(24):
            await asyncio.to_thread(reach.look, site)
            await work.run_until_empty(once=True)
            clock.moment += timedelta(hours=1)
        with site.database.read() as connection:
            counts = outbox.counts(connection)
        told = [(c.head + c.body.raw).decode() for c in relay.sent if c.recipient == "ruth@example.net"]
        return Counter(c.recipient for c in relay.sent), counts, told
    finally:
        await service.stop()


def _post(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as connection:
        connection.sendmail("ruth@example.net", [LIST], mail("away", 1).replace(b"w1@example.net", b"ruth@example.net"))


async def test_a_relay_that_is_away_for_six_hours(tmp_path: Path) -> None:
    """Everything arrives once it is back, once."""
    got, counts, _told = await away_for(tmp_path, 6, 40)
    assert set(got.values()) == {1}
    assert len(got) == 41
    assert counts["sent"] == 41


async def test_a_relay_that_is_away_for_six_days(tmp_path: Path) -> None:
    """After five days of trying it is a recorded failure, nobody gets week-old mail, and the owner is told by name."""
    got, counts, told = await away_for(tmp_path, 24 * 6, 3)
    assert counts["failed"] == 4, counts
    assert "m1@example.com" not in got
    assert any("m1@example.com" in text for text in told), told


# -- F19 ---------------------------------------------------------------------------------------------------------


async def test_workers_that_race_send_each_copy_once(tmp_path: Path, where: dict[str, str]) -> None:
    """Four outboxes on one store: every member gets the post once."""
    async with community(tmp_path, parts=("smtp",), **where) as one:
        one.join(*[f"m{n}@example.com" for n in range(400)])
        await asyncio.to_thread(_post, one.port())
        while one.service.intake.waiting:
            await asyncio.sleep(0.01)
        relays = [RecordingTransport() for _each in range(4)]
        workers = [scheduler.Outbox(one.site, relay, batch=20) for relay in relays]
        await asyncio.gather(*[worker.run_until_empty() for worker in workers])
        got = Counter(copy.recipient for relay in relays for copy in relay.sent)
    assert len(got) == 401
    assert set(got.values()) == {1}
    assert sum(bool(relay.sent) for relay in relays) > 1


async def test_a_worker_that_was_frozen_fails_its_last_update(tmp_path: Path, where: dict[str, str]) -> None:
    """Frozen for ten leases between dot and reply: meanwhile another sends it, flagged, and the late outcome is not recorded."""
    lease = timedelta(minutes=10)
    async with community(tmp_path, parts=("smtp",), **where) as one:
        await asyncio.to_thread(_post, one.port())
        while one.service.intake.waiting:
            await asyncio.sleep(0.01)
        database, start = one.site.database, one.site.now() + timedelta(minutes=1)
        (frozen,) = database.write(lambda c: outbox.claim(c, start, 10, lease))
        early = database.write(lambda c: outbox.recover(c, start + lease / 2))
        later = start + 10 * lease
        recovered = database.write(lambda c: outbox.recover(c, later))
        (other,) = database.write(lambda c: outbox.claim(c, later, 10, lease))
        late = database.write(lambda c: outbox.settle(c, [Settled(frozen, DeliveryState.failed, "550 too late")]))
        done = database.write(lambda c: outbox.settle(c, [Settled(other, DeliveryState.sent, "250 ok")]))
        with database.read() as connection:
            (row,) = outbox.deliveries(connection, frozen.outgoing_id)
    assert (early, recovered, late, done) == (0, 1, 0, 1)
    assert (row.state, row.reply, row.attempts) == ("sent", "250 ok", 2)

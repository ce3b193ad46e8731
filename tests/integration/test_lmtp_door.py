"""The LMTP door: one reply for each accepted recipient, in every branch after the final dot (RFC 2033 §4.2)."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from listserver.smtp.limits import Limits
from tests.integration.doorkit import PATIENCE, open_house

LHLO = "LHLO mta.example"
THREE = ("one@lists.example.org", "two@lists.example.org", "one@lists.example.org")


async def replies_after(content: bytes, *recipients: str, **settings: object) -> list[str]:
    """Send one message and return the codes of the replies to its dot."""
    async with open_house(**settings) as house:
        client = await house.visit("lmtp")
        await client.begin(*recipients, hello=LHLO)
        client.send(content + b"\r\n.\r\n")
        codes = [(await client.reply())[:9] for _ in recipients]
        assert await client.ask("NOOP") == "250 2.0.0 OK"
        return codes


async def test_each_recipient_has_its_own_reply() -> None:
    """What happens to one recipient says nothing of the others."""
    recipients = ("one@lists.example.org", "full@lists.example.org", "crash@lists.example.org", "refused@lists.example.org")
    assert await replies_after(b"x", *recipients) == ["250 2.0.0", "452 4.3.1", "451 4.3.0", "550 5.7.1"]


async def test_duplicate_recipients_have_a_reply_each() -> None:
    """A recipient given twice is answered twice."""
    assert await replies_after(b"x", *THREE) == ["250 2.0.0"] * 3
    assert await replies_after(b"x", THREE[0], THREE[0]) == ["250 2.0.0"] * 2


async def test_message_too_large_has_a_reply_for_each() -> None:
    """Over-size found while reading is answered for every accepted recipient."""
    assert await replies_after(b"x" * 2000, *THREE, max_message_bytes=1000) == ["552 5.3.4"] * 3


async def test_content_refused_has_a_reply_for_each() -> None:
    """A refusal of the content itself is answered for every accepted recipient."""
    assert await replies_after(b"\0", *THREE) == ["554 5.6.0"] * 3


async def test_no_memory_has_a_reply_for_each() -> None:
    """Lack of room while reading is answered for every accepted recipient, and is temporary."""
    limits = Limits(memory_octets=300_000)
    assert await replies_after(b"x" * 500_000, *THREE, limits=limits) == ["452 4.3.1"] * 3


async def test_failure_of_the_gate_has_a_reply_for_each() -> None:
    """An exception, even a cancellation inside the gate, is 451 for whom it concerns."""
    assert await replies_after(b"x", "crash@lists.example.org", "cancelled@lists.example.org") == ["451 4.3.0"] * 2


async def test_gate_is_asked_once_for_each_recipient() -> None:
    """Each accepted recipient reaches the gate in an envelope of its own, a duplicate only once."""
    async with open_house(trusted=True) as house:
        client = await house.visit("lmtp")
        await client.begin(*THREE, hello=LHLO)
        client.send(b"x\r\n.\r\n")
        for _ in THREE:
            await client.reply()
        assert sorted(envelope.recipients for envelope, _ in house.gate.accepted) == [
            ("one@lists.example.org",), ("two@lists.example.org",),
        ]  # fmt: skip
        assert house.gate.accepted[0][0].peer.protocol == "LMTP"


async def test_slow_recipient_does_not_hold_up_the_others_work() -> None:
    """Recipients are accepted at the same time, so that they share one commit; replies keep their order."""
    async with open_house() as house:
        client = await house.visit("lmtp")
        await client.begin("slow@lists.example.org", "one@lists.example.org", hello=LHLO)
        client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
            await house.gate.finished.wait()
        assert house.gate.accepted[0][0].recipients == ("one@lists.example.org",)
        house.gate.release.set()
        assert (await client.reply()).endswith("slow@lists.example.org")
        assert (await client.reply()).endswith("one@lists.example.org")


async def test_socket_in_the_file_system_is_a_trusted_door(tmp_path: Path) -> None:
    """A unix socket is guarded by its mode; its peer is trusted, and the file goes when the door closes."""
    path = tmp_path / "lmtp"
    async with open_house(lmtp_listen=(f"unix:{path}",)) as house:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert str(house.doors.addresses[1]) == f"lmtp:unix:{path}"
        client = await house.visit("lmtp")
        await client.begin("one@lists.example.org", hello=LHLO)
        client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        envelope, raw = house.gate.accepted[0]
        assert envelope.peer.trusted
        assert raw.startswith(b"Received: from mta.example (local socket)\r\n")
    assert not path.exists()

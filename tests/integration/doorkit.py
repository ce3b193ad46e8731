"""What the tests of the doors share: a gate that remembers, a raw client, and doors on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from listserver.mail.envelope import Envelope, Peer
from listserver.mail.reply import Reply
from listserver.smtp.connection import Connection
from listserver.smtp.limits import DoorSettings
from listserver.smtp.listener import Doors, Listening

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PATIENCE = 10.0


@dataclass
class RecordingGate:
    """Decides by local part: nobody, later and broken at RCPT; full, crash, cancelled, refused and slow after the dot."""

    accepted: list[tuple[Envelope, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def check_recipient(self, recipient: str, reverse_path: str, peer: Peer) -> Reply | None:
        self.asked.append(recipient)
        match recipient.partition("@")[0]:
            case "nobody":
                return Reply(550, "5.1.1", "No such address here")
            case "later":
                return Reply(451, "4.3.2", "Later, please")
            case "broken":
                raise RuntimeError("secret detail of the gate")
        return None

    async def accept(self, envelope: Envelope, raw: bytes) -> Reply:
        match envelope.recipients[0].partition("@")[0]:
            case "full":
                return Reply(452, "4.3.1", "No space at the moment")
            case "refused":
                return Reply(550, "5.7.1", "The list takes posts of members only")
            case "crash":
                raise OSError("secret path of ours")
            case "cancelled":
                raise asyncio.CancelledError
            case "slow":
                self.arrived.set()
                await self.release.wait()
        self.accepted.append((envelope, raw))
        self.finished.set()
        return Reply(250, "2.0.0", f"Accepted for {envelope.recipients[0]}")

    def content(self, number: int = 0) -> bytes:
        """The accepted message without our trace field."""
        raw = self.accepted[number][1]
        head, _, rest = raw.partition(b"+0000\r\n")
        assert head.startswith(b"Received: from ")
        return rest


class Client:
    """A client that sends just what it is told; each wait has a limit."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, address: Listening) -> Client:
        async with asyncio.timeout(PATIENCE):
            if address.port:
                return cls(*await asyncio.open_connection(address.host, address.port))
            return cls(*await asyncio.open_unix_connection(address.host))

    async def line(self) -> str:
        """The next line of the server, without its line end; '' when the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            line = await self.reader.readline()
        assert not line or line.endswith(b"\r\n")
        return line[:-2].decode()

    async def reply(self) -> str:
        """The next whole reply; several lines are joined by ' | '."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return " | ".join(lines)

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def ask(self, *commands: str) -> str:
        """Send commands one by one, waiting for each reply; the last reply."""
        reply = ""
        for command in commands:
            self.send(command.encode() + b"\r\n")
            reply = await self.reply()
        return reply

    async def begin(self, *recipients: str, hello: str = "EHLO client.example") -> None:
        """Greeting, hello, MAIL, RCPT, DATA: ready to send the content."""
        assert (await self.reply()).startswith("220 ")
        assert (await self.ask(hello)).startswith("250")
        await self.again(*recipients)

    async def again(self, *recipients: str) -> None:
        """MAIL, RCPT, DATA in an open session."""
        assert (await self.ask("MAIL FROM:<anna@example.org>")).startswith("250 ")
        for recipient in recipients or ("toolshare@lists.example.org",):
            assert (await self.ask(f"RCPT TO:<{recipient}>")).startswith("250 ")
        assert (await self.ask("DATA")).startswith("354 ")

    async def close_seen(self) -> bytes:
        """Wait until the server closes; what it still said."""
        async with asyncio.timeout(PATIENCE):
            rest = await self.reader.read()
        self.writer.close()
        return rest

    async def start_tls(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.writer.start_tls(context, server_hostname="lists.example.org")

    def reset(self) -> None:
        """End the connection by a TCP reset, which the server notices at once."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def quit(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass
class House:
    """Doors that are open, and the gate behind them."""

    doors: Doors
    gate: RecordingGate
    clients: list[Client] = field(default_factory=list)

    async def visit(self, protocol: str = "smtp") -> Client:
        address = next(each for each in self.doors.addresses if each.protocol == protocol)
        client = await Client.connect(address)
        self.clients.append(client)
        return client

    @property
    def connection(self) -> Connection:
        """The server's end of the only connection."""
        door = self.doors._door
        assert door is not None
        (connection,) = door.connections
        assert isinstance(connection, Connection)
        return connection


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a state is reached that tells nobody of itself."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def open_house(*, trusted: bool = False, **changes: Any) -> AsyncIterator[House]:
    """Open both doors on free ports of the loopback address; its peers are outsiders unless `trusted`."""
    settings: dict[str, Any] = {
        "smtp_listen": ("127.0.0.1:0",),
        "lmtp_listen": ("127.0.0.1:0",),
        "hostname": "lists.example.org",
        "trusted_peers": LOOPBACK if trusted else (),
        "max_message_bytes": 1_000_000,
        "now": lambda: NOW,
        **changes,
    }
    gate = RecordingGate()
    doors = Doors(gate=gate, settings=DoorSettings(**settings))
    await doors.start()
    house = House(doors, gate)
    try:
        yield house
    finally:
        gate.release.set()
        await doors.stop(0.0)
        for client in house.clients:
            await client.quit()

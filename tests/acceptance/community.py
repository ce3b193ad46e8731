"""A running service with one list, and people who write to it through real SMTP."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from listserver.config import Settings
from listserver.flows import conversations, membership
from listserver.flows.audit import check
from listserver.server import Service
from listserver.store import outbox
from listserver.transport.recording import RecordingTransport

LIST = "toolshare@lists.example.org"


@dataclass
class FixedClock:
    """A clock that the test sets."""

    moment: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def settings_for(folder: Path, **more: Any) -> Settings:
    """Settings that no environment disturbs."""
    values: dict[str, Any] = {
        "data_dir": folder / "data",
        "smtp_listen": "127.0.0.1:0",
        "lmtp_listen": "",
        "hostname": "lists.example.org",
        "authentication": "accept",
        "web_listen": "127.0.0.1:0",
        "web_url": "https://lists.example.org",
        "database_url": "",
        "relay": "",
        "secret_key": "x" * 32,
        "_env_file": None,
        **more,
    }
    return Settings(**values)


@dataclass
class Community:
    """The service and its list."""

    service: Service
    transport: RecordingTransport
    clock: FixedClock
    protocol: str = "smtp"
    _count: int = field(default=0)

    @property
    def site(self) -> Any:
        return self.service.site

    def alist(self) -> Any:
        self.site.directory.refresh()
        return self.site.directory.by_address(LIST)

    def port(self) -> int:
        return int(next(a.port for a in self.service.doors.addresses if a.protocol == self.protocol))

    def join(self, *addresses: str, **options: str) -> None:
        """Make members at once."""
        membership.add_members(
            self.site, self.alist(), [(a, a.partition("@")[0].title()) for a in addresses], options, welcome=False
        )

    async def write(
        self, sender: str, to: str = LIST, subject: str = "The long ladder", text: str = "Who has it?\n", **fields: str
    ) -> str:
        """Send one mail through SMTP, wait until it is worked, and return its Message-ID."""
        self._count += 1
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"], message["Subject"] = sender, fields.pop("To", to), subject
        message["Message-ID"] = fields.pop("Message_ID", f"<m{self._count}@example.net>")
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        await self.send(sender, to, message.as_bytes())
        return str(message["Message-ID"])

    async def send(self, sender: str, to: str | list[str], raw: bytes) -> None:
        """Send bytes through SMTP, and wait until they are worked."""

        def hand_over() -> None:
            client = smtplib.LMTP if self.protocol == "lmtp" else smtplib.SMTP
            with client("127.0.0.1", self.port(), timeout=20) as connection:
                connection.sendmail(sender, to, raw)

        await asyncio.to_thread(hand_over)
        await self.settled()

    async def settled(self) -> None:
        """Until everything accepted is worked and everything that should leave has left."""
        async with asyncio.timeout(20):
            while self.service.intake.waiting or await asyncio.to_thread(self._open):
                await asyncio.sleep(0.002)

    def _open(self) -> int:
        with self.site.database.read() as connection:
            return outbox.open_deliveries(connection)

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Every mail that left for somebody, in order."""
        return [
            message_from_bytes(c.head + c.body.raw, policy=policy.default) for c in self.transport.sent if c.recipient == address
        ]

    def threads(self) -> list[dict[str, Any]]:
        with self.site.database.read() as connection:
            return list(conversations.describe_all(connection, self.alist().id))

    def check(self) -> dict[str, Any]:
        return check(self.site)


@contextlib.asynccontextmanager
async def community(
    folder: Path, *, parts: tuple[str, ...] = ("smtp", "lmtp", "deliver"), options: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Community]:
    """A community with ruth as its owner."""
    transport, clock = RecordingTransport(), FixedClock()
    service = Service(settings_for(folder, **settings), parts, clock=clock, transport=transport)
    await service.start()
    try:
        one = Community(service, transport, clock)
        await asyncio.to_thread(
            membership.create_list,
            service.site,
            LIST,
            {"name": "Hartley Vale Tool Share", "short_name": "Tool Share", **(options or {})},
            ["ruth@example.net"],
        )
        yield one
    finally:
        await service.stop()

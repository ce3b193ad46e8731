"""`listserver demo`: a small community in a few seconds, through real SMTP on this machine.

Nothing that it prints was written for printing: the conversations come out of the store, the mails out of the folder
into which they left, the digest out of the mail that its reader got.
"""

from __future__ import annotations

import asyncio
import signal
import smtplib
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from listserver import maillog, server
from listserver.cli import show, story
from listserver.cli.story import Said
from listserver.config import load_settings
from listserver.errors import ListserverError
from listserver.flows import conversations, digest, membership
from listserver.store import outbox, posts

_PATIENCE = 30.0


@dataclass
class StoryClock:
    """A clock that the story sets."""

    moment: datetime
    _began: float | None = None

    def now(self) -> datetime:
        """The story's present; once it is over, time goes on from there."""
        return self.moment if self._began is None else self.moment + timedelta(seconds=time.monotonic() - self._began)

    def go_on(self) -> None:
        """The story is over, and time passes by itself."""
        self._began = time.monotonic()


@dataclass
class Stage:
    """The running service that the story is played on."""

    folder: Path
    keep: bool = False
    said: Sequence[Said] = story.STORY
    clock: StoryClock = field(default_factory=lambda: StoryClock(story.BEGIN))
    ids: dict[str, str] = field(default_factory=dict)

    async def open(self) -> None:
        """Start a service of our own in a folder of its own."""
        web_port = _free_port() if self.keep else 0
        settings = load_settings(
            data_dir=self.folder / "data",
            smtp_listen="127.0.0.1:0",
            lmtp_listen="",
            hostname="lists.example.org",
            authentication="accept",
            relay=f"maildir:{self.folder / 'outgoing'}",
            web_listen=f"127.0.0.1:{web_port}" if self.keep else "",
            web_url=f"http://127.0.0.1:{web_port}" if self.keep else "",
            database_url="",
            secret_key="",
            tls_certificate="",
            tls_key="",
            trusted_peers="127.0.0.0/8",
            _env_file=None,
        )
        parts = ("smtp", "deliver", "web", "digest") if self.keep else ("smtp", "deliver")
        self.service = server.Service(settings, parts, clock=self.clock)
        await self.service.start()
        self.port = int(self.service.doors.addresses[0].port)
        await asyncio.to_thread(self._settle_in)

    def _settle_in(self) -> None:
        site = self.service.site
        options = {
            "name": story.NAME,
            "short_name": story.SHORT,
            "timezone": "Europe/London",
            "description": "Neighbours lend each other tools.",
            "archive": "public",
        }
        owner = story.PEOPLE["ruth"]
        self.alist = membership.create_list(site, story.LIST, options, [])
        membership.add_members(site, self.alist, [(owner[1], owner[0])], {"role": "owner"}, welcome=False)
        for key, (name, address) in story.PEOPLE.items():
            if key not in ("ruth", story.NEWCOMER):
                delivery = "digest" if key == story.DIGEST_READER else "each"
                membership.add_members(site, self.alist, [(address, name)], {"delivery": delivery}, welcome=False)

    async def play(self, tell: Callable[[str], None]) -> None:
        """Everything that happens, in order."""
        tell("Five neighbours write, and the service takes it in …")
        for each in self.said:
            await self._say(each)
        tell("A sixth asks to join, confirms by pressing Reply, and knows where the key is …")
        await self._join(story.NEWCOMER)
        await self._say(story.NEWCOMER_SAYS)
        tell("The night passes; at 07:00 the digest leaves, and its reader answers one post in it …")
        self.clock.moment = datetime(2026, 3, 3, 7, 0, 5, tzinfo=story.BEGIN.tzinfo)
        await asyncio.to_thread(digest.send_due, self.service.site)
        self.service.outbox.wake()
        await self._settled()
        await self._answer_digest()

    async def _say(self, said: Said) -> None:
        self.clock.moment = story.BEGIN + timedelta(minutes=said.minute)
        name, address = story.PEOPLE[said.who]
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"] = f"{name} <{address}>", story.LIST
        message["Subject"], message["Date"] = said.subject, format_datetime(self.clock.moment)
        self.ids[said.key] = message["Message-ID"] = f"<{said.key}.{said.minute}@{address.partition('@')[2]}>"
        if said.answers and said.with_header:
            message["In-Reply-To"] = self.ids[said.answers]
        message.set_content(said.text)
        await self._send(address, story.LIST, message)

    async def _join(self, who: str) -> None:
        name, address = story.PEOPLE[who]
        self.clock.moment = story.BEGIN + timedelta(minutes=420)
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"], message["Subject"] = f"{name} <{address}>", self.alist.helper("join"), ""
        message["Message-ID"] = f"<join.{who}@{address.partition('@')[2]}>"
        message.set_content("\n")
        await self._send(address, self.alist.helper("join"), message)
        question = self.newest_mail_to(address)
        self.clock.moment += timedelta(minutes=4)
        await self._reply(who, question, "\n")

    async def _answer_digest(self) -> None:
        address = story.PEOPLE[story.DIGEST_READER][1]
        received = self.newest_mail_to(address)
        text = received.get_content()
        with self.service.site.database.read() as connection:
            post = posts.get(connection, self.alist.id, self.ids[story.DIGEST_ANSWERS])
        marker = next(
            (line.split(":")[0].removeprefix("Answer ") for line in text.splitlines() if f"+r-{post.token}@" in line), "#1"
        )
        self.clock.moment += timedelta(minutes=38)
        await self._reply(story.DIGEST_READER, received, f"{marker}\n{story.DIGEST_ANSWER}")

    async def _reply(self, who: str, received: Any, text: str) -> None:
        """What a mail program does when somebody presses Reply."""
        name, address = story.PEOPLE[who]
        to = received["Reply-To"] or received["From"]
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"] = f"{name} <{address}>", to
        message["Subject"], message["Date"] = f"Re: {received['Subject']}", format_datetime(self.clock.moment)
        message["In-Reply-To"] = received["Message-ID"]
        message["Message-ID"] = f"<reply.{who}.{self.clock.moment:%H%M}@{address.partition('@')[2]}>"
        message.set_content(text)
        await self._send(address, to.addresses[0].addr_spec, message)

    async def _send(self, sender: str, recipient: str, message: EmailMessage) -> None:
        def hand_over() -> None:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=_PATIENCE) as connection:
                connection.send_message(message, sender, [recipient])

        await asyncio.to_thread(hand_over)
        await self._settled()

    async def _settled(self) -> None:
        """Until everything accepted is worked, and everything that should leave has left."""
        async with asyncio.timeout(_PATIENCE):
            while self.service.intake.waiting or await asyncio.to_thread(self._still_leaving):
                await asyncio.sleep(0.005)

    def _still_leaving(self) -> int:
        with self.service.site.database.read() as connection:
            return outbox.open_deliveries(connection)

    def mails(self) -> list[Any]:
        """Every mail that left, in order."""
        files = sorted(
            (self.folder / "outgoing" / "new").iterdir(),
            key=lambda path: (path.name.split(".P")[0], int(path.name.split("Q")[1].split(".")[0])),
        )
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]

    def newest_mail_to(self, address: str) -> Any:
        """The last mail that left for somebody."""
        found = [mail for mail in self.mails() if mail["Delivered-To"] == address]
        if not found:
            raise ListserverError(f"nothing left for {address}")
        return found[-1]

    def threads(self) -> list[dict[str, Any]]:
        """The conversations, out of the store."""
        with self.service.site.database.read() as connection:
            return list(conversations.describe_all(connection, self.alist.id))


def demo(keep: Annotated[bool, typer.Option("--keep", help="Leave it running afterwards.")] = False) -> None:
    """Play a small community through real SMTP and show what became of it. Example: listserver demo"""
    with tempfile.TemporaryDirectory(prefix="listserver-demo-") as folder:
        asyncio.run(_run(Path(folder), keep=keep))


async def _run(folder: Path, *, keep: bool) -> None:
    maillog.configure("text", "info" if keep else "warning")
    stage = Stage(folder, keep)
    await stage.open()
    try:
        screen = show.Screen()
        await stage.play(screen.step)
        screen.conversations(stage.threads())
        screen.mails(stage.mails())
        screen.digest(digest_of(stage))
        screen.ending(stage.port if keep else None, folder, "".join(stage.service.web_addresses))
        if keep:
            stage.clock.go_on()
            ended = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
            await ended.wait()
    finally:
        await stage.service.stop()


def _free_port() -> int:
    """A port for the pages, chosen before the first mail names them."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def digest_of(stage: Stage) -> Any:
    """The digest that its reader got."""
    address = story.PEOPLE[story.DIGEST_READER][1]
    return next(mail for mail in stage.mails() if mail["Delivered-To"] == address and str(mail["Message-ID"]).startswith("<d-"))

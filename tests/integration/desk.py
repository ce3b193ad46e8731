"""A site without doors: mail is handed to the flows as a door would, and what leaves is read out of the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import accept, audit, conversations, deliver, membership, moderate, process
from listserver.flows.site import Directory, Site
from listserver.lists.model import MailingList
from listserver.mail.envelope import Envelope, Peer
from listserver.mail.reply import Reply
from listserver.render.environment import Templates
from listserver.store import incoming, members, outbox, posts
from listserver.store.engine import Database
from listserver.store.outbox import Settled
from listserver.store.tables import DeliveryState
from tests.fakes import FakeResolver

LIST = "toolshare@lists.example.org"
HOST = "lists.example.org"
_EVERY_ACCEPTED = count(1)


@dataclass
class HandClock:
    """A clock that the test sets."""

    moment: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Left:
    """One mail that left for one person."""

    recipient: str
    reverse_path: str
    mail: EmailMessage
    raw: bytes

    @property
    def text(self) -> str:
        """Its text on one line, so that wrapping does not matter."""
        return " ".join(self.mail.get_content().split())


def mail(
    sender: str = "gwen@example.net", to: str = LIST, subject: str = "The long ladder", text: str = "Who has it?\n", **fields: str
) -> bytes:
    """One mail as bytes; a field of any other name with `_` for `-`, and '' leaves one out."""
    given = {"From": sender, "To": to, "Subject": subject, "Date": "Mon, 02 Mar 2026 08:59:00 +0000"}
    given |= {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return (head + "\r\n" + text.replace("\r\n", "\n").replace("\n", "\r\n")).encode()


@dataclass
class Desk:
    """The site, one list, and what a test does with them."""

    site: Site
    clock: HandClock
    resolver: FakeResolver
    list_address: str = LIST
    left: list[Left] = field(default_factory=list)

    # -- the list and its people -----------------------------------------------------------------------------

    @property
    def alist(self) -> MailingList:
        self.site.directory.refresh()
        found = self.site.directory.by_address(self.list_address)
        assert found is not None
        return found

    def set(self, **options: str) -> None:
        """Change options of the list."""
        membership.set_list_options(self.site, self.alist, options)

    def join(self, *addresses: str, **options: str) -> None:
        """Make members at once, without a welcome."""
        people = [(each, each.partition("@")[0].title()) for each in addresses]
        membership.add_members(self.site, self.alist, people, options, welcome=False)

    def member(self, address: str) -> Any:
        """A member's row, whatever the state; None for a stranger."""
        with self.read() as connection:
            return members.find(connection, self.alist.id, address)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.site.database.read() as connection:
            yield connection

    def wait(self, **how_long: float) -> None:
        """Let time go by."""
        self.clock.moment += timedelta(**how_long)

    # -- mail in ----------------------------------------------------------------------------------------------

    def receive(
        self, raw: bytes, to: str | list[str] = LIST, *, path: str = "gwen@example.net", outside: bool = False, helo: str = "mx"
    ) -> list[Any]:
        """Hand one mail in as a door would, and return the rows that record what became of it; a refusal raises `Refused`."""
        peer = Peer(
            host="192.0.2.7" if outside else "127.0.0.1", port=2525, helo=helo, trusted=not outside, tls=False, protocol="smtp"
        )
        recipients = (to,) if isinstance(to, str) else tuple(to)
        envelope = Envelope(reverse_path=path, recipients=recipients, peer=peer)
        arrivals = [found for found in (accept.find_arrival(self.site, each) for each in recipients) if found is not None]
        if len(arrivals) != len(recipients):
            raise Refused(accept.unknown_recipient(self.site))
        prepared = accept.prepare(self.site, envelope, raw)
        refusal = process.screen(self.site, envelope, arrivals, prepared) if outside else None
        if refusal is not None:
            raise Refused(refusal)
        mails = accept.new_mails(self.site, envelope, arrivals)
        self.site.database.write(lambda connection: accept.accept(connection, raw, mails))
        for each in mails:
            self.site.database.write(process.plan(self.site, each, prepared))
        with self.read() as connection:
            return [incoming.find(connection, each.id, each.list_id) for each in mails]

    def write(
        self, sender: str = "gwen@example.net", to: str = LIST, *, path: str | None = None, outside: bool = False, **fields: str
    ) -> Any:
        """Somebody writes; the row that records what became of it. A Message-ID is made unless one is given."""
        fields.setdefault("Message_ID", f"<m{next(_EVERY_ACCEPTED)}@example.net>")
        shown = fields.pop("To", to)
        bare = sender.rpartition("<")[2].rstrip(">")
        (row,) = self.receive(mail(sender, shown, **fields), to, path=bare if path is None else path, outside=outside)
        return row

    # -- mail out ----------------------------------------------------------------------------------------------

    def deliver(self) -> list[Left]:
        """Let everything that waits leave; the mails of this run, in order of their making."""
        builder, gone = deliver.CopyBuilder(self.site), []
        while claims := self.site.database.write(lambda c: outbox.claim(c, self.clock.now(), 500, timedelta(minutes=10))):
            for copy in builder.build(claims).copies:
                raw = copy.head + copy.body.raw
                gone.append(Left(copy.recipient, copy.reverse_path, message_from_bytes(raw, policy=policy.default), raw))
            done = [Settled(each, DeliveryState.sent, "250 ok") for each in claims]
            self.site.database.write(lambda c, d=done: outbox.settle(c, d))  # type: ignore[misc]
        self.left += gone
        return gone

    def to(self, address: str) -> list[Left]:
        """What has left for somebody so far."""
        self.deliver()
        return [each for each in self.left if each.recipient == address]

    def subjects(self, address: str) -> list[str]:
        """The subjects of what has left for somebody so far."""
        return [str(each.mail["Subject"]) for each in self.to(address)]

    def newest(self, address: str) -> Left:
        """The last mail that left for somebody."""
        return self.to(address)[-1]

    def answer_to(self, left: Left, text: str = "\n", sender: str = "", **fields: str) -> Any:
        """What a mail program does when somebody presses Reply."""
        to = (left.mail["Reply-To"] or left.mail["From"]).addresses[0].addr_spec
        fields = {"In_Reply_To": str(left.mail["Message-ID"]), "subject": f"Re: {left.mail['Subject']}", **fields}
        return self.write(sender or left.recipient, to, text=text, **fields)

    # -- what is known ------------------------------------------------------------------------------------------

    def threads(self) -> list[dict[str, Any]]:
        with self.read() as connection:
            return list(conversations.describe_all(connection, self.alist.id))

    def parents(self) -> dict[str, str | None]:
        """Message-ID to the Message-ID of its parent."""
        return {post["message_id"]: post["parent"] for thread in self.threads() for post in thread["posts"]}

    def why(self, post: str) -> dict[str, Any]:
        with self.read() as connection:
            return conversations.explain(connection, self.alist.id, post)

    def held(self) -> list[dict[str, Any]]:
        return moderate.waiting(self.site, None)

    def posts(self) -> int:
        with self.read() as connection:
            return posts.last_number(connection, self.alist.id)

    def states(self) -> dict[str, int]:
        """The states that any mail ended in, and how many did; checked to add up, and to be without problems."""
        checked = audit.check(self.site)
        assert checked["ok"], checked["problems"]
        assert checked["accepted"] == sum(checked["states"].values())
        return {state: number for state, number in checked["states"].items() if number}


class Refused(Exception):
    """A door would have answered this instead of 250."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def open_desk(
    database: Database, *, authentication: str = "accept", web_url: str = "https://lists.example.org", **options: str
) -> Desk:
    """A desk on an up-to-date database, with a list that ruth owns."""
    clock, resolver = HandClock(), FakeResolver()
    site = Site(
        hostname=HOST,
        administrator=f"postmaster@{HOST}",
        web_url=web_url,
        secret=b"x" * 32,
        authentication=authentication,
        max_message_bytes=25_000_000,
        database=database,
        clock=clock,
        resolver=resolver,
        templates=Templates(),
        directory=Directory(database),
    )
    site.directory.refresh()
    names = {"name": "Hartley Vale Tool Share", "short_name": "Tool Share"}
    membership.create_list(site, LIST, {**names, **options}, ["ruth@example.net"])
    return Desk(site, clock, resolver)

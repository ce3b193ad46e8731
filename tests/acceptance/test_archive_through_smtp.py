"""An mbox of a busy list, sent one by one through real SMTP: all of it accounted for, every header parent right.

The mail is made here, with a grammar of what real programs write; the parents are known because we made them. The maker
shares no code with the reader.
"""

from __future__ import annotations

import asyncio
import random
import smtplib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from listserver.mail.mbox import read_mbox
from listserver.store import schema
from listserver.store.engine import Database
from tests.acceptance.community import LIST, community

PEOPLE = ("gwen", "tom", "priya", "marek", "dilys", "ana")
WORDS = [
    "ladder",
    "shed",
    "gutter",
    "sander",
    "rope",
    "key",
    "paint",
    "hedge",
    "trimmer",
    "bucket",
    "wall",
    "nail",
    "door",
    "bench",
    "light",
    "glove",
    "saw",
]
MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@dataclass
class Made:
    """One mail of the archive, and the ids that it names, nearest first."""

    id: str
    author: str
    subject: str
    chain: list[str]
    fields: list[str] = field(default_factory=list)
    sent: bool = True


def _reply_fields(chance: random.Random, parent: Made) -> tuple[list[str], list[str]]:
    """Reply fields in one of the ways of real programs, and the chain that they name."""
    above = [parent.id, *parent.chain]
    oldest_first = list(reversed(above))
    match chance.randrange(9):
        case 0:
            return [f"In-Reply-To: {parent.id}"], above[:1]
        case 1:
            return [f"In-Reply-To: {parent.id}", "References: " + "\r\n\t".join(oldest_first)], above
        case 2:
            return ["References: " + " ".join(oldest_first)], above
        case 3:
            writer = f"{parent.author} <{parent.author}@example.net>"
            return [f'In-Reply-To: Message from {writer}\r\n of "Mon, 2 Mar 2026" {parent.id}'], above[:1]
        case 4:
            return [f"In-Reply-To: {parent.id.strip('<>')}"], above[:1]
        case 5:
            comment = f"({parent.author}'s message of Monday)"
            fields = [f"in-reply-to: {parent.id} {comment}", f"REFERENCES: {oldest_first[0]} {parent.id}"]
            return fields, above[:1] + above[-1:]
        case 6:
            return ["References:" + "".join(f"\r\n {each}" for each in oldest_first)], above
        case 7:
            return [f"In-Reply-To: <nobody.{chance.randrange(10**6)}@elsewhere.example>", f"References: {parent.id}"], above[:1]
        case _:
            return [f"References: {','.join(oldest_first)}", f"In-Reply-To: {parent.id}"], above


def _make(seed: int, count: int) -> list[Made]:
    """An archive in the order of writing; one mail in fifteen never reached the list."""
    chance, made = random.Random(seed), []
    for number in range(count):
        author = chance.choice(PEOPLE)
        host = chance.choice(("mail.example.net", "[192.0.2.7]", "localhost", "x--y.example"))
        name = f"<{chance.choice(('', '$', '=', '_', '+'))}{number}.{chance.randrange(10**9)}@{host}>"
        parent = chance.choice(made[-25:]) if made and chance.random() > 0.25 else None
        if parent is None:
            made.append(Made(name, author, " ".join(chance.sample(WORDS, 3)), []))
            continue
        fields, chain = _reply_fields(chance, parent)
        made.append(Made(name, author, f"Re: {parent.subject.removeprefix('Re: ')}", chain, fields))
        made[-1].sent = chance.random() > 1 / 15
    return made


def _as_mail(each: Made, number: int) -> bytes:
    chance = random.Random(number)
    text = "\r\n".join(" ".join(chance.choices(WORDS, k=9)) for _line in range(3))
    head = [
        f"From: {each.author.title()} <{each.author}@example.net>",
        f"To: {LIST}",
        f"Subject: {each.subject}",
        f"Date: {format_datetime(MONDAY + timedelta(minutes=number))}",
        f"Message-ID: {each.id}",
        *each.fields,
    ]
    return ("\r\n".join(head) + f"\r\n\r\nFrom {each.author}, number {number}:\r\n{text}\r\n").encode()


def _write_mbox(path: Path, mails: list[bytes]) -> None:
    """An mboxrd file, written here by hand."""
    with path.open("wb") as out:
        for mail in mails:
            lines = mail.replace(b"\r\n", b"\n").split(b"\n")
            quoted = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines]
            out.write(b"From archive@example.org Mon Mar  2 06:00:00 2026\n" + b"\n".join(quoted).rstrip(b"\n") + b"\n\n")


@pytest.fixture
def where(database_address: str) -> dict[str, str]:
    """Settings that put the service on each database in turn."""
    if database_address.startswith("postgresql"):
        database = Database(database_address)
        schema.upgrade(database)
        database.close()
    return {"database_url": database_address}


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_archive_sent_one_by_one(tmp_path: Path, where: dict[str, str], seed: int) -> None:
    """Late parents, ghosts, repeated deliveries, ids in every dress: nothing is missing, and each parent is the right one."""
    made, chance = _make(seed, 150), random.Random(seed)
    order = [n for n, each in enumerate(made) if each.sent]
    for _swap in range(30):  # mail overtakes mail
        early, late = sorted(chance.sample(range(len(order)), 2))
        order.insert(early, order.pop(min(late, early + 8)))
    repeated = chance.sample(order, 10)
    _write_mbox(tmp_path / "archive.mbox", [_as_mail(made[n], n) for n in [*order, *repeated]])
    with (tmp_path / "archive.mbox").open("rb") as handle:
        mails = [message.raw for message in read_mbox(handle)]
    assert len(mails) == len(order) + 10

    async with community(tmp_path, options={"post": "anyone"}, **where) as one:

        def hand_over() -> None:
            with smtplib.SMTP("127.0.0.1", one.port(), timeout=60) as connection:
                for raw in mails:
                    connection.sendmail("writer@example.net", [LIST], raw)

        await asyncio.to_thread(hand_over)
        await one.settled()
        checked = one.check()
        assert checked["ok"], checked["problems"]
        states = {state: number for state, number in checked["states"].items() if number}
        assert states == {"posted": len(order), "duplicate": 10}
        held = {made[n].id for n in order}
        got = {post["message_id"]: post["parent"] for thread in one.threads() for post in thread["posts"]}
        expected = {made[n].id: next((each for each in made[n].chain if each in held), None) for n in order}
        by_headers = {name: parent for name, parent in expected.items() if parent is not None}
        assert {name: got[name] for name in by_headers} == by_headers
        assert len(by_headers) > 70
        assert set(got) == held

"""A small list to thread by its words: people, times, and texts that they quote. Nothing here has a threading field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.integration.desk import Desk

PEOPLE = {
    "gwen": "Gwen Hall <gwen@example.net>",
    "tom": "Tom Okafor <tom@example.net>",
    "priya": "Priya Raman <priya@example.com>",
    "lars": "Lars Lind <lars@example.org>",
}
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

BEANS = (
    "The climbing beans along the south wall came up patchy again this spring, and half of the seedlings were eaten\n"
    "before they had their second leaves. Has anybody found a way to keep the slugs off without pellets?\n"
)
COPPER = (
    "Copper tape round the raised beds worked well for me, as long as no leaf hangs over the edge and makes a bridge.\n"
    "I also go out with a torch after rain and pick them off by hand, which is dull but thorough.\n"
)
FERNS = (
    "My neighbour swears by sheep's wool between the rows. It mats down after a fortnight and they hate crawling over it,\n"
    "though the blackbirds steal most of it for their nests.\n"
)


def at(minute: int) -> str:
    """A Date field, so many minutes after the start."""
    return format_datetime(START + timedelta(minutes=minute))


def quoted(text: str, mark: str = "> ") -> str:
    """A text as mail programs quote it."""
    return "".join(f"{mark}{line}\n" if line else f"{mark.rstrip()}\n" for line in text.rstrip("\n").split("\n"))


def introduced(who: str, minute: int, text: str) -> str:
    """A quote with the line that says whose it is, and when it was written."""
    moment = START + timedelta(minutes=minute)
    return f"On {moment:%a, %d %b %Y at %H:%M}, {PEOPLE[who]} wrote:\n{quoted(text)}"


def say(desk: Desk, who: str, minute: int, name: str, text: str, subject: str = "Re: Slugs in the beans", **fields: str) -> str:
    """Somebody writes at a minute; returns the Message-ID, which is made of `name`."""
    desk.clock.moment = max(desk.clock.moment, START + timedelta(minutes=minute + 1))
    desk.write(PEOPLE[who], Message_ID=f"<{name}@garden>", Date=at(minute), subject=subject, text=text, **fields)
    return f"<{name}@garden>"


def join_all(desk: Desk) -> Desk:
    """Everybody is a member."""
    desk.join("gwen@example.net", "tom@example.net", "priya@example.com", "lars@example.org")
    return desk

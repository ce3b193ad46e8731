"""What the flows need from outside: a way out for mail, and the time. Two real implementations each earned them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from listserver.mail.reply import Outcome

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def normalise(data: bytes) -> bytes:
    """Every line end as CRLF: nothing leaves with a lone CR or LF (no smuggling)."""
    if data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"):
        return data
    return _LONE.sub(b"\r\n", data)


def stuff(data: bytes) -> bytes:
    """Double the dots that begin a line (RFC 5321 §4.5.2)."""
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


class Body:
    """The part of a mail that all its copies share; prepared for the wire once."""

    def __init__(self, raw: bytes) -> None:
        self.raw = normalise(raw)
        if not self.raw.endswith(b"\r\n"):
            self.raw += b"\r\n"

    @cached_property
    def stuffed(self) -> bytes:
        """Dot-stuffed, for DATA."""
        return stuff(self.raw)

    @cached_property
    def is_ascii(self) -> bool:
        """Whether 8BITMIME is not needed."""
        return self.raw.isascii()


@dataclass(frozen=True, slots=True)
class Copy:
    """One mail for one recipient: its own head (whole fields), and the body shared with the others."""

    key: object
    reverse_path: str
    recipient: str
    head: bytes
    body: Body
    smtputf8: bool = False


class Transport(Protocol):
    """A way out."""

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        """Send copies and report each exactly once; a fault of the other side is an outcome, never an exception."""

    async def close(self) -> None:
        """Let go of connections."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""

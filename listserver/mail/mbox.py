"""mbox files as a stream of messages, in the reversible form (RFC 4155; "mboxrd").

A line that begins with any number of `>` and `From ` gets one more `>` when written and loses one when read; the older
forms lose or keep signs that were the writer's. A message begins at a separator line that follows an empty line or begins
the file, and looks like one: `From `, an address, a date. Pipermail hides the address (`From gwen at example.net`). Lines
of text such as `From here on` stay text. Memory: one message, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

MAX_MESSAGE = 100_000_000  # octets; the rest of a longer message is left out
_CHUNK = 65_536

# `From gwen@example.net  Mon Mar  2 09:12:00 2026`, with what programs put between and behind.
_SEPARATOR = re.compile(
    rb"From (?:[^\r\n]{0,300}? )?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}"
    rb"|\d{1,2} +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))[ ,]+(?:[^\r\n]{0,60})?\d[^\r\n]{0,60}\r?\n?"
)
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_TO_QUOTE = re.compile(rb"^(>*From )", re.M)
_ADDRESS = re.compile(r"[!-~]{1,320}")


def read_mbox(handle: BinaryIO, *, limit: int = MAX_MESSAGE) -> Iterator[bytes]:
    """The messages of a file in order, without their separators, line ends as they are; what precedes the first is skipped."""
    lines: list[bytes] = []
    size, inside, after_blank, begins = 0, False, True, True
    while line := handle.readline(_CHUNK):  # a line without end comes in pieces
        if after_blank and line.startswith(b"From ") and _SEPARATOR.fullmatch(line):
            if inside:
                yield _unquoted(lines)
            lines, size, inside = [], 0, True
        elif inside and size < limit:
            size += len(line)
            lines.append(line)
        after_blank = begins and line in (b"\n", b"\r\n")
        begins = line.endswith(b"\n")
    if inside:
        yield _unquoted(lines)


def write_mbox(handle: BinaryIO, messages: Iterable[tuple[bytes, str, datetime]]) -> int:
    """Write messages, each with its reverse-path ('' for none) and moment; returns how many.

    Line ends become LF, which is what programs that read mbox files expect.
    """
    count = 0
    for raw, reverse_path, moment in messages:
        sender = reverse_path if _ADDRESS.fullmatch(reverse_path) else "MAILER-DAEMON"
        handle.write(f"From {sender} {_asctime(moment)}\n".encode("ascii"))
        text = _TO_QUOTE.sub(rb">\1", raw.replace(b"\r\n", b"\n"))
        handle.write(text if not text or text.endswith(b"\n") else text + b"\n")
        handle.write(b"\n")
        count += 1
    return count


def _asctime(moment: datetime) -> str:
    """The date in the one form that every program knows, in UTC and never in the language of the machine."""
    utc = moment.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[utc.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[utc.month - 1]
    return f"{day} {month} {utc.day:2} {utc.hour:02}:{utc.minute:02}:{utc.second:02} {utc.year:04}"


def _unquoted(lines: list[bytes]) -> bytes:
    """One message: without the empty line before the next separator, and with one `>` less before `From `."""
    if lines and lines[-1] in (b"\n", b"\r\n"):
        lines.pop()
    return _QUOTED.sub(rb"\1", b"".join(lines))

"""mbox files as a stream of messages, in the reversible form (RFC 4155; "mboxrd").

A line that begins with any number of `>` and `From ` gets one more `>` when written and loses one when read; the older
forms lose or keep signs that were the writer's. A message begins at a separator line that follows an empty line or begins
the file, and looks like one: `From `, an address, a date. Pipermail hides the address (`From gwen at example.net`), and
some programs leave the date out: then what follows must look like a header section. Lines of text such as
`From here on` stay text. Separators are given along, so that a file can be written again byte for byte. Memory: one
message, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple, Protocol

from listserver.mail.parse import read_date

MAX_MESSAGE = 100_000_000  # octets; the rest of a longer message is left out
_BLOCK = 262_144
_AHEAD = 8_192  # octets behind a separator that are looked at
_BEHIND = 3  # octets before one: the end of the empty line

_DATE = (
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}"
    rb"|\d{1,2} +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))[ ,]+(?:[^\r\n]{0,60})?\d[^\r\n]{0,60}"
)
# `From gwen@example.net  Mon Mar  2 09:12:00 2026`, with what programs put between and behind.
_SEPARATOR = re.compile(rb"From (?:[^\r\n]{0,300}? )?(" + _DATE + rb")\r?\n?")
# As this module and most programs write it: believed whatever follows.
_EXACT = re.compile(rb"From [!-~]{1,320} +[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\r?\n?")
_UNDATED = re.compile(rb"From (?:-|MAILER-DAEMON|[^\s@]{1,128}(?:@| at )[^\s@]{1,255})[ \t]*\r?\n")
_FIELD = rb"[A-Za-z][!-9;-~]{0,75}:(?:[ \t][^\n]*)?\r?\n"
_ONE_FIELD = re.compile(rb"(?:>?From [^\n]*\n)?[A-Za-z][!-9;-~]{0,75}[ \t]*:|\r?\n|\Z")
_TWO_FIELDS = re.compile(_FIELD + rb"(?:[ \t][^\n]*\n)*" + _FIELD)
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_TO_QUOTE = re.compile(rb"^(>*From )", re.M)
_ADDRESS = re.compile(r"[!-~]{1,320}")


class MboxMessage(NamedTuple):
    """One message as it was before it was put into the file; `is_cut`: it was longer than the limit."""

    separator: bytes
    raw: bytes
    is_cut: bool = False


class Readable(Protocol):
    """As much of a file as reading needs."""

    def read(self, size: int, /) -> bytes:
        """At most `size` octets; b'' at the end."""


def read_mbox(handle: Readable, *, limit: int = MAX_MESSAGE) -> Iterator[MboxMessage]:
    """The messages of a file in order, line ends as they are; what precedes the first separator is skipped."""
    buffer, begin, scan = b"\n\n", 2, 0
    separator = b""
    pieces: list[bytes] = []
    size = 0
    while True:
        block = handle.read(_BLOCK)
        buffer += block
        while (at := buffer.find(b"\nFrom ", scan)) >= 0:
            if block and len(buffer) - at < _AHEAD:
                break  # too little of what follows is there yet
            end = _separator_end(buffer, at + 1)
            if not end:
                scan = at + 1
                continue
            if separator:
                yield _message(separator, [*pieces, buffer[begin : at + 1]], limit)
            separator, begin, scan = buffer[at + 1 : end], end, end - 1
            pieces, size = [], 0
        if not block:
            break
        kept = (at if at >= 0 else len(buffer) - len(b"\nFrom ")) - _BEHIND
        if kept > begin:
            if separator and size <= limit:
                pieces.append(buffer[begin:kept])
                size += kept - begin
            begin = kept
        dropped = max(begin - _BEHIND, 0)
        buffer, begin, scan = buffer[dropped:], begin - dropped, max((at if at >= 0 else kept) - dropped, 0)
    if separator:
        yield _message(separator, [*pieces, buffer[begin:]], limit)


def _separator_end(buffer: bytes, start: int) -> int:
    """Where the separator line that begins at `start` ends, or 0 when that line is text."""
    before = buffer[max(start - 3, 0) : start - 1]
    if not (before.endswith(b"\n") or before == b"\n\r"):
        return 0
    end = buffer.find(b"\n", start, start + _AHEAD) + 1 or (len(buffer) if len(buffer) - start < _AHEAD else 0)
    line = buffer[start:end]
    if _EXACT.fullmatch(line):
        return end
    if _SEPARATOR.fullmatch(line):
        return end if _ONE_FIELD.match(buffer, end) else 0
    return end if _UNDATED.fullmatch(line) and _TWO_FIELDS.match(buffer, end, end + _AHEAD) else 0


def _message(separator: bytes, pieces: list[bytes], limit: int) -> MboxMessage:
    """One message: without the empty line before the next separator, and with one `>` less before `From `."""
    raw = b"".join(pieces) if len(pieces) > 1 else pieces[0]
    if raw.endswith(b"\n\n") or raw == b"\n":
        raw = raw[:-1]
    elif raw.endswith(b"\n\r\n") or raw == b"\r\n":
        raw = raw[:-2]
    if b">From " in raw:
        raw = _QUOTED.sub(rb"\1", raw)
    return MboxMessage(separator, raw[:limit], len(raw) > limit)


def separator_of(reverse_path: str, moment: datetime) -> bytes:
    """The separator line of a message, with its reverse-path ('' for none) and the moment it came, in UTC."""
    sender = reverse_path if _ADDRESS.fullmatch(reverse_path) else "MAILER-DAEMON"
    return f"From {sender} {_asctime(moment)}\n".encode("ascii")


def separator_date(separator: bytes) -> datetime | None:
    """The moment that a separator line names, or None."""
    match = _SEPARATOR.fullmatch(separator)
    return read_date(match[1]) if match else None


def write_mbox(handle: BinaryIO, messages: Iterable[MboxMessage]) -> int:
    """Write messages so that reading gives them back; returns how many. Line ends stay as they are."""
    count = 0
    for separator, raw, _is_cut in messages:
        line_end = b"\r\n" if separator.endswith(b"\r\n") else b"\n"
        handle.write(separator if separator.endswith(b"\n") else separator + line_end)
        text = _TO_QUOTE.sub(rb">\1", raw) if b"From " in raw else raw
        handle.write(text if not text or text.endswith(b"\n") else text + line_end)
        handle.write(line_end)
        count += 1
    return count


def unix_lines(raw: bytes) -> bytes:
    """A message as mail servers carry it, with the line ends that mbox files have; one with mixed line ends stays as it is."""
    return raw.replace(b"\r\n", b"\n") if raw.count(b"\n") == raw.count(b"\r\n") else raw


def _asctime(moment: datetime) -> str:
    """The date in the one form that every program knows, in UTC and never in the language of the machine."""
    utc = moment.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[utc.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[utc.month - 1]
    return f"{day} {month} {utc.day:2} {utc.hour:02}:{utc.minute:02}:{utc.second:02} {utc.year:04}"

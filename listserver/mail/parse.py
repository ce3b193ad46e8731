"""Bytes → what the fields of a message say; bad mail yields defects, not exceptions. The body is not looked at here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

from listserver.mail.address import Mailbox, read_author, read_mailboxes
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.message_id import ReplyIds, read_reply_ids

_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_MOST_RECIPIENTS = 32_768  # octets of To and of Cc
_LONGEST_SUBJECT = 2_048
_LONGEST_DATE = 200
_WHOLE_DAY = 86_400  # seconds
_ONCE = ("subject", "message-id", "date", "from")
_COMMENT = re.compile(r"\([^()]*\)")
_NAMED_ZONE = re.compile(r"\b(?:GMT|UTC?)(?=[+-]\d{4})", re.I)
_HALF_DAY = re.compile(r"\b(\d{1,2})(:\d{2}(?::\d{2})?)\s*([ap])\.?m\b\.?", re.I)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """The fields that we act on, decoded; `defects` says in words what was wrong."""

    header: Header
    ids: ReplyIds
    author: Mailbox | None
    subject: str
    date: datetime | None
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    defects: tuple[str, ...]


def parse_message(raw: bytes) -> ParsedMessage:
    """Read a message's fields. Never raises; limits as in `headers.read_header`."""
    header = read_header(raw)
    defects = list(header.defects)
    author = read_author(header)
    if author is None:
        defects.append("not exactly one readable author" if header.count("from") else "no From field")
    to, cc = _read_recipients(header, "to", defects), _read_recipients(header, "cc", defects)
    date = read_date(header.first("date"))
    if date is None:
        defects.append("no readable date" if header.count("date") else "no Date field")
    ids = read_reply_ids(header)
    if ids.message_id is None:
        defects.append("no readable Message-ID" if header.count("message-id") else "no Message-ID field")
    defects += [f"several {name} fields" for name in _ONCE if header.count(name) > 1]
    return ParsedMessage(
        header=header,
        ids=ids,
        author=author,
        subject=decode_text(header.first("subject") or b"", _LONGEST_SUBJECT),
        date=date,
        to=to,
        cc=cc,
        defects=tuple(defects),
    )


def _read_recipients(header: Header, name: str, defects: list[str]) -> tuple[Mailbox, ...]:
    """The mailboxes of a field; several fields of that name are read as one (RFC 5322 §4.5.3)."""
    bodies = header.all(name)
    if not bodies:
        return ()
    found = read_mailboxes(bodies[0] if len(bodies) == 1 else b",".join(bodies), _MOST_RECIPIENTS)
    if found is None:
        defects.append(f"the {name} field cannot be read")
        return ()
    return tuple(found)


def read_date(body: bytes | None) -> datetime | None:
    """The moment of a Date field in UTC, or None: RFC 5322 §3.3, the obsolete forms of §4.3, and what else programs write.

    An unknown zone counts as UTC, and so does one a day away; a leap second is the one before it.
    """
    if not body:
        return None
    text = unfold(body, _LONGEST_DATE)
    if "(" in text:
        text = _COMMENT.sub(" ", text)
    try:
        moment = datetime.fromisoformat(text) if _ISO_DATE.match(text) else _read_usual(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return moment if moment > _EARLIEST else None


def _read_usual(text: str) -> datetime:
    """Day, month, year, clock and zone. Raises: ValueError or TypeError where they are not there."""
    text = _HALF_DAY.sub(lambda match: f"{int(match[1]) % 12 + 12 * (match[3] in 'pP')}{match[2]}", text)
    parts = parsedate_tz(_NAMED_ZONE.sub("", text))
    if parts is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = parts[:6]
    offset = parts[9] or 0
    zone = timezone(timedelta(seconds=offset)) if abs(offset) < _WHOLE_DAY else UTC
    return datetime(year + 1900 if 100 <= year <= 999 else year, month, day, hour, minute, min(second, 59), tzinfo=zone)

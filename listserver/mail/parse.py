"""Bytes → what the fields of a message say; bad mail yields defects, not exceptions. The body is not looked at here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

from listserver.mail.address import Mailbox, read_author, read_mailboxes
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.message_id import ReplyIds, read_reply_ids

_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
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
        defects.append("not exactly one readable author")
    recipients = {name: read_mailboxes(b", ".join(header.all(name)) or None, 32_768) for name in ("to", "cc")}
    defects += [f"{name} cannot be read" for name, found in recipients.items() if found is None]
    date = read_date(header.first("date"))
    if date is None:
        defects.append("no readable date")
    ids = read_reply_ids(header)
    if ids.message_id is None:
        defects.append("no Message-ID")
    for name in ("subject", "message-id", "date"):
        if header.count(name) > 1:
            defects.append(f"several {name} fields")
    return ParsedMessage(
        header=header,
        ids=ids,
        author=author,
        subject=decode_text(header.first("subject") or b"", 2048),
        date=date,
        to=tuple(recipients["to"] or ()),
        cc=tuple(recipients["cc"] or ()),
        defects=tuple(defects),
    )


def read_date(body: bytes | None) -> datetime | None:
    """The moment of a Date field in UTC (RFC 5322 §3.3, obsolete forms too), or None."""
    if not body:
        return None
    try:
        parts = parsedate_tz(unfold(body, 200))
        if parts is None:
            return None
        offset = parts[9] or 0
        zone = timezone(timedelta(seconds=offset)) if abs(offset) < 86_400 else UTC
        second = min(parts[5], 59)  # a leap second
        moment = datetime(*parts[:5], second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return moment if moment > _EARLIEST else None

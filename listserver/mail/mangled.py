"""What archives did to messages: hidden addresses, dates of broken clocks, and text that is no message at all.

Only for reading archives: an address that is put together here is shown, but believed by nobody.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from listserver.mail.address import Mailbox, parse_address, read_author, read_mailboxes
from listserver.mail.headers import Header, decode_text
from listserver.mail.parse import read_date

_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)
_BEFORE_MAIL = 1982  # nothing was written with such fields before RFC 822

# A message has at least one of these; a piece of text that happens to begin like a field has none.
_USUAL_FIELDS = (
    "from",
    "date",
    "subject",
    "message-id",
    "received",
    "to",
    "return-path",
    "sender",
    "mime-version",
    "content-type",
)
# `gwen at example.net (Gwen Pritchard)`, the sign in any language; or with brackets; or with a mark of HTML.
_SIGN = r"(?:\s{1,3}[^\W\d_]{1,4}\s{1,3}|&#0*64;|\s?[\[({]\s?(?:at|@)\s?[\])}]\s?)"
_DOT = re.compile(r"\s?[\[({]\s?dot\s?[\])}]\s?|\s+dot\s+", re.I)
_HIDDEN = re.compile(
    rf"""\s*(?:"?(?P<before>[^"<]{{0,200}}?)"?\s*<)?\s*(?P<local>[^\s@<>()"]{{1,128}}){_SIGN}(?P<domain>[\w-]+(?:\.[\w-]+)+)\s*>?"""
    r"""(?:\s*\((?P<behind>.{0,200})\))?\s*""",
    re.S,
)


def is_message(header: Header) -> bool:
    """Whether this looks like a message, not like a piece of text or a file of another kind."""
    return not header.too_big and any(header.count(name) for name in _USUAL_FIELDS)


def read_archived_author(header: Header) -> Mailbox | None:
    """The author, the first of several; an address that the archive had hidden (`gwen at example.net`) is put together again."""
    author = read_author(header)
    body = header.first("from")
    if author is not None or body is None:
        return author
    several = read_mailboxes(body)
    if several:
        return several[0]
    text = _DOT.sub(".", decode_text(body, 1000))
    match = _HIDDEN.fullmatch(text)
    address = parse_address(f"{match['local']}@{match['domain']}") if match else None
    if match is None or address is None:
        return None
    return Mailbox((match["before"] or match["behind"] or "").strip().strip('"'), address)


def read_author_name(header: Header) -> str:
    """What a From field that names nobody readable says all the same, to be shown."""
    return decode_text(header.first("from") or b"", 400).replace("<", " ").replace(">", " ").strip()


def written_at(header: Header, date: datetime | None, *, now: datetime, kept: datetime | None = None) -> datetime | None:
    """When an archived message was written: its Date, or where that cannot be true, what the servers noted.

    A date cannot be true that lies in the future, before there was mail, more than a day after the last server had the
    message, or more than a year before the first had it (a clock that was never set). Then the first server's Received
    field counts (RFC 5321 §4.4), then `kept`, the moment that the archive's own separator names.
    """
    latest = now + _DAY
    traces = header.all("received")
    first, last = (_received_at(traces[-1]), _received_at(traces[0])) if traces else (None, None)
    if date is not None and date.year >= _BEFORE_MAIL and date <= latest:
        too_late = last is not None and date > last + _DAY
        too_early = first is not None and date < first - _YEAR
        if not too_late and not too_early:
            return date
    for noted in (first, last, kept):
        if noted is not None and noted.year >= _BEFORE_MAIL and noted <= latest:
            return noted
    return None


def _received_at(body: bytes) -> datetime | None:
    return read_date(body.rpartition(b";")[2])

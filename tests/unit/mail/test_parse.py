"""What the fields of a message say; bad mail yields defects, not exceptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.parse import parse_message, read_date

DATE_PIECES = (
    "Mon, ", "2 ", "Mar ", "26", "2026 ", "0026", "09:", ":", "12", "60", "+", "-", "0100", "9999", "GMT", "PM", "(", ")", "Z", "T",
    "-03-", "\x00",
)  # fmt: skip
HEAD = (
    b"From: Gwen Pritchard <gwen@example.net>\r\nTo: toolshare@lists.example.org\r\nSubject: Damp\r\n"
    b"Date: Mon, 2 Mar 2026 09:12:00 +0100\r\nMessage-ID: <a@example.net>\r\n"
)


def test_a_proper_message_has_no_defects() -> None:
    """Author, recipients, subject, moment and ids, and nothing to complain of."""
    message = parse_message(HEAD + b"Cc: Tom <tom@example.net>\r\nIn-Reply-To: <b@example.net>\r\n\r\nHello.\r\n")

    assert message.author is not None
    assert (message.author.name, str(message.author.address)) == ("Gwen Pritchard", "gwen@example.net")
    assert [str(box.address) for box in (*message.to, *message.cc)] == ["toolshare@lists.example.org", "tom@example.net"]
    assert message.subject == "Damp"
    assert message.date == datetime(2026, 3, 2, 8, 12, tzinfo=UTC)
    assert (message.ids.message_id, message.ids.in_reply_to) == ("<a@example.net>", ("<b@example.net>",))
    assert message.defects == ()


@pytest.mark.parametrize(
    ("raw", "defects"),
    [
        (b"", ["no From field", "no Date field", "no Message-ID field"]),
        (b"\r\n\r\nOnly a body.\r\n", ["no From field", "no Date field", "no Message-ID field"]),
        (HEAD + b"From: tom@example.net\r\n\r\n", ["not exactly one readable author", "several from fields"]),
        (HEAD + b"Subject: x\r\nDate: y\r\n\r\n", ["several subject fields", "several date fields"]),
        (HEAD + b"To: (\r\n\r\n", ["the to field cannot be read"]),
        (HEAD + b"Cc: Tom <tom@\r\n\r\n", ["the cc field cannot be read"]),
        (HEAD + b"no field\r\n\r\n", ["the header section stops at a line that is no field"]),
        (
            HEAD + b"X: y\r\n" * 1_000 + b"\r\n",
            ["the header section stops at a line that is no field", "the header section is too big"],
        ),
    ],
)
def test_what_was_wrong_is_said(raw: bytes, defects: list[str]) -> None:
    """In words, once each, in the order in which they were met."""
    assert list(parse_message(raw).defects) == defects


@pytest.mark.parametrize(
    ("body", "moment"),
    [
        (b"Mon, 2 Mar 2026 09:12:00 +0100", "2026-03-02T08:12:00+00:00"),
        (b"2 Mar 2026 09:12 +0000", "2026-03-02T09:12:00+00:00"),
        (b"Mon,  2 Mar 2026  09:12:00 -0330 (NST)", "2026-03-02T12:42:00+00:00"),
        (b"Mon, 2 Mar 2026 09:12:00 -0000", "2026-03-02T09:12:00+00:00"),
        (b"Mon, 2 Mar 2026 09:12:00", "2026-03-02T09:12:00+00:00"),
        (b"Mon, 2 Mar 2026 09:12:00 PST", "2026-03-02T17:12:00+00:00"),
        (b"Mon, 2 Mar 2026 09:12:00 Nowhere", "2026-03-02T09:12:00+00:00"),
        (b"Monday, 02-Mar-26 09:12:00 GMT", "2026-03-02T09:12:00+00:00"),
        (b"Mon Mar  2 09:12:00 2026", "2026-03-02T09:12:00+00:00"),
        (b"Sun, 1 Mar 99 09:12:00 GMT", "1999-03-01T09:12:00+00:00"),
        (b"Mon, 2 Mar 2026 24:00:00 +0000", None),
        (b"Mon, 2 Mar 2026 12:05 AM +0000", "2026-03-02T00:05:00+00:00"),
        (b"Mon, 2 Mar 2026 12:05 p.m. +0000", "2026-03-02T12:05:00+00:00"),
        (b"2026-03-02 09:12:00", "2026-03-02T09:12:00+00:00"),
        (b"2026-03-02T09:12:00Z", "2026-03-02T09:12:00+00:00"),
        (b"Fri, 31 Dec 9999 23:59:59 -0100", None),
        (b"Mon, 2 Mar 0001 00:00:00 +0100", "2001-03-01T23:00:00+00:00"),
        (b"yesterday", None),
        (b"", None),
        (b"\xff\x00", None),
        (None, None),
    ],
)
def test_dates(body: bytes | None, moment: str | None) -> None:
    """RFC 5322 §3.3 and §4.3, and what programs write; a moment in UTC, or none."""
    found = read_date(body)

    assert (found.isoformat() if found else None) == moment


@given(
    st.datetimes(datetime(1972, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001  # its zone is drawn beside it
    st.integers(-23 * 60, 23 * 60),
)
def test_every_proper_date_is_read_back(moment: datetime, minutes: int) -> None:
    """To the second, whatever the zone."""
    zoned = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))

    assert read_date(format_datetime(zoned).encode()) == zoned


@given(st.lists(st.sampled_from(DATE_PIECES)).map("".join))
def test_any_date_is_a_moment_in_utc_or_none(text: str) -> None:
    """Never raises; never naive, never before there was mail."""
    found = read_date(text.encode())

    assert found is None or (found.utcoffset() == timedelta(0) and found.year >= 1971)


def test_many_recipients_are_cut_at_the_limit() -> None:
    """32 KB of To are read, whole addresses only, several fields as one."""
    fields = b"To: " + b", ".join(b"member%05d@example.net" % number for number in range(2_000)) + b"\r\n"

    message = parse_message(HEAD.replace(b"To: toolshare@lists.example.org\r\n", fields) + b"\r\n")

    assert 1_300 < len(message.to) < 1_500
    assert all(str(box.address).endswith("@example.net") for box in message.to)


def test_a_long_subject_is_cut() -> None:
    """2 KB, the space behind the colon among them, not ending inside a character."""
    message = parse_message(HEAD.replace(b"Damp", "ä".encode() * 3_000) + b"\r\n")

    assert message.subject == "ä" * 1_023

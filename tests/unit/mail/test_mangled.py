"""What archives did to messages, undone as far as it can be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from listserver.mail.headers import read_header
from listserver.mail.mangled import is_message, read_archived_author, read_author_name, written_at
from listserver.mail.parse import read_date

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def head(*fields: str) -> bytes:
    """A header section."""
    return "".join(field + "\n" for field in fields).encode() + b"\n"


@pytest.mark.parametrize(
    ("field", "name", "address"),
    [
        ("gwen at example.net (Gwen Pritchard)", "Gwen Pritchard", "gwen@example.net"),
        ("gwen at example.net", "", "gwen@example.net"),
        ("gwen at example.net (=?utf-8?q?J=C3=B6rg?=)", "Jörg", "gwen@example.net"),
        ("Gwen Pritchard <gwen at example.net>", "Gwen Pritchard", "gwen@example.net"),
        ('"Pritchard, Gwen" <gwen at example.net>', "Pritchard, Gwen", "gwen@example.net"),
        ("gwen en example.net (Gwen)", "Gwen", "gwen@example.net"),
        ("gwen [at] example [dot] net", "", "gwen@example.net"),
        ("Gwen <gwen&#64;example.net>", "Gwen", "gwen@example.net"),
        ("gwen@example.net (Gwen)", "Gwen", "gwen@example.net"),
        ("gwen@example.net, ann@example.net", "", "gwen@example.net"),
    ],
)
def test_a_hidden_address_is_put_together(field: str, name: str, address: str) -> None:
    """However the archive hid it; one that was not hidden is read as in any mail."""
    author = read_archived_author(read_header(head(f"From: {field}")))

    assert author is not None
    assert (author.name, str(author.address)) == (name, address)


@pytest.mark.parametrize("field", ["Gwen Pritchard", "root of all evil", "gwen at localhost", ""])
def test_a_name_without_an_address_stays_a_name(field: str) -> None:
    """Nothing is made up; what is there is shown."""
    header = read_header(head(f"From: {field}"))

    assert read_archived_author(header) is None
    assert read_author_name(header) == field


TRACES = (
    "Received: from b by c; Mon, 01 Mar 2010 10:10:00 +0000",
    "Received: from a by b; Mon, 01 Mar 2010 10:00:00 +0000",
)


@pytest.mark.parametrize(
    ("date", "traces", "written"),
    [
        ("Mon, 01 Mar 2010 09:58:00 +0000", TRACES, "2010-03-01 09:58"),
        ("Mon, 01 Mar 2010 09:58:00 +0000", (), "2010-03-01 09:58"),
        ("Wed, 01 Jan 1975 00:00:00 +0000", TRACES, "2010-03-01 10:00"),
        ("Sat, 01 Jan 2000 00:00:00 +0000", TRACES, "2010-03-01 10:00"),
        ("Wed, 10 Mar 2010 00:00:00 +0000", TRACES, "2010-03-01 10:00"),
        ("Fri, 01 Mar 2030 00:00:00 +0000", TRACES, "2010-03-01 10:00"),
        ("nonsense", TRACES, "2010-03-01 10:00"),
        ("nonsense", (), "2010-03-02 08:00"),
        ("Fri, 01 Mar 2030 00:00:00 +0000", ("Received: nowhere",), "2010-03-02 08:00"),
    ],
)
def test_a_date_that_cannot_be_true_is_replaced(date: str, traces: tuple[str, ...], written: str) -> None:
    """By what the first server noted, then by the separator of the file."""
    header = read_header(head(f"Date: {date}", *traces))

    found = written_at(header, read_date(header.first("date")), now=NOW, kept=datetime(2010, 3, 2, 8, tzinfo=UTC))

    assert f"{found:%Y-%m-%d %H:%M}" == written


def test_nothing_is_known_of_the_time() -> None:
    """Then nothing is said."""
    assert written_at(read_header(head("Subject: a")), None, now=NOW) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (head("Subject: a"), True),
        (head("From: a@b"), True),
        (head("Note: a"), False),
        (b"just text\n", False),
        (b"", False),
        (b"\x00\x01\x02", False),
        (b"Subject: " + b"x" * 200_000, False),
    ],
)
def test_what_looks_like_a_message(raw: bytes, expected: bool) -> None:
    """One of the usual fields, in a header section of a size that can be read."""
    assert is_message(read_header(raw)) is expected

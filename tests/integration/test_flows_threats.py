"""Hostile mail at a list: what it becomes, on record; the parsers' own limits are in `tests/unit/mail`."""

from __future__ import annotations

import pytest

from listserver.mail.headers import read_header
from listserver.store.engine import Database
from tests.integration.desk import LIST, Desk, open_desk

HEAD = b"From: Gwen <gwen@example.net>\r\nTo: " + LIST.encode() + b"\r\nSubject: Damp\r\nMessage-ID: <a@example.net>\r\n"


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    """A list of two."""
    made = open_desk(sqlite_database)
    made.join("gwen@example.net", "tom@example.net")
    return made


def _nested(levels: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(levels))
    return HEAD + opened + b"\r\nHello.\r\n" + b"".join(b"--b%d--\r\n" % at for at in reversed(range(levels)))


def _parts(count: int) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (_nested(101), "it has more parts than any mail program writes"),
        (_nested(400), "it has more parts than any mail program writes"),
        (_parts(1_001), "it has more parts than any mail program writes"),
        (HEAD + b"X: y\r\n" * 1_001 + b"\r\nHello.\r\n", "its header is longer than any mail program writes"),
        (HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\nHello.\r\n", "its header is longer than any mail program writes"),
    ],
    ids=["101 levels", "400 levels", "1,001 parts", "1,001 fields", "100 KB of header"],
)
def test_a_mail_bomb_is_held(desk: Desk, raw: bytes, detail: str) -> None:
    """What is beyond the limits waits for a person, unopened; nobody gets it, and its writer is not answered."""
    (row,) = desk.receive(raw)

    assert (row.state, row.detail) == ("held", detail)
    assert desk.deliver() == []


@pytest.mark.parametrize(
    "raw", [_nested(99), _parts(900), HEAD + b"X: y\r\n" * 900 + b"\r\nHello.\r\n"], ids=["levels", "parts", "fields"]
)
def test_what_is_within_the_limits_is_posted(desk: Desk, raw: bytes) -> None:
    """Strange mail is mail."""
    (row,) = desk.receive(raw)

    assert row.state == "posted"


@pytest.mark.parametrize(
    "author",
    [
        b"From: gwen@example.net\r\nFrom: tom@example.net\r\n",
        b"From: gwen@example.net, tom@example.net\r\n",
        b"From: Gwen: gwen@example.net;\r\n",
        b"From: gwen@example.net <tom@example.net>\r\n",
        b"From: <@relay.example.com:gwen@example.net>\r\n",
        b"From: gwen(x)@example.net\r\n",
        b'From: "gwen\x00"@example.net\r\n',
        b"",
    ],
)
def test_a_post_without_exactly_one_author_is_held(desk: Desk, author: bytes) -> None:
    """Two programs would show two people: nobody is believed, nobody is answered."""
    (row,) = desk.receive(author + HEAD.partition(b"\r\n")[2] + b"\r\nHello.\r\n")

    assert (row.state, row.detail) == ("held", "we could not see who wrote it")
    assert desk.deliver() == []


@pytest.mark.parametrize(
    "subject",
    [
        b"=?utf-8?Q?Damp=0D=0ABcc:_victim=40example.com?=",
        b"=?utf-8?B?RGFtcA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5jb20=?=",
        b"Damp\r\n =?utf-8?Q?=0ABcc:_victim=40example.com?=",
        b"Damp \xe2\x80\xa8Bcc: victim@example.com",
        b"Damp \rBcc: victim@example.com",
    ],
)
def test_a_subject_brings_no_field_along(desk: Desk, subject: bytes) -> None:
    """Not into copies, nor into the notice that quotes it: line ends in encoded words are never more than text."""
    desk.set(post="moderated", subject_prefix="[Tools]")
    desk.receive(HEAD.replace(b"Damp", subject) + b"\r\nHello.\r\n")

    told = desk.deliver()

    assert told
    assert all(read_header(left.raw).count("bcc") == 0 for left in told)
    assert all(left.recipient != "victim@example.com" for left in told)


def test_a_report_type_of_control_characters_can_be_recorded(desk: Desk) -> None:
    """What a stranger writes into a parameter does not get into the reason, which databases would refuse."""
    (row,) = desk.receive(HEAD + b'Content-Type: multipart/report; report-type="x\x00y"; boundary=b\r\n\r\n--b--\r\n')

    assert (row.state, row.detail) == ("ignored", "automatic mail: report")

"""Who wrote it, a person or a machine, and whether another list sent it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.automatic import WEAK_SUBJECTS, Signs, read_signs
from listserver.mail.headers import read_header

OWN = frozenset(("toolshare.lists.example.org",))
TOKENS = (
    b"List-Id: ", b"Auto-Submitted: ", b"From: ", b"Content-Type: multipart/report; report-type=", b"<", b">", b"(", b"\r\n", b"\x00",
    b"a@b", b"\xff",
)  # fmt: skip
PERSON = b"From: Gwen <gwen@example.net>\r\nSubject: Damp\r\n"


def signs(fields: bytes = b"", *, reverse_path: str = "gwen@example.net", subject: str = "Damp", body: bytes = b"") -> Signs:
    """The signs of a person's mail with these fields besides."""
    raw = PERSON + fields + b"\r\n" + body
    return read_signs(read_header(raw), reverse_path, subject, OWN, raw=raw)


def test_a_persons_mail_has_none() -> None:
    """Nothing strong, nothing weak, no list."""
    assert signs() == Signs()
    assert not signs().is_automatic


@pytest.mark.parametrize(
    ("fields", "strong"),
    [
        (b"Auto-Submitted: auto-generated\r\n", "Auto-Submitted"),
        (b"Auto-Submitted: (x) auto-replied; a=b\r\n", "Auto-Submitted"),
        (b"Auto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n", "Auto-Submitted"),
        (b"Precedence: junk\r\n", "Precedence"),
        (b"Precedence:\r\n auto_reply\r\n", "Precedence"),
        (b"X-Autorespond: x\r\n", "x-autorespond"),
        (b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", "delivery-status"),
        (b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n", "feedback-report"),
        (b"Content-Type: multipart/report; boundary=b\r\n", "report"),
        (b'Content-Type: multipart/report; report-type="a\x00b c"; boundary=b\r\n', "report"),
        (b"Content-Type: text/calendar; method=REPLY\r\n", "calendar reply"),
    ],
)
def test_strong_signs(fields: bytes, strong: str) -> None:
    """Standards and habits of machines; such mail is never answered and never distributed."""
    found = signs(fields)

    assert found.strong == (strong,)
    assert found.is_automatic


@pytest.mark.parametrize(
    "fields",
    [
        b"Auto-Submitted: no\r\n",
        b"Auto-Submitted:\r\n",
        b"Precedence: first-class\r\n",
        b"X-Auto-Response-Suppress: All\r\n",
        b"X-Mailer: autoreply\r\n",
        b"Content-Type: text/calendar; method=REQUEST\r\n",
        b"Content-Type: multipart/mixed; report-type=delivery-status\r\n",
    ],
)
def test_no_signs(fields: bytes) -> None:
    """What people's programs write as well."""
    assert signs(fields) == Signs()


def test_the_null_reverse_path_is_a_sign() -> None:
    """RFC 3834 §2: never answered."""
    assert signs(reverse_path="").strong == ("null sender",)


def test_a_calendar_reply_inside_of_a_mail_is_found() -> None:
    """In the first 64 KB of a multipart, folded or not."""
    kind = b"Content-Type: multipart/alternative; boundary=b\r\n"
    answer = b"--b\r\nContent-Type: text/calendar;\r\n charset=utf-8; method=REPLY\r\n\r\n"

    assert signs(kind, body=answer).strong == ("calendar reply",)
    assert signs(b"", body=answer).strong == ()
    assert signs(kind, body=b"x\r\n" * 30_000 + answer).strong == ()


@pytest.mark.parametrize(
    ("author", "strong", "weak"),
    [
        (b"MAILER-DAEMON@mx.example.net", True, False),
        (b"Mail Delivery System <Mailer-Daemon@mx.example.net>", True, False),
        (b"MAILER-DAEMON (Mail Delivery System)", True, False),
        (b"<>", False, False),
        (b"postmaster@example.net", False, True),
        (b"No-Reply+17@example.net", False, True),
        (b"Noreply Bob <bob@example.net>", False, False),
        (b'"mailer-daemon" <bob@example.net>', False, False),
    ],
)
def test_authors_that_are_machines(author: bytes, strong: bool, weak: bool) -> None:
    """By the local part, however the field is written; a name proves nothing."""
    found = read_signs(read_header(b"From: " + author + b"\r\n\r\n"), "x@example.net", "Damp", OWN)

    assert (bool(found.strong), bool(found.weak)) == (strong, weak)


@pytest.mark.parametrize(
    "subject", [*WEAK_SUBJECTS, "Out of office: back on Monday", "AUTO: away", "Absence", "  Automatic reply: Damp"]
)
def test_subjects_of_machines_are_weak_signs(subject: str) -> None:
    """In any case, and followed by something that is no letter."""
    for text in (subject, subject.upper(), f"{subject}: Damp"):
        assert signs(subject=text).weak, text
        assert not signs(subject=text).strong


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Out of office",
        "Absence of a key",
        "Autos",
        "Automatic irrigation",
        "Out of officers",
        "Abwesende Mitglieder",
        "",
        "auto repair",
    ],
)
def test_subjects_of_people(subject: str) -> None:
    """The same words in a sentence, and an answer to a machine."""
    assert not signs(subject=subject).is_automatic


@pytest.mark.parametrize(
    ("fields", "foreign", "own"),
    [
        (b"List-Id: <other.example.com>\r\n", True, False),
        (b"List-Id: Tool Share <ToolShare.lists.example.org>\r\n", False, True),
        (b"List-Id: <  toolshare.lists.example.org  >\r\n", False, True),
        (b"List-Id: toolshare.lists.example.org\r\n", False, True),
        (b"List-Id: <toolshare.lists.example.org>\r\nList-Id: <other.example.com>\r\n", True, True),
        (b"List-Post: <mailto:x@example.com>\r\n", True, False),
        (b"Precedence: list\r\n", True, False),
        (b"X-Listserver-Loop: toolshare.lists.example.org\r\n", False, True),
        (b"X-Listserver-Loop: other.example.com\r\n", False, False),
    ],
)
def test_lists(fields: bytes, foreign: bool, own: bool) -> None:
    """Another list's marks make it foreign; our own mark or id make it a loop."""
    found = signs(fields)

    assert (found.foreign_list, found.own_mark) == (foreign, own)


@given(st.lists(st.sampled_from(TOKENS), max_size=20).map(b"".join), st.text(max_size=20))
def test_reading_never_raises(fields: bytes, subject: str) -> None:
    """And its words can stand in a log and in a database."""
    found = signs(fields, subject=subject)

    assert all(word.isprintable() for word in (*found.strong, *found.weak))

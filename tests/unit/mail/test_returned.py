"""Mail that came back: what each form weighs, that posts about it are none of it, and that nothing breaks the reader."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail import known_forms
from listserver.mail.headers import read_header
from listserver.mail.refusal import weigh_refusal
from listserver.mail.returned import Returned, read_returned
from tests.unit.mail.returned_samples import ORIGINAL, SAMPLES, Sample


def read(raw: bytes, **how: object) -> Returned | None:
    return read_returned(raw, read_header(raw), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_came_back_is_weighed_as_a_person_would(sample: Sample) -> None:
    """Weight, reason and recipient of each form, at our return-path."""
    found = read(sample.raw, reverse_path="", expected=True)

    assert found is not None
    assert (found.weight, found.reason) == (sample.weight, sample.reason)
    assert found.recipient == sample.recipient or sample.weight == "auto-reply"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.weight != "auto-reply"], ids=lambda sample: sample.name)
def test_a_post_that_tells_of_it_is_none(sample: Sample) -> None:
    """Somebody shows the list what came back: that is a post, quoted or pasted, under any subject."""
    head, _blank, body = sample.raw.decode().partition("\n\n")
    subject = next(line for line in head.splitlines() if line.startswith("Subject:"))
    quoted = "\n".join("> " + line for line in body.splitlines())
    for text in (f"I got this, what does it mean?\n\n{quoted}\n", f"Look:\n\n{body}\n"):
        raw = f"From: Gwen <gwen@example.net>\nTo: toolshare@lists.example.org\n{subject}\nIn-Reply-To: <a@b>\n\n{text}".encode()

        assert read(raw) is None
        assert read(raw, reverse_path="gwen@example.net") is None


def test_a_list_that_passed_one_on_makes_it_a_post() -> None:
    """What another list distributed is a post of theirs, unless it comes to our own return-path."""
    raw = b"List-Id: <other.example.org>\n" + SAMPLES[0].raw

    assert read(raw) is None
    assert read(raw, expected=True) is not None


@pytest.mark.parametrize(
    ("kind", "is_complaint"), [("abuse", True), ("opt-out", True), ("not-spam", False), ("auth-failure", False)]
)
def test_a_complaint_is_a_persons_doing(kind: str, is_complaint: bool) -> None:
    """“This is spam” is a complaint, a failed check and “this is no spam” are not (RFC 5965 §3.1, RFC 6591)."""
    raw = f"""From: feedback@example.net
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain

This is an email abuse report.

--B
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Example/1
Version: 1
Original-Rcpt-To: <gwen@example.net>

--B
Content-Type: message/rfc822

{ORIGINAL}
--B--
""".encode()
    found = read(raw, expected=True)

    assert (found is not None and found.weight == "complaint") is is_complaint
    assert not is_complaint or (found is not None and found.recipient == "gwen@example.net")


def test_a_report_inside_of_a_mail_is_opened_once() -> None:
    """Some systems send a report on as the only part of a mail of theirs."""
    raw = (
        b'From: postmaster@example.net\nSubject: Mail\nContent-Type: multipart/mixed; boundary="X"\n\n--X\nContent-Type: message/rfc822\n\n'
        + SAMPLES[0].raw
        + b"\n--X--\n"
    )

    found = read(raw)

    assert found is not None
    assert (found.weight, found.read_by) == ("hard", "report")


def test_of_several_recipients_ours_counts() -> None:
    """A report about several addresses says of each what became of it."""
    raw = SAMPLES[0].raw.replace(
        b"Reporting-MTA: dns; mx.example.net\n",
        b"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; tom@example.net\nAction: delayed\nStatus: 4.2.2\n",
    )

    found = read(raw, about="Tom@Example.net")

    assert found is not None
    assert (found.weight, found.reason, found.recipient) == ("delayed", "full", "tom@example.net")


def test_an_address_in_utf_8_is_decoded() -> None:
    """Internationalised reports name addresses with escapes (RFC 6533 §3)."""
    raw = SAMPLES[0].raw.replace(b"rfc822; gwen@example.net", b"utf-8; gw\\x{EB}n@example.net")

    found = read(raw)

    assert found is not None
    assert found.recipient == "gwën@example.net"


@pytest.mark.parametrize(
    ("said", "status", "weight"),
    [
        ("550 mailbox unavailable", "", "hard"),
        ("452 4.2.2 The recipient's inbox is out of storage space", "", "soft"),
        ("421 4.7.0 Try again later, closing connection", "", "policy"),
        ("550 5.7.1 Relaying denied", "", "policy"),
        ("Connection refused", "", "soft"),
        ("550 See https://example.net/spam/blocked?u=unknown", "5.1.1", "hard"),
        ("5.1.1 <spam-and-blocklist@example.net> User unknown", "", "hard"),
        ("", "5.2.1", "hard"),
        ("", "4.3.0", "soft"),
        ("", "", "hard"),
    ],
)
def test_plain_words_beat_codes_and_codes_beat_silence(said: str, status: str, weight: str) -> None:
    """Words in addresses and URLs say nothing."""
    assert weigh_refusal(said, status=status)[0] == weight


@given(st.binary(max_size=400), st.sampled_from(SAMPLES), st.integers(0, 2000))
def test_nothing_breaks_the_reader(noise: bytes, sample: Sample, where: int) -> None:
    """Whatever arrives is read or is not; nothing is raised."""
    raw = sample.raw[:where] + noise + sample.raw[where:]

    for expected in (False, True):
        found = read(raw, expected=expected, reverse_path="")
        assert found is None or len(found.detail) <= 400


@pytest.mark.parametrize(
    "body",
    [
        "550 " * 200_000,
        "<gwen@example.net>: " * 40_000,
        "a@" * 300_000,
        "x" * 900_000,
        "\n".join(["Final-Recipient: rfc822; g@example.net"] * 40_000),
        "\n" * 400_000,
        "https://" * 100_000,
        "(" * 300_000,
    ],
    ids=["codes", "addresses", "ats", "one line", "recipients", "lines", "urls", "brackets"],
)
def test_a_long_mail_costs_little(body: str) -> None:
    """Limits stand before every reader: a megabyte of anything is read in a moment."""
    for kind in ("text/plain", "text/html", "message/delivery-status"):
        raw = f"From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: {kind}\n\ncould not be delivered\n{body}".encode()
        begin = time.process_time()
        read(raw, expected=True, reverse_path="")
        assert time.process_time() - begin < 0.5


def test_what_the_foreign_detectors_raise_stays_inside() -> None:
    """A field that is no ASCII makes one of flufl.bounce's detectors fail; that is nothing to us."""
    raw = (
        "From: MAILER-DAEMON@example.net\nSubject: x\nContent-Type: text/plain\nContent-Description: Ünzustellbar\n\nx\n".encode(
            "latin-1"
        )
    )

    assert known_forms.find_failures(raw, read_header(raw)) == ((), False)

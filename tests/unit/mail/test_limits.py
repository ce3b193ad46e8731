"""No mail keeps a core busy: limits come before every parser, and what is within them is read in linear time.

Each input is one that costs a quadratic parser more than ten seconds (Python's own `email` with its default policy takes
14 to 24 for the first ones); the bound is generous, because machines differ, and far from that.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from datetime import date

import pytest

from listserver.lists.wordreading import Context, Reader
from listserver.mail.address import read_mailboxes
from listserver.mail.authresults import read_results
from listserver.mail.automatic import read_signs
from listserver.mail.bodytext import MAX_TEXT, read_body
from listserver.mail.charsets import decode_bytes
from listserver.mail.compose import compose
from listserver.mail.dkim import canonical_body, covered_fields, header_input, read_tags
from listserver.mail.dsn import read_report
from listserver.mail.flowed import flow, unflow
from listserver.mail.headers import decode_text, decode_words, edit, read_header
from listserver.mail.htmltext import html_to_text
from listserver.mail.mbox import read_mbox
from listserver.mail.message_id import read_ids, read_message_id
from listserver.mail.mime import MAX_PARTS, read_parameters, read_parts
from listserver.mail.parse import parse_message, read_date
from listserver.mail.quoting import split_text
from listserver.mail.reply import parse_reply
from listserver.mail.subject import base_subject
from listserver.render.languages import read_vocabulary

LONGEST = 1.0  # seconds of CPU
HEAD = b"From: gwen@example.net\r\nTo: toolshare@lists.example.org\r\nSubject: Damp\r\nMIME-Version: 1.0\r\n"


def read_whole(raw: bytes) -> None:
    """Everything that is done to a mail before anybody decides about it."""
    message = parse_message(raw)
    body = read_body(raw, message.header)
    read_signs(message.header, "gwen@example.net", message.subject, raw=raw)
    read_report(raw, message.header)
    edit(raw, message.header, remove=("received",), append=b"X: y\r\n")
    assert len(body.text) <= MAX_TEXT


def of_type(content_type: bytes, content: bytes, encoding: bytes = b"7bit") -> bytes:
    """A mail of this type."""
    return HEAD + b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + content


def nested(levels: int, padding: bytes = b"") -> bytes:
    """Multiparts within each other, `levels` deep, each with a boundary of its own."""
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n%s--b%d\r\n" % (level, padding, level) for level in range(levels)
    )
    return HEAD + opened + b"\r\nAt the bottom.\r\n" + b"".join(b"--b%d--\r\n" % level for level in reversed(range(levels)))


HEADERS: dict[str, Callable[[], bytes]] = {
    "To of 50 KB of commas": lambda: HEAD + b"To: " + b"," * 50_000 + b"\r\n\r\n",
    "Cc of 50 KB of open comments": lambda: HEAD + b"Cc: " + b"(" * 50_000 + b"\r\n\r\n",
    "Cc of five thousand addresses": lambda: HEAD + b"Cc: " + b"g@example.net, " * 5_000 + b"\r\n\r\n",
    "Cc of ten thousand empty groups": lambda: HEAD + b"Cc: " + b"x:;," * 10_000 + b"\r\n\r\n",
    "From of 90 KB of quotes": lambda: b"From: " + b'"\\' * 45_000 + b"\r\n\r\n",
    "a thousand From fields": lambda: b"From: gwen@example.net\r\n" * 1_000 + b"\r\n",
    "Content-Type with 25 KB of semicolons": lambda: of_type(b"text/plain" + b";" * 25_000, b"x"),
    "Content-Type with four thousand parameters": lambda: of_type(b"text/plain; " + b"a=b; " * 4_000, b"x"),
    "Content-Type with 90 KB of pieces of one": lambda: of_type(
        b"text/plain; " + b"; ".join(b"name*%d*=a" % number for number in range(7_000)), b"x"
    ),
    "Content-Type with 90 KB of escapes": lambda: of_type(b'text/plain; name="' + b"\\" * 90_000, b"x"),
    "References of 90 KB of open brackets": lambda: HEAD + b"References: " + b"<" * 90_000 + b"\r\n\r\n",
    "References of 90 KB without brackets": lambda: HEAD + b"References: " + b"a@b " * 22_000 + b"\r\n\r\n",
    "In-Reply-To of 90 KB of quotes": lambda: HEAD + b"In-Reply-To: " + b'<"' * 45_000 + b"\r\n\r\n",
    "Subject of encoded words": lambda: HEAD + b"Subject: " + b"=?utf-8?q?a?= " * 7_000 + b"\r\n\r\n",
    "Subject of encoded words without end": lambda: HEAD + b"Subject: " + b"=?utf-8?q?" * 9_000 + b"\r\n\r\n",
    "Date of 90 KB": lambda: HEAD + b"Date: Mon, " + b"1:" * 45_000 + b"\r\n\r\n",
    "90 list ids of white space": lambda: (b"List-Id: <" + b" " * 980 + b"x\r\n") * 90 + HEAD + b"\r\n",
    "Cc of a comment of open quotes": lambda: HEAD + b'Cc: a@example.net ("' + b'\\"' * 16_000 + b")\r\n\r\n",
    "a line of 200 KB": lambda: HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
    "a line of 10 MB": lambda: HEAD + b"X: " + b"a" * 10_000_000 + b"\r\n\r\n",
    "10 MB of continuation lines": lambda: HEAD + b"X: a\r\n" + b" \r\n" * 3_300_000,
    "two million fields": lambda: HEAD + b"X: y\r\n" * 2_000_000,
    "a word of 10 MB": lambda: b"a" * 10_000_000,
    "a name over the limit, and 10 MB of continuation lines": lambda: (
        b"X: " + b"y" * 99_900 + b"\r\n" + b"Z" * 300 + b": a" + b"\n " * 4_000_000
    ),
    "10 MB of colons": lambda: b":" * 10_000_000,
}

BODIES: dict[str, Callable[[], bytes]] = {
    "400 levels": lambda: nested(400),
    "400 levels, in 10 MB": lambda: nested(400, b"-\n" * 12_000),
    "400 levels of boundary-like lines, in 10 MB": lambda: nested(400, b"--b\n" * 6_000),
    "fifty thousand parts": lambda: of_type(b"multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" * 50_000 + b"--b--\r\n"),
    "two million boundaries": lambda: of_type(b"multipart/mixed; boundary=b", b"--b\n" * 2_000_000),
    "two million nearly boundaries": lambda: of_type(b"multipart/mixed; boundary=b", b"--bb\n" * 2_000_000),
    "a thousand multiparts without parts": lambda: of_type(
        b"multipart/mixed; boundary=b", b"--b\nContent-Type: multipart/mixed\n\n--x\n" * 1_000
    ),
    "a thousand alternatives": lambda: of_type(
        b"multipart/alternative; boundary=b", b"--b\nContent-Type: text/html\n\n<p>x\n" * 1_000 + b"--b--\n"
    ),
    "a thousand attachments": lambda: of_type(
        b"multipart/mixed; boundary=b", b"--b\nContent-Type: image/png; name=x\n\n" * 1_000 + b"--b--\n"
    ),
    "10 MB of text": lambda: of_type(b"text/plain; charset=utf-8", b"a b\r\n" * 2_000_000),
    "a line of 10 MB": lambda: of_type(b"text/plain; charset=utf-8", b"a" * 10_000_000),
    "10 MB of carriage returns": lambda: of_type(b"text/plain", b"\r" * 10_000_000),
    "10 MB of flowed spaces": lambda: of_type(b"text/plain; format=flowed", b" \r\n" * 3_300_000),
    "10 MB of flowed quotes": lambda: of_type(b"text/plain; format=flowed; delsp=yes", b"> " * 4_000_000),
    "10 MB of base64": lambda: of_type(b"text/plain", b"YWJj" * 2_500_000, b"base64"),
    "10 MB of padded base64": lambda: of_type(b"text/plain", b"YQ==" * 2_500_000, b"base64"),
    "10 MB of padding": lambda: of_type(b"text/plain", b"=" * 10_000_000, b"base64"),
    "10 MB of base64 lines with junk": lambda: of_type(b"text/plain", (b"YWJj" * 19 + b"!\n") * 130_000, b"base64"),
    "10 MB of quoted-printable": lambda: of_type(b"text/plain", b"=3D" * 3_300_000, b"quoted-printable"),
    "10 MB of soft breaks with spaces": lambda: of_type(b"text/plain", b"= \n" * 3_300_000, b"quoted-printable"),
    "a soft break and 10 MB of spaces": lambda: of_type(b"text/plain", b"=" + b" " * 10_000_000, b"quoted-printable"),
    "10 MB in HZ": lambda: of_type(b"text/plain; charset=hz-gb-2312", b"~{<:~}" * 1_600_000),
    "10 MB in ISO-2022-JP": lambda: of_type(b"text/plain; charset=iso-2022-jp", b"\x1b$B\x1b(B" * 1_600_000),
    "10 MB of enriched text": lambda: of_type(b"text/enriched", b"<bold" * 2_000_000),
    "10 MB that look like calendars": lambda: of_type(
        b"multipart/mixed; boundary=b", b"Content-Type: text/calendar; a\n \n" * 300_000
    ),
    "a report of a million blank lines": lambda: of_type(
        b"multipart/report; report-type=delivery-status; boundary=b",
        b"--b\nContent-Type: message/delivery-status\n\n" + b"\n" * 1_000_000,
    ),
    "a report of a hundred thousand recipients": lambda: of_type(
        b"multipart/report; report-type=delivery-status; boundary=b",
        b"--b\nContent-Type: message/delivery-status\n\n" + b"Final-Recipient: rfc822; a@b\n\n" * 100_000,
    ),
}

HTML: dict[str, Callable[[], str]] = {
    "80,000 nested div": lambda: "<div>" * 80_000,
    "div that closing tags hide": lambda: "<div></b>" * 50_000,
    "formatting without end": lambda: "".join(f"<b {number}>" for number in range(60_000)),
    "100,000 attributes": lambda: "<p " + "a " * 100_000 + ">x",
    "a tag without end": lambda: "<p " + "a='" * 150_000,
    "500 KB of less-than signs": lambda: "<" * 500_000,
    "500 KB of ampersands": lambda: "&" * 500_000,
    "100,000 open comments": lambda: "<!--" * 100_000,
    "100,000 comments": lambda: "<!---->" * 70_000,
    "150 nested quotes of many lines": lambda: "<blockquote>" * 140 + "x<br>" * 5_000,
    "140 nested tables": lambda: "<table><tr><td>" * 45 + "x" * 100_000,
    "a table of 6,000 cells": lambda: "<table>" + "<tr><td>x<td>y" * 1_900,
    "a table that spans a million columns": lambda: "<table><tr><td colspan=1000000 rowspan=1000000>x</table>" * 100,
    "140 nested lists": lambda: "<ul><li>" * 70 + "x " * 100_000,
    "6,000 links with long texts": lambda: "".join(f"<a href=https://x.example/{n}>" for n in range(2_000)) + "x" * 400_000,
    "500 KB of white space": lambda: "<p>" + " " * 499_000 + "x",
    "500 KB of kept white space": lambda: "<pre>" + " \n" * 249_000 + "x",
    "6,000 unclosed paragraphs": lambda: "<p>x" * 6_000,
    "100,000 line breaks": lambda: "<br>" * 100_000,
    "5,900 line breaks in deep spans": lambda: "<span>" * 140 + "<br>x" * 5_800,
    "a style of 400 KB": lambda: "<p style='" + "display:" * 50_000 + "'>x",
    "6,000 styles": lambda: "<p style='opacity:000000000000000000000000000000000001'>x" * 5_900,
    "an XML declaration of 500 KB": lambda: "<?xml " + "a" * 499_000,
    "private characters": lambda: "\ue000" * 250_000 + "&#57344;" * 30_000,
    "script without end": lambda: "<script>" * 60_000,
}

FIELDS: dict[str, Callable[[], object]] = {
    "address: 32 KB of brackets": lambda: read_mailboxes(b"<" * 32_000, 32_768),
    "address: 32 KB of addresses in comments": lambda: read_mailboxes(b"(a)" * 10_900, 32_768),
    "message id: 100 KB of quotes": lambda: read_ids(b'<"a"' * 25_000),
    "message id: 100 KB of words": lambda: read_message_id(b"a " * 50_000),
    "date: ends of days": lambda: read_date(b"1:00 " * 20_000),
    "encoded words: 300 KB that join": lambda: decode_words("=?utf-8?b?YQ==?= " * 17_000),
    "encoded words: 300 KB that do not end": lambda: decode_words("=?utf-8?q?a" * 27_000),
    "encoded words: 300 KB of gaps": lambda: decode_words("?= " + " " * 300_000),
    "encoded words: many gaps": lambda: decode_words(("?=" + " " * 100) * 3_000),
    "text: 300 KB of folds": lambda: decode_text(b"\r\n " * 100_000, 300_000),
    "parameters: equals signs": lambda: read_parameters(b"text/plain" + b"=" * 25_000),
    "parameters: open quotes": lambda: read_parameters(b"text/plain; " + b'a="' * 8_000),
    "parameters: names without values": lambda: read_parameters(b"text/plain; " + b"a" * 25_000),
    "results: names without values": lambda: read_results(b"mx.example.org; " + b"a" * 100_000),
    "results: equals signs and spaces": lambda: read_results(b"mx.example.org; " + b"a = " * 25_000),
    "results: open comments": lambda: read_results(b"mx.example.org; " + b"(" * 100_000),
    "results: quotes": lambda: read_results(b"mx.example.org; a=" + b'"\\' * 50_000),
    "subject: marks": lambda: base_subject("Re: " * 100_000),
    "subject: brackets": lambda: base_subject("[Fwd: " * 50_000),
    "tags: semicolons": lambda: read_tags(";" * 100_000),
    "tags: names": lambda: read_tags(";".join(f"a{number}=b" for number in range(20_000))),
    "words: a command of 1 MB": lambda: Reader(read_vocabulary()).read_text("leave " * 170_000, Context(today=date(2026, 3, 3))),
    "words: quotes": lambda: split_text("wrote" * 40_000 + "\n" + "> x\n" * 50_000),
    "words: attributions": lambda: split_text(("x wrote" * 28 + "\n") * 500),
    "reply: a million lines": lambda: parse_reply(b"250-x\r\n" * 500_000 + b"250 x"),
    "reply: a line of 10 MB": lambda: parse_reply(b"250 " + b"2.1.0 " * 1_600_000),
    "quotes: 300 KB of marks": lambda: split_text("> " * 150_000),
    "quotes: 100,000 levels": lambda: split_text("\n".join(">" * (number % 500) for number in range(4_000))),
    "quotes: lines that introduce": lambda: split_text("Ann <a@b> wrote:\n" * 20_000),
    "quotes: words that introduce": lambda: split_text("On Mon, 3 Mar 2003 Ann wrote " * 15_000),
    "quotes: header blocks": lambda: split_text("From: a\nSent: b\n" * 20_000),
    "quotes: signatures": lambda: split_text("-- \n" * 50_000),
    "quotes: armour without end": lambda: split_text("-----BEGIN PGP SIGNED MESSAGE-----\n" * 28_000),
    "quotes: one line of 1 MB": lambda: split_text("wrote:" * 170_000),
    "quotes: a hundred thousand empty lines": lambda: split_text("\n" * 100_000),
    "charset: 5 MB cut characters": lambda: decode_bytes(b"\xc3" * 5_000_000, "utf-8"),
    "charset: 5 MB of nothing known": lambda: decode_bytes(b"\x81" * 5_000_000, "iso-2022-kr"),
    "charset: a label of 1 MB": lambda: decode_bytes(b"x", "a-" * 500_000),
    "flowed: one long word": lambda: flow("a" * 500_000),
    "flowed: spaces": lambda: flow(" " * 500_000),
    "flowed: words": lambda: flow("a " * 250_000),
    "flowed: quotes": lambda: flow("> " * 250_000 + "x"),
    "flowed: soft lines": lambda: unflow("a \n" * 170_000),
    "mbox: nearly separators": lambda: list(read_mbox(io.BytesIO(b"\nFrom x Mon Jan 1 " + b"\nFrom x Mon " * 200_000))),
    "canonical body: white space": lambda: canonical_body(b" \t" * 1_000_000, relaxed=True),
    "compose: a line of 1 MB": lambda: compose([("Subject", "x")], "ä" * 500_000, flowed=True),
    "compose: From lines": lambda: compose([("Subject", "x")], "From x\n" * 100_000, flowed=True),
    "write: a subject of 200 KB": lambda: compose([("Subject", "Werkzeug für alle " * 10_000)], "x"),
}


def cover_everything() -> object:
    """A signature that names ten thousand fields, over a thousand."""
    header = read_header(b"Subject: x\r\n" * 999 + b"\r\n")
    return header_input(covered_fields(header, ["subject"] * 10_000), b"DKIM-Signature: b=" + b";b=" * 20_000, relaxed=True)


FIELDS["dkim: ten thousand names"] = cover_everything


def within_time(work: Callable[[], object]) -> None:
    """Run it, and say how long it took where that is too long."""
    begun = time.process_time()
    work()
    spent = time.process_time() - begun
    assert spent < LONGEST, f"{spent:.1f} s"


@pytest.mark.parametrize("make", HEADERS.values(), ids=HEADERS)
def test_hostile_headers_are_read_at_once(make: Callable[[], bytes]) -> None:
    """A mail with such a header costs less than a second, all of its reading together."""
    raw = make()

    within_time(lambda: read_whole(raw))


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES)
def test_hostile_bodies_are_read_at_once(make: Callable[[], bytes]) -> None:
    """Neither levels nor parts, neither long lines nor odd encodings keep a core busy; the text is cut at a million."""
    raw = make()

    within_time(lambda: read_whole(raw))


@pytest.mark.parametrize("make", HTML.values(), ids=HTML)
def test_hostile_html_is_read_at_once(make: Callable[[], str]) -> None:
    """Depth, tags and attributes are counted before a tree is built."""
    html = make()

    within_time(lambda: html_to_text(html))


@pytest.mark.parametrize("work", FIELDS.values(), ids=FIELDS)
def test_hostile_fields_are_read_at_once(work: Callable[[], object]) -> None:
    """Each parser by itself, given more than its caller would give it."""
    with contextlib.suppress(ValueError):  # refused
        within_time(work)


def test_the_limit_of_parts_is_kept() -> None:
    """What is beyond a thousand parts is not opened, and that is said."""
    raw = of_type(b"multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" * 5_000)

    parts, defects = read_parts(raw, read_header(raw))

    assert len(parts) == MAX_PARTS
    assert "too many parts" in defects

"""What is fuzzed: one function for each parser of strangers' bytes, which fails when a promise of that parser is broken.

A target takes any bytes and raises AssertionError, or whatever the parser let through. Each names the tokens that its
language is made of, so that a fuzzer need not find them, and takes its first inputs from the files of `tests/corpus`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from listserver.lists import dialects, wordreading
from listserver.mail import (
    address,
    authresults,
    automatic,
    bodytext,
    charsets,
    dkim,
    dsn,
    flowed,
    headers,
    htmltext,
    mbox,
    message_id,
    mime,
    parse,
    quoting,
    reply,
    subject,
)
from listserver.render.languages import read_vocabulary

CORPUS = Path(__file__).parents[1] / "corpus"
CASES = Path(__file__).parent / "cases"
_MOMENT = datetime(2026, 3, 2, 9, 12, tzinfo=UTC)
_OWN_LISTS = frozenset(("toolshare.lists.example.org",))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A parser under test: the function that tries it, its first inputs, its tokens."""

    name: str
    attempt: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    tokens: tuple[bytes, ...] = ()

    def cases(self) -> list[Path]:
        """The inputs that were findings once."""
        return sorted((CASES / self.name).glob("*"))


def is_storable(text: str, *, lines: bool = False) -> bool:
    """Whether text can be stored, sent and shown: valid UTF-8 without NUL, and without line ends unless `lines`."""
    text.encode("utf-8")
    return "\x00" not in text and (lines or ("\n" not in text and "\r" not in text))


def _mails() -> Iterator[bytes]:
    for file in sorted(CORPUS.glob("*.eml")):
        yield file.read_bytes()[:16_384]


def _fields(*names: str) -> Callable[[], Iterator[bytes]]:
    """Bodies of fields of these names in the corpus."""

    def seeds() -> Iterator[bytes]:
        for raw in _mails():
            header = headers.read_header(raw)
            for name in names:
                yield from header.all(name)

    return seeds


def _bodies(*kinds: str) -> Callable[[], Iterator[bytes]]:
    """Contents of parts of these types in the corpus, without their transfer encoding."""

    def seeds() -> Iterator[bytes]:
        for raw in _mails():
            for part in mime.read_parts(raw, headers.read_header(raw))[0]:
                if part.kind in kinds:
                    yield mime.decode_transfer(raw[part.start : part.end], part.encoding).data

    return seeds


def _samples(*samples: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(samples)


def attempt_parse_message(data: bytes) -> None:
    """Any bytes are a message: storable texts, a moment with its zone, an author that is an address."""
    message = parse.parse_message(data)

    assert is_storable(message.subject)
    assert message.date is None or message.date.tzinfo is not None
    assert all(is_storable(each) for each in (*message.ids.references, *message.ids.in_reply_to, message.ids.message_id or ""))
    for box in (*message.to, *message.cc, *((message.author,) if message.author else ())):
        assert is_storable(box.name)
        assert address.parse_address(str(box.address)) == box.address


def attempt_read_body(data: bytes) -> None:
    """Any message has a text within the limit, storable, with lines that end with LF; sizes are no more than there is."""
    body = bodytext.read_body(data, headers.read_header(data))

    assert len(body.text) <= bodytext.MAX_TEXT
    assert is_storable(body.text, lines=True)
    assert not body.text or (body.text.endswith("\n") and not body.text.endswith("\n\n"))
    assert "\r" not in body.text
    assert len(body.attachments) <= mime.MAX_PARTS
    assert all(is_storable(each.name) and 0 <= each.size <= len(data) for each in body.attachments)


def attempt_read_parts(data: bytes) -> None:
    """The parts of any message lie within it and within their parents."""
    parts, _defects = mime.read_parts(data, headers.read_header(data))

    assert 1 <= len(parts) <= mime.MAX_PARTS
    for index, part in enumerate(parts):
        assert 0 <= part.start <= part.end <= len(data)
        assert part.parent < index
        assert part.depth <= mime.MAX_DEPTH
        if part.parent >= 0:
            assert parts[part.parent].start <= part.start
            assert part.end <= parts[part.parent].end
            assert parts[part.parent].is_multipart


def attempt_html_to_text(data: bytes) -> None:
    """Any text is HTML; what is read of it is storable, and not much longer than it was."""
    html = charsets.decode_bytes(data, "utf-8")
    text = htmltext.html_to_text(html)

    assert is_storable(text, lines=True)
    assert not text or text.endswith("\n")
    assert "\ue000" not in text
    assert "\ue001" not in text
    # A line of each element may carry the signs of every level of quotes, and cells are padded to the widest.
    assert len(text) <= 1_000 + 100 * len(html)


def attempt_address(data: bytes) -> None:
    """Mailboxes that are read are strict, and are read again when written."""
    found = address.read_mailboxes(data) or []
    author = address.read_author(headers.read_header(b"From: " + data.replace(b"\n", b" ") + b"\n"))
    text = data.decode("utf-8", "replace")

    for box in (*found, *((author,) if author else ())):
        assert is_storable(box.name)
        assert address.parse_address(str(box.address)) == box.address
        if {"<", ">"} & set(str(box.address)):
            continue  # the writer refuses these
        written = address.format_mailbox(box.name, str(box.address))
        again = address.read_mailboxes(written.encode())
        assert again == [box], (written, again)
    for parsed in (address.parse_address(text), address.parse_path(text)):
        assert parsed is None or (is_storable(str(parsed)) and address.parse_address(str(parsed)) == parsed)


def attempt_message_id(data: bytes) -> None:
    """Ids stand in brackets on one line, are not too many, and are read to the same again."""
    first, found = message_id.read_message_id(data), message_id.read_ids(data)

    assert len(found) <= message_id.MAX_IDS
    for each in (*found, *((first,) if first else ())):
        assert is_storable(each)
        assert each.startswith("<")
        assert each.endswith(">")
        assert len(each) > 2
        assert message_id.read_ids(each.encode()) in ((each,), ()), each


def attempt_headers(data: bytes) -> None:
    """Fields and rest give the bytes back; an edit takes out what it should and leaves every other field as it was."""
    header = headers.read_header(data)
    assert b"".join(field.raw for field in header.fields) + data[header.end :] == data
    assert headers.edit(data, header) == data
    assert len(header.fields) <= headers.MAX_FIELDS

    names = {field.name for field in header.fields[:2]}
    edited = headers.edit(data, header, remove=names, append=b"X-Added: 1\r\n")
    kept = [field.raw for field in header.fields if field.name not in names]
    assert edited.startswith(b"".join(kept))
    assert edited.endswith(b"X-Added: 1\r\n" + data[header.end :])

    text = headers.decode_text(data)
    assert is_storable(text)
    written = headers.write_field("X-Text", text)
    assert written.endswith(b"\r\n")
    assert max(map(len, written.split(b"\r\n"))) <= 998
    again = headers.read_header(written)
    assert [field.name for field in again.fields] == ["x-text"]
    assert again.end == len(written)


def attempt_subject(data: bytes) -> None:
    """A base subject is its own base subject, on one line."""
    text = headers.decode_text(data)
    base = subject.base_subject(text)

    assert is_storable(base)
    assert subject.base_subject(base) == base
    assert len(base) <= len(text)
    subject.is_reply_subject(text)


def attempt_automatic(data: bytes) -> None:
    """Any message has its signs, in words for a log."""
    message = parse.parse_message(data)
    signs = automatic.read_signs(message.header, "gwen@example.net", message.subject, _OWN_LISTS, raw=data)

    assert all(is_storable(each) and len(each) < 2_100 for each in (*signs.strong, *signs.weak))


def attempt_authresults(data: bytes) -> None:
    """A field says whose results it holds, or is None; methods and results are single words."""
    found = authresults.read_results(data)

    assert found is None or found.authserv_id
    for method, result, properties in found.results if found else ():
        assert method == method.lower()
        assert result == result.lower()
        assert ";" not in method
        assert all(properties)


def attempt_dsn(data: bytes) -> None:
    """A report names recipients, within its limit; all of it is storable."""
    report = dsn.read_report(data, headers.read_header(data))

    if report is not None:
        assert 1 <= len(report.recipients) <= dsn.MAX_RECIPIENTS
        for each in report.recipients:
            assert all(map(is_storable, (each.recipient, each.original_recipient, each.action, each.status, each.diagnostic)))


def attempt_mbox(data: bytes) -> None:
    """Messages that are read are written, and read again to the same."""
    found = [message.raw for message in mbox.read_mbox(io.BytesIO(data))]
    ended = [each if not each or each.endswith(b"\n") else each + b"\n" for each in found]
    file, separator = io.BytesIO(), mbox.separator_of("gwen@example.net", _MOMENT)
    assert mbox.write_mbox(file, [mbox.MboxMessage(separator, each) for each in found]) == len(found)
    file.seek(0)
    assert [message.raw for message in mbox.read_mbox(file)] == ended


def attempt_dkim(data: bytes) -> None:
    """Tag lists, canonical forms and covered fields of anything; a canonical form is its own."""
    tags = dkim.read_tags(headers.unfold(data))
    assert tags is None or all(name.strip() == name and value.strip() == value for name, value in tags.items())
    header = headers.read_header(data)
    covered = dkim.covered_fields(header, [*(field.name for field in header.fields), "subject", "from"])
    assert len(covered) <= len(header.fields)
    for relaxed in (True, False):
        body = dkim.canonical_body(data, relaxed=relaxed)
        assert dkim.canonical_body(body, relaxed=relaxed) == body
        for field in header.fields[:5]:
            assert dkim.header_input(covered[:3], field.raw, relaxed=relaxed)
    for field in header.fields:
        once = dkim.relaxed_field(field.raw)
        assert dkim.relaxed_field(once) == once


def attempt_read_words(data: bytes) -> None:
    """Any mail has a reading; nothing but its commands may act."""
    text = charsets.decode_bytes(data, "utf-8")
    subject, _line_end, rest = text.partition("\n")
    around = wordreading.Context(today=date(2026, 3, 3), names=("Gwen",), lists=("toolshare",))

    reading = _reader().read_mail(subject, rest, around, is_reply=len(data) % 2 == 0)

    assert bool(reading.commands) == (reading.kind is wordreading.ReadingKind.commands)
    dialects.read_dialect(subject, {"toolshare"}, lambda name: name == "garden")


@cache
def _reader() -> wordreading.Reader:
    return wordreading.Reader(read_vocabulary())


def _check_split(split: quoting.SplitText) -> None:
    position = 0
    for span in split.spans:
        assert span.start == position
        assert span.end > span.start
        assert span.attribution is None or 0 <= span.attribution < len(split.attributions)
        position = span.end
    assert position == len(split.text)
    for each in split.attributions:
        assert 0 <= each.start <= each.end <= len(split.text)
        assert all(map(is_storable, (each.name, each.address, each.message_id)))
    split.own_text()
    split.quoted_text()


def attempt_quoting(data: bytes) -> None:
    """The spans of any text, in order and without gaps, are the text."""
    text = charsets.decode_bytes(data, "utf-8").replace("\x00", "").replace("\r", "\n")  # as `read_body` gives it
    split = quoting.split_text(text)

    assert split.text == text
    _check_split(split)


def attempt_split_body(data: bytes) -> None:
    """The same of the text of any message."""
    split = quoting.split_body(data, headers.read_header(data))

    _check_split(split)
    assert is_storable(split.text, lines=True)


def attempt_charsets(data: bytes) -> None:
    """Bytes under any label are text."""
    label, _line_end, rest = data.partition(b"\n")
    text = charsets.decode_bytes(rest, label.decode("latin-1"))

    assert isinstance(text, str)
    assert len(text) <= 4 * len(rest) + 4


def attempt_flowed(data: bytes) -> None:
    """Joining never adds; what is flowed and joined again is the text, but for spaces at the ends of lines."""
    text = charsets.decode_bytes(data, "utf-8").replace("\r", "")
    joined = flowed.unflow(text)
    assert joined.count("\n") <= text.count("\n")
    assert flowed.unflow(text, delete_space=True).count("\n") <= text.count("\n")

    again = flowed.unflow(flowed.flow(text))

    def essence(each: str) -> list[str]:
        return ["".join(line.split()) for line in each.split("\n")]

    assert essence(again) == essence(text)


def attempt_reply(data: bytes) -> None:
    """Any bytes are a reply or a ValueError."""
    try:
        found = reply.parse_reply(data)
    except ValueError:
        return
    assert 200 <= found.code <= 599
    assert is_storable(str(found))


_HEADER_TOKENS = (
    b"From: ", b"Subject: ", b"Message-ID: <", b"In-Reply-To: <", b"References: <", b"Date: Mon, 2 Mar 2026 09:12:00 +0100",
    b"\r\n", b"\r\n ", b"\n\t", b"\r\n\r\n", b"=?utf-8?q?", b"=?iso-8859-1?B?", b"?=", b"\x00", b"\xff",
)  # fmt: skip
_MIME_TOKENS = (
    *_HEADER_TOKENS, b"Content-Type: ", b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=b", b"text/html",
    b"text/plain; charset=", b"; format=flowed; delsp=yes", b"Content-Transfer-Encoding: base64\r\n", b"quoted-printable",
    b"Content-Disposition: attachment; filename*0*=utf-8''a%20", b'; name="', b"\r\n--b\r\n", b"\r\n--b--\r\n", b"message/rfc822",
    b"multipart/report; report-type=delivery-status; boundary=b", b"message/delivery-status", b"Final-Recipient: rfc822; ",
    b"Action: failed\r\n", b"Status: 5.1.1\r\n", b"Diagnostic-Code: smtp; ", b"utf-8; \\x{FC}", b"text/calendar; method=REPLY",
)  # fmt: skip
_ADDRESS_TOKENS = (
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b'"',
    b"\\",
    b"(",
    b")",
    b"gwen@example.net",
    b"=?utf-8?q?a=2Cb?=",
    b"[1.2.3.4]",
)

TARGETS = {
    target.name: target
    for target in (
        Target(name="parse_message", attempt=attempt_parse_message, seeds=_mails, tokens=_HEADER_TOKENS + _ADDRESS_TOKENS),
        Target(name="read_body", attempt=attempt_read_body, seeds=_mails, tokens=_MIME_TOKENS),
        Target(name="read_parts", attempt=attempt_read_parts, seeds=_mails, tokens=_MIME_TOKENS),
        Target(
            name="html_to_text",
            attempt=attempt_html_to_text,
            seeds=_bodies("text/html"),
            tokens=(
                b"<div>",
                b"</div>",
                b"<p>",
                b"<br>",
                b"<table><tr><td>",
                b"</table>",
                b"<blockquote type=cite>",
                b"</blockquote>",
                b"<ul><li>",
                b"<ol>",
                b"<pre>",
                b"<!--",
                b"-->",
                b"<style>",
                b"<script>",
                b' style="display:none"',
                b"<a href=",
                b"<img alt=",
                b"&#57344;",
                b"&nbsp;",
                b"<![CDATA[",
                b"<svg>",
                b"<title>",
                b"<template>",
                b"colspan=9",
                b"<hr>",
            ),
        ),
        Target(name="address", attempt=attempt_address, seeds=_fields("from", "to", "cc"), tokens=_ADDRESS_TOKENS),
        Target(
            name="message_id",
            attempt=attempt_message_id,
            seeds=_fields("message-id", "in-reply-to", "references"),
            tokens=(b"<a@b>", b"<", b">", b"(", b")", b'"', b"from ", b"@", b"\r\n ", b","),
        ),
        Target(name="headers", attempt=attempt_headers, seeds=_mails, tokens=_HEADER_TOKENS),
        Target(
            name="subject",
            attempt=attempt_subject,
            seeds=_fields("subject"),
            tokens=(b"Re: ", b"AW:", b"[Fwd: ", b"[tag] ", b"(fwd)", b"]", b"Re[2]:", "回复：".encode(), b"R\xc3\xa9f : "),
        ),
        Target(name="automatic", attempt=attempt_automatic, seeds=_mails, tokens=_MIME_TOKENS),
        Target(
            name="authresults",
            attempt=attempt_authresults,
            seeds=_samples(
                b"mx.example.org; dkim=pass (2048-bit) header.d=example.net header.s=s1; spf=pass smtp.mailfrom=gwen@example.net",
                b'"mx.example.org" 1; none',
                b'mx.example.org (a (nested) one); dmarc=fail reason="no; no" header.from=example.net policy.d/x = y',
            ),
            tokens=(b"dkim=pass", b";", b"(", b")", b'"', b"\\", b"=", b" header.d=", b"/1"),
        ),
        Target(name="dsn", attempt=attempt_dsn, seeds=_mails, tokens=_MIME_TOKENS),
        Target(
            name="mbox",
            attempt=attempt_mbox,
            seeds=_samples(
                b"From gwen@example.net Mon Mar  2 09:12:00 2026\nSubject: a\n\n>From here\n\n"
                b"From tom@example.net  Mon Mar  2 09:13:00 2026\r\nSubject: b\r\n\r\nFrom there\r\n",
            ),
            tokens=(b"From gwen@example.net Mon Mar  2 09:12:00 2026\n", b">From ", b"\n\n", b"\r\n", b"From "),
        ),
        Target(
            name="dkim",
            attempt=attempt_dkim,
            seeds=_samples(
                b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1; c=relaxed/simple;\r\n h=from:subject:from; bh=abc=; b=de f\r\n"
                b"From: gwen@example.net\r\nSubject:  a  b \r\n\r\nHello  Tom \t\r\n\r\n\r\n",
            ),
            tokens=(b"; b=", b"b=", b"bh=", b"\r\n", b"\r", b"\n", b"  ", b"\t", b";", b"h=from:to", b"\r\n "),
        ),
        Target(
            name="read_words",
            attempt=attempt_read_words,
            seeds=_samples(
                b"yes", b"> quoted\nPlease unsubscribe me\n-- \nGwen", b"On Mon, Ruth wrote:\n> a\nok", "désinscription".encode()
            ),
            tokens=(
                b"yes",
                b"leave",
                b"> ",
                b"\n-- \n",
                b" wrote:\n",
                b"-----Original Message",
                b"From: a@b",
                b"Sent from",
                b"?",
            ),
        ),
        Target(
            name="quoting",
            attempt=attempt_quoting,
            seeds=_bodies("text/plain"),
            tokens=(
                b"> ",
                b">> ",
                b"| ",
                b"JD> ",
                b"\n",
                b"\n\n",
                b"-- \n",
                b" wrote:\n",
                b"On Mon, 3 Mar 2003 at 10:12 +0100, Ann <a@b> wrote:\n",
                b"-----Original Message-----\n",
                b"From: Ann <a@b>\nSent: Monday, March 3, 2003 10:12 AM\nTo: b\nSubject: c\n",
                b"____\n",
                b"-----BEGIN PGP SIGNED MESSAGE-----\n",
                b"-----BEGIN PGP SIGNATURE-----\n",
                b"-----END PGP SIGNATURE-----\n",
                b"Sent from my phone\n",
                b"Am 3.3.2003 um 10:12 schrieb Ann:\n",
                b"2003-03-03 10:12 GMT+01:00 Ann <a@b>:\n",
                b"---------\n",
            ),
        ),
        Target(
            name="split_body",
            attempt=attempt_split_body,
            seeds=_mails,
            tokens=(
                *_MIME_TOKENS,
                b"<blockquote type=cite>",
                b"</blockquote>",
                b'<div class="gmail_quote">',
                b"<div id=appendonsend>",
                b"> ",
                b" wrote:",
            ),
        ),
        Target(
            name="charsets",
            attempt=attempt_charsets,
            seeds=_samples(
                b"utf-8\n\xc3\xa9", b"iso-2022-jp\n\x1b$B9)6q\x1b(B", b"utf-16\n\xff\xfea\x00", b"hz\n~{<:Ky2;~}", b"x\n\xe9"
            ),
            tokens=tuple(
                b"%s\n" % label for label in (b"gb18030", b"big5", b"cp949", b"johab", b"iso-2022-kr", b"utf-32", b"hz")
            ),
        ),
        Target(
            name="flowed",
            attempt=attempt_flowed,
            seeds=_bodies("text/plain"),
            tokens=(b">", b"> ", b" \n", b"-- ", b"-- \n", b"From ", b" >", b"\n"),
        ),
        Target(
            name="reply",
            attempt=attempt_reply,
            seeds=_samples(
                b"250-2.1.0 Ok\r\n250 2.1.0 Done", b"550 5.1.1 No such user", b"421", b"452-4.2.2 full\r\n452 4.2.2 full"
            ),
            tokens=(b"250 ", b"550-5.1.1 ", b"\r\n", b"4.7.0 "),
        ),
    )
}

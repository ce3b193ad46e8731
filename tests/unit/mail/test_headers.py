"""The header section as bytes: what is read, what is written, and that a splice touches nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.headers import (
    MAX_FIELDS,
    MAX_HEADER,
    Header,
    decode_text,
    edit,
    read_header,
    unfold,
    write_field,
)

MAIL = (
    b"Received: from mx.example.net by lists.example.org\r\n\tfor <toolshare@lists.example.org>;\r\n"
    b" Mon, 2 Mar 2026 09:12:00 +0000\r\n"
    b"From: Gwen Pritchard <gwen@example.net>\r\n"
    b"To: toolshare@lists.example.org\r\n"
    b"SUBJECT:  Damp  in the shed \r\n"
    b"Received: from laptop\r\n"
    b"\r\n"
    b"The north wall is wet.\r\n\r\n  Subject: not a field\r\n"
)

# Bytes as they come: mostly of the kind that headers are made of, so that fields, folds and near misses are common.
header_like = st.lists(
    st.sampled_from(
        b"Subject: a|subject:b|X-1 : c|\r\n|\n|\r| |\t|:|From |>From |\x00|\xff\xfe|=?utf-8?q?|=?|?=|=?x?b?YQ==?=|"
        b"Message-ID: <a@b>|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|\xc3\xa4|no field here".split(b"|")
    ),
    max_size=40,
).map(b"".join) | st.binary(max_size=300)


def test_fields_are_read_in_order_with_their_continuation_lines() -> None:
    """Names are lower-cased; bodies stay folded as written."""
    header = read_header(MAIL)

    assert [field.name for field in header.fields] == ["received", "from", "to", "subject", "received"]
    assert header.first("subject") == b"  Damp  in the shed "
    assert header.all("received")[0].count(b"\r\n") == 2
    assert header.count("received") == 2
    assert MAIL[header.size :].startswith(b"The north wall")


@pytest.mark.parametrize(
    ("raw", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\nbody", [], b"body"),
        (b"A: 1\n\nbody", ["a"], b"body"),
        (b"A: 1\r\nno field\r\nB: 2\r\n", ["a"], b"no field\r\nB: 2\r\n"),
        (b"A: 1\r\n two\r\n\tthree", ["a"], b""),
        (b"A: 1\r\n \r\n B\r\n\r\nx", ["a"], b"x"),
        (b" leading: space\r\n\r\n", [], b" leading: space\r\n\r\n"),
        (b"A : 1\r\n\r\n", ["a"], b""),
        (b"A b: 1\r\n\r\n", [], b"A b: 1\r\n\r\n"),
        (b": nameless\r\n", [], b": nameless\r\n"),
        (b"From gwen@example.net Mon Mar  2 09:12:00 2026\r\nA: 1\r\n\r\nx", ["", "a"], b"x"),
        (b">From gwen@example.net Mon Mar  2 09:12:00 2026\r\nA: 1\r\n\r\nx", ["", "a"], b"x"),
        (b"From : gwen@example.net\r\n\r\n", ["from"], b""),
        (b"X-J\xfcrg: 1\r\n\r\n", [], b"X-J\xfcrg: 1\r\n\r\n"),
        (b"A:\r\n\r\n", ["a"], b""),
    ],
)
def test_the_section_stops_at_the_first_line_that_is_no_field(raw: bytes, names: list[str], body: bytes) -> None:
    """RFC 5322 §2.2: a name of octets 33–126 without the colon; what follows the section is body."""
    header = read_header(raw)

    assert [field.name for field in header.fields] == names
    assert raw[header.size :] == body


def test_a_header_without_a_blank_line_is_a_defect() -> None:
    """A section that stops at a line that is no field is said to do so."""
    assert read_header(b"A: 1\r\nno field\r\n").defects


@pytest.mark.parametrize(
    "raw", [b"A: " + b"x" * MAX_HEADER + b"\r\n\r\n", b"A: x\r\n" * (MAX_FIELDS + 1), b"A: 1\r\n" + b" \r\n" * 40_000]
)
def test_a_header_bomb_is_too_big(raw: bytes) -> None:
    """More than 1,000 fields or 100 KB: refused, not parsed."""
    assert read_header(raw).too_big


def test_a_thousand_fields_are_not_too_many() -> None:
    """The limit itself is allowed."""
    header = read_header(b"A: x\r\n" * MAX_FIELDS + b"\r\nbody")

    assert not header.too_big
    assert len(header.fields) == MAX_FIELDS


@given(header_like)
def test_reading_gives_the_bytes_back(raw: bytes) -> None:
    """The fields joined, and the rest, are the message; nothing raises."""
    header = read_header(raw)

    assert b"".join(field.raw for field in header.fields) + raw[header.end :] == raw
    assert raw[header.end : header.size].strip(b"\r\n") == b""
    for field in header.fields:
        assert isinstance(decode_text(field.body), str)
        assert isinstance(header.first(field.name), bytes)


@given(header_like)
def test_a_splice_without_edits_changes_nothing(raw: bytes) -> None:
    """No edits, no difference: not even a line end at the end."""
    assert edit(raw, read_header(raw)) == raw


@given(header_like, st.sets(st.sampled_from(["subject", "x-1", "message-id"])), st.booleans())
def test_kept_fields_and_the_body_stay_byte_for_byte(raw: bytes, removed: set[str], adds: bool) -> None:
    """Whatever is removed, replaced and added, the other fields and everything after the section stay as they were."""
    header = read_header(raw)
    new = {"reply-to": b"Reply-To: list@example.org\r\n"} if adds else {}

    edited = edit(raw, header, remove=removed, replace=new, prepend=b"List-Id: <x.example.org>\r\n" if adds else b"")

    after = read_header(edited)
    aside = ("", "list-id", "reply-to")
    kept = [field.raw.rstrip(b"\r\n") for field in header.fields if field.name not in (*aside, *removed)]
    found = [field.raw.rstrip(b"\r\n") for field in after.fields if field.name not in aside]
    assert edited.endswith(raw[header.end :])
    if not raw.startswith((b"From ", b">From ")):
        assert found[: len(kept)] == kept


def test_a_replacement_stands_where_the_first_of_its_name_stood() -> None:
    """Other fields of the name go."""
    edited = edit(MAIL, read_header(MAIL), replace={"received": b"Received: once\r\n"})

    assert [f.name for f in read_header(edited).fields] == ["received", "from", "to", "subject"]
    assert edited.startswith(b"Received: once\r\nFrom:")


def test_a_replacement_of_an_absent_field_goes_to_the_end() -> None:
    """It is added behind the last field and before the blank line."""
    edited = edit(MAIL, read_header(MAIL), replace={"reply-to": b"Reply-To: x@example.org\r\n"}, append=b"X-Last: 1\r\n")

    assert b"Received: from laptop\r\nReply-To: x@example.org\r\nX-Last: 1\r\n\r\nThe north" in edited


def test_a_field_added_to_an_unfinished_header_begins_a_line() -> None:
    """A message that ends inside its last field gets a line end before what is added."""
    assert edit(b"A: 1", read_header(b"A: 1"), append=b"B: 2\r\n") == b"A: 1\r\nB: 2\r\n"


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nBcc: x@example.org", "a\x00b", "\n"])
def test_injection_is_refused(bad: str) -> None:
    """One header writer, and it refuses CR, LF and NUL."""
    with pytest.raises(ValueError, match="line end or NUL"):
        write_field("Subject", bad)


@pytest.mark.parametrize("name", ["", "A b", "A:", "Ä", "A\r\nB", "x" * 77])
def test_a_bad_name_is_refused(name: str) -> None:
    """Names are RFC 5322 §2.2 and nothing else."""
    with pytest.raises(ValueError, match="no field name"):
        write_field(name, "x")


def test_an_unbreakable_line_is_refused_where_it_must_not_be_encoded() -> None:
    """A URL of more than 998 octets cannot be written at all."""
    with pytest.raises(ValueError, match="998"):
        write_field("List-Archive", f"<https://lists.example.org/{'x' * 1000}>")


def test_a_long_url_is_neither_encoded_nor_broken() -> None:
    """Python's own writer turns it into an encoded word, and one-click leaving is dead."""
    url = f"<https://lists.example.org/u/{'x' * 600}>"

    assert url.encode() in write_field("List-Unsubscribe", f"{url}, <mailto:leave@example.org>")


def test_addresses_are_never_encoded_words() -> None:
    """UTF-8 in an address field stays as it is (RFC 6532)."""
    assert write_field("Reply-To", "Grüße <jörg@bücher.example>") == "Reply-To: Grüße <jörg@bücher.example>\r\n".encode()


def test_text_beyond_ascii_becomes_encoded_words_within_76_columns() -> None:
    """RFC 2047 §2."""
    written = write_field("Subject", "Öffnungszeiten am Samstag: wer hat Zeit? " * 5)

    assert written.isascii()
    assert all(len(line) <= 76 for line in written.split(b"\r\n"))


@given(st.text(st.characters(codec="utf-8"), max_size=2500))
def test_what_is_written_is_read_back(text: str) -> None:
    """Text → field → text, but for white space at the ends and control characters; lines stay ≤ 998, no line is blank."""
    clean = decode_text(text.encode(), 100_000)
    if "=?" in text or any(c in text for c in "\r\n\x00") or "�" in text:
        return

    written = write_field("Subject", clean)

    header = read_header(written + b"\r\nbody")
    assert [f.name for f in header.fields] == ["subject"]
    assert all(len(line) <= 998 and line.strip() for line in written.removesuffix(b"\r\n").split(b"\r\n"))
    assert written.isascii()
    assert decode_text(header.fields[0].body, 100_000) == clean


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b" plain", "plain"),
        (b" folded\r\n\tline", "folded line"),
        (b" =?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        (b" =?UTF-8?q?Gr=C3=BC=C3?=\r\n =?UTF-8?Q?=9Fe?=", "Grüße"),
        (b" =?iso-8859-1?q?Gr=FC=DFe_aus?= K=?utf-8?b?w7ZsbmE=?=", "Grüße aus Kölna"),
        (b" =?utf-8?q?a_?= =?utf-8?q?b?=", "a b"),
        (b" =?utf-8*de?q?hallo?=", "hallo"),
        (b" =?no-such-charset?q?caf=C3=A9?=", "café"),
        (b" =?rot13?q?abc?=", "abc"),
        (b" =?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
        (b" =?utf-8?b?R3LDvMOfZQ=?=", "Grüße"),
        (b" =?utf-8?b?*?=", ""),
        (b" =?utf-8?q?with a space?=", "with a space"),
        (b" =?utf-8?q?Really??=", "Really?"),
        (b" =?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        (b" =?utf-8?q?one =?utf-8?q?two?=", "=?utf-8?q?one two"),
        (b" =?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b" =?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        ("Grüße".encode(), "Grüße"),
        (b"Gr\xfc\xdfe", "Grüße"),
        (b" a\x00b\x1b[31m", "a b [31m"),
        (b" =?utf-8?b?4oCu?=evil", "evil"),
        (b" =?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テスト"),
        (b" =?gb2312?B?suLK1A==?=", "测试"),
        (b"", ""),
    ],
)
def test_text_of_a_field(body: bytes, text: str) -> None:
    """Unfolded, encoded words decoded as forgivingly as real mail needs, no control characters."""
    assert decode_text(body) == text


def test_a_cut_does_not_end_inside_a_character() -> None:
    """A long UTF-8 text stays UTF-8 when it is cut."""
    assert unfold("ü".encode() * 100, 51) == "ü" * 25


@given(header_like)
def test_decoding_never_raises_and_is_storable(body: bytes) -> None:
    """Whatever the bytes, the text encodes as UTF-8 and holds no line end and no NUL."""
    text = decode_text(body)

    text.encode("utf-8")
    assert not {"\r", "\n", "\x00"} & set(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"a" * 300_000,
        b"a:" * 100_000,
        b":" * 300_000,
        b"a: b\r\n " + b"\r\n " * 60_000,
        (b"=?a?q?" * 60_000),
        b"=?a?q?" + b"=" * 200_000,
        b"=?a?q?" + b"?" * 200_000,
        b"=?" * 100_000 + b"?=",
        b" " * 200_000 + b"x",
    ],
)
def test_hostile_headers_cost_linear_time(raw: bytes) -> None:
    """No mail keeps a core busy: hundreds of kilobytes of the worst shapes are read at once."""
    started = time.process_time()

    header: Header = read_header(b"Subject: " + raw)
    decode_text(raw, 300_000)

    assert header.fields
    assert time.process_time() - started < 1

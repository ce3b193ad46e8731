"""Identification fields as real mail writes them, and as nobody should."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.headers import read_header
from listserver.mail.message_id import MAX_IDS, ReplyIds, make_message_id, read_ids, read_message_id, read_reply_ids

id_like = st.lists(
    st.sampled_from(b'<|>|<a@b>|a@b|(|)|"|@| |\r\n |,|[|]|from |<"x y"@z>|\x00|\xff|.|:|12345|<x'.split(b"|")), max_size=30
).map(b"".join)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b" <a@b.example>", ["<a@b.example>"]),
        (b" <a@b> <c@d>", ["<a@b>", "<c@d>"]),
        (b" <a@b><c@d>", ["<a@b>", "<c@d>"]),
        (b" <a@b>,\r\n\t<c@d>", ["<a@b>", "<c@d>"]),
        (b" <[id@x]>", ["<[id@x]>"]),
        (b" [id@x]", ["<[id@x]>"]),
        (b" <<a@b>>", ["<a@b>"]),
        (b" a@b.example", ["<a@b.example>"]),
        (b" a@b, c@d", ["<a@b>", "<c@d>"]),
        (b" <a@b", ["<a@b>"]),
        (b" a@b>", ["<a@b>"]),
        (b" <a@b <c@d>", ["<a@b>", "<c@d>"]),
        (b" <a@b c@d>", ["<a@b>", "<c@d>"]),
        (b" <a\r\n @b>", ["<a@b>"]),
        (b" < a@b >", ["<a@b>"]),
        (b" <A(b)c@X>", ["<A(b)c@X>"]),
        (b' <"a b"@x>', ['<"a b"@x>']),
        (b' <"a>b"@x>', ['<"a>b"@x>']),
        (b" <12345>", ["<12345>"]),
        (b" <1> <2>", ["<1>", "<2>"]),
        (b" <a@b> (Gwen's message of Monday)", ["<a@b>"]),
        (b" <a@b> (after <c@d>)", ["<a@b>"]),
        (b" (after <c@d>)", ["<c@d>"]),
        (b' Your message of "Fri, 1 Jan" <id@x>', ["<id@x>"]),
        (b' Message from Gwen <gwen@example.net> of "Fri, 1 Jan" <id@x>', ["<id@x>"]),
        (b" <id@x> from Gwen <gwen@example.net>", ["<id@x>"]),
        (b" Message from Gwen <gwen@example.net>", ["<gwen@example.net>"]),
        (b' Your message of "Fri, 1 Jan". a@b.', ["<a@b>"]),
        ("<grüße@bücher.example>".encode(), ["<grüße@bücher.example>"]),
        (b"hello world", []),
        (b"<>", []),
        (b"< >", []),
        (b"<a\x00@b>", []),
        (b"<" + b"a" * 901 + b"@b>", []),
        (b"", []),
        (None, []),
    ],
)
def test_ids_are_read_forgivingly_and_kept_as_written(body: bytes | None, ids: list[str]) -> None:
    """Brackets are supplied or kept; what stands between them is not changed, but for the white space of folding."""
    assert list(read_ids(body)) == ids


@pytest.mark.parametrize(
    ("body", "expected"), [(b" <a@b> <c@d>", "<a@b>"), (b" 12345.abc", "<12345.abc>"), (b" no id", None), (b"", None)]
)
def test_the_first_id_is_the_messages_own(body: bytes, expected: str | None) -> None:
    """A Message-ID field should hold one id; a lone word is one without brackets and @."""
    assert read_message_id(body) == expected


def test_of_many_references_the_last_count() -> None:
    """The nearest ancestors stand last (RFC 5322 §3.6.4)."""
    body = b" ".join(b"<%d@example.org>" % n for n in range(500))

    found = read_ids(body)

    assert len(found) == MAX_IDS
    assert found[-1] == "<499@example.org>"


def test_references_are_cut_before_they_are_read() -> None:
    """32 KB from the end; half an id at the cut is none."""
    body = b"<first@example.org> " + b" ".join(b"<%06d@example.org>" % n for n in range(2500))

    assert "<first@example.org>" not in read_ids(body, 5000)
    assert all(len(each) == 20 for each in read_ids(body, 5000))


def test_several_fields_are_read_as_one() -> None:
    """Some programs write References twice."""
    header = read_header(b"Message-ID: <m@x>\r\nReferences: <a@x>\r\nReferences: <b@x>\r\nIn-Reply-To: <b@x>\r\n\r\n")

    assert read_reply_ids(header) == ReplyIds(message_id="<m@x>", in_reply_to=("<b@x>",), references=("<a@x>", "<b@x>"))


def test_the_chain_begins_with_the_nearest() -> None:
    """In-Reply-To, then References from the end; each once, never the message itself."""
    ids = ReplyIds(message_id="<m@x>", in_reply_to=("<c@x>",), references=("<a@x>", "<b@x>", "<m@x>", "<c@x>"))

    assert ids.chain() == ("<c@x>", "<b@x>", "<a@x>")


def test_an_id_of_our_own() -> None:
    """Brackets, left side, host."""
    assert make_message_id("d-8f3kq2mx7c.20260303", "lists.example.org") == "<d-8f3kq2mx7c.20260303@lists.example.org>"


@given(id_like | st.binary(max_size=200))
def test_nothing_raises_and_every_id_is_one_line_in_brackets(body: bytes) -> None:
    """What is read can be printed, compared, and read again to the same."""
    for each in (*read_ids(body), *filter(None, [read_message_id(body)])):
        assert each.startswith("<")
        assert each.endswith(">")
        assert each.isprintable()
        assert 3 <= len(each) <= 902


@given(st.from_regex(r"[A-Za-z0-9!#$%&*+/=?^_{|}~.\-\[\]]{1,60}@[A-Za-z0-9.\-]{1,60}", fullmatch=True))
def test_a_proper_id_is_kept_exactly(text: str) -> None:
    """As written, whatever stands around it."""
    for body in (f"<{text}>", f" <{text}> ", f"(x) <{text}>", f"<{text}>\r\n <other@x>"):
        assert read_ids(body.encode())[0] == f"<{text}>"


@pytest.mark.parametrize(
    "part", [b"<", b"a@", b"(", b"a", b'"', b'<"', b"<a", b"from ", b"<a>", b"a ", b"a@b ", b"<a@b ", b" ", b"<\r\n "]
)
def test_hostile_fields_cost_little(part: bytes) -> None:
    """The worst shapes of 100 KB are read in a moment."""
    body = part * (100_000 // len(part))
    started = time.process_time()

    read_ids(body)
    read_message_id(body)

    assert time.process_time() - started < 0.5

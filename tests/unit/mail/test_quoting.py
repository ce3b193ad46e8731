"""The splitter: spans that are the text, levels, attributions, whatever comes in."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.headers import read_header
from listserver.mail.htmlquotes import read_html
from listserver.mail.quoting import SpanKind, SplitText, split_body, split_text

_PIECES = st.lists(
    st.sampled_from(
        (
            "> ",
            ">> ",
            "| ",
            "JD> ",
            "\n",
            "\n\n",
            "Ann Lee wrote:",
            "On Mon, 3 Mar 2003 at 10:12, Ann Lee <ann@example.org> wrote:",
            "-----Original Message-----",
            "From: Ann Lee <ann@example.org>",
            "Sent: Monday, March 3, 2003 10:12 AM",
            "Subject: Re: boats",
            "-- ",
            "_____________________",
            "Sent from my iPhone",
            "-----BEGIN PGP SIGNATURE-----",
            "some words",
            "\r",
            "\u3000：",
        )
    ),
    max_size=40,
).map("".join)


def _parts(split: SplitText) -> list[tuple[str, int, str]]:
    return [(span.kind.value, span.level, split.text[span.start : span.end]) for span in split.spans]


@given(st.one_of(st.text(), _PIECES))
def test_the_spans_together_are_the_text(text: str) -> None:
    """Whatever a text holds, its spans put together give it back, in order and without gaps."""
    split = split_text(text)

    assert "".join(text[span.start : span.end] for span in split.spans) == text
    assert all(span.start < span.end for span in split.spans)
    assert all(span.attribution is None or span.attribution < len(split.attributions) for span in split.spans)


@given(st.binary(max_size=400), st.sampled_from(("text/html", "text/plain; format=flowed", "multipart/alternative; boundary=b")))
def test_no_body_is_too_odd(body: bytes, kind: str) -> None:
    """Whatever octets a message holds, its text is split, and the spans are that text."""
    raw = f"Content-Type: {kind}\r\n\r\n".encode() + body

    split = split_body(raw, read_header(raw))

    assert "".join(split.text[span.start : span.end] for span in split.spans) == split.text


def test_html_levels_count_beside_a_plain_part() -> None:
    """A quote that only the HTML part marks is a quote, and the plain part is not read twice."""
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nYes.\r\nShall we sail?\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>Yes.</p><blockquote type=cite>Shall we sail?</blockquote>\r\n--b--\r\n"
    )

    split = split_body(raw, read_header(raw))

    assert (split.own_text().split(), split.quoted_text().split()) == (["Yes."], ["Shall", "we", "sail?"])


def test_a_marked_quote_has_its_attribution() -> None:
    """Who and when are read from the line above a quote, and the quote points at it."""
    text = "Yes, Saturday.\n\nOn Mon, 3 Mar 2003 at 10:12 +0100, Ann Lee <ann@example.org> wrote:\n> When do we sail?\n"

    split = split_text(text)

    assert [(kind, level) for kind, level, _ in _parts(split)] == [("own", 0), ("attribution", 0), ("quote", 1)]
    assert (split.attributions[0].name, split.attributions[0].address) == ("Ann Lee", "ann@example.org")
    assert split.attributions[0].when == datetime(2003, 3, 3, 10, 12, tzinfo=timezone(timedelta(hours=1)))
    assert split.spans[2].attribution == 0
    assert split.spans[2].kind is SpanKind.quote
    assert split.quoted_text() == "When do we sail?\n"


@pytest.mark.parametrize("mark", ["> > ", ">> ", "> >", ">>  "])
def test_nested_marks_are_levels(mark: str) -> None:
    """Marks nest with and without spaces between them."""
    assert _parts(split_text(f"{mark}deep\n> less\nown\n")) == [
        ("quote", 2, f"{mark}deep\n"),
        ("quote", 1, "> less\n"),
        ("own", 0, "own\n"),
    ]


_UNITS = (
    "a:\n", "A: b@c.de 3.4.2005\n", "a@b.c 1.2.2003 10:12:\n", ">", "> \n", "-", "-----x-----\n", "-----Original Message-----\n",
    "-----Original Message-----From: a@b.c ", "On Mon, 3 Mar 2003 at 10:12, Ann Lee <ann@example.org> wrote:\n> x\n", "-- \n", "<", "a@",
    "On Mon, 3 Mar 2003 at 10:12, Ann Lee <ann@example.org> wrote: ", "____________________\nunsubscribe http://x\n", "12:12 ", "Mar 3 ",
    "-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP SIGNATURE-----\n", "JD> x\n", "| x\n", ">From \n", "Ann said:\nx\n\n", "：",
    "Begin forwarded message:\n\n", "--] x\n", ">>> a\n", ">>>>> \"", "mailto:a@b ", "From: a\nSent: b\n\n", "\n", "\u00a0",
)  # fmt: skip


@pytest.mark.parametrize("unit", _UNITS)
def test_hostile_text_costs_little(unit: str) -> None:
    """100 KB made to be read again and again is split in linear time; a quadratic splitter takes minutes."""
    text = (unit * (100_000 // len(unit) + 1))[:100_000]
    begin = time.process_time()

    split = split_text(text)

    assert time.process_time() - begin < 0.8
    assert split.spans[-1].end == len(text)


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        "<a ",
        "<div>",
        "<blockquote>",
        "<blockquote></div>",
        "<!--",
        "<style>",
        "<head>",
        "&#",
        "<!",
        "&gt; x<br>",
        '<div a="',
    ],
)
def test_hostile_html_costs_little(unit: str) -> None:
    """100 KB of broken HTML is read in linear time, and its lines are its text."""
    begin = time.process_time()

    text, lines = read_html((unit * (100_000 // len(unit) + 1))[:100_000])

    assert time.process_time() - begin < 0.8
    assert "".join(text[line.start : line.end] for line in lines) == text

"""HTML as text: what a person would read of it, and no bomb that costs time."""

from __future__ import annotations

import html as escaping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.htmltext import MAX_HTML, html_to_text, is_bomb

TOKENS = (
    "<div>", "</div>", "<p>", "</p>", "<br>", "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "<blockquote>", "</blockquote>", "<ul>",
    "<li>", "</ul>", "<pre>", "</pre>", "<a href='https://example.org/'>", "</a>", "<img alt=x>", "<hr>", "<!--", "-->", "<style>", "</style>",
    "<script>", "</script>", "<", ">", "&", "&lt;", "&#0;", "&#57344;", "\ue001", "\x00", "\ud800", "one", "two", " ", "\n", "<template>", "<svg>",
)  # fmt: skip


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo\n"),
        ("One<br>two", "One\ntwo\n"),
        ("<ul><li>one<li>two</ul>", "  * one\n  * two\n"),
        ("<b>a</b><i>b</i> <u>c</u>", "ab c\n"),
        ("a<!-- no -->b<?php no ?>c", "abc\n"),
        ('<?xml version="1.0" encoding="utf-16"?><html><body>Schlüssel</body></html>', "Schlüssel\n"),
        ("<title>no</title><style>no</style><script>no</script>yes", "yes\n"),
        ("1 &lt; 2 &amp; 3", "1 < 2 & 3\n"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n> > b\nc\n"),
        ("<a href='https://example.org/x'>here</a>", "here <https://example.org/x>\n"),
        ("<a href='https://example.org/'>www.example.org</a>", "www.example.org\n"),
        ("<a href='javascript:alert(1)'>here</a>", "here\n"),
        ("<img src='https://example.org/x.png'>", ""),
        ("<p style='display: none'>no</p><p>yes</p>", "yes\n"),
        ("", ""),
        (" \n ", ""),
        ("<", "<\n"),
        ("plain text", "plain text\n"),
        ("\x00a", "a\n"),
    ],
)
def test_what_a_person_would_read(html: str, text: str) -> None:
    """Paragraphs, lists, quotes, links; nothing that was hidden, nothing that runs."""
    assert html_to_text(html) == text


@pytest.mark.parametrize("wrap", ["{}", "<div>" * 200 + "{}"], ids=["laid out", "too deep"])
def test_a_bomb_is_read_as_its_words(wrap: str) -> None:
    """Beyond the limits the same words are read, quotes and lines included, scripts and comments left out."""
    html = wrap.format("<p>One <b>two</b></p><!-- no --><script>no()</script><blockquote>three</blockquote>four &amp; five")

    lines = [line for line in html_to_text(html).split("\n") if line]

    assert lines == ["One two", "> three", "four & five"]


@pytest.mark.parametrize(
    ("html", "bomb"),
    [
        ("<div>" * 150, False),
        ("<div>" * 151, True),
        ("<div></b>" * 151, True),
        ("<div></div>" * 3_000, False),
        ("<div></div>" * 6_001, True),
        ("<p>x<li>y<td>z" * 1_000, False),
        ("<br>" * 5_000, False),
        ("<p " + "a " * 3_000 + ">", True),
        ("x " * 100_000, False),
        ("<DIV>" * 151, True),
    ],
)
def test_what_is_a_bomb(html: str, bomb: bool) -> None:
    """Depth of what is open, tags in all, attributes of one tag."""
    assert is_bomb(html) == bomb


def test_only_half_a_million_characters_are_read() -> None:
    """What is behind them is left out."""
    text = html_to_text("<p>" + "x" * (MAX_HTML - 4) + "abc")

    assert text.endswith("xa\n")


@given(st.lists(st.sampled_from(TOKENS), max_size=60).map("".join))
def test_reading_never_raises(html: str) -> None:
    """Any text is HTML; what comes out holds no marks of ours, no NUL, and ends with one line end."""
    text = html_to_text(html)

    assert not {"\x00", "\r", "\ue000", "\ue001"} & set(text)
    assert not text or (text.endswith("\n") and not text.endswith("\n\n"))
    text.encode()


@given(st.lists(st.text("abcäöü<>&\"' ", min_size=1, max_size=30), min_size=1, max_size=5))
def test_escaped_words_come_back(paragraphs: list[str]) -> None:
    """Text that was escaped is the text that is read, white space reduced."""
    source = "".join(f"<p>{escaping.escape(each)}</p>" for each in paragraphs)

    read = [line for line in html_to_text(source).split("\n") if line]

    assert read == [" ".join(each.split()) for each in paragraphs if each.strip()]

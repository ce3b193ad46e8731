"""What people wrote, made fit for a page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.web.shown import blocks, excerpt, mask, mask_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to gwen.pritchard@example.net.", "write to gwen…@…."),
        ("<a+b@x.example>", "<a+b…@…>"),
        ("toolshare@lists.example.org", "toolshare@lists.example.org"),
        ("no address: a@b, @x.example, 3@", "no address: a@b, @x.example, 3@"),
        ("https://user@example.org/x", "https://user…@…/x"),
    ],
)
def test_addresses_are_masked(text: str, shown: str) -> None:
    """Addresses show four letters at most; the list's own stays."""
    assert mask(text, "toolshare@lists.example.org") == shown


def test_a_masked_address_shows_little() -> None:
    """Four letters of the local part and nothing of the domain."""
    assert mask_address("gwen.pritchard@example.net") == "gwen…@…"


def test_quotes_are_set_apart() -> None:
    """Quoted lines and own words are blocks of their own, in order; blank lines make none."""
    found = blocks("> one\n> two\n\nMine.\n\n> three\n\n\n")
    assert [(b.quoted, b.lines, b.pieces[0].text) for b in found] == [
        (True, 2, "> one\n> two"),
        (False, 1, "Mine."),
        (True, 1, "> three"),
    ]


def test_links_lead_only_to_the_web() -> None:
    """http and https become links, without the full stop behind them; nothing else does."""
    (block,) = blocks("see https://example.org/a(b)?c=d, javascript:x and ftp://example.org.")
    assert [(p.text, p.link) for p in block.pieces] == [
        ("see ", ""),
        ("https://example.org/a(b)?c=d", "https://example.org/a(b)?c=d"),
        (", javascript:x and ftp://example.org.", ""),
    ]


def test_an_excerpt_is_one_line_of_own_words() -> None:
    """Quotes are left out, long texts end at a word."""
    assert excerpt("> quoted\nown\nwords") == "own words"
    assert excerpt("word " * 100, 20) == "word word word word …"


@given(st.text(max_size=2000))
def test_no_text_is_lost_or_invented(text: str) -> None:
    """All pieces together are the masked text, but for blank lines around blocks."""
    together = "".join(piece.text for block in blocks(text) for piece in block.pieces)
    assert "".join(together.split()) == "".join(mask(text).split())


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a@" * 100_000, "a.a@" * 50_000, "http://" * 30_000, "x@" + "a-" * 90_000, "> \n" * 60_000]
)
def test_hostile_text_costs_little(text: str) -> None:
    """Masking and cutting up is linear."""
    begun = time.process_time()
    blocks(text)
    assert time.process_time() - begun < 2

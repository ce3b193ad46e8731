"""What a digest leaves out: quoted lines that its readers have seen, signatures, device lines; and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.quotes import own_lines, runs_of, without_known_quotes

PARENT = "Could we open at nine? I keep meeting people at the locked door with a hedge trimmer under one arm.\n"
KNOWN = [runs_of(PARENT)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("> Could we open at nine? I keep meeting people\n\nYes.\n", "[1 quoted line left out]\n\nYes."),
        ("> Could we open at nine? I keep\n> meeting people at the locked door\n\nYes.\n", "[2 quoted lines left out]\n\nYes."),
        ("On Monday Ruth wrote:\n> Could we open at nine? I keep meeting\n\nYes.\n", "[1 quoted line left out]\n\nYes."),
        ("Yes.\n\n> Could we open at nine? I keep meeting\n", "Yes.\n\n[1 quoted line left out]"),
        ("> Nobody on this list ever wrote such a thing\n\nYes.\n", "> Nobody on this list ever wrote such a thing\n\nYes."),
        ("> >> could WE open at “nine” -- I keep meeting people!\n\nYes.\n", "[1 quoted line left out]\n\nYes."),
        ("I agree with this:\n> Could we open at nine? I keep meeting\n", "I agree with this:\n[1 quoted line left out]"),
        (
            "Am 02.03.26 um 09:12 schrieb Ruth:\n\n> Could we open at nine? I keep meeting\n\nJa.\n",
            "[1 quoted line left out]\n\nJa.",
        ),
        ("> at nine?\n\nYes.\n", "[1 quoted line left out]\n\nYes."),
        ("> at ten?\n\nYes.\n", "> at ten?\n\nYes."),
        ("Yes.\n-- \nRuth\n", "Yes."),
        ("Yes.\n\nSent from my phone\n", "Yes."),
        ("-- \nonly a signature\n", "-- \nonly a signature"),
    ],
)
def test_what_is_left_out_and_what_is_shown(text: str, shown: str) -> None:
    """A note stands for what is known; unknown words are shown, never cut."""
    assert without_known_quotes(text, KNOWN) == shown


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("On Mon, 2 Mar 2026 at 09:12, Ruth <ruth@example.net> wrote:\n> Could we?\n\nYes.\n", "Yes."),
        ("Yes to this:\n> Could we?\nAnd to that.\n", "Yes to this:\nAnd to that."),
        ("> one\n> two\n", ""),
        ("Yes.\n-- \nRuth\n", "Yes."),
    ],
)
def test_own_lines(text: str, own: str) -> None:
    """The words of a post that stand over an answer to it are its author's, not those that it quotes."""
    assert own_lines(text) == own


def test_with_nothing_known_every_quote_is_shown() -> None:
    """Fold, never cut."""
    text = "> one two three four five\n\nYes."
    assert without_known_quotes(text, []) == text


@given(st.lists(st.text(alphabet="abc >\n-", max_size=40), max_size=12))
def test_unquoted_lines_are_never_lost(lines: list[str]) -> None:
    """Whatever quotes stand around them, as long as no signature begins."""
    own = [line for text in lines for line in text.split("\n") if line.strip() and not line.startswith(">")]
    if any(line.rstrip() == "--" for line in own):
        return
    shown = without_known_quotes("\n".join(lines), KNOWN).split("\n")
    for line in own:
        if not line.rstrip().endswith(":"):
            assert line.strip() in {each.strip() for each in shown}


def test_a_large_quote_takes_linear_time() -> None:
    """Two hundred thousand words of quotes in a moment."""
    text = "> word and another word here\n" * 20_000
    started = time.perf_counter()
    without_known_quotes(text, KNOWN)
    assert time.perf_counter() - started < 10

"""format=flowed: lines joined and broken again (RFC 3676)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.flowed import WIDTH, flow, unflow

lines = st.lists(
    st.sampled_from(["word", "a", "From", ">", "> ", "--", " ", "https://example.org/a", "x" * 90, "工具"]), max_size=40
).map(" ".join)


@pytest.mark.parametrize(
    ("written", "joined"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        (" From here\n >50", "From here\n>50"),
        ("> a \n> b\n>> c", "> a b\n>> c"),
        ("> a \nb", "> a\nb"),
        ("see \n-- \nGwen", "see\n-- \nGwen"),
        ("-- \nGwen", "-- \nGwen"),
        ("open \n", "open "),
        ("open ", "open"),
        ("", ""),
        ("\n\n", "\n\n"),
        (">\n>", ">\n>"),
        ("> > a \n> > b", ">> a b"),
    ],
)
def test_soft_breaks_are_joined(written: str, joined: str) -> None:
    """At one level of quotes, never into a signature, space-stuffing undone."""
    assert unflow(written) == joined


def test_delsp_joins_words() -> None:
    """With DelSp the space before a soft break goes, too (§4.1)."""
    assert unflow("工具 \n共享\nlong \n-word", delete_space=True) == "工具共享\nlong-word"


@given(st.lists(lines, max_size=8).map("\n".join))
def test_what_is_flowed_is_read_back(text: str) -> None:
    """But for spaces at the ends of lines and between quote marks; no line is longer than its longest word asks."""
    written = flow(text)

    def essence(each: str) -> list[str]:
        return ["".join(line.split()) for line in each.split("\n")]

    assert essence(unflow(written)) == essence(text)


@given(st.lists(st.sampled_from(["word", "a", "tools", "shed"]), min_size=1, max_size=60).map(" ".join))
def test_plain_paragraphs_come_back_exactly(text: str) -> None:
    """And fit the width."""
    written = flow(text)

    assert unflow(written) == text
    assert all(len(line.rstrip(" ")) <= WIDTH for line in written.split("\n"))

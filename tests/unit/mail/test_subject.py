"""Base subjects: which posts say that they are about the same."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.subject import PREFIXES, base_subject, is_reply_subject


@pytest.mark.parametrize(
    "text",
    [
        "Damp in the shed",
        "Re: Damp in the shed",
        "RE:Damp in the shed",
        "re : Damp  in the\tshed",
        "Re: Re: RE: Damp in the shed",
        "Re[2]: Damp in the shed",
        "Re (3): Damp in the shed",
        "Re^4: Damp in the shed",
        "Re*2: Damp in the shed",
        "Re： Damp in the shed",
        "[toolshare] Damp in the shed",
        "[toolshare] Re: [toolshare] Damp in the shed",
        "Re: [toolshare] [urgent] AW: Damp in the shed",
        "Damp in the shed (fwd)",
        "Damp in the shed (Fwd) (fwd)",
        "[Fwd: Damp in the shed]",
        "Re: [Fwd: [toolshare] Re: Damp in the shed] (fwd)",
        "İLT: Damp in the shed",
        "回复：Damp in the shed",
        "رد: Damp in the shed",
        "R: Damp in the shed",
        "AW: SV: Antw: WG: VS: TR: Réf: Damp in the shed",
    ],
)
def test_one_conversation_has_one_base_subject(text: str) -> None:
    """RFC 5256 §2.1, and the marks of other languages."""
    assert base_subject(text) == "Damp in the shed"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_mark_is_known_in_both_cases(prefix: str) -> None:
    """As written and in capitals."""
    for mark in (prefix, prefix.upper()):
        assert base_subject(f"{mark}: Damp") == "Damp"
        assert is_reply_subject(f"[tools] {mark}: Damp")


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", ""),
        ("Re:", ""),
        ("Re: ", ""),
        ("[toolshare]", "[toolshare]"),
        ("Re: [toolshare]", "[toolshare]"),
        ("[Fwd: ]", ""),
        ("Reply: who?", "Reply: who?"),
        ("Ha: found it", "Ha: found it"),
        ("Regarding: the shed", "Regarding: the shed"),
        ("Ladder [long] wanted", "Ladder [long] wanted"),
        ("Ladder (fwd) wanted", "Ladder (fwd) wanted"),
        ("Re Damp", "Re Damp"),
        ("12:30 at the shed", "12:30 at the shed"),
        ("[" + "x" * 61 + "] y", "[" + "x" * 61 + "] y"),
    ],
)
def test_nothing_else_is_taken_off(text: str, base: str) -> None:
    """Words that only look like marks stay, and a subject that is only a tag keeps it."""
    assert base_subject(text) == base


@pytest.mark.parametrize("text", ["Damp", "[toolshare] Damp", "", "Regarding: Damp", "Damp Re: x"])
def test_no_reply(text: str) -> None:
    """Without a mark at the beginning a subject is no reply's."""
    assert not is_reply_subject(text)


@given(
    st.lists(st.sampled_from(["Re:", "[x]", "[", "]", " ", "(fwd)", "[Fwd:", "a", "R:", "\x00", "回复："]), max_size=20).map(
        "".join
    )
    | st.text(max_size=100)
)
def test_a_base_subject_is_its_own(text: str) -> None:
    """Never raises; taking off twice takes off no more."""
    base = base_subject(text)

    assert base_subject(base) == base
    assert len(base) <= 1000


@pytest.mark.parametrize("part", ["[Fwd:", "Re:", "[x]", "[", "(fwd)", " ", "Re[", "R", "]"])
def test_hostile_subjects_cost_little(part: str) -> None:
    """Cut before anything else is done."""
    started = time.process_time()

    base_subject(part * 100_000)
    is_reply_subject(part * 100_000)

    assert time.process_time() - started < 0.2

"""The words by which posts are found: one rule for texts and for questions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.words import MAX_WORDS, Term, parse_query, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The long ladder", "the long ladder"),
        ("Straße, naïve İzmir ﬁne", "strasse naive izmir fine"),
        ("foo_bar x-y gwen@example.net 3.14", "foo bar x y gwen example net 3 14"),
        ("日本語のテスト", "日 本 語 の テ ス ト"),
        ("ガ ｶﾞ", "ガ ガ"),
        ("क्या हाल", "क्या हाल"),
        ("ไทย", "ไ ท ย"),
        ("한국어", "한국어"),
        ("Ёлка", "елка"),
        ("a" * 65 + " b", "b"),
        ("... --- ''", ""),
    ],
)
def test_the_words_of_a_text(text: str, words: str) -> None:
    """Folded, split, and one character a word where a script has no spaces."""
    assert " ".join(words_of([text])) == words


@given(st.text(max_size=300))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    """Words taken from a text are the same when they are taken again, and a question for them asks for just these."""
    words = words_of([text])

    assert words_of([" ".join(words)]) == words
    assert all(term.words == (word,) for word in words[:30] for term in parse_query(word))


@given(st.text(max_size=1200))
def test_no_question_is_an_error(text: str) -> None:
    """Whatever somebody types."""
    for term in parse_query(text):
        assert term.words


def test_a_text_without_end_is_cut() -> None:
    """More words than an index takes are left out."""
    assert len(words_of(["a " * 50_000])) == MAX_WORDS


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("ladder", [Term(words=("ladder",))]),
        ('"Hot  water"', [Term(words=("hot", "water"))]),
        ("-gas boil*", [Term(words=("gas",), excluded=True), Term(words=("boil",), goes_on=True)]),
        ('-"hot water" C++', [Term(words=("hot", "water"), excluded=True), Term(words=("c",))]),
        ("gwen@example.net", [Term(words=("gwen", "example", "net"))]),
        ('"not closed', [Term(words=("not", "closed"))]),
        ("日本 日本", [Term(words=("日", "本"))]),
        ("- * \" ''", []),
    ],
)
def test_what_somebody_typed(query: str, terms: list[Term]) -> None:
    """Words, phrases, what must not be there, and beginnings."""
    assert list(parse_query(query)) == terms

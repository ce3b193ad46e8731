"""Full text: both databases find the same, the index follows the posts, and nothing that somebody types is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listserver.flows import finding, indexing, transfer
from listserver.mail.words import parse_query, words_of
from listserver.store import search
from listserver.store.engine import Database
from tests.integration.desk import Desk, mail, open_desk

TEXTS = {
    1: "The long ladder stands behind the hut.\n",
    2: "Boiling water, hot water bottle; der Schlüssel liegt in der Straße\n",
    3: "日本語のテスト、漢字もあります\n",
    4: "It is all C++ and foo_bar, gwen@example.net wrote: 3.14\n",
    5: "a hut is not long, a ladder is\n",
}


@pytest.fixture
def desk(database: Database) -> Desk:
    """A list with five posts, all indexed."""
    opened = open_desk(database)
    opened.join("gwen@example.net")
    for number, text in TEXTS.items():
        opened.write("gwen@example.net", subject=f"Topic{number}", text=text, Content_Type="text/plain; charset=utf-8")
    assert indexing.catch_up(opened.site) == len(TEXTS)
    return opened


def found(desk: Desk, query: str, **how: int) -> list[int]:
    """The numbers of the posts that are found."""
    return [post["number"] for post in finding.find_posts(desk.site, desk.alist, query, **how)]


def test_what_is_asked_for_is_found(desk: Desk) -> None:
    """Words, phrases, beginnings, exclusions, accents, other scripts; the newest first."""
    expected = {
        "ladder": [5, 1],
        "LADDER hut": [5, 1],
        '"long ladder"': [1],
        '"ladder long"': [],
        "ladder -stands": [5],
        "schlussel strasse": [2],
        "Schlüssel": [2],
        "boil*": [2],
        "boil": [],
        "漢字": [3],
        "字漢": [],
        "日本": [3],
        "foo_bar": [4],
        "C++": [4],
        "gwen@example.net": [5, 4, 3, 2, 1],
        "topic3": [3],
        "-ladder": [],
        "": [],
        "'\"; DROP TABLE post --": [],
    }

    assert {query: found(desk, query) for query in expected} == expected


def test_the_newest_are_shown_with_the_line_that_was_found(desk: Desk) -> None:
    """As many as were asked for."""
    (post,) = finding.find_posts(desk.site, desk.alist, "ladder", limit=1)

    assert post["number"] == 5
    assert post["excerpt"] == "a hut is not long, a ladder is"
    assert post["author"]["address"] == "gwen@example.net"


def test_another_list_is_not_looked_into(desk: Desk) -> None:
    """The neighbour in the index stays out, above and below."""
    with desk.read() as connection:
        for other in (desk.alist.id - 1, desk.alist.id + 1):
            assert search.find(connection, other, parse_query("ladder"), 10) == []


def test_the_index_follows_the_posts(desk: Desk) -> None:
    """A post is found once the clock has come by; a second run has nothing to do."""
    desk.write("gwen@example.net", text="A wheelbarrow\n")
    assert found(desk, "wheelbarrow") == []

    assert indexing.catch_up(desk.site) == 1

    assert found(desk, "wheelbarrow") == [6]
    assert indexing.catch_up(desk.site) == 0


def test_two_that_index_at_once_add_nothing_twice(desk: Desk) -> None:
    """Whoever comes second sees that the mark moved on."""
    words = [(6, "twice")]
    desk.write("gwen@example.net")

    assert desk.site.database.write(lambda c: search.add(c, desk.alist.id, 5, words, 6)) is True
    assert desk.site.database.write(lambda c: search.add(c, desk.alist.id, 5, words, 6)) is False
    assert found(desk, "twice") == [6]


def test_an_archive_is_found_at_once(desk: Desk, tmp_path: Path) -> None:
    """An import indexes what it stores, and first what came by mail before it."""
    desk.write("gwen@example.net", text="A wheelbarrow\n")
    (tmp_path / "a.eml").write_bytes(mail(text="A barrow of old times\n", Message_ID="<old@example.net>"))

    transfer.import_mail(desk.site, desk.alist, [tmp_path / "a.eml"], workers=0)

    assert (found(desk, "barrow"), found(desk, "wheelbarrow")) == ([7], [6])


def test_what_is_forgotten_is_not_found(desk: Desk) -> None:
    """Taken out with the words it was added with; the others stay."""
    words = " ".join(words_of(["Topic1", "", "gwen@example.net", TEXTS[1]]))

    desk.site.database.write(lambda c: search.forget(c, desk.alist.id, [(1, words)]))

    assert found(desk, "ladder") == [5]
    assert found(desk, "behind") == []


def test_a_post_of_any_size_is_indexed(desk: Desk) -> None:
    """Neither a megabyte of different words nor one word a hundred thousand times stops the index."""
    desk.write("gwen@example.net", text="\n".join(f"word{n}" for n in range(100_000)) + "\n")
    desk.write("gwen@example.net", text="again\n" * 100_000)
    desk.write("gwen@example.net", text="the end\n")

    assert indexing.catch_up(desk.site) == 3

    assert (found(desk, "word17"), found(desk, "again"), found(desk, '"the end"')) == ([6], [7], [8])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.text(alphabet="ab*\"- ()|&!:<>'\\", max_size=40))
def test_whatever_somebody_types(desk: Desk, query: str) -> None:
    """No question is an error on either database."""
    assert set(found(desk, query)) <= set(TEXTS)

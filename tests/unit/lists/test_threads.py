"""The choice of a parent by headers, circles, and the order of a tree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.threads import (
    PostRef,
    choose_parent,
    late_parent,
    order_posts,
    refused_cycle,
    would_cycle,
)
from listserver.mail.message_id import ReplyIds

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _ids(in_reply_to: str = "", references: str = "", own: str | None = "<own@x>") -> ReplyIds:
    return ReplyIds(message_id=own, in_reply_to=tuple(in_reply_to.split()), references=tuple(references.split()))


def _known(*ids: str) -> dict[str, PostRef]:
    return {each: PostRef(number=n, message_id=each, conversation=1) for n, each in enumerate(ids, start=1)}


@pytest.mark.parametrize(
    ("ids", "known", "kind", "parent", "awaited"),
    [
        (_ids(), (), "none", None, ()),
        (_ids("<a>"), ("<a>",), "in-reply-to", 1, ()),
        (_ids("", "<a> <b>"), ("<a>", "<b>"), "references", 2, ()),
        (_ids("<a>", "<b>"), ("<a>", "<b>"), "in-reply-to", 1, ()),
        (_ids("<g>", "<a> <g>"), ("<a>",), "references", 1, ("<g>",)),
        (_ids("<g> <a>"), ("<a>",), "in-reply-to", 1, ("<g>",)),
        (_ids("", "<a> <g1> <g2>"), ("<a>",), "references", 1, ("<g2>", "<g1>")),
        (_ids("<g>"), (), "none", None, ("<g>",)),
        (_ids("<own@x>"), (), "none", None, ()),
        (_ids("<a>", "<far> <a>"), ("<a>",), "in-reply-to", 1, ()),
    ],
)
def test_in_reply_to_then_references_from_the_end(
    ids: ReplyIds, known: tuple[str, ...], kind: str, parent: int | None, awaited: tuple[str, ...]
) -> None:
    """The nearest id that is held decides, and only what stands nearer is awaited."""
    match = choose_parent(ids, _known(*known))
    assert (match.chosen.kind, match.chosen.parent) == (kind, parent)
    assert tuple(each.message_id for each in match.awaited) == awaited


def test_our_own_address_beats_every_field_and_awaits_nothing() -> None:
    """A token is the highest evidence; what the fields name stays a candidate, the same post only once."""
    known = _known("<a>", "<b>")
    match = choose_parent(_ids("<ghost>", "<a> <b>"), known, named=known["<a>"])
    assert [(c.kind, c.parent) for c in match.candidates] == [("token", 1), ("references", 2)]
    assert match.awaited == ()


def test_a_ghost_is_named_by_what_answers_it() -> None:
    """The words for people name the id that never came."""
    assert choose_parent(_ids("<g>"), {}).chosen.detail == "it answers <g>, which never came"
    assert "nearer, it names <g>, which never came" in choose_parent(_ids("<g>", "<a>"), _known("<a>")).chosen.detail


def test_naming_oneself_is_a_refused_circle_on_record() -> None:
    """It is the last of the candidates, with a score of nothing."""
    last = choose_parent(_ids("<own@x>", "<a>"), _known("<a>")).candidates[-1]
    assert (last.parent, last.score, last.message_id) == (None, 0.0, "<own@x>")


def test_scores_fall_with_distance() -> None:
    """The id that stands nearest and is held is surer than one behind a ghost."""
    near = choose_parent(_ids("<a>"), _known("<a>")).chosen.score
    behind = choose_parent(_ids("<g>", "<a>"), _known("<a>")).chosen.score
    assert near > behind > 0.5
    assert late_parent("references", 0, _known("<a>")["<a>"]).score == near
    assert late_parent("references", 3, _known("<a>")["<a>"], ["<g>"]).score == behind


@pytest.mark.parametrize("field", ["in-reply-to", "references"])
def test_what_is_refused_keeps_the_field_that_named_it(field: str) -> None:
    """The evidence of a refused circle says which field and which post."""
    refused = refused_cycle(field, _known("<a>")["<a>"])
    assert (refused.kind, refused.parent, refused.score) == (field, 1, 0.0)
    assert "a circle, refused" in refused.detail


@given(st.dictionaries(st.integers(1, 8), st.integers(1, 8), max_size=8), st.integers(1, 8), st.integers(1, 8))
def test_links_that_pass_the_check_never_close_a_circle(links: dict[int, int], child: int, parent: int) -> None:
    """However links arrive, following parents from any post ends, when each was checked before it was made."""
    made: dict[int, int] = {}
    for lower, upper in [*links.items(), (child, parent)]:
        if not would_cycle(lower, upper, made.get):
            made[lower] = upper
    for start in made:
        seen, current = set(), start
        while current in made:
            assert current not in seen
            seen.add(current)
            current = made[current]


def _at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_a_tree_is_read_depth_first_with_siblings_by_date() -> None:
    """Not by number: a late parent stands above its earlier children, an earlier sibling before a later one."""
    rows = [(1, None, _at(0)), (2, 1, _at(9)), (3, 1, _at(4)), (4, 3, _at(20)), (5, None, _at(-5))]
    assert order_posts(rows) == [(5, 0), (1, 0), (3, 1), (4, 2), (2, 1)]


def test_children_of_a_parent_that_is_not_there_are_roots() -> None:
    """A digest shows a part of a conversation only."""
    assert order_posts([(7, 3, _at(0)), (8, 7, _at(1))]) == [(7, 0), (8, 1)]


def test_a_very_deep_tree_is_ordered_without_recursion() -> None:
    """A hundred thousand answers below each other."""
    ordered = order_posts([(n, n - 1 or None, _at(0)) for n in range(1, 100_001)])
    assert ordered[-1] == (100_000, 99_999)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), max_size=30))
def test_every_post_stands_in_the_order_once(shape: list[tuple[int, int]]) -> None:
    """Whatever the tree: each number once, and each child below its parent."""
    rows = [(n, up if up < n else None, _at(minute)) for n, (up, minute) in enumerate(shape, start=1)]
    ordered = order_posts(rows)
    assert sorted(number for number, _depth in ordered) == [number for number, _parent, _date in rows]
    depth, parents = dict(ordered), {number: parent for number, parent, _date in rows}
    place = {number: index for index, (number, _depth) in enumerate(ordered)}
    for number, parent in parents.items():
        if parent in parents:
            assert depth[number] == depth[parent] + 1
            assert place[parent] < place[number]

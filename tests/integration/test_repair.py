"""People repair conversations: whatever they do can be taken back, and no machine undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listserver.errors import Conflict, NotFound
from listserver.flows import membership, repair
from listserver.store import repairs, schema
from listserver.store.engine import Database
from tests.integration.desk import Desk, open_desk

RUTH = "ruth@example.net"


@pytest.fixture
def desk(database: Database) -> Desk:
    """Two conversations: #1 with #2 and #3 below each other and #4 beside #2; #5 with #6 below."""
    opened = open_desk(database)
    opened.join("gwen@example.net")
    plant(opened, [None, 1, 2, 1, None, 5])
    return opened


def name(number: int) -> str:
    """The Message-ID of a planted post."""
    return f"<tree{number}@example.net>"


def plant(desk: Desk, answered: list[int | None]) -> None:
    """Posts, each of which answers another by number; one that was never there is a ghost. All texts differ."""
    for number, parent in enumerate(answered, start=1):
        fields = {"In_Reply_To": name(parent)} if parent is not None else {}
        desk.write(
            "gwen@example.net",
            desk.list_address,
            Message_ID=name(number),
            subject=f"Subject {number}",
            text=f"t{number}\n",
            **fields,
        )


def shape(desk: Desk) -> dict[int, tuple[int, int | None]]:
    """Number to conversation and parent."""
    numbers = {post["message_id"]: post["number"] for thread in desk.threads() for post in thread["posts"]}
    return {post["number"]: (thread["id"], numbers.get(post["parent"])) for thread in desk.threads() for post in thread["posts"]}


def move(desk: Desk, post: int, under: int) -> str:
    return repair.move(desk.site, desk.alist, str(post), str(under), by=RUTH)


def test_a_post_is_moved_with_its_answers(desk: Desk) -> None:
    """It stands under the other post, in that one's conversation, and says who put it there."""
    assert move(desk, 2, 6) == "#2 answers #6 now."

    assert shape(desk) == {1: (1, None), 4: (1, 1), 5: (2, None), 6: (2, 5), 2: (2, 6), 3: (2, 2)}
    why = desk.why("2")
    assert why["evidence"] == {"kind": "moderator", "score": 1.0, "detail": "ruth@example.net moved it under #6"}
    assert any(sentence.startswith("Before: In-Reply-To names #1") for sentence in why["sentences"])
    desk.states()


def test_a_post_is_split_off(desk: Desk) -> None:
    """It begins a conversation, with its answers."""
    repair.split(desk.site, desk.alist, name(2), by=RUTH)

    assert shape(desk) == {1: (1, None), 4: (1, 1), 2: (2, None), 3: (2, 2), 5: (5, None), 6: (5, 5)}
    desk.states()


def test_two_conversations_become_one(desk: Desk) -> None:
    """Named by the oldest post, whichever was merged into which."""
    repair.merge(desk.site, desk.alist, "3", "6", by=RUTH)

    assert shape(desk) == {5: (1, None), 6: (1, 5), 1: (1, 6), 2: (1, 1), 3: (1, 2), 4: (1, 1)}
    desk.states()


def test_siblings_of_a_ghost_are_merged_and_split_together(desk: Desk) -> None:
    """A conversation may have several roots: all of them move, and all of them come back."""
    plant_more = [name(7), name(8)]
    for each in plant_more:
        desk.write("gwen@example.net", Message_ID=each, In_Reply_To="<never@example.net>", text=f"{each}\n")
    before = desk.threads()
    assert shape(desk)[8] == (7, None)

    repair.merge(desk.site, desk.alist, "8", "1", by=RUTH)
    assert (shape(desk)[7], shape(desk)[8]) == ((1, 1), (1, 1))
    repair.undo(desk.site, desk.alist, by=RUTH)
    assert desk.threads() == before

    repair.split(desk.site, desk.alist, "7", by=RUTH)
    assert (shape(desk)[7], shape(desk)[8]) == ((7, None), (8, None))
    repair.undo(desk.site, desk.alist, by=RUTH)
    assert desk.threads() == before


@pytest.mark.parametrize(
    ("post", "under", "words"),
    [(2, 2, "itself"), (1, 3, "circle"), (2, 3, "circle"), (2, 99, "no post 99"), (99, 2, "no post 99")],
)
def test_what_cannot_be_is_refused(desk: Desk, post: int, under: int, words: str) -> None:
    """With one sentence, and nothing has changed."""
    before = desk.threads()

    with pytest.raises((Conflict, NotFound), match=words):
        move(desk, post, under)

    assert desk.threads() == before
    with pytest.raises(NotFound, match="nothing was repaired"):
        repair.undo(desk.site, desk.alist, by=RUTH)


def test_what_is_so_already_is_refused(desk: Desk) -> None:
    """A root is not split off, and one conversation is not merged into itself."""
    with pytest.raises(Conflict, match="begins its conversation"):
        repair.split(desk.site, desk.alist, "1", by=RUTH)
    with pytest.raises(Conflict, match="in one conversation"):
        repair.merge(desk.site, desk.alist, "1", "3", by=RUTH)


def test_a_late_parent_does_not_move_what_a_moderator_placed(desk: Desk) -> None:
    """It is noted; and when the repair is taken back, the post stands under it."""
    desk.write("gwen@example.net", Message_ID=name(7), In_Reply_To="<late@example.net>", text="seven\n")
    move(desk, 7, 1)

    desk.write("gwen@example.net", Message_ID="<late@example.net>", text="late\n")

    assert (shape(desk)[7], shape(desk)[8]) == ((1, 1), (8, None))
    repair.undo(desk.site, desk.alist, by=RUTH)
    assert (shape(desk)[7], shape(desk)[8]) == ((7, 8), (7, None))
    desk.states()


def test_a_moderated_post_draws_nobody_after_it(desk: Desk) -> None:
    """Another post that names the same ghost stands alone, not in the conversation into which the first was moved."""
    desk.write("gwen@example.net", Message_ID=name(7), In_Reply_To="<never@example.net>", text="seven\n")
    move(desk, 7, 1)

    desk.write("gwen@example.net", Message_ID=name(8), In_Reply_To="<never@example.net>", text="eight\n")

    assert shape(desk)[8] == (8, None)


def test_a_former_parent_that_answers_by_now_stays_below(desk: Desk) -> None:
    """Taking a repair back never closes a circle."""
    desk.write("gwen@example.net", Message_ID=name(7), In_Reply_To="<late@example.net>", text="seven\n")
    desk.write("gwen@example.net", Message_ID=name(8), In_Reply_To=name(7), text="eight\n")
    move(desk, 8, 1)
    desk.write("gwen@example.net", Message_ID="<late@example.net>", In_Reply_To=name(8), text="late\n")
    assert shape(desk)[7] == (1, 9)

    repair.undo(desk.site, desk.alist, by=RUTH)

    assert shape(desk)[8] == (7, None)
    assert shape(desk)[9] == (7, 8)
    desk.states()


def test_who_did_what_is_on_record(desk: Desk) -> None:
    """Also what was taken back, by whom and when."""
    move(desk, 2, 6)
    desk.wait(hours=1)
    said = repair.undo(desk.site, desk.alist, by="tom@example.net")

    assert said == "Taken back: move #2 under #6, by ruth@example.net on 02 March 2026."
    with desk.read() as connection:
        (row,) = repairs.history(connection, desk.alist.id)
    assert (row.made_by, row.undone_by) == (RUTH, "tom@example.net")
    assert row.undone_at is not None
    assert any("moved it under #6" in sentence for sentence in desk.why("2")["sentences"])


@pytest.fixture(scope="module")
def one_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One site for many examples."""
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('repair')}/x.db", durability="relaxed")
    schema.upgrade(opened)
    yield open_desk(opened)
    opened.close()


_lists = count(1)
STEPS = st.lists(
    st.tuples(st.sampled_from(["move", "split", "merge", "undo"]), st.integers(1, 9), st.integers(1, 9)), max_size=12
)
TREES = st.lists(st.none() | st.integers(1, 12), min_size=9, max_size=9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answered=TREES, steps=STEPS)
def test_as_many_undos_give_the_first_tree_back(one_site: Desk, answered: list[int | None], steps: list[Any]) -> None:
    """Any posts, ghosts among them, and any repairs: never a circle, names of conversations right, all of it reversible."""
    desk = _fresh_list(one_site)
    plant(desk, [parent if parent != number else None for number, parent in enumerate(answered, start=1)])
    first = desk.threads()
    done = 0
    for action, one, other in steps:
        try:
            if action == "undo":
                if done:
                    repair.undo(desk.site, desk.alist, by=RUTH)
                done = max(done - 1, 0)
                continue
            if action == "move":
                move(desk, one, other)
            elif action == "merge":
                repair.merge(desk.site, desk.alist, str(one), str(other), by=RUTH)
            else:
                repair.split(desk.site, desk.alist, str(one), by=RUTH)
            done += 1
        except Conflict:
            continue
        tree = shape(desk)
        assert len(tree) == 9
        for conversation in {conversation for conversation, _parent in tree.values()}:
            assert conversation == min(number for number, (its, _parent) in tree.items() if its == conversation)
        assert all(parent is None or tree[parent][0] == its for its, parent in tree.values())

    for _n in range(done):
        repair.undo(desk.site, desk.alist, by=RUTH)

    assert desk.threads() == first
    desk.states()


def _fresh_list(site: Desk) -> Desk:
    address = f"list{next(_lists)}@lists.example.org"
    membership.create_list(site.site, address, {}, [])
    desk = Desk(site.site, site.clock, site.resolver, list_address=address)
    desk.join("gwen@example.net")
    return desk

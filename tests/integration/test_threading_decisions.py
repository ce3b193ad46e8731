"""What is decided when fields, quotes, subjects and people say different things, or say them late."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from listserver.cli.show import tree_of
from listserver.store import evidence, posts
from listserver.store.engine import Database
from tests.integration.desk import Desk, open_desk
from tests.integration.garden import BEANS, COPPER, FERNS, introduced, join_all, quoted, say


@pytest.fixture
def desk(database: Database) -> Desk:
    return join_all(open_desk(database))


def _place(desk: Desk, message_id: str) -> dict[str, Any]:
    return next(post for thread in desk.threads() for post in thread["posts"] if post["message_id"] == message_id)


_TORCH = "A red torch is better than a white one, for the slugs do not notice it, and the hedgehogs are left in peace as well.\n"
_NEST = "The blackbirds may have it. I comb our two sheep twice a year and there is far more wool than anybody could need.\n"
_DEAR = "Twelve pounds for four metres at the ironmonger's in Mill Lane, and the cheaper kind lost its glue within a week.\n"


def _conversation() -> list[tuple[str, int, str, str, str | None]]:
    """Seven posts: who, minute, name, text, and the name of the parent."""
    return [
        ("gwen", 0, "beans", BEANS, None),
        ("tom", 31, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER, "beans"),
        ("lars", 44, "wool", introduced("gwen", 0, BEANS) + "\n" + FERNS, "beans"),
        ("priya", 58, "torch", introduced("tom", 31, introduced("gwen", 0, BEANS) + "\n" + COPPER) + "\n" + _TORCH, "copper"),
        ("gwen", 83, "dear", introduced("tom", 31, COPPER) + "\n" + _DEAR, "copper"),
        ("lars", 97, "nest", introduced("lars", 44, FERNS) + "\n" + _NEST, "wool"),
        (
            "tom",
            112,
            "red",
            introduced("priya", 58, _TORCH) + "\nI shall buy one on Saturday, then, and report how many I found.\n",
            "torch",
        ),
    ]


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_order_of_arrival_does_not_matter(desk: Desk, seed: int | None) -> None:
    """Seven posts that quote each other make the same tree, in whatever order they come."""
    told = _conversation()
    expected = {f"<{name}@garden>": f"<{parent}@garden>" if parent else None for _who, _at, name, _text, parent in told}
    if seed is not None:
        random.Random(seed).shuffle(told)
    for who, minute, name, text, parent in told:
        say(desk, who, minute, name, text, subject="Re: Slugs in the beans" if parent else "Slugs in the beans")
    assert desk.parents() == expected
    assert len(desk.threads()) == 1


def test_a_late_parent_is_known_by_its_words(desk: Desk) -> None:
    """A post that quotes what never came moves under it when it comes after all; what was before stays on record."""
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    assert _place(desk, copper)["parent"] is None
    beans = say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    place = _place(desk, copper)
    assert (place["parent"], place["evidence"]["kind"]) == (beans, "quote")
    assert any(sentence.startswith("Before: ") for sentence in desk.why(copper)["sentences"])


def test_what_a_person_decided_is_never_recomputed(desk: Desk) -> None:
    """A link made by a moderator stays, whatever comes later."""
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)

    def decide(connection: Any) -> None:
        row = {"kind": "moderator", "parent": None, "message_id": "", "score": 1.0, "detail": "moved by ruth", "made_by": "ruth"}
        evidence.choose_anew(connection, 1, 1, row, datetime(2026, 3, 2, tzinfo=UTC))
        posts.link(connection, 1, 1, parent=None, kind="moderator", score=1.0)

    desk.site.database.write(decide)
    say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    assert (_place(desk, copper)["parent"], _place(desk, copper)["evidence"]["kind"]) == (None, "moderator")


def test_two_posts_that_quote_each_other_make_no_circle(desk: Desk) -> None:
    """Each holds the other's words; one answers, the other is answered, and both are shown."""
    first = say(desk, "gwen", 0, "first", introduced("tom", 1, COPPER) + "\n" + BEANS)
    second = say(desk, "tom", 1, "second", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    parents = desk.parents()
    assert set(parents) == {first, second}
    assert None in parents.values()


def test_a_reply_without_a_quote_is_guessed_and_marked(desk: Desk) -> None:
    """The same subject puts a post into its conversation; its parent is a guess, and shown as one."""
    say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    thanks = say(desk, "lars", 42, "thanks", "Thank you, that is worth a try.\n")
    place = _place(desk, thanks)
    assert place["evidence"]["kind"] == "subject"
    assert place["evidence"]["score"] < 0.97
    (thread,) = desk.threads()
    assert "(uncertain)" in str(tree_of(thread).children[0].children[0].children[-1].label) + str(
        tree_of(thread).children[0].children[-1].label
    )


def test_greeting_the_author_by_name_helps(desk: Desk) -> None:
    """Of several posts that nobody quotes, the one whose author is greeted is likelier than the others."""
    say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    say(desk, "lars", 35, "wool", introduced("gwen", 0, BEANS) + "\n" + FERNS)
    assert _place(desk, say(desk, "priya", 42, "thanks", "Hello Tom,\n\nwhere does one buy that?\n"))["parent"] == copper


def test_a_hijacked_conversation_is_split(desk: Desk) -> None:
    """Pressing Reply to write about something else starts a conversation, and says from where it was split."""
    beans = say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    fair = say(
        desk, "lars", 60, "fair", "Who comes along to the plant market on Sunday?\n", subject="Plant market", In_Reply_To=beans
    )
    place = _place(desk, fair)
    assert (place["parent"], place["evidence"]["kind"]) == (None, "none")
    assert place["evidence"]["detail"].startswith("split from #1")


@pytest.mark.parametrize("subject", ["Re: Plant market", "Slugs and beans, part two", "Watering 2/5"])
def test_no_hijack(desk: Desk, subject: str) -> None:
    """A reply mark, shared words in the subject, or a numbered series: the field is followed."""
    beans = say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    other = say(desk, "lars", 60, "fair", "Who comes along to the plant market on Sunday?\n", subject=subject, In_Reply_To=beans)
    assert _place(desk, other)["parent"] == beans


def test_the_text_overrules_a_field_only_in_its_top_band(desk: Desk) -> None:
    """A field that names a post of which nothing is quoted loses against a whole, attributed quote; both are kept."""
    say(desk, "lars", 0, "market", "Who comes along to the plant market on Sunday?\n" + _NEST, subject="Plant market")
    beans = say(desk, "gwen", 10, "beans", BEANS, subject="Slugs in the beans")
    text = introduced("gwen", 10, BEANS) + "\n" + COPPER
    copper = say(desk, "tom", 30, "copper", text, In_Reply_To="<market@garden>")
    assert _place(desk, copper)["parent"] == beans
    assert {(c["message_id"], c["kind"]) for c in desk.why(copper)["candidates"]} >= {
        (beans, "quote"),
        ("<market@garden>", "in-reply-to"),
    }


def test_a_field_whose_post_is_quoted_is_kept(desk: Desk) -> None:
    """Where the named post is quoted, too, the field decides."""
    beans = say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    both = introduced("tom", 30, COPPER) + "\n" + introduced("gwen", 0, BEANS) + "\nThank you both.\n"
    assert _place(desk, say(desk, "priya", 50, "both", both, In_Reply_To=beans))["parent"] == beans
    assert copper in {quote["message_id"] for quote in desk.why("<both@garden>")["quotes"]}


def test_everything_that_is_quoted_is_listed(desk: Desk) -> None:
    """`thread why` names each quoted post, its author, how much of it, and whether its words were changed."""
    beans = say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    changed = COPPER.replace("worked well", "did not work at all")
    both = introduced("gwen", 0, BEANS) + "\nYes.\n\n" + introduced("tom", 30, changed) + "\nReally?\n"
    asked = desk.why(say(desk, "priya", 50, "both", both))
    quotes = {quote["message_id"]: quote for quote in asked["quotes"]}
    assert set(quotes) == {beans, copper}
    assert quotes[beans]["author"] == {"name": "Gwen Hall", "address": "gwen@example.net"}
    assert quotes[beans]["characters"] > 150
    assert (quotes[beans]["changed"], quotes[copper]["changed"]) == (False, True)
    assert any("the quoted words were changed" in sentence for sentence in asked["sentences"])


def test_a_shortened_and_rewrapped_quote_is_not_changed(desk: Desk) -> None:
    """Leaving a sentence out, or breaking lines elsewhere, changes nobody's words."""
    say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")
    words = BEANS.partition(". Has")[0].split()
    rewrapped = "\n".join(" ".join(words[start : start + 6]) for start in range(0, len(words), 6))
    asked = desk.why(say(desk, "tom", 30, "copper", quoted(rewrapped) + "\n" + COPPER))
    assert [quote["changed"] for quote in asked["quotes"]] == [False]


def test_what_most_posts_end_with_is_no_quote(desk: Desk) -> None:
    """A footer under every post of a list is learnt, and being quoted says nothing any more."""
    footer = "\n\nThis is the tool share of Hartley Vale, kept by its members since the spring of nineteen ninety four\n"
    for number in range(70):
        words = " ".join(f"seed{number * 31 + k}" for k in range(14))
        say(
            desk,
            ("gwen", "tom", "lars")[number % 3],
            number,
            f"p{number}",
            f"Today I sowed {words}.{footer}",
            subject=f"Row {number}",
        )
    text = "> something that nobody wrote here, ever, about quite another matter" + footer.replace("\n\n", "\n> ") + "\nIndeed.\n"
    assert _place(desk, say(desk, "priya", 99, "odd", text, subject="Re: Another matter"))["parent"] is None

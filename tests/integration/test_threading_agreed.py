"""Where a post's fields and its quotes agree, nobody else is looked for; where they do not, everybody is."""

from __future__ import annotations

import pytest

from listserver.store.engine import Database
from tests.integration.desk import Desk, open_desk

LADDER = "The long ladder leans behind the hut since the storm took the gutter off the chapel hall.\n"
ROPE = "Somebody should also look at the rope, which has a cut near its upper end and may not hold.\n"
BARROW = "The wheelbarrow of the allotment has lost its wheel again, who can weld a bracket for it on Sunday?\n"


@pytest.fixture
def desk(database: Database) -> Desk:
    """Ann writes about a ladder, Ben answers about a rope, Cy about a wheelbarrow."""
    opened = open_desk(database)
    opened.join("ann@example.net", "ben@example.net", "cy@example.net", "dee@example.net")
    opened.write("ann@example.net", Message_ID="<ann@example.net>", subject="The ladder", text=LADDER)
    ben = f"Ann wrote:\n> {LADDER}\n{ROPE}"
    opened.write(
        "ben@example.net", Message_ID="<ben@example.net>", In_Reply_To="<ann@example.net>", subject="Re: The ladder", text=ben
    )
    opened.write("cy@example.net", Message_ID="<cy@example.net>", subject="The wheelbarrow", text=BARROW)
    return opened


def test_what_is_quoted_deeper_is_found_above(desk: Desk) -> None:
    """The parent by its field, and both posts that are quoted."""
    text = f"Ben wrote:\n> Ann wrote:\n>> {LADDER}> {ROPE}\nI can mend ropes, bring it to me.\n"

    desk.write(
        "dee@example.net", Message_ID="<dee@example.net>", In_Reply_To="<ben@example.net>", subject="Re: The ladder", text=text
    )

    why = desk.why("<dee@example.net>")
    assert (why["parent"], why["evidence"]["kind"]) == ("<ben@example.net>", "in-reply-to")
    assert {quote["message_id"] for quote in why["quotes"]} == {"<ann@example.net>", "<ben@example.net>"}


def test_a_quote_from_elsewhere_is_not_overlooked(desk: Desk) -> None:
    """A field names Ben's post, but all that is quoted is Cy's: the look goes on, and finds it."""
    text = f"Cy wrote:\n> {BARROW}\nI have welding gear at home.\n"

    desk.write(
        "dee@example.net", Message_ID="<dee@example.net>", In_Reply_To="<ben@example.net>", subject="Re: The ladder", text=text
    )

    why = desk.why("<dee@example.net>")
    assert "<cy@example.net>" in {quote["message_id"] for quote in why["quotes"]}

"""Posts without any threading field are put where their words belong, whatever mail programs did to the quotes."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from listserver.flows import membership
from listserver.store.engine import Database
from tests.integration.desk import Desk, mail, open_desk
from tests.integration.garden import BEANS, COPPER, FERNS, PEOPLE, at, introduced, join_all, quoted, say


@pytest.fixture
def desk(database: Database) -> Desk:
    return join_all(open_desk(database))


def _place(desk: Desk, message_id: str) -> dict[str, Any]:
    return next(post for thread in desk.threads() for post in thread["posts"] if post["message_id"] == message_id)


def _question(desk: Desk) -> str:
    return say(desk, "gwen", 0, "beans", BEANS, subject="Slugs in the beans")


def test_a_marked_quote_names_the_parent(desk: Desk) -> None:
    """An answer that quotes under an attribution stands under what it quotes, as certain, and says why."""
    beans = _question(desk)
    copper = say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    place = _place(desk, copper)
    assert (place["parent"], place["evidence"]["kind"]) == (beans, "quote")
    assert place["evidence"]["score"] >= 0.97
    assert "100% of the quoted words are in Gwen Hall's post of 2 March 2026, #1" in place["evidence"]["detail"]
    assert "the attribution names its author and its minute" in place["evidence"]["detail"]


def test_only_what_the_parent_quoted_is_quoted(desk: Desk) -> None:
    """Where the parent's own words were trimmed away, the attribution still says whose post was answered."""
    _question(desk)
    copper = say(desk, "tom", 30, "copper", COPPER + "\n" + introduced("gwen", 0, BEANS))
    nested = introduced("tom", 30, introduced("gwen", 0, BEANS)) + "\nThat is just what happened to mine, too.\n"
    assert _place(desk, say(desk, "priya", 50, "mine", nested))["parent"] == copper


def test_flattened_levels(desk: Desk) -> None:
    """One mark before every line of a whole conversation: the newest text in it is the one that is answered."""
    _question(desk)
    copper = say(desk, "tom", 30, "copper", COPPER + "\n" + introduced("gwen", 0, BEANS))
    flat = quoted(COPPER + "\nOn Mon, 2 Mar 2026, Gwen Hall wrote:\n" + BEANS) + "\nWhere does one buy that tape?\n"
    assert _place(desk, say(desk, "priya", 50, "tape", flat))["parent"] == copper


def test_a_sibling_repeats_everything_without_marks(desk: Desk) -> None:
    """Whoever repeats a text did not write it: an answer to that text stands beside the repetition, not under it."""
    beans = _question(desk)
    say(desk, "tom", 30, "copper", COPPER + "\nGwen Hall wrote on Monday\n" + BEANS)
    wool = FERNS + "\n" + introduced("gwen", 0, BEANS)
    assert _place(desk, say(desk, "lars", 45, "wool", wool))["parent"] == beans


def test_nothing_is_marked(desk: Desk) -> None:
    """A web form that quotes without any mark is understood by its words, among posts of the same subject."""
    _question(desk)
    copper = say(desk, "tom", 30, "copper", "Tape is the answer.\n\n" + BEANS + "\n" + COPPER)
    place = _place(desk, say(desk, "priya", 60, "tape", COPPER + "\nWhere does one buy such tape, and is it dear?\n"))
    assert (place["parent"], place["evidence"]["kind"]) == (copper, "quote")


def test_of_two_equal_texts_the_newer_is_answered(desk: Desk) -> None:
    """A text that was sent again is answered where it was seen last."""
    _question(desk)
    again = say(desk, "gwen", 600, "again", BEANS, subject="Slugs in the beans")
    assert _place(desk, say(desk, "tom", 660, "copper", quoted(BEANS) + "\n" + COPPER))["parent"] == again


def test_of_two_equal_texts_the_attribution_chooses(desk: Desk) -> None:
    """Unless the attribution gives the time of the older one."""
    beans = _question(desk)
    say(desk, "gwen", 617, "again", BEANS, subject="Slugs in the beans")
    assert _place(desk, say(desk, "tom", 660, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER))["parent"] == beans


def test_private_mail_is_a_ghost(desk: Desk) -> None:
    """What nobody wrote here is nobody's: the post starts a conversation."""
    _question(desk)
    private = introduced("lars", 3, FERNS) + "\nLars wrote me this; I thought I should pass it on to all of you.\n"
    place = _place(desk, say(desk, "priya", 90, "wool", private, subject="Wool against slugs"))
    assert (place["parent"], place["evidence"]["kind"]) == (None, "none")


def test_a_forward_of_something_else_starts_a_conversation(desk: Desk) -> None:
    """A forwarded mail from elsewhere has a header block and a quote, but no parent here."""
    _question(desk)
    block = "---------- Forwarded message ---------\nFrom: Someone <s@example.com>\nDate: Sun, 1 Mar 2026 at 10:00\nSubject: Plots\n\n"
    text = (
        "For your information.\n\n" + block + "The council lets out four plots by the canal from April; write before the tenth.\n"
    )
    assert _place(desk, say(desk, "tom", 95, "plots", text, subject="Fwd: Plots"))["parent"] is None


def test_a_parent_in_html_only(desk: Desk) -> None:
    """The words of an HTML-only post are found in a plain text that quotes them."""
    html = f"<html><body><p>{BEANS}</p></body></html>"
    beans = say(
        desk, "gwen", 0, "beans", html, subject="Slugs in the beans", MIME_Version="1.0", Content_Type="text/html; charset=utf-8"
    )
    assert _place(desk, say(desk, "tom", 20, "copper", quoted(BEANS) + "\n" + COPPER))["parent"] == beans


def test_a_wrong_charset_hides_only_the_words_with_accents(desk: Desk) -> None:
    """A parent whose charset is labelled wrongly is found by its other words."""
    text = BEANS + "Über die Möhren schreibe ich später mehr, denn die gedeihen dieses Jahr prächtig neben den Zwiebeln.\n"
    encoded = base64.b64encode(text.encode("latin-1")).decode()
    fields = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=koi8-r", "Content_Transfer_Encoding": "base64"}
    beans = say(desk, "gwen", 0, "beans", encoded, subject="Slugs in the beans", **fields)
    fields = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=utf-8", "Content_Transfer_Encoding": "8bit"}
    assert _place(desk, say(desk, "tom", 20, "copper", quoted(text) + "\n" + COPPER, **fields))["parent"] == beans


def test_a_script_without_spaces(desk: Desk) -> None:
    """Chinese is compared sign by sign."""
    fields = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=utf-8", "Content_Transfer_Encoding": "8bit"}
    asked = "今年春天南墙边的豆苗又被蛞蝓吃掉了一半请问大家有什么不用农药的好办法可以把它们赶走\n"
    beans = say(desk, "gwen", 0, "beans", asked, subject="豆苗", **fields)
    place = _place(
        desk,
        say(
            desk,
            "tom",
            30,
            "copper",
            quoted(asked) + "\n我在菜畦四周贴了铜胶带效果很好你可以试试\n",
            subject="回复: 豆苗",
            **fields,
        ),
    )
    assert (place["parent"], place["evidence"]["kind"]) == (beans, "quote")


def test_a_quote_of_two_hundred_kilobytes(desk: Desk) -> None:
    """A very long quote finds its parent, and costs a bounded time."""
    long = "".join(
        f"Row {n} of plot {n * 7 % 31} holds variety number {n * 13 % 997} sown on day {n % 365} by hand.\n" for n in range(3_000)
    )
    assert len(long) > 200_000
    beans = say(desk, "gwen", 0, "beans", long, subject="The whole planting list")
    started = time.process_time()
    answer = say(
        desk, "tom", 30, "copper", quoted(long) + "\nThank you for typing all this in.\n", subject="Re: The whole planting list"
    )
    assert time.process_time() - started < 10
    assert _place(desk, answer)["parent"] == beans


def test_program_output_in_many_posts_links_nobody(desk: Desk) -> None:
    """What seventy posts have in common says nothing about the next one that has it."""
    output = (
        "> Reading package lists... Done\n> Building dependency tree... Done\n> Nothing to do, 0 upgraded, 0 newly installed.\n"
    )
    for n in range(70):
        say(desk, "lars", n, f"box{n}", f"Seed box number {n} reports:\n\n{output.replace('> ', '')}\n", subject=f"Box {n}")
    place = _place(
        desk, say(desk, "tom", 99, "mine", f"My new weather station prints this:\n\n{output}", subject="Weather station")
    )
    assert place["parent"] is None


def test_an_automatic_reply_is_not_a_post(desk: Desk) -> None:
    """An absence notice that quotes what it answers goes nowhere."""
    _question(desk)
    notice = mail(
        PEOPLE["tom"],
        text="I am away until Friday.\n\n" + quoted(BEANS),
        Auto_Submitted="auto-replied",
        Message_ID="<away@garden>",
    )
    (row,) = desk.receive(notice, path="tom@example.net")
    assert row.state != "posted"
    assert desk.posts() == 1


def test_words_of_another_list_are_not_looked_up(desk: Desk) -> None:
    """A post of a list that the writer may not even read is never found, and never named."""
    membership.create_list(desk.site, "closed@lists.example.org", {"name": "Closed"}, ["ruth@example.net"])
    desk.site.directory.refresh()
    desk.write(
        "ruth@example.net", "closed@lists.example.org", Message_ID="<secret@garden>", text=BEANS, subject="Slugs in the beans"
    )
    prober = say(desk, "tom", 30, "probe", quoted(BEANS) + "\nIs this known?\n")
    assert _place(desk, prober)["parent"] is None
    assert "secret" not in str(desk.why(prober))


def test_who_writes_under_the_address_of_the_list(desk: Desk) -> None:
    """Where all authors have the list's address, their names in front of "via" tell them apart."""
    desk.join("shared@example.net")
    sender = "{} via Tool Share <shared@example.net>"
    desk.write(sender.format("Gwen Hall"), Message_ID="<a@garden>", Date=at(0), subject="Slugs", text=BEANS)
    desk.write(
        sender.format("Lars Lind"), Message_ID="<b@garden>", Date=at(5), subject="Re: Slugs", text=quoted(BEANS) + "\n" + FERNS
    )
    nested = "On Monday, Lars Lind via Tool Share <shared@example.net> wrote:\n" + quoted(quoted(BEANS) + "\n" + FERNS)
    desk.write(
        sender.format("Tom Okafor"),
        Message_ID="<c@garden>",
        Date=at(9),
        subject="Re: Slugs",
        text=nested + "\nI shall try that.\n",
    )
    assert _place(desk, "<c@garden>")["parent"] == "<b@garden>"


def test_a_fresh_topic_stays_alone(desk: Desk) -> None:
    """Without a reply mark and without a quote, the same subject is no reason to join a conversation."""
    _question(desk)
    say(desk, "tom", 30, "copper", introduced("gwen", 0, BEANS) + "\n" + COPPER)
    fresh = say(desk, "lars", 5_000, "walk", "Who comes along to the seed fair on Sunday?\n", subject="Seed fair")
    assert _place(desk, fresh)["parent"] is None

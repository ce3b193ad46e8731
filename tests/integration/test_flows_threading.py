"""Where posts are put by their headers, and what `thread why` says of it; on both databases."""

from __future__ import annotations

import threading

import pytest

from listserver.errors import NotFound
from listserver.flows import accept, membership, moderate, process
from listserver.mail.envelope import Envelope, Peer
from listserver.store import posts
from listserver.store.engine import Database
from tests.integration.desk import LIST, Desk, mail, open_desk


@pytest.fixture
def desk(database: Database) -> Desk:
    made = open_desk(database)
    made.join("gwen@example.net", "tom@example.net", "priya@example.com")
    return made


def _evidence(desk: Desk, message_id: str) -> dict[str, object]:
    return next(p["evidence"] for t in desk.threads() for p in t["posts"] if p["message_id"] == message_id)


def test_the_whole_of_references_is_walked(desk: Desk) -> None:
    """The nearest id that is held wins, wherever it stands in a chain of which the list saw little."""
    desk.write(Message_ID="<root@a>")
    desk.write(Message_ID="<mid@a>", In_Reply_To="<root@a>")
    chain = " ".join(["<root@a>", "<mid@a>", *(f"<never{n}@a>" for n in range(40))])
    desk.write(Message_ID="<leaf@a>", In_Reply_To="<never39@a>", References=chain)
    assert desk.parents()["<leaf@a>"] == "<mid@a>"
    evidence = _evidence(desk, "<leaf@a>")
    assert evidence["kind"] == "references"
    assert "<never39@a>, which never came" in str(evidence["detail"])


def test_a_chain_of_hundreds_keeps_the_end(desk: Desk) -> None:
    """Only the last ids of a very long References count, because the nearest ancestor stands last."""
    desk.write(Message_ID="<near@a>")
    chain = "\r\n ".join([*(f"<far{n}@a>" for n in range(500)), "<near@a>"])
    desk.write(Message_ID="<leaf@a>", References=chain)
    assert desk.parents()["<leaf@a>"] == "<near@a>"


@pytest.mark.parametrize(
    "written",
    [
        "first@a.example",
        "<[first@a.example]>",
        "<first@a.example> (Gwen's message of Mon)",
        'Message from Gwen <gwen@example.net> of "Mon, 02 Mar 2026" <first@a.example>',
        "<first@a.exam\r\n ple>",
        "<nobody@nowhere> <first@a.example>",
    ],
)
def test_ids_that_real_programs_write(desk: Desk, written: str) -> None:
    """Without brackets, in double ones, with comments, names, dates and folds: the post that is meant is found."""
    own = "<[first@a.example]>" if "[" in written else "<first@a.example>"
    desk.write(Message_ID=own)
    desk.write(Message_ID="<reply@b.example>", In_Reply_To=written)
    assert desk.parents()["<reply@b.example>"] == own


def test_in_reply_to_comes_before_references(desk: Desk) -> None:
    """Where the two disagree, the post named by In-Reply-To is the parent, and the other stays a candidate."""
    desk.write(Message_ID="<a@a>")
    desk.write(Message_ID="<b@a>")
    desk.write(Message_ID="<c@a>", In_Reply_To="<a@a>", References="<a@a> <b@a>")
    assert desk.parents()["<c@a>"] == "<a@a>"
    assert [c["message_id"] for c in desk.why("<c@a>")["candidates"]] == ["<a@a>", "<b@a>"]


def test_a_late_parent_draws_its_children_and_their_conversations_together(desk: Desk) -> None:
    """Three answers that came first, two of them by other ways, become one conversation under the parent that comes last."""
    desk.write(Message_ID="<one@a>", In_Reply_To="<late@a>")
    desk.write(Message_ID="<two@a>", References="<late@a> <other@a>")
    desk.write(Message_ID="<under@a>", In_Reply_To="<two@a>")
    desk.write(Message_ID="<late@a>")
    (thread,) = desk.threads()
    assert [(p["message_id"], p["parent"], p["depth"]) for p in thread["posts"]] == [
        ("<late@a>", None, 0),
        ("<one@a>", "<late@a>", 1),
        ("<two@a>", "<late@a>", 1),
        ("<under@a>", "<two@a>", 2),
    ]
    assert "which came later" in desk.why("<one@a>")["sentences"][0]
    assert "nearer, it names <other@a>, which never came" in desk.why("<two@a>")["sentences"][0]


def test_a_nearer_late_parent_replaces_a_farther_one(desk: Desk) -> None:
    """A post under its grandparent moves under its parent when that comes, and what it left stays on record."""
    desk.write(Message_ID="<grand@a>")
    desk.write(Message_ID="<child@a>", In_Reply_To="<parent@a>", References="<grand@a> <parent@a>")
    assert desk.parents()["<child@a>"] == "<grand@a>"
    desk.write(Message_ID="<parent@a>", In_Reply_To="<grand@a>")
    assert desk.parents()["<child@a>"] == "<parent@a>"
    assert any(s.startswith("Before: ") for s in desk.why("<child@a>")["sentences"])


def test_a_farther_late_ancestor_changes_nothing(desk: Desk) -> None:
    """What stands farther than the parent that was found is not waited for."""
    desk.write(Message_ID="<parent@a>")
    desk.write(Message_ID="<child@a>", In_Reply_To="<parent@a>", References="<grand@a> <parent@a>")
    desk.write(Message_ID="<grand@a>")
    assert desk.parents()["<child@a>"] == "<parent@a>"


def test_siblings_of_a_ghost_are_one_conversation(desk: Desk) -> None:
    """Answers to a mail that the list never got are roots of one thread; each names the ghost, and so does its own id."""
    desk.write(Message_ID="<one@a>", In_Reply_To="<ghost@b>")
    desk.write("tom@example.net", Message_ID="<two@a>", In_Reply_To="<ghost@b>")
    (thread,) = desk.threads()
    assert [p["parent"] for p in thread["posts"]] == [None, None]
    assert desk.why("<two@a>")["sentences"] == ["it answers <ghost@b>, which never came"]
    with pytest.raises(NotFound, match=r"<ghost@b> never came to this list: a ghost, known only because #1 and #2 names it"):
        desk.why("ghost@b")


def test_a_child_of_a_held_ancestor_and_a_ghost_stands_with_its_ghost_siblings(desk: Desk) -> None:
    """One answer knows the grandparent, the other only the ghost between: they are one conversation all the same."""
    desk.write(Message_ID="<grand@a>")
    desk.write(Message_ID="<knows@a>", References="<grand@a> <ghost@a>")
    desk.write(Message_ID="<only@a>", In_Reply_To="<ghost@a>")
    (thread,) = desk.threads()
    assert desk.parents() == {"<grand@a>": None, "<knows@a>": "<grand@a>", "<only@a>": None}
    assert len(thread["posts"]) == 3


@pytest.mark.parametrize("length", [2, 3, 5])
def test_a_circle_is_refused_and_explained_from_both_ends(desk: Desk, length: int) -> None:
    """However many posts claim to answer each other in a ring, one link is refused, and both its ends say so."""
    for n in range(length):
        desk.write(Message_ID=f"<c{n}@a>", In_Reply_To=f"<c{(n - 1) % length}@a>")
    parents = desk.parents()
    assert parents["<c0@a>"] is None
    assert [parents[f"<c{n}@a>"] for n in range(1, length)] == [f"<c{n}@a>" for n in range(length - 1)]
    assert any("a circle, refused" in s for s in desk.why("<c0@a>")["sentences"])
    assert any("#1 names this post, too" in s for s in desk.why(f"<c{length - 1}@a>")["sentences"])
    refused = desk.why("<c0@a>")["candidates"][-1]
    assert (refused["message_id"], refused["kind"], refused["score"]) == (f"<c{length - 1}@a>", "in-reply-to", 0.0)


def test_a_post_that_names_itself_starts_a_conversation(desk: Desk) -> None:
    """Its own id among what it answers is refused as the smallest of circles."""
    desk.write(Message_ID="<self@a>", In_Reply_To="<self@a>")
    assert desk.parents() == {"<self@a>": None}
    assert any("names the post itself: a circle, refused" in s for s in desk.why("1")["sentences"])


def test_a_repeated_mail_is_explained(desk: Desk) -> None:
    """The same mail again is no post; `thread why` of its post tells how often and when it came again."""
    for _time in range(3):
        desk.write(Message_ID="<same@a>")
        desk.wait(minutes=1)
    assert desk.states() == {"posted": 1, "duplicate": 2}
    assert desk.why("<same@a>")["sentences"][-1] == (
        "the same mail came again, 2 times, last on 02 March 2026 at 09:02 UTC: a duplicate, not posted a second time"
    )


def test_one_message_id_for_two_contents_is_two_posts(desk: Desk) -> None:
    """The second is posted and flagged, the first is not overwritten, answers go to the first, and each names the other."""
    desk.write(Message_ID="<same@a>", text="One.\n")
    desk.write(Message_ID="<same@a>", text="Two.\n")
    desk.write(Message_ID="<reply@a>", In_Reply_To="<same@a>")
    assert desk.states() == {"posted": 3}
    by_number = {p["number"]: p for t in desk.threads() for p in t["posts"]}
    assert by_number[3]["parent"] == "<same@a>"
    assert len([t for t in desk.threads() if {1, 3} <= {p["number"] for p in t["posts"]}]) == 1
    assert desk.why("1")["sentences"][-1] == "another post, #2, has the same Message-ID and other content"
    assert desk.why("2")["sentences"][-1] == "another post, #1, has the same Message-ID and other content"


def test_without_a_message_id_the_content_tells_a_repetition(desk: Desk) -> None:
    """A mail without one gets an id made of its content, so that its second delivery is known."""
    for text in ("One.\n", "One.\n", "Two.\n"):
        desk.receive(mail(text=text))
    assert desk.states() == {"posted": 2, "duplicate": 1}


def test_the_reply_address_of_a_post_names_it(desk: Desk) -> None:
    """It decides even where In-Reply-To names another post, which stays a candidate."""
    desk.write(Message_ID="<a@a>")
    desk.write(Message_ID="<b@a>", subject="Damp")
    with desk.read() as connection:
        token = posts.get(connection, desk.alist.id, "1").token
    desk.write(
        to=f"toolshare+r-{token}@lists.example.org", Message_ID="<c@a>", subject="Re: The long ladder", In_Reply_To="<b@a>"
    )
    desk.write(to=f"TOOLSHARE%2BR-{token.upper()}@lists.example.org", Message_ID="<d@a>", subject="Re: The long ladder")
    assert desk.parents()["<c@a>"] == "<a@a>"
    assert desk.parents()["<d@a>"] == "<a@a>"
    assert _evidence(desk, "<c@a>")["kind"] == "token"
    assert [c["kind"] for c in desk.why("<c@a>")["candidates"]] == ["token", "in-reply-to"]


def test_a_reply_address_out_of_an_address_book_starts_a_conversation(desk: Desk) -> None:
    """Another subject without a reply mark and no quoted text: the address was remembered, not answered."""
    desk.write(Message_ID="<a@a>")
    with desk.read() as connection:
        token = posts.get(connection, desk.alist.id, "1").token
    to = f"toolshare+r-{token}@lists.example.org"
    desk.write(to=to, Message_ID="<new@a>", subject="Wheelbarrow", text="Who wants it?\n")
    desk.write(to=to, Message_ID="<quoting@a>", subject="Wheelbarrow", text="> Who has it?\nI do.\n")
    assert desk.parents()["<new@a>"] is None
    assert desk.parents()["<quoting@a>"] == "<a@a>"


def test_two_lists_share_nothing(desk: Desk) -> None:
    """Evidence never crosses a list: the same ids on another list are ghosts there."""
    membership.create_list(desk.site, "other@lists.example.org", {"post": "anyone"}, [])
    desk.write(Message_ID="<a@a>")
    desk.write(Message_ID="<b@a>", In_Reply_To="<a@a>", to="other@lists.example.org")
    desk.list_address = "other@lists.example.org"
    assert desk.parents() == {"<b@a>": None}


def test_a_post_held_twice_is_posted_once(desk: Desk) -> None:
    """A sender's retry while the first copy waits for a moderator: whoever approves both makes one post."""
    desk.set(post="moderated")
    for _time in range(2):
        desk.write(Message_ID="<same@a>")
    first, second = desk.held()
    assert moderate.approve(desk.site, first["id"]) == "Posted as #1."
    assert moderate.approve(desk.site, second["id"]) == "It is posted already, as #1: recorded as a duplicate."
    assert desk.states() == {"posted": 1, "duplicate": 1}
    desk.set(post="members")
    desk.write(Message_ID="<next@a>")
    assert desk.parents() == {"<same@a>": None, "<next@a>": None}
    assert desk.posts() == 2


def test_two_deliveries_at_one_moment_are_one_post(desk: Desk) -> None:
    """On PostgreSQL two transactions see no post yet and both mean to make it: the list's lock lets one of them."""
    if desk.site.database.is_sqlite:
        desk.write(Message_ID="<same@a>")
        desk.write(Message_ID="<same@a>")
        assert desk.states() == {"posted": 1, "duplicate": 1}
        return
    peer = Peer(host="127.0.0.1", port=1, helo="mx", trusted=True, tls=False, protocol="smtp")
    envelope = Envelope(reverse_path="gwen@example.net", recipients=(LIST,), peer=peer)
    raw = mail(Message_ID="<same@a>")
    prepared = accept.prepare(desk.site, envelope, raw)
    works = []
    for _time in range(2):
        arrival = accept.find_arrival(desk.site, LIST)
        assert arrival is not None
        (new,) = accept.new_mails(desk.site, envelope, [arrival])
        desk.site.database.write(lambda connection, n=new: accept.accept(connection, raw, [n]))  # type: ignore[misc]
        works.append(process.plan(desk.site, new, prepared))
    begun = threading.Event()
    with desk.site.database.engine.begin() as first:
        works[0](first)

        def second() -> None:
            begun.set()
            desk.site.database.write(works[1])

        racing = threading.Thread(target=second)
        racing.start()
        begun.wait(10)
        while not _waits_for_a_lock(desk):
            pass
    racing.join(20)
    assert desk.states() == {"posted": 1, "duplicate": 1}


def _waits_for_a_lock(desk: Desk) -> bool:
    with desk.site.database.engine.connect() as connection:
        return bool(
            connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).scalar_one()
        )

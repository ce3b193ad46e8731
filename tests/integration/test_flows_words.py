"""Words at the role addresses: carried out, undone, asked back; whoever is not believed is asked; nothing near a word acts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from listserver.flows import membership
from listserver.store import members
from listserver.store.engine import Database
from tests.integration.desk import Desk, open_desk

REQUEST = "toolshare-request@lists.example.org"
GWEN = "gwen@example.net"


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    made = open_desk(sqlite_database)
    made.join(GWEN)
    return made


@pytest.fixture
def doubting(sqlite_database: Database) -> Desk:
    """A desk that believes nobody."""
    made = open_desk(sqlite_database, authentication="off")
    made.join(GWEN)
    return made


def test_a_word_is_done_at_once_and_undone_by_reply(database: Database) -> None:
    """Digest at six in the evening, E9 says so, and `undo` puts everything back; on both databases."""
    desk = open_desk(database)
    desk.join(GWEN)
    desk.write(GWEN, REQUEST, subject="digest at 18:00", text="\n")
    done = desk.newest(GWEN)
    assert done.mail["Subject"] == "Done: one email a day from Tool Share"
    assert "digest: you get one email a day, at 18:00 (UTC time), on days when somebody has written." in done.text
    assert (desk.member(GWEN).delivery, desk.member(GWEN).digest_at) == ("digest", "18:00")
    desk.answer_to(done, "undo\n\n> digest: you get one email a day\n")
    assert desk.newest(GWEN).mail["Subject"] == "Undone: your settings for Tool Share are as before"
    assert (desk.member(GWEN).delivery, desk.member(GWEN).digest_at) == ("each", "")
    desk.answer_to(done, "undo\n")
    assert desk.member(GWEN).delivery == "each"
    assert desk.states() == {"command": 3}


def test_several_words_and_one_that_cannot_be_done(desk: Desk) -> None:
    """What can be done is done; the day that does not exist is told, with how to write it."""
    desk.write(GWEN, REQUEST, subject="", text="digest\npause until 31 February\n")
    told = desk.newest(GWEN)
    assert told.mail["Subject"] == "Done: one email a day from Tool Share"
    assert "pause until 31 february: not done, there is no such day." in told.text
    assert (desk.member(GWEN).delivery, desk.member(GWEN).state) == ("digest", "active")


def test_a_pause_ends_on_the_morning_of_its_day(desk: Desk) -> None:
    """Where the member lives."""
    desk.write(GWEN, REQUEST, subject="timezone Europe/London", text="\n")
    desk.write(GWEN, REQUEST, subject="pause until 30 March", text="\n")
    assert "pause: no email until Monday 30 March." in desk.newest(GWEN).text
    assert (desk.member(GWEN).state, desk.member(GWEN).paused_until) == ("paused", "2026-03-29T23:00+00:00")
    desk.write(GWEN, REQUEST, subject="resume", text="\n")
    assert (desk.member(GWEN).state, desk.member(GWEN).paused_until) == ("active", "")


def test_resume_forgets_what_came_back(desk: Desk) -> None:
    """Somebody whose mail was stopped because it came back is served again."""
    with desk.read() as connection:
        number = members.get(connection, desk.alist.id, GWEN).id
    desk.site.database.write(lambda c: members.change(c, desk.alist.id, number, {"state": "suspended"}))
    desk.write(GWEN, REQUEST, subject="resume", text="\n")
    assert desk.member(GWEN).state == "active"
    assert "resume: you get email again" in desk.newest(GWEN).text


def test_who_is_not_believed_is_asked(doubting: Desk) -> None:
    """Nothing changes until the address itself says yes; an empty reply is no yes to this."""
    doubting.write(GWEN, REQUEST, subject="digest", text="\n")
    question = doubting.newest(GWEN)
    assert question.mail["Subject"] == "Please confirm: one email a day from Tool Share?"
    assert doubting.member(GWEN).delivery == "each"
    doubting.answer_to(question, "\n")
    assert doubting.member(GWEN).delivery == "each"
    doubting.answer_to(question, "yes\n")
    assert doubting.member(GWEN).delivery == "digest"


def test_a_robot_cannot_confirm_settings(doubting: Desk) -> None:
    """Even one that quotes our token back and says yes."""
    doubting.write(GWEN, REQUEST, subject="digest", text="\n")
    doubting.answer_to(doubting.newest(GWEN), "yes\n", Auto_Submitted="auto-replied")
    assert doubting.member(GWEN).delivery == "each"


@pytest.mark.parametrize(
    "text", ["don't unsubscribe me", "digset", "digest\neach", "unsubscribe?", "pause until 03/04", "wibble"]
)
def test_nothing_near_a_word_acts(desk: Desk, text: str) -> None:
    """The member is as before, and hears that nothing has been changed."""
    before = desk.member(GWEN)
    desk.write(GWEN, REQUEST, subject="", text=f"{text}\n")
    assert desk.member(GWEN) == before
    assert "Nothing has been changed." in desk.newest(GWEN).text


def test_yes_to_did_you_mean(desk: Desk) -> None:
    """A slip is asked, and a yes does what was offered."""
    desk.write(GWEN, REQUEST, subject="digset", text="\n")
    asked = desk.newest(GWEN)
    assert asked.mail["Subject"] == "Did you mean “digest”?"
    desk.answer_to(asked, "yes\n")
    assert desk.member(GWEN).delivery == "digest"


def test_another_word_to_did_you_mean(desk: Desk) -> None:
    """Any other word is read as such."""
    desk.write(GWEN, REQUEST, subject="digset", text="\n")
    desk.answer_to(desk.newest(GWEN), "leave\n")
    assert desk.member(GWEN).state == "left"


def test_settings_are_shown_to_who_is_believed_only(doubting: Desk) -> None:
    """E12 by name; an unverified request gets none of it."""
    doubting.write(GWEN, REQUEST, subject="settings", text="\n")
    assert "member since" not in doubting.newest(GWEN).text


def test_settings(desk: Desk) -> None:
    """What is noted, in plain words."""
    desk.write(GWEN, REQUEST, subject="settings", text="\n")
    told = desk.newest(GWEN)
    assert told.mail["Subject"] == "Your settings for Hartley Vale Tool Share"
    assert "Address: gwen@example.net (member since 2 March 2026)" in told.text
    assert "You get: every post as soon as it is written" in told.text


def test_a_letter_reaches_the_owners(desk: Desk) -> None:
    """Twelve words or more were meant for a person."""
    desk.write(GWEN, REQUEST, subject="", text="I wonder whether one of you could tell me where the key to the shed is kept.\n")
    assert desk.newest(GWEN).mail["Subject"] == "We have passed your email to the people who run Tool Share"
    assert "where the key" in desk.newest("ruth@example.net").text


def test_a_reply_to_any_mail_of_ours_takes_words(desk: Desk) -> None:
    """The welcome says: reply with one word."""
    desk.write("ana@example.com", "toolshare-join@lists.example.org", text="\n")
    desk.answer_to(desk.newest("ana@example.com"))
    welcome = desk.newest("ana@example.com")
    desk.answer_to(welcome, "digest\n\n> digest: one email a day\n> leave: leave the list\n")
    assert desk.member("ana@example.com").delivery == "digest"


def test_words_of_other_languages(desk: Desk) -> None:
    """A German says so in German, whatever the list speaks."""
    desk.write(GWEN, REQUEST, subject="Bitte abmelden", text="Danke\nGwen\n")
    assert desk.member(GWEN).state == "left"


def test_an_undo_is_open_for_thirty_days(desk: Desk) -> None:
    """Afterwards it is explained, and nothing changes."""
    desk.write(GWEN, REQUEST, subject="digest", text="\n")
    done = desk.newest(GWEN)
    desk.clock.moment += timedelta(days=31)
    desk.answer_to(done, "undo\n", Date="Thu, 02 Apr 2026 09:00:00 +0000")
    assert desk.member(GWEN).delivery == "digest"


@pytest.mark.parametrize(
    ("to", "line", "delivery", "state"),
    [
        (REQUEST, "SET toolshare NOMAIL", "each", "paused"),
        (REQUEST, "set digest plain", "digest", "active"),
        (REQUEST, "SIGNOFF toolshare", "each", "left"),
        (REQUEST, "unsubscribe uZ9q2x", "each", "left"),
        ("listserv@lists.example.org", "SIGNOFF toolshare", "each", "left"),
        ("majordomo@lists.example.org", "unsubscribe toolshare", "each", "left"),
        ("sympa@lists.example.org", "SET toolshare DIGEST", "digest", "active"),
        (REQUEST, "unsubscribe later", "each", "active"),
    ],
)
def test_lines_of_other_list_managers(desk: Desk, to: str, line: str, delivery: str, state: str) -> None:
    """A person who knows any list manager is understood; what is none of their lines does nothing."""
    desk.write(GWEN, to, subject="", text=f"{line}\n")
    assert (desk.member(GWEN).delivery, desk.member(GWEN).state) == (delivery, state)


def test_joining_as_listserv_taught_it(desk: Desk) -> None:
    """`SUB LIST Name`: asked back as ever, and the name is the one shown."""
    desk.write("ana@example.com", "listserv@lists.example.org", subject="", text="SUB toolshare Ana Sousa\n")
    desk.answer_to(desk.newest("ana@example.com"))
    assert (desk.member("ana@example.com").name, desk.member("ana@example.com").state) == ("Ana Sousa", "active")


def test_another_persons_address_is_asked_there(desk: Desk) -> None:
    """`unsubscribe address=…` for somebody else: nothing until that address says so, and the writer hears nothing of it."""
    desk.join("tom@example.net")
    desk.write(GWEN, REQUEST, subject="", text="unsubscribe toolshare tom@example.net\n")
    assert desk.member("tom@example.net").state == "active"
    assert desk.to(GWEN) == []
    desk.answer_to(desk.newest("tom@example.net"))
    assert desk.member("tom@example.net").state == "left"


def test_a_list_that_was_not_written_to_is_named(desk: Desk) -> None:
    """Nothing is done, and the answer says where to write."""
    membership.create_list(desk.site, "garden@lists.example.org", {}, ["ruth@example.net"])
    desk.site.directory.refresh()
    desk.write(GWEN, REQUEST, subject="", text="unsubscribe garden\n")
    assert desk.member(GWEN).state == "active"
    assert "garden@lists.example.org" in desk.newest(GWEN).text

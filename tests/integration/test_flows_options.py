"""Every option of a list and of a member changes what happens; each test turns one and looks at what leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from listserver.flows import digest, membership, moderate, sweep
from listserver.lists.model import WITHOUT_EFFECT_YET, ListOptions, OptionError, read_option
from listserver.store.engine import Database
from listserver.store.members import OPTION_COLUMNS
from tests.integration.desk import LIST, Desk, Refused, mail, open_desk

EVERYONE = ["gwen@example.net", "priya@example.com", "ruth@example.net", "tom@example.net"]


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    made = open_desk(sqlite_database)
    made.join("gwen@example.net", "tom@example.net", "priya@example.com")
    return made


@pytest.fixture
def both(database: Database) -> Desk:
    """A desk on each database in turn, where an option is a matter of SQL."""
    made = open_desk(database)
    made.join("gwen@example.net", "tom@example.net", "priya@example.com")
    return made


def _got(desk: Desk) -> list[str]:
    """Who got a copy of anything in this run."""
    return sorted(left.recipient for left in desk.deliver())


# -- who may write ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("post", "sender", "state"),
    [
        ("members", "gwen@example.net", "posted"),
        ("members", "stranger@example.org", "rejected"),
        ("anyone", "stranger@example.org", "posted"),
        ("moderated", "gwen@example.net", "held"),
        ("moderated", "ruth@example.net", "posted"),
        ("announce", "gwen@example.net", "held"),
        ("announce", "ruth@example.net", "posted"),
    ],
)
def test_post_says_who_may_write(desk: Desk, post: str, sender: str, state: str) -> None:
    """Members, anyone, everybody through the moderators, or only who runs the list."""
    desk.set(post=post)
    assert desk.write(sender).state == state


def test_nobody_writes_to_an_announcement_list_in_its_owners_name(sqlite_database: Database) -> None:
    """From alone gives no right: an owner who is not verified is asked for by a person."""
    desk = open_desk(sqlite_database, authentication="off", post="announce")
    row = desk.write("ruth@example.net")
    assert (row.state, row.detail) == ("held", "we could not be sure it came from you")


def test_moderate_first_holds_so_many_posts(desk: Desk) -> None:
    """The first two are held, each approval counts, the third goes through."""
    desk.set(moderate_first="2")
    for reason in ("it is your first post here", "it is one of your first posts here"):
        assert desk.write().state == "held"
        (held,) = desk.held()
        assert held["reason"] == reason
        moderate.approve(desk.site, held["id"])
    assert desk.write().state == "posted"


def test_unverified_posts(sqlite_database: Database) -> None:
    """Who cannot be verified is posted by default, and held where the list says so."""
    desk = open_desk(sqlite_database, authentication="off")
    desk.join("gwen@example.net")
    assert desk.write().state == "posted"
    desk.set(unverified_posts="hold")
    assert desk.write().state == "held"
    assert desk.subjects("gwen@example.net")[-1] == "Waiting for a moderator: The long ladder"


@pytest.mark.parametrize(
    ("fields", "held", "posted"),
    [
        ({"To": "undisclosed-recipients:;"}, "held", "posted"),
        ({"To": LIST}, "posted", "posted"),
        ({"To": "tom@example.net", "Cc": "ToolShare@Lists.example.org"}, "posted", "posted"),
        ({"To": "other@lists.example.org"}, "held", "posted"),
    ],
)
def test_bcc_posts(desk: Desk, fields: dict[str, str], held: str, posted: str) -> None:
    """A post that names the list neither in To nor Cc is held, unless the list does not mind."""
    assert desk.write(**fields).state == held
    desk.set(bcc_posts="post")
    assert desk.write(**fields).state == posted


@pytest.mark.parametrize("entry", ["shop@example.org", "@example.org", "SHOP@Example.ORG", "a@b.example, @example.org"])
def test_allowed_senders_need_not_be_members(desk: Desk, entry: str) -> None:
    """An address or a whole domain may write without being on the list."""
    assert desk.write("shop@example.org").state == "rejected"
    desk.set(allowed_senders=entry)
    assert desk.write("shop@example.org").state == "posted"
    assert desk.write("shop@sub.example.org").state == "rejected"


def test_a_parent_list_is_an_allowed_sender(desk: Desk) -> None:
    """Mail that another list sent is held without a word, unless that list is configured by the address that speaks for it."""
    fields = {
        "List_Id": "<valley.example.org>",
        "List_Post": "<mailto:valley@example.org>",
        "Sender": "valley-bounces@example.org",
    }
    row = desk.write("gwen@example.net", path="valley-bounces@example.org", To="valley@example.org", **fields)
    assert (row.state, desk.subjects("gwen@example.net")) == ("held", [])
    desk.set(allowed_senders="valley@example.org")
    row = desk.write("neighbour@example.com", path="x@example.org", To="valley@example.org", **fields)
    assert row.state == "posted"


@pytest.mark.parametrize("entry", ["gwen@example.net", "@example.net"])
def test_banned_is_thrown_away_and_cannot_join(desk: Desk, entry: str) -> None:
    """Recorded, not answered, not posted; and no question to join goes there."""
    desk.set(banned=entry)
    row = desk.write()
    assert (row.state, row.detail) == ("discarded", "banned")
    assert desk.write("new@example.net", "toolshare-join@lists.example.org").state == (
        "discarded" if entry.startswith("@") else "command"
    )
    assert desk.subjects("gwen@example.net") == []


def test_hold_if_header(desk: Desk) -> None:
    """The default holds what a filter marked; lines of one's own replace it."""
    assert desk.write(X_Spam_Flag="YES").state == "held"
    desk.set(hold_if_header="X-Spam-Score: ^[5-9]\nSubject: (?i)win a .* prize")
    assert desk.write(X_Spam_Flag="YES").state == "posted"
    assert desk.write(X_Spam_Score="7.2").state == "held"
    assert desk.write(subject="=?utf-8?q?Win_a_big_prize?=").state == "held"
    assert desk.write(X_Spam_Score="1.5").state == "posted"
    assert desk.subjects("gwen@example.net").count("Waiting for a moderator: The long ladder") == 0


def _with_file(name: str = "setup.exe") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "gwen@example.net", LIST, "The manual"
    message["Message-ID"] = f"<{name}@example.net>"
    message.set_content("Here it is.\n")
    message.add_attachment(b"MZ\x90\x00" * 300, maintype="application", subtype="octet-stream", filename=name)
    message.add_attachment("a note\n", filename="note.txt")
    return message.as_bytes().replace(b"\n", b"\r\n")


def test_attachments_hold(desk: Desk) -> None:
    """A post with a file waits for a person; one without does not."""
    desk.set(attachments="hold")
    (row,) = desk.receive(_with_file())
    assert (row.state, row.detail) == ("held", "it has an attachment")
    assert desk.write().state == "posted"


def test_attachments_strip(desk: Desk) -> None:
    """Copies name what was left out instead of carrying it, the writer is told, and the original is kept whole."""
    desk.receive(_with_file("allowed.bin"))
    assert b"allowed.bin" in desk.newest("tom@example.net").raw
    desk.set(attachments="strip")
    desk.receive(_with_file())
    copy = desk.newest("tom@example.net")
    texts = [part.get_content() for part in copy.mail.walk() if part.get_content_type() == "text/plain"]
    assert texts[0] == "Here it is.\r\n" or texts[0] == "Here it is.\n"
    assert texts[1].startswith("[setup.exe, 1 KB: left out")
    assert texts[2].startswith("[note.txt, 1 KB: left out")
    assert b"TVqQ" not in copy.raw
    told = desk.newest("gwen@example.net")
    assert told.mail["Subject"] == "Posted: The manual"
    assert "we left out setup.exe, note.txt, which this list does not pass on" in told.text


def test_max_bytes(desk: Desk) -> None:
    """A member's mail over the limit comes back in kind words, with its text; nobody else gets it."""
    desk.set(max_bytes="5000")
    row = desk.write(subject="Shed photos", text="My words.\n" + "x" * 6000 + "\n")
    assert row.state == "rejected"
    (left,) = desk.deliver()
    assert (left.recipient, left.mail["Subject"]) == ("gwen@example.net", "Too big to post: Shed photos (6 KB)")
    assert "Your email was 6 KB and the limit is 5 KB, so nobody has got it." in left.text
    assert "My words." in left.text


# -- what copies look like ------------------------------------------------------------------------------------------


def test_reply_to(desk: Desk) -> None:
    """Answers go to everyone, or to whom the author wrote."""
    desk.write(Reply_To="shed@example.net")
    assert desk.newest("tom@example.net").mail["Reply-To"] == '"Tool Share (everyone)" <toolshare@lists.example.org>'
    desk.set(reply_to="author")
    desk.write(Reply_To="shed@example.net")
    assert desk.newest("tom@example.net").mail["Reply-To"] == "shed@example.net"
    desk.write()
    assert desk.newest("tom@example.net").mail["Reply-To"] is None


def test_rewrite_from(desk: Desk) -> None:
    """Always, and never; `auto` depends on the author's domain and is tested with signatures."""
    desk.write("Gwen <gwen@example.net>")
    assert desk.newest("tom@example.net").mail["From"] == "Gwen <gwen@example.net>"
    desk.set(rewrite_from="always")
    desk.write("Gwen <gwen@example.net>")
    author = desk.newest("tom@example.net").mail["From"].addresses[0]
    assert author.display_name == "Gwen via Tool Share"
    assert author.addr_spec.startswith("toolshare+r-")
    desk.set(rewrite_from="never")
    desk.resolver.records["TXT _dmarc.example.net"] = ["v=DMARC1; p=reject"]
    desk.write("Gwen <gwen@example.net>")
    assert desk.newest("tom@example.net").mail["From"] == "Gwen <gwen@example.net>"


def test_prefix_and_footer(desk: Desk) -> None:
    """Off by default; on, each stands in every copy once, and an answer does not collect prefixes."""
    desk.write(subject="Ladder", text="Who?\n")
    plain = desk.newest("tom@example.net")
    assert (plain.mail["Subject"], plain.mail.get_content().replace("\r\n", "\n")) == ("Ladder", "Who?\n")
    desk.set(subject_prefix="[Tools]", footer="Hartley Vale Tool Share")
    desk.write(subject="Ladder", text="Who?\n")
    copy = desk.newest("tom@example.net")
    assert copy.mail["Subject"] == "[Tools] Ladder"
    assert copy.mail.get_content().replace("\r\n", "\n") == "Who?\n___\nHartley Vale Tool Share\n"
    desk.write(subject="Re: [Tools] Ladder")
    assert desk.newest("tom@example.net").mail["Subject"] == "Re: [Tools] Ladder"


def test_names(desk: Desk) -> None:
    """`name` stands in List-Id, `short_name` where texts say it short, `description` in the question to join."""
    desk.set(name="Bean Growers", short_name="Beans", description="We grow beans.")
    desk.write()
    copy = desk.newest("tom@example.net").mail
    assert copy["List-Id"] == "Bean Growers <toolshare.lists.example.org>"
    assert copy["Reply-To"].addresses[0].display_name == "Beans (everyone)"
    desk.write("new@example.org", "toolshare-join@lists.example.org")
    assert "join Bean Growers. We grow beans." in desk.newest("new@example.org").text


# -- who gets what -------------------------------------------------------------------------------------------------


def test_own_copies(both: Desk) -> None:
    """The author gets a copy, unless the list or the author said no; the author's word counts."""
    both.write()
    assert _got(both) == EVERYONE
    both.set(own_copies="no")
    both.write()
    assert _got(both) == [each for each in EVERYONE if each != "gwen@example.net"]
    membership.set_member_options(both.site, both.alist, "gwen@example.net", {"own_copies": "yes"})
    both.write()
    assert _got(both) == EVERYONE


def test_skip_addressed(both: Desk) -> None:
    """Who stands in To or Cc gets the list's copy, too, unless the list leaves them out."""
    fields = {"To": f"{LIST}, Tom <TOM@example.net>", "Cc": "priya@example.com"}
    both.write(**fields)
    assert _got(both) == EVERYONE
    both.set(skip_addressed="yes")
    both.write(**fields)
    assert _got(both) == ["gwen@example.net", "ruth@example.net"]


@pytest.mark.parametrize(("delivery", "gets"), [("each", True), ("digest", False), ("none", False), ("followed", False)])
def test_delivery_of_a_member(both: Desk, delivery: str, gets: bool) -> None:
    """Only who gets each post gets one at once."""
    membership.set_member_options(both.site, both.alist, "tom@example.net", {"delivery": delivery})
    both.write()
    assert ("tom@example.net" in _got(both)) is gets


def test_followed_brings_the_conversations_that_one_is_in(both: Desk) -> None:
    """Who gets only what they follow gets the answers where they wrote themselves, and nothing else."""
    membership.set_member_options(both.site, both.alist, "tom@example.net", {"delivery": "followed"})
    both.write(Message_ID="<ladder@x>")
    both.write("tom@example.net", Message_ID="<tom@x>", In_Reply_To="<ladder@x>")
    both.write(subject="Another", Message_ID="<another@x>")
    both.deliver()
    assert [str(left.mail["Message-ID"]) for left in both.left if left.recipient == "tom@example.net"] == ["<tom@x>"]
    both.write("priya@example.com", Message_ID="<answer@x>", In_Reply_To="<tom@x>")
    assert "tom@example.net" in _got(both)


def test_grace_minutes(both: Desk) -> None:
    """Copies leave when the list's grace time is over, and not before."""
    both.set(grace_minutes="2")
    both.write()
    assert _got(both) == []
    both.wait(seconds=119)
    assert _got(both) == []
    both.wait(seconds=5)
    assert _got(both) == EVERYONE


def test_who_leaves_in_the_grace_time_gets_nothing(both: Desk) -> None:
    """Copies that wait are dropped for who leaves."""
    both.set(grace_minutes="60")
    both.write()
    membership.remove_member(both.site, both.alist, "tom@example.net")
    both.wait(hours=2)
    assert _got(both) == [each for each in EVERYONE if each != "tom@example.net"]


def test_default_delivery(desk: Desk) -> None:
    """New members get what the list says, by command and by mail; their own word counts more."""
    desk.set(default_delivery="digest")
    desk.join("one@example.org")
    desk.join("two@example.org", delivery="each")
    desk.write("three@example.org", "toolshare-join@lists.example.org")
    desk.answer_to(desk.newest("three@example.org"))
    desk.write("four@example.org", "toolshare-join@lists.example.org", text="each\n")
    desk.answer_to(desk.newest("four@example.org"))
    assert [desk.member(f"{name}@example.org").delivery for name in ("one", "two", "three", "four")] == [
        "digest",
        "each",
        "digest",
        "each",
    ]


def test_hour_and_zone_of_digests(desk: Desk) -> None:
    """The list's hour and zone count for whoever chose none; a change counts from the next one on."""
    desk.join("dilys@example.com", delivery="digest")
    desk.join("ana@example.com", delivery="digest", digest_at="12:00", timezone="Asia/Tokyo")
    assert desk.member("dilys@example.com").digest_due == datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
    assert desk.member("ana@example.com").digest_due == datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
    desk.set(digest_at="18:00", timezone="America/New_York")
    assert desk.member("dilys@example.com").digest_due == datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
    assert desk.member("ana@example.com").digest_due == datetime(2026, 3, 3, 3, 0, tzinfo=UTC)


def test_welcome(desk: Desk) -> None:
    """A new member is greeted, unless the list does not."""
    for wanted, subjects in (("yes", ["Welcome to Hartley Vale Tool Share"]), ("no", [])):
        desk.set(welcome=wanted)
        address = f"{wanted}@example.org"
        desk.write(address, "toolshare-join@lists.example.org")
        desk.answer_to(desk.newest(address))
        assert desk.subjects(address)[1:] == subjects
        assert desk.member(address).state == "active"


def test_archive_is_told_to_new_members(desk: Desk) -> None:
    """The welcome says who can read the posts."""
    said = {"public": "Anyone can read the posts", "members": "Only members can read the posts", "off": "kept by no archive"}
    for archive, words in said.items():
        desk.set(archive=archive)
        membership.add_members(desk.site, desk.alist, [(f"{archive}@example.org", "")], {}, welcome=True)
        assert words in desk.newest(f"{archive}@example.org").text


@pytest.mark.parametrize(
    ("notices", "at_once", "by_six"), [("together", [], 1), ("at-once", ["Waits for you"], 1), ("off", [], 0)]
)
def test_notices(desk: Desk, notices: str, at_once: list[str], by_six: int) -> None:
    """Those who run the list hear of what waits at once, twice a day together, or not at all."""
    desk.set(notices=notices, post="moderated")
    desk.write(subject="Free paint")
    assert [subject.partition(":")[0] for subject in desk.subjects("ruth@example.net")] == at_once
    sweep.sweep(desk.site)
    assert len(desk.subjects("ruth@example.net")) == len(at_once)
    desk.clock.moment = datetime(2026, 3, 2, 18, 0, 30, tzinfo=UTC)
    for _tick in range(3):
        sweep.sweep(desk.site)
    assert len(desk.subjects("ruth@example.net")) == by_six
    if by_six:
        assert "Free paint" in desk.newest("ruth@example.net").text
        assert f"held approve {desk.held()[0]['id']}" in desk.newest("ruth@example.net").text


def test_subscribe_is_tested_with_joining() -> None:
    """`subscribe` has its own table in test_flows_joining; here only that its words are known."""
    for word in ("confirm", "approve", "invite", "closed"):
        assert ListOptions.read({"subscribe": word}).subscribe == word


# -- options of members ----------------------------------------------------------------------------------------------


def test_moderated_member(desk: Desk) -> None:
    """A moderator reads this member's posts first."""
    membership.set_member_options(desk.site, desk.alist, "gwen@example.net", {"moderated": "yes"})
    assert desk.write().state == "held"
    assert desk.write("tom@example.net").state == "posted"


def test_role_gives_rights(desk: Desk) -> None:
    """A moderator writes to a moderated list."""
    desk.set(post="moderated")
    membership.set_member_options(desk.site, desk.alist, "gwen@example.net", {"role": "moderator"})
    assert desk.write().state == "posted"


def test_paused_until(both: Desk) -> None:
    """Nothing comes until the day; then it comes again, and the digest tells what was missed."""
    both.join("dilys@example.com", delivery="digest")
    for address in ("tom@example.net", "dilys@example.com"):
        membership.set_member_options(both.site, both.alist, address, {"paused_until": "2026-03-05"})
    both.write(subject="Missed")
    assert "tom@example.net" not in _got(both)
    both.clock.moment = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
    sweep.sweep(both.site)
    assert digest.send_due(both.site).queued == 0
    assert both.member("tom@example.net").state == "paused"
    both.clock.moment = datetime(2026, 3, 5, 0, 5, tzinfo=UTC)
    sweep.sweep(both.site)
    assert both.member("tom@example.net").state == "active"
    both.write(subject="Back")
    assert "tom@example.net" in _got(both)
    both.clock.moment = datetime(2026, 3, 5, 7, 0, 1, tzinfo=UTC)
    assert digest.send_due(both.site).queued == 1
    assert "Missed" in both.newest("dilys@example.com").text


def test_a_pause_is_ended_by_hand(desk: Desk) -> None:
    """An empty day, or one gone by, ends it."""
    for ending in ("", "2026-01-01"):
        membership.set_member_options(desk.site, desk.alist, "tom@example.net", {"paused_until": "2027-01-01"})
        assert desk.member("tom@example.net").state == "paused"
        membership.set_member_options(desk.site, desk.alist, "tom@example.net", {"paused_until": ending})
        assert desk.member("tom@example.net").state == "active"


# -- all of them -----------------------------------------------------------------------------------------------------

BAD = {
    "language": "Deutsch!",
    "timezone": "Europe/Atlantis",
    "subscribe": "maybe",
    "post": "nobody",
    "moderate_first": "-1",
    "unverified_posts": "yes",
    "bcc_posts": "no",
    "allowed_senders": "not an address",
    "banned": "@",
    "hold_if_header": "X-Spam: (",
    "attachments": "burn",
    "max_bytes": "lots",
    "reply_to": "both",
    "rewrite_from": "sometimes",
    "subject_prefix": "two\nlines",
    "footer": "nul\x00",
    "default_delivery": "followed",
    "digest_at": "25:00",
    "own_copies": "perhaps",
    "skip_addressed": "perhaps",
    "welcome": "perhaps",
    "grace_minutes": "61",
    "notices": "never",
    "archive": "secret",
    "private_replies": "perhaps",
    "reminders": "perhaps",
    "name": "two\nlines",
    "short_name": "x" * 41,
    "description": "two\r\nlines",
}


@pytest.mark.parametrize("key", sorted(ListOptions().to_text()))
def test_every_option_refuses_nonsense_in_one_sentence(key: str) -> None:
    """The sentence names the option and says what was expected."""
    with pytest.raises(OptionError) as refused:
        ListOptions.read({key: BAD[key]})
    assert str(refused.value).startswith(f"{key}: ")
    assert "\n" not in str(refused.value)


def test_defaults_are_read_back_as_they_are() -> None:
    """What is shown can be set."""
    assert ListOptions.read(ListOptions().to_text()) == ListOptions()


def test_what_has_no_effect_yet_is_a_known_short_list() -> None:
    """An option that is kept and does nothing is said so when it is set; the list may only shrink."""
    assert set(WITHOUT_EFFECT_YET) <= {"private_replies", "reminders", "receipts", "format"}
    assert set(WITHOUT_EFFECT_YET) <= set(ListOptions().to_text()) | set(OPTION_COLUMNS)


def test_a_refused_recipient_names_no_list(desk: Desk) -> None:
    """The same refusal for whatever does not exist here."""
    with pytest.raises(Refused) as refused:
        desk.receive(mail(), "nothing@lists.example.org")
    assert refused.value.reply.code == 550


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*)*", ".*.*.*x", "(x{1,9}){2,9}"])
def test_a_header_rule_that_could_take_for_ever_is_refused(pattern: str) -> None:
    """It would meet every stranger's fields."""
    with pytest.raises(OptionError, match="could take for ever"):
        read_option("hold_if_header", f"X-Spam: {pattern}")


@pytest.mark.parametrize("pattern", ["YES", "^yes", r"score=\d+", "(?:spam|junk)", r"[*+]{3} SPAM", r"\(a\+\)\+"])
def test_usual_header_rules_are_taken(pattern: str) -> None:
    """What filters write, and signs that are meant literally."""
    assert read_option("hold_if_header", f"X-Spam: {pattern}") == f"X-Spam: {pattern}"


def test_a_held_post_that_nobody_looks_at_goes_back(desk: Desk) -> None:
    """After 14 days its writer gets it back with their own words, and it is recorded so."""
    desk.set(post="moderated")
    desk.write(text="Five litres of magnolia.\n")
    desk.wait(days=13)
    assert sweep.sweep(desk.site) == 0
    desk.wait(days=1, hours=1)
    assert sweep.sweep(desk.site) == 1
    assert desk.newest("gwen@example.net").mail["Subject"] == "Not posted: nobody had time for The long ladder"
    assert "Five litres of magnolia." in desk.newest("gwen@example.net").text
    assert desk.states() == {"rejected": 1}


def test_a_held_post_of_we_know_not_whom_ends_without_a_word(sqlite_database: Database) -> None:
    """The refusal would go to a forged sender."""
    doubting = open_desk(sqlite_database, authentication="off", post="moderated")
    doubting.join("gwen@example.net")
    doubting.write()
    before = doubting.subjects("gwen@example.net")
    doubting.wait(days=15)
    assert sweep.sweep(doubting.site) == 1
    assert doubting.subjects("gwen@example.net") == before
    assert doubting.states() == {"discarded": 1}

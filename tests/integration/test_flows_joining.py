"""Joining and leaving by mail: who is asked, what is said in which fields, and when we keep silent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from listserver.flows import membership
from listserver.store.engine import Database
from tests.integration.desk import LIST, Desk, Left, mail, open_desk

JOIN, LEAVE = "toolshare-join@lists.example.org", "toolshare-leave@lists.example.org"
REQUEST, CONFIRM = "toolshare-request@lists.example.org", "toolshare-confirm@lists.example.org"
ANA = "Ana Sousa <ana@example.com>"
CLOSING = (
    "Hartley Vale Tool Share, toolshare@lists.example.org For help, reply with the word help. "
    "To reach a person, write to toolshare-owner@lists.example.org"
)


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    made = open_desk(sqlite_database)
    made.join("gwen@example.net")
    return made


@pytest.fixture
def doubting(sqlite_database: Database) -> Desk:
    """A desk that believes nobody."""
    made = open_desk(sqlite_database, authentication="off")
    made.join("gwen@example.net")
    return made


def _address(left: Left, name: str) -> str:
    return str(left.mail[name].addresses[0].addr_spec)


# -- the way in ---------------------------------------------------------------------------------------------------


def test_joining_from_the_question_to_the_first_post(database: Database) -> None:
    """E1, an empty reply that only quotes, E4, and then posts come; on both databases."""
    desk = open_desk(database)
    desk.write(ANA, JOIN, subject="", text="\n")
    question = desk.newest("ana@example.com")
    assert question.mail["Subject"] == "Please confirm: join Hartley Vale Tool Share?"
    assert desk.member("ana@example.com") is None
    desk.answer_to(question, "> To join, just reply to this email.\n\n-- \nAna\nSent from my phone\n")
    assert desk.subjects("ana@example.com")[1:] == ["Welcome to Hartley Vale Tool Share"]
    assert (desk.member("ana@example.com").state, desk.member("ana@example.com").name) == ("active", "Ana Sousa")
    desk.write("ruth@example.net")
    assert desk.subjects("ana@example.com")[-1] == "The long ladder"
    assert desk.states() == {"command": 2, "posted": 1}


@pytest.mark.parametrize(
    ("address", "delivery"),
    [
        ("toolshare-join", "each"),
        ("toolshare-subscribe", "each"),
        ("toolshare+join", "each"),
        ("toolshare+subscribe", "each"),
        ("TOOLSHARE%2BSubscribe", "each"),
        ("toolshare-join-digest", "digest"),
        ("toolshare-subscribe-digest", "digest"),
        ("toolshare+subscribe-digest", "digest"),
        ("toolshare-digest-subscribe", "digest"),
        ("toolshare+subscribe-nomail", "none"),
        ("toolshare-subscribe-request", "each"),
    ],
)
def test_every_address_to_join(desk: Desk, address: str, delivery: str) -> None:
    """Whatever other lists taught people; what the address says of digests is done."""
    desk.write(ANA, f"{address}@lists.example.org", text="\n")
    desk.answer_to(desk.newest("ana@example.com"))
    assert desk.member("ana@example.com").delivery == delivery


@pytest.mark.parametrize(
    ("asked", "answered", "delivery"),
    [
        ("digest\n", "\n", "digest"),
        ("Each, please.\n", "\n", "each"),
        ("digest\n", "each\n", "each"),
        ("I like tools\n", "digest\n", "digest"),
    ],
)
def test_digest_or_each_is_a_word_in_question_and_answer(desk: Desk, asked: str, answered: str, delivery: str) -> None:
    """Of the request only these words count, and the answer's word is the last."""
    desk.write(ANA, JOIN, text=asked)
    desk.answer_to(desk.newest("ana@example.com"), answered)
    assert desk.member("ana@example.com").delivery == delivery


@pytest.mark.parametrize("word", ["", "yes\n", "Yes please!\n", "OK\n", "join\n", "JOIN.\n", "ja\n", "oui\n"])
def test_what_confirms_joining(desk: Desk, word: str) -> None:
    """No new text, wholly yes in any language, or the word that was asked about."""
    desk.write(ANA, JOIN)
    desk.answer_to(desk.newest("ana@example.com"), word or "\n")
    assert desk.member("ana@example.com").state == "active"


@pytest.mark.parametrize("word", ["no\n", "Nein.\n"])
def test_no_is_no(desk: Desk, word: str) -> None:
    """It closes the question without another mail."""
    desk.write(ANA, JOIN)
    question = desk.newest("ana@example.com")
    desk.answer_to(question, word)
    assert desk.member("ana@example.com") is None
    assert len(desk.subjects("ana@example.com")) == 1
    desk.answer_to(question, "yes\n")
    assert desk.member("ana@example.com") is None


def test_what_is_no_answer_leaves_the_question_open(desk: Desk) -> None:
    """We ask again; a longer text reaches the owners and its writer is told; a yes afterwards still counts."""
    desk.write(ANA, JOIN)
    question = desk.newest("ana@example.com")
    desk.answer_to(question, "leave\n")
    assert "To join, reply to this email with the word yes." in desk.newest("ana@example.com").text
    desk.answer_to(question, "I would like to know first who else is there and what the tools are kept in.\n")
    assert desk.newest("ana@example.com").mail["Subject"].startswith("We have passed your email to the people who run")
    assert "what the tools are kept in" in desk.newest("ruth@example.net").text
    assert desk.member("ana@example.com") is None
    desk.answer_to(question, "yes\n")
    assert desk.member("ana@example.com").state == "active"


def test_the_answer_counts_wherever_it_comes(desk: Desk) -> None:
    """Programs that ignore Reply-To answer From; some people answer the list: the Message-ID names the question."""
    for to in (REQUEST, LIST, CONFIRM, JOIN):
        address = f"{to.partition('@')[0]}@example.com"
        desk.write(address, JOIN)
        question = desk.newest(address)
        desk.write(
            address, to, subject=f"Re: {question.mail['Subject']}", text="\n", In_Reply_To=str(question.mail["Message-ID"])
        )
        assert desk.member(address) is not None, to
    assert desk.posts() == 0


def test_a_token_in_the_text_is_found_at_the_confirm_address(desk: Desk) -> None:
    """Where a program lost both address and Message-ID."""
    desk.write(ANA, JOIN)
    token = _address(desk.newest("ana@example.com"), "Reply-To").partition("+")[2].partition("@")[0]
    desk.write(ANA, CONFIRM, text=f"yes\n\n> reply to toolshare-confirm+{token}@lists.example.org\n")
    assert desk.member("ana@example.com").state == "active"


def test_an_unknown_token_is_explained_once_and_what_is_open_is_asked_anew(desk: Desk) -> None:
    """With a fresh token, and the old one closed."""
    desk.write(ANA, "toolshare-confirm+zzzzzzzzzzzz@lists.example.org", text="yes\n")
    assert "We do not know which question you answer." in desk.newest("ana@example.com").text
    desk.write(ANA, JOIN)
    first = desk.newest("ana@example.com")
    desk.write(ANA, "toolshare-confirm+zzzzzzzzzzzz@lists.example.org", text="yes\n")
    second = desk.newest("ana@example.com")
    assert second.mail["Subject"] == first.mail["Subject"]
    assert _address(second, "Reply-To") != _address(first, "Reply-To")
    desk.answer_to(second)
    assert desk.member("ana@example.com").state == "active"


def test_an_expired_question_is_asked_anew(desk: Desk) -> None:
    """After eight days the old token means what it meant, but does nothing by itself."""
    desk.write(ANA, JOIN, text="digest\n")
    question = desk.newest("ana@example.com")
    desk.wait(days=8)
    desk.answer_to(question)
    assert desk.member("ana@example.com") is None
    fresh = desk.newest("ana@example.com")
    assert fresh is not question
    desk.answer_to(fresh)
    assert (desk.member("ana@example.com").state, desk.member("ana@example.com").delivery) == ("active", "digest")


def test_a_question_is_answered_once(desk: Desk) -> None:
    """Who left in between is not brought back by an old answer."""
    desk.write(ANA, JOIN)
    question = desk.newest("ana@example.com")
    desk.answer_to(question)
    desk.write("ana@example.com", LEAVE)
    desk.answer_to(question)
    assert desk.member("ana@example.com").state == "left"
    assert "That question was answered already." in desk.newest("ana@example.com").text


@pytest.mark.parametrize(
    ("policy", "asked", "confirmed", "state"),
    [
        ("confirm", "Please confirm: join Hartley Vale Tool Share?", "Welcome to Hartley Vale Tool Share", "active"),
        ("approve", "Please confirm: join Hartley Vale Tool Share?", "Asked: joining Hartley Vale Tool Share", "pending"),
        ("invite", "Joining Hartley Vale Tool Share", None, None),
        ("closed", "Joining Hartley Vale Tool Share", None, None),
    ],
)
def test_subscribe_policies(desk: Desk, policy: str, asked: str, confirmed: str | None, state: str | None) -> None:
    """Confirmed, let in by an owner, or told that the owners let people in."""
    desk.set(subscribe=policy)
    desk.write(ANA, JOIN)
    assert desk.subjects("ana@example.com") == [asked]
    if confirmed is None:
        assert "let new members in themselves" in desk.newest("ana@example.com").text
        assert desk.member("ana@example.com") is None
        return
    desk.answer_to(desk.newest("ana@example.com"))
    assert desk.subjects("ana@example.com")[1:] == [confirmed]
    assert desk.member("ana@example.com").state == state


def test_an_owner_lets_a_waiting_person_in(desk: Desk) -> None:
    """The owners hear who waits and what to do; the person gets nothing before, and is greeted then."""
    desk.set(subscribe="approve")
    desk.write(ANA, JOIN)
    desk.answer_to(desk.newest("ana@example.com"))
    notice = desk.newest("ruth@example.net")
    assert notice.mail["Subject"] == "Wants to join Tool Share: Ana Sousa"
    assert "listserver member add toolshare@lists.example.org ana@example.com --welcome" in notice.text
    desk.write("ruth@example.net")
    desk.write(ANA, JOIN)
    assert "The long ladder" not in desk.subjects("ana@example.com")
    assert desk.write(ANA, subject="Hello").state == "rejected"
    assert membership.add_members(desk.site, desk.alist, [("ana@example.com", "")], {}, welcome=True)
    assert desk.subjects("ana@example.com")[-1] == "Welcome to Hartley Vale Tool Share"


def test_who_is_a_member_already_is_told_so(desk: Desk) -> None:
    """E2: nothing to do, and how mail comes."""
    desk.write("gwen@example.net", JOIN)
    told = desk.newest("gwen@example.net")
    assert told.mail["Subject"] == "You are already a member of Hartley Vale Tool Share"
    assert "Good news: gwen@example.net is already a member, so there is nothing to do." in told.text
    assert "You get every post as soon as it is written." in told.text


def test_asking_for_somebody_else_asks_them(desk: Desk) -> None:
    """ezmlm's `-subscribe-user=host@`: the other address is asked, and hears nothing of who asked."""
    desk.write("Mallory <mallory@example.org>", "toolshare-subscribe-victim=example.com@lists.example.org")
    question = desk.newest("victim@example.com")
    assert "mallory" not in question.raw.decode().lower()
    assert desk.subjects("mallory@example.org") == []
    desk.answer_to(question)
    assert desk.member("victim@example.com").state == "active"
    assert desk.member("mallory@example.org") is None
    desk.write("mallory@example.org", "toolshare-unsubscribe-gwen=example.net@lists.example.org")
    assert desk.member("gwen@example.net").state == "active"
    assert desk.newest("gwen@example.net").mail["Subject"] == "Please confirm: leave Hartley Vale Tool Share?"


# -- the way out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["leave", "unsubscribe", "unsubscribe-digest", "signoff-request", "digest-unsubscribe"])
def test_every_address_to_leave(desk: Desk, address: str) -> None:
    """Content is ignored entirely; E6 says what was done."""
    desk.write("gwen@example.net", f"toolshare-{address}@lists.example.org", subject="Re: whatever", text="join join join\n")
    assert desk.member("gwen@example.net").state == "left"
    told = desk.newest("gwen@example.net")
    assert told.mail["Subject"] == "You have left Hartley Vale Tool Share"
    assert "Done. gwen@example.net gets no more email from Hartley Vale Tool Share." in told.text


def test_leaving_is_asked_when_we_cannot_be_sure(doubting: Desk) -> None:
    """E5; an empty reply is enough, doing nothing is staying."""
    doubting.write("gwen@example.net", LEAVE)
    question = doubting.newest("gwen@example.net")
    assert question.mail["Subject"] == "Please confirm: leave Hartley Vale Tool Share?"
    assert "could not be sure it came from you" in question.text
    assert doubting.member("gwen@example.net").state == "active"
    doubting.answer_to(question)
    assert doubting.member("gwen@example.net").state == "left"


@pytest.mark.parametrize(
    ("word", "delivery", "state", "subject"),
    [
        ("digest\n", "digest", "active", "Done: one email a day from Tool Share"),
        ("each\n", "each", "active", "Done: every post from Tool Share"),
        ("pause\n", "each", "paused", "Done: no email from Tool Share"),
    ],
)
def test_less_email_instead_of_leaving(doubting: Desk, word: str, delivery: str, state: str, subject: str) -> None:
    """E5 offers it, and does it."""
    doubting.write("gwen@example.net", LEAVE)
    doubting.answer_to(doubting.newest("gwen@example.net"), word)
    member = doubting.member("gwen@example.net")
    assert (member.delivery, member.state) == (delivery, state)
    assert (member.digest_due is not None) is (delivery == "digest")
    assert doubting.newest("gwen@example.net").mail["Subject"] == subject


def test_a_stranger_who_leaves_is_told_how_to_find_out(desk: Desk) -> None:
    """E7, with the address where we believe it."""
    desk.write("g.pritchard@work.example", LEAVE)
    told = desk.newest("g.pritchard@work.example")
    assert told.mail["Subject"] == "We could not find your address on Hartley Vale Tool Share"
    assert "g.pritchard@work.example is not on the list" in told.text
    assert "use Unsubscribe at the top of it" in told.text


def test_an_unverified_stranger_gets_constant_words_once_a_day(doubting: Desk) -> None:
    """Neither name nor subject nor text of the mail, and at most one answer of a kind a day for the whole site."""
    for _time in range(3):
        doubting.write("Buy Pills <stranger@example.org>", LEAVE, subject="Buy pills", text="pills pills\n")
        doubting.wait(hours=2)
    (told,) = doubting.to("stranger@example.org")
    assert "this address is not on the list" in told.text
    assert b"ills" not in told.raw
    doubting.wait(days=1)
    doubting.write("stranger@example.org", LEAVE)
    assert len(doubting.to("stranger@example.org")) == 2


def test_the_unsubscribe_address_of_a_copy(database: Database) -> None:
    """Done at once whoever sends it, robots too, who get no answer; a repeated one changes nothing; on both databases."""
    desk = open_desk(database, authentication="off")
    desk.join("gwen@example.net", "tom@example.net")
    desk.write("ruth@example.net")
    ways = {}
    for name in ("gwen", "tom"):
        field = desk.newest(f"{name}@example.net").mail["List-Unsubscribe"]
        ways[name] = field.split("mailto:")[1].split("?")[0]
    desk.write("someone.else@example.com", ways["gwen"], text="\n")
    assert desk.member("gwen@example.net").state == "left"
    assert desk.newest("gwen@example.net").mail["Subject"] == "You have left Hartley Vale Tool Share"
    assert desk.to("someone.else@example.com") == []
    desk.write("tom@example.net", ways["tom"], path="", text="\n", Auto_Submitted="auto-generated")
    desk.write("tom@example.net", ways["tom"], text="\n")
    assert desk.member("tom@example.net").state == "left"
    assert desk.subjects("tom@example.net") == ["The long ladder"]
    assert desk.states() == {"posted": 1, "command": 3}


def test_a_forged_unsubscribe_token_counts_as_none(doubting: Desk) -> None:
    """A member is asked, as without a token."""
    doubting.write("gwen@example.net", f"toolshare-leave+{'a' * 26}@lists.example.org")
    assert doubting.member("gwen@example.net").state == "active"
    assert doubting.subjects("gwen@example.net") == ["Please confirm: leave Hartley Vale Tool Share?"]


def test_who_comes_back_has_the_settings_of_before(desk: Desk) -> None:
    """As E6 promises."""
    desk.join("ana@example.com", delivery="digest", digest_at="18:00")
    desk.write("ana@example.com", LEAVE)
    desk.write("ana@example.com", JOIN)
    desk.answer_to(desk.newest("ana@example.com"))
    member = desk.member("ana@example.com")
    assert (member.state, member.delivery, member.digest_at) == ("active", "digest", "18:00")


def test_a_delivery_report_is_never_a_leave(desk: Desk) -> None:
    """Not even at the leave address."""
    report = (
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\nFrom: gwen@example.net\r\nSubject: failed\r\n\r\n'
        b"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; gwen@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    for path in ("", "gwen@example.net"):
        (row,) = desk.receive(report, LEAVE, path=path)
        assert row.state == "ignored"
    assert desk.member("gwen@example.net").state == "active"


# -- words at -request ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "text", "answer"),
    [
        ("", "\n", "How to use Hartley Vale Tool Share by email"),
        ("help", "\n", "How to use Hartley Vale Tool Share by email"),
        ("Re: something", "?\n", "How to use Hartley Vale Tool Share by email"),
        ("subscribe", "\n", "Please confirm: join Hartley Vale Tool Share?"),
        ("", "Please sign up\n", "Please confirm: join Hartley Vale Tool Share?"),
        ("", "unsubscribe\n", "We could not find your address on Hartley Vale Tool Share"),
        ("", "Is the mixer free?\n", "We did not understand your email"),
        ("", "I borrowed the mixer in May and would like to know whether I may keep it on.\n", "We have passed your email"),
    ],
)
def test_request(desk: Desk, subject: str, text: str, answer: str) -> None:
    """The few words so far; what is long is for a person."""
    desk.write(ANA, REQUEST, subject=subject, text=text)
    assert desk.subjects("ana@example.com")[0].startswith(answer)


# -- the fields of each set (email-experience) ---------------------------------------------------------------------------


def _answer_fields(left: Left, to: str) -> None:
    assert left.reverse_path == ""
    sender = left.mail["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Tool Share helper", "toolshare-request@lists.example.org")
    assert _address(left, "To") == to
    assert left.mail["Auto-Submitted"] == "auto-replied"
    assert left.mail["X-Auto-Response-Suppress"] == "All"
    assert left.mail["List-Id"] == "Hartley Vale Tool Share <toolshare.lists.example.org>"
    assert left.mail["List-Help"] == "<mailto:toolshare-help@lists.example.org>"
    for absent in ("List-Unsubscribe", "List-Post", "Precedence", "List-Unsubscribe-Post"):
        assert left.mail[absent] is None


def test_the_fields_of_an_answer(desk: Desk) -> None:
    """Null reverse-path, the helper's name, what is answered, and no way to unsubscribe from it."""
    desk.write(ANA, JOIN, Message_ID="<ask@example.com>", References="<older@example.com>")
    question = desk.newest("ana@example.com")
    _answer_fields(question, "ana@example.com")
    assert question.mail["In-Reply-To"] == "<ask@example.com>"
    assert question.mail["References"].split() == ["<older@example.com>", "<ask@example.com>"]
    token = _address(question, "Reply-To").removeprefix("toolshare-confirm+").removesuffix("@lists.example.org")
    assert len(token) == 12
    assert str(question.mail["Message-ID"]).startswith(f"<confirm-join-{token}.2026030209")
    assert question.text.endswith(CLOSING)


def test_each_answer_has_the_fields_of_an_answer(desk: Desk) -> None:
    """E2, E6, E7, E8, E11, the notice that a post is held, too big or a stranger's."""
    desk.write("gwen@example.net", JOIN)
    desk.write("stranger@example.org", LEAVE)
    desk.write("other@example.org", REQUEST, text="help\n")
    desk.write("third@example.org", REQUEST, text="mixer\n")
    desk.write("fourth@example.org", LIST)
    desk.set(post="moderated")
    desk.write("gwen@example.net", LIST)
    desk.set(max_bytes="1000")
    desk.write("gwen@example.net", LIST, text="x" * 70 + "\n" + "y\n" * 999)
    desk.write("gwen@example.net", LEAVE)
    mails = desk.deliver()
    assert len(mails) == 8
    for left in mails:
        _answer_fields(left, left.recipient)


def test_the_fields_of_a_notice(desk: Desk) -> None:
    """E4 comes unasked: a return-path of its own, the whole List set, and a way to leave."""
    membership.add_members(desk.site, desk.alist, [("ana@example.com", "Ana Sousa")], {}, welcome=True)
    welcome = desk.newest("ana@example.com")
    assert welcome.reverse_path.startswith("toolshare-bounces+")
    assert welcome.mail["Auto-Submitted"] == "auto-generated"
    assert _address(welcome, "Reply-To") == "toolshare-request@lists.example.org"
    for name in (
        "List-Id",
        "List-Post",
        "List-Help",
        "List-Owner",
        "List-Subscribe",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ):
        assert len(welcome.mail.get_all(name, [])) == 1, name
    assert welcome.text.startswith("Welcome, Ana Sousa. You are in. To write to everyone: toolshare@lists.example.org")
    assert "press Reply, as with any email" in welcome.text


def test_the_fields_of_a_mail_to_staff(desk: Desk) -> None:
    """From the list's moderation, to each of them singly, without a way to unsubscribe."""
    desk.set(post="moderated", notices="at-once")
    desk.join("mod@example.net", role="moderator")
    desk.write("gwen@example.net")
    notices = [left for left in desk.deliver() if left.recipient != "gwen@example.net"]
    assert sorted(left.recipient for left in notices) == ["mod@example.net", "ruth@example.net"]
    for left in notices:
        assert _address(left, "To") == left.recipient
        assert _address(left, "From") == "toolshare-owner@lists.example.org"
        assert left.reverse_path.startswith("toolshare-bounces+")
        assert left.mail["Auto-Submitted"] == "auto-generated"
        assert left.mail["List-Unsubscribe"] is None
        assert left.mail["List-Id"] is not None


def test_the_fields_of_a_copy(desk: Desk) -> None:
    """The POST set: a return-path for each member, the List set once each, Precedence, and the author's own words."""
    desk.write("Gwen <gwen@example.net>", To="Tools <toolshare@lists.example.org>", Message_ID="<own@example.net>")
    copies = desk.deliver()
    assert len({left.reverse_path for left in copies}) == len(copies) == 2
    copy = copies[0]
    assert (copy.mail["From"], copy.mail["To"]) == ("Gwen <gwen@example.net>", "Tools <toolshare@lists.example.org>")
    assert (copy.mail["Message-ID"], copy.mail["Subject"]) == ("<own@example.net>", "The long ladder")
    assert (copy.mail["Precedence"], copy.mail["X-Auto-Response-Suppress"]) == ("list", "OOF, AutoReply")
    assert copy.mail["Auto-Submitted"] is None
    for name in (
        "List-Id",
        "List-Post",
        "List-Help",
        "List-Owner",
        "List-Subscribe",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ):
        assert len(copy.mail.get_all(name, [])) == 1, name


def test_one_click_only_with_https(sqlite_database: Database) -> None:
    """Without an https address there is a mail address only (RFC 8058 §3.1)."""
    desk = open_desk(sqlite_database, web_url="http://127.0.0.1:8080")
    desk.write("ruth@example.net")
    copy = desk.newest("ruth@example.net")
    assert copy.mail["List-Unsubscribe-Post"] is None
    assert "http" not in copy.mail["List-Unsubscribe"]


def test_every_mail_of_ours_keeps_to_72_columns_and_our_words(desk: Desk) -> None:
    """Long names, and none of the words that we never send to members."""
    desk.set(name="The " + "very " * 15 + "long list", short_name="Long")
    desk.write("Somebody With A Rather Long Name Indeed <ana@example.com>", JOIN)
    desk.answer_to(desk.newest("ana@example.com"))
    desk.write("ana@example.com", REQUEST, text="help\n")
    desk.write("ana@example.com", JOIN)
    desk.write("ana@example.com", LEAVE)
    left = desk.to("ana@example.com")
    assert len(left) == 5
    for each in left:
        text = each.mail.get_content()
        assert max(map(len, text.replace("\r\n", "\n").split("\n"))) <= 72, each.mail["Subject"]
        for word in ("token", "bounce", "administrivia", "DSN", "MIME", "envelope", "subscriber", "robot"):
            assert word not in text.lower().replace("list-bounces", ""), (word, each.mail["Subject"])


# -- robots and limits ----------------------------------------------------------------------------------------------------

ROBOT = [
    {"Auto_Submitted": "auto-replied"},
    {"Auto_Submitted": "auto-generated (vacation)"},
    {"Precedence": "bulk"},
    {"X_Autoreply": "yes"},
    {"X_MS_Exchange_Inbox_Rules_Loop": "x@y"},
    {"List_Id": "<foreign.example.com>"},
    {"Precedence": "list"},
    {"From": "MAILER-DAEMON@example.net"},
]


@pytest.mark.parametrize("fields", ROBOT, ids=str)
@pytest.mark.parametrize("to", [JOIN, REQUEST, "toolshare-help@lists.example.org", LIST])
def test_no_robot_is_answered_or_does_anything(desk: Desk, fields: dict[str, str], to: str) -> None:
    """Strong signs and marks of other lists, at every address: nothing is posted, nothing leaves, and it is on record."""
    author = fields.get("From", "ana@example.com")
    row = desk.write(author, to, text="join\n", **{name: value for name, value in fields.items() if name != "From"})
    assert row.state in ("ignored", "held", "rejected")
    assert desk.deliver() == []
    assert desk.posts() == 0


def test_no_robot_confirms(desk: Desk) -> None:
    """An automatic reply to a question, whatever it quotes; a weak sign suppresses an empty one only."""
    desk.write(ANA, JOIN)
    question = desk.newest("ana@example.com")
    desk.answer_to(question, "I am away.\n", Auto_Submitted="auto-replied")
    desk.answer_to(question, "\n", Auto_Submitted="auto-replied")
    desk.answer_to(question, "\n", path="")
    desk.answer_to(question, "\n", subject="Out of office: back on Monday")
    desk.answer_to(question, "\n", subject="Automatische Antwort: weg")
    assert desk.member("ana@example.com") is None
    assert len(desk.to("ana@example.com")) == 1
    desk.answer_to(question, "yes\n", subject="Automatic reply: yes it is me")
    assert desk.member("ana@example.com").state == "active"


def test_a_null_sender_is_never_answered(desk: Desk) -> None:
    """Whatever it says and wherever it goes (RFC 5321 §4.5.5)."""
    for to in (JOIN, REQUEST, LIST, CONFIRM, LEAVE):
        desk.write("stranger@example.org", to, path="", text="help\n")
    assert desk.deliver() == []


def test_three_questions_to_join_a_day_for_the_whole_site(desk: Desk) -> None:
    """Over all lists and all `+tags` of one mailbox; the next day counts anew."""
    membership.create_list(desk.site, "other@lists.example.org", {}, [])
    for tag in ("", "+a", "+b", "+c", "+d"):
        desk.write(f"ana{tag}@example.com", JOIN)
        desk.write(f"ana{tag}@example.com", "other-join@lists.example.org")
    assert sum(left.recipient.startswith("ana") for left in desk.deliver()) == 3
    desk.wait(days=1, minutes=1)
    desk.write("ana@example.com", JOIN)
    assert len(desk.deliver()) == 1


def test_ten_answers_a_day_and_the_same_once_an_hour(desk: Desk) -> None:
    """Two machines that write to each other stop."""
    for _time in range(4):
        desk.write("gwen@example.net", REQUEST, text="help\n")
    assert len(desk.deliver()) == 1
    for _hour in range(20):
        desk.wait(minutes=61)
        desk.write("gwen@example.net", REQUEST, text="help\n")
    answers = desk.to("gwen@example.net")
    assert len(answers) == 10
    desk.clock.moment += timedelta(days=2)
    desk.write("gwen@example.net", REQUEST, text="help\n")
    assert len(desk.to("gwen@example.net")) == 11


def test_an_author_that_cannot_be_read_gets_nothing(desk: Desk) -> None:
    """Two authors, none, or what no strict parser takes: on record, and silence."""
    for author in ("a@example.com, b@example.com", "", "not an address", "a@b@c"):
        (row,) = desk.receive(mail(author, JOIN), JOIN, path="x@example.com")
        assert row.state == "ignored"
    assert desk.deliver() == []

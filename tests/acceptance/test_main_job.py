"""The main job as its users see it: post, reply, join, leave, digest; through real SMTP, on both databases."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listserver.flows import digest, moderate
from listserver.flows.conversations import explain
from listserver.store import members, reports
from tests.acceptance.community import LIST, community


async def test_a_post_reaches_every_member(tmp_path: Path, where: dict[str, str]) -> None:
    """Each member gets a personal copy with the list's fields and a return-path of their own."""
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net", "tom@example.net")
        await one.write("gwen@example.net")
        assert {c.recipient for c in one.transport.sent} == {"ruth@example.net", "gwen@example.net", "tom@example.net"}
        copy = one.mails_to("tom@example.net")[0]
        assert copy["List-Id"] == "Hartley Vale Tool Share <toolshare.lists.example.org>"
        assert str(copy["Reply-To"]) == '"Tool Share (everyone)" <toolshare@lists.example.org>'
        assert copy["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert len({c.reverse_path for c in one.transport.sent}) == 3
        assert one.check()["ok"]


async def test_replies_stand_under_what_they_answer(tmp_path: Path, where: dict[str, str]) -> None:
    """In-Reply-To, References and a parent that comes late all lead to the same tree."""
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net", "tom@example.net")
        first = await one.write("gwen@example.net", Message_ID="<first@example.net>")
        await one.write(
            "tom@example.net",
            subject="Re: The long ladder",
            In_Reply_To="<late@example.net>",
            References=f"{first} <late@example.net>",
            Message_ID="<child@example.net>",
        )
        await one.write("ruth@example.net", subject="Re: The long ladder", In_Reply_To=first, Message_ID="<late@example.net>")
        (thread,) = one.threads()
        assert [(p["message_id"], p["parent"], p["depth"]) for p in thread["posts"]] == [
            (first, None, 0),
            ("<late@example.net>", first, 1),
            ("<child@example.net>", "<late@example.net>", 2),
        ]
        assert "came later" in thread["posts"][2]["evidence"]["detail"]
        assert one.check()["ok"]


async def test_siblings_of_a_post_that_never_came_stand_together(tmp_path: Path, where: dict[str, str]) -> None:
    """Two answers to a mail that the list never got are roots of one conversation, and say so."""
    async with community(tmp_path, **where) as one:
        for name in ("gwen", "tom"):
            one.join(f"{name}@example.net")
            await one.write(f"{name}@example.net", subject="Re: hedge", In_Reply_To="<ghost@example.com>")
        (thread,) = one.threads()
        assert [p["parent"] for p in thread["posts"]] == [None, None]
        assert all("<ghost@example.com>" in p["evidence"]["detail"] for p in thread["posts"])


async def test_a_circle_is_refused(tmp_path: Path, where: dict[str, str]) -> None:
    """Two posts that claim to answer each other do not become a circle, and the refusal is on record."""
    async with community(tmp_path, **where) as one:
        await one.write("ruth@example.net", In_Reply_To="<b@example.net>", Message_ID="<a@example.net>")
        await one.write("ruth@example.net", In_Reply_To="<a@example.net>", Message_ID="<b@example.net>")
        (thread,) = one.threads()
        assert [(p["message_id"], p["parent"]) for p in thread["posts"]] == [
            ("<a@example.net>", None),
            ("<b@example.net>", "<a@example.net>"),
        ]
        with one.site.database.read() as connection:
            assert any("circle" in s for s in explain(connection, one.alist().id, "<a@example.net>")["sentences"])


async def test_the_same_mail_twice_is_posted_once(tmp_path: Path, where: dict[str, str]) -> None:
    """A sender's retry is harmless; another text under the same Message-ID is a second post, flagged."""
    async with community(tmp_path, **where) as one:
        for text in ("Who has it?\n", "Who has it?\n", "Something else.\n"):
            await one.write(
                "ruth@example.net", text=text, Message_ID="<same@example.net>", Date="Mon, 02 Mar 2026 08:00:00 +0000"
            )
        checked = one.check()
        assert (checked["states"]["posted"], checked["states"]["duplicate"]) == (2, 1)
        with one.site.database.read() as connection:
            assert "the same Message-ID" in explain(connection, one.alist().id, "2")["sentences"][-1]


async def test_joining_by_mail_is_confirmed_by_reply(tmp_path: Path, where: dict[str, str]) -> None:
    """An empty reply to our question makes a member; the request alone makes nobody one."""
    async with community(tmp_path, **where) as one:
        await one.write("Ana <ana@example.com>", to="toolshare-subscribe@lists.example.org", subject="", text="\n")
        (question,) = one.mails_to("ana@example.com")
        assert question["Subject"] == "Please confirm: join Hartley Vale Tool Share?"
        assert "ana@example.com" not in [m["Delivered-To"] for m in one.mails_to("ana@example.com")]
        address = question["Reply-To"].addresses[0].addr_spec
        await one.write(
            "ana@example.com", to=address, subject=f"Re: {question['Subject']}", text="\n> To join, just reply to this email.\n"
        )
        assert [m["Subject"] for m in one.mails_to("ana@example.com")][1:] == ["Welcome to Hartley Vale Tool Share"]
        await one.write("ruth@example.net")
        assert one.mails_to("ana@example.com")[-1]["Subject"] == "The long ladder"


async def test_leaving_by_mail_drops_what_is_queued(tmp_path: Path, where: dict[str, str]) -> None:
    """A believed request to leave is done at once; nothing accepted later goes there."""
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net")
        await one.write("gwen@example.net", to="toolshare-leave@lists.example.org", subject="", text="whatever this says\n")
        assert one.mails_to("gwen@example.net")[-1]["Subject"] == "You have left Hartley Vale Tool Share"
        await one.write("ruth@example.net")
        assert one.mails_to("gwen@example.net")[-1]["Subject"] != "The long ladder"


async def test_leaving_unverified_is_asked(tmp_path: Path, where: dict[str, str]) -> None:
    """A request that we cannot believe acts only when the address itself answers; a robot's answer does not."""
    async with community(tmp_path, authentication="off", **where) as one:
        one.join("gwen@example.net")
        await one.write("gwen@example.net", to="toolshare-leave@lists.example.org")
        (question,) = one.mails_to("gwen@example.net")
        address = question["Reply-To"].addresses[0].addr_spec
        await one.write("gwen@example.net", to=address, text="I am away until Monday.\n", Auto_Submitted="auto-replied")
        assert len(one.mails_to("gwen@example.net")) == 1
        await one.write("gwen@example.net", to=address, text="yes\n")
        assert one.mails_to("gwen@example.net")[-1]["Subject"] == "You have left Hartley Vale Tool Share"


async def test_the_unsubscribe_field_works_from_any_address(tmp_path: Path, where: dict[str, str]) -> None:
    """A mail to the address in List-Unsubscribe ends the membership it names, whoever sends it."""
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net")
        await one.write("ruth@example.net")
        field = one.mails_to("gwen@example.net")[0]["List-Unsubscribe"]
        address = field.split("mailto:")[1].split("?")[0]
        await one.write("someone.else@example.com", to=address, subject="leave", text="\n")
        await one.write("ruth@example.net", subject="Another")
        assert [m["Subject"] for m in one.mails_to("gwen@example.net")] == [
            "The long ladder",
            "You have left Hartley Vale Tool Share",
        ]


async def test_a_held_post_waits_and_is_posted_when_approved(tmp_path: Path, where: dict[str, str]) -> None:
    """First posts are held where the list says so; approving posts them like any other."""
    async with community(tmp_path, options={"moderate_first": "1"}, **where) as one:
        one.join("gwen@example.net", "tom@example.net")
        await one.write("gwen@example.net")
        assert one.mails_to("tom@example.net") == []
        assert one.mails_to("gwen@example.net")[0]["Subject"] == "Waiting for a moderator: The long ladder"
        (held,) = moderate.waiting(one.site, None)
        assert held["reason"] == "it is your first post here"
        moderate.approve(one.site, held["id"])
        one.service.outbox.wake()
        await one.settled()
        assert one.mails_to("tom@example.net")[0]["Subject"] == "The long ladder"
        await one.write("gwen@example.net", subject="Second")
        assert one.mails_to("tom@example.net")[-1]["Subject"] == "Second"
        assert one.check()["ok"]


async def test_a_rejected_post_goes_back_with_its_text(tmp_path: Path, where: dict[str, str]) -> None:
    """The writer gets the reason and their own words."""
    async with community(tmp_path, options={"post": "moderated"}, **where) as one:
        one.join("gwen@example.net")
        await one.write("gwen@example.net", text="Five litres of paint.\n")
        (held,) = moderate.waiting(one.site, None)
        moderate.reject(one.site, held["id"], "Please say that it is free")
        one.service.outbox.wake()
        await one.settled()
        answer = one.mails_to("gwen@example.net")[-1]
        assert "Please say that it is free" in " ".join(answer.get_content().split())
        assert "Five litres of paint." in answer.get_content()


async def test_automatic_mail_is_neither_posted_nor_answered(tmp_path: Path, where: dict[str, str]) -> None:
    """A vacation message to the list, to a role address and with a null sender: recorded, and silence."""
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net")
        for to in (LIST, "toolshare-join@lists.example.org", "toolshare-request@lists.example.org"):
            await one.write("gwen@example.net", to=to, Auto_Submitted="auto-replied")
        await one.send("", "toolshare-request@lists.example.org", b"From: gwen@example.net\r\nSubject: help\r\n\r\nhelp\r\n")
        assert one.transport.sent == []
        assert one.check()["states"]["ignored"] == 4


async def test_a_delivery_report_is_recognised_as_ours(tmp_path: Path, where: dict[str, str]) -> None:
    """A report to a return-path of ours is stored for its member; one to a forged return-path counts for nothing."""
    report = (
        b"From: MAILER-DAEMON@example.com\r\nTo: x\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n'
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; gwen@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    async with community(tmp_path, **where) as one:
        one.join("gwen@example.net")
        await one.write("ruth@example.net")
        path = next(c.reverse_path for c in one.transport.sent if c.recipient == "gwen@example.net")
        await one.send("", path, report)
        forged = path.replace("bounces+", "bounces+a")
        await one.send("", forged[:-30] + forged[-30:], report)
        states = one.check()["states"]
        assert (states["bounce"], states["ignored"]) == (1, 1)
        with one.site.database.read() as connection:
            member = members.get(connection, one.alist().id, "gwen@example.net")
            assert reports.count(connection, one.alist().id, member.id) == 1


async def test_mail_to_the_owners_reaches_them(tmp_path: Path, where: dict[str, str]) -> None:
    """It is passed on with a Reply-To that leads to the writer."""
    async with community(tmp_path, **where) as one:
        await one.write("stranger@example.com", to="toolshare-owner@lists.example.org", text="May I join?\n")
        (mail,) = one.mails_to("ruth@example.net")
        assert str(mail["Reply-To"]) == "stranger@example.com"
        assert one.check()["states"]["owner"] == 1


async def test_a_digest_at_the_members_hour_exactly_once(tmp_path: Path, where: dict[str, str]) -> None:
    """Time moves over three days: one digest on each day with posts, each post once, and none when nothing is new."""
    async with community(tmp_path, **where) as one:
        one.join("dilys@example.com", delivery="digest", timezone="America/New_York", digest_at="18:00")
        one.join("gwen@example.net")
        await one.write("gwen@example.net", subject="Monday")
        one.clock.moment = datetime(2026, 3, 2, 22, 59, tzinfo=UTC)
        assert digest.send_due(one.site).queued == 0
        one.clock.moment += timedelta(minutes=2)
        assert [digest.send_due(one.site).queued for _try in range(3)] == [1, 0, 0]
        one.clock.moment += timedelta(days=1)
        assert digest.send_due(one.site).empty == 1
        await one.write("gwen@example.net", subject="Wednesday")
        one.clock.moment += timedelta(days=1)
        assert digest.send_due(one.site).queued == 1
        one.service.outbox.wake()
        await one.settled()
        subjects = [m["Subject"] for m in one.mails_to("dilys@example.com")]
        assert len(subjects) == 2
        assert "Monday (1 post)" in subjects[0]
        assert "Wednesday (1 post)" in subjects[1]


async def test_an_answer_to_a_digest_lands_under_its_post(tmp_path: Path, where: dict[str, str]) -> None:
    """By the address under the post, and by the number that the answer begins with."""
    async with community(tmp_path, **where) as one:
        one.join("dilys@example.com", delivery="digest")
        one.join("gwen@example.net", "tom@example.net")
        first = await one.write("gwen@example.net", subject="Ladder", text="Who has the ladder?\n")
        second = await one.write("tom@example.net", subject="Damp", text="The shed is damp.\n")
        one.clock.moment = datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC)
        digest.send_due(one.site)
        one.service.outbox.wake()
        await one.settled()
        (received,) = one.mails_to("dilys@example.com")
        line = next(line for line in received.get_content().splitlines() if line.startswith("Answer #1:"))
        by_address = await one.write("dilys@example.com", to=line.split(": ")[1], subject="Re: Ladder", text="I have it.\n")
        reply_to = received["Reply-To"].addresses[0].addr_spec
        by_number = await one.write(
            "dilys@example.com", to=reply_to, subject=f"Re: {received['Subject']}", text="#2\nOpen a window.\n"
        )
        unclear = await one.write("dilys@example.com", to=reply_to, subject=f"Re: {received['Subject']}", text="Quite so.\n")
        parents = {p["message_id"]: p["parent"] for t in one.threads() for p in t["posts"]}
        assert (parents[by_address], parents[by_number]) == (first, second)
        assert unclear not in parents
        assert one.check()["states"]["held"] == 1


async def test_strangers_are_refused_in_the_dialogue_only_when_they_come_from_outside(
    tmp_path: Path, where: dict[str, str]
) -> None:
    """To an outside peer the refusal is a 550; from our own mail server the same mail is held without an answer."""
    async with community(tmp_path / "outside", authentication="off", trusted_peers="", **where) as one:
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            await one.write("stranger@example.com")
        assert refused.value.smtp_code == 550
        assert b"toolshare-join@lists.example.org" in refused.value.smtp_error
        assert one.check()["accepted"] == 0


async def test_from_our_own_mail_server_a_strangers_post_is_held(tmp_path: Path, where: dict[str, str]) -> None:
    """No backscatter: held, recorded, and nothing leaves."""
    async with community(tmp_path, authentication="off", **where) as one:
        await one.write("stranger@example.com")
        assert one.transport.sent == []
        assert one.check()["states"]["held"] == 1


async def test_lmtp_posts_like_smtp(tmp_path: Path, where: dict[str, str]) -> None:
    """The LMTP door leads to the same flow."""
    async with community(tmp_path, lmtp_listen="127.0.0.1:0", **where) as one:
        one.protocol = "lmtp"
        await one.write("ruth@example.net")
        assert [m["Subject"] for m in one.mails_to("ruth@example.net")] == ["The long ladder"]

"""Whom we believe: the four settings of AUTHENTICATION, with a DNS made of a table and real signatures."""

from __future__ import annotations

import pytest

from listserver.flows import accept, membership, process
from listserver.mail.envelope import Envelope, Peer
from listserver.store.engine import Database
from tests.integration.desk import LIST, Desk, Refused, mail, open_desk
from tests.signing import record, sign

LEAVE = "toolshare-leave@lists.example.org"
KEY = "TXT s1._domainkey.example.net"
REJECT = {"TXT _dmarc.example.net": ["v=DMARC1; p=reject"]}
NAMES = "from:to:subject:date:message-id"


def _signed(to: str = LIST, number: int = 1, **fields: str) -> bytes:
    return sign(mail("gwen@example.net", to, Message_ID=f"<signed{number}@example.net>", **fields), NAMES)


def _desk(database: Database, mode: str, records: dict[str, list[str]] | None = None, **options: str) -> Desk:
    desk = open_desk(database, authentication=mode, **options)
    desk.resolver.records.update(records or {})
    desk.join("gwen@example.net", "tom@example.net")
    return desk


def _leaves(desk: Desk, raw: bytes, **how: bool) -> bool:
    """Whether a request to leave is carried out at once, which needs belief."""
    desk.receive(raw, LEAVE, **how)  # type: ignore[arg-type]
    return bool(desk.member("gwen@example.net").state == "left")


def test_accept_believes_everybody(sqlite_database: Database) -> None:
    """For trying out."""
    assert _leaves(_desk(sqlite_database, "accept"), mail("gwen@example.net", LEAVE))


def test_off_believes_nobody(sqlite_database: Database) -> None:
    """Not even a good signature."""
    assert not _leaves(_desk(sqlite_database, "off", {KEY: [record()]}), _signed(LEAVE))


@pytest.mark.parametrize(
    ("field", "believed"),
    [
        ("mx.lists.example.org; dkim=pass header.d=example.net", True),
        ("mx.lists.example.org; spf=pass smtp.mailfrom=gwen@example.net", True),
        ("mx.lists.example.org; dmarc=pass header.from=example.net", True),
        ("mx.lists.example.org; dkim=fail header.d=example.net", False),
        ("mx.lists.example.org; dkim=pass header.d=example.org", False),
        ("mx.elsewhere.example; dkim=pass header.d=example.net", False),
    ],
)
def test_trust_believes_our_own_mail_server_only(sqlite_database: Database, field: str, believed: bool) -> None:
    """Its Authentication-Results, for the author's domain, by its name."""
    desk = _desk(sqlite_database, "trust:mx.lists.example.org")
    assert _leaves(desk, mail("gwen@example.net", LEAVE, Authentication_Results=field)) is believed


def test_a_trusted_name_from_the_outside_world_is_forged(sqlite_database: Database) -> None:
    """A peer that is not ours may write our server's name, too."""
    desk = _desk(sqlite_database, "trust:mx.lists.example.org")
    field = "mx.lists.example.org; dkim=pass header.d=example.net"
    assert not _leaves(desk, mail("gwen@example.net", LEAVE, Authentication_Results=field), outside=True)


def test_dns_believes_an_aligned_signature(sqlite_database: Database) -> None:
    """And not one over other words, nor one whose key is gone."""
    desk = _desk(sqlite_database, "dns", {KEY: [record()]})
    assert not _leaves(desk, _signed(LEAVE).replace(b"Who has it", b"Who had it"))
    desk.resolver.records[KEY] = []
    assert not _leaves(desk, _signed(LEAVE, 2, Subject="two"))


def test_dns_carries_a_signed_request_out(sqlite_database: Database) -> None:
    """The key is in the DNS, the domain is the author's."""
    assert _leaves(_desk(sqlite_database, "dns", {KEY: [record()]}), _signed(LEAVE))


@pytest.mark.parametrize("outside", [True, False])
def test_dns_asks_for_spf_of_the_outside_world_only(sqlite_database: Database, outside: bool) -> None:
    """From our own mail server the peer's address says nothing of the author's domain."""
    desk = _desk(sqlite_database, "dns", {"TXT example.net": ["v=spf1 ip4:192.0.2.7 ip4:127.0.0.1 -all"]})
    assert _leaves(desk, mail("gwen@example.net", LEAVE), outside=outside) is outside


def test_mail_that_its_domain_asks_to_refuse_is_held_in_constant_words(sqlite_database: Database) -> None:
    """No pass, and p=reject: held without an answer; with a pass it is posted."""
    desk = _desk(sqlite_database, "dns", {KEY: [record()], **REJECT})
    assert desk.write().state == "held"
    assert desk.deliver() == []
    (row,) = desk.receive(_signed())
    assert row.state == "posted"


def test_dead_dns_lets_posts_flow(sqlite_database: Database) -> None:
    """A post of a member is posted although nothing can be looked up; an act is asked."""
    desk = _desk(sqlite_database, "dns", {KEY: [record()], **REJECT})
    desk.resolver.dead = True
    (row,) = desk.receive(_signed())
    assert row.state == "posted"
    assert not _leaves(desk, _signed(LEAVE))


def test_auto_rewrites_exactly_who_would_be_refused(sqlite_database: Database) -> None:
    """Reply-To over-signed as Gmail does it, at a domain that enforces: rewritten; not over-signed: kept; with the reason recorded."""
    desk = _desk(sqlite_database, "dns", {KEY: [record()], **REJECT})
    desk.receive(sign(mail(Message_ID="<a@x>"), NAMES))
    assert desk.newest("tom@example.net").mail["From"] == "gwen@example.net"
    desk.receive(sign(mail(Message_ID="<b@x>"), NAMES + ":reply-to"))
    assert desk.newest("tom@example.net").mail["From"].addresses[0].display_name == "gwen via Tool Share"
    desk.set(reply_to="author")
    desk.receive(sign(mail(Message_ID="<c@x>"), NAMES + ":reply-to"))
    assert desk.newest("tom@example.net").mail["From"] == "gwen@example.net"


# -- refusals: to outside peers in the dialogue, to our own mail server never -------------------------------------------


def test_an_unverified_stranger_from_outside_is_refused_in_words(sqlite_database: Database) -> None:
    """550 5.7.1 with the way to join; nothing is stored."""
    desk = _desk(sqlite_database, "off")
    with pytest.raises(Refused) as refused:
        desk.write("stranger@example.org", outside=True)
    assert str(refused.value.reply) == (
        "550 5.7.1 Only members can write to toolshare. To join, write to toolshare-join@lists.example.org"
    )
    assert desk.states() == {}


def test_from_our_own_mail_server_the_same_is_held_in_silence(sqlite_database: Database) -> None:
    """A 5xx there would become a bounce to a forged sender."""
    desk = _desk(sqlite_database, "off")
    assert desk.write("stranger@example.org").state == "held"
    assert desk.deliver() == []


def test_a_verified_stranger_gets_an_answer_instead(sqlite_database: Database) -> None:
    """E23: who it is, is certain."""
    desk = _desk(sqlite_database, "accept")
    assert desk.write("stranger@example.org", outside=True).state == "rejected"
    assert desk.subjects("stranger@example.org") == ["Not posted: only members can write to Tool Share"]


def test_mixed_verdicts_in_one_transaction_are_taken(sqlite_database: Database) -> None:
    """One recipient would be refused, another not: 250 for both, and each part ends in its own state."""
    desk = _desk(sqlite_database, "off")
    rows = desk.receive(
        mail("stranger@example.org", Message_ID="<m@x>"),
        [LIST, "toolshare-owner@lists.example.org"],
        path="stranger@example.org",
        outside=True,
    )
    assert [row.state for row in rows] == ["held", "owner"]
    assert desk.states() == {"held": 1, "owner": 1}


def test_one_mail_to_two_lists_ends_twice(database: Database) -> None:
    """The unit of accounting is mail × destination; a recipient named twice is one; on both databases."""
    desk = _desk(database, "accept")
    other = membership.create_list(desk.site, "other@lists.example.org", {"post": "moderated"}, ["ruth@example.net"])
    membership.add_members(desk.site, other, [("gwen@example.net", "")], {}, welcome=False)
    both = [LIST, "other@lists.example.org", LIST.upper()]
    rows = desk.receive(mail(To=f"{LIST}, other@lists.example.org", Message_ID="<m@x>"), both)
    assert [row.state for row in rows] == ["posted", "held"]
    assert desk.states() == {"posted": 1, "held": 1}


def test_a_failure_is_tried_three_times_and_then_kept_aside(database: Database) -> None:
    """Quarantined with the reason; the next mail goes on; the sum still holds; on both databases."""
    desk = _desk(database, "accept")
    peer = Peer(host="127.0.0.1", port=1, helo="mx", trusted=True, tls=False, protocol="smtp")
    envelope = Envelope(reverse_path="gwen@example.net", recipients=(LIST,), peer=peer)
    arrival = accept.find_arrival(desk.site, LIST)
    assert arrival is not None
    (new,) = accept.new_mails(desk.site, envelope, [arrival])
    desk.site.database.write(lambda connection: accept.accept(connection, mail(), [new]))
    tries = [desk.site.database.write(lambda c: process.note_failure(c, new, "RuntimeError: boom", 3)) for _try in range(3)]
    assert tries == [True, True, False]
    desk.write()
    assert desk.states() == {"quarantined": 1, "posted": 1}

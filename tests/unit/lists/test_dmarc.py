"""Keep or rewrite the author: the prediction is held against real signatures, the decision against a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listserver.authentication.signature import SignedMail, check_signature
from listserver.lists.dmarc import Policy, SignatureFacts, decide_author, read_signatures, survives
from listserver.lists.model import ListOptions, MailingList
from listserver.lists.transform import PostFactsForCopy, copy_content, edited_fields
from listserver.mail.address import read_author
from listserver.mail.headers import Header, read_header
from listserver.mail.listfields import unsubscribe_fields
from tests.fakes import FakeResolver
from tests.signing import CANONICAL, Canonical, holds, record, sign

HOST = "lists.example.org"
NOW = datetime(2026, 3, 2, 9, 12, tzinfo=UTC)
BODY = b"It hangs in  our hall. \r\n\r\nRing at number 14,\t\r\n.any evening after six.\r\n\xe2\x80\x93 Gwen\r\n\r\n\r\n"
# `h=` as these senders write it (read in public mailing-list archives, 2023 to 2026).
GMAIL = "to:subject:message-id:date:from:mime-version:from:to:cc:subject:date:message-id:reply-to"
GMAIL_REPLY = "cc:to:subject:message-id:date:from:in-reply-to:references:mime-version:from:to:cc:subject:date:message-id:reply-to:content-type"
OUTLOOK = "From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-SenderADCheck"
YAHOO = "Date:From:To:Subject:References:From:Subject:Reply-To"
FASTMAIL = (
    "cc:cc:content-type:content-type:date:date:from:from:in-reply-to:in-reply-to:message-id:mime-version:references:reply-to"
    ":subject:subject:to:to"
)
ICLOUD = "Content-Type:Mime-Version:Subject:From:Date:Message-Id:To:x-icloud-hme"
PROTON = (
    "Date:To:From:Cc:Subject:Message-ID:In-Reply-To:References:Feedback-ID:From:To:Cc:Date:Subject:Reply-To:Feedback-ID"
    ":Message-ID:BIMI-Selector:List-Unsubscribe:List-Unsubscribe-Post"
)
EXIM = (
    "Content-Transfer-Encoding:MIME-Version:Message-ID:Date:Subject:Cc:To:From:Sender:Reply-To:Content-Type:Content-ID"
    ":Content-Description:Resent-Date:Resent-From:Resent-Sender:Resent-To:Resent-Cc:Resent-Message-ID:In-Reply-To:References"
    ":List-Id:List-Help:List-Unsubscribe:List-Subscribe:List-Post:List-Owner:List-Archive"
)
RSPAMD = (
    "from:from:reply-to:reply-to:subject:subject:date:date:message-id:message-id:to:to:cc:mime-version:mime-version:content-type"
)
OPENDKIM = "date:from:to:subject:in-reply-to:references:from"
SETS = {
    "gmail": GMAIL,
    "gmail-reply": GMAIL_REPLY,
    "outlook": OUTLOOK,
    "yahoo": YAHOO,
    "fastmail": FASTMAIL,
    "icloud": ICLOUD,
    "proton": PROTON,
    "exim": EXIM,
    "rspamd": RSPAMD,
    "opendkim": OPENDKIM,
}
EDITS: dict[str, dict[str, object]] = {
    "nothing": {},
    "reply-to": {"reply_to": "list"},
    "prefix": {"subject_prefix": "[Tools]"},
    "footer": {"footer": "Be kind."},
}
EXTRA = {
    "plain": b"",
    "reply-to": b"Reply-To: gwen@home.example\r\n",
    "of-a-list": b"List-Id: <other.example.com>\r\nList-Unsubscribe: <mailto:x@other.example.com>\r\nPrecedence: bulk\r\n",
    "receipt": b"Disposition-Notification-To: gwen@example.net\r\nBcc: tom@example.com\r\n",
    "no-id": b"",
}


def the_list(options: dict[str, object]) -> MailingList:
    """Tool Share, with these options."""
    chosen: dict[str, object] = {"name": "Hartley Vale Tool Share", "short_name": "Tool Share", "reply_to": "author", **options}
    return MailingList(id=1, address=f"toolshare@{HOST}", options=ListOptions(**chosen))  # type: ignore[arg-type]


def the_post(extra: str = "plain") -> bytes:
    """A post as its author's server sends it, before it is signed."""
    message_id = b"" if extra == "no-id" else b"Message-ID: <a1@mail.example.net>\r\n"
    return (
        EXTRA[extra] + b"Date:  Mon, 2 Mar 2026 09:11:58 +0000\r\n"
        b'From: "Gwen Pritchard"  <gwen@example.net>\r\n'
        b"To: toolshare@lists.example.org,\r\n\ttom@example.com\r\n"
        b"Subject: Re:  =?utf-8?q?Saturday?=  opening\r\n   hours \r\n" + message_id + b"In-Reply-To: <a0@mail.example.com>\r\n"
        b"References: <a0@mail.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\nX-MS-Exchange-SenderADCheck: 1\r\n\r\n"
    ) + BODY


def copy_of(raw: bytes, alist: MailingList, *, rewrite: bool) -> bytes:
    """A copy as one member gets it."""
    header = read_header(raw)
    facts = PostFactsForCopy(
        message_id="<made@lists.example.org>",
        reply_token="4kq7m2xw9d",
        author=read_author(header),
        rewrite_author=rewrite,
        hostname=f"mx.{HOST}",
        archived_at=f"https://{HOST}/toolshare/p/7",
        archive=f"https://{HOST}/toolshare",
    )
    leave = unsubscribe_fields(f"toolshare-leave+abc@{HOST}", f"https://{HOST}/u/abc")
    return leave + copy_content(alist, raw, header, facts)


def predict(raw: bytes, alist: MailingList, *, rewrite: bool) -> bool:
    """What the pure function says of the first signature."""
    header = read_header(raw)
    return survives(read_signatures(header)[0], header, edited_fields(alist.options, header, rewrite=rewrite))


def checked(raw: bytes) -> bool | None:
    """What our own check says of the first signature."""
    resolver = FakeResolver({"TXT s1._domainkey.example.net": [record()]})
    return check_signature(SignedMail(raw, read_header(raw)), 0, resolver, NOW).valid


# -- the prediction ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("canonicalize", CANONICAL, ids=lambda c: b"/".join(c).decode())
@pytest.mark.parametrize("names", [*SETS.values()], ids=[*SETS])
def test_each_break_of_a_real_signature_is_predicted(names: str, canonicalize: Canonical) -> None:
    """Ten senders, four canonicalisations, every edit a list makes: the prediction is what dkimpy and we then find."""
    wrong = []
    for extra in EXTRA:
        signed = sign(the_post(extra), names, canonicalize)
        for edit, options in EDITS.items():
            for rewrite in (False, True):
                alist = the_list(options)
                copy = copy_of(signed, alist, rewrite=rewrite)
                predicted = predict(signed, alist, rewrite=rewrite)
                if not predicted == holds(copy) == checked(copy):
                    wrong.append((extra, edit, rewrite, predicted, holds(copy), checked(copy)))

    assert wrong == []


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.sampled_from(sorted(set(":".join(SETS.values()).lower().split(":")) | {"precedence", "disposition-notification-to"})),
        max_size=12,
    ),
    extra=st.sampled_from([*EXTRA]),
    edit=st.sampled_from([*EDITS]),
    canonicalize=st.sampled_from(CANONICAL),
    rewrite=st.booleans(),
)
def test_no_break_is_ever_missed(names: list[str], extra: str, edit: str, canonicalize: Canonical, rewrite: bool) -> None:
    """Of any set of fields, however often each is named: what is said to survive does."""
    signed, alist = sign(the_post(extra), ":".join(["from", *names]), canonicalize), the_list(EDITS[edit])

    if predict(signed, alist, rewrite=rewrite):
        assert holds(copy_of(signed, alist, rewrite=rewrite))


@pytest.mark.parametrize("canonicalize", CANONICAL, ids=lambda c: b"/".join(c).decode())
def test_a_footer_behind_what_is_covered_counts_as_a_break(canonicalize: Canonical) -> None:
    """With l= a verifier could still find that it holds; receivers are right not to count it, and we do not."""
    signed, alist = sign(the_post(), OPENDKIM, canonicalize, length=True), the_list(EDITS["footer"])
    copy = copy_of(signed, alist, rewrite=False)

    assert holds(copy)
    assert not checked(copy)
    assert not predict(signed, alist, rewrite=False)


# -- reading signatures --------------------------------------------------------------------------------------------------


def facts_of(value: str) -> tuple[SignatureFacts, ...]:
    """What is read of one DKIM-Signature field."""
    return read_signatures(read_header(f"DKIM-Signature: {value}\r\nFrom: gwen@example.net\r\n\r\n".encode()))


def test_what_is_read_of_a_signature() -> None:
    """Domain, selector, the names as often as they are listed, and how much of the text is covered."""
    (facts,) = facts_of("v=1; d=Example.NET;\r\n\ts=s 1; l=20; h=From : To:from;\r\n bh=x; b=y")

    assert facts == SignatureFacts(domain="example.net", selector="s1", fields=("from", "to", "from"), covers_body_to=20)


@pytest.mark.parametrize(
    "value",
    [
        "v=1; d=example.net; s=s1; bh=x; b=y",
        "v=1; d=example.net; s=s1; h=; b=y",
        "v=1; d=example.net; s=s1; h=to:subject; b=y",
        "v=1; s=s1; h=from; b=y",
        "v=1; d=example.net; h=from; b=y",
        "v=1; d=example.net; d=example.com; s=s1; h=from; b=y",
        "nonsense",
        "v=1; d=example.net; s=s1; h=from; b=" + "y" * 9000,
    ],
)
def test_a_signature_that_cannot_be_read_is_none(value: str) -> None:
    """Without fields, without From, without a domain, twice the same tag, endless."""
    assert facts_of(value) == ()


def test_a_signature_that_cannot_be_read_does_not_shift_the_others() -> None:
    """Each knows its place among the fields."""
    header = read_header(b"DKIM-Signature: nonsense\r\nDKIM-Signature: d=example.net; s=a; h=from\r\nFrom: a@example.net\r\n\r\n")

    assert [each.position for each in read_signatures(header)] == [1]


def test_a_hundred_signatures_are_not_all_read() -> None:
    """The first eight."""
    header = read_header(b"DKIM-Signature: d=example.net; s=a; h=from\r\n" * 100 + b"From: a@example.net\r\n\r\n")

    assert len(read_signatures(header)) == 8


@given(st.binary(max_size=400))
def test_reading_never_raises(value: bytes) -> None:
    """Whatever a stranger puts there."""
    read_signatures(read_header(b"DKIM-Signature: " + value + b"\r\nFrom: a@example.net\r\n\r\n"))


# -- the decision --------------------------------------------------------------------------------------------------------

GOOD = SignatureFacts(domain="example.net", selector="s1", fields=("from", "subject"), valid=True, aligned=True)
TRAP = replace(GOOD, fields=("from", "subject", "reply-to"))


def decide(
    policy: Policy, *signatures: SignatureFacts, option: str = "auto", edit: str = "reply-to", extra: str = "plain"
) -> tuple[bool, str]:
    """The decision for a post with these signatures on a list with this edit."""
    header = read_header(the_post(extra))
    edits = edited_fields(the_list(EDITS[edit]).options, header, rewrite=False)
    decision = decide_author(policy, signatures, header, edits, option=option)
    return decision.rewrite, decision.reason


@pytest.mark.parametrize("reply_to", ["list", "author"])
@pytest.mark.parametrize(
    ("names", "policy", "broken_by_list", "broken_by_author"),
    [
        (GMAIL, Policy.reject, True, False),
        (GMAIL, Policy.none, False, False),
        (OUTLOOK, Policy.reject, False, False),
        (YAHOO, Policy.reject, True, False),
        (FASTMAIL, Policy.quarantine, True, False),
        (FASTMAIL, Policy.none, False, False),
        (ICLOUD, Policy.quarantine, False, False),
        (RSPAMD, Policy.reject, True, False),
        (OPENDKIM, Policy.reject, False, False),
        (PROTON, Policy.quarantine, True, True),
        (EXIM, Policy.reject, True, True),
        (EXIM, Policy.none, False, False),
    ],
    ids=[
        "gmail",
        "gmail-none",
        "microsoft",
        "yahoo",
        "fastmail",
        "fastmail-none",
        "icloud",
        "rspamd",
        "opendkim",
        "proton",
        "exim",
        "exim-none",
    ],
)
def test_who_is_rewritten(names: str, policy: Policy, broken_by_list: bool, broken_by_author: bool, reply_to: str) -> None:
    """Exactly the authors whose signature the list breaks and whose domain enforces."""
    facts = replace(GOOD, fields=tuple(names.lower().split(":")))

    rewrite, _reason = decide(policy, facts, edit="reply-to" if reply_to == "list" else "nothing")

    assert rewrite is (broken_by_list if reply_to == "list" else broken_by_author)


@pytest.mark.parametrize(
    ("policy", "signatures", "expected", "words"),
    [
        (Policy.reject, (), True, "signs nothing, and SPF cannot speak for copies"),
        (Policy.quarantine, (), True, "signs nothing"),
        (Policy.none, (), False, "does not ask"),
        (Policy.unknown, (), False, "not known"),
        (Policy.reject, (GOOD,), False, "example.net survives"),
        (Policy.reject, (TRAP,), True, "reply-to (signed as absent)"),
        (Policy.reject, (TRAP, GOOD), False, "survives"),
        (Policy.reject, (GOOD, TRAP), False, "survives"),
        (Policy.reject, (replace(GOOD, valid=False),), True, "did not hold"),
        (Policy.reject, (replace(GOOD, valid=False), TRAP), True, "reply-to"),
        (Policy.reject, (replace(GOOD, aligned=False),), True, "signs nothing"),
        (Policy.reject, (replace(GOOD, aligned=False), TRAP), True, "reply-to"),
        (Policy.reject, (replace(GOOD, valid=None),), False, "survives"),
        (Policy.reject, (replace(TRAP, valid=None),), True, "reply-to"),
    ],
)
def test_the_decision_and_its_reason(policy: Policy, signatures: tuple[SignatureFacts, ...], expected: bool, words: str) -> None:
    """One surviving signature of the author's own is enough; what could not be checked counts as holding."""
    rewrite, reason = decide(policy, *signatures)

    assert rewrite is expected
    assert words in reason


@pytest.mark.parametrize("policy", [*Policy])
@pytest.mark.parametrize("signatures", [(), (GOOD,), (TRAP,)])
@pytest.mark.parametrize(("option", "expected"), [("always", True), ("never", False)])
def test_the_owner_has_the_last_word(policy: Policy, signatures: tuple[SignatureFacts, ...], option: str, expected: bool) -> None:
    """Always and never mean what they say."""
    assert decide(policy, *signatures, option=option)[0] is expected


@pytest.mark.parametrize(
    ("edit", "extra", "fields", "words"),
    [
        ("footer", "plain", ("from",), "the footer changes the text"),
        ("prefix", "plain", ("from", "subject"), "subject"),
        ("reply-to", "reply-to", ("from", "reply-to"), "signature: reply-to"),
        ("nothing", "receipt", ("from", "disposition-notification-to"), "disposition-notification-to"),
        ("nothing", "plain", ("from", "list-id", "list-post"), "list-id (signed as absent), list-post (signed as absent)"),
        ("nothing", "no-id", ("from", "message-id"), "message-id (signed as absent)"),
    ],
)
def test_the_reason_names_what_breaks_it(edit: str, extra: str, fields: tuple[str, ...], words: str) -> None:
    """So that an owner who wonders about a rewritten name finds out."""
    rewrite, reason = decide(Policy.reject, replace(GOOD, fields=fields), edit=edit, extra=extra)

    assert rewrite
    assert words in reason


def test_a_reason_is_short_however_long_the_signature() -> None:
    """It goes into a row."""
    facts = replace(TRAP, domain="d" * 5000, fields=("from", *[f"list-{n}" for n in range(1000)], "list-id", "reply-to"))

    assert len(decide(Policy.reject, facts)[1]) < 300
    assert len(decide(Policy.reject, replace(facts, fields=("from",)))[1]) < 300


def test_what_was_never_there_is_not_broken_by_removing_it() -> None:
    """A signature over the absence of a receipt request survives its removal."""
    header: Header = read_header(the_post())
    facts = replace(GOOD, fields=("from", "disposition-notification-to", "bcc"))

    assert survives(facts, header, edited_fields(ListOptions(reply_to="author"), header, rewrite=False))

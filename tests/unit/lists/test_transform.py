"""What a list changes in a copy, and that it changes nothing else: signatures hold."""

from __future__ import annotations

import hashlib
from functools import cache

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from listserver.lists.dmarc import SignatureFacts, read_signatures, survives
from listserver.lists.model import ListOptions, MailingList
from listserver.lists.transform import PostFactsForCopy, copy_content, edited_fields, pass_on
from listserver.mail.address import read_author
from listserver.mail.headers import decode_text, read_header
from listserver.mail.listfields import unsubscribe_fields

HOST = "lists.example.org"
POST = (
    b"Received: from laptop by mx.example.net; Mon, 2 Mar 2026 09:12:00 +0000\r\n"
    b"Date:  Mon, 2 Mar 2026 09:11:58 +0000\r\n"
    b'From: "Gwen Pritchard"  <gwen@example.net>\r\n'
    b"To: toolshare@lists.example.org,\r\n\ttom@example.com\r\n"
    b"Subject: Re:  =?utf-8?q?Saturday?=  opening\r\n   hours \r\n"
    b"Message-ID: <a1@mail.example.net>\r\n"
    b"In-Reply-To: <a0@mail.example.com>\r\n"
    b"References: <a0@mail.example.com>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
    b"It hangs in  our hall. \r\n\r\nRing at number 14,\t\r\n.any evening after six.\r\n\xe2\x80\x93 Gwen\r\n\r\n\r\n"
)
# The fields that real senders sign; a name written twice is over-signed.
SETS = {
    "gmail": "to subject message-id date from mime-version from to cc subject date message-id reply-to content-type",
    "outlook": "from date subject message-id content-type mime-version x-ms-exchange-senderadcheck",
    "yahoo": "date from to subject references from subject reply-to",
    "fastmail": "cc content-type content-type date date from from in-reply-to in-reply-to message-id mime-version references "
    "reply-to subject subject to to",
    "exim": "message-id subject to from date content-type mime-version reply-to sender list-unsubscribe list-id precedence",
    "plain": "from to subject date",
}


@cache
def key(bits: int) -> tuple[bytes, bytes]:
    """A private key, and the DNS record of its public half."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return pem, f"v=DKIM1; k=rsa; p={''.join(public.splitlines()[1:-1])}".encode()


def sign(raw: bytes, names: str, canonicalize: tuple[bytes, bytes] = (b"relaxed", b"relaxed"), bits: int = 1024) -> bytes:
    """The mail with a signature over these fields."""
    fields = [name.encode() for name in names.split()]
    return bytes(dkim.sign(raw, b"s1", b"example.net", key(bits)[0], canonicalize=canonicalize, include_headers=fields)) + raw


def holds(raw: bytes, bits: int = 1024) -> bool:
    """Whether the first signature of a mail verifies."""
    return bool(dkim.verify(raw, dnsfunc=lambda _name, timeout=5: key(bits)[1]))


def signed_digest(raw: bytes, names: str, canonicalize: tuple[bytes, bytes]) -> bytes:
    """What an Ed25519 signature signs (RFC 8463 §3): the hash of the signed fields and of the body.

    dkimpy does this only where PyNaCl is installed, so its canonicalisation is used with the key of `cryptography`.
    """
    fields, body = dkim.rfc822_parse(raw)
    policy = dkim.CanonicalizationPolicy.from_c_value(b"/".join(canonicalize))
    found = dkim.select_headers(policy.canonicalize_headers(fields), [name.encode() for name in names.split()])
    digest = hashlib.sha256(b"".join(name + b":" + value for name, value in found))
    digest.update(hashlib.sha256(policy.canonicalize_body(body)).digest())
    return digest.digest()


def the_list(**options: object) -> MailingList:
    """Tool Share, with these options."""
    chosen: dict[str, object] = {"name": "Hartley Vale Tool Share", "short_name": "Tool Share", "reply_to": "author", **options}
    return MailingList(id=1, address=f"toolshare@{HOST}", options=ListOptions(**chosen))  # type: ignore[arg-type]


def copy_of(raw: bytes, alist: MailingList | None = None, *, rewrite: bool = False) -> bytes:
    """What all copies of a post share."""
    header = read_header(raw)
    facts = PostFactsForCopy(
        message_id="<made@lists.example.org>",
        reply_token="4kq7m2xw9d",
        author=read_author(header),
        rewrite_author=rewrite,
        hostname=f"mx.{HOST}",
        archived_at=f"https://{HOST}/toolshare/p/7",
    )
    return copy_content(alist or the_list(), raw, header, facts)


def field(raw: bytes, name: str) -> str | None:
    """The text of a copy's first field of this name."""
    body = read_header(raw).first(name)
    return None if body is None else decode_text(body)


@pytest.mark.parametrize("bits", [1024, 2048])
@pytest.mark.parametrize("names", [*SETS.values()], ids=[*SETS])
@pytest.mark.parametrize("canonicalize", [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")])
def test_a_list_that_edits_nothing_breaks_no_signature(canonicalize: tuple[bytes, bytes], names: str, bits: int) -> None:
    """With `reply_to=author`, no prefix and no footer, every real signature holds in every canonicalisation."""
    names = names.replace(" list-unsubscribe list-id precedence", "")
    signed = sign(POST, names, canonicalize, bits)

    assert holds(copy_of(signed), bits)


@pytest.mark.parametrize("names", [*SETS.values()], ids=[*SETS])
@pytest.mark.parametrize("canonicalize", [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")])
def test_an_ed25519_signature_holds_too(canonicalize: tuple[bytes, bytes], names: str) -> None:
    """What such a signature signs is the same before and after; a list that adds Reply-To is noticed."""
    names = names.replace(" list-unsubscribe list-id precedence", "")
    private = Ed25519PrivateKey.generate()
    signature = private.sign(signed_digest(POST, names, canonicalize))

    private.public_key().verify(signature, signed_digest(copy_of(POST), names, canonicalize))

    if "reply-to" in names:
        with pytest.raises(InvalidSignature):
            private.public_key().verify(signature, signed_digest(copy_of(POST, the_list(reply_to="list")), names, canonicalize))


@pytest.mark.parametrize("options", [{}, {"reply_to": "list"}, {"subject_prefix": "[Tools]"}, {"footer": "Be kind."}], ids=str)
@pytest.mark.parametrize("names", [*SETS.values()], ids=[*SETS])
@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("with_reply_to", [False, True])
def test_what_breaks_is_predicted(options: dict[str, object], names: str, rewrite: bool, with_reply_to: bool) -> None:
    """The pure prediction says of each signature what a verifier then finds."""
    alist = the_list(**options)
    signed = sign((b"Reply-To: gwen@home.example\r\n" if with_reply_to else b"") + POST, names)
    header = read_header(signed)
    (signature,) = read_signatures(header)

    predicted = survives(signature, header, edited_fields(alist.options, header, rewrite=rewrite))

    copy = unsubscribe_fields(f"toolshare-leave+abc@{HOST}", f"https://{HOST}/u/abc") + copy_of(signed, alist, rewrite=rewrite)
    assert holds(copy) is predicted


def test_over_signed_reply_to_is_the_trap() -> None:
    """Gmail names reply-to in h= although the mail has none: adding one breaks it, and only it."""
    gmail, plain = sign(POST, SETS["gmail"]), sign(POST, SETS["plain"])
    alist = the_list(reply_to="list")

    assert not holds(copy_of(gmail, alist))
    assert holds(copy_of(plain, alist))


def test_the_body_and_the_kept_fields_are_the_same_bytes() -> None:
    """Spaces, folds, encoded words, dots and empty lines: as they came."""
    copy = copy_of(POST)

    kept = POST[: read_header(POST).end]
    assert kept in copy
    assert copy.endswith(POST[read_header(POST).size :])


def test_what_is_removed() -> None:
    """The closed table: receipts, Bcc, approval, return-path, List-* of others, results in our name, the mbox line."""
    raw = (
        b"From gwen@example.net Mon Mar  2 09:12:00 2026\r\n"
        b"Return-Path: <gwen@example.net>\r\nBcc: secret@example.net\r\nApproved: password\r\n"
        b"Disposition-Notification-To: gwen@example.net\r\nReturn-Receipt-To: gwen@example.net\r\n"
        b"X-Confirm-Reading-To: gwen@example.net\r\nArchived-At: <https://other.example/1>\r\n"
        b"List-Id: <other.example.net>\r\nList-Unsubscribe: <mailto:other@example.net>\r\nList-Whatever: x\r\n"
        b"Authentication-Results: mx.lists.example.org; dkim=pass\r\n"
        b'Authentication-Results: (ours) "MX.Lists.Example.Org" 1; spf=pass\r\n'
        b"Authentication-Results: mx.example.net; dkim=pass\r\n"
    ) + POST

    header = read_header(copy_of(raw))

    names = {f.name for f in header.fields}
    assert not names & {"", "return-path", "bcc", "approved", "disposition-notification-to", "return-receipt-to"}
    assert not names & {"x-confirm-reading-to", "list-whatever", "list-unsubscribe"}
    assert header.all("authentication-results") == [b" mx.example.net; dkim=pass"]
    assert header.all("list-id") == [b" Hartley Vale Tool Share <toolshare.lists.example.org>"]
    assert header.count("archived-at") == 1


def test_what_is_added() -> None:
    """The List-* set, where it is archived, the marks of a list."""
    copy = copy_of(POST)

    assert field(copy, "precedence") == "list"
    assert field(copy, "x-auto-response-suppress") == "OOF, AutoReply"
    assert field(copy, "x-listserver-loop") == "toolshare.lists.example.org"
    assert field(copy, "archived-at") == "<https://lists.example.org/toolshare/p/7>"
    assert field(copy, "list-post") == "<mailto:toolshare@lists.example.org>"


def test_the_loop_marks_of_other_servers_stay() -> None:
    """Two servers in a loop: each must know its mail when it comes back through the other."""
    copy = copy_of(b"X-Listserver-Loop: friends.lists.example.com\r\n" + POST)

    assert read_header(copy).all("x-listserver-loop") == [b" toolshare.lists.example.org", b" friends.lists.example.com"]


@pytest.mark.parametrize(
    ("reply_to", "rewrite", "given", "expected"),
    [
        ("author", False, None, None),
        ("author", False, "home@example.net", "home@example.net"),
        ("author", True, None, "Gwen Pritchard <gwen@example.net>"),
        ("author", True, "home@example.net", "home@example.net"),
        ("list", False, None, '"Tool Share (everyone)" <toolshare@lists.example.org>'),
        ("list", False, "home@example.net", '"Tool Share (everyone)" <toolshare@lists.example.org>'),
        ("list", True, None, '"Tool Share (everyone)" <toolshare@lists.example.org>'),
    ],
)
def test_where_a_reply_goes(reply_to: str, rewrite: bool, given: str | None, expected: str | None) -> None:
    """The list's address in place of the author's, or as the author wrote; a rewritten author is still reached."""
    raw = (f"Reply-To: {given}\r\n".encode() if given else b"") + POST

    copy = copy_of(raw, the_list(reply_to=reply_to), rewrite=rewrite)

    assert field(copy, "reply-to") == expected
    assert read_header(copy).count("reply-to") == (0 if expected is None else 1)


def test_a_rewritten_author() -> None:
    """Who wrote it is in the name; the address is the list's, and an answer to it answers the post."""
    copy = copy_of(b"Sender: assistant@example.net\r\n" + POST, rewrite=True)

    assert field(copy, "from") == "Gwen Pritchard via Tool Share <toolshare+r-4kq7m2xw9d@lists.example.org>"
    assert read_header(copy).count("from") == 1
    assert field(copy, "sender") == "assistant@example.net"


def test_a_rewritten_author_without_a_name() -> None:
    """The part before the @ stands in."""
    copy = copy_of(POST.replace(b'"Gwen Pritchard"  <gwen@example.net>', b"gwen@example.net"), rewrite=True)

    assert field(copy, "from") == "gwen via Tool Share <toolshare+r-4kq7m2xw9d@lists.example.org>"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (POST, "<a1@mail.example.net>"),
        (POST.replace(b"Message-ID: <a1@mail.example.net>\r\n", b""), "<made@lists.example.org>"),
        (POST.replace(b"<a1@mail.example.net>", b""), "<made@lists.example.org>"),
        (POST.replace(b"<a1@mail.example.net>", b"<[a1@x]>"), "<[a1@x]>"),
    ],
)
def test_a_message_id_is_made_only_where_none_can_be_read(raw: bytes, expected: str) -> None:
    """What can be read, however odd, stays."""
    copy = copy_of(raw)

    assert field(copy, "message-id") == expected
    assert read_header(copy).count("message-id") == 1


@pytest.mark.parametrize(
    ("prefix", "subject", "expected"),
    [
        ("[Tools]", b"Damp", b"Subject: [Tools] Damp\r\n"),
        ("[Tools]", b"=?utf-8?q?D=C3=A4mp?=", b"Subject: [Tools] =?utf-8?q?D=C3=A4mp?=\r\n"),
        ("[Tools]", b"Re: [Tools] Damp", b"Subject: Re: [Tools] Damp\r\n"),
        ("[Tools]", b"", b"Subject: [Tools]\r\n"),
        ("[Tools]", b"a  b\r\n\tc", b"Subject: [Tools] a  b\r\n\tc\r\n"),
        ("[Tools]", b"x" * 70, b"Subject: [Tools]\r\n " + b"x" * 70 + b"\r\n"),
        ("", b"Damp", b"Subject: Damp\r\n"),
    ],
)
def test_a_prefix_stands_before_the_authors_own_bytes(prefix: str, subject: bytes, expected: bytes) -> None:
    """Once, and the rest of the subject is not written anew."""
    copy = copy_of(b"From: gwen@example.net\r\nSubject: " + subject + b"\r\n\r\nx\r\n", the_list(subject_prefix=prefix))

    assert b"\r\n" + expected in copy


def test_a_prefix_beyond_ascii() -> None:
    """The space after it is seen although an encoded word follows."""
    copy = copy_of(b"From: gwen@example.net\r\nSubject: =?utf-8?q?D=C3=A4mp?=\r\n\r\nx\r\n", the_list(subject_prefix="[Täg]"))

    assert field(copy, "subject") == "[Täg] Dämp"


def test_a_prefix_where_there_is_no_subject() -> None:
    """The prefix alone."""
    assert field(copy_of(b"From: gwen@example.net\r\n\r\nx\r\n", the_list(subject_prefix="[Tools]")), "subject") == "[Tools]"


@pytest.mark.parametrize(
    ("fields", "footer", "added"),
    [
        (b"", "Be kind.", True),
        (b"", "Seid nett, Grüße", False),
        (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", "Grüße", True),
        (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n", "Grüße", False),
        (b'Content-Type: TEXT/PLAIN; format=flowed; charset="ISO-8859-15"\r\n', "Be kind.", True),
        (b"Content-Type: text/plain; charset=utf-16\r\n", "Be kind.", False),
        (b"Content-Type: text/plain; charset=utf-7\r\n", "Be kind.", False),
        (b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n", "Be kind.", False),
        (b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n", "Be kind.", False),
        (b"Content-Type: text/html\r\n", "Be kind.", False),
        (b"Content-Type: multipart/signed; boundary=x\r\n", "Be kind.", False),
        (b"Content-Type: text/plain\r\nContent-Type: text/html\r\n", "Be kind.", False),
        (b"", "", False),
        (b"", "\n", False),
    ],
)
def test_a_footer_is_added_only_where_nothing_must_be_written_anew(fields: bytes, footer: str, added: bool) -> None:
    """One plain part, not encoded, in a charset that holds the footer; other bodies stay as they are."""
    raw = b"From: gwen@example.net\r\n" + fields + b"\r\nHello\r\n"
    alist = the_list(footer=footer)

    copy = copy_of(raw, alist)

    assert copy.endswith(b"Hello\r\n___\r\n" + footer.encode() + b"\r\n" if added else b"\r\n\r\nHello\r\n")
    assert edited_fields(alist.options, read_header(raw), rewrite=False).body_changed is added


@pytest.mark.parametrize(
    "raw",
    [b"From: a@b", b"From: a@b\r\n", b"From: a@b\r\nPrecedence: x", b"", b"no header at all", b"From: a@b\r\nno field\r\nx"],
)
def test_a_header_without_its_end_gets_one(raw: bytes) -> None:
    """A copy has a blank line between its fields and what was body."""
    copy = copy_of(raw)

    header = read_header(copy)
    assert header.size == header.end + 2
    assert copy.endswith(raw[read_header(raw).end :])


post_like = st.lists(
    st.sampled_from(
        (
            b"From: Gwen <gwen@example.net>\r\n|Subject: Damp\r\n in the shed\r\n|Reply-To: x@example.net\r\n|Bcc: y@z\r\n|List-Id: <x>\r\n|"
            b"Message-ID: <a@b>\r\n|Message-ID:\r\n|Precedence: bulk\r\n|X-Odd : 1\r\n \r\n\t2\r\n|X-\xff: 1\r\n|Approved: x\r\n|Date: x\r\n|"
            b"Authentication-Results: mx.lists.example.org; x\r\n|Content-Type: text/plain\r\n|X-Listserver-Loop: a.b\r\n|\r\n|body\r\n|"
            b"To: \xc3\xa9@example.net\r\n"
        ).split(b"|")
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=300)
@given(
    post_like,
    st.sampled_from(["list", "author"]),
    st.booleans(),
    st.sampled_from(["", "[T]", "Ä"]),
    st.sampled_from(["", "Be kind."]),
)
def test_whatever_differs_is_named_by_the_prediction(raw: bytes, reply_to: str, rewrite: bool, prefix: str, footer: str) -> None:
    """Fields that are not named stay byte for byte and in order; the body too, unless it is said to change; no lone CR or LF."""
    alist = the_list(reply_to=reply_to, subject_prefix=prefix, footer=footer)
    before = read_header(raw)

    copy = copy_of(raw, alist, rewrite=rewrite)

    after, edits = read_header(copy), edited_fields(alist.options, before, rewrite=rewrite)
    assert [f.raw for f in after.fields if f.name not in edits.names] == [
        f.raw for f in before.fields if f.name not in edits.names
    ]
    body = raw[before.size :]
    assert edits.body_changed or copy[after.size :] == body
    assert copy.count(b"\r\n") == copy.count(b"\r") == copy.count(b"\n")


def test_mail_to_the_owners_is_passed_on_unchanged() -> None:
    """But for Reply-To, so that owners answer the writer, and requests for receipts."""
    raw = b"Disposition-Notification-To: gwen@example.net\r\n" + POST

    copy = pass_on(raw, read_header(raw), reply_to="gwen@example.net")

    assert copy == POST.replace(b"8bit\r\n\r\n", b"8bit\r\nReply-To: gwen@example.net\r\n\r\n")


def test_a_signature_of_nothing_survives() -> None:
    """The prediction needs no body and no key: facts alone."""
    facts = SignatureFacts(domain="example.net", selector="s1", fields=("from",))
    header = read_header(POST)

    assert survives(facts, header, edited_fields(ListOptions(), header, rewrite=False))

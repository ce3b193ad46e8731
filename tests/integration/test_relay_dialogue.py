"""How the relay is spoken to: by what it offers, over TLS, with a login; and that nothing unsafe ever leaves."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listserver.flows.ports import Body, Copy
from listserver.mail.reply import OutcomeKind
from tests.integration.relaykit import (
    CHUNKING,
    LOCK_STEP,
    PIPELINING,
    WAYS,
    Authority,
    FakeRelay,
    Moment,
    Outcomes,
    Reaction,
    make_copies,
    send_all,
    transport_to,
)

WAY = pytest.mark.parametrize("way", WAYS)
SHOUT = re.compile(r"AUTH|STARTTLS|PLAIN|LOGIN")


def _verbs(relay: FakeRelay) -> list[str]:
    return [line.partition(" ")[0].upper() for line in relay.heard]


# -- what the relay offers -----------------------------------------------------------------------------------


async def test_without_pipelining_each_command_waits_for_its_reply() -> None:
    """A relay that does not offer PIPELINING never gets a command before it has answered the one before (RFC 2920 §3.1)."""
    early: list[str] = []

    def script(moment: Moment) -> None:
        early.extend(relay.heard[len(answered) + 1 :])
        answered.append(moment.stage)

    answered: list[str] = []
    relay = FakeRelay(script, LOCK_STEP)
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(5))

    assert len(outcomes.of(OutcomeKind.delivered)) == 5
    assert early == []
    assert "BDAT" not in _verbs(relay)


async def test_chunking_that_is_offered_and_refused_falls_back_to_data() -> None:
    """A relay that offers CHUNKING and does not know BDAT gets the same copies by DATA, each once."""
    for code in (500, 502, 503):
        relay = FakeRelay(_refuse_chunks(code), CHUNKING)
        async with relay.running(), transport_to(relay, connections=3) as transport:
            outcomes = await send_all(transport, make_copies(100))

        assert len(outcomes.of(OutcomeKind.delivered)) == 100
        assert sorted(relay.pairs) == sorted(outcomes)
        assert _verbs(relay).count("BDAT") <= 3


def _refuse_chunks(code: int) -> Callable[[Moment], Reaction | None]:
    def script(moment: Moment) -> Reaction | None:
        by_chunks = moment.stage == "dot" and "DATA" not in _last_verbs(moment)
        return Reaction(f"{code} 5.5.1 BDAT unknown\r\n".encode()) if by_chunks else None

    seen: list[str] = []

    def _last_verbs(moment: Moment) -> list[str]:
        return seen[-1:]

    def watch(moment: Moment) -> Reaction | None:
        reaction = script(moment)
        if moment.stage in ("MAIL", "DATA"):
            seen.append(moment.stage)
        return reaction

    return watch


async def test_a_relay_that_refuses_one_chunked_copy_after_others_is_believed() -> None:
    """Once CHUNKING has worked, a refusal of BDAT is about the copy and not about the extension."""
    relay = FakeRelay(
        lambda m: b"554 5.7.1 spam\r\n" if m.stage == "dot" and m.recipients == ("m7@example.com",) else None, CHUNKING
    )
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(20))

    assert outcomes.of(OutcomeKind.failed) == {"m7@example.com"}
    assert len(outcomes.of(OutcomeKind.delivered)) == 19


@WAY
async def test_eight_bit_content_is_announced_where_that_is_offered(way: str) -> None:
    """BODY=8BITMIME goes with content beyond ASCII to a relay that offers it; elsewhere the content leaves as it is."""
    body = "Subject: x\r\n\r\nDie Leiter hängt in der Hütte.\r\n".encode()
    for offers, announced in ((WAYS[way], True), (tuple(o for o in WAYS[way] if o != "8BITMIME"), False)):
        relay = FakeRelay(offers=offers)
        async with relay.running(), transport_to(relay) as transport:
            await send_all(transport, make_copies(1, body=body))
        assert ("BODY=8BITMIME" in relay.taken[0].mail) is announced
        assert relay.taken[0].content.endswith(body)


@WAY
async def test_an_internationalised_address_fails_honestly_without_smtputf8(way: str) -> None:
    """An address that is not ASCII goes out with SMTPUTF8, or fails with 5.6.7; it is never mangled (RFC 6531 §3.2)."""
    copies = make_copies(2)
    copies[1] = Copy(
        copies[1].key, copies[1].reverse_path, "jürgen@bücher.example", copies[1].head, copies[1].body, smtputf8=True
    )
    for offers, kind in (
        (WAYS[way], OutcomeKind.delivered),
        (tuple(o for o in WAYS[way] if o != "SMTPUTF8"), OutcomeKind.failed),
    ):
        relay = FakeRelay(offers=offers)
        async with relay.running(), transport_to(relay) as transport:
            outcomes = await send_all(transport, copies)
        assert outcomes["jürgen@bücher.example"].kind is kind
        assert outcomes["m0@example.com"].kind is OutcomeKind.delivered
        if kind is OutcomeKind.delivered:
            assert relay.taken[1].recipients == ("jürgen@bücher.example",)
            assert "SMTPUTF8" in relay.taken[1].mail
        else:
            assert str(outcomes["jürgen@bücher.example"].reply).startswith("550 5.6.7")


@WAY
async def test_what_is_larger_than_the_relay_takes_is_not_sent(way: str) -> None:
    """SIZE is declared in octets of content, and a copy above the relay's limit fails before a single octet leaves (RFC 1870)."""
    relay = FakeRelay(offers=(*WAYS[way], "SIZE 1000"))
    large, small = make_copies(1, prefix="large", body=b"x: y\r\n\r\n" + b"z" * 1000), make_copies(1, prefix="small")
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, [*large, *small])

    assert str(outcomes["large0@example.com"].reply).startswith("552 5.3.4")
    assert relay.pairs == ["small0@example.com"]
    assert relay.taken[0].mail == f"SIZE={len(relay.taken[0].content)}"


async def test_a_relay_of_old_is_greeted_with_helo() -> None:
    """Where EHLO is not known, HELO is, and the mail goes in lock-step."""
    relay = FakeRelay(lambda m: b"502 5.5.1 what?\r\n" if m.stage == "EHLO" else None)
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(3))

    assert len(outcomes.of(OutcomeKind.delivered)) == 3
    assert _verbs(relay)[:2] == ["EHLO", "HELO"]


async def test_lmtp_says_lhlo_and_never_chunks(tmp_path: Path) -> None:
    """Over LMTP, by TCP or a socket's path, the greeting is LHLO, and BDAT is not used."""
    for unix in (None, tmp_path / "lmtp"):
        relay = FakeRelay(offers=CHUNKING, lmtp=True)
        async with relay.running(unix):
            address = relay.address(unix=str(unix) if unix else "")
            async with transport_to(relay, address=address) as transport:
                outcomes = await send_all(transport, make_copies(10))
        assert len(outcomes.of(OutcomeKind.delivered)) == 10
        assert {"LHLO", "DATA"} <= set(_verbs(relay))
        assert not {"EHLO", "BDAT"} & set(_verbs(relay))


@pytest.mark.parametrize("code", [450, 550])
async def test_lmtp_refuses_behind_the_dot(code: int) -> None:
    """The reply that LMTP gives for a recipient behind the final dot decides about that copy only."""
    relay = FakeRelay(
        lambda m: f"{code} {code // 100}.2.2 full\r\n".encode() if m.stage == "dot" and "m1@" in m.recipients[0] else None,
        lmtp=True,
    )
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(3))

    assert outcomes.of(OutcomeKind.deferred if code < 500 else OutcomeKind.failed) == {"m1@example.com"}
    assert len(outcomes.of(OutcomeKind.delivered)) == 2


# -- TLS and login -------------------------------------------------------------------------------------------


@WAY
@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mail_leaves_over_tls(way: str, security: str, tmp_path: Path) -> None:
    """With smtps and smtp+starttls the certificate is checked and the mail goes through TLS, the way the relay offers there."""
    server, client = Authority(tmp_path).make("127.0.0.1")
    relay = FakeRelay(offers=(*WAYS[way], "STARTTLS"), tls=server, implicit_tls=security == "tls")
    async with relay.running(), transport_to(relay, address=relay.address(security=security), tls=client) as transport:
        outcomes = await send_all(transport, make_copies(50))

    assert len(outcomes.of(OutcomeKind.delivered)) == 50
    assert ("STARTTLS" in _verbs(relay)) is (security == "starttls")
    assert "MAIL" not in _verbs(relay)[: 3 if security == "starttls" else 1]


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    "names", [("127.0.0.2",), ("relay.example",), ()], ids=["other-address", "other-name", "unknown-authority"]
)
async def test_a_certificate_that_does_not_fit_stops_everything(security: str, names: tuple[str, ...], tmp_path: Path) -> None:
    """A wrong name or an unknown authority: nothing leaves, no login, every copy is deferred."""
    server, client = Authority(tmp_path).make(*(names or ("127.0.0.1",)))
    if not names:
        client = Authority(tmp_path).make("127.0.0.1")[1]
    relay = FakeRelay(offers=(*PIPELINING, "STARTTLS", "AUTH PLAIN"), tls=server, implicit_tls=security == "tls")
    async with relay.running():
        address = relay.address(security=security, user="user", password="geheim")
        async with transport_to(relay, address=address, tls=client) as transport:
            outcomes = await send_all(transport, make_copies(3))

    assert len(outcomes.of(OutcomeKind.deferred)) == 3
    assert not {"MAIL", "AUTH"} & set(_verbs(relay))


async def test_a_relay_that_hides_starttls_gets_nothing(tmp_path: Path) -> None:
    """smtp+starttls without STARTTLS on offer: somebody may have taken it out, so nothing leaves in clear."""
    relay = FakeRelay(offers=(*PIPELINING, "AUTH PLAIN"))
    async with relay.running():
        address = relay.address(security="starttls", user="user", password="geheim")
        async with transport_to(relay, address=address, tls=Authority(tmp_path).make("127.0.0.1")[1]) as transport:
            outcomes = await send_all(transport, make_copies(1))

    assert outcomes["m0@example.com"].detail == "the relay offers no STARTTLS"
    assert _verbs(relay) == ["EHLO"]


async def test_what_is_said_before_tls_is_not_believed_under_it(tmp_path: Path) -> None:
    """Octets behind the reply to STARTTLS end the connection: they were put in by somebody on the way (RFC 3207 §4.2)."""
    server, client = Authority(tmp_path).make("127.0.0.1")
    injected = b"220 2.0.0 go on\r\n250-evil.example\r\n250 AUTH PLAIN\r\n"
    relay = FakeRelay(lambda m: injected if m.stage == "STARTTLS" else None, (*PIPELINING, "STARTTLS"), tls=server)
    async with relay.running(), transport_to(relay, address=relay.address(security="starttls"), tls=client) as transport:
        outcomes = await send_all(transport, make_copies(1))

    assert outcomes.of(OutcomeKind.deferred) == {"m0@example.com"}
    assert "MAIL" not in _verbs(relay)


@pytest.mark.parametrize(
    ("offer", "expected"), [("AUTH PLAIN LOGIN", "PLAIN"), ("AUTH LOGIN", "LOGIN"), ("AUTH=LOGIN PLAIN", "PLAIN")]
)
async def test_login(offer: str, expected: str) -> None:
    """AUTH PLAIN where it is offered, else LOGIN; user and password arrive as they were given, any letters (RFC 4616)."""
    relay = FakeRelay(offers=(*PIPELINING, offer))
    async with relay.running(), transport_to(relay, address=relay.address(user="jürgen", password="pä:s@s/w")) as transport:
        outcomes = await send_all(transport, make_copies(2))

    assert len(outcomes.of(OutcomeKind.delivered)) == 2
    if expected == "PLAIN":
        told = next(line.split()[2] for line in relay.heard if line.startswith("AUTH PLAIN"))
        assert base64.b64decode(told).decode() == "\0jürgen\0pä:s@s/w"
    else:
        after = relay.heard[relay.heard.index("AUTH LOGIN") + 1 :][:2]
        assert [base64.b64decode(line).decode() for line in after] == ["jürgen", "pä:s@s/w"]


@pytest.mark.parametrize("code", [454, 535])
async def test_a_refused_login_defers_and_says_nothing_secret(code: int) -> None:
    """The password stands in no outcome, though the relay repeats it; the copies wait until somebody has mended the setting."""
    secret = base64.b64encode(b"\0user\0geheim").decode()
    relay = FakeRelay(
        lambda m: f"{code} {code // 100}.7.8 no: {secret}\r\n".encode() if m.stage == "AUTH" else None,
        (*PIPELINING, "AUTH PLAIN"),
    )
    async with relay.running(), transport_to(relay, address=relay.address(user="user", password="geheim")) as transport:
        outcomes = await send_all(transport, make_copies(2))

    assert len(outcomes.of(OutcomeKind.deferred)) == 2
    assert secret not in repr(outcomes)
    assert "geheim" not in repr(outcomes) + repr(relay.address(user="user", password="geheim"))


@pytest.mark.parametrize("code", [530, 550])
async def test_a_relay_that_wants_a_login_first_defers(code: int) -> None:
    """530 is about us, so nobody's address is at fault for it; 550 is about the address."""
    relay = FakeRelay(lambda m: f"{code} 5.7.0 no\r\n".encode() if m.stage == "MAIL" else None)
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(3))

    assert len(outcomes.of(OutcomeKind.deferred if code == 530 else OutcomeKind.failed)) == 3


# -- nothing unsafe leaves -----------------------------------------------------------------------------------

SMUGGLED = [
    b"\n.\r\n", b"\r\n.\n", b"\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\n", b"\r\n\x00.\r\n", b"\r\r\n.\r\r\n", b"\n\r.\n\r",
]  # fmt: skip


@WAY
@pytest.mark.parametrize("end", SMUGGLED, ids=repr)
async def test_no_second_mail_can_be_smuggled_out(way: str, end: bytes) -> None:
    """Whatever looks like an end of data to some server leaves as content: stuffed, and every line ended by CRLF alone."""
    hidden = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nFrom: evil\r\n\r\nhello\r\n.\r\n"
    body = b"Subject: x\r\n\r\nfirst" + end + hidden + b".\r\n..\r\n.dot\r\n"
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        outcomes = await send_all(transport, make_copies(2, body=body))

    assert len(outcomes.of(OutcomeKind.delivered)) == 2
    assert relay.pairs == ["m0@example.com", "m1@example.com"]
    for taken in relay.taken:
        assert taken.content.count(b"\r") == taken.content.count(b"\n") == taken.content.count(b"\r\n")
        assert taken.content.endswith(b".\r\n..\r\n.dot\r\n")
        assert b"MAIL FROM:<evil@example.net>\r\n" in taken.content


@WAY
@given(
    body=st.lists(st.sampled_from([b".", b"..", b"\r", b"\n", b"\r\n", b"a", b"\x00", b"\xff", b" "]), max_size=12).map(b"".join)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_content_arrives_as_it_was(way: str, body: bytes) -> None:
    """Any octets: what the relay unstuffs is the content with its line ends made CRLF, and nothing else changed."""
    copies = make_copies(2, body=body)
    relay = FakeRelay(offers=WAYS[way])

    async def run() -> Outcomes:
        async with relay.running(), transport_to(relay) as transport:
            return await send_all(transport, copies)

    outcomes = asyncio.run(run())

    assert len(outcomes.of(OutcomeKind.delivered)) == 2
    expected = re.sub(rb"\r(?!\n)|(?<!\r)\n", b"\r\n", body)
    expected += b"" if expected.endswith(b"\r\n") else b"\r\n"
    assert [taken.content for taken in relay.taken] == [copy.head + expected for copy in copies]


@WAY
@pytest.mark.parametrize(
    "address",
    ["a@example.com>\r\nRCPT TO:<b@example.com", "a@example.com\n", "a b@example.com", "<a@example.com>", "a@example.com\x00", "",
     "a@example.com> NOTIFY=NEVER", "a\u2028@example.com", "a" * 400 + "@example.com", "\ud800@example.com"],
    ids=repr,
)  # fmt: skip
async def test_an_address_can_bring_no_command_along(way: str, address: str) -> None:
    """An address that could end its command fails with 5.1.3 before anything is sent; so does a return-path of that kind."""
    good = make_copies(1)
    bad = Copy("bad", "list@lists.example.org", address, b"", good[0].body, smtputf8=not address.isascii())
    bad_path = Copy("path", address or "x y", "path@example.com", b"", good[0].body)
    outcomes: dict[object, OutcomeKind] = {}
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        await transport.send([bad, *good, bad_path], lambda copy, outcome: outcomes.update({copy.key: outcome.kind}))

    assert outcomes == {"bad": OutcomeKind.failed, ("m", 0): OutcomeKind.delivered, "path": OutcomeKind.failed}
    assert relay.pairs == ["m0@example.com"]


@WAY
async def test_a_head_that_is_not_ended_or_has_lone_line_ends_is_mended(way: str) -> None:
    """The head of a copy leaves with CRLF line ends and ended, so that the body's first field stays a field."""
    copy = Copy("x", "list@lists.example.org", "a@example.com", b"X-One: 1\nX-Two: 2\r.", Body(b"Subject: s\r\n\r\nt\r\n"))
    relay = FakeRelay(offers=WAYS[way])
    async with relay.running(), transport_to(relay) as transport:
        await send_all(transport, [copy])

    assert relay.taken[0].content == b"X-One: 1\r\nX-Two: 2\r\n.\r\nSubject: s\r\n\r\nt\r\n"

"""The SMTP door: what it says, what it lets in, and what reaches the gate."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import re
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from listserver.errors import ConfigError
from listserver.smtp.content import TOO_BIG, Collector, admit, count_received, has_line_over, normalise_line_ends
from listserver.smtp.limits import DoorSettings, Limits, recognise
from listserver.smtp.listener import Doors, read_host_port
from tests.integration.doorkit import LOOPBACK, PATIENCE, Client, RecordingGate, open_house, until

DIALOGS = sorted(Path(__file__).with_name("dialogs").glob("*.txt"))


def as_it_leaves(line: str) -> bytes:
    """The octets of a client's line in a dialogue file."""
    if line.startswith("C:"):
        return line[2:].removeprefix(" ").encode() + b"\r\n"
    return line[2:].removeprefix(" ").encode("latin-1").decode("unicode_escape").encode("latin-1")


def is_said(expected: str, line: str) -> bool:
    """Whether the server's line is the one that the dialogue file has; `*` at its end stands for any text."""
    return line.startswith(expected[:-1]) if expected.endswith("*") else line == expected


@pytest.mark.parametrize(
    ("name", "text"), [(path.name, path.read_text()) for path in DIALOGS], ids=[path.stem for path in DIALOGS]
)
async def test_conversation(name: str, text: str) -> None:
    """The door answers each line as its dialogue file has it."""
    head, _, body = text.partition("\n\n")
    async with open_house(trusted="peer: trusted" in head) as house:
        client = await house.visit("lmtp" if "door: lmtp" in head else "smtp")
        for number, line in enumerate(body.splitlines(), head.count("\n") + 3):
            if line.startswith("S:"):
                said = await client.line()
                assert is_said(line[2:].strip(), said), f"{name}:{number}: {said!r}"
            elif line.startswith("X:"):
                assert await client.close_seen() == b""
            else:
                client.send(as_it_leaves(line))


# -- what reaches the gate -------------------------------------------------------------------------------------


async def test_message_reaches_the_gate_as_it_was_sent() -> None:
    """Content passes octet by octet, dot-stuffing undone, whatever its characters and line lengths."""
    content = b"Subject: \xe4\xff\r\nX:\r\n\r\n.\r\n..two\r\n. one \r\n" + b"y" * 5000 + b"\r\n\r\n"
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n")) + b".\r\n")
        assert (await client.reply()).startswith("250 2.0.0 ")
        assert house.gate.content() == content


async def test_trace_field_says_whence_and_when() -> None:
    """One Received field with peer, protocol, recipient and date is put on top (RFC 5321 §4.4)."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Subject: x\r\n\r\n.\r\n")
        await client.reply()
        unfolded = house.gate.accepted[0][1].replace(b"\r\n\t", b" ").split(b"\r\n")[0].decode()
        assert re.fullmatch(
            r"Received: from client\.example \(\[127\.0\.0\.1\]\) by lists\.example\.org with ESMTP id [0-9a-f]{12} "
            r"for <toolshare@lists\.example\.org>; Tue, 24 Nov 2026 10:00:00 \+0000",
            unfolded,
        )


async def test_trace_field_names_no_recipient_when_there_are_several() -> None:
    """Nobody learns from the trace field who else got the message (RFC 5321 §7.2)."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin("toolshare@lists.example.org", "secret@lists.example.org")
        client.send(b".\r\n")
        await client.reply()
        assert b"\tfor <" not in house.gate.accepted[0][1]


async def test_envelope_carries_what_was_said() -> None:
    """Null reverse-path is '', recipients keep their order and spelling, the postmaster needs no domain (RFC 5321 §4.5.1)."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        await client.ask(
            "HELO c", "MAIL FROM:<>", 'RCPT TO:<"a > b"@lists.example.org>', "RCPT TO:<Tool+X@Lists.Example.ORG>",
            "RCPT TO:<PostMaster>", "DATA", ".",
        )  # fmt: skip
        envelope = house.gate.accepted[0][0]
        assert envelope.reverse_path == ""
        assert envelope.recipients == (
            '"a > b"@lists.example.org', "Tool+X@Lists.Example.ORG", "postmaster@lists.example.org",
        )  # fmt: skip
        assert (envelope.peer.helo, envelope.peer.protocol, envelope.peer.trusted) == ("c", "SMTP", False)


async def test_internationalised_envelope_is_marked() -> None:
    """SMTPUTF8 reaches the gate and the trace field's protocol word (RFC 6531 §4.3)."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c", "MAIL FROM:<jürgen@example.org> SMTPUTF8", "RCPT TO:<bücher@lists.example.org>", "DATA", ".")
        envelope, raw = house.gate.accepted[0]
        assert envelope.smtputf8
        assert envelope.recipients == ("bücher@lists.example.org",)
        assert b"with UTF8SMTP id" in raw


async def test_recipient_given_twice_is_one_destination() -> None:
    """In SMTP the same recipient twice in one transaction is one recipient for the gate."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin("toolshare@lists.example.org", "toolshare@lists.example.org")
        client.send(b".\r\n")
        await client.reply()
        assert house.gate.accepted[0][0].recipients == ("toolshare@lists.example.org",)


async def test_several_messages_in_one_session_stay_apart() -> None:
    """Nothing of a message is left for the next one of the session."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin("one@lists.example.org")
        client.send(b"first\r\n.\r\n")
        await client.reply()
        await client.again("two@lists.example.org")
        client.send(b"second\r\n.\r\n")
        await client.reply()
        assert [envelope.recipients for envelope, _ in house.gate.accepted] == [
            ("one@lists.example.org",), ("two@lists.example.org",),
        ]  # fmt: skip
        assert house.gate.content(1) == b"second\r\n"


async def test_whole_sessions_may_come_in_one_piece() -> None:
    """Pipelined commands, content and the next transaction are each answered in order (RFC 2920)."""
    transaction = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<nobody@lists.example.org>\r\nRCPT TO:<b@lists.example.org>\r\nDATA\r\n"
    async with open_house() as house:
        client = await house.visit()
        client.send(b"EHLO c\r\n" + transaction + b"one\r\n.\r\n" + transaction + b"two\r\n.\r\nQUIT\r\n")
        said = [line[:3] for line in (await client.close_seen()).decode().splitlines()]
        assert said == ["220"] + ["250"] * 7 + ["250", "550", "250", "354", "250"] * 2 + ["221"]
        assert [house.gate.content(number) for number in (0, 1)] == [b"one\r\n", b"two\r\n"]


async def test_client_that_closes_its_side_still_gets_its_replies() -> None:
    """A client that sends all and half-closes (as `nc -N` does) is served to the end."""
    async with open_house() as house:
        client = await house.visit()
        client.send(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<slow@lists.example.org>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
        client.writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
        house.gate.release.set()
        assert [line[:3] for line in (await client.close_seen()).decode().splitlines()] == [
            "220", "250", "250", "250", "354", "250", "250",
        ]  # fmt: skip


async def test_message_in_the_gates_hands_is_finished_when_the_peer_goes() -> None:
    """A peer that drops after its final dot does not stop the message from being accepted."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin("slow@lists.example.org")
        client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
        connection = house.connection
        client.reset()
        await until(lambda: connection.gone)
        house.gate.release.set()
        async with asyncio.timeout(PATIENCE):
            await house.gate.finished.wait()
        assert len(house.gate.accepted) == 1


async def test_connection_that_ends_within_content_leaves_nothing() -> None:
    """Content without its end is no message."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Subject: x\r\n\r\nhalf\r\n")
        client.writer.write_eof()
        assert await client.close_seen() == b""
        assert house.gate.accepted == []


# -- smuggling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\n"],
    ids=lambda end: ascii(end)[2:-1].replace("\\", ""),
)  # fmt: skip
async def test_smuggled_end_of_data_is_content(end: bytes) -> None:
    """Only CRLF . CRLF ends the content; a command behind anything else is text of the same message."""
    smuggled = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@lists.example.org>\r\nDATA\r\nforged"
    async with open_house(trusted=True) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Subject: x\r\n\r\nhello" + end + smuggled + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert await client.ask("NOOP") == "250 2.0.0 OK"
        content = house.gate.content()
        assert [envelope.recipients for envelope, _ in house.gate.accepted] == [("toolshare@lists.example.org",)]
        assert content.endswith(b"forged\r\n")
        assert not re.search(rb"[^\r]\n|\r[^\n]|\0", content)


def test_lone_line_ends_become_crlf() -> None:
    """Each lone CR and LF is one line end; CR CR LF is one, too; clean content is not even copied."""
    clean = b"a\r\nb\r\n"
    assert normalise_line_ends(clean) is clean
    assert normalise_line_ends(b"a\rb\nc\r\nd\n\re\r\r\nf") == b"a\r\nb\r\nc\r\nd\r\n\r\ne\r\nf"


def test_line_ends_are_normalised_in_linear_time() -> None:
    """Megabytes of nothing but line ends are no bomb."""
    for octets in (b"\r" * 4_000_000, b"\n" * 4_000_000, b"\r\r\n" * 1_000_000):
        assert not re.search(rb"[^\r]\n|\r[^\n]", normalise_line_ends(octets)[:100_000])


def test_content_is_the_same_however_it_is_cut() -> None:
    """The end of content is found at every cut between two pieces, and what follows it is left for the next reader."""
    stream = b"..a\r\n.\r.b\r\n\r\n..\r\n.\r\nQUIT\r\n"
    for first in range(len(stream)):
        for second in range(first, len(stream)):
            collector, incoming, is_complete = Collector(1000), bytearray(), False
            for piece in (stream[:first], stream[first:second], stream[second:]):
                incoming += piece
                is_complete = is_complete or collector.feed(incoming)
            assert is_complete
            assert collector.content() == b".a\r\n\r.b\r\n\r\n.\r\n"
            assert incoming == b"QUIT\r\n"


async def test_nul_from_outside_is_refused() -> None:
    """NUL has no place in mail (RFC 5321 §4.5.2)."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"a\0b\r\n.\r\n")
        assert (await client.reply()).startswith("554 5.6.0 ")
        assert house.gate.accepted == []


async def test_nul_from_a_trusted_peer_is_taken_out() -> None:
    """Our own MTA is never made to bounce content: the octets go, and the trace field says so."""
    async with open_house(trusted=True) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"a\0b\0\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert house.gate.content() == b"ab\r\n"
        assert b"(2 NUL octets taken out)" in house.gate.accepted[0][1]


# -- loops -----------------------------------------------------------------------------------------------------


async def test_loop_is_refused_to_the_outside() -> None:
    """More than 100 Received fields are a loop (RFC 5321 §6.3)."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Received: x\r\n" * 101 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("554 5.4.6 ")


async def test_loop_from_a_trusted_peer_is_left_to_the_gate() -> None:
    """A refusal to our own MTA would bounce to a sender who may be forged."""
    async with open_house(trusted=True) as house:
        client = await house.visit()
        await client.begin()
        client.send(b"Received: x\r\n" * 101 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert count_received(house.gate.accepted[0][1]) == 102


def test_received_fields_are_counted_in_the_header_only() -> None:
    """Any spelling of the name counts; lines of the body and other fields do not."""
    raw = b"RECEIVED: a\r\nX-Received: b\r\nreceived: c\r\n d\r\n\r\nReceived: e\r\n"
    assert count_received(raw) == 2


# -- sizes and lines -------------------------------------------------------------------------------------------


def test_line_length_is_measured_between_line_ends() -> None:
    """A line may have the limit's length, and not an octet more."""
    lines = b"a" * 99 + b"\n"
    assert not has_line_over(lines * 50, 100)
    assert has_line_over(lines * 50 + b"b" * 101 + b"\n" + lines, 100)
    assert has_line_over(b"b" * 101, 100)


def test_content_of_just_the_limit_is_accepted_in_spite_of_its_dots() -> None:
    """Dot-stuffing does not count (RFC 1870 §3)."""
    collector = Collector(300)
    assert collector.feed(bytearray(b"..\r\n" * 100 + b".\r\n"))
    assert collector.content() == b".\r\n" * 100
    collector = Collector(300)
    assert not collector.feed(bytearray(b"..\r\n" * 100))
    assert collector.feed(bytearray(b".\r\n"))
    assert collector.content() == b".\r\n" * 100


def test_content_beyond_the_limit_is_not_kept() -> None:
    """Of a message that is too large only the last octets stay in memory, and its end is still found."""
    collector = Collector(300)
    for _ in range(1000):
        assert not collector.feed(bytearray(b"x" * 1000))
        assert collector.held < 1500
    assert collector.feed(bytearray(b"\r\n.\r\n"))
    assert collector.content() == TOO_BIG


def test_admitted_content_of_trusted_peers_is_never_refused() -> None:
    """Endless lines, loops and NULs of our own MTA pass; those behind the door decide."""
    limits = Limits(line_octets=10, received_fields=1)
    for content in (b"x" * 50, b"Received: a\r\nReceived: b\r\n\r\n", b"\0"):
        assert hasattr(admit(content, trusted=True, limits=limits), "raw")
        assert not hasattr(admit(content, trusted=False, limits=limits), "raw")


# -- TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of our own for lists.example.org, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lists.example.org")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("lists.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return str(folder / "cert.pem"), str(folder / "key.pem")


def tls_client(certificate: tuple[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


async def test_starttls_protects_a_message(certificate: tuple[str, str]) -> None:
    """STARTTLS is offered before and not after; the message comes as ESMTPS (RFC 3848)."""
    async with open_house(tls_certificate=certificate[0], tls_key=certificate[1]) as house:
        client = await house.visit()
        await client.reply()
        assert "250-STARTTLS" in await client.ask("EHLO c")
        assert await client.ask("STARTTLS") == "220 2.0.0 Ready for TLS"
        await client.start_tls(tls_client(certificate))
        assert "STARTTLS" not in await client.ask("EHLO c")
        assert (await client.ask("STARTTLS")).startswith("503 5.5.1 ")
        await client.again()
        client.send(b"x" * 200_000 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        envelope, raw = house.gate.accepted[0]
        assert (envelope.peer.tls, envelope.peer.protocol) == (True, "ESMTPS")
        assert len(raw) > 200_000


async def test_starttls_forgets_all_that_was_said_in_clear(certificate: tuple[str, str]) -> None:
    """After the handshake the session begins anew: hello and MAIL are forgotten (RFC 3207 §4.2)."""
    async with open_house(tls_certificate=certificate[0], tls_key=certificate[1]) as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c", "MAIL FROM:<a@example.org>", "RCPT TO:<b@lists.example.org>", "STARTTLS")
        await client.start_tls(tls_client(certificate))
        assert await client.ask("DATA") == "503 5.5.1 Say MAIL first"
        assert await client.ask("MAIL FROM:<a@example.org>") == "503 5.5.1 Say hello first"


async def test_starttls_injection_is_thrown_away(certificate: tuple[str, str]) -> None:
    """Commands put into the clear text behind STARTTLS are never obeyed (CVE-2011-0411)."""
    async with open_house(tls_certificate=certificate[0], tls_key=certificate[1]) as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c")
        client.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<b@lists.example.org>\r\n")
        assert (await client.reply()).startswith("220 2.0.0 ")
        await client.start_tls(tls_client(certificate))
        assert await client.ask("NOOP") == "250 2.0.0 OK"
        assert await client.ask("MAIL FROM:<a@example.org>") == "503 5.5.1 Say hello first"
        assert house.gate.asked == []


@pytest.mark.parametrize("handshake", [b"EHLO again, in clear\r\n", b"", None], ids=["garbage", "end", "reset"])
async def test_failed_handshake_ends_the_connection(certificate: tuple[str, str], handshake: bytes | None) -> None:
    """Garbage instead of a handshake, or an end within it, closes the connection and frees its place."""
    limits = Limits(connections_per_peer=1)
    async with open_house(tls_certificate=certificate[0], tls_key=certificate[1], limits=limits) as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c", "STARTTLS")
        connection = house.connection
        if handshake is None:
            client.reset()
        else:
            client.send(handshake)
            client.writer.write_eof()
            await client.close_seen()
        await until(lambda: connection not in house.doors._door.connections)
        assert (await (await house.visit()).reply()).startswith("220 ")


async def test_unusable_certificate_is_named_at_start(tmp_path: Path) -> None:
    """A wrong certificate stops the start, with the names of the settings."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    with pytest.raises(ConfigError, match="LISTSERVER_TLS_CERTIFICATE"):
        async with open_house(tls_certificate=str(wrong), tls_key=str(wrong)):
            pass


# -- listening and closing -------------------------------------------------------------------------------------


async def test_doors_listen_on_several_addresses_and_families() -> None:
    """Each address of SMTP_LISTEN is opened, IPv6 too, and told with its real port."""
    gate = RecordingGate()
    doors = Doors(gate=gate, settings=DoorSettings(smtp_listen=("127.0.0.1:0", "[::1]:0"), trusted_peers=LOOPBACK))
    await doors.start()
    try:
        assert [(each.protocol, each.host) for each in doors.addresses] == [("smtp", "127.0.0.1"), ("smtp", "::1")]
        client = await Client.connect(doors.addresses[1])
        await client.begin()
        client.send(b".\r\n")
        await client.reply()
        await client.quit()
        assert b"([IPv6:::1])" in gate.accepted[0][1]
        assert gate.accepted[0][0].peer.trusted
    finally:
        await doors.stop(0)


async def test_address_in_use_is_named_and_nothing_stays_open() -> None:
    """When one address cannot be opened the start fails with its setting, and the other addresses are closed again."""
    async with open_house() as house:
        taken = house.doors.addresses[0].port
        doors = Doors(gate=RecordingGate(), settings=DoorSettings(smtp_listen=("127.0.0.1:0", f"127.0.0.1:{taken}")))
        with pytest.raises(ConfigError, match="LISTSERVER_SMTP_LISTEN: cannot listen"):
            await doors.start()
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(doors.addresses[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:25", ("127.0.0.1", 25)), ("[::1]:25", ("::1", 25)), ("*:25", (None, 25)), (":25", (None, 25)),
     ("lists.example.org:0", ("lists.example.org", 0))],
)  # fmt: skip
def test_listen_address_is_read(text: str, expected: tuple[str | None, int]) -> None:
    """host:port, [address]:port and * for every interface."""
    assert read_host_port(text) == expected


@pytest.mark.parametrize("text", ["", "25", "127.0.0.1", "::1:25", "host:port", "host:99999", "host:²", "[::1]25"])
def test_unreadable_listen_address_is_refused(text: str) -> None:
    """What is no address raises, and is not guessed."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the address itself
        read_host_port(text)


def test_ipv4_in_ipv6_clothes_is_recognised() -> None:
    """On a socket for both families an IPv4 peer is trusted by its IPv4 address."""
    networks = (ipaddress.ip_network("192.0.2.0/24"),)
    assert recognise(("::ffff:192.0.2.7", 4000, 0, 0), networks).trusted
    assert recognise(("fe80::1%eth0", 4000, 0, 2), networks).key == "fe80::/64"


async def test_idle_session_is_told_421_when_the_doors_close() -> None:
    """Whoever has no transaction open is sent away at once."""
    async with open_house() as house:
        client = await house.visit()
        await client.reply()
        await client.ask("EHLO c")
        await house.doors.stop(PATIENCE)
        assert (await client.close_seen()).startswith(b"421 4.3.2 ")


async def test_connection_that_was_waiting_in_the_queue_is_turned_away_when_the_doors_close() -> None:
    """What the kernel had accepted already is told 421 instead of a greeting."""
    async with open_house() as house:
        assert house.doors._door is not None
        house.doors._door.draining = True
        assert (await (await house.visit()).close_seen()).startswith(b"421 4.3.2 ")


async def test_running_transaction_may_end_while_the_doors_close() -> None:
    """A transaction that has begun is finished, then the session gets its 421; nobody new comes in."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin("slow@lists.example.org")
        stopping = asyncio.create_task(house.doors.stop(PATIENCE))
        client.send(b"last\r\n.\r\n")
        async with asyncio.timeout(PATIENCE):
            await house.gate.arrived.wait()
        with pytest.raises(ConnectionRefusedError):
            await house.visit()
        house.gate.release.set()
        assert (await client.reply()).startswith("250 2.0.0 ")
        assert (await client.close_seen()).startswith(b"421 4.3.2 ")
        await stopping
        assert house.gate.content() == b"last\r\n"


async def test_draining_has_an_end() -> None:
    """A transaction that does not end in time gets 421, and stop returns."""
    async with open_house() as house:
        client = await house.visit()
        await client.begin()
        async with asyncio.timeout(PATIENCE):
            await house.doors.stop(0.01)
        assert (await client.close_seen()).startswith(b"421 4.3.2 ")

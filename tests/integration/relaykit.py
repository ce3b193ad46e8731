"""What the tests of the relay share: a relay that does what its script says, and a certificate authority of our own.

The relay is a real server on a real socket. It keeps to the standards wherever its script is silent, keeps every mail that
it took, octet by octet, and everything that it heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from listserver.flows.ports import Body, Copy
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.transport.relay import RelayAddress
from listserver.transport.smtp import SmtpTransport
from listserver.transport.wire import Deadlines

PATIENCE = 20.0
QUICK = Deadlines(connect=5.0, command=5.0, content=5.0, final=5.0, probe=2.0)
LOCK_STEP: tuple[str, ...] = ("8BITMIME", "SMTPUTF8")
PIPELINING = (*LOCK_STEP, "PIPELINING")
CHUNKING = (*PIPELINING, "CHUNKING")
WAYS = {"lock-step": LOCK_STEP, "pipelining": PIPELINING, "chunking": CHUNKING}


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the dialogue at which the script is asked: before the reply to what has just come."""

    stage: str
    """greeting, or the verb (EHLO, MAIL, RCPT, DATA, BDAT, RSET, QUIT …), content (some of it came), dot (all of it came)."""
    line: str
    recipients: tuple[str, ...]
    connection: int
    """1 for the first connection."""
    number: int
    """How many moments of this stage there have been, this one included."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the relay does instead of the usual; `then` is one of go-on, close, reset, stall."""

    say: bytes | None = None
    then: str = "go-on"
    keep: bool = False
    """Whether a content is kept although no reply, or not a positive one, goes out."""


Script = Callable[[Moment], Reaction | bytes | None]


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that the relay took."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    connection: int
    mail: str
    """The MAIL command's parameters."""


class _Ended(Exception):
    """The script ends this connection."""


@dataclass
class FakeRelay:
    """One relay."""

    script: Script = lambda moment: None
    offers: Sequence[str] = PIPELINING
    lmtp: bool = False
    answers_group_with_354: bool = False
    """Whether DATA without a valid recipient is answered 354, as some servers do (RFC 2920 §3.1 allows for it)."""
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    taken: list[Taken] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    port: int = 0
    at_once: list[int] = field(default_factory=list)
    _moments: Counter[str] = field(default_factory=Counter)
    _release: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def running(self, unix: Path | None = None) -> AsyncIterator[FakeRelay]:
        """Serve until the block ends."""
        self._tasks: set[asyncio.Task[None]] = set()
        tls = self.tls if self.implicit_tls else None
        if unix is not None:
            server = await asyncio.start_unix_server(self._accepted, unix, limit=1 << 26)
        else:
            server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=1 << 26, ssl=tls)
            self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            ends = await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()
        for end in ends:
            if isinstance(end, Exception):
                raise end  # the relay heard something that no client may say

    def address(self, **changes: object) -> RelayAddress:
        """Where it is."""
        values: dict[str, object] = {"host": "127.0.0.1", "port": self.port, "lmtp": self.lmtp}
        return RelayAddress(**(values | changes))  # type: ignore[arg-type]

    def stop_stalling(self) -> None:
        """Let the connections that stall go on to their end."""
        self._release.set()

    @property
    def pairs(self) -> list[str]:
        """The recipients it took mail for, in order, one for each mail."""
        return [recipient for taken in self.taken for recipient in taken.recipients]

    # -- one connection --------------------------------------------------------------------------------------

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        dialogue = _Dialogue(self, reader, writer, self.connections)
        try:
            with contextlib.suppress(_Ended, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await dialogue.run()
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 2)


class _Dialogue:
    def __init__(self, relay: FakeRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.relay, self.reader, self.writer, self.number = relay, reader, writer, number
        self.secure = relay.implicit_tls
        self.login = 0
        self._forget()

    def _forget(self) -> None:
        self.reverse_path: str | None = None
        self.mail = ""
        self.recipients: list[str] = []
        self.chunks = b""

    async def run(self) -> None:
        await self._react("greeting", "", b"220 relay.example ESMTP\r\n")
        while line := await self.reader.readline():
            if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\x00" in line:
                raise AssertionError(f"not a command line: {line!r}")
            text = line[:-2].decode()
            self.relay.heard.append(text)
            await self._command(text.partition(" ")[0].upper(), text)

    async def _command(self, verb: str, line: str) -> None:
        match verb:
            case "EHLO" | "LHLO":
                await self._react(verb, line, self._hello())
            case "MAIL":
                code = await self._react(verb, line, b"250 2.1.0 Ok\r\n")
                if code == 2:
                    path, _, self.mail = line[10:].partition(">")
                    self.reverse_path = path.lstrip("<")
            case "RCPT":
                usual = b"250 2.1.5 Ok\r\n" if self.reverse_path is not None else b"503 5.5.1 MAIL first\r\n"
                if await self._react(verb, line, usual) == 2:
                    self.recipients.append(line[8:].partition(">")[0].lstrip("<"))
            case "DATA":
                usual = b"354 go on\r\n"
                if not self.recipients and not self.relay.answers_group_with_354:
                    usual = b"503 5.5.1 no valid recipients\r\n"
                if await self._react(verb, line, usual) == 3:
                    await self._data()
            case "BDAT":
                await self._bdat(line)
            case "RSET":
                self._forget()
                await self._react(verb, line, b"250 2.0.0 Ok\r\n")
            case "STARTTLS":
                await self._react(verb, line, b"220 2.0.0 go on\r\n")
                assert self.relay.tls is not None
                await self.writer.start_tls(self.relay.tls)
                self.secure = True
                self._forget()
            case "AUTH":
                await self._auth(line)
            case "QUIT":
                await self._react(verb, line, b"221 2.0.0 Bye\r\n")
                raise _Ended
            case _:
                await self._react(verb, line, b"500 5.5.1 what?\r\n" if verb != "HELO" else b"250 relay.example\r\n")

    def _hello(self) -> bytes:
        offers = [each for each in self.relay.offers if each != "STARTTLS" or not self.secure]
        return "".join(f"250-{each}\r\n" for each in ("relay.example", *offers)).encode() + b"250 ENHANCEDSTATUSCODES\r\n"

    async def _data(self) -> None:
        begun = await self.reader.read(1)
        await self._react("content", "", b"")
        # the relay believes in one end only; whoever could make it see another one has smuggled
        content = begun if begun == b"." else b""
        rest = await self.reader.readuntil(b"\r\n") if begun == b"." else begun + await self.reader.readuntil(b"\r\n")
        if begun == b"." and rest == b"\r\n":
            content = b""
        else:
            content = content + rest if begun == b"." else rest
            while not content.endswith(b"\r\n.\r\n"):
                content += await self.reader.readuntil(b"\r\n")
            content = content[:-3]
        lines = content.split(b"\r\n")
        await self._take(b"\r\n".join(each[1:] if each.startswith(b".") else each for each in lines))

    async def _bdat(self, line: str) -> None:
        _verb, size, *last = line.split()
        if int(size):
            begun = await self.reader.readexactly(1)
            await self._react("content", "", b"")
            self.chunks += begun + await self.reader.readexactly(int(size) - 1)
        if "CHUNKING" not in self.relay.offers or not self.recipients:
            await self._react("BDAT", line, b"503 5.5.1 no valid recipients\r\n")
            return
        if last:
            await self._take(self.chunks)
        else:
            await self._react("BDAT", line, b"250 2.0.0 Ok\r\n")

    async def _take(self, content: bytes) -> None:
        taken = Taken(self.reverse_path or "", tuple(self.recipients), content, self.number, self.mail.strip())
        self._forget()
        usual = b"250 2.0.0 Ok: queued\r\n" if taken.recipients else b"554 5.5.1 no valid recipients\r\n"
        await self._react("dot", "", usual, taken)

    async def _auth(self, line: str) -> None:
        _verb, mechanism, *initial = line.split()
        if mechanism == "PLAIN":
            await self._react("AUTH", line, b"235 2.7.0 welcome\r\n" if initial else b"501 5.5.4 no\r\n")
            return
        for prompt in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"):
            await self._react("AUTH", line, prompt)
            line = (await self.reader.readline()).decode().strip()
            self.relay.heard.append(line)
        await self._react("AUTH", line, b"235 2.7.0 welcome\r\n")

    async def _react(self, stage: str, line: str, usual: bytes, taken: Taken | None = None) -> int:
        relay = self.relay
        relay._moments[stage] += 1
        recipients = taken.recipients if taken else tuple(self.recipients)
        wanted = relay.script(Moment(stage, line, recipients, self.number, relay._moments[stage]))
        reaction = Reaction(wanted) if isinstance(wanted, bytes) else wanted or Reaction()
        say = usual if reaction.say is None and reaction.then == "go-on" else reaction.say or b""
        if taken is not None and (say.startswith(b"250") or reaction.keep):
            relay.taken.append(taken)
        self.writer.write(say)
        await self.writer.drain()
        match reaction.then:
            case "close":
                raise _Ended
            case "reset":
                await asyncio.sleep(0)
                reset(self.writer)
                raise _Ended
            case "stall":
                await relay._release.wait()
                raise _Ended
        return say[0] - 48 if say else 0


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset."""
    connected = writer.get_extra_info("socket")
    if connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# -- sending -------------------------------------------------------------------------------------------------


def make_copies(
    count: int, *, body: bytes = b"Subject: ladder\r\n\r\nWho has the long ladder?\r\n", prefix: str = "m"
) -> list[Copy]:
    """Copies of one mail, each with a head and a return-path of its own."""
    shared = Body(body)
    return [
        Copy(
            key=(prefix, n),
            reverse_path=f"list-bounces+{prefix}{n}@lists.example.org",
            recipient=f"{prefix}{n}@example.com",
            head=b"List-Unsubscribe: <mailto:list-leave+%d@lists.example.org>\r\n" % n,
            body=shared,
        )
        for n in range(count)
    ]


class Outcomes(dict[str, Outcome]):
    """How each copy ended, by recipient; a copy that is reported twice is a failure at once."""

    def report(self, copy: Copy, outcome: Outcome) -> None:
        """For `send`."""
        if copy.recipient in self:
            raise AssertionError(f"{copy.recipient} was reported twice")
        self[copy.recipient] = outcome

    def of(self, kind: OutcomeKind) -> set[str]:
        """The recipients whose copies ended so."""
        return {recipient for recipient, outcome in self.items() if outcome.kind is kind}


@contextlib.asynccontextmanager
async def transport_to(relay: FakeRelay, **options: object) -> AsyncIterator[SmtpTransport]:
    """A transport to this relay; closed at the end."""
    address = options.pop("address", None) or relay.address()
    values: dict[str, object] = {"hostname": "lists.example.org", "connections": 1, "deadlines": QUICK}
    transport = SmtpTransport(address, **(values | options))  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        relay.stop_stalling()
        async with asyncio.timeout(PATIENCE):
            await transport.close()


async def send_all(transport: SmtpTransport, copies: Sequence[Copy]) -> Outcomes:
    """Send and return how each ended."""
    outcomes = Outcomes()
    async with asyncio.timeout(PATIENCE):
        await transport.send(copies, outcomes.report)
    assert set(outcomes) == {copy.recipient for copy in copies}
    return outcomes


# -- certificates --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A certificate authority that only these tests believe in."""

    folder: Path

    def make(self, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """A server's context with a certificate for these names, and a client's that trusts us."""
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        ca = _certificate(ca_name, ca_name, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=None))
        alternatives: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        leaf = _certificate(subject, ca_name, key, ca_key, x509.SubjectAlternativeName(alternatives))
        chain, private = self.folder / "chain.pem", self.folder / "key.pem"
        chain.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, private)
        client = ssl.create_default_context(cadata=ca.public_bytes(serialization.Encoding.PEM).decode())
        return server, client


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(signer, hashes.SHA256())
    )

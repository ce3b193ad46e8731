"""The conversation: the commands of ESMTP (RFC 5321 §4.1.1), and the gate that decides behind them.

Every reply carries an enhanced code (RFC 2034, RFC 3463), save those that may not: greeting, HELO, EHLO, 354. The door
knows syntax, sizes and order; whether a recipient exists and whether a message is taken, the gate says. Nothing is
answered positively before the gate has (RFC 5321 §4.2.5), and a gate that fails makes a 451.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Protocol

from listserver import maillog, metrics
from listserver.mail.envelope import Envelope, Peer
from listserver.mail.reply import Reply
from listserver.smtp.commands import read_hello, read_mail, read_rcpt
from listserver.smtp.connection import NO_ROOM, TRY_AGAIN, Connection, Step
from listserver.smtp.content import TOO_BIG, admit, write_trace
from listserver.smtp.door import Door
from listserver.smtp.wire import log


class Gate(Protocol):
    """What decides behind the doors. It may raise; the peer then gets 451."""

    async def check_recipient(self, recipient: str, reverse_path: str, peer: Peer) -> Reply | None:
        """Say why mail for this recipient is refused; None when it is welcome."""

    async def accept(self, envelope: Envelope, raw: bytes) -> Reply:
        """Take responsibility for a message, durably, or say why not. `raw` has CRLF lines and our trace field."""


_OK = Reply(code=250, enhanced="2.0.0", text="OK")
_SENDER_OK = Reply(code=250, enhanced="2.1.0", text="Sender noted")
_RECIPIENT_OK = Reply(code=250, enhanced="2.1.5", text="Recipient welcome")
_BYE = Reply(code=221, enhanced="2.0.0", text="Goodbye")
_GO_AHEAD = b"354 Go ahead; end with <CR><LF>.<CR><LF>\r\n"
_READY_FOR_TLS = Reply(code=220, enhanced="2.0.0", text="Ready for TLS")
_CANNOT_VERIFY = Reply(code=252, enhanced="2.5.2", text="Addresses are not verified; send mail to find out")
_NOT_OFFERED = Reply(code=502, enhanced="5.5.1", text="That command is not offered here")
_UNKNOWN = Reply(code=500, enhanced="5.5.1", text="That command is not known here")
_NO_ARGUMENT = Reply(code=501, enhanced="5.5.4", text="That command takes no argument")
_NEEDS_ARGUMENT = Reply(code=501, enhanced="5.5.4", text="That command needs an argument")
_REFUSED = metrics.counter("listserver_refused_total", "Recipients and mails refused in the dialogue, by reply code", ["code"])
_ACCEPT_SECONDS = metrics.seconds("listserver_accept_seconds", "From the final dot to the reply, for mails that were taken")
_BAD_HELLO = Reply(code=501, enhanced="5.5.4", text="Say hello with your host name or address literal")
_HELLO_FIRST = Reply(code=503, enhanced="5.5.1", text="Say hello first")
_MAIL_FIRST = Reply(code=503, enhanced="5.5.1", text="Say MAIL first")
_RCPT_FIRST = Reply(code=503, enhanced="5.5.1", text="No recipient has been accepted")
_NESTED_MAIL = Reply(code=503, enhanced="5.5.1", text="A message is under way already; say RSET to forget it")
_TLS_ALREADY = Reply(code=503, enhanced="5.5.1", text="TLS is on already")
_TOO_MANY_RECIPIENTS = Reply(code=452, enhanced="4.5.3", text="Too many recipients; send the rest in another transaction")
_WRONG_PROTOCOL = Reply(code=421, enhanced="4.7.0", text="This is a mail server")
_HELP = (
    b"214-2.0.0 This is listserver, a mailing-list service. It knows these commands:\r\n"
    b"214 2.0.0 %s MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"
)


class SmtpSession(Connection):
    """One session of the SMTP door."""

    protocol: ClassVar[str] = "SMTP"
    hello_verbs: ClassVar[bytes] = b"EHLO HELO"

    def __init__(self, door: Door, gate: Gate) -> None:
        super().__init__(door)
        self.gate = gate
        settings = door.settings
        lines = [settings.hostname, "PIPELINING", f"SIZE {settings.max_message_bytes}", "8BITMIME", "SMTPUTF8"]
        self._extensions = self._say_extensions([*lines, *(["STARTTLS"] if door.tls else []), "ENHANCEDSTATUSCODES", "HELP"])
        self._extensions_in_tls = self._say_extensions([*lines, "ENHANCEDSTATUSCODES", "HELP"])

    @staticmethod
    def _say_extensions(lines: Sequence[str]) -> bytes:
        return "".join(f"250{'-' if line != 'HELP' else ' '}{line}\r\n" for line in lines).encode()

    def begin(self) -> None:
        super().begin()
        self.helo = ""
        self.extended = False
        self.forget_transaction()

    # -- what the connection asks --------------------------------------------------------------------------

    def greet(self) -> bytes:
        """RFC 5321 §4.3.1: the host name, and that we speak ESMTP."""
        return f"220 {self.door.settings.hostname} E{self.protocol} listserver\r\n".encode()

    def obey(self, verb: str, argument: str) -> Step | None:
        """Answer one command, or return the step that will."""
        command = self.commands.get(verb)
        if command is None:
            self.answer(_UNKNOWN)
            return None
        return command(self, argument)

    def in_transaction(self) -> bool:
        """Whether MAIL has been accepted and its message not yet answered."""
        return self.reverse_path is not None

    def forget_transaction(self) -> None:
        """Return to the state before MAIL (RFC 5321 §4.1.1.5)."""
        self.reverse_path: str | None = None
        self.recipients: list[str] = []
        self.smtputf8 = False
        self.candidate = ""

    # -- commands that are answered at once ----------------------------------------------------------------

    def _hello(self, argument: str, *, extended: bool) -> bool:
        name = read_hello(argument)
        if name is None:
            self.answer(_BAD_HELLO)
            return False
        self.forget_transaction()
        self.helo = name
        self.extended = extended
        return True

    def _ehlo(self, argument: str) -> None:
        if self._hello(argument, extended=True):
            self.say_raw(self._extensions_in_tls if self.secured else self._extensions)

    def _helo(self, argument: str) -> None:
        if self._hello(argument, extended=False):
            self.say_raw(f"250 {self.door.settings.hostname}\r\n".encode())

    def _mail(self, argument: str) -> None:
        if not self.helo:
            return self.answer(_HELLO_FIRST)
        if self.reverse_path is not None:
            return self.answer(_NESTED_MAIL)
        command = read_mail(argument, extended=self.extended)
        if isinstance(command, Reply):
            return self.answer(command)
        if command.size > self.door.settings.max_message_bytes:
            return self.answer(TOO_BIG)
        if not (self.door.turnstile.has_room_for(command.size) and self.door.settings.has_room(command.size)):
            return self.answer(NO_ROOM)
        self.reverse_path = command.reverse_path
        self.smtputf8 = command.smtputf8
        return self.answer(_SENDER_OK)

    def _rcpt(self, argument: str) -> Step | None:
        if self.reverse_path is None:
            self.answer(_MAIL_FIRST if self.helo else _HELLO_FIRST)
            return None
        hostname = self.door.settings.hostname
        recipient = read_rcpt(argument, extended=self.extended, smtputf8=self.smtputf8, hostname=hostname)
        if isinstance(recipient, Reply):
            self.answer(recipient)
            return None
        if len(self.recipients) >= self.limits.recipients:
            self.answer(_TOO_MANY_RECIPIENTS)
            return None
        self.candidate = recipient
        return self._check_recipient

    def _data(self, argument: str) -> None:
        if argument:
            return self.answer(_NO_ARGUMENT)
        if not self.recipients:
            return self.answer(_MAIL_FIRST if self.reverse_path is None else _RCPT_FIRST)
        self.say_raw(_GO_AHEAD)
        return self.collect()

    def _rset(self, argument: str) -> None:
        if argument:
            return self.answer(_NO_ARGUMENT)
        self.forget_transaction()
        return self.answer(_OK)

    def _noop(self, argument: str) -> None:
        self.answer(_OK)

    def _quit(self, argument: str) -> None:
        if argument:
            return self.answer(_NO_ARGUMENT)
        self.answer(_BYE)
        return self.hang_up()

    def _vrfy(self, argument: str) -> None:
        self.answer(_CANNOT_VERIFY if argument else _NEEDS_ARGUMENT)

    def _help(self, argument: str) -> None:
        self.say_raw(_HELP % self.hello_verbs)

    def _starttls(self, argument: str) -> Step | None:
        if self.door.tls is None or self.secured:
            self.answer(_TLS_ALREADY if self.secured else _NOT_OFFERED)
        elif argument:
            self.answer(_NO_ARGUMENT)
        else:
            self.answer(_READY_FOR_TLS)
            return self._secure
        return None

    def _not_offered(self, argument: str) -> None:
        self.answer(_NOT_OFFERED)

    def _wrong_protocol(self, argument: str) -> None:
        """A browser that was lured here: what follows is not for us, so not another line of it is read."""
        self.hang_up(_WRONG_PROTOCOL)

    commands: ClassVar[dict[str, Callable[[SmtpSession, str], Step | None]]] = {
        "EHLO": _ehlo, "HELO": _helo, "MAIL": _mail, "RCPT": _rcpt, "DATA": _data, "RSET": _rset, "NOOP": _noop,
        "QUIT": _quit, "VRFY": _vrfy, "HELP": _help, "STARTTLS": _starttls,
        "EXPN": _not_offered, "AUTH": _not_offered, "BDAT": _not_offered, "ETRN": _not_offered,
        "TURN": _not_offered, "SEND": _not_offered, "SOML": _not_offered, "SAML": _not_offered,
        "GET": _wrong_protocol, "POST": _wrong_protocol, "PUT": _wrong_protocol, "CONNECT": _wrong_protocol,
    }  # fmt: skip

    # -- steps that wait -----------------------------------------------------------------------------------

    async def _secure(self) -> None:
        """STARTTLS: afterwards nothing that was said in clear counts (RFC 3207 §4.2)."""
        await self.secure()
        self._hello_again()

    def _hello_again(self) -> None:
        self.forget_transaction()
        self.helo = ""
        self.extended = False

    async def _check_recipient(self) -> None:
        recipient, reverse_path = self.candidate, self.reverse_path or ""
        refusal = await self._ask(self.gate.check_recipient(recipient, reverse_path, self._peer()))
        if refusal is None:
            self.recipients.append(recipient)
            return self.answer(_RECIPIENT_OK)
        self._tell_refusal(recipient, refusal)
        return self.answer(refusal)

    def take_message(self, content: bytes | Reply) -> Step:
        """The step that decides on the content of a message, or says the refusal."""
        if not isinstance(content, Reply):
            admitted = admit(content, trusted=self.visitor.trusted, limits=self.limits)
            if not isinstance(admitted, Reply):
                return lambda: self._accept(admitted.raw, admitted.note)
            content = admitted
        refusal = content
        return lambda: self._refuse(refusal)

    async def _refuse(self, refusal: Reply) -> None:
        self._end_transaction("-", 0, self.replies_for(refusal), 0.0)

    async def _accept(self, raw: bytes, note: str) -> None:
        started = self.loop.time()
        identifier = secrets.token_hex(6)
        envelope = Envelope(
            reverse_path=self.reverse_path or "",
            recipients=tuple(dict.fromkeys(self.recipients)),
            peer=self._peer(),
            smtputf8=self.smtputf8,
        )
        settings = self.door.settings
        raw = write_trace(envelope, hostname=settings.hostname, identifier=identifier, now=settings.now(), note=note) + raw
        self.busy_accepting = True
        try:
            replies = await self.deliver(envelope, raw)
        finally:
            self.busy_accepting = False
        self._end_transaction(identifier, len(raw), replies, self.loop.time() - started)

    def _end_transaction(self, identifier: str, octets: int, replies: Sequence[Reply], seconds: float) -> None:
        words = ",".join(f"{reply.code} {reply.enhanced}" for reply in dict.fromkeys(replies))
        if any(reply.is_positive for reply in replies):
            _ACCEPT_SECONDS.observe(seconds)
            maillog.accepted(
                id=identifier,
                peer=self.visitor,
                protocol=self._protocol_word(),
                octets=octets,
                recipients=len(self.recipients),
                reply=words,
                ms=round(seconds * 1000),
            )
        else:
            self._tell_refusal("", replies[0])
        self.forget_transaction()
        self.answer(*replies)

    def _tell_refusal(self, recipient: str, refusal: Reply) -> None:
        _REFUSED.labels(str(refusal.code)).inc()
        maillog.refused(peer=self.visitor, recipient=recipient, reply=f"{refusal.code} {refusal.enhanced}")

    # -- what LMTP does otherwise --------------------------------------------------------------------------

    async def deliver(self, envelope: Envelope, raw: bytes) -> Sequence[Reply]:
        """Give the message to the gate and return the replies to the final dot: in SMTP one for all recipients."""
        return [await self._ask(self.gate.accept(envelope, raw)) or TRY_AGAIN]

    def replies_for(self, refusal: Reply) -> Sequence[Reply]:
        """The replies to the final dot of a message that does not reach the gate."""
        return [refusal]

    async def _ask(self, question: Awaitable[Reply | None]) -> Reply | None:
        """Wait for the gate; whatever it raises is our trouble and becomes 451 (promises P8)."""
        try:
            return await question
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is us who are told to stop
            log.exception("gate_failed", peer=str(self.visitor))
        except Exception:  # noqa: BLE001 - the one catch-all around the gate
            log.exception("gate_failed", peer=str(self.visitor))
        return TRY_AGAIN

    def _protocol_word(self) -> str:
        """RFC 3848, and RFC 6531 §4.3 for internationalised mail."""
        if self.smtputf8:
            return f"UTF8{self.protocol}{'S' if self.secured else ''}"
        return f"E{self.protocol}{'S' if self.secured else ''}" if self.extended else self.protocol

    def _peer(self) -> Peer:
        visitor = self.visitor
        return Peer(
            host=visitor.host, port=visitor.port, helo=self.helo, trusted=visitor.trusted, tls=self.secured,
            protocol=self._protocol_word(),
        )  # fmt: skip

"""The wire half of a connection: who may come in, octets out, patience, TLS, the last word.

The class is aiosmtpd's SMTP, and aiosmtpd keeps the session object, the protocol frame and the task of each connection.
Its initialiser inspects every method (90 µs, a quarter of a short session), so it runs once for a pattern, and each
connection starts as a copy of the pattern. What aiosmtpd does not do: a 421 before closing, a cap on connections, a
time-out that a trickle of octets cannot put off for ever, replies that leave together.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamReaderProtocol
from typing import Self

import structlog
from aiosmtpd.smtp import SMTP

from listserver.mail.reply import Reply
from listserver.smtp.door import Door
from listserver.smtp.limits import Visitor, recognise
from listserver.smtp.lines import LineReader

log = structlog.get_logger("listserver.smtp")

CLOSING = Reply(code=421, enhanced="4.3.2", text="The service is closing; please try again in a while")
_TIMED_OUT = Reply(code=421, enhanced="4.4.2", text="Waited too long for you; closing the connection")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
HIGH_WATER = 128 * 1024
"""Unread input of a peer that does not wait for our replies; above it we stop reading from its socket."""

_MANY_REPLIES = 100


class Wire(SMTP):
    """One connection, as asyncio sees it. `Connection` reads what comes over it."""

    def __init__(self, door: Door) -> None:
        """Make a pattern; `open` makes the connections."""
        super().__init__(
            None,
            data_size_limit=door.settings.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=door.settings.hostname,
            tls_context=door.tls,
            loop=asyncio.get_running_loop(),
        )
        self._smtp_methods = {}  # bound to the pattern; commands are looked up in `_commands` of the class
        self._auth_methods = {}
        self.door = door
        self.limits = door.settings.limits

    def open(self) -> Self:
        """Make the protocol object of one connection out of this pattern."""
        connection = object.__new__(type(self))
        connection.__dict__.update(self.__dict__)
        StreamReaderProtocol.__init__(
            connection, StreamReader(loop=self.loop), client_connected_cb=connection._cb_client_connected, loop=self.loop
        )
        connection.begin()
        return connection

    def begin(self) -> None:
        """Give the copied pattern what belongs to one connection alone."""
        self.wire: asyncio.Transport
        self.visitor: Visitor
        self.input = LineReader(self.limits.command_octets)
        self.secured = False
        self.hung_up = False
        self.gone = False
        self.eof = False
        self.choked = False  # the peer does not read our replies
        self.held_back = False  # we do not read what it sends
        self.busy_accepting = False  # the gate has a message in its hands
        self.deadline: float | None = None  # None while it is us who are waited for
        self._securing = False
        self._output: list[bytes] = []

    # -- what a subclass says ------------------------------------------------------------------------------

    def is_waiting(self) -> bool:
        """Whether nothing is being done but waiting for input."""
        raise NotImplementedError

    def advance(self) -> None:
        """Go on with the input that has arrived."""
        raise NotImplementedError

    def in_transaction(self) -> bool:
        """Whether MAIL has been accepted and its message not yet answered."""
        raise NotImplementedError

    # -- speaking ------------------------------------------------------------------------------------------

    def say(self, reply: Reply) -> None:
        """Queue one reply."""
        self._output.append(_line_of(reply))

    def say_raw(self, line: bytes) -> None:
        """Queue lines that carry no enhanced code: greeting, EHLO, 354 (RFC 2034 §4)."""
        self._output.append(line)

    def has_much_to_say(self) -> bool:
        """Whether so many replies are queued that they should leave before more are made."""
        return len(self._output) > _MANY_REPLIES

    def flush(self) -> None:
        """Send what is queued. `choked` is set when the peer does not read it."""
        if self._output:
            self.wire.write(b"".join(self._output))
            self._output.clear()

    def hang_up(self, reply: Reply | None = None) -> None:
        """Say a last word and close, leaving the peer a moment to read it."""
        if self.hung_up:
            return
        if reply is not None:
            log.info("closed", peer=str(self.visitor), reply=f"{reply.code} {reply.enhanced}")
            self.say(reply)
        self.hung_up = True
        self.input.octets.clear()
        if self.gone:
            return
        self.flush()
        if reply is None or self.door.draining or not self.wire.can_write_eof():
            self.wire.close()
        else:
            self.wire.write_eof()
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_later(self.limits.linger_seconds, self.wire.abort)

    # -- TLS and time --------------------------------------------------------------------------------------

    async def secure(self) -> None:
        """Change to TLS (RFC 3207 §4). What was sent in clear after STARTTLS is thrown away: anybody may have put it there."""
        if self.input.octets:
            log.warning("starttls_injection", peer=str(self.visitor), octets=len(self.input.octets))
            self.input.octets.clear()
        self.flush()
        self._securing = True
        assert self.door.tls is not None  # noqa: S101 - the subclass offers STARTTLS only with a certificate
        try:
            wire = await self.loop.start_tls(
                self.wire, self, self.door.tls, server_side=True, ssl_handshake_timeout=min(60.0, self.limits.idle_seconds)
            )
        except (OSError, EOFError) as error:
            log.info("starttls_failed", peer=str(self.visitor), problem=type(error).__name__)
            self.wire.abort()
            self.connection_lost(None)  # asyncio does not tell us when the connection ends within the handshake
            return
        if wire is None:
            return
        self.wire = wire
        self._securing = False
        self.secured = True

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Arm the one timer of the connection. It looks at the deadline when it fires, so that commands need not re-arm it."""
        self._timeout_handle = self.loop.call_later(duration or self.limits.idle_seconds, self._timeout_cb)

    def _timeout_cb(self) -> None:
        deadline = self.deadline
        now = self.loop.time()
        if deadline is None:
            self._reset_timeout()
        elif now < deadline:
            self._reset_timeout(deadline - now)
        else:
            self.hang_up(_TIMED_OUT)

    # -- what asyncio tells --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a connection in, or answer 421 (RFC 5321 §3.8)."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket's
        self.wire = transport
        self.visitor = recognise(transport.get_extra_info("peername"), self.door.settings.trusted_peers)
        refusal = CLOSING if self.door.draining else self.door.turnstile.enter(self.visitor)
        if refusal is not None:
            log.warning("turned_away", peer=str(self.visitor), reply=f"{refusal.code} {refusal.enhanced}")
            self.hung_up = True
            transport.write(_line_of(refusal))
            transport.close()
            return
        self.door.connections.add(self)
        super().connection_made(transport)
        assert self._handler_coroutine is not None  # noqa: S101 - aiosmtpd has just made it
        self._handler_coroutine.add_done_callback(self._ended)

    def data_received(self, data: bytes) -> None:
        """Take octets from the socket; answer at once whatever needs no waiting."""
        if self.hung_up:
            return
        self.input.octets += data
        if self.is_waiting():
            self.advance()
        if len(self.input.octets) > HIGH_WATER and not (self.held_back or self._securing):
            self.held_back = True  # by a step that takes its time, or by replies that the peer does not read
            self.wire.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop, unless the message is being accepted: that is finished, since the peer will never know that it was not."""
        if self.gone:
            return
        self.gone = True
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        if self._handler_coroutine is None:
            return
        StreamReaderProtocol.connection_lost(self, error)
        self.transport = None
        if not self.busy_accepting:
            self._handler_coroutine.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.door.turnstile.leave(self.visitor)
        self.door.connections.discard(self)
        if not self.door.connections:
            self.door.empty.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("dialogue_failed", peer=str(self.visitor), exc_info=task.exception())
        if not self.gone:
            self.wire.abort()

    def eof_received(self) -> bool:
        """The peer says no more. What it has sent is still answered, as it may be listening."""
        self.eof = True
        if self.is_waiting():
            self.wire.close()
        return not self.secured and not self.hung_up

    def pause_writing(self) -> None:
        """The peer does not read: take no more commands from it."""
        super().pause_writing()
        self.choked = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self.choked = False
        self.advance()

    def dismiss(self) -> None:
        """Close now, saying 421, whatever is going on."""
        self.hang_up(CLOSING)

    async def end(self) -> None:
        """Wait until nothing of this connection runs any more."""
        task = self._handler_coroutine
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def drain(self) -> None:
        """Close now when no transaction is open; else when it ends."""
        if self.is_waiting() and not self.in_transaction():
            self.dismiss()


def _line_of(reply: Reply) -> bytes:
    line = f"{reply.code} {reply.enhanced} {reply.text}"
    if not line.isprintable():
        line = CONTROL.sub(" ", line)
    return line[:500].encode("ascii", "replace") + b"\r\n"

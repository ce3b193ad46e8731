"""One connection to a relay, seen as octets and replies: framing, a deadline for each reply, and never more unsent than needed.

Replies are read line by line and handed up whole; a reply that has no end, is too long, or is none ends the connection
(RFC 5321 §4.2). What is to be sent waits here and not in asyncio's buffer, so that after a loss we know which octets the
peer surely never got: only copies whose last octet may have left us can be `ambiguous`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass

from listserver.mail.reply import Outcome, OutcomeKind, Reply, parse_reply

LONGEST_REPLY = 16_384  # octets of one reply, all its lines; a peer that says more is not listened to
_PORTION = 131_072  # octets handed to the socket at once
_UNSURE = 2  # fewest octets that were not taken when asyncio says "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long we wait, in seconds: not less than RFC 5321 §4.5.3.2 asks for."""

    connect: float = 30.0
    command: float = 300.0
    """For the greeting and for the reply to each command, from the moment at which it was the peer's turn."""
    content: float = 180.0
    """Without any octet of a content being taken."""
    final: float = 600.0
    """For the reply to a whole content: giving up too early is how mail comes twice."""
    probe: float = 10.0
    """For a connection that was idle to show that it is alive."""


class Unusable(Exception):
    """The relay cannot be used now: what happened, and what the relay said, if it said something."""

    def __init__(self, detail: str, reply: Reply | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reply = reply

    @property
    def outcome(self) -> Outcome:
        """For copies that were not begun: a relay that does not want us now is never a copy's fault."""
        return Outcome(OutcomeKind.deferred, self.reply, self.detail)


class Wire(asyncio.Protocol):
    """A connection on which commands are given one at a time; what sends mail in bulk builds on it."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.capabilities: dict[str, str] = {}
        self.closed = False
        self.why = "the connection was lost"
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._earlier: list[bytes] = []  # lines of a reply whose last line is still to come
        self._waiting: asyncio.Future[Reply] | None = None
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._unsent: deque[bytes | memoryview] = deque()
        self._queued = 0  # octets that were ever to be sent
        self._handed = 0  # octets that the socket was given
        self._stuck = 0
        self._often = min(deadlines.command, deadlines.content, deadlines.final)

    # -- what asyncio calls ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back to the socket; be told as soon as it does not take everything."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        """Cut what came into replies and hand each up."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if lines:
            self._heard = self._loop.time()
        last = len(lines) - 1
        for number, line in enumerate(lines):
            if self._earlier or line[3:4] == b"-":
                self._earlier.append(line)
                if line[3:4] == b"-":
                    continue
                line, self._earlier = b"\n".join(self._earlier), []
            if len(line) > LONGEST_REPLY:
                self.abort("a reply without end")
            else:
                self._answered(line, number < last)
            if self.closed:
                return
        if len(self._rest) + sum(map(len, self._earlier)) > LONGEST_REPLY:
            self.abort("a reply without end")

    def pause_writing(self) -> None:
        """The socket does not take more now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket took everything; the peer's time for an answer begins."""
        self._paused = False
        self._heard = self._loop.time()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever brought it about; comes once."""
        if self.ended.done():
            return
        self.closed = True
        if exc is not None:
            self.why = f"the connection was lost: {exc}"
        if self._timer is not None:
            self._timer.cancel()
        self._lost()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Unusable(self.why))
        self._unsent.clear()
        self.ended.set_result(None)

    # -- one command at a time -------------------------------------------------------------------------------

    async def reply(self, seconds: float | None = None) -> Reply:
        """The next reply. Raises: Unusable after the deadline or when the connection is lost."""
        if self.closed:
            raise Unusable(self.why)
        self._waiting = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds or self._deadlines.command):
                return await self._waiting
        except TimeoutError:
            self.abort("no reply within the deadline")
            raise Unusable(self.why) from None
        finally:
            self._waiting = None

    async def command(self, line: str, seconds: float | None = None) -> Reply:
        """Send one line and wait for its reply. Raises: Unusable."""
        self._send([line.encode("utf-8") + b"\r\n"])
        return await self.reply(seconds)

    async def start_tls(self, context: ssl.SSLContext, hostname: str) -> None:
        """Change to TLS; what the peer said before is forgotten (RFC 3207 §4.2). Raises: Unusable."""
        if self._transport is None or self.closed:
            raise Unusable(self.why)
        if self._rest or self._earlier:  # said in clear, to be believed under TLS
            self.abort("octets behind the reply to STARTTLS")
            raise Unusable(self.why)
        try:
            upgraded = await self._loop.start_tls(
                self._transport, self, context, server_hostname=hostname, ssl_handshake_timeout=self._deadlines.connect
            )
        except (OSError, TimeoutError) as error:
            self.abort(f"STARTTLS failed: {error or 'no answer'}")
            raise Unusable(self.why) from error
        if upgraded is None:
            self.abort("the connection was lost during STARTTLS")
            raise Unusable(self.why)
        self.connection_made(upgraded)
        self.capabilities = {}

    async def quit(self) -> None:
        """Take leave: QUIT, and close when it is answered (RFC 5321 §4.1.1.10), but do not wait long."""
        try:
            await self.command("QUIT", self._deadlines.probe)
        except Unusable:
            return
        self.abort("closed")

    def abort(self, why: str) -> None:
        """Close at once."""
        if self.closed:
            return
        self.closed, self.why = True, why
        if self._transport is not None:
            if self._transport.get_extra_info("sslcontext") is None:  # TLS has buffers of its own: there `paused` must do
                self._handed -= self._transport.get_write_buffer_size()
                self._paused = False
            self._transport.abort()
        self.connection_lost(None)

    # -- for those who build on it ------------------------------------------------------------------------------

    def _answered(self, lines: bytes, more: bool) -> None:
        """One whole reply came; `more` says whether another one came with it."""
        if self._waiting is None or self._waiting.done():
            self.abort(f"unasked: {lines.decode('utf-8', 'replace').strip()[:200]}")  # a farewell (421), or confusion
            return
        try:
            self._waiting.set_result(parse_reply(lines))
        except ValueError:
            self.abort("a reply that is none")

    def _lost(self) -> None:
        """The connection has ended: account for what is in flight."""

    def _send(self, parts: list[bytes]) -> int:
        """Send octets, now or as soon as the socket takes them; the position of the last one."""
        size = sum(map(len, parts))
        self._queued += size
        if self._paused or self._unsent or size > _PORTION:
            self._unsent.extend(parts)
            self._flush()
        else:
            self._hand(b"".join(parts), size)
        return self._queued

    def _flush(self) -> None:
        unsent = self._unsent
        while unsent and not self._paused and not self.closed:
            portion, size = [], 0
            while unsent and size < _PORTION:
                part = unsent.popleft()
                room = _PORTION - size
                if len(part) > room:
                    view = memoryview(part)
                    unsent.appendleft(view[room:])
                    part = view[:room]
                portion.append(part)
                size += len(part)
            self._hand(b"".join(portion), size)

    def _hand(self, octets: bytes, size: int) -> None:
        if self._transport is None or self.closed:
            return
        self._transport.write(octets)
        if not self._transport.is_closing():  # a write that failed handed over nothing
            self._handed += size

    def _may_have_left(self, position: int) -> bool:
        """Whether the octet at this position may have reached the peer."""
        return position <= self._handed - (_UNSURE if self._paused else 0)

    def _watch(self) -> None:
        """Begin to watch the deadline of `_patience`; one timer a connection, however many replies come."""
        self._heard = self._loop.time()
        if self._timer is None and not self.closed:
            self._timer = self._loop.call_later(self._often, self._look)

    def _patience(self) -> float | None:
        """How long the next reply may take; None while none is waited for."""
        return None

    def _look(self) -> None:
        self._timer = None
        seconds = self._patience()
        if seconds is None or self.closed or self._transport is None:
            return
        stuck = self._transport.get_write_buffer_size() + sum(map(len, self._unsent)) if self._paused else 0
        if stuck:
            seconds = self._deadlines.content
            if stuck != self._stuck:
                self._heard = self._loop.time()  # some of it was taken since we last looked
        self._stuck = stuck
        left = self._heard + seconds - self._loop.time()
        if left <= 0:
            self.abort("no reply within the deadline" if not stuck else "nothing was taken within the deadline")
            return
        self._timer = self._loop.call_later(min(left, self._often), self._look)

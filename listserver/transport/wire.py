"""One SMTP or LMTP connection of ours: replies counted off against what was asked, with a deadline for each.

The bulk path is a small machine driven by replies, without a task or a future for each copy. With PIPELINING (RFC 2920)
MAIL, RCPT and DATA of a copy leave together, and those of the next right behind the final dot; with CHUNKING (RFC 3030)
whole copies leave without waiting, many at once. What was lost before its final dot is deferred, after it ambiguous.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from listserver.flows.ports import Copy, stuff
from listserver.mail.reply import Outcome, OutcomeKind, Reply, parse_reply

Report = Callable[[Copy, Outcome], None]

LONGEST_REPLY = 16_384  # octets of one reply; a peer that says more is not listened to
_WINDOW = 40  # copies on the wire at once with CHUNKING
_MAIL, _RCPT, _DATA, _DOT, _RSET = range(5)


class Unusable(Exception):
    """The connection cannot be used; `reply` is what the peer said last, if it said something."""

    def __init__(self, detail: str, reply: Reply | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reply = reply


@dataclass(slots=True)
class _Item:
    copy: Copy
    outcome: Outcome | None = None
    dot_sent: bool = False


class Wire(asyncio.Protocol):
    """A connection; `command` for the dialogue before and between, `send_bulk` for copies."""

    def __init__(self, deadline: float) -> None:
        self.capabilities: dict[str, str] = {}
        self.closed = False
        self.sent = 0
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._lines: list[bytes] = []
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._expected: deque[tuple[int, _Item]] = deque()
        self._bulk: asyncio.Future[None] | None = None
        self._heard = self._loop.time()
        self._why = "the connection was lost"

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._rest, self._lines = b"", []

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.append(line)
            if line[3:4] == b"-" and len(self._lines) < 200:
                continue
            whole, self._lines = self._lines, []
            self._take(whole)
            if self.closed:
                return
        if len(self._rest) > LONGEST_REPLY or sum(map(len, self._lines)) > LONGEST_REPLY:
            self.abort("a reply without end")

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        error = Unusable(self._why)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)
        if self._bulk is not None and not self._bulk.done():
            self._bulk.set_result(None)

    # -- one command at a time -------------------------------------------------------------------------------

    async def reply(self) -> Reply:
        """The next reply. Raises: Unusable after the deadline or when the connection is lost."""
        if self.closed:
            raise Unusable(self._why)
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting.append(future)
        try:
            return await asyncio.wait_for(future, self._deadline)
        except TimeoutError:
            self.abort("no reply within the deadline")
            raise Unusable(self._why) from None

    async def command(self, line: str) -> Reply:
        """Send one line and wait for its reply. Raises: Unusable."""
        self._write(line.encode("utf-8") + b"\r\n")
        return await self.reply()

    async def start_tls(self, context: ssl.SSLContext, hostname: str) -> None:
        """Change to TLS; what was said before is forgotten. Raises: Unusable."""
        if self._transport is None:
            raise Unusable(self._why)
        try:
            upgraded = await self._loop.start_tls(
                self._transport, self, context, server_hostname=hostname, ssl_handshake_timeout=self._deadline
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self.abort("STARTTLS failed")
            raise Unusable(f"STARTTLS failed: {error}") from error
        self._transport = upgraded
        self.capabilities = {}

    def abort(self, why: str) -> None:
        """Close at once."""
        self._why = why
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    async def quit(self) -> None:
        """Take leave politely, but do not wait long."""
        if not self.closed and self._transport is not None:
            self._write(b"QUIT\r\n")
            self._transport.close()
        self.closed = True

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    # -- many copies -------------------------------------------------------------------------------------------

    async def send_bulk(self, source: deque[Copy], report: Report, *, most: int) -> list[Copy]:
        """Send copies from `source` until it is empty, `most` were sent, or the connection ends.

        Each copy that ended is reported; the result are copies that the connection took and lost before anything was heard
        of them on a connection that had been idle: the caller may try them elsewhere.
        """
        self._source, self._report, self._left = source, report, most
        self._heard, heard_before = self._loop.time(), self._heard
        self._pipelining, self._chunking = "PIPELINING" in self.capabilities, "CHUNKING" in self.capabilities
        self._answers = 0
        self._bulk = self._loop.create_future()
        watch = self._loop.create_task(self._watch())
        try:
            self._next()
            await self._bulk
        finally:
            watch.cancel()
            self._bulk = None
        return self._give_up(fresh=heard_before)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(self._deadline / 4, 1.0))
            if self._expected and self._loop.time() - self._heard > self._deadline:
                self.abort("no reply within the deadline")

    def _give_up(self, fresh: float) -> list[Copy]:
        """Report what the connection took and did not answer for."""
        untried = []
        items = {id(item): item for _kind, item in self._expected}
        self._expected.clear()
        for item in items.values():
            if item.outcome is not None:
                self._report(item.copy, item.outcome)
            elif item.dot_sent:
                self._report(item.copy, Outcome(OutcomeKind.ambiguous, None, f"{self._why} after the final dot"))
            elif self._answers == 0 and fresh:
                untried.append(item.copy)
            else:
                self._report(item.copy, Outcome(OutcomeKind.deferred, None, self._why))
        return untried

    def _next(self) -> None:
        """Put the next copies on the wire, as far as the peer's capabilities allow."""
        if self._chunking:
            parts: list[bytes] = []
            while self._source and self._left > 0 and len(self._expected) < _WINDOW * 4:
                parts += self._chunked(self._source.popleft())
            if parts and self._transport is not None and not self.closed:
                self._transport.writelines(parts)
        elif self._source and self._left > 0:
            self._write(self._begin()[1])
        if not self._expected and self._bulk is not None and not self._bulk.done():
            self._bulk.set_result(None)

    def _begin(self) -> tuple[_Item, bytes]:
        item = _Item(self._source.popleft())
        self._left -= 1
        mail, rcpt = self._paths(item.copy)
        if self._pipelining:
            self._expected.extend(((_MAIL, item), (_RCPT, item), (_DATA, item)))
            return item, mail + rcpt + b"DATA\r\n"
        self._expected.append((_MAIL, item))
        return item, mail

    def _paths(self, copy: Copy) -> tuple[bytes, bytes]:
        parameters = ""
        if "8BITMIME" in self.capabilities and not (copy.body.is_ascii and copy.head.isascii()):
            parameters = " BODY=8BITMIME"
        if copy.smtputf8:
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{copy.reverse_path}>{parameters}\r\n".encode(), f"RCPT TO:<{copy.recipient}>\r\n".encode()

    def _chunked(self, copy: Copy) -> tuple[bytes, ...]:
        """A whole copy; RSET first, so that a refusal of the one before leaves nothing open."""
        item = _Item(copy, dot_sent=True)
        self._left -= 1
        mail, rcpt = self._paths(copy)
        self._expected.extend(((_RSET, item), (_MAIL, item), (_RCPT, item), (_DOT, item)))
        size = len(copy.head) + len(copy.body.raw)
        return b"RSET\r\n" + mail + rcpt + b"BDAT %d LAST\r\n" % size + copy.head, copy.body.raw

    def _take(self, lines: list[bytes]) -> None:
        """One whole reply came."""
        if self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                try:
                    future.set_result(parse_reply(b"\n".join(lines)))
                except ValueError:
                    future.set_exception(Unusable("a reply that is none"))
            return
        self._answers += 1
        first = lines[-1][:1]
        if not self._expected:
            self._stray(lines)
            return
        kind, item = self._expected.popleft()
        if first == b"2" and kind != _DOT:
            self._positive(kind, item)
        elif first == b"3" and kind == _DATA:
            self._content(item)
        else:
            self._ended(kind, item, lines)

    def _stray(self, lines: list[bytes]) -> None:
        """A reply that nobody asked for: the peer says good-bye (421)."""
        self.abort(lines[-1].decode("utf-8", "replace").strip()[:200] or "the peer spoke unasked")

    def _positive(self, kind: int, item: _Item) -> None:
        if kind == _MAIL and not self._pipelining and not self._chunking:
            self._expected.append((_RCPT, item))
            self._write(self._paths(item.copy)[1])
        elif kind == _RCPT and not self._pipelining and not self._chunking:
            self._expected.append((_DATA, item))
            self._write(b"DATA\r\n")
        elif kind == _RSET and not self._chunking:
            self._next()

    def _content(self, item: _Item) -> None:
        """The peer waits for content; what the next copy needs leaves right behind the final dot."""
        if self._transport is None or self.closed:
            return
        if item.outcome is not None:  # told to go on although it was refused: an empty mail to nobody ends this
            self._expected.appendleft((_DOT, item))
            self._write(b".\r\n")
            return
        item.dot_sent = True
        self._expected.appendleft((_DOT, item))
        parts = [stuff(item.copy.head), item.copy.body.stuffed, b".\r\n"]
        if self._pipelining and self._source and self._left > 0:
            parts.append(self._begin()[1])
        self._transport.writelines(parts)

    def _ended(self, kind: int, item: _Item, lines: list[bytes]) -> None:
        """A reply that decides about the copy: the last one, or a refusal."""
        try:
            reply = parse_reply(b"\n".join(lines))
        except ValueError:
            self.abort("a reply that is none")
            return
        if item.outcome is None:
            item.outcome = _outcome_of(reply, delivered=kind == _DOT)
        if reply.code == 421:
            self._expected.appendleft((kind, item))
            self.abort(str(reply))
            return
        if kind == _DOT:
            self._finish(item)
        elif self._chunking:
            return  # the rest of this copy's replies follow
        elif kind == _DATA or not self._pipelining:
            self._report(item.copy, item.outcome)
            self.sent += 1
            self._expected.append((_RSET, item))
            self._write(b"RSET\r\n")

    def _finish(self, item: _Item) -> None:
        self.sent += 1
        if item.outcome is not None:
            self._report(item.copy, item.outcome)
        if not self._expected or (self._chunking and len(self._expected) < _WINDOW * 2):
            self._next()


def _outcome_of(reply: Reply, *, delivered: bool) -> Outcome:
    if reply.is_positive:
        kind = OutcomeKind.delivered if delivered else OutcomeKind.deferred
    else:
        kind = OutcomeKind.failed if reply.is_permanent else OutcomeKind.deferred
    return Outcome(kind, reply)


FORBIDDEN: Final = frozenset("\r\n\x00 <>")

"""The relay: a pool of connections, opened as the work asks for them, kept for what comes next, shared by all senders.

Each connection serves itself from what waits, a copy of each sender in turn, so that a mail to thirty does not wait for one
to a million. A connection that was idle shows first that it is alive. While the relay cannot be used, what waits is deferred
at once: `lists.retry` says when next.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from collections import deque
from collections.abc import Callable, Sequence

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind, Reply
from listserver.transport.item import Item
from listserver.transport.relay import RelayAddress, open_session
from listserver.transport.session import Session
from listserver.transport.wire import Deadlines, Unusable

_COPIES_A_CONNECTION = 20  # fewer than that are not worth another connection
_MOST_FAILURES = 3  # connections in a row that brought nothing, until the relay counts as away
_HOLD_OFF = 5.0  # seconds without another connection while some work and the relay refuses more
_MOST_RETURNS = 2
_LONGEST_PATH = 320  # octets: 64 @ 255 (RFC 5321 §4.5.3.1)
_UNSAFE = re.compile("[\x00-\x20\x7f-\x9f<>\u2028\u2029\ud800-\udfff]")
_NO_ADDRESS = Outcome(OutcomeKind.failed, Reply(553, "5.1.3", "not an address that can be sent to"))
_CLOSING = Outcome(OutcomeKind.deferred, None, "the service is stopping")
_TOO_SLOW = Outcome(OutcomeKind.deferred, None, "not begun in time: the relay is slow")


class _Errand:
    """One call of `send`: what waits, what is left, and whom to tell."""

    def __init__(self, report: Callable[[Copy, Outcome], None], waiting: deque[Item]) -> None:
        self.waiting = waiting
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._report = report
        self._left = 0
        self._error: Exception | None = None

    def begin(self, copies: int) -> None:
        """All that waits is there."""
        self._left = copies

    def settle(self, copy: Copy, outcome: Outcome) -> None:
        """Report a copy. What the report itself raises ends this `send`, not the connection."""
        if self.done.done():
            return  # the sender was cancelled
        try:
            self._report(copy, outcome)
        except Exception as error:  # noqa: BLE001 - raised again by `send`
            self._error = self._error or error
        self._left -= 1
        if self._left > 0:
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(None)

    def again(self, item: Item) -> bool:
        """Put back a copy about which nothing was done."""
        item.returned += 1
        if item.returned > _MOST_RETURNS:
            return False
        self.waiting.appendleft(item)
        return True

    def end_all(self, outcome: Outcome) -> None:
        """End whatever waits."""
        while self.waiting:
            self.waiting.popleft().settle(outcome)


class SmtpTransport:
    """Sends copies through one relay, by SMTP or LMTP."""

    def __init__(
        self,
        address: RelayAddress,
        *,
        hostname: str,
        connections: int = 8,
        batch: int = 1,
        most_per_connection: int = 1000,
        idle_seconds: float = 20.0,
        begin_within: float = 240.0,
        deadlines: Deadlines | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`batch` recipients share a transaction at most, where their copies are equal.

        `begin_within` bounds how long a copy waits for its turn: what was not begun by then is deferred.
        """
        self._address = address
        self._hostname = hostname.encode("idna").decode("ascii") if not hostname.isascii() else hostname
        self._connections, self._batch = max(1, connections), max(1, batch)
        self._most, self._idle_seconds, self._begin_within = most_per_connection, idle_seconds, begin_within
        self._deadlines = deadlines or Deadlines()
        self._tls = tls
        self._errands: deque[_Errand] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._sessions: set[Session] = set()
        self._failures = 0
        self._not_before = 0.0
        self._chunking, self._chunking_proved = True, False
        self._closed = False

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        """Send copies; every copy is reported once, before this returns."""
        waiting: deque[Item] = deque()
        errand = _Errand(report, waiting)
        good: list[Copy] = []
        for copy in copies:
            if _is_safe(copy.recipient) and copy.recipient and _is_safe(copy.reverse_path):
                good.append(copy)
            else:
                report(copy, _NO_ADDRESS)
        if not good:
            return
        waiting.extend([Item(group, errand) for group in _group(good, self._batch)])
        errand.begin(len(good))
        self._errands.append(errand)
        timer = asyncio.get_running_loop().call_later(self._begin_within, errand.end_all, _TOO_SLOW)
        try:
            if self._closed:
                errand.end_all(_CLOSING)
            self._grow()
            await errand.done
        finally:
            timer.cancel()
            waiting.clear()
            self._errands.remove(errand)

    async def close(self) -> None:
        """Begin nothing more, take leave on every connection; what is on the wire gets a moment to end."""
        self._closed = True
        self._defer_all(_CLOSING)
        for wake in self._idle:
            if not wake.done():
                wake.set_result(None)
        if self._tasks:
            _done, late = await asyncio.wait(set(self._tasks), timeout=self._deadlines.probe)
            for session in list(self._sessions):
                session.abort("the service is stopping")
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- the pool --------------------------------------------------------------------------------------------

    def _take(self) -> Item | None:
        """The next copy, of each sender in turn."""
        errands = self._errands
        for _each in range(len(errands)):
            errand = errands[0]
            errands.rotate(-1)
            if errand.waiting:
                return errand.waiting.popleft()
        return None

    def _grow(self) -> None:
        """Wake or open as many connections as what waits is worth."""
        waiting = sum(len(errand.waiting) for errand in self._errands)
        wanted = min(self._connections, -(-waiting // _COPIES_A_CONNECTION))
        busy = len(self._tasks) - len(self._idle)
        while busy < wanted and self._idle:
            wake = self._idle.pop()
            if not wake.done():
                wake.set_result(None)
                busy += 1
        loop = asyncio.get_running_loop()
        while busy < wanted and len(self._tasks) < self._connections and not self._closed:
            if self._tasks and loop.time() < self._not_before:
                return
            task = loop.create_task(self._serve())
            self._tasks.add(task)
            task.add_done_callback(self._served)
            busy += 1

    def _served(self, task: asyncio.Task[None]) -> None:
        """A connection has ended; if that leaves work without hands, hire again, or give up for now."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._defer_all(Outcome(OutcomeKind.deferred, None, "an error of ours"))
            task.get_loop().call_exception_handler({"message": "a relay connection failed", "exception": task.exception()})
        elif not self._closed:
            self._grow()

    async def _serve(self) -> None:
        """One connection from its beginning to its end."""
        try:
            session = await self._open()
        except Unusable as error:
            self._failed(error.outcome, opening=True)
            return
        self._sessions.add(session)
        try:
            session.chunking_proved = self._chunking_proved
            while True:
                await session.work(self._take, most=self._most, chunking=self._chunking)
                self._chunking = self._chunking and not session.chunking_broken
                self._chunking_proved = self._chunking_proved or session.chunking_proved
                if session.retired is not None:
                    self._failed(Outcome(OutcomeKind.deferred, session.retired))
                elif session.settled:
                    self._failures = 0
                elif session.closed and not session.chunking_broken:
                    self._failed(Outcome(OutcomeKind.deferred, None, session.why))
                if session.closed:
                    return
                if session.retired is not None or session.settled >= self._most or not await self._stay_idle(session):
                    await session.quit()
                    return
        finally:
            self._sessions.discard(session)
            session.abort("closed")

    async def _open(self) -> Session:
        if self._address.security and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return await open_session(self._address, hostname=self._hostname, deadlines=self._deadlines, tls=self._tls)

    async def _stay_idle(self, session: Session) -> bool:
        """Wait for work; False when there was none for too long, or the relay has left meanwhile."""
        if self._closed:
            return False
        if any(errand.waiting for errand in self._errands):  # it came while this connection still counted as busy
            return not session.closed
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(wake)
        try:
            await asyncio.wait({wake, session.ended}, timeout=self._idle_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if wake in self._idle:
                self._idle.remove(wake)
        if not wake.done() or session.closed or self._closed:
            return False
        try:  # without this, what is sent into a connection that the relay is just closing would be ambiguous
            return (await session.command("RSET", self._deadlines.probe)).is_positive
        except Unusable:
            return False

    def _failed(self, outcome: Outcome, *, opening: bool = False) -> None:
        """A connection that brought nothing. While others work that is all; else the relay may be away."""
        self._failures += 1
        self._not_before = asyncio.get_running_loop().time() + _HOLD_OFF
        last = len(self._tasks) == 1
        works = any(session.settled and not session.closed for session in self._sessions)
        if (opening and last) or (self._failures >= _MOST_FAILURES and not works):
            self._failures = 0
            self._defer_all(outcome)

    def _defer_all(self, outcome: Outcome) -> None:
        for errand in list(self._errands):
            errand.end_all(outcome)


def _group(copies: Sequence[Copy], most: int) -> list[tuple[Copy, ...]]:
    """Copies that may share a transaction: neighbours that differ in nothing but the recipient."""
    if most == 1:
        return [(copy,) for copy in copies]
    groups: list[tuple[Copy, ...]] = []
    for _same, equal in itertools.groupby(copies, key=lambda copy: (id(copy.body), copy.reverse_path, copy.head, copy.smtputf8)):
        run = list(equal)
        groups += [tuple(run[start : start + most]) for start in range(0, len(run), most)]
    return groups


def _is_safe(path: str) -> bool:
    return len(path) <= _LONGEST_PATH and _UNSAFE.search(path) is None

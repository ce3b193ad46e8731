"""The relay: a small pool of connections, opened when needed, kept for the next batch, shared by all batches."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind, Reply
from listserver.transport.wire import FORBIDDEN, Unusable, Wire

_COPIES_A_CONNECTION = 20  # fewer than that are not worth another connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAddress:
    """Where the relay is and how it is spoken to; `security` is '', 'starttls' or 'tls'."""

    host: str
    port: int
    lmtp: bool = False
    security: str = ""
    user: str = ""
    password: str = ""
    unix: str = ""


class SmtpTransport:
    """Sends copies through one relay."""

    def __init__(
        self,
        address: RelayAddress,
        *,
        hostname: str,
        connections: int = 8,
        deadline: float = 300.0,
        connect_deadline: float = 30.0,
        most_per_connection: int = 1000,
        idle_seconds: float = 20.0,
    ) -> None:
        self._address = address
        self._hostname = hostname
        self._slots = asyncio.Semaphore(connections)
        self._connections = connections
        self._deadline, self._connect_deadline = deadline, connect_deadline
        self._most, self._idle_seconds = most_per_connection, idle_seconds
        self._idle: list[tuple[Wire, float]] = []

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        """Send copies over as many connections as pay; every copy is reported once."""
        source: deque[Copy] = deque()
        for copy in copies:
            if FORBIDDEN.intersection(copy.recipient) or FORBIDDEN.intersection(copy.reverse_path):
                report(copy, Outcome(OutcomeKind.failed, Reply(553, "5.1.3", "not an address that can be sent to")))
            else:
                source.append(copy)
        if not source:
            return
        workers = min(self._connections, -(-len(source) // _COPIES_A_CONNECTION))
        problems = await asyncio.gather(*[self._work(source, report) for _each in range(workers)])
        while source:  # every connection failed: whatever is left is tried again later
            report(source.popleft(), problems[-1] or Outcome(OutcomeKind.deferred, None, "the relay cannot be reached"))

    async def close(self) -> None:
        """Take leave on every idle connection."""
        while self._idle:
            await self._idle.pop()[0].quit()

    async def _work(self, source: deque[Copy], report: Callable[[Copy, Outcome], None]) -> Outcome | None:
        """One worker: connections one after the other until nothing is left; returns why it stopped early."""
        async with self._slots:
            while source:
                reused = self._take_idle()
                try:
                    wire = reused or await self._connect()
                except Unusable as error:
                    return Outcome(OutcomeKind.deferred, error.reply, error.detail)
                before = wire.sent
                self._refuse_utf8(source, wire, report)
                untried = await wire.send_bulk(source, report, most=self._most - wire.sent)
                if reused is not None:
                    source.extend(untried)  # an idle connection that the relay had closed meanwhile
                else:
                    for copy in untried:
                        report(copy, Outcome(OutcomeKind.deferred, None, "the relay closed the connection"))
                if wire.closed:
                    if wire.sent == before and reused is None:
                        return Outcome(OutcomeKind.deferred, None, "the relay closed the connection")
                elif wire.sent >= self._most:
                    await wire.quit()
                else:
                    self._idle.append((wire, asyncio.get_running_loop().time()))
        return None

    def _refuse_utf8(self, source: deque[Copy], wire: Wire, report: Callable[[Copy, Outcome], None]) -> None:
        """A relay without SMTPUTF8 cannot take such an address: an honest failure instead of a broken one (RFC 6531 §3.2)."""
        if "SMTPUTF8" in wire.capabilities or not any(copy.smtputf8 for copy in source):
            return
        for copy in [copy for copy in source if copy.smtputf8]:
            source.remove(copy)
            report(copy, Outcome(OutcomeKind.failed, Reply(550, "5.6.7", "the relay cannot take an address that is not ASCII")))

    def _take_idle(self) -> Wire | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            wire, since = self._idle.pop()
            if not wire.closed and now - since < self._idle_seconds:
                return wire
            wire.abort("idle for too long")
        return None

    async def _connect(self) -> Wire:
        """Connect, greet, secure, log in. Raises: Unusable."""
        loop, address = asyncio.get_running_loop(), self._address
        context = ssl.create_default_context() if address.security else None
        implicit = context if address.security == "tls" else None
        try:
            async with asyncio.timeout(self._connect_deadline):
                if address.unix:
                    _transport, wire = await loop.create_unix_connection(lambda: Wire(self._deadline), address.unix)
                else:
                    _transport, wire = await loop.create_connection(
                        lambda: Wire(self._deadline),
                        address.host,
                        address.port,
                        ssl=implicit,
                        server_hostname=address.host if implicit else None,
                    )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise Unusable(f"cannot connect to the relay: {error or 'no answer'}") from error
        try:
            await self._greet(wire, context)
        except Unusable:
            wire.abort("refused")
            raise
        return wire

    async def _greet(self, wire: Wire, context: ssl.SSLContext | None) -> None:
        _expect(await wire.reply(), 220)
        await self._hello(wire)
        if self._address.security == "starttls" and context is not None:
            if "STARTTLS" not in wire.capabilities:
                raise Unusable("the relay offers no STARTTLS")
            _expect(await wire.command("STARTTLS"), 220)
            await wire.start_tls(context, self._address.host)
            await self._hello(wire)
        if self._address.user:
            await self._log_in(wire)

    async def _hello(self, wire: Wire) -> None:
        verb = "LHLO" if self._address.lmtp else "EHLO"
        reply = await wire.command(
            f"{verb} {self._hostname}",
        )
        if not reply.is_positive and not self._address.lmtp:
            reply = await wire.command(f"HELO {self._hostname}")
            _expect(reply, 250)
            return
        _expect(reply, 250)
        for line in reply.text.split("\n")[1:]:
            name, _space, value = line.strip().partition(" ")
            wire.capabilities[name.upper()] = value

    async def _log_in(self, wire: Wire) -> None:
        user, password = self._address.user, self._address.password
        offered = wire.capabilities.get("AUTH", "").upper().split()
        if "PLAIN" in offered or not offered:
            secret = base64.b64encode(f"\x00{user}\x00{password}".encode()).decode()
            _expect(await wire.command(f"AUTH PLAIN {secret}"), 235)
            return
        _expect(await wire.command("AUTH LOGIN"), 334)
        _expect(await wire.command(base64.b64encode(user.encode()).decode()), 334)
        _expect(await wire.command(base64.b64encode(password.encode()).decode()), 235)


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise Unusable(f"the relay answered {reply}", reply)

"""The reading half of a connection: octets in, command lines and message content out, replies back, floods stopped.

Two parts of aiosmtpd are replaced here, because they were measured to cost more than everything else together:

- it wakes a task for every line, and reads content line by line: here whatever can be answered without waiting is
  answered as soon as the octets arrive (`_run`), and the task only runs the steps that wait for something;
- it writes each reply alone: here the replies to a group of pipelined commands leave together (RFC 2920 §3.2).

What aiosmtpd lets pass and we do not: a command line ended by a lone LF, NUL and CR in commands, commands and errors
without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from listserver.mail.reply import Reply
from listserver.smtp.content import TOO_BIG, Collector
from listserver.smtp.wire import CLOSING, CONTROL, HIGH_WATER, Wire, log

Step = Callable[[], Awaitable[None]]
"""Something that a connection has to wait for, before it reads on."""

TRY_AGAIN = Reply(code=451, enhanced="4.3.0", text="Please try again in a while; your mail is not lost")
NO_ROOM = Reply(code=452, enhanced="4.3.1", text="No room for the message at the moment; please try again in a while")
_TOO_MANY_ERRORS = Reply(code=421, enhanced="4.7.0", text="Too many errors; closing the connection")
_TOO_MANY_COMMANDS = Reply(code=421, enhanced="4.7.0", text="Too many commands; please open a new connection")
_TOO_LONG = Reply(code=500, enhanced="5.5.2", text="That command line is too long")
_BAD_LINE = Reply(code=500, enhanced="5.5.2", text="A command is one line without control characters and ends with CR LF")


class Connection(Wire):
    """Reads and answers; the commands are those of the subclass.

    Invariant: no exception leaves it; the peer gets 451 and its transaction ends, or 421 and the connection does.
    """

    def begin(self) -> None:
        """Give the copied pattern what belongs to one connection alone."""
        super().begin()
        self._waiter: asyncio.Future[Step] | None = None  # set while nothing is being done but waiting for input
        self._collector: Collector | None = None  # set between 354 and the final dot
        self._collecting_since = 0.0
        self._holding = 0  # octets of content that the turnstile knows of
        self._lines = 0
        self._errors = 0
        self._is_to_sit_out = False

    # -- what a subclass says ------------------------------------------------------------------------------

    def greet(self) -> bytes:
        """The first line of the server."""
        raise NotImplementedError

    def obey(self, verb: str, argument: str) -> Step | None:
        """Answer one command, or return the step that will."""
        raise NotImplementedError

    def take_message(self, content: bytes | Reply) -> Step:
        """The step that decides on the content of a message, or says the refusal."""
        raise NotImplementedError

    def forget_transaction(self) -> None:
        """Return to the state before MAIL."""
        raise NotImplementedError

    # -- commands ------------------------------------------------------------------------------------------

    def answer(self, *replies: Reply) -> None:
        """Queue the replies to one command. Refusals of an outside peer are counted: first slowed down, then cut off."""
        if self.hung_up:
            return
        for reply in replies:
            self.say(reply)
        if replies[-1].code >= 500 and not self.visitor.trusted:
            self._errors += 1
            if self._errors >= self.limits.errors_before_drop:
                self.hang_up(_TOO_MANY_ERRORS)
            elif self._errors >= self.limits.errors_before_delay:
                self._is_to_sit_out = True

    def is_waiting(self) -> bool:
        """Whether nothing is being done but waiting for input."""
        return self._waiter is not None

    def advance(self) -> None:
        """Go on with the input that has arrived; the task is woken only when there is something to wait for."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        step = self._run()
        if step is not None:
            self._waiter = None
            waiter.set_result(step)

    def _run(self) -> Step | None:
        """Serve what has arrived: until a step must be waited for (returned), or more input (None)."""
        if self.held_back:
            self.held_back = False
            self.wire.resume_reading()
        has_served = self.deadline is None
        while not (self.hung_up or self.choked):
            if self._collector is not None:
                step = self._collect(self._collector)
                if step is not None:
                    return step
                break
            if self.door.draining and not self.in_transaction():
                self.hang_up(CLOSING)
                break
            if self._is_to_sit_out:
                return self._sit_out
            if self.has_much_to_say():
                self.flush()
                continue
            line = self.input.take()
            if line is None:
                if self.input.is_endless:
                    self.hang_up(_TOO_MANY_ERRORS)
                break
            has_served = True
            step = self._serve(line)
            if step is not None:
                return step
        if not self.hung_up:
            self.flush()
            if has_served and self._collector is None:
                self.deadline = self.loop.time() + self.limits.idle_seconds
            if self.eof:
                self.hang_up()
        return None

    def _serve(self, line: bytes) -> Step | None:
        self._lines += 1
        if self._lines > self.limits.commands and not self.visitor.trusted:
            self.hang_up(_TOO_MANY_COMMANDS)
            return None
        if not line:
            self.answer(_TOO_LONG)
            return None
        try:
            text = line[:-2].decode()
            if line[-2:] == b"\r\n" and (text.isprintable() or not CONTROL.search(text)):
                verb, _, argument = text.partition(" ")
                return self.obey(verb.upper(), argument.strip(" "))
            self.answer(_BAD_LINE)
        except UnicodeDecodeError:
            self.answer(_BAD_LINE)
        except Exception:  # noqa: BLE001 - the last net of the door
            log.exception("dialogue_failed", peer=str(self.visitor))
            self._fail()
        return None

    def _fail(self) -> None:
        """The last net: whatever went wrong is ours, so it is temporary, and the peer learns nothing of it."""
        self.forget_transaction()
        self.answer(TRY_AGAIN)

    # -- content -------------------------------------------------------------------------------------------

    def collect(self) -> None:
        """Read content from now on, up to CRLF . CRLF."""
        self._collector = Collector(self.door.settings.max_message_bytes)
        self._collecting_since = self.loop.time()

    def _collect(self, collector: Collector) -> Step | None:
        is_complete = collector.feed(self.input.octets)
        if not self._hold(collector.held - self._holding) and collector.held > HIGH_WATER:
            collector.give_up(NO_ROOM)
        if is_complete:
            self._collector = None
            return self.take_message(collector.content())
        limits = self.limits
        patience = limits.idle_seconds + collector.size / limits.octets_per_second
        self.deadline = min(self.loop.time() + limits.idle_seconds, self._collecting_since + patience)
        if collector.size > 2 * collector.limit + HIGH_WATER:
            self.hang_up(TOO_BIG)  # it would go on for ever
        return None

    def _hold(self, octets: int) -> bool:
        self._holding += octets
        return self.door.turnstile.hold(octets)

    # -- steps that wait -----------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        """Run the steps that wait for something; aiosmtpd starts this task with the connection."""
        try:
            self.say_raw(self.greet())
            step = self._run()
            while not self.gone:
                if step is None:
                    self._waiter = self.loop.create_future()
                    step = await self._waiter
                self.deadline = None
                try:
                    await step()
                except Exception:  # noqa: BLE001 - the last net of the door
                    log.exception("dialogue_failed", peer=str(self.visitor))
                    self._fail()
                self._hold(-self._holding)
                step = None if self.gone else self._run()
        finally:
            self._hold(-self._holding)

    async def _sit_out(self) -> None:
        """Keep the reply back for a while: who errs often, errs slowly."""
        self._is_to_sit_out = False
        await asyncio.sleep(self.limits.delay_seconds)

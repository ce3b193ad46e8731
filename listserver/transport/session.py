"""Many copies over one connection: a small machine driven by replies, without a task or a future for each copy.

Three ways, by what the relay offers. Lock-step: a command, its reply. PIPELINING (RFC 2920): MAIL, RCPT and DATA of a
copy leave together, right behind the final dot of the one before. CHUNKING (RFC 3030) with PIPELINING: whole copies leave
without waiting, RSET first, so that a refused one leaves nothing open for the next.

Every reply belongs to the copy that stands first in flight, at its step. A refusal ends its copy only. After a loss a copy
is `ambiguous` if its last octet may have left us, else `deferred` (promise P4); after 421 nothing behind was carried out.
Content of 8 bits goes to a relay without 8BITMIME as it is: the alternative breaks every signature (RFC 6152 §3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from listserver.flows.ports import normalise, stuff
from listserver.mail.reply import Outcome, OutcomeKind, Reply, parse_reply
from listserver.transport.item import DATA, END, MAIL, RCPT, RSET, Item
from listserver.transport.wire import Deadlines, Wire

WINDOW = 32  # copies in flight with CHUNKING: so many can be ambiguous at most when a connection is lost
_WINDOW_OCTETS = 524_288
_LARGE = 65_536  # from here on nothing is sent behind a content, so that we know whether its end has left us
_KEPT_OUTCOMES = 64
_OURS = frozenset({500, 501, 502, 503, 504, 530})  # about the dialogue or the login, not about the copy


class Session(Wire):
    """Sends copies one behind the other, as densely as the relay allows."""

    def __init__(self, deadlines: Deadlines) -> None:
        super().__init__(deadlines)
        self.lmtp = False
        self.settled = 0
        """Transactions that the relay decided about."""
        self.retired: Reply | None = None
        """What the relay said when it did not want more over this connection, whatever the copy."""
        self.chunking_proved = False
        self.chunking_broken = False
        self._flight: deque[Item] = deque()
        self._flying = 0  # octets of content in flight
        self._take: Callable[[], Item | None] = lambda: None
        self._left = 0
        self._working = False
        self._open = False  # a refused transaction is still open: RSET first
        self._pipelining = self._chunking = False
        self._known: dict[bytes, Outcome] = {}

    async def work(self, take: Callable[[], Item | None], *, most: int, chunking: bool) -> None:
        """Send what `take` gives, until it gives nothing, `most` were settled, or the connection ends."""
        if self.closed:
            return
        self._take, self._left = take, most - self.settled
        self._pipelining = "PIPELINING" in self.capabilities
        self._chunking = chunking and self._pipelining and "CHUNKING" in self.capabilities
        self._after_rcpt = END if self._chunking else DATA
        self._size_limit = _number(self.capabilities.get("SIZE"))
        self._working = True
        self._done = self._loop.create_future()
        self._fill()
        await self._done

    # -- sending ---------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Put copies on the wire; when none is there and none in flight, the work is done."""
        if self._chunking:
            self._fill_window()
        elif not self._flight:
            item = self._next()
            if item is not None:
                self._flight.append(item)
                if self._pipelining:
                    self._send([self._opening(item)])
                else:
                    self._begin(item)
                    self._command(item)
                self._watch()
        if not self._flight and not self._done.done():
            self._working = False
            self._done.set_result(None)

    def _fill_window(self) -> None:
        flight = self._flight
        idle = not flight
        parts: list[bytes] = []
        window = WINDOW if self.chunking_proved else 1
        position = self._queued
        while len(flight) < window and (self._flying < _WINDOW_OCTETS or not flight) and not self._paused:
            item = self._next()
            if item is None:
                break
            commands = f"{self._mail(item)}{item.commands()}BDAT {item.octets} LAST\r\n".encode()
            item.begin(RSET)
            position += 6 + len(commands) + item.octets
            item.end = position
            self._flying += item.octets
            flight.append(item)
            parts += (b"RSET\r\n", commands, item.head, item.copy.body.raw)
        if parts:
            self._send(parts)
            if idle:
                self._watch()

    def _next(self) -> Item | None:
        """The next copy that this relay can take; the others end here."""
        while self._left > 0 and self.retired is None and not self.closed:
            item = self._take()
            if item is None:
                return None
            copy = item.copy
            item.head = _whole(copy.head)
            item.octets = len(item.head) + len(copy.body.raw)
            if copy.smtputf8 and "SMTPUTF8" not in self.capabilities:  # RFC 6531 §3.2: an honest failure, not a broken address
                refusal = Reply(550, "5.6.7", "the relay cannot take an address that is not ASCII")
            elif 0 < self._size_limit < item.octets:  # RFC 1870 §6.1
                refusal = Reply(552, "5.3.4", f"the relay takes {self._size_limit} octets, and this has {item.octets}")
            else:
                self._left -= 1
                return item
            item.settle(Outcome(OutcomeKind.failed, refusal))
        return None

    def _mail(self, item: Item) -> str:
        parameters = ""
        capabilities, copy = self.capabilities, item.copy
        if "SIZE" in capabilities:  # RFC 1870 §6.1: content without dot-stuffing
            parameters = f" SIZE={item.octets}"
        if not (copy.body.is_ascii and item.head.isascii()) and "8BITMIME" in capabilities:
            parameters += " BODY=8BITMIME"
        if copy.smtputf8:
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{copy.reverse_path}>{parameters}\r\n"

    def _opening(self, item: Item) -> bytes:
        """What goes before a content, in one group (RFC 2920 §3.1)."""
        self._begin(item)
        reset = "RSET\r\n" if item.step == RSET else ""
        return f"{reset}{self._mail(item)}{item.commands()}DATA\r\n".encode()

    def _begin(self, item: Item) -> None:
        item.begin(RSET if self._open else MAIL)
        self._open = False

    def _command(self, item: Item) -> None:
        """Lock-step: the command of the copy's step."""
        match item.step:
            case 0:  # RSET
                line = "RSET\r\n"
            case 1:  # MAIL
                line = self._mail(item)
            case 2:  # RCPT
                line = f"RCPT TO:<{item.copies[item.index].recipient}>\r\n"
            case _:
                line = "DATA\r\n"
        self._send([line.encode()])

    def _content(self, item: Item, more: bool) -> None:
        """The relay waits for content (354); what the next copy needs leaves right behind the final dot."""
        if more:  # it answers a content that it has not got
            self.abort("replies to more than was asked")
            return
        item.step = END
        if item.refusal is not None:  # told to go on although it was refused: an empty mail to nobody ends this
            self._send([b".\r\n"])
            return
        parts = [stuff(item.head), item.copy.body.stuffed, b".\r\n"]
        item.end = self._queued + len(parts[0]) + len(parts[1]) + 3
        if self._pipelining and item.octets < _LARGE:
            following = self._next()
            if following is not None:
                self._flight.append(following)
                parts.append(self._opening(following))
        self._send(parts)

    # -- hearing ---------------------------------------------------------------------------------------------

    def _answered(self, lines: bytes, more: bool) -> None:
        if not self._working or not self._flight:
            super()._answered(lines, more)
            return
        item = self._flight[0]
        step = item.step
        if not lines.startswith(b"250 "):
            if step == DATA and lines.startswith(b"354 "):
                self._content(item, more)
            else:
                self._unusual(item, lines, more)
        elif step == END:
            self._end(item, lines)
        elif step == DATA:
            self._unusual(item, lines, more)
        else:
            self._step_on(item)

    def _step_on(self, item: Item) -> None:
        if item.step != RCPT:
            item.step += 1
        elif item.has_more_recipients():
            item.index += 1
        else:
            item.step = self._after_rcpt
        if not self._pipelining:
            self._command(item)

    def _end(self, item: Item, lines: bytes) -> None:
        """A content was answered with 250."""
        outcome = item.refusal or self._known.get(lines)
        if outcome is None:
            try:
                outcome = Outcome(OutcomeKind.delivered, parse_reply(lines))
            except ValueError:
                self.abort("a reply that is none")
                return
            if len(self._known) >= _KEPT_OUTCOMES:
                self._known.clear()
            self._known[lines] = outcome
        self.chunking_proved = self._chunking
        if not self.lmtp or item.decide_next(outcome):
            self._settle(item, outcome)

    def _settle(self, item: Item, outcome: Outcome) -> None:
        """The first copy in flight is decided."""
        flight = self._flight
        flight.popleft()
        self.settled += 1
        item.settle(outcome)
        if self._chunking:
            self._flying -= item.octets
            if len(flight) > WINDOW // 2:
                return
        elif flight:
            return
        if not self.closed:
            self._fill()

    def _unusual(self, item: Item, lines: bytes, more: bool) -> None:
        """A reply that is not the usual one: a refusal, a farewell, a rare way to agree, or nonsense."""
        try:
            reply = parse_reply(lines)
        except ValueError:
            self.abort("a reply that is none")
            return
        agreed = 300 if item.step == DATA else 200
        if reply.code == 421:
            self._farewell(item, reply)
        elif agreed <= reply.code < agreed + 100:
            if item.step == END:
                self._end(item, lines)
            elif item.step == DATA:
                self._content(item, more)
            else:
                self._step_on(item)
        elif reply.is_positive:
            self.abort(f"the relay answered {reply} out of turn")
        else:
            self._refused(item, reply)

    def _refused(self, item: Item, reply: Reply) -> None:
        if item.step == RSET:  # it cannot be refused (RFC 5321 §4.1.1.5); what follows will show
            self._step_on(item)
            return
        if self._chunking and item.step == END and not self.chunking_proved and _knows_no_bdat(item, reply):
            self._give_up_chunking(item)
            return
        kind = OutcomeKind.failed if reply.is_permanent else OutcomeKind.deferred
        if reply.code in _OURS and item.refusal is None:
            kind, self.retired = OutcomeKind.deferred, reply
        outcome = Outcome(kind, reply)
        if item.step == RCPT and item.refusal is None and not item.refuse_recipient(outcome):
            self._step_on(item)  # the others are still to be asked
            return
        if item.step == END and self.lmtp and item.refusal is None:
            if item.decide_next(outcome):
                self._settle(item, outcome)
            return
        item.refusal = item.refusal or outcome
        if item.step == END:
            self._settle(item, item.refusal)
        elif item.step == DATA or not self._pipelining:
            self._open = True
            self._settle(item, item.refusal)
        else:
            self._step_on(item)  # the replies to the rest of the group follow

    def _farewell(self, item: Item, reply: Reply) -> None:
        """421: the relay closes; of what we sent behind it, nothing was carried out (RFC 5321 §3.8)."""
        flight, self._flight = self._flight, deque()
        sorry = Outcome(OutcomeKind.deferred, reply)
        untouched = item.step <= MAIL and self.settled > 0  # not this copy was too much, but the connection's number
        self.settled += item.refusal is not None
        for each in flight:
            if (each is item and not untouched) or not self.settled or not each.errand.again(each):
                each.settle(each.refusal or sorry)
        self.abort(str(reply))

    def _give_up_chunking(self, item: Item) -> None:
        """Offered, but not understood: another connection sends this copy with DATA."""
        self.chunking_broken = True
        self._flight.clear()
        if item.refusal is not None or not item.errand.again(item):
            sorry = Outcome(OutcomeKind.deferred, None, "the relay offers CHUNKING and does not take it")
            item.settle(item.refusal or sorry)
        self.abort("CHUNKING is offered and not understood")

    # -- the wire's questions ----------------------------------------------------------------------------------

    def resume_writing(self) -> None:
        """The socket took everything: there is room for more copies."""
        super().resume_writing()
        if self._chunking and self._working and not self.closed:
            self._fill()

    def _lost(self) -> None:
        """Decide about every copy in flight."""
        flight, self._flight = self._flight, deque()
        for item in flight:
            if item.refusal is not None:
                outcome = item.refusal
            elif item.end and self._may_have_left(item.end):
                outcome = Outcome(OutcomeKind.ambiguous, None, f"{self.why} after the whole content had left")
            else:
                outcome = Outcome(OutcomeKind.deferred, None, self.why)
            item.settle(outcome)
        if self._working:
            self._working = False
            if not self._done.done():
                self._done.set_result(None)

    def _patience(self) -> float | None:
        if not self._flight:
            return None
        return self._deadlines.final if self._flight[0].step == END else self._deadlines.command


def _knows_no_bdat(item: Item, reply: Reply) -> bool:
    """Whether the relay does not understand BDAT; without a recipient 503 is the right answer to it (RFC 3030 §2)."""
    return reply.code in (500, 502) or (reply.code == 503 and item.refusal is None)


def _whole(head: bytes) -> bytes:
    """A head as it may leave: no lone CR or LF, and ended."""
    head = normalise(head)
    return head if not head or head.endswith(b"\r\n") else head + b"\r\n"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0

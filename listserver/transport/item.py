"""A copy on its way, or several equal ones that share a transaction, and who hears how each ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome

RSET, MAIL, RCPT, DATA, END = range(5)


class Errand(Protocol):
    """What a copy belongs to, and who hears how it ended."""

    def settle(self, copy: Copy, outcome: Outcome) -> None:
        """The copy has ended; called once."""

    def again(self, item: Item) -> bool:
        """Nothing was done about this item: put it back; False if it was put back too often."""


class Item:
    """Copies that leave in one transaction: they differ in nothing but the recipient."""

    __slots__ = ("copies", "copy", "decided", "end", "errand", "head", "index", "octets", "refusal", "returned", "step")

    def __init__(self, copies: Sequence[Copy], errand: Errand) -> None:
        self.copies = copies
        self.copy = copies[0]
        self.errand = errand
        self.head = b""
        self.octets = 0
        self.returned = 0
        self.begin(MAIL)

    def begin(self, step: int) -> None:
        """A new transaction, on whatever connection."""
        self.step = step
        self.index = 0  # recipients that the present step has had its reply for
        self.refusal: Outcome | None = None  # of the whole transaction
        self.decided: dict[int, Outcome] = {}  # recipients, by position, with an end of their own
        self.end = 0  # position of the last octet of its content in what the connection sends; 0 until that is queued

    def commands(self) -> str:
        """RCPT for each recipient."""
        if len(self.copies) == 1:
            return f"RCPT TO:<{self.copy.recipient}>\r\n"
        return "".join([f"RCPT TO:<{copy.recipient}>\r\n" for copy in self.copies])

    def has_more_recipients(self) -> bool:
        """Whether another RCPT follows the present one."""
        return self.index + 1 < len(self.copies)

    def refuse_recipient(self, outcome: Outcome) -> bool:
        """The present recipient is refused; True when nobody is left."""
        if len(self.copies) > 1:
            self.decided[self.index] = outcome
        if len(self.decided) < len(self.copies) > 1:
            return False
        self.refusal = self.refusal or outcome
        return True

    def decide_next(self, outcome: Outcome) -> bool:
        """LMTP: the end of the next recipient that was accepted (RFC 2033 §4.2); True when all have theirs."""
        if len(self.copies) == 1:
            return True
        position = next(n for n in range(len(self.copies)) if n not in self.decided)
        self.decided[position] = outcome
        return len(self.decided) == len(self.copies)

    def settle(self, outcome: Outcome) -> None:
        """All that have no end of their own end so."""
        if not self.decided:
            for copy in self.copies:
                self.errand.settle(copy, outcome)
            return
        for position, copy in enumerate(self.copies):
            self.errand.settle(copy, self.decided.get(position, outcome))

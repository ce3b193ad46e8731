"""A way out that only remembers: for tests and for the demonstration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind, Reply

_DELIVERED = Outcome(OutcomeKind.delivered, Reply(250, "2.0.0", "remembered"))


class RecordingTransport:
    """Keeps every copy it was given, and answers as it was told for each recipient."""

    def __init__(self) -> None:
        self.sent: list[Copy] = []
        self.answers: dict[str, Outcome] = {}

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        """Remember what was delivered."""
        for copy in copies:
            outcome = self.answers.get(copy.recipient, _DELIVERED)
            if outcome.kind is OutcomeKind.delivered:
                self.sent.append(copy)
            report(copy, outcome)

    async def close(self) -> None:
        """Nothing to let go of."""

    def content(self, index: int = -1) -> bytes:
        """One mail as it left."""
        return self.sent[index].head + self.sent[index].body.raw

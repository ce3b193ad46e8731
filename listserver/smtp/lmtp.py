"""The LMTP door (RFC 2033): LHLO instead of EHLO, and after the final dot one reply for each accepted recipient.

That holds in every branch: a message that is too large or cannot be stored also gets one reply a recipient, else the
MTA in front waits for ever. A recipient that was given twice gets its reply twice (RFC 2033 §4.2), but the gate is
asked once, since it is the same mail for the same address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from listserver.mail.envelope import Envelope
from listserver.mail.reply import Reply
from listserver.smtp.connection import TRY_AGAIN, Step
from listserver.smtp.handler import SmtpSession


class LmtpSession(SmtpSession):
    """One session of the LMTP door."""

    protocol: ClassVar[str] = "LMTP"
    hello_verbs: ClassVar[bytes] = b"LHLO"
    # HELO and EHLO must not be answered positively (RFC 2033 §4.1).
    commands: ClassVar[dict[str, Callable[[SmtpSession, str], Step | None]]] = {
        **{verb: command for verb, command in SmtpSession.commands.items() if verb not in ("EHLO", "HELO")},
        "LHLO": SmtpSession.commands["EHLO"],
    }

    def greet(self) -> bytes:
        """RFC 2033 §4: the host name, and that we speak LMTP."""
        return f"220 {self.door.settings.hostname} LMTP listserver\r\n".encode()

    def _protocol_word(self) -> str:
        """RFC 3848: LMTP, LMTPS; RFC 6531 §4.3: UTF8LMTP, UTF8LMTPS."""
        return f"{'UTF8' if self.smtputf8 else ''}LMTP{'S' if self.secured else ''}"

    async def deliver(self, envelope: Envelope, raw: bytes) -> Sequence[Reply]:
        """Ask the gate once for each recipient, all at the same time, so that they share one commit."""
        recipients = self.recipients
        if len(envelope.recipients) == 1:
            reply = await self._ask(self.gate.accept(envelope, raw)) or TRY_AGAIN
            return [reply] * len(recipients)
        questions = (
            self._ask(self.gate.accept(replace(envelope, recipients=(recipient,)), raw)) for recipient in envelope.recipients
        )
        replies = dict(zip(envelope.recipients, await asyncio.gather(*questions), strict=True))
        return [replies[recipient] or TRY_AGAIN for recipient in recipients]

    def replies_for(self, refusal: Reply) -> Sequence[Reply]:
        """The same refusal for each accepted recipient."""
        return [refusal] * len(self.recipients)

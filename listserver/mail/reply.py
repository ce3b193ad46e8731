"""Replies of SMTP (RFC 5321 §4.2) with enhanced codes (RFC 3463), and what a reply means for a delivery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(rb"(\d{3})(?:([ -])(.*))?", re.S)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: code, enhanced code ('' if the peer gave none), text."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, " ".join(self.text.split())) if part)

    @property
    def is_positive(self) -> bool:
        """2xx and 3xx."""
        return 200 <= self.code < 400

    @property
    def is_temporary(self) -> bool:
        """4xx: try again later."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5xx: do not try again."""
        return 500 <= self.code < 600


class OutcomeKind(StrEnum):
    """How one attempt at one delivery ended."""

    delivered = "delivered"
    deferred = "deferred"
    failed = "failed"
    ambiguous = "ambiguous"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt: its kind, the peer's reply if there was one, else what happened in words."""

    kind: OutcomeKind
    reply: Reply | None = None
    detail: str = ""


def parse_reply(lines: bytes) -> Reply:
    """Read one whole reply, of one line or several (RFC 5321 §4.2.1), with or without enhanced codes (RFC 2034).

    Raises: ValueError when this is no reply.
    """
    code, enhanced, texts = 0, "", []
    for line in lines.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("not an SMTP reply")
        code = int(match[1])
        text = (match[3] or b"").decode("utf-8", "replace").strip()
        found = _ENHANCED.match(text)
        if found:
            enhanced = enhanced or found[1]
            text = text[found.end() :]
        texts.append(text)
    if not 200 <= code <= 599:
        raise ValueError("not an SMTP reply")
    return Reply(code, enhanced, "\n".join(texts).strip("\n") if len(texts) > 1 else texts[0])

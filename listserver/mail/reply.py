"""Replies of SMTP (RFC 5321 §4.2) with enhanced codes (RFC 3463), and what a reply means for a delivery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(rb"([2-5][0-9]{2})(?:[ -](.*))?", re.S)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)", re.A)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MOST_LINES = 100
_LONGEST = 1_000  # characters kept of the text: a reply is shown to people and logged


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

    The code of the last line counts; the first enhanced code is kept. Limits: the text is cut at 1,000 characters.
    Raises: ValueError when this is no reply.
    """
    given = lines.splitlines()
    code, enhanced, texts = 0, "", []
    for line in given[: _MOST_LINES - 1] + given[_MOST_LINES - 1 :][-1:]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("not an SMTP reply")
        code = int(match[1])
        text = _CONTROL.sub(" ", (match[2] or b"")[: 4 * _LONGEST].decode("utf-8", "replace")).strip()
        found = _ENHANCED.match(text)
        if found:
            enhanced = enhanced or found[1]
            text = text[found.end() :]
        texts.append(text)
    if not texts:
        raise ValueError("not an SMTP reply")
    return Reply(code, enhanced, "\n".join(texts).strip("\n")[:_LONGEST])

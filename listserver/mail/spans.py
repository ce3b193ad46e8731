"""What a text is made of: spans, one after another, each with its level and kind, and the lines that say who is quoted.

Level 0 is the writer; level 1 is whom the writer quotes, and so on. An attribution, a header block and a signature
have the level of whoever wrote them: `On Monday Ann wrote:` over a quote of level 1 stands at level 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from listserver.mail.quotemarks import strip_marks


class SpanKind(StrEnum):
    """What a span is. Everything but `own`, `quote` and `forwarded` is not what anybody wanted to say in this post."""

    own = "own"
    quote = "quote"
    forwarded = "forwarded"
    attribution = "attribution"
    header_block = "header_block"
    signature = "signature"
    footer = "footer"
    device = "device"
    armour = "armour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stretch of a text. `attribution` is the place, among the attributions, of the one that introduces it.

    An own span with a confidence below 0.6 may be the rest of a quote without marks; only the quoted text can tell.
    """

    start: int
    end: int
    level: int
    kind: SpanKind
    confidence: float = 1.0
    attribution: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Who is said to have written a quote, and when: '' and None where it does not say.

    `when` has no zone unless `zone_known`; `other` is the second reading of a date such as 3/4/2020.
    """

    start: int
    end: int
    level: int
    name: str = ""
    address: str = ""
    when: datetime | None = None
    minute_known: bool = False
    zone_known: bool = False
    message_id: str = ""
    other: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitText:
    """A text and its spans. Invariant: the spans are in order, without gaps, and together they are the text."""

    text: str
    spans: tuple[Span, ...]
    attributions: tuple[Attribution, ...] = ()

    def own_text(self) -> str:
        """The writer's own words, signatures and footers left out."""
        return "".join(self.text[span.start : span.end] for span in self.spans if span.kind is SpanKind.own)

    def quoted_text(self) -> str:
        """All that is quoted or forwarded, of every level, without quote marks."""
        return "".join(
            strip_marks(self.text[span.start : span.end])
            for span in self.spans
            if span.kind in (SpanKind.quote, SpanKind.forwarded)
        )

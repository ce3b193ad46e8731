"""A post taken apart: the writer's own words, whom the writer quotes at which level, signatures, footers.

By structure, in one pass, for any language: quote marks, the lines that introduce quotes (`introductions`), what stands
below a text (`signature`). Where there is an HTML part with quotes, it knows the levels best (`htmlquotes`).
Nothing is cut: the spans put together are the text, so a wrong guess folds too much and never loses a word.
"""

from __future__ import annotations

from listserver.mail.bodytext import read_pieces
from listserver.mail.headers import Header
from listserver.mail.htmlquotes import has_quotes, read_html
from listserver.mail.introductions import Found, find_introductions
from listserver.mail.levels import set_levels
from listserver.mail.onelines import break_lines
from listserver.mail.quotemarks import Line, read_lines
from listserver.mail.signature import mark_armour, mark_below
from listserver.mail.spans import Attribution, Span, SpanKind, SplitText

__all__ = ["Attribution", "Span", "SpanKind", "SplitText", "split_body", "split_text"]

_INTRODUCING = ("attribution", "header_block")
_QUOTING = ("quote", "forwarded")
_KINDS = {kind.value: kind for kind in SpanKind}


def split_text(text: str) -> SplitText:
    """Take apart a plain text, or one whose soft line breaks are joined (RFC 3676). Never raises; linear."""
    return split_lines(text, read_lines(text))


def split_body(raw: bytes, header: Header) -> SplitText:
    """Take apart the text of a message, by its HTML where that holds quotes. Never raises.

    The text is that of the parts which a person reads, in order. Limits: those of `bodytext.read_body`.
    """
    texts: list[str] = []
    lines: list[Line] = []
    size = 0
    for piece in read_pieces(raw, header):
        if piece.html is not None and (piece.text is None or not piece.text.strip() or has_quotes(piece.html)):
            text, found = read_html(piece.html)
        else:
            text = piece.text or ""
            found = read_lines(text)
        if texts and texts[-1] and not texts[-1].endswith("\n"):
            texts[-1] += "\n"
            size += 1
            if lines:
                lines[-1].end += 1
        for line in found:
            line.start += size
            line.body += size
            line.end += size
        texts.append(text)
        lines += found
        size += len(text)
    return split_lines("".join(texts), lines)


def split_lines(text: str, lines: list[Line]) -> SplitText:
    """Take apart a text whose lines and marks are known. The lines must be the text, put together."""
    if not lines:
        return SplitText(text=text, spans=())
    if "-----BEGIN " in text:
        mark_armour(lines)
    break_lines(text, lines)
    found = find_introductions(text, lines)
    _keep_indented(lines, found)
    set_levels(lines, found)
    _mark_below(lines)
    attributions = tuple(_attribution(lines, each) for each in found)
    return SplitText(text=text, spans=_join(lines, found), attributions=attributions)


def _keep_indented(lines: list[Line], found: list[Found]) -> None:
    """A blockquote that no program of mail made, above all introductions, is the writer's way to indent."""
    for line in lines[: found[0].first if found else len(lines)]:
        if line.hint == "indented" and line.marks == 1:
            line.marks = line.level = 0
            line.confidence = 0.6


def _mark_below(lines: list[Line]) -> None:
    """Look for what stands below a text, in each stretch of lines of one level."""
    first, level, skip = 0, lines[0].level, lines[0].kind in _INTRODUCING
    for index, line in enumerate(lines):
        introduces = line.kind in _INTRODUCING
        if introduces == skip and (line.level == level or not line.text) and not introduces:
            continue
        if not skip:
            mark_below(lines, first, index)
        first, level, skip = index, line.level, introduces
    if not skip:
        mark_below(lines, first, len(lines))


def _attribution(lines: list[Line], found: Found) -> Attribution:
    first, last = lines[found.first], lines[found.last - 1]
    read = found.introduction
    return Attribution(
        start=first.start,
        end=last.end,
        level=first.level,
        name=read.name,
        address=read.address,
        when=read.date.when if read.date else None,
        minute_known=read.date is not None and read.date.minute_known,
        zone_known=read.date is not None and read.date.zone_known,
        message_id=read.message_id,
        other=read.date.other if read.date else None,
    )


def _join(lines: list[Line], found: list[Found]) -> tuple[Span, ...]:
    """Lines of one kind after another are one span; a blank line belongs to what stands above it."""
    spans: list[Span] = []
    start = end = 0
    gap = -1  # where blank lines of a quote begin that stand before its words
    current: tuple[str, int, float, int | None] | None = None
    for line in lines:
        if line.text or line.kind:
            kind = line.kind
            if not kind:
                forwarded = line.attribution is not None and found[line.attribution].is_forward
                kind = "own" if not line.level else "forwarded" if forwarded else "quote"
            state = (kind, line.level, line.confidence, line.attribution)
            if current is not None and state != current:
                place = gap if gap >= 0 else end
                spans.append(_span(start, place, current))
                start = place
            current, gap = state, -1
        elif line.marks and gap < 0 and current is not None and current[0] not in _QUOTING and line.marks > current[1]:
            gap = end
        end = line.end
    spans.append(_span(start, end, current or ("own", 0, 1.0, None)))
    return tuple(spans)


def _span(start: int, end: int, state: tuple[str, int, float, int | None]) -> Span:
    kind, level, confidence, attribution = state
    return Span(start=start, end=end, level=level, kind=_KINDS[kind], confidence=confidence, attribution=attribution)

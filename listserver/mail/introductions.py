"""Where quotes are introduced: attributions and header blocks, found line by line within a budget of work.

An attribution is looked for at the last line before deeper marks, and at lines that end in a colon; it reaches up
over the lines that were wrapped, and no further than the words need. What stands before it in its first line is split off.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.attribution import VERB, Introduction, read_introduction
from listserver.mail.headerblocks import SEPARATOR, could_begin, find_header_block
from listserver.mail.quotemarks import Line

MOST_READ = 250  # attributions and labels that are read in one text
_MOST_LINES = 4
_MOST_REST = 9  # words of an attribution that are neither name, date nor address
_COLON = re.compile(r"[:：][\s*_\"'»”)\]]{0,4}$")
_INLINE = re.compile(r"(?:[>\])»]|\d[\d.]?|\w{4})[^:：\n]{0,30}[:：](?=\s)|-{3,}\s?[^\W\d_][^-\n]{2,38}?\s?-{3,}")
_QUOTE_FROM = re.compile(r"(?:quote from:?|originally posted by:?|zitat von:?)\s+\S", re.I)
_ONE_LINE_LABEL = re.compile(r"\s*[*_]{0,2}[^\W\d_][\w ]{1,20}[*_]{0,2}\s?[:：]")


class Found(NamedTuple):
    """An introduction at lines `first` to before `last`. `marked`: deeper marks follow, so levels need no guess."""

    first: int
    last: int
    kind: str
    introduction: Introduction
    marked: bool
    confidence: float
    is_forward: bool = False


def break_lines(text: str, lines: list[Line]) -> None:
    """Break lines where an attribution or a header block stands between other words of the same line."""
    budget = 40
    index = 0
    while index < len(lines) and budget:
        line = lines[index]
        if len(line.text) > 30 and (match := _INLINE.search(text, line.body, line.end)):
            places = _places(text, line, match)
            budget -= 1
            if places:
                lines[index : index + 1] = _broken(text, line, places)
                index += len(places)
        index += 1


def _places(text: str, line: Line, match: re.Match[str]) -> list[tuple[int, str]]:
    """Where a line is to be broken, each with the hint for the piece that begins there."""
    end = line.body + len(text[line.body : line.end].rstrip())
    if match[0].startswith("-"):
        return _separator_places(text, line, match, end)
    for _ in range(6):
        colon = match.end()
        first = max(line.body, colon - 260)
        found = read_introduction(text[first:colon])
        if found.date is not None and found.has_who and found.rest <= 40 and (found.address or found.has_verb):
            start = first + found.start
            if not any(map(str.isalnum, text[line.body : start])):
                start = line.body
            places = [(start, "begin")] if start > line.body else []
            if colon < end:
                places = places or [(line.body, "begin")]
                places.append((colon, ""))
            return places
        following = _INLINE.search(text, colon, line.end)
        if following is None:
            return []
        match = following
        if match[0].startswith("-"):
            return _separator_places(text, line, match, end)
    return []


def _separator_places(text: str, line: Line, match: re.Match[str], end: int) -> list[tuple[int, str]]:
    """`words -----Original Message-----From: … Sent: … words`, all in one line."""
    begin, after = match.span()
    if begin == line.body and after == end:
        return []
    rest = text[after : min(end, after + 400)]
    if rest.strip() and not _ONE_LINE_LABEL.match(rest):
        return []
    places = [(begin, "separator")]
    if rest.strip():
        found = read_introduction(rest)
        if found.date is None and not found.address:
            return [(begin, "separator"), (after, "")]
        stop = after + max(found.date.end if found.date else 0, rest.rfind("@", 0, 300) + 1)
        while stop < end and not text[stop].isspace():
            stop += 1
        places = [(begin, "oneline")]
        if stop < end:
            places.append((stop, ""))
    return places


def _broken(text: str, line: Line, places: list[tuple[int, str]]) -> list[Line]:
    pieces: list[Line] = []
    starts = [(line.start, line.hint)] if places[0][0] > line.body else []
    starts += places
    for number, (start, hint) in enumerate(starts):
        begin = line.start if not number else start
        end = starts[number + 1][0] if number + 1 < len(starts) else line.end
        body = line.body if not number else start
        piece = Line(begin, body, end, line.marks, text[body:end].strip())
        piece.hint = hint
        pieces.append(piece)
    return pieces


def find_introductions(text: str, lines: list[Line]) -> list[Found]:
    """The attributions and header blocks of a text, in order. Limits: 250 are read, beyond that the marks alone count."""
    found: list[Found] = []
    budget = MOST_READ
    index, free = 0, 0  # lines before `free` belong to an introduction already
    while index < len(lines) and budget > 0:
        line = lines[index]
        if not line.text or line.kind:
            index += 1
            continue
        if line.hint == "oneline":
            found.append(Found(index, index + 1, "header_block", read_introduction(line.text), False, 0.85))
            free = index = index + 1
            continue
        if could_begin(line):
            budget -= 1
            block = find_header_block(lines, index)
            if block is not None:
                marked = _is_marked(lines, block.last - 1)
                found.append(
                    Found(block.first, block.last, "header_block", block.introduction, marked, block.confidence, block.is_forward)
                )
                free = index = block.last
                continue
        marked = _is_marked(lines, index)
        if marked or line.hint in ("attribution", "begin") or _may_introduce(line.text):
            budget -= 2
            each = _find_attribution(text, lines, index, free, marked=marked)
            if each is not None:
                shift = each.last - 1 - index
                found.append(each)
                free = index = index + shift + 1
                continue
        index += 1
    return found


def _may_introduce(words: str) -> bool:
    if words[-1] in ":：" or _COLON.search(words[-8:]):
        return "@" in words or any(map(str.isdigit, words)) or VERB.search(words[-300:]) is not None or ">" in words
    return _QUOTE_FROM.match(words) is not None


def _is_marked(lines: list[Line], index: int) -> bool:
    """Whether deeper marks follow, after at most two blank lines."""
    marks = lines[index].marks
    for line in lines[index + 1 : index + 4]:
        if line.marks > marks:
            return True
        if line.text:
            return False
    return False


def _find_attribution(text: str, lines: list[Line], index: int, free: int, *, marked: bool) -> Found | None:
    """The attribution that ends at a line: as many lines above it as it takes, and not a word more."""
    best: tuple[int, Introduction, float] | None = None
    joined = ""
    for first in range(index, max(index - _MOST_LINES, free - 1), -1):
        line = lines[first]
        if not line.text or line.kind or line.marks != lines[index].marks:
            break
        joined = f"{line.text} {joined}".rstrip() if joined else line.text
        read = read_introduction(joined)
        score = _score(read, joined, marked=marked or line.hint == "attribution")
        if score > (best[2] if best else 0.0):
            best = (first, read, score)
        if line.hint == "begin" or (score >= 0.9 and not _is_torn(lines, first, free, read)):
            break
    if best is None:
        return None
    first, read, score = best
    first, last = _split_first(text, lines, first, index, read)
    return Found(first, last, "attribution", read, marked, score)


def _is_torn(lines: list[Line], first: int, free: int, read: Introduction) -> bool:
    """Whether the line above belongs to it: `On Mon,` or `On Monday, March 3, 2003, Ann` above the rest."""
    if first <= free or not lines[first - 1].text or lines[first - 1].marks != lines[first].marks:
        return False
    above = lines[first - 1].text
    if read.start or SEPARATOR.fullmatch(above):
        return False
    return (len(above) <= 14 and above[-1] == ",") or (read.name == "" and above[-1] not in ".!?:")


def _score(read: Introduction, joined: str, *, marked: bool) -> float:
    """How surely a text introduces a quote; 0.0 for no."""
    if read.rest > _MOST_REST and not read.start:
        return 0.0
    ends = read.has_colon
    if read.date is not None and read.address:
        return 0.95 if ends else 0.9 if marked else 0.0
    if read.date is not None and read.name:
        if ends and (read.has_verb or marked):
            return 0.93
        return 0.8 if marked or (ends and read.date.minute_known and read.rest <= 4) else 0.0
    if read.address and (ends or read.has_verb) and (marked or read.has_verb or (read.name and read.rest <= 2)):
        return 0.85
    if read.name and read.rest <= 5 and ends and read.has_verb:
        return 0.8 if marked else 0.6 if read.rest <= 3 and len(joined) < 80 else 0.0
    if marked and ends and (read.date is not None or (read.has_verb and len(joined) < 80)):
        return 0.7
    if _QUOTE_FROM.match(joined):
        return 0.7
    return 0.0


def _split_first(text: str, lines: list[Line], first: int, index: int, read: Introduction) -> tuple[int, int]:
    """Split off the writer's own words before the attribution in its first line; the lines it takes then."""
    line = lines[first]
    if read.start and read.start < len(line.text) and any(map(str.isalnum, line.text[: read.start])):
        place = text.find(line.text, line.body, line.end) + read.start
        before = Line(line.start, line.body, place, line.marks, text[line.body : place].strip())
        after = Line(place, place, line.end, line.marks, text[place : line.end].strip())
        lines[first : first + 1] = [before, after]
        return first + 1, index + 2
    return first, index + 1

"""Introductions that share a line with other words: the line is broken where the words of somebody else begin.

`Yes! On Mon, 3 Mar, Ann wrote: shall we?`, `----- Original Message -----From: …` in one line, and the tags of web forums.
"""

from __future__ import annotations

import re

from listserver.mail.attribution import has_verb, read_introduction
from listserver.mail.quotemarks import Line

MOST_BROKEN = 40  # lines that are looked at for an attribution within
_MOST_COLONS = 6
_SHORTEST_BROKEN = 20
_SEPARATOR = re.compile(r"(?<!-)-{3,40}\s?[^\W\d_][^-\n]{2,38}?\s?-{3,40}(?!-)")
_BEFORE_WORDS = re.compile(r"(?:[>\])»\d]|\w{3})[ \u00a0]?(?::|：)(?=\s)|：(?=\S)")
_YEAR = re.compile(r"(?:19|20)\d\d|\d[./-]\d{1,2}[./-]\d\d")
# [quote=Ann Lee], [quote="ann, post:3, topic:12"], [/quote]
TAG = re.compile(r"\[(/)?quote(?:[=:\s]+(?:author=)?([^,;\]\n]{0,60})[^\]\n]{0,100})?\]", re.I)
_ONE_LINE_LABEL = re.compile(r"\s*[*_]{0,2}[^\W\d_][\w ]{1,20}[*_]{0,2}\s?[:：]")


def break_lines(text: str, lines: list[Line]) -> None:
    """Break lines where an attribution or a header block stands before other words of the same line."""
    budget = MOST_BROKEN
    index = 0
    tagged = "[/quote]" in text or "[/QUOTE]" in text
    while index < len(lines):
        words = lines[index].text
        if len(words) > _SHORTEST_BROKEN and not lines[index].kind:
            tags = tagged and "[" in words and TAG.search(words) is not None
            dashed = "---" in words and _SEPARATOR.search(words) is not None
            if tags or dashed or _has_words_behind(words):
                places = _tag_places(text, lines[index]) if tags else _places(text, lines[index])
                budget -= 1
                if places:
                    lines[index : index + 1] = _broken(text, lines[index], places)
                    index += len(places)
                if not budget:
                    return
        index += 1


def _tag_places(text: str, line: Line) -> list[tuple[int, str]]:
    """Where the tags of web forums begin and end within a line."""
    end = line.body + len(text[line.body : line.end].rstrip())
    places: list[tuple[int, str]] = []
    for number, tag in enumerate(TAG.finditer(text, line.body, end)):
        if number >= _MOST_COLONS:
            break
        if tag.start() > line.body and (not places or places[-1][0] != tag.start()):
            places.append((tag.start(), ""))
        if tag.end() < end:
            places.append((tag.end(), ""))
    return places


def _has_words_behind(words: str) -> bool:
    """Whether a line may be an attribution with other words behind its colon; cheap."""
    at = words.rfind(": ", 8)
    if at < 0:
        at = words.rfind("：", 8, -1)
    if at < 0 or _YEAR.search(words, 0, at) is None:
        return False
    return "@" in words or has_verb(words[: at + 1])


def _places(text: str, line: Line) -> list[tuple[int, str]]:
    """Where a line is to be broken, each with the hint for the piece that begins there."""
    end = line.body + len(text[line.body : line.end].rstrip())
    separator = _SEPARATOR.search(text, line.body, end)
    if separator is not None:
        return _separator_places(text, line, separator, end)
    for number, colon in enumerate(_BEFORE_WORDS.finditer(text, line.body, end)):
        if number >= _MOST_COLONS:
            break
        after = colon.end()
        first = max(line.body, after - 260)
        read = read_introduction(text[first:after])
        if read.date is not None and read.name + read.address and read.rest <= 40 and (read.address or read.has_verb):
            start = first + read.start
            if not any(map(str.isalnum, text[line.body : start])):
                start = line.body
            return [(start, "begin"), (after, "")]
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

"""Where quotes are introduced: attributions and header blocks, found line by line within a budget of work.

An attribution is looked for at the last line before deeper marks, and at lines that end in a colon; it reaches up
over the lines that were wrapped, and no further than the words need. What stands before it in its first line is split off.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.attribution import Introduction, has_verb, read_introduction
from listserver.mail.headerblocks import LONGEST_RULE, SEPARATOR, could_begin, find_header_block
from listserver.mail.onelines import TAG
from listserver.mail.quotemarks import Line

MOST_READ = 250  # attributions and labels that are read in one text
_MOST_LINES = 4
_MOST_REST = 9  # words of an attribution that are neither name, date nor address
_COLON = re.compile(r"[:：][\s*_\"'»”)\]↑\u200e\u200f\u202a-\u202e\u2066-\u2069]{0,5}$")
# Below a quote that a web page showed in part: "Click to expand..."
_FOLDED = re.compile(
    r"(?:click to expand|zum vergrößern anklicken|cliquez pour agrandir|нажмите, чтобы раскрыть|haz clic para expandir)[.…]+",
    re.I,
)
_RULES = "-_=*‐‑–—~"
_COLONS = ":："
_BEGINS = ("attribution", "begin")
_LAST = ":： ↑*_\"'»”)]-\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # with which an attribution ends
_CLOCK = re.compile(r"\d:\d\d")
_DIGITS = re.compile(r"\d\d")
_QUOTE_FROM = re.compile(r"(?:quote from:?|originally posted by:?|zitat von:?)\s+\S", re.I)
_LABELS = re.compile(r"^-{3,}[^-]{1,40}-{3,}\s*[^\W\d_][\w ]{0,20}[:：]")


class Found(NamedTuple):
    """An introduction at lines `first` to before `last`. `marked`: deeper marks follow, so levels need no guess."""

    first: int
    last: int
    kind: str
    introduction: Introduction
    marked: bool
    confidence: float
    is_forward: bool = False
    is_end: bool = False


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
        each = _read_written(line, index)
        if each is None and _may_be_block(lines, index):
            budget -= 1
            each = _find_block(lines, index)
        if each is None:
            following = lines[index + 1] if index + 1 < len(lines) else None
            marked = following is not None and (following.marks > line.marks or not following.text) and _is_marked(lines, index)
            if (
                marked
                or line.hint in _BEGINS
                or ((line.text[-1] in _LAST or line.text[0] in "QqOoZz") and _may_introduce(line.text))
            ):
                budget -= 2
                each = _find_attribution(text, lines, index, free, marked=marked)
        if each is None:
            index += 1
        else:
            found.append(each)
            free = index = each.last
    return found


def _read_written(line: Line, index: int) -> Found | None:
    """What says by itself that a quote begins or ends: the tags of web forums, and a header block within a line."""
    if line.hint == "oneline":
        return Found(index, index + 1, "header_block", read_introduction(_LABELS.sub("", line.text)), False, 0.85)
    if line.text[0] == "[" and (tag := TAG.fullmatch(line.text)):
        if tag[1]:
            return Found(index, index + 1, "attribution", read_introduction(""), True, 0.95, is_end=True)
        who = read_introduction("")._replace(name=(tag[2] or "").strip(" \"'"))
        return Found(index, index + 1, "attribution", who, False, 0.95)
    if line.text[-1] in ".…" and _FOLDED.fullmatch(line.text):
        return Found(index, index + 1, "attribution", read_introduction(""), True, 0.8, is_end=True)
    return None


def _may_be_block(lines: list[Line], index: int) -> bool:
    """Whether a header block may begin on a line; cheap."""
    line = lines[index]
    words = line.text
    if not (words[0] in _RULES or ":" in words or "：" in words) or not could_begin(line):
        return False
    return bool(line.hint) or words[0] in _RULES or words[-1] in _COLONS or _leads_on(lines, index)


def _find_block(lines: list[Line], index: int) -> Found | None:
    block = find_header_block(lines, index)
    if block is None:
        return None
    return Found(
        block.first,
        block.last,
        "header_block",
        block.introduction,
        _is_marked(lines, block.last - 1) or block.is_end,
        block.confidence,
        block.is_forward,
        block.is_end,
    )


def _leads_on(lines: list[Line], index: int) -> bool:
    """Whether a label may stand on one of the next lines, too; cheap."""
    return any(":" in line.text[:30] or "：" in line.text[:30] for line in lines[index + 1 : index + 4])


def _may_introduce(words: str) -> bool:
    if words[-1] in ":：" or _COLON.search(words[-8:]):
        return "@" in words or ">" in words or _DIGITS.search(words) is not None or has_verb(words[-300:])
    if words[-1] == "-" and words[0] == "-":
        return has_verb(words)  # ---- Ann Lee wrote ----
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
    torn = False
    for first in range(index, max(index - _MOST_LINES, free - 1), -1):
        line = lines[first]
        if not line.text or line.kind or line.marks != lines[index].marks:
            break
        joined = f"{line.text} {joined}".rstrip() if joined else line.text
        read = read_introduction(joined)
        score = _score(read, joined, marked=marked or line.hint == "attribution", single=first == index)
        if best is None or torn:
            best = (first, read, score) if score >= (best[2] if best else 0.01) else best
        elif score > best[2]:
            best = (first, read, score)
        if first == index and not marked and not line.hint and not (read.date or read.address or read.has_verb or ">" in joined):
            break
        torn = score >= 0.9 and _is_torn(lines, first, free, read)
        if line.hint == "begin" or (score >= 0.9 and not torn):
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
    if read.start or (len(above) < LONGEST_RULE and SEPARATOR.fullmatch(above)):
        return False
    return (len(above) <= 14 and above[-1] == ",") or (read.name == "" and above[-1] not in ".!?:")


def _score(read: Introduction, joined: str, *, marked: bool, single: bool) -> float:
    """How surely a text introduces a quote; 0.0 for no."""
    if read.rest > _MOST_REST and not read.start:
        return 0.0
    if single and _QUOTE_FROM.match(joined):
        return 0.7 if read.name else 0.0
    ends = read.has_colon or (joined[-1] == "-" and joined.startswith("--"))
    if read.date is not None and read.address:
        return 0.95 if ends else 0.9 if marked else 0.0
    if read.date is not None and read.name:
        if ends and (read.has_verb or marked):
            return 0.93
        return 0.8 if marked or (ends and read.date.minute_known and read.rest <= 4) else 0.0
    if read.address and (ends or read.has_verb) and (marked or read.has_verb or (read.name and read.rest <= 2)):
        return 0.85
    if read.address and ends and read.date is None and not read.has_verb and not marked:
        return 0.0
    if (
        single
        and read.name
        and ends
        and read.has_verb
        and read.rest <= (5 if marked or _CLOCK.search(joined) else 3)
        and (marked or len(joined) < 80)
    ):
        return 0.8 if marked else 0.6
    if single and marked and ends and read.rest == 1 and 2 <= len(read.name.split()) <= 3:
        return 0.7  # Ann Lee dixit:
    if marked and ends and (read.date is not None or (read.has_verb and len(joined) < 80)):
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

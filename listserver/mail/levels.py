"""From marks and introductions to levels: below a header block all is a quote, below `NAME said:` perhaps only a part.

A quote without marks has no end that can be seen. At the end of a post it reaches to the end; at the top, the writer's
answer must be somewhere below it: from a greeting on, else from the second paragraph, with little confidence.
"""

from __future__ import annotations

import re

from listserver.mail.introductions import Found
from listserver.mail.quotemarks import Line

_UNSURE = 0.5
_GREETING = re.compile(
    r"(?:@\s?\w|(?:hi|hello|hey|dear|thanks|thank you|thx|ok|okay|yes|no|hallo|moin|lieber?|danke|bonjour|salut|merci|hola|gracias|"
    r"ol[áa]|obrigad[oa]|ciao|grazie|hoi|dag|bedankt|hej|tack|takk|tak|привет|спасибо|здравствуйте)\b[ ,!.])",
    re.I,
)


def set_levels(lines: list[Line], found: list[Found]) -> None:
    """Give each line its level, and the introduction it stands under."""
    extras: dict[int, int] = {}
    ends: dict[int, tuple[int, float]] = {}  # by marks: the line at which an unmarked quote ends
    owners: dict[int, int] = {}
    forwards: set[int] = set()
    upcoming = 0
    deepest = 0
    own_confidence = 1.0
    for index, line in enumerate(lines):
        marks = line.marks
        if line.text and marks < deepest:
            extras = {key: value for key, value in extras.items() if key <= marks}
            ends = {key: value for key, value in ends.items() if key <= marks}
        if line.text:
            deepest = marks
        if marks in ends and index >= ends[marks][0]:
            extras[marks] = max(0, extras.get(marks, 0) - 1)
            own_confidence = ends.pop(marks)[1]
        level = marks
        for key, value in extras.items():
            if key <= marks:
                level += value
        line.level = level
        each = found[upcoming] if upcoming < len(found) else None
        if each is not None and each.first <= index < each.last:
            line.kind, line.attribution, line.confidence = each.kind, upcoming, each.confidence
            if index == each.last - 1:
                owners = {key: value for key, value in owners.items() if key <= level}
                owners[level + 1] = upcoming
                if each.is_forward:
                    forwards.add(upcoming)
                if not each.marked:
                    extras[marks] = extras.get(marks, 0) + 1
                    stop = _end_of_quote(lines, found, upcoming)
                    if stop is not None:
                        ends[marks] = stop
                    else:
                        ends.pop(marks, None)
                upcoming += 1
            continue
        if level:
            line.attribution = owners.get(level)
            if line.attribution is not None and line.attribution in forwards and not line.kind:
                line.kind = "forwarded"
            if level > marks:
                line.confidence = min(
                    line.confidence, found[line.attribution].confidence if line.attribution is not None else 0.7
                )
        else:
            line.confidence = min(line.confidence, own_confidence)


def _end_of_quote(lines: list[Line], found: list[Found], place: int) -> tuple[int, float] | None:
    """Where a quote without marks ends, and how sure what follows is the writer's; None: it reaches as far as it can."""
    each = found[place]
    if each.kind == "header_block" or lines[each.first].hint in ("attribution", "block"):
        return None
    marks = lines[each.first].marks
    stop = found[place + 1].first if place + 1 < len(found) else len(lines)
    is_last = place + 1 == len(found)
    before = any(line.text and line.marks == marks and not line.kind for line in lines[max(0, each.first - 30) : each.first])
    name = each.introduction.name.split()
    starts = [
        index
        for index in range(each.last, stop)
        if lines[index].text and lines[index].marks == marks and (index == each.last or not lines[index - 1].text)
    ]
    for index in starts[1:]:
        words = lines[index].text
        if name and (words.startswith((f"{name[0]},", f"@{name[0]}")) or (_GREETING.match(words) and name[0] in words[:60])):
            return index, 0.8
    if before and is_last:
        return None
    for index in starts[1:]:
        if _GREETING.match(lines[index].text):
            return index, 0.7
    if len(starts) > 1:
        return starts[1], _UNSURE
    return (stop, _UNSURE) if not is_last else None

"""From marks and introductions to levels: below a header block all is a quote, below `NAME said:` perhaps only a part.

Levels are the marks, and one more for each unmarked quote around a line; where such a quote ends, `unmarked` decides.
"""

from __future__ import annotations

import itertools

from listserver.mail.introductions import Found
from listserver.mail.quotemarks import Line
from listserver.mail.unmarked import end_of_quote, said_before

_FAR = 400  # lines that are looked at below an introduction


def set_levels(lines: list[Line], found: list[Found]) -> None:
    """Give each line its level, and the introduction it stands under."""
    if not found:
        return
    state = _Levels(lines, found)
    for index in range(found[0].first, len(lines)):
        state.place(index, lines[index])


class _Levels:
    """What is known of the levels on the way down: what unmarked quotes add to the marks, and who is quoted at each."""

    def __init__(self, lines: list[Line], found: list[Found]) -> None:
        self.lines = lines
        self.found = found
        self.upcoming = 0
        self.extras: dict[int, int] = {}  # by marks: levels of unmarked quotes
        self.ends: dict[int, tuple[int, float]] = {}  # by marks: the line at which an unmarked quote ends
        self.owners: dict[int, int] = {}  # by level: the introduction
        self.deepest = 0
        self.confidence = 1.0  # of what follows as the writer's own
        self.inside = False

    def place(self, index: int, line: Line) -> None:
        marks = line.marks
        if line.text:
            if marks < self.deepest and self.extras:
                self.extras = {key: value for key, value in self.extras.items() if key <= marks}
                self.ends = {key: value for key, value in self.ends.items() if key <= marks}
            self.deepest = marks
        if marks in self.ends and index >= self.ends[marks][0]:
            self.extras[marks] = max(0, self.extras.get(marks, 0) - 1)
            confidence = self.ends.pop(marks)[1]
            self.confidence = self.confidence if marks else confidence
        line.level = marks + sum(value for key, value in self.extras.items() if key <= marks) if self.extras else marks
        each = self.found[self.upcoming] if self.upcoming < len(self.found) else None
        if each is not None and each.first <= index:
            self.introduce(index, line, each)
        elif line.level:
            line.attribution = self.owners.get(line.level)
            if line.level > marks:
                owner = self.found[line.attribution] if line.attribution is not None else None
                line.confidence = min(line.confidence, owner.confidence if owner is not None else 0.7)
        else:
            line.confidence = min(line.confidence, self.confidence)

    def introduce(self, index: int, line: Line, each: Found) -> None:
        line.kind, line.attribution, line.confidence = each.kind, self.upcoming, each.confidence
        if index == each.first:
            previous = self.found[self.upcoming - 1] if self.upcoming else None
            if previous is not None and previous.is_forward and not previous.is_end and self.follows(previous, each):
                self.found[self.upcoming] = each = each._replace(is_forward=True)
            self.inside = not each.marked and _is_inside(self.lines, self.found, self.upcoming)
            if each.is_end and self.extras.get(line.marks):
                self.extras[line.marks] -= 1
                line.level -= 1
        if self.inside:
            line.level -= 1
        if index < each.last - 1:
            return
        level = line.level
        self.owners = {key: value for key, value in self.owners.items() if key <= level}
        if not each.is_end:
            self.owners[level + 1] = self.upcoming
        if each.marked and not (each.kind == "header_block" and self.goes_on(each)):
            self.confidence = 1.0 if not line.marks else self.confidence
        elif self.inside:
            if self.ends_at_once(each):
                self.extras[line.marks - 1] = self.extras.get(line.marks - 1, 0) + 1
        elif not self.leads_nowhere(each):
            self.extras[line.marks] = self.extras.get(line.marks, 0) + 1
            stop = end_of_quote(self.lines, self.found, self.upcoming)
            if stop is not None:
                self.ends[line.marks] = stop
            else:
                self.ends.pop(line.marks, None)
        self.upcoming += 1

    def ends_at_once(self, each: Found) -> bool:
        """Whether the marks end with a marked attribution, and the words below it lost theirs."""
        following = next((line for line in self.lines[each.last : each.last + 4] if line.text), None)
        return following is not None and following.marks == self.lines[each.first].marks - 1 and not following.kind

    def follows(self, each: Found, following: Found) -> bool:
        """Whether only blank lines stand between two introductions."""
        return following.first <= each.last + 3 and not any(line.text for line in self.lines[each.last : following.first])

    def goes_on(self, each: Found) -> bool:
        """Whether a block with deeper marks below it quotes more than those: words without marks follow, and own words precede.

        Whoever writes above a block does not mark what is below; the marks are those of the post that is quoted.
        """
        if each.is_end or not (each.introduction.date or each.introduction.address) or not said_before(self.lines, each):
            return False
        marks, rules = self.lines[each.first].marks, 0
        later, place = self.upcoming + 1, each.last
        for index in range(each.last, min(each.last + _FAR, len(self.lines))):
            line = self.lines[index]
            if later < len(self.found) and index >= self.found[later].first:
                place = max(place, self.found[later].last)
                later += 1
            if index < place:
                continue
            rules = rules + 1 if line.text[:10] == "_" * 10 or line.text == "--" else rules
            if (line.text and line.marks < marks) or rules:
                return False
            if line.text and line.marks == marks:
                return True
        return False

    def marks_soon(self, each: Found) -> bool:
        """Whether marked lines follow after a few words."""
        marks, texts = self.lines[each.first].marks, 0
        for line in self.lines[each.last : each.last + 8]:
            if line.marks > marks and line.text:
                return True
            texts += bool(line.text)
            if texts > 2 or len(line.text) > 60:
                return False
        return False

    def leads_nowhere(self, each: Found) -> bool:
        """Whether no quote begins below an unmarked introduction: the next one does, or it is an id above an answer (exmh)."""
        following = self.found[self.upcoming + 1] if self.upcoming + 1 < len(self.found) else None
        if following is not None and each.kind == "attribution" and self.follows(each, following):
            if self.goes_on(each) and each.introduction.date is not None and not _same_minute(each, following):
                return False  # the post that is quoted begins with a quote
            return self.lines[following.first].marks == self.lines[each.first].marks
        if each.kind == "attribution" and not said_before(self.lines, each) and self.marks_soon(each):
            return True  # a greeting stands between the attribution and the marked quote
        if not self.upcoming and each.kind == "header_block" and not each.is_forward and not said_before(self.lines, each):
            marks = self.lines[each.first].marks
            rest = itertools.takewhile(
                lambda line: line.text != "--" and not line.text.startswith("_" * 10), self.lines[each.last :]
            )
            below = [line.marks for line in rest if line.text]
            if marks in below and max(below) > marks and marks in below[below.index(max(below)) :]:
                return True  # nothing above, marks below: the writer answers between the marks
        return each.kind == "header_block" and bool(each.introduction.message_id) and each.first < 3 and not each.is_forward


def _same_minute(one: Found, other: Found) -> bool:
    """Whether two introductions are of one post: their clocks show the same minute, or their days are the same."""
    first, second = one.introduction.date, other.introduction.date
    if first is None or second is None:
        return False
    if first.minute_known and second.minute_known:
        return first.when.minute == second.when.minute
    return first.when.date() == second.when.date()


def _is_inside(lines: list[Line], found: list[Found], place: int) -> bool:
    """Whether an introduction stands within the quote that it introduces, as Apple's programs write it: at its top."""
    each = found[place]
    marks = lines[each.first].marks
    if not marks:
        return False
    before = each.first - 1
    while before >= 0 and not lines[before].text:
        before -= 1
    if before >= 0 and lines[before].marks >= marks:
        return False
    previous = found[place - 1] if place else None
    return previous is None or previous.last <= before or previous.is_forward or lines[before].marks < marks - 1

"""Lines and their quote marks: `>`, `|` and `JD>`, nested in every way that programs write them. One pass, linear.

A mark counts where more than one line speaks for it: a table, a prompt or the `>From ` of a mailbox file is no quote.
"""

from __future__ import annotations

import re

MAX_LEVEL = 50
MAX_LINES = 10_000  # what follows is taken for one line
_LONGEST_STRAY = 40  # characters that a program breaks off a line
_FULL_LINE = 72
# Up to three spaces, then marks with a space or two between them; initials only before the last `>` of the first mark.
_MARKS = re.compile(
    r"(?:[ \t]{0,3}(?:(?:[A-Z][A-Za-z]{0,3})?>|\|(?!\|))|[ \t]{1,8}(?:[A-Z][A-Za-z]{0,11})?>)"
    r"(?:[ \t]{0,2}(?:[A-Z][A-Za-z]{0,3})?>|[ \t]{0,2}\|(?!\|))*[ \t]?"
)
_INITIALS = re.compile(r"([A-Z][A-Za-z]{0,11})>")
_SUPERCITE = re.compile(r">{4,}\s[^=]{0,60}\" == ")  # >>>>> "AL" == Ann Lee <ann@example.org> writes:
_FROM = re.compile(r">+From ")


class Line:
    """One line, or a piece of one: where it stands, where its content begins, how many marks, and what was made of it."""

    __slots__ = ("attribution", "body", "confidence", "end", "hint", "kind", "level", "marks", "start", "text")

    def __init__(self, start: int, body: int, end: int, marks: int, text: str) -> None:
        self.start = start
        self.body = body
        self.end = end
        self.marks = marks
        self.text = text
        self.hint = ""
        self.level = marks
        self.kind = ""
        self.confidence = 1.0
        self.attribution: int | None = None


def read_lines(text: str) -> list[Line]:
    """The lines of a text, their line ends with them; the last may lack one. Limits: 10,000 lines, the rest is one."""
    lines: list[Line] = []
    doubtful = False
    start = 0
    for raw in text.split("\n", MAX_LINES):
        words = raw.strip()
        end = start + len(raw) + 1
        if raw[:2] == "> " and raw[2:3] not in " \t" and ">" not in raw[2:17] and "|" not in raw[2:4]:
            lines.append(Line(start, start + 2, end, 1, raw[2:].strip()))
        elif (">" in words[:13] or words[:1] == "|") and (words[0] in ">|" or words[0].isupper()) and not _SUPERCITE.match(words):
            line = _read_marks(text, start, min(end, len(text)), words)
            doubtful = doubtful or line.hint == "?"
            lines.append(line)
        else:
            lines.append(Line(start, start, end, 0, words))
        start = end
    if lines[-1].start >= len(text):
        lines.pop()
    else:
        lines[-1].end = len(text)
    if doubtful:
        _settle(text, lines)
    if ">>>" in text:
        _unmark_prompts(text, lines)
    _take_strays(lines)
    return lines


def _take_strays(lines: list[Line]) -> None:
    """Words that a mail program broke off a quoted line that had become too long belong to the quote.

    Only a short line directly between two quoted ones of one level, of which the upper is full and ends in a word.
    """
    for index in range(1, len(lines) - 1):
        line = lines[index]
        if line.marks or not 0 < len(line.text) <= _LONGEST_STRAY:
            continue
        above, below = lines[index - 1], lines[index + 1]
        if above.marks == 0 or above.marks != below.marks or not above.text or not below.text:
            continue
        full = above.end - above.start + len(line.text.split(None, 1)[0]) > _FULL_LINE
        if full and (above.text[-1].isalnum() or above.text[-1] in ",;-") and line.text[0].islower() and below.text[0].isalnum():
            line.marks = line.level = above.marks
            line.confidence = 0.7


def _unmark_prompts(text: str, lines: list[Line]) -> None:
    """Python's `>>>` is no quote of the third level, where no line has the first or second."""
    marked = [line for line in lines if line.marks]
    if any(line.marks < 3 for line in marked):
        return
    for line in marked:
        line.marks = line.level = 0
        line.body, line.text = line.start, text[line.start : line.end].strip()


def _read_marks(text: str, start: int, end: int, words: str) -> Line:
    marks = _MARKS.match(text, start, end)
    if marks is None:
        return Line(start, start, end, 0, words)
    prefix = marks[0]
    body = marks.end()
    line = Line(start, body, end, min(prefix.count(">") + prefix.count("|"), MAX_LEVEL), text[body:end].strip())
    if prefix[0] != ">" or _FROM.match(text, start):
        line.hint = "?"
    return line


def _settle(text: str, lines: list[Line]) -> None:
    """Take away marks for which only one line speaks."""
    initials: dict[str, int] = {}
    for line in lines:
        if line.hint == "?" and (match := _INITIALS.match(text[line.start : line.body].strip())):
            initials[match[1]] = initials.get(match[1], 0) + 1
    for index, line in enumerate(lines):
        if line.hint != "?":
            continue
        line.hint = ""
        prefix = text[line.start : line.body]
        match = _INITIALS.match(prefix.strip())
        before = lines[index - 1] if index else None
        after = lines[index + 1] if index + 1 < len(lines) else None
        if match:
            keep = initials[match[1]] > 1 and match[1] not in _PROMPTS
        elif prefix.strip().startswith("|"):
            keep = _is_bar_quote(text, line, before, after)
        elif prefix.startswith(">"):  # `>From `
            keep = bool((before and before.marks and before.text) or (after and after.marks and after.text))
        elif len(prefix) - len(prefix.lstrip()) > 3:
            keep = ">>>" not in prefix and (bool(initials) or _alike(before, line) or _alike(after, line))
        else:
            keep = True
        if not keep:
            line.marks, line.body, line.text = 0, line.start, text[line.start : line.end].strip()
            line.level = 0


def _alike(other: Line | None, line: Line) -> bool:
    return other is not None and other.marks > 0 and other.body - other.start == line.body - line.start


_PROMPTS = frozenset(("SQL", "C", "D", "PS", "DB", "IN", "OK", "A"))


def _is_bar_quote(text: str, line: Line, before: Line | None, after: Line | None) -> bool:
    """Bars before several lines, none behind them and none within: else it is a table or a drawing."""

    def begins(other: Line | None) -> bool:
        return other is not None and text[other.start : other.end].lstrip(" ").startswith("|")

    indented = text[line.body : line.body + 1] in (" ", "\t")
    return not indented and "|" not in line.text and "+-" not in line.text and (begins(before) or begins(after))


def strip_marks(text: str) -> str:
    """A text without the quote marks before its lines."""
    return "".join(text[line.body : line.end] for line in read_lines(text))

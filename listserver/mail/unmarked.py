"""Where a quote without marks ends, as web forums write it below `NAME said:`.

It has no end that can be seen. Written last, it reaches to the end; at the top of a post the writer's answer must stand
somewhere below it: behind the quoted person's name as a signature, from a greeting on, else from the second paragraph,
with little confidence.
"""

from __future__ import annotations

import re

from listserver.mail.introductions import Found
from listserver.mail.quotemarks import Line

_UNSURE = 0.5
_FAR = 30  # lines before an introduction
_MOST_GREETING = 5  # words
_PREFIX = re.compile(r"[^\w\s\"'(\[<“«„¿¡@*$&/.…-]{1,3}(?=[\s\w])|-{1,3}[\])}>|]")
_GREETING = re.compile(
    r"(?:@\s?\w|(?:hi|hiya|hello|hey|dear|thanks|thank you|thx|cheers|ok|okay|yes|no|good (?:morning|day|evening)|hallo|moin|lieber?|danke|"
    r"servus|bonjour|salut|merci|hola|gracias|ol[áa]|obrigad[oa]|ciao|grazie|hoi|dag|bedankt|hej|tack|takk|tak|cześć|dzięki|ahoj|"
    r"привет|спасибо|здравствуйте|你好|谢谢|こんにちは|ありがとう)(?:\b|(?<=[^\W\da-z]))[ ,!.，、！:]?)",
    re.I,
)


def said_before(lines: list[Line], each: Found) -> bool:
    """Whether the same person wrote words above an introduction, more than a greeting."""
    marks = lines[each.first].marks
    words = [
        line.text for line in lines[max(0, each.first - _FAR) : each.first] if line.text and line.marks == marks and not line.kind
    ]
    if len(words) == 1 and len(words[0].split()) <= _MOST_GREETING and words[0][-1] in ",!:，！" and _GREETING.match(words[0]):
        return False
    return bool(words)


def end_of_quote(lines: list[Line], found: list[Found], place: int) -> tuple[int, float] | None:
    """Where a quote without marks ends, and how sure what follows is the writer's; None: it reaches as far as it can."""
    each = found[place]
    if each.kind == "header_block" or lines[each.first].hint in ("attribution", "block"):
        return None
    following = found[place + 1] if place + 1 < len(found) else None
    if following is not None and following.is_end:
        return None
    before = said_before(lines, each)
    if before and each.introduction.date is not None:
        return None
    stop = following.first if following is not None else len(lines)
    end = _end_of_prefix(lines, each.last, stop)
    if end is not None:
        return end, 0.9
    starts = _paragraphs(lines, each, stop)
    end = _behind_signature(lines, each, stop) or next((index for index in starts[1:] if _greets(lines[index].text, each)), None)
    if end is not None:
        return end, 0.8
    if before and following is None:
        return None
    end = next((index for index in starts[1:] if _GREETING.match(lines[index].text)), None)
    if end is not None:
        return end, 0.7
    if len(starts) > 1:
        return starts[1], _UNSURE
    return (stop, _UNSURE) if following is not None else None


def _paragraphs(lines: list[Line], each: Found, stop: int) -> list[int]:
    """The lines that begin a paragraph below an introduction, at its marks."""
    marks = lines[each.first].marks
    return [
        index
        for index in range(each.last, stop)
        if lines[index].text and lines[index].marks == marks and (index == each.last or not lines[index - 1].text)
    ]


def _greets(words: str, each: Found) -> bool:
    """Whether a paragraph speaks to the person who is quoted."""
    names = each.introduction.name.lower().split()
    if not names:
        return False
    lowered = words[:60].lower()
    if lowered.startswith((f"{names[0]},", f"{names[0]}:", f"@{names[0]}", f"@{''.join(names)}")):
        return True
    return _GREETING.match(words) is not None and re.search(rf"\b{re.escape(names[0])}\b", lowered) is not None


def _behind_signature(lines: list[Line], each: Found, stop: int) -> int | None:
    """Where the words go on behind a line that is only the name of the person who is quoted."""
    names = each.introduction.name.lower().split()
    if not names:
        return None
    whole = (names[0], " ".join(names))
    for index in range(each.last + 1, stop - 1):
        if lines[index].text.strip(" -–—,.~").lower() in whole:
            return next((later for later in range(index + 1, stop) if lines[later].text), None)
    return None


def _end_of_prefix(lines: list[Line], first: int, stop: int) -> int | None:
    """Where lines end that all begin with the same strange signs, somebody's own quote mark: `--]`."""
    index = first
    while index < stop and not lines[index].text:
        index += 1
    match = _PREFIX.match(lines[index].text) if index < stop and lines[index].marks == lines[first - 1].marks else None
    if match is None:
        return None
    while index < stop and (not lines[index].text or lines[index].text.startswith(match[0])):
        index += 1
    return index

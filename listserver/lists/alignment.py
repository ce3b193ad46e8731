"""Lay a quote beside the text that it quotes: how much of it is there, word for word, and whether it was changed.

Wrapping, marks, case and punctuation change nothing. What is cut away in long stretches is a shorter quote; a word that
was put in, put in another's place, or taken out from between its neighbours is a changed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from listserver.lists.fingerprints import LINK, RUN, words_of
from listserver.mail.quoting import SplitText

_WORD = re.compile(r"[^\W_]+")
_MOST = 2_000  # words of a quote and of a text that are laid side by side
_CUT = 3  # so many words taken out at once are a cut; fewer are a change
_OMISSION = frozenset(("snip", "snipped", "cut", "trimmed"))


class _Token(NamedTuple):
    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """`characters` of the quote stand in the text as they are; `changed` when words between them do not."""

    characters: int
    changed: bool


def align(quoting: SplitText, source: SplitText) -> Alignment:
    """Compare what a post quotes with the own words of another. Limits: 2,000 words of each quote and of the text."""
    theirs = [token for span in source.spans if span.level == 0 for token in _tokens(source.text, span.start, span.end)][:_MOST]
    runs = set(_runs(theirs))
    characters, changed = 0, False
    for start, end in _quotes(quoting):
        mine = _tokens(quoting.text, start, end)[:_MOST]
        found = [index for index, run in enumerate(_runs(mine)) if run in runs]
        if not found:
            continue
        mine = mine[found[0] : found[-1] + RUN]
        if len(found) * 2 < len(mine) - RUN + 1:  # others' words mostly; only what is the same counts
            covered = {index + k for index in found for k in range(RUN)}
            characters += sum(token.end - token.start + 1 for index, token in enumerate(mine, start=found[0]) if index in covered)
            continue
        one = _lay(mine, theirs)
        characters += one.characters
        changed = changed or one.changed
    return Alignment(characters, changed)


def _quotes(quoting: SplitText) -> Iterable[tuple[int, int]]:
    """The stretches of quoted text, each of one level."""
    return [(span.start, span.end) for span in quoting.spans if span.level > 0 and span.kind in ("quote", "forwarded")]


def _lay(mine: list[_Token], theirs: list[_Token]) -> Alignment:
    words, others = [token.word for token in mine], [token.word for token in theirs]
    start = _first(others, words[:RUN])
    end = len(others) - _first(others[::-1], words[: -RUN - 1 : -1])
    if end <= start:
        start, end = 0, len(others)
    characters, changed = 0, False
    for step in Levenshtein.opcodes(others[start:end], words):
        if step.tag == "equal":
            characters += mine[step.dest_end - 1].end - mine[step.dest_start].start
        elif step.tag == "delete":
            changed = changed or step.src_end - step.src_start < _CUT
        elif step.tag == "insert" or step.src_end - step.src_start < 4 * (step.dest_end - step.dest_start):
            changed = changed or not _OMISSION.issuperset(words[step.dest_start : step.dest_end])
    return Alignment(characters, changed)


def _first(words: list[str], run: list[str]) -> int:
    """Where a run of words begins; 0 when it is not there."""
    return next((i for i in range(len(words) - len(run) + 1) if words[i] == run[0] and words[i : i + len(run)] == run), 0)


def _tokens(text: str, start: int, end: int) -> list[_Token]:
    piece = LINK.sub(lambda match: " " * len(match[0]), text[start:end])
    found = []
    for match in _WORD.finditer(piece):
        folded = "".join(words_of(match[0]))
        if folded:
            found.append(_Token(folded, start + match.start(), start + match.end()))
    return found


def _runs(tokens: list[_Token]) -> list[tuple[str, ...]]:
    words = [token.word for token in tokens]
    return list(zip(*(words[k:] for k in range(RUN)), strict=False))

"""Text → the words by which it is found: one rule for what is stored and for what is asked, on every database.

NFKD without the accents of European scripts, case folded; runs of letters and digits, with the vowel signs of scripts that
write them as marks. Scripts without spaces (Han, kana, Thai, Khmer …) become one word a character, so that any piece of
them is found as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_TEXT = 200_000  # characters that are looked at
MAX_WORDS = 16_000  # a tsvector numbers no more positions than that
_LONGEST_WORD = 64  # longer runs are keys and encoded data; nobody looks for them
_MOST_TERMS = 32

_ACCENTS = re.compile("[\u0300-\u036f]+")
_MARKS = frozenset(chr(n) for n in range(0x370, 0xE0000) if unicodedata.category(chr(n)) in ("Mn", "Mc"))
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"[^\W_]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of some texts in order. Limits: 200,000 characters, 16,000 words, 64 characters a word."""
    text = "\n".join(texts)[:MAX_TEXT]
    found = _ASCII_WORD.findall(text.lower()) if text.isascii() else _other_words(text)
    if len(found) > MAX_WORDS:
        found = found[:MAX_WORDS]
    return found if max(map(len, found), default=0) <= _LONGEST_WORD else [word for word in found if len(word) <= _LONGEST_WORD]


def _other_words(text: str) -> list[str]:
    """Words in any script; the slower patterns only where a text has such signs."""
    text = _folded(text)
    characters = set(text)
    if _UNSPACED.search("".join(characters)):
        text = _UNSPACED.sub(r" \g<0> ", text)
    marks = characters & _MARKS
    pattern = _WORD if not marks else re.compile(rf"(?:[^\W_]|[{''.join(sorted(marks))}])+")
    return pattern.findall(text)


def _folded(text: str) -> str:
    """Case and accents folded; what was taken apart only for that is put together again."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text))).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One thing that is looked for: words in this order; the last may go on (`boil*`); `excluded`: it must not be there."""

    words: tuple[str, ...]
    goes_on: bool = False
    excluded: bool = False


def parse_query(text: str) -> tuple[Term, ...]:
    """What somebody typed: every word must be there, `"a phrase"` as it stands, `-word` not at all, `boil*` its beginning.

    Never raises; whatever holds no word looks for nothing.
    """
    terms = []
    for match in _TERM.finditer(text[:1000]):
        shown = match[2] if match[2] is not None else match[3]
        words = tuple(words_of([shown]))
        if words:
            terms.append(Term(words=words, goes_on=match[2] is None and shown.endswith("*"), excluded=bool(match[1])))
    return tuple(dict.fromkeys(terms))[:_MOST_TERMS]

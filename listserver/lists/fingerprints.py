"""What a post's text says, as fingerprints: its own words, what it quotes, and all of it together.

A fingerprint is a run of four words, hashed to 64 bits (shingles: A. Broder, "On the resemblance and containment of
documents", 1997): quoting, wrapping, punctuation, accents and letter case do not change it. Scripts written without spaces
are taken sign by sign, six signs a run. Surprise: where a text has more than `MOST` of them, those with the smallest hash are kept,
so that two long texts keep the same ones and can still be compared (bottom-k sketch, same paper).
Everything here is pure and can run in another process.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from listserver.mail.headers import Header
from listserver.mail.quoting import Attribution, SplitText, split_body

RULES = 1  # the version of these rules; posts read by an older one can be read again
RUN = 4  # words of a fingerprint
TAIL = 50  # fingerprints at the end of a text, in which a list's footer is looked for
MOST = 3_000  # fingerprints of one text
_FULL = 12  # the weight of a run: a word weighs 3, a sign 2
_LONGEST = 400_000  # characters that are looked at
_LOW = 0xFFFFFFFF

_WORD = re.compile(r"[^\W_]+")
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ACCENTS = re.compile("[\u0300-\u036f]+")
_SIGN = re.compile(f"[{_NO_SPACES}]")
_SIGN_OR_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W_{_NO_SPACES}]+")
# Addresses of pages are broken, expanded and rewritten on their way: they are no words.
LINK = re.compile(r"<?\b(?:https?|ftp|mailto):[^\s<>\"]{1,2000}>?|<[^\s<>]{1,200}@[^\s<>]{1,200}>", re.I)
_GREETING_WORDS = 5
_GREETING_END = re.compile(r"[,!:.;，：！、]|\s[-–—]+(?:\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One text, read. `own`, `near` and `far` hold 64-bit fingerprints in the order of the text, each once.

    `near` is what is quoted at the first level, `far` what stands deeper; `whole` holds the lower halves of all, sorted;
    `tail` those of the last ones, in order.
    `short` is the writer's own text where it is too short for a fingerprint. `greeting` holds the first words of own
    text where they could call somebody by name. `sure`: marks or HTML show the quotes, not only a line above them.
    """

    own: array[int]
    near: array[int]
    far: array[int]
    whole: array[int]
    tail: array[int]
    short: str
    attributions: tuple[Attribution, ...]
    greeting: tuple[str, ...]
    sure: bool = True

    @property
    def quotes(self) -> bool:
        """Whether a quote is marked in it, by signs, by HTML or by words."""
        return bool(self.near or self.far)


def read_post(raw: bytes, header: Header) -> Reading:
    """Split a message's text and take its fingerprints. Never raises; costs are linear in the text."""
    return read_split(split_body(raw, header))


def read_split(split: SplitText) -> Reading:
    """The fingerprints of a text whose quotes are known."""
    words: list[str] = []
    stretches: list[tuple[int, int, int]] = []  # of words: start, end, level; own text has level 0, what is no text -1
    for level, text in _stretches(split):
        start = len(words)
        words += words_of(text)
        stretches.append((start, len(words), level))
    runs = _Runs(words)
    near = runs.within((start, end) for start, end, level in stretches if level == 1)
    quoted = runs.within(_joined((start, end) for start, end, level in stretches if level >= 1))
    own = runs.within((start, end) for start, end, level in stretches if level == 0)
    own_words = [word for start, end, level in stretches if level == 0 for word in words[start:end]]
    outer = tuple(each for each in split.attributions if each.level == 0)
    return Reading(
        own=_kept(own),
        near=_kept(near),
        far=_kept(dict.fromkeys(each for each in quoted if each not in near)),
        whole=whole_of(runs.hashes),
        tail=array("I", low(runs.hashes[-TAIL:])),
        short=" ".join(own_words) if len(own_words) < RUN else "",
        attributions=outer,
        greeting=_greeting(split),
        sure=any(span.level and span.confidence >= 1.0 for span in split.spans),
    )


def _stretches(split: SplitText) -> Iterator[tuple[int, str]]:
    """The text in stretches of one level; the writer's signature and attributions are part of no level (-1)."""
    start = level = 0
    for span in split.spans:
        its = span.level if span.level or span.kind == "own" else -1
        if its != level:
            if span.start > start:
                yield level, split.text[start : span.start]
            start, level = span.start, its
    yield level, split.text[start:]


def _joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that touch each other, as one."""
    out: list[tuple[int, int]] = []
    for start, end in stretches:
        if out and out[-1][1] == start:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def _greeting(split: SplitText) -> tuple[str, ...]:
    """The words of a short first line of own text, or of what stands before its first comma: "Hi Ann," "Ann, I think"."""
    for span in split.spans:
        if span.level == 0 and span.kind == "own":
            for line in split.text[span.start : span.end].split("\n", 20)[:20]:
                if line.strip():
                    head = _GREETING_END.split(line.strip(), maxsplit=1)[0]
                    words = words_of(head)
                    return tuple(words) if len(words) <= _GREETING_WORDS else ()
    return ()


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: compatible forms, without case and accents (Unicode UAX #15)."""
    text = text[:_LONGEST]
    if "://" in text or "@" in text or "mailto:" in text:
        text = LINK.sub(" ", text)
    if text.isascii():
        return _WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", folded))
    return _SIGN_OR_WORD.findall(folded) if _SIGN.search(folded) else _WORD.findall(folded)


def shingles_of(text: str) -> list[int]:
    """The fingerprints of a text, in order, each once."""
    return list(dict.fromkeys(_Runs(words_of(text)).hashes))


def whole_of(shingles: Iterable[int]) -> array[int]:
    """The compact form in which a whole text is kept: the lower halves, sorted, the smallest `MOST` of them."""
    return array("I", sorted({each & _LOW for each in shingles})[:MOST])


def low(shingles: Iterable[int]) -> list[int]:
    """The lower halves of fingerprints, as they stand in a whole text."""
    return [each & _LOW for each in shingles]


class _Runs:
    """The runs of a list of words: `hashes[i]` is that of the run which begins at word i."""

    def __init__(self, words: Sequence[str]) -> None:
        if any(map(_SIGN.match, words)):
            self._ends: list[int] | None = _ends(words)
            texts: Iterable[str] = [" ".join(words[start:end]) for start, end in enumerate(self._ends)]
        else:
            self._ends = None
            texts = map(" ".join, zip(words, words[1:], words[2:], words[3:], strict=False))
        packed = b"".join([blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts])
        self.hashes: tuple[int, ...] = struct.unpack(f"<{len(packed) // 8}q", packed)

    def within(self, stretches: Iterable[tuple[int, int]]) -> dict[int, None]:
        """The hashes of runs that lie inside one of these stretches of words, in order, each once."""
        found: dict[int, None] = {}
        for start, end in stretches:
            last = end - RUN + 1 if self._ends is None else bisect_right(self._ends, end)
            found.update(dict.fromkeys(self.hashes[start:last] if last > start else ()))
        return found


def _ends(words: Sequence[str]) -> list[int]:
    """Where each run ends, with signs among the words: a run is as long as four words or six signs."""
    weights = [2 if _SIGN.match(word) else 3 for word in words]
    ends: list[int] = []
    end = total = 0
    for weight in weights:
        while total < _FULL and end < len(words):
            total += weights[end]
            end += 1
        if total < _FULL:
            break
        ends.append(end)
        total -= weight
    return ends


def _kept(shingles: Iterable[int]) -> array[int]:
    """At most `MOST`: those with the smallest lower half, still in the order of the text."""
    shingles = list(shingles)
    if len(shingles) > MOST:
        limit = sorted(each & _LOW for each in shingles)[MOST - 1]
        shingles = [each for each in shingles if each & _LOW <= limit][:MOST]
    return array("q", shingles)


def learn_footer(tails: Sequence[Sequence[int]]) -> frozenset[int]:
    """What most posts of a list end with: the fingerprints that stand in at least two fifths of these tails.

    Limits: nothing is learnt from fewer than twenty posts.
    """
    if len(tails) < 20:
        return frozenset()
    counts = Counter(each for tail in tails for each in set(tail))
    return frozenset(each for each, count in counts.items() if count * 5 >= len(tails) * 2)

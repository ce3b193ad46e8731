"""The words that people write to a list, in every language at once, and how words are compared.

Words come from data (`templates/mail/<lang>/words.toml`, read by `render.languages`): a line that is wholly a known word,
politeness aside, has its meaning. Words are compared joined, so that *opt-out*, *optout* and *opt out* are one; first with
accents, then without. No two meanings may share a word, but for those that a missing accent makes alike (resume, résumé):
there the language of who wrote decides, or we ask.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from rapidfuzz.distance import OSA

LONGEST_LINE = 300


class Meaning(StrEnum):
    """What a word asks for."""

    join = "join"  # type: ignore[assignment]  # str has a method of that name; the word is the glossary's
    leave = "leave"
    yes = "yes"
    no = "no"
    digest = "digest"
    each = "each"
    followed = "followed"
    pause = "pause"
    resume = "resume"
    help = "help"
    settings = "settings"
    mute = "mute"
    unmute = "unmute"
    follow = "follow"
    unfollow = "unfollow"
    undo = "undo"
    approve = "approve"
    approve_always = "approve_always"
    reject = "reject"
    discard = "discard"
    remove_posts = "remove_posts"
    members = "members"
    # with a value, known by their form
    format = "format"  # type: ignore[assignment]  # as above
    timezone = "timezone"
    language = "language"
    receipts = "receipts"
    reminders = "reminders"
    notices = "notices"
    send = "send"
    move = "move"
    invite = "invite"
    remove = "remove"
    moderate = "moderate"


# Of these sets only one can be meant; two of one set in a mail exclude each other.
EXCLUDING = (
    frozenset((Meaning.digest, Meaning.each, Meaning.followed)),
    frozenset((Meaning.join, Meaning.leave)),
    frozenset((Meaning.pause, Meaning.resume)),
    frozenset((Meaning.yes, Meaning.no)),
    frozenset((Meaning.mute, Meaning.unmute)),
    frozenset((Meaning.follow, Meaning.unfollow)),
    frozenset((Meaning.approve, Meaning.approve_always, Meaning.reject, Meaning.discard)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one language, as its file has them."""

    code: str
    names: tuple[str, ...]
    words: Mapping[Meaning, tuple[str, ...]]
    phrases: Mapping[str, tuple[str, ...]]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Known:
    """One known word: what it means, in which language, and its accented form."""

    meaning: Meaning
    language: str
    word: str


def fold(text: str) -> str:
    """A line as it is compared: NFKC, lower case (the Turkish i's too), plain quotes, no brackets, bullets or final marks."""
    text = unicodedata.normalize("NFKC", text[:LONGEST_LINE]).replace("İ", "i").replace("ı", "i")
    text = text.casefold().replace("\u0307", "").translate(_PLAIN)
    text = _DECORATION.sub(" ", text)
    return " ".join(_FINAL.sub(" ", text).split())


_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "‛": "'", "`": "'", "´": "'", "“": " ", "”": " ", "„": " ", '"': " ", "«": " ", "»": " "}
)
_DECORATION = re.compile(r"^[\s*•·–—_>|#~+=-]+|[()\[\]{}<>]|(?<!\w)'|'(?!\w)")
_FINAL = re.compile(r"[.!?,;:…؟*]+(?=\s|$)|[¿¡。！？，；：、]+|(?<=[\u3040-\u9fff])[.!?,;:]+")


def joined(words: str) -> str:
    """The words without what people set between them: spaces, hyphens, apostrophes."""
    return _BETWEEN.sub("", words)


_BETWEEN = re.compile(r"[\s'‐‑–-]+")


def plain(text: str) -> str:
    """Without accents: what is left when a keyboard has none."""
    text = text.replace("ł", "l").replace("ß", "ss").replace("ø", "o").replace("æ", "ae").replace("œ", "oe")
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


class Vocabulary:
    """All languages together. Raises: ValueError, naming both, when one word has two meanings."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self.languages = {language.code: language for language in languages}
        self._exact: dict[str, list[Known]] = {}
        self._plain: dict[str, list[Known]] = {}
        for language in self.languages.values():
            for meaning, words in language.words.items():
                for word in words:
                    known = Known(meaning, language.code, word)
                    key = joined(fold(word))
                    self._exact.setdefault(key, []).append(known)
                    self._plain.setdefault(plain(key), []).append(known)
        self._polite = any_of(self.phrases("polite"))
        self._stripped: dict[str, set[Meaning]] = {}
        for known in [each for found in self._exact.values() for each in found]:
            short = self.impolite(fold(known.word))
            if short != fold(known.word) and " " in short:
                self._stripped.setdefault(plain(joined(short)), set()).add(known.meaning)
        for key, found in self._exact.items():
            if len({known.meaning for known in found}) > 1:
                told = ", ".join(f"{known.meaning} in {known.language}" for known in found)
                raise ValueError(f"the word {key!r} has two meanings: {told}")

    def find(self, line: str, language: str = "") -> set[Meaning]:
        """What a folded line may mean: nothing, one thing, or, when an accent is missing, several."""
        key = joined(line)
        exact = self._exact.get(key, [])
        found = self._plain.get(plain(key), [])
        if exact and key != plain(key):
            found = exact
        meanings = {known.meaning for known in found}
        if not meanings:
            stripped = self._stripped.get(plain(key), set())
            return set(stripped) if len(stripped) == 1 else set()
        if len(meanings) > 1:
            own = {known.meaning for known in found if known.language == language}
            if len(own) == 1:
                return own
        return meanings

    def near(self, line: str) -> list[Known]:
        """Known words of five letters or more that are one slip away from the whole line; they never act.

        An opposite that looks almost the same as one of them (anmelden, abmelden) is named with it.
        """
        key = plain(joined(line))
        if not 4 <= len(key) <= 40:
            return []
        found: dict[Meaning, Known] = {}
        for candidate in self._alike(key, 1):
            for near in [candidate, *self._alike(candidate, 2)] if len(candidate) >= 6 else [candidate]:
                for known in self._plain[near]:
                    if near == candidate or known.meaning != self._plain[candidate][0].meaning:
                        found.setdefault(known.meaning, known)
        return list(found.values())

    def _alike(self, key: str, slips: int) -> list[str]:
        """Known words of five letters or more at most so many slips away: a letter wrong, missing, too many, or two swapped."""
        return [
            word
            for word in self._plain
            if len(word) >= 5 and abs(len(word) - len(key)) <= slips and 0 < OSA.distance(word, key, score_cutoff=slips) <= slips
        ]

    def impolite(self, folded: str) -> str:
        """A folded line without greetings and politeness."""
        if is_unspaced(folded):
            for phrase in sorted(self.phrases("polite"), key=len, reverse=True):
                if is_unspaced(phrase):
                    folded = folded.replace(phrase, "")
        return " ".join(self._polite.sub(" ", folded).split())

    def phrases(self, name: str) -> frozenset[str]:
        """A kind of phrase, folded, of all languages."""
        return self._phrases.get(name, frozenset())

    @cached_property
    def _phrases(self) -> dict[str, frozenset[str]]:
        gathered: dict[str, set[str]] = {}
        for language in self.languages.values():
            for name, phrases in language.phrases.items():
                gathered.setdefault(name, set()).update(fold(phrase) for phrase in phrases)
        return {name: frozenset(phrases) for name, phrases in gathered.items()}

    @cached_property
    def unspaced(self) -> tuple[str, ...]:
        """Known words and negations of scripts that set no spaces, the longest first."""
        words = {key for key in self._exact if _UNSPACED.search(key)}
        words |= {phrase for phrase in self.phrases("negation") | self.phrases("polite") if _UNSPACED.search(phrase)}
        return tuple(sorted(words, key=len, reverse=True))


_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")


def is_unspaced(text: str) -> bool:
    """Whether a text is written in a script that sets no spaces between words."""
    return _UNSPACED.search(text) is not None


def any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """Any of the phrases as whole words, the longest first."""
    ordered = sorted({p for p in phrases if p}, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(p)}(?!\w)" for p in ordered) or r"(?!)")


def exclude_each_other(meanings: Sequence[Meaning]) -> bool:
    """Whether two of them cannot both be meant."""
    asked = set(meanings)
    return any(len(asked & group) > 1 for group in EXCLUDING)

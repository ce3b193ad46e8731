"""Read a mail for words: what a careful postmaster would take it to ask, and when they would rather ask back.

Words decide, silence never does. A line acts only when it is *wholly* a known word with its value, politeness aside; a near
word, a negation, a question, words that exclude each other never act. What reads like a letter goes to a person.
Invariant: `Reading.commands` is empty unless `kind` is `commands`; nothing else may act.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from listserver.lists.moments import Moments, Unusable, read_hour
from listserver.lists.vocabulary import Meaning, Vocabulary, any_of, exclude_each_other, fold, is_unspaced, joined, plain

MOST_LINES = 10
MOST_COMMANDS = 5
A_LETTER = 12  # words: so many read as if they were meant for a person
_REACH = 3  # words between a negation and what it negates


class ReadingKind(StrEnum):
    """What came of reading."""

    commands = "commands"
    empty = "empty"
    near = "near"
    negated = "negated"
    excluding = "excluding"
    question = "question"
    unclear = "unclear"
    """A word or value with two meanings."""
    letter = "letter"
    unknown = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing that was asked for; `problem` says why its value cannot be used."""

    meaning: Meaning
    value: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a mail asks for. `offers` are what we might have meant to hear, `unread` the short lines that we did not act on."""

    kind: ReadingKind
    commands: tuple[Command, ...] = ()
    offers: tuple[Meaning, ...] = ()
    choices: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    words: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Around a reading: the day, the writer's language and own names, the list's names, and whether it came to a role address."""

    today: date
    language: str = "en"
    names: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    at_role_address: bool = True


class Reader:
    """Reads lines, texts and whole mails with one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._moments = Moments(vocabulary)
        phrases = vocabulary.phrases
        self._negation = any_of(phrases("negation"))
        self._how = any_of(phrases("how"))
        self._closing = phrases("closing")
        self._device = tuple(sorted(phrases("device")))
        self._disclaimer = tuple(sorted(phrases("disclaimer")))
        self._zones = {
            plain(fold(name)): language.code
            for language in vocabulary.languages.values()
            for name in (*language.names, language.code)
        }
        values = [language.values for language in vocabulary.languages.values()]
        self._at = any_of({fold(word) for each in values for word in each.get("at", ())})
        self._to = {fold(word) for each in values for word in each.get("to", ())}
        self._on = {fold(word) for each in values for word in each.get("on", ())}
        self._off = {fold(word) for each in values for word in each.get("off", ())}

    # -- a whole mail ----------------------------------------------------------------------------------------

    def read_mail(self, subject: str, text: str, context: Context, *, is_reply: bool) -> Reading:
        """`subject` without list tags and reply marks, `text` without what it quotes."""
        lines = list(self.lines_of(text, context))
        below = self._read_lines(lines, context)
        above = self._line(subject, context) if subject.strip() else None
        if above is not None and not lines and above.kind is ReadingKind.commands:
            return above
        if above is None or above.kind is not ReadingKind.commands or is_reply:
            if lines or is_reply or above is None:
                return below
            return (
                above if above.kind is not ReadingKind.unknown else _of_kind(_letter_or_unknown(above.words), words=above.words)
            )
        asked = [command.meaning for command in above.commands]
        if below.kind is ReadingKind.negated:
            return _of_kind(ReadingKind.negated, offers=tuple(asked), words=below.words)
        if below.kind is ReadingKind.commands and exclude_each_other([*asked, *(c.meaning for c in below.commands)]):
            return _of_kind(ReadingKind.excluding, offers=(*asked, *(c.meaning for c in below.commands)), words=below.words)
        return above

    def read_text(self, text: str, context: Context) -> Reading:
        """A text by itself."""
        return self._read_lines(list(self.lines_of(text, context)), context)

    def lines_of(self, text: str, context: Context) -> Iterator[str]:
        """The lines that may be words: until a signature, a closing, a device line or a disclaimer; ten at most."""
        names = {fold(name) for name in context.names if name.strip()}
        names |= {part for name in names for part in name.split()}
        given = [line.strip() for line in text.split("\n")[:2000]]
        count = 0
        for index, line in enumerate(given):
            folded = fold(line)
            if not folded and not line:
                continue
            if line.rstrip() == "--" or self._ends_here(given, index, folded):
                return
            if folded in names:
                continue
            if not folded and line not in ("?", "？"):
                continue
            count += 1
            yield line
            if count == MOST_LINES:
                return

    def _ends_here(self, lines: list[str], index: int, folded: str) -> bool:
        """Whether what follows is no longer the writer speaking to us."""
        if folded in self._closing and index:
            return True
        if index and not lines[index - 1] and len(folded.split()) <= 10 and folded.startswith(self._device):
            return True
        return bool(index) and set(lines[index - 1]) <= set("-_=* ") and folded.startswith(self._disclaimer)

    def _read_lines(self, lines: list[str], context: Context) -> Reading:
        readings = [self._line(line, context) for line in lines]
        words = sum(reading.words for reading in readings)
        commands: list[Command] = []
        unread: list[str] = []
        for line, reading in zip(lines, readings, strict=True):
            if reading.kind is ReadingKind.commands:
                if (
                    commands
                    and any(c.meaning is Meaning.leave for c in reading.commands)
                    and joined(fold(line)) in ("stop", "end")
                ):
                    break
                commands += [command for command in reading.commands if command not in commands]
            elif reading.kind is not ReadingKind.empty:
                unread.append(line)
        if commands:
            return _with_others(commands[:MOST_COMMANDS], unread, readings, words)
        doubtful = [r for r in readings if r.kind not in (ReadingKind.unknown, ReadingKind.empty, ReadingKind.letter)]
        if words >= A_LETTER:
            return _of_kind(ReadingKind.letter, words=words)
        if doubtful:
            return doubtful[0]
        return _of_kind(ReadingKind.unknown if words else ReadingKind.empty, words=words)

    # -- one line --------------------------------------------------------------------------------------------

    def _line(self, line: str, context: Context) -> Reading:
        if line.strip() in ("?", "？"):
            return _command(Meaning.help)
        folded = fold(line)
        for name in context.lists:
            folded = re.sub(rf"(?:^|\s){re.escape(fold(name))}(?=\s|$)", " ", folded).strip()
        count = _words_in(folded)
        if not folded:
            return _of_kind(ReadingKind.empty)
        asks = line.rstrip().endswith(("?", "？"))
        whole = self._meaning(folded, context)
        if whole is not None:
            return _question(whole, count) if asks and not self._how.search(folded) else whole
        short = self._vocabulary.impolite(folded)
        if self._how.search(folded):
            return self._how_question(folded, context, count)
        if not short:
            return _of_kind(ReadingKind.empty)
        found = self._meaning(short, context)
        if found is not None:
            requested = asks and short == folded
            return _question(found, count) if requested else found
        return self._in_doubt(folded, short, context, count)

    def _meaning(self, words: str, context: Context) -> Reading | None:
        """What the words wholly are: a known word, or one with its value."""
        found = self._vocabulary.find(words, context.language)
        if len(found) == 1:
            return _command(found.pop())
        if found:
            return _of_kind(ReadingKind.unclear, offers=tuple(sorted(found)), words=_words_in(words))
        return self._with_value(words, context)

    def _how_question(self, folded: str, context: Context, count: int) -> Reading:
        rest = self._vocabulary.impolite(" ".join(self._how.sub(" ", folded, count=1).split()))
        found = self._vocabulary.find(rest, context.language)
        if len(found) == 1:
            meaning = found.pop()
            return (
                _command(meaning) if context.at_role_address else _of_kind(ReadingKind.question, offers=(meaning,), words=count)
            )
        return _of_kind(_letter_or_unknown(count), words=count)

    def _in_doubt(self, folded: str, short: str, context: Context, count: int) -> Reading:
        """Not wholly a known word: negated, one slip away, or something else."""
        named = self._negated(folded, context)
        if named and count < A_LETTER:
            return _of_kind(ReadingKind.negated, offers=tuple(named), words=count)
        near = self._vocabulary.near(short)
        if near:
            return _of_kind(ReadingKind.near, offers=tuple(known.meaning for known in near), words=count)
        return _of_kind(ReadingKind.unknown, words=count)

    def _negated(self, folded: str, context: Context) -> list[Meaning]:
        """Known words with a negation up to three words away, in a line that is not wholly one."""
        if is_unspaced(folded):
            return self._negated_unspaced(folded)
        if not self._negation.search(folded):
            return []
        marked = self._negation.sub(" \x00 ", folded).split()
        places = [i for i, word in enumerate(marked) if word == "\x00"]
        found: list[Meaning] = []
        for start in range(len(marked)):
            for length in (1, 2, 3, 4):
                piece = marked[start : start + length]
                if len(piece) < length or "\x00" in piece:
                    break
                near = any(start - _REACH - 1 <= place <= start + length + _REACH for place in places)
                if near:
                    found += [m for m in self._vocabulary.find(" ".join(piece), context.language) if m not in found]
        return found

    def _negated_unspaced(self, text: str) -> list[Meaning]:
        """Longest match from the left; a script without spaces has no other words."""
        negations, found, negated, position = self._vocabulary.phrases("negation"), [], False, 0
        while position < len(text):
            word = next((w for w in self._vocabulary.unspaced if text.startswith(w, position)), None)
            if word is None:
                position += 1
                continue
            negated = negated or word in negations
            found += [m for m in self._vocabulary.find(word) if m not in found]
            position += len(word)
        return found if negated else []

    # -- words with a value ------------------------------------------------------------------------------------

    def _with_value(self, words: str, context: Context) -> Reading | None:
        first, _space, rest = words.partition(" ")
        if joined(words) in _FORMATS:
            return _command(Meaning.format, _FORMATS[joined(words)])
        for length in (3, 2, 1):
            parts = words.split(" ", length)
            if len(parts) <= length:
                continue
            found = self._vocabulary.find(" ".join(parts[:length]), context.language)
            for meaning in (Meaning.pause, Meaning.digest, Meaning.remove_posts):
                if found == {meaning}:
                    return (
                        self._pause(parts[length], context)
                        if meaning is Meaning.pause
                        else self._digest_at(meaning, parts[length])
                    )
        return self._setting(first, rest) if rest else None

    def _pause(self, rest: str, context: Context) -> Reading | None:
        day = self._moments.read_day(rest, context.today)
        if day is None:
            return None
        if isinstance(day, Unusable):
            if day.choices:
                return _of_kind(ReadingKind.unclear, offers=(Meaning.pause,), choices=day.choices)
            return _command(Meaning.pause, rest, problem=day.reason)
        return _command(Meaning.pause, day.isoformat())

    def _digest_at(self, meaning: Meaning, rest: str) -> Reading | None:
        if meaning is not Meaning.digest:
            return None
        match = self._at.match(rest)
        hour = rest[match.end() :].strip() if match else rest
        if not match and not re.fullmatch(r"\d{1,2}[:.h]?\d{0,2}\s*\w{0,4}", hour):
            return None
        moment = read_hour(hour)
        return _command(Meaning.digest, moment) if moment else _command(Meaning.digest, rest, problem="no such hour")

    def _setting(self, first: str, rest: str) -> Reading | None:
        first = plain(first)
        if first in ("timezone", "zeitzone") or rest.startswith("zone "):
            return _command(Meaning.timezone, rest.removeprefix("zone ").strip())
        if first in ("language", "sprache", "langue", "idioma", "lingua", "taal", "jezyk", "sprak", "dil"):
            code = self._zones.get(plain(rest))
            return (
                _command(Meaning.language, code)
                if code
                else _command(Meaning.language, rest, problem="a language that we do not know")
            )
        switch = "on" if rest in self._on else "off" if rest in self._off else rest
        if first == "receipts" and switch in ("on", "off", "first"):
            return _command(Meaning.receipts, switch)
        if first == "reminders" and switch in ("on", "off"):
            return _command(Meaning.reminders, switch)
        if first == "notices" and (rest in ("together", "at once") or switch == "off"):
            return _command(Meaning.notices, rest.replace(" ", "-") if switch != "off" else "off")
        if first == "send" and re.fullmatch(r"#?\d{1,9}", rest):
            return _command(Meaning.send, rest.lstrip("#"))
        return self._about_addresses(first, rest)

    def _about_addresses(self, first: str, rest: str) -> Reading | None:
        words = rest.split()
        addresses = [word for word in words if _ADDRESS.fullmatch(word)]
        if first == "move" and words and words[0] in self._to and len(words) == 2 and addresses:
            return _command(Meaning.move, addresses[0])
        if first in ("invite", "remove") and addresses and len(addresses) == len(words) and len(addresses) <= 50:
            return _command(Meaning.invite if first == "invite" else Meaning.remove, " ".join(addresses))
        if first == "moderate" and len(words) == 2 and addresses == words[:1] and words[1] in ("on", "off"):
            return _command(Meaning.moderate, rest)
        return None


_FORMATS = {"text": "text", "html": "html", "classic": "classic", "classicmime": "classic-mime"}
_ADDRESS = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,253}\.[^\s@<>.]{1,63}")


def _command(meaning: Meaning, value: str = "", problem: str = "") -> Reading:
    return Reading(kind=ReadingKind.commands, commands=(Command(meaning=meaning, value=value, problem=problem),), words=1)


def _of_kind(kind: ReadingKind, offers: tuple[Meaning, ...] = (), choices: tuple[str, ...] = (), words: int = 0) -> Reading:
    return Reading(kind=kind, offers=tuple(dict.fromkeys(offers)), choices=choices, words=words)


def _question(found: Reading, words: int) -> Reading:
    """A known word and a question mark: help is given, anything else is asked back."""
    if found.kind is not ReadingKind.commands or found.commands[0].meaning is Meaning.help:
        return found
    return _of_kind(ReadingKind.question, offers=tuple(command.meaning for command in found.commands), words=words)


def _with_others(commands: list[Command], unread: list[str], readings: list[Reading], words: int) -> Reading:
    """Commands were understood; what else stands there decides whether they act."""
    meanings = [command.meaning for command in commands]
    if any(reading.kind is ReadingKind.negated for reading in readings):
        return _of_kind(ReadingKind.negated, offers=tuple(meanings), words=words)
    if exclude_each_other(meanings):
        return _of_kind(ReadingKind.excluding, offers=tuple(meanings), words=words)
    short = tuple(line for line in unread if 1 <= _words_in(fold(line)) <= 3)
    return Reading(kind=ReadingKind.commands, commands=tuple(commands), unread=short, words=words)


def _letter_or_unknown(words: int) -> ReadingKind:
    return ReadingKind.letter if words >= A_LETTER else ReadingKind.unknown


def _words_in(folded: str) -> int:
    """Words, or for a script without spaces half its characters."""
    return max(len(folded.split()), len(folded) // 2) if is_unspaced(folded) else len(folded.split())

"""Days and hours as people write them: `until 20 March`, `bis 3.4.`, `20/3`, `2 weeks`, `tomorrow`, `18:00`, `6 pm`.

A date that can be read in two ways is said to have two meanings, and nothing is guessed; without a year the next such day is
meant. Words of all languages come from the vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from listserver.lists.vocabulary import Vocabulary, fold, plain

_LONGEST_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Unusable:
    """A value that cannot be used: `no such day`, `gone by`, `two meanings` (then `choices`), `not understood`."""

    reason: str
    choices: tuple[str, ...] = ()


class Moments:
    """Reads days in every language of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._months: dict[str, set[int]] = {}
        self._weekdays: dict[str, int] = {}
        self._units: dict[str, int] = {}
        self._relative: dict[str, int] = {}
        self._lead: set[str] = set()
        for language in vocabulary.languages.values():
            values = language.values
            for number, names in enumerate(values.get("months", ()), 1):
                for name in names.split():
                    self._months.setdefault(plain(fold(name)), set()).add(number)
            for number, names in enumerate(values.get("weekdays", ())):
                for name in names.split():
                    self._weekdays.setdefault(plain(fold(name)), number)
            for unit, days in (("day", 1), ("week", 7), ("month", 30)):
                self._units.update((plain(fold(name)), days) for name in values.get(unit, ()))
            for name, days in (("today", 0), ("tomorrow", 1)):
                self._relative.update((plain(fold(word)), days) for word in values.get(name, ()))
            for name in ("until", "for"):
                self._lead.update(plain(fold(word)) for word in values.get(name, ()))

    def read_day(self, text: str, today: date) -> date | Unusable | None:
        """The day that a text names; None when it names none at all."""
        words = plain(fold(text))
        for lead in sorted(self._lead, key=len, reverse=True):
            if words.startswith(f"{lead} ") or (lead and words.startswith(lead) and not lead.isascii()):
                words = words[len(lead) :].strip()
                break
        words = re.sub(r"(?<=\d)(?:st|nd|rd|th|er|\.?º)\b", "", words)
        if words in self._relative:
            return today + timedelta(days=self._relative[words])
        if words in self._weekdays:
            return today + timedelta(days=(self._weekdays[words] - today.weekday() - 1) % 7 + 1)
        return self._span(words, today) or self._numbers(words, today) or self._named(words, today)

    def _span(self, words: str, today: date) -> date | Unusable | None:
        match = re.fullmatch(r"(\d{1,4}) ?(\D+)", words)
        days = self._units.get(match[2].strip()) if match else None
        if match is None or days is None:
            return None
        total = int(match[1]) * days
        return today + timedelta(days=total) if 0 < total <= _LONGEST_DAYS else Unusable("not understood")

    def _numbers(self, words: str, today: date) -> date | Unusable | None:
        if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", words):
            return _day(int(match[1]), int(match[2]), int(match[3]), today)
        match = re.fullmatch(r"(\d{1,2})([./-]) ?(\d{1,2})(?:[./-] ?(\d{4}|\d{2})|[.])?", words)
        if match is None:
            return None
        first, second, year = int(match[1]), int(match[3]), _year(match[4])
        if match[2] == "." or first == second or first > 12:  # 20.3. is a day first everywhere
            return _day(year, second, first, today)
        if second > 12:
            return _day(year, first, second, today)
        one, other = _day(year, second, first, today), _day(year, first, second, today)
        told = tuple(each.isoformat() for each in (one, other) if isinstance(each, date))
        return Unusable("two meanings", told) if len(told) > 1 else one

    def _named(self, words: str, today: date) -> date | Unusable | None:
        parts = [
            part
            for part in re.split(r"[\s./-]+", words)
            if part and part not in self._weekdays and part not in ("de", "den", "of", "the", "el", "le")
        ]
        months = [self._months[part] for part in parts if part in self._months]
        numbers = [int(part) for part in parts if part.isdigit() and len(part) <= 4]
        if len(months) != 1 or len(months) + len(numbers) != len(parts) or not 1 <= len(numbers) <= 2:
            return None
        if len(months[0]) > 1:
            return Unusable("not understood")
        day, year = numbers[0], numbers[1] if len(numbers) == 2 else None
        if day > 31 and year is not None:
            day, year = year, day
        return _day(year, next(iter(months[0])), day, today)


def _year(text: str | None) -> int | None:
    return None if text is None else int(text) + (2000 if len(text) == 2 else 0)


def _day(year: int | None, month: int, day: int, today: date) -> date | Unusable:
    """The day, in the next year where that is needed."""
    for candidate in [year] if year is not None else range(today.year, today.year + 9):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if found > today:
            return found
        if year is not None:
            return Unusable("gone by")
    return Unusable("no such day")


def read_hour(text: str) -> str | None:
    """An hour of the day as HH:MM; None when it is none (25:00, noonish)."""
    match = re.fullmatch(r"(\d{1,2})(?:[:.h](\d{2}))?\s*(uhr|h|am|pm|a\.m|p\.m)?", plain(fold(text)))
    if match is None:
        return None
    hour, minute, mark = int(match[1]), int(match[2] or 0), (match[3] or "").replace(".", "")
    if mark in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if mark == "pm" else 0)
    elif match[2] is None and not mark and hour > 23:
        return None
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None

"""Dates in the lines above quotes, in any order and language: by structure, and by the names of months.

A time zone that is written as a number, or as one of few names that mean one thing, is believed; others are not.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

_MONTH_NAMES = (
    "jan january januar jänner janvier janv enero ene gennaio gen janeiro januari tammikuu tammikuuta ledna leden led stycznia styczeń sty "
    "января январь янв січня січ ιανουαρίου ιαν ocak oca január ianuarie ian siječnja januára januarja gener יַנוּאָר ינואר يناير",
    "feb february februar feber février févr fév fevr fev febrero febbraio febr fevereiro februari helmikuu helmikuuta února únor úno "
    "lutego luty lut февраля февраль февр фев лютого лют φεβρουαρίου φεβ şubat şub február februarie veljače februára februarja febrer פברואר فبراير",
    "mar march märz mrz maerz mars marzo março marco maart mrt maaliskuu maaliskuuta března březen bře marca marzec марта март мар березня "
    "бер μαρτίου μαρ mart március márc martie ožujka marts març מרץ مارس",
    "apr april avril avr abril abr aprile huhtikuu huhtikuuta dubna duben dub kwietnia kwiecień kwi апреля апрель апр квітня квіт "
    "απριλίου απρ nisan nis április ápr aprilie travnja apríla aprila אפריל أبريل ابريل",
    "may mai mayo maggio mag maio mei toukokuu toukokuuta května květen kvě maja maj мая май травня трав μαΐου μαϊ mayıs május máj "
    "svibnja mája maig מאי مايو",
    "jun june juni juin junio giugno giu junho kesäkuu kesäkuuta června červen čvn czerwca czerwiec cze июня июнь июн червня черв ιουνίου "
    "ιουν haziran haz június jún iunie iun lipnja júna junija juny יוני يونيو",
    "jul july juli juillet juil julio luglio lug julho heinäkuu heinäkuuta července červenec čvc lipca lipiec lip июля июль июл липня "
    "ιουλίου ιουλ temmuz tem július júl iulie iul srpnja júla julija juliol יולי يوليو",
    "aug august août aout agosto ago augustus elokuu elokuuta srpna srpen srp sierpnia sierpień sie августа август авг серпня серп "
    "αυγούστου αυγ ağustos ağu augusztus augusti kolovoza augusta avgusta agost אוגוסט أغسطس",
    "sep sept september septembre septiembre settembre set setembro syyskuu syyskuuta září zář września wrzesień wrz сентября сентябрь "
    "сент сен вересня вер σεπτεμβρίου σεπ eylül eyl szeptember szept septembrie rujna septembra setembre ספטמבר سبتمبر",
    "oct october oktober okt octobre octubre ottobre ott outubro out lokakuu lokakuuta října říjen říj października październik paź "
    "октября октябрь окт жовтня жовт οκτωβρίου οκτ ekim eki október octombrie listopada októbra oktobra אוקטובר أكتوبر",
    "nov november novembre noviembre novembro marraskuu marraskuuta listopadu lis lis листопада ноября ноябрь нояб ноя лист νοεμβρίου "
    "νοε kasım kas noiembrie novembra נובמבר نوفمبر",
    "dec december dezember dez décembre déc decembre diciembre dic dicembre dezembro joulukuu joulukuuta prosince prosinec pro grudnia "
    "grudzień gru декабря декабрь дек грудня груд δεκεμβρίου δεκ aralık ara decembrie prosinca decembra des desembre desember דצמבר ديسمبر",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_SHORTEST = 4  # letters of a month's name that is cut, as many programs do: "maalisk."

_WORD = r"[^\W\d_]{3,14}"
_NUMBER = re.compile(r"\d{1,4}")
# Dates that begin with a number; they are tried at each number, which is faster than to search for them.
_DATE = re.compile(
    r"(?P<y1>(?:19|20)\d\d)\s?(?:[-/.年]|년)\s?(?P<m1>\d{1,2})\s?(?:[-/.月]|월)\s?(?P<d1>\d{1,2})(?!\d)[日일]?"
    rf"|(?P<y5>(?:19|20)\d\d)\.?\s(?P<m5>{_WORD})\.?\s(?P<d5>\d{{1,2}})\b"
    r"|(?P<d6>\d{1,2})(?:\sde)?\s(?:tháng|thg)\s?(?P<m6>\d{1,2})(?:,|\snăm)*\s(?P<y6>(?:19|20)\d\d)(?!\d)"
    r"|(?P<a>\d{1,2})(?P<sep>[./-])\s?(?P<b>\d{1,2})(?P=sep)\s?(?P<y2>(?:19|20)?\d\d)(?!\d)"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|º|ª|\.)?[\s-]{{1,4}}(?:d[e']l? ?|of )?(?P<m3>{_WORD})[.,]{{0,2}}"
    r"[\s-]{0,4}(?:del? )?'?(?P<y3>(?:(?:19|20)\d\d|\d\d(?![\d:.])))(?!\d)",
    re.I,
)
_MONTH_BEFORE = re.compile(rf"({_WORD})[.,]?\s{{1,3}}$")
_AFTER_MONTH = re.compile(
    r"(?P<d4>\d{1,2})(?:st|nd|rd|th)?(?:,?\s{1,3}|\s(?P<t4>\d{1,2}:\d\d(?::\d\d)?)(?:\s[A-Z]{3,4})?\s)(?P<y4>(?:19|20)\d\d)(?!\d)",
    re.I,
)
_TIME = re.compile(
    r"(?P<before>上午|下午|午前|午後|오전|오후|凌晨|早上|中午|晚上)?\s?(?<![\d:./])(?<!\d-)(?P<h>[01]?\d|2[0-4])\s{0,2}(?:[:.：]|h|時|时|点|點|시)\s{0,2}(?P<m>[0-5]\d)(?!\d)"
    r"(?:[:.：分]\s?(?P<s>[0-5]\d)(?!\d))?(?:[\s\u202f]?(?P<after>[ap]\.?\s?m\b\.?))?",
    re.I,
)
_ZONE = re.compile(
    r"\s{0,2}\(?(?:(?P<name>GMT|UTC|Z|[ECMP][SD]T|CES?T|MES?Z|MSK|BST|WES?T|EES?T|JST|IST)\b)?\)?\s?(?P<offset>[+-]\d{1,2}(?::?\d\d)?)?(?!\d)"
)
_NAMED_ZONES = {
    "GMT": 0, "UTC": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "CET": 1, "CEST": 2, "WET": 0, "WEST": 1, "EET": 2, "EEST": 3, "JST": 9, "MEZ": 1, "MESZ": 2, "MSK": 3,
}  # fmt: skip
_DIGITS = re.compile(r"\d\d")
# Marks of direction, which Windows puts around each number: as spaces, so that places in the text stay.
_UNSEEN = dict.fromkeys((0x200E, 0x200F, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x202F, 0x00A0), " ")
_MOST_NUMBERS = 40
_NEAR = 40  # characters between a date and its time


class FoundDate(NamedTuple):
    """A date in a text: where it stands, and what it says."""

    start: int
    end: int
    when: datetime
    other: datetime | None
    minute_known: bool
    zone_known: bool


def find_date(text: str) -> FoundDate | None:
    """The first date in a line. Never raises. Limits: 40 numbers are looked at."""
    if _DIGITS.search(text) is None:
        return None
    if not text.isascii():
        text = text.translate(_UNSEEN)
    for count, number in enumerate(_NUMBER.finditer(text)):
        start = number.start()
        match = _DATE.match(text, start)
        readings = _readings(match) if match is not None else []
        if match is not None and readings:
            return _with_time(text, match, start, readings)
        if number.end() - start <= 2 and (before := _MONTH_BEFORE.search(text, max(0, start - 20), start)):
            month = _month(before[1].casefold())
            match = _AFTER_MONTH.match(text, start) if month else None
            if month and match is not None:
                readings = _valid((int(match["y4"]), month, int(match["d4"])))
                if readings:
                    return _with_time(text, match, before.start(), readings, clock=match["t4"])
        if count >= _MOST_NUMBERS:
            break
    return None


def _readings(match: re.Match[str]) -> list[tuple[int, int, int]]:
    """The year, month and day that a match can mean, the likeliest first."""
    if match["y1"]:
        return _valid((int(match["y1"]), int(match["m1"]), int(match["d1"])))
    if match["y2"]:
        first, second, year = int(match["a"]), int(match["b"]), _year(match["y2"])
        day_first, month_first = (year, second, first), (year, first, second)
        if match["sep"] == "-" and len(match["y2"]) == 2:
            return _valid((2000 + first, second, int(match["y2"])), day_first)
        american = match["sep"] == "/" and re.search(r"\d\s?[ap]\.?m\b", match.string, re.I)
        return _valid(month_first, day_first) if american else _valid(day_first, month_first)
    if match["y6"]:
        return _valid((int(match["y6"]), int(match["m6"]), int(match["d6"])))
    month = _month((match["m3"] or match["m5"]).casefold())
    if month is None:
        return []
    return _valid((_year(match["y3"] or match["y5"]), month, int(match["d3"] or match["d5"])))


def _month(word: str) -> int | None:
    """The number of a month: by its name, by the beginning of it, or behind the Hebrew word for "in", which is one letter."""
    known = _MONTHS.get(word) or _MONTHS.get(word.removeprefix("ב"))
    if known is not None or len(word) < _SHORTEST:
        return known
    return next((number for name, number in _MONTHS.items() if name.startswith(word)), None)


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:
        return year
    return year + (1900 if year >= 70 else 2000)


def _valid(*readings: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for year, month, day in readings:
        if 1 <= month <= 12 and 1 <= day <= 31 and (year, month, day) not in found:
            found.append((year, month, min(day, _LENGTHS[month - 1])))
    return found


_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _with_time(
    text: str, match: re.Match[str], start: int, readings: list[tuple[int, int, int]], clock: str | None = None
) -> FoundDate:
    """A date with the time near it, or the one that stands within it."""
    end = match.end()
    time = _TIME.match(clock) if clock else None
    inside = time is not None
    if time is None:
        time = _TIME.search(text, end, end + _NEAR)
        if time is None:
            earlier = _TIME.search(text, max(0, start - _NEAR), start)
            time = earlier
    hour = minute = 0
    zone: timezone | None = None
    if time is not None:
        hour, minute = _clock(time)
        if not inside:
            start, end = min(start, time.start()), max(end, time.end())
            zone, zone_end = _zone(text, time.end())
            end = max(end, zone_end)
    dates = [_moment(reading, hour, minute, zone) for reading in readings]
    moments = [each for each in dates if each is not None]
    if not moments:
        moments = [datetime(readings[0][0], readings[0][1], 1, hour, minute, tzinfo=zone)]
    return FoundDate(start, end, moments[0], moments[1] if len(moments) > 1 else None, time is not None, zone is not None)


def _clock(time: re.Match[str]) -> tuple[int, int]:
    hour, minute = int(time["h"]), int(time["m"])
    half = (time["after"] or "").lower()[:1] or (
        "p" if time["before"] in ("下午", "午後", "오후", "晚上", "中午") else "a" if time["before"] else ""
    )
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    return hour % 24, minute


def _zone(text: str, position: int) -> tuple[timezone | None, int]:
    match = _ZONE.match(text, position)
    if match is None or not (match["name"] or match["offset"]):
        return None, position
    name = (match["name"] or "").upper()
    if match["offset"] and (len(match["offset"]) >= 5 or name in ("GMT", "UTC")):
        digits = match["offset"][1:].replace(":", "")
        hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
        if hours <= 14 and minutes < 60:
            sign = -1 if match["offset"][0] == "-" else 1
            return timezone(sign * timedelta(hours=hours, minutes=minutes)), match.end()
        return None, position
    if name in _NAMED_ZONES and not match["offset"]:
        return timezone(timedelta(hours=_NAMED_ZONES[name])), match.end()
    return None, position


def _moment(date: tuple[int, int, int], hour: int, minute: int, zone: timezone | None) -> datetime | None:
    try:
        return datetime(*date, hour, minute, tzinfo=zone)
    except ValueError:  # 29 February of a common year
        return None

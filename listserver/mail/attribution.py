"""Lines such as `On Monday, Ann <ann@example.org> wrote:`, by structure: who, when, and where in the line they begin.

Not by vocabulary: an address, a date and a colon at the end are the same in every language. A short list of verbs
decides only where there is neither address nor date.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.quotedates import FoundDate, find_date

LONGEST = 500  # characters that are read of one attribution
_LONGEST_LOCAL = 64
_MOST_ADDRESSES = 6
_LONGEST_NAME = 7  # words
_LONGEST_UNCASED = 4
_LONGEST_ROLE = 16  # words between a date and an address, where programs put all that a directory knows of somebody

_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}")
_LOCAL = re.compile(r"[\w.+=%#$&'*/?^`{}~-]")
_SPELT = re.compile(r"([\w.+-]{1,64})\s?(?:\(at\)|\[at\])\s?([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})")
_SPELT_OUT = re.compile(r"[<(\[]([\w.+-]{1,64}) at ([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})[>)\]]")  # pipermail
_HIDDEN = re.compile(r"\[(?:hidden email|email protected|email hidden)\]", re.I)
_BRACKETED = re.compile(r"<[^<>\s]{1,200}@[^<>\s]{1,200}>")
_LINK = re.compile(r"mailto:|<?https?://[^\s>]{1,200}>?", re.I)
_BIDI = dict.fromkeys((0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), " ")  # places in the text stay
_ENDS = re.compile(r"[:：][\s*_\"'»”)\]↑]{0,5}$")
_VERB_WORDS = (
    "wrote writes write said says say asked replied posted spake spoke quoth schrieb schreibt sagte meinte écrit dit écrivait escribió "
    "escribio escribe dijo escreveu disse scrive scritto scrisse schreef skrev skriver napsal napsala napisał napisała pisze kirjoitti "
    "написал написала пишет писал писала пише έγραψε yazdı yazmış írta scris napísal napísala napisao escrit rakstīja rašė"
)
_VERBS = frozenset(_VERB_WORDS.split())
_VERB_SIGNS = ("写道", "寫道", "写到", "書かれました", "書きました", "书写", "のメール", "작성", "님이", "쓴 글")
_OPENINGS = re.compile(r"(?:originally posted by|quote from|zitat von|citation de|cita de|cita di|quoting|quote)\s*:?\s+", re.I)
_HINTS_OPENING = re.compile(r"[Qq]uot|[Pp]osted|[Zz]itat|[Cc]it")
_PRONOUN_WORDS = (
    "he she it they we i you this that these those the a an who someone somebody everyone which what and but as so then "
    "er sie es wir ich das der die il elle on nous ils elles ce le la les él ella ellos"
)
_AUXILIARIES = frozenset(("a", "ha", "has", "had", "have", "hat", "heeft", "je", "est", "at", "schrieb"))
_PRONOUNS = frozenset(_PRONOUN_WORDS.split())
_OPENER_WORDS = "On Am At In Le El Il Em Op Den Dne Dnia W Za På O À Quoting Zitat Citando Thus From Pada Vào Mail Message Article Пользователь"
_OPENERS = frozenset(_OPENER_WORDS.split())
_LEADING = frozenset(
    ("on", "am", "at", "le", "el", "il", "op", "den", "dne", "em", "w", "dniu", "dnia", "la", "in", "data", "giorno")
)
_WEEKDAY_WORDS = (
    "mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch "
    "donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi dimanche"
)
_WEEKDAYS = frozenset(_WEEKDAY_WORDS.split())
_WEEKDAY = re.compile(r"(?<!\w)[^\W\d_]{1,4}[.,]{1,2}\s*$")
_SENTENCE = re.compile(r"[.!?…。！？]\s+(?=\S)|[。！？]")
_MOST_LEADING = 6
_EDGES = " \t\"'“”„«»‘’<>()[]{},;:：，、；（）【】*_.-|=~\x01\x02"
_WORDS = re.compile(r"\w+")
_WORD = re.compile(r"\S+")
_CLOCK = re.compile(r"\d:\d\d")
_QUOTED_NAME = re.compile(r"[\"“”„«]([^\"“”„«»]{2,60})[\"“”»]")
_VIA = re.compile(r"\s(?:via|durch|über|через|por|par|経由)\s.*", re.I)  # what lists put behind a name they rewrote
_SUFFIXES = re.compile(r"(?:さん(?:は|が|から)?.{0,12}|님이.{0,10}|于|在|写道|寫道|写到|\bel|\ble)$")


class Introduction(NamedTuple):
    """What was read from one attribution. `start`: where in the text it begins; `rest`: words that are none of who and when."""

    start: int
    name: str
    address: str
    date: FoundDate | None
    message_id: str
    has_colon: bool
    has_verb: bool
    rest: int


def has_verb(text: str) -> bool:
    """Whether one of the verbs with which quotes are introduced stands in a text."""
    if not _VERBS.isdisjoint(_WORDS.findall(text.lower())):
        return True
    return not text.isascii() and any(sign in text for sign in _VERB_SIGNS)


def read_introduction(text: str) -> Introduction:
    """Read what a line, or a few of them joined, says of who wrote and when. Never raises. Limits: 500 characters."""
    text = text[:LONGEST]
    if not text.isascii():
        text = text.translate(_BIDI)
    masked, message_id = _without_ids(text)
    date = find_date(masked)
    if date is not None:
        masked = masked[: date.start] + "\x01" * (date.end - date.start) + masked[date.end :]
    address, masked = _mask_addresses(masked)
    name, at = _find_name(masked)
    rest = sum(1 for word in masked.replace("\x01", " ").replace("\x02", " ").split() if any(map(str.isalpha, word)))
    return Introduction(
        start=_find_start(masked, at),
        name=name,
        address=address,
        date=date,
        message_id=message_id,
        has_colon=_ENDS.search(text, max(0, len(text) - 8)) is not None,
        has_verb=has_verb(text),
        rest=max(0, rest - len(name.split())),
    )


def find_address(text: str) -> str:
    """The first address in a text, lower-cased; '' for none."""
    return _mask_addresses(_without_ids(text[:LONGEST])[0])[0]


def _find_start(masked: str, name_at: int) -> int:
    """Where an attribution begins in its line: at the first of date, name and address, with the words that lead to it.

    Before a date stand a weekday and a word such as "On"; before a name or an address a few words, up to a sentence's end.
    """
    start = min((place for place in (masked.find("\x01"), masked.find("\x02"), name_at) if place >= 0), default=0)
    words = [(match[0], match.start()) for match in _WORD.finditer(masked[:start])]
    if not words:
        return 0
    if masked[start] == "\x01":
        left = len(words)
        if words[left - 1][0][-1] in ".,(" or not words[left - 1][0][0].isupper() or words[left - 1][0].lower() in _WEEKDAYS:
            left -= 1
        while left and len(words) - left < 4 and _leads(words[left - 1][0]):
            left -= 1
        place = words[left][1] if left < len(words) else start
        dashes = re.search(r"\w(-{2,}\s*)$", masked[:place])
        place = dashes.start(1) if dashes else place
        return place if any(map(str.isalnum, masked[:place])) else 0
    ends = [match.end() for match in _SENTENCE.finditer(masked, 0, start)]
    if ends:
        return ends[-1]
    return 0 if len(words) <= _MOST_LEADING else start


def _leads(word: str) -> bool:
    """Whether a word can stand before a date in an attribution: short, and without what ends a sentence."""
    if word.lower() in _LEADING:
        return True
    return len(word) <= (5 if word.isascii() else 8) and word[-1] not in ".!?:;" and (word[0].isupper() or not word.isascii())


def _without_ids(text: str) -> tuple[str, str]:
    """The text with Message-IDs and links blanked, which look like addresses, and the first of the ids."""
    found = ""
    if "<" in text and "@" in text:
        for match in _BRACKETED.finditer(text):
            if _is_id(match[0]):
                found = found or match[0]
                text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    if "mailto:" in text or "://" in text:
        text = _LINK.sub(lambda match: " " * len(match[0]), text)
    return text, found


def _is_id(text: str) -> bool:
    """Whether an address in brackets is a Message-ID: much longer, with more digits or stranger signs, than a mailbox."""
    local = text[1:].partition("@")[0]
    if local.lower().startswith(("mailto:", "http")):
        return False
    digits = sum(map(str.isdigit, local))
    return digits >= 6 or "$" in local or (len(local) >= 20 and digits >= 2) or len(local) >= 40


def _mask_addresses(text: str) -> tuple[str, str]:
    """The first address, and the text with all addresses and their brackets blanked."""
    address = ""
    at = text.find("@")
    for _ in range(_MOST_ADDRESSES):
        if at < 0:
            break
        start = at
        while start and at - start < _LONGEST_LOCAL and _LOCAL.match(text[start - 1]):
            start -= 1
        domain = _DOMAIN.match(text, at + 1)
        if start < at and domain is not None:
            address = address or text[start : domain.end()].strip("'*/`.-").lower()
            text = _mask(text, start, domain.end())
        at = text.find("@", at + 1)
    if not address:
        match = _HIDDEN.search(text) if "[" in text else None
        hidden = match is not None
        if match is None and ("(at)" in text or "[at]" in text):
            match = _SPELT.search(text)
        if match is None and " at " in text:
            match = _SPELT_OUT.search(text)
        if match is not None:
            address = "" if hidden else f"{match[1]}@{match[2]}".lower()
            text = _mask(text, match.start(), match.end())
    return address, text


def _mask(text: str, start: int, end: int) -> str:
    while start and text[start - 1] in "<([":
        start -= 1
    while end < len(text) and text[end] in ">)]":
        end += 1
    return text[:start] + "\x02" * (end - start) + text[end:]


def _find_name(masked: str) -> tuple[str, int]:
    """The name of a person, and where it stands (-1 where there is none)."""
    opening = _OPENINGS.search(masked) if _HINTS_OPENING.search(masked) else None
    begin = opening.end() if opening else 0
    at = masked.find("\x02", begin)
    pieces: list[tuple[int, int]] = []
    if at >= 0:
        before = masked.rfind("\x01", begin, at) + 1 or begin
        pieces += [(before, at), (masked.rfind("\x02") + 1, len(masked))]
    when = masked.find("\x01", begin)
    if when >= 0:
        weekday = _WEEKDAY.search(masked, begin, when)
        pieces += [(masked.rfind("\x01") + 1, len(masked)), (begin, weekday.start() if weekday else when)]
    for start, end in pieces or [(begin, len(masked))]:
        if end - start > 1:
            before_address = masked[end : end + 1] == "\x02"
            between = before_address and start > 0 and masked[start - 1] == "\x01"
            name, place = _clean_name(masked[start:end], between=between, before_address=before_address)
            if name:
                return name, start + place
    return "", -1


def _clean_name(text: str, *, between: bool, before_address: bool) -> tuple[str, int]:
    """The words of a name within a piece of an attribution: capitalised ones, or what a quoted string holds."""
    if '" == ' in text:  # "AL" == Ann Lee
        text = " " * (text.index('" == ') + 5) + text[text.index('" == ') + 5 :]
    via = _VIA.search(text)
    if via is not None and via.start() > 1:
        text = text[: via.start()]
    quoted = _QUOTED_NAME.search(text)
    if quoted:
        return _VIA.sub("", quoted[1]).strip(_EDGES), quoted.start()
    words = [match for match in _WORD.finditer(text) if match[0].strip(_EDGES)]
    bare = [match[0].strip(_EDGES) for match in words]
    verb = next((number for number, word in enumerate(bare) if word.lower() in _VERBS), -1)
    first, last = (0, verb) if verb > 0 else (verb + 1, len(bare))
    if verb > 0 and before_address and any(map(_is_name_word, bare[verb + 1 :])):
        first, last = verb + 1, len(bare)  # Am … um 10:12 Uhr schrieb Ann Lee <
    begin, end = first, last
    while begin < end and not _is_name_word(bare[begin]):
        begin += 1
    while begin < end and not _is_name_word(bare[end - 1]):
        end -= 1
    if begin == end or end - begin > (_LONGEST_ROLE if between else _LONGEST_NAME):
        while first < last and bare[last - 1].lower() in _AUXILIARIES:
            last -= 1
        if (
            (verb < 0 and via is None)
            or not 1 <= last - first <= 3
            or bare[first].lower() in _PRONOUNS
            or bare[last - 1].lower() in _PRONOUNS
        ):
            return "", -1
        begin, end = first, last  # ann wrote:
    if end - begin > _LONGEST_UNCASED and not any(map(str.isupper, "".join(bare[begin:end]))):
        begin = end - 2  # a script without capitals: the last words before an address
    name = text[words[begin].start() : words[end - 1].end()].strip(_EDGES)
    name = _VIA.sub("", _SUFFIXES.sub("", " ".join(name.split()))).strip(_EDGES)
    if _CLOCK.search(name):  # Nov 13, 12:39pm, Ann Lee
        name = name.rpartition(", ")[2]
    if name.count("(") > name.count(")"):
        name += ")"
    return (name, words[begin].start()) if name and name.lower() not in _PRONOUNS else ("", -1)


def _is_name_word(word: str) -> bool:
    if not word[0].isalpha():
        return any(map(str.isalpha, word)) and any(map(str.isdigit, word))
    return not word[0].islower() and word.lower() not in _PRONOUNS and word not in _OPENERS and word.lower() not in _WEEKDAYS

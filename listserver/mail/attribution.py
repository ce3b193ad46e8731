"""Lines such as `On Monday, Ann <ann@example.org> wrote:`, by structure: who, when, and where in the line they begin.

Not by vocabulary: an address, a date and a colon at the end are the same in every language. A short list of verbs
decides only where there is neither address nor date.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.quotedates import FoundDate, find_date

LONGEST = 500  # characters that are read of one attribution

_ADDRESS = re.compile(
    r"[\w.+=%#$&'*/?^`{}~-]{1,64}(?:@|\s?\[at\]\s?|\s\(at\)\s|\sat\s)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w@])"
    r"|\[(?:hidden email|email protected)\]|\bx{3,}@x{3,}\b",
    re.I,
)
_BRACKETED = re.compile(r"<[^<>\s]{1,200}@[^<>\s]{1,200}>")
_LINK = re.compile(r"\[?<?mailto:[^\s>\]]{1,200}[>\]]?", re.I)
_URL = re.compile(r"<?https?://[^\s>]{1,200}>?", re.I)
_ENDS = re.compile(r"[:：][\s*_\"'»”)\]]{0,4}$")
VERB = re.compile(
    r"\b(?:wrote|writes|write|said|says|say|asked|replied|posted|spake|spoke|quoth|schrieb|schreibt|sagte|meinte|a écrit|écrit|a dit|écrivait|"
    r"escribi[óo]|escribe|dijo|escreveu|disse|scrive|ha scritto|scrisse|schreef|skrev|skriver|napsala?|napisała?|pisze|kirjoitti|"
    r"написала?|пишет|писала?|пише|έγραψε|yazdı|yazmış|írta|a scris|napísala?|je napisao|ha escrit)\b|"
    r"写道|寫道|写到|书かれました|書きました|のメール|작성|님이",
    re.I,
)
_OPENINGS = re.compile(r"(?:originally posted by|quote from|zitat von|citation de|cita de|cita di|quoting|quote)\s*:?\s+", re.I)
_PRONOUN_WORDS = (
    "he she it they we i you this that these those the a an who someone somebody everyone which what and but as so then "
    "er sie es wir ich das der die il elle on nous ils elles ce le la les él ella ellos"
)
_PRONOUNS = frozenset(_PRONOUN_WORDS.split())
_EDGES = " \t\"'“”„«»‘’<>()[]{},;:：*_.-|=~\x01\x02"
_WORD = re.compile(r"\S+")
_SUFFIXES = re.compile(r"(?:さん(?:は|が|から)?.{0,12}|さんのメール|님이.{0,10}|于|在|写道|寫道|写到|el|le)$")


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

    @property
    def has_who(self) -> bool:
        return bool(self.name or self.address)


def read_introduction(text: str) -> Introduction:
    """Read what a line, or a few of them joined, says of who wrote and when. Never raises. Limits: 500 characters."""
    text = text[:LONGEST]
    plain, message_id = _without_ids(text)
    date = find_date(plain)
    masked = plain if date is None else plain[: date.start] + "\x01" * (date.end - date.start) + plain[date.end :]
    address, masked = _mask_address(masked)
    name, at = _find_name(masked)
    starts = [place for place in (masked.find("\x01"), masked.find("\x02"), at) if place >= 0]
    start = min(starts, default=0)
    leading = masked[:start].split()
    if leading and len(leading) <= 2 and not re.search(r"[.!?…,;]\s*$", masked[:start]):
        start = 0
    elif leading and not re.search(r"[.!?…:;]$", leading[-1]) and len(leading[-1]) <= 5 and "\x01" in masked[start : start + 1]:
        start = masked.rindex(leading[-1], 0, start)  # "On" before the date
        if all(not character.isalnum() for character in masked[:start]):
            start = 0
    rest = [word for word in masked.replace("\x01", " ").replace("\x02", " ").split() if any(map(str.isalpha, word))]
    return Introduction(
        start=start,
        name=name,
        address=address,
        date=date,
        message_id=message_id,
        has_colon=_ENDS.search(text) is not None,
        has_verb=VERB.search(text) is not None,
        rest=max(0, len(rest) - len(name.split())),
    )


def _without_ids(text: str) -> tuple[str, str]:
    """The text with Message-IDs blanked, which look like addresses, and the first of them."""
    found = ""
    for match in _BRACKETED.finditer(text):
        if _is_id(match[0]):
            found = found or match[0]
            text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    for pattern in (_LINK, _URL):
        for match in pattern.finditer(text):
            text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    return text, found


def _is_id(text: str) -> bool:
    """Whether an address in brackets is a Message-ID: much longer, with more digits or stranger signs, than a mailbox."""
    local = text[1:].partition("@")[0]
    if local.lower().startswith(("mailto:", "http")):
        return False
    digits = sum(map(str.isdigit, local))
    return digits >= 6 or "$" in local or (len(local) >= 20 and digits >= 2) or len(local) >= 40


def _mask_address(text: str) -> tuple[str, str]:
    """The first address, and the text with all addresses and their brackets blanked."""
    address = ""
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        if not address and "@" in match[0] and "[" not in match[0]:
            address = match[0].strip("'*/`").lower()
        elif not address and " at " in match[0].lower():
            address = re.sub(r"\s+at\s+", "@", match[0], count=1, flags=re.I).lower()
        while start and text[start - 1] in "<([":
            start -= 1
        while end < len(text) and text[end] in ">)]":
            end += 1
        text = text[:start] + "\x02" * (end - start) + text[end:]
    return address, text


def _find_name(masked: str) -> tuple[str, int]:
    """The name of a person, and where it stands (-1 where there is none)."""
    opening = _OPENINGS.search(masked)
    begin = opening.end() if opening else 0
    at = masked.find("\x02", begin)
    pieces: list[tuple[int, int]] = []
    if at >= 0:
        before = masked.rfind("\x01", begin, at) + 1 or begin
        after = masked.rfind("\x02") + 1
        pieces += [(before, at), (after, len(masked))]
    when = masked.find("\x01", begin)
    if when >= 0:
        pieces += [(masked.rfind("\x01") + 1, len(masked)), (begin, when)]
    if not pieces:
        pieces.append((begin, len(masked)))
    for start, end in pieces:
        name, place = _clean_name(masked[start:end])
        if name:
            return name, start + place
    return "", -1


def _clean_name(text: str) -> tuple[str, int]:
    """The words of a name within a piece of an attribution: capitalised ones, or what a quoted string holds."""
    quoted = re.search(r"[\"“”„«]([^\"“”„«»]{2,60})[\"“”»]", text)
    if quoted:
        return quoted[1].strip(_EDGES), quoted.start()
    verb = VERB.search(text)
    if verb and verb.start() and text[: verb.start()].strip(_EDGES):
        text = text[: verb.start()]
    elif verb:
        text = " " * verb.end() + text[verb.end() :]
    words = [(match[0].strip(_EDGES), match.start()) for match in _WORD.finditer(text)]
    words = [(word, place) for word, place in words if word]
    while words and not _is_name_word(words[0][0]):
        words.pop(0)
    while words and not _is_name_word(words[-1][0]):
        words.pop()
    if not words or len(words) > 7:
        found = [word for word in text.split() if any(map(str.isalpha, word))]
        if verb and 1 <= len(found) <= 2 and found[-1].lower() not in _PRONOUNS:  # ann wrote:
            return " ".join(found).strip(_EDGES), text.find(found[0])
        return "", -1
    name = _SUFFIXES.sub("", " ".join(word for word, _ in words)).strip(_EDGES)
    return (name, words[0][1]) if name and name.lower() not in _PRONOUNS else ("", -1)


def _is_name_word(word: str) -> bool:
    first = word[0]
    if not first.isalpha():
        return any(map(str.isalpha, word)) and any(map(str.isdigit, word))
    return not first.islower() and word.lower() not in _PRONOUNS and word not in _OPENERS


_OPENER_WORDS = "On Am At In Le El Il Em Op Den Dne Dnia W Za På O À Quoting Zitat Citando Thus From Pada Vào Mail Message Article Пользователь"
_OPENERS = frozenset(_OPENER_WORDS.split())

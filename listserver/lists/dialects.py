"""The one-line commands of other list managers, understood wherever our words are.

Mailman, Majordomo, LISTSERV and Sympa taught people lines such as `SUB LIST Name`, `unsubscribe address=…`, `SET LIST NOMAIL`,
`SIGNOFF *`, `confirm CODE`. Passwords, QUIET and options that we do not know are ignored and never repeated. A line acts only
when all of it is grammar of one of them; a lone unknown word behind a verb is a password only if it looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from listserver.lists.vocabulary import Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectLine:
    """What such a line asks: for which list ('' for the one it was sent to, '*' for all), which address, under which name."""

    meaning: Meaning | None
    list_name: str = ""
    address: str = ""
    name: str = ""
    delivery: str = ""
    code: str = ""


_JOIN = frozenset(("sub", "subscribe", "join"))
_LEAVE = frozenset(("sig", "signoff", "unsub", "unsubscribe", "leave"))
_SETTINGS = frozenset(("which", "query", "q"))
_HELP = frozenset(("info", "intro", "lists", "review", "index"))
_CODES = frozenset(("confirm", "ok", "auth"))
_QUIET = frozenset(("quiet", "-quiet", "(quiet"))
_DELIVERY = {
    "digest": Meaning.digest, "nodigest": Meaning.each, "mail": Meaning.each, "nomail": Meaning.pause, "nomime": None, "mime": None,
}  # fmt: skip
_ADDRESS = re.compile(r"<?([^\s@<>]{1,64}@[^\s@<>]{1,253}\.[^\s@<>.]{1,63})>?")
_PASSWORD = re.compile(r"(?=\S*[\d!$%&+=_])\S{4,40}")
_NAME = re.compile(r"[^\W\d_]+(?:[.'’-][^\W\d_]*)*")
_CODE = re.compile(r"[0-9a-z.:+=_-]{4,64}", re.I)


def read_dialect(line: str, own: Collection[str], is_list: Callable[[str], bool]) -> DialectLine | None:
    """What a line of another list manager asks; None when it is none.

    `own` are the names of the list it was sent to, in lower case; `is_list` knows the others of this site by their local part.
    """
    words = line.strip()[:300].split()
    if words and words[0].lower() in _QUIET:
        words = words[1:]
    if not 2 <= len(words) <= 12:
        return None
    verb, rest = words[0].lower().rstrip(":"), words[1:]
    if rest[-1].lower() in _QUIET or rest[-1].lower() == "quiet)":
        rest = rest[:-1]
    if verb in _CODES:
        return _code(verb, rest, own, is_list)
    list_name, rest = _list_of(rest, own, is_list)
    if verb in _JOIN:
        return _subscribe(list_name, rest)
    if verb in _LEAVE:
        return _unsubscribe(list_name, rest)
    if verb == "set":
        return _set(list_name, rest)
    if verb in _SETTINGS and list_name and not rest:
        return DialectLine(meaning=Meaning.settings, list_name=list_name)
    if verb in _HELP and list_name and not rest:
        return DialectLine(meaning=Meaning.help, list_name=list_name)
    return None


def _list_of(rest: list[str], own: Collection[str], is_list: Callable[[str], bool]) -> tuple[str, list[str]]:
    """The list that stands first behind the verb, '' when none does, and what follows."""
    first = rest[0].lower() if rest else ""
    local = first.partition("@")[0]
    if first in own or (local in own and "@" in first):
        return local, rest[1:]
    if first == "*" or is_list(first) or (is_list(local) and "@" in first and _is_alone(rest)):
        return local if first != "*" else "*", rest[1:]
    return "", rest


def _is_alone(rest: list[str]) -> bool:
    return len(rest) == 1


def _subscribe(list_name: str, rest: list[str]) -> DialectLine | None:
    delivery, address, others = "", "", []
    for word in rest:
        folded = word.lower()
        if folded in ("digest", "nodigest"):
            delivery = "digest" if folded == "digest" else "each"
        elif found := _ADDRESS.fullmatch(folded.removeprefix("address=")):
            address = found[1]
        else:
            others.append(word)
    named = bool(list_name) and all(_NAME.fullmatch(word) for word in others) and len(others) <= 6
    if others and not named and not (len(others) == 1 and _PASSWORD.fullmatch(others[0])):
        return None
    name = " ".join(others) if named else ""
    return DialectLine(meaning=Meaning.join, list_name=list_name, address=address, name=name, delivery=delivery)


def _unsubscribe(list_name: str, rest: list[str]) -> DialectLine | None:
    address, others = "", []
    for word in rest:
        if found := _ADDRESS.fullmatch(word.lower().removeprefix("address=")):
            address = found[1]
        else:
            others.append(word)
    if others and not (len(others) == 1 and _PASSWORD.fullmatch(others[0])):
        return None
    return DialectLine(meaning=Meaning.leave, list_name=list_name, address=address)


def _set(list_name: str, rest: list[str]) -> DialectLine | None:
    words = [word.lower() for word in rest if not word.lower().startswith("address=")]
    if not words or len(words) > 3:
        return None
    match words[:2]:
        case ["digest", "off"]:
            return DialectLine(meaning=Meaning.each, list_name=list_name)
        case ["digest", "plain" | "mime" | "on"]:
            return DialectLine(meaning=Meaning.digest, list_name=list_name)
        case ["delivery", "on" | "off" as switch]:
            return DialectLine(meaning=Meaning.resume if switch == "on" else Meaning.pause, list_name=list_name)
    meaning = _DELIVERY.get(words[0])
    return DialectLine(meaning=meaning, list_name=list_name) if meaning is not None and list_name and len(words) == 1 else None


def _code(verb: str, rest: list[str], own: Collection[str], is_list: Callable[[str], bool]) -> DialectLine | None:
    """`confirm CODE`, `OK CODE`, `auth CODE subscribe …`; `CONFIRM LIST` renews a membership, which needs no renewing here."""
    first = rest[0].lower()
    if verb == "confirm" and len(rest) == 1 and (first in own or is_list(first)):
        return DialectLine(meaning=Meaning.settings, list_name=first)
    looks = _CODE.fullmatch(rest[0]) is not None and (any(c.isdigit() for c in first) or len(first) >= 8)
    if not looks or (len(rest) > 1 and verb != "auth"):
        return None
    return DialectLine(meaning=None, code=first)

"""Whether two mentions are the same person: by address, by the variants in which programs write a name, by a greeting.

Surprise: a list that rewrites authors gives all of them its own address; then only the name in front of "via" counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from listserver.lists.fingerprints import words_of

_VIA = re.compile(r"\s+(?:via|through|über|par|bei)\s+\S.*$|\s*\(.*\)\s*$|\s*\[.*\]\s*$", re.I)
_LOCAL_WORDS = re.compile(r"[a-z]{2,}", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as a mail names them; the address is '' where it is not known or not their own."""

    name: str = ""
    address: str = ""


@lru_cache(maxsize=4096)
def name_words(name: str) -> frozenset[str]:
    """The words of a name, without what a list added to it."""
    plain = _VIA.sub("", name[:200]).strip(" \"'") or name[:200]
    if "@" in plain:
        plain = plain.partition("@")[0].replace(".", " ").replace("_", " ")
    return frozenset(words_of(plain))


def is_same(one: Person, other: Person) -> bool:
    """Whether two authors are one: by address, or by a full name of at least two words."""
    if one.address and one.address.lower() == other.address.lower():
        words, others = name_words(one.name), name_words(other.name)
        return not words or not others or bool(words & others)
    words = name_words(one.name)
    return len(words) >= 2 and words == name_words(other.name)


def agreement(mention: Person, author: Person) -> int:
    """1 when a mention (an attribution) can mean this author, -1 when it names another, 0 when it names nobody.

    The address decides where both have one and it is the same; else the names: one contains the other, initials stand
    for words, and the local part of an address counts as a name.
    """
    words, theirs = name_words(mention.name), name_words(author.name)
    if mention.address and mention.address.lower() == author.address.lower():
        return 1 if not words or not theirs or words & theirs else -1  # else it is the list's own address
    words = words or name_words(mention.address)
    if not words:
        return 0
    if _alike(words, theirs):
        return 1
    local = author.address.partition("@")[0].lower()
    if local and (_alike(words, frozenset(_LOCAL_WORDS.findall(local))) or "".join(sorted(words, key=len)) == local):
        return 1
    return -1


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    if not others:
        return False
    fewer, more = (words, others) if len(words) <= len(others) else (others, words)
    matched = [word for word in fewer if word in more or any(_abbreviates(word, each) for each in more)]
    return len(matched) == len(fewer) and any(len(word) > 1 for word in matched)


def _abbreviates(word: str, other: str) -> bool:
    """An initial for a word; both ways, for either may be the short one."""
    return (len(word) == 1 and other.startswith(word)) or (len(other) == 1 and word.startswith(other))


def greets(greeting: Iterable[str], author: Person) -> bool:
    """Whether the first words of a text call this author by a name."""
    names = {word for word in name_words(author.name) if len(word) > 1}
    return any(word in names for word in greeting)

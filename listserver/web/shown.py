"""What people wrote, made fit for a page: addresses masked, quotes set apart, web addresses as links.

Only text comes in and only pieces of text go out; the template escapes every one of them. Every expression is bounded,
because strangers write the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_CHARACTERS = 200_000
_ADDRESS = re.compile(r"[\w.+%=-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^]{1,2000}", re.I)
_TRAILING = ".,;:!?)]*_"
_QUOTED = re.compile(r" {0,3}>")
_SHOWN_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; with `link` it leads somewhere."""

    text: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Paragraphs that belong together: the writer's own words, or lines quoted from somebody."""

    quoted: bool
    pieces: tuple[Piece, ...]
    lines: int


def mask_address(address: str) -> str:
    """An address as strangers may see it: `gwen…@…`."""
    local = address.rpartition("@")[0] or address
    return f"{local[:_SHOWN_LETTERS]}…@…"


def mask(text: str, keep: str = "") -> str:
    """A text with every address in it masked, but for the list's own."""
    return _ADDRESS.sub(lambda match: match[0] if match[0].lower() == keep else mask_address(match[0]), text)


def blocks(text: str, keep: str = "") -> list[Block]:
    """A post's text as blocks to show, in order."""
    found: list[Block] = []
    for quoted, lines in _runs(mask(text[:MOST_CHARACTERS], keep).split("\n")):
        words = "\n".join(lines).strip("\n")
        if words.strip():
            found.append(Block(quoted=quoted, pieces=tuple(_pieces(words)), lines=words.count("\n") + 1))
    return found


def excerpt(text: str, limit: int = 140) -> str:
    """The first words that are no quote, on one line."""
    words = " ".join(" ".join(line for line in text[:4000].split("\n") if not _QUOTED.match(line)).split())
    return words if len(words) <= limit else words[:limit].rsplit(" ", 1)[0].rstrip(" ,.;:") + " …"


def _runs(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    run: list[str] = []
    quoted = False
    for line in lines:
        is_quoted = _QUOTED.match(line) is not None
        if is_quoted != quoted and (line.strip() or not quoted):
            if run:
                yield quoted, run
            run, quoted = [], is_quoted
        run.append(line)
    if run:
        yield quoted, run


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for match in _LINK.finditer(text):
        address = match[0].rstrip(_TRAILING)
        if "…@…" in address:
            continue
        if match.start() > end:
            yield Piece(text[end : match.start()])
        yield Piece(address, address)
        end = match.start() + len(address)
    if end < len(text):
        yield Piece(text[end:])

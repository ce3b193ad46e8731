"""Words and lines for people. Lines have at most 72 columns: wide characters count double, an address of the web stays whole and alone."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

COLUMNS = 72


def width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def size_in_words(octets: int) -> str:
    """`18 MB`, `1.5 MB` or `340 KB`: as people say the size of a file."""
    if octets >= 10_000_000:
        return f"{octets / 1_000_000:.0f} MB"
    return f"{octets / 1_000_000:.1f} MB".replace(".0 MB", " MB") if octets >= 1_000_000 else f"{max(1, round(octets / 1000))} KB"


def wrap_line(line: str, columns: int = COLUMNS, indent: str = "") -> list[str]:
    """One paragraph as lines; what cannot be broken stays whole unless it is no address and far too long."""
    if width(line) <= columns:
        return [line]
    lead = line[: len(line) - len(line.lstrip(" "))]
    rest = lead + indent
    lines, current = [], lead
    for word in line.split():
        for piece in _pieces(word, columns - len(rest)):
            if current.strip() and width(current) + 1 + width(piece) > columns:
                lines.append(current)
                current = rest + piece
            else:
                current += (" " if current.strip() else "") + piece
    return [*lines, current]


def _pieces(word: str, columns: int) -> list[str]:
    """A word that no line can hold, cut; addresses stay whole, because a broken one leads nowhere."""
    if width(word) <= columns or "://" in word or "@" in word:
        return [word]
    pieces, current = [], ""
    for character in word:
        if width(current) + width(character) > columns:
            pieces.append(current)
            current = ""
        current += character
    return [*pieces, current]


def wrap(text: str, columns: int = COLUMNS) -> str:
    """Every line of a text wrapped; blank lines and short lines stay as they are."""
    return "\n".join(piece for line in text.split("\n") for piece in wrap_line(line.rstrip() if line != "-- " else line, columns))

"""Leave out of a digest what its readers have seen: quoted lines whose words stand in the conversation already.

Fold, never cut: a quoted line that no known post holds is shown. Signatures after `-- ` and device lines go too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_RUN = 4
_KNOWN = 0.6
_MOST_WORDS = 20_000
_SAID = re.compile(
    r"@|\d[:/.-]\d|\b(?:19|20)\d\d\b"
    r"|\b(?:wrote|writes|said|schrieb|schreibt|a écrit|escribió|escribi|escreveu|ha scritto|schreef|skrev|napisał)\b",
    re.I,
)
_LONGEST_ATTRIBUTION = 250
_DEVICE = re.compile(
    r"^(?:sent from my|get outlook for|gesendet von|von meinem .{1,30} gesendet|envoyé de mon|enviado desde mi|inviato da)\b",
    re.I,
)


def runs_of(text: str) -> frozenset[tuple[str, ...]]:
    """All runs of four words of a text, however it was wrapped, quoted or punctuated."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())[:_MOST_WORDS]
    if len(words) < _RUN:
        return frozenset([tuple(words)] if words else [])
    return frozenset(tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1))


def without_known_quotes(text: str, known: Iterable[frozenset[tuple[str, ...]]]) -> str:
    """The text with blocks of quoted lines replaced by a note where their words are known, else as they are."""
    seen: set[tuple[str, ...]] = set().union(*known)
    out: list[str] = []
    block: list[str] = []
    for line in [*_without_signature(text).split("\n"), ""]:
        if line.startswith(">"):
            block.append(line)
            continue
        if block:
            out += _fold(block, seen, out)
            block = []
        out.append(line)
    return "\n".join(out).strip()


def own_lines(text: str) -> str:
    """A text without any quoted lines, the lines that say who wrote them, and the signature: for a few words of it."""
    out: list[str] = []
    for line in _without_signature(text).split("\n"):
        if not line.startswith(">"):
            out.append(line)
            continue
        above = next((n for n in range(len(out) - 1, -1, -1) if out[n].strip()), -1)
        if above >= 0 and _is_attribution(out[above]):
            del out[above:]
    return "\n".join(out).strip()


def _fold(block: list[str], seen: set[tuple[str, ...]], before: list[str]) -> list[str]:
    runs = runs_of("\n".join(block))
    words = {word for run in seen for word in run}
    known = len(runs & seen) / len(runs) if runs else 1.0
    if len(runs) == 1:
        known = 1.0 if runs <= seen or set(next(iter(runs))) <= words else 0.0
    if known < _KNOWN:
        return block
    above = next((n for n in range(len(before) - 1, -1, -1) if before[n].strip()), -1)
    if above >= 0 and _is_attribution(before[above]):
        del before[above:]
    count = len([line for line in block if line.strip("> \t")])
    return [f"[{count} quoted line{'' if count == 1 else 's'} left out]"] if count else []


def _is_attribution(line: str) -> bool:
    """Whether a line says who wrote what follows: it ends in a colon, and holds an address, a date or a word for it.

    A writer's own line that leads to a quote ("I agree with this:") is none.
    """
    line = line.strip()
    return (
        len(line) <= _LONGEST_ATTRIBUTION and line.endswith((":", "：")) and not line.startswith(">") and bool(_SAID.search(line))
    )


def _without_signature(text: str) -> str:
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line in ("-- ", "--") and index:
            lines = lines[:index]
            break
    while lines and (not lines[-1].strip() or _DEVICE.match(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines)

"""What people write to a role address: for now the words of joining, leaving and confirming.

Words decide, silence never does, but for one thing: an empty reply confirms joining or leaving for oneself. Whatever is
not wholly a known word is not an answer: we ask again rather than guess.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Word(StrEnum):
    """What a text says."""

    empty = "empty"
    yes = "yes"
    no = "no"
    join = "join"  # type: ignore[assignment]  # str has a method of that name; the word is the glossary's
    leave = "leave"
    digest = "digest"
    each = "each"
    pause = "pause"
    help = "help"
    other = "other"


_WORDS: dict[str, Word] = {
    **dict.fromkeys(
        ("yes", "ok", "okay", "confirm", "agree", "ja", "bestätigen", "oui", "sí", "si", "sim", "sì", "akkoord", "tak", "evet"),
        Word.yes,
    ),
    **dict.fromkeys(("no", "cancel", "not me", "nein", "non", "não", "nee", "nie", "nej", "hayır"), Word.no),
    **dict.fromkeys(
        ("join", "subscribe", "sub", "sign up", "add me", "anmelden", "abonnieren", "inscription", "alta", "aanmelden"), Word.join
    ),
    **dict.fromkeys(
        (
            "leave",
            "unsubscribe",
            "unsub",
            "sign off",
            "signoff",
            "remove me",
            "take me off",
            "opt out",
            "quit",
            "remove",
            "stop",
            "abmelden",
            "abbestellen",
            "désinscription",
            "désabonner",
            "baja",
            "afmelden",
            "uitschrijven",
        ),
        Word.leave,
    ),
    **dict.fromkeys(("digest", "daily", "summary", "zusammenfassung", "täglich", "résumé", "resumen"), Word.digest),
    **dict.fromkeys(("each", "every", "individual", "all posts", "einzeln", "chaque", "cada"), Word.each),
    **dict.fromkeys(("pause", "holiday", "vacation", "nomail", "urlaub", "vacances", "vacaciones"), Word.pause),
    **dict.fromkeys(("help", "info", "hilfe", "aide", "ayuda", "?"), Word.help),
}
_POLITE = re.compile(r"\b(?:hello|hi|please|pls|kindly|thank you|thanks|bitte|danke|s'il vous plaît|merci|por favor)\b")
_ATTRIBUTION = re.compile(r"^.{0,200}(?:wrote|schrieb|a écrit|escribió|geschreven|napisał|skrev)[^\n]{0,60}:\s*$", re.I)
_HEADER_BLOCK = re.compile(r"^\s*(?:-{2,}\s*original message|_{8,}|(?:from|von|de|da|van)\s*:\s.{0,200}@)", re.I)
_DEVICE = re.compile(r"^(?:sent from|get outlook|gesendet von|envoyé de|enviado desde|inviato da|verzonden v)", re.I)


def new_text(text: str) -> str:
    """What the writer added: no quoted lines, no attribution, nothing from the signature on."""
    kept: list[str] = []
    for line in text[:20_000].split("\n")[:500]:
        stripped = line.strip()
        if line.rstrip() == "--" or line == "-- " or _DEVICE.match(stripped) or _HEADER_BLOCK.match(line):
            break
        if stripped.startswith((">", "|")) or _ATTRIBUTION.match(stripped):
            continue
        kept.append(stripped)
    return "\n".join(kept).strip()


def read_word(text: str) -> Word:
    """What a new text says: wholly a known word (politeness aside), nothing at all, or something else."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return Word.empty
    folded = unicodedata.normalize("NFKC", lines[0]).casefold().strip()
    if folded in ("?", "？"):
        return Word.help
    plain = _POLITE.sub(" ", folded)
    plain = " ".join(re.sub(r"[.,;:!\"'“”„«»()\[\]<>*-]+", " ", plain).split())
    if not plain:
        return Word.empty if len(lines) == 1 else Word.other
    word = _WORDS.get(plain, Word.other)
    return word if len(lines) == 1 or (word is not Word.other and len(lines) == 2 and len(lines[1].split()) <= 3) else Word.other

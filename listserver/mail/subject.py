"""Subjects: the base subject without reply marks and list tags (RFC 5256 §2.1), in the languages of real mail."""

from __future__ import annotations

import re

# Reply and forward marks, by who writes them. The lone R and I are Italian: a subject is grouped only with one that
# exists, so taking them off `I: think` harms nothing.
PREFIXES = (
    *("re", "fwd", "fw", "rply"),  # everybody
    *("aw", "antw", "antwort", "wg"),  # German
    *("tr", "réf", "ref", "rép"),  # French (TR: Turkish too)
    *("rv", "res", "enc"),  # Spanish, Portuguese
    *("rif", "r", "i"),  # Italian
    *("doorst",),  # Dutch, beside Antw
    *("sv", "vs", "vb", "vl", "fs"),  # Swedish, Danish, Norwegian, Finnish, Icelandic
    *("odp", "pd"),  # Polish
    *("ynt", "ilt", "i\u0307lt", "ılt"),  # Turkish; İ lower-cased is i with a dot above it
    *("vá", "továbbítás"),  # Hungarian
    *("bls", "trs"),  # Indonesian
    *("απ", "σχετ", "πρθ"),  # Greek
    *("ответ", "отв", "пересл"),  # Russian
    *("رد", "إعادة توجيه"),  # Arabic
    *("השב", "הועבר"),  # Hebrew
    *("回复", "答复", "转发", "回覆", "轉寄", "转寄", "返信", "転送", "답장", "회신", "전달"),  # Chinese, Japanese, Korean
)
_MARK = re.compile(
    rf"(?:{'|'.join(sorted(map(re.escape, PREFIXES), key=len, reverse=True))})"
    r"\s?(?:[\[(]\s?\d{1,3}\s?[\])]|[\^*]\d{1,3})?\s?[:：]\s?",
    re.I,
)
_TAG = re.compile(r"\[[^\[\]]{1,60}\]\s?")
_TRAILER = re.compile(r"(?:\s?\(fwd\))+$", re.I)
_FORWARDED = re.compile(r"\[fwd: ?(.*)\]", re.I)
_LONGEST = 1_000
_DEEPEST = 20


def base_subject(text: str) -> str:
    """The subject without reply marks, list tags, `(fwd)` and `[Fwd: …]`; white space reduced. '' when nothing is left."""
    text = _reduced(text)
    for _round in range(_DEEPEST):
        text = _TRAILER.sub("", text)
        text = text[_leading(text) :].strip()
        inner = _FORWARDED.fullmatch(text)
        if inner is None:
            break
        text = inner[1]
    return text


def is_reply_subject(text: str) -> bool:
    """Whether a subject carries a reply mark, behind list tags perhaps."""
    text = _reduced(text)
    position = 0
    while (tag := _TAG.match(text, position)) is not None:
        position = tag.end()
    return _MARK.match(text, position) is not None


def _reduced(text: str) -> str:
    return " ".join(text[:_LONGEST].split())


def _leading(text: str) -> int:
    """How much at the beginning is marks and tags; a subject that is only a tag keeps it."""
    position = 0
    while True:
        match = _MARK.match(text, position)
        if match is None and not _FORWARDED.fullmatch(text, position):
            match = _TAG.match(text, position)
            if match is not None and match.end() >= len(text):
                match = None
        if match is None:
            return position
        position = match.end()

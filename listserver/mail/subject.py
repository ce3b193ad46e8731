"""Subjects: the base subject without reply marks and list tags (RFC 5256 §2.1), in the languages of real mail."""

from __future__ import annotations

import re

# Reply and forward marks; R and I (Italian) only count before a colon that is followed by something.
PREFIXES = (
    "re",
    "fwd",
    "fw",
    "aw",
    "wg",
    "sv",
    "vs",
    "vb",
    "tr",
    "réf",
    "ref",
    "res",
    "enc",
    "rv",
    "rif",
    "r",
    "i",
    "antw",
    "antwort",
    "doorst",
    "odp",
    "pd",
    "ynt",
    "ilt",
    "i̇lt",
    "rép",
    "tr",
    "bls",
    "fs",
    "ha",
    "na",
    "vl",
    "rply",
    "رد",
    "回复",
    "答复",
    "转发",
    "回覆",
    "轉寄",
    "返信",
    "转寄",
    "답장",
    "ответ",
    "отв",
    "hal",
)
_MARK = re.compile(
    rf"(?:{'|'.join(sorted(map(re.escape, set(PREFIXES)), key=len, reverse=True))})"
    r"(?:\s?[\[(]\s?\d{1,3}\s?[\])]|\^\d{1,3}|\*\d{1,3})?\s?[:：]\s*",
    re.I,
)
_TAG = re.compile(r"\[[^\[\]]{1,60}\]\s*")
_TRAILER = re.compile(r"(?:\s*\(fwd\))+\s*$", re.I)
_LONGEST = 1_000


def base_subject(text: str) -> str:
    """The subject without reply marks, list tags and `(fwd)`; white space reduced. '' when nothing is left."""
    text = " ".join(text[:_LONGEST].split())
    text = _TRAILER.sub("", text)
    position = 0
    while True:
        match = _MARK.match(text, position)
        if match is None:
            match = _TAG.match(text, position)
            if match is not None and match.end() >= len(text):
                match = None  # a subject that is only a tag keeps it
        if match is None or match.end() == position:
            break
        position = match.end()
    return text[position:].strip()


def is_reply_subject(text: str) -> bool:
    """Whether a subject carries a reply mark, behind list tags perhaps."""
    text = " ".join(text[:_LONGEST].split())
    position = 0
    while (tag := _TAG.match(text, position)) is not None:
        position = tag.end()
    return _MARK.match(text, position) is not None

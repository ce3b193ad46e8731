"""Identification fields, read forgivingly (RFC 5322 §3.6.4).

Real mail has ids without brackets, with comments, dates and names around them, in double brackets, several where one
belongs. An id is given back with angle brackets and exactly as written between them; it is a claim, not a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.headers import Header

MAX_REFERENCES = 32_768  # octets
MAX_IDS = 50
_LONGEST = 900

# An id, or one whose closing bracket was lost; or a parenthesis outside of brackets.
_MARK = re.compile(r'<("[^"]{0,200}"@[^<>]{1,500}|[^<>]{1,1100})(>|(?=<)|$)|[()]')
_USUAL = re.compile(r'\s*+(?:<[^<>\s"]++>[\s,]*+)++')
_USUAL_ID = re.compile(r"<[^<>]+>")
_SPACES = re.compile(r'("[^"]*")|\s+')
_AUTHOR = re.compile(r"\b(?:from|von|de)\b", re.I)
_BRACKET = re.compile(r"[<>]")
_PLAIN = re.compile(r'"[^"]*"(?!@)|[\s<>,;()]+')


def read_message_id(body: bytes | None) -> str | None:
    """The first id of a Message-ID field, or None."""
    found = read_ids(body, 1)
    if found or not body:
        return found[0] if found else None
    text = body[:_LONGEST].decode("utf-8", "replace").strip(" \t\r\n<>")
    words = text.split() if not _BRACKET.search(text) else []
    return f"<{words[0]}>" if len(words) == 1 and _is_id(words[0]) else None  # neither brackets nor @, but one word


def read_ids(body: bytes | None, limit: int = MAX_IDS) -> tuple[str, ...]:
    """All ids of a field in order, at most `limit` of them, taken from the end where there are more.

    What stands in comments counts only if there is nothing else, and so do addresses: `Message from Gwen <gwen@…>`.
    """
    if not body:
        return ()
    text = body[-MAX_REFERENCES:].decode("utf-8", "replace")
    found = _bracketed(text) if "<" in text else []
    if not found:
        found = [f"<{word}>" for word in map(_trimmed, _PLAIN.split(text)) if "@" in word[1:-1] and _is_id(word)]
    return tuple(found[:1] if limit == 1 else found[-limit:])


def _bracketed(text: str) -> list[str]:
    """The ids in angle brackets."""
    if _USUAL.fullmatch(text):  # nearly every mail
        return [each for each in _USUAL_ID.findall(text) if _is_id(each[1:-1])]
    found: list[str] = []
    doubtful: list[str] = []
    depth = before = 0
    for match in _MARK.finditer(text):
        sign = match[0]
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(depth - 1, 0)
        else:
            named = _AUTHOR.search(text, before, match.start()) is not None
            before = match.end()
            (doubtful if depth or named else found).extend(_ids_within(match[1], closed=match[2] == ">"))
    return found or doubtful


def _ids_within(inner: str, *, closed: bool) -> list[str]:
    """The id of one pair of brackets: without the white space of folding; several where brackets between them were lost."""
    words = inner.replace(",", " ").split() if any(c.isspace() for c in inner) else [inner]
    if len(words) > 1 and '"' not in inner and sum("@" in word[1:-1] for word in words) > 1:
        return [f"<{word}>" for word in words if _is_plain(word)]
    if not closed:
        return [f"<{word}>" for word in words[:1] if _is_plain(word)]
    whole = _SPACES.sub(lambda match: match[1] or "", inner)
    return [f"<{whole}>"] if _is_id(whole) else []


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _is_plain(word: str) -> bool:
    """Whether a word can be an id by itself: an @ within it, and no bracket out of somebody's quotes."""
    return "@" in word[1:-1] and not _BRACKET.search(word) and _is_id(word)


def _trimmed(word: str) -> str:
    return word.strip(".:'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyIds:
    """What a message says of itself and of what it answers."""

    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]

    def chain(self) -> tuple[str, ...]:
        """The ids it answers, nearest first: In-Reply-To, then References from the end; each once, never itself."""
        ordered = dict.fromkeys((*self.in_reply_to, *reversed(self.references)))
        if self.message_id is not None:
            ordered.pop(self.message_id, None)
        return tuple(ordered)


def read_reply_ids(header: Header) -> ReplyIds:
    """Read Message-ID, In-Reply-To and References; several References fields are read as one."""
    references = header.all("references")
    answered = header.all("in-reply-to")
    return ReplyIds(
        message_id=read_message_id(header.first("message-id")),
        in_reply_to=read_ids(b" ".join(answered)[:4096], 5) if answered else (),
        references=read_ids(b" ".join(references)) if references else (),
    )


def make_message_id(left: str, host: str) -> str:
    """A Message-ID of our own; `left` is unique by the caller's doing."""
    return f"<{left}@{host}>"

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

_BRACKETED = re.compile(r"<([^<>]{1,998})>")
_BARE = re.compile(r"[^\s<>()\",;:\[\]]{1,250}@[^\s<>()\",;]{1,250}")
_QUOTED_NAME = re.compile(r'"[^"]{0,500}"(?!@)')


def read_message_id(body: bytes | None) -> str | None:
    """The first id of a Message-ID field, or None."""
    found = read_ids(body, 1)
    return found[0] if found else None


def read_ids(body: bytes | None, limit: int = MAX_IDS) -> tuple[str, ...]:
    """All ids of a field in order, at most `limit` of them, taken from the end where there are more."""
    if not body:
        return ()
    text = body[-MAX_REFERENCES:].decode("utf-8", "replace")
    found: list[str] = []
    for match in _BRACKETED.finditer(text):
        inner = "".join(match[1].split())
        if _is_id(inner, match[0], text):
            found.append(f"<{inner}>")
    if not found:
        plain = _QUOTED_NAME.sub(" ", _without_comments(text)).replace("<", " ").replace(">", " ")
        found = [f"<{match[0].strip('.')}>" for match in _BARE.finditer(plain)][-MAX_IDS:]
    if limit == 1:
        return tuple(found[:1])
    return tuple(found[-limit:])


def _is_id(inner: str, whole: str, text: str) -> bool:
    """Whether a bracketed text is an id: it has an @, or it is all that the field holds."""
    if not inner or len(inner) > _LONGEST or not inner.isprintable():
        return False
    return "@" in inner or text.strip() == whole.strip()


def _without_comments(text: str) -> str:
    """Text without comments in parentheses; an unclosed one ends nowhere."""
    if "(" not in text:
        return text
    kept, depth = [], 0
    for character in text:
        if character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(character)
    return "".join(kept) if not depth else text.replace("(", " ").replace(")", " ")


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

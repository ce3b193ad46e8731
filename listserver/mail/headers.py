"""The header section as bytes: read fields, write one field, and splice edits; every other byte stays as it was.

A message is never parsed and serialised again: on real list mail that changes nearly every message, and breaks
signatures. A field is a name of the octets 33–126 without the colon (RFC 5322 §2.2), its continuation lines begin
with space or tab, and the section ends at the first line that is neither: what follows is body, untouched.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from listserver.mail.charsets import decode_bytes

MAX_HEADER = 100_000  # octets; beyond it the mail is not parsed
MAX_FIELDS = 1_000

# One field with its continuation lines; the name must not hold a space. Linear: each part excludes what follows it.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*\n?(?:[ \t][^\n]*\n?)*")
_FIELD_NAME = re.compile(rb"([!-9;-~]++)[ \t]*:")
_FIELD_END = re.compile(rb"\n(?![ \t])")
_BLANK = re.compile(rb"\r?\n")
# Forgiving: real encoded words hold spaces and question marks. Linear: the text of a word stops before the next `=?`.
_WORD = re.compile(r"=\?([A-Za-z0-9_.:*+-]{1,60})\?([bBqQ])\?((?:[^?=]|=(?!\?(?!=))|\?(?!=))*)\?=")
_WORDS_GAP = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
# Besides the control characters, what breaks lines or turns the direction of the text around it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e]+")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_LONGEST_LINE = 998  # octets (RFC 5322 §2.1.1)
_LONGEST_WORD = 900
_LONGEST_PIECE = 39  # octets of text in one encoded word: "Subject: " and the word stay within 76 columns (RFC 2047 §2)
# Made of addresses, ids or URLs, where an encoded word would be read as syntax; UTF-8 stays as it is (RFC 6532).
_STRUCTURED = re.compile(
    r"(?:resent-)?(?:from|sender|reply-to|to|cc|bcc)|message-id|in-reply-to|references|return-path|archived-at|list-(?!id$).+",
    re.I,
)
_FOLD = re.compile(r"\r?\n(?=[ \t])")


class Field(NamedTuple):
    """One field: its name lower-cased, and its bytes with the line ends they had."""

    name: str
    raw: bytes

    @property
    def body(self) -> bytes:
        """What stands after the colon, folded as written, without the last line end."""
        return self.raw.partition(b":")[2].rstrip(b"\r\n")


@dataclass(frozen=True)
class Header:
    """The fields of a message in order; `size` is the offset at which the body begins."""

    fields: tuple[Field, ...]
    size: int
    end: int
    """Where the last field ends; the blank line, if there is one, stands between `end` and `size`."""
    too_big: bool = False
    defects: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, list[Field]]:
        found: dict[str, list[Field]] = {}
        for field in self.fields:
            found.setdefault(field.name, []).append(field)
        return found

    def first(self, name: str) -> bytes | None:
        """The body of the first field of this name."""
        fields = self._by_name.get(name)
        return fields[0].body if fields else None

    def all(self, name: str) -> list[bytes]:
        """The bodies of all fields of this name."""
        return [field.body for field in self._by_name.get(name, ())]

    def count(self, name: str) -> int:
        """How many fields of this name there are."""
        return len(self._by_name.get(name, ()))


def read_header(raw: bytes) -> Header:
    """Split the header section into fields.

    Limits: 100 KB and 1,000 fields; beyond them `too_big` is set and the rest is not read.
    Invariant: the fields joined, and `raw[header.end:]`, give the message back.
    """
    fields: list[Field] = []
    position, defects = 0, []
    end = min(len(raw), MAX_HEADER)
    match_field = _FIELD.match
    # An mbox separator that a program left in is kept, but nobody's field; "From : gwen@example.net" is an author.
    if raw.startswith((b"From ", b">From ")) and match_field(raw) is None:
        position = raw.find(b"\n") + 1 or len(raw)
        fields.append(Field("", raw[:position]))
    while position < end and len(fields) < MAX_FIELDS:
        match = match_field(raw, position, MAX_HEADER + 1) or _FIELD_NAME.match(raw, position)
        if match is None:
            break
        field, start, position = match[0], position, match.end()
        if position > MAX_HEADER:  # it may go on for megabytes, and belongs together all the same
            ending = _FIELD_END.search(raw, position - 1)
            position = ending.end() if ending is not None else len(raw)
            field = raw[start:position]
        fields.append(Field(match[1].decode("ascii").lower(), field))
    too_big = position >= MAX_HEADER or (len(fields) >= MAX_FIELDS and _FIELD.match(raw, position) is not None)
    blank = _BLANK.match(raw, position)
    if blank is None and position < len(raw):
        defects.append("the header section stops at a line that is no field")
    if too_big:
        defects.append("the header section is too big")
    return Header(tuple(fields), blank.end() if blank else position, position, too_big, tuple(defects))


def edit(
    raw: bytes,
    header: Header,
    *,
    remove: Container[str] = (),
    replace: Mapping[str, bytes] | None = None,
    prepend: bytes = b"",
    append: bytes = b"",
) -> bytes:
    """Splice the header section and leave every other byte as it was.

    `remove` names fields to leave out; `replace` maps a name to whole new fields, put where the first of that name stood
    (others of the name go), or at the end; `prepend` and `append` are whole fields.
    """
    return edit_header(raw, header, remove=remove, replace=replace, prepend=prepend, append=append) + raw[header.end :]


def edit_header(
    raw: bytes,
    header: Header,
    *,
    remove: Container[str] = (),
    replace: Mapping[str, bytes] | None = None,
    prepend: bytes = b"",
    append: bytes = b"",
) -> bytes:
    """As `edit`, but only the fields, without blank line and body."""
    parts = [prepend]
    new = replace or {}
    placed: set[str] = set()
    for field in header.fields:
        if field.name in new:
            if field.name not in placed:
                placed.add(field.name)
                parts.append(new[field.name])
        elif field.name not in remove:
            parts.append(field.raw)
    added = b"".join([value for name, value in new.items() if name not in placed]) + append
    if added and parts[-1] and not parts[-1].endswith(b"\n"):
        parts.append(b"\r\n")  # a message that ends inside its last field
    parts.append(added)
    return b"".join(parts)


def write_field(name: str, value: str) -> bytes:
    """One field for mail that we write: the only way in which text becomes a header.

    Text that is not ASCII becomes encoded words (RFC 2047), but never in fields made of addresses, ids or URLs, whose
    display names `address.format_mailbox` has encoded already. Folded at spaces near 78 columns, so no URL is broken.
    Raises: ValueError on CR, LF or NUL in the text, a name that is none, or a line that would be over 998 octets.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no field name")
    if "\r" in value or "\n" in value or "\x00" in value:
        raise ValueError(f"a line end or NUL in the text of {name}")
    text = _CONTROL.sub(" ", value).strip()
    if _STRUCTURED.fullmatch(name) is None and not (text.isascii() and max(map(len, text.split(" "))) <= _LONGEST_WORD):
        text = encode_words(text)
    lines, line = [], f"{name}:"
    for word in text.split(" "):
        if len(line) + 1 + len(word) > 78 and word and len(line) > len(name) + 1:
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    written = [each.encode("utf-8", "replace") for each in lines]
    if max(map(len, written)) > _LONGEST_LINE:
        raise ValueError(f"{name} would have a line of more than {_LONGEST_LINE} octets")
    return b"\r\n".join(written) + b"\r\n"


def plain_line(text: str) -> str:
    """Text on one line, white space reduced, without control characters; joiners of letters and emoji stay."""
    return " ".join(_CONTROL.sub(" ", text).split())


def encode_words(text: str) -> str:
    """Text as ASCII: runs of words that need it become encoded words of at most 75 characters (RFC 2047 §2)."""
    out: list[str] = []
    run: list[str] = []
    for word in text.split(" "):
        # A second space after an encoded word goes into it, because white space between two of them is not shown.
        needs = not word.isascii() or "=?" in word or len(word) > _LONGEST_WORD
        if needs or (run and not word):
            run.append(word)
            continue
        if run:
            out.append(_encode_run(" ".join(run)))
            run = []
        out.append(word)
    if run:
        out.append(_encode_run(" ".join(run)))
    return " ".join(out)


def encode_phrase(text: str) -> str:
    """A display name wholly as encoded words: in a phrase, quotes and commas would be read as syntax (RFC 2047 §5)."""
    return _encode_run(text)


def _encode_run(text: str) -> str:
    words, piece = [], ""
    for character in text:
        if len((piece + character).encode("utf-8", "replace")) > _LONGEST_PIECE:
            words.append(piece)
            piece = ""
        piece += character
    words.append(piece)
    return " ".join(f"=?utf-8?b?{base64.b64encode(w.encode('utf-8', 'replace')).decode()}?=" for w in words)


def unfold(body: bytes, limit: int = 4096) -> str:
    """The text of a field on one line: UTF-8 (RFC 6532), else windows-1252; cut at `limit` octets."""
    if len(body) > limit:
        body = _cut(body, limit)
    text = decode_bytes(body, "")
    return (_FOLD.sub("", text) if "\n" in text else text).strip()


def _cut(body: bytes, limit: int) -> bytes:
    """The first octets, not ending inside a character of UTF-8."""
    end = limit
    while limit - end < 3 and end and body[end] & 0xC0 == 0x80:
        end -= 1
    return body[:end]


def decode_text(body: bytes, limit: int = 4096) -> str:
    """Unstructured text as a person reads it: unfolded, encoded words decoded (RFC 2047), no control characters."""
    text = unfold(body, limit)
    if "=?" in text:
        text = decode_words(text)
    return _CONTROL.sub(" ", text).strip()


def decode_words(text: str) -> str:
    """Decode encoded words; neighbours of one charset are joined first, because some programs split inside a character."""
    text = _WORDS_GAP.sub(r"\1", text)
    out: list[str] = []
    position, pending, charset = 0, b"", ""
    for match in _WORD.finditer(text):
        between = text[position : match.start()]
        data = _word_bytes(match[2], match[3])
        named = match[1].partition("*")[0].lower()
        if between or named != charset:
            out.append(decode_bytes(pending, charset) if pending else "")
            out.append(between)
            pending, charset = b"", named
        pending += data
        position = match.end()
    out.append(decode_bytes(pending, charset) if pending else "")
    out.append(text[position:])
    return "".join(out)


def _word_bytes(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        text = "".join(text.split()).rstrip("=")
        text = text[:-1] if len(text) % 4 == 1 else text  # cut off by somebody
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return text.encode("utf-8", "replace")
    return binascii.a2b_qp(text.replace("_", " ").encode("utf-8", "replace"), header=False)

"""Everything of an archived message that can be worked out without a database: bytes in, plain values out.

It runs in processes of its own, so that all cores take part; hence nothing here knows a database, and the values can
be sent from one process to another. A message that makes any of it fail is named, and hurts only itself (P7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from listserver.flows import weighing
from listserver.flows.indexing import words_of_post
from listserver.lists.fingerprints import read_split
from listserver.lists.matching import Newcomer
from listserver.lists.people import Person
from listserver.mail.content import content_hash, mail_lines
from listserver.mail.headers import Header, read_header
from listserver.mail.mangled import is_message, read_archived_author, read_author_name, written_at
from listserver.mail.mbox import separator_date
from listserver.mail.message_id import ReplyIds, read_reply_ids
from listserver.mail.parse import parse_message
from listserver.mail.quoting import split_body
from listserver.store.clean import clean_text


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether a message is known already."""

    message_id: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading depends on besides the message: the moment of the import, and the host in ids that are made."""

    now: datetime
    hostname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """An archived message, read: everything that storing and threading it needs."""

    ids: ReplyIds
    author_name: str
    author_address: str
    author_key: str | None
    date: datetime | None
    subject: str
    words: str
    clues: Newcomer


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What became of one message: a post, or the problem for which it cannot be one."""

    identity: Identity
    post: Post | None = None
    problem: str = ""


def identify(raw: bytes, reader: Reader) -> Identity:
    """Only what tells whether the message is known."""
    header = read_header(raw)
    return _identity(raw, header, read_reply_ids(header).message_id, reader)


def nameless(raw: bytes) -> Identity:
    """Of something that cannot even be looked at."""
    return Identity("", content_hash(read_header(b""), raw))


def _identity(raw: bytes, header: Header, message_id: str | None, reader: Reader) -> Identity:
    """A message without an id gets one that is made from its content, so that it is the same each time."""
    said = content_hash(header, mail_lines(raw[header.size :]))
    return Identity(clean_text(message_id, 998) if message_id else f"<{said.hex()}.made@{reader.hostname}>", said)


def unpack(raw: bytes, separator: bytes, reader: Reader) -> Unpacked:
    """Read one message."""
    parsed = parse_message(raw)
    header = parsed.header
    identity = _identity(raw, header, parsed.ids.message_id, reader)
    if not is_message(header):
        return Unpacked(identity=identity, problem="; ".join(("it is no message", *header.defects)))
    author = read_archived_author(header)
    name = author.name if author is not None else read_author_name(header)
    address = str(author.address) if author is not None else ""
    date = written_at(header, parsed.date, now=reader.now, kept=separator_date(separator))
    split = split_body(raw, header)
    clues = weighing.newcomer(parsed, read_split(split), identity.message_id, date or reader.now)
    post = Post(
        ids=parsed.ids,
        author_name=name,
        author_address=address,
        author_key=author.address.key if author is not None else None,
        date=date,
        subject=parsed.subject,
        words=words_of_post(parsed.subject, name, address, split.text),
        clues=replace(clues, author=Person(name=name, address=address)),
    )
    return Unpacked(identity=identity, post=post)


def unpack_some(mails: Sequence[tuple[bytes, bytes]], reader: Reader) -> list[Unpacked]:
    """Read messages, each given with its separator; in the process of a worker."""
    return [_unpack_guarded(raw, separator, reader) for raw, separator in mails]


def identify_some(mails: Sequence[tuple[bytes, bytes]], reader: Reader) -> list[Identity]:
    """Only what tells whether messages are known; in the process of a worker."""
    return [identify(raw, reader) for raw, _separator in mails]


def _unpack_guarded(raw: bytes, separator: bytes, reader: Reader) -> Unpacked:
    try:
        return unpack(raw, separator, reader)
    except Exception as error:  # noqa: BLE001 - one bad message among a million must not end the import
        return Unpacked(identity=nameless(raw), problem=f"{type(error).__name__}: {error}"[:300])

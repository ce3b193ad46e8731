"""Which post a mail to a reply or digest address answers, where that address or the text's first words say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.addressing import DestinationKind
from listserver.lists.model import MailingList
from listserver.mail.bodytext import read_body
from listserver.mail.subject import base_subject, is_reply_subject
from listserver.store import digests, posts
from listserver.store.incoming import NewMail

_NUMBER = re.compile(r"\s*(?:re\s+|to\s+)?(?:#\s?(\d{1,4})\b|(\d{1,4})\s?:)", re.I)
_DIGEST_ID = re.compile(r"^<d-([a-z0-9]{10})\.")


@dataclass(frozen=True, slots=True)
class Answered:
    """The post that is answered, None if the address says nothing; `unclear` when a digest is answered and nothing says which post."""

    post: Any = None
    unclear: bool = False


def find(connection: Connection, site: Site, alist: MailingList, mail: NewMail, prepared: Prepared) -> Answered:
    """Look at the token, and in an answer to a digest at the number that it begins with (or its only post)."""
    kind = DestinationKind(mail.kind)
    if kind is DestinationKind.reply_token:
        return _by_reply_token(connection, alist, mail, prepared)
    token = mail.token if kind is DestinationKind.digest else ""
    if not token:
        found = next((m for m in map(_DIGEST_ID.match, prepared.parsed.ids.in_reply_to) if m), None)
        token = found[1] if found else ""
    if not token:
        return Answered(unclear=kind is DestinationKind.digest)
    return _in_digest(connection, alist, token, prepared)


def _by_reply_token(connection: Connection, alist: MailingList, mail: NewMail, prepared: Prepared) -> Answered:
    post = posts.by_token(connection, alist.id, mail.token)
    subject = prepared.parsed.subject
    remembered = (
        post is not None and subject and not is_reply_subject(subject) and base_subject(subject).casefold() != post.base_subject
    )
    if remembered and "\n>" not in f"\n{read_body(prepared.raw, prepared.header).text}":
        return Answered()  # an address book remembered the address: a new conversation
    return Answered(post)


def _in_digest(connection: Connection, alist: MailingList, token: str, prepared: Prepared) -> Answered:
    issue = digests.by_token(connection, alist.id, token)
    if issue is None:
        return Answered(unclear=True)
    entries = digests.entries(connection, alist.id, issue.member_id, issue.day)
    for text in (prepared.own_words, prepared.parsed.subject):
        match = _NUMBER.match(text)
        number = entries.get(int(match[1] or match[2])) if match else None
        if number is not None:
            return Answered(posts.get(connection, alist.id, str(number)))
    if len(entries) == 1:
        return Answered(posts.get(connection, alist.id, str(next(iter(entries.values())))))
    return Answered(unclear=True)

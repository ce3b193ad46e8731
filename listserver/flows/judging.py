"""Gather what the judges of a post need to know: one reading of its fields, and few questions to the store."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows.accept import Prepared, find_arrival, signs_of
from listserver.flows.site import Site
from listserver.lists.model import MailingList, Role
from listserver.lists.moderation import PostFacts
from listserver.mail.address import Address, parse_address, read_mailboxes
from listserver.mail.bodytext import read_body
from listserver.mail.headers import decode_text, unfold
from listserver.mail.mime import is_bomb
from listserver.mail.parse import read_date
from listserver.store import members, posts

_WEEK = timedelta(days=7)
_MAILTO = re.compile(r"<\s*mailto:([^<>?\s]{1,320})", re.I)


def gather(
    connection: Connection, site: Site, alist: MailingList, prepared: Prepared, reverse_path: str
) -> tuple[PostFacts, Any]:
    """Gather what the judges need; the member's row goes along."""
    parsed, belief, options = prepared.parsed, prepared.belief, alist.options
    key = parsed.author.address.key if parsed.author is not None else None
    member: Any = members.find_author(connection, alist.id, key) if key is not None else None
    on_list = member is not None and member.state in ("active", "paused", "suspended")
    signs = signs_of(site, prepared, reverse_path)
    now = site.now()
    today = (
        posts.count_by_member(connection, alist.id, member.id, now - timedelta(days=1)) if on_list and member.posts >= 20 else 0
    )
    needs_body = options.attachments in ("hold", "strip")
    return PostFacts(
        author=key,
        is_member=on_list,
        role=Role(member.role) if on_list else Role.member,
        verified=belief.verified,
        refused_by_domain=belief.is_refused,
        moderated=on_list and member.moderated == "yes",
        posts=member.posts if on_list else 0,
        posts_today=today,
        size=len(prepared.raw),
        has_attachments=needs_body and bool(read_body(prepared.raw, prepared.header).attachments),
        names_list=any(_leads_to(site, alist, box.address) for box in (*parsed.to, *parsed.cc)),
        strong_signs=signs.strong,
        foreign_list=signs.foreign_list,
        senders=_speakers(prepared, reverse_path) if signs.foreign_list else (),
        own_mark=signs.own_mark,
        header_too_big=prepared.header.too_big,
        is_bomb=is_bomb(prepared.raw, prepared.header),
        received_fields=prepared.header.count("received"),
        older_than_week=_is_old(parsed.date, prepared, now),
        header_text=lambda name: tuple(decode_text(body, 1000) for body in prepared.header.all(name)[:20]),
    ), member


def _speakers(prepared: Prepared, reverse_path: str) -> tuple[str, ...]:
    """The addresses that speak for the list that a mail came through."""
    header = prepared.header
    boxes = read_mailboxes(header.first("sender") or b"", 1000) or []
    posting = _MAILTO.search(unfold(header.first("list-post") or b"", 1000))
    found = [parse_address(reverse_path), *(box.address for box in boxes), parse_address(posting[1]) if posting else None]
    return tuple(dict.fromkeys(address.key for address in found if address is not None))


def _leads_to(site: Site, alist: MailingList, address: Address) -> bool:
    """Whether an address is one of this list's, in any spelling that a mail program makes of it."""
    if not site.is_ours(address.domain):
        return False
    found = find_arrival(site, str(address))
    return found is not None and found.alist is not None and found.alist.id == alist.id


def _is_old(date: datetime | None, prepared: Prepared, now: datetime) -> bool:
    """Written more than a week ago by its own date and by the first server it met: a wrong clock alone does not count."""
    if date is None or now - date <= _WEEK:
        return False
    first = prepared.header.all("received")
    met = read_date(first[-1].rpartition(b";")[2]) if first else None
    return met is not None and now - met > _WEEK

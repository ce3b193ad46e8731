"""Leaving by a link: the signed token names list and member, so that nobody need sign in (RFC 8058), and coming back by one.

Looking changes nothing. Leaving twice is leaving once. Who left by the button can come back by the button on the page that
said so, for as long as E6 promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, schedule
from listserver.flows.site import Site
from listserver.lists.model import MailingList, MemberState
from listserver.lists.subscription import Letters
from listserver.lists.tokens import read_permission, sign_permission
from listserver.store import lists, members

UNDO_DAYS = 30
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Whom a token names, and whether they are on the list."""

    alist: MailingList
    member: Any
    is_member: bool


def look(connection: Connection, site: Site, token: str) -> Membership | None:
    """Whom a token to leave names; None when it is not ours, or they are gone altogether."""
    named = read_permission(site.secret, "leave", token)
    return _membership(connection, site, named.list_id, named.member_id) if named is not None else None


def leave(site: Site, token: str) -> Membership | None:
    """End the membership that a token names, and say goodbye by mail; the membership as it was before."""

    def work(connection: Connection) -> Membership | None:
        found = look(connection, site, token)
        if found is not None and found.is_member:
            membership.leave(connection, site, found.alist, found.member.id)
            maillog.unsubscribed(list_id=found.alist.id, member=found.member.id)
            notices.notice(
                connection,
                site,
                found.alist,
                Letters.goodbye.value,
                found.member,
                {},
                reply_to=found.alist.helper("request"),
                leaving=True,
            )
        return found

    return site.database.write(work)


def way_back(site: Site, found: Membership) -> str:
    """A token to come back with, for who has just left."""
    return sign_permission(site.secret, "back", found.alist.id, found.member.id, (site.now().date() - _EPOCH).days)


def look_back(connection: Connection, site: Site, token: str) -> Membership | None:
    """Whom a token to come back names; None when it is not ours or its time is over."""
    named = read_permission(site.secret, "back", token)
    if named is None or (site.now().date() - _EPOCH).days - named.day > UNDO_DAYS:
        return None
    found = _membership(connection, site, named.list_id, named.member_id)
    if found is None:
        return None
    left = found.member.left_at
    if left is not None and (_aware(left).date() - _EPOCH).days > named.day:
        return None  # left again later, by another way: this token undoes only the leaving it was made for
    return found


def come_back(site: Site, token: str) -> Membership | None:
    """Undo the leaving; the settings are as before. The membership as it was before."""

    def work(connection: Connection) -> Membership | None:
        found = look_back(connection, site, token)
        if found is not None and not found.is_member:
            now = site.now()
            members.change(
                connection,
                found.alist.id,
                found.member.id,
                {
                    "state": MemberState.active.value,
                    "left_at": None,
                    "digest_through": lists.last_post(connection, found.alist.id),
                },
            )
            schedule.plan(connection, found.alist, now)
            maillog.subscribed(list_id=found.alist.id, member=found.member.id)
        return found

    return site.database.write(work)


def _membership(connection: Connection, site: Site, list_id: int, member_id: int) -> Membership | None:
    alist = site.directory.by_id(list_id)
    member = members.by_id(connection, list_id, member_id) if alist is not None else None
    if alist is None or member is None:
        return None
    return Membership(alist=alist, member=member, is_member=member.state != MemberState.left.value)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

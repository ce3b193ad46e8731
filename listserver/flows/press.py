"""The answer to a question about joining or leaving, by the button of a page instead of a reply.

The token was sent to the address that it acts for, so whoever shows it holds that mailbox. Looking changes nothing; pressing
twice is pressing once. Other questions are answered by mail only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, schedule
from listserver.flows.site import Site
from listserver.lists.model import MailingList, MemberState
from listserver.lists.subscription import Event, Letters, advance
from listserver.lists.tokens import hash_question
from listserver.store import lists, members, pending
from listserver.store.tables import MailingListRow, Question, table_of

_Q: Any = table_of(Question)
_L: Any = table_of(MailingListRow)


class Pressed(StrEnum):
    """What a press came to."""

    joined = "joined"
    waiting = "waiting"
    """An owner lets each new member in."""
    left = "left"
    nothing = "nothing"
    """It was so already, or the list lets nobody in this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An open question about joining or leaving."""

    alist: MailingList
    question: Any


def look(connection: Connection, site: Site, token: str) -> Asked | None:
    """The open question of a token; None when there is none, it was answered, or its time is over."""
    every_list = sa.select(_L.c.id)
    row = connection.execute(
        sa.select(_Q).where(
            _Q.c.list_id.in_(every_list), _Q.c.token_hash == hash_question(token), _Q.c.kind.in_(("join", "leave"))
        )
    ).first()
    alist = site.directory.by_id(row.list_id) if row is not None else None
    if row is None or alist is None or row.answered_at is not None or row.expires_at <= site.now():
        return None
    return Asked(alist=alist, question=row)


def press(site: Site, token: str) -> tuple[Asked, Pressed] | None:
    """Do what was asked, at once."""

    def work(connection: Connection) -> tuple[Asked, Pressed] | None:
        asked = look(connection, site, token)
        if asked is None or not pending.answer(connection, asked.alist.id, asked.question.token_hash, site.now()):
            return None
        return asked, (_join if asked.question.kind == "join" else _leave)(connection, site, asked)

    return site.database.write(work)


def _leave(connection: Connection, site: Site, asked: Asked) -> Pressed:
    alist = asked.alist
    member = members.find(connection, alist.id, asked.question.address_key)
    if member is None or member.state == MemberState.left.value:
        return Pressed.nothing
    membership.leave(connection, site, alist, member.id)
    maillog.unsubscribed(list_id=alist.id, member=member.id)
    notices.notice(connection, site, alist, Letters.goodbye.value, member, {}, reply_to=alist.helper("request"), leaving=True)
    return Pressed.left


def _join(connection: Connection, site: Site, asked: Asked) -> Pressed:
    alist, question, now = asked.alist, asked.question, site.now()
    known = members.find(connection, alist.id, question.address_key)
    state = MemberState(known.state) if known is not None else None
    transition = advance(state, Event.join_confirmed, policy=alist.options.subscribe, welcome=alist.options.welcome)
    if transition.state is None or transition.letter in (Letters.already_member, Letters.by_invitation):
        return Pressed.nothing
    data = json.loads(question.data)
    wanted = data.get("delivery", "") or ("" if known is not None else alist.options.default_delivery)
    added = members.add(
        connection,
        alist.id,
        [(question.address, question.address_key, data.get("name", ""))],
        {"delivery": wanted} if wanted else {},
        state=transition.state.value,
        now=now,
        digest_through=lists.last_post(connection, alist.id),
    )
    schedule.plan(connection, alist, now)
    for number in added:
        if transition.state is MemberState.active:
            maillog.subscribed(list_id=alist.id, member=number)
        if transition.letter is Letters.welcome:
            notices.welcome(connection, site, alist, number)
    if transition.letter is not Letters.waiting_for_owner:
        return Pressed.joined
    if added:
        notices.staff(connection, site, alist, "wants-to-join", {"who": question.address, "name": data.get("name", "")})
    return Pressed.waiting

"""What the passing of time does about mail that comes back: ask, try again, take off, and tell the owners by name.

Runs at the clock's sweep, a member at a time, so that one unit of work stays short; whoever another process has looked
at meanwhile is not due any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, returned
from listserver.flows.site import Site
from listserver.lists import bounces as rules
from listserver.lists.bounces import Act, History
from listserver.lists.model import MailingList
from listserver.mail.refusal import Weight
from listserver.store import bounces, members, outbox, pending, reports

_MOST_AT_ONCE = 2_000
_MOST_NAMED = 50
TOLD_EVERY = timedelta(days=1)
_KEPT_SETTINGS = timedelta(days=30)
_NOTICES = {"failed-deliveries": (returned.EXPIRED,), "refused-as-unwanted": (Weight.policy.value,)}


def look(site: Site) -> int:
    """Do what is due for every member whose mail came back, and tell the owners; how many members something was done for."""
    now = site.now()
    with site.database.read() as connection:
        waiting = bounces.due(connection, now, _MOST_AT_ONCE)
        lists = reports.lists_to_tell(connection)
    done = sum(site.database.write(lambda c, key=key: _look_at(c, site, key, now)) for key in waiting)  # type: ignore[misc]
    for list_id in lists:
        site.database.write(lambda c, list_id=list_id: _tell_owners(c, site, list_id, now))  # type: ignore[misc]
    return done


def _look_at(connection: Connection, site: Site, key: tuple[int, int], now: datetime) -> bool:
    alist, member = site.directory.by_id(key[0]), bounces.lock_member(connection, *key)
    noted = bounces.find(connection, *key)
    if noted is None or noted.next_at is None or noted.next_at > now:
        return False
    if alist is None or member is None or member.state in ("left", "pending"):
        bounces.clear(connection, *key)
        return False
    history = returned.history_of(connection, member, noted)
    act = rules.due(history, now)
    if act is Act.probe and noted.refused and outbox.sent_since(connection, alist.id, member.id, noted.last_at):
        act = Act.clear  # the relay refused, and has taken mail since: that is known to be over
    return _carry_out(connection, site, alist, member, history, act, now)


def _carry_out(
    connection: Connection, site: Site, alist: MailingList, member: Any, history: History, act: Act, now: datetime
) -> bool:
    match act:
        case Act.probe:
            _look_again(connection, alist, member, history, probe_at=now)
            returned.tell(connection, site, alist, member, "are-we-reaching-you", until=now + rules.WINDOW)
        case Act.try_again if history.paused_at is not None:
            _look_again(connection, alist, member, history, tries=history.tries + 1)
            returned.tell(connection, site, alist, member, "email-paused", until=history.paused_at + rules.OFF_AFTER)
        case Act.take_off:
            returned.tell(connection, site, alist, member, "taken-off", until=now + _KEPT_SETTINGS)
            membership.leave(connection, site, alist, member.id)
            bounces.clear(connection, alist.id, member.id)
            maillog.unsubscribed(list_id=alist.id, member=member.id)
        case Act.clear:
            returned.resume(connection, site, alist, member)
        case _:
            _look_again(connection, alist, member, history)
            return False
    return True


def _look_again(
    connection: Connection,
    alist: MailingList,
    member: Any,
    history: History,
    *,
    probe_at: datetime | None = None,
    tries: int | None = None,
) -> None:
    after = History(
        points=history.points,
        last_at=history.last_at,
        probe_at=probe_at or history.probe_at,
        paused_at=history.paused_at,
        tries=history.tries if tries is None else tries,
        is_owner=history.is_owner,
    )
    values = {"probe_at": after.probe_at, "tries": after.tries, "next_at": rules.next_look(after)}
    bounces.change(connection, alist.id, member.id, values)


def _tell_owners(connection: Connection, site: Site, list_id: int, now: datetime) -> None:
    """Tell the owners by name what could not be delivered in five days, and what was refused as unwanted; once a day each."""
    alist = site.directory.by_id(list_id)
    for name, weights in _NOTICES.items():
        rows = reports.to_tell(connection, list_id, weights, 20 * _MOST_NAMED)
        if alist is None or not rows:
            reports.told(connection, list_id, weights)
            continue
        if pending.answers_since(connection, alist.address, now - TOLD_EVERY, list_id=list_id, name=name):
            continue
        people: dict[str, dict[str, str]] = {}
        for row in rows:
            people[row.address] = {"address": row.address, "name": row.name, "reply": row.detail}
        shown = list(people.values())[:_MOST_NAMED]
        values = {"people": shown, "more": len(people) - len(shown), "count": len(people)}
        notices.staff(connection, site, alist, name, values)
        pending.note_answer(
            connection, list_id=list_id, answer_id=site.database.new_id(), address_key=alist.address, name=name, now=now
        )
        reports.told(connection, list_id, weights)


def describe(connection: Connection, alist: MailingList, member_id: int, now: datetime) -> dict[str, object] | None:
    """What came back from one member, as the command line shows it; None when nothing did."""
    noted, member = bounces.find(connection, alist.id, member_id), members.by_id(connection, alist.id, member_id)
    if noted is None or member is None:
        return None
    history = returned.history_of(connection, member, noted)
    days = bounces.days(connection, alist.id, member_id)
    return {
        "score": history.score(now),
        "limit": rules.LIMIT,
        "returned": sum(row.returned for row in days.values()),
        "days": len(days),
        "since": noted.since,
        "last_at": noted.last_at,
        "weight": noted.weight,
        "reason": noted.reason,
        "detail": noted.detail,
        "probe_at": noted.probe_at,
        "paused_at": noted.paused_at,
        "next_at": noted.next_at,
        "off_at": noted.paused_at + rules.OFF_AFTER if noted.paused_at and not history.is_owner else None,
    }


def describe_all(connection: Connection, alist: MailingList, now: datetime) -> list[dict[str, object]]:
    """Everyone on a list whose mail comes back, whoever is paused first."""
    rows = bounces.of_list(connection, alist.id)
    return [
        {"address": row.address, "name": row.name, "state": row.state, **(describe(connection, alist, row.member_id, now) or {})}
        for row in rows
    ]

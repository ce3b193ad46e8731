"""What comes back: mail to our return-paths, and deliveries that the relay refused.

Mail is recognised by the address it comes to, which names list, member and day and is signed, so that nobody can have
others taken off a list; without our signature it counts for nothing, and so does one about a mail of long ago. Nothing
here is ever answered. What a report leads to is decided in `lists.bounces`; what time leads to, in `flows.reach`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, schedule
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists import bounces as rules
from listserver.lists.bounces import Act, History
from listserver.lists.model import MailingList, Role
from listserver.lists.tokens import Permission, read_permission
from listserver.mail.refusal import Reason, Weight, find_status, weigh_refusal
from listserver.mail.returned import Returned, read_returned
from listserver.render.digests import day_in_words
from listserver.store import bounces, incoming, members, outbox, reports
from listserver.store.incoming import NewMail
from listserver.store.outbox import Settled
from listserver.store.tables import IncomingState

EXPIRED = "expired"  # a delivery that was tried for five days; the owners are told by name
_COUNTED = ("active", "paused", "suspended")
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One sign that a member's mail does not arrive; `refused`: the relay said so at once."""

    weight: Weight
    reason: Reason
    detail: str
    refused: bool = False


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Callable[[Connection], None]:
    """Record what came to a return-path and act on it; without our signature it counts for nothing."""
    now = site.now()
    named = read_permission(site.secret, "bounces", mail.token) if mail.token else None
    found = read_returned(prepared.raw, prepared.header, reverse_path=mail.reverse_path, expected=named is not None)
    too_old = named is not None and now - _day_of(named, now) > rules.TOKEN_LIFE

    def end(connection: Connection, state: IncomingState, detail: str) -> None:
        incoming.finish(connection, mail.list_id, mail.id, state, detail)

    def work(connection: Connection) -> None:
        if named is None:
            end(connection, IncomingState.ignored, "mail without a sender, to an address that we did not make")
        elif found is not None and found.weight is Weight.auto_reply:
            end(connection, IncomingState.ignored, "an automatic answer to a return-path")
        elif too_old or found is None:
            end(connection, IncomingState.bounce, "about a mail of long ago" if too_old else "not understood: counts nothing")
        else:
            _record(connection, site, named, found, mail, now)
            end(connection, IncomingState.bounce, " ".join(filter(None, (found.weight.value, found.status))))

    return work


def _day_of(named: Permission, now: datetime) -> datetime:
    """The day on which the return-path was made."""
    return datetime.combine(_EPOCH, datetime.min.time(), now.tzinfo) + timedelta(days=min(named.day, 100_000))


def _record(connection: Connection, site: Site, named: Permission, found: Returned, mail: NewMail, now: datetime) -> None:
    reports.add(
        connection,
        list_id=named.list_id,
        report_id=site.database.new_id(),
        incoming_id=mail.id,
        member_id=named.member_id,
        now=now,
        status=found.status,
        recipient=found.recipient,
        detail=found.detail,
        weight=found.weight.value,
        reason=found.reason.value,
        tell=found.weight is Weight.policy,
    )
    maillog.bounced(list_id=named.list_id, member=named.member_id, weight=found.weight.value, status=found.status)
    count(connection, site, named.list_id, named.member_id, Sign(weight=found.weight, reason=found.reason, detail=found.detail))


def refused(connection: Connection, site: Site, settled: Settled) -> None:
    """A delivery failed for good: at once by the relay's 5xx, which counts as if it had come back, or after five days."""
    claim, reply, now = settled.claim, settled.reply, site.now()
    maillog.failed(list_id=claim.list_id, outgoing=claim.outgoing_id, address=claim.address, reply=reply)
    if not claim.member_id or site.directory.by_id(claim.list_id) is None:
        return
    at_once = reply.startswith("5")
    weight, reason = weigh_refusal(reply, status=find_status(reply))
    reports.add(
        connection,
        list_id=claim.list_id,
        report_id=site.database.new_id(),
        incoming_id=None,
        member_id=claim.member_id,
        now=now,
        status=find_status(reply),
        recipient=claim.address,
        detail=reply,
        weight=weight.value if at_once else EXPIRED,
        reason=reason.value,
        tell=not at_once or weight is Weight.policy,
    )
    if at_once or reply.startswith("4"):
        sign = Sign(
            weight=weight if at_once or weight is Weight.policy else Weight.soft, reason=reason, detail=reply, refused=True
        )
        count(connection, site, claim.list_id, claim.member_id, sign)


def count(connection: Connection, site: Site, list_id: int, member_id: int, sign: Sign) -> Act:
    """Weigh one sign against what is known of the member, and do what follows from it."""
    now, alist = site.now(), site.directory.by_id(list_id)
    member = bounces.lock_member(connection, list_id, member_id)
    if alist is None or member is None or member.state not in _COUNTED:
        return Act.nothing
    noted = bounces.find(connection, list_id, member_id)
    if noted is not None and sign.refused and noted.refused and outbox.sent_since(connection, list_id, member_id, noted.last_at):
        resume(connection, site, alist, member)  # the relay took a mail since: what it refused before is over
        noted = None
    history = history_of(connection, member, noted)
    decision = rules.weigh(history, sign.weight, now)
    if decision.act is Act.leave:
        membership.leave(connection, site, alist, member_id)
        bounces.clear(connection, list_id, member_id)
        maillog.unsubscribed(list_id=list_id, member=member_id)
    elif decision.act is Act.clear:
        resume(connection, site, alist, member)
    elif sign.weight in rules.POINTS:
        _note(connection, alist, member, sign, decision.points, history, now)
        if decision.act is Act.pause:
            pause(connection, site, alist, member)
    return decision.act


def history_of(connection: Connection, member: Any, noted: Any) -> History:
    """What came back from a member so far, as the rules want it."""
    if noted is None:
        return History(is_owner=member.role == Role.owner.value)
    return History(
        points={day: row.points for day, row in bounces.days(connection, member.list_id, member.id).items()},
        last_at=noted.last_at,
        probe_at=noted.probe_at,
        paused_at=noted.paused_at,
        tries=noted.tries,
        is_owner=member.role == Role.owner.value,
    )


def _note(
    connection: Connection, alist: MailingList, member: Any, sign: Sign, points: float, history: History, now: datetime
) -> None:
    after = History(
        points={**history.points, now.date(): points},
        last_at=now,
        probe_at=history.probe_at,
        paused_at=history.paused_at,
        tries=history.tries,
        is_owner=history.is_owner,
    )
    bounces.note_day(connection, alist.id, member.id, now.date(), points)
    bounces.note(
        connection,
        alist.id,
        member.id,
        now=now,
        weight=sign.weight.value,
        reason=sign.reason.value,
        detail=sign.detail,
        refused=sign.refused,
        next_at=rules.next_look(after),
    )


def pause(connection: Connection, site: Site, alist: MailingList, member: Any) -> None:
    """Stop sending to a member whose mail comes back, and say so (E29); a pause of their own is kept by its date."""
    now = site.now()
    members.change(connection, alist.id, member.id, {"state": "suspended", "digest_due": None})
    history = History(paused_at=now, is_owner=member.role == Role.owner.value)
    bounces.change(connection, alist.id, member.id, {"paused_at": now, "tries": 0, "next_at": rules.next_look(history)})
    maillog.suspended(list_id=alist.id, member=member.id)
    tell(connection, site, alist, member, "email-paused", until=now + rules.OFF_AFTER)


def resume(connection: Connection, site: Site, alist: MailingList, member: Any) -> bool:
    """Their mail arrives again, or they say so: forget what came back, and send again. False: there was nothing to do."""
    noted = bounces.clear(connection, alist.id, member.id)
    if member.state != "suspended":
        return noted
    pausing = member.paused_until and datetime.fromisoformat(member.paused_until) > site.now()
    members.change(connection, alist.id, member.id, {"state": "paused" if pausing else "active"})
    schedule.plan(connection, alist, site.now())
    return True


def clear(site: Site, alist: MailingList, address: str) -> bool:
    """Forget by hand what came back from a member, and send again. Raises: NotFound."""
    key = membership.address_key(address)
    return site.database.write(lambda c: resume(c, site, alist, members.get(c, alist.id, key)))


def tell(connection: Connection, site: Site, alist: MailingList, member: Any, name: str, *, until: datetime) -> None:
    """Write one of the mails about returned mail; its own return-path makes it a probe."""
    noted = bounces.find(connection, alist.id, member.id)
    days = bounces.days(connection, alist.id, member.id)
    zone = member.timezone or alist.options.timezone
    values = {
        "returned": sum(row.returned for row in days.values()) or 1,
        "days": (max(days) - min(days)).days + 1 if days else 1,
        "reason": noted.reason if noted else Reason.none.value,
        "detail": noted.detail if noted else "",
        "until": day_in_words(until, zone),
    }
    taken_off = name == "taken-off"
    reply_to = "" if name == "are-we-reaching-you" else alist.helper("request")
    notices.notice(connection, site, alist, name, member, values, reply_to=reply_to, leaving=taken_off)

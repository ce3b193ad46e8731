"""From the outbox to the wire: claim, build each copy from the stored original, and record how it ended.

At least once: a claim is committed before anything is sent, so a crash may repeat a copy and never lose one; whatever
was being sent then is marked `ambiguous` and sent again with the same Message-ID.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import returned
from listserver.flows.ports import Body, Copy
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.lists.retry import next_attempt
from listserver.lists.tokens import PermissionSigner
from listserver.lists.transform import CopyPlan, plan_copy
from listserver.mail.headers import read_header
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.mail.verp import permission_address
from listserver.store import incoming, outbox, posts
from listserver.store.outbox import Claim, Settled
from listserver.store.tables import DeliveryState, OutgoingKind

_KEPT_PLANS = 32
_EPOCH = date(1970, 1, 1)

claim = outbox.claim
recover = outbox.recover
open_deliveries = outbox.open_deliveries


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Copies ready to leave; those that could not be built are settled already."""

    copies: list[Copy]
    claims: Mapping[object, Claim]
    created: Mapping[object, datetime]
    broken: list[Settled] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """What all copies of one outgoing mail share."""

    created: datetime
    null_sender: bool
    alist: MailingList | None
    list_id: int
    plan: CopyPlan | None
    body: Body
    bounces: PermissionSigner
    leave: PermissionSigner


class CopyBuilder:
    """Builds copies; keeps what the copies of one mail share, so that each costs microseconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ready: OrderedDict[tuple[int, int], _Ready] = OrderedDict()

    def build(self, claims: Sequence[Claim]) -> Batch:
        """Build one copy for each claim."""
        batch = Batch(copies=[], claims={}, created={})
        missing = {(c.list_id, c.outgoing_id) for c in claims} - self._ready.keys()
        if missing:
            with self._site.database.read() as connection:
                for key in missing:
                    self._ready[key] = self._prepare(connection, *key)
        by_key: dict[object, Claim] = {}
        created: dict[object, datetime] = {}
        for each in claims:
            key = (each.list_id, each.outgoing_id, each.member_id)
            ready = self._ready[key[:2]]
            by_key[key], created[key] = each, ready.created
            batch.copies.append(self._copy(key, each, ready))
        while len(self._ready) > _KEPT_PLANS:
            self._ready.popitem(last=False)
        return Batch(copies=batch.copies, claims=by_key, created=created)

    def _prepare(self, connection: Connection, list_id: int, outgoing_id: int) -> _Ready:
        row = outbox.outgoing(connection, list_id, outgoing_id)
        raw = incoming.raw_of(connection, list_id, row.original_id)
        alist = self._site.directory.by_id(list_id)
        plan = None
        if row.kind == OutgoingKind.post.value and alist is not None:
            post = posts.get(connection, list_id, str(row.post_number))
            plan = self._plan(alist, raw, row, post)
        today = (row.created_at.date() - _EPOCH).days
        return _Ready(
            created=row.created_at, null_sender=row.null_sender, alist=alist, list_id=list_id, plan=plan,
            body=plan.body if plan is not None else Body(raw),
            bounces=PermissionSigner(self._site.secret, "bounces", list_id, today),
            leave=PermissionSigner(self._site.secret, "leave", list_id, today))

    def _plan(self, alist: MailingList, raw: bytes, row: Any, post: Any) -> CopyPlan: ...

    def _copy(self, key: object, each: Claim, ready: _Ready) -> Copy: ...


def settle_as(each: Claim, outcome: Outcome, created: datetime, now: datetime) -> Settled:
    """What to record for an outcome: the state, and for a retry when (P3: five days, then the owner is told)."""
    reply = str(outcome.reply) if outcome.reply is not None else outcome.detail
    match outcome.kind:
        case OutcomeKind.delivered:
            return Settled(each, DeliveryState.sent, reply)
        case OutcomeKind.failed:
            return Settled(each, DeliveryState.failed, reply)
        case OutcomeKind.ambiguous:
            due = next_attempt(created, each.attempts, now)
            return Settled(each, DeliveryState.ambiguous if due else DeliveryState.failed, reply, due)
        case OutcomeKind.deferred:
            due = next_attempt(created, each.attempts, now)
            return Settled(each, DeliveryState.retry if due else DeliveryState.failed, reply, due)


def record(connection: Connection, site: Site, settled: Sequence[Settled]) -> int:
    """Record how deliveries ended; what failed for good is noted for the owners."""
    for each in settled:
        if each.state is DeliveryState.failed:
            returned.refused(connection, site, each)
        elif each.state is DeliveryState.retry:
            maillog.deferred(list_id=each.claim.list_id, outgoing=each.claim.outgoing_id, reply=each.reply)
    return outbox.settle(connection, settled)


def lease_length() -> timedelta:
    """How long a worker may hold a delivery before others take it for lost."""
    return timedelta(minutes=10)

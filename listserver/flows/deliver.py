"""From the outbox to the wire: claim, build each copy from the stored original, and record how it ended.

At least once: a claim is committed before anything is sent, so a crash may repeat a copy and never lose one; whatever
was being sent then is marked `ambiguous` and sent again with the same Message-ID.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from sqlalchemy.engine import Connection

from listserver import maillog, metrics
from listserver.authentication.sign import Signable
from listserver.flows import links, returned
from listserver.flows.ports import Body, Copy
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.lists.retry import next_attempt
from listserver.lists.tokens import PermissionSigner
from listserver.lists.transform import PostFactsForCopy, copy_content
from listserver.mail.address import read_author
from listserver.mail.headers import read_header
from listserver.mail.listfields import unsubscribe_fields
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.mail.verp import permission_frame
from listserver.store import outbox
from listserver.store.outbox import Claim, Settled
from listserver.store.tables import DeliveryState, OutgoingKind

_DELIVERIES = metrics.counter(
    "listserver_deliveries_total", "Attempts at copies since the start, by the state that they led to", ["state"]
)
_KEPT_PLANS = 32
_EPOCH = date(1970, 1, 1)
_NOT_BUILT = Outcome(OutcomeKind.deferred, None, "the copy could not be built: an error of ours")
_log = structlog.get_logger("listserver.deliver")
_LARGE_MEMBER = 1 << 27  # the longest token a list of this size can need decides which address carries it

claim = outbox.claim
recover = outbox.recover
open_deliveries = outbox.open_deliveries


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Copies ready to leave, each keyed by its claim; those that could not be built are settled already."""

    copies: list[Copy]
    created: Mapping[tuple[int, int], datetime]
    """When each mail was put into the outbox."""
    broken: list[Settled]


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """What all copies of one outgoing mail share."""

    created: datetime
    null_sender: bool
    leaves: bool
    """Whether each copy carries its member's way to leave; notices bring their own."""
    body: Body
    bounces: PermissionSigner
    bounces_frame: tuple[str, str]
    leave: PermissionSigner
    leave_frame: tuple[str, str]
    host: str
    signed: Signable | None
    """What our signature covers, canonical once for all copies; None where we do not sign."""
    common: tuple[str, bytes] | None
    """Return-path and head where all members get the same copy (RELAY_BATCH)."""


class CopyBuilder:
    """Builds copies; keeps what the copies of one mail share, so that each costs microseconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._https = site.web_url.startswith("https://")
        self._ready: OrderedDict[tuple[int, int], _Ready] = OrderedDict()
        self._lock = threading.Lock()

    def build(self, claims: Sequence[Claim]) -> Batch:
        """Build one copy for each claim; a mail that cannot be built defers its own copies only (P7)."""
        copies: list[Copy] = []
        broken: list[Settled] = []
        shared = self._shared({(c.list_id, c.outgoing_id) for c in claims})
        for each in claims:
            ready = shared.get((each.list_id, each.outgoing_id))
            if ready is None:
                now = self._site.now()
                broken.append(settle_as(each, _NOT_BUILT, now, now))
                continue
            copies.append(self._copy(each, ready))
        return Batch(copies=copies, created={name: ready.created for name, ready in shared.items()}, broken=broken)

    def _shared(self, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], _Ready]:
        """What the copies of these mails share. Batches are built in several threads at once."""
        with self._lock:
            found = {name: self._ready[name] for name in wanted & self._ready.keys()}
        missing = wanted - found.keys()
        if missing:
            with self._site.database.read() as connection:
                for list_id, outgoing_id in missing:
                    try:
                        found[list_id, outgoing_id] = self._prepare(connection, list_id, outgoing_id)
                    except Exception:  # noqa: BLE001 - one mail's trouble is not the others'
                        _log.exception("not_built", list=list_id, outgoing=outgoing_id)
        with self._lock:
            for name, ready in found.items():
                self._ready[name] = ready
                self._ready.move_to_end(name)
            while len(self._ready) > _KEPT_PLANS:
                self._ready.popitem(last=False)
        return found

    def _prepare(self, connection: Connection, list_id: int, outgoing_id: int) -> _Ready:
        row = outbox.whole(connection, list_id, outgoing_id)
        raw = bytes(row.raw)
        alist = self._site.directory.by_id(list_id)
        if row.kind == OutgoingKind.post.value and alist is not None:
            raw = self._content(alist, raw, row)
        today = (row.created_at.date() - _EPOCH).days
        local, host = (alist.local, alist.host) if alist is not None else ("x" * 64, self._site.hostname)
        bounces, leave = (PermissionSigner(self._site.secret, kind, list_id, today) for kind in ("bounces", "leave"))
        length = len(leave.sign(_LARGE_MEMBER))
        body = Body(raw)
        signed = Signable(body.raw) if self._signs(row.kind) else None
        common = None
        if self._site.relay_batch > 1 and row.kind == OutgoingKind.post.value and alist is not None:
            common = (f"{local}-bounces@{host}", self._sign(host, signed, unsubscribe_fields(alist.helper("leave"), "")))
        return _Ready(
            created=row.created_at,
            null_sender=bool(row.null_sender),
            leaves=row.kind != OutgoingKind.notice.value and alist is not None,
            body=body,
            bounces=bounces,
            leave=leave,
            bounces_frame=permission_frame(local, "bounces", length, host),
            leave_frame=permission_frame(local, "leave", length, host),
            host=host,
            signed=signed,
            common=common,
        )

    def _signs(self, kind: str) -> bool:
        signing = self._site.signing
        return signing is not None and (signing.posts or kind != OutgoingKind.post.value)

    def _content(self, alist: MailingList, raw: bytes, row: Any) -> bytes:
        """What all copies of a post share, with the address of the page on which it can be read, where there is one."""
        header = read_header(raw)
        facts = PostFactsForCopy(
            message_id=row.message_id,
            reply_token=row.token,
            author=read_author(header),
            rewrite_author=bool(row.rewrite_author),
            hostname=self._site.hostname,
            archived_at=links.post_page(self._site, alist, row.post_number),
            archive=links.list_page(self._site, alist),
        )
        return copy_content(alist, raw, header, facts)

    def _sign(self, host: str, signed: Signable | None, head: bytes) -> bytes:
        if signed is None or self._site.signing is None:
            return head
        return self._site.signing.sign(host, signed, head, now=self._site.now()) + head

    def _copy(self, each: Claim, ready: _Ready) -> Copy:
        if ready.common is not None:
            return Copy(each, ready.common[0], each.address, ready.common[1], ready.body, not each.address.isascii())
        reverse_path = (
            "" if ready.null_sender else ready.bounces_frame[0] + ready.bounces.sign(each.member_id) + ready.bounces_frame[1]
        )
        head = b""
        if ready.leaves:
            token = ready.leave.sign(each.member_id)
            one_click = f"{self._site.web_url}/u/{token}" if self._https else ""
            head = unsubscribe_fields(ready.leave_frame[0] + token + ready.leave_frame[1], one_click)
        head = self._sign(ready.host, ready.signed, head)
        return Copy(each, reverse_path, each.address, head, ready.body, not each.address.isascii())


class Recorder:
    """Turns the outcomes of one batch into what is to be recorded; most are the same reply again and again."""

    def __init__(self, batch: Batch, site: Site) -> None:
        self._created = batch.created
        self._site = site
        self._last: Outcome | None = None
        self._text = ""

    def settle(self, copy: Copy, outcome: Outcome) -> Settled:
        """What to record for a copy of this batch."""
        each = copy.key
        if not isinstance(each, Claim):
            raise TypeError("a copy of another maker")
        if outcome.kind is not OutcomeKind.delivered:
            return settle_as(each, outcome, self._created[each.list_id, each.outgoing_id], self._site.now())
        if outcome is not self._last:
            self._last, self._text = outcome, str(outcome.reply) if outcome.reply is not None else outcome.detail
        return Settled(each, DeliveryState.sent, self._text)


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
    return outbox.settle(connection, settled)


def tell(settled: Sequence[Settled]) -> None:
    """Say in the log, and count, how deliveries ended: a line for each mail, not for each copy. What failed has said so itself."""
    grouped: dict[tuple[int, int, str], list[Settled]] = {}
    for each in settled:
        grouped.setdefault((each.claim.list_id, each.claim.outgoing_id, each.state.value), []).append(each)
    for (list_id, outgoing_id, state), group in grouped.items():
        _DELIVERIES.labels(state).inc(len(group))
        if state == DeliveryState.sent.value:
            maillog.delivered(list_id=list_id, outgoing=outgoing_id, copies=len(group))
        elif state in (DeliveryState.retry.value, DeliveryState.ambiguous.value):
            maillog.deferred(list_id=list_id, outgoing=outgoing_id, copies=len(group), reply=group[0].reply)

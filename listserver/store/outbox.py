"""The outbox: every mail on its way out once, and a row for each recipient with its state and lease.

The whole fan-out of a post is one INSERT … SELECT in the transaction that stores the post. Workers claim rows in
their turn and commit that claim before anything is sent; each claim counts the lease up, so that a worker that was
frozen and wakes up fails its last update.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.store.clean import clean_text
from listserver.store.hot import HotStatement, insert
from listserver.store.tables import Delivery, DeliveryState, MemberRow, Original, Outgoing, OutgoingKind, Post, table_of

_TURN = 1000  # microseconds between the turns of two recipients of one mail
_D: Any = table_of(Delivery)
_M: Any = table_of(MemberRow)
_P: Any = table_of(Post)


class Claim(NamedTuple):
    """One delivery row that this worker may send until its lease ends."""

    list_id: int
    outgoing_id: int
    member_id: int
    address: str
    lease: int
    attempts: int


class Settled(NamedTuple):
    """How one claimed delivery ended."""

    claim: Claim
    state: DeliveryState
    reply: str = ""
    due: datetime | None = None


def microseconds(when: datetime) -> int:
    """Microseconds since 1970, which is how turns and leases are kept."""
    return round(when.timestamp() * 1_000_000)


def add(
    connection: Connection,
    *,
    list_id: int,
    outgoing_id: int,
    kind: OutgoingKind,
    original_id: int,
    now: datetime,
    post_number: int | None = None,
    null_sender: bool = False,
    rewrite_author: bool = False,
    reason: str = "",
) -> None:
    """Put one mail into the outbox; its recipients follow."""
    _ADD.run(
        connection,
        {
            "list_id": list_id,
            "id": outgoing_id,
            "kind": kind.value,
            "original_id": original_id,
            "post_number": post_number,
            "created_at": now,
            "null_sender": null_sender,
            "rewrite_author": rewrite_author,
            "reason": clean_text(reason, 400),
        },
    )


_ADD = insert(table_of(Outgoing))


def add_recipient(connection: Connection, list_id: int, outgoing_id: int, member_id: int, address: str, now: datetime) -> None:
    """Add one recipient; member number 0 is somebody who is no member."""
    _ADD_ONE.run(
        connection,
        {
            "list_id": list_id,
            "outgoing_id": outgoing_id,
            "member_id": member_id,
            "address": address,
            "state": "queued",
            "due": microseconds(now),
            "lease": 0,
            "attempts": 0,
            "reply": "",
        },
    )


_ADD_ONE = insert(_D)


def snapshot(
    connection: Connection,
    list_id: int,
    outgoing_id: int,
    now: datetime,
    *,
    author_id: int,
    own_copies: bool,
    conversation: int,
    skip: Sequence[str] = (),
    grace: timedelta = timedelta(),
) -> int:
    """Add every member who gets this post as it is written, and return how many they are.

    They are those who get each post, and of those who get only what they follow whoever wrote in this conversation.
    `own_copies` is the list's choice for authors who made none of their own; `skip` are address keys that already
    stand in To or Cc, where the list leaves those out. Copies with a grace time wait for it as a retry does.
    """
    values: dict[str, object] = {
        "l": list_id,
        "o": outgoing_id,
        "c": conversation,
        "state": "retry" if grace else "queued",
        "due": microseconds(now + grace),
        "author": author_id,
        "own": "yes" if own_copies else "no",
    }
    if skip:
        return connection.execute(_SNAPSHOT_SKIP, {**values, "skip": list(skip)}).rowcount
    return _SNAPSHOT.run(connection, values).rowcount


def _snapshot_statement(*, skip: bool) -> sa.Insert:
    wrote = (
        sa.exists()
        .where(
            _P.c.list_id == sa.bindparam("l", type_=sa.BigInteger),
            _P.c.conversation == sa.bindparam("c", type_=sa.Integer),
            _P.c.member_id == _M.c.id,
        )
        .correlate(_M)
    )
    chosen = sa.select(
        sa.bindparam("l", type_=sa.BigInteger),
        sa.bindparam("o", type_=sa.BigInteger),
        _M.c.id,
        _M.c.address,
        sa.bindparam("state", type_=sa.String),
        sa.bindparam("due", type_=sa.BigInteger) + _M.c.id * _TURN,
        sa.literal(0),
        sa.literal(0),
        sa.literal(""),
    ).where(
        _M.c.list_id == sa.bindparam("l", type_=sa.BigInteger),
        _M.c.state == "active",
        sa.or_(_M.c.delivery == "each", sa.and_(_M.c.delivery == "followed", wrote)),
        sa.or_(
            _M.c.id != sa.bindparam("author", type_=sa.Integer),
            sa.func.coalesce(sa.func.nullif(_M.c.own_copies, ""), sa.bindparam("own", type_=sa.String)) == "yes",
        ),
    )
    if skip:
        chosen = chosen.where(_M.c.address_key.not_in(sa.bindparam("skip", expanding=True)))
    columns = ["list_id", "outgoing_id", "member_id", "address", "state", "due", "lease", "attempts", "reply"]
    return sa.insert(_D).from_select(columns, chosen)


_SNAPSHOT = HotStatement(_snapshot_statement(skip=False))
_SNAPSHOT_SKIP = _snapshot_statement(skip=True)


def claim(connection: Connection, now: datetime, limit: int, lease: timedelta) -> list[Claim]:
    """Take up to `limit` rows whose turn has come: first retries that are due, then the queue in order of turns."""
    moment = microseconds(now)
    end = moment + int(lease.total_seconds() * 1_000_000)
    rows = list(_CLAIM_DUE.run(connection, {"now": moment, "until": end, "n": max(1, limit // 4)}))
    rows += _CLAIM_QUEUED.run(connection, {"until": end, "n": limit - len(rows)}).all()
    return [Claim._make(row) for row in rows]


def _claim_statement(condition: sa.ColumnElement[bool]) -> sa.Update:
    turn = (
        sa.select(_D.c.list_id, _D.c.outgoing_id, _D.c.member_id)
        .where(condition)
        .order_by(_D.c.due)
        .limit(sa.bindparam("n"))
        .with_for_update(skip_locked=True)
    )
    return (
        sa.update(_D)
        .where(sa.tuple_(_D.c.list_id, _D.c.outgoing_id, _D.c.member_id).in_(turn))
        .values(state="sending", due=sa.bindparam("until"), lease=_D.c.lease + 1, attempts=_D.c.attempts + 1)
        .returning(_D.c.list_id, _D.c.outgoing_id, _D.c.member_id, _D.c.address, _D.c.lease, _D.c.attempts)
    )


_CLAIM_QUEUED = HotStatement(_claim_statement(_D.c.state == "queued"))
_CLAIM_DUE = HotStatement(
    _claim_statement(
        sa.or_(_D.c.state == "retry", _D.c.state == "ambiguous") & (_D.c.due <= sa.bindparam("now", type_=sa.BigInteger))
    )
)


def settle(connection: Connection, settled: Iterable[Settled]) -> int:
    """Record how claimed deliveries ended; rows whose lease somebody else holds by now are left alone."""
    rows = [
        {
            "l": s.claim.list_id,
            "o": s.claim.outgoing_id,
            "m": s.claim.member_id,
            "lease_was": s.claim.lease,
            "to": s.state.value,
            "answer": clean_text(s.reply, 300),
            "at": microseconds(s.due) if s.due else 0,
        }
        for s in settled
    ]
    return _SETTLE.run_many(connection, rows) if rows else 0


_SETTLE = HotStatement(
    sa.update(_D)
    .where(
        _D.c.list_id == sa.bindparam("l"),
        _D.c.outgoing_id == sa.bindparam("o"),
        _D.c.member_id == sa.bindparam("m"),
        _D.c.lease == sa.bindparam("lease_was"),
        sa.or_(_D.c.state == "sending", _D.c.state == "ambiguous"),
    )
    .values(state=sa.bindparam("to"), reply=sa.bindparam("answer"), due=sa.bindparam("at"))
)


def recover(connection: Connection, now: datetime, *, everything: bool = False) -> int:
    """Mark rows whose worker is gone as ambiguous: they may have been sent, and are sent again (P4).

    `everything` is for the start of the only worker on this database: whatever is in `sending` was its predecessor's.
    """
    condition = _D.c.state == "sending"
    if not everything:
        condition = condition & (_D.c.due < microseconds(now))
    return connection.execute(sa.update(_D).where(condition).values(state="ambiguous", due=microseconds(now))).rowcount


def drop_member(connection: Connection, list_id: int, member_id: int, since: datetime) -> int:
    """Drop the copies still queued for somebody who left."""
    recent = sa.select(col(Outgoing.id)).where(
        col(Outgoing.list_id) == list_id, col(Outgoing.created_at) >= since, col(Outgoing.kind) != OutgoingKind.notice.value
    )
    return connection.execute(
        sa.update(_D)
        .where(
            _D.c.list_id == list_id,
            _D.c.outgoing_id.in_(recent),
            _D.c.member_id == member_id,
            _D.c.state.in_(("queued", "retry", "ambiguous", "hold")),
        )
        .values(state="dropped", reply="left the list")
    ).rowcount


def sent_since(connection: Connection, list_id: int, member_id: int, since: datetime) -> bool:
    """Whether the relay took any mail for a member that was made since a time."""
    recent = sa.select(col(Outgoing.id)).where(col(Outgoing.list_id) == list_id, col(Outgoing.created_at) > since)
    return (
        connection.execute(
            sa.select(_D.c.member_id)
            .where(_D.c.list_id == list_id, _D.c.outgoing_id.in_(recent), _D.c.member_id == member_id, _D.c.state == "sent")
            .limit(1)
        ).first()
        is not None
    )


def whole(connection: Connection, list_id: int, outgoing_id: int) -> Any:
    """All that copies are built from: the mail's row, its original bytes, and of its post Message-ID and reply token."""
    return _WHOLE.run(connection, {"l": list_id, "o": outgoing_id}).one()


_O: Any = table_of(Outgoing)
_ORIGINAL: Any = table_of(Original)
_WHOLE = HotStatement(
    sa.select(
        _O.c.kind, _O.c.created_at, _O.c.null_sender, _O.c.rewrite_author, _O.c.post_number,
        _ORIGINAL.c.raw, _P.c.message_id, _P.c.token,
    )
    .join_from(_O, _ORIGINAL, sa.and_(_ORIGINAL.c.list_id == _O.c.list_id, _ORIGINAL.c.id == _O.c.original_id))
    .outerjoin(_P, sa.and_(_P.c.list_id == _O.c.list_id, _P.c.number == _O.c.post_number))
    .where(_O.c.list_id == sa.bindparam("l"), _O.c.id == sa.bindparam("o"))
)  # fmt: skip


def counts(connection: Connection) -> dict[str, int]:
    """How many deliveries are in each state."""
    counted = dict.fromkeys((s.value for s in DeliveryState), 0)
    for state, number in connection.execute(sa.select(_D.c.state, sa.func.count()).group_by(_D.c.state)):
        counted[state] = number
    return counted


def oldest(connection: Connection) -> datetime | None:
    """When the oldest mail was made that is still on its way."""
    return connection.execute(
        sa.select(sa.func.min(col(Outgoing.created_at)))
        .select_from(
            sa.join(Outgoing, Delivery, sa.and_(_D.c.list_id == col(Outgoing.list_id), _D.c.outgoing_id == col(Outgoing.id)))
        )
        .where(_D.c.state.in_(("queued", "sending", "retry", "ambiguous")))
    ).scalar()


def open_deliveries(connection: Connection) -> int:
    """How many deliveries have not ended."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(_D).where(_D.c.state.in_(("queued", "retry", "ambiguous", "sending")))
        ).scalar_one()
    )


def deliveries(connection: Connection, outgoing_id: int) -> list[Row[Any]]:
    """Every recipient's share of one mail."""
    return list(connection.execute(sa.select(_D).where(_D.c.outgoing_id == outgoing_id).order_by(_D.c.member_id)))


def move(connection: Connection, outgoing_id: int, states: Sequence[str], to: DeliveryState, now: datetime) -> int:
    """Put unfinished deliveries of one mail into another state by hand, and return how many."""
    return connection.execute(
        sa.update(_D).where(_D.c.outgoing_id == outgoing_id, _D.c.state.in_(states)).values(state=to.value, due=microseconds(now))
    ).rowcount


def waiting(connection: Connection, limit: int = 50) -> list[Row[Any]]:
    """Outgoing mails with deliveries that have not ended, oldest first, and how many each has."""
    statement = (
        sa.select(
            col(Outgoing.list_id),
            col(Outgoing.id),
            col(Outgoing.kind),
            col(Outgoing.post_number),
            col(Outgoing.created_at),
            sa.func.count().label("waiting"),
        )
        .select_from(
            sa.join(Outgoing, Delivery, sa.and_(_D.c.list_id == col(Outgoing.list_id), _D.c.outgoing_id == col(Outgoing.id)))
        )
        .where(_D.c.state.in_(("queued", "retry", "ambiguous", "sending", "hold")))
        .group_by(
            col(Outgoing.list_id), col(Outgoing.id), col(Outgoing.kind), col(Outgoing.post_number), col(Outgoing.created_at)
        )
        .order_by(col(Outgoing.id))
        .limit(limit)
    )
    return list(connection.execute(statement))

"""Mailing lists and their options; the counters on a list's row are given under its lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from listserver.errors import Conflict, NotFound
from listserver.lists.model import ListOptions, MailingList
from listserver.store.hot import HotStatement
from listserver.store.tables import (
    Answered,
    Awaited,
    AwaitedText,
    Delivery,
    DigestEntry,
    DigestIssue,
    Evidence,
    Fingerprint,
    Imported,
    Incoming,
    ListFooter,
    ListOption,
    MailingListRow,
    MemberRow,
    Original,
    Outgoing,
    Post,
    PostText,
    Question,
    Quotation,
    Repair,
    RepairStep,
    Report,
    SearchMark,
    table_of,
)

_PER_LIST: tuple[Any, ...] = (
    ListOption,
    MemberRow,
    Original,
    Incoming,
    Post,
    Evidence,
    Awaited,
    Outgoing,
    Delivery,
    DigestIssue,
    DigestEntry,
    Question,
    Answered,
    Report,
    Imported,
    Repair,
    RepairStep,
    SearchMark,
    PostText,
    Fingerprint,
    AwaitedText,
    Quotation,
    ListFooter,
)


def add(connection: Connection, address: str, options: Mapping[str, str], *, list_id: int, now: datetime) -> MailingList:
    """Create a list. Raises: Conflict when its address is taken."""
    if connection.execute(sa.select(col(MailingListRow.id)).where(col(MailingListRow.address) == address)).first():
        raise Conflict(f"there is a list {address} already")
    connection.execute(
        sa.insert(MailingListRow).values(id=list_id, address=address, created_at=now, next_post=1, next_member=1, version=1)
    )
    _write_options(connection, list_id, options)
    return get(connection, address)


def get(connection: Connection, name: str) -> MailingList:
    """The list with this address, or with this local part where that is clear. Raises: NotFound."""
    name = name.strip().lower()
    found = [each for each in everything(connection) if each.address == name or ("@" not in name and each.local == name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"several lists are called {name}: give the whole address, for example {found[0].address}")
    raise NotFound(f"there is no list {name}: see `listserver list ls`")


def everything(connection: Connection) -> list[MailingList]:
    """All lists with their options, by address."""
    options: dict[int, dict[str, str]] = {}
    for list_id, key, value in connection.execute(sa.select(col(ListOption.list_id), col(ListOption.key), col(ListOption.value))):
        options.setdefault(list_id, {})[key] = value
    rows = connection.execute(
        sa.select(col(MailingListRow.id), col(MailingListRow.address)).order_by(col(MailingListRow.address))
    )
    return [MailingList(id=row.id, address=row.address, options=ListOptions.read(options.get(row.id, {}))) for row in rows]


def versions(connection: Connection) -> tuple[int, int]:
    """Two numbers that change whenever any list or option does: how many lists, and the sum of their versions."""
    row = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(col(MailingListRow.version)), 0)).select_from(MailingListRow)
    ).one()
    return int(row[0]), int(row[1])


def set_options(connection: Connection, list_id: int, options: Mapping[str, str]) -> None:
    """Write options, already checked by `ListOptions.read`."""
    _write_options(connection, list_id, options)
    connection.execute(
        sa.update(MailingListRow).where(col(MailingListRow.id) == list_id).values(version=MailingListRow.version + 1)
    )


def _write_options(connection: Connection, list_id: int, options: Mapping[str, str]) -> None:
    for key, value in options.items():
        connection.execute(sa.delete(ListOption).where(col(ListOption.list_id) == list_id, col(ListOption.key) == key))
        connection.execute(sa.insert(ListOption).values(list_id=list_id, key=key, value=value))


def remove(connection: Connection, list_id: int) -> None:
    """Remove a list and everything kept of it."""
    for table in _PER_LIST:
        connection.execute(sa.delete(table).where(col(table.list_id) == list_id))
    connection.execute(sa.delete(MailingListRow).where(col(MailingListRow.id) == list_id))


def next_post(connection: Connection, list_id: int) -> int:
    """Take the next post number, under the list's row lock until the transaction ends.

    The lock is what lets a digest cut by number: a post with a smaller number can never commit later.
    """
    return next_posts(connection, list_id, 1)


def next_posts(connection: Connection, list_id: int, count: int) -> int:
    """Take `count` post numbers under the same lock, and return the first."""
    return int(_NEXT_POSTS.run(connection, {"l": list_id, "n": count}).scalar_one()) - count


def give_back(connection: Connection, list_id: int) -> None:
    """Give the number just taken back, under the same lock: it was no new post after all."""
    connection.execute(
        sa.update(MailingListRow).where(col(MailingListRow.id) == list_id).values(next_post=MailingListRow.next_post - 1)
    )


_L = table_of(MailingListRow)
_NEXT_POSTS = HotStatement(
    sa.update(_L)
    .where(_L.c.id == sa.bindparam("l"))
    .values(next_post=_L.c.next_post + sa.bindparam("n", type_=sa.Integer))
    .returning(_L.c.next_post)
)


def last_post(connection: Connection, list_id: int) -> int:
    """The highest post number given so far, under the list's row lock on PostgreSQL."""
    return (
        int(
            connection.execute(
                sa.select(col(MailingListRow.next_post)).where(col(MailingListRow.id) == list_id).with_for_update()
            ).scalar_one()
        )
        - 1
    )


def next_members(connection: Connection, list_id: int, count: int) -> int:
    """Take `count` member numbers and return the first."""
    return (
        int(
            connection.execute(
                sa.update(MailingListRow)
                .where(col(MailingListRow.id) == list_id)
                .values(next_member=MailingListRow.next_member + count)
                .returning(col(MailingListRow.next_member))
            ).scalar_one()
        )
        - count
    )

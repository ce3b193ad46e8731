"""Members of a list; addresses compare lower-cased, and are shown as given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlmodel import col

from listserver.errors import NotFound
from listserver.store import lists
from listserver.store.clean import clean_text
from listserver.store.hot import HotStatement
from listserver.store.tables import MemberRow, table_of

_ACTIVE = ("active", "paused", "suspended")
OPTION_COLUMNS = (
    "name",
    "role",
    "delivery",
    "format",
    "timezone",
    "digest_at",
    "language",
    "paused_until",
    "moderated",
    "receipts",
    "own_copies",
)


def find(connection: Connection, list_id: int, address_key: str) -> Row[Any] | None:
    """The row of an address on a list, whatever its state."""
    return connection.execute(_FIND, {"list_id": list_id, "key": address_key}).first()


_FIND = sa.select(table_of(MemberRow)).where(
    col(MemberRow.list_id) == sa.bindparam("list_id"), col(MemberRow.address_key) == sa.bindparam("key")
)


def find_author(connection: Connection, list_id: int, address_key: str) -> Any:
    """As `find`, but only what judging a post needs; None when there is none."""
    return _FIND_AUTHOR.run(connection, {"list_id": list_id, "key": address_key}).first()


_A = table_of(MemberRow)
_FIND_AUTHOR = HotStatement(
    sa.select(_A.c.id, _A.c.role, _A.c.state, _A.c.moderated, _A.c.posts).where(
        _A.c.list_id == sa.bindparam("list_id"), _A.c.address_key == sa.bindparam("key")
    )
)


def get(connection: Connection, list_id: int, address_key: str) -> Row[Any]:
    """The row of a member. Raises: NotFound for a stranger or somebody who left."""
    row = find(connection, list_id, address_key)
    if row is None or row.state == "left":
        raise NotFound(f"{address_key} is not a member of this list")
    return row


def by_id(connection: Connection, list_id: int, member_id: int) -> Row[Any] | None:
    """The row of a member by number."""
    return connection.execute(
        sa.select(table_of(MemberRow)).where(col(MemberRow.list_id) == list_id, col(MemberRow.id) == member_id)
    ).first()


def add(
    connection: Connection,
    list_id: int,
    addresses: Sequence[tuple[str, str, str]],
    options: Mapping[str, str],
    *,
    state: str,
    now: datetime,
    digest_through: int,
) -> list[int]:
    """Add members, given as (address as shown, its key, name), and return their numbers.

    Somebody who left comes back with the settings of before and the same number; whoever is a member already keeps theirs
    and is not in the result.
    """
    known: dict[str, Any] = {}
    for start in range(0, len(addresses), 500):
        keys = [key for _shown, key, _name in addresses[start : start + 500]]
        for known_row in connection.execute(
            sa.select(col(MemberRow.id), col(MemberRow.address_key), col(MemberRow.state)).where(
                col(MemberRow.list_id) == list_id, col(MemberRow.address_key).in_(keys)
            )
        ):
            known[known_row.address_key] = known_row
    added: list[int] = []
    fresh: dict[str, tuple[str, str, str]] = {}
    for shown, key, name in addresses:
        row = known.get(key)
        if row is None:
            fresh.setdefault(key, (shown, key, name))
        elif row.state in ("left", "pending") and row.state != state:
            values = {**options, **({"name": clean_text(name, 200)} if name else {})}
            connection.execute(
                sa.update(MemberRow)
                .where(col(MemberRow.list_id) == list_id, col(MemberRow.id) == row.id)
                .values(
                    state=state, since=now, left_at=None, address=shown, digest_through=digest_through, digest_due=None, **values
                )
            )
            added.append(row.id)
    if fresh:
        first = lists.next_members(connection, list_id, len(fresh))
        rows = [
            {
                "list_id": list_id,
                "id": first + n,
                "address": clean_text(shown, 400),
                "address_key": key,
                "name": clean_text(name, 200),
                "state": state,
                "since": now,
                "digest_through": digest_through,
                **options,
            }
            for n, (shown, key, name) in enumerate(fresh.values())
        ]
        connection.execute(sa.insert(MemberRow), rows)
        added += [first + n for n in range(len(rows))]
    return added


def change(connection: Connection, list_id: int, member_id: int, values: Mapping[str, object]) -> None:
    """Write columns of one member."""
    connection.execute(
        sa.update(MemberRow).where(col(MemberRow.list_id) == list_id, col(MemberRow.id) == member_id).values(**values)
    )


def count_post(connection: Connection, list_id: int, member_id: int) -> None:
    """Note one more post of a member."""
    _COUNT_POST.run(connection, {"l": list_id, "m": member_id})


_COUNT_POST = HotStatement(
    sa.update(_A).where(_A.c.list_id == sa.bindparam("l"), _A.c.id == sa.bindparam("m")).values(posts=_A.c.posts + 1)
)


def count_posts(connection: Connection, list_id: int, counts: Mapping[int, int]) -> None:
    """Note more posts of several members."""
    if counts:
        _COUNT_POSTS.run_many(connection, [{"l": list_id, "m": member, "n": count} for member, count in counts.items()])


_COUNT_POSTS = HotStatement(
    sa.update(_A)
    .where(_A.c.list_id == sa.bindparam("l"), _A.c.id == sa.bindparam("m"))
    .values(posts=_A.c.posts + sa.bindparam("n", type_=sa.Integer))
)


def everyone(connection: Connection, list_id: int, *, states: Iterable[str] = _ACTIVE) -> list[Row[Any]]:
    """Members of a list in the order in which they joined."""
    return list(
        connection.execute(
            sa.select(table_of(MemberRow))
            .where(col(MemberRow.list_id) == list_id, col(MemberRow.state).in_(tuple(states)))
            .order_by(col(MemberRow.id))
        )
    )


def paused(connection: Connection) -> list[Row[Any]]:
    """Members of all lists whose pause has an end."""
    return list(
        connection.execute(
            sa.select(table_of(MemberRow)).where(col(MemberRow.state) == "paused", col(MemberRow.paused_until) != "")
        )
    )


def with_roles(connection: Connection, list_id: int, roles: Iterable[str]) -> list[Row[Any]]:
    """Active members with one of these roles: the people who run the list."""
    return list(
        connection.execute(
            sa.select(table_of(MemberRow))
            .where(col(MemberRow.list_id) == list_id, col(MemberRow.role).in_(tuple(roles)), col(MemberRow.state).in_(_ACTIVE))
            .order_by(col(MemberRow.id))
        )
    )


def count(connection: Connection, list_id: int) -> int:
    """How many people are on the list."""
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(MemberRow)
            .where(col(MemberRow.list_id) == list_id, col(MemberRow.state).in_(_ACTIVE))
        ).scalar_one()
    )


def of_address(connection: Connection, address_key: str) -> list[Row[Any]]:
    """All memberships of one address, on every list."""
    return list(
        connection.execute(
            sa.select(table_of(MemberRow)).where(col(MemberRow.address_key) == address_key).order_by(col(MemberRow.list_id))
        )
    )


def digest_readers(connection: Connection, list_id: int | None = None) -> Iterator[Row[Any]]:
    """Active members who get digests, with what is needed to say when theirs is due."""
    statement = (
        sa.select(table_of(MemberRow))
        .where(col(MemberRow.state) == "active", col(MemberRow.delivery) == "digest")
        .order_by(col(MemberRow.list_id), col(MemberRow.id))
    )
    if list_id is not None:
        statement = statement.where(col(MemberRow.list_id) == list_id)
    yield from connection.execute(statement)


def schedule_digests(connection: Connection, list_id: int, due: Mapping[int, datetime | None]) -> None:
    """Note when the next digest of each of these members is due."""
    if due:
        connection.execute(_SCHEDULE, [{"l": list_id, "m": member, "due": when} for member, when in due.items()])


_SCHEDULE = (
    sa.update(MemberRow)
    .where(col(MemberRow.list_id) == sa.bindparam("l"), col(MemberRow.id) == sa.bindparam("m"))
    .values(digest_due=sa.bindparam("due"))
)

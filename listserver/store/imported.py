"""Posts that came out of archives, and what could not be read there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from listserver.store.hot import insert
from listserver.store.tables import Imported, Incoming, Original, Post, table_of

KIND = "import"  # of incoming mail that was quarantined while importing

_M: Any = table_of(Imported)
_P: Any = table_of(Post)
_I: Any = table_of(Incoming)
_O: Any = table_of(Original)
_ADD = insert(_M)


def add(connection: Connection, list_id: int, separators: Sequence[tuple[int, bytes]], at: datetime) -> None:
    """Note that these posts were imported, each with the separator line of its file."""
    _ADD.run_many(
        connection,
        [
            {"list_id": list_id, "post_number": number, "separator": separator, "imported_at": at}
            for number, separator in separators
        ],
    )


def links(connection: Connection, list_id: int, at: datetime) -> tuple[int, dict[str, int]]:
    """Of the posts of one import: how many start a conversation, and how many were linked by which kind of evidence."""
    rows = connection.execute(
        sa.select(_P.c.kind, _P.c.parent.is_(None).label("is_root"), sa.func.count().label("posts"))
        .join(_M, sa.and_(_M.c.list_id == _P.c.list_id, _M.c.post_number == _P.c.number))
        .where(_M.c.list_id == list_id, _M.c.imported_at == at)
        .group_by(_P.c.kind, _P.c.parent.is_(None))
    ).all()
    return sum(row.posts for row in rows if row.is_root), {row.kind: row.posts for row in rows if not row.is_root}


def quarantined(connection: Connection, list_id: int) -> set[str]:
    """The content hashes of what was set aside by earlier imports."""
    return set(connection.execute(sa.select(_I.c.token).where(_I.c.list_id == list_id, _I.c.kind == KIND)).scalars())


def written(connection: Connection, list_id: int) -> Iterator[Row[Any]]:
    """Every post in order with its original, and whence it came: what a file of them needs."""
    rows: Any = connection.execution_options(yield_per=200).execute(
        sa.select(_P.c.number, _P.c.accepted_at, _O.c.raw, _M.c.separator, _I.c.reverse_path, _I.c.received_at)
        .join(_O, sa.and_(_O.c.list_id == _P.c.list_id, _O.c.id == _P.c.original_id))
        .outerjoin(_M, sa.and_(_M.c.list_id == _P.c.list_id, _M.c.post_number == _P.c.number))
        .outerjoin(_I, sa.and_(_I.c.list_id == _P.c.list_id, _I.c.id == _P.c.incoming_id))
        .where(_P.c.list_id == list_id)
        .order_by(_P.c.number)
    )
    yield from rows


def count(connection: Connection) -> int:
    """How many posts came out of archives, on all lists."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(_M)).scalar_one())

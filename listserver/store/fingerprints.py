"""The words of a list's posts: who wrote them, who quotes them, and what is quoted that nobody holds.

Every look-up stays inside one list and gives at most `COMMON` posts for a fingerprint: what more posts have in common
(greetings, program output) says nothing. Packed fingerprints are little-endian.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Row

from listserver.store.hot import HotStatement, insert
from listserver.store.tables import AwaitedText, Fingerprint, ListFooter, Post, PostText, Quotation, table_of

COMMON = 60
_ASKED = 64  # fingerprints in one statement

_F: Any = table_of(Fingerprint)
_A: Any = table_of(AwaitedText)
_T: Any = table_of(PostText)
_Q: Any = table_of(Quotation)
_L: Any = table_of(ListFooter)
_P: Any = table_of(Post)


def add_text(connection: Connection, values: Mapping[str, object]) -> None:
    """Keep what a post's text says: a row of `post_text`."""
    _ADD_TEXT.run(connection, values)


_ADD_TEXT = insert(_T)


def pack(halves: Iterable[int]) -> bytes:
    """Lower halves as they are stored."""
    packed = halves if isinstance(halves, array) else array("I", halves)
    if sys.byteorder == "big":
        packed = array("I", packed)
        packed.byteswap()
    return packed.tobytes()


def unpack(packed: bytes | None) -> array[int]:
    """Lower halves from storage; a post without them has none."""
    halves = array("I", packed or b"")
    if sys.byteorder == "big":
        halves.byteswap()
    return halves


def add(connection: Connection, list_id: int, number: int, hashes: Iterable[int]) -> None:
    """Index a post under the fingerprints of its own words."""
    _ADD.run_tuples(connection, _COLUMNS, [(list_id, each, number) for each in sorted(hashes)])


_COLUMNS = ("list_id", "hash", "number")


_ADD = insert(_F)


def await_text(connection: Connection, list_id: int, number: int, hashes: Iterable[int]) -> None:
    """Note what a post quotes and nobody wrote, so that the post is looked at again when somebody turns out to have."""
    _AWAIT.run_tuples(connection, _COLUMNS, [(list_id, each, number) for each in sorted(hashes)])


_AWAIT = insert(_A)


def forget_awaited(connection: Connection, list_id: int, number: int) -> None:
    """What a post quotes is no longer awaited."""
    connection.execute(sa.delete(AwaitedText).where(_A.c.list_id == list_id, _A.c.number == number))


def find(connection: Connection, list_id: int, hashes: Sequence[int]) -> dict[int, list[int]]:
    """For each fingerprint the posts that wrote it, at most `COMMON` + 1 of them, newest first."""
    return _find(connection, _FIND, list_id, hashes)


def find_waiting(connection: Connection, list_id: int, hashes: Sequence[int]) -> dict[int, list[int]]:
    """For each fingerprint the posts that quote it and wait for whoever wrote it."""
    return _find(connection, _FIND_WAITING, list_id, hashes)


def _find(
    connection: Connection, statements: dict[str, HotStatement], list_id: int, hashes: Sequence[int]
) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    if not hashes:
        return found
    if connection.dialect.name != "sqlite":
        for each, number in statements["postgresql"].run_plain(connection, {"l": list_id, "hashes": list(hashes)}):
            found[each].append(number)
        return found
    for start in range(0, len(hashes), _ASKED):
        asked = hashes[start : start + _ASKED]
        slots = next(s for s in _SLOTS if s >= len(asked))
        values: dict[str, int | None] = dict(zip(_NAMES, asked, strict=False), l=list_id)
        for name in _NAMES[len(asked) : slots]:
            values[name] = None  # finds nothing
        for each, number in statements[f"sqlite {slots}"].run_plain(connection, values):
            found[each].append(number)
    return found


_SLOTS = (8, 24, _ASKED)
_NAMES = tuple(f"h_{n}" for n in range(_ASKED))


def _statements(table: Any) -> dict[str, HotStatement]:
    """One limited search of the index for each fingerprint, in one statement; SQLite has no LATERAL."""

    def limited(value: Any) -> Any:
        own_rows = sa.select(table.c.hash, table.c.number).where(table.c.list_id == sa.bindparam("l"), table.c.hash == value)
        return own_rows.order_by(table.c.number.desc()).limit(sa.literal_column(str(COMMON + 1)))

    wanted = (
        sa.func.unnest(sa.bindparam("hashes", type_=ARRAY(sa.BigInteger))).table_valued("hash", name="wanted").render_derived()
    )
    lateral = limited(wanted.c.hash).lateral("held")
    made = {"postgresql": HotStatement(sa.select(lateral.c.hash, lateral.c.number).select_from(wanted.join(lateral, sa.true())))}
    for slots in _SLOTS:
        parts = [sa.select(limited(sa.bindparam(f"h_{n}", type_=sa.BigInteger)).subquery()) for n in range(slots)]
        made[f"sqlite {slots}"] = HotStatement(sa.union_all(*parts))
    return made


_FIND = _statements(_F)
_FIND_WAITING = _statements(_A)


_FACTS = (
    _P.c.number,
    _P.c.message_id,
    _P.c.conversation,
    _P.c.parent,
    _P.c.author_name,
    _P.c.author_address,
    _P.c.subject,
    _P.c.base_subject,
    _P.c.kind,
    _P.c.score,
    _T.c.written,
    _T.c.own,
    _T.c.whole,
)
_BOTH = _P.join(_T, sa.and_(_T.c.list_id == _P.c.list_id, _T.c.number == _P.c.number))


def facts(connection: Connection, list_id: int, numbers: Sequence[int]) -> list[Any]:
    """What matching needs to know of these posts; those whose text was never read are left out."""
    if not numbers:
        return []
    slots = next((s for s in _FACT_SLOTS if s >= len(numbers)), None)
    if slots is None:
        numbers, slots = numbers[: _FACT_SLOTS[-1]], _FACT_SLOTS[-1]
    filled = {f"n_{n}": numbers[min(n, len(numbers) - 1)] for n in range(slots)}
    return list(_OF_NUMBERS[slots].run_plain(connection, {"l": list_id, **filled}))


_FACT_SLOTS = (4, 12, 24, 48)
_OF_NUMBERS = {
    slots: HotStatement(
        sa.select(*_FACTS)
        .select_from(_BOTH)
        .where(
            _P.c.list_id == sa.bindparam("l"), _P.c.number.in_([sa.bindparam(f"n_{n}", type_=sa.Integer) for n in range(slots)])
        )
    )
    for slots in _FACT_SLOTS
}


def of_subject(connection: Connection, list_id: int, base_subject: str, most: int) -> list[tuple[int, int]]:
    """The newest posts with this base subject: number, and second of writing."""
    rows = _OF_SUBJECT.run_plain(connection, {"l": list_id, "s": base_subject, "most": most})
    return [(number, written) for number, written in rows]


_OF_SUBJECT = HotStatement(
    sa.select(_P.c.number, _T.c.written)
    .select_from(_BOTH)
    .where(_P.c.list_id == sa.bindparam("l"), _P.c.base_subject == sa.bindparam("s"))
    .order_by(_P.c.number.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def newest(connection: Connection, list_id: int, most: int) -> list[int]:
    """The numbers of the newest posts."""
    rows = _NEWEST.run_plain(connection, {"l": list_id, "most": most})
    return [number for (number,) in rows]


_NEWEST = HotStatement(
    sa.select(_P.c.number)
    .where(_P.c.list_id == sa.bindparam("l"))
    .order_by(_P.c.number.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def of_conversations(connection: Connection, list_id: int, numbers: Sequence[int], most: int) -> list[tuple[int, int]]:
    """The newest posts of the conversations in which these (at most four) posts stand: number, and second of writing."""
    if not numbers:
        return []
    filled = {f"n_{n}": numbers[min(n, len(numbers) - 1)] for n in range(4)}
    rows = _OF_CONVERSATIONS.run_plain(connection, {"l": list_id, "most": most, **filled})
    return [(number, written) for number, written in rows]


_THEIRS = sa.select(_P.c.conversation).where(
    _P.c.list_id == sa.bindparam("l"), _P.c.number.in_([sa.bindparam(f"n_{n}", type_=sa.Integer) for n in range(4)])
)
_OF_CONVERSATIONS = HotStatement(
    sa.select(_P.c.number, _T.c.written)
    .select_from(_BOTH)
    .where(_P.c.list_id == sa.bindparam("l"), _P.c.conversation.in_(_THEIRS))
    .order_by(_P.c.number.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def add_quotations(connection: Connection, list_id: int, number: int, shared: dict[int, int]) -> None:
    """Keep which posts a post quotes, instead of what was kept before."""
    rows = [{"list_id": list_id, "number": number, "quoted": quoted, "shared": count} for quoted, count in shared.items()]
    if rows:
        _ADD_QUOTATIONS.run_many(connection, rows)


_ADD_QUOTATIONS = insert(_Q)


def forget_quotations(connection: Connection, list_id: int, number: int) -> None:
    """Take away what is known of a post's quotes, before it is looked at again."""
    connection.execute(sa.delete(Quotation).where(_Q.c.list_id == list_id, _Q.c.number == number))


def quotations(connection: Connection, list_id: int, number: int) -> list[Row[Any]]:
    """The posts that a post quotes, most first."""
    return list(
        connection.execute(
            sa.select(_Q).where(_Q.c.list_id == list_id, _Q.c.number == number).order_by(_Q.c.shared.desc(), _Q.c.quoted.desc())
        )
    )


def footer(connection: Connection, list_id: int) -> tuple[int, frozenset[int]]:
    """What most posts of a list end with (lower halves), and the number of the post before which that was learnt."""
    row: Any = _FOOTER.run(connection, {"l": list_id}).first()
    return (row[0], frozenset(unpack(row[1]))) if row is not None else (0, frozenset())


_FOOTER = HotStatement(sa.select(_L.c.learnt_at, _L.c.hashes).where(_L.c.list_id == sa.bindparam("l")))


def keep_footer(connection: Connection, list_id: int, learnt_at: int, hashes: Iterable[int]) -> None:
    """Remember what most posts of a list end with."""
    connection.execute(sa.delete(ListFooter).where(_L.c.list_id == list_id))
    connection.execute(sa.insert(_L).values(list_id=list_id, learnt_at=learnt_at, hashes=pack(sorted(hashes))))


def tails(connection: Connection, list_id: int, first: int, last: int) -> list[array[int]]:
    """The ends of the posts with numbers from `first` to `last`."""
    rows = connection.execute(sa.select(_T.c.tail).where(_T.c.list_id == list_id, _T.c.number.between(first, last)))
    return [unpack(row.tail) for row in rows]


def remove(connection: Connection, list_id: int, number: int, hashes: Iterable[int]) -> None:
    """Take a post out of the index under these fingerprints, which turned out not to be its own words."""
    rows = [{"l": list_id, "h": each, "n": number} for each in sorted(hashes)]
    if rows:
        _REMOVE.run_many(connection, rows)


_REMOVE = HotStatement(
    sa.delete(_F).where(
        _F.c.list_id == sa.bindparam("l"),
        _F.c.hash == sa.bindparam("h", type_=sa.BigInteger),
        _F.c.number == sa.bindparam("n", type_=sa.Integer),
    )
)


def keep_own(connection: Connection, list_id: int, number: int, own: Sequence[int]) -> None:
    """Correct what the own words of a post are."""
    connection.execute(sa.update(PostText).where(_T.c.list_id == list_id, _T.c.number == number).values(own=pack(own)))

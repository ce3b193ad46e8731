"""Statements of the hot path, compiled once for each database and then run by the driver itself.

They are written in SQLAlchemy Core like all others, so that both databases get what they need; only the work that Core
repeats at each execution (cache keys, parameter objects, result metadata) is left out: it costs several times what
SQLite needs for the statement. On SQLite not even its connection stands between, so that errors are the driver's own
(`sqlite3.Error`) and moments are written and read here, as SQLModel's type does it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_SLOTS = (4, 16, 64)  # ids looked up at once; a shorter list is filled up with its last one


class Rows:
    """What a hot statement gave: rows with a name for each column, and how many rows it touched."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """Every row."""
        return self._rows

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row. Raises: LookupError when there is none or more than one."""
        if len(self._rows) != 1:
            raise LookupError(f"{len(self._rows)} rows where one was expected")
        return self._rows[0]

    def scalar_one(self) -> Any:
        """The first column of the only row. Raises: LookupError as `one`."""
        return self.one()[0]


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    order: tuple[str, ...] | None
    """Names in the order of the parameters, where the driver wants them by position."""
    fixed: dict[str, Any]
    moments_in: tuple[int, ...]
    moments_out: tuple[int, ...]
    row: Any


class HotStatement:
    """One statement with named parameters; `run` it once, or `run_many` with a row each."""

    def __init__(self, clause: sa.Executable) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Execute with one set of values; every parameter must be named."""
        how = self._compiled.get(connection.dialect.name) or self._compile(connection)
        given = {**how.fixed, **values} if how.fixed else values
        if how.order is None:
            result = connection.exec_driver_sql(how.sql, dict(given))
            return Rows([how.row._make(_aware(row, how)) for row in result] if result.returns_rows else (), result.rowcount)
        raw: Any = connection.connection.driver_connection
        cursor = raw.execute(how.sql, _in_order(how, given))
        if cursor.description is None:
            return Rows((), cursor.rowcount)
        make = how.row._make
        if how.moments_out:
            return Rows([make(_aware(row, how)) for row in cursor.fetchall()], cursor.rowcount)
        return Rows([make(row) for row in cursor.fetchall()], cursor.rowcount)

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute for each row; how many rows of the table that touched."""
        how = self._compiled.get(connection.dialect.name) or self._compile(connection)
        if how.order is None:
            return connection.exec_driver_sql(how.sql, [{**how.fixed, **row} for row in rows]).rowcount
        raw: Any = connection.connection.driver_connection
        cursor = raw.executemany(how.sql, [_in_order(how, {**how.fixed, **row} if how.fixed else row) for row in rows])
        return int(cursor.rowcount)

    def run_tuples(self, connection: Connection, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Execute for each row of plain values (no moments), given in the order of `names`: for very many rows."""
        if not rows:
            return
        how = self._compiled.get(connection.dialect.name) or self._compile(connection)
        if how.order is None:
            connection.exec_driver_sql(how.sql, [{**how.fixed, **dict(zip(names, row, strict=True))} for row in rows])
            return
        if how.order != names:
            places = [names.index(name) for name in how.order]
            rows = [tuple([row[place] for place in places]) for row in rows]
        raw: Any = connection.connection.driver_connection
        raw.executemany(how.sql, rows)

    def run_plain(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """All rows as plain tuples, for one set of values; no moments go in or come out."""
        how = self._compiled.get(connection.dialect.name) or self._compile(connection)
        given = {**how.fixed, **values} if how.fixed else values
        if how.order is None:
            return connection.exec_driver_sql(how.sql, dict(given)).fetchall()
        raw: Any = connection.connection.driver_connection
        rows: Sequence[Any] = raw.execute(how.sql, tuple([given[name] for name in how.order])).fetchall()
        return rows

    def _compile(self, connection: Connection) -> _Compiled:
        compiled: Any = self._clause.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
        order = tuple(compiled.positiontup) if compiled.positional else None
        columns = list(getattr(self._clause, "exported_columns", ()))
        how = self._compiled[connection.dialect.name] = _Compiled(
            sql=str(compiled),
            order=order,
            fixed={key: value for key, value in compiled.params.items() if value is not None},
            moments_in=tuple(n for n, name in enumerate(order or ()) if _may_be_moment(compiled.binds[name].type)),
            moments_out=tuple(n for n, column in enumerate(columns) if _is_moment(column.type)),
            row=namedtuple("Row", [str(column.key) for column in columns], rename=True),
        )
        return how


def _in_order(how: _Compiled, given: Mapping[str, Any]) -> list[Any]:
    values = [given[name] for name in how.order or ()]
    for position in how.moments_in:
        value = values[position]
        if isinstance(value, datetime):
            values[position] = value.astimezone(UTC).isoformat(" ", "microseconds")[:26]
    return values


def _aware(row: Sequence[Any], how: _Compiled) -> Sequence[Any]:
    if not how.moments_out:
        return row
    values = list(row)
    for position in how.moments_out:
        value = datetime.fromisoformat(values[position]) if isinstance(values[position], str) else values[position]
        if value is not None:
            values[position] = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return values


def _is_moment(kind: sa.types.TypeEngine[Any]) -> bool:
    inner = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    return isinstance(inner, sa.types.DateTime)


def _may_be_moment(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.types.NullType) or _is_moment(kind)


def insert(table: sa.Table) -> HotStatement:
    """An INSERT that names every column of a table."""
    return HotStatement(
        sa.insert(table).values({column.name: sa.bindparam(column.name, type_=column.type) for column in table.columns})
    )


class HotLookup:
    """A SELECT whose `ids` parameter is a list; it is compiled for a few lengths."""

    def __init__(self, clause_for: Any) -> None:
        self._statements = {
            slots: HotStatement(clause_for([sa.bindparam(f"id_{n}", type_=sa.String) for n in range(slots)])) for slots in _SLOTS
        }

    def run(self, connection: Connection, ids: Iterable[str], values: Mapping[str, Any]) -> list[Any]:
        """Rows for these ids; at most 64 of them."""
        wanted = list(dict.fromkeys(ids))[: _SLOTS[-1]]
        if not wanted:
            return []
        slots = next(s for s in _SLOTS if s >= len(wanted))
        filled = {f"id_{n}": wanted[min(n, len(wanted) - 1)] for n in range(slots)}
        return list(self._statements[slots].run(connection, {**values, **filled}))

"""Statements of the hot path, compiled once for each database and then run by the driver itself.

They are written in SQLAlchemy Core like all others, so that both databases get what they need; only the work that Core
repeats at each execution (cache keys, parameter objects, result metadata) is left out: it costs several times what
SQLite needs for the statement. Surprise: rows come back as the driver gives them, so a hot statement never selects a
moment; moments that go in are written as SQLModel's type writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_SLOTS = (4, 16, 64)  # ids looked up at once; a shorter list is filled up with its last one


class HotStatement:
    """One statement with named parameters; `run` it once, or `run_many` with a row each."""

    def __init__(self, clause: sa.Executable) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> sa.CursorResult[Any]:
        """Execute with one set of values; every parameter must be named."""
        sql, order, fixed = self._for(connection)
        given = {**fixed, **values}
        return connection.exec_driver_sql(sql, given if order is None else tuple([_moment(given[name]) for name in order]))

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute for each row; how many rows of the table that touched."""
        sql, order, fixed = self._for(connection)
        given = [{**fixed, **row} for row in rows]
        parameters: Any = given if order is None else [tuple([_moment(row[name]) for name in order]) for row in given]
        return connection.exec_driver_sql(sql, parameters).rowcount

    def _for(self, connection: Connection) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        name = connection.dialect.name
        found = self._compiled.get(name)
        if found is None:
            compiled: Any = self._clause.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
            order = tuple(compiled.positiontup) if compiled.positional else None
            fixed = {key: value for key, value in compiled.params.items() if value is not None}
            found = self._compiled[name] = (str(compiled), order, fixed)
        return found


def _moment(value: Any) -> Any:
    """A moment as SQLModel's type keeps it on SQLite: UTC, without the zone."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


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

    def run(self, connection: Connection, ids: Iterable[str], values: Mapping[str, Any]) -> list[sa.Row[Any]]:
        """Rows for these ids; at most 64 of them."""
        wanted = list(dict.fromkeys(ids))[: _SLOTS[-1]]
        if not wanted:
            return []
        slots = next(s for s in _SLOTS if s >= len(wanted))
        filled = {f"id_{n}": wanted[min(n, len(wanted) - 1)] for n in range(slots)}
        return list(self._statements[slots].run(connection, {**values, **filled}))

"""The database's promises: group commit, savepoints, numbers handed out once; on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.store import schema
from listserver.store.engine import Database
from listserver.store.tables import Counter


def _raise(connection: Connection, name: str) -> int:
    """Read, then write what was read plus one: the pattern that loses updates where transactions are wrong."""
    value = int(connection.execute(sa.select(Counter.next).where(Counter.name == name)).scalar_one())
    connection.execute(sa.update(Counter).where(Counter.name == name).values(next=value + 1))
    return value + 1


def _count(database: Database, name: str) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(Counter.next).where(Counter.name == name)).scalar_one())


def test_a_failing_unit_undoes_only_itself(database: Database) -> None:
    """A unit of work that raises leaves no trace, and its neighbours in the same commit stay."""
    release = threading.Event()
    blocker = database.submit(lambda _connection: release.wait(10))

    def bad(connection: Connection) -> None:
        connection.execute(sa.insert(Counter).values(name="bad", next=1))
        raise ValueError("poison")

    before = database.submit(lambda c: c.execute(sa.insert(Counter).values(name="before", next=1)))
    failing = database.submit(bad)
    after = database.submit(lambda c: c.execute(sa.insert(Counter).values(name="after", next=1)))
    release.set()
    assert blocker.result(10)
    before.result(10)
    after.result(10)
    with pytest.raises(ValueError, match="poison"):
        failing.result(10)
    with database.read() as connection:
        names = set(connection.execute(sa.select(Counter.name)).scalars())
    assert {"before", "after"} <= names
    assert "bad" not in names


def test_sqlite_loses_no_update(tmp_path: object) -> None:
    """Sixteen threads that read and write the same row lose nothing on SQLite."""
    database = Database(f"sqlite:///{tmp_path}/x.db")
    schema.upgrade(database)
    database.write(lambda c: c.execute(sa.insert(Counter).values(name="n", next=0)))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _n: database.write(lambda c: _raise(c, "n")), range(400)))
    assert _count(database, "n") == 400
    database.close()


def test_numbers_are_handed_out_once(database: Database) -> None:
    """Several threads and a second opening of the same database never get the same number."""
    other = Database(database.address)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: (database if n % 2 else other).new_id(), range(10_000)))
    other.close()
    assert len(set(taken)) == 10_000


def test_reading_sees_one_state(database: Database) -> None:
    """What is committed while a reader reads is not seen by that reader."""
    database.write(lambda c: c.execute(sa.insert(Counter).values(name="n", next=0)))
    with database.read() as connection:
        first = connection.execute(sa.select(Counter.next).where(Counter.name == "n")).scalar_one()
        database.write(lambda c: _raise(c, "n"))
        second = connection.execute(sa.select(Counter.next).where(Counter.name == "n")).scalar_one()
    assert first == second == 0
    assert _count(database, "n") == 1


def test_a_closed_database_refuses_work(database: Database) -> None:
    """Work given to a closed database is refused at once, not forgotten."""
    database.close()
    with pytest.raises(RuntimeError):
        database.submit(lambda _connection: None)

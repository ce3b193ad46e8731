"""The database: one engine, short transactions, and group commit on SQLite.

SQLite has one writer, so one thread owns the writing connection: it takes every unit of work that waits, runs each
in a savepoint of one BEGIN IMMEDIATE transaction, and commits once for all of them; a unit that fails rolls back
alone. PostgreSQL groups commits by itself, so there each unit has its own transaction in a small pool of threads.
Surprise: SQLAlchemy's own transaction handling is off (AUTOCOMMIT) for SQLite; the statements that begin and end
transactions stand here in plain sight, because the driver's default lost updates when it was measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

T = TypeVar("T")
Unit = tuple[Callable[[Connection], Any], "Future[Any] | asyncio.Future[Any]"]
Answer = tuple["Future[Any] | asyncio.Future[Any]", Any, BaseException | None]

_GROUP = 256  # units in one transaction: enough to hide the sync, short enough that nobody waits long
_SPARE = 16 << 20  # octets that stay free for the log and the second transactions of what was accepted
_IDS = 4000  # numbers fetched at once; fetched anew while half are left, so that one unit never runs out


# SQLite: busy, locked, no memory, read-only, I/O, full, cannot open, protocol. PostgreSQL: connection, resources, operator
# intervention, rollback for others' sake, not in the right state (both by the first part of the code).
_SQLITE_TROUBLE = frozenset((5, 6, 7, 8, 10, 13, 14, 15))
_POSTGRESQL_TROUBLE = frozenset(("08", "53", "57", "40", "55", "58"))


def is_trouble(error: BaseException) -> bool:
    """Whether an error is the database's own (away, full, locked), so that the same work may succeed later."""
    if isinstance(error, sa.exc.TimeoutError):
        return True  # every connection of the pool is in use
    if isinstance(error, sa.exc.DBAPIError):
        if error.connection_invalidated:
            return True
        error = error.orig or error
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_TROUBLE
    state = getattr(error, "sqlstate", "-")
    if state is None:  # psycopg lost the connection before the server could say why
        return type(error).__name__ in ("OperationalError", "InterfaceError")
    return state[:2] in _POSTGRESQL_TROUBLE


def is_full(error: BaseException) -> bool:
    """Whether the disk, or what the database may use of it, is full."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) == 13 or getattr(cause, "sqlstate", "") in ("53100", "53200")


class Database:
    """An engine with `write`, `submit` and `read`; used by one process, from any of its threads.

    `checkpoints=False` is for a second process beside a running service (the command line): it never checkpoints the
    write-ahead log (SQLite before 3.51.3 could corrupt it when two connections did).
    """

    def __init__(self, address: str, *, durability: str = "full", checkpoints: bool = True, threads: int = 8) -> None:
        url = sa.make_url(address)
        self.address = address
        self.durability = durability
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._checkpoints = checkpoints
        self._ids: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._free, self._looked = 0, float("-inf")
        if self.is_sqlite:
            self.path: Path | None = Path(url.database or ":memory:")
            self.engine = sa.create_engine(
                url,
                pool_size=threads,
                max_overflow=threads,
                isolation_level="AUTOCOMMIT",
                hide_parameters=True,  # an error's text goes into the log, where no mail's content belongs
                connect_args={"timeout": 10, "check_same_thread": False},
            )
            event.listen(self.engine, "connect", self._prepare_sqlite)
            self._pool: ThreadPoolExecutor | None = None
        else:
            self.path = None
            self.engine = sa.create_engine(url, pool_size=threads + 4, max_overflow=4, pool_pre_ping=True, hide_parameters=True)
            if durability == "relaxed":
                event.listen(self.engine, "connect", _relax_postgresql)
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")

    def _prepare_sqlite(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if self.durability == 'full' else 'OFF'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA cache_size=-2000")
        cursor.execute(f"PRAGMA wal_autocheckpoint={2000 if self._checkpoints else 0}")
        cursor.close()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a writing transaction and return its result once that is committed."""
        return self.submit(work).result()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue `work`; the future ends after the commit, or with the error that undid it."""
        if self._pool is not None:
            return self._pool.submit(self._write_alone, work)
        future: Future[T] = Future()
        self._queue((work, future))
        return future

    def submit_here(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """As `submit`, for the thread of a running event loop, which is woken once for a whole group of units."""
        if self._pool is not None:
            return asyncio.wrap_future(self._pool.submit(self._write_alone, work))
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue((work, future))
        return future

    def _queue(self, unit: Unit) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the database is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_groups, name="database writer", daemon=True)
                self._writer.start()
            self._units.put(unit)

    def take_charge(self) -> None:
        """Checkpoint as the service does, with more memory: for large work while no service runs on this file."""
        if self.is_sqlite:
            self.write(_work_alone)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database; it cannot be used to write."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
                yield connection
                return
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def new_id(self) -> int:
        """A number that is handed out once in the life of this database.

        Raises: RuntimeError when one unit of work takes more numbers than a block holds.
        """
        while True:
            try:
                return self._ids.get_nowait()
            except queue.Empty:
                pass
            if not self.is_sqlite:
                with self._lock:
                    if self._ids.empty():
                        self._write_alone(self._fetch_ids)
            elif threading.current_thread() is self._writer:
                raise RuntimeError("one unit of work took more numbers than a block holds")
            else:
                self.write(lambda _connection: None)  # the writer fetches a block before each group

    def has_room(self, octets: int) -> bool:
        """Whether a mail of this size can be stored: in the log, in the table, and some for what follows from it.

        The disk of a PostgreSQL server cannot be seen from here; when it is full, the commit says so.
        """
        if self.path is None:
            return True
        now = time.monotonic()
        if now - self._looked > 1.0:
            self._looked = now
            try:
                self._free = shutil.disk_usage(self.path.parent).free
            except OSError:
                return False
        return self._free >= 3 * octets + _SPARE

    def close(self) -> None:
        """Finish the waiting units and close every connection."""
        with self._lock:
            self._closed = True
            writer, self._writer = self._writer, None
        if writer is not None:
            self._units.put(None)
            writer.join()
        if self._pool is not None:
            self._pool.shutdown()
        self.engine.dispose()

    # -- how writing is done ---------------------------------------------------------------------------

    def _write_alone(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def _write_groups(self) -> None:
        with self.engine.connect() as connection:
            stop = False
            while not stop:
                group: list[Unit] = []
                unit = self._units.get()
                while unit is not None:
                    group.append(unit)
                    if len(group) >= _GROUP:
                        break
                    try:
                        unit = self._units.get_nowait()
                    except queue.Empty:
                        break
                stop = unit is None
                if group:
                    self._write_group(connection, group)

    def _write_group(self, connection: Connection, group: list[Unit]) -> None:
        done: list[Answer] = []
        raw: Any = connection.connection.driver_connection
        try:
            if self._ids.qsize() < _IDS // 2:
                self._fetch_ids(connection)  # commits by itself, so that a failing group never gives numbers back
            raw.execute("BEGIN IMMEDIATE")
            for work, future in group:
                raw.execute("SAVEPOINT unit")
                try:
                    result = work(connection)
                except Exception as error:  # handed to who asked for the unit
                    if not raw.in_transaction:
                        raise  # SQLite undid everything by itself: the disk is full, or cannot be read
                    raw.execute("ROLLBACK TO unit")
                    done.append((future, None, error))
                else:
                    done.append((future, result, None))
                raw.execute("RELEASE unit")
            raw.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - a failed commit undoes them all, and all of them are told
            self._undo(raw)
            done = [(future, None, error) for _work, future in group]
        _tell(done)

    @staticmethod
    def _undo(raw: Any) -> None:
        """Leave no transaction open, whatever state the disk is in; the writer must go on with the next group."""
        try:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
        except sqlite3.Error as error:
            structlog.get_logger("listserver.store").error("rollback_failed", problem=str(error))

    def _fetch_ids(self, connection: Connection) -> None:
        statement = sa.text("UPDATE counter SET next = next + :n WHERE name = 'id' RETURNING next")
        end = connection.execute(statement, {"n": _IDS}).scalar_one()
        for number in range(end - _IDS, end):
            self._ids.put(number)


def _tell(done: list[Answer]) -> None:
    """Hand the results to who waits for them: to each event loop in one go, for waking it costs more than a result."""
    here: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in done:
        if isinstance(answer[0], asyncio.Future):
            here.setdefault(answer[0].get_loop(), []).append(answer)
        else:
            _resolve([answer])
    for loop, answers in here.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, answers)


def _resolve(answers: list[Answer]) -> None:
    for future, result, problem in answers:
        if future.cancelled():
            continue
        if problem is None:
            future.set_result(result)
        else:
            future.set_exception(problem)


def _work_alone(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA wal_autocheckpoint=4000")
    connection.exec_driver_sql("PRAGMA cache_size=-16000")


def _relax_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    connection.commit()


def engine_of(database: Database) -> Engine:
    """The SQLAlchemy engine, for migrations and checks only."""
    return database.engine

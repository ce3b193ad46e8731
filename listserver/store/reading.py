"""A database that can only be read: what the web's pages work with, so that no request can change anything by accident.

SQLite is opened with `mode=ro` and refuses writes a second time by `query_only`; on PostgreSQL every transaction is
READ ONLY. Whatever a page wants changed goes through a flow and the one writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection


class ReadOnly:
    """An engine of its own with a few connections; used from any thread."""

    def __init__(self, address: str, *, threads: int = 4) -> None:
        url = sa.make_url(address)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.threads = threads
        if self.is_sqlite:
            path = quote(str(Path(url.database or "").absolute()))
            self._engine = sa.create_engine(
                f"sqlite:///file:{path}?mode=ro&uri=true",
                pool_size=threads,
                max_overflow=threads,
                isolation_level="AUTOCOMMIT",
                connect_args={"timeout": 10, "check_same_thread": False},
            )
            event.listen(self._engine, "connect", _refuse_writes)
        else:
            self._engine = sa.create_engine(url, pool_size=threads, max_overflow=threads, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database."""
        with self._engine.connect() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
                yield connection
                return
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _refuse_writes(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()

"""Bring the tables of a database up to date, and say whether they are.

On SQLite the service does it by itself at start; on PostgreSQL, where several machines share one database, it is a
command, and takes an advisory lock so that two machines never run the same step at once.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from listserver.store.engine import Database

_LOCK = 7_318_201  # any number that no other program uses for its advisory lock


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision that this code expects."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(database: Database) -> str | None:
    """The revision of a database, or None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> bool:
    """Run the steps that are missing; True when there were any."""
    if revision == "head" and current(database) == newest():
        return False
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(_config(connection), revision)
            connection.exec_driver_sql("COMMIT")
        else:
            with connection.begin():
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
                command.upgrade(_config(connection), revision)
    return True


def downgrade(database: Database, revision: str) -> None:
    """Go back to an older revision; for tests and for undoing an upgrade by hand."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.downgrade(_config(connection), revision)
            connection.exec_driver_sql("COMMIT")
        else:
            with connection.begin():
                command.downgrade(_config(connection), revision)

"""The migrations make exactly the tables that the code declares, and can be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from listserver.store import schema
from listserver.store.engine import Database


def _is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """The full-text index is made by each database's own means, and declared nowhere."""
    return not (kind == "table" and str(name).startswith("search_words"))


def test_an_empty_database_migrated_equals_the_tables(database: Database) -> None:
    """After all steps there is nothing left that autogeneration would change."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": not database.is_sqlite, "include_name": _is_declared}
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_down_and_up_again(database: Database) -> None:
    """Every step can be taken back and done again."""
    schema.downgrade(database, "base")
    with database.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    assert schema.upgrade(database) is True
    assert schema.upgrade(database) is False
    assert database.new_id() == 1

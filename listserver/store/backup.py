"""A copy of the database while it is in use: one moment of it, whole, synced to disk before it gets its name.

SQLite copies itself page by page inside one reading transaction, so posts go on being accepted meanwhile. PostgreSQL has its
own tool for that, and we run it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from listserver.errors import Conflict, ListserverError


def copy_sqlite(source: Path, target: Path) -> int:
    """Copy a SQLite database in use to a new file, mode 0600, and check the copy; its size in octets.

    Raises: Conflict when there is such a file already; ListserverError when the copy is not whole.
    """
    if target.exists():
        raise Conflict(f"there is a file {target} already: name another")
    part = target.with_name(f"{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            old.backup(new)  # all pages in one step: one moment of the database, however busy it is
            new.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
            found = new.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise ListserverError(f"the copy is not whole: {found}")
        _sync(part)
        part.rename(target)
        _sync(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def dump_postgresql(address: str, target: Path, program: str = "pg_dump") -> int:
    """Let pg_dump write the database to a new file; its size in octets.

    Raises: Conflict when there is such a file already; ListserverError when pg_dump is not here or fails.
    """
    url = sa.make_url(address)
    plain = url._replace(drivername="postgresql", password=None).render_as_string()
    command = ["pg_dump", "--format=custom", f"--file={target}", plain]
    if target.exists():
        raise Conflict(f"there is a file {target} already: name another")
    found = shutil.which(program)
    if found is None:
        raise ListserverError(f"pg_dump is not on this machine; run it where it is: {' '.join(command)}")
    environment = {**os.environ, **({"PGPASSWORD": url.password} if url.password else {})}
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    done = subprocess.run([found, *command[1:]], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        target.unlink(missing_ok=True)
        raise ListserverError(f"pg_dump failed: {done.stderr.strip().splitlines()[-1:] or [done.returncode]}")
    _sync(target)
    return target.stat().st_size


def copy_key(source: Path, target: Path) -> None:
    """Copy the secret key, mode 0600."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(source.read_bytes())
        handle.flush()
        os.fsync(handle.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

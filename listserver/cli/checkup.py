"""The machine and the database, looked at by `doctor`: folders, space, clock, SQLite's version, PostgreSQL's settings, what waits."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from listserver.cli.findings import Finding, note, ok, problem, warning
from listserver.config import Settings
from listserver.flows.site import Site
from listserver.store import incoming, lists, members, pulse, schema

_LOW_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000
_OLD_MAIL = timedelta(days=1)
_LARGE_LOG = 500_000_000
_NETWORK_FILES = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs"))
_WAL_MENDED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))  # the releases in which the WAL-reset corruption is mended


def settings(chosen: Settings) -> Iterator[Finding]:
    """Settings that are for trying out, or that trade a promise away."""
    if chosen.authentication == "accept":
        yield problem(
            "authentication",
            "Every From is believed: anybody can write, leave and vote in anybody's name.",
            "Set LISTSERVER_AUTHENTICATION=dns, or trust:NAME with the name of your own mail server.",
        )
    elif chosen.authentication == "off":
        yield note("authentication", "No sender is believed, so everything is confirmed by mail.")
    else:
        yield ok("authentication", f"Senders are believed by {chosen.authentication}.")
    if chosen.database_durability == "relaxed":
        yield warning(
            "durability",
            "Accepted mail can be lost on power failure.",
            "Take LISTSERVER_DATABASE_DURABILITY=relaxed away, unless this is what you want.",
        )
    else:
        yield ok("durability", "Every accepted post is synced to disk before its 250.")


def folder(chosen: Settings) -> Iterator[Finding]:
    """DATA_DIR: there, ours, closed to others, with space left."""
    path = chosen.data_dir.absolute()
    if not path.is_dir():
        yield problem("data", f"{path} is not there.", "Start the service once, or make the folder with mode 0700.")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield problem("data", f"{path} cannot be written by this user.", f"chown it to the user that runs listserver: {path}")
    elif mode & 0o077:
        yield warning("data", f"{path} can be read by others (mode {mode:04o}).", f"chmod 700 {path}")
    else:
        yield ok("data", f"{path} is ours alone.")
    private = [
        path / "secret.key",
        *(Path(part.partition("=")[2].strip()) for part in chosen.dkim_keys.split(",") if part.strip()),
    ]
    for key in private:
        if key.is_file() and stat.S_IMODE(key.stat().st_mode) & 0o077:
            yield problem("keys", f"{key} can be read by others.", f"chmod 600 {key}")
    free = shutil.disk_usage(path).free
    words = f"{free / 1e9:.1f} GB are free beside {path}."
    if free < _NO_SPACE:
        yield problem("disk", words, "Make space: mail is refused for now (452) when there is none.")
    elif free < _LOW_SPACE:
        yield warning("disk", words, "Make space before it runs out.")
    else:
        yield ok("disk", words)
    kind = _file_system(path)
    if kind in _NETWORK_FILES and not chosen.database_url.get_secret_value():
        yield problem(
            "disk", f"{path} lies on a network file system ({kind}).", "SQLite needs a local disk; or use PostgreSQL instead."
        )


def _file_system(path: Path) -> str:
    """The kind of file system that holds a path; '' where this cannot be told."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holding = [(len(m[1]), m[2]) for m in mounts if len(m) > 2 and path.is_relative_to(m[1].replace("\\040", " "))]
    return max(holding, default=(0, ""))[1]


def sqlite_version(version: str = sqlite3.sqlite_version) -> Finding:
    """Whether this SQLite can corrupt the log when two connections write and checkpoint at once."""
    read = tuple(int(part) for part in version.split("."))
    mended = any(read[:2] == release[:2] and read >= release for release in _WAL_MENDED) or read >= _WAL_MENDED[0]
    if mended:
        return ok("sqlite", f"SQLite {version}.")
    return note(
        "sqlite",
        f"SQLite {version} has a rare fault (WAL reset) when two connections write and checkpoint at once. "
        "Only the service checkpoints, so it is not met here.",
        "Keep other programs from writing to the file. A Python with SQLite 3.51.3 (or 3.50.7, 3.44.6) has it mended.",
    )


def database(site: Site, chosen: Settings) -> Iterator[Finding]:
    """Reachable, up to date, and set up so that a commit is a commit."""
    revision, newest = schema.current(site.database), schema.newest()
    if revision != newest:
        yield problem(
            "database",
            f"The tables are of {revision or 'no'} revision; this program needs {newest}.",
            "listserver database upgrade",
        )
        return
    yield ok("database", f"Reachable, its tables are up to date ({newest}).")
    if site.database.is_sqlite:
        yield sqlite_version()
        with site.database.read() as connection:
            yield from _sqlite(connection, site)
    else:
        with site.database.read() as connection:
            yield from postgresql(connection)


def _sqlite(connection: Connection, site: Site) -> Iterator[Finding]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if str(mode).lower() != "wal":
        yield problem("sqlite", f"The journal is {mode}, not WAL.", "Another program changed it: PRAGMA journal_mode=WAL")
    if not connection.exec_driver_sql(
        "SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_FTS5'"
    ).scalar():
        yield warning("sqlite", "This SQLite has no full-text search (FTS5).", "Use a Python whose SQLite was built with it.")
    log = Path(f"{site.database.path}-wal")
    if log.is_file() and log.stat().st_size > _LARGE_LOG:
        yield warning(
            "sqlite",
            f"The write-ahead log has grown to {log.stat().st_size / 1e6:.0f} MB.",
            "Some program keeps reading: restart it.",
        )


def postgresql(connection: Connection) -> Iterator[Finding]:
    """The settings of PostgreSQL that make a commit durable (P1)."""
    wanted = {
        "fsync": ("on",),
        "full_page_writes": ("on",),
        "synchronous_commit": ("on", "remote_write", "remote_apply", "local"),
    }
    for name, good in wanted.items():
        value = str(connection.execute(sa.text(f"SHOW {name}")).scalar_one())
        if value in good:
            yield ok(f"postgresql.{name}", f"{name} is {value}.")
        else:
            yield problem(f"postgresql.{name}", f"{name} is {value}: accepted mail can be lost.", f"ALTER SYSTEM SET {name} = on")
    encoding = str(connection.execute(sa.text("SHOW server_encoding")).scalar_one())
    if encoding != "UTF8":
        yield problem("postgresql.encoding", f"The encoding is {encoding}.", "Make the database with ENCODING 'UTF8'.")
    most = int(connection.execute(sa.text("SHOW max_connections")).scalar_one())
    if most < 40:
        yield warning(
            "postgresql.max_connections", f"Only {most} connections: one process uses up to 24.", "Raise max_connections."
        )


def work(site: Site, now: datetime) -> Iterator[Finding]:
    """What waits: mail on its way for days, posts that nobody looked at, mail that we failed at; lists without owners."""
    with site.database.read() as connection:
        found, states = pulse.take(connection), incoming.states(connection)
        newest = connection.execute(sa.text("SELECT max(accepted_at) FROM post")).scalar()
        unowned = [
            each.address for each in lists.everything(connection) if not members.with_roles(connection, each.id, ("owner",))
        ]
    if found.oldest is not None and now - found.oldest > _OLD_MAIL:
        yield warning(
            "outbox", f"{found.depth} deliveries wait, the oldest since {found.oldest:%Y-%m-%d %H:%M}.", "listserver queue ls"
        )
    else:
        yield ok("outbox", f"{found.depth} deliveries wait.")
    if found.in_flight:
        yield note(
            "in flight",
            f"{found.in_flight} accepted mails are being worked; they are taken up at the next start if the service is down.",
        )
    if states.get("quarantined"):
        yield warning(
            "quarantine",
            f"We failed at {states['quarantined']} mails; they are kept.",
            "Look in the log for processing_failed, and report it.",
        )
    if states.get("held"):
        yield note("held", f"{states['held']} posts wait for a person.", "listserver held ls")
    for address in unowned:
        yield warning(
            "lists",
            f"{address} has no owner: nobody hears of held posts.",
            f"listserver member add {address} ADDRESS --role owner",
        )
    yield _clock(now, newest)


def _clock(now: datetime, newest: object) -> Finding:
    """The clock against what the database has seen; and whether the machine says that it is set by others."""
    seen = datetime.fromisoformat(newest) if isinstance(newest, str) else newest
    if isinstance(seen, datetime):
        seen = seen if seen.tzinfo is not None else seen.replace(tzinfo=UTC)
        if seen - now > timedelta(minutes=5):
            return problem(
                "clock",
                f"It is {now:%Y-%m-%d %H:%M} UTC here, but a post was accepted at {seen:%Y-%m-%d %H:%M}: the clock went back.",
                "Set the clock (NTP).",
            )
    synchronised = [
        path
        for path in ("/run/systemd/timesync/synchronized", "/run/chrony", "/run/ntpd.pid", "/var/lib/ntpsec")
        if Path(path).exists()
    ]
    if synchronised:
        return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, kept by the network.")
    return note(
        "clock",
        f"{now:%Y-%m-%d %H:%M:%S} UTC; nothing seems to keep it.",
        "Run an NTP client: digests and expiring links follow this clock.",
    )

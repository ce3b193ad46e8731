"""A backup at any instant, and the way back from it (P12): nothing that it says was sent is sent again."""

from __future__ import annotations

import os
import random
import shutil
import smtplib
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from listserver.cli.main import main
from listserver.errors import Conflict, ListserverError
from listserver.flows import audit, membership
from listserver.server import open_site
from listserver.store import backup
from tests.acceptance.community import LIST
from tests.acceptance.process import PATIENCE, RememberingSink, ServiceProcess

MEMBERS = 4


@contextmanager
def posting(port: int, stop: threading.Event) -> Iterator[list[str]]:
    """Clients that post until told to stop; every Message-ID that got a 250."""
    accepted: list[str] = []

    def client(name: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                message_id = f"<c{name}n{number}@example.net>"
                raw = f"From: c{name}@example.net\r\nTo: {LIST}\r\nSubject: {name} {number}\r\nMessage-ID: {message_id}\r\n\r\n{'x' * 2000}\r\n"
                connection.sendmail(f"c{name}@example.net", [LIST], raw.encode())
                accepted.append(message_id)

    threads = [threading.Thread(target=client, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    yield accepted
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)


def _pairs(database: Path, condition: str) -> set[tuple[str, str]]:
    """(Message-ID, recipient) of deliveries in a backup."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return set(
            connection.execute(
                "SELECT p.message_id, d.address FROM delivery d JOIN outgoing o ON o.list_id = d.list_id AND o.id = d.outgoing_id "
                f"JOIN post p ON p.list_id = o.list_id AND p.number = o.post_number WHERE {condition}"
            )
        )


def _in_flight(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM incoming WHERE state = 'in_flight'").fetchone()[0])


def _drained(service: ServiceProcess) -> None:
    """Wait until a running service has worked what it accepted, and its outbox is empty."""
    end = time.monotonic() + PATIENCE
    while _in_flight(service.folder / "data" / "listserver.db") or _pairs(
        service.folder / "data" / "listserver.db", "d.state <> 'sent'"
    ):
        assert time.monotonic() < end
        time.sleep(0.05)


def _make_list(service: ServiceProcess) -> None:
    site = open_site(service.settings())
    alist = membership.create_list(site, LIST, {"post": "anyone", "bcc_posts": "post"}, [])
    people = [(f"member{n}@example.com", "") for n in range(MEMBERS)]
    membership.add_members(site, alist, people, {}, welcome=False)
    site.database.close()


def _drill(folder: Path, round_: int) -> None:
    sink = RememberingSink()
    service = ServiceProcess(folder, RELAY=f"smtp://127.0.0.1:{sink.port}")
    _make_list(service)
    service.start()
    copy = folder / "copy"
    copy.mkdir(mode=0o700)
    stop = threading.Event()
    with posting(service.port, stop) as accepted:
        instant = random.Random(round_).randrange(3, 60)
        while len(accepted) < instant:
            time.sleep(0.001)
        before = list(accepted)
        backup.copy_sqlite(folder / "data" / "listserver.db", copy / "listserver.db")
        backup.copy_key(folder / "data" / "secret.key", copy / "secret.key")
    service.kill()
    sink.close()
    shutil.rmtree(folder / "data")

    sent, every = _pairs(copy / "listserver.db", "d.state = 'sent'"), _pairs(copy / "listserver.db", "1 = 1")
    assert {message_id for message_id, _address in every} <= {*accepted, *before}
    with closing(sqlite3.connect(copy / "listserver.db")) as connection:
        kept = {row[0] for row in connection.execute("SELECT count(*) FROM incoming")}
    assert kept.pop() >= len(before)

    copy.rename(folder / "data")
    second = RememberingSink()
    restored = ServiceProcess(folder, RELAY=f"smtp://127.0.0.1:{second.port}")
    restored.start()
    try:
        _drained(restored)
        everything = _pairs(folder / "data" / "listserver.db", "1 = 1")
    finally:
        restored.stop()
        second.close()
    site = open_site(restored.settings())
    assert audit.check(site)["ok"]
    site.database.close()
    assert not set(second.accepted) & sent
    assert set(second.accepted) | sent == everything
    assert {message_id for message_id, _address in everything} >= set(before)


def test_a_backup_under_load_comes_back_to_life(tmp_path: Path) -> None:
    """Whatever was accepted before is there; what was sent by then is not sent again; what was not is."""
    _drill(tmp_path, 1)


@pytest.mark.large
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("round_", range(2, 12))
def test_more_backups_under_load(tmp_path: Path, round_: int) -> None:
    """The same at other instants."""
    _drill(tmp_path, round_)


def test_a_backup_is_private_whole_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mode 0600, one file with nothing beside it but the key; a second one to the same name is refused."""
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path / "data"))
    assert main(["list", "create", LIST]) == 0
    target = tmp_path / "monday.db"
    assert main(["database", "backup", str(target)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"data", "monday.db", "monday.db.secret.key"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "monday.db.secret.key").stat().st_mode) == 0o600
    assert (tmp_path / "monday.db.secret.key").read_bytes() == (tmp_path / "data" / "secret.key").read_bytes()
    assert main(["database", "backup", str(target)]) == 2
    assert "name another" in capsys.readouterr().err
    assert main(["database", "backup", str(tmp_path / "no" / "such" / "folder.db")]) == 2


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A database that is none gives an error and no half file."""
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        backup.copy_sqlite(tmp_path / "bad.db", tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.db"]


def test_postgresql_is_left_to_its_own_tool(tmp_path: Path) -> None:
    """Where pg_dump is not installed the command to run is told, without the password; where it fails, what it said."""
    address = "postgresql+psycopg://listserver:geheim@db.example.org/lists"
    with pytest.raises(ListserverError, match=r"pg_dump --format=custom --file=\S+ postgresql://listserver@db") as told:
        backup.dump_postgresql(address, tmp_path / "x.dump", program="no-such-pg_dump")
    assert "geheim" not in str(told.value)
    (tmp_path / "there.dump").touch()
    with pytest.raises(Conflict):
        backup.dump_postgresql(address, tmp_path / "there.dump")
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$PGPASSWORD" >&2\necho "server is away" >&2\nexit 1\n')
    os.chmod(program, 0o755)
    with pytest.raises(ListserverError, match="server is away"):
        backup.dump_postgresql(address, tmp_path / "x.dump", program=str(program))
    assert not (tmp_path / "x.dump").exists()
    program.write_text('#!/bin/sh\nfor a in "$@"; do case "$a" in --file=*) echo "$PGPASSWORD" > "${a#--file=}";; esac; done\n')
    assert backup.dump_postgresql(address, tmp_path / "x.dump", program=str(program)) == len("geheim\n")

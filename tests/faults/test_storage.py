"""F7, F8, F9: the disk is full, the database is locked, PostgreSQL dies; the peer keeps what we could not take, we come back alone."""

from __future__ import annotations

import contextlib
import os
import smtplib
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.community import LIST
from tests.acceptance.process import RememberingSink
from tests.faults.harness import Writers, compare, mail, new_service, settle
from tests.faults.postgres import OwnPostgres


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """Take all room but so many octets."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as handle:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while os.statvfs(place).f_bavail * 4096 > leave and handle.write(b"x" * size):
                    pass
    return filler


def test_a_full_disk_is_said_before_the_content(small_disk: Path) -> None:
    """452 to MAIL while there is no room; when there is again, mail is taken without a restart."""
    service = new_service(small_disk, members=1)
    service.start()
    filler = fill(small_disk, 4_000_000)
    with smtplib.SMTP("127.0.0.1", service.port, timeout=20) as connection:
        connection.ehlo()
        threading.Event().wait(1.1)  # the room is looked at once a second
        code, text = connection.mail("w@example.net", ["SIZE=20000"])
        filler.unlink()
        threading.Event().wait(1.1)
        accepted = connection.sendmail("w@example.net", [LIST], mail("room", 1))
    settle(service)
    service.stop()
    assert code == 452, text
    assert accepted == {}
    assert compare(service, ["<room.1@example.net>"]).clean


def test_a_disk_that_fills_up_in_the_middle_loses_nothing(small_disk: Path) -> None:
    """Not one octet left while posts come in: 4xx, nothing quarantined, and all is worked once there is room."""
    sink = RememberingSink()
    service = new_service(small_disk, sink, members=1)
    service.start()
    writers = Writers(service.port, "full", clients=3)
    writers.start()
    writers.wait_for(20)
    filler = fill(small_disk, 0)
    threading.Event().wait(1.5)
    filler.unlink()
    back = writers.wait_for(10)
    writers.stop()
    settle(service)
    service.stop()
    found = compare(service, writers.heard, sink)
    sink.close()
    assert back
    assert 452 in writers.refused
    assert found.clean, found
    assert found.extra_copies == 0
    assert found.check["states"]["quarantined"] == 0  # type: ignore[index]


def _locked(folder: Path, seconds: float) -> tuple[int, float]:
    """Another process writes for so long; the reply to a post meanwhile, and how long that took. Afterwards nothing is lost."""
    service = new_service(folder, members=1)
    service.start()
    other = sqlite3.connect(folder / "data" / "listserver.db", isolation_level=None, check_same_thread=False)
    with smtplib.SMTP("127.0.0.1", service.port, timeout=30) as connection:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(seconds, other.execute, ["ROLLBACK"])
        timer.start()
        began, reply = time.monotonic(), 250
        try:
            connection.sendmail("w@example.net", [LIST], mail("patient", 1))
        except smtplib.SMTPDataError as refused:
            reply = refused.smtp_code
        waited = time.monotonic() - began
        timer.join()
        if reply != 250:
            connection.sendmail("w@example.net", [LIST], mail("patient", 1))
    other.close()
    settle(service)
    service.stop()
    assert compare(service, ["<patient.1@example.net>"]).clean
    return reply, waited


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    """A writer that holds the file for a moment delays a post."""
    reply, waited = _locked(tmp_path, 1.5)
    assert (reply, waited > 1) == (250, True)


@pytest.mark.large
def test_a_database_that_stays_locked_makes_451(tmp_path: Path) -> None:
    """A writer that holds it for longer than ten seconds: the peer keeps the post, and nothing is lost."""
    reply, _waited = _locked(tmp_path, 14.0)
    assert reply == 451


@pytest.mark.postgres
def test_postgresql_dies_and_comes_back(tmp_path: Path) -> None:
    """`pg_ctl stop -m immediate` in mid-stream, and back-ends ended by hand: nothing lost, posts flow again within 10 s."""
    server = OwnPostgres()
    sink = RememberingSink()
    try:
        service = new_service(tmp_path, sink, members=3, DATABASE_URL=server.address)
        service.start()
        writers = Writers(service.port, "pg", clients=3)
        writers.start()
        assert writers.wait_for(20)
        server.end_sessions()
        assert writers.wait_for(10, seconds=10)
        server.crash()
        threading.Event().wait(1.0)
        server.start()
        back = writers.wait_for(10, seconds=10)
        writers.stop()
        claimed = settle(service, leased=True)
        service.stop()
        found = compare(service, writers.heard, sink)
    finally:
        sink.close()
        server.close()
    assert back
    assert found.lost == found.twice == []
    assert found.check["ok"], found
    assert found.missing_copies <= claimed  # claims whose commit was answered by nobody: sent when their lease ends
    assert found.check["states"]["quarantined"] == 0  # type: ignore[index]

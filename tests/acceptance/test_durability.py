"""A 250 is a promise: synced before it is said, and kept through SIGKILL."""

from __future__ import annotations

import json
import random
import re
import shutil
import smtplib
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from listserver.server import open_site
from listserver.store import outbox, posts
from tests.acceptance.community import LIST
from tests.acceptance.process import RememberingSink, ServiceProcess

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def _mail(number: int, marker: str = "ladder") -> bytes:
    return (
        f"From: w{number}@example.net\r\nTo: {LIST}\r\nSubject: {marker} {number}\r\nMessage-ID: <{marker}.{number}@example.net>\r\n\r\n"
        f"Who has it? {marker} {number}\r\n" + "The long one, from the shed.\r\n" * 20
    ).encode()


def _syncs_before_250(folder: Path, durability: str) -> bool:
    """Whether a sync stands between the write that holds the post and the 250 that answers for it."""
    service = ServiceProcess(folder, DATABASE_DURABILITY=durability)
    service.make_list()
    trace = folder / "trace"
    service.start(
        "strace", "-D", "-f", "-o", str(trace), "-s", "5000", "-e", "trace=pwrite64,fsync,fdatasync,sendto,write", parts="smtp"
    )
    with smtplib.SMTP("127.0.0.1", service.port, timeout=60) as connection:
        connection.sendmail("w@example.net", [LIST], _mail(1, "uniquemarker"))
    service.stop()
    events = []
    for line in trace.read_text(errors="replace").splitlines():
        if "pwrite64" in line and "uniquemarker" in line:
            events.append("post written")
        elif (re.search(r"\b(fsync|fdatasync)\(", line) and "= 0" in line) or "<... fdatasync resumed>" in line:
            events.append("synced")
        elif "250 2.0.0 Accepted" in line:
            events.append("said 250")
    assert "post written" in events, events
    assert "said 250" in events, events
    written, said = events.index("post written"), events.index("said 250")
    return written < said and "synced" in events[written:said]


@needs_strace
def test_the_sync_stands_between_the_post_and_its_250(tmp_path: Path) -> None:
    """By default the post is on the disk before the peer hears 250."""
    assert _syncs_before_250(tmp_path, "full")


@needs_strace
def test_relaxed_durability_fails_the_same_check(tmp_path: Path) -> None:
    """The check can fail: with `relaxed` nothing is synced first."""
    assert not _syncs_before_250(tmp_path, "relaxed")


def _ingest_until_killed(service: ServiceProcess, heard: list[str], round_: int, seconds: float) -> None:
    """Eight clients post as fast as they can; the service is killed in the middle."""
    killed = threading.Event()

    def client(name: int) -> None:
        number = 0
        while not killed.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", service.port, timeout=10) as connection:
                    while not killed.is_set():
                        number += 1
                        marker = f"k{round_}c{name}"
                        connection.sendmail("w@example.net", [LIST], _mail(number, marker))
                        heard.append(f"<{marker}.{number}@example.net>")
            except (OSError, smtplib.SMTPException):
                return

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    killed.wait(seconds)
    service.kill()
    killed.set()
    for thread in threads:
        thread.join()


def _kills_during_ingest(folder: Path, kills: int) -> None:
    service, heard = ServiceProcess(folder), []
    service.make_list()
    chance = random.Random(kills)
    for round_ in range(kills):
        service.start()
        _ingest_until_killed(service, heard, round_, 0.2 + chance.random() * 0.5)
    service.start()
    service.stop()
    document = json.loads(service.run("database", "check", "--json"))
    assert document["ok"], document
    assert document["states"]["in_flight"] == 0
    site = open_site(service.settings())
    with site.database.read() as connection:
        (alist,) = site.directory.everything()
        stored = Counter(row.message_id for row in posts.numbered(connection, alist.id, 1, 1 << 30))
    site.database.close()
    assert len(heard) > kills
    assert [message_id for message_id in heard if message_id not in stored] == []
    assert max(stored.values()) == 1


def test_nothing_is_lost_after_a_250_when_killed(tmp_path: Path) -> None:
    """Three kills at random moments, eight clients: every post that got a 250 is there, once, whole."""
    _kills_during_ingest(tmp_path, 3)


@pytest.mark.large
def test_nothing_is_lost_after_a_250_when_killed_often(tmp_path: Path) -> None:
    """Twenty kills."""
    _kills_during_ingest(tmp_path, 20)


def _kills_during_fan_out(folder: Path, kills: int) -> None:
    members = 2000
    sink = RememberingSink()
    service = ServiceProcess(folder, RELAY=f"smtp://127.0.0.1:{sink.port}")
    service.make_list(members)
    chance = random.Random(kills)
    ambiguous = 0
    for number in range(kills):
        service.start()
        with smtplib.SMTP("127.0.0.1", service.port, timeout=10) as connection:
            connection.sendmail("w@example.net", [LIST], _mail(number, "fan"))
        threading.Event().wait(0.02 + chance.random() * 0.2)
        service.kill()
        site = open_site(service.settings())
        with site.database.read() as connection:
            ambiguous += outbox.counts(connection)["sending"]
        site.database.close()
    service.start()
    site = open_site(service.settings())
    for _try in range(3000):
        with site.database.read() as connection:
            if outbox.open_deliveries(connection) == 0 and posts.last_number(connection, 1) == kills:
                break
        threading.Event().wait(0.01)
    with site.database.read() as connection:
        counts = outbox.counts(connection)
    site.database.close()
    service.stop()
    sink.close()
    got = Counter(sink.accepted)
    assert counts["sent"] == members * kills, counts
    assert len(got) == members * kills
    assert sum(got.values()) - len(got) <= ambiguous


def test_every_member_gets_the_post_when_killed_in_the_fan_out(tmp_path: Path) -> None:
    """Three kills: every pair of post and member arrives, and extra copies are only those that were being sent."""
    _kills_during_fan_out(tmp_path, 3)


@pytest.mark.large
def test_every_member_gets_the_post_when_killed_often(tmp_path: Path) -> None:
    """Twenty kills."""
    _kills_during_fan_out(tmp_path, 20)


def test_a_second_service_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """Exit 75 and one line that says what to do."""
    service = ServiceProcess(tmp_path)
    service.make_list()
    service.start()
    second = subprocess.run(
        [sys.executable, "-m", "listserver", "serve"],
        env=service.environment | {"LISTSERVER_SMTP_LISTEN": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    service.stop()
    assert second.returncode == 75
    assert "works on" in second.stderr.splitlines()[-1]

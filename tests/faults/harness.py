"""What the fault tests share: writers that remember every 250, and the comparison of what was promised with what is there."""

from __future__ import annotations

import contextlib
import json
import smtplib
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from listserver.server import open_site
from listserver.store import outbox, posts
from tests.acceptance.community import LIST
from tests.acceptance.process import RememberingSink, ServiceProcess


def mail(marker: str, number: int) -> bytes:
    """A post of some length, so that it takes several pages of the database."""
    return (
        f"From: w{number}@example.net\r\nTo: {LIST}\r\nSubject: {marker} {number}\r\nMessage-ID: <{marker}.{number}@example.net>\r\n"
        f"\r\nWho has it? {marker} {number}\r\n" + "The long one, from the shed.\r\n" * 300
    ).encode()


@dataclass
class Writers:
    """Clients that post until told to stop, and keep the Message-ID of each post that got a 250, and each other reply."""

    port: int
    marker: str
    clients: int = 4
    heard: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(self.clients)]

    def _write(self, name: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=15) as connection:
                    while not self._stop.is_set():
                        number += 1
                        self._one(connection, f"{self.marker}c{name}", number)
            except (OSError, smtplib.SMTPServerDisconnected):
                self._stop.wait(0.05)

    def _one(self, connection: smtplib.SMTP, marker: str, number: int) -> None:
        try:
            connection.sendmail("w@example.net", [LIST], mail(marker, number))
        except smtplib.SMTPServerDisconnected:
            raise
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self.refused.append(error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 450)
            self._stop.wait(0.05)
        else:
            self.heard.append(f"<{marker}.{number}@example.net>")

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, seconds: float = 20.0) -> bool:
        """Wait until so many more posts got a 250."""
        wanted = len(self.heard) + more
        for _try in range(int(seconds * 100)):
            if len(self.heard) >= wanted:
                return True
            threading.Event().wait(0.01)
        return False


@contextlib.contextmanager
def site_of(service: ServiceProcess):  # type: ignore[no-untyped-def]
    """The service's store, read from outside it."""
    site = open_site(service.settings())
    try:
        yield site
    finally:
        site.database.close()


def settle(service: ServiceProcess, seconds: float = 60.0, *, leased: bool = False) -> int:
    """Wait until nothing is in flight and nothing waits to leave; `leased`: but for what somebody claimed. Returns how many are."""
    counts: dict[str, int] = {}
    with site_of(service) as site:
        for _try in range(int(seconds * 20)):
            with site.database.read() as connection:
                rows = connection.exec_driver_sql("SELECT count(*) FROM incoming WHERE state = 'in_flight'").scalar_one()
                counts = outbox.counts(connection)
            waiting = counts["queued"] + counts["retry"] + counts["ambiguous"] + (0 if leased else counts["sending"])
            if rows == 0 and waiting == 0:
                return counts["sending"]
            threading.Event().wait(0.05)
    raise AssertionError(f"the service did not settle: {rows} in flight, {counts}")


@dataclass
class Findings:
    """What was promised, against what is there."""

    promised: int
    lost: list[str]
    twice: list[str]
    check: dict[str, object]
    missing_copies: int = 0
    extra_copies: int = 0

    @property
    def clean(self) -> bool:
        return not self.lost and not self.twice and bool(self.check["ok"]) and not self.missing_copies


def compare(service: ServiceProcess, heard: list[str], sink: RememberingSink | None = None) -> Findings:
    """Hold every 250 that a writer heard against the store, and every stored pair of post and member against the sink."""
    document = json.loads(service.run("database", "check", "--json"))
    with site_of(service) as site, site.database.read() as connection:
        (alist,) = site.directory.everything()
        stored = Counter(row.message_id for row in posts.numbered(connection, alist.id, 1, 1 << 30))
        members = connection.exec_driver_sql("SELECT count(*) FROM member WHERE state = 'active'").scalar_one()
    found = Findings(
        promised=len(heard),
        lost=[each for each in heard if each not in stored],
        twice=[each for each, times in stored.items() if times > 1],
        check=document,
    )
    if sink is not None:
        got = Counter(sink.accepted)
        found.missing_copies = len(stored) * members - len(got)
        found.extra_copies = sum(got.values()) - len(got)
    return found


def ambiguous_now(service: ServiceProcess) -> int:
    """How many deliveries a killed service left in `sending`: so many may arrive twice."""
    with site_of(service) as site, site.database.read() as connection:
        counts = outbox.counts(connection)
    return counts["sending"] + counts["ambiguous"]


def new_service(folder: Path, sink: RememberingSink | None = None, members: int = 3, **settings: str) -> ServiceProcess:
    """An installation with one list and some members, not yet started."""
    more = {"RELAY": f"smtp://127.0.0.1:{sink.port}"} if sink is not None else {}
    service = ServiceProcess(folder, **more, **settings)
    if "DATABASE_URL" in settings:
        service.run("database", "upgrade")
    service.make_list(members)
    return service

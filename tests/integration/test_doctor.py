"""What the doctor finds: each check against an installation that has just that fault."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from listserver.authentication.keys import Signing
from listserver.cli import checkup, checkup_mail, roundtrip
from listserver.cli.findings import Finding, Level
from listserver.cli.main import main
from listserver.server import open_relay
from listserver.store.engine import Database
from tests.acceptance.community import LIST, community, settings_for
from tests.acceptance.process import RememberingSink
from tests.fakes import FakeResolver

DOMAIN = "lists.hartleyvale.org.uk"
KEY = Ed25519PrivateKey.generate()
SIGNING = Signing((("e2026", KEY),))
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _levels(found: list[Finding]) -> dict[str, Level]:
    return {each.check: each.level for each in found}


@contextmanager
def listener(greeting: bytes) -> Iterator[int]:
    """A port on which somebody says something."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _peer = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_domain_where_all_is_well() -> None:
    """MX, SPF, our key, DMARC and the name of our own address are found."""
    (signer,) = SIGNING.signers(DOMAIN)
    resolver = FakeResolver(
        {
            f"MX {DOMAIN}": ["mx.hartleyvale.org.uk"],
            f"TXT {DOMAIN}": ["v=spf1 mx -all", "other=1"],
            f"TXT e2026._domainkey.{DOMAIN}": [signer.record.replace("; ", ";")],
            f"TXT _dmarc.{DOMAIN}": ["v=DMARC1; p=none"],
            "A mx.hartleyvale.org.uk": ["192.0.2.7", "9.9.9.9"],
            "PTR 9.9.9.9": ["MX.hartleyvale.org.uk"],
        }
    )
    found = list(checkup_mail.dns([DOMAIN], "mx.hartleyvale.org.uk", resolver, SIGNING))
    assert _levels(found) == dict.fromkeys(("dns.mx", "dns.spf", "dns.dkim", "dns.dmarc", "dns.ptr"), Level.ok)


@pytest.mark.parametrize(
    ("records", "check", "level", "words"),
    [
        ({}, "dns.mx", Level.problem, "neither MX nor address"),
        ({f"A {DOMAIN}": ["9.9.9.9"]}, "dns.mx", Level.note, "goes to its address"),
        ({f"TXT {DOMAIN}": ["v=spf1 -all", "v=spf1 mx"]}, "dns.spf", Level.problem, "2 SPF records"),
        ({}, "dns.spf", Level.warning, "no SPF"),
        ({}, "dns.dkim", Level.problem, "is not there"),
        ({f"TXT e2026._domainkey.{DOMAIN}": ["v=DKIM1; k=ed25519; p=AAAA"]}, "dns.dkim", Level.problem, "another key"),
        ({}, "dns.dmarc", Level.warning, "no DMARC"),
        ({"A mx.hartleyvale.org.uk": ["9.9.9.9"], "PTR 9.9.9.9": ["other.example"]}, "dns.ptr", Level.warning, "other.example"),
        ({}, "dns.host", Level.warning, "has no address"),
        ({f"MX {DOMAIN}": None}, "dns", Level.warning, "does not tell"),
    ],
)
def test_what_the_dns_lacks_is_told(records: dict[str, Any], check: str, level: Level, words: str) -> None:
    """Each missing or wrong record is one finding with the record to publish."""
    found = list(checkup_mail.dns([DOMAIN], "mx.hartleyvale.org.uk", FakeResolver(records), SIGNING))
    (one,) = [each for each in found if each.check == check]
    assert one.level is level
    assert words in one.says
    assert one.mend


def test_names_for_examples_are_not_asked_for() -> None:
    """What exists in examples only costs no question."""
    resolver = FakeResolver()
    found = list(checkup_mail.dns(["lists.example.org", "x.test", "localhost"], "vm", resolver, None))
    assert {each.level for each in found} == {Level.note}
    assert not resolver.asked


def test_ports_are_knocked_at(tmp_path: Path) -> None:
    """Ours, another program's, and nobody's."""
    with listener(b"220 mx ESMTP listserver\r\n") as ours, listener(b"220 mx ESMTP Exim\r\n") as theirs:
        settings = settings_for(
            tmp_path, smtp_listen=f"127.0.0.1:{ours},127.0.0.1:{theirs}", lmtp_listen=f"unix:{tmp_path}/no", web_listen=""
        )
        found = list(checkup_mail.ports(settings))
    assert [each.level for each in found] == [Level.ok, Level.problem, Level.note]
    assert "Another program" in found[1].says


def test_no_way_in_is_a_problem(tmp_path: Path) -> None:
    """Both doors off."""
    found = list(checkup_mail.ports(settings_for(tmp_path, smtp_listen="", lmtp_listen="", web_listen="")))
    assert [each.level for each in found] == [Level.problem]


def test_the_relay_is_asked_what_it_offers(tmp_path: Path) -> None:
    """Its keywords are named; without PIPELINING or with a smaller limit there is a warning."""
    sink = RememberingSink()
    found = asyncio.run(checkup_mail.relay(settings_for(tmp_path, relay=f"smtp://127.0.0.1:{sink.port}")))
    sink.close()
    assert [each.level for each in found] == [Level.ok]
    assert "PIPELINING" in found[0].says


def test_a_relay_that_is_away_is_a_problem(tmp_path: Path) -> None:
    """Where it was looked for and what happened."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (found,) = asyncio.run(checkup_mail.relay(settings_for(tmp_path, relay=f"smtp://user:geheim@127.0.0.1:{port}")))
    assert found.level is Level.problem
    assert f"port {port}" in found.says
    assert "geheim" not in found.says


@pytest.mark.parametrize(("days", "level"), [(-1, Level.problem), (5, Level.warning), (200, Level.ok)])
def test_the_certificate_is_read(tmp_path: Path, days: int, level: Level) -> None:
    """Over, ending soon, or good."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example.org")])
    ends = NOW + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
        .sign(key, SHA256())
    )
    (tmp_path / "c.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = settings_for(tmp_path, tls_certificate=str(tmp_path / "c.pem"), tls_key=str(tmp_path / "k.pem"))
    assert [each.level for each in checkup_mail.certificate(settings, NOW)] == [level]


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("3.40.1", Level.note),
        ("3.44.5", Level.note),
        ("3.44.6", Level.ok),
        ("3.50.6", Level.note),
        ("3.50.7", Level.ok),
        ("3.51.2", Level.note),
        ("3.51.3", Level.ok),
        ("3.53.0", Level.ok),
        ("4.0.0", Level.ok),
    ],
)
def test_sqlite_with_the_wal_fault_is_known(version: str, level: Level) -> None:
    """The mended releases are 3.44.6, 3.50.7, 3.51.3 and whatever came after."""
    assert checkup.sqlite_version(version).level is level


def test_an_open_data_folder_is_told(tmp_path: Path) -> None:
    """Others may neither read the folder nor the keys."""
    settings = settings_for(tmp_path)
    settings.prepare()
    (settings.data_dir / "secret.key").write_text("x")
    os.chmod(settings.data_dir, 0o755)
    os.chmod(settings.data_dir / "secret.key", 0o644)
    levels = _levels(list(checkup.folder(settings)))
    assert levels["data"] is Level.warning
    assert levels["keys"] is Level.problem
    os.chmod(settings.data_dir, 0o700)


@pytest.mark.postgres
def test_postgresql_without_fsync_is_a_problem(postgres_address: str) -> None:
    """The tests' own server runs with fsync on or off; what it says is what is told, and each is looked at."""
    database = Database(postgres_address)
    with database.read() as connection:
        found = list(checkup.postgresql(connection))
        value = connection.execute(sa.text("SHOW fsync")).scalar_one()
    database.close()
    levels = _levels(found)
    assert levels["postgresql.fsync"] is (Level.ok if value == "on" else Level.problem)
    assert {"postgresql.full_page_writes", "postgresql.synchronous_commit"} <= set(levels)


async def test_a_clock_that_went_back_is_told(tmp_path: Path) -> None:
    """A post from the future of this clock is a problem; a list without an owner a warning."""
    async with community(tmp_path, parts=("smtp", "deliver")) as one:
        await one.write("ruth@example.net")
        levels = _levels(list(checkup.work(one.site, one.clock.now() - timedelta(hours=1))))
        assert levels["clock"] is Level.problem
        assert "lists" not in levels
        from listserver.flows import membership

        await asyncio.to_thread(membership.remove_member, one.site, one.alist(), "ruth@example.net")
        levels = _levels(list(checkup.work(one.site, one.clock.now())))
        assert levels["clock"] in (Level.ok, Level.note)
        assert levels["lists"] is Level.warning


async def test_the_trip_comes_back_in(tmp_path: Path) -> None:
    """A mail to one of our own addresses, through a relay that hands it to us: told from writing to its recorded end."""
    async with community(tmp_path, parts=("smtp", "deliver")) as one:
        settings = settings_for(tmp_path, relay=f"smtp://127.0.0.1:{one.port()}")
        transport = open_relay(settings)
        found = await roundtrip.travel(one.site, settings, transport, LIST.replace("@", "-help@"), wait=20)
        await transport.close()
    assert [each.level for each in found] == [Level.note, Level.ok, Level.ok]
    assert "250 2.0.0" in found[1].says
    assert "ended as ignored" in found[2].says


async def test_a_report_about_the_trip_is_known(tmp_path: Path) -> None:
    """The return-path names this very mail: a report to it is told as such."""
    async with community(tmp_path, parts=("smtp", "deliver")) as one:
        sink = RememberingSink()
        settings = settings_for(tmp_path, relay=f"smtp://127.0.0.1:{sink.port}")
        transport = open_relay(settings)
        letter = roundtrip.write(one.site, "gwen@example.net", one.clock.now())
        assert letter.copy.reverse_path.startswith("bounces+")
        await one.send("", letter.copy.reverse_path, b"From: MAILER-DAEMON@example.net\r\nSubject: Undelivered\r\n\r\nNo.\r\n")
        arrived = roundtrip._arrivals(one.site, letter, 0)
        assert [row.token for row in arrived] == [letter.token]
        (found,) = roundtrip._came(arrived[0], letter, 1.0)
        assert found.level is Level.warning
        away = await roundtrip.travel(one.site, settings, transport, "gwen@example.net", wait=0)
        await transport.close()
        sink.close()
    assert [each.level for each in away] == [Level.note, Level.ok, Level.note]
    assert "Now look into that mailbox" in away[2].says


def test_the_command_tells_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One document; ok says whether there is any problem, and so does the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LISTSERVER_HOSTNAME", "lists.example.org")
    for name, value in {"SMTP_LISTEN": "127.0.0.1:1", "WEB_LISTEN": "", "DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(f"LISTSERVER_{name}", value)
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"durability", "sqlite", "database", "data", "disk", "ports", "relay", "clock", "dns"} <= {
        c["check"] for c in document["checks"]
    }
    monkeypatch.setenv("LISTSERVER_AUTHENTICATION", "accept")
    assert main(["doctor", "--no-dns"]) == 1
    told = capsys.readouterr().out
    assert "PROBLEM  authentication: Every From is believed" in told


def test_a_database_that_cannot_be_used_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The doctor goes on, and says so in one sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "listserver.db").write_bytes(b"this is no database at all " * 100)
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path / "data"))
    assert main(["doctor", "--json", "--no-dns"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [each for each in checks if each["check"] == "database"]
    assert "cannot be used" in found["says"]

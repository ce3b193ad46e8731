"""The relay client against other people's servers: aiosmtpd, Exim, Postfix; each tells what it took."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from listserver.flows.ports import Copy
from listserver.mail.reply import OutcomeKind
from listserver.transport.relay import RelayAddress
from listserver.transport.smtp import SmtpTransport
from tests.acceptance.process import free_port
from tests.integration.postfixkit import NextHop, Postfix, needs_postfix, wait_for
from tests.integration.relaykit import QUICK, Outcomes, make_copies, send_all

EXIM = os.environ.get("LISTSERVER_TEST_EXIM", "")
needs_exim = pytest.mark.skipif(not EXIM, reason="needs LISTSERVER_TEST_EXIM, a folder with Debian's Exim unpacked (.ci/run)")
_HEAD = b"From: Ruth <ruth@example.net>\r\nTo: list@lists.example.org\r\nDate: Tue, 03 Mar 2026 09:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
BODY = _HEAD + b"Subject: The ladder\r\n\r\n.\r\n..\r\n.dot\r\nDie Leiter h\xc3\xa4ngt.\r\n" + b"x" * 900 + b"\r\n" * 3


def _copies() -> list[Copy]:
    """Two hundred good ones, one that does not exist, one to come back for."""
    copies = make_copies(200, body=BODY)
    for name in ("gone", "grey"):
        copies.insert(100, Copy(name, "list@lists.example.org", f"{name}@example.com", b"", copies[0].body))
    return copies


def _check(outcomes: Outcomes) -> None:
    assert outcomes.of(OutcomeKind.failed) == {"gone@example.com"}
    assert outcomes.of(OutcomeKind.deferred) == {"grey@example.com"}
    assert len(outcomes.of(OutcomeKind.delivered)) == 200


@contextlib.asynccontextmanager
async def _to(port: int) -> AsyncIterator[SmtpTransport]:
    address = RelayAddress(host="127.0.0.1", port=port)
    transport = SmtpTransport(address, hostname="lists.example.org", connections=4, deadlines=QUICK)
    try:
        yield transport
    finally:
        await transport.close()


class _Keeper:
    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if address.startswith(("gone", "grey")):
            return "550 5.1.1 no such user" if address.startswith("gone") else "450 4.2.0 come back"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.taken.append((envelope.rcpt_tos[0], bytes(envelope.content or b"")))
        return "250 2.0.0 Ok"


@pytest.mark.filterwarnings("ignore::DeprecationWarning:aiosmtpd")
async def test_aiosmtpd_takes_every_copy_once_and_whole() -> None:
    """aiosmtpd, which offers no PIPELINING, gets each copy once, octet by octet."""
    keeper = _Keeper()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, hostname="peer.example", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    copies = _copies()
    async with server, _to(server.sockets[0].getsockname()[1]) as transport:
        outcomes = await send_all(transport, copies)

    _check(outcomes)
    sent = {copy.recipient: copy.head + copy.body.raw for copy in copies if copy.recipient.startswith("m")}
    assert dict(keeper.taken) == sent
    assert len(keeper.taken) == 200


@needs_postfix
async def test_postfix_takes_every_copy_once() -> None:
    """Postfix, with PIPELINING and CHUNKING, takes each copy once and passes it on unchanged."""
    world = NextHop()
    postfix = Postfix(free_port(), world.port)
    postfix.refusals.update({"gone@example.com": "550 5.1.1 no such user", "grey@example.com": "450 4.2.0 come back"})
    copies = _copies()
    try:
        await asyncio.to_thread(postfix.start)
        async with _to(postfix.relay) as transport:
            outcomes = await send_all(transport, copies)
        await asyncio.to_thread(wait_for, lambda: len(world.relay.taken) >= 200, "the copies", postfix.log)
    finally:
        await asyncio.to_thread(postfix.stop)
        world.close()

    _check(outcomes)
    assert sorted(world.relay.pairs) == sorted(outcomes.of(OutcomeKind.delivered))
    sent = {copy.recipient: copy.head + copy.body.raw for copy in copies}
    assert all(taken.content.endswith(sent[taken.recipients[0]]) for taken in world.relay.taken)


_EXIM = """
primary_hostname = exim.example.org
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
log_selector = +received_recipients
queue_only = true
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
pipelining_advertise_hosts = *
chunking_advertise_hosts = {chunking}
smtp_accept_max_per_connection = 5000
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = check
begin acl
check:
  deny local_parts = gone
       message = no such user
  defer local_parts = grey
       message = come back
  accept
"""


@pytest.fixture(params=["*", ""], ids=["chunking", "pipelining"])
def exim(request: pytest.FixtureRequest) -> Iterator[tuple[int, Path]]:
    """Debian's Exim, unpacked but not installed: its user exists for it only."""
    root, port, tmp_path = Path(EXIM), free_port(), Path(tempfile.mkdtemp(prefix="exim-"))
    libraries = root / "usr/lib/x86_64-linux-gnu"
    (tmp_path / "exim.conf").write_text(_EXIM.format(folder=tmp_path, port=port, chunking=request.param))
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nDebian-exim:x:65533:65533::/:/bin/false\n")
    (tmp_path / "group").write_text("root:x:0:\nDebian-exim:x:65533:\n")
    (tmp_path / "spool").mkdir()
    for folder in (tmp_path, tmp_path / "spool"):
        os.chown(folder, 65533, 65533)
        folder.chmod(0o755)
    environment = {
        "PATH": "/usr/bin:/bin",
        "LD_LIBRARY_PATH": str(libraries),
        "LD_PRELOAD": str(libraries / "libnss_wrapper.so"),
        "NSS_WRAPPER_PASSWD": str(tmp_path / "passwd"),
        "NSS_WRAPPER_GROUP": str(tmp_path / "group"),
    }
    process = subprocess.Popen(
        [root / "usr/sbin/exim4", "-C", tmp_path / "exim.conf", "-bdf"], env=environment, stdout=subprocess.DEVNULL
    )
    log = tmp_path / "mainlog"
    try:
        wait_for(lambda: log.exists() and "daemon started" in log.read_text(), "Exim to start")
        yield port, log
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(tmp_path, ignore_errors=True)


@needs_exim
async def test_exim_takes_every_copy_once(exim: tuple[int, Path]) -> None:
    """Exim, with CHUNKING and without, logs each copy once for its recipient, and none for who was refused."""
    port, log = exim
    async with _to(port) as transport:
        outcomes = await send_all(transport, _copies())
    wait_for(lambda: log.read_text().count(" <= ") >= 200, "Exim's log")

    _check(outcomes)
    logged = re.findall(r" <= .* for (\S+)$", log.read_text(), re.M)
    assert sorted(logged) == sorted(outcomes.of(OutcomeKind.delivered))

"""A Postfix of one's own: started in a folder, with the lines of `deploy/postfix/main.cf`, stopped by the test."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.process import PATIENCE, free_port
from tests.integration.relaykit import FakeRelay, Script

SNIPPET = Path(__file__).parents[2] / "deploy" / "postfix" / "main.cf"

needs_postfix = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("postfix") is None or shutil.which("swaks") is None,
    reason="needs root, Postfix and swaks (Debian: postfix, swaks)",
)

_MASTER = """\
{front}    inet n - n - - smtpd
{relay}    inet n - n - - smtpd
  -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:{policy},permit_mynetworks,reject
  -o smtpd_client_restrictions=
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
showq     unix n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
"""

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = mx.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{next_hop}
disable_dns_lookups = yes
smtp_host_lookup = native
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
address_verify_map =
smtputf8_enable = yes
default_destination_concurrency_limit = 20
initial_destination_concurrency = 20
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtpd_tls_security_level = none
"""


class Policy(socketserver.ThreadingTCPServer):
    """Postfix's policy protocol, as greylisting servers speak it: what the relay answers for a recipient, changed at will."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _PolicyAnswers)
        self.refusals: dict[str, str] = {}
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End the thread."""
        self.shutdown()
        self.thread.join(PATIENCE)
        self.server_close()


class _PolicyAnswers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked: dict[str, str] = {}
        for line in self.rfile:
            name, _sign, value = line.decode().strip().partition("=")
            if name:
                asked[name] = value
                continue
            server = self.server
            action = server.refusals.get(asked.get("recipient", ""), "DUNNO") if isinstance(server, Policy) else "DUNNO"
            self.wfile.write(f"action={action}\n\n".encode())
            asked = {}


class Postfix:
    """In front of the service (`front`), behind it (`relay`), and on to `next_hop`; `refusals` are the relay's."""

    def __init__(self, lmtp_port: int, next_hop: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.etc = self.folder / "etc"
        self.front, self.relay = free_port(), free_port()
        self._policy = Policy()
        self.refusals = self._policy.refusals
        self.folder.chmod(0o755)
        for name in ("etc", "spool", "data", "log"):
            (self.folder / name).mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
        snippet = SNIPPET.read_text().replace("127.0.0.1:8024", f"127.0.0.1:{lmtp_port}")
        (self.etc / "main.cf").write_text(snippet + _MAIN.format(folder=self.folder, next_hop=next_hop))
        (self.etc / "master.cf").write_text(
            _MASTER.format(front=self.front, relay=self.relay, policy=self._policy.server_address[1])
        )

    def run(self, *arguments: str) -> str:
        """One command of Postfix on this instance."""
        done = subprocess.run(
            [arguments[0], "-c", str(self.etc), *arguments[1:]], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if done.returncode:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}{self.log()}")
        return done.stdout

    def start(self) -> None:
        """Start, and wait for both doors."""
        self.run("postfix", "start")
        wait_for(lambda: "daemon started" in self.log(), "Postfix to start", self.log)

    def stop(self) -> None:
        """Stop and forget."""
        subprocess.run(["postfix", "-c", str(self.etc), "stop"], capture_output=True, timeout=PATIENCE, check=False)
        self._policy.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it wrote."""
        path = self.folder / "log" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def queued(self) -> int:
        """How many mails are in its queue."""
        return len(re.findall(r"^[0-9A-Za-z]{6,}[*!]? ", self.run("postqueue", "-p"), re.M))


def wait_for(condition: Callable[[], object], what: str, tell: Callable[[], str] = lambda: "") -> None:
    """Wait until something that another process does is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}\n{tell()[-3000:]}")
        time.sleep(0.05)


class NextHop:
    """A scripted relay in a thread of its own: the world behind Postfix."""

    def __init__(self, script: Script = lambda moment: None) -> None:
        self.relay = FakeRelay(script)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        self._ready.wait(PATIENCE)

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        async with self.relay.running():
            self._ready.set()
            await self._end.wait()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.relay.port

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE)
        self._loop.close()


def swaks(port: int, sender: str, *recipients: str, **fields: str) -> tuple[int, str]:
    """Send one mail as people test their servers; exit code and the dialogue."""
    arguments = [
        "swaks",
        "--server",
        f"127.0.0.1:{port}",
        "--from",
        sender,
        "--to",
        ",".join(recipients),
        "--helo",
        "client.example",
    ]
    for name, value in fields.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout + done.stderr

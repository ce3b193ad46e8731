"""`listserver serve` as a process of its own, to be killed; and a sink that remembers what it accepted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from listserver.config import Settings
from tests.acceptance.community import LIST

PATIENCE = 30.0


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServiceProcess:
    """One installation, started and stopped as often as a test likes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.folder = folder
        self.environment = (
            {name: value for name, value in os.environ.items() if not name.startswith("LISTSERVER_")}
            | {
                "LISTSERVER_DATA_DIR": str(folder / "data"),
                "LISTSERVER_AUTHENTICATION": "accept",
                "LISTSERVER_HOSTNAME": "lists.example.org",
                "LISTSERVER_SMTP_LISTEN": f"127.0.0.1:{self.port}",
                "LISTSERVER_WEB_LISTEN": "",
                "LISTSERVER_LOG_LEVEL": "warning",
            }
            | {f"LISTSERVER_{name}": value for name, value in settings.items()}
        )

    def settings(self) -> Settings:
        """The same settings inside this process."""
        return Settings(
            data_dir=self.folder / "data",
            authentication="accept",
            hostname="lists.example.org",
            database_url=SecretStr(self.environment.get("LISTSERVER_DATABASE_URL", "")),
            _env_file=None,  # type: ignore[call-arg]
        )

    def run(self, *arguments: str) -> str:
        """One command, which must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "listserver", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def make_list(self, members: int = 0) -> None:
        """The list, with members."""
        self.run("list", "create", LIST, "--set", "post=anyone", "--set", "bcc_posts=post")
        if members:
            people = self.folder / "people.csv"
            people.write_text("".join(f"member{n}@example.com\n" for n in range(members)))
            self.run("member", "add", LIST, "--file", str(people))

    def start(self, *prefix: str, parts: str = "smtp,deliver") -> None:
        """Start, and wait until the door is open; `prefix` is a command such as strace to run it under."""
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "listserver", "serve", "--only", parts],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                if connection.recv(3) == b"220":
                    return
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read().decode() if self.process.stderr else "ended")
            time.sleep(0.01)
        raise AssertionError("the service did not start")

    def kill(self) -> None:
        """SIGKILL, as a power cut would not even announce."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        if self.process.stderr:
            self.process.stderr.close()

    def wait_until_dead(self) -> None:
        """Wait for a death that was arranged from outside."""
        self.process.wait(PATIENCE)
        if self.process.stderr:
            self.process.stderr.close()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        if self.process.stderr:
            self.process.stderr.close()


class RememberingSink:
    """An SMTP relay in a thread that keeps each (Message-ID, recipient) it answered 250 for."""

    def __init__(self, *, refuse_once: Sequence[str] = ()) -> None:
        self.accepted: list[tuple[str, str]] = []
        self._refuse = set(refuse_once)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        recipient = ""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
                elif verb == b"RCPT":
                    recipient = line[line.find(b"<") + 1 : line.find(b">")].decode()
                    writer.write(b"450 4.2.0 later\r\n" if recipient in self._refuse else b"250 ok\r\n")
                    self._refuse.discard(recipient)
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    start = content.lower().index(b"message-id:")
                    message_id = content[start + 11 : content.index(b"\r\n", start)].strip().decode()
                    self.accepted.append((message_id, recipient))
                    writer.write(b"250 ok\r\n")
                elif verb == b"QUIT":
                    break
                else:
                    writer.write(b"250 ok\r\n")
        writer.close()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

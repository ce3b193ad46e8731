"""The service under load: ingest, end to end, one post on an idle system, fan-out. Anyone can run it:

    python benchmarks/service.py [ingest] [end-to-end] [idle] [fan-out] [--recipients 10000] [--postgres URL] [--json]

Default durability; service, sink and client are processes of their own on 127.0.0.1. Every figure stands beside a yardstick
measured in the same run, and the run fails when the sink's count differs from what the store recorded.
"""

from __future__ import annotations

import sys

sys.path.append(sys.path.pop(0))  # a script in this folder is called like a module of the standard library

import argparse
import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = sys.executable
LISTSERVER = [PYTHON, "-m", "listserver"]
LIST = "bench@lists.example.org"
RESULTS: list[dict[str, object]] = []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sink:
    """The sink's process."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen([PYTHON, HERE / "sink.py", *options], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self) -> dict[str, float]:
        self.process.send_signal(signal.SIGTERM)
        answer, _nothing = self.process.communicate(timeout=30)
        return json.loads(answer)


class Service:
    """The service's process, with one list."""

    def __init__(self, folder: Path, relay: str, *, parts: str = "smtp,deliver", database: str = "") -> None:
        self.port = free_port()
        self.environment = {
            **os.environ,
            "LISTSERVER_DATA_DIR": str(folder / "data"),
            "LISTSERVER_AUTHENTICATION": "accept",
            "LISTSERVER_RELAY": relay,
            "LISTSERVER_HOSTNAME": "lists.example.org",
            "LISTSERVER_SMTP_LISTEN": f"127.0.0.1:{self.port}",
            "LISTSERVER_WEB_LISTEN": "",
            "LISTSERVER_LOG_LEVEL": "warning",
            "LISTSERVER_DATABASE_URL": database,
            "LISTSERVER_LMTP_LISTEN": "",
        }
        self.folder = folder
        if database:
            self.run("database", "upgrade")
        self.run("list", "create", LIST, "--set", "post=anyone", "--set", "bcc_posts=post", "--set", "own_copies=yes")
        self.parts = parts

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*LISTSERVER, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    def start(self) -> None:
        self.process = subprocess.Popen([*LISTSERVER, "serve", "--only", self.parts], env=self.environment, cwd=self.folder)
        for _try in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise SystemExit("the service did not start")

    def cpu(self) -> float:
        """Seconds of CPU that the service has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Its largest resident size in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def states(self) -> dict[str, int]:
        return json.loads(self.run("queue", "ls", "--json"))

    def settle(self, expected: int, seconds: float = 300) -> float:
        """Wait until so many deliveries are recorded as sent; the moment at which they were seen to be."""
        end = time.time() + seconds
        while time.time() < end:
            if self.states()["sent"] >= expected:
                return time.time()
            time.sleep(0.1)
        raise SystemExit(f"only {self.states()} of {expected}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@contextlib.contextmanager
def place(
    options: argparse.Namespace, *, members: int = 0, parts: str = "smtp,deliver", sink: tuple[str, ...] = ()
) -> Iterator[tuple[Service, Sink]]:
    with tempfile.TemporaryDirectory(prefix="listserver-bench-") as folder:
        receiver = Sink(*sink)
        service = Service(Path(folder), f"smtp://127.0.0.1:{receiver.port}", parts=parts, database=options.postgres)
        if members:
            people = Path(folder) / "people.csv"
            people.write_text("".join(f"member{n}@example.com,Member {n}\n" for n in range(members)))
            service.run("member", "add", LIST, "--file", str(people))
        service.start()
        try:
            yield service, receiver
        finally:
            service.stop()
            service.run("list", "remove", LIST, "--yes")
            with contextlib.suppress(ProcessLookupError):
                receiver.process.kill()


def load(port: int, messages: int, sessions: int, *more: str) -> dict[str, float]:
    done = subprocess.run(
        [PYTHON, HERE / "load.py", str(port), "--messages", str(messages), "--sessions", str(sessions), "--to", LIST, *more],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def note(work: str, figure: float, unit: str, yardstick: str, beside: float, **more: object) -> None:
    ratio = round(figure / beside, 3) if beside else None
    RESULTS.append(
        {
            "work": work,
            "figure": round(figure, 2),
            "unit": unit,
            "yardstick": yardstick,
            "beside": round(beside, 2),
            "ratio": ratio,
            **more,
        }
    )
    print(json.dumps(RESULTS[-1]), flush=True)


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE)
    return done.stdout.strip() or "unknown"


def ingest(options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        _ingest(options, stack)


def _ingest(options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Durable acceptance of 4 KiB posts, nobody subscribed; yardstick: a plain aiosmtpd that only answers."""
    plain = subprocess.Popen([PYTHON, HERE / "plain_aiosmtpd.py"], stdout=subprocess.PIPE, text=True)
    plain_port = int(plain.stdout.readline())
    stack.callback(plain.kill)
    for sessions in (10, 50):
        beside = load(plain_port, options.messages, sessions)["rate"]
        with place(options) as (service, _sink):
            before = service.cpu()
            done = load(service.port, options.messages, sessions)
            service.process.poll()
            used = service.cpu() - before
            check = {}
            for _try in range(300):
                check = json.loads(service.run("database", "check", "--json"))
                if not check["states"]["in_flight"]:
                    break
                time.sleep(0.1)
            if not check["ok"] or check["accepted"] != done["sent"] or check["states"]["posted"] != done["sent"]:
                raise SystemExit(f"the store and the client disagree: {check} {done}")
            note(
                f"ingest, {sessions} sessions",
                done["rate"],
                "posts/s",
                "plain aiosmtpd that stores nothing",
                beside,
                cpu_ms_a_post=round(used / done["sent"] * 1000, 3),
                rss_mb=round(service.memory()),
                commit=commit(),
            )


def end_to_end(options: argparse.Namespace) -> None:
    """From the first post in to the last copy out, one subscriber; yardstick: the client straight into the sink."""
    direct = Sink()
    beside = load(direct.port, options.messages, 10)["rate"]
    direct.stop()
    with place(options, members=1) as (service, sink):
        begin = time.time()
        done = load(service.port, options.messages, 10)
        end = service.settle(int(done["sent"]))
        used, memory = service.cpu(), service.memory()
        counted = sink.stop()
        agree(counted["recipients"], service.states()["sent"])
        seconds = min(end - begin, counted["seconds"] + 0.02)
        note(
            "end to end, one subscriber",
            done["sent"] / seconds,
            "posts/s",
            "client straight into the sink",
            beside,
            cpu_ms_a_post=round(used / done["sent"] * 1000, 3),
            rss_mb=round(memory),
            commit=commit(),
        )


def agree(counted: float, recorded: float) -> None:
    if counted != recorded:
        raise SystemExit(f"the sink counted {counted}, the store recorded {recorded}")


def post(port: int, number: int) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = (
        "w@example.net",
        LIST,
        f"one {number}",
        f"<{time.time()}.{number}@example.net>",
    )
    mail.set_content("Who has the long ladder?\n" * 100)
    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.send_message(mail)


def idle(options: argparse.Namespace) -> None:
    """One post on an idle system: from the end of the client's dialogue to the sink; yardstick: straight into the sink."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs"
        with place(options, members=1, sink=("--pairs", str(pairs))) as (service, sink):
            times = []
            for number in range(30):
                time.sleep(0.05)
                begin = time.perf_counter()
                post(service.port, number)
                before = sink_messages(sink.port)
                while before < number + 1:
                    before = sink_messages(sink.port)
                times.append((time.perf_counter() - begin) * 1000)
            straight = []
            for number in range(30):
                begin = time.perf_counter()
                post(sink.port, number)
                straight.append((time.perf_counter() - begin) * 1000)
            times.sort()
            straight.sort()
            note(
                "one post on an idle system",
                times[15],
                "ms (median of 30)",
                "the same post straight into the sink, ms",
                straight[15],
                worst=round(times[-1], 2),
                commit=commit(),
            )


def sink_messages(port: int) -> int:
    """Ask the sink how many messages it has: VRFY is its way to tell."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(200)
        connection.sendall(b"VRFY count\r\n")
        return int(connection.recv(200).split()[2])


def fan_out(options: argparse.Namespace) -> None:
    """Personal copies of one post, states recorded; yardstick: smtplib, one connection, the same content."""
    direct = Sink()
    begin = time.perf_counter()
    content = "Subject: x\r\nFrom: a@example.net\r\n\r\n" + "Who has the long ladder?\r\n" * 150
    with smtplib.SMTP("127.0.0.1", direct.port) as connection:
        for number in range(1000):
            connection.sendmail("a@example.net", [f"member{number}@example.com"], content)
    beside = 1000 / (time.perf_counter() - begin)
    direct.stop()
    for kind, sink_options in (("pipelining", ()), ("chunking", ("--chunking",))):
        with place(options, members=options.recipients, sink=sink_options) as (service, sink):
            before, begin = service.cpu(), time.time()
            post(service.port, 1)
            end = service.settle(options.recipients)
            used, memory = service.cpu() - before, service.memory()
            counted = sink.stop()
            agree(counted["recipients"], service.states()["sent"])
            note(
                f"fan-out to {options.recipients}, {kind}",
                options.recipients / counted["seconds"],
                "copies/s",
                "smtplib, one connection",
                beside,
                seconds_until_recorded=round(end - begin, 2),
                cpu_s_per_1000=round(used / options.recipients * 1000, 4),
                rss_mb=round(memory),
                commit=commit(),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=["ingest", "end-to-end", "idle", "fan-out", []])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--recipients", type=int, default=10_000)
    parser.add_argument("--postgres", default="")
    options = parser.parse_args()
    works = {"ingest": ingest, "end-to-end": end_to_end, "idle": idle, "fan-out": fan_out}
    for name in options.what or list(works):
        works[name](options)


if __name__ == "__main__":
    main()

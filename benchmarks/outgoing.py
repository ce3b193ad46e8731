"""The way out under load: fan-out beside smtp-source, a relay far away, a real Postfix, a million recipients.

    python benchmarks/outgoing.py [fan-out] [away] [postfix] [batch] [million] [--recipients 10000] [--million 1000000] [--postgres URL]

`postfix` and `batch` need root and Debian's Postfix; smtp-source comes with it. Default durability, every state recorded, each
part a process of its own on 127.0.0.1. A run fails when what arrived is not what the store recorded.
"""

from __future__ import annotations

import sys

sys.path.append(sys.path.pop(0))  # a script in this folder is called like a module of the standard library

import argparse
import contextlib
import json
import re
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from service import LIST, RESULTS, Service, Sink, agree, commit, note, place, post

sys.path.insert(0, str(Path(__file__).parents[1]))
SMALL = "small@lists.example.org"


def smtp_source(port: int, copies: int, octets: int) -> float:
    """Copies a second by Wietse's load generator: eight sessions that stay open, one recipient each."""
    begin = time.perf_counter()
    subprocess.run(
        ["smtp-source", "-d", "-s", "8", "-m", str(copies), "-l", str(octets), "-f", "a@example.net", "-t", "m@example.com",
         "-N", f"inet:127.0.0.1:{port}"],
        check=True,
    )  # fmt: skip
    return copies / (time.perf_counter() - begin)


def run_fan_out(options: argparse.Namespace, name: str, sink_options: tuple[str, ...]) -> None:
    direct = Sink(*sink_options)
    beside = smtp_source(direct.port, options.recipients, 4000)
    agree(direct.stop()["recipients"], options.recipients)
    with place(options, members=options.recipients, sink=sink_options) as (service, sink):
        before, begin = service.cpu(), time.time()
        post(service.port, 1)
        end = service.settle(options.recipients)
        used, memory = service.cpu() - before, service.memory()
        counted = sink.stop()
        agree(counted["recipients"], service.states()["sent"])
        note(
            f"{name}, {options.recipients} personal copies",
            options.recipients / counted["seconds"],
            "copies/s",
            "smtp-source into the same sink",
            beside,
            seconds_until_recorded=round(end - begin, 2),
            cpu_s_per_1000=round(used / options.recipients * 1000, 4),
            rss_mb=round(memory),
            commit=commit(),
        )


def fan_out(options: argparse.Namespace) -> None:
    """One post to many, to a sink beside us."""
    run_fan_out(options, "fan-out, pipelining", ())
    run_fan_out(options, "fan-out, chunking", ("--chunking",))


def away(options: argparse.Namespace) -> None:
    """The same to a relay whose every answer takes 5 ms."""
    run_fan_out(options, "relay 5 ms away, pipelining", ("--delay", "5"))
    run_fan_out(options, "relay 5 ms away, chunking", ("--delay", "5", "--chunking"))


@contextlib.contextmanager
def postfix() -> Iterator[object]:
    from tests.integration.postfixkit import Postfix

    server = Postfix(1, 1)
    with (server.etc / "main.cf").open("a") as handle:
        handle.write(
            "default_transport = discard\nrelay_transport = discard\ntransport_maps =\nsmtpd_client_connection_rate_limit = 0\n"
        )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def accepted_by(server: object) -> int:
    """Recipients that Postfix's queue manager has taken over, by its log."""
    return sum(int(n) for n in re.findall(r"nrcpt=(\d+) \(queue active\)", server.log()))  # type: ignore[attr-defined]


def through_postfix(options: argparse.Namespace, name: str, copies: int, **settings: str) -> None:
    with postfix() as server:
        beside = smtp_source(server.front, min(copies, 3000), 4000)  # type: ignore[attr-defined]
    with postfix() as server, tempfile.TemporaryDirectory(prefix="listserver-bench-") as folder:
        service = Service(Path(folder), f"smtp://127.0.0.1:{server.front}", database=options.postgres)  # type: ignore[attr-defined]
        service.environment |= {f"LISTSERVER_{key}": value for key, value in settings.items()}
        people = Path(folder) / "people.csv"
        people.write_text("".join(f"member{n}@example.com\n" for n in range(copies)))
        service.run("member", "add", LIST, "--file", str(people))
        service.start()
        before, begin = service.cpu(), time.time()
        post(service.port, 1)
        end = settled(service, copies)
        used, memory = service.cpu() - before, service.memory()
        time.sleep(1)
        agree(accepted_by(server), service.states()["sent"])
        service.stop()
    note(
        name,
        copies / (end - begin),
        "recipients/s",
        "smtp-source into the same Postfix, one recipient a mail",
        beside,
        cpu_s_per_1000=round(used / copies * 1000, 4),
        rss_mb=round(memory),
        commit=commit(),
    )


def settled(service: Service, copies: int, seconds: float = 300) -> float:
    """The moment at which the store has them all as sent: asked directly, for a command takes longer to start than a batch to leave."""
    if service.environment["LISTSERVER_DATABASE_URL"]:
        return service.settle(copies, seconds)
    connection = sqlite3.connect(f"file:{service.folder}/data/listserver.db?mode=ro", uri=True)
    end = time.time() + seconds
    with contextlib.closing(connection):
        while connection.execute("SELECT count(*) FROM delivery WHERE state = 'sent'").fetchone()[0] < copies:
            if time.time() > end:
                raise SystemExit(f"not all of {copies} were sent: {service.states()}")
            time.sleep(0.05)
    return time.time()


def real_postfix(options: argparse.Namespace) -> None:
    """Personal copies through a Postfix on this machine, which syncs each to its queue."""
    through_postfix(options, "personal copies through Postfix", min(options.recipients, 5000))


def batch(options: argparse.Namespace) -> None:
    """The same post in batches of 100 recipients."""
    through_postfix(options, "batches of 100 through Postfix", max(options.recipients, 20_000), RELAY_BATCH="100")


def count(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(200)
        connection.sendall(b"VRFY count\r\n")
        return int(connection.recv(200).split()[2])


def add_members(database: Path, members: int) -> None:
    """Members by the hundred thousand, straight into the table: how they came there is not what is measured."""
    connection = sqlite3.connect(database)
    (list_id,) = connection.execute("SELECT id FROM mailing_list WHERE address = ?", (LIST,)).fetchone()
    names = [row[1] for row in connection.execute("PRAGMA table_info(member)")]
    row = dict(zip(names, connection.execute("SELECT * FROM member WHERE list_id = ?", (list_id,)).fetchone(), strict=True))
    given = {"id": "n", "address": "'member' || n || '@example.com'", "address_key": "'member' || n || '@example.com'"}
    columns = ", ".join(names)
    values = ", ".join(given.get(name, "?") for name in names)
    connection.execute(
        f"WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {members}) "
        f"INSERT INTO member ({columns}) SELECT {values} FROM numbers",
        [row[name] for name in names if name not in given],
    )
    connection.execute("UPDATE mailing_list SET next_member = ? WHERE id = ?", (members + 1, list_id))
    connection.commit()
    connection.close()


def million(options: argparse.Namespace) -> None:
    """A post to very many: its first copy, memory, and how a post to thirty fares beside it."""
    with tempfile.TemporaryDirectory(prefix="listserver-bench-") as folder:
        pairs = Path(folder) / "pairs"
        sink = Sink("--chunking", "--pairs", str(pairs))
        service = Service(Path(folder), f"smtp://127.0.0.1:{sink.port}")
        service.run("member", "add", LIST, "first@example.com")
        service.run("list", "create", SMALL, "--set", "post=anyone", "--set", "bcc_posts=post")
        service.run("member", "add", SMALL, *[f"small{n}@example.com" for n in range(30)])
        add_members(Path(folder) / "data" / "listserver.db", options.million)
        service.start()
        before = service.cpu()
        post(service.port, 1)
        begin = time.perf_counter()
        while not count(sink.port):
            time.sleep(0.005)
        first = time.perf_counter() - begin
        time.sleep(2)
        small = post_small(service.port, pairs)
        service.settle(options.million + 30, 3600)
        used, memory = service.cpu() - before, service.memory()
        counted = sink.stop()
        agree(counted["recipients"], service.states()["sent"])
        service.stop()
    name = f"{options.million} recipients"
    facts = {"rss_mb": round(memory), "cpu_s_per_1000": round(used / options.million * 1000, 4), "commit": commit()}
    note(f"{name}: whole fan-out", options.million / counted["seconds"], "copies/s", "none", 0, **facts)
    note(f"{name}: first copy", first, "s", "the bar, s", 1.0)
    note(f"a post to 30 beside one to {options.million}", small, "s until all 30 have it", "the bar, s", 2.0)


def post_small(port: int, pairs: Path) -> float:
    """Post to the small list; seconds from the 250 until the sink has all thirty."""
    import smtplib

    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.sendmail(
            "w@example.net", SMALL, f"From: w@example.net\r\nTo: {SMALL}\r\nMessage-ID: <small@example.net>\r\n\r\nHi\r\n"
        )
    begin = time.perf_counter()
    while pairs.read_bytes().count(b"<small@example.net>\t") < 30:
        time.sleep(0.02)
        if time.perf_counter() - begin > 60:
            raise SystemExit("the post to thirty did not arrive within a minute")
    return time.perf_counter() - begin


def main() -> None:
    works = {"fan-out": fan_out, "away": away, "postfix": real_postfix, "batch": batch, "million": million}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*works, []])
    parser.add_argument("--recipients", type=int, default=10_000)
    parser.add_argument("--million", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=1)
    parser.add_argument("--postgres", default="")
    options = parser.parse_args()
    for name in options.what or list(works):
        works[name](options)
    json.dump(RESULTS, sys.stderr)


if __name__ == "__main__":
    main()

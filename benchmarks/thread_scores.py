"""How well posts find their parents without any threading field, and what that costs. Anyone can run it:

    .venv/bin/python benchmarks/threading.py ARCHIVE… [--limit N] [--postgres URL] [--errors FOLDER]
    .venv/bin/python benchmarks/threading.py --scale 10000 100000 [--postgres URL]

Each archive (mbox or mbox.gz) is stripped of its threading fields, imported with `listserver archive import` into a fresh
installation, and `listserver thread ls --json` is scored against the fields that were taken away: once with its quote
marks, once with these taken away too (`unmarked`), and once with all fields in place (`headers`: what the text overrules).
`--scale` makes that many posts of random words that quote each other, and measures import, size, and the placing of one
more post. Prints one JSON line for each measurement, with the failure classes; --errors keeps every error to be read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from archives import Placed, Truth, read_archive, read_truth, score, strip

from listserver.flows import weighing
from listserver.lists.fingerprints import read_post
from listserver.mail.mbox import MboxMessage, separator_of, write_mbox
from listserver.mail.parse import parse_message
from listserver.store.engine import Database

LIST = "bench@lists.example.org"
MODES = ("stripped", "unmarked", "headers")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--scale", nargs="+", type=int, default=[])
    parser.add_argument("--postgres", default="", help="an empty database; it is used once")
    parser.add_argument("--errors", type=Path, help="a folder for the errors, one JSON line each")
    given = parser.parse_args()
    for path in given.archives:
        messages = list(read_archive(path, given.limit))
        truth = read_truth(messages)
        for mode in given.modes:
            figures, errors = measure(messages, truth, mode, given.postgres)
            print(json.dumps({"archive": path.name, "mode": mode, **figures}), flush=True)
            if given.errors:
                given.errors.mkdir(exist_ok=True)
                (given.errors / f"{path.name}.{mode}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in errors))
    for posts in given.scale:
        print(json.dumps(scale(posts, given.postgres)), flush=True)


def measure(
    messages: list[bytes], truth: dict[str, Truth], mode: str, postgres: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Thread one archive through the service and score it."""
    with Installation(postgres) as service:
        prepared = messages if mode == "headers" else [strip(raw, unmark=mode == "unmarked") for raw in messages]
        seconds = service.bring_in(prepared)
        threads = json.loads(service.run("thread", "ls", LIST, "--json"))["threads"]
    placed = {
        _bare(post["message_id"]): Placed(
            _bare(post["parent"]) if post["parent"] else None, post["evidence"]["kind"], post["evidence"]["score"], thread["id"]
        )
        for thread in threads
        for post in thread["posts"]
    }
    figures, errors = score(truth, placed)
    rate = {"posts_per_second": round(len(messages) / seconds, 1)}
    return {**figures, **rate, "classes": dict(classify(errors, truth, placed))}, errors


def classify(errors: Iterable[dict[str, Any]], truth: dict[str, Truth], placed: dict[str, Placed]) -> Counter[str]:
    """What the chosen post is to the true parent."""
    classes: Counter[str] = Counter()
    for each in errors:
        true, chosen = each["true"], each["chosen"]
        above = list(_ancestors(true, truth))
        if true is None:
            classes["fresh, attached"] += 1
        elif chosen is None:
            classes["no parent found" if each["quotes"] else "no parent found, nothing quoted"] += 1
        elif chosen in above:
            classes["an ancestor"] += 1
        elif chosen in truth and truth[chosen].parent == true:
            classes["another answer to the same post"] += 1
        elif true in _ancestors(chosen, truth):
            classes["a descendant"] += 1
        elif chosen in truth and above and truth[chosen].parent == truth[true].parent:
            classes["a sibling of the parent"] += 1
        elif true in placed and chosen in placed and placed[true].conversation == placed[chosen].conversation:
            classes["elsewhere in the conversation"] += 1
        else:
            classes["another conversation"] += 1
    return classes


def _ancestors(own: str | None, truth: dict[str, Truth]) -> Iterator[str]:
    seen = set()
    while own is not None and own in truth and own not in seen:
        seen.add(own)
        own = truth[own].parent
        if own is not None:
            yield own


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")


class Installation:
    """A fresh installation with one list, used through its command line."""

    def __init__(self, postgres: str = "") -> None:
        self._postgres = postgres

    def __enter__(self) -> Installation:
        self._temporary = tempfile.TemporaryDirectory(prefix="listserver-threading-")
        self.folder = Path(self._temporary.name)
        self.address = self._postgres or f"sqlite:///{self.folder}/data/listserver.db"
        self._environment = {
            **os.environ,
            "LISTSERVER_DATA_DIR": str(self.folder / "data"),
            "LISTSERVER_DATABASE_URL": self.address,
            "LISTSERVER_HOSTNAME": "lists.example.org",
        }
        self.run("database", "upgrade")
        self.run("list", "create", LIST)
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def run(self, *words: str) -> str:
        """One command; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "listserver", *words],
            env=self._environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def bring_in(self, messages: Iterable[bytes]) -> float:
        """Import messages; the seconds that took."""
        path = self.folder / "archive.mbox"
        with path.open("wb") as handle:
            separator = separator_of("archive@example.org", datetime(1990, 1, 1, tzinfo=UTC))
            write_mbox(handle, (MboxMessage(separator, raw) for raw in messages))
        started = time.monotonic()
        self.run("archive", "import", LIST, str(path), "--json")
        return time.monotonic() - started

    def size(self) -> int:
        """Octets of the database."""
        if not self._postgres:
            return sum(each.stat().st_size for each in (self.folder / "data").glob("listserver.db*"))
        with sa.create_engine(self._postgres).connect() as connection:
            return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())


def scale(posts: int, postgres: str) -> dict[str, Any]:
    """Import many made-up posts, and find the place of more of them, one by one."""
    with Installation(postgres) as service:
        empty = service.size()
        seconds = service.bring_in(invented(posts))
        octets = service.size() - empty
        database = Database(service.address)
        times = []
        with database.read() as connection:
            for raw in invented(posts, first=posts - 200, seed=1):
                parsed = parse_message(raw)
                clues = weighing.newcomer(parsed, read_post(raw, parsed.header), parsed.ids.message_id or "", datetime.now(UTC))
                started = time.perf_counter()
                weighing.gather(connection, 1, clues)
                times.append((time.perf_counter() - started) * 1000)
        database.close()
    times.sort()
    return {
        "posts": posts,
        "database": "postgresql" if postgres else "sqlite",
        "import_posts_per_second": round(posts / seconds, 1),
        "octets_per_post": round(octets / posts),
        "find_place_ms": {"p50": round(times[len(times) // 2], 2), "p99": round(times[len(times) * 99 // 100], 2)},
    }


def invented(posts: int, *, first: int = 0, seed: int = 0) -> Iterator[bytes]:
    """Posts of random words, of which three quarters quote one of the forty before them."""
    chance = random.Random(seed)
    words = [
        "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(chance.randint(1, 4)))
        for _ in range(20_000)
    ]
    start = datetime(2020, 1, 1, tzinfo=UTC)
    recent: list[tuple[str, str, str, datetime]] = []
    for number in range(first, posts):
        when = start + timedelta(minutes=7 * number)
        who = f"Person {chance.randint(1, 400)}"
        own = "\n".join(" ".join(words[int(20_000 * chance.random() ** 3)] for _ in range(12)) for _ in range(7))
        subject, text = f"{' '.join(chance.sample(words, 4))}", own
        if recent and chance.random() < 0.75:
            subject, author, theirs, written = chance.choice(recent)
            quote = "\n".join(f"> {line}" for line in theirs.split("\n"))
            text = f"On {written:%a, %d %b %Y at %H:%M}, {author} <p@example.net> wrote:\n{quote}\n\n{own}"
        recent = [*recent[-39:], (subject, who, own, when)]
        head = (
            f"From: {who} <p@example.net>\nDate: {format_datetime(when)}\nSubject: {'Re: ' if text is not own else ''}{subject}"
        )
        yield f"{head}\nMessage-ID: <{seed}.{number}@made.example>\n\n{text}\n".encode()

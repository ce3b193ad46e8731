"""Mail that comes back: how much of it is read rightly, what it costs, and ten thousand of them in a minute. Anyone can run it:

    python benchmarks/bounces.py flood [--bounces 10000] [--postgres URL]
    python benchmarks/bounces.py read FOLDER… [--labels FILE]
    python benchmarks/bounces.py posts MBOX…

`flood` sends reports to a real service's return-paths over SMTP, a fifth of them forged, and fails unless the forged
ones count for nothing and every member has one score. `read` reads files of one mail each, beside flufl.bounce alone;
`--labels` names a file of lines `NAME WEIGHT`. `posts` reads real posts, of which none should be taken for returned mail.
"""

from __future__ import annotations

import argparse
import collections
import email
import gzip
import json
import logging
import smtplib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service import LIST, place

from listserver.lists.tokens import PermissionSigner
from listserver.mail.headers import read_header
from listserver.mail.mbox import read_mbox
from listserver.mail.returned import read_returned
from listserver.store import lists, members
from listserver.store.engine import Database

SESSIONS = 8
REPORT = """From: MAILER-DAEMON@example.com\r
To: {path}\r
Subject: Undelivered Mail Returned to Sender\r
Content-Type: multipart/report; report-type=delivery-status; boundary=B\r
\r
--B\r
Content-Type: text/plain\r
\r
Your mail could not be delivered.\r
\r
--B\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.com\r
\r
Final-Recipient: rfc822; member{number}@example.com\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 User unknown\r
\r
--B--\r
"""


def flood(options: argparse.Namespace) -> None:
    """Bounces as fast as they are taken; every fifth has a return-path with a false signature."""
    people = options.bounces // 10
    with place(options, members=people) as (service, _sink):
        secret = (service.folder / "data" / "secret.key").read_bytes().strip()
        database = Database(options.postgres or f"sqlite:///{service.folder}/data/listserver.db", checkpoints=False)
        with database.read() as connection:
            (found,) = lists.everything(connection)
            numbers = {row.address: row.id for row in members.everyone(connection, found.id)}
        database.close()
        signer = PermissionSigner(secret, "bounces", found.id, int(time.time() // 86_400))
        begin, before = time.perf_counter(), service.cpu()
        forged = options.bounces // 5

        def send(first: int) -> None:
            with smtplib.SMTP("127.0.0.1", service.port) as client:
                for each in range(first, options.bounces, SESSIONS):
                    number = each % people
                    token = signer.sign(numbers[f"member{number}@example.com"])
                    if (each + each // people) % 5 == 4:
                        token = token[:-2] + ("aa" if token[-2:] != "aa" else "bb")
                    path = f"bench-bounces+{token}@lists.example.org"
                    client.sendmail("", [path], REPORT.format(path=path, number=number))

        with ThreadPoolExecutor(SESSIONS) as pool:
            list(pool.map(send, range(SESSIONS)))
        taken = time.perf_counter() - begin
        states: dict[str, int] = {}
        while time.perf_counter() - begin < 300:
            states = json.loads(service.run("database", "check", "--json"))["states"]
            if not states["in_flight"]:
                break
            time.sleep(0.2)
        seconds, cpu = time.perf_counter() - begin, service.cpu() - before
        rows = json.loads(service.run("bounces", "ls", LIST, "--json"))["bounces"]
    scores = collections.Counter(row["score"] for row in rows)
    print(
        json.dumps(
            {
                "work": "flood", "bounces": options.bounces, "forged": forged, "taken_seconds": round(taken, 1),
                "worked_seconds": round(seconds, 1), "cpu_ms_each": round(1000 * cpu / options.bounces, 2),
                "ignored": states["ignored"], "counted": states["bounce"], "members": len(rows), "scores": dict(scores),
            }
        )
    )  # fmt: skip
    if states["ignored"] != forged or set(scores) != {1.0} or len(rows) != people or seconds > 60:
        raise SystemExit("a forged one counted, a member has not one score, or it took more than a minute")


def read(options: argparse.Namespace) -> None:
    """Files of one mail each: how many are recognised, by us and by flufl.bounce alone, and how they are weighed."""
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    labels = dict(line.split()[:2] for line in Path(options.labels).read_text().splitlines()) if options.labels else {}
    for folder in options.paths:
        files = [path for path in sorted(Path(folder).iterdir()) if path.is_file() and path.suffix != ".py"]
        weights: collections.Counter[str] = collections.Counter()
        right, alone, begin = 0, 0, time.process_time()
        for path in files:
            raw = path.read_bytes()
            found = read_returned(raw, read_header(raw), expected=True, reverse_path="")
            weights[found.weight.value if found else "not recognised"] += 1
            right += bool(found and labels.get(path.name) == found.weight.value)
        seconds = time.process_time() - begin
        for path in files:
            late, failed = all_failures(email.message_from_bytes(path.read_bytes()))
            alone += bool(late or failed)
        row = {
            "work": "read", "folder": folder, "mails": len(files), "weights": dict(weights), "flufl_bounce_alone": alone,
            "ms_each": round(1000 * seconds / max(len(files), 1), 2),
        }  # fmt: skip
        print(json.dumps({**row, "labelled": len(labels), "rightly_weighed": right} if labels else row))


def posts(options: argparse.Namespace) -> None:
    """Real posts: whatever is taken for returned mail is printed."""
    for path in options.paths:
        total, alarms, worst, begin = 0, 0, 0.0, time.process_time()
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as handle:
            for message in read_mbox(handle):
                raw = message.raw
                start = time.process_time()
                found = read_returned(raw, read_header(raw))
                worst = max(worst, time.process_time() - start)
                total += 1
                if found is not None:
                    alarms += 1
                    print(f"{path} {total}: {found.weight.value} by {found.read_by}", file=sys.stderr)
        seconds = time.process_time() - begin
        row = {"ms_each": round(1000 * seconds / max(total, 1), 2), "worst_ms": round(1000 * worst, 1)}
        print(json.dumps({"work": "posts", "archive": Path(path).name, "posts": total, "false_alarms": alarms, **row}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["flood", "read", "posts"])
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--bounces", type=int, default=10_000)
    parser.add_argument("--labels", default="")
    parser.add_argument("--postgres", default="")
    options = parser.parse_args()
    {"flood": flood, "read": read, "posts": posts}[options.work](options)


if __name__ == "__main__":
    main()

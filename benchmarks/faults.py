"""Faults in large amounts: the scenarios of `tests/faults` and `tests/acceptance/test_durability.py`, run as often as asked.

    python benchmarks/faults.py [SCENARIO…] [--times 10] [--json]

Each scenario starts a real service, breaks something, and compares every 250 that a client heard, and every copy that the
relay took, with what the store holds. Prints a row for each: how often, how long, passed or what was found. Needs strace.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # not this folder: it holds a script called like the standard library's threading

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable

from tests.acceptance import test_durability as durability
from tests.faults import test_failpoints as failpoints
from tests.faults import test_peers as peers

CALLS = ("pwrite64", "fdatasync", "sendto", "recvfrom")
SCENARIOS: dict[str, tuple[str, Callable[[Path, int], object]]] = {
    "F1": ("SIGKILL while 8 clients post", lambda folder, times: durability._kills_during_ingest(folder, times)),
    "F2": ("SIGKILL during a fan-out to 2,000", lambda folder, times: durability._kills_during_fan_out(folder, times)),
    "F3": (
        "killed at the n-th system call of four kinds",
        lambda folder, times: failpoints.killed_at(folder, [(CALLS[n % 4], 1 + n // 4) for n in range(times)]),
    ),
    "F4": (
        "the n-th write or sync fails",
        lambda folder, times: failpoints.fails_at(
            folder,
            [(CALLS[n % 2], f"error={('EIO', 'ENOSPC')[n // 2 % 2]}:when={1 + n // 4}") for n in range(times)],
        ),
    ),
    "F10": ("relay away for six hours, moved clock", lambda folder, times: asyncio.run(peers.away_for(folder, 6, times))),
    "F15": ("dropped after the dot and sent again", lambda folder, times: peers.drops_after_the_dot(folder, times)),
    "F16": ("500 peers at an octet in 10 s, for so many seconds", lambda folder, times: peers.trickle(folder, 500, float(times))),
    "F22": ("mutated odd mails", lambda folder, times: asyncio.run(peers.feed(folder, times, times))),
}
USUAL = {"F1": 50, "F2": 50, "F3": 120, "F4": 80, "F10": 20_000, "F15": 1000, "F16": 60, "F22": 20_000}


def main() -> None:
    """Run what was asked for; exit 1 when anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("scenario", nargs="*", choices=[[], *SCENARIOS], default=[])
    parser.add_argument("--times", type=int, default=0, help="instead of each scenario's usual amount")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    failed = False
    for name in options.scenario or list(SCENARIOS):
        words, run = SCENARIOS[name]
        times = options.times or USUAL[name]
        began, found = time.monotonic(), "passed"
        with tempfile.TemporaryDirectory(prefix="listserver-faults-") as folder:
            try:
                run(Path(folder), times)
            except AssertionError as error:
                found, failed = f"FAILED: {str(error)[:300]}", True
        row = {"id": name, "fault": words, "times": times, "seconds": round(time.monotonic() - began, 1), "result": found}
        print(json.dumps(row) if options.json else f"| {name} | {words} | {times:,} | {row['seconds']} | {found} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""Fuzz one parser with atheris, by hand: `python -m tests.fuzz.run NAME [options of libFuzzer]`.

Needs `pip install atheris`. It runs until something is found, or for `-max_total_time=SECONDS`. What is found lies in the
current folder as `crash-…`, `timeout-…` or `slow-unit-…`: mend the parser, and keep the file in `tests/fuzz/cases/NAME/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,unused-ignore]

atheris.enabled_hooks.add("str")
with atheris.instrument_imports(include=["listserver"]):
    from tests.fuzz import targets


def main(name: str, options: list[str]) -> None:
    """Write seeds and tokens of a target to a temporary folder, and fuzz from there."""
    target = targets.TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, seed in enumerate([*target.seeds(), *(case.read_bytes() for case in target.cases())]):
        (seeds / str(number)).write_bytes(seed)
    dictionary = folder / "tokens"
    dictionary.write_text("".join(map(_entry, target.tokens)))
    usual = ["-max_len=16384", "-timeout=2", "-report_slow_units=1", "-print_final_stats=1", f"-dict={dictionary}"]
    atheris.Setup([sys.argv[0], *usual, *options, str(seeds)], target.attempt)
    atheris.Fuzz()


def _entry(token: bytes) -> str:
    """A line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{octet:02x}" for octet in token) + '"\n'


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""The table of threats is true: what it names exists, and no test of a threat is left out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))


def names_in(file: str) -> set[str]:
    """The names of the tests in a file."""
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / file).read_text(encoding="utf-8"), re.M))


def test_every_named_test_exists() -> None:
    """A threat is met by a test that runs, not by a name."""
    assert len(NAMED) > 50
    assert [f"{file}::{name}" for file, name in NAMED if name not in names_in(file)] == []


def test_every_test_of_a_threat_is_named() -> None:
    """What is tested is also told."""
    for file in ("tests/unit/mail/test_threats.py", "tests/integration/test_flows_threats.py"):
        assert names_in(file) - {name for named, name in NAMED if named == file} == set()

"""What `doctor` finds: one sentence each, how bad it is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    ok = "ok"
    note = "note"
    """Worth knowing, nothing to do."""
    warning = "warning"
    """Someone should look today."""
    problem = "problem"
    """It does not work, or mail can be lost."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    says: str
    mend: str = ""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.ok, says=says)


def note(check: str, says: str, mend: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check=check, level=Level.note, says=says, mend=mend)


def warning(check: str, says: str, mend: str) -> Finding:
    """Someone should look today."""
    return Finding(check=check, level=Level.warning, says=says, mend=mend)


def problem(check: str, says: str, mend: str) -> Finding:
    """It does not work, or mail can be lost."""
    return Finding(check=check, level=Level.problem, says=says, mend=mend)

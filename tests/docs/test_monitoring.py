"""What people watch and alert on: docs/monitoring.md names every metric and every word of the log, and nothing else."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from listserver import maillog, metrics, server
from tests.docs.log_scenario import vocabulary

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()


def _table(heading: str) -> dict[str, str]:
    """The rows of the first table under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = section.split("| --- | --- |\n", 1)[1].split("\n\n", 1)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.M))


def test_every_metric_is_documented() -> None:
    """Name and meaning, as they are declared beside the code that moves them."""
    assert server.Service is not None  # importing the service declares all of them
    assert _table("Numbers") == metrics.declared()


def test_every_word_is_documented() -> None:
    """The words of the log and what they say."""
    assert _table("The log") == maillog.WORDS


def _first_words() -> Iterator[tuple[str, str]]:
    """Every word with which code of ours begins a line of the log."""
    for path in (ROOT / "listserver").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                named = ast.unparse(node.func.value).lower()
                is_log = (named.endswith("log") and named != "maillog") or "get_logger" in named
                word = node.args[0]
                if is_log and node.func.attr in ("info", "warning", "error", "exception") and isinstance(word, ast.Constant):
                    yield str(path.relative_to(ROOT)), str(word.value)


def test_nobody_uses_another_word() -> None:
    """Every line begins with a word of the vocabulary."""
    found = list(_first_words())
    assert len(found) > 20
    assert [(path, word) for path, word in found if word not in maillog.WORDS] == []


def _run(*arguments: str) -> tuple[str, list[dict[str, object]]]:
    """What the scenario printed, and the lines of its log."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.log_scenario", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    return done.stdout, [json.loads(line) for line in done.stderr.splitlines()]


def test_every_function_of_the_vocabulary_writes_its_word() -> None:
    """Each function writes one JSON line, whose event is a documented word."""
    _printed, lines = _run("--vocabulary")
    assert len(lines) == len(vocabulary())
    assert {line["event"] for line in lines} <= set(maillog.WORDS)


def test_the_log_holds_no_subject_body_or_token() -> None:
    """A day in the life of a list, and not a word of what people wrote in the log."""
    printed, lines = _run()
    events = {line["event"] for line in lines}
    assert {
        "listening",
        "accepted",
        "processed",
        "held",
        "queued",
        "attempted",
        "delivered",
        "subscribed",
        "unsubscribed",
    } <= events
    log = json.dumps(lines)
    assert "zebra" not in log
    secrets = [address.partition("+")[2].partition("@")[0] for address in printed.split()]
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in log]

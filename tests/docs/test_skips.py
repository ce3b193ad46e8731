"""The rule of CI about skipped tests, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("reason", "ci", "expected"),
    [("no such reason", "1", 1), ("no such reason", "", 0), ("cannot mount a small disk here", "1", 0)],
)
@pytest.mark.parametrize("whole_file", [False, True])
def test_ci_fails_on_a_skip_that_is_not_on_the_list(
    tmp_path: Path, reason: str, ci: str, expected: int, whole_file: bool
) -> None:
    """With LISTSERVER_CI set, a test or a file skipped for a reason that is not on the list makes the whole run fail."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "allowed_skips.txt").write_text((ROOT / "tests" / "allowed_skips.txt").read_text())
    skip = f"pytest.skip({reason!r}, allow_module_level=True)\n" if whole_file else ""
    (folder / "test_it.py").write_text(
        f"import pytest\n{skip}\ndef test_skipped():\n    pytest.skip({reason!r})\n\ndef test_done():\n    pass\n"
    )
    (folder / "test_other.py").write_text("def test_other():\n    pass\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder), "--rootdir", str(tmp_path)],
        env={**os.environ, "LISTSERVER_CI": ci, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == expected, done.stdout + done.stderr
    assert ("not on tests/allowed_skips.txt" in done.stdout) is bool(expected)

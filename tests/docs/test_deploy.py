"""What is handed out for installing: units that systemd accepts and finds tight, scripts that a shell can read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture(params=sorted(DEPLOY.glob("systemd/*.service")), ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is one that exists here."""
    copy = tmp_path / request.param.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", request.param.read_text(), flags=re.M))
    return copy


@needs_systemd
def test_systemd_accepts_the_unit(unit: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_unit_may_do_little(unit: Path) -> None:
    """`systemd-analyze security` rates its exposure at 1.5 of 10 or less: a network, a folder of its own, and nothing else."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)

    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= 1.5


def test_the_start_script_of_the_postfix_container_is_a_shell_script() -> None:
    """`sh -n` reads it."""
    done = subprocess.run(["sh", "-n", str(DEPLOY / "postfix" / "start")], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")

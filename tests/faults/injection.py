"""Faults put into a running process from outside, through ptrace: the n-th system call of a kind kills it, or fails.

Nothing in the service knows of this. strace counts for each thread by itself; the writer of SQLite is one thread and the
event loop another, so the n-th sync is the n-th commit, and the n-th send the n-th thing said to a peer or to the relay.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
_PATIENCE = 20.0


@contextlib.contextmanager
def inject(pid: int, folder: Path, calls: str, what: str) -> Iterator[None]:
    """While inside, system calls of these names get `what`, such as `error=EIO:when=3` or `signal=KILL:when=2`."""
    said = folder / "strace.said"
    with said.open("wb") as errors:
        tracer = subprocess.Popen(
            ["strace", "-f", "-q", "-p", str(pid), "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"],
            stderr=errors,
            stdout=subprocess.DEVNULL,
        )
    try:
        _wait_until_traced(pid, tracer, said)
        yield
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGTERM)  # strace lets go of the process, which goes on
        tracer.wait(_PATIENCE)


def _wait_until_traced(pid: int, tracer: subprocess.Popen[bytes], said: Path) -> None:
    for _try in range(int(_PATIENCE * 100)):
        with contextlib.suppress(OSError):
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            if tasks and all("TracerPid:\t0" not in (task / "status").read_text() for task in tasks):
                return
        if tracer.poll() is not None:
            raise AssertionError(f"strace ended: {said.read_text()}")
        threading.Event().wait(0.01)
    raise AssertionError("strace did not attach")

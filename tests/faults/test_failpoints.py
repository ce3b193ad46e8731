"""F3, F4: the service is killed at, or its disk fails at, each point of a post's way; nothing that got a 250 is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.process import RememberingSink
from tests.faults.harness import Writers, ambiguous_now, compare, new_service, settle
from tests.faults.injection import inject, needs_strace

pytestmark = needs_strace

# Where the process dies: writing a page (before a commit), syncing (in the middle of one), and sending: what is said to a
# peer after the commit, what goes to the relay, the final dot among it.
POINTS = [("pwrite64", 1), ("fdatasync", 1), ("sendto", 4), ("sendto", 9)]
MORE_POINTS = [(call, n) for call in ("pwrite64", "fdatasync", "sendto", "recvfrom") for n in range(1, 13)]


def killed_at(folder: Path, points: list[tuple[str, int]]) -> None:
    """Kill at each point in turn, one installation, one sink; then compare everything."""
    sink = RememberingSink()
    service, heard, flagged = new_service(folder, sink), [], 0
    for index, (call, nth) in enumerate(points):
        service.start()
        writers = Writers(service.port, f"p{index}", clients=2)
        with inject(service.process.pid, folder, call, f"signal=KILL:when={nth}"):
            writers.start()
            service.wait_until_dead()
        writers.stop()
        heard += writers.heard
        flagged += ambiguous_now(service)
    service.start()
    settle(service)
    service.stop()
    found = compare(service, heard, sink)
    sink.close()
    assert found.clean, found
    assert found.extra_copies <= flagged, (found.extra_copies, flagged)


def test_killed_before_and_after_every_commit_and_around_the_dot(tmp_path: Path) -> None:
    """Each point once: all posts with a 250 are there once, every member got each, extra copies are flagged ones."""
    killed_at(tmp_path, POINTS)


@pytest.mark.large
def test_killed_at_many_points(tmp_path: Path) -> None:
    """The first 12 calls of four kinds."""
    killed_at(tmp_path, MORE_POINTS)


def fails_at(folder: Path, faults: list[tuple[str, str]]) -> None:
    """Let calls fail, then be well again, without a restart; then compare everything."""
    service, heard, refused = new_service(folder, members=1), [], []
    service.start()
    for index, (call, fault) in enumerate(faults):
        writers = Writers(service.port, f"f{index}", clients=2)
        with inject(service.process.pid, folder, call, fault):
            writers.start()
            writers.wait_for(6, seconds=1.5)
        assert writers.wait_for(6), f"the service did not come back after {call} {fault}"
        writers.stop()
        heard += writers.heard
        refused += writers.refused
    settle(service)
    service.kill()
    service.start()
    settle(service)
    service.stop()
    found = compare(service, heard)
    assert found.clean, found
    assert refused, "no fault was ever felt"
    assert set(refused) <= {450, 451, 452}


# From EIO and ENOSPC at single calls to a disk that fails for seconds.
FAULTS = [(call, f"error={error}:when={n}") for call, error in (("pwrite64", "ENOSPC"), ("fdatasync", "EIO")) for n in (1, 2)]
LASTING = [("pwrite64", "error=ENOSPC:when=2+"), ("fdatasync", "error=EIO:when=1+")]


def test_writes_and_syncs_that_fail(tmp_path: Path) -> None:
    """4xx or recovery, never a 250 for what is lost, and the service returns by itself."""
    fails_at(tmp_path, FAULTS + LASTING)


@pytest.mark.large
def test_every_write_and_sync_fails_once(tmp_path: Path) -> None:
    """A sweep over the first 12 of each."""
    calls = [(c, e) for c in ("pwrite64", "fdatasync") for e in ("EIO", "ENOSPC")]
    fails_at(tmp_path, [(call, f"error={error}:when={n}") for call, error in calls for n in range(1, 13)])


def test_no_250_while_no_sync_succeeds(tmp_path: Path) -> None:
    """While every sync fails, not a single post is promised."""
    service = new_service(tmp_path, members=0)
    service.start()
    writers = Writers(service.port, "n", clients=2)
    with inject(service.process.pid, tmp_path, "fdatasync", "error=EIO"):
        writers.start()
        promised = writers.wait_for(1, seconds=1.5)
    writers.stop()
    service.stop()
    assert not promised
    assert writers.refused

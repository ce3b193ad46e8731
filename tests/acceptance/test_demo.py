"""The demonstration prints what it reads back, not what it was written to print."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from listserver.cli import demo, show, story


async def _play(folder: Path, said: tuple[story.Said, ...]) -> str:
    stage = demo.Stage(folder, said=said)
    await stage.open()
    try:
        console = Console(file=io.StringIO(), width=120)
        screen = show.Screen(console)
        await stage.play(screen.step)
        screen.conversations(stage.threads())
        screen.mails(stage.mails())
        screen.digest(demo.digest_of(stage))
        return console.file.getvalue()  # type: ignore[attr-defined]
    finally:
        await stage.service.stop()


async def test_the_demonstration_tells_the_story(tmp_path: Path) -> None:
    """The tree with its evidence, the join, the digest and the answer to it are all there."""
    shown = await _play(tmp_path, story.STORY)
    for words in (
        "Saturday opening hours",
        "In-Reply-To names #",
        "it starts a conversation",
        "Please confirm: join",
        "Welcome to Hartley Vale",
        "8 new posts in",
        "it was written to the reply address of #",
        "[1 quoted line left out]",
    ):
        assert words in shown, words


async def test_an_altered_post_alters_tree_and_digest(tmp_path: Path) -> None:
    """Another text and no reply header: the digest shows the text, and the tree no longer shows that link."""
    altered = tuple(
        replace(s, text="Wholly other words about a wheelbarrow.\n", answers="", subject="Wheelbarrow")
        if s.key == "damp-marek"
        else s
        for s in story.STORY
    )
    shown = await _play(tmp_path, altered)
    assert "Wholly other words about a wheelbarrow." in shown
    assert "Yes please. I will be there from four" not in shown
    assert shown.count("\nWheelbarrow\n") == 1


def test_kept_it_goes_on_until_it_is_told_to_end(tmp_path: Path) -> None:
    """`--keep` leaves the service running with its pages, and SIGTERM ends it and leaves nothing behind."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LISTSERVER_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "listserver", "demo", "--keep"],
        env=environment | {"TMPDIR": str(tmp_path), "LISTSERVER_TLS_CERTIFICATE": "/nonexistent"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    shown = ""
    for line in running.stdout:
        shown += line
        if "ends it." in " ".join(shown.split()):
            break
    found = re.search(r"http://127\.0\.0\.1:\d+/toolshare", shown)
    assert found is not None
    with urllib.request.urlopen(found[0], timeout=20) as page:
        assert b"Saturday opening hours" in page.read()
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0
    running.stdout.close()
    assert list(tmp_path.glob("listserver-demo-*")) == []

"""`maildir:PATH`: mail leaves into a Maildir, to try the service out without any mail server.

Each file is written to `tmp`, synced and moved to `new`; the folder is synced before delivery is reported. On top of
each stand Return-Path and Delivered-To, so that people see whose copy it is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from listserver.flows.ports import Copy
from listserver.mail.reply import Outcome, OutcomeKind, Reply

_DELIVERED = Outcome(OutcomeKind.delivered, Reply(250, "2.0.0", "written to the Maildir"))


class MaildirTransport:
    """Writes copies into one Maildir."""

    def __init__(self, path: Path, *, hostname: str) -> None:
        self._path = path
        self._hostname = hostname.replace("/", "_").replace(":", "_")
        self._count = itertools.count(1)

    async def send(self, copies: Sequence[Copy], report: Callable[[Copy, Outcome], None]) -> None:
        """Write every copy; trouble with the disk defers them."""
        try:
            await asyncio.to_thread(self._write, copies)
        except OSError as error:
            for copy in copies:
                report(copy, Outcome(OutcomeKind.deferred, None, f"cannot write to the Maildir: {error.strerror or error}"))
            return
        for copy in copies:
            report(copy, _DELIVERED)

    async def close(self) -> None:
        """Nothing is open between two calls."""

    def _write(self, copies: Sequence[Copy]) -> None:
        for folder in ("tmp", "new", "cur"):
            (self._path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for copy in copies:
            name = f"{time.time():.6f}.P{os.getpid()}Q{next(self._count)}.{self._hostname}"
            temporary = self._path / "tmp" / name
            envelope = f"Return-Path: <{copy.reverse_path}>\nDelivered-To: {copy.recipient}\n".encode("utf-8", "replace")
            with temporary.open("xb") as handle:
                handle.write(envelope + copy.head.replace(b"\r\n", b"\n") + copy.body.raw.replace(b"\r\n", b"\n"))
                handle.flush()
                os.fsync(handle.fileno())
            temporary.rename(self._path / "new" / name)
        descriptor = os.open(self._path / "new", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

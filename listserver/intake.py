"""Between the doors and the flows: accept what comes, answer after the commit, and work it afterwards.

The doors are asynchronous, the flows are not; here is the one hop. Every accepted mail is processed in a second
transaction, in the order of acceptance where the sender need not be looked up in the DNS; what fails is tried three
times and then quarantined, so that a poisonous mail hurts only itself (P7).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from listserver.flows import accept, process
from listserver.flows.site import Site
from listserver.mail.envelope import Envelope, Peer
from listserver.mail.reply import Reply
from listserver.store import incoming
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

ACCEPTED = Reply(250, "2.0.0", "Accepted")
TRY_AGAIN = Reply(451, "4.3.0", "Please try again in a while; your mail is not lost")
NO_SPACE = Reply(452, "4.3.1", "No space at the moment; please try again in a while")
TOO_BUSY = Reply(451, "4.3.2", "Busy at the moment; please try again in a while")
TRIES = 3
BACKLOG = 5_000  # accepted mails that wait for their second transaction; beyond it peers are asked to come back (P8)


@dataclass(frozen=True, slots=True)
class _Task:
    mail: NewMail
    raw: bytes
    prepared: accept.Prepared | None


class Intake:
    """The gate behind the SMTP and LMTP doors, and the workers of the second transaction."""

    def __init__(self, site: Site, *, work_made: Callable[[], None] = lambda: None) -> None:
        self._site = site
        self._work_made = work_made
        self._log = structlog.get_logger("listserver.intake")
        threads = 8 if site.authentication == "dns" else 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="process")
        self._waiting = 0
        self._lock = threading.Lock()
        self._refreshed = 0.0

    # -- the gate ----------------------------------------------------------------------------------------

    async def check_recipient(self, recipient: str, reverse_path: str, peer: Peer) -> Reply | None:
        """None when this recipient leads somewhere, else the refusal."""
        if accept.find_arrival(self._site, recipient) is not None:
            return None
        now = time.monotonic()
        if now - self._refreshed > 0.2:  # perhaps a list that another process just made
            self._refreshed = now
            await asyncio.to_thread(self._site.directory.refresh)
            if accept.find_arrival(self._site, recipient) is not None:
                return None
        return accept.unknown_recipient(self._site)

    async def accept(self, envelope: Envelope, raw: bytes) -> Reply:
        """Store the mail durably and answer; 4xx on any failure of ours, so that the peer keeps it."""
        if self._waiting > BACKLOG:
            return TOO_BUSY
        try:
            arrivals = [
                arrival for arrival in (accept.find_arrival(self._site, r) for r in envelope.recipients) if arrival is not None
            ]
            if not arrivals:
                return accept.unknown_recipient(self._site)
            prepared = None
            if not envelope.peer.trusted:
                prepared = await asyncio.to_thread(accept.prepare, self._site, envelope, raw)
                refusal = await asyncio.to_thread(process.screen, self._site, envelope, arrivals, prepared)
                if refusal is not None:
                    return refusal
            mails = accept.new_mails(self._site, envelope, arrivals)
            await asyncio.wrap_future(self._site.database.submit(lambda connection: accept.accept(connection, raw, mails)))
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._log.error("accept_failed", peer=envelope.peer.host, problem=str(error.__cause__ or error))
            return NO_SPACE if "full" in str(error) else TRY_AGAIN
        except Exception:  # noqa: BLE001 - this door's catch-all: whatever went wrong is ours, and temporary
            self._log.exception("accept_failed", peer=envelope.peer.host)
            return TRY_AGAIN
        for mail in mails:
            self._enqueue(_Task(mail, raw, prepared))
        return ACCEPTED

    # -- the second transaction ----------------------------------------------------------------------------

    def recover(self) -> int:
        """Work what an earlier run accepted and did not finish; call before the doors open."""
        with self._site.database.read() as connection:
            rows = incoming.waiting(connection, IncomingState.in_flight)
            for row in rows:
                mail = NewMail(**{name: getattr(row, name) for name in NewMail.__dataclass_fields__})
                self._enqueue(_Task(mail, incoming.raw_of(connection, row.list_id, row.original_id), None))
        return len(rows)

    def _enqueue(self, task: _Task) -> None:
        with self._lock:
            self._waiting += 1
        self._pool.submit(self._work, task)

    def _work(self, task: _Task) -> None:
        try:
            prepared = task.prepared or accept.prepare_again(self._site, task.mail, task.raw)
            work = process.plan(self._site, task.mail, prepared)
            future = self._site.database.submit(work)
        except Exception as error:  # noqa: BLE001 - a poisonous mail hurts only itself
            self._failed(task, error)
        else:
            future.add_done_callback(lambda done: self._done(task, done))

    def _done(self, task: _Task, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:
            self._pool.submit(self._failed, task, error)
            return
        with self._lock:
            self._waiting -= 1
        self._work_made()

    def _failed(self, task: _Task, error: BaseException) -> None:
        problem = f"{type(error).__name__}: {error}"
        self._log.error("processing_failed", incoming=task.mail.id, list=task.mail.list_id, problem=problem, exc_info=error)
        again = False
        try:
            again = self._site.database.write(lambda connection: process.note_failure(connection, task.mail, problem, TRIES))
        except (SQLAlchemyError, sqlite3.Error, RuntimeError):
            self._log.exception("note_failed", incoming=task.mail.id)  # stays in flight; the next start finds it
        with self._lock:
            self._waiting -= 1
        if again:
            self._enqueue(task)

    @property
    def waiting(self) -> int:
        """Accepted mails whose second transaction has not ended."""
        return self._waiting

    async def drain(self, seconds: float) -> None:
        """Wait until nothing waits, for at most so long; what is left is worked at the next start."""
        end = time.monotonic() + seconds
        while self._waiting and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

"""Between the doors and the flows: accept what comes, answer after the commit, and work it afterwards.

The doors are asynchronous, the flows are not; here is the one hop. Every accepted mail is processed in a second
transaction, in the order of acceptance where the sender need not be looked up in the DNS; what fails is tried three
times and then quarantined, so that a poisonous mail hurts only itself (P7).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from listserver import maillog, metrics
from listserver.errors import AlreadyEnded
from listserver.flows import accept, process
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.addressing import DestinationKind
from listserver.mail.envelope import Envelope, Peer
from listserver.mail.reply import Reply
from listserver.store import incoming
from listserver.store.engine import is_full, is_trouble
from listserver.store.incoming import Ending, NewMail
from listserver.store.tables import IncomingState

ACCEPTED = Reply(250, "2.0.0", "Accepted")
TRY_AGAIN = Reply(451, "4.3.0", "Please try again in a while; your mail is not lost")
NO_SPACE = Reply(452, "4.3.1", "No space at the moment; please try again in a while")
TOO_BUSY = Reply(451, "4.3.2", "Busy at the moment; please try again in a while")
TRIES = 3
ABANDONED = timedelta(minutes=2)  # in flight for so long and not worked here: whoever accepted it is gone
BACKLOG = 20_000  # accepted mails that wait for their second transaction; beyond it peers wait, then are asked to come back (P8)
_PATIENCE = 20.0  # seconds that a peer is kept waiting then
_KEPT = 500  # of so many the content stays in memory; of the others it is read again
_CROWD = 3  # mails at the door at once from which on they go first …
_YIELDING = 10_000  # … while no more than these wait behind it
_LULL = 0.03  # seconds without a crowd after which it has passed
_LONGEST_YIELD = 5.0  # seconds for which an accepted mail lets others go first, at most


_ACCEPTED = metrics.counter("listserver_accepted_total", "Mails taken since the start, counted by destination", ["protocol"])
_PROCESSED = metrics.counter("listserver_processed_total", "Accepted mails that came to their end since the start", ["state"])
_POSTS = metrics.counter(
    "listserver_posts_total", "Mails to a list's posting addresses, by what became of them", ["list", "verdict"]
)
_PROCESS_SECONDS = metrics.seconds("listserver_process_seconds", "From a mail's acceptance to its end")
_POSTING = frozenset((DestinationKind.post, DestinationKind.reply_token, DestinationKind.private_token, DestinationKind.digest))


@dataclass(frozen=True, slots=True)
class _Task:
    mail: NewMail
    raw: bytes | None  # read again when it was accepted by an earlier run
    prepared: Prepared | None
    begun: float = field(default_factory=time.perf_counter)


class Intake:
    """The gate behind the SMTP and LMTP doors, and the workers of the second transaction."""

    def __init__(self, site: Site, *, work_made: Callable[[], None] = lambda: None) -> None:
        self._site = site
        self._work_made = work_made
        self._log = structlog.get_logger("listserver.intake")
        threads = 8 if site.authentication == "dns" else 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="process")
        self._at_the_door = 0
        self._crowded_at = float("-inf")
        self._working: set[int] = set()  # mails whose second transaction is under way or waits for its turn
        self._postponed = False
        self._lock = threading.Lock()
        self._refreshed = 0.0
        self._looking: asyncio.Future[None] | None = None

    # -- the gate ----------------------------------------------------------------------------------------

    async def check_recipient(self, recipient: str, reverse_path: str, peer: Peer) -> Reply | None:
        """None when this recipient leads somewhere, else the refusal."""
        if accept.find_arrival(self._site, recipient) is not None:
            return None
        await self._look_again()  # perhaps a list that another process just made
        if accept.find_arrival(self._site, recipient) is not None:
            return None
        return accept.unknown_recipient(self._site)

    async def _look_again(self) -> None:
        """Read the lists anew; whoever asks while that is being done waits for it, and is not refused meanwhile."""
        now = time.monotonic()
        if self._looking is None or now - self._refreshed > 0.05:
            self._refreshed = now
            self._looking = asyncio.ensure_future(asyncio.to_thread(self._site.directory.refresh))
        await asyncio.shield(self._looking)

    async def accept(self, envelope: Envelope, raw: bytes) -> Reply:
        """Store the mail durably and answer; 4xx on any failure of ours, so that the peer keeps it."""
        if len(self._working) > BACKLOG and not await self._wait_for_room():
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
            with self._crowding():
                await self._site.database.submit_here(lambda connection: accept.accept(connection, raw, mails))
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._log.error("accept_failed", peer=envelope.peer.host, problem=str(error.__cause__ or error))
            return NO_SPACE if is_full(error) else TRY_AGAIN
        except Exception:  # noqa: BLE001 - this door's catch-all: whatever went wrong is ours, and temporary
            self._log.exception("accept_failed", peer=envelope.peer.host)
            return TRY_AGAIN
        _ACCEPTED.labels(envelope.peer.protocol).inc(len(mails))
        keep = len(self._working) < _KEPT
        for mail in mails:
            self._enqueue(_Task(mail, raw if keep else None, prepared if keep else None))
        return ACCEPTED

    async def _wait_for_room(self) -> bool:
        """Hold a peer back while too much waits behind the door: slower senders are better than refused ones."""
        end = time.monotonic() + _PATIENCE
        while len(self._working) > BACKLOG and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return len(self._working) <= BACKLOG

    @contextlib.contextmanager
    def _crowding(self) -> Iterator[None]:
        self._at_the_door += 1
        try:
            yield
        finally:
            if self._at_the_door >= _CROWD:
                self._crowded_at = time.perf_counter()
            self._at_the_door -= 1

    # -- the second transaction ----------------------------------------------------------------------------

    def recover(self) -> int:
        """Work what an earlier run accepted and did not finish; call before the doors open. Returns how many those are."""
        return self.pick_up(timedelta(0))

    def pick_up(self, older_than: timedelta = ABANDONED) -> int:
        """Work accepted mail that nobody works: put off while the database was away, or left by a process that ended.

        Another process may be at it all the same; then whoever ends it first has done it, and the other's work is undone.
        """
        postponed, self._postponed = self._postponed, False
        before = self._site.now() - (timedelta(0) if postponed else older_than)
        try:
            with self._site.database.read() as connection:
                rows = incoming.in_flight(connection, before, BACKLOG)
        except Exception:
            self._postponed = self._postponed or postponed
            raise
        mails = [NewMail(**{name: getattr(row, name) for name in NewMail.__dataclass_fields__}) for row in rows]
        return sum(self._enqueue(_Task(mail, None, None)) for mail in mails)

    def _enqueue(self, task: _Task) -> bool:
        with self._lock:
            if task.mail.id in self._working:
                return False
            self._working.add(task.mail.id)
        self._pool.submit(self._work, task)
        return True

    def _release(self, task: _Task) -> None:
        with self._lock:
            self._working.discard(task.mail.id)

    def _work(self, task: _Task) -> None:
        self._give_way(task)
        try:
            prepared = task.prepared or self._prepare_again(task)
            work = process.plan(self._site, task.mail, prepared)
            future = self._site.database.submit(work)
        except Exception as error:  # noqa: BLE001 - a poisonous mail hurts only itself
            self._failed(task, error)
        else:
            future.add_done_callback(lambda done: self._done(task, done))

    def _give_way(self, task: _Task) -> None:
        """Let mail at the door go first while there is a crowd: a 250 is what peers wait for, and what was accepted is safe."""
        end = task.begun + _LONGEST_YIELD
        while len(self._working) < _YIELDING and (now := time.perf_counter()) < end and now - self._crowded_at < _LULL:
            time.sleep(_LULL / 3)

    def _prepare_again(self, task: _Task) -> Prepared:
        raw = task.raw
        if raw is None:
            with self._site.database.read() as connection:
                raw = incoming.raw_of(connection, task.mail.list_id, task.mail.original_id)
        return accept.prepare_again(self._site, task.mail, raw)

    def _done(self, task: _Task, future: Future[Ending]) -> None:
        error = future.exception()
        if error is not None and not isinstance(error, AlreadyEnded):
            try:
                self._pool.submit(self._failed, task, error)
            except RuntimeError:  # the service is stopping: it stays in flight, and the next start finds it
                self._release(task)
            return
        if error is None:
            self._tell_end(task, future.result())
        self._release(task)
        self._work_made()

    def _tell_end(self, task: _Task, ending: Ending) -> None:
        mail, seconds = task.mail, time.perf_counter() - task.begun
        _PROCESSED.labels(ending.state).inc()
        _PROCESS_SECONDS.observe(seconds)
        alist = self._site.directory.by_id(mail.list_id)
        if alist is not None and mail.kind in _POSTING:
            _POSTS.labels(alist.address, ending.state).inc()
        maillog.processed(
            list_id=mail.list_id,
            incoming=mail.id,
            state=ending.state,
            detail=ending.detail,
            post=ending.post_number,
            ms=round(seconds * 1000),
        )

    def _failed(self, task: _Task, error: BaseException) -> None:
        """Count the failure against the mail, unless it is the database's own: then the mail waits until that is back."""
        problem = f"{type(error).__name__}: {error}"
        again = quarantined = False
        try:
            if is_trouble(error):
                raise error
            self._log.error("processing_failed", incoming=task.mail.id, list=task.mail.list_id, problem=problem, exc_info=error)
            again = self._site.database.write(lambda connection: process.note_failure(connection, task.mail, problem, TRIES))
            quarantined = not again
        except AlreadyEnded:
            pass
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the mail stays in flight and is picked up
            self._postponed = True
            self._log.warning("processing_postponed", incoming=task.mail.id, list=task.mail.list_id, problem=str(trouble))
        self._release(task)
        if again:
            self._enqueue(task)
        elif quarantined:
            self._tell_end(task, Ending(IncomingState.quarantined.value, problem, None))

    @property
    def waiting(self) -> int:
        """Accepted mails whose second transaction has not ended."""
        return len(self._working)

    async def drain(self, seconds: float) -> None:
        """Wait until nothing waits, for at most so long; what is left is worked at the next start."""
        end = time.monotonic() + seconds
        while self._working and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

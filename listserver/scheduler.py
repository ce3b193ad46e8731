"""When the clocks tick: the outbox, the digests, the list of lists. What they do stands in the flows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog
from sqlalchemy.engine import Connection

from listserver import maillog, metrics
from listserver.flows import deliver, digest, indexing, sweep
from listserver.flows.ports import Copy, Transport
from listserver.flows.site import Site
from listserver.intake import Intake
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.store.engine import is_trouble
from listserver.store.outbox import Claim, Settled

T = TypeVar("T")
_DELIVERY_SECONDS = metrics.seconds(
    "listserver_delivery_seconds",
    "From the making of a mail to the end of an attempt at its copies, once for each mail and batch",
)
LEASE = timedelta(minutes=10)
_RECORD_AT = 200  # outcomes recorded in one unit of work


@dataclass
class Delivered:
    """What became of the deliveries that were tried."""

    delivered: int = 0
    deferred: int = 0
    failed: int = 0


@dataclass
class Outbox:
    """Claims deliveries, has them sent, and records how each ended."""

    site: Site
    transport: Transport
    batch: int = 500
    batches: int = 3  # at once: while one is on the wire, the next is claimed and the last recorded
    poll_seconds: float = 0.5
    done: Delivered = field(default_factory=Delivered)

    def __post_init__(self) -> None:
        self._builder = deliver.CopyBuilder(self.site)
        self._wake = asyncio.Event()
        self._stopping = False
        self._log = structlog.get_logger("listserver.deliver")

    def wake(self) -> None:
        """There may be work; from the loop's own thread."""
        self._wake.set()

    @property
    def is_awake(self) -> bool:
        """Whether it will look for work anyway, before it sleeps again; from any thread."""
        return self._wake.is_set()

    def stop(self) -> None:
        """End after the batches that are on their way."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until told to stop."""
        running: set[asyncio.Task[None]] = set()
        while not self._stopping:
            self._wake.clear()
            claims = await self._claim()
            if claims:
                running.add(asyncio.create_task(self._send(claims)))
                if len(running) >= self.batches:
                    _finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), self.poll_seconds)
            except TimeoutError:
                await self._recover()
            running = {task for task in running if not task.done()}
        if running:
            await asyncio.wait(running)

    async def run_until_empty(self, *, once: bool = False) -> Delivered:
        """Try what is due now; unless `once`, go on until nothing waits any more."""
        while True:
            while claims := await self._claim():
                await self._send(claims)
            if once or not await self._submit(deliver.open_deliveries):
                return self.done
            await asyncio.sleep(self.poll_seconds)

    async def _claim(self) -> list[Claim]:
        """Claim rows; none while the database is away."""
        now = self.site.now()
        try:
            return await self._submit(lambda connection: deliver.claim(connection, now, self.batch, LEASE))
        except Exception as error:
            if not is_trouble(error):
                raise
            self._log.warning("claim_postponed", problem=str(error))
            return []

    async def _recover(self) -> None:
        try:
            await self._submit(lambda connection: deliver.recover(connection, self.site.now()))
        except Exception as error:
            if not is_trouble(error):
                raise

    async def _submit(self, work: Callable[[Connection], T]) -> T:
        return await self.site.database.submit_here(work)

    async def _send(self, claims: Sequence[Claim]) -> None:
        try:
            built = await asyncio.to_thread(self._builder.build, claims)
            settled = list(built.broken)
            writes: list[asyncio.Future[int]] = []
            counted: Counter[OutcomeKind] = Counter()
            begun = time.perf_counter()

            settle = deliver.Recorder(built, self.site).settle

            def report(copy: Copy, outcome: Outcome) -> None:
                counted[outcome.kind] += 1
                settled.append(settle(copy, outcome))
                if len(settled) >= _RECORD_AT:
                    writes.append(self._record(settled.copy()))
                    settled.clear()

            await self.transport.send(built.copies, report)
            if settled:
                writes.append(self._record(settled))
            await asyncio.gather(*writes)
            self._tell(built, counted, time.perf_counter() - begun)
        except Exception:  # noqa: BLE001 - the claims' leases end, and they are tried again
            self._log.exception("delivery_failed", deliveries=len(claims))
            await asyncio.sleep(1)

    def _record(self, settled: list[Settled]) -> asyncio.Future[int]:
        return asyncio.ensure_future(self._record_at_last(settled))

    async def _record_at_last(self, settled: list[Settled]) -> int:
        """Record outcomes; what was sent must be known as sent, so the database gets its time to come back (P4)."""
        end = asyncio.get_running_loop().time() + LEASE.total_seconds()
        while True:
            try:
                recorded = await self._submit(lambda connection: deliver.record(connection, self.site, settled))
            except Exception as error:
                if not is_trouble(error) or asyncio.get_running_loop().time() > end:
                    raise
                self._log.warning("record_postponed", deliveries=len(settled), problem=str(error))
                await asyncio.sleep(self.poll_seconds)
            else:
                deliver.tell(settled)
                return recorded

    def _tell(self, built: deliver.Batch, counted: Counter[OutcomeKind], seconds: float) -> None:
        """One line and one observation for a batch, whatever its size."""
        deferred = counted[OutcomeKind.deferred] + counted[OutcomeKind.ambiguous]
        self.done.delivered += counted[OutcomeKind.delivered]
        self.done.failed += counted[OutcomeKind.failed]
        self.done.deferred += deferred
        now = self.site.now()
        for created in set(built.created.values()):
            _DELIVERY_SECONDS.observe(max(0.0, (now - created).total_seconds()))
        maillog.attempted(
            copies=len(built.copies),
            delivered=counted[OutcomeKind.delivered],
            deferred=deferred,
            failed=counted[OutcomeKind.failed],
            ms=round(seconds * 1000),
        )


async def tick(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every so many seconds, until cancelled; a failure is logged and the next tick comes all the same."""
    log = structlog.get_logger("listserver.scheduler")
    while True:
        try:
            await work()
        except Exception as error:
            if is_trouble(error):
                log.warning("tick_postponed", problem=str(error))
            else:
                log.exception("tick_failed")
        await asyncio.sleep(seconds)


async def send_digests(site: Site, wake: Callable[[], None]) -> None:
    """Put every digest that is due into the outbox."""
    done = await asyncio.to_thread(digest.send_due, site)
    if done.queued:
        wake()


async def sweep_up(site: Site) -> None:
    """Let what has expired end as it was promised to."""
    await asyncio.to_thread(sweep.sweep, site)


async def pick_up(intake: Intake) -> None:
    """Work accepted mail that nobody works any more."""
    await asyncio.to_thread(intake.pick_up)


async def index_posts(site: Site) -> None:
    """Bring the full-text index up to date, some thousand posts at a time."""
    await asyncio.to_thread(indexing.catch_up, site, most=2_000)


async def refresh_lists(site: Site) -> None:
    """See lists that another process made or changed."""
    await asyncio.to_thread(site.directory.refresh)

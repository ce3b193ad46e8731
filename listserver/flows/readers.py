"""Processes that read archived messages, so that all cores take part; results come back in the order of the archive.

Where everything of a chunk is known already (an import that is repeated, or goes on after it was stopped), the next
chunks are only looked at, which costs a tenth. A process that dies takes one message down, not the import.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

from listserver.flows.mailfiles import FoundMail
from listserver.flows.unpack import Identity, Reader, Unpacked, identify_some, nameless, unpack_some
from listserver.flows.unpacking import OtherProcess, ProcessDied

_CHUNK_POSTS = 100
_CHUNK_BYTES = 4_000_000
_AHEAD = 3  # chunks for each process: enough that none waits, few enough that memory stays flat
_HERE = 2  # so many chunks are read in this process: to start others would take longer

Known = Callable[[Sequence[Identity]], Sequence[bool]]
_Answer = Future[list[Unpacked]] | Future[list[Identity]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are not known, each with what was read in it; and how many others were."""

    mails: list[tuple[FoundMail, Unpacked]]
    skipped: int


class Readers:
    """A pool of `workers` processes, started when there is enough to read; 0: everything is read in this process."""

    def __init__(self, workers: int, known: Known, reader: Reader) -> None:
        self._workers = workers
        self._known = known
        self._reader = reader
        self._skims = False
        self._pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="reader")
        self._own = threading.local()
        self._processes: list[OtherProcess] = []

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for process in self._processes:
            process.close()

    def read(self, mails: Iterable[FoundMail]) -> Iterator[Batch]:
        """All messages, in batches."""
        chunks = _chunks(mails)
        first = list(islice(chunks, _HERE))
        if self._workers < 1 or len(first) < _HERE:
            for chunk in chain(first, chunks):
                yield self._sift(chunk, unpack_some(_plain(chunk), self._reader))
            return
        waiting: deque[tuple[list[FoundMail], _Answer]] = deque()
        for chunk in chain(first, chunks):
            waiting.append((chunk, self._submit(chunk)))
            if len(waiting) >= self._workers * _AHEAD:
                mails_of, answer = waiting.popleft()
                yield self._sift(mails_of, answer.result())
        for mails_of, answer in waiting:
            yield self._sift(mails_of, answer.result())

    def _submit(self, chunk: Sequence[FoundMail]) -> _Answer:
        return self._pool.submit(self._identify, chunk) if self._skims else self._pool.submit(self._unpack, chunk)

    def _sift(self, chunk: list[FoundMail], found: Sequence[Unpacked] | Sequence[Identity]) -> Batch:
        """Leave out what is known; what was only looked at and is not known is read now."""
        identities = [each.identity if isinstance(each, Unpacked) else each for each in found]
        known = self._known(identities)
        self._skims = all(known)
        left = [(mail, each) for mail, each, is_known in zip(chunk, found, known, strict=True) if not is_known]
        read = [each for _mail, each in left if isinstance(each, Unpacked)]
        if len(read) < len(left):
            read = self._pool.submit(self._unpack, [mail for mail, _each in left]).result()
        return Batch([(mail, each) for (mail, _found), each in zip(left, read, strict=True)], len(chunk) - len(left))

    # -- in the threads, each of which has a process of its own ------------------------------------------

    def _process(self) -> OtherProcess:
        process: OtherProcess | None = getattr(self._own, "process", None)
        if process is None:
            process = self._own.process = OtherProcess()
            self._processes.append(process)
        return process

    def _identify(self, chunk: Sequence[FoundMail]) -> list[Identity]:
        try:
            found: list[Identity] = self._process().ask(identify_some, _plain(chunk), self._reader)
        except ProcessDied:
            self._own.process = None
            return [each.identity for each in self._unpack(chunk)]
        return found

    def _unpack(self, chunk: Sequence[FoundMail]) -> list[Unpacked]:
        try:
            found: list[Unpacked] = self._process().ask(unpack_some, _plain(chunk), self._reader)
        except ProcessDied as error:
            self._own.process = None
            if len(chunk) > 1:  # find out which it was
                return [each for mail in chunk for each in self._unpack([mail])]
            return [Unpacked(identity=nameless(chunk[0].raw), problem=f"the process that read it died: {error}")]
        return found


def _plain(chunk: Iterable[FoundMail]) -> list[tuple[bytes, bytes]]:
    return [(mail.raw, mail.separator) for mail in chunk]


def _chunks(mails: Iterable[FoundMail]) -> Iterator[list[FoundMail]]:
    chunk: list[FoundMail] = []
    size = 0
    for mail in mails:
        chunk.append(mail)
        size += len(mail.raw)
        if len(chunk) >= _CHUNK_POSTS or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk

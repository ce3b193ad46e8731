"""Archives come in and go out: mbox files, Maildirs and single messages become posts, and posts become an mbox file.

Messages are read in processes of their own (`flows.readers`); one writer takes the results in order, a transaction a
batch. What is known (the same Message-ID and content) is skipped, so an import can be repeated, and goes on where it
was when it was stopped. Imported posts are threaded exactly as those that come by mail, in whatever order they stand in
the file; they are never sent to anyone, and nobody is answered. What cannot be read is set aside as `quarantined` (P2).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, BinaryIO

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import indexing, relinking, threading
from listserver.flows.mailfiles import FoundMail, MailFiles
from listserver.flows.readers import Batch, Readers
from listserver.flows.site import Site
from listserver.flows.unpack import Identity, Post, Reader
from listserver.lists.model import MailingList
from listserver.lists.tokens import name_token
from listserver.mail.mbox import MboxMessage, separator_of, unix_lines, write_mbox
from listserver.store import imported, incoming, lists, members, posts, search
from listserver.store.clean import clean_text
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

_WAITING = 2  # batches that wait for the writer while the next is read
_SHOWN = 20  # problems that are told by name


@dataclass(kw_only=True)
class Imported:
    """What an import did; `problems` names the first of what was set aside."""

    read: int = 0
    imported: int = 0
    skipped: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    roots: int = 0
    linked: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


Progress = Callable[[MailFiles, Imported], None]


def import_mail(
    site: Site,
    alist: MailingList,
    paths: Sequence[Path],
    *,
    workers: int,
    breather: float = 0.0,
    progress: Progress = lambda _files, _done: None,
) -> Imported:
    """Import everything under these paths; `breather` seconds between batches are for a service on the same file.

    Raises: NotFound for a path that is not there.
    """
    files = MailFiles(paths)
    run = _Run(site, alist)
    indexing.catch_up(site, alist.id)
    with Readers(workers, run.known, Reader(run.now, site.hostname)) as readers:
        for batch in readers.read(files):
            run.write(batch)
            progress(files, run.done)
            sleep(breather)
        run.finish()
    done = run.done
    progress(files, done)
    maillog.imported(
        list_id=alist.id, posts=done.imported, skipped=done.skipped, quarantined=done.quarantined, seconds=done.seconds
    )
    return done


@dataclass(frozen=True, slots=True)
class _Good:
    """One message that can be a post, and the number under which its bytes are kept."""

    mail: FoundMail
    identity: Identity
    post: Post
    original_id: int


class _Run:
    """One import: what it has done so far, and the batches on their way into the database."""

    def __init__(self, site: Site, alist: MailingList) -> None:
        self._site = site
        self._list_id = alist.id
        self._address = alist.address
        self._started = perf_counter()
        self._writes: deque[Future[int]] = deque()
        self._waiting = _WAITING if site.database.is_sqlite else 0  # PostgreSQL would write them all at once, in any order
        self._members: dict[str, int | None] = {}
        self.now = site.now()
        self.done = Imported()
        self._last_date = self.now  # for a message that says nothing of its time: it stands behind its neighbour
        with site.database.read() as connection:
            self._set_aside = imported.quarantined(connection, alist.id)

    def known(self, identities: Sequence[Identity]) -> list[bool]:
        """Which of these messages are posts already, or were set aside before."""
        with self._site.database.read() as connection:
            held = self._held(connection, identities)
        return [(each.message_id, each.content_hash) in held or each.content_hash.hex() in self._set_aside for each in identities]

    def _held(self, connection: Connection, identities: Sequence[Identity]) -> set[tuple[str, bytes]]:
        ids = [each.message_id for each in identities]
        rows = [
            row
            for start in range(0, len(ids), 64)
            for row in posts.by_message_ids(connection, self._list_id, ids[start : start + 64])
        ]
        return {(row.message_id, bytes(row.content_hash)) for row in rows}

    def write(self, batch: Batch) -> None:
        """Hand a batch to the writer; waits when the writer is behind."""
        done = self.done
        done.read += len(batch.mails) + batch.skipped
        done.skipped += batch.skipped
        good: list[_Good] = []
        bad: list[tuple[FoundMail, str, Identity]] = []
        for mail, found in batch.mails:
            if mail.problem or found.post is None:
                bad.append((mail, mail.problem or found.problem, found.identity))
            else:
                good.append(_Good(mail, found.identity, found.post, self._site.database.new_id()))
        if bad:
            self._quarantine(bad)
        while len(self._writes) > self._waiting or (self._writes and self._writes[0].done()):
            done.imported += self._writes.popleft().result()
        if good:
            self._writes.append(self._site.database.submit(lambda connection: self._store(connection, good)))

    def finish(self) -> None:
        """Wait for the writer, and count the links."""
        while self._writes:
            self.done.imported += self._writes.popleft().result()
        self.done.skipped = self.done.read - self.done.imported - self.done.quarantined
        with self._site.database.read() as connection:
            self.done.roots, self.done.linked = imported.links(connection, self._list_id, self.now)
        self.done.seconds = round(perf_counter() - self._started, 3)

    # -- inside the writing transaction ------------------------------------------------------------------

    def _store(self, connection: Connection, good: Sequence[_Good]) -> int:
        """One batch: what is new in it becomes posts; returns how many."""
        list_id = self._list_id
        held = self._held(connection, [each.identity for each in good])
        fresh: list[_Good] = []
        for each in good:
            key = (each.identity.message_id, each.identity.content_hash)
            if key not in held:
                held.add(key)
                fresh.append(each)
        if not fresh:
            return 0
        first = lists.next_posts(connection, list_id, len(fresh))
        incoming.add_originals(connection, list_id, [(each.original_id, each.mail.raw) for each in fresh])
        writers: Counter[int] = Counter()
        for number, each in enumerate(fresh, start=first):
            member_id = self._member(connection, each.post.author_key)
            self._post(connection, number, each, member_id)
            writers.update([member_id] if member_id is not None else [])
        members.count_posts(connection, list_id, writers)
        imported.add(connection, list_id, [(number, each.mail.separator) for number, each in enumerate(fresh, first)], self.now)
        words = [(number, each.post.words) for number, each in enumerate(fresh, first)]
        search.add(connection, list_id, first - 1, words, first + len(fresh) - 1)
        return len(fresh)

    def _member(self, connection: Connection, key: str | None) -> int | None:
        """The member with this address, if there is one; asked once an import."""
        if key is None:
            return None
        if key not in self._members:
            row: Any = members.find_author(connection, self._list_id, key)
            self._members[key] = row.id if row is not None else None
        return self._members[key]

    def _post(self, connection: Connection, number: int, one: _Good, member_id: int | None) -> None:
        post, message_id = one.post, one.identity.message_id
        date = self._last_date = post.date or self._last_date
        clues = post.clues if post.date is not None else replace(post.clues, written=int(date.timestamp()))
        held = threading.look_up(connection, self._list_id, message_id, post.ids)
        placed = threading.place(connection, self._list_id, number, message_id, post.ids, None, self.now, held=held, clues=clues)
        posts.add(
            connection,
            {
                "list_id": self._list_id,
                "number": number,
                "original_id": one.original_id,
                "incoming_id": None,
                "member_id": member_id,
                "message_id": message_id,
                "content_hash": one.identity.content_hash,
                "author_name": clean_text(post.author_name, 200),
                "author_address": clean_text(post.author_address, 400),
                "date": date,
                "accepted_at": date,
                "subject": clean_text(post.subject, 900),
                "base_subject": clues.base_subject,
                "conversation": placed.conversation,
                "parent": placed.parent,
                "kind": placed.kind,
                "score": placed.score,
                "token": name_token(self._site.random_bytes(16)),
                "size": len(one.mail.raw),
                "flags": placed.flags,
            },
        )
        relinking.look_again(connection, self._list_id, placed.look_again, self.now)

    def _quarantine(self, bad: Sequence[tuple[FoundMail, str, Identity]]) -> None:
        """Set messages aside, each once, however often the import is repeated."""
        new = {}
        for mail, problem, identity in bad:
            self.done.problems += [f"{mail.where}: {problem}"] if len(self.done.problems) < _SHOWN else []
            token = identity.content_hash.hex()
            if token not in self._set_aside:
                self._set_aside.add(token)
                new[token] = (mail, problem)
        self.done.quarantined += len(new)
        rows = [(self._aside(token), mail.raw, f"{problem} ({mail.where})") for token, (mail, problem) in new.items()]

        def work(connection: Connection) -> None:
            for row, raw, detail in rows:
                incoming.add(connection, raw, [row])
                incoming.finish(connection, row.list_id, row.id, IncomingState.quarantined, detail)

        if rows:
            self._site.database.write(work)

    def _aside(self, token: str) -> NewMail:
        return NewMail(
            list_id=self._list_id,
            id=self._site.database.new_id(),
            original_id=self._site.database.new_id(),
            kind=imported.KIND,
            recipient=self._address,
            token=token,
            reverse_path="",
            peer="",
            helo="",
            protocol="import",
            trusted=True,
            received_at=self.now,
        )


def export_mbox(site: Site, alist: MailingList, handle: BinaryIO) -> int:
    """Write every post of a list, in order, as one mbox file; returns how many.

    What was imported from a file like it comes out byte for byte; what came by mail gets its reverse-path, the moment of
    its arrival, and the line ends that such files have.
    """

    def messages() -> Iterator[MboxMessage]:
        with site.database.read() as connection:
            for row in imported.written(connection, alist.id):
                if row.separator:
                    yield MboxMessage(bytes(row.separator), bytes(row.raw))
                else:
                    yield MboxMessage(_separator(row), unix_lines(bytes(row.raw)))

    return write_mbox(handle, messages())


def _separator(row: Any) -> bytes:
    moment: datetime = row.received_at or row.accepted_at
    return separator_of(row.reverse_path or "", moment)

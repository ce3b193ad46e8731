"""What every flow needs of the installation it runs in: names, secret, database, clock, and the lists.

One value, made by the composition root and handed down; nothing here is global.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from listserver.authentication.keys import Signing
from listserver.authentication.resolver import Resolver
from listserver.flows.ports import Clock
from listserver.lists.model import MailingList
from listserver.lists.wordreading import Reader
from listserver.render.environment import Templates
from listserver.render.languages import read_vocabulary
from listserver.store import lists
from listserver.store.engine import Database

# First parts of a page's address that are no list.
RESERVED_PATHS = frozenset(
    ("u", "c", "back", "me", "help", "about", "privacy", "health", "metrics", "static", "robots.txt", "favicon.ico")
)


class Directory:
    """The lists of this installation, kept in memory and read again when any of them changed.

    `refresh` costs one small query; the doors call it when a name is unknown and the clock once a second, so that a
    list made by another process is there at once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._by_address: dict[str, MailingList] = {}
        self._by_id: dict[int, MailingList] = {}
        self.hosts: frozenset[str] = frozenset()
        """The mail domains of all lists."""
        self.list_ids: frozenset[str] = frozenset()
        """The machine names of all lists (RFC 2919)."""

    def refresh(self) -> None:
        """Read the lists again if any was made, changed or removed."""
        with self._lock, self._database.read() as connection:
            version = lists.versions(connection)
            if version != self._version:
                found = lists.everything(connection)
                self._by_address = {each.address: each for each in found}
                self._by_id = {each.id: each for each in found}
                self.hosts = frozenset(each.host for each in found)
                self.list_ids = frozenset(each.list_id for each in found)
                self._version = version

    def by_address(self, address: str) -> MailingList | None:
        """The list with this address."""
        return self._by_address.get(address.lower())

    def by_id(self, list_id: int) -> MailingList | None:
        """The list with this number."""
        return self._by_id.get(list_id)

    def by_path(self, name: str) -> MailingList | None:
        """The list that a page's address names, by its address or its local part; of namesakes the oldest keeps the short one."""
        found = self.by_address(name)
        if found is not None or "@" in name or name.lower() in RESERVED_PATHS:
            return found
        namesakes = [each for each in self.everything() if each.local == name.lower()]
        return min(namesakes, key=lambda each: each.id, default=None)

    def path_of(self, alist: MailingList) -> str:
        """How a page's address names a list."""
        return alist.local if self.by_path(alist.local) == alist else alist.address

    def everything(self) -> list[MailingList]:
        """All lists, by address."""
        return list(self._by_address.values())


@dataclass(frozen=True, kw_only=True)
class Site:
    """One installation."""

    hostname: str
    administrator: str
    web_url: str
    """Where the pages are, '' where there are none; mails hold links only to pages that exist."""
    secret: bytes
    authentication: str
    max_message_bytes: int
    database: Database
    clock: Clock
    resolver: Resolver
    templates: Templates
    directory: Directory
    relay_batch: int = 1
    """Recipients of a post that share one copy and one transaction; 1: everybody has a copy of their own."""
    signing: Signing | None = None
    random_bytes: Callable[[int], bytes] = field(default=secrets.token_bytes)

    def now(self) -> datetime:
        """The present moment, UTC."""
        return self.clock.now()

    @cached_property
    def reader(self) -> Reader:
        """Who reads mails for words, in every language that has a file."""
        return Reader(read_vocabulary())

    def is_ours(self, domain: str) -> bool:
        """Whether any list of ours lives in this mail domain, or the site itself."""
        return domain.lower() in self.directory.hosts or domain.lower() == self.hostname.lower()

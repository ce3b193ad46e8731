"""The DNS behind a few small questions, with a cache, deadlines, and a breaker for when it is dead.

Answers are kept for their time to live (a minute to an hour), that there is none for five minutes, failures for half a
minute. When three questions in a row got no answer in time, nothing waits any more: whatever is not in the cache
fails at once, and a thread beside the mail tries again, after 2 seconds, then 4, … 30. So a dead or crawling DNS costs a
few mails a moment, and all others nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import dns.exception
import dns.name
import dns.resolver
import dns.reversename


class DnsFailure(Exception):
    """The DNS gave no answer, neither yes nor no."""


class Resolver(Protocol):
    """What belief needs of the DNS. Each answers () when the name or the record does not exist, within `seconds`.

    Raises: DnsFailure.
    """

    def txt(self, name: str, seconds: float = ...) -> tuple[str, ...]:
        """TXT records, each joined to one text."""

    def a(self, name: str, seconds: float = ...) -> tuple[str, ...]:
        """IPv4 addresses."""

    def aaaa(self, name: str, seconds: float = ...) -> tuple[str, ...]:
        """IPv6 addresses."""

    def mx(self, name: str, seconds: float = ...) -> tuple[str, ...]:
        """Mail exchangers by preference."""


_LONGEST_TTL, _SHORTEST_TTL = 3600.0, 60.0
_NEGATIVE_TTL, _FAILURE_TTL = 300.0, 30.0
_CACHE_SIZE = 20_000
_MOST_RECORDS = 50
_LONGEST_TEXT = 8192
_BREAKER_FAILURES = 3
_SHORTEST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_ONE_TRY = 0.7  # seconds until the question is sent again, because datagrams get lost
_TELLING = 0.5  # seconds: that nothing came within less tells nothing of the DNS


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="dns-probe", daemon=True).start()


class DnsResolver:
    """The machine's resolver through dnspython; safe to use from many threads."""

    def __init__(
        self,
        *,
        seconds: float = 2.0,
        resolver: dns.resolver.Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self._seconds = seconds
        self._given = resolver
        self._resolver = resolver
        self._clock = clock
        self._spawn = spawn
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], tuple[float, tuple[str, ...] | None]] = {}
        self._failures = 0
        self._pause = 0.0  # 0: the breaker is closed
        self._next_probe = 0.0
        self._probing = False

    def txt(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """TXT records. Raises: DnsFailure."""
        return self._ask("TXT", name, seconds)

    def a(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """IPv4 addresses. Raises: DnsFailure."""
        return self._ask("A", name, seconds)

    def aaaa(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """IPv6 addresses. Raises: DnsFailure."""
        return self._ask("AAAA", name, seconds)

    def mx(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """Mail exchangers. Raises: DnsFailure."""
        return self._ask("MX", name, seconds)

    def ptr(self, address: str, seconds: float = 60.0) -> tuple[str, ...]:
        """The names of an address. Raises: DnsFailure."""
        return self._ask("PTR", dns.reversename.from_address(address).to_text(), seconds)

    @property
    def is_answering(self) -> bool:
        """Whether the DNS answered lately, as far as we know."""
        return not self._pause

    def _ask(self, kind: str, name: str, seconds: float) -> tuple[str, ...]:
        key = (kind, name.lower().rstrip("."))
        kept = self._cache.get(key)
        if kept is not None and kept[0] > self._clock():
            if kept[1] is None:
                raise DnsFailure(f"{kind} of {key[1][:100]}: no answer a moment ago")
            return kept[1]
        if self._pause:
            self._probe_beside(key)
            raise DnsFailure("the DNS does not answer")
        seconds = min(seconds, self._seconds)
        if seconds <= 0:
            raise DnsFailure("the time for questions to the DNS is used up")
        found = self._look_up(key, seconds)
        if found is None:
            raise DnsFailure(f"{kind} of {key[1][:100]}: no answer")
        return found

    def _look_up(self, key: tuple[str, str], seconds: float, *, probe: bool = False) -> tuple[str, ...] | None:
        """Ask, and keep what was learned. None: a failure."""
        begun = self._clock()
        found, lifetime = self._resolve(key, seconds)
        slow = found is None and self._clock() - begun >= seconds / 2
        if not slow or seconds >= min(_TELLING, self._seconds):
            self._note(key, found, lifetime, slow=slow, probe=probe)
        return found

    def _note(self, key: tuple[str, str], found: tuple[str, ...] | None, lifetime: float, *, slow: bool, probe: bool) -> None:
        """Keep an answer, and learn from it whether the DNS is alive; a failure that came at once costs nobody anything."""
        with self._lock:
            now = self._clock()
            if len(self._cache) >= _CACHE_SIZE and key not in self._cache:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = (now + lifetime, found)
            if not slow:
                self._failures, self._pause = 0, 0.0
                return
            self._failures += 1
            if probe or (not self._pause and self._failures >= _BREAKER_FAILURES):
                self._pause = min(self._pause * 2, _LONGEST_PAUSE) or _SHORTEST_PAUSE
                self._next_probe = now + self._pause
                self._resolver = self._given  # the machine's resolvers are read anew: perhaps they have changed

    def _probe_beside(self, key: tuple[str, str]) -> None:
        """While the breaker is open: ask beside the mail, one question at a time, whether the DNS is back."""
        with self._lock:
            if self._probing or self._clock() < self._next_probe:
                return
            self._probing = True
        self._spawn(lambda: self._probe(key))

    def _probe(self, key: tuple[str, str]) -> None:
        try:
            self._look_up(key, self._seconds, probe=True)
        finally:
            self._probing = False

    def _resolve(self, key: tuple[str, str], seconds: float) -> tuple[tuple[str, ...] | None, float]:
        """Ask: the records (None: a failure), and for how long to keep them."""
        kind, name = key
        try:
            absolute = dns.name.from_text(name.encode("ascii").decode(), dns.name.root)
        except (dns.exception.DNSException, UnicodeError):
            return (), _NEGATIVE_TTL  # nothing can have a name like that
        try:
            answer = self._machine().resolve(absolute, kind, lifetime=seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return (), _NEGATIVE_TTL
        except (dns.exception.DNSException, OSError, ValueError):
            return None, _FAILURE_TTL
        lifetime = answer.rrset.ttl if answer.rrset is not None else 0
        return _texts(kind, answer), min(max(float(lifetime), _SHORTEST_TTL), _LONGEST_TTL)

    def _machine(self) -> dns.resolver.Resolver:
        resolver = self._resolver
        if resolver is None:
            resolver = dns.resolver.Resolver()
            resolver.use_edns(0, 0, 1232)
            resolver.timeout = _ONE_TRY
            self._resolver = resolver
        return resolver


def _texts(kind: str, answer: dns.resolver.Answer) -> tuple[str, ...]:
    records = list(answer)[:_MOST_RECORDS]
    if kind == "TXT":
        return tuple(b"".join(each.strings)[:_LONGEST_TEXT].decode("utf-8", "replace") for each in records)
    if kind == "MX":
        return tuple(name for _rank, name in sorted((each.preference, str(each.exchange).rstrip(".")) for each in records))
    if kind == "PTR":
        return tuple(str(each.target).rstrip(".") for each in records)
    return tuple(str(each.address) for each in records)

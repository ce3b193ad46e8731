"""The DNS behind two small questions, with a cache, deadlines, and a breaker for when it is dead.

Answers are kept for their time to live (at most an hour), negative ones for five minutes, failures for one. After some
failures in a row nothing is asked for half a minute, so that a dead resolver does not cost each post its deadline.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Protocol

import dns.exception
import dns.resolver


class DnsFailure(Exception):
    """The DNS gave no answer, neither yes nor no."""


class Resolver(Protocol):
    """What belief needs of the DNS. Each answers () when the name or record does not exist. Raises: DnsFailure."""

    def txt(self, name: str) -> tuple[str, ...]:
        """TXT records, each joined to one text."""

    def addresses(self, name: str) -> tuple[str, ...]:
        """A and AAAA records."""

    def mx(self, name: str) -> tuple[str, ...]:
        """Mail exchangers by preference."""


_LONGEST_TTL, _NEGATIVE_TTL, _FAILURE_TTL = 3600.0, 300.0, 60.0
_BREAKER_FAILURES, _BREAKER_SECONDS = 5, 30.0
_CACHE_SIZE = 20_000


class DnsResolver:
    """The machine's resolver through dnspython."""

    def __init__(
        self, *, seconds: float = 3.0, resolver: dns.resolver.Resolver | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._resolver = resolver
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], tuple[float, tuple[str, ...] | None]] = {}
        self._failures = 0
        self._closed_until = 0.0

    def txt(self, name: str) -> tuple[str, ...]:
        """TXT records. Raises: DnsFailure."""
        return self._ask(name, "TXT")

    def addresses(self, name: str) -> tuple[str, ...]:
        """A and AAAA records. Raises: DnsFailure."""
        return self._ask(name, "A") + self._ask(name, "AAAA")

    def mx(self, name: str) -> tuple[str, ...]:
        """Mail exchangers. Raises: DnsFailure."""
        return self._ask(name, "MX")

    def _ask(self, name: str, kind: str) -> tuple[str, ...]:
        key, now = (name.rstrip(".").lower(), kind), self._clock()
        with self._lock:
            kept = self._cache.get(key)
            if kept is not None and kept[0] > now:
                if kept[1] is None:
                    raise DnsFailure(f"{kind} {name}: no answer a moment ago")
                return kept[1]
            if now < self._closed_until:
                raise DnsFailure("the DNS does not answer")
        found, lifetime = self._look_up(name, kind)
        with self._lock:
            self._failures = 0 if found is not None else self._failures + 1
            if self._failures >= _BREAKER_FAILURES:
                self._closed_until, self._failures = self._clock() + _BREAKER_SECONDS, 0
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[key] = (self._clock() + lifetime, found)
        if found is None:
            raise DnsFailure(f"{kind} {name}: no answer")
        return found

    def _look_up(self, name: str, kind: str) -> tuple[tuple[str, ...] | None, float]:
        try:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver()
            answer = self._resolver.resolve(name, kind, lifetime=self._seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return (), _NEGATIVE_TTL
        except (dns.exception.DNSException, OSError, ValueError, UnicodeError):
            return None, _FAILURE_TTL
        lifetime = min(float(answer.rrset.ttl if answer.rrset is not None else _NEGATIVE_TTL), _LONGEST_TTL)
        if kind == "TXT":
            return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer), lifetime
        if kind == "MX":
            ordered = sorted((record.preference, str(record.exchange).rstrip(".")) for record in answer)
            return tuple(name for _preference, name in ordered), lifetime
        return tuple(str(ipaddress.ip_address(record.address)) for record in answer), lifetime

"""Stand-ins for the outside world that tests share: a DNS made of a table."""

from __future__ import annotations

from collections import Counter

from listserver.authentication.resolver import DnsFailure


class FakeResolver:
    """A DNS that knows what it is told: `{"TXT example.net": ["v=spf1 -all"]}`; a value of None gets no answer.

    `asked` counts the questions; `dead` lets nothing be answered any more.
    """

    def __init__(self, records: dict[str, list[str] | None] | None = None) -> None:
        self.records = dict(records or {})
        self.asked: Counter[str] = Counter()
        self.dead = False

    def txt(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """TXT records."""
        return self._ask("TXT", name)

    def a(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """IPv4 addresses."""
        return self._ask("A", name)

    def aaaa(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """IPv6 addresses."""
        return self._ask("AAAA", name)

    def mx(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        """Mail exchangers."""
        return self._ask("MX", name)

    def ptr(self, address: str, seconds: float = 60.0) -> tuple[str, ...]:
        """Names of an address."""
        return self._ask("PTR", address)

    def _ask(self, kind: str, name: str) -> tuple[str, ...]:
        question = f"{kind} {name.lower().rstrip('.')}"
        self.asked[question] += 1
        records = self.records.get(question, [])
        if self.dead or records is None:
            raise DnsFailure(f"{question}: no answer")
        return tuple(records)

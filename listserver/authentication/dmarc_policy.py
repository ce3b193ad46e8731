"""What an author's domain asks receivers to do, found by walking up the DNS tree (RFC 9989, which replaced 7489)."""

from __future__ import annotations

from dataclasses import dataclass

from listserver.authentication.resolver import Resolver
from listserver.lists.dmarc import Policy

_MOST_STEPS = 8
# Domains whose receivers refuse mail that fails, although their record says p=none.
ENFORCING = frozenset(("gmail.com", "googlemail.com"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPolicy:
    """A domain's policy, how strictly identifiers must align, and the organisational domain."""

    policy: Policy
    organisation: str
    strict_dkim: bool = False
    strict_spf: bool = False

    def aligned(self, identifier: str, author: str, *, strict: bool) -> bool:
        """Whether an authenticated domain speaks for the author's (RFC 9989 §4.10.3)."""
        identifier = identifier.lower().rstrip(".")
        if strict or not self.organisation:
            return identifier == author
        return identifier == author or identifier == self.organisation or identifier.endswith(f".{self.organisation}")


def look_up(domain: str, resolver: Resolver) -> DomainPolicy:
    """The policy of a domain. Raises: DnsFailure."""
    domain = domain.lower().rstrip(".")
    found: list[tuple[str, dict[str, str]]] = []
    for name in _walk(domain):
        record = _record(name, resolver)
        if record is not None:
            found.append((name, record))
            if record.get("psd") in ("y", "n"):
                break
    if not found:
        known = Policy.reject if domain in ENFORCING else Policy.none
        return DomainPolicy(policy=known, organisation=".".join(domain.split(".")[-2:]))
    name, record = found[0]
    organisation = _organisation(domain, found)
    if name == domain:
        asked = record.get("p", "none")
    else:
        name, record = next(((n, r) for n, r in found if n == organisation), found[-1])
        asked = record.get("sp") or record.get("p", "none")
    policy = Policy(asked) if asked in ("none", "quarantine", "reject") else Policy.none
    if domain in ENFORCING:
        policy = Policy.reject
    return DomainPolicy(
        policy=policy, organisation=organisation, strict_dkim=record.get("adkim") == "s", strict_spf=record.get("aspf") == "s"
    )


def _walk(domain: str) -> list[str]:
    """The domain and its ancestors; a very long name skips to its last seven labels (RFC 9989 §4.10)."""
    labels = domain.split(".")
    names = [domain]
    rest = labels[1:] if len(labels) <= _MOST_STEPS else labels[-(_MOST_STEPS - 1) :]
    while rest:
        names.append(".".join(rest))
        rest = rest[1:]
    return names


def _organisation(domain: str, found: list[tuple[str, dict[str, str]]]) -> str:
    """The organisational domain: just below a public suffix that says so, else the shortest name with a record."""
    for name, record in found:
        if record.get("psd") == "n":
            return name
        if record.get("psd") == "y" and name != domain:
            return ".".join(domain.split(".")[-(name.count(".") + 2) :])
    return found[-1][0]


def _record(name: str, resolver: Resolver) -> dict[str, str] | None:
    records = [text for text in resolver.txt(f"_dmarc.{name}") if text.replace(" ", "").lower().startswith("v=dmarc1")]
    if len(records) != 1:
        return None
    tags = (part.partition("=") for part in records[0][:2000].split(";"))
    return {key.strip().lower(): value.strip().lower() for key, sign, value in tags if sign}

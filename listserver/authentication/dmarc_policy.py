"""What an author's domain asks receivers to do, found by walking up the DNS tree (RFC 9989, which replaced 7489).

No public suffix list and no `pct`. Without any record DMARC says nothing of a domain, and only the domain itself speaks
for it: were the last two labels taken for its organisation, anybody under co.uk could speak for everybody there.
"""

from __future__ import annotations

from dataclasses import dataclass

from listserver.authentication.resolver import DnsFailure, Resolver
from listserver.lists.dmarc import Policy
from listserver.mail.dkim import read_tags

_MOST_LABELS = 8
_LONGEST_RECORD = 4096
_POLICIES = frozenset(("none", "quarantine", "reject"))
# Domains whose mail receivers refuse when it fails, although their record says p=none.
ENFORCING = frozenset(("gmail.com", "googlemail.com"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPolicy:
    """A domain's policy, and which identifiers speak for it (RFC 9989 §4.4)."""

    domain: str
    policy: Policy
    organisation: str = ""
    """'': there is no record, or the DNS did not say; then only the domain itself is aligned."""
    strict_dkim: bool = False
    strict_spf: bool = False

    def is_aligned(self, identifier: str, resolver: Resolver, *, strict: bool) -> bool:
        """Whether an authenticated domain speaks for the author's: the same, or of the same organisation.

        Raises: DnsFailure.
        """
        identifier = identifier.lower().rstrip(".")
        if identifier == self.domain:
            return True
        organisation = self.organisation
        if strict or not organisation or not f".{identifier}".endswith(f".{organisation}"):
            return False
        # A part of the organisation may have set itself apart (psd=n), so the identifier's own walk counts too.
        return identifier == organisation or _organisation(identifier, _walk(identifier, resolver)) == organisation


def look_up(domain: str, resolver: Resolver) -> DomainPolicy:
    """The policy of a domain (RFC 9989 §4.10.1). Raises: DnsFailure."""
    domain = domain.lower().rstrip(".")
    found = _walk(domain, resolver)
    if not found:
        return DomainPolicy(domain=domain, policy=known_policy(domain, Policy.none))
    organisation = _organisation(domain, found)
    name, record = found[0]
    if name != domain:
        # The organisation's own record, else that of the public suffix above it, which comes last.
        record = dict(found).get(organisation) or found[-1][1]
    return DomainPolicy(
        domain=domain,
        policy=known_policy(domain, _asked(record, domain, resolver, inherited=name != domain)),
        organisation=organisation,
        strict_dkim=record.get("adkim") == "s",
        strict_spf=record.get("aspf") == "s",
    )


def known_policy(domain: str, policy: Policy) -> Policy:
    """The policy, or what is known of a domain that enforces without saying so."""
    return Policy.reject if domain in ENFORCING else policy


def _asked(record: dict[str, str], domain: str, resolver: Resolver, *, inherited: bool) -> Policy:
    """What a record asks for a domain: `p`, or for those below `np` (the domain does not exist), `sp`, `p`."""
    if any(record.get(tag, "none") not in _POLICIES for tag in ("p", "sp", "np")):
        return Policy.none  # RFC 9989 §4.10.1: as if it said p=none
    asked = record.get("p", "none")
    if inherited:
        asked = record.get("sp", asked)
        if record.get("np", asked) != asked and not _exists(domain, resolver):
            asked = record["np"]
    if record.get("t") == "y":  # a test: one step less than what it says (RFC 9989 §4.7)
        asked = {"reject": "quarantine"}.get(asked, "none")
    return Policy(asked)


def _exists(domain: str, resolver: Resolver) -> bool:
    """Whether there is such a domain in the sense of `np`; when in doubt there is."""
    try:
        return bool(resolver.mx(domain) or resolver.a(domain) or resolver.aaaa(domain))
    except DnsFailure:
        return True


def _walk(domain: str, resolver: Resolver) -> list[tuple[str, dict[str, str]]]:
    """The records of a domain and its ancestors, the longest name first; at most eight questions (RFC 9989 §4.10)."""
    labels = domain.split(".")
    found = []
    name: list[str] = labels
    while name:
        record = _record(".".join(name), resolver)
        if record is not None:
            found.append((".".join(name), record))
            if record.get("psd") in ("y", "n"):
                break
        name = name[1:] if len(name) < _MOST_LABELS else name[-(_MOST_LABELS - 1) :]
    return found


def _organisation(domain: str, found: list[tuple[str, dict[str, str]]]) -> str:
    """The organisational domain: where psd=n says so, just below psd=y, else the shortest name with a record (§4.10.2)."""
    for name, record in found:
        if record.get("psd") == "n":
            return name
        if record.get("psd") == "y" and name != domain:
            return ".".join(domain.split(".")[-(name.count(".") + 2) :])
    return found[-1][0] if found else domain


def _record(name: str, resolver: Resolver) -> dict[str, str] | None:
    """The one DMARC record of a name; several are none."""
    records = [tags for tags in map(_read, resolver.txt(f"_dmarc.{name}")) if tags is not None]
    return records[0] if len(records) == 1 else None


def _read(text: str) -> dict[str, str] | None:
    """A record whose first tag is `v=DMARC1`, exactly (RFC 9989 §4.7); what is no tag in it is passed over."""
    version, _semicolon, rest = text[:_LONGEST_RECORD].partition(";")
    tag, _sign, value = version.partition("=")
    if tag.strip() != "v" or value.strip() != "DMARC1":
        return None
    tags: dict[str, str] = {}
    for part in rest.split(";"):
        for name, words in (read_tags(part) or {}).items():
            tags.setdefault(name.lower(), words.lower())
    return tags

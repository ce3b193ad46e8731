"""Whether the author of a mail is who it says: our own DKIM, SPF and DMARC check, or the word of our own mail server.

Never raises and never blocks past its deadline: when the DNS is dead the author is unverified, the policy unknown, and
posts flow. A foreign Authentication-Results field is never believed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

from listserver.authentication import dmarc_policy, spf
from listserver.authentication.dmarc_policy import DomainPolicy
from listserver.authentication.resolver import DnsFailure, Resolver
from listserver.authentication.signature import SignedMail, check_signature
from listserver.lists.dmarc import Policy, SignatureFacts, read_signatures
from listserver.mail.address import ascii_domain, parse_path, read_author
from listserver.mail.authresults import AuthResults, read_results
from listserver.mail.envelope import Envelope
from listserver.mail.headers import Header

_MOST_CHECKED = 4  # signatures of one mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What we believe of an author, and why."""

    verified: bool
    domain: str
    policy: Policy
    reason: str
    signatures: tuple[SignatureFacts, ...] = ()
    certain: bool = True
    """False when the DNS did not answer, or was not asked: then "not verified" is no finding against the mail."""

    @property
    def is_refused(self) -> bool:
        """Whether the author's domain asks for this mail to be refused, and we know that nothing speaks for it.

        After a temporary error nobody may apply the policy (RFC 9989 §5.3.5).
        """
        return self.certain and not self.verified and self.policy.enforces


class _Limited:
    """A resolver with one deadline for all questions about a mail."""

    def __init__(self, resolver: Resolver, seconds: float) -> None:
        self._resolver = resolver
        self._end = time.monotonic() + seconds

    def txt(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        return self._resolver.txt(name, min(seconds, self._left()))

    def a(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        return self._resolver.a(name, min(seconds, self._left()))

    def aaaa(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        return self._resolver.aaaa(name, min(seconds, self._left()))

    def mx(self, name: str, seconds: float = 60.0) -> tuple[str, ...]:
        return self._resolver.mx(name, min(seconds, self._left()))

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    """What is looked at, with the author's domain in its ASCII form."""

    raw: bytes
    header: Header
    envelope: Envelope
    domain: str
    resolver: Resolver
    now: datetime


def believe(
    raw: bytes, header: Header, envelope: Envelope, *, mode: str, resolver: Resolver, now: datetime, deadline_seconds: float = 4.0
) -> Belief:
    """Look whether the author can be believed; `mode` is the setting AUTHENTICATION."""
    author = read_author(header)
    if author is None:
        return _unverified("", Policy.none, "not exactly one readable author")
    domain = ascii_domain(author.address.domain).lower().rstrip(".")
    if mode == "accept":
        return Belief(verified=True, domain=domain, policy=Policy.unknown, reason="every author is believed here", certain=False)
    if mode == "off":
        return _unverified(domain, Policy.unknown, "nobody is believed here", certain=False)
    if "." not in domain or domain.startswith("["):
        return _unverified(domain, Policy.none, "the author's domain is not in the DNS")
    limited = _Limited(resolver, deadline_seconds)
    mail = _Mail(raw=raw, header=header, envelope=envelope, domain=domain, resolver=limited, now=now)
    try:
        policy = dmarc_policy.look_up(domain, limited)
    except DnsFailure:
        # What is identical is aligned in any case, and whatever was asked lately is still known.
        policy = DomainPolicy(domain=domain, policy=dmarc_policy.known_policy(domain, Policy.unknown))
    if mode.startswith("trust:"):
        return _trusted(mail, policy, mode.removeprefix("trust:").strip())
    return _own_check(mail, policy)


def _unverified(
    domain: str, policy: Policy, reason: str, signatures: tuple[SignatureFacts, ...] = (), *, certain: bool = True
) -> Belief:
    return Belief(verified=False, domain=domain, policy=policy, reason=reason, signatures=signatures, certain=certain)


def _own_check(mail: _Mail, policy: DomainPolicy) -> Belief:
    """DKIM first, because it says more; SPF only where the peer is the outside world."""
    signatures, reason, certain = _check_signatures(mail, policy)
    if any(each.valid and each.aligned for each in signatures):
        return Belief(verified=True, domain=mail.domain, policy=policy.policy, reason="DKIM pass", signatures=signatures)
    try:
        if _spf_passes(mail, policy):
            return Belief(verified=True, domain=mail.domain, policy=policy.policy, reason="SPF pass", signatures=signatures)
    except DnsFailure as failure:
        certain, reason = False, str(failure)
    return _unverified(mail.domain, policy.policy, reason, signatures, certain=certain and policy.policy is not Policy.unknown)


def _check_signatures(mail: _Mail, policy: DomainPolicy) -> tuple[tuple[SignatureFacts, ...], str, bool]:
    """Check the signatures that speak for the author; with them why none holds, and whether that is certain."""
    signatures = read_signatures(mail.header)
    if not signatures:
        return (), "the author's domain did not sign it", True
    signed, facts, checks = SignedMail(mail.raw, mail.header), [], 0
    reason, certain = "the author's domain did not sign it", True
    for signature in signatures:
        try:
            aligned = policy.is_aligned(signature.domain, mail.resolver, strict=policy.strict_dkim)
        except DnsFailure as failure:
            aligned, certain, reason = False, False, str(failure)
        valid = None
        if aligned and checks < _MOST_CHECKED:
            checks += 1
            checked = check_signature(signed, signature.position, mail.resolver, mail.now)
            valid, reason = checked.valid, checked.reason
            certain = certain and valid is not None
        facts.append(replace(signature, aligned=aligned, valid=valid))
    return tuple(facts), reason, certain


def _spf_passes(mail: _Mail, policy: DomainPolicy) -> bool:
    """Whether the peer may send for the envelope's domain, and that speaks for the author.

    Behind our own mail server it would judge that server. Raises: DnsFailure.
    """
    sender = None if mail.envelope.peer.trusted else parse_path(mail.envelope.reverse_path)
    if sender is None:
        return False
    domain = ascii_domain(sender.domain).lower()
    if not policy.is_aligned(domain, mail.resolver, strict=policy.strict_spf):
        return False
    peer = mail.envelope.peer
    return spf.check_spf(peer.host, f"{sender.local}@{domain}", mail.resolver, helo=peer.helo) == "pass"


def _trusted(mail: _Mail, policy: DomainPolicy, authserv_id: str) -> Belief:
    """The topmost Authentication-Results in the name of our own mail server, and only from it (RFC 8601 §5).

    It is up to that server to remove forged ones in its name. The policy is looked up by ourselves, because few servers
    write it where a program can read it.
    """
    if not mail.envelope.peer.trusted:
        return _unverified(mail.domain, policy.policy, "it did not come through our mail server", read_signatures(mail.header))
    results = _topmost_results(mail, authserv_id)
    if results is None:
        return _unverified(mail.domain, policy.policy, "our mail server says nothing of it", certain=False)
    signatures = _signatures_by_word(mail, policy, results)
    for method, result, properties in results.results:
        if result == "pass" and _speaks_for_author(mail, policy, method, properties):
            reason = f"our mail server says {method}=pass"
            return Belief(verified=True, domain=mail.domain, policy=policy.policy, reason=reason, signatures=signatures)
    temporary = any(result == "temperror" for _method, result, _properties in results.results)
    return _unverified(
        mail.domain,
        policy.policy,
        "our mail server found nothing that speaks for the author",
        signatures,
        certain=not temporary and policy.policy is not Policy.unknown,
    )


def _topmost_results(mail: _Mail, authserv_id: str) -> AuthResults | None:
    for body in mail.header.all("authentication-results"):
        results = read_results(body)
        if results is not None and results.authserv_id.lower() == authserv_id.lower():
            return results
    return None


def _speaks_for_author(mail: _Mail, policy: DomainPolicy, method: str, properties: dict[str, str]) -> bool:
    """Whether a pass of this method is one for the author's domain."""
    if method == "dmarc":
        return _domain(properties.get("header.from", mail.domain)) == mail.domain
    if method == "dkim":
        identifier, strict = properties.get("header.d") or properties.get("header.i", ""), policy.strict_dkim
    elif method == "spf":
        identifier, strict = properties.get("smtp.mailfrom", ""), policy.strict_spf
    else:
        return False
    return _is_aligned(mail, policy, _domain(identifier), strict=strict)


def _signatures_by_word(mail: _Mail, policy: DomainPolicy, results: AuthResults) -> tuple[SignatureFacts, ...]:
    """The signatures, with what our mail server says of each domain's; where it says nothing, nothing is known."""
    said: dict[str, bool] = {}
    for method, result, properties in results.results:
        if method == "dkim" and result != "temperror":
            domain = _domain(properties.get("header.d") or properties.get("header.i", ""))
            said[domain] = said.get(domain, False) or result == "pass"
    return tuple(
        replace(
            each,
            aligned=_is_aligned(mail, policy, each.domain, strict=policy.strict_dkim),
            valid=said.get(each.domain),
        )
        for each in read_signatures(mail.header)
    )


def _is_aligned(mail: _Mail, policy: DomainPolicy, identifier: str, *, strict: bool) -> bool:
    try:
        return policy.is_aligned(identifier, mail.resolver, strict=strict)
    except DnsFailure:
        return False


def _domain(identifier: str) -> str:
    """The domain of `user@domain`, `@domain` or `domain`."""
    return ascii_domain(identifier.rpartition("@")[2]).lower().rstrip(".")

"""Whether the author of a mail is who it says: our own DKIM, SPF and DMARC check, or the word of our own mail server.

Never raises and never blocks past its deadline: when the DNS is dead the author is unverified, the policy unknown, and
posts flow. A foreign Authentication-Results field is never believed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

import dkim

from listserver.authentication import dmarc_policy, spf
from listserver.authentication.dmarc_policy import DomainPolicy
from listserver.authentication.resolver import DnsFailure, Resolver
from listserver.lists.dmarc import Policy, SignatureFacts, read_signatures
from listserver.mail.address import ascii_domain, parse_path, read_author
from listserver.mail.authresults import read_results
from listserver.mail.envelope import Envelope
from listserver.mail.headers import Header

_MOST_CHECKED = 3
_LARGEST_CHECKED = 30_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What we believe of an author, and why."""

    verified: bool
    domain: str
    policy: Policy
    reason: str
    signatures: tuple[SignatureFacts, ...] = ()


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        if time.monotonic() > self._end:
            raise DnsFailure("the deadline has passed")


def believe(
    raw: bytes, header: Header, envelope: Envelope, *, mode: str, resolver: Resolver, now: datetime, deadline_seconds: float = 8.0
) -> Belief:
    """Look whether the author can be believed; `mode` is the setting AUTHENTICATION."""
    author = read_author(header)
    if author is None:
        return Belief(verified=False, domain="", policy=Policy.none, reason="not exactly one readable author")
    domain = ascii_domain(author.address.domain)
    if mode == "accept":
        return Belief(verified=True, domain=domain, policy=Policy.none, reason="every author is believed here")
    if mode == "off":
        return Belief(verified=False, domain=domain, policy=Policy.none, reason="nobody is believed here")
    if mode.startswith("trust:"):
        return _trusted(header, envelope, domain, mode[6:].strip())
    return _own_check(raw, header, envelope, domain, resolver, _Deadline(deadline_seconds))


def _trusted(header: Header, envelope: Envelope, domain: str, authserv: str) -> Belief:
    """The topmost Authentication-Results of our own mail server, from our own mail server (RFC 8601 §5)."""
    nothing = Belief(verified=False, domain=domain, policy=Policy.none, reason="our mail server says nothing of it")
    bodies = header.all("authentication-results")
    if not envelope.peer.trusted or not bodies:
        return nothing
    results = read_results(bodies[0])
    if results is None or results.authserv_id.lower() != authserv.lower():
        return nothing
    policy = Policy.none
    for method, result, properties in results.results:
        if method == "dmarc":
            asked = properties.get("policy.dmarc") or properties.get("policy.p") or ""
            policy = Policy(asked.lower()) if asked.lower() in ("none", "quarantine", "reject") else policy
            if result == "pass":
                return Belief(verified=True, domain=domain, policy=policy, reason="our mail server says dmarc=pass")
    for method, result, properties in results.results:
        claimed = (properties.get("header.d") or properties.get("header.i") or properties.get("smtp.mailfrom") or "").rpartition(
            "@"
        )[2]
        if method in ("dkim", "spf") and result == "pass" and claimed.lower() == domain:
            return Belief(verified=True, domain=domain, policy=policy, reason=f"our mail server says {method}=pass")
    return replace(nothing, policy=policy, reason="our mail server found no pass")


def _own_check(raw: bytes, header: Header, envelope: Envelope, domain: str, resolver: Resolver, deadline: _Deadline) -> Belief:
    signatures = read_signatures(header)
    try:
        policy = dmarc_policy.look_up(domain, resolver)
    except DnsFailure as failure:
        return Belief(verified=False, domain=domain, policy=Policy.unknown, reason=str(failure), signatures=signatures)
    checked, reason = [], "no signature of the author's domain"
    for index, signature in enumerate(signatures):
        aligned = policy.aligned(signature.domain, domain, strict=policy.strict_dkim)
        if not aligned or index >= _MOST_CHECKED or len(raw) > _LARGEST_CHECKED:
            checked.append(replace(signature, aligned=aligned))
            continue
        valid, reason = _check_signature(raw, header, index, signature, resolver, deadline)
        checked.append(replace(signature, aligned=True, valid=valid))
    if any(each.valid for each in checked):
        return Belief(verified=True, domain=domain, policy=policy.policy, reason="DKIM pass", signatures=tuple(checked))
    if _spf_passes(envelope, domain, policy, resolver):
        return Belief(verified=True, domain=domain, policy=policy.policy, reason="SPF pass", signatures=tuple(checked))
    return Belief(verified=False, domain=domain, policy=policy.policy, reason=reason, signatures=tuple(checked))


def _check_signature(
    raw: bytes, header: Header, index: int, signature: SignatureFacts, resolver: Resolver, deadline: _Deadline
) -> tuple[bool, str]:
    """Verify one signature; dkimpy may raise anything on hostile input, and none of it is ours to pass on."""

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        deadline.check()
        records = resolver.txt(name.decode("ascii", "replace").rstrip("."))
        return records[0].encode() if records else None

    if signature.covers_body_to is not None and signature.covers_body_to < len(raw) - header.size:
        return False, "the signature covers only a part of the text"
    try:
        return (
            (True, "DKIM pass")
            if dkim.DKIM(raw, minkey=1024).verify(idx=index, dnsfunc=ask)
            else (False, "the signature does not hold")
        )
    except DnsFailure as failure:
        return False, str(failure)
    except Exception as error:  # noqa: BLE001 - a library's surprise about a stranger's mail is a "no", never our failure
        return False, f"the signature cannot be checked: {type(error).__name__}"


def _spf_passes(envelope: Envelope, domain: str, policy: DomainPolicy, resolver: Resolver) -> bool:
    """SPF says something only of a peer from the outside world; behind our own mail server it would judge that."""
    sender = parse_path(envelope.reverse_path)
    if envelope.peer.trusted or sender is None:
        return False
    claimed = ascii_domain(sender.domain)
    if not policy.aligned(claimed, domain, strict=policy.strict_spf):
        return False
    try:
        return spf.check_spf(envelope.peer.host, claimed, resolver) == "pass"
    except DnsFailure:
        return False

"""SPF (RFC 7208) for peers from the outside world: may this address send for that domain?

Limits: 10 mechanisms that ask the DNS, 2 that find nothing. Macros other than the plain ones are read as no match.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from listserver.authentication.resolver import Resolver

_MOST_LOOKUPS, _MOST_VOID = 10, 2
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MECHANISM = re.compile(
    r"([-+~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:[:=]([^/]+|[0-9a-fA-F:.]+))?((?:/\d{1,3})?(?://\d{1,3})?)", re.I
)


class _Permanent(Exception):
    """The record cannot be evaluated."""


@dataclass
class _Budget:
    lookups: int = 0
    void: int = 0

    def ask(self) -> None:
        self.lookups += 1
        if self.lookups > _MOST_LOOKUPS:
            raise _Permanent

    def found(self, anything: bool) -> None:
        self.void += not anything
        if self.void > _MOST_VOID:
            raise _Permanent


def check_spf(peer: str, domain: str, resolver: Resolver) -> str:
    """`pass`, `fail`, `softfail`, `neutral`, `none` or `permerror`. Raises: DnsFailure."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return "none"
    try:
        return _check(address, domain, resolver, _Budget(), 0)
    except _Permanent:
        return "permerror"


def _check(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, domain: str, resolver: Resolver, budget: _Budget, depth: int
) -> str:
    records = [text for text in resolver.txt(domain) if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    if not records:
        return "none"
    if len(records) > 1 or depth > _MOST_LOOKUPS:
        raise _Permanent
    redirect = ""
    for term in records[0][:4000].split()[1:]:
        if term.lower().startswith("redirect="):
            redirect = term[9:]
            continue
        match = _MECHANISM.fullmatch(term)
        if match is None:
            if "=" in term:
                continue  # an unknown modifier
            raise _Permanent
        if _matches(address, match, domain, resolver, budget, depth):
            return _RESULTS[match[1] or "+"]
    if redirect:
        budget.ask()
        result = _check(address, redirect, resolver, budget, depth + 1)
        return "permerror" if result == "none" else result
    return "neutral"


def _matches(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    match: re.Match[str],
    domain: str,
    resolver: Resolver,
    budget: _Budget,
    depth: int,
) -> bool:
    kind, target, mask = match[2].lower(), (match[3] or domain).rstrip("."), match[4] or ""
    if kind == "all":
        return True
    if kind in ("ip4", "ip6"):
        return _in_network(address, f"{match[3]}{mask}")
    budget.ask()
    if "%" in target or kind == "ptr":
        return False
    if kind == "include":
        result = _check(address, target, resolver, budget, depth + 1)
        if result == "none":
            raise _Permanent
        return result == "pass"
    names = resolver.mx(target)[:10] if kind == "mx" else (target,)
    found = [host for name in names for host in resolver.addresses(name)]
    budget.found(bool(found))
    if kind == "exists":
        return bool(found)
    four, _sign, six = mask.lstrip("/").partition("//")
    length = (four or "32") if address.version == 4 else (six or "128")
    return any(
        _in_network(address, f"{host}/{length}") for host in found if ipaddress.ip_address(host).version == address.version
    )


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError as error:
        raise _Permanent from error

"""SPF (RFC 7208) for peers from the outside world: may this address send for that domain?

Limits: 10 terms that ask the DNS, 2 questions that find nothing, 10 hosts in one MX. `ptr` matches nobody, because it is
not to be used (RFC 7208 §5.5), and `exp` is not read. Macros are expanded, because large senders stand behind `exists`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

from listserver.authentication.resolver import Resolver

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_LOOKUPS, _MOST_VOID, _MOST_HOSTS = 10, 2, 10
_LONGEST_RECORD, _LONGEST_NAME = 4096, 253
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)")
_MECHANISM = re.compile(r"([-+~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::([^/]*))?((?:/.*)?)", re.I)
_LENGTHS = re.compile(r"(?:/(\d{1,3}))?(?://(\d{1,3}))?")
_MACRO = re.compile(r"%(?:\{([slodivhp])(\d{0,3})(r?)([-.+,/_=]*)\}|([%_-])|(.?))", re.I)


class _Permanent(Exception):
    """The record cannot be evaluated."""


@dataclass
class _Check:
    """One evaluation: who sends, for whom, and what it has cost the DNS so far."""

    address: IPAddress
    sender: str
    helo: str
    resolver: Resolver
    lookups: int = 0
    void: int = 0

    def spend(self) -> None:
        """Count a term that asks the DNS (RFC 7208 §4.6.4)."""
        self.lookups += 1
        if self.lookups > _MOST_LOOKUPS:
            raise _Permanent

    def found(self, answer: tuple[str, ...]) -> tuple[str, ...]:
        """Count a question that found nothing."""
        self.void += not answer
        if self.void > _MOST_VOID:
            raise _Permanent
        return answer

    def hosts(self, name: str) -> tuple[str, ...]:
        """A name's addresses of the peer's kind."""
        return self.found(self.resolver.a(name) if self.address.version == 4 else self.resolver.aaaa(name))


def check_spf(peer: str, sender: str, resolver: Resolver, *, helo: str = "") -> str:
    """`pass`, `fail`, `softfail`, `neutral`, `none` or `permerror` for an envelope sender. Raises: DnsFailure."""
    try:
        address: IPAddress = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return "none"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    check = _Check(address=address, sender=sender, helo=helo, resolver=resolver)
    try:
        return _evaluate(check, sender.rpartition("@")[2])
    except _Permanent:
        return "permerror"


def _evaluate(check: _Check, domain: str) -> str:
    """The first mechanism of a domain's record that matches decides; the depth is bounded by the lookups."""
    records = [text for text in check.resolver.txt(domain) if text[:7].lower() in ("v=spf1", "v=spf1 ")]
    if not records:
        return "none"
    if len(records) > 1:
        raise _Permanent
    mechanisms, redirect = _parse(records[0][:_LONGEST_RECORD])
    for match in mechanisms:
        if _matches(check, match, domain):
            return _RESULTS[match[1] or "+"]
    if redirect is None:
        return "neutral"
    check.spend()
    result = _evaluate(check, _expand(check, redirect, domain))
    if result == "none":
        raise _Permanent  # RFC 7208 §6.1
    return result


def _parse(record: str) -> tuple[list[re.Match[str]], str | None]:
    """The mechanisms in order, and where `redirect` leads. The whole record is read first: an error anywhere counts."""
    mechanisms, redirect = [], None
    for term in record.split()[1:]:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            if modifier[1].lower() == "redirect":
                if redirect is not None:
                    raise _Permanent
                redirect = modifier[2]
            continue
        match = _MECHANISM.fullmatch(term)
        if match is None or _is_malformed(match):
            raise _Permanent
        mechanisms.append(match)
    return mechanisms, redirect


def _is_malformed(match: re.Match[str]) -> bool:
    kind, target, rest = match[2].lower(), match[3], match[4]
    if kind == "all":
        return target is not None or bool(rest)
    if kind in ("include", "exists"):
        return not target
    if kind in ("ip4", "ip6"):
        return not target or _network(match) is None
    return target == "" or _LENGTHS.fullmatch(rest) is None


def _matches(check: _Check, match: re.Match[str], domain: str) -> bool:
    kind = match[2].lower()
    if kind == "all":
        return True
    if kind in ("ip4", "ip6"):
        network = _network(match)
        return network is not None and check.address.version == network.version and check.address in network
    check.spend()
    if kind == "ptr":
        return False
    if kind == "include":
        result = _evaluate(check, _expand(check, match[3], domain))
        if result == "none":
            raise _Permanent  # RFC 7208 §5.2
        return result == "pass"
    if kind == "exists":
        return bool(check.found(check.resolver.a(_expand(check, match[3] + match[4], domain))))
    target = _expand(check, match[3], domain) if match[3] else domain
    names: tuple[str, ...] = (target,)
    if kind == "mx":
        names = check.found(check.resolver.mx(target))
        if len(names) > _MOST_HOSTS:
            raise _Permanent
    lengths = _LENGTHS.fullmatch(match[4])
    length = int((lengths[1 if check.address.version == 4 else 2] if lengths else None) or check.address.max_prefixlen)
    return any(_is_near(check.address, host, length) for name in names for host in check.hosts(name))


def _network(match: re.Match[str]) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network of `ip4:` or `ip6:`."""
    try:
        network = ipaddress.ip_network(match[3] + match[4], strict=False)
    except ValueError:
        return None
    return network if network.version == int(match[2][2]) else None


def _is_near(address: IPAddress, host: str, length: int) -> bool:
    """Whether an address lies in the network of so many bits around a host."""
    try:
        return address in ipaddress.ip_network(f"{host}/{length}", strict=False)
    except ValueError as error:
        raise _Permanent from error


def _expand(check: _Check, text: str, domain: str) -> str:
    """Expand the macros of a domain name (RFC 7208 §7); a name too long loses labels from its left."""

    def one(match: re.Match[str]) -> str:
        if match[5]:
            return {"%": "%", "_": " ", "-": "%20"}[match[5]]
        if not match[1]:
            raise _Permanent
        value = _macro_value(check, match[1].lower(), domain)
        parts = re.split(f"[{re.escape(match[4] or '.')}]", value)
        if match[3]:
            parts.reverse()
        if match[2]:
            parts = parts[-max(int(match[2]), 1) :]
        value = ".".join(parts)
        return quote(value, safe="") if match[1].isupper() else value

    name = _MACRO.sub(one, text).rstrip(".")
    while len(name) > _LONGEST_NAME and "." in name:
        name = name.partition(".")[2]
    return name


def _macro_value(check: _Check, letter: str, domain: str) -> str:
    local, _at, host = check.sender.rpartition("@")
    if letter == "i":
        address = check.address
        return str(address) if address.version == 4 else ".".join(address.exploded.replace(":", ""))
    return {
        "s": f"{local or 'postmaster'}@{host}",
        "l": local or "postmaster",
        "o": host,
        "d": domain,
        "v": "in-addr" if check.address.version == 4 else "ip6",
        "h": check.helo or host,
        "p": "unknown",
    }[letter]

"""The ways in and out, looked at by `doctor`: ports, certificate, relay, and what the DNS says of our domains.

The DNS is asked with a deadline for all questions together. Domains that exist only in examples are not asked for.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cryptography import x509

from listserver import server
from listserver.authentication.keys import Signing
from listserver.authentication.resolver import DnsFailure, Resolver
from listserver.cli.findings import Finding, note, ok, problem, warning
from listserver.config import Settings
from listserver.errors import ConfigError

_PATIENCE = 5.0
_DNS_SECONDS = 12.0
_EXPIRES_SOON = timedelta(days=21)
# Never in the DNS (RFC 6761, RFC 2606).
_EXAMPLES = (".test", ".example", ".invalid", ".localhost", ".local", "example.com", "example.net", "example.org")


class DoctorDns(Resolver, Protocol):
    """What the doctor asks the DNS."""

    def ptr(self, address: str, seconds: float = ...) -> tuple[str, ...]:
        """The names of an address."""


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether somebody answers where we listen, and whether that is us."""
    listening = False
    for name, text, greeting in (
        ("SMTP_LISTEN", settings.smtp_listen, b"listserver"),
        ("LMTP_LISTEN", settings.lmtp_listen, b"listserver"),
        ("WEB_LISTEN", settings.web_listen, b"HTTP/1.1"),
    ):
        for address in (part.strip() for part in text.split(",") if part.strip()):
            said = _knock(address, web=name == "WEB_LISTEN")
            if said is None:
                yield note("ports", f"Nobody listens on {address} ({name}).", "Start it: listserver serve")
            elif greeting in said:
                listening = True
                yield ok("ports", f"listserver answers on {address} ({name}).")
            else:
                yield problem(
                    "ports", f"Another program answers on {address} ({name}).", f"Stop it, or change LISTSERVER_{name}."
                )
    if not settings.smtp_listen.strip() and not settings.lmtp_listen.strip():
        yield problem("ports", "There is no way in.", "Set LISTSERVER_SMTP_LISTEN or LISTSERVER_LMTP_LISTEN.")
    if listening and settings.web_listen.strip():
        yield from _web_address(settings)


def _knock(address: str, *, web: bool) -> bytes | None:
    """The first octets that whoever listens there says; None when nobody does."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PATIENCE)
                connection.connect(address[5:])
                return connection.recv(200)
        host, _colon, port = address.rpartition(":")
        host = host.strip("[]").replace("*", "") or "localhost"
        with socket.create_connection((host, int(port)), _PATIENCE) as connection:
            if web:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(200)
    except (OSError, ValueError):
        return None


def _web_address(settings: Settings) -> Iterator[Finding]:
    """Whether mails point at pages that people can reach."""
    parts = urlsplit(settings.web_url)
    host = parts.hostname or ""
    if not settings.web_url:
        yield note("web", "LISTSERVER_WEB_URL is empty: no mail holds a link.")
    elif host in ("localhost", "127.0.0.1", "::1"):
        yield warning(
            "web",
            f"Mails hold links to {settings.web_url}, which only this machine can open.",
            "Set LISTSERVER_WEB_URL to the address as people reach it.",
        )
    elif parts.scheme != "https":
        yield warning(
            "web",
            f"{settings.web_url} is not https: mails carry no one-click unsubscribe, which large providers ask for.",
            "Put a proxy with a certificate in front, and write https.",
        )
    else:
        yield ok("web", f"Mails point at {settings.web_url}.")


def certificate(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The certificate for STARTTLS, and until when it holds."""
    if not settings.tls_certificate:
        yield note("tls", "STARTTLS is not offered (no LISTSERVER_TLS_CERTIFICATE); fine behind a mail server on this machine.")
        return
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        ends = x509.load_pem_x509_certificate(Path(settings.tls_certificate).read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield problem(
            "tls",
            f"The certificate cannot be used: {error}.",
            "Set LISTSERVER_TLS_CERTIFICATE and LISTSERVER_TLS_KEY to PEM files that go together.",
        )
        return
    if ends < now:
        yield problem("tls", f"The certificate ended on {ends:%Y-%m-%d}.", "Renew it.")
    elif ends - now < _EXPIRES_SOON:
        yield warning("tls", f"The certificate ends on {ends:%Y-%m-%d}.", "Renew it.")
    else:
        yield ok("tls", f"The certificate holds until {ends:%Y-%m-%d}.")


async def relay(settings: Settings) -> list[Finding]:
    """Whether the relay can be reached, and what it offers."""
    address = settings.relay_address
    if address.startswith("maildir:"):
        path = address[8:]
        return [
            note(
                "relay",
                f"What leaves is put into the Maildir {path}: nobody outside gets it.",
                "Set LISTSERVER_RELAY=smtp://HOST when you are done trying out.",
            )
        ]
    try:
        seen = await server.look_at_relay(settings)
    except ConfigError as error:
        return [problem("relay", str(error), "Mend LISTSERVER_RELAY.")]
    if seen.problem:
        return [
            problem(
                "relay",
                f"The relay ({seen.name}) cannot be used: {seen.problem}.",
                "Look whether it runs, and whether it takes mail from this machine.",
            )
        ]
    offered = ", ".join(sorted(seen.offers)) or "nothing (HELO only)"
    found = [ok("relay", f"The relay ({seen.name}) answers and offers {offered}.")]
    if "PIPELINING" not in seen.offers:
        found.append(
            warning("relay", "The relay offers no PIPELINING: sending to many will be slow.", "Allow it to this machine.")
        )
    size = seen.offers.get("SIZE", "")
    if size.isdigit() and 0 < int(size) < settings.max_message_bytes:
        found.append(
            warning(
                "relay",
                f"The relay takes mails of at most {size} octets, we accept {settings.max_message_bytes}.",
                f"Lower LISTSERVER_MAX_MESSAGE_BYTES to {size}, or raise the relay's limit.",
            )
        )
    return found


def is_example(domain: str) -> bool:
    """Whether a domain exists in examples and on one's own machine only."""
    name = domain.lower().rstrip(".")
    return "." not in name or any(
        name == end.lstrip(".") or name.endswith(end if end.startswith(".") else f".{end}") for end in _EXAMPLES
    )


def dns(
    hosts: Collection[str], hostname: str, resolver: DoctorDns, signing: Signing | None, *, seconds: float = _DNS_SECONDS
) -> Iterator[Finding]:
    """MX, SPF, DKIM and DMARC of the domains that lists live in; address and name of our own host."""
    end = time.monotonic() + seconds
    for domain in sorted(set(hosts)):
        if is_example(domain):
            yield note("dns", f"{domain} is a name for examples; the DNS is not asked for it.")
            continue
        try:
            yield from _domain(domain, resolver, signing, end)
        except DnsFailure as error:
            yield warning("dns", f"The DNS does not tell about {domain}: {error}.", "Look at /etc/resolv.conf, and try again.")
    if not is_example(hostname):
        try:
            yield from _own_name(hostname, resolver, end)
        except DnsFailure as error:
            yield warning("dns", f"The DNS does not tell about {hostname}: {error}.", "Look at /etc/resolv.conf, and try again.")


def _left(end: float) -> float:
    return max(0.05, end - time.monotonic())


def _domain(domain: str, resolver: DoctorDns, signing: Signing | None, end: float) -> Iterator[Finding]:
    exchangers = resolver.mx(domain, _left(end))
    if exchangers:
        yield ok("dns.mx", f"Mail for {domain} goes to {', '.join(exchangers)}.")
    elif resolver.a(domain, _left(end)) or resolver.aaaa(domain, _left(end)):
        yield note("dns.mx", f"{domain} has no MX; mail goes to its address.", f"Publish: {domain}. MX 10 HOST.")
    else:
        yield problem(
            "dns.mx", f"{domain} has neither MX nor address: nobody can write to its lists.", f"Publish: {domain}. MX 10 HOST."
        )
    policies = [text for text in resolver.txt(domain, _left(end)) if text.lower().startswith("v=spf1")]
    if len(policies) == 1:
        yield ok("dns.spf", f"{domain}: {policies[0]}")
    elif policies:
        yield problem("dns.spf", f"{domain} has {len(policies)} SPF records, so none counts (RFC 7208 §4.5).", "Keep one.")
    else:
        yield warning(
            "dns.spf",
            f"{domain} has no SPF record; our return-paths are there.",
            f'Publish: {domain}. TXT "v=spf1 mx -all" (or what your relay asks for).',
        )
    yield from _dkim(domain, resolver, signing, end)
    dmarc = [text for text in resolver.txt(f"_dmarc.{domain}", _left(end)) if text.upper().startswith("V=DMARC1")]
    if dmarc:
        yield ok("dns.dmarc", f"{domain}: {dmarc[0]}")
    else:
        yield warning(
            "dns.dmarc",
            f"{domain} has no DMARC record; large providers ask for one.",
            f'Publish: _dmarc.{domain}. TXT "v=DMARC1; p=none"',
        )


def _dkim(domain: str, resolver: DoctorDns, signing: Signing | None, end: float) -> Iterator[Finding]:
    if signing is None:
        yield note(
            "dns.dkim",
            f"We do not sign for {domain} ourselves; see that the relay does, or one-click unsubscribe is not believed (RFC 8058).",
            "listserver init makes keys; see LISTSERVER_DKIM_KEYS.",
        )
        return
    for signer in signing.signers(domain):
        published = ["".join(text.split()) for text in resolver.txt(signer.record_name, _left(end))]
        wanted = "".join(signer.record.split())
        if wanted in published or any(wanted.rpartition("p=")[2] == text.rpartition("p=")[2].rstrip(";") for text in published):
            yield ok("dns.dkim", f"{signer.record_name} holds our {signer.algorithm} key.")
        else:
            words = "holds another key" if published else "is not there"
            yield problem(
                "dns.dkim",
                f"{signer.record_name} {words}: our signatures fail.",
                f'Publish: {signer.record_name}. TXT "{signer.record}"',
            )


def _own_name(hostname: str, resolver: DoctorDns, end: float) -> Iterator[Finding]:
    addresses = (*resolver.a(hostname, _left(end)), *resolver.aaaa(hostname, _left(end)))
    if not addresses:
        yield warning(
            "dns.host",
            f"{hostname} (LISTSERVER_HOSTNAME) has no address.",
            f"Publish one, or set LISTSERVER_HOSTNAME to a name that has: {hostname}",
        )
        return
    for address in addresses:
        if ipaddress.ip_address(address).is_private:
            continue
        names = [name.lower() for name in resolver.ptr(address, _left(end))]
        if hostname.lower() in names:
            yield ok("dns.ptr", f"{address} is called {hostname}.")
        else:
            yield warning(
                "dns.ptr",
                f"{address} is called {', '.join(names) or 'nothing'}, not {hostname}; who sends from there is refused by some.",
                "Ask who runs your network for a PTR record (not needed behind a relay).",
            )


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)

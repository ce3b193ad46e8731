"""`/health` for whoever watches, `/metrics` for Prometheus and only for the networks of METRICS_ALLOW.

Behind a proxy the peer is the proxy: what it says of whom it speaks for (X-Forwarded-For, Forwarded, X-Real-IP) must be
allowed too, so a proxy that passes everything on does not show the numbers to the world. What costs the database much (how
every mail ended) is asked at most every ten times as long as it took.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from listserver import metrics
from listserver.flows.site import Site
from listserver.store import pulse
from listserver.store.pulse import Pulse
from listserver.store.reading import ReadOnly

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OUTBOX = metrics.gauge("listserver_outbox_deliveries", "Deliveries that have not ended, by state", ["state"])
_OLDEST = metrics.gauge("listserver_outbox_oldest_seconds", "Age of the oldest mail that is still on its way")
_IN_FLIGHT = metrics.gauge("listserver_in_flight", "Mails accepted and not worked yet")
_IN_FLIGHT_OLDEST = metrics.gauge("listserver_in_flight_oldest_seconds", "Age of the oldest mail accepted and not worked yet")
_ACCEPTED = metrics.gauge("listserver_incoming", "Mails ever accepted, counted by destination")
_STATES = metrics.gauge("listserver_incoming_state", "Mails in each state; their sum is listserver_incoming", ["state"])
_UNACCOUNTED = metrics.gauge("listserver_incoming_unaccounted", "Accepted mails without a state; anything but 0 is our error")
_HEALTHY = metrics.gauge("listserver_healthy", "1 when /health says ok")

_OPEN_STATES = ("queued", "sending", "retry", "ambiguous")
_STUCK_SECONDS = 600.0
_PATIENCE = 10.0
_SPOKEN_FOR = ("x-forwarded-for", "x-real-ip", "forwarded")
_IN_FORWARDED = re.compile(r"(?:for=)?\"?\[?([0-9A-Fa-f:.]{2,45}?)\]?(?::\d{1,5})?\"?\s*(?:;.*)?")


@dataclass
class Health:
    """Answers for the whole service; `faults` names what the service itself knows to be wrong."""

    site: Site
    reader: ReadOnly
    durability: str
    metrics_allow: Sequence[Network]
    faults: Callable[[], list[str]] = field(default=list)
    _endings_until: float = field(default=0.0)

    def routes(self) -> list[Route]:
        """The two routes."""
        return [Route("/health", self._health), Route("/metrics", self._metrics)]

    async def _health(self, _request: Request) -> Response:
        document = await anyio.to_thread.run_sync(self.document)
        return JSONResponse(document, status_code=200 if document["ok"] else 503, headers={"Cache-Control": "no-store"})

    def document(self) -> dict[str, Any]:
        """The document of /health. Never raises: a database that does not answer is what it is there to say."""
        problems = list(self.faults())
        depth = in_flight = 0
        oldest = 0.0
        try:
            with self.reader.read() as connection:
                found = pulse.take(connection)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it does not answer
            problems.append(f"the database does not answer ({type(error).__name__})")
        else:
            depth, oldest, in_flight = found.depth, self._age(found.oldest), found.in_flight
            if self._age(found.in_flight_oldest) > _STUCK_SECONDS:
                problems.append("accepted mail waits for more than ten minutes")
        _HEALTHY.set(not problems)
        return {
            "ok": not problems,
            "version": version("listserver"),
            "durability": self.durability,
            "outbox": {"depth": depth, "oldest_seconds": round(oldest, 3)},
            "in_flight": in_flight,
            "problems": problems,
        }

    async def _metrics(self, request: Request) -> Response:
        if not self._is_allowed(request):
            return PlainTextResponse("The numbers are not for everyone.\n", status_code=403)
        body = await anyio.to_thread.run_sync(self._render)
        return Response(body, media_type=metrics.CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    def _render(self) -> bytes:
        self.document()
        with self.reader.read() as connection:
            self._set(pulse.take(connection))
            begun = time.monotonic()
            if begun >= self._endings_until:
                accepted, states = pulse.endings(connection)
                _ACCEPTED.set(accepted)
                _UNACCOUNTED.set(accepted - sum(states.values()))
                for state, number in states.items():
                    _STATES.labels(state).set(number)
                self._endings_until = time.monotonic() + _PATIENCE * (time.monotonic() - begun)
        return metrics.render()

    def _set(self, found: Pulse) -> None:
        for state in _OPEN_STATES:
            _OUTBOX.labels(state).set(found.open.get(state, 0))
        _OLDEST.set(self._age(found.oldest))
        _IN_FLIGHT.set(found.in_flight)
        _IN_FLIGHT_OLDEST.set(self._age(found.in_flight_oldest))

    def _age(self, since: Any) -> float:
        return max(0.0, (self.site.now() - since).total_seconds()) if since is not None else 0.0

    def _is_allowed(self, request: Request) -> bool:
        peers = [request.client.host if request.client else "127.0.0.1"]  # a socket in the file system: this machine
        for name in _SPOKEN_FOR:
            for value in request.headers.getlist(name):
                peers += [part.strip() for part in value.split(",")]
        return all(self._in_networks(peer) for peer in peers)

    def _in_networks(self, peer: str) -> bool:
        match = _IN_FORWARDED.fullmatch(peer[:200])
        try:
            address = ipaddress.ip_address(match[1] if match else "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address.version == network.version and address in network for network in self.metrics_allow)

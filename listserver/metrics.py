"""Numbers for Prometheus: declared beside the code that moves them, read at /metrics, listed in docs/monitoring.md.

One registry of our own, so that nothing else in the process gets in; a name is declared once, at import. Surprise: what
the database knows better (how deep the outbox is) is not counted here but asked when somebody looks, see `web/health.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """A number that only grows; its name ends in `_total`."""
    return Counter(name, meaning, labels, registry=REGISTRY)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """A number that goes up and down."""
    return Gauge(name, meaning, labels, registry=REGISTRY)


def seconds(name: str, meaning: str, labels: Sequence[str] = ()) -> Histogram:
    """How long something took."""
    return Histogram(name, meaning, labels, registry=REGISTRY, buckets=SECONDS)


def declared() -> dict[str, str]:
    """Every metric's name as Prometheus sees it, and its meaning."""
    return {family.name + ("_total" if family.type == "counter" else ""): family.documentation for family in REGISTRY.collect()}


def render() -> bytes:
    """All of them in Prometheus' text form."""
    return generate_latest(REGISTRY)

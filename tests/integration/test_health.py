"""What the service says of itself: /health for whoever watches, /metrics for those who may."""

from __future__ import annotations

import asyncio
import re
import smtplib
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from listserver.server import Service
from listserver.store import pulse, schema
from listserver.store.engine import Database
from tests.acceptance.community import LIST, community

PARTS = ("smtp", "deliver", "web")


def _hand_over(port: int, raw: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as connection:
        connection.sendmail("ruth@example.net", LIST, raw)


async def _get(service: Service, path: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(service.web_addresses[0] + path, headers=headers)


def _samples(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_health_says_how_it_stands(tmp_path: Path) -> None:
    """ok, version, durability, outbox depth and age, mail in flight."""
    async with community(tmp_path, parts=PARTS) as one:
        await one.write("ruth@example.net")
        answer = await _get(one.service, "/health")
        assert answer.status_code == 200
        document = answer.json()
        assert document["ok"] is True
        assert document["durability"] == "full"
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", document["version"])
        assert document["outbox"] == {"depth": 0, "oldest_seconds": 0}
        assert document["in_flight"] == 0


async def test_what_waits_is_seen(tmp_path: Path) -> None:
    """Without a worker, copies wait: their number and the age of the oldest show in both places."""
    async with community(tmp_path, parts=("smtp", "web")) as one:
        one.join("gwen@example.net", "tom@example.net")
        message = b"From: ruth@example.net\r\nTo: toolshare@lists.example.org\r\nMessage-ID: <m1@example.net>\r\n\r\nHello\r\n"
        await asyncio.to_thread(_hand_over, one.port(), message)
        async with asyncio.timeout(20):
            while one.service.intake.waiting:
                await asyncio.sleep(0.002)
        one.clock.moment = one.clock.moment.replace(hour=10)
        document = (await _get(one.service, "/health")).json()
        assert document["outbox"] == {"depth": 3, "oldest_seconds": 3600}
        samples = _samples((await _get(one.service, "/metrics")).text)
        assert samples["listserver_outbox_deliveries{state=queued}"] == 3
        assert samples["listserver_outbox_oldest_seconds"] == 3600


async def test_a_clock_that_stopped_is_told(tmp_path: Path) -> None:
    """503 and a sentence when the outbox is not worked any more."""
    async with community(tmp_path, parts=PARTS) as one:
        one.service.outbox.stop()
        await one.service._outbox_task
        answer = await _get(one.service, "/health")
        assert answer.status_code == 503
        assert answer.json()["problems"] == ["the outbox is not worked any more"]


async def test_metrics_account_for_every_mail(tmp_path: Path) -> None:
    """accepted = sum of the states, as numbers that an alarm can watch."""
    async with community(tmp_path, parts=PARTS, options={"moderate_first": "1"}) as one:
        one.join("gwen@example.net")
        await one.write("ruth@example.net")
        await one.write("gwen@example.net")
        samples = _samples((await _get(one.service, "/metrics")).text)
        states = {name: value for name, value in samples.items() if name.startswith("listserver_incoming_state{")}
        assert samples["listserver_incoming"] == sum(states.values()) == 2
        assert states["listserver_incoming_state{state=held}"] == 1
        assert samples["listserver_incoming_unaccounted"] == 0
        assert samples["listserver_in_flight"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "127.0.0.1"}, 200),
        ({"X-Forwarded-For": "203.0.113.9"}, 403),
        ({"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, 403),
        ({"X-Real-IP": "203.0.113.9"}, 403),
        ({"Forwarded": 'for="[2001:db8::9]:4711";proto=https'}, 403),
        ({"Forwarded": "for=127.0.0.1;by=127.0.0.1"}, 200),
        ({"X-Forwarded-For": "rubbish"}, 403),
    ],
)
async def test_metrics_are_for_those_who_may(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """Loopback only unless METRICS_ALLOW says more; whom a proxy speaks for must be allowed too."""
    async with community(tmp_path, parts=("web",)) as one:
        assert (await _get(one.service, "/metrics", **headers)).status_code == status
        assert (await _get(one.service, "/health", **headers)).status_code == 200


async def test_other_networks_can_be_allowed(tmp_path: Path) -> None:
    """METRICS_ALLOW replaces the default."""
    async with community(tmp_path, parts=("web",), metrics_allow="192.0.2.0/24") as one:
        assert (await _get(one.service, "/metrics")).status_code == 403


def test_the_pulse_asks_by_index(tmp_path: Path) -> None:
    """What is open is found without reading what was ever delivered: the partial indexes answer."""
    database = Database(f"sqlite:///{tmp_path}/listserver.db")
    schema.upgrade(database)
    with database.read() as connection:
        for statement in (pulse._OPEN, pulse._IN_FLIGHT):
            plan = " ".join(str(row[3]) for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {statement.text}")))
            assert "USING COVERING INDEX" in plan, plan
    database.close()

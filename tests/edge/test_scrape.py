"""`/metrics`: what it tells of the database, who may read it, and what it says when the database is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.flow.conftest import USD, World, inhabited
from ulak.admin import audit, gauges
from ulak.base import metrics
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge import scrape
from ulak.edge.rooms import Rooms
from ulak.edge.siblings import Siblings
from ulak.edge.site import Site


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as its:
        yield its


def client(db: Database, config: Config, siblings: Siblings | None = None) -> httpx.AsyncClient:
    site = Site(Rooms(config, db), siblings)
    return httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://ulak")


Told = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def told(db: Database, config: Config | None = None, siblings: Siblings | None = None) -> Told:
    async with client(db, config or Config(), siblings) as asking:
        answer = await asking.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_the_database_is_told(world: World) -> None:
    service = await world.service()
    rich, poor = await world.customer(100 * USD), await world.customer(3 * USD)
    await world.send(rich, service, to=5)
    await world.send(poor, service, to=1)
    await world.receive(["nobody knows this one"])
    await audit.told(world.db, clean=True)

    seen = await told(world.db, Config(low_balance=10))

    carrier = (("carrier", str(world.carrier)),)
    assert seen["ulak_database_up", ()] == 1
    assert seen["ulak_migrations_pending", ()] == 0
    assert seen["ulak_queue_messages", carrier] == 6
    assert 0 <= seen["ulak_queue_oldest_seconds", carrier] < 60
    assert seen["ulak_receipts_unmatched", carrier] == 1
    assert seen["ulak_links_bound", carrier] == seen["ulak_links", carrier] == 0
    assert seen["ulak_sendings_open", ()] == 2
    assert seen["ulak_credits_low", ()] == 1
    assert abs(seen["ulak_audit_timestamp_seconds", (("result", "clean"),)] - time.time()) < 60
    assert seen["ulak_processes", ()] == 1
    assert seen["ulak_charged_total", (("process", "api-1"),)] >= 6


async def test_every_gauge_that_is_read_is_named_in_the_list(world: World) -> None:
    values = await gauges.read(world.db, low_balance=1)
    assert {value.gauge for value in values} <= set(metrics.READ)
    assert all(len(value.labels) == len(value.gauge.labels) for value in values)


async def test_a_database_that_is_away_keeps_nobody_waiting(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object, **__: object) -> list[gauges.Value]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(gauges, "read", slow)
    monkeypatch.setattr(scrape, "PATIENCE_SECONDS", 0.05)
    seen = await told(db)
    assert seen["ulak_database_up", ()] == 0
    assert ("ulak_database_bytes", ()) not in seen
    assert seen["ulak_messages_accepted_total", (("process", "api-1"),)] >= 0


async def test_a_database_is_not_asked_by_everybody(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def read(*_: object, **__: object) -> list[gauges.Value]:
        asked.append(1)
        await asyncio.sleep(0.01)
        return []

    monkeypatch.setattr(gauges, "read", read)
    async with client(db, Config()) as asking:
        await asyncio.gather(*(asking.get("/metrics") for _ in range(10)))
    assert len(asked) == 1


async def test_a_token_lets_in(db: Database) -> None:
    async with client(db, Config(metrics_token="open sesame")) as asking:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "open sesame"}):
            answer = await asking.get("/metrics", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json()["error"]["code"] == "unauthorized"
            assert "sesame" not in answer.text
        right = {"authorization": "Bearer open sesame"}
        assert (await asking.get("/metrics", headers=right)).status_code == 200
        assert (await asking.get("/healthz")).status_code == 200


async def test_siblings_are_put_side_by_side(db: Database, tmp_path: Path) -> None:
    one, other = Siblings("api-1", tmp_path), Siblings("carriers-1", tmp_path)
    answering = [asyncio.create_task(each.answer()) for each in (one, other)]
    (tmp_path / "gone.sock").touch()
    while not all((tmp_path / f"{each.name}.sock").exists() for each in (one, other)):
        await asyncio.sleep(0.01)

    seen = await told(db, siblings=one)

    assert seen["ulak_processes", ()] == 2
    for name in ("api-1", "carriers-1"):
        assert ("ulak_messages_accepted_total", (("process", name),)) in seen
    for task in answering:
        task.cancel()
    await asyncio.gather(*answering, return_exceptions=True)


async def test_a_server_that_stops_is_not_ready_but_answers(db: Database) -> None:
    rooms = Rooms(Config(), db)
    transport = httpx.ASGITransport(Site(rooms))
    async with httpx.AsyncClient(transport=transport, base_url="http://ulak") as asking:
        assert (await asking.get("/readyz")).json() == {"ready": True}
        rooms.leaving = True
        stopping = await asking.get("/readyz")
        assert (stopping.status_code, stopping.json()["reason"]) == (503, "stopping")
        assert (await asking.get("/healthz")).status_code == 200
        assert (await asking.get(f"/v1/sms-sendings/{uuid4()}")).status_code == 401

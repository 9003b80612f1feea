"""Gathering texts for searching: what the courier takes up, when, and what it leaves alone."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.flow.conftest import USD, World
from ulak.admin import accounts
from ulak.flow import searchable
from ulak.flow.accept import now
from ulak.rules.actor import Actor
from ulak.rules.stretches import EPOCH
from ulak.rules.tenancy import Context
from ulak.store import credits


async def customer(world: World, name: str = "mark") -> Context:
    """Somebody whom the directory knows: of others nothing is gathered."""
    who = Context((await accounts.create_user(world.db, Actor("test"), name, f"{name}@example.com")).id)
    async with world.db.transaction() as tx:
        await credits.ensure(tx, who.tenant_id, who.owner_id)
        await credits.move(
            tx,
            tenant_id=who.tenant_id,
            kind="topup",
            debit=credits.FUNDING,
            credit=who.owner_id,
            amount=100 * USD,
            actor="test",
        )
    return who


async def gathered(world: World) -> dict[UUID, int]:
    async with world.db.reading() as tx:
        rows = await tx.fetch(
            "SELECT tenant_id, sum(cardinality(ids)) AS n FROM search_blocks GROUP BY tenant_id"
        )
    return {row["tenant_id"]: row["n"] for row in rows}


async def test_a_day_that_is_over_is_gathered_whole(world: World) -> None:
    service = await world.service()
    one, other = await customer(world), await customer(world, "sally")
    for who in (one, one, other):
        await world.send(who, service)

    more = await searchable.gather(world.db, now() + timedelta(days=2), since=EPOCH)

    assert await gathered(world) == {one.tenant_id: 2, other.tenant_id: 1}
    assert not more


async def test_a_day_that_goes_on_waits_until_much_has_come_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, service = await customer(world), await world.service()
    await world.send(who, service)
    monkeypatch.setattr(searchable, "DISTANCE", timedelta(seconds=-1))  # nothing is too young
    monkeypatch.setattr(searchable, "ROWS_MIN", 2)

    await searchable.gather(world.db, now(), since=EPOCH)
    assert await gathered(world) == {}
    await world.send(who, service)
    await searchable.gather(world.db, now(), since=EPOCH)
    assert await gathered(world) == {who.tenant_id: 2}


async def test_what_is_young_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    who, service = await customer(world), await world.service()
    await world.send(who, service)
    monkeypatch.setattr(searchable, "ROWS_MIN", 1)

    more = await searchable.gather(world.db, now(), since=EPOCH)

    assert (await gathered(world), more) == ({}, False)


async def test_nothing_is_gathered_twice(world: World) -> None:
    who, service = await customer(world), await world.service()
    await world.send(who, service)

    for _ in range(2):
        await searchable.gather(world.db, now() + timedelta(days=2), since=EPOCH)

    assert await gathered(world) == {who.tenant_id: 1}


async def test_what_comes_late_is_gathered_with_its_day(world: World) -> None:
    who, service = await customer(world), await world.service()
    for _ in range(2):
        await world.send(who, service)
        await searchable.gather(world.db, now() + timedelta(days=2), since=EPOCH)

    assert await gathered(world) == {who.tenant_id: 2}

"""Summing up hours: what the courier takes up, when, how much of it, and what it leaves alone."""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.flow.conftest import World
from tests.flow.test_searchable import customer
from tests.store.test_hours import HOUR, add, kept
from tests.store.test_listing import new
from ulak.admin import audit
from ulak.flow import summarised
from ulak.flow.accept import now
from ulak.rules.status import Status
from ulak.rules.stretches import EPOCH
from ulak.store import hours
from ulak.store.hours import Sums

DAY = timedelta(days=1)


def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


async def sums(world: World, tenant: UUID) -> Sums:
    """Of these days."""
    async with world.db.moment() as tx:
        [its] = await hours.days(tx, tenant, [now() - 2 * DAY, now() + 2 * DAY])
    return its


async def test_an_hour_that_is_over_is_gathered(world: World) -> None:
    service = await world.service()
    one, other = await customer(world), await customer(world, "sally")
    for who in (one, one, other):
        await world.send(who, service)

    assert not await summarised.gather(world.db, now() + DAY, since=EPOCH)

    assert sorted(n for _, n, _ in await kept(world.db)) == [1, 2]


async def test_an_hour_that_ended_just_now_is_left_alone(world: World) -> None:
    who = await customer(world)
    hour = this_hour()
    await add(world.db, new(who.tenant_id, hour - HOUR, "api", "x"))

    await summarised.gather(world.db, hour + summarised.DISTANCE - timedelta(seconds=1), since=EPOCH)
    assert await kept(world.db) == []
    await summarised.gather(world.db, hour + summarised.DISTANCE, since=EPOCH)
    assert await kept(world.db) == [(hour - HOUR, 1, 1)]


async def test_nothing_is_gathered_twice(world: World) -> None:
    who, service = await customer(world), await world.service()
    await world.send(who, service)
    await summarised.gather(world.db, now() + DAY, since=EPOCH)
    async with world.db.reading() as tx:
        written = await tx.fetch("SELECT xmin, * FROM hours")

    await summarised.gather(world.db, now() + DAY, since=EPOCH)

    async with world.db.reading() as tx:
        assert await tx.fetch("SELECT xmin, * FROM hours") == written


async def test_history_is_gathered_little_by_little_the_newest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await customer(world)
    hour = this_hour()
    starts = [hour - n * DAY for n in range(1, 7)]
    await add(world.db, *(new(who.tenant_id, at, "api", "x") for at in starts))
    monkeypatch.setattr(summarised, "HOURS_MAX", 2)
    monkeypatch.setattr(summarised, "HISTORY", 4 * DAY + HOUR)

    seen = []
    for _ in range(3):
        more = await summarised.gather(world.db, hour + HOUR, since=EPOCH)
        seen.append((more, len(await kept(world.db))))

    assert seen == [(True, 2), (True, 4), (False, 4)]
    assert [at for at, _, _ in await kept(world.db)] == sorted(starts[:4])


async def test_no_further_back_than_asked(world: World) -> None:
    who = await customer(world)
    hour = this_hour()
    await add(world.db, *(new(who.tenant_id, hour - n * DAY, "api", "x") for n in (1, 5)))

    await summarised.gather(world.db, hour + HOUR, since=hour - 2 * DAY)

    assert [at for at, _, _ in await kept(world.db)] == [hour - DAY]


async def test_several_couriers_gather_beside_each_other(world: World) -> None:
    who = await customer(world)
    dice = random.Random(1)
    hour = this_hour()
    rows = [new(who.tenant_id, hour - dice.randrange(72) * HOUR, "api", "x") for _ in range(200)]
    await add(world.db, *rows)

    await asyncio.gather(*(summarised.gather(world.db, hour + DAY, since=hour - 4 * DAY) for _ in range(4)))

    found = await kept(world.db)
    assert len(found) == len({row.created_at for row in rows})
    assert sum(n for _, n, _ in found) == 200


async def test_what_ends_after_its_hour_was_gathered_is_told_and_gathered_later(world: World) -> None:
    who, service = await customer(world), await world.service()
    await world.send(who, service, to=4)
    refs = await world.take(*await world.lease())
    await summarised.gather(world.db, now() + DAY, since=EPOCH)
    usd = 1_000_000
    assert await sums(world, who.tenant_id) == Sums(1, 4, 0, 0, 0, 0, 4 * usd, 0)

    await world.receive(refs[:2])
    assert await sums(world, who.tenant_id) == Sums(1, 4, 2, 0, 0, 0, 4 * usd, 0)
    await world.receive(refs[2:3], Status.NOT_SENT)
    await world.receive(refs[3:], Status.NO_SIGNAL)
    ended = Sums(1, 4, 2, 1, 1, 2, 4 * usd, 2 * usd)
    assert await sums(world, who.tenant_id) == ended
    await summarised.gather(world.db, now() + DAY, since=EPOCH)
    await world.receive(refs)  # after the end: nothing changes any more

    assert await sums(world, who.tenant_id) == ended
    assert [(n, n_open) for _, n, n_open in await kept(world.db)] == [(1, 0)]


async def test_sums_are_exact_and_proved_while_sendings_come_and_go(world: World) -> None:
    """Whatever is gathered meanwhile, and however early."""
    who, service = await customer(world), await world.service()

    async def busy() -> None:
        for _ in range(8):
            await asyncio.gather(*(world.send(who, service, to=2) for _ in range(3)))
            refs = await world.take(*await world.lease())
            await world.receive(refs[::2], Status.NOT_SENT)
            await world.receive(refs[1::2])

    working = asyncio.gather(busy(), busy())
    while not working.done():
        await summarised.gather(world.db, now() + DAY, since=now() - DAY)
        async with world.db.moment() as tx:
            [its] = await hours.days(tx, who.tenant_id, [now() - 2 * DAY, now() + 2 * DAY])
            plain = await tx.fetchrow(
                "SELECT count(*), sum(n_valid), sum(n_sent), sum(total_refunded) FROM sendings"
            )
        assert plain
        assert (its.n_sendings, its.n_valid, its.n_sent, its.total_refunded) == tuple(n or 0 for n in plain)
        assert [one async for proof in audit.prove(world.db) for one in proof.differences] == []
    await working
    assert its.n_sendings

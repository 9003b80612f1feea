"""The till under more than it can take, and the gate before it: what is refused, and that it opens again."""

import asyncio

import pytest

from tests.flow.conftest import World
from ulak.edge.gate import Gate
from ulak.rules.refusal import Code, Refused


async def test_while_the_oldest_waits_too_long_the_next_are_refused_at_once(world: World) -> None:
    who, service = await world.customer(), await world.service()
    till = world.acceptance._till
    till._wait_seconds_max = 0.05
    async with world.db.transaction() as tx:
        await tx.execute("LOCK TABLE sendings")  # the database takes its time
        first = asyncio.create_task(world.send(who, service))
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(world.send(who, service))
        await asyncio.sleep(0.1)
        with pytest.raises(Refused) as refused:
            async with asyncio.timeout(0.1):
                await world.send(who, service)
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    await asyncio.gather(first, waiting)
    await world.send(who, service)
    assert await world.count("sendings") == 3


def test_a_gate_counts_what_is_inside() -> None:
    gate = Gate(requests_max=2, bytes_max=100)
    gate.enter()
    gate.enter()
    with pytest.raises(Refused):
        gate.enter()
    gate.leave()
    gate.enter()
    gate.hold(1000)  # one always fits
    with pytest.raises(Refused):
        gate.hold(1)
    gate.release(1000)
    gate.hold(60)
    gate.hold(40)
    with pytest.raises(Refused):
        gate.hold(1)

"""The till under more than it can take, and the gate before it: what is refused, and that it opens again."""

import asyncio
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.requests import Request

from tests.flow.conftest import World
from ulak.edge.gate import Gate, Streams
from ulak.rules.refusal import Code, Refused


async def test_what_waits_too_long_is_refused_and_so_is_what_comes_meanwhile(world: World) -> None:
    who, service = await world.customer(), await world.service()
    till = world.acceptance._till
    till._wait_seconds_max = 0.05
    async with world.db.transaction() as tx:
        await tx.execute("LOCK TABLE sendings")  # the database takes its time
        first = asyncio.create_task(world.send(who, service))
        while not await tx.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sendings'::regclass"
        ):
            await asyncio.sleep(0.005)
        waiting = asyncio.create_task(world.send(who, service))
        while not till._waiting:
            await asyncio.sleep(0.005)
        await asyncio.sleep(2 * till._wait_seconds_max)
        with pytest.raises(Refused) as refused:
            async with asyncio.timeout(5):
                await world.send(who, service)
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    await first
    with pytest.raises(Refused):  # its turn came too late
        await waiting
    await world.send(who, service)
    assert await world.count("sendings") == 2


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long outside."""
    monkeypatch.setattr("ulak.edge.gate.WAIT_SECONDS", 0.05)


@pytest.mark.usefixtures("briefly")
async def test_a_gate_counts_what_is_inside() -> None:
    gate = Gate(requests_max=2, bytes_max=100)
    await gate.enter()
    await gate.enter()
    with pytest.raises(Refused) as refused:
        await gate.enter()
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    gate.leave()
    await gate.enter()
    gate.leave()
    gate.leave()
    assert gate.requests == 0


async def test_who_finds_no_place_waits_for_one_in_the_order_of_coming() -> None:
    gate = Gate(requests_max=1, bytes_max=100)
    await gate.enter()
    came: list[str] = []

    async def visit(name: str) -> None:
        await gate.enter()
        came.append(name)

    waiting = [asyncio.create_task(visit(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    assert came == []
    with pytest.raises(Refused):  # two wait for one place, so nobody else does
        async with asyncio.timeout(0.9):
            await gate.enter()
    gate.leave()
    await waiting[0]
    assert (came, gate.requests) == (["first"], 1)
    gate.leave()
    await waiting[1]
    gate.leave()
    assert gate.requests == 0


@pytest.mark.usefixtures("briefly")
async def test_whoever_goes_while_they_wait_takes_no_place_with_them() -> None:
    gate = Gate(requests_max=1, bytes_max=100)
    await gate.enter()
    with pytest.raises(Refused):
        await gate.enter()
    gets_it = asyncio.create_task(gate.enter())
    leaves = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    leaves.cancel()
    gate.leave()
    gets_it.cancel()  # at the same moment
    await asyncio.gather(leaves, gets_it, return_exceptions=True)
    assert gate.requests == 0
    await gate.enter()


async def test_bodies_have_room_together_and_one_always_fits() -> None:
    gate = Gate(requests_max=2, bytes_max=100)
    gate.hold(1000, 1)
    with pytest.raises(Refused):
        gate.hold(1, 2)
    gate.arrived(1)
    gate.release(1000, 1)
    for whose in range(5):
        gate.hold(20, whose)
    with pytest.raises(Refused):
        gate.hold(1, 6)


def test_one_customer_has_a_share_of_the_room_and_of_what_is_on_its_way() -> None:
    gate = Gate(requests_max=8, bytes_max=100)

    gate.hold(20, 1)
    with pytest.raises(Refused) as refused:
        gate.hold(6, 1)
    assert (refused.value.code, refused.value.retry_after) == (Code.RATE_LIMITED, 1)
    gate.hold(80, 2)  # of somebody who holds nothing, one fits whatever its size
    gate.arrived(2)
    gate.release(80, 2)

    gate.hold(1, 1)
    with pytest.raises(Refused):
        gate.hold(1, 1)  # two of eight are on their way, and that is a quarter
    gate.arrived(1)
    gate.hold(1, 1)
    for n_bytes in (20, 1):
        gate.arrived(1)
        gate.release(n_bytes, 1)
    gate.release(1, 1)
    assert (gate.bytes, gate._shares) == (0, {})


async def test_a_body_that_does_not_say_how_long_it_is_holds_what_it_may_become_once_it_is_long() -> None:
    gate, pieces = Gate(requests_max=8, bytes_max=2**20), [b"x" * 40_000] * 4

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    body = gate.body(Request({"type": "http", "headers": []}, receive), 2**19, 1)
    held = []
    while pieces:
        await body.receive()
        held.append(gate.bytes)
    assert held == [2**16, 2**19, 2**19, 2**19]
    body.release()
    body.release()
    assert (gate.bytes, gate._shares) == (0, {})


def test_streams_are_bounded_in_all_of_a_session_and_of_one_person() -> None:
    one, other, session, second = (uuid4() for _ in range(4))
    streams = Streams(4, of_session=1, of_one=2)

    def refused(session_id: UUID, whose: UUID) -> Code | None:
        try:
            stack.enter_context(streams.place(session_id, whose))
        except Refused as refusal:
            return refusal.code
        return None

    with ExitStack() as stack:
        with streams.place(session, one):
            assert refused(session, one) == Code.RATE_LIMITED
            assert refused(second, one) is None
            assert refused(uuid4(), one) == Code.RATE_LIMITED
            assert refused(uuid4(), other) is None
            assert refused(uuid4(), uuid4()) is None
            assert refused(uuid4(), uuid4()) == Code.UNAVAILABLE
            assert streams.open == 4
        assert refused(session, one) is None
    assert streams.open == 0

"""A link by itself: what it does when there is nothing to do, and how soon it notices that there is."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from smpp.profiles import Profile
from smpp.simulator import Simulator, SimulatorOptions
from tests.edge.carrier.conftest import Bench
from tests.edge.carrier.conftest import submits as submits_of
from ulak.base.config import Config
from ulak.flow import dispatch, pulse
from ulak.rules.status import Status
from ulak.store import queue

NEVER = SimulatorOptions(profile=Profile(answer_ms=600_000))
IMPATIENT = Config(reconnect_seconds_max=0.1, response_seconds=0.4, attempts_max=2)
PATIENT = Config(reconnect_seconds_max=0.1)

pytestmark = pytest.mark.slow


async def test_an_idle_link_leaves_the_database_alone(bench: Bench, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked = 0
    lease = queue.lease

    async def counted(*args: object, **options: object) -> list[queue.Run]:
        nonlocal asked
        asked += 1
        return await lease(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(queue, "lease", counted)
    async with bench.carrier():
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, to=50)
        assert await bench.ended(who, sending) == [Status.SENT] * 50
        await asyncio.sleep(0.5)
        asked = 0
        await asyncio.sleep(2.5)

    assert asked <= 4  # once a second


@pytest.mark.parametrize(("unsure", "submits"), [("refund", 1), ("resend", 2)])
async def test_what_is_never_answered_is_unsure_and_handled_as_the_service_says(
    bench: Bench, unsure: str, submits: int
) -> None:
    async with bench.carrier(NEVER, IMPATIENT) as simulator:
        who, service = await bench.world.customer(), await bench.world.service(unsure=unsure)
        sending = await bench.world.send(who, service)
        assert await bench.ended(who, sending) == [Status.NOT_SENT]

    assert simulator.counters.submits == submits
    assert await bench.world.balance(who) == 100 * 10**6
    assert (
        await bench.world.count("incidents", "kind = 'unsure' AND reason LIKE '%no answer within%'")
        == submits
    )


async def test_of_what_must_not_go_twice_no_part_does_when_the_link_is_lost_between_parts(
    bench: Bench,
) -> None:
    async with bench.carrier(SimulatorOptions(throttle=1, keep=True), PATIENT) as simulator:
        who, service = await bench.world.customer(), await bench.world.service(unsure="refund")
        sending = await bench.world.send(who, service, text="x" * 300)
        await seen(
            simulator, throttled=1
        )  # the first part was taken, the second is to go again, and on no wire
        simulator.drop()
        simulator.options = SimulatorOptions(delay_ms=1, keep=True)
        assert await bench.ended(who, sending) == [Status.NOT_SENT]
        await asyncio.sleep(1.5)

    assert [pdu.short_message[5] for pdu in submits_of(simulator)] == [1]


async def test_what_is_at_hand_stays_there_while_its_lease_may_be_somebody_elses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process stands still, or its database is away: it must not go on as if nothing had been."""
    away = asyncio.Event()
    renew = dispatch.renew

    async def unreachable(*args: Any, **options: Any) -> set[int]:
        if not away.is_set():
            raise ConnectionError
        return await renew(*args, **options)

    monkeypatch.setattr(dispatch, "renew", unreachable)
    slow = SimulatorOptions(profile=Profile(answer_ms=500), keep=True)
    config = Config(reconnect_seconds_max=0.1, lease_seconds=0.2)
    async with bench.carrier(slow, config, window_max=2) as simulator:
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, to=8)
        await seen(simulator, submits=2)
        await asyncio.sleep(1.5)
        assert simulator.counters.submits == 2  # answered by now, and the next could go
        away.set()
        assert await bench.ended(who, sending) == [Status.SENT] * 8

    assert (simulator.counters.distinct, simulator.counters.repeats) == (8, 0)


async def test_a_link_that_fell_over_leaves_no_connection_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(dispatch, "record", broken)
    left_behind = True
    with suppress(RuntimeError):
        async with bench.carrier() as simulator:
            await bench.world.send(await bench.world.customer(), await bench.world.service())
            await seen(simulator, submits=1)
            async with asyncio.timeout(3):
                while simulator._bound:
                    await asyncio.sleep(0.005)
            left_behind = False

    assert not left_behind


async def seen(simulator: Simulator, **counters: int) -> None:
    """Wait until the carrier has counted so many."""
    async with asyncio.timeout(10):
        while any(getattr(simulator.counters, name) < n for name, n in counters.items()):
            await asyncio.sleep(0.005)


async def test_throttled_submits_are_written_down_and_are_no_attempts(bench: Bench) -> None:
    async with bench.carrier(SimulatorOptions(throttle=40, delay_ms=1)):
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, to=60)
        assert await bench.ended(who, sending) == [Status.SENT] * 60

    assert await bench.world.count("incidents", "kind = 'throttled' AND status = 88") > 0
    assert await bench.world.count("messages", "attempts > 0") == 0


async def test_what_happens_on_the_wire_shows_in_the_pulse(bench: Bench) -> None:
    pulse._counts.clear()
    async with bench.carrier(SimulatorOptions(throttle=40, delay_ms=1)):
        who, service = await bench.world.customer(), await bench.world.service()
        long = await bench.world.send(who, service, to=2, text="x" * 400)  # three parts
        many = await bench.world.send(who, service, to=60)
        assert await bench.ended(who, long) == [Status.SENT] * 2
        assert await bench.ended(who, many) == [Status.SENT] * 60

    counts, its = dict(pulse._counts), bench.world.carrier
    throttled = counts["answers", its, "0x58"]
    assert throttled > 0
    assert counts["answers", its, "0x00"] == 66
    assert counts["submits", its, ""] == 66 + throttled
    assert counts["gone", its, ""] == 62
    assert counts["receipts", its, "sent"] >= 66
    assert counts["ended", its, "sent"] == 62
    assert 0 <= counts["answer_ms", its, ""] < 66_000
    assert 0 <= counts["gone_ms", its, ""] < 62 * 20_000

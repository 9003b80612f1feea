"""The simulated carrier: fates by seed and by number, throttling, receipts that are not lost."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from smpp.client import Client
from smpp.pdu import Status, SubmitSm
from smpp.receipt import State, parse
from smpp.simulator import Simulator, SimulatorOptions
from tests.smpp.ends import Customer, until, where


def message(n: int, to: str = "") -> SubmitSm:
    return SubmitSm(destination_addr=to or f"90555{n:06d}5", registered_delivery=1, short_message=b"%d" % n)


async def play(
    messages: list[SubmitSm], *, acknowledge: bool = True, **options: Any
) -> tuple[Customer, Simulator]:
    """All messages through a simulator, and all their receipts back."""
    simulator, customer = Simulator(SimulatorOptions(**{"delay_ms": 1.0} | options)), Customer()
    port = await simulator.start()
    client = await Client.bind(where(port, window_max=len(messages)), customer)
    for n, pdu in enumerate(messages):
        client.submit(pdu, n)
    await until(lambda: len(customer.answers) == len(messages), "all answers")
    taken = sum(answer.status == 0 for answer in customer.answers)
    if simulator.options.receipts == 100:
        await until(lambda: len(customer.deliveries) == taken, "all receipts")
        if acknowledge:
            client.acknowledge([delivery.sequence for delivery in customer.deliveries])
            await until(lambda: simulator.counters.acknowledged == taken, "all acknowledged")
    client.close()
    await until(lambda: bool(customer.losses), "the end")
    await simulator.stop()
    return customer, simulator


def fates(customer: Customer) -> dict[str, State | None]:
    """Each message id's fate."""
    receipts = [parse(delivery.pdu) for delivery in customer.deliveries]
    return {receipt.message_id: receipt.state for receipt in receipts if receipt}


async def test_each_message_gets_its_receipt() -> None:
    customer, simulator = await play([message(n) for n in range(100)])

    assert set(fates(customer)) == {answer.message_id for answer in customer.answers}
    assert set(fates(customer).values()) == {State.DELIVRD}
    counters = simulator.counters
    assert counters.submits == counters.taken == counters.receipts == counters.delivered == 100
    assert counters.acknowledged == counters.distinct == 100
    assert counters.repeats == counters.throttled == counters.resent == 0


async def test_shares_are_kept_and_the_same_seed_gives_the_same_fates() -> None:
    runs = [
        await play([message(n) for n in range(1000)], undelivered=8, expired=4, seed=seed)
        for seed in (1, 1, 2)
    ]

    shares = [Counter(fates(customer).values()) for customer, _ in runs]
    assert 50 < shares[0][State.UNDELIV] < 110
    assert 20 < shares[0][State.EXPIRED] < 65
    in_order = [list(fates(customer).values()) for customer, _ in runs]
    assert in_order[0] == in_order[1] != in_order[2]
    ids = [set(fates(customer)) for customer, _ in runs]
    assert ids[0].isdisjoint(ids[1])


@pytest.mark.parametrize("options", [{}, {"undelivered": 100.0}, {"expired": 100.0}])
async def test_number_endings_decide_whatever_the_shares(options: dict[str, float]) -> None:
    messages = [message(1, "905550000901"), message(2, "905550000902")]

    customer, _ = await play(messages, **options)

    assert list(fates(customer).values()) == [State.UNDELIV, State.EXPIRED]


async def test_no_receipt_unless_asked_for() -> None:
    quiet = [SubmitSm(destination_addr="905551112233", registered_delivery=0)]

    customer, simulator = await play(quiet, receipts=0.0)
    assert simulator.counters.receipts == 0
    assert customer.deliveries == []


async def test_a_share_of_receipts_can_be_kept_back() -> None:
    _, simulator = await play([message(n) for n in range(200)], receipts=0.0)

    assert simulator.counters.taken == 200
    assert simulator.counters.receipts == 0


async def test_above_the_rate_it_throttles() -> None:
    customer, simulator = await play([message(n) for n in range(500)], throttle=1000)

    statuses = Counter(answer.status for answer in customer.answers)
    assert set(statuses) == {0, Status.RTHROTTLED}
    assert statuses[0] == simulator.counters.taken < 400
    assert statuses[Status.RTHROTTLED] == simulator.counters.throttled


async def test_repeats_are_counted() -> None:
    _, simulator = await play([message(1), message(1), message(2)])

    assert (simulator.counters.distinct, simulator.counters.repeats) == (2, 1)


async def test_receipts_that_were_not_acknowledged_come_again() -> None:
    simulator, first, second = Simulator(SimulatorOptions(delay_ms=1)), Customer(), Customer()
    port = await simulator.start()
    client = await Client.bind(where(port), first)
    for n in range(10):
        client.submit(message(n), n)
    await until(lambda: len(first.deliveries) == 10, "all receipts")
    client.acknowledge([delivery.sequence for delivery in first.deliveries[:4]])
    await until(lambda: simulator.counters.acknowledged == 4, "four acknowledged")
    simulator.drop()
    await until(lambda: bool(first.losses), "the loss")

    client = await Client.bind(where(port), second)
    await until(lambda: len(second.deliveries) == 6, "the others again")
    client.acknowledge([delivery.sequence for delivery in second.deliveries])
    await until(lambda: simulator.counters.acknowledged == 10, "all acknowledged")
    client.close()
    await until(lambda: bool(second.losses), "the end")
    await simulator.stop()

    assert set(fates(first)) >= set(fates(second))
    assert (simulator.counters.receipts, simulator.counters.resent) == (10, 6)


async def test_a_refused_receipt_comes_again_later() -> None:
    simulator, customer = Simulator(SimulatorOptions(delay_ms=1)), Customer()
    port = await simulator.start()
    client = await Client.bind(where(port), customer)
    client.submit(message(1), 1)
    await until(lambda: len(customer.deliveries) == 1, "the receipt")
    client.acknowledge([customer.deliveries[0].sequence], Status.RX_T_APPN)
    await until(lambda: len(customer.deliveries) == 2, "the receipt again")
    client.acknowledge([customer.deliveries[1].sequence])
    await until(lambda: simulator.counters.acknowledged == 1, "its acknowledgement")
    client.close()
    await until(lambda: bool(customer.losses), "the end")
    await simulator.stop()


async def test_name_and_password_where_they_are_asked_for() -> None:
    simulator = Simulator(SimulatorOptions(system_id="ulak", password="other"))

    assert simulator.bind("nobody", "other") == Status.RINVSYSID
    assert simulator.bind("ulak", "secret") == Status.RINVPASWD
    assert simulator.bind("ulak", "other") == 0
    await asyncio.sleep(0)

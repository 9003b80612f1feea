"""The simulated carrier: fates by seed and by number, throttling, receipts that are not lost."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from smpp.client import BindRefused, Client
from smpp.pair import Pair
from smpp.pdu import Status, SubmitSm
from smpp.profiles import PROFILES
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


async def test_a_status_for_every_submit() -> None:
    customer, simulator = await play([message(n) for n in range(20)], answer=0x0B, throttle=1)

    assert {answer.status for answer in customer.answers} == {0x0B}
    counters = simulator.counters
    assert (counters.submits, counters.refused, counters.taken, counters.throttled) == (20, 20, 0, 0)


async def test_a_refusing_carrier() -> None:
    customer, simulator = await play([message(n) for n in range(20)], profile=PROFILES["refusing"])

    assert {answer.status for answer in customer.answers} == {Status.RINVSRCADR}
    assert (simulator.counters.refused, simulator.counters.taken) == (20, 0)


async def test_an_answer_of_zero_takes_what_a_profile_would_refuse() -> None:
    _, simulator = await play([message(n) for n in range(20)], profile=PROFILES["refusing"], answer=0)

    assert (simulator.counters.refused, simulator.counters.taken) == (0, 20)


def test_a_carrier_from_hell_does_not_refuse_everything() -> None:
    names = list(PROFILES)

    assert PROFILES["hell"].answer == 0
    assert names.index("refusing") == names.index("vendor-errors") + 1
    assert names[-1] == "hell"


async def test_every_bind_can_be_refused() -> None:
    simulator = Simulator(SimulatorOptions(bind_status=Status.RBINDFAIL))
    port = await simulator.start()
    with pytest.raises(BindRefused) as refused:
        await Client.bind(where(port), Customer())
    await simulator.stop()

    assert refused.value.status == Status.RBINDFAIL
    assert (simulator.counters.binds, simulator.counters.connections_max) == (0, 0)


async def test_the_most_binds_at_the_same_time_are_counted() -> None:
    simulator = Simulator()
    port = await simulator.start()
    for at_once in (3, 1, 2):
        customers = [Customer() for _ in range(at_once)]
        for customer in customers:
            await (await Client.bind(where(port, mode="transmitter"), customer)).unbind(1)
        clients = [await Client.bind(where(port, mode="transmitter"), customer) for customer in customers]
        for client in clients:
            await client.unbind(1)
        await until(lambda: not simulator._server.peers, "the ends")
    await simulator.stop()

    assert (simulator.counters.connections_max, simulator.counters.binds) == (3, 12)


def test_the_most_submits_of_a_second_are_counted() -> None:
    simulator = Simulator()
    for second, submits in ((7, 3), (8, 5), (11, 2)):
        for n in range(submits):
            simulator._came(second + n / 10)

    assert (simulator.counters.submits_per_second_max, simulator.counters.submits) == (5, 10)


async def test_submits_of_a_second_on_the_wire() -> None:
    _, simulator = await play([message(n) for n in range(100)], throttle=20, receipts=0.0)

    assert 50 <= simulator.counters.submits_per_second_max <= 100, (
        "throttled ones too; in two seconds at most"
    )


async def test_a_pair_gets_its_receipts() -> None:
    simulator, customer = Simulator(SimulatorOptions(delay_ms=1)), Customer()
    pair = await Pair.bind(where(await simulator.start()), customer)
    for n in range(50):
        pair.submit(message(n), n)
    await until(lambda: len(customer.deliveries) == 50, "all receipts")
    pair.acknowledge([delivery.sequence for delivery in customer.deliveries])
    await until(lambda: simulator.counters.acknowledged == 50, "all acknowledged")
    await pair.unbind(1)
    await simulator.stop()

    assert set(fates(customer)) == {answer.message_id for answer in customer.answers}


async def test_receipts_wait_for_somebody_of_that_name_who_may_receive() -> None:
    simulator, sending, other, receiving = (
        Simulator(SimulatorOptions(delay_ms=1)),
        *(Customer() for _ in "123"),
    )
    port = await simulator.start()
    transmitter = await Client.bind(where(port, mode="transmitter"), sending)
    stranger = await Client.bind(replace(where(port), system_id="other"), other)
    for n in range(10):
        transmitter.submit(message(n), n)
    await until(lambda: len(simulator._ready["ulak"]) == 10, "ten receipts that wait")
    await transmitter.unbind(1)
    receiver = await Client.bind(where(port, mode="receiver"), receiving)
    await until(lambda: len(receiving.deliveries) == 10, "all receipts")
    receiver.acknowledge([delivery.sequence for delivery in receiving.deliveries])
    await until(lambda: simulator.counters.acknowledged == 10, "all acknowledged")
    for client in (stranger, receiver):
        await client.unbind(1)
    await simulator.stop()

    assert other.deliveries == []
    assert set(fates(receiving)) == {answer.message_id for answer in sending.answers}

"""The short part of the fuzz over real sockets; `python -m tests.smpp.fuzz --sockets 20000` is the long one.

What it found stands here by itself as well.
"""

import asyncio
from typing import cast

import pytest

from smpp import wire
from smpp.client import Client
from smpp.codec import encode
from smpp.pdu import BindTransceiver, BindTransceiverResp, DataSm, DeliverSm, EnquireLink, SubmitSm
from smpp.simulator import Simulator, SimulatorOptions
from tests.smpp.ends import Carrier, Customer, bound, connected, speaking, until, where
from tests.smpp.sockets import Streams, fuzzed

LONG = "9" * 21


@pytest.mark.slow
async def test_hostile_ends_get_what_they_are_owed_and_cost_nobody_else_anything() -> None:
    seen = await fuzzed(1, 60)

    assert seen.streams.keys() == {*Streams.KINDS, "deaf"}
    assert seen.streams.total() == 2 * 60 + 2
    assert seen.answers > 1_000
    assert seen.closed > 20
    assert seen.served > 50


async def test_a_number_that_no_receipt_can_bear_is_refused() -> None:
    simulator, behaves = Simulator(SimulatorOptions(delay_ms=0)), Customer()
    port = await simulator.start()
    client = await Client.bind(where(port), behaves)
    async with connected(port) as (_, writer):
        writer.write(encode(BindTransceiver("stranger", "x"), 1))
        writer.write(encode(DataSm(destination_addr=LONG, registered_delivery=1), 2))
        writer.write(encode(DataSm(destination_addr="9", source_addr=LONG, registered_delivery=1), 3))
        await until(lambda: simulator.counters.submits == 2, "both were judged")
    client.submit(SubmitSm(destination_addr="905551112233", registered_delivery=1), "fits")
    await until(lambda: len(behaves.deliveries) == 1, "the receipt of somebody else's")
    client.close()
    await simulator.stop()

    assert (simulator.counters.taken, simulator.counters.refused) == (1, 2)


async def test_deliveries_of_the_same_number_are_acknowledged_each() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier) as client:
        carrier.peers[0].write(encode(DeliverSm(), 7) * 3)
        await until(lambda: len(customer.deliveries) == 3, "three deliveries")
        client.acknowledge([7, 7, 7, 7])
        await until(lambda: carrier.peers[0]._session.strays >= 3, "three answers")
        client.submit(SubmitSm(), "and nothing more")
        await until(lambda: bool(customer.answers), "the answer")
        assert carrier.peers[0]._session.strays == 3


async def test_deliveries_of_the_same_number_are_counted_each() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, deliveries_max=2):
        carrier.peers[0].write(encode(DeliverSm(), 7) * 4)
        await until(lambda: carrier.peers[0]._session.strays == 2, "two put off")

    assert len(customer.deliveries) == 2


async def test_who_asks_without_end_and_reads_no_answer_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "UNSENT_OCTETS_MAX", 1 << 16)
    customer, deaf = Customer(), Deaf()
    async with speaking(lambda: deaf) as port:
        await Client.bind(where(port), customer)
        await until(lambda: bool(customer.losses), "the end of the bind")
        deaf._transport.abort()
        await until(lambda: deaf.over, "its end on the other side")

    assert customer.losses == [([], "the other side does not read")]


class Deaf(asyncio.Protocol):
    """Lets one in, then asks and asks, and never listens again."""

    over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.pause_reading()
        self._transport.write(encode(BindTransceiverResp("deaf"), 1))
        self._transport.write(encode(EnquireLink(), 1) * (1 << 19))

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True

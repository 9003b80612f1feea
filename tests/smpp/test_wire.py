"""Client and server on a real socket: binds, the window, silence, ends, and peers that misbehave."""

import asyncio
import socket

import pytest

from smpp.client import BindRefused, Client
from smpp.codec import encode
from smpp.pdu import (
    BindReceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
)
from tests.smpp.ends import Carrier, Customer, bound, connected, listening, speaking, until, where


async def test_bind_submit_answer() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier) as client:
        client.submit(SubmitSm(destination_addr="905551112233", short_message=b"hi"), "token")
        await until(lambda: bool(customer.answers), "the answer")

    assert carrier.credentials == ("ulak", "secret")
    [request] = carrier.requests
    assert isinstance(request.pdu, SubmitSm)
    assert (request.pdu.destination_addr, request.pdu.short_message) == ("905551112233", b"hi")
    assert customer.answers == [("token", 0, "m1")]


@pytest.mark.parametrize("status", [Status.RINVPASWD, Status.RINVSYSID, Status.RBINDFAIL, 0x401])
async def test_a_refused_bind_says_why_and_nothing_is_lost(status: int) -> None:
    customer = Customer()
    async with listening(Carrier(bind_status=status)) as port:
        with pytest.raises(BindRefused) as refused:
            await Client.bind(where(port), customer)

    assert refused.value.status == status
    assert str(refused.value)
    assert customer.losses == []


async def test_nobody_listens() -> None:
    with socket.socket() as absent:
        absent.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await Client.bind(where(absent.getsockname()[1]), Customer())


async def test_a_carrier_that_accepts_and_says_nothing_is_given_up() -> None:
    async with speaking(asyncio.Protocol) as port, asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await Client.bind(where(port, connect_seconds=0.05), Customer())


async def test_a_carrier_that_closes_before_it_answers() -> None:
    async with speaking(Rude) as port:
        with pytest.raises(ConnectionError):
            await Client.bind(where(port), Customer())


async def test_the_window_is_kept() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with bound(customer, carrier, window_max=3) as client:
        for n in range(3):
            client.submit(SubmitSm(), n)
        assert client.free == 0
        with pytest.raises(RuntimeError):
            client.submit(SubmitSm(), 3)
        await until(lambda: len(carrier.requests) == 3, "three submits")
        carrier.submitted(carrier.peers[0], [])
        carrier.submit_status = 0
        carrier.submitted(carrier.peers[0], carrier.requests[1:2])
        await until(lambda: client.free == 1, "room")

    assert [answer.token for answer in customer.answers] == [1]


async def test_what_is_in_flight_at_the_end_is_told_once() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with bound(customer, carrier) as client:
        for n in range(5):
            client.submit(SubmitSm(), n)
        await until(lambda: len(carrier.requests) == 5, "five submits")
        carrier.peers[0].abort()
        await until(lambda: bool(customer.losses), "the loss")
        assert client.free == 0

    [(unanswered, reason)] = customer.losses
    assert unanswered == [0, 1, 2, 3, 4]
    assert reason


async def test_refusals_reach_their_requests() -> None:
    customer, carrier = Customer(), Carrier(submit_status=Status.RTHROTTLED)
    async with bound(customer, carrier) as client:
        client.submit(SubmitSm(), "a")
        await until(lambda: bool(customer.answers), "the answer")

    assert customer.answers == [("a", Status.RTHROTTLED, "")]


async def test_deliveries_are_acknowledged_by_the_owner_in_their_kind() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier) as client:
        peer = carrier.peers[0]
        peer.deliver(DeliverSm(short_message=b"one"), "one")
        peer.deliver(DataSm(), "two")
        await until(lambda: len(customer.deliveries) == 2, "two deliveries")
        assert carrier.acknowledgements == []
        client.acknowledge([customer.deliveries[0].sequence])
        client.acknowledge([customer.deliveries[1].sequence, 4711], Status.RX_T_APPN)
        client.acknowledge([customer.deliveries[0].sequence])
        await until(lambda: len(carrier.acknowledgements) == 2, "both acknowledged")

    assert carrier.acknowledgements == [("one", 0), ("two", Status.RX_T_APPN)]


async def test_what_comes_together_with_the_answer_to_the_bind_is_heard() -> None:
    customer, carrier = Customer(), Carrier()
    carrier.on_bound = lambda peer: peer.deliver(DeliverSm(short_message=b"early"), "early")
    async with bound(customer, carrier) as client:
        await until(lambda: bool(customer.deliveries), "the early delivery")
        client.acknowledge([customer.deliveries[0].sequence])
        await until(lambda: bool(carrier.acknowledgements), "its acknowledgement")


async def test_unacknowledged_deliveries_are_told_to_the_carrier_at_the_end() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier) as client:
        carrier.peers[0].deliver(DeliverSm(), "kept")
        await until(lambda: bool(customer.deliveries), "the delivery")
        client.close()
        await until(lambda: bool(carrier.losses), "the loss")

    assert carrier.losses == [["kept"]]


async def test_too_many_unacknowledged_deliveries_are_put_off() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, deliveries_max=2):
        for n in range(4):
            carrier.peers[0].deliver(DeliverSm(), n)
        await until(lambda: len(carrier.acknowledgements) == 2, "two put off")

    assert carrier.acknowledgements == [(2, Status.RMSGQFUL), (3, Status.RMSGQFUL)]
    assert len(customer.deliveries) == 2


async def test_unbind_waits_for_answers_and_takes_leave() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with bound(customer, carrier) as client:
        client.submit(SubmitSm(), "slow")
        leaving = asyncio.create_task(client.unbind(10))
        await until(lambda: bool(carrier.requests), "the submit")
        assert client.free == 0
        assert not leaving.done()
        carrier.submit_status = 0
        carrier.submitted(carrier.peers[0], carrier.requests[:1])
        await asyncio.wait_for(leaving, 5)

    assert [answer.token for answer in customer.answers] == ["slow"]
    assert customer.losses == [([], "unbound")]


async def test_unbind_does_not_wait_for_ever() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with bound(customer, carrier) as client:
        client.submit(SubmitSm(), "never")
        await asyncio.wait_for(client.unbind(0.05), 5)

    assert customer.losses == [(["never"], "unbound")]


async def test_silence_is_asked_about_and_an_answer_that_stays_away_ends_the_bind() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with bound(customer, carrier, enquire_seconds=0.05, response_seconds=0.2) as client:
        await asyncio.sleep(0.5)
        assert customer.losses == []  # the server answers enquire_link
        client.submit(SubmitSm(), "never")
        await until(lambda: bool(customer.losses), "the end")

    [(unanswered, reason)] = customer.losses
    assert unanswered == ["never"]
    assert "no answer within" in reason


async def test_the_server_asks_too_and_drops_who_does_not_answer() -> None:
    carrier = Carrier()
    options = {"enquire_seconds": 0.05, "response_seconds": 0.1}
    async with listening(carrier, **options) as port:
        async with connected(port) as (reader, writer):
            writer.write(encode(BindReceiver(system_id="mute"), 1))
            await asyncio.wait_for(reader.read(), 5)  # until the server closes
        await until(lambda: bool(carrier.losses), "the loss")


async def test_who_does_not_bind_has_to_go() -> None:
    async with listening(Carrier(), bind_seconds=0.05) as port, connected(port) as (reader, _):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)


async def test_more_connections_than_allowed_are_closed() -> None:
    customer = Customer()
    async with listening(Carrier(), connections_max=1) as port:
        first = await Client.bind(where(port), customer)
        with pytest.raises(OSError, match=r"closed|reset"):
            await Client.bind(where(port), Customer())
        first.close()
        await until(lambda: bool(customer.losses), "the end")


@pytest.mark.parametrize("kind", [BindTransmitter, BindReceiver])
async def test_a_bind_in_one_direction_cannot_use_the_other(kind: type[Pdu]) -> None:
    carrier = Carrier()
    async with listening(carrier) as port, connected(port) as (reader, writer):
        writer.write(encode(kind(), 1) + encode(SubmitSm(), 2))
        await until(lambda: bool(carrier.peers), "the bind")
        answers = await asyncio.wait_for(reader.readexactly(16), 5)
        assert answers[8:12] == b"\0\0\0\0"
        if kind is BindTransmitter:
            await until(lambda: bool(carrier.requests), "the submit")
            assert carrier.peers[0].free == 0
        else:
            assert carrier.peers[0].free > 0
            rest = await asyncio.wait_for(reader.read(1000), 5)
            assert rest.endswith(encode(SubmitSmResp(), 2, Status.RINVBNDSTS))
    assert bool(carrier.requests) is (kind is BindTransmitter)


async def test_submitting_before_binding_is_refused() -> None:
    carrier = Carrier()
    async with listening(carrier) as port, connected(port) as (reader, writer):
        writer.write(encode(SubmitSm(), 1))
        answer = await asyncio.wait_for(reader.readexactly(16), 5)

    assert int.from_bytes(answer[8:12], "big") == Status.RINVBNDSTS
    assert carrier.requests == []


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64])
async def test_garbage_ends_the_connection_on_either_side(garbage: bytes) -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier) as client:
        client.submit(SubmitSm(), "sent")
        await until(lambda: bool(customer.answers), "the answer")
        carrier.peers[0].write(garbage)
        await until(lambda: bool(customer.losses), "the end")
        assert "garbage" in customer.losses[0][1]

    async with listening(carrier) as port, connected(port) as (reader, writer):
        writer.write(garbage)
        await asyncio.wait_for(reader.read(), 5)


async def test_a_customer_that_does_not_read_is_not_written_to_for_ever() -> None:
    carrier = Carrier()
    async with listening(carrier) as port:
        async with connected(port) as (_, writer):
            writer.write(encode(BindReceiver(), 1))
            await until(lambda: bool(carrier.peers), "the bind")
            peer, sent = carrier.peers[0], 0
            for _ in range(2000):
                while peer.free > 0 and sent < 100_000:
                    peer.deliver(DeliverSm(short_message=b"x" * 200), sent)
                    sent += 1
                await asyncio.sleep(0)
            assert 0 < sent <= 1024  # the window; the rest waits
        await until(lambda: bool(carrier.losses), "the loss")


async def test_ten_thousand_messages_come_back_in_order() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, window_max=100) as client:
        n = 0
        while len(customer.answers) < 10_000:
            while client.free and n < 10_000:
                client.submit(SubmitSm(short_message=b"%d" % n), n)
                n += 1
            await asyncio.sleep(0)

    assert [answer.token for answer in customer.answers] == list(range(10_000))
    assert [answer.message_id for answer in customer.answers[-1:]] == ["m10000"]


class Rude(asyncio.Protocol):
    """Closes whatever connects."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

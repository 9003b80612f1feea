"""A transmitter and a receiver that look like one bind, and each of them alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smpp.client import BindRefused
from smpp.pair import Pair, bind
from smpp.pdu import DeliverSm, Status, SubmitSm
from smpp.server import Peer
from tests.smpp.ends import Carrier, Customer, bound, listening, until, where


@asynccontextmanager
async def paired(customer: Customer, carrier: Carrier, **options: Any) -> AsyncIterator[Pair]:
    """A pair bound to a server of this carrier."""
    async with listening(carrier) as port:
        pair = await Pair.bind(where(port, **options), customer)
        try:
            yield pair
        finally:
            pair.close()
            await until(lambda: bool(customer.losses), "the end of the pair")
            await until(lambda: len(carrier.losses) == 2, "the end of both connections")


def receiver(carrier: Carrier) -> Peer:
    return next(peer for peer in carrier.peers if not peer.may_submit)


def transmitter(carrier: Carrier) -> Peer:
    return next(peer for peer in carrier.peers if not peer.may_receive)


def unwritten(peer: Peer) -> bytes:
    """The answer to its bind, which then is not written."""
    answer = b"".join(peer._out)
    peer._out.clear()
    return answer


async def test_a_transmitter_submits_and_is_brought_nothing() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, mode="transmitter") as client:
        client.submit(SubmitSm(), "token")
        await until(lambda: bool(customer.answers), "the answer")
        [peer] = carrier.peers
        assert (peer.may_submit, peer.may_receive) == (True, False)

    assert customer.answers == [("token", 0, "m1")]


async def test_a_receiver_is_brought_things_and_never_has_room() -> None:
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, mode="receiver") as client:
        [peer] = carrier.peers
        assert (peer.may_submit, peer.may_receive, client.free) == (False, True, 0)
        with pytest.raises(RuntimeError):
            client.submit(SubmitSm(), "token")
        peer.deliver(DeliverSm(), "receipt")
        await until(lambda: bool(customer.deliveries), "the delivery")
        client.acknowledge([customer.deliveries[0].sequence])
        await until(lambda: bool(carrier.acknowledgements), "its acknowledgement")

    assert carrier.requests == []


async def test_a_pair_submits_on_one_and_hears_on_the_other() -> None:
    customer, carrier = Customer(), Carrier()
    async with paired(customer, carrier, window_max=3) as pair:
        assert [peer.may_receive for peer in carrier.peers] == [True, False], "the receiver comes first"
        assert pair.free == 3
        pair.submit(SubmitSm(), "token")
        assert (pair.free, pair.outstanding) == (2, 1)
        await until(lambda: bool(customer.answers), "the answer")
        receiver(carrier).deliver(DeliverSm(), "receipt")
        await until(lambda: bool(customer.deliveries), "the delivery")
        assert carrier.acknowledgements == []
        pair.acknowledge([customer.deliveries[0].sequence], Status.RX_T_APPN)
        await until(lambda: bool(carrier.acknowledgements), "its acknowledgement")

    assert customer.answers == [("token", 0, "m1")]
    assert carrier.acknowledgements == [("receipt", Status.RX_T_APPN)]
    assert customer.losses == [([], "closed")]


async def test_what_the_receiver_brings_before_the_transmitter_is_bound_waits_for_the_owner() -> None:
    customer, carrier = Customer(), Carrier()

    def bring(peer: Peer) -> None:
        if peer.may_receive:
            peer.deliver(DeliverSm(short_message=b"early"), "early")
        else:
            receiver(carrier).deliver(DeliverSm(short_message=b"later"), "later")

    carrier.on_bound = bring
    async with listening(carrier) as port:
        pair = await Pair.bind(where(port), customer)
        assert customer.deliveries == [], "the owner has no pair yet to acknowledge it with"
        await until(lambda: len(customer.deliveries) == 2, "both deliveries")
        pair.acknowledge([delivery.sequence for delivery in customer.deliveries])
        await until(lambda: len(carrier.acknowledgements) == 2, "their acknowledgements")
        await pair.unbind(1)

    pdus = [delivery.pdu for delivery in customer.deliveries]
    assert [pdu.short_message for pdu in pdus if isinstance(pdu, DeliverSm)] == [b"early", b"later"]


async def test_deliveries_of_the_same_number_are_acknowledged_where_they_came() -> None:
    customer, carrier = Customer(), Carrier()
    async with paired(customer, carrier) as pair:
        right, wrong = receiver(carrier), transmitter(carrier)
        wrong.may_receive = True  # a carrier that brings receipts to a transmitter
        right.deliver(DeliverSm(short_message=b"right"), "right")
        await until(lambda: len(customer.deliveries) == 1, "the one")
        wrong.deliver(DeliverSm(short_message=b"wrong"), "wrong")
        await until(lambda: len(customer.deliveries) == 2, "the other")
        first, second = [delivery.sequence for delivery in customer.deliveries]
        pair.acknowledge([second])
        await until(lambda: bool(carrier.acknowledgements), "the other's acknowledgement")
        assert carrier.acknowledgements == [("wrong", 0)]
        pair.acknowledge([first, second], Status.RX_T_APPN)
        await until(lambda: len(carrier.acknowledgements) == 2, "the one's acknowledgement")

    assert carrier.acknowledgements == [("wrong", 0), ("right", Status.RX_T_APPN)]


@pytest.mark.parametrize("first", [receiver, transmitter])
async def test_the_end_of_either_is_the_end_of_both_and_told_once(first: Any) -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with paired(customer, carrier) as pair:
        for n in range(3):
            pair.submit(SubmitSm(), n)
        await until(lambda: len(carrier.requests) == 3, "three submits")
        first(carrier).abort()
        await until(lambda: bool(customer.losses), "the loss")
        assert (pair.free, pair._receiver.open, pair._transmitter.open) == (0, False, False)
        assert pair._receiver._gone.is_set()
        assert pair._transmitter._gone.is_set()
        with pytest.raises(RuntimeError):
            pair.submit(SubmitSm(), 3)
        pair.acknowledge([1, -2])  # to nobody
        await pair.unbind(1)

    [(unanswered, reason)] = customer.losses
    assert unanswered == [0, 1, 2]
    assert reason
    assert reason != "closed"


async def test_both_lost_at_once_is_told_once() -> None:
    customer, carrier = Customer(), Carrier()
    async with paired(customer, carrier):
        for peer in carrier.peers:
            peer.abort()
        await until(lambda: len(carrier.losses) == 2, "both ends")
        await until(lambda: bool(customer.losses), "the loss")

    assert len(customer.losses) == 1


async def test_a_pair_that_drains_still_hears() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with paired(customer, carrier) as pair:
        pair.submit(SubmitSm(), "slow")
        draining = asyncio.create_task(pair.drain(10))
        await until(lambda: bool(carrier.requests), "the submit")
        assert (pair.free, draining.done()) == (0, False)
        receiver(carrier).deliver(DeliverSm(), "receipt")
        await until(lambda: bool(customer.deliveries), "the delivery")
        carrier.submit_status = 0
        carrier.submitted(transmitter(carrier), carrier.requests[:1])
        await asyncio.wait_for(draining, 5)
        pair.acknowledge([customer.deliveries[0].sequence])
        await asyncio.wait_for(pair.unbind(0), 5)

    assert [answer.token for answer in customer.answers] == ["slow"]
    assert carrier.acknowledgements == [("receipt", 0)]
    assert customer.losses == [([], "unbound")]


async def test_a_pair_does_not_wait_for_ever_to_unbind() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with paired(customer, carrier) as pair:
        pair.submit(SubmitSm(), "never")
        await asyncio.wait_for(pair.unbind(0.05), 5)
        assert customer.losses == [(["never"], "unbound")]


async def test_a_pair_whose_unbinding_is_given_up_is_closed() -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    async with paired(customer, carrier) as pair:
        for peer in carrier.peers:  # nobody says goodbye
            assert peer._transport
            peer._transport.pause_reading()
        leaving = asyncio.create_task(pair.unbind(0))
        await until(lambda: pair._leaving, "the leaving")
        leaving.cancel()
        await until(leaving.done, "the end of the leaving")
        assert not pair._receiver.open
        assert not pair._transmitter.open
        for peer in carrier.peers:
            assert peer._transport
            peer._transport.resume_reading()

    assert leaving.cancelled()
    assert len(customer.losses) == 1


async def test_a_refused_receiver_is_all_there_is() -> None:
    customer, carrier = Customer(), Carrier(bind_status=Status.RINVPASWD)
    async with listening(carrier) as port:
        with pytest.raises(BindRefused) as refused:
            await Pair.bind(where(port), customer)

    assert refused.value.status == Status.RINVPASWD
    assert (carrier.peers, customer.losses) == ([], [])


async def test_a_refused_transmitter_takes_the_receiver_with_it() -> None:
    customer, carrier = Customer(), Carrier()
    carrier.on_bound = lambda _: setattr(carrier, "bind_status", Status.RBINDFAIL)
    async with listening(carrier) as port:
        with pytest.raises(BindRefused):
            await Pair.bind(where(port), customer)
        await until(lambda: len(carrier.losses) == 1, "the receiver's end")

    assert customer.losses == []


async def test_a_receiver_lost_while_the_transmitter_binds_is_no_pair() -> None:
    customer, carrier = Customer(), Carrier()

    def rudely(peer: Peer) -> None:
        if peer.may_submit:
            answer = unwritten(peer)
            receiver(carrier).close()
            asyncio.get_running_loop().call_later(0.05, peer.send, answer)

    carrier.on_bound = rudely
    async with listening(carrier) as port:
        with pytest.raises(ConnectionError, match="receiver"):
            await Pair.bind(where(port), customer)
        await until(lambda: len(carrier.losses) == 2, "both ends")

    assert customer.losses == []


async def test_connect_seconds_are_for_both_together() -> None:
    customer, carrier = Customer(), Carrier()

    def hold(peer: Peer) -> None:
        if peer.may_submit:
            unwritten(peer)

    carrier.on_bound = hold
    async with listening(carrier) as port, asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await Pair.bind(where(port, connect_seconds=0.1), customer)
        await until(lambda: len(carrier.losses) == 2, "both ends")

    assert customer.losses == []


@pytest.mark.parametrize("pair", [False, True])
async def test_bind_makes_one_or_the_other(pair: bool) -> None:
    customer, carrier = Customer(), Carrier()
    async with listening(carrier) as port:
        bound_ = await bind(where(port), customer, pair=pair)
        assert len(carrier.peers) == 1 + pair
        assert bound_.free == 100
        await bound_.unbind(1)

    assert customer.losses == [([], "unbound")]

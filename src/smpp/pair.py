"""Two binds that look like one: a transmitter and a receiver, for carriers that offer no transceiver.

`Pair` has the face of a `Client`, and its owner hears the same events: answers come from the transmitter, deliveries
from the receiver, and the end of either is the end of both, told once. `Bind` is what both are; `bind` makes one or
the other. Nothing is known here of what goes over the wire.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from smpp.client import Answer, Client, ClientEvents, ClientOptions, Delivery
from smpp.pdu import SubmitSm


class Bind(Protocol):
    """A way to a carrier and back, of one connection or two; what each does stands at `Client`."""

    @property
    def free(self) -> int:
        """How many submits may go out now."""

    @property
    def outstanding(self) -> int:
        """Submits without an answer."""

    def submit(self, pdu: SubmitSm, token: object) -> None:
        """Send a message; its answer comes with the token."""

    def acknowledge(self, sequences: Sequence[int], status: int = 0) -> None:
        """Tell the carrier that deliveries are safe with us, or with a status that they are not."""

    async def drain(self, wait_seconds: float) -> None:
        """Submit no more, and wait for the answers to what is in flight, at most so long."""

    async def unbind(self, wait_seconds: float) -> None:
        """Drain, take leave and close; when it returns, `lost` has been called."""

    def close(self) -> None:
        """End it without taking leave."""


async def bind(options: ClientOptions, events: ClientEvents, *, pair: bool = False) -> Bind:
    """Bind as the options say, or as a pair, whatever their `mode`. Errors and promises are those of `Client.bind`."""
    return await (Pair.bind(options, events) if pair else Client.bind(options, events))


class _Half:
    """What one of the two tells, and how it ended."""

    def __init__(self, pair: "Pair") -> None:
        self._pair = pair
        self.over = False
        self.unanswered: list[object] = []

    def answered(self, answers: list[Answer]) -> None:
        """Nothing answers a receiver, and it has no window to tell of."""

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Receipts or messages came in."""
        self._pair._delivered(deliveries)

    def lost(self, unanswered: list[object], reason: str) -> None:
        """This half is over."""
        self.over, self.unanswered = True, unanswered
        self._pair._lost(reason)


class _Transmitting(_Half):
    """The half that submits. Nothing should be delivered to it; what is gets a number below zero, its own."""

    def answered(self, answers: list[Answer]) -> None:
        self._pair._answered(answers)

    def delivered(self, deliveries: list[Delivery]) -> None:
        self._pair._delivered([Delivery(~number, pdu) for number, pdu in deliveries])


class Pair:
    """A transmitter and a receiver. Make it with `await Pair.bind(options, events)`.

    Each has the limits of the options to itself. `Delivery.sequence` is what `acknowledge` takes, and need not be
    the number that was on the wire, because each connection counts for itself.
    """

    _receiver: Client  # both are there from `_begin` on
    _transmitter: Client

    def __init__(self, events: ClientEvents) -> None:
        self._events = events
        self._receiving = _Half(self)
        self._transmitting = _Transmitting(self)
        self._bound = False
        self._leaving = False
        self._early: list[Delivery] | None = []
        self._reason: str | None = None

    @classmethod
    async def bind(cls, options: ClientOptions, events: ClientEvents) -> "Pair":
        """Bind both; raises `BindRefused`, `OSError`, or `TimeoutError` after `connect_seconds` for the two together.

        The receiver comes first, so that no receipt comes to nobody. Await it directly, like `Client.bind`: what is
        delivered until then is handed over in the turn after this returns.
        """
        pair = cls(events)
        async with asyncio.timeout(options.connect_seconds):
            receiver = await Client.bind(replace(options, mode="receiver"), pair._receiving)
            try:
                transmitter = await Client.bind(replace(options, mode="transmitter"), pair._transmitting)
            except BaseException:
                receiver.close()
                raise
        pair._begin(receiver, transmitter)
        return pair

    def _begin(self, receiver: Client, transmitter: Client) -> None:
        if not receiver.open:
            transmitter.close()
            raise ConnectionError("the receiver's connection ended while the transmitter was binding")
        self._receiver, self._transmitter = receiver, transmitter
        self._bound = True
        asyncio.get_running_loop().call_soon(self._catch_up)

    def _catch_up(self) -> None:
        early, self._early = self._early, None
        if early and self._receiver.open and self._transmitter.open:
            self._events.delivered(early)

    # what the owner does

    @property
    def free(self) -> int:
        """How many submits may go out now: none once either connection is over."""
        return self._transmitter.free if self._receiver.open else 0

    @property
    def outstanding(self) -> int:
        """Submits without an answer."""
        return self._transmitter.outstanding

    def submit(self, pdu: SubmitSm, token: object) -> None:
        """Send a message; its answer comes with the token. Ask `free` first: beyond the window is an error.

        A message that does not fit SMPP is a `ValueError`; nothing was sent then.
        """
        if not self._receiver.open:
            raise RuntimeError("the bind is over")
        self._transmitter.submit(pdu, token)

    def acknowledge(self, sequences: Sequence[int], status: int = 0) -> None:
        """Tell the carrier that deliveries are safe with us, each on the connection that it came on."""
        self._receiver.acknowledge([number for number in sequences if number >= 0], status)
        self._transmitter.acknowledge([~number for number in sequences if number < 0], status)

    async def drain(self, wait_seconds: float) -> None:
        """Submit no more, and wait for the answers to what is in flight, at most so long; receipts still come."""
        await self._transmitter.drain(wait_seconds)

    async def unbind(self, wait_seconds: float) -> None:
        """Wait for the answers to what is in flight, at most so long, then take leave on both and close.

        When it returns, `lost` has been called.
        """
        await self.drain(wait_seconds)
        self._leaving = True  # each ends by itself, in good order
        try:
            await asyncio.gather(self._transmitter.unbind(0), self._receiver.unbind(0))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End both without taking leave; what was written before still goes out."""
        self._receiver.close()
        self._transmitter.close()

    # what the two tell

    def _answered(self, answers: list[Answer]) -> None:
        self._events.answered(answers)

    def _delivered(self, deliveries: list[Delivery]) -> None:
        if self._early is not None:
            self._early += deliveries
        else:
            self._events.delivered(deliveries)

    def _lost(self, reason: str) -> None:
        """One is over: the other has to go as well, and the owner hears of it when both are gone."""
        if not self._bound:
            return
        self._reason = self._reason or reason
        if self._receiving.over and self._transmitting.over:
            self._events.lost(self._transmitting.unanswered, self._reason)
        elif not self._leaving:
            self.close()

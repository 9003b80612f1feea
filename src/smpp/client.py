"""The customer's side of a bind: transceiver, transmitter or receiver, over TCP or TLS.

`Client.bind` connects and binds; from then on everything that arrives is told to the owner in batches, one for
each piece read from the socket. Submits of one turn of the event loop are written together. The bind ends once:
`lost` is called with what was unanswered, whatever the reason.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from smpp.codec import encode
from smpp.pdu import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    Outbind,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    words,
)
from smpp.session import Events, Request, Response, Session, responses
from smpp.wire import Wire

LEAVE_SECONDS: Final = 2.0
UNBOUND: Final = "unbound"

Mode = Literal["transceiver", "transmitter", "receiver"]
_BINDS: Final[dict[Mode, type[BindTransceiver | BindTransmitter | BindReceiver]]] = {
    "transceiver": BindTransceiver,
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
}


class BindRefused(Exception):
    """The carrier does not let us in; `status` says why, and so does the text."""

    def __init__(self, status: int) -> None:
        super().__init__(words(status))
        self.status = status


class Answer(NamedTuple):
    """The carrier answered a submit; `message_id` is its id of the part when `status` is 0."""

    token: object
    status: int
    message_id: str


class Delivery(NamedTuple):
    """The carrier brings something; acknowledge it by its sequence number."""

    sequence: int
    pdu: DeliverSm | DataSm


class ClientEvents(Protocol):
    """What the owner of a client hears. All three are called from the event loop and must not block."""

    def answered(self, answers: list[Answer]) -> None:
        """Submits were answered."""

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Receipts or messages came in."""

    def lost(self, unanswered: list[object], reason: str) -> None:
        """The bind is over; called once."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Where and how to bind. Above `deliveries_max` unacknowledged ones the carrier is told to come again later."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    window_max: int = 100
    enquire_seconds: float = 30.0
    response_seconds: float = 60.0
    connect_seconds: float = 10.0
    tls: ssl.SSLContext | None = None
    deliveries_max: int = 10_000
    mode: Mode = "transceiver"


def tls_context(*, verify: bool = True, ca: str | None = None) -> ssl.SSLContext:
    """What `ClientOptions.tls` takes: TLS 1.2 at least; certificate and host name are checked, unless told not to.

    `ca` is the PEM text of the authorities to trust instead of the system's; a text that holds none, or one that
    is broken, is a `ValueError`, also where nothing is verified.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(
            cadata=ca.encode("ascii", "replace").decode()
        )  # remarks may be in any script
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            "The authorities to trust are no certificates in PEM: "
            'give the whole text, from "-----BEGIN CERTIFICATE-----" to "-----END CERTIFICATE-----".'
        ) from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # carriers hand out intermediates, or their own
    return context


class _Binding:
    """The token of the bind itself."""


class _Leaving:
    """The token of our unbind."""


class Client(Wire):
    """One bind. Make it with `await Client.bind(options, events)`."""

    def __init__(self, options: ClientOptions, events: ClientEvents) -> None:
        super().__init__(
            Session(
                window_max=options.window_max,
                enquire_seconds=options.enquire_seconds,
                response_seconds=options.response_seconds,
                now=asyncio.get_running_loop().time(),
            )
        )
        self._options = options
        self._events = events
        self._bound = False
        self._leaving = False
        self._binding: asyncio.Future[int] = self._loop.create_future()
        self._drained = asyncio.Event()
        self._left = asyncio.Event()
        self._gone = asyncio.Event()
        self._early: list[Delivery] | None = []
        # by number, in the order they came: it is the carrier's, and may be that of another that is still open
        self._unacknowledged: dict[int, list[type[DeliverSmResp | DataSmResp]]] = {}
        self._n_unacknowledged = 0

    @classmethod
    async def bind(cls, options: ClientOptions, events: ClientEvents) -> "Client":
        """Connect and bind; raises `BindRefused`, `OSError`, or `TimeoutError` after `connect_seconds`.

        Await it directly: what the carrier brings together with its answer to the bind is handed over in the
        turn after this returns, so that the owner has a client to acknowledge it with.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(options.connect_seconds):
            _, client = await loop.create_connection(
                lambda: cls(options, events), options.host, options.port, ssl=options.tls
            )
            try:
                status = await client._bind()
            except BaseException:
                client.finish("not bound", at_once=True)
                raise
        if status:
            client.close()
            raise BindRefused(status)
        client._begin()
        return client

    def _bind(self) -> "asyncio.Future[int]":
        its = self._options
        kind = _BINDS[its.mode]
        bind = kind(system_id=its.system_id, password=its.password, system_type=its.system_type)
        self.send(self._session.request(bind, _Binding, self._loop.time()))
        return self._binding

    def _begin(self) -> None:
        if not self.open:
            raise ConnectionError("the carrier closed the connection right after the bind")
        self._bound = True
        self.watch()
        self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        early, self._early = self._early, None
        if early and self.open:
            self._events.delivered(early)

    # what the owner does

    @property
    def free(self) -> int:
        """How many submits may go out now; as a receiver none, ever."""
        if not self._bound or self._paused or self._leaving or not self.open:
            return 0
        if self._options.mode == "receiver":
            return 0
        return self._session.free

    @property
    def outstanding(self) -> int:
        """Submits without an answer."""
        return self._session.outstanding

    def submit(self, pdu: SubmitSm, token: object) -> None:
        """Send a message; its answer comes with the token. Ask `free` first: beyond the window is an error.

        A message that does not fit SMPP is a `ValueError`; nothing was sent then.
        """
        if self.free <= 0:
            raise RuntimeError("the window is full, the bind is over, or it is a receiver's")
        self.send(self._session.request(pdu, token, self._loop.time()))

    def acknowledge(self, sequences: Sequence[int], status: int = 0) -> None:
        """Tell the carrier that deliveries are safe with us, or with a status that they are not.

        Each is answered in its kind (deliver_sm_resp, data_sm_resp), once; after the end of the bind not at all.
        """
        kinds = [(number, self._kind_of(number)) for number in sequences]
        self.send(responses([(number, kind()) for number, kind in kinds if kind], status))

    def _kind_of(self, number: int) -> type[DeliverSmResp | DataSmResp] | None:
        """The kind of answer that the first unacknowledged delivery of this number is owed; it is owed no more."""
        kinds = self._unacknowledged.get(number)
        if not kinds:
            return None
        if len(kinds) == 1:
            del self._unacknowledged[number]
        self._n_unacknowledged -= 1
        return kinds.pop(0)

    async def drain(self, wait_seconds: float) -> None:
        """Submit no more, and wait for the answers to what is in flight, at most so long."""
        self._leaving = True
        if self.open and self._session.outstanding:
            await _within(wait_seconds, self._drained)

    async def unbind(self, wait_seconds: float) -> None:
        """Wait for the answers to what is in flight, at most so long, then take leave and close.

        When it returns, `lost` has been called.
        """
        await self.drain(wait_seconds)
        if self.open:
            self._reason = self._reason or UNBOUND
            self.send(self._session.request(Unbind(), _Leaving, self._loop.time()))
            await _within(LEAVE_SECONDS, self._left)
            self.finish(UNBOUND)
        await self._gone.wait()

    def close(self) -> None:
        """End the bind without taking leave; what was written before still goes out."""
        self.finish("closed")

    # what the connection does

    def handle(self, events: Events) -> None:
        """Tell the owner what arrived."""
        if events.responses:
            self._answered(events.responses)
        if events.requests:
            self._asked(events.requests)
        if self._leaving and not self._session.outstanding:
            self._drained.set()

    def _answered(self, found: list[Response]) -> None:
        answers = []
        for response in found:
            if response.token is _Binding:
                if not self._binding.done():
                    self._binding.set_result(response.status)
            elif response.token is _Leaving:
                self._left.set()
            else:
                message_id = response.pdu.message_id if isinstance(response.pdu, SubmitSmResp) else ""
                answers.append(Answer(response.token, response.status, message_id))
        if answers:
            self._events.answered(answers)

    def _asked(self, found: list[Request]) -> None:
        deliveries = []
        for request in found:
            pdu = request.pdu
            if isinstance(pdu, DeliverSm | DataSm):
                kind = DeliverSmResp if isinstance(pdu, DeliverSm) else DataSmResp
                if self._n_unacknowledged >= self._options.deliveries_max:
                    self.send(encode(kind(), request.sequence, Status.RMSGQFUL))
                    continue
                self._unacknowledged.setdefault(request.sequence, []).append(kind)
                self._n_unacknowledged += 1
                deliveries.append(Delivery(request.sequence, pdu))
            elif not isinstance(pdu, AlertNotification | Outbind):  # nothing answers these two
                self.send(encode(GenericNack(), request.sequence, Status.RINVCMDID))
        if self._early is not None:
            self._early += deliveries
        elif deliveries:
            self._events.delivered(deliveries)

    def resume_writing(self) -> None:
        """The socket takes more again; an empty list of answers tells the owner so."""
        super().resume_writing()
        if self._bound:
            self._events.answered([])

    def ended(self, reason: str) -> None:
        """Tell the owner, if there was a bind, what stayed unanswered."""
        if not self._binding.done():
            self._binding.set_exception(ConnectionError(f"not bound: {reason}"))
            self._binding.exception()  # whoever gave up waiting will not ask for it
        self._drained.set()
        self._left.set()
        self._gone.set()
        self._unacknowledged.clear()
        if self._bound:
            self._bound = False
            unanswered = [token for token in self._session.unanswered() if token is not _Leaving]
            self._events.lost(unanswered, reason)


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than so."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

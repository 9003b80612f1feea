"""A carrier to test against: takes what is submitted, and after a while says what became of it.

Polite: it answers at once, sends a receipt for the share it is told, reports some numbers as undelivered or
expired, and throttles above a rate. With the same seed the same messages meet the same fate; message ids differ
between runs, as a real carrier's do. A receipt that was not acknowledged when its connection died is sent again on
the next one.
"""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from smpp import receipt
from smpp.pdu import DataSm, DataSmResp, DeliverSm, Pdu, Status, SubmitSm, SubmitSmResp, Tag
from smpp.receipt import State
from smpp.server import Peer, Server, ServerOptions
from smpp.session import Request

FATES: Final = {"0901": State.UNDELIV, "0902": State.EXPIRED}
"""What becomes of messages to numbers with these endings, whatever the options say."""
WANTS_RECEIPT: Final = 0x03
RESEND_SECONDS: Final = 0.5
DISTINCT_MAX: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the carrier behaves: shares in percent, times in milliseconds, `throttle` in submits a second."""

    receipts: float = 100.0
    delay_ms: float = 100.0
    undelivered: float = 0.0
    expired: float = 0.0
    throttle: int = 0
    seed: int = 0
    system_id: str | None = None
    password: str | None = None
    keep: bool = False


@dataclass(slots=True)
class Counters:
    """What happened so far. `distinct` (destination, text) pairs were taken, `repeats` of them again.

    `receipts`, and what they say, count once each; `resent` those that had to go out again.
    """

    binds: int = 0
    submits: int = 0
    taken: int = 0
    throttled: int = 0
    receipts: int = 0
    delivered: int = 0
    undelivered: int = 0
    expired: int = 0
    acknowledged: int = 0
    distinct: int = 0
    repeats: int = 0
    resent: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A submit as it was taken, where they are kept."""

    message_id: str
    pdu: SubmitSm | DataSm


@dataclass(slots=True)
class _Pending:
    """A receipt that waits for its time, or for its acknowledgement."""

    message_id: str
    state: State
    due: float
    submitted: datetime
    source: tuple[int, int, str]
    destination: tuple[int, int, str]
    sent: bool = False


@dataclass
class Simulator:
    """The carrier. `await start(host, port)`, later `await stop()`; `counters` and `received` meanwhile."""

    options: SimulatorOptions = field(default_factory=SimulatorOptions)
    counters: Counters = field(default_factory=Counters)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.options.seed)
        self._server = Server(self, ServerOptions(system_id="simulator"))
        self._next_id = time.time_ns() // 1_000_000 % 10_000_000 * 1_000_000
        self._due: deque[_Pending] = deque()  # in the order of their time, because the delay is one
        self._ready: deque[_Pending] = deque()
        self._peers: list[Peer] = []
        self._timer: asyncio.TimerHandle | None = None
        self._seen: set[int] = set()
        self._tokens = 0.0
        self._since = 0.0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """End every connection and stop listening."""
        if self._timer:
            self._timer.cancel()
        await self._server.stop()

    def drop(self) -> None:
        """Drop every connection, as a broken network would."""
        for peer in list(self._server.peers):
            peer.abort()

    # what the server hears

    def bind(self, system_id: str, password: str) -> int:
        """Let in whoever knows the name and the password, or anybody where there are none."""
        if self.options.system_id not in (None, system_id):
            return Status.RINVSYSID
        return Status.RINVPASWD if self.options.password not in (None, password) else Status.ROK

    def bound(self, peer: Peer) -> None:
        """A customer is there."""
        self.counters.binds += 1
        if peer.may_receive:
            self._peers.append(peer)
            self._send()

    def submitted(self, peer: Peer, requests: list[Request]) -> None:
        """Take messages, or throttle them."""
        now, at = self._loop.time(), datetime.now(UTC)
        answers: list[tuple[int, Pdu]] = []
        throttled: list[tuple[int, Pdu]] = []
        for request in requests:
            pdu = request.pdu
            assert isinstance(pdu, SubmitSm | DataSm)
            kind = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
            self.counters.submits += 1
            if not self._may_pass(now):
                self.counters.throttled += 1
                throttled.append((request.sequence, kind()))
                continue
            answers.append((request.sequence, kind(self._take(pdu, now, at))))
        peer.answer_all(answers)
        peer.answer_all(throttled, Status.RTHROTTLED)

    def acknowledged(self, peer: Peer, answers: list[tuple[object, int]]) -> None:
        """Receipts were heard; one that was refused is sent again after a pause, not to chase who has no room."""
        for token, status in answers:
            assert isinstance(token, _Pending)
            if status:
                self._loop.call_later(RESEND_SECONDS, self._again, token)
            else:
                self.counters.acknowledged += 1
        self._send()

    def lost(self, peer: Peer, unanswered: list[object]) -> None:
        """A customer is gone; what they did not acknowledge goes to the next one."""
        if peer in self._peers:
            self._peers.remove(peer)
        self._ready.extendleft(token for token in reversed(unanswered) if isinstance(token, _Pending))
        self._send()

    def _again(self, pending: _Pending) -> None:
        self._ready.append(pending)
        self._send()

    # what it does

    def _may_pass(self, now: float) -> bool:
        """A token bucket of a twentieth of a second."""
        rate = self.options.throttle
        if not rate:
            return True
        self._tokens = min(max(1.0, rate / 20), self._tokens + (now - self._since) * rate)
        self._since = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _take(self, pdu: SubmitSm | DataSm, now: float, at: datetime) -> str:
        message_id = f"{self._next_id:013d}"
        self._next_id += 1
        self.counters.taken += 1
        self._note(message_id, pdu)
        if pdu.registered_delivery & WANTS_RECEIPT and self._random.random() * 100 < self.options.receipts:
            source = pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr
            destination = pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr
            due = now + self.options.delay_ms / 1000
            self._due.append(
                _Pending(message_id, self._fate(pdu.destination_addr), due, at, source, destination)
            )
            self._wake_at(due)
        return message_id

    def _note(self, message_id: str, pdu: SubmitSm | DataSm) -> None:
        text = getattr(pdu, "short_message", b"") or pdu.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
        mark = hash((pdu.destination_addr, text))
        if mark in self._seen:
            self.counters.repeats += 1
        else:
            self.counters.distinct += 1
            if len(self._seen) < DISTINCT_MAX:
                self._seen.add(mark)
        if self.options.keep:
            self.received.append(Received(message_id, pdu))

    def _fate(self, destination: str) -> State:
        drawn = self._random.random() * 100  # also where the number decides, so that the others' fates stay
        if fate := FATES.get(destination[-4:]):
            return fate
        if drawn < self.options.undelivered:
            return State.UNDELIV
        return State.EXPIRED if drawn < self.options.undelivered + self.options.expired else State.DELIVRD

    def _wake_at(self, due: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        """Receipts whose time has come are ready to go."""
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0].due <= now:
            self._ready.append(self._due.popleft())
        if self._due:
            self._wake_at(max(self._due[0].due, now + 0.005))
        self._send()

    def _send(self) -> None:
        """Send what is ready, as far as the windows of those who are there allow, in turns."""
        while self._ready:
            peer = max(self._peers, key=lambda one: one.free, default=None)
            if peer is None or not peer.free:
                return
            pending = self._ready.popleft()
            peer.deliver(_deliver(pending), pending)
            self._count(pending)

    def _count(self, pending: _Pending) -> None:
        if pending.sent:
            self.counters.resent += 1
            return
        pending.sent = True
        self.counters.receipts += 1
        match pending.state:
            case State.DELIVRD:
                self.counters.delivered += 1
            case State.UNDELIV:
                self.counters.undelivered += 1
            case State.EXPIRED:
                self.counters.expired += 1


def _deliver(pending: _Pending) -> DeliverSm:
    """A receipt as a PDU: it travels from the message's destination back to its source."""
    source_ton, source_npi, source = pending.destination
    dest_ton, dest_npi, destination = pending.source
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination,
        esm_class=receipt.ESM_RECEIPT,
        short_message=receipt.render(
            pending.message_id,
            pending.state,
            submitted=pending.submitted,
            done=datetime.now(UTC),
            error=0 if pending.state is State.DELIVRD else 1,
        ),
        tlvs=receipt.tlvs(pending.message_id, pending.state),
    )

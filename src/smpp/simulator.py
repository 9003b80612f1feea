"""A carrier to test against: takes what is submitted, and after a while says what became of it.

It answers at once, sends a receipt for the share it is told, reports some numbers as undelivered or expired, and
throttles above a rate; with a `Profile` it misbehaves as carriers do. With the same seed the same messages meet the
same fate; message ids differ between runs, as a real carrier's do. A receipt goes to any peer that may receive and
bears the name of the one that submitted, or waits for one; one that was not acknowledged when its connection died is
sent again on the next.
"""

import asyncio
import random
import ssl
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from smpp import receipt
from smpp.pdu import DataSm, DataSmResp, DeliverSm, Pdu, Status, SubmitSm, SubmitSmResp, Tag
from smpp.profiles import POLITE, Profile
from smpp.receipt import State
from smpp.server import Peer, Server, ServerOptions
from smpp.session import Request

FATES: Final = {"0901": State.UNDELIV, "0902": State.EXPIRED}
"""What becomes of messages to numbers with these endings, whatever the options say."""
WANTS_RECEIPT: Final = 0x03
RESEND_SECONDS: Final = 0.5
DISTINCT_MAX: Final = 5_000_000
VENDOR_STATUS: Final = 0x0401
ADDRESS_OCTETS_MAX: Final = 20
"""What a deliver_sm takes (4.6.1), without the NUL."""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the carrier behaves: shares in percent, times in milliseconds, `throttle` in submits a second.

    With an `answer`, a command_status, every submit gets that, whatever else is said here; 0 takes them all. A
    `bind_status` that is not 0 refuses every bind.
    """

    receipts: float = 100.0
    delay_ms: float = 100.0
    undelivered: float = 0.0
    expired: float = 0.0
    throttle: int = 0
    seed: int = 0
    system_id: str | None = None
    password: str | None = None
    keep: bool = False
    profile: Profile = POLITE
    answer: int | None = None
    tls: ssl.SSLContext | None = None
    bind_status: int = 0


@dataclass(slots=True)
class Counters:
    """What happened so far. `distinct` (destination, text) pairs were taken, `repeats` of them again.

    `receipts`, and what they say, count once each; `resent` those that had to go out again. `refused` are submits
    answered with a status for good. A hostile profile also counts connections it `dropped`, and receipts `extra` to
    those it owed. `connections_max` binds were open at the same time, and `submits_per_second_max` submits came
    within one second of the clock.
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
    refused: int = 0
    dropped: int = 0
    extra: int = 0
    connections_max: int = 0
    submits_per_second_max: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A submit as it was taken, where they are kept."""

    message_id: str
    pdu: SubmitSm | DataSm


@dataclass(slots=True)
class _Pending:
    """A receipt that waits for its time, or for its acknowledgement."""

    system_id: str
    message_id: str
    state: State
    due: float
    submitted: datetime
    source: tuple[int, int, str]
    destination: tuple[int, int, str]
    sent: bool = False
    owed: bool = True
    intermediate: bool = False


@dataclass
class Simulator:
    """The carrier. `await start(host, port)`, later `await stop()`; `counters` and `received` meanwhile."""

    options: SimulatorOptions = field(default_factory=SimulatorOptions)
    counters: Counters = field(default_factory=Counters)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.options.seed)
        self._mischief = random.Random(
            self.options.seed + 1
        )  # its own, so that fates don't depend on the profile
        self._server = Server(self, ServerOptions(system_id="simulator", tls=self.options.tls))
        self._next_id = time.time_ns() // 1_000_000 % 10_000_000 * 1_000_000
        self._due: deque[_Pending] = deque()  # in the order of their time, because the delay is one
        self._ready: defaultdict[str, deque[_Pending]] = defaultdict(deque)  # by whom they are for
        self._peers: defaultdict[str, list[Peer]] = defaultdict(list)  # who may receive, by name
        self._bound = 0
        self._timer: asyncio.TimerHandle | None = None
        self._seen: set[int] = set()
        self._tokens = 0.0
        self._since = 0.0
        self._second = 0
        self._in_second = 0

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
        if self.options.bind_status:
            return self.options.bind_status
        if self.options.system_id not in (None, system_id):
            return Status.RINVSYSID
        return Status.RINVPASWD if self.options.password not in (None, password) else Status.ROK

    def bound(self, peer: Peer) -> None:
        """A customer is there."""
        self.counters.binds += 1
        self._bound += 1
        self.counters.connections_max = max(self.counters.connections_max, self._bound)
        if peer.may_receive:
            self._peers[peer.system_id].append(peer)
            self._send(peer.system_id)

    def submitted(self, peer: Peer, requests: list[Request]) -> None:
        """Take messages, or throttle them."""
        now, at = self._loop.time(), datetime.now(UTC)
        answers: dict[int, list[tuple[int, Pdu]]] = {}
        for request in requests:
            pdu = request.pdu
            assert isinstance(pdu, SubmitSm | DataSm)
            kind = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
            self._came(now)
            status = self._status(pdu, now)
            message_id = "" if status else self._take(peer.system_id, pdu, now, at)
            answers.setdefault(status, []).append((request.sequence, kind(message_id)))
            if self._breaks(peer):
                return  # the answers so far are lost too
        if self.options.profile.answer_ms:
            pause = self.options.profile.answer_ms / 1000 * self._mischief.uniform(0.5, 1.5)
            self._loop.call_later(pause, self._answer, peer, answers)
        else:
            self._answer(peer, answers)

    def _answer(self, peer: Peer, answers: dict[int, list[tuple[int, Pdu]]]) -> None:
        for status, pairs in answers.items():
            peer.answer_all(pairs, status)

    def _came(self, now: float) -> None:
        """Count a submit, and how many there are in this second."""
        self.counters.submits += 1
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        self.counters.submits_per_second_max = max(self.counters.submits_per_second_max, self._in_second)

    def _status(self, pdu: SubmitSm | DataSm, now: float) -> int:
        """What a submit is answered with."""
        if unfit := _unfit(pdu):
            self.counters.refused += 1
            return unfit
        its = self.options.profile
        answer = its.answer if self.options.answer is None else self.options.answer
        if answer:
            self.counters.refused += 1
        if answer or self.options.answer == 0:
            return answer
        if not self._may_pass(now):
            self.counters.throttled += 1
            return Status.RTHROTTLED
        if self._happens(its.refused):
            self.counters.refused += 1
            return VENDOR_STATUS
        return Status.RSYSERR if self._happens(its.busy) else Status.ROK

    def _happens(self, percent: float) -> bool:
        return percent > 0 and self._mischief.random() * 100 < percent

    def _breaks(self, peer: Peer) -> bool:
        """Now and then a connection ends in the middle of everything, at once or after bytes that mean nothing."""
        its = self.options.profile
        if its.drop_every and self._happens(100 / its.drop_every):
            self.counters.dropped += 1
            peer.abort()
            return True
        if its.garbage_every and self._happens(100 / its.garbage_every):
            self.counters.dropped += 1
            peer.write(self._mischief.randbytes(64))
            return True
        return False

    def acknowledged(self, peer: Peer, answers: list[tuple[object, int]]) -> None:
        """Receipts were heard; one that was refused is sent again after a pause, not to chase who has no room."""
        for token, status in answers:
            assert isinstance(token, _Pending)
            if status:
                self._loop.call_later(RESEND_SECONDS, self._again, token)
            elif token.owed:
                self.counters.acknowledged += 1
                self._say_more(token)
        self._send(peer.system_id)

    def lost(self, peer: Peer, unanswered: list[object]) -> None:
        """A customer is gone; what they did not acknowledge goes to the next one."""
        self._bound -= 1
        receiving, ready = self._peers[peer.system_id], self._ready[peer.system_id]
        if peer in receiving:
            receiving.remove(peer)
        ready.extendleft(token for token in reversed(unanswered) if isinstance(token, _Pending))
        self._send(peer.system_id)

    def _again(self, pending: _Pending) -> None:
        self._ready[pending.system_id].append(pending)
        self._send(pending.system_id)

    # what it does

    def _may_pass(self, now: float) -> bool:
        """A token bucket of a twentieth of a second."""
        rate = self.options.throttle or self.options.profile.throttle
        if not rate:
            return True
        self._tokens = min(max(1.0, rate / 20), self._tokens + (now - self._since) * rate)
        self._since = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _take(self, system_id: str, pdu: SubmitSm | DataSm, now: float, at: datetime) -> str:
        number, self._next_id = self._next_id, self._next_id + 1
        its = self.options.profile
        message_id = f"{number:X}" if its.hex_ids else f"{number:013d}"
        self.counters.taken += 1
        self._note(message_id, pdu)
        if pdu.registered_delivery & WANTS_RECEIPT and self._random.random() * 100 < self.options.receipts:
            source = pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr
            destination = pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr
            due = now + self.options.delay_ms / 1000
            receipted = f"{number:d}" if its.hex_ids else message_id
            fate = self._fate(pdu.destination_addr)
            pending = _Pending(system_id, receipted, fate, due, at, source, destination)
            if self._happens(its.early):
                self._again(pending)  # in the same turn as the answer, and before it
            elif self._happens(its.late):
                self._loop.call_later((self.options.delay_ms + its.late_ms) / 1000, self._again, pending)
            else:
                self._due.append(pending)
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
            pending = self._due.popleft()
            self._ready[pending.system_id].append(pending)
        if self._due:
            self._wake_at(max(self._due[0].due, now + 0.005))
        for system_id in self._ready:
            self._send(system_id)

    def _send(self, system_id: str) -> None:
        """Send what is ready for somebody, as far as the windows of those who are there allow, in turns."""
        ready, peers = self._ready[system_id], self._peers[system_id]
        while ready:
            peer = max(peers, key=lambda one: one.free, default=None)
            if peer is None or not peer.free:
                return
            pending = ready.popleft()
            if pending.owed and not pending.sent:
                self._say_before(pending)
            peer.deliver(self._written(pending), pending)
            self._count(pending)

    def _say_before(self, pending: _Pending) -> None:
        """What nobody asked for, before a receipt: that it is on its way, and something for an id nobody knows."""
        its, ready = self.options.profile, self._ready[pending.system_id]
        if self._happens(its.intermediate):
            ready.append(replace(pending, state=State.ENROUTE, owed=False, intermediate=True))
        if self._happens(its.strange):
            ready.append(replace(pending, message_id=f"X{pending.message_id}", owed=False))

    def _say_more(self, pending: _Pending) -> None:
        """The same again after a receipt, or the opposite."""
        its = self.options.profile
        if self._happens(its.repeated):
            self._again(replace(pending, owed=False))
        if self._happens(its.contradicted):
            other = State.UNDELIV if pending.state is State.DELIVRD else State.DELIVRD
            self._again(replace(pending, state=other, owed=False))

    def _written(self, pending: _Pending) -> DeliverSm | DataSm:
        """A receipt as a PDU, in one of the ways that carriers write it."""
        its = self.options.profile
        pdu = _deliver(pending)
        if self._happens(its.odd):
            pdu.short_message, pdu.tlvs = _odd(pending, self._mischief), {}
        elif self._happens(its.bare):
            pdu.short_message = b""
        elif self._happens(its.by_data_sm):
            return DataSm(
                source_addr=pdu.source_addr,
                destination_addr=pdu.destination_addr,
                esm_class=pdu.esm_class,
                tlvs=pdu.tlvs,
            )
        return pdu

    def _count(self, pending: _Pending) -> None:
        if not pending.owed:
            self.counters.extra += 1
            return
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


def _unfit(pdu: SubmitSm | DataSm) -> int:
    """What a submit is refused with whose addresses no receipt could bear; the codec reads longer ones than that."""
    if len(pdu.destination_addr) > ADDRESS_OCTETS_MAX:
        return Status.RINVDSTADR
    return Status.RINVSRCADR if len(pdu.source_addr) > ADDRESS_OCTETS_MAX else Status.ROK


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
        esm_class=receipt.ESM_INTERMEDIATE if pending.intermediate else receipt.ESM_RECEIPT,
        short_message=receipt.render(
            pending.message_id,
            pending.state,
            submitted=pending.submitted,
            done=datetime.now(UTC),
            error=0 if pending.state is State.DELIVRD else 1,
        ),
        tlvs=receipt.tlvs(pending.message_id, pending.state),
    )


def _odd(pending: _Pending, chance: random.Random) -> bytes:
    """A receipt's text as no standard has it: fields missing, elsewhere, in another case, dates with seconds."""
    done = datetime.now(UTC)
    optional = [
        "sub:001",
        "dlvrd:001",
        f"submit date:{pending.submitted:%y%m%d%H%M%S}",
        f"done date:{done:%y%m%d%H%M%S}",
        f"err:{0 if pending.state is State.DELIVRD else 1:03X}",
    ]
    parts = [f"id:{pending.message_id}", f"stat:{pending.state.name}", *chance.sample(optional, 2)]
    chance.shuffle(parts)
    parts.append(chance.choice(["text:", "Text:id:0 stat:ACCEPTD", ""]))
    text = chance.choice([" ", "  ", "; "]).join(parts)
    if chance.random() < 0.3:
        text = text.replace("stat:", "Stat:").replace("id:", "ID:", 1)
    return text.encode() + chance.choice([b"", b"\0", b"\r\n"])

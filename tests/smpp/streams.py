"""What hostile ends of a connection send, and what they are owed for it.

From a seed, with the generator of `fuzz`: streams of every kind that a socket can bring, as the one who connects sends
them or as the one who was connected to. `owed` reads a stream as SMPP 3.4 has it and tells which answers must come and
whether the connection must end; it frames by itself, so that it would not share a mistake of `smpp.codec.Framer`.
"""

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from smpp.codec import HEADER, PDU_OCTETS_MAX, Frame, Garbage, decode, encode
from smpp.pdu import (
    RESPONSE,
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.smpp.fuzz import Fuzz

BIND_ANSWERS: Final = {
    BindTransceiver: BindTransceiverResp,
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
}
ADDRESS_MAX: Final = 20
"""What a deliver_sm takes (SMPP 3.4, 4.6.1), without the NUL."""

Side = Literal["customer", "carrier"]
Answer = tuple[int, int, int]
"""command_id, command_status and sequence_number of a response."""

BINDS: Final = (BindTransceiver, BindTransmitter, BindReceiver)
NAMES: Final = ("stranger", "other", "a" * 15)
STORM: Final = 3_000
LENGTHS: Final = (0, 1, 15, PDU_OCTETS_MAX + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
MARK: Final = 0x7ABCDEF0
"""The number of the last question, whose answer says that the connection still lives."""


@dataclass(frozen=True, slots=True)
class Stream:
    """`octets` in pieces of this size; then the connection is `asked` whether it lives, `closed` or `reset`."""

    kind: str
    octets: bytes
    piece: int = 65536
    after: Literal["asked", "closed", "reset"] = "asked"
    reads: bool = True


@dataclass(slots=True)
class Owed:
    """Answers that must come, such that may (they were asked for after the end), and how the stream is left."""

    side: Side
    must: Counter[Answer] = field(default_factory=Counter)
    may: Counter[Answer] = field(default_factory=Counter)
    ended: bool = False
    whole: bool = True
    """Whether it stops between two PDUs, so that another could be understood."""
    bound: bool = False
    may_submit: bool = False

    def ask(self, pdu: Pdu | Garbage, sequence: int) -> None:
        """Note what a request is owed, in whichever of SMPP's states the connection is."""
        if isinstance(pdu, Garbage):
            self.answer(GenericNack, pdu.status, sequence)
        elif isinstance(pdu, EnquireLink):
            self.answer(EnquireLinkResp, 0, sequence)
        elif isinstance(pdu, Unbind):
            self.answer(UnbindResp, 0, sequence)
            self.ended = True
        elif not isinstance(pdu, AlertNotification | Outbind):  # nothing answers these two
            self._of_customer(pdu, sequence) if self.side == "customer" else self._of_carrier(pdu, sequence)

    def _of_customer(self, pdu: Pdu, sequence: int) -> None:
        if isinstance(pdu, BINDS):
            self.answer(BIND_ANSWERS[type(pdu)], Status.RALYBND if self.bound else 0, sequence)
            self.may_submit = self.may_submit if self.bound else not isinstance(pdu, BindReceiver)
            self.bound = True
        elif isinstance(pdu, SubmitSm | DataSm):
            kind = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
            self.answer(kind, _judged(pdu) if self.may_submit else Status.RINVBNDSTS, sequence)
        else:
            self.answer(GenericNack, Status.RINVCMDID, sequence)

    def _of_carrier(self, pdu: Pdu, sequence: int) -> None:
        if isinstance(pdu, DeliverSm | DataSm):
            self.answer(DeliverSmResp if isinstance(pdu, DeliverSm) else DataSmResp, 0, sequence)
        else:
            self.answer(GenericNack, Status.RINVCMDID, sequence)

    def forgive_acknowledgements(self) -> None:
        """Nobody is owed one on a connection that has ended: what was delivered is the carrier's to send again."""
        kinds = (DeliverSmResp.command, DataSmResp.command)
        forgiven = Counter({answer: n for answer, n in self.must.items() if answer[0] in kinds})
        self.must, self.may = self.must - forgiven, self.may + forgiven

    def answer(self, kind: type[Pdu], status: int, sequence: int) -> None:
        """Note an answer: owed, or allowed once the connection has ended."""
        (self.may if self.ended else self.must)[int(kind.command), int(status), sequence] += 1


def _judged(pdu: SubmitSm | DataSm) -> int:
    """What the simulated carrier answers a submit: an address that no receipt can bear is none."""
    if len(pdu.destination_addr) > ADDRESS_MAX:
        return Status.RINVDSTADR
    return Status.RINVSRCADR if len(pdu.source_addr) > ADDRESS_MAX else 0


class Streams(Fuzz):
    """`customer()` and `carrier()` make the next stream of a hostile customer, of a hostile carrier."""

    KINDS: Final = (
        *("mutated", "mutated", "mutated", "mutated", "unbound", "truncated", "lengths", "random", "silence"),
        *("half-open", "strays", "storm", "parameters", "twice", "reset", "octet by octet", "same number"),
    )

    def customer(self) -> Stream:
        """What somebody who connects sends: mostly after a bind."""
        kind = self.chance.choice(self.KINDS)
        if kind in ("unbound", "silence"):
            return self._of(kind, b"", asks=[self._submit(), DeliverSm(), EnquireLink()])
        bind = encode(self.chance.choice(BINDS)(self.chance.choice(NAMES), "secret"), self._number())
        return self._of(kind, bind, asks=[self._submit(), self._submit(), DeliverSm(), EnquireLink()])

    def carrier(self) -> Stream:
        """What a carrier sends to somebody whose bind it has just let in."""
        kind = self.chance.choice(self.KINDS)
        return self._of(kind, b"", asks=[self._receipt(), self._receipt(), SubmitSm(), EnquireLink()])

    def deaf(self, octets: int) -> Stream:
        """Questions without end from somebody who never reads an answer."""
        one = b"".join(encode(EnquireLink(), number) for number in range(1, 4097))
        return Stream("deaf", one * (octets // len(one)), after="reset", reads=False)

    def _of(self, kind: str, before: bytes, asks: list[Pdu]) -> Stream:
        chance = self.chance
        some = b"".join(encode(chance.choice(asks), self._number()) for _ in range(chance.randrange(1, 6)))
        piece = chance.choice([16, 1024, 65536])
        match kind:
            case "silence":
                return Stream(kind, b"", after=chance.choice(["asked", "closed"]))
            case "truncated":
                return Stream(kind, (before + some)[: -chance.randrange(1, 16)], piece)
            case "half-open":
                cut = (before + some)[: chance.randrange(len(before + some))]
                return Stream(kind, cut, piece, "closed")
            case "reset":
                return Stream(kind, before + some + self.octets(), piece, "reset")
            case "lengths":
                header = HEADER.pack(chance.choice(LENGTHS), 4, 0, self._number())
                return Stream(kind, before + some + header + some, piece)
            case "random":
                return Stream(kind, before + chance.randbytes(chance.choice([3, 100, 5_000])), piece)
            case "strays":
                return Stream(kind, before + b"".join(self._stray() for _ in range(50)) + some, piece)
            case "storm":
                storm = b"".join(encode(EnquireLink(), number) for number in range(1, STORM))
                return Stream(kind, before + storm + some)
            case "parameters":
                return Stream(kind, before + self._stuffed(chance.choice(asks[:2])) + some, piece)
            case "twice":
                again = b"".join(encode(bind("again", "x"), self._number()) for bind in BINDS)
                return Stream(kind, before + again + some + before, piece)
            case "same number":
                return Stream(kind, before + b"".join(encode(chance.choice(asks), 5) for _ in range(200)))
            case "octet by octet":
                return Stream(kind, before + some + self.octets()[:200], 1)
            case _:
                return Stream(kind, before + self.octets() + some, piece)

    def _number(self) -> int:
        return self.chance.choice([self.chance.randrange(1, 10), self.chance.randrange(1 << 31)])

    def _submit(self) -> SubmitSm | DataSm:
        """A submit, now and then with addresses longer than the standard has them, which `smpp` reads."""
        chance = self.chance
        to = "9" * chance.choice([0, 12, 12, 12, 20])
        return chance.choice(
            [
                SubmitSm(destination_addr=to, registered_delivery=1, short_message=chance.randbytes(20)),
                DataSm(destination_addr="9" * chance.choice([12, 40, 64]), registered_delivery=1),
            ]
        )

    def _receipt(self) -> Pdu:
        pdu = self.pdu()
        return pdu if isinstance(pdu, DeliverSm | DataSm) else DeliverSm(esm_class=4, short_message=b"id:1")

    def _stray(self) -> bytes:
        answer = self.chance.choice([SubmitSmResp("7"), DataSmResp(), DeliverSmResp(), EnquireLinkResp()])
        nack = self.chance.random() < 0.2
        return encode(GenericNack() if nack else answer, 100 + self._number(), self.chance.choice([0, 8]))

    def _stuffed(self, pdu: Pdu) -> bytes:
        """A PDU with parameters as large as they can be, or larger than the PDU that they stand in."""
        body = encode(pdu, 1)[16:]
        for _ in range(self.chance.choice([1, 1, 3])):
            size = self.chance.choice([0xFFFF, 0x8000, 2000])
            there = self.chance.choice([size, 10])
            body += struct.pack(">HH", self.chance.choice([0x0424, 0x001E, 0x1403]), size) + bytes(there)
        body = body[: PDU_OCTETS_MAX - 16]
        return HEADER.pack(16 + len(body), pdu.command, 0, self._number()) + body


def owed(octets: bytes, side: Side) -> Owed:
    """What must come back for a stream that this side sent."""
    found = Owed(side)
    while octets:
        if len(octets) < HEADER.size:
            found.whole = False
            break
        length, command, status, sequence = HEADER.unpack_from(octets)
        if not HEADER.size <= length <= PDU_OCTETS_MAX:
            found.answer(GenericNack, Status.RINVCMDLEN, 0)
            found.ended, found.whole = True, False
            break
        if len(octets) < length:
            found.whole = False
            break
        if not command & RESPONSE:
            found.ask(decode(Frame(command, status, sequence, octets[HEADER.size : length])), sequence)
        octets = octets[length:]
    if side == "carrier" and found.ended:
        found.forgive_acknowledgements()
    return found

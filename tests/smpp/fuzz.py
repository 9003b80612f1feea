"""A fuzz of everything that reads what a stranger sends: framer, codec, session, receipts.

From a seed: octets made up, PDUs that are right, and such that were right before something was flipped, cut,
doubled or stretched; in pieces of any size. Nothing may raise, nothing may be remembered without bound, and what
is read must be written again as it was. Run by itself: `python -m tests.smpp.fuzz --inputs 200000`; over real sockets
(`sockets`): `python -m tests.smpp.fuzz --sockets 20000`.
"""

import argparse
import random
import struct
import time
from collections import Counter
from typing import Final

from smpp import receipt
from smpp.codec import PDU_OCTETS_MAX, Frame, Framer, Garbage, decode, encode
from smpp.pdu import (
    BindTransceiver,
    Command,
    DataSm,
    DeliverSm,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Tag,
)
from smpp.receipt import State
from smpp.session import Session

COMMANDS: Final = [int(command) for command in Command]
TAGS: Final = [int(tag) for tag in Tag] + [0, 0x1403, 0xFFFF]
WORDS: Final = [
    *(b"id:", b"stat:", b"DELIVRD", b"err:", b"done date:", b"2603101022", b"text:", b"7"),
    *(b" ", b"\0", b"\xff"),
]


class Fuzz:
    """`run(n)` tries n inputs; `seen` counts what became of them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seen: Counter[str] = Counter()

    def run(self, inputs: int) -> None:
        """Try so many inputs, each on a new stream."""
        for _ in range(inputs):
            self._try(self.octets())

    def octets(self) -> bytes:
        """What a stranger may send: one or a few PDUs or what looks like some, spoilt or not."""
        chance = self.chance
        octets = b"".join(self._one() for _ in range(chance.choice([1, 1, 2, 5])))
        for _ in range(chance.choice([0, 0, 1, 1, 3])):
            octets = self.mutated(octets)
        return octets

    def _one(self) -> bytes:
        chance = self.chance
        kind = chance.randrange(4)
        if kind == 0:
            return chance.randbytes(chance.randrange(64))
        if kind == 1:
            body = chance.randbytes(chance.choice([0, 1, 8, 40, 300]))
            status = chance.choice([0, 0x58, chance.getrandbits(32)])
            sequence = chance.choice([0, 1, 2, chance.getrandbits(32)])
            return struct.pack(">LLLL", 16 + len(body), chance.choice(COMMANDS), status, sequence) + body
        return encode(self.pdu(), chance.randrange(1, 10))

    def pdu(self) -> Pdu:
        """A PDU that can be written."""
        chance = self.chance
        text = b"".join(chance.choices(WORDS, k=chance.randrange(20)))[:254]
        tags = chance.sample(TAGS, chance.randrange(4))
        tlvs = {tag: chance.randbytes(chance.choice([0, 1, 2, 3, 20])) for tag in tags}
        coding = chance.choice([0, 8])
        pdus: list[Pdu] = [
            DeliverSm(
                esm_class=chance.choice([0, 4, 8, 0x20, 0x44]),
                data_coding=coding,
                short_message=text,
                tlvs=tlvs,
            ),
            DataSm(esm_class=4, tlvs=tlvs | {Tag.MESSAGE_PAYLOAD: text}),
            SubmitSm(destination_addr="905551112233", short_message=text, tlvs=tlvs),
            SubmitSmResp(str(chance.getrandbits(40)), tlvs),
            BindTransceiver("ulak", "secret"),
            GenericNack(),
            DeliverSm(esm_class=4, tlvs=receipt.tlvs("7", chance.choice(list(State)))),
        ]
        return chance.choice(pdus)

    def mutated(self, octets: bytes) -> bytes:
        """The same with something flipped, cut, doubled, stretched or put in."""
        chance = self.chance
        if not octets:
            return octets
        at = chance.randrange(len(octets))
        match chance.randrange(5):
            case 0:
                return octets[:at] + bytes((octets[at] ^ 1 << chance.randrange(8),)) + octets[at + 1 :]
            case 1:
                return octets[:at]
            case 2:
                return octets[:at] + octets[at : at + 20] * 2 + octets[at + 20 :]
            case 3:
                return octets[:at] + struct.pack(">L", chance.getrandbits(32)) + octets[at + 4 :]
            case _:
                return octets[:at] + chance.randbytes(chance.randrange(30)) + octets[at:]

    def _try(self, octets: bytes) -> None:
        """As a framer hears it, and as a session in the middle of its work does."""
        framer, session = Framer(), Session(window_max=10, enquire_seconds=30, response_seconds=60, now=0)
        for token in range(3):
            session.request(SubmitSm(), token, 0)
        for piece in self._pieces(octets):
            for found in framer.feed(piece):
                self._look(found)
            events = session.receive(piece, 1)
            assert len(events.output) <= 64 * (1 + len(piece)), "more is answered than was asked"
            self.seen["requests"] += len(events.requests)
            self.seen["responses"] += len(events.responses)
            if events.ended:
                self.seen["ended"] += 1
                break
        assert session.outstanding <= 3

    def _pieces(self, octets: bytes) -> list[bytes]:
        size = self.chance.choice([1, 3, 16, 4096])
        return [octets[start : start + size] for start in range(0, len(octets), size)]

    def _look(self, found: Frame | Garbage) -> None:
        if isinstance(found, Garbage):
            self.seen["garbage"] += 1
            return
        assert len(found.body) <= PDU_OCTETS_MAX
        pdu = decode(found)
        if isinstance(pdu, Garbage):
            self.seen["unreadable"] += 1
            return
        self.seen[type(pdu).__name__] += 1
        try:
            octets = encode(pdu, 1)
        except ValueError:  # a field longer than the standard has it: read from others, never written
            self.seen["too long to write"] += 1
        else:
            again = decode_one(octets)
            assert again == pdu, (pdu, again)
        if isinstance(pdu, DeliverSm | DataSm) and receipt.parse(pdu, 0x1403) is not None:
            self.seen["receipts"] += 1


def decode_one(octets: bytes) -> Pdu | Garbage:
    """The PDU in these octets."""
    [frame] = Framer().feed(octets)
    assert isinstance(frame, Frame)
    return decode(frame)


def main() -> None:
    """Fuzz, and say what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.smpp.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--sockets", type=int, help="so many streams each way over real sockets instead")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    if given.sockets:
        from tests.smpp.sockets import fuzz_sockets

        said = str(fuzz_sockets(given.seed, given.sockets))
    else:
        fuzz = Fuzz(given.seed)
        fuzz.run(given.inputs)
        said = f"{given.inputs:,} inputs: {dict(fuzz.seen)}"
    print(f"seed {given.seed}, {time.monotonic() - started:.0f} s: {said}")


if __name__ == "__main__":
    main()

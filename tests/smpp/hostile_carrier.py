"""A carrier that lets everybody in and then answers with whatever a socket can bring: what a link has to live with.

Every submit is answered in the next of these ways: taken under an id of any length and bytes, refused with any status,
nacked, answered with a body cut short, not at all; receipts follow, as strange as the ids they speak of; and every few
submits a stream of `streams` follows, which mostly costs the connection. `polite` makes it a carrier like any other.
"""

import asyncio
import random
from contextlib import suppress
from typing import Final

from smpp import receipt
from smpp.codec import HEADER, encode
from smpp.pdu import RESPONSE, Command, DeliverSm, EnquireLinkResp, GenericNack, SubmitSmResp, Tag
from smpp.receipt import State
from tests.smpp.streams import Streams

STREAM_EVERY: Final = 7
LONG: Final = 60_000


class HostileCarrier:
    """`await start()` returns the port; `binds`, `submits` and `streams` count. `await stop()` ends it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.polite = False
        self.binds = self.submits = self.streams = 0
        self._streams = Streams(seed)
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """End every connection, and listen no more."""
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    def say(self, octets: bytes) -> None:
        """Send this to everybody who is connected."""
        for writer in self._connections:
            writer.write(octets)

    def drop(self) -> None:
        """Drop every connection, as a broken network would."""
        for writer in self._connections:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while not reader.at_eof():
                length, command, _, sequence = HEADER.unpack(await reader.readexactly(HEADER.size))
                body = await reader.readexactly(length - HEADER.size)
                writer.write(self.answer(command, sequence, body))
                await writer.drain()
        self._connections.discard(writer)
        writer.close()

    def answer(self, command: int, sequence: int, body: bytes) -> bytes:
        """What goes back for a request."""
        match command:
            case Command.BIND_TRANSCEIVER | Command.BIND_TRANSMITTER | Command.BIND_RECEIVER:
                self.binds += 1
                return HEADER.pack(HEADER.size + 1, command | RESPONSE, 0, sequence) + b"\0"
            case Command.SUBMIT_SM:
                self.submits += 1
                return self.taken(sequence, str(self.submits)) if self.polite else self._judged(sequence)
            case Command.ENQUIRE_LINK:
                return encode(EnquireLinkResp(), sequence)
            case Command.UNBIND:
                return HEADER.pack(HEADER.size, command | RESPONSE, 0, sequence)
        return b""

    def taken(self, sequence: int, message_id: str) -> bytes:
        """An answer, and the receipt right behind it."""
        told = DeliverSm(esm_class=receipt.ESM_RECEIPT, tlvs=receipt.tlvs(message_id, State.DELIVRD))
        return (
            encode(SubmitSmResp(), sequence)[:-1].replace(
                HEADER.pack(17, SubmitSmResp.command, 0, sequence),
                HEADER.pack(17 + len(message_id), SubmitSmResp.command, 0, sequence),
            )
            + message_id.encode("latin-1")
            + b"\0"
            + encode(told, sequence)
        )

    def _judged(self, sequence: int) -> bytes:
        if self.submits % STREAM_EVERY == 0:
            self.streams += 1
            return self._streams.carrier().octets
        match self.submits % STREAM_EVERY:
            case 1:
                return self.taken(sequence, self._id(LONG))
            case 2:
                status = self.chance.choice([0xFFFFFFFF, 0x80000000, self.chance.getrandbits(32)])
                return encode(SubmitSmResp(), sequence, status)
            case 3:
                return encode(GenericNack(), sequence, self.chance.getrandbits(32))
            case 4:
                return HEADER.pack(HEADER.size, SubmitSmResp.command, 0, sequence) + self._strange_receipt(
                    sequence
                )
            case 5:
                return self.taken(sequence, self._id(300)) + self._strange_receipt(sequence)
        return self.taken(sequence, "")

    def _id(self, length: int) -> str:
        return self.chance.randbytes(length).replace(b"\0", b"x").decode("latin-1")

    def _strange_receipt(self, sequence: int) -> bytes:
        """Receipts of no message, with every field as long as it can be, and octets that no database takes."""
        octets = self.chance.randbytes(LONG)
        tlvs = {
            Tag.RECEIPTED_MESSAGE_ID: self.chance.choice([octets, b"\0", b"7\0" + octets]),
            Tag.MESSAGE_STATE: self.chance.choice([b"", b"\2", b"\0\xff", octets[:9]]),
            Tag.NETWORK_ERROR_CODE: octets[:3],
            Tag.MESSAGE_PAYLOAD: b"id:" + octets[:20] + b" stat:DELIVRD err:" + octets.hex().encode()[:9_000],
        }
        tlvs = dict(self.chance.sample(list(tlvs.items()), self.chance.randrange(1, 4)))
        coding = self.chance.choice([0, 8])
        body = encode(DeliverSm(esm_class=4, data_coding=coding, tlvs=tlvs), sequence)
        return body if len(body) < 0x11000 else b""

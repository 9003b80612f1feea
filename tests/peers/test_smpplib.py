"""smpplib: its client against our server, its PDUs against our codec, a carrier made of them against our client."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import smpplib.client
import smpplib.smpp
from smpplib.client import SimpleSequenceGenerator

from smpp import receipt
from smpp.client import BindRefused, Client
from smpp.codec import Frame, Framer, decode, encode
from smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unbind,
    UnbindResp,
)
from smpp.receipt import State
from smpp.simulator import Simulator, SimulatorOptions
from tests.smpp.ends import Customer, until, where

SUBMIT = {
    "source_addr_ton": 5,
    "source_addr_npi": 0,
    "source_addr": "ULAK",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "905551112233",
    "esm_class": 0x40,
    "registered_delivery": 1,
    "data_coding": 8,
    "short_message": b"\x05\x00\x03\x07\x02\x01\x01\x5f",
    "validity_period": "261123181200000+",
}
#: our kind, its name, the fields that are the same, and the optional parameters in its words and in ours
PAIRS: list[tuple[type[Pdu], str, dict[str, Any], dict[str, Any], dict[int, bytes]]] = [
    (SubmitSm, "submit_sm", SUBMIT, {}, {}),
    (SubmitSm, "submit_sm", {"destination_addr": "1"}, {}, {}),
    (
        SubmitSm,
        "submit_sm",
        {"destination_addr": "1"},
        {"message_payload": b"x" * 300},
        {Tag.MESSAGE_PAYLOAD: b"x" * 300},
    ),
    (
        SubmitSm,
        "submit_sm",
        {"destination_addr": "1", "short_message": b"part"},
        {"sar_msg_ref_num": 7, "sar_total_segments": 2, "sar_segment_seqnum": 1},
        {
            Tag.SAR_MSG_REF_NUM: b"\x00\x07",
            Tag.SAR_TOTAL_SEGMENTS: b"\x02",
            Tag.SAR_SEGMENT_SEQNUM: b"\x01",
        },
    ),
    (SubmitSmResp, "submit_sm_resp", {"message_id": "0123456789ABCDEF"}, {}, {}),
    (DeliverSm, "deliver_sm", SUBMIT | {"esm_class": 4, "short_message": b"id:1 stat:DELIVRD"}, {}, {}),
    (
        BindTransceiver,
        "bind_transceiver",
        {"system_id": "ulak", "password": "secret", "system_type": "VMA", "addr_ton": 1, "addr_npi": 1},
        {},
        {},
    ),
    (BindTransmitter, "bind_transmitter", {"system_id": "ulak", "password": "secret"}, {}, {}),
    (BindReceiver, "bind_receiver", {"system_id": "ulak", "password": "secret"}, {}, {}),
    (BindTransceiverResp, "bind_transceiver_resp", {"system_id": "smsc"}, {}, {}),
    (EnquireLink, "enquire_link", {}, {}, {}),
    (EnquireLinkResp, "enquire_link_resp", {}, {}, {}),
    (Unbind, "unbind", {}, {}, {}),
    (UnbindResp, "unbind_resp", {}, {}, {}),
]


def made(command: str, sequence: int, status: int = 0, **fields: Any) -> bytes:
    """A PDU as smpplib writes it."""
    pdu = smpplib.smpp.make_pdu(command, client=SimpleSequenceGenerator(), status=status, **fields)
    pdu.sequence = sequence
    return bytes(pdu.generate())


def read(octets: bytes) -> Any:
    """A PDU as smpplib reads it."""
    return smpplib.smpp.parse_pdu(octets, client=SimpleSequenceGenerator(), allow_unknown_opt_params=True)


@pytest.mark.parametrize(("kind", "command", "fields", "theirs", "ours"), PAIRS)
def test_both_write_the_same_octets_and_read_what_the_other_wrote(
    kind: type[Pdu], command: str, fields: dict[str, Any], theirs: dict[str, Any], ours: dict[int, bytes]
) -> None:
    pdu = kind(**fields | ({"tlvs": ours} if ours else {}))

    octets = encode(pdu, 42)

    assert made(command, 42, **fields, **theirs) == octets
    [frame] = Framer().feed(octets)
    assert isinstance(frame, Frame)
    assert (decode(frame), frame.sequence, frame.status) == (pdu, 42, 0)
    heard = read(octets)
    assert (heard.command, heard.sequence, heard.status) == (command, 42, 0)
    for name, value in (fields | theirs).items():
        found = getattr(heard, name)
        assert (found.decode("latin-1") if isinstance(value, str) else found) == value, name


def test_it_reads_the_parameters_of_our_receipts() -> None:
    heard = read(encode(DeliverSm(esm_class=4, tlvs=receipt.tlvs("A7", State.EXPIRED)), 1))

    assert heard.receipted_message_id.rstrip(b"\0") == b"A7"
    assert heard.message_state == State.EXPIRED


async def test_its_client_against_our_server() -> None:
    simulator = Simulator(SimulatorOptions(delay_ms=5, keep=True))
    port = await simulator.start()
    sent: list[str] = []
    heard: list[Any] = []

    def be_a_customer() -> None:
        client = smpplib.client.Client("127.0.0.1", port, timeout=5, allow_unknown_opt_params=True)
        client.set_message_sent_handler(lambda pdu: sent.append(pdu.message_id.decode()))
        client.set_message_received_handler(lambda pdu: heard.append(pdu))
        client.connect()
        client.bind_transceiver(system_id="peer", password="secret")
        for n in range(50):
            fields = SUBMIT | {"destination_addr": f"90555{n:06d}5"}
            client.send_message(**fields)
        while len(heard) < 50:
            client.read_once()
        client.unbind()
        client.disconnect()

    await asyncio.wait_for(asyncio.to_thread(be_a_customer), 20)
    await until(lambda: simulator.counters.acknowledged == 50, "all receipts acknowledged")
    await simulator.stop()

    assert len(set(sent)) == 50
    assert [pdu.receipted_message_id.decode().rstrip("\0") for pdu in heard] == sent
    assert {pdu.message_state for pdu in heard} == {State.DELIVRD}
    assert {received.pdu.source_addr for received in simulator.received} == {"ULAK"}


@asynccontextmanager
async def carrier(bind_status: int = 0) -> AsyncIterator[int]:
    """A carrier that knows only smpplib's PDUs: answers submits, and sends a receipt for each; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listener, bind_status))
    thread.start()
    try:
        yield listener.getsockname()[1]
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
    finally:
        listener.close()


def _serve(listener: socket.socket, bind_status: int) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(10)
        stream = connection.makefile("rb")
        taken = 0
        while header := stream.read(4):
            request = read(header + stream.read(int.from_bytes(header, "big") - 4))
            if request.command == "submit_sm":
                taken += 1
                _answer(connection, request, "submit_sm_resp", message_id=str(taken))
                text = f"id:{taken} stat:DELIVRD err:000 text:".encode()
                connection.sendall(made("deliver_sm", 1000 + taken, esm_class=4, short_message=text))
            elif request.command == "bind_transceiver":
                _answer(connection, request, "bind_transceiver_resp", bind_status, system_id="peer")
            elif request.command in ("enquire_link", "unbind"):
                _answer(connection, request, f"{request.command}_resp")
        stream.close()


def _answer(connection: socket.socket, request: Any, command: str, status: int = 0, **fields: str) -> None:
    connection.sendall(made(command, request.sequence, status, **fields))


async def test_our_client_against_a_carrier_of_its_pdus() -> None:
    customer = Customer()
    async with carrier() as port:
        client = await Client.bind(where(port), customer)
        for n in range(30):
            client.submit(SubmitSm(**SUBMIT), n)
        await until(lambda: len(customer.deliveries) == 30, "thirty receipts")
        client.acknowledge([delivery.sequence for delivery in customer.deliveries])
        await client.unbind(5)

    assert [(answer.token, answer.message_id) for answer in customer.answers] == [
        (n, str(n + 1)) for n in range(30)
    ]
    receipts = [receipt.parse(delivery.pdu) for delivery in customer.deliveries]
    assert [(one.message_id, one.state) for one in receipts if one] == [
        (str(n + 1), State.DELIVRD) for n in range(30)
    ]


async def test_our_client_refused_by_a_carrier_of_its_pdus() -> None:
    async with carrier(Status.RINVPASWD) as port:
        with pytest.raises(BindRefused) as refused:
            await Client.bind(where(port), Customer())

    assert refused.value.status == Status.RINVPASWD

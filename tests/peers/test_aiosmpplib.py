"""aiosmpplib's PDUs against our codec, in both directions."""

from typing import Any

import pytest
from aiosmpplib import protocol
from aiosmpplib.state import NPI, TON, PhoneNumber, SmppCommand, SmppDataCoding

from smpp.codec import Frame, Framer, decode, encode
from smpp.pdu import BindTransceiver, BindTransceiverResp, DeliverSm, Pdu, SubmitSm, SubmitSmResp

TEXTS = [("Kod: 4711 {€}", 0), ("Şişli'de çay 😀", 8)]


def ours(octets: bytes) -> Pdu:
    """What our codec makes of octets."""
    [frame] = Framer().feed(octets)
    assert isinstance(frame, Frame)
    pdu = decode(frame)
    assert isinstance(pdu, Pdu)
    return pdu


def theirs(kind: Any, octets: bytes) -> Any:
    """What its classes make of octets."""
    return kind.from_pdu(octets, protocol.SmppMessage.parse_header(octets[:16]), "gsm0338")


@pytest.mark.parametrize(("text", "data_coding"), TEXTS)
@pytest.mark.parametrize("kind", [SubmitSm, DeliverSm])
def test_a_message_it_writes(kind: type[SubmitSm | DeliverSm], text: str, data_coding: int) -> None:
    message = getattr(protocol, kind.__name__)(
        short_message=text,
        source=PhoneNumber("ULAK", TON(5), NPI(0)),
        destination=PhoneNumber("905551112233", TON(1), NPI(1)),
        registered_delivery=1,
        sequence_num=7,
    )
    octets = message.pdu()

    pdu = ours(octets)

    assert isinstance(pdu, kind)
    assert (pdu.source_addr_ton, pdu.source_addr, pdu.destination_addr) == (5, "ULAK", "905551112233")
    assert (pdu.registered_delivery, pdu.data_coding) == (1, data_coding)
    if data_coding == 8:
        assert pdu.short_message.decode("utf-16-be") == text
    assert encode(pdu, 7) == octets


@pytest.mark.parametrize(("text", "data_coding"), TEXTS)
@pytest.mark.parametrize("kind", [SubmitSm, DeliverSm])
def test_a_message_we_write(kind: type[SubmitSm | DeliverSm], text: str, data_coding: int) -> None:
    payload = text.encode("utf-16-be") if data_coding == 8 else b"Kod: 4711 \x1b\x28\x1b\x65\x1b\x29"
    pdu = kind(
        source_addr_ton=5,
        source_addr="ULAK",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="905551112233",
        data_coding=data_coding,
        short_message=payload,
    )
    octets = encode(pdu, 7)

    message = theirs(getattr(protocol, kind.__name__), octets)

    assert (message.sequence_num, message.short_message) == (7, text)
    assert (message.source.number, message.destination.number) == ("ULAK", "905551112233")
    assert SmppDataCoding[message.encoding].value == data_coding if message.encoding else data_coding == 0
    assert message.smpp_command is SmppCommand[f"{'SUBMIT' if kind is SubmitSm else 'DELIVER'}_SM"]


def test_binds_and_answers() -> None:
    bind = BindTransceiver("ulak", "secret", "VMA", 0x34, 1, 1, "")
    octets = encode(bind, 1)
    message = theirs(protocol.BindTransceiver, octets)

    assert (message.system_id, message.password, message.system_type) == ("ulak", "secret", "VMA")
    assert ours(message.pdu()) == bind
    assert theirs(protocol.BindTransceiverResp, encode(BindTransceiverResp("smsc"), 1)).system_id == "smsc"
    assert theirs(protocol.SubmitSmResp, encode(SubmitSmResp("0A1B"), 1)).message_id == "0A1B"

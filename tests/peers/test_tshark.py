"""PDUs of every kind that we write, dissected by Wireshark without a complaint."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from smpp import receipt
from smpp.codec import encode
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
    Tag,
    Unbind,
    UnbindResp,
)
from smpp.receipt import State
from ulak.rules.segments import Style, split

pytestmark = pytest.mark.skipif(
    not shutil.which("tshark") or not shutil.which("text2pcap"),
    reason="tshark is not installed: apt-get install tshark",
)

TEXT = "Sayın müşterimiz, kargonuz şubemize ulaştı; on gün içinde alabilirsiniz. İyi günler dileriz, Şişli şubesi. 😀"


def pdus() -> Iterator[tuple[Pdu, int]]:
    """Every kind of PDU that we write, with its status."""
    for bind in (BindTransmitter, BindReceiver, BindTransceiver):
        yield bind("ulak", "secret", "VMA", 0x34, 1, 1, ""), 0
    for answer in (BindTransmitterResp, BindReceiverResp, BindTransceiverResp):
        yield answer("smsc", {Tag.SC_INTERFACE_VERSION: b"\x34"}), 0
        yield answer(), Status.RINVPASWD
    for simple in (EnquireLink(), EnquireLinkResp(), Unbind(), UnbindResp(), GenericNack()):
        yield simple, 0
    yield GenericNack(), Status.RINVCMDID
    yield from ((SubmitSmResp("0A1B2C"), 0), (SubmitSmResp(), Status.RTHROTTLED), (DeliverSmResp(), 0))
    yield from ((DataSmResp("7"), 0), (Outbind("smsc", "secret"), 0), (AlertNotification(), 0))
    for concatenation in ("udh8", "udh16", "sar", "payload"):
        for turkish in ("ucs2", "locking", "single", "transliterate"):
            style = Style(turkish, concatenation=concatenation)  # type: ignore[arg-type]
            for text in ("Kod: 4711", TEXT, "ş" * 160):
                for message in submits(text, style):
                    yield message, 0
    at = receipt.datetime(2026, 3, 10, 10, 22, tzinfo=receipt.UTC)
    for state in State:
        text = receipt.render("0A1B", state, submitted=at, done=at)
        yield DeliverSm(esm_class=4, destination_addr="ULAK", short_message=text), 0
        yield DeliverSm(esm_class=4, tlvs=receipt.tlvs("0A1B", state)), 0
    yield DataSm(destination_addr="905551112233", tlvs={Tag.MESSAGE_PAYLOAD: b"text"}), 0


def submits(text: str, style: Style) -> Iterator[SubmitSm]:
    """A text as the carrier of a style gets it."""
    encoded = split(text, style, reference=0x1A7)
    for part in encoded.parts:
        tlvs: dict[int, bytes] = {Tag.MESSAGE_PAYLOAD: part.udh + part.payload} if part.whole else {}
        if part.sar:
            tlvs[Tag.SAR_MSG_REF_NUM] = part.sar.reference.to_bytes(2, "big")
            tlvs[Tag.SAR_TOTAL_SEGMENTS] = bytes((part.sar.total,))
            tlvs[Tag.SAR_SEGMENT_SEQNUM] = bytes((part.sar.number,))
        yield SubmitSm(
            source_addr_ton=5,
            source_addr="ULAK",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="905551112233",
            esm_class=0x40 if part.udh else 0,
            validity_period="261123181200000+",
            registered_delivery=1,
            data_coding=encoded.data_coding,
            short_message=b"" if part.whole else part.udh + part.payload,
            tlvs=tlvs,
        )


@pytest.fixture(scope="module")
def dissected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Pdu, int, dict[str, Any]]]:
    """Each PDU with its status and what Wireshark says of it."""
    folder: Path = tmp_path_factory.mktemp("pcap")
    written = list(pdus())
    lines = []
    for number, (pdu, status) in enumerate(written, start=1):
        octets = encode(pdu, number, status)
        lines += [
            f"{offset:06x} {octets[offset : offset + 16].hex(' ')}" for offset in range(0, len(octets), 16)
        ]
    (folder / "pdus.txt").write_text("\n".join([*lines, ""]))
    run("text2pcap", "-q", "-T", "2775,2775", str(folder / "pdus.txt"), str(folder / "pdus.pcap"))
    said = run("tshark", "-r", str(folder / "pdus.pcap"), "-d", "tcp.port==2775,smpp", "-T", "json")
    layers = [packet["_source"]["layers"] for packet in json.loads(said)]
    assert len(layers) == len(written)
    return [(pdu, status, its) for (pdu, status), its in zip(written, layers, strict=True)]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_malformed_or_suspicious(dissected: list[tuple[Pdu, int, dict[str, Any]]]) -> None:
    for pdu, _, layers in dissected:
        assert "smpp" in layers, pdu
        text = json.dumps(layers)
        assert "_ws.malformed" not in text, (pdu, layers)
        assert "_ws.expert" not in json.dumps(layers["smpp"]), (pdu, layers["smpp"])


def test_every_kind_is_what_it_was_meant_to_be(dissected: list[tuple[Pdu, int, dict[str, Any]]]) -> None:
    for number, (pdu, status, layers) in enumerate(dissected, start=1):
        smpp = layers["smpp"]
        assert int(smpp["smpp.command_id"], 16) == pdu.command
        assert int(smpp["smpp.sequence_number"], 0) == number
        if pdu.command & RESPONSE:
            assert int(smpp["smpp.command_status"], 16) == status


def test_every_field_has_the_value_it_was_given(dissected: list[tuple[Pdu, int, dict[str, Any]]]) -> None:
    seen = 0
    for pdu, _, layers in dissected:
        for field in fields(pdu) if isinstance(pdu, SubmitSm | DeliverSm) else ():
            found = layers["smpp"].get(f"smpp.{field.name}")
            value = getattr(pdu, field.name)
            if field.name == "validity_period" and value:
                assert "2026 18:12:00" in found
            elif isinstance(found, str) and isinstance(value, str) and value:
                assert found == value, (field.name, pdu)
                seen += 1
            elif isinstance(found, str) and isinstance(value, int):
                assert int(found, 0) == value, (field.name, pdu)
                seen += 1
    assert seen > 500

"""PDUs against octets written by hand from the layouts of SMPP 3.4, chapter 4; and what a stranger may send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.codec import PDU_OCTETS_MAX, Frame, Framer, Garbage, decode, encode
from smpp.pdu import (
    FIELDS,
    RESPONSE,
    STATUS_WORDS,
    AlertNotification,
    BindTransceiver,
    BindTransceiverResp,
    Command,
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
    words,
)

PROPERTY = settings(deadline=None, database=None, max_examples=100)


def octets(*pieces: str) -> bytes:
    """Hexadecimal octets, and text after a quote sign."""
    return b"".join(
        piece[1:].encode("latin-1") if piece.startswith("'") else bytes.fromhex(piece) for piece in pieces
    )


SUBMIT = SubmitSm(
    service_type="CMT",
    source_addr_ton=5,
    source_addr_npi=0,
    source_addr="ULAK",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="905550000000",
    esm_class=0x40,
    protocol_id=0,
    priority_flag=1,
    schedule_delivery_time="",
    validity_period="261123181200000+",
    registered_delivery=1,
    replace_if_present_flag=0,
    data_coding=8,
    sm_default_msg_id=0,
    short_message=b"\x05\x00\x03\x07\x02\x01\x01\x5f",
    tlvs={Tag.SAR_TOTAL_SEGMENTS: b"\x02"},
)
SUBMIT_OCTETS = octets(
    "00000051 00000004 00000000 00000002",
    "'CMT", "00",  # service_type
    "05 00", "'ULAK", "00",  # source: alphanumeric
    "01 01", "'905550000000", "00",  # destination: international, ISDN
    "40 00 01",  # esm_class (UDHI), protocol_id, priority_flag
    "00",  # schedule_delivery_time
    "'261123181200000+", "00",  # validity_period
    "01 00 08 00",  # registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
    "08 05 00 03 07 02 01 01 5f",  # sm_length, short_message
    "020e 0001 02",  # sar_total_segments
)  # fmt: skip

VECTORS: list[tuple[Pdu, int, int, bytes]] = [
    (
        BindTransceiver("ulak", "secret", "VMA", 0x34, 1, 1, ""),
        1,
        0,
        octets("00000024 00000009 00000000 00000001", "'ulak", "00", "'secret", "00", "'VMA", "00 34 01 01 00"),
    ),
    (
        BindTransceiverResp("smsc", {Tag.SC_INTERFACE_VERSION: b"\x34"}),
        1,
        0,
        octets("0000001a 80000009 00000000 00000001", "'smsc", "00", "0210 0001 34"),
    ),
    (BindTransceiverResp(), 1, 0x0E, octets("00000010 80000009 0000000e 00000001")),
    (SUBMIT, 2, 0, SUBMIT_OCTETS),
    (SubmitSmResp("00AF"), 2, 0, octets("00000015 80000004 00000000 00000002", "'00AF", "00")),
    (SubmitSmResp(), 2, 0x58, octets("00000010 80000004 00000058 00000002")),
    (
        DeliverSm(destination_addr="1", esm_class=4, tlvs={Tag.RECEIPTED_MESSAGE_ID: b"7\0", Tag.MESSAGE_STATE: b"\2"}),
        0x7FFFFFFF,
        0,
        octets(
            "0000002d 00000005 00000000 7fffffff",
            "00 00 00 00 00 00", "'1", "00",
            "04 00 00 00 00 00 00 00 00 00",
            "001e 0002", "'7", "00", "0427 0001 02",
        ),
    ),
    (DeliverSmResp(), 9, 0, octets("00000011 80000005 00000000 00000009 00")),
    (
        DataSm("", 0, 0, "a", 1, 1, "b", 4, 0, 0, {Tag.MESSAGE_PAYLOAD: b"hi"}),
        3,
        0,
        octets(
            *("00000022 00000103 00000000 00000003", "00 00 00", "'a", "00 01 01", "'b", "00"),
            *("04 00 00", "0424 0002", "'hi"),
        ),
    ),
    (DataSmResp("x"), 3, 0, octets("00000012 80000103 00000000 00000003", "'x", "00")),
    (Unbind(), 4, 0, octets("00000010 00000006 00000000 00000004")),
    (UnbindResp(), 4, 0, octets("00000010 80000006 00000000 00000004")),
    (EnquireLink(), 5, 0, octets("00000010 00000015 00000000 00000005")),
    (EnquireLinkResp(), 5, 0, octets("00000010 80000015 00000000 00000005")),
    (GenericNack(), 6, 3, octets("00000010 80000000 00000003 00000006")),
    (Outbind("ulak", "pw"), 1, 0, octets("00000018 0000000b 00000000 00000001", "'ulak", "00", "'pw", "00")),
    (
        AlertNotification(1, 1, "905", 5, 0, "u", {0x0422: b"\0"}),
        8,
        0,
        octets("0000001f 00000102 00000000 00000008", "01 01", "'905", "00 05 00", "'u", "00", "0422 0001 00"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pdu", "sequence", "status", "wire"), VECTORS, ids=lambda v: type(v).__name__)
def test_a_pdu_has_the_octets_of_the_book(pdu: Pdu, sequence: int, status: int, wire: bytes) -> None:
    assert encode(pdu, sequence, status).hex(" ") == wire.hex(" ")


@pytest.mark.parametrize(("pdu", "sequence", "status", "wire"), VECTORS, ids=lambda v: type(v).__name__)
def test_the_octets_of_the_book_are_read(pdu: Pdu, sequence: int, status: int, wire: bytes) -> None:
    [frame] = Framer().feed(wire)

    assert isinstance(frame, Frame)
    assert (frame.command_id, frame.status, frame.sequence) == (pdu.command, status, sequence)
    assert decode(frame) == pdu


def test_every_status_of_the_standard_has_words() -> None:
    table_5_2 = [
        *range(0x09), *range(0x0A, 0x10), 0x11, 0x13, 0x14, 0x15, 0x33, 0x34, 0x40, 0x42, 0x43, 0x44, 0x45, 0x48,
        0x49, 0x50, 0x51, 0x53, 0x54, 0x55, 0x58, *range(0x61, 0x68), *range(0xC0, 0xC5), 0xFE, 0xFF,
    ]  # fmt: skip
    assert sorted(STATUS_WORDS) == table_5_2
    assert words(0x58) == "0x58 throttled: above the message limit"
    assert words(0x0400) == "0x400 the carrier's own"


# Any PDU at all, made from the same table that the codec is made from.

BODY_TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=255))


def _values(form: str, octets_max: int) -> st.SearchStrategy[object]:
    match form:
        case "octet":
            return st.integers(0, 255)
        case "string":
            return BODY_TEXT.map(lambda text: text[: octets_max - 1])
        case "message":
            return st.binary(max_size=octets_max - 1)
        case _:
            return st.dictionaries(st.integers(5, 0xFFFF), st.binary(max_size=300), max_size=5)


PDUS = st.sampled_from(list(FIELDS)).flatmap(
    lambda kind: st.builds(kind, **{name: _values(form, most) for name, form, most in FIELDS[kind]})
)


@PROPERTY
@given(PDUS, st.integers(1, 0x7FFFFFFF))
def test_what_is_encoded_is_decoded_the_same(pdu: Pdu, sequence: int) -> None:
    [frame] = Framer().feed(encode(pdu, sequence))

    assert isinstance(frame, Frame)
    assert decode(frame) == pdu
    assert frame.sequence == sequence


@PROPERTY
@given(st.lists(PDUS, min_size=1, max_size=5), st.integers(1, 64))
def test_a_stream_may_arrive_in_any_pieces(pdus: list[Pdu], size: int) -> None:
    stream = b"".join(encode(pdu, 1 + at) for at, pdu in enumerate(pdus))
    framer = Framer()

    frames = [one for at in range(0, len(stream), size) for one in framer.feed(stream[at : at + size])]

    assert [decode(frame) for frame in frames if isinstance(frame, Frame)] == pdus


# What does not fit is our own mistake.


@pytest.mark.parametrize(
    ("pdu", "said"),
    [
        (SubmitSm(destination_addr="9" * 21), "destination_addr takes 20 octets"),
        (SubmitSm(source_addr="a\0b"), "source_addr"),
        (SubmitSm(source_addr="Ğ"), "latin-1"),
        (SubmitSm(short_message=bytes(255)), "short_message takes 254 octets"),
        (SubmitSm(tlvs={Tag.MESSAGE_PAYLOAD: bytes(65536)}), "65535"),
        (SubmitSm(data_coding=256), "range"),
        (SubmitSmResp("1" * 65), "message_id takes 64 octets"),
        (BindTransceiver(password="123456789"), "password takes 8 octets"),
    ],
)
def test_what_does_not_fit_is_refused(pdu: Pdu, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode(pdu, 1)


def test_the_longest_text_fits() -> None:
    assert len(encode(SubmitSm(short_message=bytes(254)), 1)) == 16 + 17 + 254


def test_data_sm_has_room_for_long_addresses() -> None:
    pdu = DataSm(destination_addr="a" * 64)
    [frame] = Framer().feed(encode(pdu, 1))
    assert decode(frame) == pdu  # type: ignore[arg-type]


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(BindTransceiver("ulak", "secret"))


# What carriers really send.


def read(command: Command, body: bytes, status: int = 0) -> Pdu | Garbage:
    return decode(Frame(int(command), status, 7, body))


@pytest.mark.parametrize(
    ("command", "body", "pdu"),
    [
        pytest.param(Command.SUBMIT_SM_RESP, b"", SubmitSmResp(), id="an answer without a body"),
        pytest.param(Command.SUBMIT_SM_RESP, b"12AB", SubmitSmResp("12AB"), id="an id without its NUL"),
        pytest.param(Command.SUBMIT_SM_RESP, b"1" * 90 + b"\0", SubmitSmResp("1" * 90), id="too long an id"),
        pytest.param(Command.SUBMIT_SM_RESP, b"12\0\0", SubmitSmResp("12"), id="a NUL too many"),
        pytest.param(Command.BIND_TRANSCEIVER_RESP, b"smsc", BindTransceiverResp("smsc"), id="a name without its NUL"),
        pytest.param(Command.ENQUIRE_LINK, b"\0", EnquireLink(), id="a body where there is none"),
    ],
)  # fmt: skip
def test_small_faults_are_forgiven(command: Command, body: bytes, pdu: Pdu) -> None:
    assert read(command, body) == pdu


DELIVER_BODY = octets("00 00 00 00 00 00", "'1", "00", "04 00 00 00 00 00 00 00 00", "02", "'hi")


@pytest.mark.parametrize(
    ("tail", "tlvs"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("00", {}, id="a trailing NUL"),
        pytest.param("0000 0000", {}, id="trailing NULs"),
        pytest.param("0427 0001 02 00", {0x0427: b"\x02"}, id="a NUL after"),
        pytest.param("00 0427 0001 02", {0x0427: b"\x02"}, id="a NUL before"),
        pytest.param("00 001e 0002 3700", {0x001E: b"7\0"}, id="a NUL before a low tag"),
        pytest.param("1403 0005 3238363031", {0x1403: b"28601"}, id="a tag of the carrier's own"),
        pytest.param("0427 0001 02 0423 00ff 03", {0x0427: b"\x02"}, id="the last one cut off"),
        pytest.param("0427 0001 02 0423", {0x0427: b"\x02"}, id="half a header"),
        pytest.param("0423 0000", {0x0423: b""}, id="an empty one"),
    ],
)
def test_optional_parameters_are_read_as_far_as_they_go(tail: str, tlvs: dict[int, bytes]) -> None:
    pdu = read(Command.DELIVER_SM, DELIVER_BODY + bytes.fromhex(tail))

    assert isinstance(pdu, DeliverSm)
    assert (pdu.short_message, pdu.tlvs) == (b"hi", tlvs)


@pytest.mark.parametrize("size", range(len(DELIVER_BODY)))
def test_a_body_cut_off_anywhere_is_garbage(size: int) -> None:
    found = read(Command.DELIVER_SM, DELIVER_BODY[:size])

    assert isinstance(found, Garbage)
    assert (found.status, found.sequence) == (Status.RINVCMDLEN, 7)
    assert not found.fatal


def test_a_command_nobody_knows_is_garbage_with_its_sequence() -> None:
    found = decode(Frame(0x00000999, 0, 42, b""))

    assert found == Garbage(Status.RINVCMDID, 42, "command_id 0x00000999")


@pytest.mark.parametrize("length", [0, 15, PDU_OCTETS_MAX + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_stream(length: int) -> None:
    framer = Framer()
    good = encode(EnquireLink(), 1)

    first, last = framer.feed(good + length.to_bytes(4, "big") + good[4:])

    assert isinstance(first, Frame)
    assert isinstance(last, Garbage)
    assert last.fatal
    assert last.status == Status.RINVCMDLEN
    assert framer.feed(good) == []


def test_the_longest_pdu_is_taken_and_no_longer_one_is_kept() -> None:
    long = SubmitSm(tlvs={Tag.MESSAGE_PAYLOAD: bytes(0xFFFF)})
    framer = Framer()
    stream = encode(long, 1)

    assert framer.feed(stream[:-1]) == []
    [frame] = framer.feed(stream[-1:])
    assert decode(frame) == long  # type: ignore[arg-type]


@PROPERTY
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_noise_is_never_an_exception(pieces: list[bytes]) -> None:
    framer = Framer(octets_max=100)
    for piece in pieces:
        for found in framer.feed(piece):
            assert isinstance(found if isinstance(found, Garbage) else decode(found), Garbage | Pdu)
    assert len(framer._buffer) < 100 + 200


@PROPERTY
@given(st.sampled_from([int(kind.command) for kind in FIELDS]), st.binary(max_size=300))
def test_a_known_command_with_noise_in_it_is_a_pdu_or_garbage(command: int, body: bytes) -> None:
    found = decode(Frame(command, 0, 9, body))

    assert isinstance(found, Garbage) or int(found.command) == command
    if command & RESPONSE:
        assert not isinstance(found, Garbage), "an answer is always good for something"

"""Delivery receipts as the standard has them and as carriers write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import receipt
from smpp.pdu import DataSm, DeliverSm, Tag
from smpp.receipt import ESM_INTERMEDIATE, ESM_RECEIPT, Receipt, State

BOOK = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2603101022 done date:2603101023 "
    b"stat:DELIVRD err:000 text:Your code"
)


def parsed(text: bytes, esm_class: int = ESM_RECEIPT, **fields: object) -> Receipt:
    found = receipt.parse(DeliverSm(esm_class=esm_class, short_message=text, **fields))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_receipt_by_the_book() -> None:
    assert parsed(BOOK) == Receipt(
        "0123456789",
        State.DELIVRD,
        "000",
        None,
        intermediate=False,
        raw=BOOK.decode(),
        done="2603101023",
    )


@pytest.mark.parametrize("esm_class", [0x00, 0x08, 0x10, 0x40])
def test_a_message_of_a_handset_is_no_receipt(esm_class: int) -> None:
    assert receipt.parse(DeliverSm(esm_class=esm_class, short_message=BOOK)) is None


def test_the_parameters_make_a_receipt_where_esm_class_does_not() -> None:
    tlvs = {Tag.RECEIPTED_MESSAGE_ID: b"7\0", Tag.MESSAGE_STATE: b"\x02"}

    assert parsed(b"", 0, tlvs=tlvs) == Receipt("7", State.DELIVRD, None, None, intermediate=False, raw="")
    assert receipt.parse(DeliverSm(tlvs={Tag.RECEIPTED_MESSAGE_ID: b"7\0"})) is None


def test_the_parameters_count_before_the_text() -> None:
    found = parsed(
        BOOK,
        tlvs={
            Tag.RECEIPTED_MESSAGE_ID: b"A1B2\0",
            Tag.MESSAGE_STATE: b"\x05",
            Tag.NETWORK_ERROR_CODE: b"\x03\x00\x1b",
        },
    )

    assert (found.message_id, found.state, found.error) == ("A1B2", State.UNDELIV, "27")


def test_a_receipt_may_come_as_data_sm() -> None:
    found = receipt.parse(DataSm(esm_class=ESM_RECEIPT, tlvs={Tag.MESSAGE_PAYLOAD: BOOK}))

    assert found is not None
    assert (found.message_id, found.state) == ("0123456789", State.DELIVRD)


def test_an_intermediate_one_says_so() -> None:
    assert parsed(b"id:1 stat:ENROUTE", ESM_INTERMEDIATE).intermediate
    assert not parsed(b"id:1 stat:ENROUTE").intermediate


@pytest.mark.parametrize("state", list(State))
def test_every_state_by_word_by_number_and_by_parameter(state: State) -> None:
    assert parsed(f"id:1 stat:{state.name}".encode()).state is state
    assert parsed(f"id:1 stat:{int(state)}".encode()).state is state
    assert parsed(b"id:1", tlvs={Tag.MESSAGE_STATE: bytes((state,))}).state is state


@pytest.mark.parametrize(
    ("text", "message_id", "state", "error"),
    [
        (b"ID:9 STAT:delivrd ERR:1", "9", State.DELIVRD, "1"),
        (b"stat:EXPIRED id:9", "9", State.EXPIRED, None),
        (b"id:9\0", "9", None, None),
        (BOOK + b"\0", "0123456789", State.DELIVRD, "000"),
        (b"id: 9 stat: UNDELIV err: 00a", "9", State.UNDELIV, "00a"),
        (b"id:9;stat:REJECTD;err:5", "9", State.REJECTD, "5"),
        (b"id:9 stat:DELIVERED", "9", State.DELIVRD, None),
        (b"id:9 status:UNDELIVERABLE error:17", "9", State.UNDELIV, "17"),
        (b"id:9 stat:SOMETHING", "9", None, None),
        (b"id: stat:DELIVRD", "", State.DELIVRD, None),
        (b"stat:DELIVRD", "", State.DELIVRD, None),
        (b"id:9 sub:001 text:hi stat:EXPIRED id:8", "9", None, None),
        (b"text: stat:EXPIRED id:8", "8", State.EXPIRED, None),
        (b"msgid:5 id:9", "9", None, None),
        (b"", "", None, None),
        (b"\xff\xfe\x00garbage", "", None, None),
    ],
)
def test_texts_of_the_wild(text: bytes, message_id: str, state: State | None, error: str | None) -> None:
    found = parsed(text)

    assert (found.message_id, found.state, found.error) == (message_id, state, error)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (b"2603101023", datetime(2026, 3, 10, 10, 23, tzinfo=UTC)),
        (b"260310102359", datetime(2026, 3, 10, 10, 23, 59, tzinfo=UTC)),
        (b"2613451099", None),
        (b"26031010", None),
        (b"yesterday", None),
    ],
)
def test_dates(written: bytes, at: datetime | None) -> None:
    assert parsed(b"id:1 done date:" + written + b" stat:DELIVRD").done_at == at


def test_the_network_where_the_carrier_names_it() -> None:
    assert parsed(b"id:1 stat:DELIVRD network:28601").network == "28601"


@pytest.mark.parametrize(
    ("source", "network"),
    [
        (("carrier", "net"), "TR-1"),
        ((), None),
        (0x1403, "28601"),
        (0x1404, "00ff"),
        (0x1405, None),
        (("x",), None),
    ],
)
def test_the_network_where_an_operator_says_it_is(source: tuple[str, ...] | int, network: str | None) -> None:
    pdu = DeliverSm(
        esm_class=ESM_RECEIPT,
        short_message=b"id:1 stat:DELIVRD net:TR-1",
        tlvs={0x1403: b"28601\0", 0x1404: b"\x00\xff"},
    )

    found = receipt.parse(pdu, source)

    assert found is not None
    assert found.network == network


def test_a_receipt_in_ucs2_and_behind_a_user_data_header() -> None:
    assert parsed("id:9 stat:DELIVRD".encode("utf-16-be"), data_coding=8).message_id == "9"
    assert parsed(b"\x05\x00\x03\x01\x01\x01" + BOOK, ESM_RECEIPT | 0x40).message_id == "0123456789"


@given(
    st.binary(max_size=255),
    st.integers(0, 255),
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20)),
)
def test_nothing_raises(text: bytes, data_coding: int, tlvs: dict[int, bytes]) -> None:
    parsed(text, tlvs=tlvs, data_coding=data_coding)


@given(st.from_regex(r"[0-9A-Za-z]{1,64}", fullmatch=True), st.sampled_from(State))
def test_what_is_rendered_is_read_again(message_id: str, state: State) -> None:
    at = datetime(2026, 3, 10, 10, 23, tzinfo=UTC)
    text = receipt.render(message_id, state, submitted=at, done=at, error=27, text="id:no stat:EXPIRED")

    for found in (parsed(text), parsed(b"", tlvs=receipt.tlvs(message_id, state))):
        assert (found.message_id, found.state) == (message_id, state)
    assert (parsed(text).error, parsed(text).done_at) == ("027", at)


#: A text by the book in pieces; most of the texts made of them are not by the book in one way or another.
PIECES = [
    *("id:7 ", "sub:001 ", "dlvrd:001 ", "submit date:2603101022 ", "done date:2603101023 ", "stat:DELIVRD "),
    *("err:000 ", "text:id:8"),
]
OTHERS = st.sampled_from(
    ["id: 7 ", "stat:Undeliv ", "err:0A ", "network:28601 ", "Text:x", " ", "\n", ":", "stat:"]
)


@given(st.data())
def test_a_text_by_the_book_says_what_its_fields_say_one_by_one(data: st.DataObject) -> None:
    pieces = list(PIECES)
    for at in data.draw(st.lists(st.integers(0, len(PIECES) - 1), max_size=2)):
        pieces[at] = data.draw(OTHERS)
    text = "".join(pieces)

    quick = parsed(text.encode())

    assert quick == receipt._parse_freely(text, {}, receipt.NETWORK_FIELDS, intermediate=False)

"""One bind without a socket: numbers, the window, and a clock that the test turns."""

import pytest

from smpp.codec import Frame, Framer, decode, encode
from smpp.pdu import (
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from smpp.session import SEQUENCE_MAX, Request, Response, Session


def bind(window_max: int = 10) -> Session:
    return Session(window_max=window_max, enquire_seconds=30, response_seconds=60, now=0)


def read(octets: bytes) -> list[tuple[int, int, Pdu]]:
    """What stands in octets: (sequence, status, PDU)."""
    frames = [frame for frame in Framer().feed(octets) if isinstance(frame, Frame)]
    return [(frame.sequence, frame.status, pdu) for frame in frames if isinstance(pdu := decode(frame), Pdu)]


def test_numbers_start_at_one_and_begin_again_after_the_last() -> None:
    session = bind()
    session._sequence = SEQUENCE_MAX - 2

    sent = b"".join(session.request(EnquireLink(), n, 0) for n in range(3))

    assert [number for number, _, _ in read(sent)] == [SEQUENCE_MAX - 1, SEQUENCE_MAX, 1]
    assert [number for number, _, _ in read(bind().request(EnquireLink(), 0, 0))] == [1]


def test_a_number_still_open_is_not_used_again() -> None:
    session = bind()
    session.request(SubmitSm(), "first", 0)
    session._sequence = SEQUENCE_MAX

    [(number, _, _)] = read(session.request(SubmitSm(), "second", 0))

    assert number == 2
    assert session.unanswered() == ["first", "second"]


def test_answers_find_their_requests_in_any_order() -> None:
    session = bind()
    for token in "abc":
        session.request(SubmitSm(), token, 0)

    events = session.receive(
        encode(SubmitSmResp("30"), 3) + encode(SubmitSmResp("10"), 1) + encode(SubmitSmResp(), 2, 0x58), 1
    )

    assert events.responses == [
        Response("c", 0, SubmitSmResp("30")),
        Response("a", 0, SubmitSmResp("10")),
        Response("b", 0x58, SubmitSmResp()),
    ]
    assert session.outstanding == 0


def test_the_window_counts_what_is_unanswered() -> None:
    session = bind(window_max=2)
    session.request(SubmitSm(), 1, 0)
    session.request(SubmitSm(), 2, 0)
    full = session.free

    session.receive(encode(SubmitSmResp(), 1), 1)

    assert (full, session.free, session.outstanding) == (0, 1, 1)


def test_a_nack_reaches_the_request_it_answers() -> None:
    session = bind()
    session.request(SubmitSm(), "a", 0)

    events = session.receive(encode(GenericNack(), 1, Status.RINVCMDID), 1)

    assert events.responses == [Response("a", Status.RINVCMDID, None)]


def test_a_nack_without_a_status_is_still_no_success() -> None:
    session = bind()
    session.request(SubmitSm(), "a", 0)

    [response] = session.receive(encode(GenericNack(), 1, 0), 1).responses

    assert response.status == Status.RUNKNOWNERR


@pytest.mark.parametrize(
    "stray",
    [encode(SubmitSmResp("x"), 99), encode(GenericNack(), 0, 2), encode(DeliverSmResp(), 1)],
    ids=["an unknown number", "a nack of nothing", "an answer to another command"],
)
def test_an_answer_nobody_asked_for_is_counted_and_ignored(stray: bytes) -> None:
    session = bind()
    session.request(SubmitSm(), "a", 0)

    events = session.receive(stray, 1)

    assert (events.responses, events.ended, session.strays) == ([], None, 1)
    assert session.unanswered() == ["a"]


def test_the_same_answer_twice_counts_once() -> None:
    session = bind()
    session.request(SubmitSm(), "a", 0)
    answer = encode(SubmitSmResp("x"), 1)

    events = session.receive(answer + answer, 1)

    assert len(events.responses) == 1
    assert session.strays == 1


def test_what_cannot_be_encoded_leaves_nothing_behind() -> None:
    session = bind()

    with pytest.raises(ValueError, match="destination_addr"):
        session.request(SubmitSm(destination_addr="9" * 30), "a", 0)

    assert session.outstanding == 0
    assert session.tick(29).ended is None
    assert [number for number, _, _ in read(session.request(SubmitSm(), "b", 29))] == [1]


def test_it_asks_after_silence_and_only_once() -> None:
    session = bind()

    quiet, asked, patient = session.tick(29.9), session.tick(30), session.tick(45)

    assert (quiet.output, patient.output) == (b"", b"")
    assert read(asked.output) == [(1, 0, EnquireLink())]
    assert (session.outstanding, session.free) == (0, 10), "an enquiry takes no room in the window"


def test_it_does_not_ask_while_the_other_side_speaks() -> None:
    session = bind()
    session.receive(encode(DeliverSm(), 1), 25)

    assert session.tick(54).output == b""
    assert session.tick(55).output != b""


def test_an_enquiry_answered_lets_the_link_live() -> None:
    session = bind()
    session.tick(30)

    events = session.receive(encode(EnquireLinkResp(), 1), 31)

    assert events.responses == []
    assert session.tick(60).ended is None
    assert read(session.tick(61).output) == [(2, 0, EnquireLink())]


def test_an_enquiry_without_an_answer_ends_the_link() -> None:
    session = bind()
    session.tick(30)

    assert session.tick(89.9).ended is None
    assert session.tick(90).ended == "no answer within 60 s"


def test_the_oldest_request_without_an_answer_ends_the_link() -> None:
    session = bind()
    session.request(SubmitSm(), "old", 0)
    session.request(SubmitSm(), "new", 50)
    session.receive(encode(DeliverSm(), 1), 59)  # speaking is no answer

    assert session.tick(59).ended is None
    assert session.tick(60).ended == "no answer within 60 s"
    assert session.unanswered() == ["old", "new"]


def test_an_answered_request_no_longer_ages() -> None:
    session = bind()
    session.request(SubmitSm(), "old", 0)
    session.request(SubmitSm(), "new", 50)
    session.receive(encode(SubmitSmResp(), 1), 59)

    assert session.tick(109).ended is None
    assert session.tick(110).ended


def test_requests_of_the_other_side_are_handed_over() -> None:
    session = bind()
    pdu = DeliverSm(short_message=b"hi")

    events = session.receive(encode(pdu, 77), 1)

    assert events.requests == [Request(77, pdu)]


def test_an_enquiry_is_answered_at_once() -> None:
    assert read(bind().receive(encode(EnquireLink(), 5), 1).output) == [(5, 0, EnquireLinkResp())]


def test_an_unbind_is_answered_and_ends_the_link() -> None:
    events = bind().receive(encode(Unbind(), 5), 1)

    assert read(events.output) == [(5, 0, UnbindResp())]
    assert events.ended == "the other side unbound"


def test_a_request_nobody_understands_is_nacked_with_its_number() -> None:
    session = bind()
    unknown = bytes.fromhex("00000010 00000999 00000000 00000008")
    cut = bytes.fromhex("00000012 00000005 00000000 00000009 0000")

    events = session.receive(unknown + cut + encode(EnquireLink(), 10), 1)

    assert read(events.output) == [
        (8, Status.RINVCMDID, GenericNack()),
        (9, Status.RINVCMDLEN, GenericNack()),
        (10, 0, EnquireLinkResp()),
    ]
    assert events.ended is None


def test_a_stream_that_is_lost_ends_the_link() -> None:
    events = bind().receive(b"GET / HTTP/1.1\r\n\r\n", 1)

    assert read(events.output) == [(0, Status.RINVCMDLEN, GenericNack())]
    assert events.ended is not None
    assert events.ended.startswith("garbage")

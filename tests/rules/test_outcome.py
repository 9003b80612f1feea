"""What carriers say, and what it comes to: the two policy tables."""

import pytest

from ulak.rules.outcome import Answer, answer_for, from_receipt, parse_meanings
from ulak.rules.refusal import Code, Refused
from ulak.rules.status import Status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("DELIVRD", Status.SENT),
        ("DELIVERED", Status.SENT),
        ("EXPIRED", Status.NO_SIGNAL),
        ("UNDELIV", Status.NOT_SENT),
        ("UNDELIVERABLE", Status.NOT_SENT),
        ("REJECTD", Status.NOT_SENT),
        ("REJECTED", Status.NOT_SENT),
        ("DELETED", Status.NOT_SENT),
        ("ENROUTE", None),
        ("ACCEPTD", None),
        ("ACCEPTED", None),
        ("UNKNOWN", None),
        ("HELDBYOPERATOR", None),
        ("", None),
        (None, None),
    ],
)
def test_a_state_ends_a_message_or_leaves_it_waiting(state: str | None, status: Status | None) -> None:
    assert from_receipt(state, "000") is status


@pytest.mark.parametrize("state", ["delivrd", "Delivrd", " DELIVRD ", "DELIVRD\0"])
def test_carriers_spell_states_as_they_like(state: str) -> None:
    assert from_receipt(state, None) is Status.SENT


@pytest.mark.parametrize("error", ["006", "6", "27", "027", "01B", "1b", "0x1B", "0x06", " 027\0"])
def test_undelivered_to_an_absent_subscriber_is_no_signal(error: str) -> None:
    assert from_receipt("UNDELIV", error) is Status.NO_SIGNAL


@pytest.mark.parametrize(
    "error",
    [
        None,
        "",
        "000",
        "001",
        "060",
        "270",
        "absent",
        "6.0",
        "-6",
        "٦",
        pytest.param("6" * 5000, id="5000 digits"),
    ],
)
def test_undelivered_for_any_other_reason_is_not_sent(error: str | None) -> None:
    assert from_receipt("UNDELIV", error) is Status.NOT_SENT


@pytest.mark.parametrize(
    ("state", "status"), [("DELIVRD", Status.SENT), ("REJECTD", Status.NOT_SENT), ("ENROUTE", None)]
)
def test_an_error_code_matters_only_to_the_undelivered(state: str, status: Status | None) -> None:
    assert from_receipt(state, "027") is status


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        (Answer.TAKEN, [0x00]),
        (Answer.SLOW_DOWN, [0x58, 0x14]),
        (Answer.RETRY, [0x08, 0x64, 0xFF, 0x45]),
        (Answer.REBIND, [0x04, 0x05, 0x0D, 0x0E, 0x0F]),
        (Answer.REFUSE, [0x0B, 0x50, 0x51]),
        (Answer.NEXT, [0x0A, 0x48, 0x49]),
        (Answer.NEXT, [0x01, 0x02, 0x03, 0x33, 0x61, 0x62, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4]),
        (Answer.NEXT, [0x65, 0x66, 0xFE, 0x400, 0x4FF, 0xFFFFFFFF]),
    ],
)
def test_every_command_status_says_what_to_do(answer: Answer, statuses: list[int]) -> None:
    assert {answer_for(status) for status in statuses} == {answer}


def test_a_carriers_own_meanings() -> None:
    found = parse_meanings("0x0401=retry, 0x45=next,0X0b=next,")

    assert found == {0x401: Answer.RETRY, 0x45: Answer.NEXT, 0x0B: Answer.NEXT}
    assert parse_meanings("") == {}


@pytest.mark.parametrize(
    "setting", ["0x401", "401=retry", "0x401=taken", "0x401=Retry", "0x0=retry", "0x1=", "x"]
)
def test_meanings_that_are_none(setting: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_meanings(setting)

    assert refusal.value.code == Code.INVALID_VALUE

"""What `/metrics` of real processes says, value by value, of a story in which everything countable happens.

The carrier is told by a number's last digit what to do with it: 1 delivered; 2 its receipt comes before its answer;
3 its receipt comes twice; 4 the second one contradicts; 5 refused; 6 undelivered; 7 never answered; 8 throttled once.
"""

import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from smpp import receipt
from smpp.codec import Frame, decode, encode
from smpp.pdu import Command, DeliverSm, Status, SubmitSm, SubmitSmResp
from smpp.receipt import State
from tests.harness import Installation, User, await_true
from tests.smpp.hostile_carrier import HostileCarrier
from tests.story.test_hostile_bytes import CarrierThread

pytestmark = pytest.mark.slow

PRICE = 2.5
LOW = 10


class Scripted(HostileCarrier):
    """Answers by the last digit; `sequence_of` tells under which number a digit's submit came."""

    def __init__(self) -> None:
        super().__init__(0)
        self.sequence_of: dict[str, int] = {}

    def answer(self, command: int, sequence: int, body: bytes) -> bytes:
        if command != Command.SUBMIT_SM:
            return super().answer(command, sequence, body)
        pdu = decode(Frame(command, 0, sequence, body))
        assert isinstance(pdu, SubmitSm)
        id_, digit = pdu.destination_addr, pdu.destination_addr[-1]
        first = digit not in self.sequence_of
        self.sequence_of[digit] = sequence
        match digit:
            case "2":
                return told(id_)
            case "5":
                return encode(SubmitSmResp(), sequence, Status.RINVDSTADR)
            case "6":
                return encode(SubmitSmResp(id_), sequence) + told(id_, State.UNDELIV)
            case "7":
                return b""
            case "8" if first:
                return encode(SubmitSmResp(), sequence, Status.RTHROTTLED)
        return encode(SubmitSmResp(id_), sequence) + told(id_)


def told(id_: str, state: State = State.DELIVRD) -> bytes:
    """A receipt."""
    return encode(DeliverSm(esm_class=receipt.ESM_RECEIPT, tlvs=receipt.tlvs(id_, state)), 1)


def number(digit: str) -> str:
    return f"90555000000{digit}"


Told = dict[tuple[str, str], float]


def samples(ulak: Installation) -> Told:
    """All samples by name and the label that tells them apart, whichever process counted them."""
    found: Told = {}
    with ulak.client() as client:
        text = client.get("/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, sample.labels.get("result", sample.labels.get("status", ""))
            found[key] = found.get(key, 0) + sample.value
    return found


@pytest.fixture
def scripted() -> Iterator[CarrierThread]:
    thread = CarrierThread(Scripted())
    yield thread
    thread.close()


def test_everything_that_happens_is_counted_once(scripted: CarrierThread) -> None:
    carrier = scripted.carrier
    assert isinstance(carrier, Scripted)
    with Installation(low_balance=LOW, sweep_seconds=1, reconnect_seconds_max=1) as ulak:
        began = time.time()
        ulak.start()
        ulak.carrier("scripted", scripted.port, window=10)
        service = ulak.service("Plain", "scripted", PRICE, unsure="refund")
        rich, poor = ulak.user("rich"), ulak.user("poor")
        ulak.credit(100, user=rich)
        ulak.credit(12, user=poor)

        def until(name: str, label: str, value: float) -> Told:
            def there() -> Told | None:
                seen = samples(ulak)
                return seen if seen.get((name, label)) == value else None

            seen = await_true(there, f"{name} {label} is {value}")
            assert seen
            return seen

        def send(user: User, digit: str) -> None:
            with ulak.as_user(user) as client:
                body = {"serviceId": service, "message": "x", "to": number(digit)}
                assert client.post("/sms-sendings", json=body).status_code == 201

        until("ulak_links_bound", "", 1)
        assert samples(ulak)["ulak_credits_low", ""] == 0
        for digit in "1234567":
            send(rich, digit)
        send(poor, "1")
        until("ulak_receipts_total", "matched", 5)
        until("ulak_receipts_total", "unmatched", 1)
        until("ulak_credits_low", "", 1)
        seen = until("ulak_receipts_unmatched", "", 1)
        assert (
            seen["ulak_window_in_use", ""] == 2
        )  # the one without an answer yet, and the one that gets none

        scripted.say(encode(SubmitSmResp(number("2")), carrier.sequence_of["2"]))
        until("ulak_receipts_early_total", "", 1)
        scripted.say(told(number("3")) + told(number("4"), State.UNDELIV))
        until("ulak_receipts_total", "late", 2)
        scripted.say(told("nobody's") + encode(DeliverSm(short_message=b"from a handset"), 1))
        until("ulak_receipts_total", "other", 1)
        until("ulak_receipts_total", "unmatched", 2)
        send(rich, "8")
        until("ulak_receipts_total", "matched", 6)
        seen = await_true(lambda: settled(samples(ulak)), "it throttles, and one sending is open")
        assert seen
        assert seen["ulak_carrier_throttled_seconds", ""] < time.time() - began
        assert (
            time.time() - 60 < seen["ulak_swept_timestamp_seconds", ""] < time.time()
        )  # it is told in steps
        assert counted(seen) == {
            ("ulak_messages_accepted_total", ""): 9,
            ("ulak_charged_total", ""): 9 * PRICE,
            ("ulak_orders_together_sum", ""): 9,
            ("ulak_submits_total", "0x00"): 7,
            ("ulak_submits_total", "0x0B"): 1,
            ("ulak_submits_total", "0x58"): 1,
            ("ulak_submit_seconds_count", ""): 9,
            ("ulak_receipts_total", "matched"): 6,
            ("ulak_receipts_total", "unmatched"): 2,
            ("ulak_receipts_total", "late"): 2,
            ("ulak_receipts_total", "other"): 1,
            ("ulak_receipts_early_total", ""): 1,
            ("ulak_receipts_unmatched", ""): 1,
            ("ulak_outcomes_together_sum", ""): 7 + 1 + 10,  # taken, refused, receipts
            ("ulak_messages_ended_total", "sent"): 6,
            ("ulak_messages_ended_total", "not_sent"): 2,
            ("ulak_messages_refunded_total", ""): 2,
            ("ulak_refunded_total", ""): 2 * PRICE,
            ("ulak_window_in_use", ""): 1,
            ("ulak_sendings_open", ""): 1,
            ("ulak_credits_low", ""): 1,
        }

        scripted.drop()
        seen = until("ulak_messages_refunded_total", "", 3)
        assert seen["ulak_unsure_total", ""] == 1
        assert seen["ulak_refunded_total", ""] == 3 * PRICE
        assert seen["ulak_window_in_use", ""] == 0
        assert (ulak.balance(user=rich), ulak.balance(user=poor)) == ("87.500000", "9.500000")
        assert ulak.cli("audit")["clean"]


COUNTED = (
    *("ulak_messages_accepted_total", "ulak_charged_total", "ulak_orders_together_sum", "ulak_submits_total"),
    *("ulak_submit_seconds_count", "ulak_receipts_total", "ulak_receipts_early_total"),
    *("ulak_receipts_unmatched", "ulak_outcomes_together_sum", "ulak_messages_ended_total"),
    *("ulak_messages_refunded_total", "ulak_refunded_total", "ulak_unsure_total", "ulak_window_in_use"),
    *("ulak_sendings_open", "ulak_credits_low"),
)


def counted(seen: Told) -> Told:
    return {key: value for key, value in seen.items() if key[0] in COUNTED}


def settled(seen: Told) -> Told | None:
    """What is read from the database is a moment old."""
    throttled = seen["ulak_carrier_throttled_seconds", ""] > 0
    return seen if throttled and seen["ulak_sendings_open", ""] == 1 else None

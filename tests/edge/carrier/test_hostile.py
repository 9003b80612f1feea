"""A link and a carrier that sends anything: what is written down of it has its bounds, and the link goes on."""

import asyncio

import pytest

from smpp.client import Answer
from smpp.receipt import Receipt, State
from tests.edge.carrier.conftest import Bench
from tests.smpp.hostile_carrier import HostileCarrier
from ulak.base import metrics
from ulak.base.config import Config
from ulak.edge.carrier import translate
from ulak.rules import outcome
from ulak.rules.refs import RefForm
from ulak.rules.status import Status

HURRIED = Config(reconnect_seconds_max=0.05, attempts_max=3)
LONG = "ÿ" * 60_000


@pytest.mark.slow
async def test_whatever_a_carrier_answers_the_link_goes_on(bench: Bench) -> None:
    hostile = HostileCarrier(1)
    port = await hostile.start()
    async with bench.carrier(None, HURRIED, port=port, window_max=10):
        who, service = await bench.world.customer(1_000 * 10**6), await bench.world.service()
        await bench.world.send(who, service, to=200)
        async with asyncio.timeout(40):
            while hostile.streams < 15:
                await asyncio.sleep(0.01)
        hostile.polite = True
        last = await bench.world.send(who, service)
        assert await bench.ended(who, last) == [Status.SENT]
    await hostile.stop()

    assert hostile.binds > 3
    longest = "max(length(ref)) AS ref, max(length(raw)) AS raw, max(length(error)) AS error"
    async with bench.db.reading() as tx:
        kept = await tx.fetchrow(f"SELECT {longest}, count(*) AS n FROM receipts")
        taken = await tx.fetchval("SELECT max(length(ref)) FROM submits")
        worst = await tx.fetchval("SELECT max(status) FROM incidents")
    assert kept["n"] > 15
    assert taken == kept["ref"] == translate.REF_CHARACTERS_MAX
    assert kept["raw"] <= translate.RAW_CHARACTERS_MAX
    assert kept["error"] == translate.FIELD_CHARACTERS_MAX
    assert worst == translate.STATUS_MAX
    assert {labels["status"] for labels in answers_counted(bench)} <= {"0x00", "0xFF", translate.OTHER}


def answers_counted(bench: Bench) -> list[dict[str, str]]:
    [family] = metrics.SUBMITTED.collect()
    return [s.labels for s in family.samples if s.labels["carrier"] == str(bench.world.carrier)]


def test_an_id_of_any_length_is_the_same_in_an_answer_and_in_a_receipt() -> None:
    answer = Answer(None, 0, LONG)
    told = translate.receipt(Receipt(LONG, State.DELIVRD, LONG, LONG, False, LONG), RefForm())

    assert told.ref == RefForm().of_answer(translate.ref(answer.message_id))
    assert len(told.ref) == translate.REF_CHARACTERS_MAX
    assert len(told.raw) == translate.RAW_CHARACTERS_MAX
    assert {len(told.error or ""), len(told.network or "")} == {translate.FIELD_CHARACTERS_MAX}


@pytest.mark.parametrize(
    ("status", "label"),
    [(0x58, "0x58"), (0x401, "0x401"), (0x1234, "0x1234"), (0x9999, "other"), (0xFFFFFFFF, "other")],
)
def test_a_status_is_counted_by_itself_where_it_has_a_meaning(status: int, label: str) -> None:
    assert translate.label(status, outcome.parse_meanings("0x1234=retry")) == label

"""Texts as a carrier gets them: in its style, numbered, with a receipt asked for on every part."""

import pytest

from smpp.pdu import SubmitSm, Tag
from smpp.simulator import SimulatorOptions
from tests.edge.carrier.conftest import Bench, submits
from ulak.rules import segments
from ulak.rules.segments import Style
from ulak.rules.status import Status

pytestmark = pytest.mark.slow

SHORT = "Kod: 4711"
LONG = (
    "Sayın müşterimiz, kargonuz şubemize ulaştı; on gün içinde alabilirsiniz. İyi günler dileriz, Şişli şubesi. "
    * 2
)
TEXT = LONG[:160]


def octets(pdu: SubmitSm) -> bytes:
    """The text's octets, wherever they stand."""
    return pdu.short_message or pdu.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")


@pytest.mark.parametrize("concatenation", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("turkish", ["ucs2", "locking", "single", "transliterate"])
async def test_each_style_goes_out_as_it_is_shown(bench: Bench, turkish: str, concatenation: str) -> None:
    style = Style(turkish, concatenation=concatenation)  # type: ignore[arg-type]
    async with bench.carrier(turkish=turkish, concatenation=concatenation) as simulator:
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, text=TEXT)
        assert await bench.ended(who, sending) == [Status.SENT]

    expected = segments.split(TEXT, style)
    sent = submits(simulator)
    assert [octets(pdu) for pdu in sent] == [part.udh + part.payload for part in expected.parts]
    assert {pdu.registered_delivery for pdu in sent} == {1}
    assert {pdu.data_coding for pdu in sent} == {expected.data_coding}
    assert [bool(pdu.esm_class & 0x40) for pdu in sent] == [bool(part.udh) for part in expected.parts]
    assert all(
        (Tag.MESSAGE_PAYLOAD in pdu.tlvs) is (concatenation == "payload" and expected.segments > 1)
        for pdu in sent
    )
    numbered = [
        (int.from_bytes(pdu.tlvs[Tag.SAR_TOTAL_SEGMENTS]), int.from_bytes(pdu.tlvs[Tag.SAR_SEGMENT_SEQNUM]))
        for pdu in sent
        if Tag.SAR_MSG_REF_NUM in pdu.tlvs
    ]
    assert numbered == [(part.sar.total, part.sar.number) for part in expected.parts if part.sar]


async def test_a_text_of_one_part_has_no_numbering(bench: Bench) -> None:
    async with bench.carrier(concatenation="sar") as simulator:
        who, service = await bench.world.customer(), await bench.world.service()
        await bench.ended(who, await bench.world.send(who, service, text=SHORT))

    [pdu] = submits(simulator)
    assert (pdu.short_message, pdu.esm_class, pdu.tlvs) == (SHORT.encode(), 0, {})


async def test_messages_are_told_apart_by_their_references(bench: Bench) -> None:
    async with bench.carrier(concatenation="udh16") as simulator:
        who, service = await bench.world.customer(1000 * 10**6), await bench.world.service()
        await bench.ended(who, await bench.world.send(who, service, to=300, text=TEXT))

    references: dict[bytes, set[str]] = {}
    for pdu in submits(simulator):
        references.setdefault(pdu.short_message[3:5], set()).add(pdu.destination_addr)
    assert len(references) == 300
    assert all(len(numbers) == 1 for numbers in references.values())


async def test_a_long_text_of_which_a_part_fails_is_not_sent_and_paid_back_once(bench: Bench) -> None:
    async with bench.carrier(SimulatorOptions(delay_ms=1, undelivered=30, seed=3)):
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, to=40, text=TEXT)
        statuses = await bench.ended(who, sending)

    failed = statuses.count(Status.NOT_SENT)
    assert 10 < failed < 40
    assert statuses.count(Status.SENT) == 40 - failed
    seen = await bench.world.sending(who, sending)
    assert (seen.n_refunded, seen.total_refunded) == (failed, failed * 10**6)


@pytest.mark.parametrize(("turkish", "price"), [("ucs2", 3), ("locking", 2), ("transliterate", 1)])
async def test_a_service_billed_by_segment_counts_them_as_its_carrier_wants_its_texts(
    bench: Bench, turkish: str, price: int
) -> None:
    async with bench.carrier(turkish=turkish):
        who, service = await bench.world.customer(), await bench.world.service(billing="segment")
        sending = await bench.world.send(who, service, text=TEXT)
        await bench.ended(who, sending)

    assert (await bench.world.sending(who, sending)).total_cost == price * 10**6

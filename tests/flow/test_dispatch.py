"""Dispatching, receipts and settling: every message ends once, and is paid for once."""

import asyncio
from uuid import uuid4

import pytest

from tests.flow.conftest import USD, World
from ulak.admin import audit
from ulak.flow import dispatch, sweep
from ulak.flow.accept import now
from ulak.flow.dispatch import Outcomes, Part, Took
from ulak.rules.status import Status
from ulak.store.messages import Key
from ulak.store.receipts import Receipt


@pytest.fixture(autouse=True)
async def books_are_right(world: World):
    yield
    proofs = [proof async for proof in audit.prove(world.db)]
    assert [difference for proof in proofs for difference in proof.differences] == []
    assert len(proofs) == len(audit.TITLES)


async def test_taken_then_delivered(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service, to=3)
    refs = await world.take(*await world.lease())
    assert await world.statuses(who, sending) == [Status.WAITING] * 3

    await world.receive(refs, network="28601")

    seen = await world.sending(who, sending)
    assert (seen.n_pending, seen.n_waiting, seen.n_sent, seen.n_refunded) == (0, 0, 3, 0)
    assert seen.completed_at is not None
    assert await world.count("batches") == 0
    assert await world.count("messages", "network = '28601'") == 3


async def test_undelivered_is_refunded_to_the_credit_that_paid(world: World) -> None:
    who, service = await world.member(10 * USD), await world.service(2 * USD)
    sending = await world.send(who, service, to=3)
    refs = await world.take(*await world.lease())

    await world.receive(refs[:1], Status.NOT_SENT)
    await world.receive(refs[1:2], Status.NO_SIGNAL)
    await world.receive(refs[2:], Status.SENT)

    seen = await world.sending(who, sending)
    assert (seen.n_sent, seen.n_failed, seen.n_refunded, seen.total_refunded) == (1, 2, 2, 4 * USD)
    assert await world.balance(who) == 8 * USD


@pytest.mark.parametrize(("refund_on", "refunded"), [([], 0), (["not_sent"], 1), (["no_signal"], 1)])
async def test_a_service_says_what_is_refunded(world: World, refund_on: list[str], refunded: int) -> None:
    who, service = await world.customer(2 * USD), await world.service(refund_on=refund_on)
    await world.send(who, service, to=2)
    refs = await world.take(*await world.lease())

    await world.receive(refs[:1], Status.NOT_SENT)
    await world.receive(refs[1:], Status.NO_SIGNAL)

    assert await world.balance(who) == refunded * USD


async def test_refused_by_the_carrier(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service, to=2)

    await world.refuse(*await world.lease())

    assert await world.statuses(who, sending) == [Status.NOT_SENT] * 2
    assert await world.balance(who) == 100 * USD


async def test_a_receipt_before_its_answer_waits_for_it(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    work = await world.lease()
    await world.receive(["1"], Status.NOT_SENT)
    assert await world.count("receipts", "result = 'unmatched'") == 1

    await world.take(*work)

    assert await world.statuses(who, sending) == [Status.NOT_SENT]
    assert await world.balance(who) == 100 * USD
    assert await world.count("receipts", "result = 'unmatched'") == 0


async def test_answer_and_receipt_in_the_same_breath(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    [work] = await world.lease()
    key = Key(who.tenant_id, sending, 0)
    both = Outcomes(
        took=[Took(key, (Part(0, "7", None, now()),))],
        receipts=[Receipt("7", Status.SENT, None, None, "raw")],
        finished=[work.run.id],
    )

    await dispatch.record(world.db, world.carrier, both, now())

    assert await world.statuses(who, sending) == [Status.SENT]


async def test_answer_and_receipt_that_missed_each_other_are_brought_together(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease())
    async with world.db.transaction() as tx:  # as if written at the same moment by another process
        await tx.execute(
            "INSERT INTO receipts (carrier_id, ref, status, raw, result, received_at) "
            "VALUES ($1, $2, 'sent', '', 'unmatched', now())",
            world.carrier,
            refs[0],
        )

    await sweep.missed_receipts(world.db, now(), receipt_hours=96)

    assert await world.statuses(who, sending) == [Status.SENT]


async def test_a_second_receipt_changes_nothing_and_is_kept(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease())
    await world.receive(refs, Status.SENT)
    await asyncio.sleep(0.002)  # another millisecond

    await world.receive(refs * 2, Status.NOT_SENT)

    assert await world.statuses(who, sending) == [Status.SENT]
    assert await world.balance(who) == 99 * USD
    assert await world.count("receipts", "result = 'late'") == 2


async def test_progress_is_no_end(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease())

    await world.receive(refs, None)

    assert await world.statuses(who, sending) == [Status.WAITING]


async def test_another_carriers_receipt_is_not_ours(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease())

    receipt = Receipt(refs[0], Status.NOT_SENT, None, None, "raw")
    await dispatch.record(world.db, world.carrier + 1, Outcomes(receipts=[receipt]), now())

    assert await world.statuses(who, sending) == [Status.WAITING]
    assert await world.count("receipts", "result = 'unmatched'") == 1


async def test_of_a_reused_id_the_newest_open_message_is_meant(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sent = []
    for _ in range(2):
        sent.append(await world.send(who, service))
        [work] = await world.lease()
        key = Key(who.tenant_id, sent[-1], 0)
        took = Outcomes(took=[Took(key, (Part(0, "same", None, now()),))], finished=[work.run.id])
        await dispatch.record(world.db, world.carrier, took, now())
        await asyncio.sleep(0.002)

    await world.receive(["same"], Status.SENT)

    assert await world.statuses(who, sent[0]) == [Status.WAITING]
    assert await world.statuses(who, sent[1]) == [Status.SENT]


async def test_a_message_in_parts_is_sent_when_all_are(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease(), parts=3)
    await world.receive(refs[:2])
    await world.receive(refs[:1])
    assert await world.statuses(who, sending) == [Status.WAITING]

    await world.receive(refs[2:])

    assert await world.statuses(who, sending) == [Status.SENT]


async def test_a_message_in_parts_fails_with_one_of_them_and_is_refunded_once(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    refs = await world.take(*await world.lease(), parts=3)
    await world.receive(refs[:1])

    await world.receive(refs[1:], Status.NOT_SENT)

    assert await world.statuses(who, sending) == [Status.NOT_SENT]
    assert await world.balance(who) == 100 * USD


# leases


async def test_what_is_leased_is_nobody_elses(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service)
    await world.lease()

    assert await world.lease() == []


async def test_a_lease_that_ran_out_is_taken_over_without_what_was_answered(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service, to=3)
    await world.lease()
    answered = Outcomes(took=[Took(Key(who.tenant_id, sending, 1), (Part(0, "1", None, now()),))])
    await dispatch.record(world.db, world.carrier, answered, now())
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE batches SET leased_until = now() - interval '1 second'")

    [work] = await world.lease()

    assert [due.position for due in work.due] == [0, 2]


async def test_a_process_holds_only_what_is_still_its_own(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service)
    mine = uuid4()
    [work] = await world.lease(lease=mine)

    assert await dispatch.renew(world.db, [work.run.id], mine, seconds=15) == {work.run.id}
    assert await dispatch.renew(world.db, [work.run.id], uuid4(), seconds=15) == set()


@pytest.mark.parametrize("positions", [None, list(range(9))])
async def test_who_is_slow_leaves_the_rest_of_a_run_to_others(
    world: World, positions: list[int] | None
) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service, to=9)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE batches SET positions = $1", positions)

    bites = [await world.lease(2, exactly=True) for _ in range(3)]

    assert [due.position for [work] in bites for due in work.due] == [0, 1, 2, 3, 4, 5]
    [rest] = await world.lease()
    assert [due.position for due in rest.due] == [6, 7, 8]


async def test_room_bounds_what_is_leased(world: World) -> None:
    who, service = await world.customer(3000 * USD), await world.service()
    await world.send(who, service, to=2500)

    work = await world.lease(room=600)

    assert [len(item.due) for item in work] == [500, 500]


# the unsure


async def test_unsure_messages_go_again_a_bounded_number_of_times(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    lease = uuid4()
    for _ in range(2):
        [work] = await world.lease(lease=lease)
        await world.lose_link(lease, work)
    [work] = await world.lease(lease=lease)

    await world.lose_link(lease, work)

    assert await world.statuses(who, sending) == [Status.NOT_SENT]
    assert await world.balance(who) == 100 * USD


async def test_with_refund_only_what_was_in_flight_ends(world: World) -> None:
    who, service = await world.customer(), await world.service(unsure="refund")
    sending = await world.send(who, service, to=3)
    lease = uuid4()
    [work] = await world.lease(lease=lease)
    await dispatch.mark(world.db, [(work.run.id, 2)], lease)

    await world.lose_link(lease, work)

    assert await world.statuses(who, sending) == [Status.NOT_SENT, Status.PENDING, Status.PENDING]
    [again] = await world.lease()
    assert [due.position for due in again.due] == [1, 2]


async def test_with_refund_a_crash_ends_what_was_marked(world: World) -> None:
    who, service = await world.customer(), await world.service(unsure="refund")
    sending = await world.send(who, service, to=3)
    lease = uuid4()
    [work] = await world.lease(lease=lease)
    await dispatch.mark(world.db, [(work.run.id, 2)], lease)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE batches SET leased_until = now() - interval '1 second'")

    [again] = await world.lease()

    assert [due.position for due in again.due] == [2]
    assert await world.statuses(who, sending) == [Status.NOT_SENT, Status.NOT_SENT, Status.PENDING]
    assert await world.balance(who) == 99 * USD


# sweeps


async def test_validity_that_passes_in_the_queue_ends_as_not_sent(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service, to=2)
    await world.age(who, sending, minutes=1440)

    await sweep.expired_in_queue(world.db, now())

    assert await world.statuses(who, sending) == [Status.NOT_SENT] * 2
    assert await world.count("batches") == 0


async def test_what_a_link_is_sending_is_left_to_it(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    await world.lease()
    await world.age(who, sending, minutes=1440)

    await sweep.expired_in_queue(world.db, now())

    assert await world.statuses(who, sending) == [Status.PENDING]


async def test_no_receipt_by_validity_and_grace_is_no_signal(world: World) -> None:
    who, service = await world.customer(), await world.service()
    sending = await world.send(who, service)
    await world.take(*await world.lease())
    await world.age(who, sending, minutes=1440 + 59)
    await sweep.without_receipt(world.db, now(), grace_minutes=60)
    assert await world.statuses(who, sending) == [Status.WAITING]

    await world.age(who, sending, minutes=1)
    await sweep.without_receipt(world.db, now(), grace_minutes=60)

    assert await world.statuses(who, sending) == [Status.NO_SIGNAL]
    assert await world.balance(who) == 100 * USD


async def test_two_who_end_the_same_message_at_once_refund_it_once(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service, to=20)
    refs = await world.take(*await world.lease())

    await asyncio.gather(*(world.receive(refs, Status.NOT_SENT) for _ in range(4)))

    assert await world.balance(who) == 100 * USD
    assert await world.count("transfers", "kind = 'refund'") == 20

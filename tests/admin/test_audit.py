"""The audit of the books: clean whatever customers and carriers do, and exact about what somebody altered."""

import asyncio
from datetime import timedelta

import pytest

from tests.admin import BY, USD, rows, value
from tests.flow.conftest import World, world
from ulak.admin import accounts, audit, credit, groups
from ulak.base.db import Database
from ulak.flow import searchable, summarised
from ulak.flow.accept import now
from ulak.rules.status import Status
from ulak.store import blocks

pytestmark = pytest.mark.slow

__all__ = ["world"]  # the fixture


async def proofs(db: Database) -> list[audit.Proof]:
    return [proof async for proof in audit.prove(db)]


async def assert_clean(db: Database) -> None:
    found = await proofs(db)
    assert len(found) == len(audit.TITLES)
    assert [difference for proof in found for difference in proof.differences] == []


async def alter(db: Database, *statements: str) -> None:
    """What nobody should ever do, and the database lets only its owner do, in so many words."""
    async with db.transaction() as tx:
        await tx.execute("ALTER TABLE transfers DISABLE TRIGGER transfers_stay")
        for statement in statements:
            await tx.execute(statement)


async def live(world: World, price: int = USD) -> None:
    """A customer and a member send to five each: two arrive, two do not and are paid back, one is on its way. Then
    each sends to two more, which wait in the queue."""
    service = await world.service(price)
    both = (await world.customer(), await world.member())
    for who in both:
        await world.send(who, service, to=5)
        refs = await world.take(*await world.lease())
        await world.receive(refs[:2])
        await world.receive(refs[2:3], Status.NOT_SENT)
        await world.receive(refs[3:4], Status.NO_SIGNAL)
    for who in both:
        await world.send(who, service, to=2)


async def test_books_of_nobody_are_right(db: Database) -> None:
    await assert_clean(db)
    assert [proof.looked_at for proof in await proofs(db)] == [0] * len(audit.TITLES)


async def test_books_of_a_working_house_are_right(world: World) -> None:
    await live(world)

    await assert_clean(world.db)
    assert [proof.looked_at for proof in await proofs(world.db)] == [2, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0]


async def test_messages_for_nothing_that_did_not_arrive_are_no_difference(world: World) -> None:
    await live(world, price=0)

    await assert_clean(world.db)


async def test_services_that_pay_nothing_back_are_no_difference(world: World) -> None:
    who, service = await world.customer(), await world.service(refund_on=[])
    await world.send(who, service, to=2)
    await world.receive(await world.take(*await world.lease()), Status.NOT_SENT)

    assert await world.balance(who) == 98 * USD
    await assert_clean(world.db)


async def test_what_the_operator_moves_is_no_difference(db: Database) -> None:
    await groups.create(db, BY, "Org")
    await accounts.create_user(db, BY, "mark", "mark@example.com")
    await groups.add_member(db, BY, "Org", "mark")
    await credit.add(db, BY, 100, None, "Org")
    await credit.transfer(db, BY, 70, "Org", "mark")
    await credit.take(db, BY, 20, "mark", "Org")
    await groups.remove_member(db, BY, "Org", "mark")

    assert await credit.show(db, None, "Org") == 80
    await assert_clean(db)


async def test_it_may_run_beside_a_busy_house(world: World) -> None:
    busy = asyncio.gather(*(live(world) for _ in range(4)), return_exceptions=True)
    while not busy.done():
        await assert_clean(world.db)
        await asyncio.sleep(0)
    assert await busy == [None] * 4
    await assert_clean(world.db)


async def test_it_changes_nothing(world: World) -> None:
    await live(world)
    tables = ("credits", "transfers", "sendings", "messages", "batches", "audit_log")
    before = [sorted(map(str, await rows(world.db, f"TABLE {name}"))) for name in tables]

    await proofs(world.db)

    assert [sorted(map(str, await rows(world.db, f"TABLE {name}"))) for name in tables] == before


async def test_a_balance_is_named_with_what_is_written_and_what_it_should_be(world: World) -> None:
    await live(world)
    who = await world.customer(7 * USD)
    await alter(world.db, f"UPDATE credits SET balance = balance + 1 WHERE tenant_id = '{who.tenant_id}'")

    [proof] = await proofs(world.db)

    [found] = proof.differences
    assert (found.what, found.tenant_id, found.id) == ("balance", who.tenant_id, str(who.owner_id))
    assert (found.written, found.computed) == ("7000001", "7000000")


async def test_counters_are_named_with_what_is_written_and_what_they_should_be(world: World) -> None:
    who = await world.customer()
    sending = await world.send(who, await world.service(), to=3)
    await alter(world.db, "UPDATE sendings SET n_waiting = 1, n_pending = 2")

    found = (await proofs(world.db))[-1].differences

    assert [(one.what, one.tenant_id, one.id) for one in found] == [("counters", who.tenant_id, str(sending))]
    assert (found[0].written, found[0].computed) == ("2 1 0 0 0 0 3000000 0", "3 0 0 0 0 0 3000000 0")


async def test_the_first_thing_that_does_not_hold_is_the_last_that_is_looked_at(world: World) -> None:
    await live(world)
    await alter(
        world.db, "DELETE FROM batches", "UPDATE messages SET status = 'waiting' WHERE status = 'pending'"
    )

    found = await proofs(world.db)

    assert [bool(proof.differences) for proof in found] == [False, True]


async def test_of_many_differences_ten_are_named(world: World) -> None:
    for _ in range(12):
        await world.customer()
    await alter(world.db, "UPDATE credits SET balance = balance + 1")

    [proof] = await proofs(world.db)

    assert (proof.looked_at, len(proof.differences)) == (12, 10)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM credits WHERE balance > 0", "balance"),
        ("INSERT INTO credits VALUES (gen_random_uuid(), gen_random_uuid(), 5)", "balance"),
        ("DELETE FROM transfers WHERE kind = 'topup'", "balance"),
        ("UPDATE transfers SET amount = amount + 1 WHERE kind = 'charge'", "balance"),
        ("UPDATE transfers SET tenant_id = gen_random_uuid() WHERE kind = 'refund'", "balance"),
        ("UPDATE messages SET price = price + 1 WHERE status = 'sent'", "counters"),
        ("UPDATE messages SET refunded = false WHERE refunded", "counters"),
        ("UPDATE sendings SET total_cost = total_cost + 1", "counters"),
        ("DELETE FROM sendings", "counters"),
        ("DELETE FROM messages", "counters"),
        ("UPDATE sendings SET owner_id = gen_random_uuid()", "charge"),
        ("UPDATE transfers SET position = position + 100 WHERE kind = 'refund'", "refund"),
        ("UPDATE batches SET first_position = 1, marked_to = greatest(marked_to, 1)", "queue"),
        ("UPDATE batches SET tenant_id = gen_random_uuid()", "queue"),
        ("UPDATE sendings SET created_at = created_at - interval '1 millisecond'", "created_at"),
        ("UPDATE tallies SET n = n + 1 WHERE minutes = 1", "tally"),
        ("UPDATE tallies SET starts = starts - interval '1 day' WHERE minutes = 1440", "tally"),
        ("DELETE FROM tallies", "tally"),
    ],
)
async def test_what_was_altered_is_found_where_it_is(world: World, statement: str, what: str) -> None:
    await live(world)
    await alter(world.db, statement)

    assert {one.what for one in (await proofs(world.db))[-1].differences} == {what}


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE search_days SET n = n + 1", "gathered"),
        ("UPDATE search_blocks SET texts = 'another' || U&'\\0001'", "block"),
        ("UPDATE sendings SET search_text = 'another'", "block"),
        ("DELETE FROM search_blocks", "gathered"),
        (
            "UPDATE search_blocks SET signature = set_bit(signature, 0, 1 - get_bit(signature, 0))",
            "signature",
        ),
    ],
)
async def test_gathered_texts_that_are_not_their_sendings_are_found(
    world: World, statement: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "SIGNED_MIN", 0)
    await live(world)
    for sending in await rows(
        world.db, "SELECT tenant_id, date_trunc('day', created_at) AS day FROM sendings"
    ):
        await searchable.gather_day(
            world.db, sending["tenant_id"], sending["day"], now() + timedelta(seconds=1)
        )
    assert [proof.looked_at for proof in await proofs(world.db)][-2:] == [4, 2]  # texts, and blocks of them
    await assert_clean(world.db)
    await alter(world.db, statement)

    assert {one.what for one in (await proofs(world.db))[-1].differences} == {what}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hours SET n_sendings = n_sendings + 1",
        "UPDATE hours SET total_refunded = total_refunded - 1",
        "UPDATE hours SET n_valid = n_valid - 1, n_sent = n_sent - 1",
        "UPDATE hours SET open_ids = '{}' WHERE open_ids <> '{}'",
        "UPDATE hours SET open_ids = ARRAY[gen_random_uuid()]",
        "UPDATE hours SET starts = starts - interval '1 hour'",
    ],
)
async def test_gathered_hours_that_are_not_the_sum_of_their_sendings_are_found(
    world: World, statement: str
) -> None:
    await live(world)
    who, service = await world.customer(), await world.service()
    await world.send(who, service)
    for tenant in await rows(world.db, "SELECT DISTINCT tenant_id FROM sendings"):
        day = now().replace(hour=0, minute=0, second=0, microsecond=0)
        for midnight in (day - timedelta(days=1), day):  # where midnight has come meanwhile
            await summarised.gather_day(world.db, tenant["tenant_id"], midnight, midnight + timedelta(days=1))
    await assert_clean(world.db)
    await world.send(who, service)  # an hour that has fewer than there are is no difference
    await assert_clean(world.db)
    await alter(world.db, statement)

    assert {one.what for one in (await proofs(world.db))[-1].differences} == {"hour"}


async def test_a_refund_that_was_written_twice_cannot_be(world: World) -> None:
    await live(world)
    columns = "tenant_id, kind, debit, credit, amount, sending_id, position"
    again = f"INSERT INTO transfers ({columns}) SELECT {columns} FROM transfers WHERE kind = 'refund'"

    with pytest.raises(Exception, match="transfers_one_refund"):
        await alter(world.db, again)

    assert await value(world.db, "SELECT count(*) FROM transfers WHERE kind = 'refund'") == 4
    await assert_clean(world.db)

"""Accepting: priced, charged and kept together, or refused and nothing kept."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.flow.conftest import USD, World
from ulak.flow.accept import Request
from ulak.rules.refusal import Code, Refused
from ulak.store.queue import BULK, SINGLE

FULL = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER "full" BEFORE INSERT ON messages EXECUTE FUNCTION no_space()"""


async def test_a_sending_is_charged_and_queued(world: World) -> None:
    who, service = await world.customer(10 * USD), await world.service(2 * USD)

    sending = await world.send(who, service, to=3)

    seen = await world.sending(who, sending)
    assert (seen.n_valid, seen.n_pending, seen.total_cost) == (3, 3, 6 * USD)
    assert await world.balance(who) == 4 * USD
    assert await world.count("batches") == 1


async def test_a_member_pays_with_the_share_in_the_organization(world: World) -> None:
    service = await world.service()
    member = await world.member(5 * USD)

    await world.send(member, service, to=2)

    assert await world.balance(member) == 3 * USD


async def test_too_little_credit_keeps_nothing(world: World) -> None:
    who, service = await world.customer(2 * USD), await world.service()

    with pytest.raises(Refused) as refusal:
        await world.send(who, service, to=3)

    assert refusal.value.code == Code.INSUFFICIENT_CREDIT
    assert await world.balance(who) == 2 * USD
    for table in ("sendings", "messages", "batches", "volumes"):
        assert await world.count(table) == 0


async def test_somebody_without_any_credit_can_send_what_costs_nothing(world: World) -> None:
    who, service = await world.customer(0), await world.service(0)

    sending = await world.send(who, service)

    assert (await world.sending(who, sending)).total_cost == 0
    assert await world.count("transfers") == 0


async def test_a_full_disk_is_an_outage_and_keeps_nothing(world: World) -> None:
    who, service = await world.customer(5 * USD), await world.service()
    async with world.db.transaction() as tx:
        await tx.execute(FULL)

    with pytest.raises(Refused) as refusal:
        await world.send(who, service)

    assert refusal.value.code == Code.UNAVAILABLE
    assert await world.balance(who) == 5 * USD
    async with world.db.transaction() as tx:
        await tx.execute('DROP TRIGGER "full" ON messages')
    await world.send(who, service)
    assert await world.balance(who) == 4 * USD


async def test_of_many_at_once_those_that_can_pay_are_accepted_in_order(world: World) -> None:
    who, service = await world.customer(5 * USD), await world.service()

    results = await asyncio.gather(*(world.send(who, service) for _ in range(9)), return_exceptions=True)

    refused = [isinstance(result, Refused) for result in results]
    assert refused == [False] * 5 + [True] * 4
    assert await world.balance(who) == 0
    assert await world.count("transfers", "kind = 'charge'") == 5


async def test_one_who_cannot_pay_takes_nobody_along(world: World) -> None:
    rich, poor, service = await world.customer(), await world.customer(0), await world.service()

    results = await asyncio.gather(
        world.send(rich, service),
        world.send(poor, service),
        world.send(rich, service),
        return_exceptions=True,
    )

    assert [isinstance(result, Refused) for result in results] == [False, True, False]


async def test_repeats_and_invalid_numbers_are_counted_and_not_charged(world: World) -> None:
    who, service = await world.customer(), await world.service()
    to = ["905550000000", "0555 000 00 00", "+905550000001", "not a number", ""]

    accepted = await world.accept(Request(who, service, to, "merhaba", "api"))

    seen = await world.sending(who, accepted.sending_id)
    assert (seen.n_valid, seen.n_invalid, seen.total_cost) == (2, 3, 2 * USD)


async def test_each_text_its_own(world: World) -> None:
    who, service = await world.customer(), await world.service()
    to = ["905550000000", "905550000000", "905550000000"]

    accepted = await world.accept(Request(who, service, to, ["bir", "iki", "bir"], "api"))

    seen = await world.sending(who, accepted.sending_id)
    assert (seen.text, seen.n_valid, seen.n_invalid) == ("bir", 2, 1)
    assert [due.text for work in await world.lease() for due in work.due] == ["bir", "iki"]


async def test_a_service_billed_by_segment(world: World) -> None:
    who, service = await world.customer(), await world.service(billing="segment")

    sending = await world.send(who, service, text="ş" * 71)

    assert (await world.sending(who, sending)).total_cost == 2 * USD


async def test_a_big_bulk_goes_by_itself_and_is_all_there(world: World) -> None:
    who, service = await world.customer(3000 * USD), await world.service()

    sending = await world.send(who, service, to=2500)

    assert await world.count("messages") == 2500
    assert await world.count("batches") == 5
    assert await world.balance(who) == 500 * USD
    assert (await world.sending(who, sending)).n_pending == 2500


async def test_a_big_bulk_that_costs_too_much_keeps_nothing(world: World) -> None:
    who, service = await world.customer(2499 * USD), await world.service()

    with pytest.raises(Refused, match="costs 2500"):
        await world.send(who, service, to=2500)

    assert await world.count("messages") == 0
    assert await world.balance(who) == 2499 * USD


async def test_no_such_service(world: World) -> None:
    who, service = await world.customer(), await world.service(state="inactive")

    with pytest.raises(Refused) as refusal:
        await world.send(who, service)

    assert refusal.value.code == Code.SERVICE_NOT_FOUND


async def test_single_sends_go_before_bulk(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service, to=2)
    await world.accept(Request(who, service, ["905550000009"], "kod", "api", single=True))

    runs = [work.run.priority for work in await world.lease()]

    assert runs == [SINGLE, BULK]


async def test_customers_are_served_in_turns(world: World) -> None:
    service = await world.service()
    big, small = await world.customer(3000 * USD), await world.customer()
    first = await world.send(big, service, to=2000)
    second = await world.send(small, service, to=1)

    order = [work.run.sending_id for work in await world.lease()]

    assert order == [first, second, first, first, first]


# named requests


async def test_the_same_request_again_gets_the_first_answer(world: World) -> None:
    who, service = await world.customer(), await world.service()
    first = await world.accept(world.named(who, service, "k"))

    again = await world.accept(world.named(who, service, "k"))

    assert again == (first.sending_id, True)
    assert await world.balance(who) == 99 * USD


async def test_twins_at_the_same_moment_are_one(world: World) -> None:
    who, service = await world.customer(), await world.service()

    answers = await asyncio.gather(*(world.accept(world.named(who, service, "k")) for _ in range(8)))

    assert len({answer.sending_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await world.count("sendings") == 1


async def test_the_same_name_for_another_body_is_a_conflict(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.accept(world.named(who, service, "k", b"one"))

    with pytest.raises(Refused) as refusal:
        await world.accept(world.named(who, service, "k", b"two"))

    assert refusal.value.code == Code.IDEMPOTENCY_CONFLICT


async def test_a_refused_request_does_not_keep_its_name(world: World) -> None:
    poor, service = await world.customer(0), await world.service()
    with pytest.raises(Refused):
        await world.accept(world.named(poor, service, "k", b"one"))
    await world.fund(poor, USD)

    accepted = await world.accept(world.named(poor, service, "k", b"two"))

    assert not accepted.replayed


async def test_a_name_counts_for_a_day(world: World) -> None:
    who, service = await world.customer(), await world.service()
    first = await world.accept(world.named(who, service, "k"))
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE idempotency SET created_at = created_at - interval '24 hours'")

    again = await world.accept(world.named(who, service, "k"))

    assert not again.replayed
    assert again.sending_id != first.sending_id


# prices


async def test_the_price_falls_with_the_volume_and_is_one_for_a_request(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.rule(service, "fixed", USD // 2, from_volume=3)

    costs = []
    for n in (2, 2, 1):
        costs.append((await world.sending(who, await world.send(who, service, to=n))).total_cost)

    assert costs == [2 * USD, 2 * USD, USD // 2]


async def test_volume_prices_count_requests_that_come_together_one_by_one(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.rule(service, "fixed", USD // 2, from_volume=3)

    sent = await asyncio.gather(*(world.send(who, service) for _ in range(5)))

    costs = [(await world.sending(who, sending)).total_cost for sending in sent]
    assert costs == [USD, USD, USD, USD // 2, USD // 2]


async def test_a_rule_is_for_whom_and_when_it_says(world: World) -> None:
    service = await world.service()
    who, other = await world.customer(), await world.customer()
    async with world.db.transaction() as tx:
        await tx.execute("INSERT INTO users (id, username, email) VALUES ($1, 'mark', 'm')", who.user_id)
    await world.rule(service, "percent", -10 * 1_000_000, user_id=who.user_id)
    await world.rule(service, "fixed", 9 * USD, ends=datetime.now(UTC) - timedelta(days=1))

    mine = await world.sending(who, await world.send(who, service))
    theirs = await world.sending(other, await world.send(other, service))

    assert (mine.total_cost, theirs.total_cost) == (USD * 9 // 10, USD)


async def test_who_cannot_pay_costs_the_others_nothing_but_a_moment(world: World) -> None:
    """Once it is known that a credit is empty its orders are decided apart, until it can pay again."""
    service = await world.service()
    rich, poor = await world.customer(1000 * USD), await world.customer(1 * USD)

    async def both() -> list[object]:
        requests = [world.named(who, service, f"{n}") for n in range(5) for who in (rich, poor)]
        bare = [replace(request, name=None) for request in requests]
        return list(await asyncio.gather(*map(world.accept, bare), return_exceptions=True))

    answers = [await both() for _ in range(3)]
    refused = [sum(isinstance(answer, Refused) for answer in some) for some in answers]
    assert refused == [4, 5, 5]
    await world.fund(poor, 5 * USD)

    assert [answer for answer in await both() if isinstance(answer, Refused)] == []
    assert (await world.balance(rich), await world.balance(poor)) == (980 * USD, 0)

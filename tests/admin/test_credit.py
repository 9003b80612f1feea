"""Credit as the operator moves it: to the micro-unit, never below zero, and each time one transfer in the ledger."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.admin import BY, ORG, USD, actions, found, held, rows, value
from ulak.admin import accounts, audit, credit, groups
from ulak.base.db import COLLISION, Database
from ulak.rules.refusal import Code, Refused

OWN = ("mark", None)
POOL = (None, ORG)
SHARE = ("mark", ORG)


@pytest.fixture
async def house(db: Database) -> Database:
    await found(db)
    return db


async def code_of(work: Any) -> Code:
    """With which code this is refused."""
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value.code


async def assert_clean(db: Database) -> None:
    assert [proof.title for proof in [p async for p in audit.prove(db)] if proof.differences] == []


async def transfers(db: Database) -> list[tuple[str, int, str | None, str | None]]:
    """The ledger's lines, in order."""
    query = "SELECT kind, amount, actor, note FROM transfers ORDER BY id"
    return [(row["kind"], row["amount"], row["actor"], row["note"]) for row in await rows(db, query)]


@pytest.mark.parametrize("whose", [OWN, POOL, SHARE])
async def test_topping_up_and_correcting_are_exact(
    house: Database, whose: tuple[str | None, str | None]
) -> None:
    assert await credit.add(house, BY, 120 * USD, *whose) == 120 * USD
    assert await credit.take(house, BY, 1, *whose) == 120 * USD - 1
    assert await credit.show(house, *whose) == 120 * USD - 1
    await assert_clean(house)


async def test_a_users_own_credit_the_pool_and_the_share_are_three_credits(house: Database) -> None:
    for amount, whose in ((1, OWN), (2, POOL), (3, SHARE)):
        await credit.add(house, BY, amount, *whose)

    assert [await credit.show(house, *whose) for whose in (OWN, POOL, SHARE)] == [1, 2, 3]
    assert await credit.show(house, "lale", ORG) == 0


async def test_each_movement_is_one_transfer_with_who_and_why(house: Database) -> None:
    await credit.add(house, BY, 100, *POOL, "invoice 17")
    await credit.transfer(house, BY, 60, ORG, "mark")
    await credit.take(house, BY, 10, *SHARE, "typed twice")

    assert await transfers(house) == [
        ("topup", 100, BY.name, "invoice 17"),
        ("handout", 60, BY.name, None),
        ("correction", 10, BY.name, "typed twice"),
    ]
    assert (await actions(house))[-3:] == ["credit.topup", "credit.handout", "credit.correction"]


async def test_a_correction_takes_the_last_micro_unit_and_not_one_more(house: Database) -> None:
    await credit.add(house, BY, 5, *OWN)

    assert await code_of(credit.take(house, BY, 6, *OWN)) == Code.INSUFFICIENT_CREDIT
    assert await credit.take(house, BY, 5, *OWN) == 0
    assert await code_of(credit.take(house, BY, 1, *OWN)) == Code.INSUFFICIENT_CREDIT


async def test_a_transfer_beyond_the_pool_says_what_the_pool_holds_and_moves_nothing(house: Database) -> None:
    await credit.add(house, BY, 2 * USD, *POOL)

    with pytest.raises(Refused, match=r"2\.000000.*2\.000001"):
        await credit.transfer(house, BY, 2 * USD + 1, ORG, "mark")

    assert await credit.show(house, *POOL) == 2 * USD
    assert await credit.show(house, *SHARE) == 0
    assert len(await transfers(house)) == 1
    assert (await actions(house))[-1] == "credit.topup"


@pytest.mark.parametrize("amount", [0, -1])
async def test_nothing_and_less_are_no_amounts(house: Database, amount: int) -> None:
    await credit.add(house, BY, 5, *POOL)

    assert await code_of(credit.add(house, BY, amount, *OWN)) == Code.INVALID_VALUE
    assert await code_of(credit.take(house, BY, amount, *POOL)) == Code.INVALID_VALUE
    assert await code_of(credit.transfer(house, BY, amount, ORG, "mark")) == Code.INVALID_VALUE
    assert len(await transfers(house)) == 1


async def test_who_is_no_member_has_no_share(house: Database) -> None:
    await accounts.create_user(house, BY, "ece", "ece@example.com")
    await credit.add(house, BY, 5, *POOL)

    assert await code_of(credit.add(house, BY, 5, "ece", ORG)) == Code.NOT_KNOWN
    assert await code_of(credit.transfer(house, BY, 5, ORG, "ece")) == Code.NOT_KNOWN
    assert await code_of(credit.show(house, "ece", ORG)) == Code.NOT_KNOWN
    assert await value(house, "SELECT count(*) FROM credits WHERE balance > 0") == 1


# --- many at once


async def test_many_transfers_at_once_empty_the_pool_and_go_no_further(house: Database) -> None:
    await credit.add(house, BY, 100, *POOL)

    results = await asyncio.gather(
        *(credit.transfer(house, BY, 9, ORG, ("mark", "lale")[n % 2]) for n in range(30)),
        return_exceptions=True,
    )

    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == 30 - 11  # eleven times nine is 99
    assert {type(why) for why in refused} == {Refused}
    assert await credit.show(house, *POOL) == 1
    assert await credit.show(house, "mark", ORG) + await credit.show(house, "lale", ORG) == 99
    assert await value(house, "SELECT count(*) FROM transfers WHERE kind = 'handout'") == 11
    await assert_clean(house)


async def test_transfers_that_wait_for_each_other_look_again_at_the_pool(house: Database) -> None:
    await credit.add(house, BY, 10, *POOL)
    both = [credit.transfer(house, BY, 10, ORG, who) for who in ("mark", "lale")]

    async with held(house, "SELECT FROM credits FOR UPDATE", *both) as results:
        pass

    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    assert await credit.show(house, *POOL) == 0
    await assert_clean(house)


async def test_corrections_at_once_never_take_more_than_there_is(house: Database) -> None:
    await credit.add(house, BY, 10, *OWN)

    results = await asyncio.gather(
        *(credit.take(house, BY, 3, *OWN) for _ in range(12)), return_exceptions=True
    )

    assert sum(isinstance(result, Refused) for result in results) == 9
    assert await credit.show(house, *OWN) == 1
    await assert_clean(house)


async def test_topups_at_once_all_count(house: Database) -> None:
    await asyncio.gather(*(credit.add(house, BY, 7, *SHARE) for _ in range(20)))

    assert await credit.show(house, *SHARE) == 140
    await assert_clean(house)


async def test_handing_out_while_members_come_and_go_loses_nothing(house: Database) -> None:
    await credit.add(house, BY, 1000, *POOL)

    async def come_and_go(username: str) -> None:
        for _ in range(5):
            for step in (
                lambda: credit.transfer(house, BY, 10, ORG, username),
                lambda: groups.remove_member(house, BY, ORG, username),
                lambda: groups.add_member(house, BY, ORG, username),
            ):
                for _ in range(20):  # as the command line does, with more patience
                    try:
                        await step()
                        break
                    except COLLISION:
                        continue

    await asyncio.gather(come_and_go("mark"), come_and_go("lale"))

    assert await credit.show(house, *POOL) == 1000
    await assert_clean(house)


async def shares_of_strangers(db: Database) -> int:
    """What people hold in organizations that they are not members of."""
    query = """
    SELECT coalesce(sum(balance), 0)::bigint FROM credits c WHERE tenant_id <> owner_id
       AND NOT EXISTS (SELECT FROM memberships m WHERE m.organization_id = tenant_id AND m.user_id = owner_id)"""
    total: int = await value(db, query)
    return total


async def test_a_transfer_and_a_leave_at_once_leave_no_credit_with_a_stranger(house: Database) -> None:
    await credit.add(house, BY, 100, *POOL)
    transfer = credit.transfer(house, BY, 50, ORG, "mark")

    async with held(house, "SELECT FROM credits WHERE tenant_id = owner_id FOR UPDATE", transfer) as results:
        leave = asyncio.create_task(groups.remove_member(house, BY, ORG, "mark"))
        await asyncio.wait([leave], timeout=0.5)  # it may wait for the transfer, or be done before it
    await leave

    assert len(results) == 1
    assert await shares_of_strangers(house) == 0
    assert await credit.show(house, *POOL) == 100


# --- taking back


async def test_what_is_taken_back_is_in_the_pool_to_the_micro_unit(house: Database) -> None:
    await credit.add(house, BY, 100, *POOL)
    await credit.transfer(house, BY, 60, ORG, "mark", "March")

    assert await credit.take_back(house, BY, 59, ORG, "mark", "too much") == (1, 99)

    assert (await transfers(house))[1:] == [
        ("handout", 60, BY.name, "March"),
        ("handout", 59, BY.name, "too much"),
    ]
    assert (await actions(house))[-2:] == ["credit.handout", "credit.take-back"]
    await assert_clean(house)


async def test_no_more_is_taken_back_than_there_is_and_only_from_members(house: Database) -> None:
    await accounts.create_user(house, BY, "ece", "ece@example.com")
    await credit.add(house, BY, 10, *POOL)
    await credit.transfer(house, BY, 5, ORG, "mark")
    await credit.add(house, BY, 100, *OWN)
    before = len(await transfers(house))

    assert await code_of(credit.take_back(house, BY, 6, ORG, "mark")) == Code.INSUFFICIENT_CREDIT
    assert await code_of(credit.take_back(house, BY, 1, ORG, "lale")) == Code.INSUFFICIENT_CREDIT
    assert await code_of(credit.take_back(house, BY, 1, ORG, "ece")) == Code.NOT_KNOWN
    assert await code_of(credit.take_back(house, BY, 0, ORG, "mark")) == Code.INVALID_VALUE
    for note in ("n" * 501, "a\nb", "a\x1b[31m"):
        assert await code_of(credit.take_back(house, BY, 1, ORG, "mark", note)) == Code.INVALID_VALUE
        assert await code_of(credit.transfer(house, BY, 1, ORG, "mark", note)) == Code.INVALID_VALUE

    assert len(await transfers(house)) == before
    assert [await credit.show(house, *whose) for whose in (POOL, SHARE, OWN)] == [5, 5, 100]


async def test_both_ways_at_once_nobody_waits_for_ever(house: Database) -> None:
    """Each of them needs the pool and a share: taken in whatever order, they would lock each other out."""
    await credit.add(house, BY, 1000, *POOL)
    for who in ("mark", "lale"):
        await credit.transfer(house, BY, 200, ORG, who)

    await asyncio.gather(
        *(
            (credit.transfer, credit.take_back)[n % 2](house, BY, 7, ORG, ("mark", "lale")[n // 2 % 2])
            for n in range(80)
        )
    )

    assert [await credit.show(house, *whose) for whose in (POOL, SHARE, ("lale", ORG))] == [600, 200, 200]
    await assert_clean(house)


async def test_all_of_it_taken_back_while_the_member_leaves(house: Database) -> None:
    await credit.add(house, BY, 10, *POOL)
    await credit.transfer(house, BY, 10, ORG, "mark")

    results = await asyncio.gather(
        credit.take_back(house, BY, 10, ORG, "mark"),
        groups.remove_member(house, BY, ORG, "mark"),
        credit.take_back(house, BY, 10, ORG, "mark"),
        return_exceptions=True,
    )

    assert not [one for one in results if isinstance(one, BaseException) and not isinstance(one, Refused)]
    assert await credit.show(house, *POOL) == 10
    await assert_clean(house)


# --- what the database itself refuses, whoever asks


@pytest.mark.parametrize(
    "which",
    [
        "tenant_id = owner_id AND tenant_id IN (SELECT id FROM users)",
        "tenant_id = owner_id AND tenant_id IN (SELECT id FROM organizations)",
        "tenant_id <> owner_id",
    ],
    ids=["a user's own", "an organization's pool", "a member's share"],
)
async def test_no_balance_goes_below_zero(house: Database, which: str) -> None:
    await credit.add(house, BY, 5, "mark", None)
    await credit.add(house, BY, 5, None, ORG)
    await credit.transfer(house, BY, 2, ORG, "mark")
    held = f"SELECT balance FROM credits WHERE balance > 0 AND {which}"
    before = await rows(house, held)
    assert len(before) == 1

    with pytest.raises(asyncpg.CheckViolationError):
        async with house.transaction() as tx:
            await tx.execute(f"UPDATE credits SET balance = -1 WHERE balance > 0 AND {which}")

    assert await rows(house, held) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfers SET amount = amount + 1",
        "UPDATE transfers SET note = 'another'",
        "DELETE FROM transfers",
        "DELETE FROM transfers WHERE false",
        "TRUNCATE transfers",
    ],
)
async def test_the_ledgers_past_does_not_change(house: Database, statement: str) -> None:
    await credit.add(house, BY, 5, "mark", None)
    before = await rows(house, "SELECT * FROM transfers")
    assert len(before) == 1

    with pytest.raises(asyncpg.RestrictViolationError, match="only ever added to"):
        async with house.transaction() as tx:
            await tx.execute(statement)

    assert await rows(house, "SELECT * FROM transfers") == before

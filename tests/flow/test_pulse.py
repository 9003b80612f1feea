"""The pulse: what happens is counted in memory, and added up in the database for all processes together."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.flow.conftest import World
from ulak.base.db import Database
from ulak.flow import pulse, sweep
from ulak.flow.accept import now
from ulak.flow.pulse import What
from ulak.rules.status import Status

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    """Nothing was counted before, and nothing is left after."""
    pulse._counts.clear()
    yield
    pulse._counts.clear()


async def told(db: Database) -> dict[tuple[str, int, str], int]:
    """What the database knows, all slots together."""
    await pulse.tell(db)
    async with db.reading() as tx:
        rows = await tx.fetch("SELECT what, carrier_id, label, sum(n)::int AS n FROM pulse GROUP BY 1, 2, 3")
    return {(row["what"], row["carrier_id"], row["label"]): row["n"] for row in rows}


async def test_the_life_of_messages_is_counted(world: World) -> None:
    who, service, carrier = await world.customer(), await world.service(), world.carrier
    await world.send(who, service, to=5)
    refs = await world.take(*await world.lease())
    await world.receive([*refs[:3], "nobody's"])
    await world.receive(refs[3:4], None)
    await world.receive(refs[3:4], Status.NOT_SENT)

    assert await told(world.db) == {
        ("sendings", 0, "api"): 1,
        ("messages", 0, "api"): 5,
        ("receipts", carrier, "sent"): 4,
        ("receipts", carrier, "progress"): 1,
        ("receipts", carrier, "not_sent"): 1,
        ("unmatched", carrier, ""): 1,
        ("ended", carrier, "sent"): 3,
        ("ended", carrier, "not_sent"): 1,
        ("refunds", carrier, ""): 1,
    }


async def test_what_no_carrier_took_ends_at_the_one_that_refused_it_or_at_none(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service, to=2)
    await world.refuse(*await world.lease())
    left = await world.send(who, service, to=3)
    await world.age(who, left, minutes=100_000)
    await sweep.expired_in_queue(world.db, now())

    ended = {key: n for key, n in (await told(world.db)).items() if key[0] == "ended"}
    assert ended == {("ended", world.carrier, "not_sent"): 2, ("ended", 0, "not_sent"): 3}


async def test_a_receipt_that_came_first_is_claimed_by_the_answer(world: World) -> None:
    await world.send(await world.customer(), await world.service())
    await world.receive(["1"])
    await world.take(*await world.lease())

    counts = await told(world.db)
    assert (counts["unmatched", world.carrier, ""], counts["claimed", world.carrier, ""]) == (1, 1)


async def test_nothing_is_written_of_nothing(db: Database) -> None:
    pulse.count(What.UNMATCHED, 0, carrier_id=1)
    before = await transactions(db)

    await pulse.tell(db)

    assert await transactions(db) == before
    assert await told(db) == {}


async def transactions(db: Database) -> int:
    """The next transaction's number, which only those that write take."""
    async with db.reading() as tx:
        n: int = await tx.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    return n


async def test_all_processes_add_up(db: Database) -> None:
    for _ in range(20):
        for what in (What.SUBMITS, What.GONE):
            pulse.count(what, 2, carrier_id=7)
        await asyncio.gather(*(pulse.tell(db) for _ in range(3)))

    assert await told(db) == {("submits", 7, ""): 40, ("gone", 7, ""): 40}


async def test_kinds_without_end_are_counted_together(db: Database) -> None:
    for status in range(2 * pulse.KEYS_MAX):
        pulse.count(What.ANSWERS, carrier_id=1, label=f"0x{status:08X}")

    counts = await told(db)

    assert len(counts) == pulse.KEYS_MAX + 1
    assert counts["answers", 1, "other"] == pulse.KEYS_MAX


async def test_what_is_older_than_a_day_is_forgotten(db: Database) -> None:
    at = datetime.now(UTC)
    async with db.transaction() as tx:
        for what in ("sendings", "answers", "ended"):
            for hours in (1, 25, 27, 30):
                await tx.execute("INSERT INTO pulse VALUES ($1, $2, 0, '', 1)", what, at - hours * HOUR)

    await sweep.old_records(db, at, receipt_hours=1, history_days=1)

    assert await told(db) == {("sendings", 0, ""): 2, ("answers", 0, ""): 2, ("ended", 0, ""): 2}


async def test_telling_goes_on_after_an_outage(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "TELL_SECONDS", 0.01)
    tell, failed = pulse.tell, asyncio.Event()

    async def away(db: Database) -> None:
        if not failed.is_set():
            failed.set()
            raise ConnectionResetError
        await tell(db)

    monkeypatch.setattr(pulse, "tell", away)
    telling = asyncio.create_task(pulse.keep_telling(db))
    await failed.wait()
    pulse.count(What.UNSURE, carrier_id=3)
    async with asyncio.timeout(10), db.reading() as tx:
        while await tx.fetchval("SELECT n FROM pulse WHERE what = 'unsure' AND carrier_id = 3") != 1:
            await asyncio.sleep(0.01)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_what_was_unsure_ends_at_its_carrier(world: World) -> None:
    lease = uuid4()
    service = await world.service(unsure="refund")
    await world.send(await world.customer(), service)
    [work] = await world.lease(lease=lease)
    await world.lose_link(lease, work)

    assert (await told(world.db))["ended", world.carrier, "not_sent"] == 1

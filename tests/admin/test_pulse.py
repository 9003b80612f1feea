"""What an operator sees of the installation: series over time, what each carrier does, whether all is well."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.flow.conftest import World, world
from ulak.admin import carriers
from ulak.admin import pulse as looking
from ulak.base.db import Database
from ulak.flow import presence, pulse
from ulak.flow.accept import now
from ulak.flow.pulse import What
from ulak.rules.actor import Actor
from ulak.rules.refusal import Refused
from ulak.store import depths
from ulak.store.links import Report

__all__ = ["world"]  # the fixture

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    """Nothing was counted before, and nothing is left after."""
    pulse._counts.clear()
    yield
    pulse._counts.clear()


async def happened(
    db: Database, what: What, seconds_ago: float, n: int, *, carrier_id: int = 0, label: str = ""
) -> None:
    """So much was counted in the slot of then."""
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO pulse VALUES ($1, date_bin('10 s', now() - $2::interval, '2000-01-01 00:00Z'), $3, $4, $5) "
            "ON CONFLICT (what, starts, carrier_id, label) DO UPDATE SET n = pulse.n + excluded.n",
            what,
            seconds_ago * SECOND,
            carrier_id,
            label,
            n,
        )


async def test_a_series_is_zero_where_nothing_happened(db: Database) -> None:
    await happened(db, What.ANSWERS, 200, 5, carrier_id=1, label="0x00")
    await happened(db, What.ANSWERS, 200, 1, carrier_id=2, label="0x58")
    await happened(db, What.ANSWERS, 0, 7, carrier_id=1, label="0x00")
    await happened(db, What.SUBMITS, 0, 9, carrier_id=1)
    since = datetime.now(UTC) - 600 * SECOND

    all_ = await looking.series(db, What.ANSWERS, since=since, step_seconds=60)
    one = await looking.series(db, What.ANSWERS, carrier_id=2, since=since, step_seconds=60)

    assert len(all_.total) in (10, 11)
    assert (sum(all_.lines["0x00"]), sum(all_.lines["0x58"]), sum(all_.total)) == (12, 1, 13)
    assert all_.total[-1] == 7
    assert all_.total.count(0) == len(all_.total) - 2
    assert all_.times[0] <= since < all_.times[1]
    assert all_.times[-1] <= datetime.now(UTC) < all_.times[-1] + 60 * SECOND
    assert one.total == one.lines["0x58"]
    assert sum(one.total) == 1


async def test_a_series_of_nothing(db: Database) -> None:
    its = await looking.series(db, What.ENDED, since=datetime.now(UTC) - 25 * SECOND)

    assert its.lines == {}
    assert its.total in ([0] * 3, [0] * 4)


@pytest.mark.parametrize(("step", "hours"), [(0, 1), (5, 1), (15, 1), (-10, 1), (10, 26)])
async def test_steps_that_cannot_be_drawn_are_refused(db: Database, step: int, hours: int) -> None:
    since = datetime.now(UTC) - timedelta(hours=hours)
    with pytest.raises(Refused):
        await looking.series(db, What.ENDED, since=since, step_seconds=step)


async def bound(db: Database, carrier: int, *, throttled: datetime | None = None) -> None:
    """Two connections, one of them up."""
    at = datetime.now(UTC)
    reports = [
        Report(carrier, 0, "bound", None, at, throttled),
        Report(carrier, 1, "refused", "wrong password", at, None),
    ]
    await presence.tell(db, uuid4(), reports)


async def test_what_a_carrier_does(world: World) -> None:
    db, its = world.db, world.carrier
    throttled = now() - timedelta(minutes=3)
    await bound(db, its, throttled=throttled)
    for seconds, n in ((15, 30), (3000, 100), (4000, 500)):
        for what in (What.GONE, What.SUBMITS):
            await happened(db, what, seconds, n, carrier_id=its)
        await happened(db, What.ANSWERS, seconds, n, carrier_id=its, label="0x00")
        await happened(db, What.RECEIPTS, seconds, n // 2, carrier_id=its, label="sent")
        await happened(db, What.RECEIPTS, seconds, n, carrier_id=its, label="progress")
    await happened(db, What.GONE_MS, 15, 600, carrier_id=its)
    await happened(db, What.ANSWER_MS, 15, 90, carrier_id=its)
    await happened(db, What.UNMATCHED, 15, 3, carrier_id=its)
    await happened(db, What.CLAIMED, 15, 1, carrier_id=its)
    await happened(db, What.ENDED, 15, 2, carrier_id=its + 1, label="sent")

    [one] = await looking.carrier_activity(db)

    assert (one.standing.up, [link.state for link in one.links]) == ("partly bound", ["bound", "refused"])
    assert one.links[1].reason == "wrong password"
    assert one.throttled_since == throttled
    assert (one.messages_per_second, one.submits_per_second) == (1.0, 1.0)
    assert (one.answers, one.receipts) == ({"0x00": 130}, {"sent": 65, "progress": 130})
    assert (one.receipt_rate, one.unmatched, one.ended) == (0.5, 2, {})
    assert (one.wait_ms, one.answer_ms) == (20.0, 3.0)
    assert (one.waiting.messages, one.waiting.since) == (0, None)


async def test_a_carrier_at_which_nothing_happens(world: World) -> None:
    [one] = await looking.carrier_activity(world.db)

    assert (one.standing.up, one.links, one.answers) == ("unattended", [], {})
    assert (one.receipt_rate, one.wait_ms, one.answer_ms) == (None, None, None)
    assert (one.messages_per_second, one.throttled_since) == (0, None)


async def test_what_waits_and_since_when(world: World) -> None:
    who, service = await world.customer(10**12), await world.service()
    first = await world.send(who, service, to=700)
    await world.send(who, service, to=3)
    created = (await world.sending(who, first)).created_at

    [one] = await looking.carrier_activity(world.db)

    assert (one.waiting.messages, one.waiting.about, one.waiting.since) == (703, False, created)
    assert 0 <= (one.waiting.seconds(datetime.now(UTC)) or -1) < 60


async def test_more_than_can_be_counted_is_estimated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = """INSERT INTO batches (carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position,
                                   marked_to, expires_at)
              SELECT $1, 1, k, $2, $2, 0, 2, 0, now() FROM generate_series(1, 20000) k"""
    async with world.db.transaction() as tx:
        await tx.execute(fill, world.carrier, uuid4())
        exact = await depths.read(tx, [world.carrier, world.carrier + 1])
        monkeypatch.setattr(depths, "SAMPLED_PAGES", 100)
        [about, nothing] = await depths.read(tx, [world.carrier, world.carrier + 1])

    assert (exact[0].runs, exact[0].messages, exact[0].about) == (20_000, 40_000, False)
    assert about.about
    assert 13_000 < about.runs < 27_000
    assert about.messages == pytest.approx(2 * about.runs, abs=2)
    assert (nothing.messages, nothing.about, nothing.oldest) == (0, False, None)


async def test_health(world: World) -> None:
    db = world.db
    async with db.transaction() as tx:  # one that is paused is nothing to look at
        await tx.execute("UPDATE carriers SET state = 'paused'")
    well = await looking.health(db)

    assert well.server
    assert int(well.server.version.split(".")[0]) >= 14
    assert well.server.bytes > 1_000_000
    assert 0 < well.server.connections <= well.server.connections_max
    assert (well.well, well.trouble, well.migrations_pending) == (True, None, [])
    assert (well.link_processes, well.links_seen_at, well.swept_at) == (0, None, None)
    assert well.waiting
    assert (well.waiting.messages, well.unmatched) == (0, 0)


async def test_health_when_all_is_not_well(world: World) -> None:
    db = world.db
    await bound(db, world.carrier)
    await happened(db, What.UNMATCHED, 15, 3, carrier_id=1)
    await happened(db, What.SWEEPS, 100, 1)
    await world.send(await world.customer(), await world.service(), to=4)

    its = await looking.health(db)

    assert (its.well, its.carriers_down, its.link_processes, its.unmatched) == (False, ["c"], 1, 3)
    assert its.links_seen_at
    assert its.waiting
    assert its.waiting.messages == 4
    assert its.swept_at
    assert 95 < (datetime.now(UTC) - its.swept_at).total_seconds() < 120


async def test_health_of_a_database_that_is_behind(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM schema_migrations WHERE name = '0013_pulse'")

    its = await looking.health(db)

    assert (its.well, its.migrations_pending) == (False, ["0013_pulse"])


async def test_health_of_a_database_that_is_away(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(tx: object) -> None:
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(looking.installation, "read", away)

    its = await looking.health(db)

    assert (its.well, its.trouble, its.server) == (False, "Connection refused", None)


async def test_carriers_without_names_of_others(db: Database) -> None:
    settings = {"host": "h", "port": 1, "system_id": "s", "password": "p"}
    for name in ("one", "two"):
        await carriers.create(db, Actor("cli:tests"), name, **settings)
    ids = [one.standing.carrier.id for one in await looking.carrier_activity(db)]
    await happened(db, What.ENDED, 15, 4, carrier_id=ids[1], label="sent")

    assert [one.ended for one in await looking.carrier_activity(db)] == [{}, {"sent": 4}]

"""How long what was written down of messages' ways is kept, and by whom it is cleared away."""

from datetime import timedelta

from tests.flow.conftest import World
from ulak.flow import sweep
from ulak.flow.accept import now


async def cleared(world: World, *, hours: float) -> None:
    """The courier clears away so many hours later."""
    at = now() + timedelta(hours=hours)
    while await sweep.old_records(world.db, at, receipt_hours=96, history_days=90):
        pass


async def test_a_receipt_for_an_id_never_seen_is_kept_for_three_days_and_more(world: World) -> None:
    await world.receive(["never-seen"])

    await cleared(world, hours=72)
    assert await world.count("receipts", "result = 'unmatched'") == 1
    await cleared(world, hours=97)
    assert await world.count("receipts") == 0


async def test_a_message_that_ended_keeps_its_history_for_as_long_as_is_said(world: World) -> None:
    who, service = await world.customer(), await world.service()
    await world.send(who, service, to=3)
    refs = await world.take(*await world.lease())
    await world.receive(refs)

    await cleared(world, hours=89 * 24)
    assert (await world.count("submits"), await world.count("receipts")) == (3, 3)
    await cleared(world, hours=91 * 24)
    assert (await world.count("submits"), await world.count("receipts")) == (0, 0)

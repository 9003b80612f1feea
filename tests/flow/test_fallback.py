"""Falling back: what a carrier will not take, or cannot, goes to the next one, once, and it is written down why."""

import re
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import USD, World
from ulak.admin.audit import prove
from ulak.admin.history import Event, of_message
from ulak.edge.panel.languages import language
from ulak.flow import fallback, presence
from ulak.flow.accept import now
from ulak.rules import ids
from ulak.rules.route import Hop
from ulak.rules.status import Status
from ulak.store import routes
from ulak.store.links import Report, State


class Lines:
    """Two carriers, and what their connections say."""

    def __init__(self, world: World, other: int) -> None:
        self.world = world
        self.first, self.other = world.carrier, other
        self._process = uuid4()

    async def stand(
        self, carrier: int, state: State, minutes: float = 0.0, *, throttled_minutes: float | None = None
    ) -> None:
        """A connection of the carrier has been like this for so long."""
        at = now()
        throttled = None if throttled_minutes is None else at - timedelta(minutes=throttled_minutes)
        report = Report(carrier, 0, state, None, at - timedelta(minutes=minutes), throttled)
        await presence.tell(self.world.db, self._process, [report])
        self.world.directory.forget()

    async def service(self, **columns: Any) -> UUID:
        """Over the first, and then the other."""
        return await self.world.service(route=[Hop(self.first), Hop(self.other)], **columns)

    async def relieve(self) -> None:
        """The courier looks."""
        await fallback.relieve(self.world.db, now())

    async def waits(self, carrier: int) -> int:
        """How many messages are in the queue of a carrier."""
        work = await self.world.lease(carrier=carrier)
        return sum(len(item.due) for item in work)

    async def told(self, sending: UUID, position: int = 0) -> list[str]:
        """The events of a message, by their names."""
        return [event.event for event in await self.events(sending, position)]

    async def events(self, sending: UUID, position: int = 0) -> list[Event]:
        """What happened to a message."""
        async with self.world.db.transaction() as tx:  # customers here are nobody by name
            await tx.execute(
                "INSERT INTO users (id, username, email) SELECT owner_id, owner_id::text, '' FROM credits "
                "ON CONFLICT DO NOTHING"
            )
        return (await of_message(self.world.db, str(ids.message_id(sending, position)))).events


@pytest.fixture
async def lines(world: World) -> Lines:
    return Lines(world, await world.another_carrier("other"))


# refused


async def test_what_one_carrier_turns_away_is_the_others(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    sending = await world.send(who, service, to=3)

    await world.turn_away(*await world.lease())

    assert await world.statuses(who, sending) == [Status.PENDING] * 3
    assert await lines.waits(lines.first) == 0
    assert await lines.waits(lines.other) == 3


async def test_it_ends_when_all_have_turned_it_away(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    sending = await world.send(who, service, to=3)

    await world.turn_away(*await world.lease())
    await world.turn_away(*await world.lease(carrier=lines.other), carrier=lines.other)

    assert await world.statuses(who, sending) == [Status.NOT_SENT] * 3
    assert await world.balance(who) == 100 * USD
    assert await world.count("batches") == 0


async def test_its_history_says_so_in_english_as_in_the_readers_language(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    sending = await world.send(who, service)
    await world.turn_away(*await world.lease())
    await world.turn_away(*await world.lease(carrier=lines.other), carrier=lines.other)

    told = [event.detail for event in await lines.events(sending)]

    assert re.fullmatch(
        r"to 90\d{10}, for 1\.000000, by the api, valid until \d{4}-\d\d-\d\d \d\d:\d\dZ", told[0]
    )
    refused = "the carrier will not take it"
    assert told[1:] == [
        refused,
        "from now on over other: it was refused",
        refused,
        "not_sent: refused",
        "1.000000",
    ]
    turkish = language("tr", UTC)
    assert [turkish.sentence(one) for one in told[1:]] == [
        "operatör kabul etmiyor",
        "bundan sonra other üzerinden: reddedildi",
        "operatör kabul etmiyor",
        "iletilemedi: reddedildi",
        "1,00",
    ]


async def test_a_carrier_whose_lease_ran_out_does_not_get_what_it_turned_away_again(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await world.send(who, service, to=3)
    [work] = await world.lease()
    work.due.pop()  # the third is still in the run
    await world.turn_away(work._replace(run=work.run._replace(id=-1)))
    async with world.db.transaction() as tx:
        await tx.execute(
            "UPDATE batches SET leased_until = now() - interval '1 second' WHERE lease IS NOT NULL"
        )

    [again] = await world.lease()

    assert [due.position for due in again.due] == [2]


# down


async def test_what_waits_for_a_carrier_that_is_down_goes_to_the_other(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(1000 * USD), await lines.service(fallback_seconds=60)
    await lines.stand(lines.first, "bound")
    await lines.stand(lines.other, "bound")
    sending = await world.send(who, service, to=700)

    await lines.stand(lines.first, "unreachable", minutes=0.5)
    await lines.relieve()
    assert await world.count("batches", f"carrier_id = {lines.other}") == 0

    await lines.stand(lines.first, "unreachable", minutes=2)
    await lines.relieve()
    assert await world.count("batches", f"carrier_id = {lines.first}") == 0
    assert await lines.waits(lines.other) == 700
    assert await lines.told(sending) == ["accepted", "moved"]


async def test_new_messages_go_over_the_other_at_once(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")

    await world.send(who, service, to=5)

    assert await lines.waits(lines.other) == 5


async def test_where_nobody_else_is_up_they_stay(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await lines.stand(lines.first, "refused", minutes=9)
    await lines.stand(lines.other, "lost", minutes=5)

    sending = await world.send(who, service, to=5)
    await lines.relieve()

    assert await lines.waits(lines.first) == 5
    assert await lines.told(sending) == ["accepted"]


async def test_a_process_that_says_nothing_any_more_has_no_connections(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service(fallback_seconds=60)
    await lines.stand(lines.first, "bound")
    await lines.stand(lines.other, "bound")
    await world.send(who, service, to=5)
    async with world.db.transaction() as tx:
        await tx.execute(
            "UPDATE links SET seen_at = now() - interval '2 minutes' WHERE carrier_id = $1", lines.first
        )

    await lines.relieve()

    assert await lines.waits(lines.other) == 5


async def test_what_somebody_has_in_hand_is_left_alone(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await world.send(who, service, to=5)
    await world.lease()
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")

    await lines.relieve()

    assert await lines.waits(lines.other) == 0


async def test_what_may_have_gone_out_and_must_not_go_twice_ends_instead_of_moving(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service(unsure="refund")
    sending = await world.send(who, service, to=3)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE batches SET marked_to = 2")
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")

    await lines.relieve()

    assert await world.statuses(who, sending) == [Status.NOT_SENT, Status.NOT_SENT, Status.PENDING]
    assert await lines.waits(lines.other) == 1
    assert await lines.told(sending) == ["accepted", "unsure", "ended", "refunded"]


async def test_it_comes_back_to_a_carrier_that_never_refused_it(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    sending = await world.send(who, service)
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")
    await lines.relieve()

    await lines.stand(lines.first, "bound")
    await lines.stand(lines.other, "lost", minutes=2)
    await lines.relieve()

    assert await lines.waits(lines.first) == 1
    assert await lines.told(sending) == ["accepted", "moved", "moved"]


async def test_only_numbers_with_another_way_move(lines: Lines) -> None:
    world = lines.world
    service = await world.service(route=[Hop(lines.first), Hop(lines.other, ("9055000000",))])
    who = await world.customer(1000 * USD)
    sending = await world.send(who, service, to=150)  # the first hundred begin so
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")

    await lines.relieve()

    assert await lines.waits(lines.other) == 100
    assert await lines.waits(lines.first) == 50
    assert await world.statuses(who, sending) == [Status.PENDING] * 150


async def test_what_waits_for_a_carrier_that_was_taken_out_of_the_route_is_not_forgotten(
    lines: Lines,
) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await world.send(who, service, to=5)
    async with world.db.transaction() as tx:
        await routes.set(tx, service, [Hop(lines.other)])
    await lines.stand(lines.first, "lost", minutes=2)
    await lines.stand(lines.other, "bound")

    await lines.relieve()

    assert await lines.waits(lines.other) == 5


async def test_a_queue_that_is_moved_about_passes_the_audit(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service()
    await world.send(who, service, to=9)
    [work] = await world.lease()
    half = work._replace(due=work.due[::2])
    await world.turn_away(half._replace(run=half.run._replace(id=-1)))

    proofs = {proof.title: proof.differences async for proof in prove(world.db)}

    assert proofs["every pending message is in the queue"] == []
    async with world.db.transaction() as tx:
        await tx.execute("DELETE FROM batches WHERE carrier_id = $1", lines.other)
    [*_, last] = [proof async for proof in prove(world.db)]
    assert len(last.differences) == 1


# throttling


async def test_what_has_waited_too_long_for_a_throttling_carrier_goes_to_the_other(lines: Lines) -> None:
    world = lines.world
    who, service = await world.customer(), await lines.service(fallback_seconds=60)
    old = await world.send(who, service, to=3)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE sendings SET created_at = created_at - interval '5 minutes'")
    await world.send(who, service, to=4)
    await lines.stand(lines.other, "bound")
    await lines.stand(lines.first, "bound", minutes=60, throttled_minutes=0.5)

    await lines.relieve()
    assert await world.count("batches", f"carrier_id = {lines.other}") == 0
    await lines.stand(lines.first, "bound", minutes=60, throttled_minutes=2)
    await lines.relieve()

    assert await lines.waits(lines.other) == 3
    assert await lines.waits(lines.first) == 4
    assert "moved" in await lines.told(old)


# the shared bucket


async def test_a_carriers_time_is_given_away_once(world: World) -> None:
    waits = [await presence.reserve(world.db, world.carrier, 5.0) for _ in range(3)]

    assert waits[0] <= 0
    assert waits[1] == pytest.approx(waits[0] + 5, abs=1)
    assert waits[2] == pytest.approx(waits[1] + 5, abs=1)

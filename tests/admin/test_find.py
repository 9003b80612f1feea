"""Finding: a number in any spelling, an id, a piece of a customer's name; across all customers."""

from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import World, world
from ulak.admin import find
from ulak.flow.accept import Request
from ulak.rules import ids
from ulak.rules.refusal import Refused
from ulak.rules.status import Status
from ulak.rules.tenancy import Context

__all__ = ["world"]  # the fixture

NUMBER = "905550000007"


async def named(world: World, who: Context, username: str, organization: str | None = None) -> Context:
    """Give a customer a name."""
    async with world.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO users (id, username, email) VALUES ($1, $2, $2 || '@Example.com')",
            who.user_id,
            username,
        )
        if organization:
            await tx.execute(
                "INSERT INTO organizations (id, name) VALUES ($1, $2)", who.tenant_id, organization
            )
    return who


async def send(world: World, who: Context, service: UUID, *to: str, text: str = "merhaba") -> UUID:
    return (await world.accept(Request(who, service, to, text, "api"))).sending_id


@pytest.fixture
async def service(world: World) -> UUID:
    return await world.service(foreign_numbers=True)


async def test_a_number_is_found_in_every_spelling_for_every_customer(world: World, service: UUID) -> None:
    mark = await named(world, await world.customer(), "mark")
    lale = await named(world, await world.member(), "lale", "Lale & Co")
    first = await send(world, mark, service, "905550000001", NUMBER, text="one")
    await world.take(*await world.lease())
    second = await send(world, lale, service, NUMBER, text="two")

    for spelling in (NUMBER, "0555 000 00 07", "+90 (555) 000-00-07", "5550000007"):
        newest, oldest = await find.messages_to(world.db, spelling)

        assert (newest.sending_id, oldest.sending_id) == (second, first)
        assert oldest.id == ids.message_id(first, 1)
        assert (newest.username, newest.organization, newest.text) == ("lale", "Lale & Co", "two")
        assert (oldest.username, oldest.organization, oldest.text) == ("mark", None, "one")
        assert (newest.status, newest.carrier) == (Status.PENDING, None)
        assert (oldest.status, oldest.carrier) == (Status.WAITING, "c")


async def test_foreign_numbers_and_those_that_are_none(world: World, service: UUID) -> None:
    who = await world.customer()
    sending = await send(world, who, service, "+44 7400 123456")

    [message] = await find.messages_to(world.db, "00447400123456")
    assert (message.sending_id, message.username) == (sending, str(who.user_id))
    assert await find.messages_to(world.db, NUMBER) == []
    for nonsense in ("", "mark", "12", "905"):
        with pytest.raises(Refused):
            await find.messages_to(world.db, nonsense)


async def test_the_newest_of_many(world: World, service: UUID) -> None:
    who = await world.customer()
    sent = [await send(world, who, service, NUMBER, text=str(n)) for n in range(12)]

    found = await find.messages_to(world.db, NUMBER, limit=5)

    assert [one.sending_id for one in found] == sorted(sent, reverse=True)[:5]


async def test_what_an_id_is(world: World, service: UUID) -> None:
    lale = await named(world, await world.member(), "lale", "Lale & Co")
    sending = await send(world, lale, service, "905550000001", NUMBER)
    message = ids.message_id(sending, 1)

    its = await find.what_is(world.db, str(message).upper())
    assert its == find.Identified("message", message, sending, lale.tenant_id, "Lale & Co", "lale")
    its = await find.what_is(world.db, str(sending))
    assert its == find.Identified("sending", sending, sending, lale.tenant_id, "Lale & Co", "lale")
    for nothing in (str(uuid4()), str(ids.message_id(sending, 2)), "mark", ""):
        assert await find.what_is(world.db, nothing) is None


async def test_customers_by_a_piece_of_their_name(world: World) -> None:
    await named(world, await world.customer(), "mark")
    lale = await named(world, await world.member(), "lale", "Mark & Lale %")

    both = await find.customers(world.db, " MARK ")
    assert [user.username for user in both.users] == ["mark"]
    assert [org.name for org in both.organizations] == ["Mark & Lale %"]
    assert [user.username for user in (await find.customers(world.db, "@example")).users] == ["lale", "mark"]
    assert [user.username for user in (await find.customers(world.db, str(lale.user_id))).users] == ["lale"]
    assert await find.customers(world.db, "%l") == find.Customers([], [])
    assert await find.customers(world.db, "  ") == find.Customers([], [])


async def test_anything(world: World, service: UUID) -> None:
    mark = await named(world, await world.customer(), "mark")
    sending = await send(world, mark, service, NUMBER)

    by_number = await find.anything(world.db, "0555 000 00 07")
    by_id = await find.anything(world.db, str(sending))
    by_name = await find.anything(world.db, "ar")

    assert [one.sending_id for one in by_number.messages] == [sending]
    assert by_id.identified
    assert by_id.identified.kind == "sending"
    assert [user.username for user in by_name.customers.users] == ["mark"]
    assert (by_name.identified, by_name.messages) == (None, [])
    assert await find.anything(world.db, " ") == find.Findings(None, [], find.Customers([], []))

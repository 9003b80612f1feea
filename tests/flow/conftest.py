"""A small world to accept, dispatch and settle in: real PostgreSQL, no processes, no network."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from ulak.base.db import Database
from ulak.flow import dispatch
from ulak.flow.accept import Acceptance, Accepted, Request, now
from ulak.flow.directory import Directory
from ulak.flow.dispatch import Outcomes, Part, Refusal, Took
from ulak.flow.fallback import TurnedAway
from ulak.flow.till import Till
from ulak.flow.unsure import Unsure
from ulak.rules.route import Hop
from ulak.rules.status import Status
from ulak.rules.tenancy import Context
from ulak.store import carriers, credits, message_pages, routes, sendings
from ulak.store.idempotency import Name
from ulak.store.messages import Key
from ulak.store.receipts import Receipt

USD = 1_000_000


@dataclass
class World:
    """Builders, and what a customer or a carrier would see."""

    db: Database
    directory: Directory
    acceptance: Acceptance
    carrier: int = 0
    refs: int = 0
    taken: dict[str, Key] = field(default_factory=dict)

    async def service(self, price: int = USD, *, route: Sequence[Hop] = (), **columns: object) -> UUID:
        """A service at this price, over the world's carrier or this route; `columns` override the defaults."""
        id_ = uuid4()
        values = {"id": id_, "name": f"S{id_}", "currency": "USD", "price": price}
        await self._insert("services", values | columns)
        async with self.db.transaction() as tx:
            await routes.set(tx, id_, route or [Hop(self.carrier)])
        self.directory.forget()
        return id_

    async def rule(self, service: UUID, kind: str, value: int, **columns: object) -> None:
        """A price rule for everyone, unless `columns` say otherwise."""
        values = {"id": uuid4(), "service_id": service, "kind": kind, "value": value}
        await self._insert("price_rules", values | columns)
        self.directory.forget()

    async def _insert(self, table: str, values: dict[str, object]) -> None:
        names, places = ", ".join(values), ", ".join(f"${n}" for n in range(1, len(values) + 1))
        async with self.db.transaction() as tx:
            await tx.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *values.values())

    async def customer(self, credit: int = 100 * USD) -> Context:
        """A user with credit of their own."""
        who = Context(uuid4())
        await self.fund(who, credit)
        return who

    async def member(self, credit: int = 100 * USD, organization: UUID | None = None) -> Context:
        """A member of an organization with credit there."""
        who = Context(uuid4(), organization or uuid4())
        await self.fund(who, credit)
        return who

    async def fund(self, who: Context, credit: int) -> None:
        """Add credit."""
        async with self.db.transaction() as tx:
            await credits.ensure(tx, who.tenant_id, who.owner_id)
            if credit:
                await credits.move(
                    tx,
                    tenant_id=who.tenant_id,
                    kind="topup",
                    debit=credits.FUNDING,
                    credit=who.owner_id,
                    amount=credit,
                    actor="test",
                )

    async def send(self, who: Context, service: UUID, to: int = 1, text: str = "merhaba") -> UUID:
        """A bulk of `to` numbers."""
        numbers = [f"9055{n:08d}" for n in range(to)]
        return (await self.accept(Request(who, service, numbers, text, "api"))).sending_id

    async def accept(self, request: Request) -> Accepted:
        """Any request."""
        return await self.acceptance.accept(request)

    def named(self, who: Context, service: UUID, key: str, body: bytes = b"{}") -> Request:
        """A request with an Idempotency-Key."""
        name = Name(who.tenant_id, who.user_id, "/sms-sendings", key)
        return Request(who, service, ["905550000000"], "merhaba", "api", single=True, name=name, body=body)

    async def lease(
        self,
        room: int = 10_000,
        lease: UUID | None = None,
        *,
        carrier: int | None = None,
        exactly: bool = False,
    ) -> list[dispatch.Work]:
        """What the carrier's link gets to do."""
        return await dispatch.lease(
            self.db,
            carrier or self.carrier,
            lease or uuid4(),
            now(),
            room=room,
            rows_max=200,
            bulk=True,
            seconds=15,
            exactly=exactly,
        )

    async def take(self, *work: dispatch.Work, parts: int = 1) -> list[str]:
        """The carrier takes all of this; returns its ids."""
        outcomes = Outcomes(finished=[item.run.id for item in work])
        refs = []
        for item in work:
            for due in item.due:
                key = Key(item.run.tenant_id, item.run.sending_id, due.position)
                its = tuple(Part(part, self.ref(key), None, now()) for part in range(parts))
                outcomes.took.append(Took(key, its))
                refs += [part.ref for part in its]
        await dispatch.record(self.db, self.carrier, outcomes, now())
        return refs

    def ref(self, key: Key) -> str:
        """The carrier's next id."""
        self.refs += 1
        self.taken[str(self.refs)] = key
        return str(self.refs)

    async def refuse(self, *work: dispatch.Work) -> None:
        """The carrier refuses all of this."""
        keys = [Key(w.run.tenant_id, w.run.sending_id, due.position) for w in work for due in w.due]
        outcomes = Outcomes(refused=[Refusal(key) for key in keys], finished=[w.run.id for w in work])
        await dispatch.record(self.db, self.carrier, outcomes, now())

    async def lose_link(self, lease: UUID, work: dispatch.Work) -> None:
        """The link dies with the first message of a run in flight."""
        unsure = [Unsure(work.run, work.due[0])]
        runs = [(work.run.id, work.run.first_position)]
        await dispatch.give_back(
            self.db, self.carrier, lease, runs, unsure, now(), why="the link was lost", attempts_max=3
        )

    async def turn_away(self, *work: dispatch.Work, carrier: int | None = None, status: int = 0x0A) -> None:
        """The carrier refuses all of this for a reason that is not the numbers'."""
        turned = [TurnedAway(item.run, due, status) for item in work for due in item.due]
        outcomes = Outcomes(turned_away=turned, finished=[item.run.id for item in work])
        await dispatch.record(self.db, carrier or self.carrier, outcomes, now())

    async def another_carrier(self, name: str) -> int:
        """One more carrier."""
        async with self.db.transaction() as tx:
            settings = carriers.Settings(host="127.0.0.1", port=1, system_id="s")
            made = await carriers.add(tx, name, settings)
        assert made
        return made.id

    async def receive(
        self, refs: list[str], status: Status | None = Status.SENT, network: str | None = None
    ) -> None:
        """Receipts come in."""
        receipts = [Receipt(ref, status, None, network, "raw") for ref in refs]
        await dispatch.record(self.db, self.carrier, Outcomes(receipts=receipts), now())

    async def balance(self, who: Context) -> int:
        """What the customer can spend."""
        async with self.db.reading() as tx:
            return await credits.balance(tx, who.tenant_id, who.owner_id)

    async def sending(self, who: Context, sending: UUID) -> sendings.Sending:
        """The sending as the customer sees it."""
        async with self.db.reading() as tx:
            found = await sendings.find(tx, who.tenant_id, sending)
        assert found
        return found

    async def statuses(self, who: Context, sending: UUID) -> list[Status]:
        """The status of each message, in order."""
        of = await self.sending(who, sending)
        async with self.db.reading() as tx:
            rows, _ = await message_pages.page(
                tx, who.tenant_id, of, status=None, search="", offset=0, limit=100_000
            )
        return [row.status for row in rows]

    async def count(self, table: str, where: str = "true") -> int:
        """How many rows."""
        async with self.db.reading() as tx:
            n: int = await tx.fetchval(f"SELECT count(*) FROM {table} WHERE {where}")
        return n

    async def age(self, who: Context, sending: UUID, minutes: int) -> None:
        """Let time pass for a sending: its validity ends so much earlier."""
        async with self.db.transaction() as tx:
            for table, column in (("sendings", "id"), ("batches", "sending_id")):
                await tx.execute(
                    f"UPDATE {table} SET expires_at = expires_at - make_interval(mins => $1) WHERE {column} = $2",
                    minutes,
                    sending,
                )


@asynccontextmanager
async def inhabited(db: Database) -> AsyncIterator[World]:
    """A world on this database, with a running till and a carrier."""
    directory = Directory(db)
    till = Till(db, orders_max=64, bulk_min=1000, run_max=500)
    running = asyncio.create_task(till.run())
    async with db.transaction() as tx:
        carrier = await tx.fetchval(
            "INSERT INTO carriers (name, host, port, system_id) "
            "VALUES ('c', '127.0.0.1', 1, 's') RETURNING id"
        )
    yield World(db, directory, Acceptance(db, directory, till), carrier)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as there_is:
        yield there_is

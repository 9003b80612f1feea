"""What a running server remembers of the directory: keys, memberships, services and their prices.

Sending one SMS looks at all of these and changes none, so they are read once and kept until somebody says that
they changed (`store.notices`), at most for `AGE_MAX_SECONDS`. Handing out a remembered row costs no database.
Forgetting is always safe. What strangers make up has a small memory of its own, and takes the place of nothing real.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeVar
from uuid import UUID

from ulak.base.db import Database, Tx
from ulak.flow import recognise, ways
from ulak.flow.ways import Ways
from ulak.rules import price, route, segments
from ulak.rules.tenancy import Context
from ulak.store import carriers, keys, organizations, prices, senders, services

AGE_MAX_SECONDS: Final = 2.0
ENTRIES_MAX: Final = 20_000
MISSES_MAX: Final = 1_000
"""Beginnings of keys that there are none of."""
PREFIXES_MAX: Final = 100_000
"""Where there are more keys, guesses are told from them by the database alone."""

T = TypeVar("T")


@dataclass(frozen=True)
class Terms:
    """What one caller gets a service for. `route` is never empty; its carriers in `down` are for when all are."""

    service: services.Service
    rules: tuple[price.Rule, ...]
    sender: str | None
    style: segments.Style
    route: route.Route
    down: frozenset[int] = frozenset()

    @cached_property
    def by_volume(self) -> bool:
        """Whether the price depends on how much was sent this month."""
        return any(rule.from_volume is not None for rule in self.rules)

    def unit_price(self, volume: int, at: datetime) -> int:
        """The price of one message or segment, in micro-units, after `volume` messages this month."""
        return price.effective(self.service.price, self.rules, volume, at)

    @cached_property
    def one_way(self) -> int | None:
        """The carrier that every number takes first, where there is one."""
        first = route.first_for_all(self.route)
        return first if len(self.route) == 1 or first not in self.down else None

    def carrier_for(self, number: int) -> int | None:
        """The carrier that a number takes first; None where the route has none for it."""
        ways = route.carriers_for(self.route, number)
        return route.choose(ways, self.down) if ways else None


class Shelf:
    """Everything for sale, with every rule, as read at one moment."""

    def __init__(
        self,
        all_services: list[services.Service],
        all_rules: list[prices.PriceRule],
        all_senders: list[senders.Sender],
        now: Ways,
        all_carriers: list[carriers.Carrier],
    ) -> None:
        self.services = {service.id: service for service in all_services}
        self._rules: dict[UUID, list[prices.PriceRule]] = {}
        for rule in all_rules:
            self._rules.setdefault(rule.service_id, []).append(rule)
        self._senders = {(s.service_id, s.organization_id or s.user_id): s.header for s in all_senders}
        self._ways = now
        self._styles = {carrier.id: carrier.style for carrier in all_carriers}
        self._terms: dict[tuple[UUID, Context], Terms] = {}

    def active(self) -> list[services.Service]:
        """The services that can be sent with, oldest first."""
        return [service for service in self.services.values() if service.state == "active"]

    def terms(self, service: services.Service, who: Context) -> Terms:
        """The terms of a service for a caller."""
        found = self._terms.get((service.id, who))
        if found is None:
            if len(self._terms) >= ENTRIES_MAX:
                self._terms.clear()
            found = self._terms[service.id, who] = self._terms_for(service, who)
        return found

    def _terms_for(self, service: services.Service, who: Context) -> Terms:
        rules = tuple(
            rule.rule
            for rule in self._rules.get(service.id, [])
            if (rule.organization_id is None or rule.organization_id == who.organization_id)
            and (rule.user_id is None or rule.user_id == who.user_id)
        )
        style = self._styles[self._ways.routes[service.id][0].carrier_id]
        sender, its_route = self._header(service, who)
        return Terms(service, rules, sender, style, its_route, self._ways.avoided(service.fallback_seconds))

    def _header(self, service: services.Service, who: Context) -> tuple[str | None, route.Route]:
        """The header that a caller sends with, and the carriers that know it.

        Their own; where no carrier of the service has it approved, the service's; and else none, which every
        carrier takes.
        """
        own = self._senders.get((service.id, who.tenant_id))
        for header in (own, service.sender):
            if header is not None and (known := self._ways.route(service.id, header)):
                return header, known
        return None, self._ways.route(service.id, None)


class Directory:
    """The memory. `forget` it when somebody says that something changed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # by "shelf", "prefixes", ("of", a user's id), or how keys begin
        self._entries: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._misses: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._loading: dict[Hashable, asyncio.Task[Any]] = {}

    def forget(self) -> None:
        """Read everything again from now on."""
        self._entries.clear()
        self._misses.clear()
        self._loading.clear()

    async def key_owner(self, key: str) -> keys.KeyOwner | None:
        """Whose API key this is; None when there is no such key. What cannot be one costs no database."""
        if not recognise.SHAPE.fullmatch(key):
            return None
        like_it = await self._remembered(
            key[: recognise.PREFIX_LENGTH], lambda tx: recognise.candidates(tx, key)
        )
        return recognise.owner_of(key, like_it, self._db.secrets)

    def remembers(self, key: str) -> bool:
        """Whether a key that begins like this one was there when we last looked."""
        return key[: recognise.PREFIX_LENGTH] in self._entries

    async def may_be(self, key: str) -> bool:
        """Whether there can be such a key; thousands of guesses share the one read that it takes to know."""
        known = await self._remembered("prefixes", _read_prefixes)
        return known is None or key[: recognise.PREFIX_LENGTH] in known

    async def memberships(self, user_id: UUID) -> list[organizations.Member]:
        """The organizations a user belongs to."""
        return await self._remembered(("of", user_id), lambda tx: organizations.of_user(tx, user_id))

    async def shelf(self) -> Shelf:
        """Everything for sale."""
        return await self._remembered("shelf", _read_shelf)

    async def _remembered(self, name: Hashable, read: Callable[[Tx], Awaitable[T]]) -> T:
        """The remembered value, or what `read` gives; callers who ask meanwhile share one read."""
        entry = self._entries.get(name) or self._misses.get(name)
        if entry is not None and time.monotonic() - entry[0] < AGE_MAX_SECONDS:
            return entry[1]  # type: ignore[no-any-return]
        task = self._loading.get(name)
        if task is None:
            task = self._loading[name] = asyncio.create_task(self._load(name, read))
        value: T = await asyncio.shield(task)
        return value

    async def _load(self, name: Hashable, read: Callable[[Tx], Awaitable[T]]) -> T:
        me, at = asyncio.current_task(), time.monotonic()
        try:
            async with self._db.reading() as tx:
                value = await read(tx)
            if self._loading.get(name) is me:  # else it was forgotten while it was read
                self._keep(name, at, value)
            return value
        finally:
            if self._loading.get(name) is me:
                del self._loading[name]

    def _keep(self, name: Hashable, at: float, value: object) -> None:
        """Remember, in place of what was read longest ago: everything in use is read again every `AGE_MAX_SECONDS`."""
        self._entries.pop(name, None)
        self._misses.pop(name, None)
        missed = not value and isinstance(name, str) and name.startswith(recognise.START)
        table, entries_max = (self._misses, MISSES_MAX) if missed else (self._entries, ENTRIES_MAX)
        table[name] = at, value
        if len(table) > entries_max:
            table.popitem(last=False)


async def _read_prefixes(tx: Tx) -> frozenset[str] | None:
    found = await keys.prefixes(tx, PREFIXES_MAX + 1)
    return frozenset(found) if len(found) <= PREFIXES_MAX else None


async def _read_shelf(tx: Tx) -> Shelf:
    # In this order, so that every service read has its route, and every route its carriers.
    return Shelf(
        await services.all(tx),
        await prices.all(tx),
        await senders.all(tx),
        await ways.read(tx, datetime.now(UTC)),
        await carriers.all(tx),
    )

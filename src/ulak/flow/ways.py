"""Ways: which carriers can be used right now, for whatever chooses between them.

In: what is written of carriers, their connections, services' routes and approved headers. Out: for a service and a
sender header the route without the carriers that do not know the header, and which carriers to avoid because they
have been down for longer than the service waits. Only reads.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.route import Route, carriers_for, choose
from ulak.store import carriers, links, routes, senders, services

ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ways:
    """How things stand at `at`. Times say since when; a carrier that is not named is up, and does not throttle."""

    at: datetime
    routes: dict[UUID, Route]
    down: dict[int, datetime]
    throttling: dict[int, datetime]
    headers: dict[int, frozenset[str]]
    """What those carriers know that want their headers approved."""

    def route(self, service_id: UUID, sender: str | None) -> Route:
        """A service's route for a header; empty where no carrier knows it."""
        return tuple(hop for hop in self.routes[service_id] if self._knows(hop.carrier_id, sender))

    def _knows(self, carrier_id: int, sender: str | None) -> bool:
        return sender is None or carrier_id not in self.headers or sender in self.headers[carrier_id]

    def avoided(self, patience_seconds: float) -> frozenset[int]:
        """The carriers that have been down for longer than that."""
        before = self.at - timedelta(seconds=patience_seconds)
        return frozenset(carrier for carrier, since in self.down.items() if since <= before)

    def next(
        self, service_id: UUID, sender: str | None, number: int, refused_by: set[int], avoided: frozenset[int]
    ) -> int | None:
        """The carrier to try once these have refused: one that is up, or else the first that is left."""
        left = [
            carrier
            for carrier in carriers_for(self.route(service_id, sender), number)
            if carrier not in refused_by
        ]
        return choose(left, avoided) if left else None


async def read(tx: Tx, at: datetime) -> Ways:
    """How things stand now."""
    every_link = await links.all(tx)
    approved = await senders.approved(tx)
    its_routes = await routes.all(tx)
    every_carrier = await carriers.all(tx)  # last: every hop read before has its carrier among them
    paused = {carrier.id: ALWAYS for carrier in every_carrier if carrier.state == "paused"}
    return Ways(
        at,
        its_routes,
        _down(every_link) | paused,
        _throttling(every_link),
        {c.id: approved.get(c.id, frozenset()) for c in every_carrier if c.headers == "approved"},
    )


def _down(every_link: list[links.Link]) -> dict[int, datetime]:
    """Since when carriers are down: those of which there is word, and no bound connection."""
    up = {link.carrier_id for link in every_link if link.state == "bound" and link.fresh}
    down: dict[int, datetime] = {}
    for link in every_link:
        if link.carrier_id not in up:
            since = link.seen_at if link.state == "bound" else link.since
            down[link.carrier_id] = max(since, down.get(link.carrier_id, since))
    return down


def _throttling(every_link: list[links.Link]) -> dict[int, datetime]:
    """Since when carriers throttle: on every connection that is bound."""
    found: dict[int, datetime] = {}
    free = set()
    for link in every_link:
        if link.state != "bound" or not link.fresh:
            continue
        if link.throttled_since is None:
            free.add(link.carrier_id)
        else:
            found[link.carrier_id] = max(link.throttled_since, found.get(link.carrier_id, ALWAYS))
    return {carrier: since for carrier, since in found.items() if carrier not in free}


def patience(every_service: list[services.Service]) -> dict[UUID, int]:
    """How many seconds each service waits for a carrier."""
    return {service.id: service.fallback_seconds for service in every_service}

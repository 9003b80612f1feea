"""Routes: over which carriers a service's messages go, in order. Owns the table `routes`."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.route import Hop, Route

CLEAR: Final = "DELETE FROM routes WHERE service_id = $1"
ADD: Final = """
INSERT INTO routes (service_id, position, carrier_id, prefixes, weight) VALUES ($1, $2, $3, $4, $5)"""


async def set(tx: Tx, service_id: UUID, route: Sequence[Hop]) -> None:
    """Give a service this route, instead of any before."""
    await tx.execute(CLEAR, service_id)
    await tx.executemany(ADD, [(service_id, position, *hop) for position, hop in enumerate(route)])


ALL: Final = "SELECT service_id, carrier_id, prefixes, weight FROM routes ORDER BY service_id, position"


async def all(tx: Tx) -> dict[UUID, Route]:
    """Every service's route."""
    found: dict[UUID, Route] = {}
    for service_id, carrier_id, prefixes, weight in await tx.fetch(ALL):
        found[service_id] = (*found.get(service_id, ()), Hop(carrier_id, tuple(prefixes), weight))
    return found

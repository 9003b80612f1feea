"""Sender headers of customers: what stands where the number of the sender would. Owns `senders` and `approvals`."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ulak.base.db import Tx


@dataclass(frozen=True, slots=True)
class Sender:
    """A customer's own header with a service: an organization's, or a user's in their own name."""

    service_id: UUID
    organization_id: UUID | None
    user_id: UUID | None
    header: str


SET: Final = """
INSERT INTO senders (service_id, organization_id, user_id, header) VALUES ($1, $2, $3, $4)
    ON CONFLICT (service_id, organization_id, user_id) DO UPDATE SET header = excluded.header"""


async def set(tx: Tx, sender: Sender) -> None:
    """Give a customer this header with a service, instead of any before."""
    await tx.execute(SET, sender.service_id, sender.organization_id, sender.user_id, sender.header)


ALL: Final = "SELECT service_id, organization_id, user_id, header FROM senders ORDER BY created_at"


async def all(tx: Tx) -> list[Sender]:
    """Every customer's header."""
    return [Sender(**row) for row in await tx.fetch(ALL)]


COUNT: Final = "SELECT count(*) FROM senders WHERE service_id = $1"
PAGE: Final = """
SELECT service_id, organization_id, user_id, header FROM senders WHERE service_id = $1
 ORDER BY header, organization_id, user_id LIMIT $2 OFFSET $3"""


async def page(tx: Tx, service_id: UUID, rows_max: int, offset: int) -> tuple[list[Sender], int]:
    """Some of the customers' headers with a service, and how many there are."""
    rows = await tx.fetch(PAGE, service_id, rows_max, offset)
    return [Sender(**row) for row in rows], await tx.fetchval(COUNT, service_id)


OF: Final = """
SELECT header FROM senders WHERE service_id = $1 AND organization_id IS NOT DISTINCT FROM $2
   AND user_id IS NOT DISTINCT FROM $3 FOR UPDATE"""


async def lock(tx: Tx, service_id: UUID, organization_id: UUID | None, user_id: UUID | None) -> str | None:
    """A customer's header with a service, once nobody else is changing it; None when there is none."""
    header: str | None = await tx.fetchval(OF, service_id, organization_id, user_id)
    return header


REMOVE: Final = """
DELETE FROM senders WHERE service_id = $1 AND organization_id IS NOT DISTINCT FROM $2
   AND user_id IS NOT DISTINCT FROM $3 RETURNING header"""


async def remove(tx: Tx, service_id: UUID, organization_id: UUID | None, user_id: UUID | None) -> str | None:
    """Take a customer's header with a service away; returns what it was, None when there was none."""
    header: str | None = await tx.fetchval(REMOVE, service_id, organization_id, user_id)
    return header


APPROVE: Final = "INSERT INTO approvals (carrier_id, header) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def approve(tx: Tx, carrier_id: int, header: str) -> None:
    """A carrier has registered this header."""
    await tx.execute(APPROVE, carrier_id, header)


WITHDRAW: Final = "DELETE FROM approvals WHERE carrier_id = $1 AND header = $2 RETURNING header"


async def withdraw(tx: Tx, carrier_id: int, header: str) -> bool:
    """It has it no more; False when it never had."""
    return await tx.fetchval(WITHDRAW, carrier_id, header) is not None


APPROVED: Final = "SELECT carrier_id, header FROM approvals ORDER BY carrier_id, header"


async def approved(tx: Tx) -> dict[int, frozenset[str]]:
    """The headers that each carrier has registered."""
    found: dict[int, frozenset[str]] = {}
    for carrier_id, header in await tx.fetch(APPROVED):
        found[carrier_id] = found.get(carrier_id, frozenset()) | {header}
    return found

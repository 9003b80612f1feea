"""Sender headers of customers: what stands where the number of the sender would. Owns the table `senders`."""

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

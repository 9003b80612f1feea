"""Credits and the ledger: what everybody can spend, and every movement that made it so.

Owns the tables `credits` and `transfers`. An account is named by (tenant, id): a user's own credit is
(user, user), an organization's pool (org, org), a member's share (org, user); besides them each tenant has two
counter-accounts, FUNDING and SALES, that keep no balance. A transfer debits one account and credits another by
the same amount, so the books balance by construction; the balance beside a credit moves in the same
transaction and the database refuses it below zero. Amounts are micro-units, always positive.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write
from ulak.rules import money
from ulak.rules.refusal import Code, Refused, said

FUNDING: Final = UUID("00000000-0000-0000-0000-000000000001")
SALES: Final = UUID("00000000-0000-0000-0000-000000000002")


class Charge(NamedTuple):
    """One sending's price, to be taken from one credit."""

    tenant_id: UUID
    owner_id: UUID
    sending_id: UUID
    amount: int


ENSURE: Final = "INSERT INTO credits (tenant_id, owner_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def ensure(tx: Tx, tenant_id: UUID, owner_id: UUID) -> None:
    """Make the credit, with nothing on it, unless it is there."""
    await tx.execute(ENSURE, tenant_id, owner_id)


BALANCE: Final = "SELECT balance FROM credits WHERE tenant_id = $1 AND owner_id = $2"


async def balance(tx: Tx, tenant_id: UUID, owner_id: UUID) -> int:
    """What the credit holds; 0 where there is none."""
    return await tx.fetchval(BALANCE, tenant_id, owner_id) or 0


BALANCES_OF_OWNER: Final = """
SELECT t.tenant_id, c.balance
  FROM unnest($1::uuid[]) t(tenant_id)
  JOIN credits c ON c.tenant_id = t.tenant_id AND c.owner_id = $2"""


async def balances_of(tx: Tx, owner_id: UUID, tenants: Sequence[UUID]) -> dict[UUID, int]:
    """The owner's credit within each of `tenants`."""
    rows = await tx.fetch(BALANCES_OF_OWNER, tenants, owner_id)
    return {row["tenant_id"]: row["balance"] for row in rows}


BALANCES: Final = "SELECT owner_id, balance FROM credits WHERE tenant_id = $1"


async def balances(tx: Tx, tenant_id: UUID) -> dict[UUID, int]:
    """Every credit of a tenant, by its owner."""
    return {row["owner_id"]: row["balance"] for row in await tx.fetch(BALANCES, tenant_id)}


TAKE: Final = """
UPDATE credits SET balance = balance - $3
 WHERE tenant_id = $1 AND owner_id = $2 AND balance >= $3 RETURNING balance"""
GIVE: Final = "UPDATE credits SET balance = balance + $3 WHERE tenant_id = $1 AND owner_id = $2"
MOVE: Final = """
INSERT INTO transfers (tenant_id, kind, debit, credit, amount, actor, note)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""


async def move(
    tx: Tx,
    *,
    tenant_id: UUID,
    kind: Literal["topup", "correction", "handout"],
    debit: UUID,
    credit: UUID,
    amount: int,
    actor: str,
    note: str | None = None,
) -> None:
    """Move an amount on somebody's order: one transfer, and the balances of those sides that are credits.

    Refused with `insufficient_credit` when the debited credit does not hold that much.
    """
    if debit not in (FUNDING, SALES) and await tx.fetchval(TAKE, tenant_id, debit, amount) is None:
        held = money.Amount(await balance(tx, tenant_id, debit))
        raise Refused(
            Code.INSUFFICIENT_CREDIT,
            said(
                "The credit holds {held:fixed}, which is less than {amount:fixed}.",
                held=held,
                amount=money.Amount(amount),
            ),
        )
    if credit not in (FUNDING, SALES):
        await ensure(tx, tenant_id, credit)
        await tx.execute(GIVE, tenant_id, credit, amount)
    await tx.execute(MOVE, tenant_id, kind, debit, credit, amount, actor, note)


LOCK: Final = """
SELECT FROM credits WHERE tenant_id = $1 AND owner_id = ANY($2::uuid[]) ORDER BY owner_id FOR NO KEY UPDATE"""


async def lock(tx: Tx, tenant_id: UUID, owners: Sequence[UUID]) -> None:
    """Keep these credits of a tenant from changing until the end of the transaction, in the order in which `to_take`
    and refunds lock them: for whoever moves something between two of them, in either direction."""
    await tx.execute(LOCK, tenant_id, list(owners))


CHARGE: Final = """
UPDATE credits c SET balance = c.balance - d.amount
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) d(tenant_id, owner_id, amount)
 WHERE c.tenant_id = d.tenant_id AND c.owner_id = d.owner_id AND c.balance >= d.amount
RETURNING c.tenant_id, c.owner_id"""


def to_take(sums: Iterable[tuple[UUID, UUID, int]]) -> Write:
    """Lock and charge many credits at once; each (tenant, owner) may stand in `sums` once.

    Returns a row for each credit that paid. One that holds less than its sum is left untouched.
    """
    return Write(CHARGE, tuple(list(column) for column in zip(*sorted(sums), strict=True)))


async def take_sums(tx: Tx, sums: Sequence[tuple[UUID, UUID, int]]) -> set[tuple[UUID, UUID]]:
    """Do so now; returns the credits that paid."""
    charge = to_take(sums)
    return {(tenant, owner) for tenant, owner in await tx.fetch(charge.sql, *charge.values)}


CHARGED: Final = """
INSERT INTO transfers (tenant_id, kind, debit, credit, amount, sending_id, created_at)
SELECT c.tenant_id, 'charge', c.owner_id, $5, c.amount, c.sending_id, $6
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) c(tenant_id, owner_id, sending_id, amount)"""


def to_write_charges(charges: Sequence[Charge], at: datetime) -> Write:
    """The ledger's side of taking sums: one transfer a sending. A sending that costs nothing must not be among them."""
    tenants, owners, sendings, amounts = (list(column) for column in zip(*charges, strict=True))
    return Write(CHARGED, (tenants, owners, sendings, amounts, SALES, at))


class Refund(NamedTuple):
    """What one message gives back, to the credit that paid for it."""

    tenant_id: UUID
    owner_id: UUID
    sending_id: UUID
    position: int
    amount: int


REFUNDED: Final = """
INSERT INTO transfers (tenant_id, kind, debit, credit, amount, sending_id, position, created_at)
SELECT r.tenant_id, 'refund', $6, r.owner_id, r.amount, r.sending_id, r.position, $7
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[])
       r(tenant_id, owner_id, sending_id, position, amount)"""
GIVE_BACK: Final = """
UPDATE credits c SET balance = c.balance + r.amount
  FROM (SELECT tenant_id, owner_id, sum(amount)::bigint AS amount
          FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) u(tenant_id, owner_id, amount)
         GROUP BY tenant_id, owner_id ORDER BY tenant_id, owner_id) r
 WHERE c.tenant_id = r.tenant_id AND c.owner_id = r.owner_id"""


async def refund(tx: Tx, refunds: Sequence[Refund], at: datetime) -> None:
    """Give many messages' prices back: one transfer a message, each credit raised by its sum.

    The ledger takes a second refund of a message for what it is, a bug, and fails the transaction.
    """
    if not refunds:
        return
    tenants, owners, sendings, positions, amounts = (list(column) for column in zip(*refunds, strict=True))
    await tx.execute(REFUNDED, tenants, owners, sendings, positions, amounts, SALES, at)
    await tx.execute(GIVE_BACK, tenants, owners, amounts)


REFUND_OF: Final = """
SELECT amount, created_at FROM transfers
 WHERE tenant_id = $1 AND sending_id = $2 AND position = $3 AND kind = 'refund'"""


async def refund_of(tx: Tx, tenant_id: UUID, sending_id: UUID, position: int) -> tuple[int, datetime] | None:
    """What one message gave back, and when; None when it gave nothing back."""
    row = await tx.fetchrow(REFUND_OF, tenant_id, sending_id, position)
    return (row["amount"], row["created_at"]) if row else None

"""Closing the ledger behind itself: what each credit held after every few thousand transfers of its tenant.

Owns `closings` and `closed`. `flow.closing` writes them in the background, `store.statements` reads them. Transfers'
ids are drawn when they are written and seen when they are committed, so one may turn up below others that are there
already. A stretch is closed only when that can no longer happen: everything up to a `Horizon` stands still once the
transactions that ran when it was noted are over. Closings are a copy: they may be thrown away at any time, and be
written anew.
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.store.credits import FUNDING, SALES

COUNTER_ACCOUNTS: Final = (FUNDING, SALES)


class Horizon(NamedTuple):
    """The last id that was drawn by a moment, and the first transaction that had not begun by then."""

    last_id: int
    next_transaction: int


HORIZON: Final = """
SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM transfers_id_seq),
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint"""


async def horizon(tx: Tx) -> Horizon:
    """How far the ledger goes now."""
    row = await tx.fetchrow(HORIZON)
    assert row
    return Horizon(*row)


SETTLED: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1"


async def settled(tx: Tx, horizon: Horizon) -> bool:
    """Whether no transfer up to there can turn up any more."""
    is_so: bool = await tx.fetchval(SETTLED, horizon.next_transaction)
    return is_so


TAKE: Final = """
INSERT INTO closed AS c (tenant_id, last_id) VALUES ($1, 0)
    ON CONFLICT (tenant_id) DO UPDATE SET last_id = c.last_id
RETURNING last_id"""


async def take(tx: Tx, tenant_id: UUID) -> int:
    """Up to which transfer a tenant's ledger is closed; nobody else closes it meanwhile."""
    last_id: int = await tx.fetchval(TAKE, tenant_id)
    return last_id


END: Final = """
SELECT id FROM transfers WHERE tenant_id = $1 AND id > $2 AND id <= $3 ORDER BY id OFFSET $4 - 1 LIMIT 1"""


async def end(tx: Tx, tenant_id: UUID, after_id: int, last_id: int, rows: int) -> int | None:
    """The id of the transfer that many after another one; None where there are not so many up to a third."""
    found: int | None = await tx.fetchval(END, tenant_id, after_id, last_id, rows)
    return found


CLOSE: Final = """
INSERT INTO closings (tenant_id, owner_id, after_id, last_id, n, opening, closing, kinds, starts, ends)
SELECT $1, m.owner_id, $2, $3, m.n, b.balance, b.balance + m.net, m.kinds, m.starts, m.ends
  FROM (SELECT u.owner_id, count(*)::int AS n, sum(u.amount)::bigint AS net,
               array_agg(DISTINCT t.kind) AS kinds, min(t.created_at) AS starts, max(t.created_at) AS ends
          FROM transfers t CROSS JOIN LATERAL (VALUES (t.debit, -t.amount), (t.credit, t.amount)) u(owner_id, amount)
         WHERE t.tenant_id = $1 AND t.id > $2 AND t.id <= $3 AND u.owner_id <> ALL($4::uuid[])
         GROUP BY u.owner_id) m
 CROSS JOIN LATERAL (
       SELECT coalesce((SELECT c.closing FROM closings c WHERE c.tenant_id = $1 AND c.owner_id = m.owner_id
                         ORDER BY c.last_id DESC LIMIT 1), 0) AS balance) b"""
CLOSED: Final = "UPDATE closed SET last_id = $2 WHERE tenant_id = $1"


async def close(tx: Tx, tenant_id: UUID, after_id: int, last_id: int) -> None:
    """Close the stretch behind the one that was closed last."""
    await tx.execute(CLOSE, tenant_id, after_id, last_id, COUNTER_ACCOUNTS)
    await tx.execute(CLOSED, tenant_id, last_id)


CLOSED_TO: Final = "SELECT last_id FROM closed WHERE tenant_id = $1"


async def closed_to(tx: Tx, tenant_id: UUID) -> int:
    """Up to which transfer a tenant's ledger is closed; 0 where nothing of it is."""
    return await tx.fetchval(CLOSED_TO, tenant_id) or 0


class Stretch(NamedTuple):
    """Transfers (after_id, last_id] of a credit's tenant, and what the credit held before them and after them."""

    after_id: int
    last_id: int
    opening: int
    closing: int


_OF: Final = """
SELECT after_id, last_id, opening, closing FROM closings
 WHERE tenant_id = $1 AND owner_id = $2
   AND ($3::text[] IS NULL OR kinds && $3)
   AND ($4::timestamptz IS NULL OR ends >= $4)
   AND ($5::timestamptz IS NULL OR starts <= $5)"""
# The one that holds the id, wherever it ends, and those before it.
BEFORE: Final = f"""{_OF}
   AND after_id < $6
   AND last_id <= coalesce((SELECT e.last_id FROM closings e
                             WHERE e.tenant_id = $1 AND e.owner_id = $2 AND e.last_id >= $6 ORDER BY e.last_id LIMIT 1),
                           $6)
 ORDER BY last_id DESC LIMIT 1"""
BEHIND: Final = f"{_OF} AND last_id > $6 ORDER BY last_id LIMIT 1"


async def before(
    tx: Tx,
    account: tuple[UUID, UUID],
    kinds: list[str] | None,
    dates: tuple[datetime | None, datetime | None],
    last_id: int,
) -> Stretch | None:
    """The newest closed stretch of a credit that may hold what is looked for, up to a transfer."""
    row = await tx.fetchrow(BEFORE, *account, kinds, *dates, last_id)
    return Stretch(*row) if row else None


async def behind(
    tx: Tx,
    account: tuple[UUID, UUID],
    kinds: list[str] | None,
    dates: tuple[datetime | None, datetime | None],
    after_id: int,
) -> Stretch | None:
    """The oldest closed stretch of a credit that may hold what is looked for, behind a transfer."""
    row = await tx.fetchrow(BEHIND, *account, kinds, *dates, after_id)
    return Stretch(*row) if row else None


LAST: Final = """
SELECT closing FROM closings WHERE tenant_id = $1 AND owner_id = $2 ORDER BY last_id DESC LIMIT 1"""


async def last(tx: Tx, account: tuple[UUID, UUID]) -> int:
    """What a credit held after all that is closed."""
    return await tx.fetchval(LAST, *account) or 0

"""Reads across tenants, each of them listed here and nowhere else.

Everything else in `store` names its tenant. What is in here serves the courier's sweeps, `ulak audit` and operators
who look for a message, who look after all customers alike; no answer to a customer is ever made from it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.signature import signature
from ulak.store import hours

OVERDUE: Final = """
SELECT tenant_id, id FROM sendings WHERE completed_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2"""


async def overdue(tx: Tx, expired_before: datetime, rows_max: int) -> list[tuple[UUID, UUID]]:
    """Sendings (tenant, id) with open messages whose validity ended before then, the oldest first."""
    return [(row["tenant_id"], row["id"]) for row in await tx.fetch(OVERDUE, expired_before, rows_max)]


OPEN: Final = """
SELECT count(*) FROM (SELECT FROM sendings WHERE completed_at IS NULL ORDER BY expires_at LIMIT $1) s"""


async def n_open(tx: Tx, rows_max: int) -> int:
    """How many sendings are not completed; counted up to `rows_max`."""
    n: int = await tx.fetchval(OPEN, rows_max)
    return n


LOW: Final = """
SELECT count(*) FILTER (WHERE balance < $1)
  FROM (SELECT balance FROM credits ORDER BY tenant_id, owner_id LIMIT $2) c"""


async def n_low(tx: Tx, below: int, rows_max: int) -> int:
    """How many of the first `rows_max` credits hold less than so many micro-units."""
    n: int = await tx.fetchval(LOW, below, rows_max)
    return n


WHOSE: Final = """
SELECT s.tenant_id, s.id
  FROM (SELECT id FROM users UNION ALL SELECT id FROM organizations) t
 CROSS JOIN LATERAL (
       SELECT tenant_id, id FROM sendings WHERE tenant_id = t.id AND id >= $1 AND id <= $2 LIMIT 1) s
 LIMIT 1"""


async def whose(tx: Tx, first: UUID, last: UUID) -> tuple[UUID, UUID] | None:
    """The (tenant, id) of the sending whose id lies in this span (`rules.ids.span`); None where there is none."""
    row = await tx.fetchrow(WHOSE, first, last)
    return (row["tenant_id"], row["id"]) if row else None


class ToNumber(NamedTuple):
    """A message to a number, and whose it is: of a user, and of an organization where they sent in its name."""

    tenant_id: UUID
    sending_id: UUID
    position: int
    user_id: UUID
    text: str
    sender: str | None
    status: str
    network: str | None
    carrier_id: int | None
    created_at: datetime
    ended_at: datetime | None


# By the index that `store.numbers` looks after. A sending's id begins with its time.
TO_NUMBER: Final = """
SELECT m.tenant_id, m.sending_id, m.position, s.user_id, coalesce(m.text, s.text) AS text, s.sender, m.status::text,
       m.network, m.carrier_id, s.created_at, m.ended_at
  FROM (SELECT * FROM messages WHERE recipient = $1 ORDER BY sending_id DESC, position LIMIT $2) m
  JOIN sendings s ON s.tenant_id = m.tenant_id AND s.id = m.sending_id
 ORDER BY m.sending_id DESC, m.position"""


async def to_number(tx: Tx, number: int, rows_max: int) -> list[ToNumber]:
    """The newest messages to a number, of whichever customer."""
    return [ToNumber(*row) for row in await tx.fetch(TO_NUMBER, number, rows_max)]


OWN_BALANCES: Final = """
SELECT t.id, c.balance
  FROM unnest($1::uuid[]) t(id) JOIN credits c ON c.tenant_id = t.id AND c.owner_id = t.id"""


async def own_balances(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, int]:
    """What the own credits of these users, and the pools of these organizations, hold."""
    return {row["id"]: row["balance"] for row in await tx.fetch(OWN_BALANCES, list(ids))}


UNGATHERED: Final = """
SELECT t.tenant_id, t.starts
  FROM (SELECT id FROM users UNION ALL SELECT id FROM organizations) o
  JOIN tallies t ON t.tenant_id = o.id AND t.minutes = 1440 AND t.starts >= $1 AND t.starts < $2
  LEFT JOIN search_days d ON d.tenant_id = t.tenant_id AND d.starts = t.starts
 GROUP BY t.tenant_id, t.starts, d.n
HAVING sum(t.n) - coalesce(d.n, 0) >= CASE WHEN t.starts < $3 THEN 1 ELSE $4::int END
 ORDER BY t.starts DESC
 LIMIT $5"""


async def ungathered(
    tx: Tx, since: datetime, until: datetime, today: datetime, *, rows_min: int, rows_max: int
) -> list[tuple[UUID, datetime]]:
    """Days (tenant, midnight) between two moments whose sendings are not all gathered, newest first; of today only
    where `rows_min` are not."""
    rows = await tx.fetch(UNGATHERED, since, until, today, rows_min, rows_max)
    return [(row["tenant_id"], row["starts"]) for row in rows]


UNCLOSED: Final = """
SELECT o.id
  FROM (SELECT id FROM users UNION ALL SELECT id FROM organizations) o
  LEFT JOIN closed c ON c.tenant_id = o.id
 CROSS JOIN LATERAL (
       SELECT id FROM transfers t WHERE t.tenant_id = o.id AND t.id > coalesce(c.last_id, 0) AND t.id <= $1
        ORDER BY t.id OFFSET $2 - 1 LIMIT 1) enough
 LIMIT $3"""


async def unclosed(tx: Tx, last_id: int, transfers_min: int, rows_max: int) -> list[UUID]:
    """Tenants with at least so many transfers, up to a certain one, behind what is closed of their ledgers."""
    return [row["id"] for row in await tx.fetch(UNCLOSED, last_id, transfers_min, rows_max)]


UNSUMMED: Final = """
SELECT o.id
  FROM (SELECT id FROM users UNION ALL SELECT id FROM organizations) o
 CROSS JOIN LATERAL (
       SELECT sum(n) AS n FROM tallies WHERE tenant_id = o.id AND minutes = 1440 AND starts = $1 HAVING count(*) > 0) t
 CROSS JOIN LATERAL (
       SELECT sum(n_sendings) AS n, coalesce(bool_or(open_ids <> '{}'), false) AS goes_on
         FROM hours WHERE tenant_id = o.id AND starts >= $1 AND starts < $1 + interval '1 day') g
 WHERE g.goes_on OR t.n IS DISTINCT FROM g.n"""


async def unsummed(tx: Tx, day: datetime) -> list[UUID]:
    """Tenants who sent something on a day (its midnight, of UTC) that is in no gathered hour, or went on when it was
    gathered."""
    return [row["id"] for row in await tx.fetch(UNSUMMED, day)]


UNERASED: Final = """
SELECT o.id
  FROM (SELECT id FROM users UNION ALL SELECT id FROM organizations) o
  LEFT JOIN erased e ON e.tenant_id = o.id
 CROSS JOIN LATERAL (
       SELECT FROM messages m
        WHERE m.tenant_id = o.id AND m.sending_id < $1
          AND (m.sending_id, m.position) > (coalesce(e.sending_id, '00000000-0000-0000-0000-000000000000'::uuid),
                                            coalesce(e.position, -1))
        LIMIT 1) m"""


async def unerased(tx: Tx, end: UUID) -> list[UUID]:
    """Tenants with messages before this id whose texts and numbers are not erased."""
    return [row["id"] for row in await tx.fetch(UNERASED, end)]


class Difference(NamedTuple):
    """Something the books say twice and differently."""

    what: str
    tenant_id: UUID
    id: str
    written: str
    computed: str


CREDITS: Final = """
WITH moved AS (
    SELECT tenant_id, debit AS owner_id, -amount AS amount FROM transfers
     UNION ALL SELECT tenant_id, credit, amount FROM transfers),
computed AS (
    SELECT tenant_id, owner_id, sum(amount) AS balance FROM moved
     WHERE owner_id NOT IN ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002')
     GROUP BY tenant_id, owner_id)
SELECT 'balance', coalesce(c.tenant_id, t.tenant_id), coalesce(c.owner_id, t.owner_id)::text,
       coalesce(c.balance::text, 'none'), coalesce(t.balance, 0)::text
  FROM credits c FULL JOIN computed t ON t.tenant_id = c.tenant_id AND t.owner_id = c.owner_id
 WHERE c.balance IS DISTINCT FROM coalesce(t.balance, 0)
 LIMIT $1"""

COUNTERS: Final = """
WITH counted AS (
    SELECT tenant_id, sending_id,
           count(*) FILTER (WHERE status = 'pending') AS pending,
           count(*) FILTER (WHERE status = 'waiting') AS waiting,
           count(*) FILTER (WHERE status = 'sent') AS sent,
           count(*) FILTER (WHERE status = 'not_sent') AS not_sent,
           count(*) FILTER (WHERE status = 'no_signal') AS no_signal,
           count(*) FILTER (WHERE refunded) AS refunded,
           sum(price) AS cost, coalesce(sum(price) FILTER (WHERE refunded), 0) AS given_back
      FROM messages GROUP BY tenant_id, sending_id)
SELECT 'counters', coalesce(s.tenant_id, c.tenant_id), coalesce(s.id, c.sending_id)::text,
       concat_ws(' ', s.n_pending, s.n_waiting, s.n_sent, s.n_not_sent, s.n_no_signal, s.n_refunded,
                 s.total_cost, s.total_refunded),
       concat_ws(' ', c.pending, c.waiting, c.sent, c.not_sent, c.no_signal, c.refunded, c.cost, c.given_back)
  FROM sendings s FULL JOIN counted c ON c.tenant_id = s.tenant_id AND c.sending_id = s.id
 WHERE (s.n_pending, s.n_waiting, s.n_sent, s.n_not_sent, s.n_no_signal, s.n_refunded, s.total_cost, s.total_refunded)
       IS DISTINCT FROM
       (c.pending, c.waiting, c.sent, c.not_sent, c.no_signal, c.refunded, c.cost, c.given_back)
 LIMIT $1"""

CHARGES: Final = """
WITH charged AS (
    SELECT tenant_id, sending_id, sum(amount) AS amount, min(debit::text) AS payer FROM transfers
     WHERE kind = 'charge' GROUP BY tenant_id, sending_id)
SELECT 'charge', coalesce(s.tenant_id, c.tenant_id), coalesce(s.id, c.sending_id)::text,
       concat_ws(' by ', s.total_cost, s.owner_id), concat_ws(' by ', coalesce(c.amount, 0), c.payer)
  FROM sendings s FULL JOIN charged c ON c.tenant_id = s.tenant_id AND c.sending_id = s.id
 WHERE s.total_cost IS DISTINCT FROM coalesce(c.amount, 0)
    OR c.payer IS NOT NULL AND s.owner_id::text IS DISTINCT FROM c.payer
 LIMIT $1"""

REFUNDS: Final = """
WITH refunds AS (SELECT tenant_id, sending_id, position, credit, amount FROM transfers WHERE kind = 'refund'),
     refunded AS (SELECT m.tenant_id, m.sending_id, m.position, m.price, s.owner_id
                    FROM messages m JOIN sendings s ON s.tenant_id = m.tenant_id AND s.id = m.sending_id
                   WHERE m.refunded)
SELECT 'refund', coalesce(m.tenant_id, r.tenant_id),
       coalesce(m.sending_id, r.sending_id)::text || '[' || coalesce(m.position, r.position) || ']',
       concat_ws(' to ', m.price, m.owner_id), concat_ws(' to ', r.amount, r.credit)
  FROM refunded m FULL JOIN refunds r
    ON r.tenant_id = m.tenant_id AND r.sending_id = m.sending_id AND r.position = m.position
 WHERE (m.price, m.owner_id) IS DISTINCT FROM (r.amount, r.credit)
 LIMIT $1"""

TERMS: Final = """
SELECT 'terms', m.tenant_id, m.sending_id::text || '[' || m.position || ']',
       CASE WHEN m.refunded THEN 'refunded' ELSE 'not refunded' END, m.status::text
  FROM messages m JOIN sendings s ON s.tenant_id = m.tenant_id AND s.id = m.sending_id
 WHERE m.price > 0 AND NOT m.refunded AND (m.status = 'not_sent' AND s.refund_not_sent
                                           OR m.status = 'no_signal' AND s.refund_no_signal)
    OR m.refunded AND NOT (s.refund_not_sent OR s.refund_no_signal)
 LIMIT $1"""

UNQUEUED: Final = """
SELECT 'queue', m.tenant_id, m.sending_id::text || '[' || min(m.position) || ']', 'pending', 'not in the queue'
  FROM messages m
 WHERE m.status = 'pending' AND NOT EXISTS (
       SELECT FROM batches b WHERE b.tenant_id = m.tenant_id AND b.sending_id = m.sending_id
          AND m.position >= b.first_position AND m.position < b.end_position
          AND (b.positions IS NULL OR m.position = ANY(b.positions))
          AND (m.routed_to IS NULL OR b.carrier_id = m.routed_to))
 GROUP BY m.tenant_id, m.sending_id
 LIMIT $1"""

CREATED: Final = """
WITH told AS (
    SELECT tenant_id, id, created_at,
           to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0)::timestamptz(3)
               AS by_id
      FROM sendings)
SELECT 'created_at', tenant_id, id::text, created_at::text, by_id::text FROM told
 WHERE created_at <> by_id
 LIMIT $1"""

TALLIES: Final = """
WITH counted AS (
    SELECT s.tenant_id, u.minutes, date_trunc(u.unit, s.created_at, 'UTC') AS starts, s.source, count(*) AS n
      FROM sendings s CROSS JOIN (VALUES (1, 'minute'), (1440, 'day')) u(minutes, unit)
     GROUP BY 1, 2, 3, 4)
SELECT 'tally', tenant_id, concat_ws(' ', starts, minutes, source), coalesce(t.n, 0)::text, coalesce(c.n, 0)::text
  FROM tallies t FULL JOIN counted c USING (tenant_id, minutes, starts, source)
 WHERE t.n IS DISTINCT FROM c.n
 LIMIT $1"""

# An hour that has fewer than there are was gathered before one came late: nobody reads it, and it is gathered anew.
_ENDED: Final = "FILTER (WHERE s.id <> ALL(h.open_ids))"
SUMMED: Final = f"""
WITH summed AS (
    SELECT h.tenant_id, h.starts, count(*) AS n, count(*) - count(*) {_ENDED} AS n_open,
           {", ".join(f"coalesce(sum(s.{name}) {_ENDED}, 0) AS {name}" for name in hours.SUMMED)}
      FROM hours h JOIN sendings s ON s.tenant_id = h.tenant_id AND date_trunc('hour', s.created_at, 'UTC') = h.starts
     GROUP BY h.tenant_id, h.starts),
told AS (
    SELECT h.tenant_id, h.starts, h.n_sendings AS n, coalesce(s.n, 0) AS there_are,
           concat_ws(' ', cardinality(h.open_ids), {", ".join(f"h.{name}" for name in hours.SUMMED)}) AS written,
           concat_ws(' ', s.n_open, {", ".join(f"s.{name}" for name in hours.SUMMED)}) AS computed
      FROM hours h LEFT JOIN summed s USING (tenant_id, starts))
SELECT 'hour', tenant_id, starts::text, concat_ws(' ', n, written), concat_ws(' ', there_are, computed) FROM told
 WHERE n > there_are OR n = there_are AND written <> computed
 LIMIT $1"""

GATHERED: Final = """
WITH held AS (
    SELECT b.tenant_id, date_trunc('day', b.starts, 'UTC') AS starts, b.source, u.id, u.text
      FROM search_blocks b CROSS JOIN LATERAL unnest(b.ids, string_to_array(b.texts, U&'\\0001')) u(id, text)
     WHERE u.id IS NOT NULL),
counted AS (SELECT tenant_id, starts, count(*) AS n FROM held GROUP BY tenant_id, starts)
SELECT 'block', h.tenant_id, h.id::text, concat_ws(' ', h.source, h.text), concat_ws(' ', s.source, s.search_text)
  FROM held h LEFT JOIN sendings s ON s.tenant_id = h.tenant_id AND s.id = h.id
 WHERE (h.source, h.text) IS DISTINCT FROM (s.source, replace(s.search_text, U&'\\0001', U&'\\0002'))
 UNION ALL
SELECT 'gathered', tenant_id, starts::text, coalesce(d.n, 0)::text, coalesce(c.n, 0)::text
  FROM search_days d FULL JOIN counted c USING (tenant_id, starts)
 WHERE coalesce(d.n, 0) <> coalesce(c.n, 0)
 LIMIT $1"""

CLOSINGS: Final = """
WITH stretches AS (SELECT DISTINCT tenant_id, after_id, last_id FROM closings),
computed AS (
    SELECT s.tenant_id, u.owner_id, s.after_id, s.last_id, count(*) AS n, sum(u.amount) AS net
      FROM stretches s
      JOIN transfers t ON t.tenant_id = s.tenant_id AND t.id > s.after_id AND t.id <= s.last_id
     CROSS JOIN LATERAL (VALUES (t.debit, -t.amount), (t.credit, t.amount)) u(owner_id, amount)
     WHERE u.owner_id NOT IN ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002')
     GROUP BY s.tenant_id, u.owner_id, s.after_id, s.last_id),
written AS (
    SELECT *, lag(closing, 1, 0::bigint) OVER (PARTITION BY tenant_id, owner_id ORDER BY last_id) AS before
      FROM closings),
reached AS (
    SELECT *, lag(last_id, 1, 0::bigint) OVER (PARTITION BY tenant_id ORDER BY last_id) AS before FROM stretches)
SELECT 'closing', tenant_id, concat_ws(' ', owner_id, last_id),
       concat_ws(' ', w.n, w.opening, w.closing), concat_ws(' ', c.n, w.before, w.before + c.net)
  FROM written w FULL JOIN computed c USING (tenant_id, owner_id, after_id, last_id)
 WHERE (w.n, w.opening, w.closing) IS DISTINCT FROM (c.n, w.before, w.before + c.net)
 UNION ALL
SELECT 'stretch', tenant_id, last_id::text, after_id::text, before::text FROM reached WHERE after_id <> before
 UNION ALL
SELECT 'closed', tenant_id, tenant_id::text, coalesce(c.last_id, 0)::text, coalesce(e.last_id, 0)::text
  FROM closed c
  FULL JOIN (SELECT tenant_id, max(last_id) AS last_id FROM stretches GROUP BY tenant_id) e USING (tenant_id)
 WHERE coalesce(c.last_id, 0) <> coalesce(e.last_id, 0)
 LIMIT $1"""

#: What `ulak audit` proves, in order: a title, the count of what it looks at, and the search for differences.
PROOFS: Final = (
    ("every balance is the sum of its transfers", "SELECT count(*) FROM credits", CREDITS),
    (
        "every sending's counters and totals are those of its messages",
        "SELECT count(*) FROM sendings",
        COUNTERS,
    ),
    ("every sending was charged once, to the credit that pays", "SELECT count(*) FROM sendings", CHARGES),
    ("every refund belongs to one refunded message", "SELECT count(*) FROM messages WHERE refunded", REFUNDS),
    (
        "every message that failed was paid back as its sending says",
        "SELECT count(*) FROM messages WHERE status IN ('not_sent', 'no_signal')",
        TERMS,
    ),
    (
        "every pending message is in the queue",
        "SELECT count(*) FROM messages WHERE status = 'pending'",
        UNQUEUED,
    ),
    ("every sending's id says when it was accepted", "SELECT count(*) FROM sendings", CREATED),
    ("every tally is the number of sendings in it", "SELECT count(*) FROM tallies", TALLIES),
    ("every gathered hour is the sum of its sendings", "SELECT count(*) FROM hours", SUMMED),
    (
        "every closing of the ledger is what its transfers sum up to",
        "SELECT count(*) FROM closings",
        CLOSINGS,
    ),
    (
        "every text gathered for searching is its sending's",
        "SELECT coalesce(sum(n), 0)::bigint FROM search_days",
        GATHERED,
    ),
)


async def prove(tx: Tx, count: str, search: str, rows_max: int) -> tuple[int, list[Difference]]:
    """How many things one of the `PROOFS` looked at, and the first differences it found."""
    return await tx.fetchval(count), [Difference(*row) for row in await tx.fetch(search, rows_max)]


SIGNED: Final = "SELECT tenant_id, first_id, signature, texts FROM search_blocks WHERE signature IS NOT NULL"


async def prove_signatures(tx: Tx, rows_max: int) -> tuple[int, list[Difference]]:
    """Compare the signatures of blocks to those of their texts, which only Python can make: how many there are, and the
    first differences. A bit that is missing keeps a search from finding what is there."""
    looked_at = 0
    differences: list[Difference] = []
    async for tenant_id, first_id, written, texts in tx.cursor(SIGNED, prefetch=100):
        looked_at += 1
        has, needs = (int.from_bytes(its, "big") for its in (written.bytes, signature(texts)))
        if has != needs and len(differences) < rows_max:
            told = f"{has.bit_count()} bits, {(needs & ~has).bit_count()} missing"
            its = Difference("signature", tenant_id, str(first_id), told, f"{needs.bit_count()} bits")
            differences.append(its)
    return looked_at, differences

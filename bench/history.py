"""A customer's history of any length, written straight into the tables: what the lists are measured on.

In: a tenant, how many sendings. Out: rows as accepting and delivering would have left them, charges excepted: half a
year, one in twenty of all within one hour of rush, one sending in a hundred to a hundred numbers, one to a hundred
thousand, some from the panel, the newest still open. PostgreSQL makes the rows itself: ten million take minutes.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Database
from ulak.flow import searchable
from ulak.rules.text import fold

DAYS: Final = 180
PORTION: Final = 100_000
BULK: Final = 100
LONGEST: Final = 100_000

_NAMES: Final = [
    "Ahmet",
    "Ayşe",
    "Mehmet",
    "Fatma",
    "İbrahim",
    "Işıl",
    "Çağrı",
    "Şule",
    "Ömer",
    "Gökçe",
    "Ümit",
    "Özlem",
    "Elif",
    "Burak",
]
_SURNAMES: Final = [
    "Yılmaz",
    "Kaya",
    "Demir",
    "Şahin",
    "Çelik",
    "Öztürk",
    "Aydın",
    "Doğan",
    "Kılıç",
    "Şimşek",
]
_TOWNS: Final = ["Kadıköy", "Çankaya", "Bornova", "Nilüfer", "Şişli"]


def texts() -> list[str]:
    """Seven in ten are codes, the others campaigns and messages to people by name. ###### becomes digits."""
    codes = [
        "Your code is ######",
        "Kodunuz: ######. Kimseyle paylaşmayın.",
        "###### doğrulama kodunuzdur.",
    ]
    campaigns = [
        f"Bahar kampanyası: tüm ürünlerde %{percent} indirim, {town} mağazamızda sizi bekliyoruz."
        for percent, town in product((10, 25, 40, 50), _TOWNS)
    ]
    personal = [
        f"Sayın {name} {surname}, {what}"
        for name, surname in product(_NAMES, _SURNAMES)
        for what in ("###### numaralı siparişiniz kargoya verildi.", "randevunuz yarın 10:15'te.")
    ]
    return [codes[k * 3 // 700] for k in range(700)] + _spread(campaigns, 150) + _spread(personal, 150)


def _spread(those: list[str], n: int) -> list[str]:
    """So many, evenly of those."""
    return [those[k * len(those) // n] for k in range(n)]


#: Stands in one of these thousand, so in one sending of a hundred or so, all over the years.
ONE_IN_A_HUNDRED: Final = "%25 indirim, Çankaya"

_ROWS: Final = """
INSERT INTO sendings (tenant_id, id, user_id, owner_id, service_id, source, text, search_text, unit_price,
                      refund_not_sent, refund_no_signal, resend_unsure, n_valid, n_invalid, n_pending, n_waiting,
                      n_sent, n_not_sent, total_cost, created_at, expires_at, completed_at)
SELECT $1, (substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid, $1, $1, $2,
       CASE WHEN k % 20 = 7 THEN 'panel' ELSE 'api' END,
       replace(($7::text[])[t], '######', digits), replace(($8::text[])[t], '######', digits), 1, true, true, true,
       n, 0, 0, CASE WHEN open THEN n ELSE 0 END, CASE WHEN open THEN 0 ELSE n - missed END,
       CASE WHEN open THEN 0 ELSE missed END, n, at, at + interval '1 day', CASE WHEN NOT open THEN at END
  FROM (SELECT k, at, n, CASE WHEN k % 50 = 0 OR n > 1 THEN (n + 49) / 50 ELSE 0 END AS missed,
               k >= $6 AS open, 1 + floor(random() * 1000)::int AS t,
               lpad(floor(random() * 1000000)::int::text, 6, '0') AS digits,
               lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h
          FROM (SELECT k, CASE WHEN k = $5 / 2 THEN $9::int WHEN k % 100 = 0 THEN $10::int ELSE 1 END AS n,
                       date_trunc('milliseconds', CASE
                           WHEN k % 20 = 3 THEN $11::timestamptz + random() * interval '1 hour'
                           ELSE $12::timestamptz + $13::interval * ((k + random()) / $5)
                       END) AS at
                  FROM generate_series($3::bigint, $4::bigint - 1) k) moments) drawn"""

_MESSAGES: Final = """
INSERT INTO messages (tenant_id, sending_id, position, status, parts_left, recipient, price, carrier_id, ended_at)
SELECT s.tenant_id, s.id, p,
       CASE WHEN s.completed_at IS NULL THEN 'waiting'
            WHEN p % 50 = 0 AND p / 50 < s.n_not_sent THEN 'not_sent' ELSE 'sent' END::message_status,
       0, 905300000000 + p, 1, 1, s.completed_at
  FROM sendings s CROSS JOIN LATERAL generate_series(0, s.n_valid - 1) p
 WHERE s.tenant_id = $1 AND s.created_at >= $2 AND s.created_at < $3"""

_TALLIES: Final = """
INSERT INTO tallies (tenant_id, minutes, starts, source, n)
SELECT s.tenant_id, u.minutes, date_trunc(u.unit, s.created_at, 'UTC'), s.source, count(*)
  FROM sendings s CROSS JOIN (VALUES (1, 'minute'), (1440, 'day')) u(minutes, unit)
 WHERE s.tenant_id = $1
 GROUP BY 1, 2, 3, 4"""


class History(NamedTuple):
    """What was written."""

    sendings: int
    messages: int
    starts: datetime
    ends: datetime
    rush: datetime
    longest: UUID


async def write(
    db: Database,
    tenant_id: UUID,
    sendings: int,
    done: Callable[[float], None],
    service_id: UUID | None = None,
) -> History:
    """Write a history that ends now; `done` is told what part of the work is done."""
    ends = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    starts, rush = ends - timedelta(days=DAYS), ends - timedelta(days=DAYS / 3)
    all_texts = texts()
    folded = [fold(text) for text in all_texts]
    for first in range(0, sendings, PORTION):
        end = min(first + PORTION, sendings)
        await _run(
            db,
            _ROWS,
            *(
                tenant_id,
                service_id or tenant_id,
                first,
                end,
                sendings,
                sendings - min(1000, sendings // 100),
                all_texts,
                folded,
            ),
            *(min(LONGEST, sendings), BULK, rush, starts, timedelta(days=DAYS)),
        )
        done(0.45 * end / sendings)
    for day in range(DAYS + 1):
        since = starts + timedelta(days=day)
        await _run(db, _MESSAGES, tenant_id, since, since + timedelta(days=1))
        done(0.45 + 0.45 * day / DAYS)
    await _run(db, _TALLIES, tenant_id)
    for day in range(DAYS + 1):
        midnight = (starts + timedelta(days=day)).replace(hour=0, minute=0, second=0)
        while await searchable.gather_day(db, tenant_id, midnight, ends):
            pass
        done(0.9 + 0.1 * day / DAYS)
    return await _written(db, tenant_id, starts, ends, rush)


async def _run(db: Database, statement: str, *values: object) -> None:
    """One statement in a transaction whose commit nobody waits for."""
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL synchronous_commit = off")
        await tx.execute("SET LOCAL enable_seqscan = on")
        await tx.execute(statement, *values)


async def _written(
    db: Database, tenant_id: UUID, starts: datetime, ends: datetime, rush: datetime
) -> History:
    async with db.reading() as tx:
        for table in ("sendings", "messages", "tallies", "search_blocks"):
            await tx.execute(f"VACUUM ANALYZE {table}", timeout=900)
    async with db.snapshot() as tx:
        rows = await tx.fetchrow(
            "SELECT count(*), sum(n_valid) FROM sendings WHERE tenant_id = $1", tenant_id
        )
        longest = await tx.fetchval(
            "SELECT id FROM sendings WHERE tenant_id = $1 ORDER BY n_valid DESC LIMIT 1", tenant_id
        )
    assert rows
    return History(rows[0], rows[1], starts, ends, rush, longest)

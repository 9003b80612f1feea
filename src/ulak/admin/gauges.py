"""Gauges: what only the database knows of the installation, as numbers for whoever watches it by machine.

In: the database. Out: values by the names in `base.metrics`. Each of them costs a bounded read, however much there is,
and all of them together a few milliseconds; `edge.scrape` sees to it that they are not read for everybody who asks.
Changes nothing, and names nobody: what concerns customers is counted.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ulak.base import metrics
from ulak.base.db import Database, Tx
from ulak.base.metrics import Read
from ulak.base.migrate import pending
from ulak.flow.pulse import What
from ulak.rules import ids, stretches
from ulak.store import carriers, depths, everyone, installation, links, pulse, receipts
from ulak.store.depths import Depth
from ulak.store.installation import Server

#: Beyond so many, sendings that are open are not counted any more, and credits not looked at.
SENDINGS_MAX: Final = 100_000
CREDITS_MAX: Final = 100_000
#: Of each carrier.
RECEIPTS_MAX: Final = 10_000


class Value(NamedTuple):
    """A gauge, the values of its labels, and its value."""

    gauge: Read
    labels: tuple[str, ...]
    value: float


async def read(db: Database, *, low_balance: int) -> list[Value]:
    """All gauges as they are now; `low_balance` in micro-units, 0: credits are not looked at.

    With migrations missing only of the server: of the rest nothing can be known. Raises one of `UNREACHABLE`.
    """
    async with db.reading() as tx:
        missing = await pending(tx)
        values = [*_of_server(await installation.read(tx), len(missing))]
        if missing:
            return values
        values += await _of_carriers(tx, datetime.now(UTC))
        values.append(_one(metrics.SENDINGS_OPEN, await everyone.n_open(tx, SENDINGS_MAX)))
        if low_balance:
            values.append(_one(metrics.CREDITS_LOW, await everyone.n_low(tx, low_balance, CREDITS_MAX)))
        if swept_at := await pulse.newest(tx, What.SWEEPS):
            values.append(_one(metrics.SWEPT, swept_at.timestamp()))
        audits = await pulse.latest(tx, What.AUDITS)
        return values + [Value(metrics.AUDITED, (result,), at.timestamp()) for result, at in audits.items()]


def _one(gauge: Read, value: float) -> Value:
    return Value(gauge, (), value)


def _of_server(server: Server, n_missing: int) -> Iterator[Value]:
    yield _one(metrics.MIGRATIONS_PENDING, n_missing)
    yield _one(metrics.DATABASE_BYTES, server.bytes)
    yield _one(metrics.CONNECTIONS, server.connections)
    yield _one(metrics.CONNECTIONS_MAX, server.connections_max)


async def _of_carriers(tx: Tx, at: datetime) -> list[Value]:
    """What waits for every carrier, and how the connections to the active ones stand."""
    every = await carriers.all(tx)
    active = [one for one in every if one.state == "active"]
    fresh = [link for link in await links.all(tx) if link.fresh]
    values = [Value(metrics.CARRIER, (str(one.id), one.name), 1) for one in every]
    for one in active:
        values += _of_links(str(one.id), [link for link in fresh if link.carrier_id == one.id], at)
    numbers = [one.id for one in every]
    values += [value for depth in await depths.read(tx, numbers) for value in _of_queue(depth, at)]
    unmatched = await receipts.unmatched(tx, numbers, RECEIPTS_MAX)
    return values + [Value(metrics.UNMATCHED, (str(carrier),), n) for carrier, n in unmatched.items()]


def _of_links(carrier: str, its: Sequence[links.Link], at: datetime) -> Iterator[Value]:
    throttled = min((link.throttled_since for link in its if link.throttled_since), default=at)
    yield Value(metrics.LINKS, (carrier,), len(its))
    yield Value(metrics.LINKS_BOUND, (carrier,), sum(link.state == "bound" for link in its))
    yield Value(metrics.THROTTLED, (carrier,), (at - throttled).total_seconds())


def _of_queue(depth: Depth, at: datetime) -> Iterator[Value]:
    since = stretches.instant(ids.milliseconds_of(depth.oldest)) if depth.oldest else at
    carrier = (str(depth.carrier_id),)
    yield Value(metrics.QUEUE, carrier, depth.messages)
    yield Value(metrics.QUEUE_SECONDS, carrier, max(0.0, (at - since).total_seconds()))

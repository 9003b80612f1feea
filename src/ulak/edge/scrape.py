"""What `/metrics` answers: what all processes of this `ulak serve` have counted, and what the database says.

The database is read at most once in some seconds, by one request at a time, and not for longer than a moment: when it
is slow or away, `ulak_database_up` is 0, its other gauges are missing, and everything else is told all the same.
"""

import asyncio
import hmac
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import asyncpg
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from ulak.admin import gauges
from ulak.admin.gauges import Value
from ulak.base import metrics
from ulak.base.config import Config
from ulak.base.db import UNREACHABLE, Database
from ulak.edge.siblings import Siblings, together
from ulak.rules import money
from ulak.rules.refusal import Code, Refused

FRESH_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 2.0
_NO_ANSWER: Final[tuple[type[Exception], ...]] = (*UNREACHABLE, asyncpg.PostgresError)


class Scrape:
    """The page `/metrics` of one process."""

    def __init__(self, config: Config, db: Database, siblings: Siblings) -> None:
        self._config = config
        self._db = db
        self._siblings = siblings
        self._reading = asyncio.Lock()
        self._read: list[Value] = []
        self._read_at = -FRESH_SECONDS

    async def __call__(self, request: Request) -> Response:
        """Answer a request; refused to whoever does not know the token, where there is one."""
        self._admit(request)
        told, values = await asyncio.gather(self._siblings.ask(), self._values())
        values = [*values, Value(metrics.PROCESSES, (), len(told)), *_disk(self._config.data_dir)]
        registry = CollectorRegistry()
        registry.register(_Told([*together(told), *_families(values)]))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def _admit(self, request: Request) -> None:
        token = self._config.metrics_token
        said = request.headers.get("authorization", "")
        if token and not hmac.compare_digest(said.encode(), f"Bearer {token}".encode()):
            raise Refused(Code.UNAUTHORIZED, "Send the token of ULAK_METRICS_TOKEN: Authorization: Bearer ….")

    async def _values(self) -> list[Value]:
        """What the database says, or has said a moment ago."""
        async with self._reading:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._read = await self._ask_database()
                self._read_at = time.monotonic()
            return self._read

    async def _ask_database(self) -> list[Value]:
        below = int(self._config.low_balance * money.MICRO)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                values = await gauges.read(self._db, low_balance=below)
        except _NO_ANSWER:
            return [Value(metrics.DATABASE_UP, (), 0)]
        return [Value(metrics.DATABASE_UP, (), 1), *values]


class _Told(Collector):
    """Metrics that were put together, for `generate_latest`."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(values: Iterable[Value]) -> list[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for gauge, labels, value in values:
        if gauge.name not in families:
            families[gauge.name] = GaugeMetricFamily(gauge.name, gauge.says, labels=gauge.labels)
        families[gauge.name].add_metric(labels, value)
    return list(families.values())


def _disk(data_dir: Path) -> list[Value]:
    """The disk of the embedded database, if that is here."""
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:
        return []
    return [Value(metrics.DISK_FREE, (), usage.free), Value(metrics.DISK, (), usage.total)]

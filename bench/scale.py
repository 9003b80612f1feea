"""`make bench-scale`: how long a page of a long list takes, by HTTP, on a whole installation.

Fills a customer's history (`bench.history`), asks for pages of every kind at random, and prints a table of what the
answers took; the same as JSON in `bench-results/`. `--grow` does so at each power of ten up to `--rows`. Every total
that can be known is checked: a quick answer that is wrong is none. Nothing stays behind.
"""

import argparse
import asyncio
import math
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bench import history
from bench.figures import keep
from bench.history import History
from tests.harness import Installation
from ulak.base.db import Database
from ulak.base.embedded import Embedded

GROWN_FROM = 10_000
SEED = 20260310


class Figure(NamedTuple):
    """How long the answers of one kind took, in milliseconds."""

    what: str
    rows: int
    n: int
    matches: int
    p50: float
    p99: float
    longest: float


class Kind(NamedTuple):
    """A kind of request: where, and with what; `page` is drawn among all there are, unless it is given."""

    what: str
    query: Callable[[random.Random], dict[str, Any]]
    path: str = "/sms-sendings"
    expected: int | None = None


def kinds(past: History) -> list[Kind]:
    """Everything that is asked for."""

    def some_time(dice: random.Random) -> str:
        span = (past.ends - past.starts).total_seconds()
        return (past.starts + timedelta(seconds=round(dice.random() * span, 3))).isoformat()

    def between(dice: random.Random) -> dict[str, Any]:
        first, last = sorted((some_time(dice), some_time(dice)))
        return {"startDate": first, "endDate": last}

    def mixed(dice: random.Random) -> dict[str, Any]:
        some = {"completed": dice.choice(["true", "false"]), "source": dice.choice(["api", "panel"])}
        return between(dice) | some

    rush = {"startDate": past.rush.isoformat(), "endDate": (past.rush + timedelta(hours=1)).isoformat()}
    code = "%06d"
    messages = f"/sms-sendings/{past.longest}"
    lists = [
        Kind("the newest", lambda _: {"page": 0}, expected=past.sendings),
        Kind("any page", lambda _: {}, expected=past.sendings),
        Kind("any page of 100", lambda _: {"limit": 100}, expected=past.sendings),
        Kind("between two dates", between),
        Kind("an hour of rush", lambda _: rush),
        Kind("completed", lambda _: {"completed": "true"}),
        Kind("not completed", lambda _: {"completed": "false"}),
        Kind("from the panel", lambda _: {"source": "panel"}),
        Kind("from the API", lambda _: {"source": "api"}),
        Kind("dates, completed, source", mixed),
    ]
    searches = [
        Kind("text: one in a hundred", lambda _: {"text": history.ONE_IN_A_HUNDRED}),
        Kind("text: a code", lambda dice: {"text": code % dice.randrange(10**6)}),
        Kind("text: nowhere", lambda _: {"text": "no such words"}),
        Kind("text, dates, completed, source", lambda d: mixed(d) | {"text": history.ONE_IN_A_HUNDRED}),
        Kind("text: two letters", lambda _: {"text": "q9"}),
    ]
    of_one = [
        Kind("messages: any page", lambda _: {}, messages),
        Kind("messages: not sent", lambda _: {"status": "not_sent"}, messages),
        Kind("messages: a number", lambda dice: {"text": f"9053000{dice.randrange(10**5):05d}"}, messages),
    ]
    return lists + searches + of_one


def measure(client: httpx.Client, kind: Kind, rows: int, n: int) -> Figure:
    """Ask n times; the page is drawn among those that the first answers of the kind told of."""
    dice = random.Random(SEED)
    took = []
    total = 0
    pages: dict[str, int] = {}
    for _ in range(n):
        query = kind.query(dice)
        if "page" not in query:
            name = str(query)
            if name not in pages:
                pages[name] = _ask(client, kind, query | {"page": 0})["totalPages"]
            query["page"] = dice.randrange(max(1, pages[name]))
        started = time.perf_counter()
        data = _ask(client, kind, query)
        took.append((time.perf_counter() - started) * 1000)
        total = max(total, data["total"])
    took.sort()
    return Figure(kind.what, rows, n, total, statistics.median(took), took[math.ceil(n * 0.99) - 1], took[-1])


def _ask(client: httpx.Client, kind: Kind, query: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(kind.path, params=query)
    if answer.status_code != 200:
        raise RuntimeError(f"{kind.what}: {answer.status_code} {answer.text}")
    data: dict[str, Any] = answer.json()["data"]
    if kind.expected is not None and data["total"] != kind.expected:
        raise RuntimeError(f"{kind.what}: {data['total']} in all, not {kind.expected}")
    limit, before = data["limit"], query["page"] * data["limit"]
    if len(data["items"]) != max(0, min(limit, data["total"] - before)):
        raise RuntimeError(f"{kind.what}: page {query['page']} has {len(data['items'])} items")
    return data


def sizes(rows: int, *, grow: bool) -> Iterator[int]:
    """The sizes to measure."""
    size = GROWN_FROM
    while grow and size < rows:
        yield size
        size *= 10
    yield rows


def run(rows: int, *, grow: bool, requests: int, console: Console) -> list[Figure]:
    """Fill and measure each size, each with a customer of its own."""
    figures: list[Figure] = []
    bar = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        Installation(log_level="error", rate_per_second=0) as ulak,
        Progress(*bar, console=console) as progress,
    ):
        ulak.start("--only", "api")
        for size in sizes(rows, grow=grow):
            user = ulak.user(f"history{size}")
            task = progress.add_task(f"{size:,} sendings: writing", total=1.0)
            past = asyncio.run(fill(ulak, UUID(user.id), size, progress, task))
            asked = kinds(past)
            task = progress.add_task(f"{size:,} sendings: asking", total=len(asked))
            client = ulak.as_user(user)
            client.timeout = 300
            for kind in asked:
                figures.append(measure(client, kind, size, requests))
                progress.advance(task)
    return figures


async def fill(
    ulak: Installation,
    tenant_id: UUID,
    size: int,
    progress: Progress,
    task: TaskID,
    service_id: UUID | None = None,
) -> History:
    """Write so long a history of a customer, past the server, while `progress` shows how far it is."""
    server = await Embedded.use(ulak.home / "data")
    db = await Database.open(server.dsn)
    try:
        return await history.write(
            db, tenant_id, size, lambda part: progress.update(task, completed=part), service_id
        )
    finally:
        await db.close()
        await server.release()


def print_table(figures: list[Figure]) -> None:
    """What was measured."""
    table = Table(title="milliseconds until the answer, by HTTP")
    for column in ("what", "of", "matches", "requests", "median", "99 %", "longest"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for figure in figures:
        times = (f"{ms:,.1f}" for ms in (figure.p50, figure.p99, figure.longest))
        table.add_row(figure.what, f"{figure.rows:,}", f"{figure.matches:,}", str(figure.n), *times)
    Console(width=110).print(table)


def main() -> None:
    """Read the arguments, fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many sendings; twice the messages")
    parser.add_argument("--grow", action="store_true", help="at 10,000 and each power of ten up to --rows")
    parser.add_argument("--requests", type=int, default=100, help="how many of each kind")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    given = parser.parse_args()
    figures = run(given.rows, grow=given.grow, requests=given.requests, console=Console(stderr=True))
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "figures": [figure._asdict() for figure in figures],
    }
    print_table(figures)
    path = keep(document, given.out, "scale-")
    print(f"Kept in {path}.")


if __name__ == "__main__":
    main()

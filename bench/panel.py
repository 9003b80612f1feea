"""`make bench-panel`: how long the server takes for each page of the panel, by HTTP, where a customer has sent a lot.

Fills a customer's history (`bench.history`), signs in as them, and asks for every kind of page again and again. Prints
a table of what the answers took, with a mark at those whose median is above `MARK_MS`; the same as JSON in
`bench-results/`. Exports are measured to their first byte, streams to the first thing they say. Nothing stays behind.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import re
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import history
from bench.history import History
from bench.scale import fill
from tests.harness import Installation

MARK_MS: Final = 100.0
PASSWORD: Final = "only for the bench"
TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
MESSAGE: Final = re.compile(r"/panel/sendings/[0-9a-f-]{36}/messages/[0-9a-f-]{36}")
SENDING: Final = re.compile(r"/panel/sendings/[0-9a-f-]{36}")


class Figure(NamedTuple):
    """How long the answers of one page took, in milliseconds, and how long a page it is."""

    what: str
    rows: int
    n: int
    kilobytes: float
    p50: float
    p99: float
    longest: float


class Kind(NamedTuple):
    """A page. `begins`: only until the first of it is there."""

    what: str
    path: str
    begins: bool = False


def kinds(past: History, sending: str, message: str) -> list[Kind]:
    """Every page of a customer."""
    longest = f"/panel/sendings/{past.longest}"
    day = past.rush.date()
    dates = f"startDate={day - timedelta(days=20)}&endDate={day + timedelta(days=20)}"
    return [
        Kind("overview", "/panel"),
        Kind("overview, moving", "/panel/live", begins=True),
        Kind("send", "/panel/send"),
        Kind("sendings", "/panel/sendings"),
        Kind("sendings, moving", "/panel/sendings/live", begins=True),
        Kind("sendings: in the middle", f"/panel/sendings?page={past.sendings // 40}"),
        Kind("sendings: the last page", f"/panel/sendings?page={max(0, (past.sendings - 1) // 20)}"),
        Kind("sendings: between two dates", f"/panel/sendings?{dates}"),
        Kind("sendings: on the way", "/panel/sendings?completed=false"),
        Kind("sendings: from the panel", "/panel/sendings?source=panel"),
        Kind("sendings: a text", f"/panel/sendings?{httpx.QueryParams(text=history.ONE_IN_A_HUNDRED)}"),
        Kind("sendings: a text that is nowhere", "/panel/sendings?text=no+such+words"),
        Kind("sendings: export, first byte", "/panel/sendings/export.csv", begins=True),
        Kind("a sending", sending),
        Kind("a sending of very many", longest),
        Kind("a sending of very many: not sent", f"{longest}?status=not_sent"),
        Kind("a sending of very many, moving", f"{longest}/live", begins=True),
        Kind("a message", message),
        Kind("credit", "/panel/credit"),
        Kind("keys", "/panel/keys"),
        Kind("developers", "/panel/developers"),
        Kind("account", "/panel/account"),
    ]


def sign_in(client: httpx.Client, name: str) -> None:
    """Come in as a person does."""
    token = TOKEN.search(client.get("/panel/sign-in").text)
    assert token
    answer = client.post("/panel/sign-in", data={"csrf": token[1], "name": name, "password": PASSWORD})
    if answer.status_code != 303:
        raise RuntimeError(f"not let in: {answer.status_code}")


def measure(client: httpx.Client, kind: Kind, rows: int, n: int) -> Figure:
    """Ask n times."""
    took, size = [], 0
    for _ in range(n):
        started = time.perf_counter()
        with client.stream("GET", kind.path) as answer:
            if answer.status_code != 200:
                raise RuntimeError(f"{kind.what}: {answer.status_code} {answer.read().decode()[:300]}")
            size = 0
            for chunk in answer.iter_raw():
                size += len(chunk)
                if kind.begins and not chunk.startswith(b"retry:"):
                    break
            took.append((time.perf_counter() - started) * 1000)
    took.sort()
    p99 = took[math.ceil(n * 0.99) - 1]
    return Figure(kind.what, rows, n, round(size / 1024, 1), statistics.median(took), p99, took[-1])


def run(rows: int, *, requests: int, console: Console) -> Iterator[Figure]:
    """Fill, sign in, measure every page."""
    bar = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        Installation(log_level="error", secure_cookies="off") as ulak,
        Progress(*bar, console=console) as progress,
    ):
        ulak.start("--only", "api")
        person = ("user", "create", "mark", "--email", "mark@example.com", "--password-stdin")
        user = ulak.cli(*person, stdin=f"{PASSWORD}\n")
        task = progress.add_task(f"{rows:,} sendings: writing", total=1.0)
        ulak.carrier("simulated", 1)
        service = UUID(ulak.service("BobSMS", "simulated"))
        past = asyncio.run(fill(ulak, UUID(user["id"]), rows, progress, task, service))
        client = ulak.client()
        client.event_hooks = {}  # nothing is kept here
        client.timeout = 300
        sign_in(client, "mark")
        sending = SENDING.search(client.get("/panel/sendings").text)
        assert sending
        message = MESSAGE.search(client.get(sending[0]).text)
        assert message
        asked = kinds(past, sending[0], message[0])
        task = progress.add_task(f"{rows:,} sendings: asking", total=len(asked))
        for kind in asked:
            client.get("/panel/keys")
            yield measure(client, kind, rows, requests)
            progress.advance(task)


def print_table(figures: list[Figure]) -> None:
    """What was measured, with what is slower than it should be."""
    table = Table(title="milliseconds until the page, by HTTP")
    for column in ("what", "of", "KB", "requests", "median", "99 %", "longest", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for figure in figures:
        times = (f"{ms:,.1f}" for ms in (figure.p50, figure.p99, figure.longest))
        slow = f"> {MARK_MS:.0f}" if figure.p50 > MARK_MS else ""
        table.add_row(
            figure.what, f"{figure.rows:,}", f"{figure.kilobytes:,.1f}", str(figure.n), *times, slow
        )
    Console(width=120).print(table)


def main() -> None:
    """Read the arguments, fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.panel", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many sendings; twice the messages")
    parser.add_argument("--requests", type=int, default=50, help="how many for each page")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    given = parser.parse_args()
    figures = list(run(given.rows, requests=given.requests, console=Console(stderr=True)))
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "figures": [figure._asdict() for figure in figures],
    }
    print_table(figures)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"panel-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"Kept in {path}.")


if __name__ == "__main__":
    main()

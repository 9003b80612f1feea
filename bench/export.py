"""How fast a customer's messages come out as CSV, and how much memory that takes.

`python -m bench.export` starts a PostgreSQL of its own, fills it with a million messages of one customer (bulks of many
sizes, some with a text for each number, and single sends), and exports them through `ulak message export`, each time in
a process of its own. The time is that of the whole process, from its start to its end; the growth of memory is the
highest resident set that the kernel saw, less that of an export of ten messages. `measure` does the same for whoever
measures everything.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg

from tests.harness import Installation, User
from tests.harness.process import ULAK
from ulak.base.embedded import Embedded
from ulak.rules import ids

MESSAGES: int = 1_000_000
FEW = 10
LOOK_EVERY_SECONDS = 0.01
FLUSHED = 60  # messages that end in the same instant: what gathers in 10 ms at 6,000 a second
TEXT = "Sayın müşterimiz, siparişiniz kargoya verildi; takip numarası: "
SENDING_COLUMNS = (
    *("tenant_id", "id", "user_id", "owner_id", "service_id", "source", "text", "search_text", "unit_price"),
    *("refund_not_sent", "refund_no_signal", "resend_unsure", "n_valid", "n_invalid", "n_pending", "n_sent"),
    *("n_not_sent", "n_refunded", "total_cost", "total_refunded", "created_at", "expires_at", "completed_at"),
)
MESSAGE_COLUMNS = (
    *("tenant_id", "sending_id", "position", "status", "parts_left", "recipient", "price", "carrier_id"),
    *("refunded", "ended_at", "network", "text", "search_text"),
)

Say = Callable[[str], None]


class Measured(NamedTuple):
    """What each round took: messages a second, and MiB above an export of ten messages."""

    per_second: list[float]
    growth_mib: list[float]


class Shape(NamedTuple):
    """A sending: how many messages, and whether each has a text of its own."""

    n: int
    own_texts: bool = False


def shapes(messages: int) -> Iterator[Shape]:
    """Sendings of so many messages in all: half of them in great bulks, a fifth in single sends."""
    tenth = messages // 10
    for _ in range(5):
        yield Shape(tenth)
    for _ in range(20):
        yield Shape(tenth // 10)
    for _ in range(10):
        yield Shape(tenth // 10, own_texts=True)
    for _ in range(messages - 5 * tenth - 30 * (tenth // 10)):
        yield Shape(1)


def measure(messages: int = MESSAGES, rounds: int = 3, say: Say = print) -> Measured:
    """Fill an installation, export it so many times, and take everything down again."""
    return asyncio.run(_measure(messages, rounds, say))


async def _measure(messages: int, rounds: int, say: Say) -> Measured:
    with Installation(log_level="error") as ulak:
        server = await Embedded.use(ulak.home / "data")  # as `ulak serve` would, beside which people export
        try:
            say(f"filling an installation with {messages:,} messages")
            await _fill(ulak, server.dsn, messages)
            measured = Measured([], [])
            _, least = _export(ulak, "few", FEW)
            for number in range(rounds):
                seconds, peak = _export(ulak, "many", messages)
                measured.per_second.append(messages / seconds)
                measured.growth_mib.append(peak - least)
                say(f"round {number + 1} of {rounds}: {seconds:.2f} s, {peak:.1f} MiB at most")
            return measured
        finally:
            await server.release()


# what is exported


async def _fill(ulak: Installation, dsn: str, messages: int) -> None:
    ulak.carrier("away", 1)
    service = UUID(ulak.service("BobSMS", "away"))
    connection = await asyncpg.connect(dsn)
    try:
        await _fill_of(connection, ulak.user("few"), service, [Shape(FEW)])
        await _fill_of(connection, ulak.user("many"), service, list(shapes(messages)))
        await connection.execute(
            "VACUUM (ANALYZE) sendings, messages"
        )  # as autovacuum has done some time later
    finally:
        await connection.close()


async def _fill_of(connection: asyncpg.Connection, user: User, service: UUID, its: list[Shape]) -> None:
    tenant = UUID(user.id)
    began = datetime(2026, 3, 1, tzinfo=UTC)
    made = [
        (ids.new_id(int(at.timestamp() * 1000)), at, shape)
        for at, shape in ((began + timedelta(milliseconds=10 * n), shape) for n, shape in enumerate(its))
    ]
    rows = (_sending(tenant, id_, service, at, shape.n) for id_, at, shape in made)
    await connection.copy_records_to_table("sendings", columns=SENDING_COLUMNS, records=rows)
    every = (row for id_, at, shape in made for row in _messages(tenant, id_, at, shape))
    await connection.copy_records_to_table("messages", columns=MESSAGE_COLUMNS, records=every)


def _sending(tenant: UUID, id_: UUID, service: UUID, at: datetime, n: int) -> tuple[object, ...]:
    failed = sum(map(_fails, range(n)))
    who = tenant, id_, tenant, tenant, service
    said = "api", TEXT, TEXT.casefold(), 42_500, True, True, True
    counted = n, 0, 0, n - failed, failed, failed, n * 42_500, failed * 42_500
    return *who, *said, *counted, at, at + timedelta(days=1), at + timedelta(seconds=9)


def _messages(tenant: UUID, sending: UUID, at: datetime, shape: Shape) -> Iterator[tuple[object, ...]]:
    for position in range(shape.n):
        failed = _fails(position)
        text = f"{TEXT}{position}" if shape.own_texts else None
        yield (
            *(tenant, sending, position, "not_sent" if failed else "sent", 0),
            *(905_550_000_000 + position, 42_500, 1, failed),
            *(at + timedelta(milliseconds=position // FLUSHED * 10), "28601", text, text and text.casefold()),
        )


def _fails(position: int) -> bool:
    return position % 12 == 7


# the export


def _export(ulak: Installation, whose: str, messages: int) -> tuple[float, float]:
    """Seconds that the process took, and its highest resident memory in MiB."""
    words = [ULAK, "message", "export", f"--user={whose}", f"--out={ulak.home / 'out.csv'}", "--json"]
    started = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ulak.environment)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mib(process.pid))
        time.sleep(LOOK_EVERY_SECONDS)
    seconds = time.monotonic() - started
    said, _ = process.communicate()
    if process.returncode or json.loads(said)["messages"] != messages:
        raise RuntimeError(f"the export did not hold {messages} messages: {said}")
    return seconds, peak


def _peak_mib(pid: int) -> float:
    """The process's high-water mark, which the kernel keeps; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    measured = measure(given.messages, given.rounds)
    for what, values, unit in (
        ("exported as CSV", measured.per_second, "messages/s"),
        ("growth of memory", measured.growth_mib, "MiB"),
    ):
        middle, low, high = statistics.median(values), min(values), max(values)
        print(f"{what}: {middle:,.1f} {unit} ({low:,.1f} to {high:,.1f})")


if __name__ == "__main__":
    main()

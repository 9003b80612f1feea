"""The demo: a whole installation in a directory of its own, real messages through it, and a look at the books.

In: where to listen, and whether to end when all came true. Out: what the screen shows, and the facts a script
would want. It starts nothing that it does not stop, and writes nothing outside its directory, which goes with it.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from ulak.admin.vault import unlock
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.base.embedded import embedded
from ulak.edge.demo import screen, shop
from ulak.edge.demo.child import Child, child
from ulak.edge.demo.customer import EXPECTED, Customer
from ulak.rules import money

DEADLINE_SECONDS: Final = 60.0
CARRIER_PORT: Final = 2775
PORTS_TRIED_MAX: Final = 100
RECEIPT_MS: Final = 1000
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """Something did not come true; the message says what."""


async def play(console: Console, port: int, *, once: bool, told: Callable[[dict[str, str]], None]) -> None:
    """Play the demo. `told` gets the facts when all came true; with `once` that is the end, otherwise Ctrl-C.

    Raises `DemoError` when something did not come true within `DEADLINE_SECONDS`, `ChildError` when a process
    failed. A stop signal before that is a `CancelledError`.
    """
    stop = asyncio.Event()
    playing = asyncio.current_task()
    assert playing
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                facts, children = await _show(console, port, stack)
        except TimeoutError:
            raise DemoError(f"It took more than {DEADLINE_SECONDS:g} s.") from None
        told(facts)
        if not once:
            for number in STOP_SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            console.print("\nServing until Ctrl-C.")
            await _serve_until(stop, children)
            console.print("Stopping …")


async def _show(
    console: Console, port: int, stack: AsyncExitStack
) -> tuple[dict[str, str], tuple[Child, ...]]:
    """Start everything, send, watch, check, tell what to try."""
    home = stack.enter_context(_home())
    config = Config(data_dir=home / "data")
    environment = _environment(config)
    log = home / "ulak.log"
    with console.status("Starting …"):
        carrier_port = _free_port(CARRIER_PORT)
        options = (f"--port={carrier_port}", f"--delay-ms={RECEIPT_MS}")
        carrier = await stack.enter_async_context(
            child("simulate-carrier", *options, environment=environment, log=home / "carrier.log")
        )
        where = f"--port={_free_port(port)}"
        server = await stack.enter_async_context(child("serve", where, environment=environment, log=log))
        database = await stack.enter_async_context(embedded(config.data_dir))
        db = await Database.open(database.dsn, connections_max=2)
        stack.push_async_callback(db.close)
        await unlock(db, config)
    url = server.ready["url"]
    screen.step(console, f"PostgreSQL runs in {config.data_dir}")
    screen.step(console, f"The API answers on {url}")
    screen.step(console, f"A simulated carrier listens on 127.0.0.1 port {carrier.ready['port']}")
    its = await shop.furnish(db, carrier.ready["port"])
    screen.step(
        console,
        f"There are the user {shop.USERNAME}, the {shop.ORGANIZATION} with a member credit of "
        f"{money.short(shop.CREDIT)}, and the service {shop.SERVICE} at {money.short(shop.PRICE)} {shop.CURRENCY}",
    )
    customer = Customer.of(its, url)
    stack.push_async_callback(customer.http.aclose)
    await _watch(console, customer)
    await _check(console, customer, db)
    facts = {
        "key": its.key,
        "organizationId": str(its.organization_id),
        "serviceId": str(its.service_id),
        "url": url,
        "username": shop.USERNAME,
        "password": its.password,
        "operator": shop.OPERATOR,
        "operatorPassword": its.operator_password,
        "carrier": f"127.0.0.1:{carrier.ready['port']}",
        "dataDir": str(config.data_dir),
        "logs": str(log),
        "ulak": str(Path(sys.argv[0])),
        "credit": customer.credit,
    }
    screen.what_next(console, facts)
    return facts, (carrier, server)


@contextmanager
def _home() -> Iterator[Path]:
    """A directory of this run's own; the database's user may pass through it."""
    home = Path(tempfile.mkdtemp(prefix="ulak-demo-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _environment(config: Config) -> dict[str, str]:
    """Ours without settings for another installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ULAK_")}
    return {**kept, "ULAK_DATA_DIR": str(config.data_dir)}


def _free_port(first: int) -> int:
    """The first port from this one on that nobody listens on."""
    for port in range(first, min(first + PORTS_TRIED_MAX, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError(f"The ports from {first} on are all taken. Choose another with --port.")


async def _watch(console: Console, customer: Customer) -> None:
    """Send, and show every move until all have ended."""
    await customer.send_all()
    console.print("\nSent: one SMS, one text to three numbers, and one to a number that will not be reached.")
    with Live(screen.state_of(customer), console=console, auto_refresh=False) as live:
        while not customer.over:
            for line in await customer.look():
                screen.move(live.console, line)
            live.update(screen.state_of(customer), refresh=True)
            await customer.pause()
    if not console.is_terminal:
        console.print()  # where nothing is drawn again, the drawing ends without a line's end


async def _check(console: Console, customer: Customer, db: Database) -> None:
    """See that everything is as it has to be; `DemoError` names the first thing that is not."""
    ends = [sorted(line.status for line in lines) for lines in customer.by_sending()]
    if ends != [sorted(expected) for expected in EXPECTED]:
        raise DemoError(f"The messages ended as {ends}, not as {EXPECTED}.")
    sizes = [len(expected) for expected in EXPECTED]
    failed = sum(end == "not_sent" for expected in EXPECTED for end in expected)
    stats = [item["stats"] for item in await customer.listed()]
    if [one["totalCost"] for one in stats] != [money.short(size * shop.PRICE) for size in sizes]:
        raise DemoError(f"The sendings cost {[one['totalCost'] for one in stats]}.")
    if sum(one["nOfRefunded"] for one in stats) != failed:
        raise DemoError(f"{sum(one['nOfRefunded'] for one in stats)} messages were refunded, not {failed}.")
    screen.step(
        console, f"Four messages were delivered; the one that failed gave back {money.short(shop.PRICE)}"
    )
    left = money.fixed(shop.CREDIT - (sum(sizes) - failed) * shop.PRICE)
    if customer.credit != left:
        raise DemoError(f"The credit is {customer.credit}, not {left}.")
    screen.step(console, f"The credit is {left}: {money.short(shop.CREDIT)} less four messages")
    if not await shop.books_are_clean(db):
        raise DemoError("The books disagree; `ulak audit` shows where.")
    screen.step(console, "The audit finds every balance and counter right")


async def _serve_until(stop: asyncio.Event, children: tuple[Child, ...]) -> None:
    """Wait for Ctrl-C, or for a process that ends without being asked to."""
    tasks = [asyncio.create_task(stop.wait()), *(asyncio.create_task(one.ended()) for one in children)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()

"""What tests share: one real PostgreSQL for the whole run, and a fresh, migrated database for each test that asks.

Every xdist worker uses the same embedded server: the first starts it, the last stops it, as the processes of an
installation do. The process that began the run makes the directory and removes it. The server promises its
data to nobody, so it writes without waiting for the disk.
"""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import pytest
from argon2 import PasswordHasher

from ulak.admin import passwords
from ulak.base.db import Database
from ulak.base.embedded import Embedded
from ulak.base.migrate import migrate
from ulak.base.secrets import Secrets, parsed

Result = TypeVar("Result")

HOME_VARIABLE: Final = (
    "TESTED_ULAK_HOME"  # how workers learn of the directory; not ULAK_…: those are settings
)
#: The secret of every database that tests open themselves, and of the commands they run in this process.
SECRET_KEY: Final = "VGVzdHMgaGF2ZSBhIHNlY3JldCB0aGF0IGV2ZXJ5Ym9keSBrbm93cy4="
SECRETS: Final = Secrets(parsed(SECRET_KEY, "the tests"))
TEMPLATE: Final = "template_of_tests"
CARELESS: Final = {
    "fsync": "off",
    "autovacuum": "off",  # one of its workers in a database would keep it from being dropped
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "min_wal_size": "80MB",
    "max_connections": "200",
}


def pytest_configure(config: pytest.Config) -> None:
    """Set the secret; in the process that began the run also make the directory, before any worker starts."""
    os.environ["ULAK_SECRET_KEYS"] = SECRET_KEY
    if not hasattr(config, "workerinput"):
        os.environ[HOME_VARIABLE] = tempfile.mkdtemp(prefix="ulak-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the process that began the run: leave nothing behind, not even of a worker that was killed."""
    if hasattr(config, "workerinput") or (home := os.environ.pop(HOME_VARIABLE, None)) is None:
        return
    if Path(home, "data/postgres/postmaster.pid").exists():
        _run(_stop(Path(home, "data")))
    shutil.rmtree(home, ignore_errors=True)


async def _stop(data_dir: Path) -> None:
    server = await Embedded.use(data_dir, settings=CARELESS)
    await server.release()


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` in an event loop of its own, whatever loop the plugin keeps in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work)).result()


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """The run's PostgreSQL, with a migrated template database in it."""
    embedded = _run(Embedded.use(Path(os.environ[HOME_VARIABLE], "data"), settings=CARELESS))
    try:
        _run(_make_template(embedded.dsn))
        yield embedded
    finally:
        _run(embedded.release())


async def _make_template(dsn: str) -> None:
    """Make the template database, unless another worker was quicker. It gets its name when it is complete."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
            return
        await connection.execute("DROP DATABASE IF EXISTS half_a_template")
        await connection.execute("CREATE DATABASE half_a_template STRATEGY file_copy")
        await migrate(in_database(dsn, "half_a_template"))
        await connection.execute(f"ALTER DATABASE half_a_template RENAME TO {TEMPLATE}")
    finally:
        await connection.close()


def in_database(dsn: str, name: str) -> str:
    """The DSN of another database on the same server."""
    return dsn.replace("@/ulak?", f"@/{name}?")


class Databases:
    """Fresh databases, each made while the test before still runs: making one takes longer than most tests."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._next = self._hand.submit(asyncio.run, self._made())

    def take(self) -> str:
        """The name of one, with the schema and no rows."""
        name = self._next.result()
        self._next = self._hand.submit(asyncio.run, self._made())
        return name

    def give_back(self, name: str) -> None:
        """Drop it, some time soon."""
        self._hand.submit(asyncio.run, self._told(f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        """Wait until all is done."""
        self._hand.shutdown()

    async def _made(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        # file_copy takes 45 ms here, wal_log 120
        await self._told(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        return name

    async def _told(self, statement: str) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases(server: Embedded) -> Iterator[Databases]:
    """This worker's."""
    its = Databases(server.dsn)
    yield its
    its.close()


@pytest.fixture
def dsn(server: Embedded, databases: Databases) -> Iterator[str]:
    """A fresh database with the schema and no rows, gone after the test."""
    name = databases.take()
    yield in_database(server.dsn, name)
    databases.give_back(name)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashes that cost next to nothing, as most tests only want to be in. `slow_passwords` takes that back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def slow_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost what they should."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher)


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    """An open pool on a fresh database."""
    database = await Database.open(dsn)
    database.secrets = SECRETS
    try:
        yield database
    finally:
        await database.close()

"""Starting before the database is there: `ulak serve` waits, says what for, and serves; or ends when it is told to.

The PostgreSQL is a machine apart, behind a proxy that refuses, says nothing, or cuts connections in their middle; or
the one that `ulak serve` keeps, on a disk that is full. What waiting does not cure ends the start at once.
"""

import asyncio
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.harness import Installation, await_true
from tests.harness.postgres import Postgres
from tests.harness.process import ULAK, heed_ctrl_c
from tests.storm.proxy import Proxy
from tests.story.test_processes import workers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("start")]

WAITS: Final = "waiting_for_database"
AT_ONCE_SECONDS: Final = 3
ROOMY: Final = "size=1g"
#: Enough for directories, and not for a cluster.
NARROW: Final = "size=8m"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def ulak(postgres: Postgres) -> Iterator[Installation]:
    """An installation that has not been started, with a database of its own."""
    postgres.sql("DROP DATABASE IF EXISTS ulak WITH (FORCE)")
    postgres.sql("CREATE DATABASE ulak")
    with Installation(database_url=postgres.dsn) as installation:
        yield installation


@asynccontextmanager
async def behind_proxy(postgres: Postgres, ulak: Installation) -> AsyncIterator[Proxy]:
    """Something between the two."""
    proxy = Proxy(lambda: postgres.port)
    port = await proxy.start()
    ulak.environment["ULAK_DATABASE_URL"] = postgres.dsn.replace(f":{postgres.port}/", f":{port}/")
    try:
        yield proxy
    finally:
        await proxy.stop()


async def seen(look: Callable[[], object], what: str) -> None:
    """Wait, and let the proxy work meanwhile."""
    await asyncio.to_thread(await_true, look, what)


@contextmanager
def starting(ulak: Installation, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`ulak serve`, of which nobody expects that it becomes ready."""
    with ulak.log_path.open("ab") as log:
        process = subprocess.Popen(
            [ULAK, "serve", "--port=0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=ulak.environment,
            preexec_fn=heed_ctrl_c,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def logged(ulak: Installation, word: str) -> bool:
    """Whether a word stands in the log."""
    return ulak.log_path.exists() and word in ulak.log


def status_of(ulak: Installation) -> int:
    with ulak.client() as client:
        return client.get("/readyz").status_code


# --- a server of one's own


async def test_a_server_that_is_not_up_yet_is_waited_for() -> None:
    with Postgres() as late, Installation(database_url=late.dsn) as ulak:
        late.kill()
        start = asyncio.create_task(asyncio.to_thread(ulak.start))
        await seen(lambda: logged(ulak, WAITS), "it says that it waits")
        line = next(line for line in ulak.log.splitlines() if WAITS in line)
        assert f"127.0.0.1:{late.port}" in line
        assert "refused" in line
        late.start()
        await start
        assert logged(ulak, "database_is_there")
        assert status_of(ulak) == 200


async def test_a_way_that_refuses_is_waited_for(postgres: Postgres, ulak: Installation) -> None:
    async with behind_proxy(postgres, ulak) as proxy:
        proxy.away = True
        start = asyncio.create_task(asyncio.to_thread(ulak.start))
        await seen(lambda: logged(ulak, WAITS), "it says that it waits")
        proxy.away = False
        await start
        assert await asyncio.to_thread(status_of, ulak) == 200
        await asyncio.to_thread(ulak.stop)


@pytest.mark.parametrize("pieces", [1, 4, 8, 20, 60, 150])
async def test_a_database_that_is_cut_off_in_the_middle_of_the_start_is_waited_for(
    postgres: Postgres, ulak: Installation, pieces: int
) -> None:
    async with behind_proxy(postgres, ulak) as proxy:
        proxy.fuse = pieces
        await asyncio.to_thread(ulak.start)
        assert not proxy.fuse, "nothing was cut"
        assert logged(ulak, WAITS)
        assert await asyncio.to_thread(status_of, ulak) == 200
        await asyncio.to_thread(ulak.stop)


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("silent", [False, True])
async def test_who_waits_ends_at_once_when_told_to(
    postgres: Postgres, ulak: Installation, ends: signal.Signals, silent: bool
) -> None:
    async with behind_proxy(postgres, ulak) as proxy:
        if silent:
            proxy.hold()
        else:
            proxy.away = True
        with starting(ulak) as process:
            await seen(lambda: proxy.connections if silent else logged(ulak, WAITS), "it waits")
            told = time.monotonic()
            process.send_signal(ends)
            assert await asyncio.to_thread(process.wait, 30) == 0
            assert time.monotonic() - told < AT_ONCE_SECONDS


async def test_a_child_that_waits_is_told_to_end_too(postgres: Postgres, ulak: Installation) -> None:
    async with behind_proxy(postgres, ulak) as proxy:
        await asyncio.to_thread(ulak.start)
        proxy.away = True
        proxy.cut()
        for pid in workers(ulak):
            os.kill(pid, signal.SIGKILL)
        await seen(lambda: ulak.log.count(WAITS) >= 2, "both wait again")
        told = time.monotonic()
        await asyncio.to_thread(ulak.stop)
        assert time.monotonic() - told < AT_ONCE_SECONDS


INCURABLE: Final[dict[str, Callable[[Postgres], tuple[str, str]]]] = {
    "a password that is wrong": lambda p: (
        p.dsn.replace("ulak@", "guarded:wrong@"),
        "password authentication failed",
    ),
    "a database that is not there": lambda p: (p.dsn + "x", "does not exist"),
    "a user that is not there": lambda p: (p.dsn.replace("ulak@", "nobody@"), "does not exist"),
    "a port that is none": lambda p: (p.dsn.replace(str(p.port), "many"), "many"),
    "a scheme that is none": lambda p: (p.dsn.replace("postgresql", "mysql"), "mysql"),
    "no address at all": lambda p: ("nonsense", "nonsense"),
    "a mode that is none": lambda p: (p.dsn + "?sslmode=maybe", "sslmode"),
}


@pytest.mark.parametrize("name", INCURABLE)
def test_what_waiting_does_not_cure_is_said_at_once(
    postgres: Postgres, ulak: Installation, name: str
) -> None:
    rules = postgres.data / "pg_hba.conf"
    if "guarded" not in rules.read_text():
        rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        postgres.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        postgres.sql("SELECT pg_reload_conf()")
    dsn, words = INCURABLE[name](postgres)
    ulak.environment["ULAK_DATABASE_URL"] = dsn

    done = subprocess.run(
        [ULAK, "serve", "--port=0"],
        capture_output=True,
        text=True,
        env=ulak.environment,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "cannot be used" in done.stderr
    assert "ULAK_DATABASE_URL" in done.stderr
    assert "wrong" not in done.stderr
    assert words in done.stderr or name == "no address at all"


# --- the one that is kept


@pytest.fixture
def narrow() -> Iterator[Installation]:
    """An installation whose data directory is a small file system of its own."""
    with Installation() as installation:
        data = installation.home / "data"
        data.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"{NARROW},mode=0755", "ulak", data]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield installation
        finally:
            installation.stop_postgres()
            subprocess.run(["umount", data], check=False)


def test_a_full_disk_is_waited_for(narrow: Installation) -> None:
    with starting(narrow) as process:
        await_true(lambda: logged(narrow, WAITS), "it says that it waits")
        assert "is full" in narrow.log
        subprocess.run(["mount", "-o", f"remount,{ROOMY}", narrow.home / "data"], check=True)
        await_true(lambda: logged(narrow, "serving"), "it serves")
        process.terminate()
        assert process.wait(30) == 0


def test_who_waits_for_another_that_starts_it_ends_at_once_when_told_to() -> None:
    with Installation() as ulak:
        data = ulak.home / "data"
        data.mkdir()
        with (data / "change.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with starting(ulak) as process:
                await_true(lambda: hears(process.pid, signal.SIGTERM), "it has begun")
                told = time.monotonic()
                process.terminate()
                assert process.wait(30) == 0
                assert time.monotonic() - told < AT_ONCE_SECONDS


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether a process has said what it does at a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> (number - 1) & 1)

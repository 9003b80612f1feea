"""The embedded server as its users see it: started, shared, killed in every way, and never left behind.

Real servers in directories of their own. Another user of the same server is another process, told over its
standard input what to do. As root, the directories here are 0700 (as `mktemp -d` makes them), so every test also
goes through the private mount namespace; `test_reach.py` looks at that closely.
"""

# ruff: noqa: ASYNC240 - small files and processes of others, which announce nothing

import asyncio
import os
import stat
from pathlib import Path

import asyncpg
import pytest

from tests.base.test_embedded.users import OtherUser, kill_server, pid_of_server, sockets_of, value
from ulak.base.embedded import Embedded, EmbeddedError, embedded, process, server
from ulak.base.embedded.place import Place

pytestmark = pytest.mark.slow

QUICK = {"fsync": "off", "shared_buffers": "32MB"}


async def test_first_use_makes_a_database_with_unicode_and_without_a_network(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK) as database:
        seen = await value(
            database.dsn,
            "SELECT current_user || ' ' || current_database() || ' ' || getdatabaseencoding()"
            " || ' ' || (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
            " || ' ' || ('şeker' ILIKE 'ŞEKER') || ' [' || current_setting('listen_addresses') || '] '"
            " || current_setting('data_checksums')",
        )
    assert seen == "ulak ulak UTF8 false true [] on"


async def test_what_was_written_is_there_after_the_last_user_left(data_dir: Path) -> None:
    async with embedded(data_dir) as database:
        await value(database.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = pid_of_server(data_dir)
        sockets = sockets_of(database.dsn)
    assert not process.is_alive(pid)
    assert not sockets.exists()
    async with embedded(data_dir) as database:
        assert await value(database.dsn, "SELECT answer FROM kept") == 42


async def test_release_twice_is_harmless_and_a_finished_use_says_so(data_dir: Path) -> None:
    database = await Embedded.use(data_dir, settings=QUICK)
    await database.release()
    await database.release()
    with pytest.raises(EmbeddedError, match="has ended"):
        await database.ensure()


async def test_two_processes_share_a_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    async with OtherUser(data_dir) as other:
        await other.ready()
        pid = pid_of_server(data_dir)
        database = await Embedded.use(data_dir)
        await other.leave()
        assert await value(database.dsn, "SELECT 1") == 1
        assert pid_of_server(data_dir) == pid
        await database.release()
    assert not process.is_alive(pid)


async def test_a_server_whose_users_were_all_killed_is_adopted_and_then_stopped(data_dir: Path) -> None:
    async with OtherUser(data_dir) as other:
        await other.ready()
        pid = pid_of_server(data_dir)
        await other.kill()
    assert process.is_alive(pid)
    async with embedded(data_dir) as database:
        assert pid_of_server(data_dir) == pid
        assert await value(database.dsn, "SELECT 1") == 1
    assert not process.is_alive(pid)


async def test_ctrl_c_in_one_terminal_leaves_the_server_to_the_others(data_dir: Path) -> None:
    async with OtherUser(data_dir) as other:
        await other.ready()
        async with embedded(data_dir) as database:
            await other.interrupt()
            assert await value(database.dsn, "SELECT 1") == 1


async def test_ensure_starts_a_killed_server_again_and_nothing_committed_is_lost(data_dir: Path) -> None:
    async with embedded(data_dir) as database:
        dsn = database.dsn
        await value(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        await kill_server(data_dir)
        assert await database.ensure()
        assert database.dsn == dsn
        assert await value(dsn, "SELECT answer FROM kept") == 42
        assert not await database.ensure()


async def test_a_killed_server_with_a_busy_backend_comes_back(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_ORPHAN_SECONDS", 0.3)
    database = await Embedded.use(data_dir, settings=QUICK)
    connection = await asyncpg.connect(database.dsn)
    backend = connection.get_server_pid()
    busy = asyncio.create_task(connection.execute("DO $$BEGIN LOOP END LOOP; END$$"))
    await _until_running(database.dsn, backend)
    await kill_server(data_dir)
    try:
        assert await database.ensure()
        assert not process.is_alive(backend)
        assert await value(database.dsn, "SELECT 1") == 1
    finally:
        connection.terminate()
        with pytest.raises((asyncpg.PostgresError, ConnectionError)):
            await busy
        await database.release()


async def _until_running(dsn: str, backend: int) -> None:
    query = f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {backend}"
    while not await value(dsn, query):
        await asyncio.sleep(0)


async def test_pid_files_of_a_dead_server_with_pids_of_the_living_are_seen_through(data_dir: Path) -> None:
    database = await Embedded.use(data_dir, settings=QUICK)
    pid = await kill_server(data_dir)
    await process.sweep(Place.of(data_dir).name, os.stat(data_dir / "postgres").st_uid, 5)
    for lock in (data_dir / "postgres/postmaster.pid", sockets_of(database.dsn) / ".s.PGSQL.5432.lock"):
        lock.write_text(lock.read_text().replace(str(pid), str(os.getpid()), 1))
    assert await database.ensure()
    assert await value(database.dsn, "SELECT 1") == 1
    await database.release()


async def test_three_processes_may_come_first_at_once(data_dir: Path) -> None:
    async with OtherUser(data_dir) as one, OtherUser(data_dir) as two, OtherUser(data_dir) as three:
        dsns = {await user.ready() for user in (one, two, three)}
        pid = pid_of_server(data_dir)
        assert len(dsns) == 1
        assert await value(dsns.pop(), "SELECT 1") == 1
        await asyncio.gather(one.leave(), two.leave(), three.leave())
    assert not process.is_alive(pid)


@pytest.mark.slow
async def test_users_that_come_and_go_all_the_time_never_find_it_closed(data_dir: Path) -> None:
    async def come_and_go() -> int:
        served = 0
        for _ in range(8):
            async with embedded(data_dir, settings=QUICK) as database:
                served += await value(database.dsn, "SELECT 1")
        return served

    assert await asyncio.gather(*(come_and_go() for _ in range(4))) == [8, 8, 8, 8]
    assert not process.is_launching(Place.of(data_dir).name)


async def test_a_user_killed_while_the_cluster_is_made_leaves_nothing_that_blocks(data_dir: Path) -> None:
    async with OtherUser(data_dir) as other:
        while not list(data_dir.glob(".postgres-*")):
            await asyncio.sleep(0)
        await other.kill()
    async with embedded(data_dir, settings=QUICK) as database:
        assert await value(database.dsn, "SELECT 1") == 1
        assert not list(data_dir.glob(".postgres-*"))


async def test_giving_up_while_it_starts_leaves_no_server(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK):
        pass
    use = asyncio.create_task(Embedded.use(data_dir))
    while not process.is_launching(Place.of(data_dir).name):
        await asyncio.sleep(0)
    use.cancel()
    with pytest.raises(asyncio.CancelledError):
        await use
    assert not process.is_launching(Place.of(data_dir).name)


async def test_a_server_that_takes_long_to_recover_is_left_at_it(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK):
        pass
    with pytest.raises(EmbeddedError, match="Try again"):
        await Embedded.use(data_dir, wait_seconds=0)
    assert process.is_launching(Place.of(data_dir).name)
    async with embedded(data_dir) as database:
        assert await value(database.dsn, "SELECT 1") == 1


async def test_the_socket_is_behind_a_directory_of_its_own(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK) as database:
        state = sockets_of(database.dsn).lstat()
        assert stat.S_IMODE(state.st_mode) == 0o700
        assert state.st_uid == (data_dir / "postgres").lstat().st_uid
        sockets_of(database.dsn).chmod(0o755)
        with pytest.raises(EmbeddedError, match="open to others"):
            await Embedded.use(data_dir)


async def test_the_log_never_quotes_what_a_customer_wrote(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK) as database:
        await value(database.dsn, "CREATE TABLE texts (text text UNIQUE)")
        connection = await asyncpg.connect(database.dsn)
        try:
            await connection.execute("INSERT INTO texts VALUES ($1)", "code 123456")
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute("INSERT INTO texts VALUES ($1)", "code 123456")
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute("INSERT INTO texts VALUES ('code 123456')")
        finally:
            await connection.close()
    log = "".join(path.read_text() for path in (data_dir / "postgres/log").glob("*.log"))
    assert "duplicate key" in log
    assert "123456" not in log


async def test_an_operators_setting_wins_over_ulaks_but_opens_no_port(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK):
        pass
    with (data_dir / "postgres/postgresql.conf").open("a") as conf:
        conf.write("work_mem = 9MB\nlisten_addresses = '127.0.0.1'\n")
    async with embedded(data_dir, settings=QUICK) as database:
        query = "SELECT current_setting('work_mem') || current_setting('listen_addresses')"
        assert await value(database.dsn, query) == "9MB"


async def test_a_cluster_of_another_version_is_named(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK):
        pass
    (data_dir / "postgres/PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 16"):
        await Embedded.use(data_dir)


async def test_a_setting_that_postgresql_refuses_is_named(data_dir: Path) -> None:
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        await Embedded.use(data_dir, settings={"no_such_setting": "1"})


async def test_a_data_directory_that_is_a_file_is_refused(data_dir: Path) -> None:
    data_dir.write_text("not a directory")
    with pytest.raises(EmbeddedError, match="not a directory"):
        await Embedded.use(data_dir)


async def test_something_else_in_the_clusters_place_is_not_touched(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres/thesis.txt").write_text("years of work")
    with pytest.raises(EmbeddedError, match="not a PostgreSQL cluster"):
        await Embedded.use(data_dir)
    assert (data_dir / "postgres/thesis.txt").read_text() == "years of work"

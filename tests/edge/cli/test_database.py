"""The command line and databases: what cannot be used, what gets lost, who stands in the way, and the schema."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import pytest
import typer

from tests.edge.cli.conftest import CommandLine
from tests.harness.process import ULAK, heed_ctrl_c
from ulak.base.db import Database
from ulak.base.migrate import migrate
from ulak.edge.cli.session import TRIES_MAX, with_database
from ulak.rules.refusal import Code, Refused

pytestmark = pytest.mark.slow


def emptied(dsn: str) -> str:
    """The same database without any schema of ours."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(work())
    return dsn


# --- the schema


def test_migrate_says_what_it_did_and_then_that_nothing_is_left(cli: CommandLine, dsn: str) -> None:
    emptied(dsn)

    applied = cli("migrate")["applied"]

    assert applied == sorted(applied)
    assert applied[0].startswith("0001")
    assert cli("migrate") == {"applied": []}
    assert cli.text("migrate") == "Nothing to do.\n"
    assert cli("audit")["clean"] is True


def test_migrate_names_for_people_what_it_applied(cli: CommandLine, dsn: str) -> None:
    emptied(dsn)

    assert "0001" in cli.text("migrate")


def test_many_that_migrate_at_once_apply_everything_once(cli: CommandLine, dsn: str) -> None:
    emptied(dsn)

    async def together() -> list[list[str]]:
        return await asyncio.gather(*(migrate(dsn) for _ in range(4)))

    assert sorted(map(bool, asyncio.run(together()))) == [False, False, False, True]
    assert cli("migrate") == {"applied": []}


def test_a_database_that_lacks_one_migration_is_refused_by_its_name(cli: CommandLine, dsn: str) -> None:
    async def forget() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("DELETE FROM schema_migrations WHERE name LIKE '0001%'")
        await connection.close()

    asyncio.run(forget())

    assert "0001" in cli.fails("user", "list")


# --- where it is


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://[::1/x",
        "postgresql://127.0.0.1:port/x",
        "postgresql://127.0.0.1:99999/x",
        "mysql://u:hunter2@127.0.0.1/x",
        "postgresql://u:hunter2@127.0.0.1:1/x?sslmode=perhaps",
        "postgresql:///x?host=/nowhere&password=hunter2",
        "postgresql://127.0.0.1:1/x?password=hunter2",
    ],
)
def test_a_url_that_leads_nowhere_is_one_sentence_without_the_password(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ULAK_DATABASE_URL", url)

    for words in (["user", "list"], ["migrate"]):
        said = cli.fails(*words)

        assert "ULAK_DATABASE_URL" in said
        assert "hunter2" not in said


def test_a_database_that_the_server_does_not_have(
    cli: CommandLine, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ULAK_DATABASE_URL", dsn.replace("/test_", "/no_test_"))

    assert "does not exist" in cli.fails("user", "list")
    assert "does not exist" in cli.fails("migrate")


def test_somebody_who_may_not_come_in(cli: CommandLine, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    user = dsn.split("://")[1].split("@")[0]
    monkeypatch.setenv("ULAK_DATABASE_URL", dsn.replace(f"://{user}@", "://stranger:hunter2@"))

    assert "hunter2" not in cli.fails("user", "list")


# --- while it works


def ending(capsys: pytest.CaptureFixture[str], work: Callable[[Database], Awaitable[object]]) -> str:
    """What is said when this work ends the command with exit code 1."""
    with pytest.raises(typer.Exit) as end:
        with_database(work)
    assert end.value.exit_code == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    return said.err


def test_a_connection_that_gets_lost_leaves_the_question_whether_it_was_done(
    cli: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cut(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")

    assert "Look whether it was done." in ending(capsys, cut)


def test_who_collides_tries_again_and_then_it_works(cli: CommandLine) -> None:
    tries = 0

    async def collide_once(db: Database) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncpg.DeadlockDetectedError
        return "done"

    assert with_database(collide_once) == "done"
    assert tries == 2


def test_who_keeps_colliding_gives_up_with_a_sentence(
    cli: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = 0

    async def collide(db: Database) -> None:
        nonlocal tries
        tries += 1
        raise asyncpg.SerializationError

    assert "Try again." in ending(capsys, collide)
    assert tries == TRIES_MAX


def test_a_mistake_of_ours_is_no_sentence(cli: CommandLine) -> None:
    async def stumble(db: Database) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_database(stumble)


def test_for_debugging_a_refusal_keeps_its_traceback(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ULAK_LOG_LEVEL", "debug")

    async def refuse(db: Database) -> None:
        raise Refused(Code.INVALID_VALUE, "No.")

    with pytest.raises(Refused):
        with_database(refuse)


# --- while somebody stands in the way


BLOCKED: Final = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""


async def stopped_by(number: signal.Signals, db: Database, dsn: str) -> tuple[int, str, str]:
    """A command that waits for a lock gets this signal: its exit code, its stdout, its stderr."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ULAK_")}
    async with db.transaction() as tx, db.reading() as beside:
        await tx.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        command = await asyncio.create_subprocess_exec(
            *(str(ULAK), "user", "create", "mark", "--email=mark@example.com"),
            env=environment | {"ULAK_DATABASE_URL": dsn, "ULAK_SECRET_KEYS": os.environ["ULAK_SECRET_KEYS"]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=heed_ctrl_c,
        )
        try:
            async with asyncio.timeout(30):
                while not await beside.fetchval(BLOCKED):
                    await asyncio.sleep(0.02)
                command.send_signal(number)
                out, err = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
                await command.communicate()
    assert command.returncode is not None
    return command.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
    ],
    ids=["SIGINT", "SIGTERM"],
)
async def test_a_command_that_is_stopped_ends_at_once_and_did_nothing(
    db: Database, dsn: str, number: signal.Signals
) -> None:
    code, out, err = await stopped_by(number, db, dsn)

    assert code != 0
    assert out == ""
    assert "Traceback" not in err
    async with db.reading() as tx:
        assert await tx.fetchval("SELECT count(*) FROM users") == 0
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
        assert await tx.fetchval(query) == 1  # only this one

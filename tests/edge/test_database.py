"""Waiting for a database: what is waited for, what is not, how it ends, and what people are told of where it is."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from ulak.base.embedded import EmbeddedError, PassingError
from ulak.edge.database import address, patiently, reason, unless, unusable

DSN = "postgresql://mark:secret@db.example:5433/ulak"


def failing(*errors: Exception) -> Callable[[], Awaitable[str]]:
    """Fails so, one after the other, and then does not."""
    left = list(errors)

    async def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        FileNotFoundError(2, "No such file or directory"),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        PassingError("The disk is full."),
    ],
)
async def test_what_passes_is_waited_for(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ulak.edge.database.RETRY_SECONDS", 0)

    assert await patiently(failing(error, error), "there") == "done"


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        asyncpg.exceptions.ClientConfigurationError("invalid DSN"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InsufficientPrivilegeError("permission denied for schema public"),
        asyncpg.PostgresSyntaxError("syntax error"),
        EmbeddedError("It was made by another version."),
        ValueError("a bug"),
    ],
)
async def test_what_stays_is_raised_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        await patiently(failing(error), "there")


async def test_who_is_told_to_stop_leaves_the_work() -> None:
    stop, left = asyncio.Event(), asyncio.Event()

    async def for_ever() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            left.set()

    assert await unless(stop, for_ever()) is None
    assert left.is_set()


async def test_work_that_is_done_is_handed_over() -> None:
    assert await unless(asyncio.Event(), asyncio.sleep(0, "done")) == "done"


@pytest.mark.parametrize(
    ("dsn", "where"),
    [
        (DSN, "db.example:5433"),
        ("postgresql://ulak:s@one:1,two:2/ulak?target_session_attrs=read-write", "one:1,two:2"),
        ("postgresql://ulak@/ulak?host=/run/pg&port=5432", "/run/pg"),
        ("postgresql://ulak:s@[::1/ulak", ""),
        ("nonsense", ""),
    ],
)
def test_where_it_is_said_without_who_comes_and_how(dsn: str, where: str) -> None:
    assert address(dsn) == where


def test_a_sentence_says_what_to_do_and_no_password() -> None:
    said = str(unusable(DSN, ValueError("no\n such  thing")))

    assert said == "The database at db.example:5433 cannot be used: no such thing. Look at ULAK_DATABASE_URL."
    assert reason(TimeoutError()) == "TimeoutError"

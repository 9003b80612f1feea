"""What every command does around its own work: settings, the database, the answer, and the end when it fails.

In: the environment, a piece of work for one of `admin`'s rooms, what came of it. Out: one JSON value or a sentence
or table on standard output; when people can mend what is wrong, one sentence on standard error and exit code 1.
With `ULAK_DATABASE_URL` the database is a server somebody else looks after; without, the embedded one, which a
command joins when it runs and otherwise starts and stops. Never holds a transaction; that is `admin`'s. Everything
that is shown passes through here, where texts of customers and carriers lose what a terminal would take for orders.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, NoReturn, TypeVar

import asyncpg
import typer

from ulak.admin.vault import unlock
from ulak.base.config import Config, ConfigError
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.base.embedded import Embedded, EmbeddedError
from ulak.base.harmless import harmless, on_a_line
from ulak.base.migrate import migrate, pending
from ulak.base.secrets import SecretsError
from ulak.edge.database import reason, unusable
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON value.")]
"""The option that every command takes, as its last."""

TRIES_MAX: Final = 3
STOPPED: Final = 128 + signal.SIGTERM
CONNECTIONS_MAX: Final = 2
FILE_COLUMNS: Final = 240
"""Width of a table that is not shown on a terminal, so that each row stays on one line."""

UNUSABLE: Final[tuple[type[Exception], ...]] = (
    *UNREACHABLE,
    ValueError,
    OverflowError,
    asyncpg.PostgresError,
)
"""What opening a database raises: nobody there, a DSN that is none, or a server that refuses us."""

T = TypeVar("T")


# the settings and the end


def config() -> Config:
    """The settings of this process."""
    try:
        return Config.from_environment(os.environ)
    except ConfigError as error:
        fail(str(error))


def actor() -> Actor:
    """Who stands in the audit log for this command: "cli:" and the user of the operating system."""
    import pwd

    try:
        return Actor(f"cli:{pwd.getpwuid(os.getuid()).pw_name}")
    except KeyError:  # a container may run as a number without a name
        return Actor(f"cli:{os.getuid()}")


def fail(sentence: str) -> NoReturn:
    """End the command with exit code 1, and say why."""
    sys.stderr.write(on_a_line(sentence) + "\n")
    raise typer.Exit(1)


def attempt(work: Callable[[], T]) -> T:
    """Run a command's work; what people can mend ends in one sentence and exit code 1."""
    try:
        return work()
    except (Refused, ConfigError, SecretsError, EmbeddedError, OSError, asyncpg.PostgresError) as error:
        if os.environ.get("ULAK_LOG_LEVEL") == "debug":
            raise
        if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.DataError) and _unwritable(
            error
        ):
            fail("A word of this command is no text that can be kept: it is not UTF-8, or holds a NUL.")
        fail(reason(error))


def _unwritable(error: Exception) -> bool:
    """Whether the driver or the server could not write a text down."""
    return isinstance(error, asyncpg.CharacterNotInRepertoireError) or isinstance(
        error.__cause__, UnicodeEncodeError
    )


# the database


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Do one piece of work on the database, and give everything back, also after Ctrl-C or SIGTERM."""
    settings = config()
    try:
        return attempt(lambda: asyncio.run(_work(settings, work)))
    except asyncio.CancelledError:  # SIGTERM; the transaction did not commit
        raise typer.Exit(STOPPED) from None


async def _work(settings: Config, work: Callable[[Database], Awaitable[T]]) -> T:
    me = asyncio.current_task()
    assert me
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with opened(settings) as db:
        return await _patiently(db, work)


async def _patiently(db: Database, work: Callable[[Database], Awaitable[T]]) -> T:
    """The work is one transaction, so one that collided with another did nothing and is done again."""
    for _ in range(TRIES_MAX):
        try:
            return await work(db)
        except COLLISION:
            continue
        except UNREACHABLE as error:
            raise Refused(
                Code.UNAVAILABLE,
                f"The connection to the database was lost ({reason(error)}). Look whether it was done.",
            ) from error
    raise Refused(Code.UNAVAILABLE, "Somebody else keeps changing the same thing. Try again.")


@asynccontextmanager
async def opened(settings: Config) -> AsyncIterator[Database]:
    """The database of these settings, open, unlocked and up to date; the embedded one is made and migrated as needed.

    Refused with a sentence when a server does not answer or lacks migrations; `EmbeddedError` when the embedded
    one cannot be used.
    """
    if settings.database_url is not None:
        async with connected(settings.database_url) as db:
            await _refuse_when_behind(db)
            await unlock(db, settings)
            yield db
        return
    server = await Embedded.use(settings.data_dir)
    try:
        await migrate(server.dsn)
        async with connected(server.dsn) as db:
            await unlock(db, settings)
            yield db
    finally:
        await server.release()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Database]:
    """The database of a DSN, whatever state its schema is in; refused with a sentence when it cannot be used."""
    try:
        db = await Database.open(dsn, connections_max=CONNECTIONS_MAX)
    except UNUSABLE as error:
        raise unusable(dsn, error) from error
    try:
        yield db
    finally:
        await db.close()


async def _refuse_when_behind(db: Database) -> None:
    async with db.reading() as tx:
        missing = await pending(tx)
    if missing:
        raise Refused(Code.UNAVAILABLE, f"The database lacks {', '.join(missing)}. Run `ulak migrate` first.")


# the answer


def answer(value: Any, json_: bool, sentence: str | None = None) -> None:
    """Answer with one JSON value or, for people, a sentence; a list without one becomes a table."""
    if json_:
        import json

        text = json.dumps(value, ensure_ascii=False)
    elif sentence is not None:
        text = sentence
    elif not value:
        text = "There are none yet."
    else:
        return _table(value)
    sys.stdout.write(harmless(text) + "\n")
    sys.stdout.flush()


def _table(rows: Sequence[dict[str, Any]]) -> None:
    """Rows of the same fields, under their names."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    width = None if sys.stdout.isatty() else FILE_COLUMNS
    # Names are somebody's text: nothing in them is markup.
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


def _cell(value: object) -> str:
    """A field for people, on one line: lists joined, nothing as a dash."""
    if isinstance(value, list):
        return on_a_line(", ".join(map(str, value))) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None or value == "" else on_a_line(str(value))

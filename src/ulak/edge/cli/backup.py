"""`ulak backup` and `ulak restore`: everything in one file while it is in use, and a database from such a file.

In: a path. Out: a file that was read back to its end, or a database whose books `ulak audit` has proved. Neither ever
replaces anything: a file that is there, a database with tables, a directory with something in it are refused. Whoever
stops them, and however politely, leaves nothing half done.
"""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from ulak.admin import audit, carriers, trail, vault
from ulak.base import archive
from ulak.base.archive import ArchiveError
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.base.embedded import Embedded
from ulak.base.migrate import migrate, pending
from ulak.edge.cli.session import STOPPED, Json, actor, answer, attempt, config, connected
from ulak.edge.cli.working import Tell, working
from ulak.edge.database import database_server
from ulak.rules.refusal import Code, Refused

_MIB: Final = 1024 * 1024

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A new file, or a directory: the file is named by the time."),
    ],
    json_: Json = False,
) -> None:
    """Write everything into one file, as it is at this moment, while Ulak serves; then read it back.

    The file holds texts and numbers as they are: keep it as you keep the database. API keys and passwords are in it as
    hashes, carriers' passwords and second factors sealed with the secret, which is not in it.

    Example: ulak backup /var/backups/ulak/
    """
    settings = config()
    path = file / f"ulak-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.backup" if file.is_dir() else file
    done = _cancellable(lambda: _back_up(settings, path, watched=not json_))
    what = f"{done['tables']} tables, {done['bytes']:,} bytes, {done['seconds']:g} s"
    told = f"Wrote {done['file']} ({what}); it was read back to its end.\n"
    told += "The secret (secret.key in the data directory, or ULAK_SECRET_KEYS) is not in it: keep that elsewhere."
    answer(done, json_, told)


async def _back_up(settings: Config, path: Path, *, watched: bool) -> dict[str, Any]:
    started = time.monotonic()
    async with database_server(settings) as dsn, connected(dsn) as db:
        if await archive.is_empty(dsn):
            raise Refused(Code.NOT_ALLOWED, "There is nothing to back up: the database has no tables.")
        with archive.beside(path) as part:
            with _telling("Backing up", watched, part) as tell:
                await archive.write(dsn, part, tell)
            with _telling("Reading it back", watched) as tell:
                tables = await archive.check(part)
            if "schema_migrations" not in tables:
                raise ArchiveError("What was written is not whole. Look at the disk, and try again.")
            n_bytes = part.stat().st_size
        await _noted(db, path, n_bytes)
    seconds = round(time.monotonic() - started, 1)
    return {"file": str(path), "bytes": n_bytes, "tables": len(tables), "seconds": seconds}


async def _noted(db: Database, path: Path, n_bytes: int) -> None:
    """In the audit log, unless migrations are missing: then it may not be as we know it, and is only copied."""
    async with db.reading() as tx:
        behind = await pending(tx)
    if not behind:
        await trail.note(db, actor(), "backup", str(path), bytes=n_bytes)


def restore(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="What `ulak backup` wrote.")
    ],
    into: Annotated[
        str | None, typer.Option(metavar="NAME", help="Into a new database of this name on the same server.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Into an embedded database of its own in this new directory."),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="Leave the carriers as they were instead of pausing them.")
    ] = False,
    json_: Json = False,
) -> None:
    """Make a database from a backup, bring its schema up to date, and prove its books.

    With neither --into nor --data-dir it goes into the database of these settings, which must be empty. What waited
    when the backup was made may have gone out since: every carrier is paused, until you say otherwise.

    Example: ulak restore ulak-2026-03-01T020000Z.backup --into ulak_march
    """
    if into is not None and data_dir is not None:
        raise typer.BadParameter("Choose one of --into and --data-dir.")
    settings = config()
    done = _cancellable(
        lambda: _restore(settings, file, into, data_dir, pausing=not go_on, watched=not json_)
    )
    answer(done, json_, _told(done))
    if not done["clean"]:
        raise typer.Exit(1)


async def _restore(
    settings: Config, file: Path, into: str | None, data_dir: Path | None, *, pausing: bool, watched: bool
) -> dict[str, Any]:
    started = time.monotonic()
    with working("Reading the backup", watched):
        if "schema_migrations" not in await archive.check(file):
            raise Refused(Code.INVALID_VALUE, f"{file} is a backup of something else than Ulak.")
    async with _target(settings, into, data_dir) as (dsn, where):
        with _telling("Restoring", watched) as tell:
            await archive.load(dsn, file, tell)
        applied = await migrate(dsn)
        with working("Proving its books", watched):
            found = await _finished(dsn, file, pausing=pausing)
    seconds = round(time.monotonic() - started, 1)
    return {"file": str(file), "restoredTo": where, "applied": applied, **found, "seconds": seconds}


async def _finished(dsn: str, file: Path, *, pausing: bool) -> dict[str, Any]:
    """Pause the carriers, if they are to be, and look at everything that is written down twice."""
    paused: list[str] = []
    async with connected(dsn) as db:
        await trail.note(db, actor(), "restore", str(file))
        if pausing:
            active = [its.carrier.name for its in await carriers.listed(db) if its.carrier.state == "active"]
            for name in active:
                await carriers.change(db, actor(), name, state="paused")
                paused.append(name)
        proofs = [proof async for proof in audit.prove(db)]
        needs = await vault.needed(db)
    wrong = [proof.title for proof in proofs if proof.differences]
    return {"paused": paused, "clean": not wrong, "proofs": len(proofs), "wrong": wrong, "needs": needs}


def _told(done: dict[str, Any]) -> str:
    lines = [f"Restored {done['file']} to {done['restoredTo']} in {done['seconds']:g} s."]
    if done["paused"]:
        lines.append(
            f"Paused: {', '.join(done['paused'])}. Go on with `ulak carrier set NAME --state active` once you know "
            f"what went out since the backup."
        )
    if done["needs"]:
        lines.append(
            f"It needs the secret key {', '.join(done['needs'])}, which is in no backup: bring the secret.key of the "
            f"installation that it came from, or set ULAK_SECRET_KEYS."
        )
    if done["clean"]:
        lines.append("Its books are right.")
    else:
        lines.append(f"Its books are NOT right: {done['wrong'][0]}. Run `ulak audit` on it.")
    return "\n".join(lines)


# where to


@asynccontextmanager
async def _target(
    settings: Config, into: str | None, data_dir: Path | None
) -> AsyncIterator[tuple[str, str]]:
    """An empty database and what it is called; made here, it is removed again where the block fails."""
    if data_dir is not None:
        async with _directory(data_dir) as dsn:
            yield dsn, str(data_dir)
        return
    async with database_server(settings) as dsn, connected(dsn):
        if into is None:
            if not await archive.is_empty(dsn):
                raise Refused(
                    Code.NOT_ALLOWED,
                    "The database of these settings is not empty, and nothing is overwritten. "
                    "Choose --into NAME or --data-dir DIR.",
                )
            yield dsn, "the database of these settings"
            return
        made = await archive.create(dsn, into)
        try:
            yield made, f"database {into}"
        except BaseException:
            await archive.drop(dsn, into)
            raise


def _refuse_occupied(data_dir: Path) -> None:
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise Refused(Code.NOT_ALLOWED, f"{data_dir} is not an empty directory, and nothing is overwritten.")


@asynccontextmanager
async def _directory(data_dir: Path) -> AsyncIterator[str]:
    """An embedded server in a new directory, for as long as the block lasts."""
    _refuse_occupied(data_dir)
    try:
        server = await Embedded.use(data_dir)
        try:
            yield server.dsn
        finally:
            await server.release()
    except BaseException:
        shutil.rmtree(data_dir, ignore_errors=True)
        raise


# around the work


def _cancellable(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work; Ctrl-C and SIGTERM end it and let it clear up."""

    async def run() -> T:
        me = asyncio.current_task()
        assert me
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
        try:
            return await work()
        except ArchiveError as error:
            raise Refused(Code.NOT_ALLOWED, str(error)) from error

    try:
        return attempt(lambda: asyncio.run(run()))
    except asyncio.CancelledError:
        raise typer.Exit(STOPPED) from None


@contextmanager
def _telling(what: str, watched: bool, growing: Path | None = None) -> Iterator[Tell]:
    """On a terminal, which table it is at, and how large a file has become."""
    with working(what, watched) as tell:

        def told(line: str) -> None:
            size = f" ({growing.stat().st_size / _MIB:,.0f} MiB)" if growing else ""
            tell(f"{what}{size}: {line.partition(': ')[2][:60]}")

        yield told

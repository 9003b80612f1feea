"""A directory for one embedded server, and nothing left of either after the test."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ulak.base.embedded import process
from ulak.base.embedded.place import Place


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Where a server may live; missing yet, in a 0700 directory. A server left there by a failed test is killed."""
    home = Path(tempfile.mkdtemp(prefix="ulak-test-"))
    yield home / "data"
    if (home / "data").is_dir():
        place = Place.of(home / "data")
        found = process.read_pid_file(place.cluster)
        if found and process.is_postmaster(found.pid, place.name):
            process.signal_if(found.pid, signal.SIGKILL)
        for orphan in process.orphans(place.name, place.owner.uid):
            process.signal_if(orphan, signal.SIGKILL)
        shutil.rmtree(place.run, ignore_errors=True)
    shutil.rmtree(home)

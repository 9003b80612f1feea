"""What people are told when the embedded database can't be used: the cause, and what to do."""

import errno
from pathlib import Path

import pytest

from ulak.base.embedded.trouble import EmbeddedError, OccupiedError, from_postgres, told

DATA = Path("/srv/ulak-data")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "The disk that holds /srv/ulak-data is full"),
        (errno.EROFS, "Set ULAK_DATA_DIR to a writable directory"),
        (errno.EACCES, "No permission for /srv/ulak-data/postgres"),
        (errno.ENOTDIR, "is not a directory"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_refusals_of_the_operating_system_become_advice(number: int, advice: str) -> None:
    with pytest.raises(EmbeddedError, match=advice), told(DATA):
        raise OSError(number, "what the kernel says", "/srv/ulak-data/postgres")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("PANIC:  could not write to file: No space left on device", "is full"),
        ("FATAL:  database files are incompatible with server", "not by the version installed now"),
        ("FATAL:  could not open file: Permission denied", "was refused a file"),
        ("initdb: error: something new\nmore", "something new"),
        ("", "it said nothing"),
    ],
)
def test_last_words_of_postgresql_become_advice(said: str, advice: str) -> None:
    assert advice in str(from_postgres(said, DATA, DATA / "postgres"))


def test_leftovers_of_a_killed_server_are_waited_for() -> None:
    said = "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use"
    assert isinstance(from_postgres(said, DATA, DATA / "postgres"), OccupiedError)

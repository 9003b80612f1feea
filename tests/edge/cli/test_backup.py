"""`ulak backup` and `ulak restore`: what is written is whole, what is made from it is the same, nothing is replaced."""

import asyncio
import os
import signal
import stat
import subprocess
import time
from base64 import b32decode, b32encode, b64decode, b64encode, urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import SECRET_KEY, SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_audit import live
from tests.harness.process import ULAK
from ulak.admin import entrance, second_factor
from ulak.base import archive
from ulak.base.db import Database
from ulak.rules.actor import Actor

pytestmark = pytest.mark.slow

COPIED = "users organizations api_keys services sendings messages transfers credits batches submits receipts"


def rows(dsn: str, tables: str = COPIED) -> list[str]:
    """Every row of these tables, as text."""

    async def work() -> list[str]:
        connection = await asyncpg.connect(dsn)
        try:
            every = " UNION ALL ".join(
                f"SELECT '{name} ' || t::text FROM {name} t" for name in tables.split()
            )
            return sorted(row[0] for row in await connection.fetch(every))
        finally:
            await connection.close()

    return asyncio.run(work())


def databases(dsn: str) -> set[str]:
    async def work() -> set[str]:
        connection = await asyncpg.connect(dsn)
        try:
            return {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
        finally:
            await connection.close()

    return asyncio.run(work())


@pytest.fixture
def elsewhere(dsn: str) -> Iterator[tuple[str, str]]:
    """A name that no database has yet, and its DSN; gone after the test."""
    mine = dsn.split("@/")[1].partition("?")[0]
    name = f"restored_{mine}"[:60]
    yield name, dsn.replace(mine, name)
    asyncio.run(archive.drop(dsn, name))


@pytest.fixture
def kept(shop: CommandLine, dsn: str, tmp_path: Path) -> Path:
    """A backup of a database in which somebody has sent."""
    live(dsn)
    path = tmp_path / "kept.backup"
    shop("backup", path)
    return path


def secrets_of(shop: CommandLine, dsn: str) -> dict[str, bytes]:
    """One of each kind of secret, as its owner knows it."""
    password, carriers = "correct horse battery", "Xy-9!kQz"
    shop("carrier", "set", "main", f"--password={carriers}")
    shop("user", "set-password", "mark", "--password-stdin", stdin=password + "\n")
    key = shop("key", "create", "mark")["key"]

    async def panel() -> tuple[str, bytes]:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        try:
            come: dict[str, Any] = {
                "name": "mark",
                "password": password,
                "address": "192.0.2.1",
                "agent": "Tests",
            }
            opened = await entrance.sign_in(db, "customer", **come)
            begun = await second_factor.begin(db, Actor("test"), opened.session.owner_id, "mark")
            return opened.token, b32decode(begun.secret_base32)
        finally:
            await db.close()

    token, factor = asyncio.run(panel())
    known = {"key": key, "password": password, "carrier's password": carriers, "session": token}
    return {name: text.encode() for name, text in known.items()} | {"second factor": factor}


def test_nobody_can_use_what_is_in_a_backup(shop: CommandLine, dsn: str, tmp_path: Path) -> None:
    known = secrets_of(shop, dsn)
    known["secret key"] = b64decode(SECRET_KEY)
    unpacked = tmp_path / "unpacked.sql"
    shop("backup", tmp_path / "kept.backup")
    asyncio.run(archive._run("pg_restore", f"--file={unpacked}", str(tmp_path / "kept.backup")))
    inside = unpacked.read_bytes()

    def forms(secret: bytes) -> list[bytes]:
        """As it is, and as it may be written; a session's and a key's random part is base64 already."""
        bare = secret.removeprefix(b"ulak_")
        raw = [secret, bare] + ([urlsafe_b64decode(bare + b"==")] if len(bare) == 43 else [])
        return [form for one in raw for form in (one, one.hex().encode(), b64encode(one), b32encode(one))]

    assert b"mark@example.com" in inside, "it was unpacked"
    found = {
        name for name, secret in known.items() for form in forms(secret) if form.lower() in inside.lower()
    }
    assert found == set()


def test_a_backup_is_one_file_for_its_owner_that_was_read_back(shop: CommandLine, tmp_path: Path) -> None:
    done: dict[str, Any] = shop("backup", tmp_path)

    [path] = tmp_path.iterdir()
    assert str(path) == done["file"]
    assert path.name.startswith("ulak-20")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == done["bytes"]
    assert done["tables"] > 20


def test_restored_under_another_name_it_is_the_same_and_its_books_are_right(
    shop: CommandLine, kept: Path, dsn: str, elsewhere: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, there = elsewhere

    done = shop("restore", kept, "--into", name)

    assert done["clean"]
    assert done["applied"] == []
    assert "main" in done["paused"]  # what waited may have gone out since
    assert rows(there) == rows(dsn)
    monkeypatch.setenv("ULAK_DATABASE_URL", there)
    assert shop("audit")["clean"]
    assert {carrier["state"] for carrier in shop("carrier", "list")} == {"paused"}


def test_restored_with_go_on_the_carriers_are_as_they_were(
    shop: CommandLine, kept: Path, dsn: str, elsewhere: tuple[str, str]
) -> None:
    done = shop("restore", kept, "--into", elsewhere[0], "--go-on")

    assert done["paused"] == []
    assert rows(elsewhere[1], "carriers") == rows(dsn, "carriers")
    written = rows(dsn, "audit_log")
    assert "backup" in written[-1]
    assert str(kept) in written[-1]
    [*before, last] = rows(elsewhere[1], "audit_log")
    assert before == written[:-1]
    assert f"restore,{kept}" in last


def test_nothing_is_overwritten(shop: CommandLine, kept: Path, dsn: str, tmp_path: Path) -> None:
    before, size = rows(dsn), kept.stat().st_size

    assert "overwritten" in shop.fails("backup", kept)
    assert "overwritten" in shop.fails("restore", kept)
    assert "overwritten" in shop.fails("restore", kept, "--data-dir", tmp_path)
    name = dsn.split("@/")[1].partition("?")[0]
    assert "overwritten" in shop.fails("restore", kept, "--into", name)

    assert (rows(dsn), kept.stat().st_size) == (before, size)
    assert list(tmp_path.iterdir()) == [kept]


def test_into_an_empty_database_it_needs_no_name(
    shop: CommandLine, kept: Path, dsn: str, elsewhere: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, there = elsewhere
    asyncio.run(archive.create(dsn, name))
    monkeypatch.setenv("ULAK_DATABASE_URL", there)

    assert "nothing to back up" in shop.fails("backup", kept.with_name("other"))
    assert shop("restore", kept)["clean"]
    assert rows(there) == rows(dsn)


def test_what_is_no_backup_or_not_all_of_one_makes_nothing(
    shop: CommandLine, kept: Path, dsn: str, elsewhere: tuple[str, str], tmp_path: Path
) -> None:
    half, none = tmp_path / "half", tmp_path / "none"
    half.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    none.write_text("Kodunuz: 123456")

    for path in (half, none):
        assert "pg_restore failed" in shop.fails("restore", path, "--into", elsewhere[0])
        shop.fails("restore", path, "--data-dir", tmp_path / "made")
    assert "no name for a database" in shop.fails("restore", kept, "--into", "a b")

    assert elsewhere[0] not in databases(dsn)
    assert not (tmp_path / "made").exists()


def test_an_older_backup_is_brought_up_to_date(
    shop: CommandLine, dsn: str, elsewhere: tuple[str, str], tmp_path: Path
) -> None:
    async def back() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("ALTER TABLE api_keys DROP COLUMN last_used_at")
        await connection.execute("DELETE FROM schema_migrations WHERE name = '0016_key_use'")
        await connection.close()

    asyncio.run(back())
    shop("backup", tmp_path / "older")

    done = shop("restore", tmp_path / "older", "--into", elsewhere[0])

    assert done["applied"] == ["0016_key_use"]
    assert done["clean"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_it_leaves_nothing(
    shop: CommandLine, dsn: str, tmp_path: Path, number: signal.Signals
) -> None:
    async def slow() -> "asyncpg.Connection[asyncpg.Record]":
        connection = await asyncpg.connect(dsn)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE messages")  # pg_dump waits for it
        return connection

    with asyncio.Runner() as runner:
        connection = runner.run(slow())
        process = subprocess.Popen(
            [ULAK, "backup", str(tmp_path / "b")],
            env=dict(os.environ),
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until = time.monotonic() + 20
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=20)
        runner.run(connection.close())

    assert process.returncode not in (0, None)
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_in_no_list_of_processes() -> None:
    for dsn in (
        "postgresql://u:hunter2@h1:5432,h2:5433/x?target_session_attrs=read-write",
        "postgresql://u@h/x?password=hunter2&host=%2Frun",
        "postgresql://u@h/x?host=%2Frun&password=hunter2",
        "postgresql:///x?password=hunter2",
    ):
        assert "hunter2" not in archive.without_password(dsn)
        assert archive._password(dsn) == "hunter2"
    plain = "postgresql://ulak@/ulak?host=/run/x&port=5432"
    assert archive.without_password(plain) == plain
    assert archive._password(plain) is None

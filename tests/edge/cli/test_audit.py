"""`ulak audit` and the database: books that are right, books that somebody altered, and databases that are not fit."""

import asyncio
import os
import pty
import subprocess
import sys
from contextlib import suppress

import asyncpg
import pytest

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.flow.conftest import inhabited
from ulak.admin import audit
from ulak.base.db import Database
from ulak.rules.status import Status


def live(dsn: str) -> None:
    """Two customers send; some is delivered, some fails and is refunded, some is on its way."""

    async def work() -> None:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        async with inhabited(db) as world:
            service = await world.service()
            for who in (await world.customer(), await world.member()):
                await world.send(who, service, to=5)
                refs = await world.take(*await world.lease())
                await world.receive(refs[:2])
                await world.receive(refs[2:4], Status.NOT_SENT)
                await world.send(who, service, to=2)
        await db.close()

    asyncio.run(work())


def alter(dsn: str, statement: str) -> None:
    """What nobody should ever do, and the database lets only its owner do, in so many words."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("ALTER TABLE IF EXISTS transfers DISABLE TRIGGER transfers_stay")
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def test_empty_books_are_right(cli: CommandLine) -> None:
    assert cli("audit")["clean"] is True


def test_it_says_what_it_looked_at(cli: CommandLine, dsn: str) -> None:
    live(dsn)

    found = cli("audit")

    assert found["clean"] is True
    assert len(found["proofs"]) == len(audit.TITLES)
    assert all(proof["differences"] == [] for proof in found["proofs"])
    assert all(
        proof["lookedAt"] > 0 for proof in found["proofs"][:-4]
    )  # nothing is gathered, summed or closed within a minute
    for proof in found["proofs"]:
        assert proof["proof"] in cli.text("audit")


@pytest.mark.slow
def test_people_see_which_proof_it_is_at(dsn: str) -> None:
    live(dsn)
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "ulak", "audit"]
    environment = {**os.environ, "ULAK_DATABASE_URL": dsn, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    seen = b""
    with os.fdopen(screen, "rb", buffering=0) as reader, suppress(OSError):  # EIO at the end
        while part := reader.read(65536):
            seen += part

    assert process.wait(30) == 0
    assert f"Proving 1 of {len(audit.TITLES)}: {audit.TITLES[0]}".encode() in seen
    for title in audit.TITLES:
        assert title.encode() in seen


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE credits SET balance = balance + 1 WHERE tenant_id = owner_id", "balance"),
        ("UPDATE credits SET balance = balance - 1 WHERE tenant_id <> owner_id", "balance"),
        (
            "UPDATE sendings SET n_sent = n_sent + 1, n_pending = n_pending - 1 WHERE n_pending > 0",
            "counters",
        ),
        ("UPDATE sendings SET total_refunded = total_refunded - 1 WHERE total_refunded > 0", "counters"),
        ("UPDATE messages SET status = 'no_signal' WHERE status = 'not_sent'", "counters"),
        ("DELETE FROM messages WHERE status = 'sent'", "counters"),
        ("DELETE FROM transfers WHERE kind = 'charge'", "balance"),
        ("DELETE FROM transfers WHERE kind = 'refund'", "balance"),
        ("DELETE FROM batches", "queue"),
        ("UPDATE sendings SET refund_not_sent = false, refund_no_signal = false", "terms"),
        (
            "DELETE FROM transfers WHERE kind = 'charge'; UPDATE credits c SET balance = (SELECT sum("
            "CASE WHEN t.credit = c.owner_id THEN amount ELSE -amount END) FROM transfers t "
            "WHERE t.tenant_id = c.tenant_id AND c.owner_id IN (t.credit, t.debit))",
            "charge",
        ),
    ],
)
def test_books_that_somebody_altered(cli: CommandLine, dsn: str, statement: str, what: str) -> None:
    live(dsn)
    alter(dsn, statement)

    done = cli.run("audit", "--json")
    told = cli.run("audit")

    assert (done.exit_code, told.exit_code) == (1, 1)
    assert f'"what": "{what}"' in done.stdout
    assert what in told.stdout
    assert "computed" in told.stdout


def test_a_database_that_cannot_be_reached(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ULAK_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/nowhere")

    for words in (("user", "list"), ("audit",), ("migrate",)):
        said = cli.fails(*words)
        assert "hunter2" not in said
    assert "127.0.0.1:1" in cli.fails("user", "list")


def test_a_database_without_migrations_is_refused_and_then_migrated(cli: CommandLine, dsn: str) -> None:
    alter(dsn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    assert "ulak migrate" in cli.fails("user", "list")

    assert cli("migrate")["applied"]
    assert cli("migrate")["applied"] == []
    assert cli("user", "list") == []


def test_settings_that_cannot_be(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ULAK_PORT", "eighty")
    assert "ULAK_PORT" in cli.fails("user", "list")
    monkeypatch.setenv("ULAK_PORT", "80")
    monkeypatch.setenv("ULAK_PROT", "80")
    assert "ULAK_PROT" in cli.fails("user", "list")

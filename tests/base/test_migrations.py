"""Migrations on a database that is in use already: what was written before them is found, counted and proved after."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import SECRET_KEY, in_database
from ulak.admin import audit, vault
from ulak.admin.carriers import password_of
from ulak.base import migrate
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.base.embedded import Embedded
from ulak.flow import recognise, searchable
from ulak.rules import ids, stretches
from ulak.rules.scope import EVERY
from ulak.rules.stretches import EPOCH
from ulak.rules.text import fold
from ulak.store import carriers, credits, everyone, listing, second_factors
from ulak.store.listing import Filter

MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
#: How far the time that was written lies from that of the id: within the minute, over it, over midnight, back.
DRIFTS = [timedelta(milliseconds=ms) for ms in (0, 1, 999, 70_000, 86_400_000, -5)]
TEXT = "Kodunuz: %06d. Kimseyle paylaşmayın."
PRICE = 1_000_000


@pytest.fixture
async def bare(server: Embedded) -> AsyncIterator[str]:
    """A database without a schema, gone after the test."""
    name = f"bare_{uuid4().hex}"
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        yield in_database(server.dsn, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def lived_in(dsn: str) -> UUID:
    """A customer as they stood before lists: sendings of two messages, one sent, one refunded, the last on its way."""
    tenant = uuid4()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO users (id, username, email) VALUES ($1, 'mark', 'mark@example.com')", tenant
        )
        await connection.execute(
            "INSERT INTO credits (tenant_id, owner_id, balance) VALUES ($1, $1, $2)", tenant, 100 * PRICE
        )
        await connection.execute(MOVED, tenant, "topup", credits.FUNDING, tenant, 100 * PRICE, None, None)
        for n, drift in enumerate(DRIFTS):
            at = MIDNIGHT + timedelta(hours=n // 4, milliseconds=n - 5)
            await one(connection, tenant, at, drift, TEXT % n, is_open=n == len(DRIFTS) - 1)
    finally:
        await connection.close()
    return tenant


MOVED = """
INSERT INTO transfers (tenant_id, kind, debit, credit, amount, sending_id, position) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
SENDING = """
INSERT INTO sendings (tenant_id, id, user_id, owner_id, service_id, source, text, search_text, unit_price,
                      refund_not_sent, refund_no_signal, resend_unsure, n_valid, n_invalid, n_pending, n_waiting,
                      n_sent, n_not_sent, n_refunded, total_cost, total_refunded, created_at, expires_at, completed_at)
VALUES ($1, $2, $1, $1, $1, 'api', $3, $4, $5, true, true, true, 2, 0, 0, CASE WHEN $6 THEN 1 ELSE 0 END,
        CASE WHEN $6 THEN 0 ELSE 1 END, 1, 1, 2 * $5::bigint, $5, $7, $8, CASE WHEN NOT $6 THEN $8::timestamptz END)"""
MESSAGES = """
INSERT INTO messages (tenant_id, sending_id, position, status, parts_left, recipient, price, carrier_id, refunded,
                      ended_at)
VALUES ($1, $2, 0, CASE WHEN $4 THEN 'waiting' ELSE 'sent' END::message_status, CASE WHEN $4 THEN 1 ELSE 0 END,
        905550000000, $3, 1, false, CASE WHEN NOT $4 THEN $5::timestamptz END),
       ($1, $2, 1, 'not_sent', 0, 905550000001, $3, 1, true, $5)"""


async def one(
    connection: "asyncpg.Connection[asyncpg.Record]",
    tenant: UUID,
    at: datetime,
    drift: timedelta,
    text: str,
    *,
    is_open: bool,
) -> None:
    """A sending whose id says `at`, and whose row says somewhat else."""
    id_ = ids.new_id(stretches.milliseconds(at))
    written, ended = at + drift, at + timedelta(days=2)
    await connection.execute(SENDING, tenant, id_, text, fold(text), PRICE, is_open, written, ended)
    await connection.execute(MESSAGES, tenant, id_, PRICE, is_open, ended)
    await connection.execute(MOVED, tenant, "charge", tenant, credits.SALES, 2 * PRICE, id_, None)
    await connection.execute(MOVED, tenant, "refund", credits.SALES, tenant, PRICE, id_, 1)
    await connection.execute("UPDATE credits SET balance = balance - $2 WHERE tenant_id = $1", tenant, PRICE)


async def assert_right(db: Database, *, gathered: int, n: int) -> None:
    """Whatever the books prove holds, and every sending was looked at."""
    proofs = [proof async for proof in audit.prove(db)]
    assert [difference for proof in proofs for difference in proof.differences] == []
    looked_at = {proof.title: proof.looked_at for proof in proofs}
    assert looked_at["every sending's id says when it was accepted"] == n
    assert looked_at["every text gathered for searching is its sending's"] == gathered


async def assert_listed(db: Database, tenant: UUID, texts: list[str]) -> None:
    """The lists, of all and searched, are these, newest first."""
    for which in (Filter(), Filter(search="kimseyle"), Filter(starts=EPOCH)):
        async with db.moment() as tx:
            found, total = await listing.page(tx, tenant, which, offset=0, limit=100)
        assert ([row.text for row in found], total) == (texts, len(texts))
    async with db.moment() as tx:
        _, total = await listing.page(tx, tenant, Filter(starts=MIDNIGHT), offset=0, limit=100)
    assert total == 2  # by their ids: the others were accepted some ms before midnight


async def test_lists_and_searches_hold_what_was_sent_before_there_were_any(
    bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrate._files()
    monkeypatch.setattr(migrate, "_files", lambda: files[:6])
    assert (await migrate.migrate(bare))[-1] == "0006_links"
    tenant = await lived_in(bare)
    monkeypatch.undo()
    later = await migrate.migrate(bare)
    assert later[:3] == ["0007_lists", "0008_search", "0009_signatures"]

    db = await Database.open(bare)
    try:
        texts = [TEXT % n for n in reversed(range(len(DRIFTS)))]
        await assert_right(db, gathered=0, n=len(DRIFTS))
        await searchable.gather(db, MIDNIGHT + timedelta(days=9), since=EPOCH)
        await assert_right(db, gathered=len(DRIFTS), n=len(DRIFTS))
        await assert_listed(db, tenant, texts)
        async with db.reading() as tx:
            assert len(await everyone.to_number(tx, 905550000000, 100)) == len(DRIFTS)
    finally:
        await db.close()


async def test_what_was_kept_in_the_open_is_sealed_and_old_keys_go_on(
    bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrate._files()
    monkeypatch.setattr(migrate, "_files", lambda: [file for file in files if file[0] < "0017"])
    assert (await migrate.migrate(bare))[-1] == "0016_key_use"
    secret = f"ulak_{'k' * 43}"
    connection = await asyncpg.connect(bare)
    try:
        await connection.execute(IN_THE_OPEN)
        await connection.execute(OLD_KEY, secret[:11], sha256(secret.encode()).digest())
    finally:
        await connection.close()
    monkeypatch.undo()
    assert (await migrate.migrate(bare))[:2] == ["0017_keys", "0018_secrets"]

    db = await Database.open(bare)
    try:
        await vault.unlock(db, Config(secret_keys=SECRET_KEY))
        async with db.reading() as tx:
            owner = recognise.owner_of(secret, await recognise.candidates(tx, secret), db.secrets)
            [carrier] = await carriers.all(tx)
            factor = await second_factors.of(tx, UUID(int=1))
        assert owner
        assert (owner.user.username, owner.grant.scopes, owner.grant.expires_at) == ("mark", EVERY, None)
        assert owner.renewed == db.secrets.digest(secret)
        assert password_of(carrier, db.secrets) == "hunter2"
        assert factor
        assert db.secrets.open(factor.secret, second_factors.place_of(UUID(int=1))) == b"secret"
    finally:
        await db.close()


IN_THE_OPEN = """
INSERT INTO users (id, username, email) VALUES ('00000000-0000-0000-0000-000000000001', 'mark', 'mark@example.com');
INSERT INTO carriers (name, host, port, system_id, password) VALUES ('main', 'smsc', 2775, 's', 'hunter2');
INSERT INTO second_factors (owner_id, secret) VALUES ('00000000-0000-0000-0000-000000000001', 'secret')"""
OLD_KEY = """
INSERT INTO api_keys (id, user_id, name, prefix, key_hash)
VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '', $1, $2)"""

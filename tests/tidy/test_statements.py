"""Every statement there is: PostgreSQL can prepare it, and those on a tenant's table name the tenant."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import ulak.store
from ulak.base.db import Database
from ulak.store import everyone

TENANT_TABLES = [
    "credits",
    "transfers",
    "sendings",
    "messages",
    "incidents",
    "volumes",
    "idempotency",
    "tallies",
    "search_blocks",
    "search_days",
    "closings",
    "closed",
    "drafts",
    "hours",
    "erased",
]

#: Statements on carrier tables may reach a tenant's row only through tenant_id; these sweep a whole table.
SWEEPS = {"drafts.FORGET", "idempotency.FORGET", "incidents.FORGET"}


def statements() -> Iterator[tuple[str, str]]:
    """(module.NAME, SQL) of every statement in `store`."""
    for info in pkgutil.iter_modules(ulak.store.__path__):
        module = importlib.import_module(f"ulak.store.{info.name}")
        for name, value in vars(module).items():
            if not name.isupper() or name.startswith("_"):
                continue
            variants = value.items() if isinstance(value, dict) else [("", value)]
            for variant, sql in variants:
                if isinstance(sql, str) and _is_sql(sql):
                    yield f"{info.name}.{name} {variant}".strip(), sql
    for title, count, _ in everyone.PROOFS:
        yield f"everyone.PROOFS: {title}", count


def _is_sql(value: str) -> bool:
    return bool(re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", value))


ALL = dict(statements())


async def test_postgresql_can_prepare_every_statement(db: Database) -> None:
    async with db.reading() as tx:
        for name, sql in ALL.items():
            try:
                await tx.prepare(sql)
            except Exception as error:
                raise AssertionError(f"{name}: {error}") from error
    assert len(ALL) > 50


def tables_of(sql: str) -> set[str]:
    """The tenant tables a statement touches."""
    named = re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+(\w+)", sql)
    return set(named) & set(TENANT_TABLES)


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("everyone.")])
def test_a_statement_on_a_tenants_table_names_the_tenant(name: str) -> None:
    sql = ALL[name]
    if not tables_of(sql) or name in SWEEPS:
        return
    inserts = re.compile(r"\bINSERT INTO \w+(?: AS \w+)? \(tenant_id\b")
    assert len(inserts.findall(sql)) == sql.count("INSERT INTO"), "tenant_id leads the columns"
    if tables_of(inserts.sub("", sql)):
        assert re.search(r"\btenant_id = ", sql), sql


def test_no_statement_uses_what_only_the_newest_postgresql_knows() -> None:
    newer = re.compile(r"RETURNING\s+(?:old|new)\.|uuidv7\(|MERGE .* RETURNING", re.IGNORECASE)
    assert [name for name, sql in ALL.items() if newer.search(sql)] == []

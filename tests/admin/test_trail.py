"""The audit log, read page by page: by whom, what, about whom, and with which words."""

import pytest

from ulak.admin import trail
from ulak.base.db import Database
from ulak.rules.actor import Actor
from ulak.rules.refusal import Refused
from ulak.store import audit_log

ROOT = Actor("cli:root")
AYSE = Actor("operator:ayse", "10.0.0.7")


@pytest.fixture
async def lines(db: Database) -> None:
    """Seven lines."""
    async with db.transaction() as tx:
        for n in range(5):
            await audit_log.add(tx, ROOT, "credit.topup", f"customer {n}", amount=n, note="Invoice 17")
        await audit_log.add(tx, AYSE, "carrier.set", "main", before={"window": 10}, after={"window": 20})
        await audit_log.add(tx, AYSE, "creditor.add", "customer 1")


async def subjects(db: Database, **asked: str) -> list[str]:
    return [line.subject for line in (await trail.page(db, **asked)).lines]  # type: ignore[arg-type]


@pytest.mark.usefixtures("lines")
async def test_a_line_says_everything(db: Database) -> None:
    [line] = (await trail.page(db, action="carrier.set")).lines

    assert (line.actor, line.address, line.action, line.subject) == (*AYSE, "carrier.set", "main")
    assert line.detail == {"before": {"window": 10}, "after": {"window": 20}}
    assert line.at.tzinfo


@pytest.mark.usefixtures("lines")
async def test_pages_follow_each_other_newest_first(db: Database) -> None:
    seen, before = [], None
    for expected in (3, 3, 1):
        page = await trail.page(db, before_id=before, limit=3)
        assert len(page.lines) == expected
        seen += [line.id for line in page.lines]
        before = page.next_before

    assert before is None
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7


@pytest.mark.usefixtures("lines")
async def test_what_is_asked_for(db: Database) -> None:
    topups = [f"customer {n}" for n in (4, 3, 2, 1, 0)]

    assert await subjects(db, actor="cli:root") == topups
    assert await subjects(db, action="credit") == topups
    assert await subjects(db, action="credit.topup") == topups
    assert await subjects(db, subject="customer 1") == ["customer 1", "customer 1"]
    assert await subjects(db, actor="cli:root", subject="customer 1") == ["customer 1"]
    assert await subjects(db, text="invoice 17") == topups
    assert await subjects(db, text="10.0.0.7") == ["customer 1", "main"]
    assert await subjects(db, text="invoice", actor=AYSE.name) == []
    assert len(await subjects(db, actor="", action="", subject="", text="")) == 7
    assert await subjects(db, action="credit_topup") == []


async def test_a_limit_out_of_bounds_is_refused(db: Database) -> None:
    for limit in (0, trail.LIMIT_MAX + 1):
        with pytest.raises(Refused):
            await trail.page(db, limit=limit)


@pytest.mark.parametrize(
    ("by", "index"),
    [
        ((True, False), "audit_log_actor"),
        ((False, True), "audit_log_subject"),
        ((False, False), "audit_log_pkey"),
    ],
)
async def test_the_way_to_a_line_is_an_index(db: Database, by: tuple[bool, bool], index: str) -> None:
    values = (1 << 40, "a" if by[0] else None, "s" if by[1] else None, None, None, 10)
    async with db.reading() as tx:
        plan = "\n".join(row[0] for row in await tx.fetch(f"EXPLAIN {audit_log.PAGE[by]}", *values))

    assert index in plan
    assert "Sort" not in plan

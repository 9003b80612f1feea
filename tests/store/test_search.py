"""Searching in signed blocks against counting by hand, whatever the letters and whatever part of a text is asked."""

import random
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.store.test_listing import MIDNIGHT, compare, keep, new
from ulak.base.db import Database
from ulak.flow import searchable
from ulak.rules.text import fold
from ulak.store import blocks
from ulak.store.listing import Filter

#: Turkish and what folds oddly, control characters, the two that blocks keep for themselves, outside the BMP.
ALPHABETS = [
    "abc",
    "ıiİIşŞçğ",
    "aß\u0307iﬁ",
    "0123456789",
    "a\n\t\x01\x02\x03\x7f",
    "😀😁🇹🇷é\u200d",
    "اب中文",
]
DAY = timedelta(days=1)


def some_text(dice: random.Random) -> str:
    alphabet = dice.choice(ALPHABETS) + dice.choice(["", "  ", "x"])
    return "k" + "".join(dice.choices(alphabet, k=dice.choice([1, 3, 30, 159])))


def some_part(dice: random.Random, texts: list[str]) -> str:
    """A piece of a text, of two one behind the other, or of none."""
    text = dice.choice([dice.choice(texts), dice.choice(texts) + dice.choice(texts), some_text(dice)])
    first = dice.randrange(len(text))
    return fold(text[first : first + dice.choice([1, 2, 3, 4, 8, 40])])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("signed_min", [0, 1500])
async def test_every_part_of_every_text_is_found_in_blocks(
    db: Database, seed: int, signed_min: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "SIGNED_MIN", signed_min)
    dice, tenant = random.Random(seed), uuid4()
    moments = [
        MIDNIGHT + timedelta(minutes=dice.choice([dice.randrange(120), 150]), milliseconds=n)
        for n in range(600)
    ]
    rows = [new(tenant, at, dice.choice(["api", "panel"]), some_text(dice)) for at in moments]
    await keep(db, rows, set())
    assert await searchable.gather_day(db, tenant, MIDNIGHT, MIDNIGHT + DAY) == len(rows)
    async with db.reading() as tx:
        signed, unsigned = await tx.fetchrow(
            "SELECT count(signature), count(*) - count(signature) FROM search_blocks"
        ) or (0, 0)
    assert signed > 5
    assert (unsigned > 0) == (signed_min > 0)

    texts = [row.search_text for row in rows]
    for _ in range(150):
        starts, ends = (dice.choice([None, None, dice.choice(moments)]) for _ in range(2))
        part = some_part(dice, texts)
        if part:  # a dot above alone folds to nothing, which is no search
            which = Filter(starts=starts, ends=ends, search=part, source=dice.choice([None, None, "panel"]))
            await compare(db, rows, set(), which, dice.choice([0, 10]), 10)


async def test_a_block_that_cannot_hold_it_is_not_read(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the signature is believed: a block without a bit is as if it were not there."""
    monkeypatch.setattr(blocks, "SIGNED_MIN", 0)
    tenant = uuid4()
    rows = [new(tenant, MIDNIGHT + timedelta(milliseconds=n), "api", f"kodunuz: {n:06d}") for n in range(90)]
    await keep(db, rows, set())
    await searchable.gather_day(db, tenant, MIDNIGHT, MIDNIGHT + DAY)
    which = Filter(search="kodunuz")
    await compare(db, rows, set(), which, 0, 10)
    async with db.transaction() as tx:
        await tx.execute("UPDATE search_blocks SET signature = signature & ~signature")

    await compare(db, [new(tenant, MIDNIGHT, "api", "x")], set(), which, 0, 10)

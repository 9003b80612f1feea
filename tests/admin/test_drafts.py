"""Drafts: kept for one user between the steps, and sent once however often the button is pressed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import USD, World, inhabited
from ulak.admin import drafts
from ulak.admin.drafts import Draft
from ulak.base.db import Database
from ulak.flow import sweep
from ulak.flow.accept import now
from ulak.rules.refusal import Code, Refused
from ulak.rules.table import Table, of_numbers, read
from ulak.rules.tenancy import Context

FILE = "Tel;Ad\n905550000000;Ayşe\n0555 000 00 01;\n905550000002;Can\n905550000002;Can\n".encode("cp1254")


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as there_is:
        yield there_is


async def made(world: World, who: Context, table: Table, service: UUID, text: str) -> Draft:
    """A draft that is ready to be sent."""
    draft = await drafts.keep(world.db, who, table, name="liste.csv")
    return await drafts.change(
        world.db, draft, service_id=service, text=text, numbers_in=draft.head.numbers_in
    )


async def test_a_draft_comes_back_as_it_was(world: World) -> None:
    who, table = await world.customer(), read(FILE)

    kept = await drafts.keep(world.db, who, table, name="liste\n.csv", text="Sayın {ad}")

    found = await drafts.find(world.db, who, kept.head.id)
    assert found == kept
    assert (found.table, found.head.name, found.head.text) == (table, "liste.csv", "Sayın {ad}")
    assert (found.head.n_rows, found.head.numbers_in, found.sending_id) == (4, 0, None)
    assert await drafts.all(world.db, who) == [kept.head]


async def test_nobody_else_finds_changes_or_discards_it(world: World) -> None:
    user, org = uuid4(), uuid4()
    who = Context(user, org)
    draft = await drafts.keep(world.db, who, of_numbers(["905550000000"]), name="x")

    for other in (Context(user), Context(uuid4(), org), Context(uuid4()), Context(org)):
        with pytest.raises(Refused) as refusal:
            await drafts.find(world.db, other, draft.head.id)
        assert refusal.value.code == Code.NOT_KNOWN
        theirs = Draft(other, draft.head, draft.table)
        with pytest.raises(Refused):
            await drafts.change(world.db, theirs, service_id=None, text="", numbers_in=0)
        await drafts.discard(world.db, other, draft.head.id)
        assert await drafts.all(world.db, other) == []
    assert await drafts.find(world.db, who, draft.head.id) == draft


async def test_a_discarded_one_is_gone(world: World) -> None:
    who = await world.customer()
    draft = await drafts.keep(world.db, who, of_numbers(["905550000000"]), name="x")

    await drafts.discard(world.db, who, draft.head.id)
    await drafts.discard(world.db, who, draft.head.id)

    with pytest.raises(Refused, match="no such draft"):
        await drafts.find(world.db, who, draft.head.id)
    with pytest.raises(Refused, match="no such draft"):
        await drafts.change(world.db, draft, service_id=None, text="", numbers_in=None)


async def test_the_oldest_go(world: World) -> None:
    who, other = await world.customer(), await world.customer()
    others = await drafts.keep(world.db, other, of_numbers(["1"]), name="theirs")
    for n in range(drafts.DRAFTS_MAX + 3):
        await drafts.keep(world.db, who, of_numbers([str(n)]), name=str(n))
        await asyncio.sleep(0.002)  # ids of one millisecond sort in any order

    assert [head.name for head in await drafts.all(world.db, who)] == [str(n) for n in range(12, 2, -1)]
    assert await drafts.all(world.db, other) == [others.head]


async def test_after_a_day_it_is_gone_and_then_swept(world: World) -> None:
    who = await world.customer()
    draft = await drafts.keep(world.db, who, of_numbers(["905550000000"]), name="x")
    fresh = await drafts.keep(world.db, who, of_numbers(["905550000000"]), name="y")
    async with world.db.transaction() as tx:
        await tx.execute(
            "UPDATE drafts SET expires_at = $1 WHERE id = $2", now() - timedelta(seconds=1), draft.head.id
        )

    with pytest.raises(Refused):
        await drafts.find(world.db, who, draft.head.id)
    await sweep.old_records(world.db, now(), receipt_hours=1, history_days=1)

    assert await world.count("drafts") == 1
    assert await drafts.find(world.db, who, fresh.head.id) == fresh


async def test_a_list_that_is_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "BODY_BYTES_MAX", 1024 * 1024)

    with pytest.raises(Refused, match="larger than 1 MiB") as refusal:
        await drafts.keep(world.db, await world.customer(), of_numbers(["9" * 1000] * 2000), name="x")

    assert refusal.value.code == Code.PAYLOAD_TOO_LARGE


async def test_its_rows_become_texts_of_their_own_and_the_quote_is_the_charge(world: World) -> None:
    who, service = await world.customer(), await world.service()
    draft = await made(world, who, read(FILE), service, "{ad}")

    ready = await drafts.ready(draft)
    quote = await world.acceptance.quote(ready.request)
    accepted = await world.accept(ready.request)

    assert (quote.n_valid, quote.n_repeated, quote.n_invalid, quote.cost) == (2, 1, 0, 2 * USD)
    assert [one.position for one in quote.left_out] == [2]
    assert ready.rows == [0, 2, 3]
    assert draft.table.lines[ready.rows[quote.left_out[0].position]] == 5
    assert ready.filled
    assert ready.filled.reasons == {"text_empty": 1}
    assert await world.balance(who) == quote.remaining
    seen = await world.sending(who, accepted.sending_id)
    assert (seen.n_valid, seen.n_invalid) == (2, 1)
    assert await world.count("sendings", "source = 'panel'") == 1
    assert [due.text for work in await world.lease() for due in work.due] == ["Ayşe", "Can"]


@pytest.mark.parametrize("text", ["Merhaba", "Sayın {Ad}"])
async def test_however_often_the_button_is_pressed_it_is_one_sending(world: World, text: str) -> None:
    who, service = await world.customer(), await world.service()
    draft = await made(world, who, read(FILE), service, text)

    async def press() -> UUID:
        found = await drafts.find(world.db, who, draft.head.id)
        return (await world.accept((await drafts.ready(found)).request)).sending_id

    pressed = await asyncio.gather(*(press() for _ in range(8)))

    assert len({*pressed, await press()}) == 1
    assert await world.count("sendings") == 1
    assert await world.count("transfers", "kind = 'charge'") == 1
    assert (await drafts.find(world.db, who, draft.head.id)).sending_id == pressed[0]


async def test_one_that_was_sent_cannot_be_sent_again_with_another_text(world: World) -> None:
    who, service = await world.customer(), await world.service()
    draft = await made(world, who, of_numbers(["905550000000"]), service, "merhaba")
    await world.accept((await drafts.ready(draft)).request)

    draft = await drafts.change(world.db, draft, service_id=service, text="güle güle", numbers_in=0)
    with pytest.raises(Refused) as refusal:
        await world.accept((await drafts.ready(draft)).request)

    assert refusal.value.code == Code.IDEMPOTENCY_CONFLICT
    assert await world.count("sendings") == 1


async def test_a_refused_one_may_come_again(world: World) -> None:
    who, service = await world.customer(0), await world.service()
    draft = await made(world, who, of_numbers(["905550000000"]), service, "merhaba")
    with pytest.raises(Refused, match="costs 1"):
        await world.accept((await drafts.ready(draft)).request)

    await world.fund(who, USD)

    assert not (await world.accept((await drafts.ready(draft)).request)).replayed


@pytest.mark.parametrize(
    ("raw", "text", "expected"),
    [
        (b"Tel,Ad\n5550000000,x", "{{Ad}} 100%", "{Ad} 100%"),
        (b"5550000000", "{Ad} {", "{Ad} {"),
        (b"5550000000", "s\u0327", "ş"),
    ],
)
async def test_one_text_for_all(world: World, raw: bytes, text: str, expected: str) -> None:
    draft = await made(world, await world.customer(), read(raw), await world.service(), text)

    assert (await drafts.ready(draft)).request.texts == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.VALIDATION_FAILED),
        ("  ", Code.VALIDATION_FAILED),
        ("x" * 161, Code.VALIDATION_FAILED),
        ("{Adı}", Code.INVALID_VALUE),
        ("{", Code.INVALID_VALUE),
        ("{Boş}", Code.NO_VALID_RECIPIENT),
    ],
)
async def test_what_is_not_ready(world: World, text: str, code: Code) -> None:
    table = read("Tel,Ad,Boş\n5550000000,x,".encode())
    draft = await made(world, await world.customer(), table, await world.service(), text)

    with pytest.raises(Refused) as refusal:
        await drafts.ready(draft)

    assert refusal.value.code == code


async def test_what_is_not_chosen_yet(world: World) -> None:
    who = await world.customer()
    draft = await drafts.keep(world.db, who, read(b"a,b\nc,d"), name="x")

    assert draft.head.numbers_in is None
    with pytest.raises(Refused, match="Choose the service"):
        await drafts.ready(draft)
    for text, column in (("x", 2), ("x", -1), ("\0", 0), ("x" * 1001, 0), ("\ud800", 0)):
        with pytest.raises(Refused):
            await drafts.change(world.db, draft, service_id=None, text=text, numbers_in=column)

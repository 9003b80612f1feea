"""Quotes: what is promised before the button is what sending then does."""

import asyncio
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flow.conftest import USD, World
from ulak.flow.accept import Accepted, Request, now
from ulak.flow.quote import LEFT_OUT_MAX, RAW_MAX, LeftOut
from ulak.rules.refusal import Code, Refused
from ulak.rules.route import Hop

NUMBERS = st.one_of(
    st.sampled_from(
        ["905550000000", "0555 000 00 00", "+905550000001", "5360000002", "02125550000", "", "x"]
    ),
    st.sampled_from(
        ["+491701234567", "00491701234567", "+493012345678", "9,05551E+11", "٩٠٥٥٥", "12015550123"]
    ),
    st.integers(905_550_000_000, 905_550_000_009).map(str),
    st.text(max_size=60),
)
TEXTS = st.text(st.sampled_from("aş€ğ 👩[ß"), min_size=1, max_size=160).filter(
    lambda text: not text.isspace()
)


@pytest.mark.parametrize("each", [False, True])
@given(
    st.data(),
    st.lists(NUMBERS, min_size=1, max_size=30),
    st.sampled_from(["message", "segment"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 9).map(lambda n: n * 7),
)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_a_quote_is_what_accepting_does(
    world: World,
    each: bool,
    data: st.DataObject,
    to: list[str],
    billing: str,
    foreign: bool,
    some_ways: bool,
    sent: int,
) -> None:
    texts = st.lists(TEXTS, min_size=len(to), max_size=len(to)) if each else TEXTS
    hops = [Hop(world.carrier, ("9055", "49"))] if some_ways else []
    service = await world.service(7, billing=billing, foreign_numbers=foreign, route=hops)
    await world.rule(service, "percent", -10_000_000, from_volume=7)
    await world.rule(service, "amount", -1, from_volume=20)
    who = await world.customer(data.draw(st.sampled_from([USD, 50])))
    if sent:
        await world.fund(who, USD)
        await world.send(who, service, to=sent)
    request = Request(who, service, to, data.draw(texts), "panel")

    quote = await world.acceptance.quote(request)

    assert quote.n_valid + quote.n_repeated + quote.n_invalid == len(to)
    assert sum(quote.reasons.values()) == quote.n_repeated + quote.n_invalid
    assert [one.reason for one in quote.left_out].count("repeated") <= quote.n_repeated
    assert await world.balance(who) == quote.balance
    [answer] = await asyncio.gather(world.accept(request), return_exceptions=True)
    if isinstance(answer, Refused):
        short = quote.n_valid and quote.remaining < 0
        assert answer.code == (Code.INSUFFICIENT_CREDIT if short else Code.NO_VALID_RECIPIENT)
        assert short or not quote.n_valid
        return
    assert isinstance(answer, Accepted)
    seen = await world.sending(who, answer.sending_id)
    assert (seen.n_valid, seen.n_invalid) == (quote.n_valid, quote.n_repeated + quote.n_invalid)
    assert seen.total_cost == quote.cost
    assert await world.balance(who) == quote.remaining


async def test_who_is_left_out_and_why(world: World) -> None:
    who = await world.customer()
    service = await world.service(route=[Hop(world.carrier, ("90555",))])
    to = ["905550000000", "0555 000 00 00", "0212 555 00 00", "905360000000", "x", "9,05551E+11", "90555"]

    quote = await world.acceptance.quote(Request(who, service, to, "merhaba", "panel"))

    assert (quote.n_valid, quote.n_repeated, quote.n_invalid) == (1, 1, 5)
    assert quote.left_out == (
        LeftOut(1, "0555 000 00 00", "repeated"),
        LeftOut(2, "0212 555 00 00", "not_mobile"),
        LeftOut(3, "905360000000", "no_route"),
        LeftOut(4, "x", "not_a_number"),
        LeftOut(5, "9,05551E+11", "digits_lost"),
        LeftOut(6, "90555", "wrong_length"),
    )
    assert (quote.unit_price, quote.cost, quote.balance, quote.remaining) == (
        *(USD, USD, 100 * USD),
        99 * USD,
    )


async def test_a_list_of_nobody_costs_nothing_and_names_a_bounded_number(world: World) -> None:
    who, service = await world.customer(0), await world.service()

    quote = await world.acceptance.quote(Request(who, service, ["x" * 1000] * 5000, "merhaba", "panel"))

    assert (quote.n_valid, quote.n_invalid, quote.cost, quote.remaining) == (0, 5000, 0, 0)
    assert quote.reasons == {"not_a_number": 5000}
    assert len(quote.left_out) == LEFT_OUT_MAX
    assert {len(one.raw) for one in quote.left_out} == {RAW_MAX}


@pytest.mark.parametrize(
    ("texts", "characters", "segments", "encodings", "left"),
    [
        ("merhaba", (7, 7), (1, 1), {"gsm7"}, 153),
        ("ş" * 71, (71, 71), (2, 2), {"ucs2"}, 63),
        (["a" * 161 for _ in range(2)], (161, 161), (2, 2), {"gsm7"}, 145),
        (["a", unicodedata.normalize("NFC", "ş" * 100)], (1, 100), (1, 2), {"gsm7", "ucs2"}, None),
    ],
)
async def test_how_the_texts_travel(
    world: World,
    texts: str | list[str],
    characters: tuple[int, int],
    segments: tuple[int, int],
    encodings: set[str],
    left: int | None,
) -> None:
    who, service = await world.customer(), await world.service()

    quote = await world.acceptance.quote(
        Request(who, service, ["905550000000", "905550000001"], texts, "panel")
    )

    assert quote.parts == (characters, segments, encodings, left)


async def test_a_price_that_is_over_is_not_promised(world: World) -> None:
    who, service = await world.customer(), await world.service(5)
    await world.rule(service, "fixed", 1, ends=now() - timedelta(seconds=1))

    quote = await world.acceptance.quote(Request(who, service, ["905550000000"], "merhaba", "panel"))

    assert (quote.unit_price, quote.cost, quote.currency) == (5, 5, "USD")


async def test_no_such_service(world: World) -> None:
    who, service = await world.customer(), await world.service(state="inactive")

    with pytest.raises(Refused) as refusal:
        await world.acceptance.quote(Request(who, service, ["905550000000"], "merhaba", "panel"))

    assert refusal.value.code == Code.SERVICE_NOT_FOUND


async def test_a_quote_keeps_nothing(world: World) -> None:
    who, service = await world.customer(), await world.service()
    request = world.named(who, service, "a name")

    await world.acceptance.quote(request)

    assert [await world.count(table) for table in ("sendings", "messages", "idempotency", "volumes")] == [
        0
    ] * 4
    assert await world.balance(who) == 100 * USD

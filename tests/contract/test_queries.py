"""The lists: paging, order, filters, contexts, and queries that do not fit."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.contract import (
    NOBODY,
    Caller,
    World,
    assert_error,
    assert_page,
    assert_stats,
    data_of,
    number,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TEXTS = [
    "İSTANBUL'da ILIK bir gün",
    "Şişli'de ÇIĞ gördüm, ÖĞÜN yedim",
    "Plain English text, TITLE inside",
    r"Bugün 50% indirim: a_b, c\d",
    "Bugün 500 lira: axb, cd",
    "Aynı metin",
    "Aynı metin",
]


@pytest.fixture(scope="module")
def listed(world: World, lale: Caller) -> list[str]:
    """Lale's own sendings, oldest first: the `TEXTS`, all but the last delivered."""
    made = [lale.send(world.services["BobSMS"], number(), text=text) for text in TEXTS[:-1]]
    for sending in made:
        lale.ended(sending)
    return [*made, lale.send(world.services["PendingSMS"], number(), text=TEXTS[-1])]


@pytest.fixture(scope="module")
def bulk(world: World, member: Caller) -> tuple[str, list[str]]:
    """A sending of 25 messages, and its numbers in the order of the request."""
    numbers = [f"905557{place * 7919 % 100:02}{place:02}00" for place in range(25)]
    made = member.send(world.services["BobSMS"], *numbers, text="Toplu İŞ")
    member.ended(made)
    return made, numbers


@pytest.fixture(scope="module")
def fates(world: World, member: Caller) -> str:
    """An ended sending: two delivered, one not sent, one without a signal."""
    to = ["905558000901", "905558000001", "905558000902", "905558000002"]
    made = member.send(world.services["BobSMS"], *to)
    member.ended(made)
    return made


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page["items"]]


# --- order and paging


def test_sendings_are_listed_newest_first(lale: Caller, listed: list[str]) -> None:
    page = lale.sendings()

    items = assert_page(page, total=len(TEXTS))
    assert [item["id"] for item in items] == listed[::-1]
    order = [(item["createdAt"], item["id"]) for item in items]
    assert order == sorted(order, reverse=True)
    for item in items:
        assert_stats(item)


def test_pages_follow_each_other(lale: Caller, listed: list[str]) -> None:
    pages = [lale.sendings(page=page, limit=3) for page in range(4)]

    for place, page in enumerate(pages):
        assert_page(page, total=len(TEXTS), page=place, limit=3)
    assert list(itertools.chain.from_iterable(map(ids, pages))) == listed[::-1]
    assert pages[-1]["items"] == []


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 1000])
def test_total_pages_is_rounded_up(lale: Caller, listed: list[str], limit: int) -> None:
    assert_page(lale.sendings(limit=limit), total=len(listed), limit=limit)


@pytest.mark.parametrize("page", [5, 1000, 2**31, 2**63, 10**30])
def test_a_page_past_the_end_is_empty(
    lale: Caller, member: Caller, listed: list[str], bulk: tuple[str, list[str]], page: int
) -> None:
    assert_page(lale.sendings(page=page), total=len(listed), page=page)
    assert_page(member.messages(bulk[0], page=page), total=25, page=page)


@pytest.mark.parametrize("limit", [1001, 5000, 2**31, 2**63, 10**30])
def test_a_limit_above_1000_is_served_and_answered_as_1000(
    lale: Caller, member: Caller, listed: list[str], bulk: tuple[str, list[str]], limit: int
) -> None:
    assert_page(lale.sendings(limit=limit), total=len(listed), limit=1000)
    assert_page(member.messages(bulk[0], limit=limit), total=25, limit=1000)


def test_an_empty_list_has_no_pages(world: World) -> None:
    assert_page(world.caller("onlooker").sendings(), total=0)


def test_messages_are_listed_in_the_order_of_the_request(member: Caller, bulk: tuple[str, list[str]]) -> None:
    sending, numbers = bulk

    pages = [assert_page(member.messages(sending, page=page), total=25, page=page) for page in range(3)]
    found = [item["to"] for page in pages for item in page]
    assert found == numbers
    assert [item["to"] for item in member.messages(sending, limit=1000)["items"]] == numbers


def test_more_than_1000_messages_are_paged_in_order(world: World, member: Caller) -> None:
    numbers = [f"90556{place * 7 % 1201:07}" for place in range(1201)]
    sending = member.send(world.services["PendingSMS"], *numbers)

    pages = [
        assert_page(member.messages(sending, limit=1000, page=page), total=1201, page=page, limit=1000)
        for page in range(2)
    ]

    assert [item["to"] for page in pages for item in page] == numbers


# --- filters of sendings


def found_by(caller: Caller, listed: list[str], **query: object) -> list[int]:
    """Which of the `TEXTS` a query finds, by their place."""
    page = caller.sendings(**query)
    assert page["total"] == len(page["items"])
    return sorted(listed.index(item["id"]) for item in page["items"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, [0]) for text in ("İSTANBUL", "istanbul", "ISTANBUL", "ıstanbul", "İstanBUL")),
        *((text, [0]) for text in ("ılık", "ILIK", "ilik", "İLİK", "ılik Bİr")),
        *((text, [1]) for text in ("şişli", "ŞİŞLİ", "şIşLı", "Şişli")),
        *((text, [1]) for text in ("çığ", "ÇİĞ", "öğün", "ÖĞÜN")),
        *((text, [2]) for text in ("title", "TITLE", "tıtle", "TİTLE", "ENGLISH", "engliSH TEXT, t")),
        ("50%", [3]),
        ("%", [3]),
        ("a_b", [3]),
        ("_", [3]),
        ("c\\d", [3]),
        ("\\", [3]),
        ("50", [3, 4]),
        ("%%", []),
        ("5%0", []),
        ("bugün", [3, 4]),
        ("BUGÜN", [3, 4]),
        ("aynı METİN", [5, 6]),
        ("sisli", []),
        ("'", [0, 1]),
        ("nothing like it", []),
        ("", list(range(len(TEXTS)))),
    ],
)
def test_text_is_a_substring_in_any_case_turkish_or_english(
    lale: Caller, listed: list[str], text: str, expected: list[int]
) -> None:
    assert found_by(lale, listed, text=text) == expected


def test_completed(lale: Caller, listed: list[str]) -> None:
    assert found_by(lale, listed, completed="true") == [0, 1, 2, 3, 4, 5]
    assert found_by(lale, listed, completed="false") == [6]


def test_source(lale: Caller, listed: list[str]) -> None:
    assert len(found_by(lale, listed, source="api")) == len(TEXTS)
    assert_page(lale.sendings(source="panel"), total=0)


def test_filters_are_joined(lale: Caller, listed: list[str]) -> None:
    assert found_by(lale, listed, text="aynı", completed="true", source="api") == [5]
    assert_page(lale.sendings(text="bugün", limit=1, page=1), total=2, page=1, limit=1)


def times(caller: Caller, listed: list[str]) -> list[str]:
    """`createdAt` of each, oldest first."""
    made = {item["id"]: item["createdAt"] for item in caller.sendings()["items"]}
    return [made[sending] for sending in listed]


def shifted(time: str, milliseconds: int) -> str:
    moment = datetime.fromisoformat(time) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_start_and_end_are_inclusive_with_a_time_read_from_an_answer(lale: Caller, listed: list[str]) -> None:
    made = times(lale, listed)
    third = made[2]

    exactly = found_by(lale, listed, startDate=third, endDate=third)
    from_it, until_it = found_by(lale, listed, startDate=third), found_by(lale, listed, endDate=third)
    after = found_by(lale, listed, startDate=shifted(third, 1))
    before = found_by(lale, listed, endDate=shifted(third, -1))

    places = range(len(TEXTS))
    assert exactly == [place for place in places if made[place] == third]
    assert from_it == [place for place in places if made[place] >= third]
    assert until_it == [place for place in places if made[place] <= third]
    assert after == [place for place in places if made[place] > third]
    assert before == [place for place in places if made[place] < third]


def test_a_date_time_in_any_offset_is_the_same_moment(lale: Caller, listed: list[str]) -> None:
    made = times(lale, listed)
    moment = datetime.fromisoformat(made[2])
    expected = [place for place, time in enumerate(made) if time == made[2]]

    for zone in (UTC, timezone(timedelta(hours=3)), timezone(timedelta(hours=-9, minutes=-30))):
        there = moment.astimezone(zone).isoformat(timespec="milliseconds")
        assert found_by(lale, listed, startDate=there, endDate=there) == expected


def test_a_date_time_without_offset_is_utc(lale: Caller, listed: list[str]) -> None:
    made = times(lale, listed)
    bare = made[2].removesuffix("Z")

    expected = [place for place, time in enumerate(made) if time == made[2]]
    assert found_by(lale, listed, startDate=bare, endDate=bare) == expected


def test_digits_after_the_milliseconds_count(lale: Caller, listed: list[str]) -> None:
    made = times(lale, listed)

    later = made[2].replace("Z", "001Z")

    expected = [place for place, time in enumerate(made) if time > made[2]]
    assert found_by(lale, listed, startDate=later) == expected


def test_an_interval_that_ends_before_it_starts_is_empty(lale: Caller, listed: list[str]) -> None:
    assert_page(lale.sendings(startDate="2030-01-01T00:00:00Z", endDate="2020-01-01T00:00:00Z"), total=0)


@pytest.mark.parametrize(
    "moment", ["2026-03-10T10:22:31.338Z", "2026-03-10T10:22:31Z", "2024-02-29T23:59:59.999999Z"]
)
def test_date_times_of_any_precision(lale: Caller, listed: list[str], moment: str) -> None:
    assert len(found_by(lale, listed, startDate=moment)) == len(TEXTS)
    assert_page(lale.sendings(endDate=moment), total=0)


# --- filters of messages


@pytest.mark.parametrize("status", ["pending", "waiting", "sent", "not_sent", "no_signal"])
def test_status(member: Caller, fates: str, status: str) -> None:
    expected = {"sent": ["905558000001", "905558000002"], "not_sent": ["905558000901"]}
    expected |= {"no_signal": ["905558000902"]}

    page = member.messages(fates, status=status)

    items = assert_page(page, total=len(expected.get(status, [])))
    assert [item["to"] for item in items] == expected.get(status, [])
    assert {item["status"] for item in items} <= {status}


def test_status_of_what_is_under_way(world: World, member: Caller) -> None:
    waits = member.send(world.services["WaitingSMS"], number(), number())
    pends = member.send(world.services["PendingSMS"], number())
    member.waiting(waits)

    def count(sending: str, status: str) -> int:
        return int(member.messages(sending, status=status)["total"])

    assert (count(waits, "waiting"), count(waits, "pending")) == (2, 0)
    assert (count(pends, "waiting"), count(pends, "pending")) == (0, 1)


def test_text_finds_messages_by_number_or_text(world: World, member: Caller) -> None:
    messages = [
        {"to": "905551234567", "message": "Işıklar SÖNDÜ"},
        {"to": "0555 765 43 21", "message": "Kodunuz 12345"},
        {"to": "905550000001", "message": "100% güvenli_"},
    ]
    body = {"messages": messages, "serviceId": world.services["BobSMS"]}
    sending = data_of(member.client.post("/sms-sendings/advanced", json=body), 201)

    def found(text: str) -> list[str]:
        return [item["to"] for item in member.messages(sending, text=text)["items"]]

    first, then, last = "905551234567", "905557654321", "905550000001"
    assert found("12345") == [first, then]
    assert found("1234567") == [first]
    assert found("0555") == [first, then, last]
    assert found("90555765") == [then]
    assert found("IŞIKLAR sön") == found("ışıklar") == found("İŞİKLAR") == [first]
    assert found("%") == found("_") == [last]
    assert found("5%1") == []
    assert found("") == [first, then, last]


def test_text_finds_messages_of_a_bulk_by_its_text(member: Caller, bulk: tuple[str, list[str]]) -> None:
    sending, numbers = bulk

    assert member.messages(sending, text="TOPLU iş")["total"] == 25
    assert member.messages(sending, text=numbers[3])["total"] == 1
    assert member.messages(sending, text="başka")["total"] == 0


def test_status_and_text_are_joined(member: Caller, fates: str) -> None:
    assert member.messages(fates, status="sent", text="0002")["total"] == 1
    assert member.messages(fates, status="sent", text="0901")["total"] == 0


# --- contexts


def test_contexts_never_meet(world: World, mark: Caller, second: Caller, member: Caller) -> None:
    third, lale_third = world.caller("mark", "Third"), world.caller("lale", "Third")
    ayse, lale = world.caller("ayse"), world.caller("lale")
    callers = {
        "mark": mark,
        "third": third,
        "second": second,
        "main": member,
        "ayse": ayse,
        "lale": lale,
        "lale third": lale_third,
    }
    made = {
        name: callers[name].send(world.services["BobSMS"], number())
        for name in ("mark", "third", "second", "main", "lale third")
    }
    seen_by = {name: {name} for name in callers} | {
        "ayse": set(),
        "lale": set(),
        "third": {"third", "lale third"},
        "lale third": {"third", "lale third"},
    }

    for name, caller in callers.items():
        everything = set(ids(caller.sendings(limit=1000)))
        for other, sending in made.items():
            answer = caller.client.get(f"/sms-sendings/{sending}")
            if other in seen_by[name]:
                assert sending in everything
                assert data_of(answer)["total"] == 1
            else:
                assert sending not in everything
                assert_error(answer, 404, "sending_not_found")


def test_a_sending_of_another_context_is_answered_like_one_that_does_not_exist(
    world: World, mark: Caller, second: Caller
) -> None:
    sending = mark.send(world.services["BobSMS"], number())

    other = second.client.get(f"/sms-sendings/{sending}")
    missing = second.client.get(f"/sms-sendings/{NOBODY}")

    errors = [assert_error(answer, 404, "sending_not_found") for answer in (other, missing)]
    assert [error["message"] for error in errors] == [errors[0]["message"]] * 2


# --- queries that do not fit


NO_INTEGERS = ["-1", "abc", "1.5", "1.0", "1e3", "0x10", "1_000", "+-1", "１", "true", "null", "NaN", "%00"]
NO_DATES = [
    "yesterday",
    "1741602151",
    "10.03.2026",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-03-10T25:00:00Z",
    "2026-03-10T10:61:00Z",
    "2026-03-10T10:00:00+99:00",
    "2026-03-10T10:00:00Zulu",
    "2026-03-10T10:22:31.338Z; DROP TABLE sendings",
    "٢٠٢٦-03-10T10:00:00Z",
    "\x00",
]


@pytest.mark.parametrize("field", ["page", "limit"])
@pytest.mark.parametrize("value", NO_INTEGERS)
def test_no_integer(lale: Caller, listed: list[str], field: str, value: str) -> None:
    for path in ("/sms-sendings", f"/sms-sendings/{listed[0]}"):
        lale.refused("GET", path, 400, "validation_failed", [field], params={field: value})


def test_a_limit_of_0(lale: Caller, listed: list[str]) -> None:
    for path in ("/sms-sendings", f"/sms-sendings/{listed[0]}"):
        lale.refused("GET", path, 400, "validation_failed", ["limit"], params={"limit": "0"})


@pytest.mark.parametrize("field", ["startDate", "endDate"])
@pytest.mark.parametrize("value", NO_DATES)
def test_no_date_time(lale: Caller, field: str, value: str) -> None:
    lale.refused("GET", "/sms-sendings", 400, "validation_failed", [field.lower()], params={field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("completed", value) for value in ("maybe", "2", "yes please", "null")),
        *(("source", value) for value in ("fax", "API", "api,panel", "null")),
    ],
)
def test_no_such_choice_among_sendings(lale: Caller, field: str, value: str) -> None:
    lale.refused("GET", "/sms-sendings", 400, "validation_failed", [field], params={field: value})


@pytest.mark.parametrize("value", ["foo", "SENT", "sent,pending", "delivered", "0"])
def test_no_such_status(lale: Caller, listed: list[str], value: str) -> None:
    path = f"/sms-sendings/{listed[0]}"

    lale.refused("GET", path, 400, "validation_failed", ["status"], params={"status": value})


def test_every_field_at_fault_is_named(lale: Caller, listed: list[str]) -> None:
    sendings = {"page": "-1", "limit": "0", "startDate": "x", "endDate": "x", "completed": "x", "source": "x"}
    messages = {"page": "x", "limit": "x", "status": "x"}

    for path, query in (("/sms-sendings", sendings), (f"/sms-sendings/{listed[0]}", messages)):
        fields = [name.lower() for name in query]
        lale.refused("GET", path, 400, "validation_failed", fields, params=query)


@pytest.mark.parametrize(
    "query",
    [
        "text=%00",
        "text=%ff%fe",
        "text=%ed%a0%80",
        "text=" + "x" * 10_000,
        "startDate=0001-01-01T00:00:00%2B14:00",
        "endDate=9999-12-31T23:59:59.999999-14:00",
        "startDate=2016-12-31T23:59:60Z",
        "&&&=&=x",
        "page=0&page=1",
    ],
)
def test_odd_queries_are_answered_or_refused_and_nothing_else(
    lale: Caller, listed: list[str], query: str
) -> None:
    for path in ("/sms-sendings", f"/sms-sendings/{listed[0]}"):
        answer = lale.client.get(f"{path}?{query}")

        if answer.status_code != 200:
            assert_error(answer, 400, "validation_failed")


def test_unknown_parameters_are_ignored(lale: Caller, listed: list[str]) -> None:
    odd = {"offset": "5", "Page": "3", "sort": "createdAt", "x[]": "1", "status": "foo", "api_key": "x"}
    also = odd | {"completed": "maybe", "source": "fax", "startDate": "no date"}
    del also["status"]

    assert ids(lale.sendings(**odd)) == listed[::-1]
    assert lale.messages(listed[0], **also)["total"] == 1
    for path in ("/users/me", "/users/me/organizations", "/services"):
        assert lale.client.get(path, params={"page": "-1", "limit": "x"}).status_code == 200

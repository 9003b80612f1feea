"""The entrance of the panel: who gets in, who does not and learns nothing by it, and how long it lasts."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pyotp
import pytest
from argon2 import PasswordHasher

from tests.admin import BY, actions, rows, value
from tests.admin.clock import Clock, stopped
from ulak.admin import accounts, entrance, guessing, operators, passwords, second_factor
from ulak.admin.entrance import Opened
from ulak.base.db import Database
from ulak.rules.actor import Actor, Door
from ulak.rules.refusal import Code, Refused

PASSWORD = "correct horse battery"
HERE = "203.0.113.7"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The entrance's time, which stands still until somebody turns it on."""
    return stopped(monkeypatch)


async def mark(db: Database, username: str = "mark", email: str = "mark@example.com") -> UUID:
    return (await accounts.create_user(db, BY, username, email, PASSWORD)).id


async def ayse(db: Database) -> UUID:
    return (await operators.create(db, BY, "ayse", PASSWORD)).operator.id


async def come(db: Database, name: str = "mark", password: str = PASSWORD, **more: Any) -> Opened:
    door: Door = more.pop("door", "customer")
    values = {"address": HERE, "agent": "Firefox"} | more
    return await entrance.sign_in(db, door, name=name, password=password, **values)


async def refused(work: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value


async def with_factor(db: Database, owner_id: UUID, clock: Clock) -> pyotp.TOTP:
    """A second factor that is on, a minute ago."""
    begun = await second_factor.begin(db, BY, owner_id, "mark")
    totp = pyotp.TOTP(begun.secret_base32)
    await second_factor.confirm(db, BY, owner_id, clock.code(totp))
    clock.turn(minutes=1)
    return totp


# --- by password


@pytest.mark.parametrize("name", ["mark", "MARK", " mark ", "mark@example.com", "Mark@Example.com"])
async def test_a_customer_signs_in_by_name_or_address_whatever_the_case(db: Database, name: str) -> None:
    id_ = await mark(db)

    opened = await come(db, name)

    found = await entrance.visitor(db, "customer", opened.token)
    assert found
    assert found.session == opened.session
    assert found.user
    assert (found.user.id, found.operator) == (id_, None)
    assert (found.session.awaits_code, found.session.read_only) == (False, False)
    assert (found.session.address, found.session.agent) == (HERE, "Firefox")


async def test_each_door_knows_its_own_people_only(db: Database) -> None:
    await mark(db)
    await ayse(db)

    opened = await come(db, "ayse", door="operator")

    assert await entrance.visitor(db, "customer", opened.token) is None
    found = await entrance.visitor(db, "operator", opened.token)
    assert found
    assert found.operator
    assert (found.operator.username, found.user) == ("ayse", None)
    assert (await refused(come(db, "ayse"))).code == Code.UNAUTHORIZED
    assert (await refused(come(db, "mark", door="operator"))).code == Code.UNAUTHORIZED
    customer = await come(db)
    assert await entrance.visitor(db, "operator", customer.token) is None


WAYS_IN_VAIN = [
    *(("nobody",), ("mark", "wrong"), ("mark", ""), ("lale",), ("lale", ""), ("ece",), ("",)),
    ("shared@example.com",),
]


async def test_every_way_not_to_be_somebody_is_the_same(db: Database) -> None:
    await mark(db)
    await accounts.create_user(db, BY, "lale", "lale@example.com")  # no password
    await mark(db, "ece", "ece@example.com")
    await accounts.set_user_state(db, BY, "ece", "disabled")
    await mark(db, "ali", "shared@example.com")
    await mark(db, "veli", "Shared@example.com")

    said = [await refused(come(db, *words, address=f"203.0.113.{n}")) for n, words in enumerate(WAYS_IN_VAIN)]

    assert {(one.code, one.message, one.retry_after) for one in said} == {
        (Code.UNAUTHORIZED, entrance.WRONG, None)
    }
    assert await rows(db, "SELECT FROM sessions") == []
    assert (await come(db, "ali")).session.user_id


HOSTILE = ["a\0b", "\0", "\udcff", "m" * 10_000, "İ" * 10_000, "%", "' OR 1=1 --", "\x1b[2J", "‮kram", "\n"]


@pytest.mark.parametrize("door", ["customer", "operator"])
async def test_hostile_words_are_refused_like_all_others(db: Database, door: Door) -> None:
    await mark(db)
    await ayse(db)
    name = "mark" if door == "customer" else "ayse"

    for n, text in enumerate(HOSTILE):
        where = f"2001:db8:{n}::1"
        attempts = [
            come(db, text, door=door, address=where),
            come(db, name, text, door=door, address=where),
            come(db, text, text, door=door, address=text, agent=text),
        ]
        for attempt in attempts:
            assert (await refused(attempt)).code == Code.UNAUTHORIZED
        assert await entrance.visitor(db, door, text) is None
        assert await entrance.half(db, text) is None
        await entrance.sign_out(db, text)
        assert (await refused(entrance.give_code(db, text, text, text))).code == Code.UNAUTHORIZED
    subjects = [row["subject"] for row in await rows(db, "SELECT subject FROM audit_log")]
    assert max(map(len, subjects)) <= 64
    assert all(subject.isprintable() for subject in subjects)


async def test_browsers_and_addresses_are_kept_short_and_printable(db: Database) -> None:
    await mark(db)

    opened = await come(db, address="\0" + "9" * 500, agent="\udcffFox\n" + "x" * 10_000)

    assert opened.session.agent.startswith("Foxxx")
    assert len(opened.session.agent) == 300
    assert opened.session.address == "9" * 64


async def test_what_is_written_down_of_signing_in(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    await mark(db)

    await refused(come(db, "MARK", "hunter22"))
    for _ in range(guessing.PAIR_MAX + 1):
        await refused(come(db, "My-Passw0rd", "hunter22"))  # in the wrong field
    opened = await come(db)

    written = await rows(db, "SELECT actor, address, action, subject FROM audit_log ORDER BY id OFFSET 1")
    assert [tuple(row) for row in written] == [
        ("nobody", HERE, "sign-in.failed", "mark"),
        *[("nobody", HERE, "sign-in.failed", entrance.NOBODYS_NAME)] * guessing.PAIR_MAX,
        ("user:mark", HERE, "sign-in", "mark"),
    ]
    everything = str(
        [
            [str(row) for row in await rows(db, f"SELECT t::text FROM {table} t")]
            for table in ("audit_log", "sessions", "guesses")
        ]
    )
    assert all(secret not in everything for secret in ("hunter22", "horse", opened.token))
    logged = capsys.readouterr().out
    assert "guesses_refused" in logged
    assert "passw0rd" not in (logged + str(await rows(db, "SELECT t::text FROM audit_log t"))).lower()


async def test_a_hash_made_with_older_parameters_is_made_anew(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mark(db)
    before = await value(db, "SELECT password_hash FROM users")
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: stronger)

    await refused(come(db, password="wrong"))
    assert await value(db, "SELECT password_hash FROM users") == before
    await come(db)
    after = await value(db, "SELECT password_hash FROM users")
    await come(db)

    assert "t=2" in after
    assert await value(db, "SELECT password_hash FROM users") == after


# --- guessing


async def test_five_guesses_at_a_name_from_one_address_then_it_waits(db: Database, clock: Clock) -> None:
    await mark(db)

    for _ in range(5):
        assert (await refused(come(db, password="wrong"))).code == Code.UNAUTHORIZED
        clock.turn(minutes=1)
    limited = await refused(come(db))

    assert limited.code == Code.RATE_LIMITED
    assert limited.retry_after == 600
    assert "10 min" in limited.message
    assert (await refused(come(db, "MARK "))).code == Code.RATE_LIMITED
    assert (await come(db, address="198.51.100.1")).token
    clock.turn(minutes=10)
    assert (await come(db)).token


async def test_a_hundred_guesses_at_once_are_five(db: Database, clock: Clock) -> None:
    await mark(db)

    said = await asyncio.gather(*(come(db, password=f"guess {n}") for n in range(40)), return_exceptions=True)

    codes = [one.code for one in said if isinstance(one, Refused)]
    assert len(codes) == 40
    assert codes.count(Code.UNAUTHORIZED) == 5
    assert (await actions(db)).count("sign-in.failed") == 5


async def test_guesses_that_were_refused_shut_nobody_else_out(db: Database, clock: Clock) -> None:
    await mark(db)

    for _ in range(guessing.NAME_MAX + 10):
        await refused(come(db, password="wrong"))

    assert (await come(db, address="198.51.100.1")).token
    assert (await refused(come(db, "other"))).code == Code.UNAUTHORIZED


async def test_who_is_right_takes_the_guess_back(db: Database, clock: Clock) -> None:
    await mark(db)

    for _ in range(8):
        await come(db)

    assert {row["n"] for row in await rows(db, "SELECT n FROM guesses")} == {0}


async def test_one_name_from_many_addresses_and_many_names_from_one(db: Database, clock: Clock) -> None:
    await mark(db)

    for n in range(50):
        await refused(come(db, password="wrong", address=f"2001:db8:{n}::1"))
        await refused(come(db, f"user{n}", address=f"198.51.100.{n}" if n % 2 else "2001:db8:ffff:0::1"))
    for n in range(25):
        await refused(come(db, f"more{n}", address=f"2001:db8:ffff:0::{n}"))

    assert (await refused(come(db, address="192.0.2.1"))).code == Code.RATE_LIMITED
    assert (await refused(come(db, "another", address="2001:db8:ffff::abcd"))).code == Code.RATE_LIMITED
    assert (await refused(come(db, "another", address="192.0.2.1"))).code == Code.UNAUTHORIZED


async def test_no_address_is_counted_like_one(db: Database, clock: Clock) -> None:
    await mark(db)

    for _ in range(guessing.PAIR_MAX):
        await refused(come(db, password="wrong", address=None))

    assert (await refused(come(db, address=None))).code == Code.RATE_LIMITED
    for n in range(guessing.ADDRESS_MAX - guessing.PAIR_MAX):
        assert (await refused(come(db, f"user{n}", address=None))).code == Code.UNAUTHORIZED
    assert (await refused(come(db, "lale", address=None))).code == Code.RATE_LIMITED
    assert (await come(db)).token


# --- the second step


async def test_with_a_second_factor_the_password_opens_nothing(db: Database, clock: Clock) -> None:
    totp = await with_factor(db, await mark(db), clock)

    first = await come(db)

    assert first.session.awaits_code
    assert await entrance.visitor(db, "customer", first.token) is None
    assert await entrance.half(db, first.token) == first.session
    assert await entrance.sessions_of(db, first.session.owner_id) == []

    second = await entrance.give_code(db, first.token, clock.code(totp), HERE)

    assert await entrance.visitor(db, "customer", second.token)
    assert await entrance.half(db, second.token) is None
    assert second.token != first.token  # whoever knew the first token has nothing
    assert second.session.id != first.session.id
    assert await entrance.visitor(db, "customer", first.token) is None
    assert await entrance.half(db, first.token) is None
    assert (await actions(db))[-2:] == ["second-factor.confirm", "sign-in"]


async def test_a_code_is_good_once_whoever_gives_it(db: Database, clock: Clock) -> None:
    totp = await with_factor(db, await mark(db), clock)
    halves = [(await come(db)).token for _ in range(5)]

    given = await asyncio.gather(
        *(entrance.give_code(db, token, clock.code(totp), HERE) for token in halves), return_exceptions=True
    )

    assert [isinstance(one, Opened) for one in given].count(True) == 1
    again = entrance.give_code(db, (await come(db)).token, clock.code(totp), "198.51.100.1")
    assert (await refused(again)).message == entrance.WRONG_CODE
    earlier = entrance.give_code(db, (await come(db)).token, clock.code(totp, -1), "198.51.100.1")
    assert (await refused(earlier)).message == entrance.WRONG_CODE


@pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_may_be_one_step_off(db: Database, clock: Clock, steps: int, fits: bool) -> None:
    totp = await with_factor(db, await mark(db), clock)
    clock.turn(minutes=5)
    token = (await come(db)).token

    if fits:
        assert (await entrance.give_code(db, token, clock.code(totp, steps), HERE)).token
    else:
        await refused(entrance.give_code(db, token, clock.code(totp, steps), HERE))


async def test_codes_are_guessed_five_times_from_one_address(db: Database, clock: Clock) -> None:
    totp = await with_factor(db, await mark(db), clock)
    tokens = [(await come(db)).token for _ in range(12)]

    said = await asyncio.gather(
        *(entrance.give_code(db, token, "12345x", HERE) for token in tokens), return_exceptions=True
    )

    assert [one.code for one in said if isinstance(one, Refused)].count(Code.UNAUTHORIZED) == 5
    limited = entrance.give_code(db, tokens[0], clock.code(totp), HERE)
    assert (await refused(limited)).code == Code.RATE_LIMITED
    for n in range(5):
        await refused(entrance.give_code(db, tokens[0], "000 00", f"198.51.100.{n}"))
    elsewhere = entrance.give_code(db, tokens[0], clock.code(totp), "192.0.2.1")
    assert (await refused(elsewhere)).code == Code.RATE_LIMITED


async def test_a_code_comes_within_ten_minutes(db: Database, clock: Clock) -> None:
    totp = await with_factor(db, await mark(db), clock)
    token = (await come(db)).token
    clock.turn(minutes=10)

    late = await refused(entrance.give_code(db, token, clock.code(totp), HERE))

    assert (late.code, late.message) == (Code.UNAUTHORIZED, entrance.TOO_LATE)
    assert await entrance.half(db, token) is None


async def test_who_was_shut_out_between_the_steps_stays_out(db: Database, clock: Clock) -> None:
    totp = await with_factor(db, await mark(db), clock)
    token = (await come(db)).token
    await accounts.set_user_state(db, BY, "mark", "disabled")

    assert await entrance.half(db, token) is None
    await refused(entrance.give_code(db, token, clock.code(totp), HERE))


async def test_half_sessions_push_no_whole_one_out(db: Database, clock: Clock) -> None:
    whole = await come(db, "mark") if await mark(db) else None
    assert whole
    await with_factor(db, whole.session.owner_id, clock)

    for _ in range(entrance.SESSIONS_MAX + 5):
        await come(db)

    assert await value(db, "SELECT count(*) FROM sessions WHERE awaits_code") == entrance.SESSIONS_MAX
    assert await entrance.visitor(db, "customer", whole.token)


# --- being here


@pytest.mark.parametrize(
    ("door", "name", "idle", "life"),
    [
        ("customer", "mark", entrance.CUSTOMER_IDLE, entrance.CUSTOMER_LIFE),
        ("operator", "ayse", entrance.OPERATOR_IDLE, entrance.OPERATOR_LIFE),
    ],
)
async def test_a_session_ends_when_nobody_comes_and_at_last(
    db: Database, clock: Clock, door: Door, name: str, idle: timedelta, life: timedelta
) -> None:
    await mark(db)
    await ayse(db)
    idled, lived = await come(db, name, door=door), await come(db, name, door=door)
    began, almost = clock.at, idle - timedelta(seconds=1)

    clock.at += almost
    assert await entrance.visitor(db, door, lived.token)
    clock.turn(seconds=1)
    assert await entrance.visitor(db, door, idled.token) is None
    assert [one.id for one in await entrance.sessions_of(db, lived.session.owner_id)] == [lived.session.id]
    clock.turn(seconds=-1)
    while clock.at + almost < began + life:
        clock.at += almost
        assert await entrance.visitor(db, door, lived.token)
    clock.at = began + life - timedelta(milliseconds=1)
    assert await entrance.visitor(db, door, lived.token)
    clock.at = began + life
    assert await entrance.visitor(db, door, lived.token) is None


async def test_being_seen_is_written_once_a_minute(db: Database, clock: Clock) -> None:
    await mark(db)
    opened = await come(db)
    written = "SELECT seen_at FROM sessions"

    clock.turn(seconds=59)
    await entrance.visitor(db, "customer", opened.token)
    assert await value(db, written) == opened.session.seen_at
    clock.turn(seconds=1)
    found = await entrance.visitor(db, "customer", opened.token)

    assert found
    assert found.session.seen_at == clock.at == await value(db, written)


async def test_a_disabled_user_is_out_at_once(db: Database) -> None:
    await mark(db)
    opened = await come(db)

    await accounts.set_user_state(db, BY, "mark", "disabled")

    assert await entrance.visitor(db, "customer", opened.token) is None


async def test_sessions_are_listed_newest_first_and_ended(db: Database, clock: Clock) -> None:
    id_ = await mark(db)
    other = await come(db, "lale") if await mark(db, "lale", "lale@example.com") else None
    assert other
    opened = []
    for n in range(4):
        opened.append(await come(db, agent=f"browser {n}"))
        clock.turn(seconds=1)

    assert [one.agent for one in await entrance.sessions_of(db, id_)] == [
        f"browser {n}" for n in (3, 2, 1, 0)
    ]

    await entrance.end_session(db, BY, id_, opened[0].session.id)
    theirs = entrance.end_session(db, BY, id_, other.session.id)
    assert (await refused(theirs)).code == Code.NOT_KNOWN
    assert await entrance.end_others(db, BY, id_, opened[2].session.id) == 2
    left = [await entrance.visitor(db, "customer", one.token) for one in (*opened, other)]
    assert [bool(one) for one in left] == [False, False, True, False, True]
    await entrance.sign_out(db, opened[2].token)
    assert await entrance.visitor(db, "customer", opened[2].token) is None
    assert (await actions(db))[-3:] == ["session.end", "session.end-others", "sign-out"]


async def test_nobody_has_sessions_without_end(db: Database, clock: Clock) -> None:
    id_ = await mark(db)

    for n in range(entrance.SESSIONS_MAX + 3):
        await come(db, agent=str(n))
        clock.turn(seconds=1)

    kept = await entrance.sessions_of(db, id_)
    assert len(kept) == entrance.SESSIONS_MAX
    assert kept[-1].agent == "3"


async def test_what_is_over_is_forgotten(db: Database, clock: Clock) -> None:
    await mark(db)
    await ayse(db)
    await come(db)
    await come(db, "ayse", door="operator")

    clock.at += entrance.OPERATOR_LIFE

    assert await entrance.forget_old(db, clock.at) is False
    [left] = await rows(db, "SELECT user_id FROM sessions")
    assert left["user_id"]
    assert await rows(db, "SELECT FROM guesses") == []


# --- looking as a customer


async def test_an_operator_looks_at_what_a_customer_sees(db: Database, clock: Clock) -> None:
    user_id, operator_id = await mark(db), await ayse(db)
    own = await come(db, "ayse", door="operator")

    opened = await entrance.look_as(db, Actor("operator:ayse", HERE), operator_id, "Mark", HERE, "Firefox")

    found = await entrance.visitor(db, "customer", opened.token)
    assert found
    assert found.session.read_only
    assert found.user
    assert found.operator
    assert (found.user.id, found.operator.id) == (user_id, operator_id)
    assert await entrance.visitor(db, "operator", opened.token) is None
    assert await entrance.sessions_of(db, user_id) == []
    assert len(await entrance.sessions_of(db, operator_id)) == 2
    [line] = await rows(db, "SELECT actor, subject FROM audit_log WHERE action = 'look-as'")
    assert tuple(line) == ("operator:ayse", "mark")

    for _ in range(2):
        clock.turn(minutes=29)
        assert await entrance.visitor(db, "customer", opened.token)
    clock.turn(minutes=2)
    assert await entrance.visitor(db, "customer", opened.token) is None
    assert await entrance.visitor(db, "operator", own.token) is None


async def test_looking_ends_with_the_operator(db: Database) -> None:
    await mark(db)
    operator_id = await ayse(db)
    own = await come(db, "ayse", door="operator")
    opened = [await entrance.look_as(db, BY, operator_id, "mark", HERE, "") for _ in range(2)]

    await entrance.sign_out(db, opened[0].token)
    assert await entrance.visitor(db, "customer", opened[1].token)
    await entrance.sign_out(db, own.token)
    assert await entrance.visitor(db, "customer", opened[1].token) is None

    last = await entrance.look_as(db, BY, operator_id, "mark", HERE, "")
    await operators.set_state(db, BY, "ayse", "disabled")
    assert await entrance.visitor(db, "customer", last.token) is None
    assert (await refused(entrance.look_as(db, BY, operator_id, "mark", HERE, ""))).code == Code.NOT_ALLOWED


async def test_only_who_is_there_can_be_looked_at(db: Database) -> None:
    operator_id = await ayse(db)

    assert (await refused(entrance.look_as(db, BY, operator_id, "nobody", HERE, ""))).code == Code.NOT_KNOWN


# --- another password


async def test_another_password_ends_all_other_sessions(db: Database) -> None:
    id_ = await mark(db)
    kept, other = await come(db), await come(db)
    actor = Actor("user:mark", HERE)

    await entrance.change_password(db, actor, "customer", id_, PASSWORD, "staple staple", kept.session.id)

    assert await entrance.visitor(db, "customer", kept.token)
    assert await entrance.visitor(db, "customer", other.token) is None
    await refused(come(db))
    assert (await come(db, password="staple staple")).token


async def test_the_old_password_is_guessed_as_seldom_as_at_the_door(db: Database, clock: Clock) -> None:
    id_ = await ayse(db)
    actor = Actor("operator:ayse", HERE)

    for _ in range(5):
        wrong = entrance.change_password(db, actor, "operator", id_, "wrong", "staple staple", None)
        assert (await refused(wrong)).code == Code.INVALID_VALUE
    late = entrance.change_password(db, actor, "operator", id_, PASSWORD, "staple staple", None)

    assert (await refused(late)).code == Code.RATE_LIMITED
    assert (await actions(db)).count("password.change-failed") == 5
    assert (await come(db, "ayse", door="operator", address="192.0.2.1")).token


@pytest.mark.parametrize("new", ["", "seven77", "x" * 257, "half a \udcff pair"])
async def test_what_may_not_be_a_password(db: Database, new: str) -> None:
    id_ = await mark(db)

    changing = entrance.change_password(db, BY, "customer", id_, PASSWORD, new, None)

    assert (await refused(changing)).code == Code.INVALID_VALUE
    assert (await come(db)).token


async def test_a_page_that_is_only_open_keeps_nobody_signed_in(db: Database, clock: Clock) -> None:
    await mark(db)
    opened = await come(db, "mark")
    clock.at += timedelta(hours=11)

    assert await entrance.visitor(db, "customer", opened.token, comes=False) is not None
    clock.at += timedelta(hours=2)

    assert await entrance.visitor(db, "customer", opened.token) is None

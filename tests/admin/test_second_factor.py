"""Second factors: begun, confirmed with a code, removed with another, reset by whoever may."""

from base64 import b32decode
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pyotp
import pytest

from tests.admin import BY, actions, rows, value
from tests.admin.clock import Clock, stopped
from ulak.admin import accounts, second_factor
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.refusal import Code, Refused


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which codes are good."""
    return stopped(monkeypatch)


async def mark(db: Database) -> UUID:
    return (await accounts.create_user(db, BY, "mark", "mark@example.com")).id


async def switched_on(db: Database, owner_id: UUID, clock: Clock) -> pyotp.TOTP:
    totp = pyotp.TOTP((await second_factor.begin(db, BY, owner_id, "mark")).secret_base32)
    await second_factor.confirm(db, BY, owner_id, clock.code(totp))
    return totp


async def code_of(work: object) -> Code:
    with pytest.raises(Refused) as refusal:
        await work  # type: ignore[misc]
    return refusal.value.code


async def test_what_an_app_is_told(db: Database, clock: Clock) -> None:
    begun = await second_factor.begin(db, BY, await mark(db), "mark@example.com", "Ulak: İstanbul")

    assert len(b32decode(begun.secret_base32)) == 20
    uri = urlsplit(begun.uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [begun.secret_base32]
    assert pyotp.parse_uri(begun.uri).at(clock.at) == clock.code(pyotp.TOTP(begun.secret_base32))


@pytest.mark.parametrize("label", ["", "a\0b", "\udcff", "x" * 10_000, "a:b?c=d&e/f#g", "çiğdem"])
async def test_any_label_makes_a_uri(db: Database, clock: Clock, label: str) -> None:
    begun = await second_factor.begin(db, BY, await mark(db), label, label)

    assert begun.uri.isascii()
    assert len(begun.uri) < 6000


async def test_it_counts_once_it_was_confirmed(db: Database, clock: Clock) -> None:
    id_ = await mark(db)
    first = pyotp.TOTP((await second_factor.begin(db, BY, id_, "mark")).secret_base32)
    second = pyotp.TOTP((await second_factor.begin(db, BY, id_, "mark")).secret_base32)

    assert not await second_factor.is_on(db, id_)
    wrong = second_factor.confirm(db, BY, id_, clock.code(first))
    assert await code_of(wrong) == Code.INVALID_VALUE
    assert not await second_factor.is_on(db, id_)
    await second_factor.confirm(db, BY, id_, f" {clock.code(second)[:3]} {clock.code(second)[3:]} ")

    assert await second_factor.is_on(db, id_)
    assert await code_of(second_factor.begin(db, BY, id_, "mark")) == Code.ALREADY_EXISTS
    again = second_factor.confirm(db, BY, id_, clock.code(second, 1))
    assert await code_of(again) == Code.ALREADY_EXISTS
    assert await actions(db) == ["user.create", *["second-factor.begin"] * 2, "second-factor.confirm"]


async def test_what_was_not_begun_cannot_be_confirmed(db: Database, clock: Clock) -> None:
    assert await code_of(second_factor.confirm(db, BY, await mark(db), "123456")) == Code.NOT_KNOWN


async def test_it_is_removed_with_a_code_that_was_not_used(db: Database, clock: Clock) -> None:
    id_ = await mark(db)
    totp = await switched_on(db, id_, clock)

    for code in (clock.code(totp), "", "12345", "１２３４５６", "\0" * 6, "\udcff", "9" * 10_000):
        if code != clock.code(totp):
            await rows(db, "TRUNCATE guesses")
        assert await code_of(second_factor.remove(db, BY, id_, code)) == Code.INVALID_VALUE
    clock.turn(seconds=30)
    await second_factor.remove(db, BY, id_, clock.code(totp))

    assert not await second_factor.is_on(db, id_)
    assert (await actions(db))[-1] == "second-factor.remove"


async def test_removing_is_guessed_five_times(db: Database, clock: Clock) -> None:
    id_ = await mark(db)
    totp = await switched_on(db, id_, clock)
    clock.turn(minutes=1)

    for _ in range(5):
        assert await code_of(second_factor.remove(db, BY, id_, "x")) == Code.INVALID_VALUE

    assert await code_of(second_factor.remove(db, BY, id_, clock.code(totp))) == Code.RATE_LIMITED
    assert await second_factor.is_on(db, id_)


async def test_who_lost_theirs_gets_it_reset(db: Database, clock: Clock) -> None:
    id_ = await mark(db)
    await switched_on(db, id_, clock)

    assert await second_factor.reset(db, BY, id_)
    assert not await second_factor.reset_of(db, BY, "customer", "Mark")

    assert not await second_factor.is_on(db, id_)
    assert await value(db, "SELECT count(*) FROM audit_log WHERE action = 'second-factor.reset'") == 2
    assert await code_of(second_factor.reset(db, BY, ids.new_id())) == Code.NOT_KNOWN
    assert await switched_on(db, id_, clock)

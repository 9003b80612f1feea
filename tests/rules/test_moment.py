"""Moments are written as the contract shows them."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.moment import written


def test_the_contracts_form() -> None:
    assert written(datetime(2026, 3, 10, 10, 22, 31, 338_999, UTC)) == "2026-03-10T10:22:31.338Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_is_iso_8601_with_milliseconds(at: datetime) -> None:
    assert written(at) == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The short part of the fuzz; `python -m tests.smpp.fuzz` is the long one."""

import pytest

from tests.smpp.fuzz import Fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_a_stranger_sends_raises_or_is_read_wrong(seed: int) -> None:
    fuzz = Fuzz(seed)

    fuzz.run(5_000)

    for kind in ("garbage", "unreadable", "receipts", "requests", "responses", "ended", "SubmitSm", "DataSm"):
        assert fuzz.seen[kind] > 50, fuzz.seen

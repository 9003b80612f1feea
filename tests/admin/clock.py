"""A clock for the entrance, which stands still until a test turns it."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Clock:
    """What time it is: `at`."""

    def __init__(self) -> None:
        self.at = NOON

    def turn(self, **by: float) -> None:
        """Later by so many `minutes` or `seconds`."""
        self.at += timedelta(**by)

    def code(self, totp: pyotp.TOTP, steps: int = 0) -> str:
        """What an app shows now, or so many steps later."""
        return totp.generate_otp(totp.timecode(self.at) + steps)


def stopped(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that `entrance` and `second_factor` look at from now on."""
    clock = Clock()
    for module in ("entrance", "second_factor"):
        monkeypatch.setattr(f"ulak.admin.{module}.now", lambda: clock.at)
    return clock

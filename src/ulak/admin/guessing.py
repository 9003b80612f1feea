"""Guessing: how often a password or a code may be tried, before anybody looks whether it is right.

In: about whom a guess is and where it comes from. Out: nothing, or `rate_limited` with the seconds to wait. A guess is
counted and the count committed before it is judged, so that a hundred at once are still a hundred; who was right takes
theirs back. A guess that is refused counts for nobody: one address cannot shut a name for all others.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from ulak.base.db import Database, Tx
from ulak.rules.actor import Door
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.stranger import place, printable
from ulak.store import guesses

WINDOW: Final = timedelta(minutes=15)
PAIR_MAX: Final = 5
"""Guesses in a window about one name from one address."""
NAME_MAX: Final = 50
ADDRESS_MAX: Final = 50
CODES_MAX: Final = 10
"""Guesses in a window at one person's codes, from everywhere: they have six digits, and three are good at a time."""
NAME_LENGTH_MAX: Final = 255
ROWS_MAX: Final = 10_000

Guesses = Mapping[str, int]
"""Who a guess counts for, and how many each may make in a window."""

_FROM: Final = "from "

_log = structlog.get_logger(__name__)


def at_a_password(door: Door, name: str, address: str | None) -> Guesses:
    """A guess at the password of this name."""
    return _guesses(f"{door} {printable(name.strip().lower(), NAME_LENGTH_MAX)}", NAME_MAX, address)


def at_a_code(owner_id: UUID, address: str | None) -> Guesses:
    """A guess at a code of this user's or operator's second factor."""
    return _guesses(f"code {owner_id}", CODES_MAX, address)


def _guesses(whose: str, whose_max: int, address: str | None) -> Guesses:
    where = place(address) or "nowhere"  # over a socket without addresses; a limit all the same
    return {whose: whose_max, f"{_FROM}{where}": ADDRESS_MAX, f"{whose} {_FROM}{where}": PAIR_MAX}


async def count(db: Database, counted: Guesses, at: datetime) -> None:
    """Count a guess, or refuse it."""
    async with db.transaction() as tx:  # a refusal rolls back
        now_made = await guesses.count(tx, list(counted), at, at - WINDOW)
        since = [since for who, (n, since) in now_made.items() if n > counted[who]]
        if not since:
            return
        seconds = max(1.0, (max(since) + WINDOW - at).total_seconds())
        where = next(who for who in counted if who.startswith(_FROM))
        _log.warning("guesses_refused", address=where.removeprefix(_FROM))  # no name: it may be a password
        minutes = -int(-seconds // 60)
        sentence = said("That was tried too often. Try again in {minutes} min.", minutes=minutes)
        raise Refused(Code.RATE_LIMITED, sentence, retry_after=seconds)


async def take_back(tx: Tx, counted: Guesses) -> None:
    """It was no guess: they knew."""
    await guesses.take_back(tx, list(counted))


async def forget_old(tx: Tx, at: datetime) -> bool:
    """Delete what counts no more; whether there may be more of it."""
    return await guesses.forget(tx, at - WINDOW, ROWS_MAX) == ROWS_MAX

"""The pulse: what happens in this process, counted in memory, and told to the database every other second.

In: `count`, from wherever something happens. Out: the table `pulse`, where the counts of all processes add up in slots
of ten seconds, for operators to look at. Counting is an addition in a dict and never waits; what a process has not told
when it dies is lost, and so is what the database would not take. Nothing in here is ever paid for: money and messages
have their books.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from enum import StrEnum
from typing import Final

from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.store import pulse
from ulak.store.pulse import Key

TELL_SECONDS: Final = 2.0
#: Beyond so many things that were counted since the last telling, the kinds of a thing (a carrier's own statuses, say)
#: are counted together.
KEYS_MAX: Final = 1000
OTHER: Final = "other"


class What(StrEnum):
    """What is counted; beside each its label. Those with a carrier say 0 where none had anything to do with it."""

    SENDINGS = "sendings"
    """Accepted; source."""
    MESSAGES = "messages"
    """Accepted; source."""
    REFUSALS = "refusals"
    """Requests refused at the API; code."""
    GONE = "gone"
    """By carrier: messages that went out to it, each once, however many parts and tries they have."""
    GONE_MS = "gone_ms"
    """By carrier: how long those had waited since they were accepted, added up."""
    SUBMITS = "submits"
    """By carrier: submit_sm that went out."""
    ANSWERS = "answers"
    """By carrier: submit_sm that were answered; command_status, as 0x00."""
    ANSWER_MS = "answer_ms"
    """By carrier: how long those answers took, added up."""
    UNSURE = "unsure"
    """By carrier: messages in flight when a connection was lost."""
    RECEIPTS = "receipts"
    """By carrier: receipts that came, repeated ones included; status, or "progress" where it is not final."""
    UNMATCHED = "unmatched"
    """By carrier: those of them whose message was not known."""
    CLAIMED = "claimed"
    """By carrier: unmatched ones whose message became known after all."""
    ENDED = "ended"
    """By carrier: messages; status."""
    REFUNDS = "refunds"
    """By carrier: messages that were paid back."""
    PASSED_ON = "passed_on"
    """Requests that a proxy passed on whom nobody trusts."""
    SWEEPS = "sweeps"
    """The courier's rounds, about one in a minute."""
    AUDITS = "audits"
    """Audits that came to their end; "clean" or "different"."""


_counts: defaultdict[Key, int] = defaultdict(int)


def count(what: What, n: int = 1, *, carrier_id: int = 0, label: str = "") -> None:
    """Something happened, so many times."""
    if len(_counts) >= KEYS_MAX and (what, carrier_id, label) not in _counts:
        label = OTHER if label else label
    _counts[what, carrier_id, label] += n


async def tell(db: Database) -> None:
    """Add what was counted since the last time to what the database knows; nothing is written of nothing."""
    told = {key: n for key, n in _counts.items() if n}
    _counts.clear()
    if told:
        async with db.transaction() as tx:
            await pulse.add(tx, told)


async def keep_telling(db: Database) -> None:
    """Tell every other second, for ever."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        with suppress(*UNREACHABLE, *COLLISION):
            await tell(db)

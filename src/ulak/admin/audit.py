"""The audit of the books: everything that is written down twice is compared.

Balances against transfers, counters and totals against messages, charges and refunds against the ledger, pending
messages against the queue, what is searched against what was sent, all in one snapshot, so that it may run beside a
busy server. Reads everything and changes nothing, except that `told` leaves in the pulse what an audit came to.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from ulak.base.db import Database
from ulak.flow import pulse
from ulak.flow.pulse import What
from ulak.store import everyone

DIFFERENCES_SHOWN_MAX: Final = 10
SIGNATURES: Final = "every signature of gathered texts is theirs"
#: What is proved, in order.
TITLES: Final = (*(title for title, _, _ in everyone.PROOFS), SIGNATURES)


class Proof(NamedTuple):
    """One thing that must hold: what, how many were looked at, and where it does not hold."""

    title: str
    looked_at: int
    differences: list[everyone.Difference]


async def prove(db: Database) -> AsyncIterator[Proof]:
    """Every proof in turn; the first one with differences is the last."""
    async with db.snapshot() as tx:
        for title, count, search in everyone.PROOFS:
            looked_at, differences = await everyone.prove(tx, count, search, DIFFERENCES_SHOWN_MAX)
            yield Proof(title, looked_at, differences)
            if differences:
                return
        yield Proof(SIGNATURES, *await everyone.prove_signatures(tx, DIFFERENCES_SHOWN_MAX))


async def told(db: Database, *, clean: bool) -> None:
    """Have it known what an audit came to, for whoever watches."""
    pulse.count(What.AUDITS, label="clean" if clean else "different")
    await pulse.tell(db)

"""What processes tell each other through the database: LISTEN and NOTIFY.

A notice is a hint to look now instead of later, sent with the commit of the transaction that wrote what there
is to see. Losing one costs a moment, never a message: whoever listens also looks on its own every so often.
"""

from collections.abc import Iterable
from typing import Final

from ulak.base.db import Tx, Write, write

#: Somebody changed users, keys, organizations, carriers, services, prices or sender headers. No payload.
DIRECTORY: Final = "ulak_directory"
#: There is work in the queue. The payload is the carrier's id.
QUEUE: Final = "ulak_queue"

NOTIFY: Final = "SELECT pg_notify($1, p) FROM unnest($2::text[]) p"


async def directory_changed(tx: Tx) -> None:
    """Every process drops what it remembers of the directory, when this transaction commits."""
    await tx.execute(NOTIFY, DIRECTORY, [""])


def to_tell_of_work(carriers: Iterable[int]) -> Write:
    """The links of these carriers look into the queue, when this transaction commits."""
    return Write(NOTIFY, (QUEUE, [str(carrier) for carrier in sorted(set(carriers))]))


async def work_waits(tx: Tx, carriers: Iterable[int]) -> None:
    """The same, now."""
    await write(tx, to_tell_of_work(carriers))

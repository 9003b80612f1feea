"""The audit log: who did what on purpose, when and from where. Owns the table `audit_log`; rows are only ever added."""

from typing import Any, Final

import msgspec

from ulak.base.db import Tx
from ulak.rules.actor import Actor

ADD: Final = (
    "INSERT INTO audit_log (actor, address, action, subject, detail) VALUES ($1, $2, $3, $4, $5::jsonb)"
)


async def add(tx: Tx, actor: Actor, action: str, subject: str, **detail: Any) -> None:
    """Write a line: `actor` did `action` ("credit.add") to `subject`; never with a secret in `detail`.

    A change says in `detail` what was `before` and what is `after`.
    """
    await tx.execute(ADD, actor.name, actor.address, action, subject, msgspec.json.encode(detail).decode())

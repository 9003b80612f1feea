"""The audit log: who did what on purpose, and when. Owns the table `audit_log`; rows are only ever added."""

from typing import Any, Final

import msgspec

from ulak.base.db import Tx

ADD: Final = "INSERT INTO audit_log (actor, action, subject, detail) VALUES ($1, $2, $3, $4::jsonb)"


async def add(tx: Tx, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Write a line: `actor` did `action` ("credit.add") to `subject`; never with a secret in `detail`."""
    await tx.execute(ADD, actor, action, subject, msgspec.json.encode(detail).decode())

"""The audit log, read: who did what on purpose, newest first."""

from typing import Final, NamedTuple

from ulak.admin.terms import within
from ulak.base.db import Database
from ulak.store import audit_log
from ulak.store.audit_log import Line

LIMIT_MAX: Final = 1000


class Page(NamedTuple):
    """Lines, newest first; `next_before` is the `before_id` of the next page, None after the last."""

    lines: list[Line]
    next_before: int | None


async def page(
    db: Database,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    text: str | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> Page:
    """The lines before one that say all this, at most `limit`; see `audit_log.page`. None and "" let all through."""
    within("number of lines", limit, 1, LIMIT_MAX)
    async with db.reading() as tx:
        lines = await audit_log.page(
            tx,
            actor=actor or None,
            action=action or None,
            subject=subject or None,
            text=text or None,
            before_id=before_id,
            limit=limit + 1,
        )
    more = len(lines) > limit
    lines = lines[:limit]
    return Page(lines, lines[-1].id if more else None)

"""The audit log, read: who did what on purpose, newest first; and a line for what changes nothing by itself.

Whoever runs the place may read what customers sent, and copy all of it. That leaves a line too: what was looked for,
never what was found. Looking at settings, lists of customers and one's own things leaves none.
"""

from typing import Any, Final, Literal, NamedTuple

from ulak.admin.terms import within
from ulak.base.db import Database
from ulak.rules.actor import Actor
from ulak.rules.stranger import printable
from ulak.store import audit_log
from ulak.store.audit_log import Line

LIMIT_MAX: Final = 1000
SUBJECT_LENGTH_MAX: Final = 300

Deed = Literal["message.find", "message.show", "message.export", "sending.show", "backup", "restore"]
"""What is done without changing anything, and written down all the same."""


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


async def note(db: Database, actor: Actor, action: Deed, subject: str, **detail: Any) -> None:
    """Write down that somebody looked for something of customers', or took a copy; before they get it."""
    async with db.transaction() as tx:
        await audit_log.add(tx, actor, action, printable(subject, SUBJECT_LENGTH_MAX), **detail)

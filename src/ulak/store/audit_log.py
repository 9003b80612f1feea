"""The audit log: who did what on purpose, when and from where. Owns the table `audit_log`; rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was done on purpose."""

    id: int
    at: datetime
    actor: str
    address: str | None
    action: str
    subject: str
    detail: dict[str, Any]


# Whether a value is asked for stands in the statement, so that its plan does not depend on it.
_PAGE: Final = """
SELECT id, at, actor, address, action, subject, detail::text AS detail FROM audit_log
 WHERE id < $1{by}
   AND ($4::text IS NULL OR action = $4 OR starts_with(action, $4 || '.'))
   AND ($5::text IS NULL OR strpos(lower(concat_ws(' ', actor, address, action, subject, detail)), lower($5)) > 0)
 ORDER BY id DESC LIMIT $6"""
_ANY_ACTOR: Final = " AND $2::text IS NULL"
_ANY_SUBJECT: Final = " AND $3::text IS NULL"
_BY_ACTOR: Final = " AND actor = $2"
_BY_SUBJECT: Final = " AND subject = $3"

#: By whether an actor and whether a subject is asked for.
PAGE: Final = {
    (False, False): _PAGE.format(by=_ANY_ACTOR + _ANY_SUBJECT),
    (True, False): _PAGE.format(by=_BY_ACTOR + _ANY_SUBJECT),
    (False, True): _PAGE.format(by=_ANY_ACTOR + _BY_SUBJECT),
    (True, True): _PAGE.format(by=_BY_ACTOR + _BY_SUBJECT),
}
_NEWEST: Final = 2**63 - 1


async def page(
    tx: Tx,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    text: str | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[Line]:
    """The newest lines before one, newest first: of this actor, about this subject, both exactly as they stand there;
    of this action ("credit.add"), or all that begin with it ("credit"); with this text in any of their fields."""
    before = _NEWEST if before_id is None else before_id
    statement = PAGE[actor is not None, subject is not None]
    rows = await tx.fetch(statement, before, actor, subject, action, text, limit)
    return [Line(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in rows]

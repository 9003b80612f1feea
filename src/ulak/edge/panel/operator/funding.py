"""Credit as operators move it: topped up or corrected, always with a note, and what was moved of late."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from ulak.admin import credit, statement
from ulak.admin.statement import Wanted
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator.typed import asked, chosen, place
from ulak.edge.panel.visit import Operator
from ulak.rules.refusal import Code, Refused

LINES: Final = 20

#: What a movement of credit is called.
MOVEMENTS: Final[Mapping[str, str]] = {
    "topup": N_("top-up"),
    "correction": N_("correction"),
    "handout": N_("handed out or back"),
    "charge": N_("sending"),
    "refund": N_("refund"),
}

_WAYS: Final = {"topup": credit.add, "correction": credit.take}


async def move(visit: Operator, username: str | None, org: str | None) -> str:
    """Do what the form says with a credit; returns what was done, as a sentence."""
    form = visit.form
    way = chosen(_WAYS, form["way"])
    amount, note = visit.amount("amount"), noted(visit)
    held = await way(visit.rooms.db, visit.actor, amount, username, org, note)
    return visit.language.say(
        N_("Done. The credit holds %(held)s now."),
        held=visit.language.money(held, visit.rooms.config.currency),
    )


def noted(visit: Operator) -> str:
    """The note of a form, which has to be there."""
    if not visit.form["note"]:
        raise Refused(Code.INVALID_VALUE, N_("Say why, in the note: it stands in the books."))
    return visit.form["note"]


async def movements(visit: Operator, tenant_id: UUID, owner_id: UUID) -> dict[str, Any]:
    """What was moved of late, or before the entry that the address names."""
    older_than = place(asked(visit, "older")["older"])
    its = statement.of(visit.rooms.db, tenant_id, owner_id, Wanted(), with_actors=True)
    return {"statement": await its.page(older_than=older_than, limit=LINES), "movements": MOVEMENTS}

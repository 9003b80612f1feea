"""The audit log: who did what on purpose, to what, from where, and what it changed."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from ulak.admin import trail
from ulak.edge.panel.languages import N_, Language
from ulak.edge.panel.operator import deeds
from ulak.edge.panel.operator.typed import asked, place
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator
from ulak.store.audit_log import Line

LIMIT: Final = 50


class Change(NamedTuple):
    """A field that was changed: what it was and what it became, as text; None where it was not there."""

    field: str
    before: str | None
    after: str | None


class Shown(NamedTuple):
    """A line, what it changed, and what else it says."""

    line: Line
    changes: list[Change]
    others: list[tuple[str, str]]


async def audit_page(visit: Operator) -> Response:
    """`GET /audit`."""
    its = asked(visit, "actor", "action", "subject", "text", "before")
    page = await trail.page(
        visit.rooms.db,
        actor=its["actor"],
        action=its["action"],
        subject=its["subject"],
        text=its["text"],
        before_id=place(its["before"]),
        limit=LIMIT,
    )
    lines = [_shown(line, visit.language) for line in page.lines]
    return visit.page(
        "operator/audit.html",
        asked=its,
        lines=lines,
        next_before=page.next_before,
        actions=deeds.ACTIONS,
        fields=deeds.FIELDS,
    )


def _shown(line: Line, language: Language) -> Shown:
    before, after = (line.detail.get(which) for which in ("before", "after"))
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):  # as older lines have it
        return Shown(line, [], [(name, _said(name, value, language)) for name, value in line.detail.items()])
    changes = [
        Change(
            field,
            _said(field, before[field], language) if field in before else None,
            _said(field, after[field], language) if field in after else None,
        )
        for field in {**before, **after}
    ]
    others = [
        (name, _said(name, value, language))
        for name, value in line.detail.items()
        if name not in ("before", "after") and value not in (None, "")
    ]
    return Shown(line, changes, others)


def _said(field: str, value: Any, language: Language) -> str:
    """What a field held; its own words where it holds one of a few."""
    if isinstance(value, list) and value:
        return ", ".join(_said(field, one, language) for one in value)
    if not value and field in deeds.EMPTY:
        return language.say(deeds.EMPTY[field])
    its = deeds.VALUES.get(field, {})
    return language.say(its[value]) if isinstance(value, str) and value in its else _text(value, language)


def _text(value: Any, language: Language) -> str:
    """A value as people read it."""
    if value is None or value in ("", []):
        return language.say(N_("nothing"))
    if isinstance(value, bool):
        return language.say(N_("yes") if value else N_("no"))
    if isinstance(value, list):
        return ", ".join(_text(one, language) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one, language)}" for name, one in value.items())
    return str(value)


PAGES: Final = [Page("GET", "/audit", audit_page, "operator")]

"""Health, the first page: whether all is well, and what happens, while it happens."""

from typing import Any, Final

from starlette.responses import Response

from ulak.admin import pulse
from ulak.edge.panel import live
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator import drawn
from ulak.edge.panel.operator.typed import asked
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator
from ulak.flow.pulse import What
from ulak.rules.status import Status

EVERY_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 300
"""Without a sign of the courier for so long, somebody should look."""


async def health_page(visit: Operator) -> Response:
    """`GET /operator`."""
    return visit.page("operator/health.html", **await _moving(visit))


async def health_live(visit: Operator) -> Response:
    """`GET /live`: the figures and the lines, while they move."""

    async def pieces() -> dict[str, str]:
        found = await _moving(visit)
        return {
            "tiles": visit.render("operator/health-tiles.html", **found),
            "charts": visit.render("operator/charts.html", **found),
        }

    return await live.stream(visit, pieces, every=EVERY_SECONDS)


async def _moving(visit: Operator) -> dict[str, Any]:
    db = visit.rooms.db
    name, over = drawn.stretch(asked(visit, "over")["over"])
    its = await pulse.health(db)
    quiet_for = max(0.0, (its.at - its.swept_at).total_seconds()) if its.swept_at else None
    found: dict[str, Any] = {
        "health": its,
        "waited": its.waiting and its.waiting.seconds(its.at),
        "quiet_for": quiet_for,
        "silent": quiet_for is None or quiet_for > SILENT_SECONDS,
        "over": name,
        "stretches": drawn.STRETCHES,
    }
    if its.trouble or its.migrations_pending:
        return {**found, "lines": [], "rates": {}}
    lines = [
        await drawn.line(db, What.MESSAGES, N_("Accepted a second"), over),
        await drawn.line(db, What.SUBMITS, N_("Submitted a second"), over),
        await drawn.line(db, What.ENDED, N_("Delivered a second"), over, label=Status.SENT.value),
    ]
    rates = {
        "accepted": await drawn.rate(db, What.MESSAGES),
        "submitted": await drawn.rate(db, What.SUBMITS),
        "delivered": await drawn.rate(db, What.ENDED, label=Status.SENT.value),
    }
    return {**found, "lines": lines, "rates": rates}


PAGES: Final = [
    Page("GET", "", health_page, "operator"),
    Page("GET", "/live", health_live, "operator", live=True),
]

"""Charts of what happens a second: a line for each thing that is counted, over a stretch of time that can be chosen.

The step that is not over yet is left out, so that no line ends in a fall that never was.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from ulak.admin import pulse
from ulak.base.db import Database
from ulak.edge.panel import charts
from ulak.edge.panel.languages import N_
from ulak.flow.pulse import What
from ulak.store.pulse import SLOT_SECONDS

HEIGHT: Final = 100


class Stretch(NamedTuple):
    """A stretch of time up to now, in steps of so many seconds."""

    name: str
    length: timedelta
    step_seconds: int


STRETCHES: Final[Mapping[str, Stretch]] = {
    "15m": Stretch(N_("15 minutes"), timedelta(minutes=15), 10),
    "3h": Stretch(N_("3 hours"), timedelta(hours=3), 120),
    "24h": Stretch(N_("24 hours"), timedelta(hours=24), 900),
}
USUAL: Final = "15m"


class Chart(NamedTuple):
    """A line: its values a second, the value at its upper edge, when it begins, and its last value."""

    id: str
    title: str
    values: list[float]
    most: float
    starts: datetime
    last: float

    @property
    def points(self) -> str:
        """The points of its polyline."""
        return charts.line(self.values, height=HEIGHT, most=self.most)


def stretch(name: str) -> tuple[str, Stretch]:
    """The stretch of this name, or the usual one."""
    known = name if name in STRETCHES else USUAL
    return known, STRETCHES[known]


async def line(
    db: Database,
    what: What,
    title: str,
    over: Stretch,
    *,
    carrier_id: int | None = None,
    label: str | None = None,
) -> Chart:
    """How often something happened a second, everywhere or at a carrier, of every kind or of one."""
    its = await pulse.series(
        db,
        what,
        carrier_id=carrier_id,
        since=datetime.now(UTC) - over.length,
        step_seconds=over.step_seconds,
    )
    counted = its.total if label is None else its.lines.get(label, [0] * len(its.total))
    values = [n / its.step_seconds for n in counted[:-1]] or [0.0]
    id_ = "-".join(("chart", what, *([label] if label else [])))
    return Chart(id_, title, values, charts.nice(max(values)), its.starts, values[-1])


async def rate(db: Database, what: What, *, label: str | None = None) -> float:
    """How often something happens a second: the mean of the last whole slots."""
    since = datetime.now(UTC) - timedelta(seconds=pulse.CURRENT_SLOTS * SLOT_SECONDS)
    its = await pulse.series(db, what, since=since)
    counted = its.total if label is None else its.lines.get(label, [])
    whole = counted[:-1]
    return sum(whole) / (len(whole) * SLOT_SECONDS) if whole else 0.0

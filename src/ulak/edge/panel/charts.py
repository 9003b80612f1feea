"""Charts as SVG that needs no script and no inline style: numbers in, shapes with classes out."""

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 200


class Bar(NamedTuple):
    """One rectangle of a chart, in its own units; `part` is which of the series it shows."""

    x: float
    y: float
    width: float
    height: float
    part: int


def stacked(columns: Sequence[Sequence[int]], *, width: int = WIDTH, height: int = HEIGHT) -> list[list[Bar]]:
    """A column for each element, its parts upon each other from the ground up; the highest fills the height."""
    most = max((sum(parts) for parts in columns), default=0) or 1
    step = width / max(len(columns), 1)
    chart = []
    for k, parts in enumerate(columns):
        bars, y = [], float(height)
        for part, n in enumerate(parts):
            its = height * n / most
            y -= its
            if n:
                bars.append(Bar(k * step + step * 0.1, y, step * 0.8, its, part))
        chart.append(bars)
    return chart


def line(values: Sequence[float], *, width: int = WIDTH, height: int = 120, most: float | None = None) -> str:
    """The points of a polyline through the values, the highest at the top."""
    top = most or max(values, default=0) or 1
    step = width / max(len(values) - 1, 1)
    return " ".join(
        f"{k * step:.1f},{height - height * min(value, top) / top:.1f}" for k, value in enumerate(values)
    )


def nice(most: float) -> float:
    """The next round number from here: 1, 2 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= most:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most) if most > 0 else 1.0

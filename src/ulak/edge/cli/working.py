"""What a terminal is told while a command works for minutes: one line that says what goes on, and for how long.

Nothing where nobody watches: with `--json`, or where standard error is no terminal.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ulak.base.harmless import on_a_line

if TYPE_CHECKING:
    from rich.console import Console

Tell = Callable[[str], None]


@contextmanager
def working(what: str, watched: bool, on: "Console | None" = None) -> Iterator[Tell]:
    """Show the line for as long as the block lasts; what it yields changes it. `on`: where the block itself prints."""
    if not watched or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=on or Console(stderr=True), transient=True) as bar:
        task = bar.add_task(on_a_line(what), total=None)
        yield lambda line: bar.update(task, description=on_a_line(line))

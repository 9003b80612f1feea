"""`make fuzz SECONDS=900 SEED=11`: the fuzz, with a bar on the way and a table at the end.

Ctrl-C asks nothing more, then asks the laws, prints the table and takes everything down. Exit code 1 when a law was
broken.
"""

import argparse
import logging
import random
import signal
import sys
import time
import warnings
from typing import Final

from tests.fuzz.fuzz import Result, fuzz
from tests.fuzz.tally import Budget, Tally

BAR: Final = 30
TELL_SECONDS: Final = 0.5 if sys.stdout.isatty() else 30.0


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    print(f"seed {options.seed}, {options.seconds:.0f} s", flush=True)
    warnings.simplefilter("ignore")
    logging.disable()
    budget = Budget(options.seconds)

    def stop(number: int, frame: object) -> None:
        """Once: end in good order. Twice: end."""
        budget.stop()
        signal.signal(number, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    result = fuzz(options.seed, budget, Tally(Teller(budget)))
    print(f"\n{_tables(result)}")
    return int(bool(result.broken))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--seconds", type=float, default=60, help="of all three parts together")
    return parser.parse_args()


class Teller:
    """The line that tells how far it is."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._told = budget, 0.0

    def __call__(self, tally: Tally, name: str) -> None:
        """Tell, unless it was told a moment ago."""
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        gone = now - self._budget.began
        bar = "█" * round(min(1.0, gone / self._budget.seconds) * BAR)
        line = f"\r{bar:░<{BAR}} {gone:5.0f} s  {tally.inputs:8,} inputs, {tally.broken} broken  {name:.44}"
        print(f"{line:<110}", end="" if sys.stdout.isatty() else "\n", flush=True)


def _tables(result: Result) -> str:
    rows = [
        *result.tally.table(),
        "",
        "| law, and of how many it was asked | | broken |",
        "| --- | ---: | ---: |",
    ]
    rows += [f"| {law.words} | {law.looked_at:,} | {len(law.broken)} |" for law in result.laws]
    rows += ["", f"{result.seconds:.0f} s; seed {result.seed}."]
    rows += [f"BROKEN: {what}" for what in result.broken]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())

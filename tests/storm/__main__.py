"""`make storm SEED=7 FAULTS=200 SECONDS=1800`: a storm, with a bar on the way and tables at the end.

Half of the faults meet a database that `ulak serve` keeps, the other half one behind a proxy. Exit code 1 when a law
was broken. With `--json` the result is one JSON value; with `--log DIR` the processes' logs are kept there.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.storm.storm import Result, storm

BAR: Final = 40


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    if not options.json:
        print(f"seed {options.seed}, {options.faults} faults")
    results = []
    for kept, n in ((False, options.faults - options.faults // 2), (True, options.faults // 2)):
        if n and options.only in (None, "kept" if kept else "proxied"):
            results.append(_one(options, kept=kept, n=n))
    print(json.dumps(_told(results)) if options.json else _tables(results))
    return int(any(result.broken or result.failed for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1800, help="begin no fault after so many")
    parser.add_argument("--only", choices=("proxied", "kept"), help="only with the database kept so")
    parser.add_argument("--log", type=Path, help="a directory for the processes' logs")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _one(options: argparse.Namespace, *, kept: bool, n: int) -> Result:
    began = time.monotonic()

    def tell(done: int, what: str) -> None:
        if options.json:
            return
        share = 1.0 if done < 0 else done / n
        bar = "█" * round(share * BAR)
        line = f"\r{bar:░<{BAR}} {max(done, 0):4}/{n} {time.monotonic() - began:5.0f} s  {what:.44}"
        print(f"{line:<110}", end="" if sys.stdout.isatty() else "\n", flush=True)

    keep = options.log / f"{'kept' if kept else 'proxied'}.log" if options.log else None
    seconds = options.seconds / (1 if options.only else 2)
    result = asyncio.run(storm(options.seed, n, kept=kept, seconds_max=seconds, tell=tell, keep=keep))
    if not options.json:
        print()
    return result


def _told(results: list[Result]) -> list[dict[str, object]]:
    return [
        {
            "seed": one.seed,
            "database": "kept" if one.kept else "proxied",
            "seconds": round(one.seconds, 1),
            "faults": dict(one.happened),
            "left_out": one.left_out,
            "failed": one.failed,
            "answers": dict(one.answers),
            "figures": one.figures,
            "laws": [law._asdict() for law in one.laws],
        }
        for one in results
    ]


def _tables(results: list[Result]) -> str:
    """Faults by kind, what went on meanwhile, and the laws, as Markdown."""
    names = list(dict.fromkeys(name for one in results for name in one.happened))
    happened = {name: [one.happened[name] for one in results] for name in names}
    heads = ["kept by `ulak serve`" if one.kept else "behind a proxy" for one in results]
    rows = [f"| fault | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    rows += [f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in sorted(happened.items())]
    totals = [str(one.happened.total()) for one in results]
    rows += [f"| **all** | {' | '.join(f'**{total}**' for total in totals)} |", ""]
    figures: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for one in results:
        figures.update(one.figures)
        answers.update(one.answers)
    rows += ["; ".join(f"{n:,} {name}" for name, n in figures.items()) + "."]
    rows += ["Answers: " + ", ".join(f"{n:,} × {name}" for name, n in sorted(answers.items())) + ".", ""]
    rows += [f"| law, and of how many it was asked | {' | '.join(heads)} | broken |"]
    rows += [f"| --- |{' ---: |' * (len(heads) + 1)}"]
    for same in zip(*(one.laws for one in results), strict=True):
        asked = " | ".join(f"{law.looked_at:,}" for law in same)
        rows.append(f"| {same[0].words} | {asked} | {sum(len(law.broken) for law in same)} |")
    rows += ["", f"{sum(one.seconds for one in results):.0f} s; seed {results[0].seed}."]
    for one in results:
        rows += [f"LEFT OUT: {name}" for name in one.left_out]
        rows += [f"FAULT FAILED: {what}" for what in one.failed]
        rows += [f"STUCK: {what}" for what in one.stuck]
        rows += [
            f"BROKEN: {law.words}: {what}"
            for law in one.broken
            for what in dict.fromkeys(w[:700] for w in law.broken[:8])
        ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())

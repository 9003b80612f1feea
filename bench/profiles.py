"""`make bench-profile`: where a message's microseconds go: HTTP, Python, SQL, WAL.

`python -m bench.profiles singles|accepted|bulk` starts an installation, warms it up, and does the same work again and
again, each time with something else looking: nothing but the kernel and PostgreSQL's own counters, so that the rate and
the costs are true; py-spy beside every process, and a look at what PostgreSQL's sessions wait for; and, with
`--explain MS`, PostgreSQL's plans. Shares of time come from py-spy, the time that they are shares of from the run
before, in which nobody disturbed.
"""

import argparse
import asyncio
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench import profile_tables, statements, usage
from bench.figures import keep
from bench.profile_tables import Costs, Done, Profile
from bench.rig import Rig, generator
from bench.stacks import Recorder, Stacks
from bench.statements import Planned
from bench.waits import Sampler
from tests.harness import User, await_true

WARM_SECONDS: Final = 2
WARM_RECIPIENTS: Final = 5_000
WINDOW: Final = 100


class Amount(NamedTuple):
    """How much: seconds of single sends, recipients of the bulk."""

    seconds: int
    recipients: int


def accepted(rig: Rig, user: User, amount: Amount) -> Done:
    """Single sends that are only accepted."""
    done = rig.singles(user, rig.service("away"), amount.seconds)
    return Done(done["requests"], done["seconds"])


def singles(rig: Rig, user: User, amount: Amount) -> Done:
    """Single sends until the last receipt is acknowledged."""
    rig.carrier.set(receipt_ms=100.0)
    started = time.monotonic()
    done = rig.singles(user, rig.service("main"), amount.seconds)
    rig.await_receipts(done["requests"])
    return Done(done["requests"], time.monotonic() - started)


def bulk(rig: Rig, user: User, amount: Amount) -> Done:
    """A bulk until its last receipt is acknowledged."""
    rig.carrier.set(receipt_ms=100.0)
    started = time.monotonic()
    rig.bulks(user, rig.service("main"), amount.recipients)
    rig.await_receipts(amount.recipients)
    return Done(amount.recipients, time.monotonic() - started)


Kind = Callable[[Rig, User, Amount], Done]
KINDS: Final[Mapping[str, Kind]] = {"singles": singles, "accepted": accepted, "bulk": bulk}


# what is measured


def profile(kind: Kind, amount: Amount, explain_ms: float | None, settings: Mapping[str, str]) -> Profile:
    """The same work on one installation, three times: undisturbed, with py-spy, and with plans if they are wanted."""
    with Rig(**settings) as rig:
        home = rig.ulak.home
        rig.add_carrier("main", window=WINDOW)
        asyncio.run(statements.count_all(home))
        kind(rig, rig.user(), Amount(WARM_SECONDS, WARM_RECIPIENTS))
        its_costs = costs(rig, kind, amount)
        stacks, sessions = watched(rig, kind, amount)
        plans = [] if explain_ms is None else explained(rig, kind, amount, explain_ms)
    return Profile(its_costs, stacks, sessions, plans)


def costs(rig: Rig, kind: Kind, amount: Amount) -> Costs:
    """Do the work with nobody looking."""
    user, its, home = rig.user(), processes(rig), rig.ulak.home
    wal, before = asyncio.run(statements.begin(home)), _cpu(rig, its)
    done = kind(rig, user, amount)
    after, work = _cpu(rig, its), asyncio.run(statements.end(home, wal))
    return Costs(done, {name: after[name] - before[name] for name in after}, work)


def processes(rig: Rig) -> dict[str, int]:
    """Ulak's processes by their roles: "api", "api 2", "carriers,courier", and the keeper of them all."""
    found, seen = {"keeper": rig.ulak.pid}, Counter[str]()
    for pid in usage.tree(rig.ulak.pid)[1:]:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "--only" in words:
            roles = words[words.index("--only") + 1]
            seen[roles] += 1
            found[roles if seen[roles] == 1 else f"{roles} {seen[roles]}"] = pid
    return found


def _cpu(rig: Rig, its: Mapping[str, int]) -> dict[str, float]:
    used = {name: usage.cpu_seconds(pid) for name, pid in its.items()}
    return used | {"postgres": usage.of(rig.ulak.postgres_pid).cpu_seconds}


def watched(rig: Rig, kind: Kind, amount: Amount) -> tuple[dict[str, Stacks], dict[str, float]]:
    """Do the work with py-spy beside every process but the keeper, which does nothing, and a look at PostgreSQL."""
    user, its = rig.user(), processes(rig)
    with TemporaryDirectory(prefix="ulak-") as folder, ExitStack() as running:
        recorders = {
            name: running.enter_context(Recorder(pid, Path(folder) / f"{pid}.raw"))
            for name, pid in its.items()
            if name != "keeper"
        }
        with Sampler(rig.ulak.home) as sampler:
            kind(rig, user, amount)
        return {name: recorder.stop() for name, recorder in recorders.items()}, sampler.sessions()


def explained(rig: Rig, kind: Kind, amount: Amount, milliseconds: float) -> list[Planned]:
    """Do the work while PostgreSQL writes the plans of what takes longer."""
    user, home, client = rig.user(), rig.ulak.home, rig.ulak.client()
    since = asyncio.run(statements.explain(home, milliseconds))

    def recovered() -> bool:
        enough = asyncio.run(statements.sessions(home)) > len(processes(rig)) - 1
        return enough and client.get("/readyz").status_code == 200

    await_true(recovered, "Ulak has new sessions")
    kind(rig, user, amount)
    return statements.plans(home, since)


def main() -> None:
    """Read the arguments, measure, keep, print."""
    given = _parser().parse_args()
    amount = Amount(given.seconds, given.recipients)
    settings = dict(pair.split("=", 1) for pair in given.set)
    its = profile(KINDS[given.kind], amount, given.explain, settings)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "generator": generator(),
        "kind": given.kind,
        "scale": amount._asdict(),
        "settings": settings,
    }
    path = keep(document | its.as_json(), given.out, f"profile-{given.kind}-")
    profile_tables.show(its, f"{given.kind}; load by {generator()}; kept in {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.profiles", description=__doc__)
    parser.add_argument(
        "kind",
        nargs="?",
        choices=KINDS,
        default="singles",
        help="until the last receipt, only accepted, or a bulk",
    )
    parser.add_argument("--seconds", type=int, default=10, help="of single sends, each time")
    parser.add_argument("--recipients", type=int, default=100_000, help="of the bulk")
    parser.add_argument("--explain", type=float, metavar="MS", help="the plans of what takes longer, too")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting: api_processes=2"
    )
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    return parser


if __name__ == "__main__":
    main()

"""The laws: what may never be otherwise, whatever happened.

In: what customers noted, what carriers saw, what the API and the books say when all is quiet again. Out: `Law`s: each
with what it looked at, and what was wrong. `Watch` looks during the storm at what holds at every instant.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

import asyncpg
import httpx

from tests.harness import CliFailed
from tests.storm.customers import FINAL, Asked, pages
from tests.storm.world import CREDIT, POOR_CREDIT, WINDOW, World

WATCH_SECONDS: Final = 0.5
SHOWN: Final = 5
#: What customers hold together is what came in from outside, less what was spent and not given back; in one statement.
BOOKS: Final = """
SELECT coalesce(min(balance), 0) AS lowest, coalesce(sum(balance), 0)::bigint AS held,
       (SELECT coalesce(sum(CASE WHEN kind IN ('topup', 'refund') THEN amount
                                 WHEN kind = 'charge' THEN -amount ELSE 0 END), 0)::bigint FROM transfers) AS moved,
       (SELECT count(*) FROM sendings
         WHERE n_pending + n_waiting + n_sent + n_not_sent + n_no_signal <> n_valid) AS torn
  FROM credits"""


class Law(NamedTuple):
    """A law, what it was asked of, and what broke it."""

    words: str
    looked_at: int
    broken: list[str]


@dataclass
class Watch:
    """`run` in a task during the storm."""

    here: World
    looks: int = 0
    broken: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Look at the books whenever the database lets us."""
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self.here.looking() as tx:
                    await self._look(await tx.fetchrow(BOOKS))
            await asyncio.sleep(WATCH_SECONDS)

    async def _look(self, row: Any) -> None:
        self.looks += 1
        if row["lowest"] < 0 or row["held"] != row["moved"] or row["torn"]:
            self.broken.append(str(dict(row)))

    def law(self) -> Law:
        """What was seen."""
        return Law("at every look, no balance is below zero and entries sum up", self.looks, self.broken)


class Kept(NamedTuple):
    """A sending as its customer sees it at the end, with its messages."""

    who: str
    item: dict[str, Any]
    messages: list[dict[str, Any]]


def kept(here: World) -> dict[str, Kept]:
    """All there is."""
    found = {}
    for user in here.users:
        with httpx.Client(
            base_url=f"{here.ulak.url}/v1", headers={"x-api-key": user.key}, timeout=30, trust_env=False
        ) as client:
            for item in pages(client):
                data = client.get(f"/sms-sendings/{item['id']}", params={"limit": 1000}).json()["data"]
                for message in data["items"]:
                    here.ledger.saw(item["id"], message["to"], message["status"])
                found[item["id"]] = Kept(user.username, item, data["items"])
    return found


def judge(here: World, everything: dict[str, Kept]) -> list[Law]:
    """All laws that hold at the end."""
    by_number = {number: asked for asked in here.ledger.asked for number in asked.texts}
    owners = {id_: by_number.get(its.messages[0]["to"]) for id_, its in everything.items() if its.messages}
    mine: dict[int, list[Kept]] = {}
    for id_, owner in owners.items():
        mine.setdefault(id(owner), []).append(everything[id_])
    return [
        _answered(here, everything),
        _unanswered(here, mine),
        _refused(here, mine),
        _asked_for(everything, owners),
        _ended(here, everything),
        *_carriers(here, everything),
        _money(here, everything),
        _no_bugs(here),
        _audit(here),
    ]


def _whole(asked: Asked, its: Kept) -> str | None:
    """What a kept sending lacks of what was asked for."""
    texts = {message["to"]: message["message"] for message in its.messages}
    if texts != asked.texts:
        return f"{its.item['id']}: {len(texts)} of {len(asked.texts)} messages, or other texts"
    if Decimal(its.item["stats"]["totalCost"]) != len(texts) or its.who != asked.who:
        return f"{its.item['id']}: charged {its.item['stats']['totalCost']} for {len(texts)} to {its.who}"
    return None


def _answered(here: World, everything: dict[str, Kept]) -> Law:
    broken = []
    answered = [asked for asked in here.ledger.asked if asked.answered]
    for asked in answered:
        if len(asked.answered) > 1:
            broken.append(f"{asked.name} was answered {asked.answered}")
        for id_ in asked.answered:
            wrong = _whole(asked, everything[id_]) if id_ in everything else f"{id_} is not there"
            broken += [wrong] if wrong else []
    return Law("each request answered 201 exists whole, with its charge", len(answered), broken)


def _unanswered(here: World, mine: dict[int, list[Kept]]) -> Law:
    broken = []
    unanswered = [asked for asked in here.ledger.asked if not asked.answered and not asked.refused]
    for asked in here.ledger.asked:
        found = mine.get(id(asked), [])
        if len(found) > (1 if asked.name else max(1, asked.tries)):
            broken.append(f"{asked.name} exists {len(found)} times: {[its.item['id'] for its in found]}")
        broken += [wrong for its in found if (wrong := _whole(asked, its))]
    return Law(
        "each not answered exists whole or not at all; each named one at most once", len(unanswered), broken
    )


def _refused(here: World, mine: dict[int, list[Kept]]) -> Law:
    refused = [asked for asked in here.ledger.asked if asked.refused and not asked.answered]
    broken = [f"{asked.refused}, and exists" for asked in refused if id(asked) in mine]
    broken += [str(asked.refused) for asked in refused if asked.refused != "insufficient_credit"]
    return Law("nothing refused exists, and only too little credit refuses", len(refused), broken)


def _asked_for(everything: dict[str, Kept], owners: dict[str, Asked | None]) -> Law:
    broken = [id_ for id_ in everything if owners.get(id_) is None]
    return Law("nothing exists that nobody asked for", len(everything), broken)


def _ended(here: World, everything: dict[str, Kept]) -> Law:
    statuses = [(id_, one["to"], one["status"]) for id_, its in everything.items() for one in its.messages]
    broken = [f"{id_} {to} is {status}" for id_, to, status in statuses if status not in FINAL]
    return Law(
        "every message ends, and stays as it ended", len(statuses), [*broken, *here.ledger.changed_minds]
    )


def _carriers(here: World, everything: dict[str, Kept]) -> Iterable[Law]:
    """What carriers saw, by each service's promise."""
    came: Counter[int] = Counter()
    most: Counter[int] = Counter()
    for carrier in here.carriers.values():
        came += carrier.came
        taken: Counter[int] = Counter()
        for (number, _), n in carrier.copies.items():
            taken[number] = max(taken[number], n)
        most += taken
    names = {id_: name for name, id_ in here.services.items()}
    promised = {number: names[asked.service] for asked in here.ledger.asked for number in asked.texts}
    unseen, unsent, twice, repeated, n = [], [], [], 0, 0
    for id_, its in everything.items():
        promise = promised.get(its.messages[0]["to"]) if its.messages else None
        for message in its.messages:
            n += 1
            number = int(message["to"])
            again = max(0, most[number] - 1)
            if promise == "once" and again:
                twice.append(f"{id_} {number} went out {again + 1} times, {message['status']}")
            if promise != "once" and not came[number]:
                unseen.append(f"{id_} {number} is {message['status']}")
            if promise == "once" and not came[number] and not message["refunded"]:
                unsent.append(f"{id_} {number} is {message['status']}")
            if message["status"] in ("sent", "no_signal") and not most[number]:
                unsent.append(f"{id_} {number} is {message['status']}, and no carrier took it")
            repeated += again
    may = here.may_repeat + WINDOW * sum(carrier.counters.dropped for carrier in here.carriers.values())
    over = [] if repeated <= may else [f"{repeated} of {may}"]
    yield Law("the carriers saw every message that goes again", n, unseen)
    yield Law("the carriers took every message that is sent, or it was paid back", n, unsent)
    yield Law("what is to go once went once", n, twice)
    yield Law("what went twice is no more than was in flight at the faults", repeated, over)


def _money(here: World, everything: dict[str, Kept]) -> Law:
    broken = []
    for user in here.users:
        given = POOR_CREDIT if user.username == "poor" else CREDIT
        stats = [its.item["stats"] for its in everything.values() if its.who == user.username]
        spent = sum(Decimal(one["totalCost"]) - Decimal(one["totalRefunded"]) for one in stats)
        if (has := Decimal(here.ulak.balance(user=user))) != given - spent:
            broken.append(f"{user.username} has {has}, not {given - spent}")
    return Law("every balance is what came in, less what sendings cost", len(here.users), broken)


def _no_bugs(here: World) -> Law:
    """No answer is a 500, no process ends but by our hand, and no task with an error that nobody expected."""
    broken = [f"{n} answers were 500"] if (n := here.ledger.answers["500"]) else []
    for line in here.ulak.log.splitlines():
        words = any(f'"{word}"' in line for word in ("request_failed", "order_failed", "link_failed"))
        died = '"process_died"' in line and '"code": -9' not in line
        if words or died or "never retrieved" in line:
            broken.append(line[-1500:])
    return Law("no answer is 500, nothing fell over", here.ledger.answers.total(), broken)


def _audit(here: World) -> Law:
    try:
        answer = here.ulak.cli("audit")
    except CliFailed as failed:
        return Law("ulak audit is clean", 0, [str(failed)[:2000]])
    return Law("ulak audit is clean", len(answer.get("proofs", [])), [] if answer["clean"] else [str(answer)])

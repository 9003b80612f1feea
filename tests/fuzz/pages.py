"""Hostile values in every form field, parameter and part of an address of the panel.

The forms are those that a crawl finds, the pages those that the panel's routes name, so that a new one is taken in by
itself, and one that nobody reaches is told. In: a world. Out: notes in the tally. What somebody may write is looked at
again on every page once it is written down.
"""

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.fuzz import hostile, laws
from tests.fuzz.forms import NOBODY, ROUTES, Form, Found, Pairs, Route, crawl, encoded, get, route_of
from tests.fuzz.people import FORM, Visitor, typed, visitors
from tests.fuzz.tally import Budget, Law, Tally
from tests.fuzz.world import World

DRAWN: Final = 400
ROOTS: Final = {"nobody": "", "customer": "/panel", "operator": "/operator"}

#: After these there is less to go on with.
LAST: Final = ("/discard", "/revoke", "/end-others", "/remove", "/withdraw", "/password", "/look", "/state")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: an address, and for a form what is in it."""

    route: Route
    address: str
    form: Form | None = None
    changed: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.route.method} {self.address[:300]} {self.changed!r}"


def explore(world: World, tally: Tally, budget: Budget, seed: int) -> Law:
    """Click round after round, each with new people and other values; the first one is whole."""
    asked: set[Route] = set()
    for n in itertools.count():
        values = itertools.cycle(hostile.drawn(hostile.texts, seed + n, DRAWN))
        chance = random.Random(f"{seed} {n}")
        with visitors(world, n) as them:
            for visitor in them:
                for ask in _asks(visitor, values, chance):
                    if budget.stopped or (n and budget.over):
                        return _every_page(asked, budget)
                    asked.add(ask.route)
                    _answered(tally, visitor, ask, _send(visitor.http, ask))
        if budget.over:
            break
    return _every_page(asked, budget)


def _every_page(asked: set[Route], budget: Budget) -> Law:
    left = (
        [] if budget.stopped else [one for one in ROUTES if one not in asked and "/sign-out" not in one.path]
    )
    return Law(
        "every page and form of the panel was asked", len(asked), [f"never asked: {one}" for one in left]
    )


def _asks(visitor: Visitor, values: Iterator[str], chance: random.Random) -> Iterator[Ask]:
    """Every place once; what takes something away comes last, and then every page as it is by now."""
    found, root = crawl(visitor.http, visitor.begin), ROOTS[visitor.name]
    forms = found.forms + (list(found.unlinked(root)) if root else [])
    asks = [*_in_forms(forms, values, chance), *_in_addresses(found, root, values)]
    chance.shuffle(asks)
    yield from sorted(
        asks, key=lambda ask: next((k for k, end in enumerate(LAST, 1) if end in ask.address), 0)
    )
    yield from (Ask(route, address) for route, address in found.addresses.items())


def _in_forms(forms: list[tuple[Route, Form]], values: Iterator[str], chance: random.Random) -> Iterator[Ask]:
    for route, empty in forms:
        form = typed(empty)
        for name in form.kinds:
            yield Ask(route, form.action, form, ((name, next(values)), *_chosen(form, name, chance)))
        for address in route.but_for(form.action, next(values)):
            yield Ask(route, address, form)
        everywhere = tuple((name, next(values)) for name in form.kinds if name != "csrf")
        yield Ask(route, form.action, form, everywhere)


def _chosen(form: Form, but: str, chance: random.Random) -> Pairs:
    """Now and then another button or choice than the first."""
    options = [
        (name, its) for name, its in form.options.items() if name != but and form.kinds[name] != "checkbox"
    ]
    return [(name, chance.choice(its)) for name, its in options if chance.random() < 0.5]


def _in_addresses(found: Found, root: str, values: Iterator[str]) -> Iterator[Ask]:
    """Each part that stands for something, and each parameter that any form or link of the door asks with."""
    forms = [form for route, form in found.forms if route.method == "GET"]
    names = {name for form in forms for name in form.kinds}
    names |= {name for its in found.addresses.values() for name, _ in parse_qsl(urlsplit(its).query, True)}
    for route in ROUTES:
        address = found.addresses.get(route)
        if route.method != "GET" or not route.path.startswith(root) or (not root and not address):
            continue
        yield from (Ask(route, whole) for whole in route.but_for(address, next(values)))
        path = urlsplit(address).path if address else re.sub(r"\{\w+\}", NOBODY, route.path)
        for name in sorted(names | {"page", "limit", "language", "next"}):
            yield Ask(route, f"{path}?{encoded([(name, next(values))]).decode()}")


def _send(http: httpx.Client, ask: Ask) -> httpx.Response:
    if ask.form is None:
        return get(http, ask.address)
    pairs = ask.form.with_(dict(ask.changed))
    if ask.form.method == "GET":
        return get(http, f"{urlsplit(ask.address).path}?{encoded(pairs).decode()}")
    if not ask.form.parted:
        return http.post(ask.address, content=encoded(pairs), headers=FORM)
    parts: list[tuple[str, tuple[str | None, bytes]]] = []
    for name, value in pairs:
        file = value[:40].encode("ascii", "replace").decode() if name in ask.form.files else None
        parts.append((name, (file, value.encode("utf-8", "surrogatepass"))))
    return http.post(ask.address, files=parts)


def _answered(tally: Tally, visitor: Visitor, ask: Ask, answer: httpx.Response) -> None:
    """Note the answer, and the page that it leads to."""
    part = f"pages, {visitor.name}"
    tally.note(part, _section(ask.route), answer.status_code, laws.of_the_panel(answer), ask)
    where = answer.headers.get("location", "")
    if answer.status_code == 303 and where.startswith("/") and (led := route_of("GET", urlsplit(where).path)):
        after = get(visitor.http, where)
        tally.note(part, _section(led), after.status_code, laws.of_the_panel(after), f"{ask}, then {where}")


def _section(route: Route) -> str:
    """The part of the panel that it belongs to."""
    root, *parts = route.path.removeprefix("/").split("/")
    its = parts[2:] if parts[:1] == ["org"] else parts
    return "/".join(["", root, *its[:1]])

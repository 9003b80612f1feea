"""Routes: over which carriers a number can go, and in which order they are tried.

In: a service's route, a list of hops as the operator ordered them, and a number. Out: the carriers for it. A hop
with prefixes is for numbers that begin so. Hops with a weight that stand next to each other share the numbers in that
proportion, and stand in for each other; a hop without one is for when all before it have failed.

Which of several sharing carriers a number gets is decided by the number itself (weighted rendezvous hashing), so
nothing has to be remembered: the same number goes the same way each time, and when a carrier is taken out of a
route only its own numbers go elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from math import log
from typing import Final, NamedTuple

WEIGHT_MAX: Final = 1000
HOPS_MAX: Final = 20

_WRITTEN: Final = re.compile(
    r"(?P<name>.+?)(?::(?P<prefixes>\d{1,15}(?:,\d{1,15})*))?(?:@(?P<weight>\d{1,4}))?"
)


class Hop(NamedTuple):
    """A carrier in a route. `prefixes`: of numbers without the plus, none for every number; `weight` 0: none."""

    carrier_id: int
    prefixes: tuple[str, ...] = ()
    weight: int = 0

    def takes(self, number: int) -> bool:
        """Whether it is for this number."""
        return not self.prefixes or str(number).startswith(self.prefixes)


Route = tuple[Hop, ...]


def carriers_for(route: Route, number: int) -> list[int]:
    """The carriers a number can go over, the first choice first, each once."""
    found: dict[int, None] = {}
    fitting = (hop for hop in route if hop.takes(number))
    for sharing, group in groupby(fitting, key=lambda hop: hop.weight > 0):
        hops = list(group)
        if sharing:
            hops.sort(key=lambda hop: _distance(hop, number))
        found |= dict.fromkeys(hop.carrier_id for hop in hops)
    return list(found)


def first_for_all(route: Route) -> int | None:
    """The first choice of every number, where there is one."""
    first = route[0]
    return first.carrier_id if not first.prefixes and not _shares(route) else None


def _shares(route: Route) -> bool:
    """Whether the first hop shares the numbers with the next."""
    return len(route) > 1 and route[0].weight > 0 and route[1].weight > 0


def _distance(hop: Hop, number: int) -> float:
    """How far a hop is from a number: the nearest of several is each one in proportion to its weight."""
    digest = blake2b(f"{number} {hop.carrier_id}".encode(), digest_size=7).digest()
    return -log((int.from_bytes(digest, "big") + 1) / 2**56) / hop.weight


class Written(NamedTuple):
    """A hop as operators write it: the carrier by name."""

    name: str
    prefixes: tuple[str, ...] = ()
    weight: int = 0

    def __str__(self) -> str:
        """NAME, NAME:PREFIX,PREFIX, NAME@WEIGHT, or all of it."""
        prefixes = f":{','.join(self.prefixes)}" if self.prefixes else ""
        return f"{self.name}{prefixes}{f'@{self.weight}' if self.weight else ''}"


def parse(text: str) -> Iterator[Written]:
    """What a written hop can mean, the likeliest first: a carrier's name may hold a colon or an at sign itself."""
    yield Written(text)
    if found := _WRITTEN.fullmatch(text):
        prefixes = tuple(found["prefixes"].split(",")) if found["prefixes"] else ()
        yield Written(found["name"], prefixes, int(found["weight"] or 0))


def choose(ways: Sequence[int], avoided: frozenset[int]) -> int:
    """The first of the carriers that is not to be avoided, or the first of all where every one is."""
    return next((carrier for carrier in ways if carrier not in avoided), ways[0])

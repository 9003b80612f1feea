"""How carriers misbehave, by name: what the simulated carrier does to whoever binds to it.

A `Profile` is a set of shares (percent) and distances (submits); the simulator draws from its seed, so that a run
repeats. Each named profile does one thing that carriers are known for; `hell` does all of them.
"""

from dataclasses import dataclass, fields
from typing import Final

from smpp.pdu import Status


@dataclass(frozen=True, slots=True)
class Profile:
    """What goes wrong, and how often. All zero: a polite carrier.

    `drop_every` and `garbage_every` are the mean number of submits between two of them; a connection that is
    dropped takes with it the answers of what was just taken. `refused` submits get a vendor's own status for good,
    `busy` ones RSYSERR; with an `answer`, a command_status, every submit gets that. Of the receipts, `early` ones
    come before the answer, `late` ones `late_ms` later, `repeated` ones twice, `contradicted` ones twice with
    another state; `odd` ones are written as no standard has it, `bare` ones have parameters and no text,
    `by_data_sm` ones come as data_sm; `intermediate` ones have an ENROUTE before them, `strange` ones one for an id
    nobody knows. `hex_ids`: hexadecimal in answers, decimal in receipts.
    """

    throttle: int = 0
    answer_ms: float = 0
    drop_every: int = 0
    garbage_every: int = 0
    refused: float = 0
    busy: float = 0
    answer: int = 0
    early: float = 0
    late: float = 0
    late_ms: float = 1500
    repeated: float = 0
    contradicted: float = 0
    odd: float = 0
    bare: float = 0
    by_data_sm: float = 0
    intermediate: float = 0
    strange: float = 0
    hex_ids: bool = False


POLITE: Final = Profile()

PROFILES: Final[dict[str, Profile]] = {
    "polite": POLITE,
    "throttling": Profile(throttle=200),
    "slow": Profile(answer_ms=200),
    "dropping": Profile(drop_every=150),
    "garbage": Profile(garbage_every=150),
    "vendor-errors": Profile(refused=10),
    "refusing": Profile(answer=Status.RINVSRCADR),
    "busy": Profile(busy=10),
    "early": Profile(early=100),
    "late": Profile(late=50),
    "duplicates": Profile(repeated=50),
    "contradictions": Profile(contradicted=50),
    "odd-receipts": Profile(odd=80, bare=20, by_data_sm=20, intermediate=20, strange=20),
    "hex-ids": Profile(hex_ids=True),
}


def _all_at_once() -> Profile:
    """Everything that the others do, but for refusing everything: nothing else would happen then."""
    worst = {
        field.name: value
        for profile in PROFILES.values()
        for field in fields(profile)
        if field.name != "answer" and (value := getattr(profile, field.name)) != field.default
    }
    return Profile(**worst | {"early": 30.0, "late": 20.0})


PROFILES["hell"] = _all_at_once()

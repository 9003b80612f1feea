"""A carrier that remembers: every submit that came and when, every message it took, and how often.

It is `smpp.simulator` with all its mischief, in this process, so that nothing it knows is lost in the storm. A message
is known by its number, which the customers of the storm use once; a part of one by its place among the parts. Tests
that have no loop of their own run one in a thread (`apart`).
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from smpp.pdu import DataSm, SubmitSm
from smpp.profiles import PROFILES, Profile
from smpp.server import Peer
from smpp.session import Request
from smpp.simulator import Simulator, SimulatorOptions

#: What carriers do on an ordinary day of the storm: all of it, though not so often that nothing else happens.
ORDINARY: Final = replace(
    PROFILES["hell"],
    throttle=200,
    answer_ms=60,
    drop_every=2500,
    garbage_every=2500,
    refused=2.0,
    busy=3.0,
    late_ms=400,
)


@dataclass
class Carrier(Simulator):
    """`came` counts submits by number; `copies` by (number, part), as far as they were taken. `times` is when each
    submit came, in its loop's time."""

    came: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    copies: Counter[tuple[int, int]] = field(default_factory=Counter)

    def submitted(self, peer: Peer, requests: list[Request]) -> None:
        """Note who is written to and when, whatever is answered."""
        self.times += [self._loop.time()] * len(requests)
        for request in requests:
            assert isinstance(request.pdu, SubmitSm | DataSm)
            self.came[int(request.pdu.destination_addr)] += 1
        super().submitted(peer, requests)

    def _take(self, system_id: str, pdu: SubmitSm | DataSm, now: float, at: datetime) -> str:
        self.copies[int(pdu.destination_addr), _part(pdu)] += 1
        return super()._take(system_id, pdu, now, at)

    def behave(self, profile: Profile) -> None:
        """Be like this from now on."""
        self.options = replace(self.options, profile=profile)

    @property
    def outstanding(self) -> int:
        """Receipts that are still owed."""
        return len(self._due) + sum(map(len, self._ready.values()))


def hostile(seed: int) -> Carrier:
    """A carrier for the storm."""
    fates = SimulatorOptions(delay_ms=150, undelivered=6, expired=3, seed=seed, profile=ORDINARY)
    return Carrier(fates)


@contextmanager
def apart(carrier: Carrier) -> Iterator[int]:
    """Run a carrier in a thread as long as this lasts; the port. It may be read meanwhile, and not be told anything."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(carrier.start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(carrier.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _part(pdu: SubmitSm | DataSm) -> int:
    """Which part of a message this is: the last octet of a header of the usual kind (3GPP TS 23.040, 9.2.3.24.1)."""
    text = getattr(pdu, "short_message", b"")
    return text[5] if pdu.esm_class & 0x40 and text[:2] == b"\x05\x00" else 1

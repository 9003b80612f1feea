"""A trunk: all of this process's connections to one carrier, and what they share.

That is the operator's messages a second (`share`), the pace that the carrier was found to take (`pace`), and their
end: when one connection's code fails, all go down and come again.
"""

import asyncio
from datetime import datetime, timedelta

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.carrier.link import Link
from ulak.edge.carrier.pace import Pace
from ulak.edge.carrier.share import Share
from ulak.flow import presence
from ulak.store.carriers import Carrier
from ulak.store.links import Report


class Trunk:
    """The connections to a carrier. `run` it in a task; `wake` it when there is work; `stop` it and await the task."""

    def __init__(self, db: Database, carrier: Carrier, config: Config) -> None:
        self.carrier = carrier
        self._clock = asyncio.get_running_loop().time
        self._pace = Pace(self._clock())
        self._share = Share(
            carrier.throughput, lambda seconds: presence.reserve(db, carrier.id, seconds), self._pump
        )
        self._links = [
            Link(db, carrier, config, number=number, pace=self._pace, share=self._share)
            for number in range(carrier.connections)
        ]

    def wake(self) -> None:
        """There may be work in the queue."""
        for link in self._links:
            link.wake()

    def _pump(self) -> None:
        for link in self._links:
            link.pump()

    def stop(self) -> None:
        """Send no more, wait for what is in flight, give the rest back; then `run` returns."""
        for link in self._links:
            link.stop()

    async def run(self) -> None:
        """Keep every connection up until `stop`."""
        name = self.carrier.name
        share = asyncio.create_task(self._share.run(), name=f"share-{name}")
        links = [asyncio.create_task(link.run(), name=f"link-{name}-{link.number}") for link in self._links]
        try:
            await asyncio.gather(*links)
        finally:
            for task in (*links, share):
                task.cancel()
            await asyncio.gather(*links, share, return_exceptions=True)

    def reports(self, at: datetime) -> list[Report]:
        """How each connection stands."""
        clock = self._clock()
        since = self._pace.throttled_since(clock)
        throttled = None if since is None else at - timedelta(seconds=clock - since)
        return [
            Report(self.carrier.id, link.number, link.state, link.reason, link.since, throttled)
            for link in self._links
        ]

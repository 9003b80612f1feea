"""A share of what an operator allows a carrier: messages a second, over all connections in all processes.

The carrier has one bucket, in the database. Whoever has something to send takes a little of its time, a twentieth
of a second's messages, and uses it up before asking for more: so the limit holds however many ask, and one that
asks alone gets all of it. Where the database cannot be reached nothing is given out; nothing could be written down
either.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from ulak.base.db import COLLISION, UNREACHABLE

PIECE_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Share:
    """One for each carrier and process. `run` it in a task; `woken` is called when there is something to use.

    `limit`: messages a second, 0 for none. `reserve(seconds)` takes that much of the carrier's time and returns in
    how many seconds it begins. Tokens are of one message each.
    """

    def __init__(
        self, limit: int, reserve: Callable[[float], Awaitable[float]], woken: Callable[[], None]
    ) -> None:
        self.limit = limit
        self._reserve = reserve
        self._woken = woken
        self._tokens = 0
        self._asked = asyncio.Event()

    def take(self) -> bool:
        """Whether a message may go now; if not, `woken` will be called."""
        if not self.limit:
            return True
        if self._tokens:
            self._tokens -= 1
            return True
        self._asked.set()
        return False

    def put_back(self) -> None:
        """One that was taken did not go after all."""
        if self.limit:
            self._tokens += 1

    async def run(self) -> None:
        """Get more whenever somebody had to be refused, for ever."""
        piece = max(1, int(self.limit * PIECE_SECONDS))
        while True:
            await self._asked.wait()
            try:
                wait = await self._reserve(piece / self.limit)
            except (*UNREACHABLE, *COLLISION) as error:
                _log.warning("share_unreachable", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if wait > 0:
                await asyncio.sleep(wait)
            self._tokens += piece
            self._asked.clear()
            self._woken()

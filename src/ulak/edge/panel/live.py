"""What moves on a page: pieces of it rendered anew and sent when they have changed (server-sent events).

A page that moves names an address; what comes from there is one JSON object for each change: an element's id and its
new inside, made by the same template as the page itself. A stream ends by itself after some minutes, when the process
stops, and when its session does; the browser then asks again. Above what `gate.live_pages` allows there is none: the
page stands as it was made, and moves again when it is reloaded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

import msgspec
from starlette.responses import Response

from ulak.admin import entrance
from ulak.base.db import UNREACHABLE
from ulak.edge.panel import streamed
from ulak.edge.panel.streamed import Streamed
from ulak.edge.panel.visit import Customer, Visit
from ulak.rules.refusal import Refused

EVERY_SECONDS: Final = 1.0
STREAM_SECONDS_MAX: Final = 300.0
LOOK_SECONDS: Final = 5.0
"""How often it is looked at whether the reader is still let in."""
BEAT_SECONDS: Final = 15.0
RETRY_MS: Final = 2000

Pieces = Callable[[], Awaitable[Mapping[str, str]]]
Seen = TypeVar("Seen")


async def stream(visit: Visit, pieces: Pieces, *, every: float = EVERY_SECONDS) -> Response:
    """A stream of what `pieces` renders, by element id; only what changed is sent. What they refuse is refused."""
    with streamed.place(visit, visit.rooms.live_pages) as place:
        await pieces()  # before the answer has begun, while it can still be a refusal
        return Streamed(
            place, _events(visit, pieces, every), "text/event-stream", {"x-accel-buffering": "no"}
        )


async def _events(visit: Visit, pieces: Pieces, every: float) -> AsyncIterator[bytes]:
    stopping = visit.rooms.stopping
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        shown: dict[str, str] = {}
        until = time.monotonic() + STREAM_SECONDS_MAX
        beat = looked = time.monotonic()
        while time.monotonic() < until and not stopping.is_set():
            with suppress(*UNREACHABLE):
                if time.monotonic() - looked > LOOK_SECONDS:
                    looked = time.monotonic()
                    if not await _whole(_is_let_in(visit)):
                        return
                now = await _whole(pieces())
                changed = {name: html for name, html in now.items() if shown.get(name) != html}
                if changed:
                    shown |= changed
                    beat = time.monotonic()
                    yield b"data: " + msgspec.json.encode(changed) + b"\n\n"
            if time.monotonic() - beat > BEAT_SECONDS:
                beat = time.monotonic()
                yield b": still here\n\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), every)
    except Refused:  # what it showed has gone meanwhile
        return


async def _whole(look: Awaitable[Seen]) -> Seen:
    """A look that goes on to its end when the reader leaves in the middle of it: one that is cut off between the
    beginning and the end of a transaction leaves it open, which comes out as an error in the log."""
    return await asyncio.shield(asyncio.ensure_future(look))


async def _is_let_in(visit: Visit) -> bool:
    """Whether whoever reads would still get the page: their session lives, and their membership is as it was."""
    if await entrance.visitor(visit.rooms.db, visit.door, visit.secret or "", comes=False) is None:
        return False
    if not isinstance(visit, Customer) or visit.member is None:
        return True
    return visit.member in await visit.rooms.directory.memberships(visit.user.id)

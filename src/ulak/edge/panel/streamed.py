"""Answers that go on for a while: each has a place among others of its kind, from before it begins until it is over.

A handler takes the place (`gate.Streams.place`) before it does the work that its answer begins with, so that what is
too much is refused at once, and hands it to the answer, which gives it back however it ends.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ulak.edge.gate import Streams
from ulak.edge.panel.visit import Visit


class Streamed(StreamingResponse):
    """A stream with its place."""

    def __init__(
        self, place: ExitStack, content: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._place = place.pop_all()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._place:
            await super().__call__(scope, receive, send)


def place(visit: Visit, among: Streams) -> ExitStack:
    """The visitor's place; refused if there is none. A block that hands it to no answer gives it back at its end."""
    its = visit.visitor.session
    held = ExitStack()
    held.enter_context(among.place(its.id, its.owner_id))
    return held


def attached(place: ExitStack, content: AsyncIterator[bytes], media_type: str, name: str) -> Streamed:
    """A file under this name."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Streamed(place, content, media_type, headers)

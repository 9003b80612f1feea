"""Siblings: the processes of one `ulak serve`, and what each of them has counted.

Each process counts in its own memory, which costs the least, and answers on a Unix socket in a directory that the
keeper made for them. Whoever is asked for `/metrics` asks all the others then and there, and puts a label `process` on
what each says: when one is started again its counters begin at 0 and the others' do not, as Prometheus expects it. One
that is gone, or does not answer in time, is left out; its place is the next one's.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import Metric

ANSWER_SECONDS: Final = 1.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024

#: A metric: its name, what it says, its type, and its samples (name, labels, value).
Family = tuple[str, str, str, list[tuple[str, dict[str, str], float]]]

_log = structlog.get_logger(__name__)

_FAMILIES: Final = msgspec.msgpack.Decoder(list[Family])


def make_place() -> Path:
    """A directory for a family's sockets; it has to be removed."""
    return Path(tempfile.mkdtemp(prefix="ulak-"))


def remove_place(place: Path) -> None:
    """Remove the directory."""
    shutil.rmtree(place, ignore_errors=True)


class Siblings:
    """This process among its siblings. Without a `place` it has none."""

    def __init__(self, name: str, place: Path | None = None) -> None:
        self.name = name
        self.place = place

    async def answer(self) -> None:
        """Tell siblings what was counted here, for ever."""
        if self.place is None:
            return
        socket = self.place / f"{self.name}.sock"
        try:
            socket.unlink(missing_ok=True)
            async with await asyncio.start_unix_server(_tell, str(socket)) as server:
                await server.serve_forever()
        except OSError as error:
            _log.warning("metrics_untold", error=type(error).__name__)

    async def ask(self) -> dict[str, list[Family]]:
        """What each process has counted, by its name; this one first."""
        others = [] if self.place is None else sorted(self.place.glob("*.sock"))
        others = [socket for socket in others if socket.stem != self.name]
        answers = await asyncio.gather(*map(_ask, others))
        told = {socket.stem: answer for socket, answer in zip(others, answers, strict=True) if answer}
        return {self.name: counted()} | told


async def _tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        try:
            writer.write(msgspec.msgpack.encode(counted()))
            await writer.drain()
        finally:
            writer.close()


async def _ask(socket: Path) -> list[Family] | None:
    """What a sibling says; None when it is gone, or too busy."""
    with suppress(OSError, TimeoutError, msgspec.DecodeError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                return _FAMILIES.decode(await _whole(reader))
            finally:
                writer.close()
    return None


async def _whole(reader: asyncio.StreamReader) -> bytes:
    said = bytearray()
    while len(said) < ANSWER_BYTES_MAX and (piece := await reader.read(65536)):
        said += piece
    return bytes(said)


def counted() -> list[Family]:
    """What this process has counted."""
    return [
        (
            one.name,
            one.documentation,
            one.type,
            [(sample.name, sample.labels, sample.value) for sample in one.samples],
        )
        for one in REGISTRY.collect()
    ]


def together(told: dict[str, list[Family]]) -> Iterable[Metric]:
    """What all processes have counted, each sample with its process."""
    metrics: dict[str, Metric] = {}
    for process, families in told.items():
        for name, says, kind, samples in families:
            metric = metrics.setdefault(name, Metric(name, says, kind))
            for sample, labels, value in samples:
                metric.add_sample(sample, labels | {"process": process}, value)
    return metrics.values()

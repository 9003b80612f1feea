"""Which loops the tests turn on: what closes or waits in its own way on uvloop is tested on both."""

import asyncio
import warnings
from collections.abc import Callable
from typing import Final

import pytest
import uvloop

ON_BOTH: Final = {"test_pair", "test_sockets", "test_tls"}


class Uvloop(uvloop.Loop):
    """Closes what a failed test has left open. uvloop warns of each; a warning that is an error would keep it from
    closing that one, and then it waits for ever, where no time-out of pytest's reaches it."""

    def close(self) -> None:
        """Close it."""
        with warnings.catch_warnings():
            warnings.simplefilter("default", ResourceWarning)
            super().close()


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """`ulak` runs on uvloop, which has a TLS of its own."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": Uvloop} if item.path.stem in ON_BOTH else loops

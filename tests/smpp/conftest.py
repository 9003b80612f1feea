"""Which loops the tests turn on: what closes or waits in its own way on uvloop is tested on both."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest
import uvloop

ON_BOTH: Final = {"test_pair", "test_sockets", "test_tls"}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """`ulak` runs on uvloop, which has a TLS of its own."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": uvloop.new_event_loop} if item.path.stem in ON_BOTH else loops

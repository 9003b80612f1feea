"""Connections are taken as quickly as they come, by an idle loop one at a time and by a busy one many in a turn."""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ulak.edge.accepting import Acceptor

BUSY_SECONDS = 0.05


class Guest(asyncio.Protocol):
    """Somebody who came; counts them all."""

    here: "list[asyncio.BaseTransport]"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.here.append(transport)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as its:
        its.bind(("127.0.0.1", 0))
        its.listen(300)
        yield its


@pytest.fixture
def guests() -> Iterator[list[asyncio.BaseTransport]]:
    Guest.here = []
    yield Guest.here
    for transport in Guest.here:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


@contextmanager
def callers(listener: socket.socket, n: int) -> Iterator[None]:
    """So many who wait to be taken."""
    made = [socket.create_connection(listener.getsockname()) for _ in range(n)]
    try:
        yield
    finally:
        for one in made:
            one.close()


async def until(guests: list[asyncio.BaseTransport], n: int, seconds: float) -> float:
    """How long it takes until there are so many."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while len(guests) < n:
            await asyncio.sleep(0)
    return time.monotonic() - began


async def test_whoever_waits_is_taken_and_nobody_after_the_close(
    listener: socket.socket, guests: list[asyncio.BaseTransport]
) -> None:
    acceptor = Acceptor(listener, Guest)
    with callers(listener, 3):
        await until(guests, 3, 5)
    acceptor.close()
    acceptor.close()
    with callers(listener, 1):
        await asyncio.sleep(0.05)
        assert len(guests) == 3


async def test_a_busy_loop_takes_many_in_each_turn(
    listener: socket.socket, guests: list[asyncio.BaseTransport]
) -> None:
    """One in a turn, two hundred would take ten seconds here."""
    loop = asyncio.get_running_loop()
    busy = True

    def work() -> None:
        time.sleep(BUSY_SECONDS)
        if busy:
            loop.call_soon(work)

    acceptor = Acceptor(listener, Guest)
    with callers(listener, 200):
        work()
        took = await until(guests, 200, 10)
        busy = False
    acceptor.close()
    assert took < 20 * BUSY_SECONDS


async def test_two_idle_loops_on_one_socket_share(
    listener: socket.socket, guests: list[asyncio.BaseTransport]
) -> None:
    """Two acceptors in one loop, as two processes would be: neither takes all of those who come one by one."""
    taken = {"first": 0, "second": 0}

    def counting(name: str) -> Guest:
        taken[name] += 1
        return Guest()

    other = listener.dup()
    acceptors = [
        Acceptor(listener, lambda: counting("first")),
        Acceptor(other, lambda: counting("second")),
    ]
    with callers(listener, 100):
        await until(guests, 100, 10)
    for acceptor in acceptors:
        acceptor.close()
    other.close()
    assert min(taken.values()) > 10


async def test_no_room_for_another_connection_is_waited_for(
    listener: socket.socket, guests: list[asyncio.BaseTransport]
) -> None:
    acceptor = Acceptor(listener, Guest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with callers(listener, 2):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_lowest_free(), hard))
        try:
            await asyncio.sleep(0.05)
            assert guests == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(guests, 2, 5)
    acceptor.close()


def _lowest_free() -> int:
    os.close(lowest := os.dup(0))
    return lowest

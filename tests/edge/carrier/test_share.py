"""A share of what a carrier may get: taken in pieces, used up before more is asked for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ulak.edge.carrier.share import Share


class Bucket:
    """What is given out; each piece begins when the last one ends."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.woken = asyncio.Event()

    async def reserve(self, seconds: float) -> float:
        self.asked.append(seconds)
        return 0.0

    @contextmanager
    def running(self, limit: int) -> Iterator[Share]:
        share = Share(limit, self.reserve, self.woken.set)
        task = asyncio.create_task(share.run())
        yield share
        task.cancel()


async def test_without_a_limit_nobody_is_asked() -> None:
    bucket = Bucket()
    with bucket.running(0) as share:
        assert all(share.take() for _ in range(1000))

    assert bucket.asked == []


async def test_a_piece_is_used_up_before_the_next_is_asked_for() -> None:
    bucket = Bucket()
    with bucket.running(200) as share:
        assert not share.take()
        await bucket.woken.wait()
        bucket.woken.clear()
        assert [share.take() for _ in range(11)] == [True] * 10 + [False]
        await bucket.woken.wait()

    assert bucket.asked == [0.05, 0.05]


async def test_what_did_not_go_is_there_for_the_next() -> None:
    bucket = Bucket()
    with bucket.running(1) as share:
        assert not share.take()
        await bucket.woken.wait()
        assert share.take()
        share.put_back()
        assert share.take()
        assert not share.take()

    assert bucket.asked == [1.0]

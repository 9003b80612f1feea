"""A carrier that sends anything, at real processes: another carrier's messages go their way, and no process falls."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import CarrierProcess, Installation, await_completed, await_true
from tests.harness.process import Process
from tests.smpp.hostile_carrier import HostileCarrier

pytestmark = pytest.mark.slow

STREAMS = 40
GROWTH_MAX = 64 << 20


class CarrierThread:
    """A carrier on a loop of its own."""

    def __init__(self, carrier: HostileCarrier) -> None:
        self.carrier = carrier
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.carrier.start(), self._loop).result(10)

    def say(self, octets: bytes) -> None:
        """Send this to everybody who is bound."""
        self._loop.call_soon_threadsafe(self.carrier.say, octets)

    def drop(self) -> None:
        """Drop every connection, as a broken network would."""
        self._loop.call_soon_threadsafe(self.carrier.drop)

    def close(self) -> None:
        """End it; nothing of it is left."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        await self.carrier.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 5)


@pytest.fixture
def hostile() -> Iterator[CarrierThread]:
    thread = CarrierThread(HostileCarrier(7))
    yield thread
    thread.close()


def test_a_carrier_that_sends_anything_costs_nobody_else_anything(hostile: CarrierThread) -> None:
    settings = {"reconnect_seconds_max": 0.2, "attempts_max": 3, "rate_per_second": 1000}
    with CarrierProcess(delay_ms=10) as polite, Installation(**settings) as ulak:
        ulak.start("--only=api,courier")
        links = Process(["serve", "--only=carriers"], ulak.environment, ulak.log_path)
        try:
            ulak.carrier("polite", polite.port)
            ulak.carrier("hostile", hostile.port, window=10)
            good, bad = ulak.service("Good", "polite"), ulak.service("Bad", "hostile")
            user = ulak.user("mark")
            ulak.credit(5_000, user=user)
            with ulak.as_user(user) as client:

                def send(service: str, n: int) -> str:
                    body = {"serviceId": service, "message": "x", "to": [f"9055{k:08d}" for k in range(n)]}
                    answer = client.post("/sms-sendings/simple", json=body)
                    assert answer.status_code == 201, answer.text
                    return str(answer.json()["data"])

                send(bad, 100)
                await_true(lambda: hostile.carrier.streams > 3, "it is hostile")
                before, worker = resident(links.pid)
                served = 0
                while hostile.carrier.streams < STREAMS:
                    send(bad, 20)
                    done = await_completed(client, send(good, 20))
                    assert done["stats"]["nOfCompleted"] == 20
                    served += 20
                after, same = resident(links.pid)
                hostile.carrier.polite = True
                last = await_completed(client, send(bad, 1))
            assert last["stats"]["nOfCompleted"] == 1
            assert worker == same, "its process was started anew"
            assert after - before < GROWTH_MAX
            assert [
                line for line in ulak.log.splitlines() if "link_failed" in line or "Traceback" in line
            ] == []
            assert ulak.cli("audit")["clean"]
        finally:
            links.stop()
    print(
        f"{hostile.carrier.streams} streams, {hostile.carrier.binds} binds, {served} messages of the other's"
    )


def resident(pid: int) -> tuple[int, list[int]]:
    """Octets of memory of a process and those it started, and who they are."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pids = [pid, *map(int, children)]
    return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * 4096 for one in pids), pids

"""Several processes of a kind: they share the socket, the queue and the work, and one that dies is started again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import CarrierProcess, Installation, await_true

pytestmark = pytest.mark.slow

SENDS = 300


@pytest.fixture
def carrier() -> Iterator[CarrierProcess]:
    with CarrierProcess(delay_ms=20) as process:
        yield process


@pytest.fixture
def ulak(carrier: CarrierProcess) -> Iterator[Installation]:
    with Installation(api_processes=2, carrier_processes=2, lease_seconds=2) as installation:
        installation.start()
        installation.carrier("simulated", carrier.port)
        yield installation


def workers(ulak: Installation) -> dict[int, str]:
    """The processes under `ulak serve` by their ids, and the roles of each."""
    children = Path(f"/proc/{ulak.pid}/task/{ulak.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0") for pid in children}
    return {pid: words[words.index("--only") + 1] for pid, words in lines.items() if "--only" in words}


def test_two_of_each_share_the_work_and_one_that_dies_is_replaced(
    ulak: Installation, carrier: CarrierProcess
) -> None:
    assert sorted(workers(ulak).values()) == ["api", "api", "carriers", "carriers,courier"]
    service, user = ulak.service("Plain", "simulated"), ulak.user("mark")
    ulak.credit(SENDS, user=user)

    killed = next(pid for pid, roles in workers(ulak).items() if roles == "carriers")
    for n in range(SENDS):
        if n == SENDS // 2:
            os.kill(killed, signal.SIGKILL)
        body = {"to": f"9055{n:08d}", "message": "Your code", "serviceId": service}
        with ulak.as_user(user) as client:  # a connection each, so that both processes get some
            assert client.post("/sms-sendings", json=body).status_code == 201

    reader = ulak.as_user(user)
    await_true(
        lambda: reader.get("/sms-sendings", params={"completed": "true"}).json()["data"]["total"] == SENDS,
        "everything ended",
        60,
    )
    assert sorted(await_true(lambda: four(ulak), "all four run again").values())[0] == "api"
    assert ulak.balance(user=user) == "0.000000"
    assert ulak.cli("audit")["clean"]
    assert carrier.stop()["distinct"] == SENDS


def four(ulak: Installation) -> dict[int, str]:
    found = workers(ulak)
    return found if len(found) == 4 else {}

"""What deploy/ starts, started: the compose file's commands as processes, each with nothing but what the file gives.

A container has a file system, a home and a network of its own. So each process here has an empty directory to begin in
and to call home, no environment but the file's, and ports of its own where a container would have its own network.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import SECRET_KEY
from tests.harness import CarrierProcess, Installation, await_completed
from tests.harness.postgres import Postgres, free_port
from tests.harness.process import ULAK, Process

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "ulak"}
#: what the compose file asks of whoever starts it
GIVEN = {"ULAK_DB_PASSWORD": "s3cret", "ULAK_SECRET_KEYS": SECRET_KEY}
PORTS = ("ULAK_PORT", "ULAK_METRICS_PORT")
_ASKED = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


def filled(text: str, given: dict[str, str]) -> str:
    """A value of the compose file, as compose fills it in."""

    def value(found: re.Match[str]) -> str:
        name, kind, word = found.groups()
        assert given.get(name) or kind == "-", f"{name}: {word}"
        return given.get(name) or word

    return _ASKED.sub(value, text)


def environment_of(service: dict[str, Any], home: Path, postgres: Postgres) -> dict[str, str]:
    """What a container of this service has, with the database and the ports of this test."""
    image = re.search(r"^ENV .*", (DEPLOY / "Containerfile").read_text("utf-8"), re.M)
    assert image
    its = dict(word.split("=", 1) for word in image[0].split()[1:] if word.startswith("ULAK_"))
    its |= {name: filled(str(value), GIVEN) for name, value in service["environment"].items()}
    its["ULAK_DATABASE_URL"] = its["ULAK_DATABASE_URL"].replace("@postgres/", f"@127.0.0.1:{postgres.port}/")
    its |= {"PATH": os.environ["PATH"], "HOME": str(home), "ULAK_PORT": str(free_port())}
    return its | {name: str(free_port()) for name in PORTS if name in its}


@pytest.fixture
def running(postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, Process]]:
    """Every service of the compose file that is ours, by its name; `migrate` has ended well before."""
    started: dict[str, Process] = {}
    order = sorted(OURS, key=lambda name: name != "migrate")
    assert order[0] == "migrate"
    try:
        for name in order:
            home = tmp_path / name
            home.mkdir()
            environment = environment_of(OURS[name], home, postgres)
            command = [*map(str, OURS[name]["command"])]
            if name == "migrate":
                subprocess.run([ULAK, *command], env=environment, cwd=home, check=True, timeout=60)
            else:
                started[name] = Process(command, environment, tmp_path / f"{name}.log", cwd=home)
        yield started
        for process in started.values():
            process.stop()
    finally:
        for process in started.values():
            process.kill()


@pytest.fixture
def commands(postgres: Postgres, running: dict[str, Process]) -> Iterator[Installation]:
    """The command line beside them."""
    del running  # they come first
    with Installation(database_url=postgres.dsn, secret_keys=GIVEN["ULAK_SECRET_KEYS"]) as its:
        yield its


def test_the_compose_file_sends_a_message(running: dict[str, Process], commands: Installation) -> None:
    with CarrierProcess(delay_ms=20) as carrier:
        commands.carrier("simulated", carrier.port)
        service, user = commands.service("BobSMS", "simulated"), commands.user("mark")
        commands.credit(10, user=user)

        for name in ("api-1", "api-2"):
            url = str(running[name].ready["url"]).replace("0.0.0.0", "127.0.0.1")
            headers = {"x-api-key": user.key}
            with httpx.Client(base_url=f"{url}/v1", headers=headers, trust_env=False, timeout=30) as client:
                body = {"to": "905550000000", "message": "Kodunuz", "serviceId": service}
                answer = client.post("/sms-sendings", json=body)
                assert answer.status_code == 201, answer.text
                await_completed(client, answer.json()["data"])
        assert carrier.stop()["taken"] == 2
    assert all(process.running for process in running.values())

"""What deploy/ starts, started: the compose file's commands and the units', each with nothing but what the files give.

A container has a file system, a home and a network of its own. So each process here has an empty directory to begin in
and to call home, no environment but the file's, and ports of its own where a container would have its own network.
"""

import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import SECRET_KEY
from tests.harness import CarrierProcess, Installation, await_completed
from tests.harness.postgres import Postgres, free_port
from tests.harness.process import ULAK, Process

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEPLOY, OPERATIONS = ROOT / "deploy", ROOT / "docs/operations.md"
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
    return its | bare(home) | {name: str(free_port()) for name in PORTS if name in its or name == "ULAK_PORT"}


def bare(home: Path) -> dict[str, str]:
    """What a process has before anybody gives it something."""
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


class Started:
    """Processes by their names, and where each can be asked for its metrics."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.processes: dict[str, Process] = {}
        self.metrics: dict[str, str] = {}

    def start(
        self, name: str, command: list[str], its: Mapping[str, str], listener: socket.socket | None = None
    ) -> None:
        """Start one in a directory of its own; metrics are on their own port, or else on the API's."""
        process = Process(command, its, self.home / f"{name}.log", listener, cwd=self.home / name)
        self.processes[name] = process
        self.metrics[name] = f"http://127.0.0.1:{its.get('ULAK_METRICS_PORT') or its['ULAK_PORT']}/metrics"

    def seen(self) -> dict[str, Counter[str]]:
        """What each has counted, by metric; for each of its processes 1 under the process's name."""
        found = {}
        for name, url in self.metrics.items():
            counted: Counter[str] = Counter()
            for family in text_string_to_metric_families(httpx.get(url, trust_env=False).text):
                for sample in family.samples:
                    counted[sample.name] += int(sample.value)
                    if sample.name == "process_start_time_seconds":
                        counted[sample.labels["process"]] += 1
            found[name] = counted
        return found

    def stop(self) -> None:
        """All at once; each must end by itself."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(Process.stop, self.processes.values()))

    def kill(self) -> None:
        """Whatever is left."""
        for process in self.processes.values():
            process.kill()


@pytest.fixture
def started(postgres: Postgres, tmp_path: Path) -> Iterator[Started]:
    del postgres  # which outlives them
    its = Started(tmp_path)
    try:
        yield its
        its.stop()
    finally:
        its.kill()


@pytest.fixture
def commands(postgres: Postgres) -> Iterator[Installation]:
    """The command line beside them."""
    with Installation(database_url=postgres.dsn, secret_keys=GIVEN["ULAK_SECRET_KEYS"]) as its:
        yield its


def sends(commands: Installation, started: Started, ports: list[int]) -> None:
    """A message goes from each of these ports to a carrier and ends; then each process is asked what it has done."""
    with CarrierProcess(delay_ms=20) as carrier:
        commands.carrier("simulated", carrier.port)
        service, user = commands.service("BobSMS", "simulated"), commands.user("mark")
        commands.credit(10, user=user)
        for port in ports:
            url, headers = f"http://127.0.0.1:{port}/v1", {"x-api-key": user.key}
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
                body = {"to": "905550000000", "message": "Kodunuz", "serviceId": service}
                answer = client.post("/sms-sendings", json=body)
                assert answer.status_code == 201, answer.text
                await_completed(client, answer.json()["data"])
        assert carrier.stop()["taken"] == len(ports)

    seen = started.seen()
    for name in ("ulak_messages_accepted_total", "ulak_submits_total", "ulak_messages_ended_total"):
        assert sum(its[name] for its in seen.values()) == len(ports), name
    assert sum(its["ulak_receipts_total"] for its in seen.values()) == len(ports)
    assert all(process.running for process in started.processes.values())


def test_the_compose_file_sends_a_message_and_each_container_tells_of_itself(
    started: Started, postgres: Postgres, commands: Installation
) -> None:
    for name in sorted(OURS, key=lambda name: name != "migrate"):
        (started.home / name).mkdir()
        environment = environment_of(OURS[name], started.home / name, postgres)
        command = [*map(str, OURS[name]["command"])]
        if name == "migrate":
            subprocess.run([ULAK, *command], env=environment, cwd=started.home / name, check=True, timeout=60)
        else:
            started.start(name, command, environment)

    urls = [str(started.processes[name].ready["url"]) for name in ("api-1", "api-2")]
    sends(commands, started, [int(url.rpartition(":")[2]) for url in urls])

    for name, its in started.seen().items():
        assert its["ulak_processes"] == its[f"{name.split('-')[0]}-1"] == 1


def unit(name: str) -> Callable[[str], str]:
    """What a unit says of something; the last word counts."""
    file = f"{name.partition('@')[0]}@.service" if "@" in name else f"{name}.service"
    text = (DEPLOY / "systemd" / file).read_text("utf-8").replace("%i", name.rpartition("@")[2])
    return lambda key: re.findall(rf"^{key}=(.*)$", text, re.M)[-1]


def test_the_units_send_a_message_and_each_tells_of_itself(
    started: Started, postgres: Postgres, commands: Installation
) -> None:
    example = (DEPLOY / "systemd/ulak.env.example").read_text("utf-8")
    file = dict(re.findall(r"^(ULAK_\w+)=(.*)$", example, re.M))
    file |= {"ULAK_DATABASE_URL": postgres.dsn, "ULAK_SECRET_KEYS": GIVEN["ULAK_SECRET_KEYS"]}
    file["ULAK_API_PROCESSES"] = "2"
    units = re.search(r"systemctl enable --now ulak-api.socket (.*)", OPERATIONS.read_text("utf-8"))
    assert units
    names = units[1].split()
    free: dict[str, str] = {}  # the same port stays the same: two units on one would notice

    with socket.create_server(("127.0.0.1", 0)) as handed:
        for name in names:
            says = unit(name)
            given = dict(word.split("=", 1) for word in says("Environment").split())
            given["ULAK_METRICS_PORT"] = free.setdefault(given["ULAK_METRICS_PORT"], str(free_port()))
            program, *command = says("ExecStart").split()
            assert program == "/opt/ulak/bin/ulak"
            (started.home / name).mkdir()
            environment = bare(started.home / name) | given | file  # which the file overrides
            started.start(name, command, environment, handed if name == "ulak-api" else None)
        sends(commands, started, [handed.getsockname()[1]])

    seen = {
        name: {word for word in its if re.fullmatch(r"\w+-\d", word)} for name, its in started.seen().items()
    }
    assert seen == {
        "ulak-api": {"api-1", "api-2"},
        "ulak-carriers@1": {"carriers-1"},
        "ulak-carriers@2": {"carriers-1"},
        "ulak-courier": {"courier-1"},
    }


@pytest.mark.parametrize(("embedded", "named"), [(False, False), (False, True), (True, False)])
def test_a_secret_in_a_file_is_warned_of_where_the_database_is_a_server(
    postgres: Postgres, *, embedded: bool, named: bool
) -> None:
    settings = {} if embedded else {"database_url": postgres.dsn}
    with Installation(**settings, **({"secret_keys": SECRET_KEY} if named else {})) as ulak:
        ulak.start()
        told = [line for line in ulak.log.splitlines() if "secret_in_a_file" in line]
        assert len(told) == (0 if embedded or named else 1)
        assert all(str(ulak.home / "data/secret.key") in line for line in told)
        ulak.stop()

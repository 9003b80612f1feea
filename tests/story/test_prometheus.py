"""A real Prometheus beside a real Ulak: it reads everything, each question of the dashboard has an answer, and a
carrier that goes away becomes an alert."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, await_completed, await_true

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Prometheus is missing (apt-get install prometheus)"
    ),
]

OPERATIONS: Final = Path(__file__).parents[2] / "docs/operations"
#: What asks for something that did not happen here.
QUIET: Final = ("5..", "unsure", "throttled", "audit", "refunded", "0x00")


def questions() -> Iterator[str]:
    """Of the dashboard, for the last half minute and for everything."""
    for panel in json.loads((OPERATIONS / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield re.sub(r"\$__rate_interval|\$__interval|\$__range", "30s", target["expr"]).replace(
                "$carrier", ".*"
            )


@contextmanager
def prometheus(home: Path, target: str) -> Iterator[httpx.Client]:
    """Its HTTP API; it looks every half second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "scrape_configs": [{"job_name": "ulak", "static_configs": [{"targets": [target]}]}],
        "rule_files": [str(OPERATIONS / "alerts.yaml")],
    }
    (home / "prometheus.yml").write_text(json.dumps(config))
    words = [f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *words, f"--web.listen-address=127.0.0.1:{port}"], stderr=log, stdout=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10, trust_env=False) as client:
            await_true(lambda: _answers(client), "Prometheus answers")
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/status/buildinfo").status_code == 200
    except httpx.TransportError:
        return False


def asked(client: httpx.Client, expression: str) -> list[Any]:
    """What an expression is now."""
    answer = client.get("/query", params={"query": expression})
    assert answer.status_code == 200, (expression, answer.text)
    return list(answer.json()["data"]["result"])


def alerts(client: httpx.Client) -> dict[str, str]:
    """The names of those that are pending or firing, with their summaries."""
    found = client.get("/alerts").json()["data"]["alerts"]
    return {one["labels"]["alertname"]: one["annotations"]["summary"] for one in found}


def test_a_prometheus_reads_everything_and_tells_of_a_carrier_that_went_away(tmp_path: Path) -> None:
    with Installation(low_balance=1) as ulak:
        ulak.start()
        with (
            prometheus(tmp_path, ulak.url.removeprefix("http://")) as client,
            CarrierProcess(delay_ms=5) as carrier,
        ):
            ulak.carrier("simulated", carrier.port)
            service, user = ulak.service("Plain", "simulated"), ulak.user("mark")
            ulak.credit(100_000, user=user)
            send = {"serviceId": service, "message": "x", "to": [f"9055{n:08d}" for n in range(10)]}
            with ulak.as_user(user) as api:

                def unanswered() -> list[str]:
                    """Send something, and ask all questions."""
                    await_completed(api, api.post("/sms-sendings/simple", json=send).json()["data"])
                    silent = [one for one in questions() if not asked(client, one)]
                    return [one for one in silent if not any(word in one for word in QUIET)]

                await_true(lambda: not unanswered(), "the dashboard's questions are answered", seconds=60)
            [target] = client.get("/targets").json()["data"]["activeTargets"]
            assert (target["health"], target["lastError"]) == ("up", "")
            [accepted] = asked(client, "sum(increase(ulak_messages_accepted_total[5m])) > 0")
            assert float(accepted["value"][1]) > 0
            assert "UlakCarrierDown" not in alerts(client)
        with prometheus(
            tmp_path, ulak.url.removeprefix("http://")
        ) as client:  # which goes on with what it has
            await_true(lambda: "UlakCarrierDown" in alerts(client), "the alert", seconds=60)
            assert alerts(client)["UlakCarrierDown"] == "No connection to simulated is bound"

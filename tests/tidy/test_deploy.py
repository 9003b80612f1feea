"""The files in deploy/: units that systemd understands, a compose file that means what it says, settings that exist."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from ulak.base.config import Config, ConfigError
from ulak.base.secrets import parsed
from ulak.edge.processes import ROLES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NOT_SETTINGS = {"ULAK_DB_PASSWORD"}


def test_every_setting_that_is_named_exists() -> None:
    known = {f"ULAK_{field.name.upper()}" for field in fields(Config)} | NOT_SETTINGS
    named = {
        (path.name, name)
        for path in [*DEPLOY.rglob("*"), ROOT / "docs/operations.md"]
        if path.is_file()
        for name in re.findall(r"ULAK_[A-Z_]*[A-Z]", path.read_text("utf-8"))
    }
    assert {one for one in named if one[1] not in known} == set()


def test_the_compose_file_starts_two_of_each_on_one_database() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    roles = [its["command"][2] for its in services.values() if its["command"][0] == "serve"]
    assert sorted(roles) == ["api", "api", "carriers", "carriers,courier"]
    assert {role for its in roles for role in its.split(",")} == set(ROLES)
    assert (DEPLOY / services["api-1"]["build"]["context"]).resolve() == ROOT


def test_everything_that_serves_is_scraped_by_itself() -> None:
    [job] = yaml.safe_load((ROOT / "docs/operations/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    of_units, of_containers = (
        [target.rpartition(":")[2] for target in its["targets"]] for its in job["static_configs"]
    )
    enabled = re.search(
        r"enable --now ulak-api.socket (.*)", (ROOT / "docs/operations.md").read_text("utf-8")
    )
    assert enabled
    ports = []
    for name in enabled[1].split():
        kind, at, instance = name.partition("@")
        text = (DEPLOY / f"systemd/{kind}{at}.service").read_text("utf-8").replace("%i", instance)
        ports += re.findall(r"^Environment=ULAK_METRICS_PORT=(\d+)$", text, re.M)
    assert sorted(of_units) == sorted(set(ports))
    assert len(ports) == len(enabled[1].split())
    example = (DEPLOY / "systemd/ulak.env.example").read_text("utf-8")
    assert "ULAK_METRICS_PORT" not in example, "the file would override what the units say"

    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    serving = [service for service in services.values() if service["command"][0] == "serve"]
    published = [port for its in serving for port in its["ports"]]
    assert sorted(port.split(":")[1] for port in published) == sorted(set(of_containers))
    assert len(published) == len(serving)
    for its in serving:
        inside = its["environment"].get("ULAK_METRICS_PORT", "8000")
        assert its["ports"][0].split(":")[2] == inside
        assert ("api" in its["command"][2]) != ("ULAK_METRICS_PORT" in its["environment"])
        assert f":{inside}/readyz" in its["healthcheck"]["test"][-1]


def test_one_keeper_on_a_machine_counts_what_its_api_lets_pass() -> None:
    kinds = {path.name for path in (DEPLOY / "systemd").iterdir()}
    assert "ulak-api.service" in kinds
    assert "ulak-api@.service" not in kinds, "two would each let a customer's whole rate pass"


def test_nothing_starts_without_a_secret_of_all() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    ours = [service for service in services.values() if service["image"] == "ulak"]
    assert all(its["environment"]["ULAK_SECRET_KEYS"].startswith("${ULAK_SECRET_KEYS:?") for its in ours)
    example = (DEPLOY / "systemd/ulak.env.example").read_text("utf-8")
    settings = dict(re.findall(r"^(ULAK_\w+)=(.*)$", example, re.M))
    with pytest.raises(ConfigError):  # what stands there has to be exchanged
        parsed(settings["ULAK_SECRET_KEYS"], "the example")


def test_every_file_that_the_image_is_made_of_is_there() -> None:
    for line in (DEPLOY / "Containerfile").read_text("utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text("utf-8").replace("/opt/ulak/bin/ulak", "/bin/true")
        (tmp_path / path.name.replace("@.", "@1.")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir() if path.suffix in {".service", ".socket"})
    assert len(units) == 4
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "ulak" in line]
    assert ours == []

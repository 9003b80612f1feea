"""What watches an installation: alerts and dashboard ask for metrics there are, and every alert has its page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml
from prometheus_client import REGISTRY

from ulak.base import metrics
from ulak.edge.cli.main import app
from ulak.edge.panel.app import PAGES, paths

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOK = DOCS / "runbook"
ALERTS = [
    rule
    for group in yaml.safe_load((DOCS / "operations/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DOCS / "operations/grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

#: Prometheus' own, and of its client library.
GIVEN = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}
WORDS = {
    "sum",
    "max",
    "min",
    "by",
    "on",
    "rate",
    "increase",
    "changes",
    "histogram_quantile",
    "time",
    "vector",
    "and",
    "or",
    "unless",
    "offset",
    "group_left",
}


def known() -> set[str]:
    """The names of all samples there are."""
    names = {gauge.name for gauge in metrics.READ}
    for metric in REGISTRY.collect():
        if metric.name.startswith("ulak_"):
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
            names |= {metric.name + ending for ending in endings[metric.type]}
    return names | GIVEN


def asked(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels of a PromQL expression."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"\"", bare))
    for named in re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", bare):
        labels |= {label.strip() for label in named.split(",") if label.strip()}
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    bare = re.sub(r"\b(?:by|on|group_left)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset \w+", " ", bare)
    return {word for word in re.findall(r"\b[a-z_]\w*", bare) if word not in WORDS}, labels


def expressions() -> Iterator[tuple[str, str]]:
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


@pytest.mark.parametrize(("name", "expression"), list(expressions()))
def test_an_expression_asks_for_metrics_and_labels_there_are(name: str, expression: str) -> None:
    wanted, labels = asked(expression)
    assert wanted
    assert wanted <= known()
    assert labels <= known_labels()
    for opens, closes in ("()", "[]", "{}"):
        assert expression.count(opens) == expression.count(closes)


def known_labels() -> set[str]:
    kept = [vars(metrics)[name] for name in dir(metrics) if hasattr(vars(metrics).get(name), "_labelnames")]
    labels = {label for metric in kept for label in metric._labelnames}
    return labels | {label for gauge in metrics.READ for label in gauge.labels} | {"process", "le", "job"}


def test_every_metric_is_looked_at_by_somebody() -> None:
    used = set().union(*(asked(expression)[0] for _, expression in expressions()))
    assert known() - used - {name for name in known() if name.endswith(("_bucket", "_sum", "_count"))} <= {
        "ulak_link_up"  # by process; ulak_links_bound is of them all
    }


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {f"docs/runbook/{path.name}" for path in RUNBOOK.glob("*.md")}
    assert {alert["annotations"]["runbook"] for alert in ALERTS} == pages
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        title = (DOCS.parent / alert["annotations"]["runbook"]).read_text().splitlines()[0]
        assert title.startswith(f"# {alert['alert']}: ")


def commands() -> set[str]:
    """Every command there is, as it is typed."""

    def below(command: Any, words: str) -> Iterator[str]:
        for name, its in getattr(command, "commands", {}).items():
            yield f"{words} {name}"
            yield from below(its, f"{words} {name}")

    return {"ulak serve", *below(typer.main.get_command(app), "ulak")}


def options() -> set[str]:
    def below(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from parameter.opts
        for its in getattr(command, "commands", {}).values():
            yield from below(its)

    return set(below(typer.main.get_command(app)))


@pytest.mark.parametrize("path", sorted(RUNBOOK.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_is_short_and_names_what_there_is(path: Path) -> None:
    text = path.read_text()
    assert all(f"**{part}" in text for part in ("Means.", "Customers**", "Look**", "Do**", "Over**"))
    assert len(text.splitlines()) <= 35, "somebody reads it at three in the morning"
    for typed in re.findall(r"`ulak ([a-z-]+(?: [a-z-]+)?)", text):
        first = typed.split()[0]
        assert f"ulak {typed}" in commands() or f"ulak {first}" in commands(), typed
        if isinstance(_command(first), click.Group):
            assert f"ulak {typed}" in commands(), typed
    named = set(re.findall(r"`(--[a-z-]+)|(?<= )(--[a-z-]+)", text))
    assert {one or other for one, other in named} <= options()
    places = {place for page in PAGES["operator"] for place in paths("operator", page)}
    assert set(re.findall(r"`(/operator[\w/]*)`", text)) <= places
    for link in re.findall(r"\]\(([\w-]+\.md)\)", text):
        assert (RUNBOOK / link).exists()


def _command(name: str) -> Any:
    return getattr(typer.main.get_command(app), "commands", {}).get(name)


def test_the_dashboard_can_be_loaded() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"] == "ulak"
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"]


def test_nothing_that_names_somebody_is_a_label() -> None:
    assert known_labels() <= {"route", "status", "carrier", "result", "name", "process", "le", "job"}

"""Each alert, judged by Prometheus itself (promtool): it fires with the sentence it should when something is wrong, and
is quiet just below. `test_watching.py` asks whether the metrics exist; here only time and numbers are made up.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

RULES: Final = Path(__file__).parents[2] / "docs/operations/alerts.yaml"
INFO: Final = {'ulak_carrier_info{carrier="c1",name="Main"}': "1x120"}
NAMED: Final = {"carrier": "c1", "name": "Main"}

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing (apt-get install prometheus)"
)


class Case(NamedTuple):
    """What Prometheus saw in each minute, in its own notation, and what becomes of it after `minutes`."""

    wrong: dict[str, str]
    fine: dict[str, str]
    said: str
    labels: dict[str, str] = {}
    minutes: int = 30


def of_carrier(series: str, wrong: str, fine: str, said: str, minutes: int = 30) -> Case:
    """One number of one carrier."""
    return Case({series: wrong} | INFO, {series: fine} | INFO, said, NAMED, minutes)


CASES: Final = {
    "UlakDown": Case(
        {'up{job="ulak",instance="a:8000"}': "1 0x40"},
        {'up{job="ulak",instance="a:8000"}': "0 1x40"},
        "a:8000 does not answer /metrics",
        {"job": "ulak", "instance": "a:8000"},
    ),
    "UlakDatabaseDown": Case(
        {'ulak_database_up{instance="a:8000"}': "1 0x40"},
        {'ulak_database_up{instance="a:8000"}': "0 1x40"},
        "a:8000 gets no answer from the database",
        {"instance": "a:8000"},
    ),
    "UlakMigrationsPending": Case(
        {"ulak_migrations_pending": "2x40"},
        {"ulak_migrations_pending": "0x40"},
        "2 migrations are missing: the server is newer than its database",
    ),
    "UlakConnectionsUsedUp": Case(
        {"ulak_database_connections": "90x40", "ulak_database_connections_max": "100x40"},
        {"ulak_database_connections": "85x40", "ulak_database_connections_max": "100x40"},
        "90% of the database's connections are used",
    ),
    "UlakDiskFull": Case(
        {'ulak_disk_free_bytes{instance="a:8000"}': "5x40", 'ulak_disk_bytes{instance="a:8000"}': "100x40"},
        {'ulak_disk_free_bytes{instance="a:8000"}': "10x40", 'ulak_disk_bytes{instance="a:8000"}': "100x40"},
        "5% of the disk of a:8000 is free",
        {"instance": "a:8000"},
    ),
    "UlakCarrierDown": of_carrier(
        'ulak_links_bound{carrier="c1"}', "0x40", "1x40", "No connection to Main is bound"
    ),
    "UlakCarrierPartlyDown": Case(
        {'ulak_links{carrier="c1"}': "4x40", 'ulak_links_bound{carrier="c1"}': "3x40"} | INFO,
        {'ulak_links{carrier="c1"}': "4x40", 'ulak_links_bound{carrier="c1"}': "4x40"} | INFO,
        "1 connections to Main are not bound",
        NAMED,
    ),
    "UlakCarrierThrottled": of_carrier(
        'ulak_carrier_throttled_seconds{carrier="c1"}',
        "3600x40",
        "1800x40",
        "Main has throttled for 1h 0m 0s",
    ),
    "UlakCarrierRefusing": Case(
        {
            'ulak_submits_total{carrier="c1",status="0x00"}': "0+75x40",
            'ulak_submits_total{carrier="c1",status="0x0A"}': "0+25x40",
        }
        | INFO,
        {
            'ulak_submits_total{carrier="c1",status="0x00"}': "0+75x40",
            'ulak_submits_total{carrier="c1",status="0x58"}': "0+25x40",  # throttling is another alert's
        }
        | INFO,
        "Main refuses 25% of what it gets",
        NAMED,
    ),
    "UlakCarrierSlow": Case(
        {
            'ulak_submit_seconds_bucket{carrier="c1",le="1"}': "0x40",
            'ulak_submit_seconds_bucket{carrier="c1",le="10"}': "0+10x40",
            'ulak_submit_seconds_bucket{carrier="c1",le="+Inf"}': "0+10x40",
        },
        {
            'ulak_submit_seconds_bucket{carrier="c1",le="1"}': "0+10x40",
            'ulak_submit_seconds_bucket{carrier="c1",le="10"}': "0+10x40",
            'ulak_submit_seconds_bucket{carrier="c1",le="+Inf"}': "0+10x40",
        },
        "Carrier c1 takes 9.55s to answer",
        {"carrier": "c1"},
    ),
    "UlakReceiptsMissing": Case(
        {
            'ulak_submits_total{carrier="c1",status="0x00"}': "0+10x60",
            'ulak_receipts_total{carrier="c1",result="matched"}': "7x60",
        }
        | INFO,
        {
            'ulak_submits_total{carrier="c1",status="0x00"}': "0+10x60",
            'ulak_receipts_total{carrier="c1",result="matched"}': "0+1x60",
        }
        | INFO,
        "Main takes messages and sends no receipts",
        NAMED,
        50,
    ),
    "UlakReceiptsUnmatched": of_carrier(
        'ulak_receipts_unmatched{carrier="c1"}', "101x40", "100x40", "101 receipts of Main match no message"
    ),
    "UlakUnsure": Case(
        {'ulak_unsure_total{carrier="c1"}': "0+10x40"},
        {'ulak_unsure_total{carrier="c1"}': "0+3x40"},
        "150 submits to carrier c1 never got their answer",
        {"carrier": "c1"},
    ),
    "UlakQueueOld": of_carrier(
        'ulak_queue_oldest_seconds{carrier="c1"}', "1200x40", "900x40", "A message has waited 20m 0s for Main"
    ),
    "UlakRefundSpike": Case(
        {"ulak_messages_refunded_total": "0+25x40", "ulak_messages_ended_total": "0+100x40"},
        {"ulak_messages_refunded_total": "0+20x40", "ulak_messages_ended_total": "0+100x40"},
        "25% of the messages that end are paid back",
    ),
    "UlakCourierSilent": Case(
        {"ulak_swept_timestamp_seconds": "0x40", "ulak_database_up": "1x40"},
        {"ulak_swept_timestamp_seconds": "0+60x40", "ulak_database_up": "1x40"},
        "No courier was seen for ten minutes",
    ),
    "UlakAuditDifference": Case(
        {
            'ulak_audit_timestamp_seconds{result="different"}': "1700x40",
            'ulak_audit_timestamp_seconds{result="clean"}': "1600x40",
        },
        {
            'ulak_audit_timestamp_seconds{result="different"}': "1700x40",
            'ulak_audit_timestamp_seconds{result="clean"}': "1800x40",
        },
        "The last `ulak audit` found a difference in the books",
    ),
    "UlakApiErrors": Case(
        {
            'ulak_requests_total{status="200"}': "0+95x40",
            'ulak_requests_total{status="503"}': "0+5x40",
        },
        {
            'ulak_requests_total{status="200"}': "0+98x40",
            'ulak_requests_total{status="503"}': "0+2x40",
        },
        "5% of the requests fail on our side",
    ),
    "UlakApiSlow": Case(
        {
            'ulak_request_seconds_bucket{route="/sms-sendings",le="1"}': "0x40",
            'ulak_request_seconds_bucket{route="/sms-sendings",le="2"}': "0+10x40",
            'ulak_request_seconds_bucket{route="/sms-sendings",le="+Inf"}': "0+10x40",
        },
        {
            'ulak_request_seconds_bucket{route="/users/me",le="1"}': "0x40",
            'ulak_request_seconds_bucket{route="/users/me",le="2"}': "0+10x40",
            'ulak_request_seconds_bucket{route="/users/me",le="+Inf"}': "0+10x40",
        },
        "One in twenty requests takes longer than 1.95s",
    ),
    "UlakProcessRestarts": Case(
        {'process_start_time_seconds{process="api-1",instance="a:8000"}': "1x20 2 3 4 4x20"},
        {'process_start_time_seconds{process="api-1",instance="a:8000"}': "1x20 2 3 3 3x20"},
        "api-1 on a:8000 was started 3 times in 15 minutes",
        {"process": "api-1", "instance": "a:8000"},
    ),
    "UlakLowBalances": Case(
        {"ulak_credits_low": "3x59 5x60"},
        {"ulak_credits_low": "3x120"},
        "2 more credits than an hour ago are below ULAK_LOW_BALANCE",
        minutes=90,
    ),
}


def rules() -> dict[str, Any]:
    """By their names."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def asked(name: str, series: dict[str, str], minutes: int, expected: list[Any]) -> dict[str, Any]:
    """One question to promtool."""
    return {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": expected}],
    }


def judged(path: Path, questions: list[dict[str, Any]]) -> str:
    """What promtool has to say; empty when all is as expected."""
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": questions}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def fired(name: str) -> dict[str, Any]:
    """The alert as it should look."""
    case, rule = CASES[name], rules()[name]
    return {
        "exp_labels": rule["labels"] | case.labels,
        "exp_annotations": {"summary": case.said, "runbook": rule["annotations"]["runbook"]},
    }


def test_every_alert_is_here() -> None:
    assert set(CASES) == set(rules())


def test_each_fires_when_something_is_wrong(tmp_path: Path) -> None:
    questions = [asked(name, case.wrong, case.minutes, [fired(name)]) for name, case in CASES.items()]
    assert judged(tmp_path / "wrong.yaml", questions) == ""


def test_each_is_quiet_just_below(tmp_path: Path) -> None:
    questions = [asked(name, case.fine, case.minutes, []) for name, case in CASES.items()]
    assert judged(tmp_path / "fine.yaml", questions) == ""


def test_a_wrong_expectation_is_told(tmp_path: Path) -> None:
    assert "UlakDown" in judged(
        tmp_path / "told.yaml", [asked("UlakDown", CASES["UlakDown"].fine, 30, [fired("UlakDown")])]
    )

"""A night's work of an operator: a backup while customers send, another machine made from it, a look at its books."""

import shutil
import threading
from pathlib import Path

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, await_true

pytestmark = pytest.mark.slow

CREDIT = 5000


def test_a_backup_under_load_becomes_an_installation_of_its_own(tmp_path: Path) -> None:
    kept, sent, stop = tmp_path / "kept.backup", list[str](), threading.Event()

    def keep_sending(client: httpx.Client, service: str) -> None:
        while not stop.is_set():
            body = {"to": f"90555{len(sent):07d}", "message": "Kodunuz", "serviceId": service}
            answer = client.post("/sms-sendings", json=body)
            assert answer.status_code == 201, answer.text
            sent.append(answer.json()["data"])

    with CarrierProcess(delay_ms=20) as carrier, Installation() as ulak:
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        service, user = ulak.service("BobSMS", "simulated"), ulak.user("mark")
        ulak.credit(CREDIT, user=user)
        sender = threading.Thread(target=keep_sending, args=(ulak.as_user(user), service))
        sender.start()
        try:
            await_true(lambda: len(sent) > 50, "some sent")
            before = list(sent)
            assert ulak.cli("backup", kept)["bytes"] > 0
            found = ulak.cli("restore", kept, "--into", "ulak_again")
        finally:
            stop.set()
            sender.join(30)
        assert (found["clean"], found["paused"]) == (True, ["simulated"])
        assert ulak.cli("restore", kept, "--data-dir", tmp_path / "data")["clean"]
        shutil.copy(ulak.home / "data/secret.key", tmp_path / "data/secret.key")  # which is in no backup
        assert ulak.cli("audit")["clean"]

    with Installation() as other:
        other.environment["ULAK_DATA_DIR"] = str(tmp_path / "data")
        other.start()
        page = other.as_user(user).get("/sms-sendings", params={"limit": 1000, "page": 0}).json()["data"]
        assert page["totalPages"] <= 10
        listed = {item["id"] for item in page["items"]}
        for n in range(1, page["totalPages"]):
            more = other.as_user(user).get("/sms-sendings", params={"limit": 1000, "page": n}).json()["data"]
            listed |= {item["id"] for item in more["items"]}
        assert set(before) <= listed
        assert other.cli("audit")["clean"]

"""The pulse of a whole installation: what its processes count arrives in one place."""

from typing import Any

import pytest

from tests.harness import CarrierProcess, Installation, await_true

pytestmark = pytest.mark.slow


def test_what_every_process_does_is_seen_by_an_operator() -> None:
    with CarrierProcess(delay_ms=20) as carrier, Installation(carrier_processes=2) as ulak:
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        service = ulak.service("Plain", "simulated", 1)
        user = ulak.user("mark")
        ulak.credit(100, user=user)
        client = ulak.as_user(user)
        numbers = [f"9055{n:08d}" for n in range(40)]
        body: dict[str, Any] = {"serviceId": service, "message": "hi", "to": numbers}
        assert client.post("/sms-sendings/simple", json=body).status_code == 201
        assert client.post("/sms-sendings/simple", json=body | {"to": ["1"]}).status_code == 400

        def seen() -> dict[str, Any] | None:
            status: dict[str, Any] = ulak.cli("status")
            [one] = status["carriers"]
            told = [one["ended"].get("sent"), one["receipts"].get("sent"), one["answers"].get("0x00")]
            return status if told == [40, 40, 40] and status["linkProcesses"] == 2 else None

        status = await_true(seen, "40 messages in the pulse")
        assert status
        [one] = status["carriers"]
        assert (one["answers"], one["receipts"], one["receiptRate"]) == ({"0x00": 40}, {"sent": 40}, 1.0)
        assert len(one["connections"]) == 2
        assert status["well"]
        assert status["sweptAt"]
        assert status["waiting"]["messages"] == 0
        assert [m["status"] for m in ulak.cli("message", "find", numbers[3])] == ["sent"]

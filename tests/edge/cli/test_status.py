"""`ulak status`, `ulak audit-log` and `ulak message find`, as an operator types them."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.flow.conftest import inhabited
from ulak.base.db import Database
from ulak.flow import presence, pulse
from ulak.flow.pulse import What
from ulak.rules import ids
from ulak.store.links import Report

pytestmark = pytest.mark.slow


def lived(dsn: str) -> UUID:
    """A carrier whose connection is refused, at which something happened, and a sending that waits for it."""

    async def work() -> UUID:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        async with inhabited(db) as world:
            sending = await world.send(await world.customer(), await world.service(), to=2, text="[red]hi")
            pulse._counts.clear()
            pulse.count(What.ANSWERS, 3, carrier_id=world.carrier, label="0x00")
            pulse.count(What.ANSWERS, carrier_id=world.carrier, label="0x58")
            pulse.count(What.RECEIPTS, 2, carrier_id=world.carrier, label="sent")
            pulse.count(What.SWEEPS)
            pulse.count(What.PASSED_ON, 4)
            await pulse.tell(db)
            report = Report(world.carrier, 0, "refused", "wrong password", datetime.now(UTC), None)
            await presence.tell(db, uuid4(), [report])
        await db.close()
        return sending

    return asyncio.run(work())


def test_status_of_an_installation_in_trouble(cli: CommandLine, dsn: str) -> None:
    lived(dsn)

    its = cli("status")

    assert (its["well"], its["carriersDown"], its["linkProcesses"]) == (False, ["c"], 1)
    assert its["waiting"] | {"since": None} == {"messages": 2, "about": False, "since": None}
    assert its["database"]["connections"] <= its["database"]["connectionsMax"]
    [carrier] = its["carriers"]
    assert (carrier["link"]["state"], carrier["link"]["reason"]) == ("refused", "wrong password")
    assert [one["state"] for one in carrier["connections"]] == ["refused"]
    assert (carrier["answers"], carrier["receipts"]) == ({"0x00": 3, "0x58": 1}, {"sent": 2})
    assert carrier["receiptRate"] == 0.6667

    assert its["passedOn"] == 4
    said = cli.text("status")
    assert "ULAK_TRUSTED_PROXIES" in said
    for part in ("PostgreSQL", "2 messages, the oldest for", "ALARM: c", "ALARM: refused", "0x58 1", "67%"):
        assert part in said


def test_status_of_an_empty_installation(cli: CommandLine) -> None:
    assert cli("status")["carriers"] == []
    said = cli.text("status")
    assert "empty" in said
    assert "ALARM" not in said


def test_messages_are_found_by_their_number(cli: CommandLine, dsn: str) -> None:
    sending = lived(dsn)

    [found] = cli("message", "find", "0 (550) 000 00 01")

    assert (found["id"], found["sendingId"]) == (str(ids.message_id(sending, 1)), str(sending))
    assert (found["text"], found["status"]) == ("[red]hi", "pending")
    assert "[red]hi" in cli.text("message", "find", "905500000001")
    assert cli("message", "find", "905500009999") == []
    assert "'mark'" in cli.fails("message", "find", "mark")


def test_the_audit_log_is_read_newest_first(shop: CommandLine) -> None:
    shop("carrier", "set", "main", "--window=5")

    newest, *older = shop("audit-log")

    assert (newest["action"], newest["subject"]) == ("carrier.set", "main")
    assert newest["detail"] == {"before": {"window_max": 100}, "after": {"window_max": 5}}
    assert newest["actor"].startswith("cli:")
    assert len(older) == 5
    assert [line["action"] for line in shop("audit-log", "--action=carrier")] == [
        "carrier.set",
        "carrier.create",
    ]
    assert len(shop("audit-log", "--subject=main", "--limit=1")) == 1
    assert shop("audit-log", "--actor=nobody") == []
    assert "carrier.set" in shop.text("audit-log", "--subject=main")

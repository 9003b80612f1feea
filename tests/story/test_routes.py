"""Routes, as an operator sees them: which carrier gets what, when another one does, and how a message tells of it."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, Final

import httpx
import pytest

from tests.harness import CarrierProcess, CliFailed, Installation, User, await_completed, await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("routes")]

CREDIT: Final = 10_000
LONG: Final = "Şişli şubesi açık. " * 8  # three parts of UCS-2
_names = count()


@pytest.fixture(scope="module")
def ulak() -> Iterator[Installation]:
    with Installation(reconnect_seconds_max=1, sweep_seconds=1) as installation:
        installation.start()
        yield installation
        installation.cli("audit")


@pytest.fixture(scope="module")
def customer(ulak: Installation) -> User:
    user = ulak.user("mark")
    ulak.credit(CREDIT, user=user)
    return user


@dataclass
class Road:
    """Carriers of a test, in the order of their route, and a customer of a service over them."""

    ulak: Installation
    names: list[str]
    carriers: list[CarrierProcess]
    user: User
    client: httpx.Client
    service: str
    service_name: str
    had: Decimal

    def send(self, *numbers: str, text: str = "merhaba") -> str:
        """One or many; returns the sending's id."""
        body = {"message": text, "serviceId": self.service}
        if len(numbers) == 1:
            answer = self.client.post("/sms-sendings", json=body | {"to": numbers[0]})
        else:
            answer = self.client.post("/sms-sendings/simple", json=body | {"to": numbers})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"])

    def completed(self, sending: str) -> dict[str, Any]:
        return await_completed(self.client, sending)

    def messages(self, sending: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/sms-sendings/{sending}", params={"limit": 1000})
        items: list[dict[str, Any]] = answer.json()["data"]["items"]
        return items

    def history(self, sending: str, n: int = 0) -> list[dict[str, Any]]:
        """The events of one of its messages."""
        shown = self.ulak.cli("message", "show", self.messages(sending)[n]["id"])
        events: list[dict[str, Any]] = shown["events"]
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        return events

    def counters(self) -> list[dict[str, int]]:
        return [carrier.stop() for carrier in self.carriers]

    @property
    def spent(self) -> Decimal:
        return self.had - Decimal(self.ulak.balance(user=self.user))


class Roads:
    """Makes roads; their carriers end with the test."""

    def __init__(self, ulak: Installation, customer: User, stack: ExitStack) -> None:
        self._ulak, self._customer, self._stack = ulak, customer, stack

    def over(self, *carriers: CarrierProcess | int, hops: tuple[str, ...] = (), **options: object) -> Road:
        """A route over these, or over ports; `hops` are appended to their names."""
        names = []
        for carrier in carriers:
            names.append(f"c{next(_names)}")
            self._ulak.carrier(names[-1], carrier if isinstance(carrier, int) else carrier.port)
        route = [name + hop for name, hop in zip(names, hops or [""] * len(names), strict=True)]
        service_name = f"S{next(_names)}"
        settings = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        made = self._ulak.cli(
            *("service", "create", service_name, "--price", 1, "--currency", "USD"),
            *(word for hop in route for word in ("--carrier", hop)),
            *settings,
        )
        assert (made["carrier"], made["route"]) == (names[0], route)
        running = [carrier for carrier in carriers if isinstance(carrier, CarrierProcess)]
        up = {name for name, its in zip(names, carriers, strict=True) if its in running}
        await_true(lambda: up <= self._bound(), f"{up} are bound")
        client, had = self._ulak.as_user(self._customer), Decimal(self._ulak.balance(user=self._customer))
        return Road(self._ulak, names, running, self._customer, client, made["id"], service_name, had)

    def _bound(self) -> set[str]:
        return {one["name"] for one in self._ulak.cli("carrier", "list") if one["link"]["state"] == "bound"}

    def link(self, name: str) -> dict[str, Any]:
        """How a carrier stands."""
        [found] = [one["link"] for one in self._ulak.cli("carrier", "list") if one["name"] == name]
        return dict(found)

    def carrier(self, **options: float | str) -> CarrierProcess:
        return self._stack.enter_context(CarrierProcess(**({"delay_ms": 10} | options)))


@pytest.fixture
def roads(ulak: Installation, customer: User) -> Iterator[Roads]:
    with ExitStack() as stack:
        yield Roads(ulak, customer, stack)


def numbers(n: int, prefix: str = "90555") -> list[str]:
    """Different numbers that begin so, none with an ending that the simulated carrier knows."""
    return [f"{prefix}{k:0{11 - len(prefix)}d}7" for k in range(n)]


def nobody_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def names_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_what_the_first_refuses_the_second_delivers(roads: Roads) -> None:
    road = roads.over(roads.carrier(answer="0x0A"), roads.carrier())

    sending = road.send(*numbers(200))
    assert road.completed(sending)["stats"]["nOfCompleted"] == 200

    events = road.history(sending)
    assert names_of(events) == [
        *("accepted", "refused", "moved", "submitted", "answered", "receipt", "ended"),
    ]
    refused, _, submitted = events[1:4]
    assert (refused["carrier"], refused["status"]) == (road.names[0], "0x0A")
    assert (submitted["carrier"], submitted["part"]) == (road.names[1], 1)
    assert submitted["id"]
    assert road.spent == 200
    first, second = road.counters()
    assert (first["submits"], second["distinct"], second["repeats"]) == (200, 200, 0)


def test_the_numbers_own_fault_is_nobody_elses_to_try(roads: Roads) -> None:
    road = roads.over(roads.carrier(answer="0x0B"), roads.carrier())

    sending = road.send(*numbers(20))

    assert road.completed(sending)["stats"]["nOfRefunded"] == 20
    assert names_of(road.history(sending)) == ["accepted", "refused", "ended", "refunded"]
    assert road.spent == 0
    assert road.counters()[1]["submits"] == 0


def test_when_all_refuse_it_is_paid_back_once(roads: Roads) -> None:
    road = roads.over(roads.carrier(answer="0x0A"), roads.carrier(answer="0x0401"))

    sending = road.send(*numbers(20))

    assert road.completed(sending)["stats"]["nOfRefunded"] == 20
    events = road.history(sending)
    assert [(e["carrier"], e["status"]) for e in events if e["event"] == "refused"] == [
        (road.names[0], "0x0A"),
        (road.names[1], "0x401"),
    ]
    assert road.spent == 0
    assert [counters["submits"] for counters in road.counters()] == [20, 20]


def test_trouble_is_tried_again_a_few_times_and_then_elsewhere(roads: Roads) -> None:
    road = roads.over(roads.carrier(answer="0x08"), roads.carrier())

    sending = road.send("905550000000")

    assert road.completed(sending)["stats"]["nOfCompleted"] == 1
    events = road.history(sending)
    assert {"retried", "refused", "moved", "receipt"} <= set(names_of(events))
    first, second = road.counters()
    assert (1 < first["submits"] <= 4, second["submits"]) == (True, 1)


def test_a_carrier_that_is_down_is_waited_for_as_long_as_is_said(roads: Roads) -> None:
    port = nobody_listens()
    road = roads.over(port, roads.carrier(), fallback_seconds=10)

    waited = [road.send(*numbers(300)), road.send("905559999999")]
    assert [road.completed(sending)["stats"]["nOfCompleted"] for sending in waited] == [300, 1]
    [why] = [event["detail"] for event in road.history(waited[0]) if event["event"] == "moved"]
    assert "down since" in why

    started = time.monotonic()
    at_once = road.send("905558888888")
    road.completed(at_once)
    assert names_of(road.history(at_once))[:2] == ["accepted", "submitted"]
    assert time.monotonic() - started < 2 + 2  # and what the commands take

    roads.carrier(port=port)
    await_true(lambda: roads.link(road.names[0])["state"] == "bound", "the first is back")
    time.sleep(2.5)  # what a process remembers of the carriers is at most so old
    back = road.send("905557777777")
    road.completed(back)
    assert [event["carrier"] for event in road.history(back) if event["event"] == "submitted"] == [
        road.names[0]
    ]


def test_what_a_throttling_carrier_leaves_waiting_overflows(roads: Roads) -> None:
    road = roads.over(roads.carrier(throttle=20), roads.carrier(), fallback_seconds=2)

    sending = road.send(*numbers(600))

    assert road.completed(sending)["stats"]["nOfCompleted"] == 600
    first, second = road.counters()
    assert first["distinct"] + second["distinct"] == 600
    assert (first["repeats"], second["repeats"]) == (0, 0)
    assert first["distinct"] > 0
    assert second["distinct"] > 0
    whys = [event["detail"] for event in road.history(sending, 599) if event["event"] == "moved"]
    assert all("throttling since" in why for why in whys)


def test_a_paused_carrier_is_passed_by_or_waited_for(roads: Roads) -> None:
    road, alone = roads.over(roads.carrier(), roads.carrier()), roads.over(roads.carrier())
    for name in (road.names[0], alone.names[0]):
        roads.link(name)
        road.ulak.cli("carrier", "set", name, "--state", "paused")

    sending, waiting = road.send(*numbers(20)), alone.send(*numbers(20))
    assert road.completed(sending)["stats"]["nOfCompleted"] == 20
    assert {message["status"] for message in alone.messages(waiting)} == {"pending"}
    road.ulak.cli("carrier", "set", alone.names[0], "--state", "active")

    assert alone.completed(waiting)["stats"]["nOfCompleted"] == 20
    assert road.counters()[1]["distinct"] == 20


def test_numbers_go_where_their_beginning_says(roads: Roads) -> None:
    road = roads.over(roads.carrier(), roads.carrier(), hops=(":90532,90533", ""))

    sending = road.send(*numbers(5, "90532"), *numbers(6, "90533"), *numbers(7, "90541"))

    assert road.completed(sending)["stats"]["nOfCompleted"] == 18
    assert [counters["distinct"] for counters in road.counters()] == [11, 7]


def test_a_number_without_a_way_cannot_be_sent_to(roads: Roads) -> None:
    road = roads.over(roads.carrier(), hops=(":90532",))
    body = {"message": "merhaba", "serviceId": road.service}

    refused = road.client.post("/sms-sendings", json=body | {"to": "905410000000"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_valid_recipient")

    sending = road.send(*numbers(2, "90532"), *numbers(3, "90541"))
    stats = road.completed(sending)["stats"]
    assert (stats["validSize"], stats["invalidSize"]) == (2, 3)
    assert road.spent == 2


def test_carriers_share_by_weight_and_a_number_keeps_its_way(roads: Roads) -> None:
    road = roads.over(roads.carrier(), roads.carrier(), hops=("@70", "@30"))

    for _ in range(2):
        sending = road.send(*numbers(1000), text="bir")
        assert road.completed(sending)["stats"]["nOfCompleted"] == 1000

    first, second = road.counters()
    assert first["distinct"] + second["distinct"] == 1000  # the second time nobody saw anybody new
    assert first["distinct"] == pytest.approx(700, abs=40)


def test_the_parts_of_a_long_text_are_told_one_by_one(roads: Roads) -> None:
    road = roads.over(roads.carrier())

    sending = road.send("905550000000", text=LONG)
    road.completed(sending)

    events = road.history(sending)
    assert Counter(names_of(events)) == {
        "accepted": 1,
        "submitted": 3,
        "answered": 3,
        "receipt": 3,
        "ended": 1,
    }
    for kind in ("submitted", "answered", "receipt"):
        assert sorted(event["part"] for event in events if event["event"] == kind) == [1, 2, 3]
    assert road.spent == 1


def test_a_message_that_is_none_is_not_found(roads: Roads, ulak: Installation) -> None:
    road = roads.over(roads.carrier())
    sending = road.send("905550000000")

    for unknown in ("01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e", "x", "", sending):
        with pytest.raises(CliFailed) as failed:
            ulak.cli("message", "show", unknown)
        assert failed.value.exit_code == 1
        assert failed.value.stderr.startswith("There is no message")


def test_a_header_goes_over_the_carriers_that_have_approved_it(roads: Roads, ulak: Installation) -> None:
    road = roads.over(roads.carrier(), roads.carrier())
    asking, any_header = road.names
    ulak.cli("carrier", "set", asking, "--headers", "approved")
    whose = ("--service", road.service_name, "--user", road.user.username)
    made = ulak.cli("sender", "set", "ACME", *whose)
    assert made["waitsFor"] == [asking]

    def goes_over(n: int) -> str:
        time.sleep(2.5)  # what a process remembers of the carriers is at most so old
        sending = road.send(f"90555000000{n}")
        road.completed(sending)
        shown = ulak.cli("message", "show", road.messages(sending)[0]["id"])
        assert shown["sender"] == ("ACME" if n < 3 else None)
        return str(next(event["carrier"] for event in shown["events"] if event["event"] == "submitted"))

    assert goes_over(0) == any_header
    ulak.cli("sender", "approve", "ACME", "--carrier", asking)
    assert [one["waitsFor"] for one in ulak.cli("sender", "list") if one["header"] == "ACME"] == [[]]
    assert goes_over(1) == asking
    ulak.cli("sender", "withdraw", "ACME", "--carrier", asking)
    assert goes_over(2) == any_header
    ulak.cli("sender", "remove", *whose)
    assert goes_over(3) == asking

"""The main road: a thousand sends of many customers, some of which fail, and every micro-unit accounted for."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, Organization, User, await_true

pytestmark = pytest.mark.slow

SENDS: Final = 1000
CREDIT: Final = Decimal(5000)
TEXTS: Final = ["Your code is 4711.", "Sayın müşterimiz, siparişiniz yola çıktı.", "Price: 5 € {today}"]
PRICES: Final = {"Plain": Decimal("1"), "Cheap": Decimal("0.0325")}
REFUNDED: Final = {"Plain": {"not_sent", "no_signal"}, "Cheap": {"not_sent"}}


@dataclass(slots=True)
class Actor:
    """A customer in one context, and what they sent: each sending's service and texts by number."""

    user: User
    org: Organization | None
    client: httpx.Client
    sent: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)


class Numbers:
    """Numbers that occur once; some of them the carrier always reports undelivered or expired."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next = iter(range(1_000_000))

    def take(self, n: int) -> list[str]:
        return [self._one() for _ in range(n)]

    def _one(self) -> str:
        ending = self._chance.choices(["0901", "0902", "0000"], [1, 1, 98])[0]
        return f"905{next(self._next):05d}{ending}"


@pytest.fixture
def carrier() -> Iterator[CarrierProcess]:
    with CarrierProcess(delay_ms=20, undelivered=8, expired=4, seed=11) as process:
        yield process


@pytest.fixture
def ulak(carrier: CarrierProcess) -> Iterator[Installation]:
    with Installation() as installation:
        installation.start()
        installation.carrier("simulated", carrier.port)
        yield installation


def test_a_thousand_sends_end_as_the_carrier_decides_and_the_money_adds_up(
    carrier: CarrierProcess, ulak: Installation
) -> None:
    chance = random.Random(2026)
    services = {
        ulak.service("Plain", "simulated", PRICES["Plain"]): "Plain",
        ulak.service("Cheap", "simulated", PRICES["Cheap"], refund="not_sent"): "Cheap",
    }
    actors = people(ulak)

    send_all(actors, services, chance)
    statuses: Counter[str] = Counter()
    seen: set[str] = set()
    for actor in actors:
        statuses += check(ulak, actor)
        seen |= {item["id"] for item in completed(actor.client) or []}
    assert seen == {sending for actor in actors for sending in actor.sent}

    counters = carrier.stop()
    assert statuses == Counter(
        sent=counters["delivered"], not_sent=counters["undelivered"], no_signal=counters["expired"]
    )
    assert counters["taken"] == counters["distinct"] == counters["acknowledged"] == statuses.total()
    assert 0.05 < statuses["not_sent"] / statuses.total() < 0.12
    assert 0.02 < statuses["no_signal"] / statuses.total() < 0.08
    ulak.cli("audit")


def people(ulak: Installation) -> list[Actor]:
    """Two users on their own, and one of them with a third in each of two organizations."""
    users = [ulak.user(name) for name in ("mark", "lale", "ayse")]
    orgs = [
        ulak.organization(name, *users[1:], permissions=("organization.sms.send", "organization.sms.read"))
        for name in ("Main Organization", "Second")
    ]
    for user in users[:2]:
        ulak.credit(CREDIT, user=user)
    for org in orgs:
        for user in users[1:]:
            ulak.credit(CREDIT, user=user, org=org)
    contexts: list[tuple[User, Organization | None]] = [(user, None) for user in users[:2]]
    contexts += [(user, org) for user in users[1:] for org in orgs]
    return [Actor(user, org, ulak.as_user(user, org)) for user, org in contexts]


def send_all(actors: list[Actor], services: dict[str, str], chance: random.Random) -> None:
    """All sends, of all kinds, one after the other."""
    numbers = Numbers(chance)
    for _ in range(SENDS):
        actor, service = chance.choice(actors), chance.choice(list(services))
        kind = chance.choice(["", "/simple", "/advanced"])
        text = chance.choice(TEXTS)
        to = numbers.take(1 if kind == "" else chance.randint(1, 9))
        body: dict[str, Any] = {"serviceId": service, "message": text}
        texts = dict.fromkeys(to, text)
        if kind == "":
            body["to"] = to[0]
        elif kind == "/simple":
            body["to"] = to
        else:
            del body["message"]
            texts = {number: f"{n}. {text}" for n, number in enumerate(to)}
            body["messages"] = [{"to": number, "message": its} for number, its in texts.items()]
        answer = actor.client.post(f"/sms-sendings{kind}", json=body)
        assert answer.status_code == 201, answer.text
        actor.sent[answer.json()["data"]] = services[service], texts


def check(ulak: Installation, actor: Actor) -> Counter[str]:
    """What the customer sees at the end is what they sent, and what they paid; returns how messages ended."""
    items = await_true(lambda: completed(actor.client), "all sendings completed", 120)
    items = [item for item in items if item["id"] in actor.sent]  # members see each other's
    assert len(items) == len(actor.sent)
    statuses: Counter[str] = Counter()
    spent = Decimal(0)
    for item in items:
        service, texts = actor.sent[item["id"]]
        data = actor.client.get(f"/sms-sendings/{item['id']}", params={"limit": 1000}).json()["data"]
        messages = data["items"]
        assert {message["to"]: message["message"] for message in messages} == texts
        fates = Counter(message["status"] for message in messages)
        for message in messages:
            expected = {"0901": "not_sent", "0902": "no_signal"}.get(message["to"][-4:])
            assert expected in (None, message["status"]), message
            assert message["refunded"] is (message["status"] in REFUNDED[service])
        refunds = sum(message["refunded"] for message in messages)
        stats = item["stats"]
        assert stats["validSize"] == len(texts)
        assert stats["invalidSize"] == stats["nOfPending"] == stats["nOfWaiting"] == 0
        assert stats["nOfCompleted"] == fates["sent"]
        assert stats["nOfFailed"] == fates["not_sent"] + fates["no_signal"]
        assert stats["nOfRefunded"] == refunds
        assert Decimal(stats["totalCost"]) == len(texts) * PRICES[service]
        assert Decimal(stats["totalRefunded"]) == refunds * PRICES[service]
        spent += Decimal(stats["totalCost"]) - Decimal(stats["totalRefunded"])
        statuses += fates
    assert balance(ulak, actor) == CREDIT - spent
    return statuses


def completed(client: httpx.Client) -> list[dict[str, Any]] | None:
    """All of the customer's sendings, once all are completed."""
    data = client.get("/sms-sendings", params={"limit": 1000}).json()["data"]
    assert data["totalPages"] == 1
    items: list[dict[str, Any]] = data["items"]
    return items if all(item["completed"] for item in items) else None


def balance(ulak: Installation, actor: Actor) -> Decimal:
    """What they can still spend: as the command line says, and for members also the API."""
    shown = Decimal(ulak.balance(user=actor.user, org=actor.org))
    if actor.org:
        organizations = actor.client.get("/users/me/organizations").json()["data"]
        credit = next(item["memberCredit"] for item in organizations if item["id"] == actor.org.id)
        assert Decimal(credit) == shown
    return shown

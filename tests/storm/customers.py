"""The customers of the storm: they send, read, repeat themselves and walk away, and note every answer.

In: where the API is, who they are, a seed. Out: `Asked`, one for each thing somebody wanted sent: the texts by number
(each number is used once in a run, so that it names its request for ever), and what was answered, if anything was.
A customer who got no answer knows nothing; one with an Idempotency-Key asks again until it does.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.harness import User

ANSWER_SECONDS: Final = 15.0
ASK_AGAIN_SECONDS: Final = 0.3
FINAL: Final = frozenset({"sent", "not_sent", "no_signal"})
SHORT: Final = "Fırtına geliyor {n}"
#: In letters that GSM-7 lacks: two parts.
LONG: Final = "Fırtına uzun sürecek, herkes evinde kalsın. {n} " * 2
PATHS: Final = {"single": "", "simple": "/simple", "advanced": "/advanced"}


@dataclass(slots=True)
class Asked:
    """Something that was to be sent. `answered`: the sending's id; `refused`: the code, when the answer was no."""

    who: str
    service: str
    kind: str
    texts: dict[str, str]
    name: str | None
    answered: set[str] = field(default_factory=set)
    refused: str | None = None
    tries: int = 0
    unanswered: int = 0


class Ledger:
    """What all customers noted: requests, statuses they saw that were final, answers by their status."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: Counter[str] = Counter()
        self.seen_final: dict[tuple[str, str], str] = {}
        self.changed_minds: list[str] = []
        self.replays = 0
        self._numbers = iter(range(10_000_000))

    def numbers(self, n: int) -> list[str]:
        """Numbers that nobody was written to before; their endings leave the carriers free to decide."""
        return [f"9055{next(self._numbers):07d}5" for _ in range(n)]

    def saw(self, sending: str, number: str, status: str) -> None:
        """Somebody read a status: one that was final once stays."""
        if status not in FINAL:
            return
        before = self.seen_final.setdefault((sending, number), status)
        if before != status:
            self.changed_minds.append(f"{sending} {number}: {before}, then {status}")


class Customer:
    """One of them, in a task of its own (`run`) until `leave` is set."""

    def __init__(
        self, user: User, url: str, services: list[str], ledger: Ledger, chance: random.Random
    ) -> None:
        self.user, self.url, self.services, self.ledger, self.chance = user, url, services, ledger, chance
        self.host, _, port = url.partition("//")[2].partition("/")[0].partition(":")
        self.port = int(port)
        self.leave = asyncio.Event()

    async def run(self) -> None:
        """Send now and then, until told to leave."""
        headers = {"x-api-key": self.user.key}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
        ) as client:
            while not self.leave.is_set():
                doing = self.chance.choices(
                    [self.send, self.walk_away, self.repeat_at_once, self.read], [10, 1, 1, 3]
                )[0]
                await doing(client)
                await asyncio.sleep(self.chance.uniform(0.02, 0.25))

    # sending

    def want(self, *, named: bool | None = None) -> Asked:
        """Something to send, drawn."""
        kind = self.chance.choices(list(PATHS), [6, 2, 2])[0]
        n = 1 if kind == "single" else self.chance.choice([2, 5, 5, 20])
        text = self.chance.choices([SHORT, LONG], [4, 1])[0]
        numbers = self.ledger.numbers(n)
        texts = {to: text.format(n=to if kind == "advanced" else numbers[0]).strip() for to in numbers}
        named = self.chance.random() < 0.6 if named is None else named
        name = f"{numbers[0]}-{self.chance.getrandbits(32):x}" if named else None
        asked = Asked(self.user.username, self.chance.choice(self.services), kind, texts, name)
        self.ledger.asked.append(asked)
        return asked

    async def send(self, client: httpx.AsyncClient) -> None:
        """Ask, and where the request has a name ask again until somebody answers."""
        asked = self.want()
        while True:
            await self.ask(client, asked)
            if asked.answered or asked.refused or not asked.name or self.leave.is_set():
                return
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def ask(self, client: httpx.AsyncClient, asked: Asked) -> None:
        """One try; note what came of it."""
        headers = {"idempotency-key": asked.name} if asked.name else {}
        path = f"/sms-sendings{PATHS[asked.kind]}"
        asked.tries += 1
        try:
            answer = await client.post(path, json=body_of(asked), headers=headers)
        except httpx.HTTPError:
            asked.unanswered += 1
            self.ledger.answers["none"] += 1
            return
        self.ledger.answers[str(answer.status_code)] += 1
        if answer.status_code == 201:
            asked.answered.add(answer.json()["data"])
            self.ledger.replays += answer.headers.get("idempotency-replayed") == "true"
        elif answer.status_code < 500:
            error = answer.json()["error"]
            asked.refused = error["code"]
            if error["code"] != "insufficient_credit":
                asked.refused = f"{answer.status_code} {error}"

    async def repeat_at_once(self, client: httpx.AsyncClient) -> None:
        """The same named request several times at the same moment, over connections of their own."""
        asked = self.want(named=True)
        await asyncio.gather(*(self.ask(client, asked) for _ in range(self.chance.randint(2, 4))))

    async def walk_away(self, client: httpx.AsyncClient | None = None) -> None:
        """Leave in the middle: of the request, before the answer, or of the answer."""
        asked = self.want()
        asked.tries += 1
        asked.unanswered += 1
        self.ledger.answers["walked away"] += 1
        request = self._written(asked)
        how = self.chance.randrange(3)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                writer.write(request[: self.chance.randrange(len(request))] if how == 0 else request)
                await writer.drain()
                if how == 1:
                    await asyncio.sleep(self.chance.uniform(0, 0.03))
                if how == 2:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(2):
                            await reader.read(self.chance.randint(1, 40))
            finally:
                writer.transport.abort()

    def _written(self, asked: Asked) -> bytes:
        body = json.dumps(body_of(asked)).encode()
        name = f"idempotency-key: {asked.name}\r\n" if asked.name else ""
        head = (
            f"POST /v1/sms-sendings{PATHS[asked.kind]} HTTP/1.1\r\nhost: {self.host}\r\nx-api-key: {self.user.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{name}\r\n"
        )
        return head.encode() + body

    # reading

    async def read(self, client: httpx.AsyncClient) -> None:
        """Look at a page of sendings, and at the messages of one."""
        with suppress(httpx.HTTPError):
            answer = await client.get(
                "/sms-sendings", params={"limit": 20, "page": self.chance.randint(0, 2)}
            )
            self.ledger.answers[str(answer.status_code)] += 1
            items = answer.json()["data"]["items"] if answer.status_code == 200 else []
            if items:
                await self.messages(client, self.chance.choice(items)["id"])

    async def messages(self, client: httpx.AsyncClient, sending: str) -> list[dict[str, Any]]:
        """The messages of a sending; each status is noted."""
        answer = await client.get(f"/sms-sendings/{sending}", params={"limit": 1000})
        self.ledger.answers[str(answer.status_code)] += 1
        items: list[dict[str, Any]] = answer.json()["data"]["items"] if answer.status_code == 200 else []
        for item in items:
            self.ledger.saw(sending, item["to"], item["status"])
        return items


def body_of(asked: Asked) -> dict[str, Any]:
    """The request's body."""
    body: dict[str, Any] = {"serviceId": asked.service}
    if asked.kind == "advanced":
        return body | {"messages": [{"to": to, "message": text} for to, text in asked.texts.items()]}
    numbers, text = list(asked.texts), next(iter(asked.texts.values()))
    return body | {"to": numbers[0] if asked.kind == "single" else numbers, "message": text}


def pages(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """All sendings of a customer."""
    page = 0
    while True:
        data = client.get("/sms-sendings", params={"limit": 1000, "page": page}).json()["data"]
        yield from data["items"]
        page += 1
        if page >= data["totalPages"]:
            return

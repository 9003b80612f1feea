"""The demo's customer: a program that knows the Customer API and nothing else of Ulak.

It sends, asks what became of it, and notes every move of every message.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from ulak.edge.demo.shop import Shop

ASK_EVERY_SECONDS: Final = 0.1

SENDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("/sms-sendings", {"to": "905550000000", "message": "Your confirmation code is: 123456"}),
    (
        "/sms-sendings/simple",
        {"to": ["905550000000", "905550000001", "905550000002"], "message": "Campaign is live. Visit now."},
    ),
    ("/sms-sendings", {"to": "905550000901", "message": "Nobody will read this."}),
)
"""One single, one bulk of three, and one to a number that the simulated carrier reports as undelivered."""

EXPECTED: Final = (("sent",), ("sent", "sent", "sent"), ("not_sent",))
"""How the messages of each of them end."""


@dataclass(slots=True)
class Message:
    """One message, and its statuses so far with the seconds since the first send."""

    sending: str
    to: str
    text: str
    moves: list[tuple[float, str]] = field(default_factory=list)
    refunded: bool = False

    @property
    def status(self) -> str:
        """Where it is now."""
        return self.moves[-1][1]


@dataclass(slots=True)
class Customer:
    """Sends with `send_all`; `look` asks again and returns the messages that have moved since."""

    http: httpx.AsyncClient
    service_id: str
    sendings: list[str] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    credit: str = ""
    started: float = 0.0

    @classmethod
    def of(cls, shop: Shop, url: str) -> "Customer":
        """A program with the shop's key, acting for its organization."""
        headers = {"x-api-key": shop.key, "x-org-id": str(shop.organization_id)}
        return cls(
            httpx.AsyncClient(base_url=f"{url}/v1", headers=headers, trust_env=False), str(shop.service_id)
        )

    async def send_all(self) -> None:
        """Post every send."""
        await self._look_at_credit()
        self.started = time.monotonic()
        for path, body in SENDS:
            answer = await self.http.post(path, json={**body, "serviceId": self.service_id})
            answer.raise_for_status()
            self.sendings.append(answer.json()["data"])

    async def look(self) -> list[Message]:
        """Ask for every sending's messages and for the credit; returns what has moved."""
        moved = []
        for sending in self.sendings:
            answer = await self.http.get(f"/sms-sendings/{sending}")
            answer.raise_for_status()
            noted = [self._note(sending, item) for item in answer.json()["data"]["items"]]
            moved += [line for line in noted if line]
        await self._look_at_credit()
        return moved

    def _note(self, sending: str, item: dict[str, Any]) -> Message | None:
        """Note where a message is; returns it when that is somewhere else than before."""
        line = self.messages.setdefault(item["id"], Message(sending, item["to"], item["message"]))
        line.refunded = item["refunded"]
        if line.moves and line.status == item["status"]:
            return None
        line.moves.append((time.monotonic() - self.started, item["status"]))
        return line

    async def _look_at_credit(self) -> None:
        answer = await self.http.get("/users/me/organizations")
        answer.raise_for_status()
        self.credit = answer.json()["data"][0]["memberCredit"]

    def by_sending(self) -> list[list[Message]]:
        """The messages of each sending, in the order they were sent."""
        return [[line for line in self.messages.values() if line.sending == one] for one in self.sendings]

    async def listed(self) -> list[dict[str, Any]]:
        """The sendings as the list shows them, in the order they were sent."""
        answer = await self.http.get("/sms-sendings")
        answer.raise_for_status()
        items = {item["id"]: item for item in answer.json()["data"]["items"]}
        return [items[sending] for sending in self.sendings]

    @property
    def over(self) -> bool:
        """Whether every message has ended."""
        return len(self.messages) == sum(map(len, EXPECTED)) and all(
            line.status in ("sent", "not_sent", "no_signal") for line in self.messages.values()
        )

    async def pause(self) -> None:
        """Between two looks."""
        await asyncio.sleep(ASK_EVERY_SECONDS)

"""Whom the fuzz meets: a whole Ulak with a carrier behind it, and a customer with a key.

The customer has two purses, their own and their share in an organization, and every `201` that they are answered is
remembered. What the panel's part does is done by other people, so that the sums of these two purses stay known.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from tests.contract.description import Description
from tests.harness import CarrierProcess, Installation, Organization, User

CREDIT: Final = 1_000_000
MEMBER_MAY: Final = ("organization.sms.send", "organization.sms.read", "organization.users.read")


@dataclass
class World:
    """An installation and who is in it."""

    ulak: Installation
    carrier_port: int
    service: str
    mark: User
    org: Organization
    description: Description
    sending: str = ""
    accepted: list[str] = field(default_factory=list)
    """The ids that were answered with 201, without repeats of an earlier answer."""

    @property
    def port(self) -> int:
        """Where the server listens."""
        return int(self.ulak.url.rpartition(":")[2])

    @property
    def purses(self) -> Iterator[tuple[Organization | None, httpx.Client]]:
        """The customer's two contexts, and a client in each."""
        for org in (None, self.org):
            yield org, self.ulak.as_user(self.mark, org)

    def heard(self, status: int, headers: httpx.Headers, body: bytes) -> None:
        """Remember what was accepted."""
        if status == 201 and "idempotency-replayed" not in headers:
            self.accepted.append(httpx.Response(status, content=body).json()["data"])


@contextmanager
def inhabited() -> Iterator[World]:
    """A world, for as long as the block lasts."""
    with (
        CarrierProcess(delay_ms=20, undelivered=10, seed=7) as carrier,
        Installation(log_format="json") as ulak,
    ):
        ulak.start()
        ulak.carrier("away", 1)  # whose id is 1: small numbers are among the hostile values
        ulak.carrier("simulated", carrier.port)
        service = ulak.service("BobSMS", "simulated")
        mark = ulak.user("mark")
        org = ulak.organization("Main Organization", mark, permissions=MEMBER_MAY)
        ulak.credit(CREDIT, user=mark)
        ulak.credit(CREDIT, user=mark, org=org)
        world = World(ulak, carrier.port, service, mark, org, Description.of(ulak.client()))
        made = ulak.as_user(mark).post(
            "/sms-sendings", json={"to": "905550000000", "message": "Merhaba", "serviceId": service}
        )
        world.heard(made.status_code, made.headers, made.content)
        world.sending = world.accepted[0]
        yield world

"""What the demo's customer has to begin with, made the way an operator makes it: by the rooms of `admin`."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ulak.admin import accounts, carriers, catalogue, credit, groups, operators, passwords
from ulak.admin.audit import prove
from ulak.base.db import Database
from ulak.rules.actor import Actor
from ulak.rules.money import MICRO
from ulak.rules.permission import Permission

ACTOR: Final = Actor("demo")
USERNAME: Final = "mark"
ORGANIZATION: Final = "Main Organization"
SERVICE: Final = "BobSMS"
CARRIER: Final = "simulated"
CURRENCY: Final = "USD"
PRICE: Final = 1 * MICRO
CREDIT: Final = 120 * MICRO
POOL: Final = 500 * MICRO
OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Shop:
    """What a customer's program needs to know: its key, where to act, and what to send with; and with which passwords
    the customer and an operator come into the panel."""

    key: str
    organization_id: UUID
    service_id: UUID
    password: str
    operator_password: str


async def furnish(db: Database, carrier_port: int) -> Shop:
    """A carrier, a service over it, a user with a key, an organization, credit for both, and an operator."""
    anybody = "ulak"  # the simulated carrier lets everybody in
    await carriers.create(
        db, ACTOR, CARRIER, host="127.0.0.1", port=carrier_port, system_id=anybody, password=anybody
    )
    offer = await catalogue.create_service(
        db,
        ACTOR,
        SERVICE,
        installation_currency=CURRENCY,
        currency=CURRENCY,
        price=PRICE,
        route=[CARRIER],
    )
    password = passwords.generated()
    await accounts.create_user(db, ACTOR, USERNAME, f"{USERNAME}@example.com", password)
    operator = await operators.create(db, ACTOR, OPERATOR, None)
    made = await accounts.create_key(db, ACTOR, USERNAME, "demo")
    organization = await groups.create(db, ACTOR, ORGANIZATION)
    await groups.add_member(db, ACTOR, ORGANIZATION, USERNAME, list(Permission))
    await credit.add(db, ACTOR, CREDIT, USERNAME, None, "to try things out")
    await credit.add(db, ACTOR, POOL, None, ORGANIZATION, "to be handed out")
    await credit.add(db, ACTOR, CREDIT, USERNAME, ORGANIZATION, "to try things out")
    assert operator.password
    return Shop(made.secret, organization.id, offer.service.id, password, operator.password)


async def books_are_clean(db: Database) -> bool:
    """Whether `ulak audit` finds nothing."""
    return not any([proof.differences async for proof in prove(db)])

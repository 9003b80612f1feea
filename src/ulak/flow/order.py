"""An order: a request that knows its price list and its recipients, ready to be paid.

Pure values on their way from `accept` to `till`; turns itself into the rows that are written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ulak.flow.directory import Terms
from ulak.rules.tenancy import Context
from ulak.rules.text import fold
from ulak.store import idempotency, messages, queue, sendings, volumes


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid and written. `units` × unit price is what a message costs, and `carriers` is over which it
    goes first: one for all or one each."""

    id: UUID
    who: Context
    terms: Terms
    recipients: list[int]
    texts: str | list[str]
    units: int | list[int]
    carriers: int | list[int]
    n_invalid: int
    source: sendings.Source
    single: bool
    at: datetime
    claim: idempotency.Claim | None

    @property
    def credit(self) -> tuple[UUID, UUID]:
        """(tenant, owner) of the credit that pays."""
        return self.who.tenant_id, self.who.owner_id

    @property
    def volume(self) -> volumes.Volume:
        """The counter this order adds to."""
        return volumes.Volume(self.who.tenant_id, self.terms.service.id, volumes.month_of(self.at))

    @property
    def expires_at(self) -> datetime:
        """Until when a carrier may try to deliver it."""
        return self.at + timedelta(minutes=self.terms.service.validity_minutes)

    def cost(self, unit_price: int) -> int:
        """The whole order at this unit price, in micro-units."""
        if isinstance(self.units, int):
            return unit_price * self.units * len(self.recipients)
        return unit_price * sum(self.units)

    def sending(self, unit_price: int) -> sendings.NewSending:
        """The row that says what was asked for."""
        service = self.terms.service
        text = self.texts if isinstance(self.texts, str) else self.texts[0]
        return sendings.NewSending(
            tenant_id=self.who.tenant_id,
            id=self.id,
            user_id=self.who.user_id,
            owner_id=self.who.owner_id,
            service_id=service.id,
            source=self.source,
            text=text,
            search_text=fold(text),
            sender=self.terms.sender,
            unit_price=unit_price,
            refund_not_sent="not_sent" in service.refund_on,
            refund_no_signal="no_signal" in service.refund_on,
            resend_unsure=service.unsure == "resend",
            n_valid=len(self.recipients),
            n_invalid=self.n_invalid,
            total_cost=self.cost(unit_price),
            created_at=self.at,
            expires_at=self.expires_at,
        )

    def messages(self, unit_price: int) -> Iterator[messages.NewMessage]:
        """A row for each recipient."""
        tenant, sending = self.who.tenant_id, self.id
        if isinstance(self.texts, str) and isinstance(self.units, int):
            price = unit_price * self.units
            for position, recipient in enumerate(self.recipients):
                yield messages.NewMessage(tenant, sending, position, recipient, price, None, None)
            return
        texts = [self.texts] * len(self.recipients) if isinstance(self.texts, str) else self.texts
        units = [self.units] * len(texts) if isinstance(self.units, int) else self.units
        for position, (recipient, text, n) in enumerate(zip(self.recipients, texts, units, strict=True)):
            yield messages.NewMessage(tenant, sending, position, recipient, unit_price * n, text, fold(text))

    def runs(self, run_max: int) -> Iterator[queue.NewRun]:
        """The rows of the queue, `run_max` messages each."""
        turn = int(self.at.timestamp() * 1000)
        for carrier_id, positions in self._positions().items():
            for k, first in enumerate(range(0, len(positions), run_max)):
                its = positions[first : first + run_max]
                yield queue.new_run(
                    its,
                    carrier_id=carrier_id,
                    priority=queue.SINGLE if self.single else queue.BULK,
                    turn=turn + k * queue.RUN_TURN,
                    tenant_id=self.who.tenant_id,
                    sending_id=self.id,
                    expires_at=self.expires_at,
                )

    def _positions(self) -> dict[int, Sequence[int]]:
        """Which messages go over which carrier."""
        if isinstance(self.carriers, int):
            return {self.carriers: range(len(self.recipients))}
        found: dict[int, list[int]] = {}
        for position, carrier_id in enumerate(self.carriers):
            found.setdefault(carrier_id, []).append(position)
        return dict(found)

    @property
    def goes_over(self) -> set[int]:
        """The carriers that have something to do."""
        return {self.carriers} if isinstance(self.carriers, int) else set(self.carriers)

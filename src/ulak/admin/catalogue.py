"""What is for sale: carriers, services over them, and customers' sender headers."""

from dataclasses import replace
from typing import Any, Final

from ulak.admin import lookup
from ulak.base.db import Database
from ulak.rules import ids, money, network, segments, sender
from ulak.rules.refusal import Code, Refused
from ulak.store import audit_log, carriers, notices, senders, services

NAME_LENGTH_MAX: Final = 100
WINDOW_MAX: Final = 10_000
VALIDITY_MINUTES_MAX: Final = 7 * 24 * 60
REFUNDABLE: Final = frozenset({"not_sent", "no_signal"})


def _name(text: str) -> str:
    if not text.strip() or len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise Refused(
            Code.INVALID_VALUE, f"A name has 1 to {NAME_LENGTH_MAX} printable characters, not only spaces."
        )
    return text


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Refused(Code.INVALID_VALUE, f"The {what} must be {least} to {most}.")


# carriers


async def create_carrier(db: Database, actor: str, name: str, **settings: Any) -> carriers.Carrier:
    """A new carrier with these `carriers.Settings`; its link is made within a second or two."""
    its = carriers.Settings(**_given(settings))
    _check_carrier(its)
    async with db.transaction() as tx:
        carrier = await carriers.add(tx, _name(name), its)
        if carrier is None:
            raise Refused(Code.ALREADY_EXISTS, f"There is a carrier {name!r} already.")
        await audit_log.add(
            tx, actor, "carrier.create", name, host=its.host, port=its.port, system_id=its.system_id
        )
        await notices.directory_changed(tx)
    return carrier


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def _check_carrier(its: carriers.Settings) -> None:
    if not its.host.strip():
        raise Refused(Code.INVALID_VALUE, "The host must not be empty.")
    for what, text, most in (("system id", its.system_id, 15), ("password", its.password, 8)):
        if not text.isascii() or len(text) > most:
            raise Refused(Code.INVALID_VALUE, f"SMPP allows a {what} of at most {most} ASCII characters.")
    _within("port", its.port, 1, 65535)
    _within("window", its.window_max, 1, WINDOW_MAX)
    _within("throughput", its.throughput, 0, 1_000_000)
    network.parse_source(its.network_from)
    _within("reserve", its.reserve, 0, segments.RESERVE_MAX)


async def set_carrier(db: Database, actor: str, name: str, **changes: Any) -> carriers.Carrier:
    """Change those of the `carriers.Settings` that are given and not None."""
    changed = _given(changes)
    async with db.transaction() as tx:
        before = await carriers.lock(tx, (await lookup.carrier(tx, name)).id)
        after = replace(before, **changed)
        _check_carrier(after)
        await carriers.update(tx, after)
        shown = {key: value for key, value in changed.items() if key != "password"}
        await audit_log.add(tx, actor, "carrier.set", before.name, changed=shown, fields=sorted(changed))
        await notices.directory_changed(tx)
    return after


async def list_carriers(db: Database) -> list[carriers.Carrier]:
    """Every carrier."""
    async with db.reading() as tx:
        return await carriers.all(tx)


async def style(db: Database, *, carrier: str | None, service: str | None) -> segments.Style:
    """How a carrier wants its texts, or the first carrier of a service."""
    if carrier is not None and service is not None:
        raise Refused(Code.INVALID_VALUE, "Name a carrier or a service, not both.")
    async with db.reading() as tx:
        if carrier is not None:
            return (await lookup.carrier(tx, carrier)).style
        assert service is not None
        its = await lookup.service(tx, service)
        return next(one.style for one in await carriers.all(tx) if one.id == its.carrier_id)


# services


async def create_service(
    db: Database,
    actor: str,
    name: str,
    *,
    installation_currency: str,
    currency: str,
    price: int,
    carrier: str,
    billing: services.Billing = "message",
    refund_on: frozenset[str] = REFUNDABLE,
    unsure: services.Unsure = "resend",
    sender_header: str | None = None,
    validity_minutes: int = 1440,
    foreign_numbers: bool = False,
) -> services.Service:
    """A new active service."""
    if currency != installation_currency:
        raise Refused(
            Code.INVALID_VALUE,
            f"This installation counts in {installation_currency} (ULAK_CURRENCY), not in {currency}.",
        )
    _check_service(price, refund_on, validity_minutes)
    async with db.transaction() as tx:
        service = await services.add(
            tx,
            ids.new_id(),
            _name(name),
            currency=currency,
            price=price,
            billing=billing,
            refund_on=refund_on,
            unsure=unsure,
            sender=sender.parse_header(sender_header) if sender_header else None,
            validity_minutes=validity_minutes,
            foreign_numbers=foreign_numbers,
            carrier_id=(await lookup.carrier(tx, carrier)).id,
        )
        if service is None:
            raise Refused(Code.ALREADY_EXISTS, f"There is a service {name!r} already.")
        await audit_log.add(tx, actor, "service.create", name, price=money.fixed(price), carrier=carrier)
        await notices.directory_changed(tx)
    return service


def _check_service(price: int, refund_on: frozenset[str], validity_minutes: int) -> None:
    if price < 0:
        raise Refused(Code.INVALID_VALUE, "A price is not below 0.")
    if not refund_on <= REFUNDABLE:
        raise Refused(Code.INVALID_VALUE, "What can be refunded is not_sent and no_signal, or none.")
    _within("validity", validity_minutes, 1, VALIDITY_MINUTES_MAX)


async def set_service(
    db: Database, actor: str, name: str, *, carrier: str | None = None, **changes: Any
) -> services.Service:
    """Change what is not None of price, billing, refund_on, unsure, sender, validity_minutes, foreign_numbers,
    state and the carrier. An empty sender takes the header away. What was accepted before keeps its terms."""
    changed = _given(changes)
    if "sender" in changed:
        changed["sender"] = sender.parse_header(changed["sender"]) if changed["sender"] else None
    async with db.transaction() as tx:
        before = await services.lock(tx, (await lookup.service(tx, name)).id)
        if carrier is not None:
            changed["carrier_id"] = (await lookup.carrier(tx, carrier)).id
        after = replace(before, **changed)
        _check_service(after.price, after.refund_on, after.validity_minutes)
        await services.update(tx, after)
        shown = {
            key: sorted(value) if isinstance(value, frozenset) else value for key, value in changed.items()
        }
        await audit_log.add(tx, actor, "service.set", before.name, changed=shown)
        await notices.directory_changed(tx)
    return after


async def list_services(db: Database) -> list[tuple[services.Service, str]]:
    """Every service with the name of its carrier."""
    async with db.reading() as tx:
        names = {carrier.id: carrier.name for carrier in await carriers.all(tx)}
        return [(service, names[service.carrier_id]) for service in await services.all(tx)]


# sender headers


async def set_sender(
    db: Database, actor: str, header: str, *, service: str, username: str | None, org: str | None
) -> senders.Sender:
    """A customer's own sender header with a service, over the service's default."""
    if (username is None) == (org is None):
        raise Refused(Code.INVALID_VALUE, "Say whose header it is: --org or --user, not both.")
    parsed = sender.parse_header(header)
    async with db.transaction() as tx:
        whose = await lookup.customer(tx, username, org)
        its = await lookup.service(tx, service)
        tenant_id, _ = whose.account
        row = senders.Sender(
            its.id, tenant_id if org is not None else None, tenant_id if org is None else None, parsed
        )
        await senders.set(tx, row)
        await audit_log.add(tx, actor, "sender.set", str(whose), service=its.name, header=parsed)
        await notices.directory_changed(tx)
    return row

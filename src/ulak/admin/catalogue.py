"""What is for sale: services, over which carriers each goes, and customers' sender headers with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ulak.admin import lookup
from ulak.admin.terms import difference, given, within
from ulak.admin.terms import name as checked_name
from ulak.base.db import Database, Tx
from ulak.rules import ids, money, route, sender
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, carriers, notices, organizations, routes, senders, services, users

VALIDITY_MINUTES_MAX: Final = 7 * 24 * 60
FALLBACK_SECONDS_MAX: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Offer:
    """A service and its route, as operators write it: the first carrier first."""

    service: services.Service
    route: list[route.Written]


# services


async def create_service(
    db: Database,
    actor: Actor,
    name: str,
    *,
    installation_currency: str,
    currency: str,
    route: Sequence[str],
    **settings: Any,
) -> Offer:
    """A new active service with these `services.Settings`; `route` as `rules.route.parse` reads it."""
    if currency != installation_currency:
        raise Refused(
            Code.INVALID_VALUE,
            said(
                "This installation counts in {installation} (ULAK_CURRENCY), not in {currency}.",
                installation=installation_currency,
                currency=currency,
            ),
        )
    its = services.Settings(**_parsed(given(settings)))
    _check(its)
    async with db.transaction() as tx:
        hops = await _hops(tx, route)
        service = await services.add(tx, ids.new_id(), checked_name(name), currency, its)
        if service is None:
            raise Refused(Code.ALREADY_EXISTS, said("There is a service {name!r} already.", name=name))
        await routes.set(tx, service.id, hops)
        await audit_log.add(
            tx, actor, "service.create", name, price=money.fixed(its.price), route=list(route)
        )
        await notices.directory_changed(tx)
        return await _offer(tx, service)


def _parsed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the sender header in its one form; an empty one is none."""
    if "sender" in settings:
        settings["sender"] = sender.parse_header(settings["sender"]) if settings["sender"] else None
    return settings


def _check(its: services.Settings) -> None:
    if its.price < 0:
        raise Refused(Code.INVALID_VALUE, "A price is not below 0.")
    if not its.refund_on <= services.REFUNDABLE:
        raise Refused(Code.INVALID_VALUE, "What can be refunded is not_sent and no_signal, or none.")
    within(said("validity"), its.validity_minutes, 1, VALIDITY_MINUTES_MAX)
    within(said("time until the next carrier is tried"), its.fallback_seconds, 1, FALLBACK_SECONDS_MAX)


async def _hops(tx: Tx, written: Sequence[str]) -> list[route.Hop]:
    """A route as it is kept, from how it is written."""
    if not written:
        raise Refused(Code.INVALID_VALUE, "A service goes over at least one carrier.")
    within(said("number of carriers in a route"), len(written), 1, route.HOPS_MAX)
    return [await _hop(tx, text) for text in written]


async def _hop(tx: Tx, text: str) -> route.Hop:
    for hop in route.parse(text):
        carrier = await carriers.by_name(tx, hop.name)
        if carrier is not None:
            within(said("weight of a carrier"), hop.weight, 0, route.WEIGHT_MAX)
            return route.Hop(carrier.id, hop.prefixes, hop.weight)
    carrier = await lookup.carrier(tx, hop.name)  # says that there is none
    return route.Hop(carrier.id)


async def _offer(tx: Tx, service: services.Service) -> Offer:
    [offer] = await _offers(tx, [service])
    return offer


async def _offers(tx: Tx, found: Sequence[services.Service]) -> list[Offer]:
    every_route = await routes.all(tx)
    names = {carrier.id: carrier.name for carrier in await carriers.all(tx)}
    return [
        Offer(
            service,
            [
                route.Written(names[hop.carrier_id], hop.prefixes, hop.weight)
                for hop in every_route[service.id]
            ],
        )
        for service in found
    ]


async def set_service(
    db: Database, actor: Actor, name: str, *, route: Sequence[str] | None = None, **changes: Any
) -> Offer:
    """Change what is given and not None: the route, whole, and any of `services.Settings`.

    An empty sender takes the header away. What was accepted before keeps its terms.
    """
    changed = _parsed(given(changes))
    async with db.transaction() as tx:
        before = await services.lock(tx, (await lookup.service(tx, name)).id)
        after = replace(before, **changed)
        _check(after)
        await services.update(tx, after)
        was, is_ = _told(before, changed), _told(after, changed)
        if route:
            was["route"] = [str(hop) for hop in (await _offer(tx, before)).route]
            await routes.set(tx, before.id, await _hops(tx, route))
        offer = await _offer(tx, after)
        if route:
            is_["route"] = [str(hop) for hop in offer.route]
        await audit_log.add(tx, actor, "service.set", before.name, **difference(was, is_))
        await notices.directory_changed(tx)
        return offer


def _told(its: services.Settings, names: Iterable[str]) -> dict[str, Any]:
    """Some of the settings for the audit log, as people read them."""
    told = {name: getattr(its, name) for name in names}
    if "price" in told:
        told["price"] = money.fixed(told["price"])
    if "refund_on" in told:
        told["refund_on"] = sorted(told["refund_on"])
    return told


async def list_services(db: Database) -> list[Offer]:
    """Every service with its route."""
    async with db.reading() as tx:
        return await _offers(tx, await services.all(tx))


# sender headers of customers


@dataclass(frozen=True, slots=True)
class Header:
    """A customer's header with a service, in words, and the carriers of the service that do not know it."""

    header: str
    service: str
    organization: str | None
    username: str | None
    waits_for: list[str]


async def set_sender(
    db: Database, actor: Actor, header: str, *, service: str, username: str | None, org: str | None
) -> Header:
    """A customer's own sender header with a service, over the service's default."""
    parsed = sender.parse_header(header)
    async with db.transaction() as tx:
        row, whose = await _sender(tx, parsed, service, username, org)
        was = await senders.lock(tx, row.service_id, row.organization_id, row.user_id)
        await senders.set(tx, row)
        told = difference({"header": was} if was else {}, {"header": parsed})
        await audit_log.add(tx, actor, "sender.set", whose, service=service, header=parsed, **told)
        await notices.directory_changed(tx)
        [found] = await _headers(tx, [row])
    return found


async def remove_sender(
    db: Database, actor: Actor, *, service: str, username: str | None, org: str | None
) -> str:
    """Take a customer's own header with a service away; returns what it was."""
    async with db.transaction() as tx:
        row, whose = await _sender(tx, "", service, username, org)
        header = await senders.remove(tx, row.service_id, row.organization_id, row.user_id)
        if header is None:
            raise Refused(
                Code.NOT_KNOWN,
                said("{whose} has no header of their own with {service}.", whose=whose, service=service),
            )
        await audit_log.add(tx, actor, "sender.remove", whose, service=service, header=header)
        await notices.directory_changed(tx)
    return header


async def _sender(
    tx: Tx, header: str, service: str, username: str | None, org: str | None
) -> tuple[senders.Sender, str]:
    """The row of whoever is named, and how people call them."""
    if (username is None) == (org is None):
        raise Refused(Code.INVALID_VALUE, "Say whose header it is: --org or --user, not both.")
    whose = await lookup.customer(tx, username, org)
    tenant_id, _ = whose.account
    organization_id, user_id = (tenant_id, None) if org is not None else (None, tenant_id)
    row = senders.Sender((await lookup.service(tx, service)).id, organization_id, user_id, header)
    return row, str(whose)


async def list_senders(db: Database) -> list[Header]:
    """Every customer's header, and which carriers do not know it yet."""
    async with db.reading() as tx:
        return await _headers(tx, await senders.all(tx))


async def senders_of(db: Database, service: str, *, limit: int, offset: int = 0) -> tuple[list[Header], int]:
    """Some of the customers' headers with a service, and how many there are."""
    async with db.reading() as tx:
        rows, total = await senders.page(tx, (await lookup.service(tx, service)).id, limit, offset)
        return await _headers(tx, rows), total


async def _headers(tx: Tx, rows: Sequence[senders.Sender]) -> list[Header]:
    offers = {offer.service.id: offer for offer in await _offers(tx, await services.all(tx))}
    approved = await senders.approved(tx)
    asking = {one.name: one.id for one in await carriers.all(tx) if one.headers == "approved"}
    org_names = await organizations.names(tx, [row.organization_id for row in rows if row.organization_id])
    usernames = await users.names(tx, [row.user_id for row in rows if row.user_id])
    return [
        Header(
            row.header,
            offers[row.service_id].service.name,
            org_names[row.organization_id] if row.organization_id else None,
            usernames[row.user_id] if row.user_id else None,
            [
                name
                for name in dict.fromkeys(hop.name for hop in offers[row.service_id].route)
                if name in asking and row.header not in approved.get(asking[name], frozenset())
            ],
        )
        for row in rows
    ]

"""Prices: rules, and how a customer's price comes about."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from ulak.admin import lookup
from ulak.admin.terms import difference, given
from ulak.base.db import Database, Tx
from ulak.rules import ids, money, price
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, notices, organizations, prices, services, users, volumes

VOLUME_MAX: Final = 10**12


class Listed(NamedTuple):
    """A rule with the names of what it is about."""

    rule: prices.PriceRule
    service: str
    organization: str | None
    username: str | None


async def add(
    db: Database,
    actor: Actor,
    *,
    service: str,
    username: str | None = None,
    org: str | None = None,
    kind: prices.Kind,
    value: int,
    from_volume: int | None = None,
    starts: datetime | None = None,
    ends: datetime | None = None,
) -> prices.PriceRule:
    """A new rule, after those that are there; for everyone, an organization or a user."""
    if username is not None and org is not None:
        raise Refused(Code.INVALID_VALUE, "A rule is for everyone, an organization or a user, not for both.")
    if kind == "fixed" and value < 0:
        raise Refused(Code.INVALID_VALUE, "A fixed price is not below 0.")
    if starts and ends and _kept(starts) >= _kept(ends):
        raise Refused(Code.INVALID_VALUE, "A rule starts before it ends, by a millisecond at least.")
    if from_volume is not None and not 0 <= from_volume <= VOLUME_MAX:
        raise Refused(Code.INVALID_VALUE, said("A volume is 0 to {most}.", most=VOLUME_MAX))
    async with db.transaction() as tx:
        rule = await prices.add(
            tx,
            ids.new_id(),
            (await lookup.service(tx, service)).id,
            organization_id=(await lookup.organization(tx, org)).id if org is not None else None,
            user_id=(await lookup.user(tx, username)).id if username is not None else None,
            kind=kind,
            value=value,
            from_volume=from_volume,
            starts=starts,
            ends=ends,
        )
        told = difference({}, await _told(tx, rule))
        await audit_log.add(tx, actor, "price.add", service, id=str(rule.id), **told)
        await notices.directory_changed(tx)
    return rule


async def _told(tx: Tx, rule: prices.PriceRule) -> dict[str, Any]:
    """A rule for the audit log, as people read it; without what it does not have."""
    names = {service.id: service.name for service in await services.all(tx)}
    names |= await organizations.names(tx, [rule.organization_id] if rule.organization_id else [])
    names |= await users.names(tx, [rule.user_id] if rule.user_id else [])
    told = {
        "service": names.get(rule.service_id),
        "organization": names.get(rule.organization_id) if rule.organization_id else None,
        "user": names.get(rule.user_id) if rule.user_id else None,
        "kind": rule.kind,
        "value": f"{money.short(rule.value)} %" if rule.kind == "percent" else money.fixed(rule.value),
        "from_volume": rule.from_volume,
        "starts": rule.starts,
        "ends": rule.ends,
    }
    return given(told)


def _kept(at: datetime) -> int:
    """The millisecond in which a time is kept."""
    return round(at.timestamp() * 1000)


async def remove(db: Database, actor: Actor, rule_id: UUID) -> prices.PriceRule:
    """Take a rule away; the audit log remembers it."""
    async with db.transaction() as tx:
        rule = await prices.remove(tx, rule_id)
        if rule is None:
            raise Refused(
                Code.NOT_KNOWN,
                said("There is no rule {rule_id}; `ulak price list` shows which there are.", rule_id=rule_id),
            )
        told = difference(await _told(tx, rule), {})
        await audit_log.add(tx, actor, "price.remove", str(rule_id), **told)
        await notices.directory_changed(tx)
    return rule


async def list_all(db: Database) -> list[Listed]:
    """Every rule, in the order of creation."""
    async with db.reading() as tx:
        service_names = {service.id: service.name for service in await services.all(tx)}
        org_names = {organization.id: organization.name for organization in await organizations.all(tx)}
        user_names = {user.id: user.username for user in await users.all(tx)}
        return [
            Listed(
                rule,
                service_names[rule.service_id],
                org_names[rule.organization_id] if rule.organization_id else None,
                user_names[rule.user_id] if rule.user_id else None,
            )
            for rule in await prices.all(tx)
        ]


async def of_service(db: Database, service: str, *, limit: int, offset: int = 0) -> tuple[list[Listed], int]:
    """Some of a service's rules, everyone's first, and how many it has."""
    async with db.reading() as tx:
        its = await lookup.service(tx, service)
        rules, total = await prices.page(tx, its.id, limit, offset)
        org_names = await organizations.names(
            tx, [rule.organization_id for rule in rules if rule.organization_id]
        )
        usernames = await users.names(tx, [rule.user_id for rule in rules if rule.user_id])
    return [
        Listed(
            rule,
            its.name,
            org_names[rule.organization_id] if rule.organization_id else None,
            usernames[rule.user_id] if rule.user_id else None,
        )
        for rule in rules
    ], total


class Explained(NamedTuple):
    """How a price comes about, and after how many messages this month."""

    explanation: price.Explanation
    volume: int


async def explain(db: Database, *, service: str, username: str | None, org: str | None) -> Explained:
    """The price of a service now: for a user, a member, an organization, or anybody."""
    now = datetime.now(UTC)
    async with db.reading() as tx:
        its = await lookup.service(tx, service)
        if username is None and org is None:
            whose = lookup.Customer(None, None)
            volume = 0
        else:
            whose = await lookup.customer(tx, username, org)
            volume = await volumes.accepted(tx, whose.account[0], its.id, volumes.month_of(now))
        rules = [
            rule.rule
            for rule in await prices.all(tx)
            if rule.service_id == its.id
            and rule.organization_id in (None, whose.organization and whose.organization.id)
            and rule.user_id in (None, whose.user and whose.user.id)
        ]
    return Explained(price.explain(its.price, rules, volume, now), volume)

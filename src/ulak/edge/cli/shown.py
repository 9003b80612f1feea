"""How things look in a command's answer: the same names and forms as in the API."""

from datetime import datetime
from typing import Any

from ulak.admin.accounts import NewKey
from ulak.admin.carriers import Standing
from ulak.admin.catalogue import Header, Offer
from ulak.admin.find import Message
from ulak.admin.groups import Member, Membership
from ulak.admin.history import History
from ulak.admin.operators import NewOperator
from ulak.admin.pricing import Explained, Listed
from ulak.rules import moment, money, phone
from ulak.store.carriers import Carrier
from ulak.store.keys import ApiKey
from ulak.store.operators import Operator
from ulak.store.organizations import Organization
from ulak.store.prices import PriceRule
from ulak.store.users import User

Shown = dict[str, Any]

SIGN_IN = "/operator"
"""Where operators sign in."""


def time(at: datetime | None) -> str | None:
    """As in the API, where there is one."""
    return moment.written(at) if at else None


def user(row: User) -> Shown:
    """A user."""
    return {
        "id": str(row.id),
        "username": row.username,
        "email": row.email,
        "createdAt": time(row.created_at),
    }


def user_line(row: User) -> Shown:
    """A user in a list."""
    return {**user(row), "state": row.state}


def operator(row: Operator) -> Shown:
    """An operator."""
    return {
        "id": str(row.id),
        "username": row.username,
        "role": row.role,
        "state": row.state,
        "createdAt": time(row.created_at),
    }


def new_operator(row: NewOperator) -> Shown:
    """An operator and how they sign in; the password where it was made here, this once."""
    its = row.operator
    return {
        "id": str(its.id),
        "username": its.username,
        "role": its.role,
        "password": row.password,
        "signIn": SIGN_IN,
    }


def key(row: ApiKey) -> Shown:
    """An API key without its secret."""
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": row.prefix,
        "scopes": sorted(row.scopes),
        "allowedIps": [str(network) for network in row.allowed_ips],
        "ratePerSecond": row.rate_per_second,
        "expiresAt": time(row.expires_at),
        "createdAt": time(row.created_at),
        "revokedAt": time(row.revoked_at),
        "lastUsedAt": time(row.last_used_at),
    }


def new_key(row: NewKey) -> Shown:
    """An API key with its secret, this once."""
    shown = key(row.key)
    return {"id": shown.pop("id"), "key": row.secret, **shown}


def organization(row: Organization) -> Shown:
    """An organization."""
    return {"id": str(row.id), "name": row.name, "state": row.state, "createdAt": time(row.created_at)}


def membership(row: Membership) -> Shown:
    """Who is a member of what."""
    return {
        "organization": organization(row.organization),
        "user": user(row.user),
        "permissions": sorted(row.permissions),
    }


def member(row: Member) -> Shown:
    """A member in the list of their organization's."""
    return {
        "username": row.user.username,
        "email": row.user.email,
        "state": row.user.state,
        "permissions": list(row.permissions),
        "memberCredit": money.fixed(row.balance),
        "since": time(row.since),
    }


def carrier(row: Carrier) -> Shown:
    """A carrier without its password."""
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host,
        "port": row.port,
        "systemId": row.system_id,
        "window": row.window_max,
        "throughput": row.throughput,
        "turkish": row.turkish,
        "reserve": row.reserve,
        "concatenation": row.concatenation,
        "packed": row.packed,
        "messageIds": row.message_ids,
        "ignoreZeros": row.ignore_zeros,
        "ignoreCase": row.ignore_case,
        "networkFrom": row.network_from,
        "systemType": row.system_type,
        "bind": row.bind,
        "connections": row.connections,
        "tls": row.tls,
        "tlsCa": bool(row.tls_ca),
        "inTheClear": row.in_the_clear,
        "statuses": row.statuses,
        "headers": row.headers,
        "state": row.state,
        "createdAt": time(row.created_at),
    }


def standing(row: Standing) -> Shown:
    """A carrier with how its connections stand."""
    return {**carrier(row.carrier), "link": link(row)}


def link(row: Standing) -> Shown:
    """How a carrier's connections stand."""
    return {
        "state": row.up,
        "alarm": row.alarm,
        "reason": row.reason,
        "since": time(row.since),
        "bound": row.bound,
        "connections": row.connections,
    }


def standing_line(row: Standing) -> Shown:
    """The same for people, without the settings that need a closer look."""
    its = row.carrier
    way = " (TLS)" if its.tls != "off" else " (in the clear)" if its.in_the_clear else ""
    return {
        "name": its.name,
        "link": f"ALARM: {row.up}" if row.alarm else row.up,
        "reason": row.reason,
        "since": time(row.since),
        "connections": f"{row.bound} of {row.connections}",
        "address": f"{its.host}:{its.port}{way}",
        "systemId": its.system_id,
        "window": its.window_max,
        "throughput": its.throughput or "no limit",
    }


def service(offer: Offer) -> Shown:
    """A service; `carrier` is the first of its route."""
    row = offer.service
    return {
        "id": str(row.id),
        "name": row.name,
        "type": row.type,
        "currency": row.currency,
        "price": money.fixed(row.price),
        "carrier": offer.route[0].name,
        "route": [str(hop) for hop in offer.route],
        "billing": row.billing,
        "refund": sorted(row.refund_on),
        "unsure": row.unsure,
        "sender": row.sender,
        "validityMinutes": row.validity_minutes,
        "fallbackSeconds": row.fallback_seconds,
        "foreign": row.foreign_numbers,
        "state": row.state,
        "createdAt": time(row.created_at),
    }


def sender(row: Header) -> Shown:
    """A customer's header."""
    return {
        "header": row.header,
        "service": row.service,
        "organization": row.organization,
        "user": row.username,
        "waitsFor": row.waits_for,
    }


def rule(row: PriceRule) -> Shown:
    """A price rule by itself."""
    return {
        "id": str(row.id),
        "scope": row.scope,
        "kind": row.kind,
        "value": ("-" if row.value < 0 else "") + money.short(abs(row.value)),
        "fromVolume": row.from_volume,
        "starts": time(row.starts),
        "ends": time(row.ends),
    }


def rule_line(row: Listed) -> Shown:
    """A price rule in a list."""
    shown = rule(row.rule)
    named = {"service": row.service, "organization": row.organization, "user": row.username}
    return {"id": shown.pop("id"), **named, **shown}


def explained(row: Explained, currency: str) -> Shown:
    """A price, step by step."""
    return {
        "price": money.fixed(row.explanation.price),
        "currency": currency,
        "volume": row.volume,
        "steps": [
            {
                "text": step.text,
                "ruleId": str(step.rule_id) if step.rule_id else None,
                "applied": step.applied,
                "before": _exact(step.before),
                "after": _exact(step.after),
            }
            for step in row.explanation.steps
        ],
    }


def history(row: History) -> Shown:
    """A message and what happened to it; `id` in an event is the carrier's own."""
    message = row.message
    return {
        "id": str(row.id),
        "sendingId": str(row.sending_id),
        "organization": row.organization,
        "user": row.username,
        "service": row.service,
        "sender": message.sender,
        "to": phone.shown(message.recipient),
        "text": message.text,
        "status": message.status.value,
        "network": message.network,
        "price": money.fixed(message.price),
        "refunded": message.refunded,
        "createdAt": time(message.created_at),
        "endedAt": time(message.ended_at),
        "events": [
            {
                "at": time(event.at),
                "event": event.event,
                "carrier": event.carrier,
                "part": event.part,
                "id": event.carrier_id,
                "status": None if event.status is None else f"0x{event.status:02X}",
                "detail": event.detail,
            }
            for event in row.events
        ],
    }


def _exact(micros: Any) -> str:
    """An exact amount of micro-units, rounded for reading to twelve decimals of the currency."""
    scaled = round(micros * 10**6)
    whole, rest = divmod(abs(scaled), 10**12)
    return f"{'-' if scaled < 0 else ''}{whole}.{rest:012d}".rstrip("0").rstrip(".")


def balance(micros: int, currency: str) -> Shown:
    """What a credit holds."""
    return {"balance": money.fixed(micros), "currency": currency}


def found(row: Message) -> Shown:
    """A message that was looked for by its number."""
    return {
        "id": str(row.id),
        "sendingId": str(row.sending_id),
        "organization": row.organization,
        "user": row.username,
        "sender": row.sender,
        "text": row.text,
        "status": row.status.value,
        "network": row.network,
        "carrier": row.carrier,
        "createdAt": time(row.created_at),
        "endedAt": time(row.ended_at),
    }


def found_line(row: Message) -> Shown:
    """The same for people."""
    whose = f"{row.username} in {row.organization}" if row.organization else row.username
    its = {"createdAt": time(row.created_at), "status": row.status.value, "of": whose, "id": str(row.id)}
    return {**its, "text": row.text}

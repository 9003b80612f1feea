"""How things look in a command's answer: the same names and forms as in the API."""

from datetime import datetime
from typing import Any

from ulak.admin.accounts import NewKey
from ulak.admin.pricing import Explained, Listed
from ulak.rules import money
from ulak.store.carriers import Carrier
from ulak.store.keys import ApiKey
from ulak.store.organizations import Organization
from ulak.store.prices import PriceRule
from ulak.store.services import Service
from ulak.store.users import User

Shown = dict[str, Any]


def time(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and Z."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z" if at else None


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


def key(row: ApiKey) -> Shown:
    """An API key without its secret."""
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": row.prefix,
        "allowedIps": [str(network) for network in row.allowed_ips],
        "createdAt": time(row.created_at),
        "revokedAt": time(row.revoked_at),
    }


def new_key(row: NewKey) -> Shown:
    """An API key with its secret, this once."""
    shown = key(row.key)
    return {"id": shown.pop("id"), "key": row.secret, **shown}


def organization(row: Organization) -> Shown:
    """An organization."""
    return {"id": str(row.id), "name": row.name, "state": row.state, "createdAt": time(row.created_at)}


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
        "state": row.state,
        "createdAt": time(row.created_at),
    }


def service(row: Service, carrier_name: str) -> Shown:
    """A service."""
    return {
        "id": str(row.id),
        "name": row.name,
        "type": row.type,
        "currency": row.currency,
        "price": money.fixed(row.price),
        "carrier": carrier_name,
        "billing": row.billing,
        "refund": sorted(row.refund_on),
        "unsure": row.unsure,
        "sender": row.sender,
        "validityMinutes": row.validity_minutes,
        "foreign": row.foreign_numbers,
        "state": row.state,
        "createdAt": time(row.created_at),
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


def _exact(micros: Any) -> str:
    """An exact amount of micro-units, rounded for reading to twelve decimals of the currency."""
    scaled = round(micros * 10**6)
    whole, rest = divmod(abs(scaled), 10**12)
    return f"{'-' if scaled < 0 else ''}{whole}.{rest:012d}".rstrip("0").rstrip(".")


def balance(micros: int, currency: str) -> Shown:
    """What a credit holds."""
    return {"balance": money.fixed(micros), "currency": currency}

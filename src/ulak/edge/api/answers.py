"""Answers: what the contract promises, field by field and in its order."""

from typing import Any

import msgspec

from ulak.edge.queries import Page
from ulak.rules import ids, moment, money, phone
from ulak.store.message_pages import Message
from ulak.store.organizations import Member
from ulak.store.sendings import Sending
from ulak.store.users import User

encode = msgspec.json.Encoder().encode


def success(data: Any) -> bytes:
    """The envelope of an answer."""
    return encode({"success": True, "data": data})


def me(user: User) -> bytes:
    """`GET /users/me`."""
    return success(
        {
            "id": user.id,
            "username": user.username,
            "email": user.email,
            "createdAt": moment.written(user.created_at),
        }
    )


def organizations(members: list[Member], credit: dict[Any, int]) -> bytes:
    """`GET /users/me/organizations`."""
    return success(
        [
            {
                "id": member.organization.id,
                "name": member.organization.name,
                "state": member.organization.state == "active",
                "memberCredit": money.fixed(credit.get(member.organization.id, 0)),
                "permissions": sorted(member.permissions),
            }
            for member in members
        ]
    )


def paged(items: list[dict[str, Any]], total: int, page: Page) -> bytes:
    """One page of a list."""
    return success(
        {
            "items": items,
            "total": total,
            "page": msgspec.Raw(str(page.page).encode()),  # as asked for, however large
            "limit": page.limit,
            "totalPages": page.pages(total),
        }
    )


def sending(row: Sending) -> dict[str, Any]:
    """An item of `GET /sms-sendings`."""
    return {
        "id": row.id,
        "completed": row.completed_at is not None,
        "sampleMessageText": row.text,
        "createdAt": moment.written(row.created_at),
        "stats": {
            "validSize": row.n_valid,
            "invalidSize": row.n_invalid,
            "nOfPending": row.n_pending,
            "nOfWaiting": row.n_waiting,
            "nOfCompleted": row.n_sent,
            "nOfFailed": row.n_failed,
            "nOfRefunded": row.n_refunded,
            "totalCost": money.short(row.total_cost),
            "totalRefunded": money.short(row.total_refunded),
        },
    }


def message(row: Message, of: Sending) -> dict[str, Any]:
    """An item of `GET /sms-sendings/{id}`."""
    return {
        "id": ids.message_id(of.id, row.position),
        "to": phone.shown(row.recipient),
        "message": row.text,
        "status": row.status,
        "network": row.network or "unknown",
        "refunded": row.refunded,
        "createdAt": moment.written(of.created_at),
    }

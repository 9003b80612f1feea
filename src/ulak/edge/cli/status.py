"""The commands that look at the whole installation: how it does (`status`), and who did what (`audit-log`)."""

from datetime import datetime
from typing import Annotated

import typer

from ulak.admin import pulse, trail
from ulak.admin.pulse import Activity, Health, Waiting
from ulak.base.db import Database
from ulak.edge.cli import shown
from ulak.edge.cli.session import Json, answer, with_database
from ulak.store.audit_log import Line


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(status)
    app.command("audit-log")(show_audit_log)


def status(json_: Json = False) -> None:
    """Show how the installation does: its health, and what each carrier does at the moment.

    Example: ulak status
    """

    async def work(db: Database) -> tuple[Health, list[Activity]]:
        return await pulse.health(db), await pulse.carrier_activity(db)

    health, carriers = with_database(work)
    if json_:
        answer({**_health(health), "carriers": [_activity(one) for one in carriers]}, json_)
        return
    answer(None, json_, "\n".join(f"{name:<12} {value}" for name, value in _health_lines(health)))
    if carriers:
        answer([_activity_line(one, health.at) for one in carriers], json_)


def show_audit_log(
    actor: Annotated[str | None, typer.Option(help="Only what they did: cli:root, operator:ayse.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this, or what begins with it: credit.topup, credit.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what was done to this, as it stands there.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=trail.LIMIT_MAX, help="At most so many lines.")] = 50,
    json_: Json = False,
) -> None:
    """Show who did what on purpose, newest first.

    Example: ulak audit-log --action credit --limit 20
    """
    page = with_database(lambda db: trail.page(db, actor=actor, action=action, subject=subject, limit=limit))
    answer([_audit_line(line) if json_ else _audit_text(line) for line in page.lines], json_)


def _audit_line(row: Line) -> shown.Shown:
    """A line of the audit log."""
    return {
        "id": row.id,
        "at": shown.time(row.at),
        "actor": row.actor,
        "address": row.address,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }


def _audit_text(row: Line) -> shown.Shown:
    """The same for people."""
    detail = [f"{name}: {value}" for name, value in row.detail.items()]
    line = _audit_line(row) | {"detail": detail}
    del line["id"]
    return line


def _waiting(row: Waiting | None) -> shown.Shown:
    """What waits in the queue; `about`: estimated."""
    if row is None:
        return {"messages": None, "about": None, "since": None}
    return {"messages": row.messages, "about": row.about, "since": shown.time(row.since)}


def _health(row: Health) -> shown.Shown:
    """Whether all is well."""
    server = row.server
    return {
        "well": row.well,
        "trouble": row.trouble,
        "migrationsPending": row.migrations_pending,
        "database": server
        and {
            "version": server.version,
            "bytes": server.bytes,
            "connections": server.connections,
            "connectionsMax": server.connections_max,
        },
        "waiting": _waiting(row.waiting),
        "carriersDown": row.carriers_down,
        "linkProcesses": row.link_processes,
        "linksSeenAt": shown.time(row.links_seen_at),
        "sweptAt": shown.time(row.swept_at),
        "unmatchedReceipts": row.unmatched,
        "passedOn": row.passed_on,
    }


def _health_lines(row: Health) -> list[tuple[str, str]]:
    """The same for people, as names and values."""
    if row.trouble:
        return [("database", f"ALARM: {row.trouble}")]
    lines = []
    if its := row.server:
        size = f"PostgreSQL {its.version}, {its.bytes / 1e6:,.0f} MB"
        lines.append(("database", f"{size}, {its.connections} of {its.connections_max} connections in use"))
    if row.migrations_pending:
        return [*lines, ("migrations", f"ALARM: pending: {', '.join(row.migrations_pending)}")]
    lines.append(("queue", _queue(row.waiting, row.at)))
    down = ", ".join(row.carriers_down)
    lines.append(("carriers", f"ALARM: {down}" if down else "nothing wrong"))
    lines.append(
        (
            "processes",
            f"{row.link_processes} with connections, heard of {shown.time(row.links_seen_at) or 'never'}",
        )
    )
    lines.append(
        ("courier", f"swept {shown.time(row.swept_at)}" if row.swept_at else "has not swept of late")
    )
    lines.append(("receipts", f"{row.unmatched:,} of the last hour belong to no message that is known"))
    if row.passed_on:
        passed_on = (
            f"ALARM: {row.passed_on:,} requests of the last hour came through a proxy that is not trusted"
        )
        lines.append(("proxy", f"{passed_on}: set ULAK_TRUSTED_PROXIES, its address is in the log"))
    return lines


def _queue(row: Waiting | None, at: datetime) -> str:
    if row is None or not row.messages:
        return "empty"
    seconds = row.seconds(at)
    since = "" if seconds is None else f", the oldest for {seconds:,.0f} s"
    return f"{'about ' if row.about else ''}{row.messages:,} messages{since}"


def _activity(row: Activity) -> shown.Shown:
    """A carrier and what happens at it; counts are of the last hour, rates and times of the last minutes."""
    return {
        "name": row.standing.carrier.name,
        "link": shown.link(row.standing),
        "connections": [
            {
                "number": one.number,
                "process": str(one.process),
                "state": one.state,
                "reason": one.reason,
                "since": shown.time(one.since),
            }
            for one in row.links
        ],
        "throttledSince": shown.time(row.throttled_since),
        "messagesPerSecond": round(row.messages_per_second, 1),
        "submitsPerSecond": round(row.submits_per_second, 1),
        "answers": row.answers,
        "receipts": row.receipts,
        "receiptRate": row.receipt_rate and round(row.receipt_rate, 4),
        "unmatchedReceipts": row.unmatched,
        "ended": row.ended,
        "refunds": row.refunds,
        "unsure": row.unsure,
        "waitMs": row.wait_ms and round(row.wait_ms, 1),
        "answerMs": row.answer_ms and round(row.answer_ms, 1),
        "waiting": _waiting(row.waiting),
    }


def _activity_line(row: Activity, at: datetime) -> shown.Shown:
    """The same for people."""
    its = row.standing
    return {
        "name": its.carrier.name,
        "link": f"ALARM: {its.up}" if its.alarm else its.up,
        "connections": f"{its.bound} of {its.connections}",
        "queue": _queue(row.waiting, at),
        "messages/s": f"{row.messages_per_second:,.1f}",
        "answers": [f"{status} {n:,}" for status, n in sorted(row.answers.items())],
        "receipts": None if row.receipt_rate is None else f"{row.receipt_rate:.0%}",
        "wait": _ms(row.wait_ms),
        "answer": _ms(row.answer_ms),
        "throttledSince": shown.time(row.throttled_since),
        "reason": its.reason,
    }


def _ms(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds:,.1f} ms"

"""Lines in the audit log: one for every form of the panel that changes something, and for reading what others sent."""

import json
import re
from typing import Any
from uuid import UUID

import asyncpg
import pyotp
import pytest

from tests.edge.panel.conftest import Browser, Town
from ulak.admin import accounts, credit, second_factor
from ulak.edge.panel import account
from ulak.edge.panel.customer.pages import PAGES
from ulak.edge.panel.security import Door
from ulak.rules.actor import Actor
from ulak.rules.permission import Permission
from ulak.rules.scope import Scope

PASSWORD = "correct horse battery"

#: What customers do all day: it stands in their lists of sendings and drafts, not in the audit log.
SENDING = {"/send", "/send/{id}", "/send/{id}/discard"}


async def written(town: Town) -> list[asyncpg.Record]:
    async with town.db.reading() as tx:
        return await tx.fetch(
            "SELECT actor, address, action, subject, detail::text FROM audit_log ORDER BY id"
        )


async def pressed(town: Town, browser: Browser, path: str, form: dict[str, Any], who: str) -> str:
    """Send a form that has to be taken; returns the action of the one line that it leaves."""
    before = len(await written(town))
    answer = await browser.post(path, form)
    assert answer.status_code < 400, (path, answer.text[-600:])
    [line] = (await written(town))[before:]
    assert (line["actor"], line["address"]) == (who, "192.0.2.1"), path
    return str(line["action"])


async def test_every_form_of_a_customer_that_changes_something_leaves_one_line(town: Town) -> None:
    mark = await town.tenant("mark", "markmark")
    browser = await town.browser(mark.user)
    its = mark.org_ids
    at = f"/panel/org/{mark.org.id}/organization/members"
    one = f"{at}/{its['username']}"
    await town.user("ece")
    await credit.add(town.db, Actor("test"), 1_000_000, None, str(mark.org.id))
    forms = {
        "/keys": ("/panel/keys", {"name": "shop", "scope": Scope.SMS_SEND.value}),
        "/keys/{id}/rate": (f"/panel/keys/{mark.ids['keys']}/rate", {"rate": "5"}),
        "/keys/{id}/revoke": (f"/panel/keys/{mark.ids['keys']}/revoke", {}),
        "/organization/members": (at, {"username": "ece"}),
        "/organization/members/{username}/permissions": (
            f"{one}/permissions",
            {"permission": Permission.SMS_READ.value},
        ),
        "/organization/members/{username}/credit": (f"{one}/credit", {"amount": "1", "intent": "out"}),
        "/organization/members/{username}/remove": (f"{one}/remove", {}),
    }
    changing = {page.path for page in PAGES if page.method == "POST" and not page.computes}
    mine = {page.path for page in account.of("customer")}
    assert changing - SENDING - mine - {"/sign-in", "/sign-in/code"} == set(forms)

    for path, form in forms.values():
        await pressed(town, browser, path, form, "user:mark")


@pytest.mark.parametrize("door", ["customer", "operator"])
async def test_every_form_about_oneself_leaves_one_line(town: Town, door: Door) -> None:
    who, owner_id, browser = await somebody(town, door)
    root = "/panel/account" if door == "customer" else "/operator/account"
    _, other = await town.session(await owner(town, door))
    done = []

    async def press(path: str, **form: str) -> None:
        done.append(path)
        await pressed(town, browser, root + path.replace("/{id}", f"/{other.id}"), form, who)

    new = PASSWORD + "!"
    await press("/password", password=PASSWORD, new_password=new, new_password_again=new)
    _, other = await town.session(await owner(town, door))
    await press("/sessions/{id}/end")
    await press("/sessions/end-others")
    await press("/second-factor")
    begun = await second_factor.begin(town.db, Actor("test"), owner_id, "x")
    totp = pyotp.TOTP(begun.secret_base32)
    await press("/second-factor/confirm", code=totp.now())
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE second_factors SET last_step = last_step - 10")
    await press("/second-factor/remove", code=totp.now())
    forms = {page.path.removeprefix("/account") for page in account.of(door) if page.method == "POST"}
    assert set(done) == forms


async def owner(town: Town, door: Door) -> Any:
    async with town.db.reading() as tx:
        from ulak.store import operators, users

        return await (users if door == "customer" else operators).by_name(tx, "ayse")


async def somebody(town: Town, door: Door) -> tuple[str, UUID, Browser]:
    """ayse, by one of the doors: as the audit log has her, her id, and her browser."""
    if door == "customer":
        await accounts.create_user(town.db, Actor("test"), "ayse", "ayse@example.com", PASSWORD)
    else:
        from ulak.admin import operators

        await operators.create(town.db, Actor("test"), "ayse", PASSWORD, "operator")
    her = await owner(town, door)
    return f"{'user' if door == 'customer' else 'operator'}:ayse", her.id, await town.browser(her)


async def test_an_operator_who_reads_or_copies_what_a_customer_sent_leaves_a_line(town: Town) -> None:
    mark = await town.tenant("mark", "markmark")
    ayse = await town.operator("ayse")
    console, looking = await town.browser(ayse), await town.browser(ayse, looks_at=mark.user)
    sending, message = mark.ids["sendings"], mark.ids["messages"]
    before = len(await written(town))

    for browser, path in (
        (console, f"/operator/search/messages/{message}"),
        (console, f"/operator/search/sendings/{sending}"),
        (console, f"/operator/search?q={sending}"),
        (looking, f"/panel/sendings/{sending}/export.csv?text=markmark"),
        (looking, "/panel/sendings/export.xlsx?status=sent"),
    ):
        assert (await browser.get(path)).status_code == 200, path

    lines = (await written(town))[before:]
    assert {line["actor"] for line in lines} == {"operator:ayse"}
    assert [(line["action"], line["subject"], json.loads(line["detail"])) for line in lines] == [
        ("message.show", message, {"user": "mark"}),
        ("sending.show", sending, {"user": "mark"}),
        ("message.find", sending, {"found": 0}),
        ("message.export", "mark", {"sending": sending, "by_text": True}),
        ("message.export", "mark", {"status": "sent"}),
    ]
    own = await town.browser(mark.user)
    assert (await own.get("/panel/sendings/export.csv")).status_code == 200
    assert len(await written(town)) == before + len(lines), "what is one's own"
    assert not re.search("markmark", str([line["detail"] for line in lines]))

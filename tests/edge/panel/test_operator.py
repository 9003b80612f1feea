"""The operator's console: every page, every change with its line in the audit log, and every way not to be taken."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.admin import BY, ORG, SERVICE, USD, carrier, found, rows, value
from tests.edge.panel.browsing import ADDRESS, Browser, browsing, reason, said, text_of
from tests.pace import few_fast
from ulak.admin import accounts, carriers, catalogue, credit, groups, operators, pricing
from ulak.base.db import Database

PASSWORD: Final = "correct horse"
HOSTILE: Final = "\"><script>alert('x')</script> 😀 {{7*7}} %(name)s {name}"


async def _operator(db: Database, browser: Browser, role: Any = "operator") -> Browser:
    await operators.create(db, BY, "ayse", PASSWORD, role)
    assert (await browser.sign_in("/operator", "ayse", PASSWORD)).status_code == 303
    return browser


@pytest.fixture
async def ayse(db: Database) -> AsyncIterator[Browser]:
    """An operator's browser, in front of `found`."""
    await found(db)
    async with browsing(db) as browser:
        yield await _operator(db, browser)


@pytest.fixture
async def viewer(db: Database) -> AsyncIterator[Browser]:
    """The browser of somebody who may only look."""
    await found(db)
    async with browsing(db) as browser:
        yield await _operator(db, browser, "viewer")


async def last_line(db: Database) -> tuple[str, str, Any]:
    """(action, subject, detail) of what ayse did last; from where is looked at for every line."""
    [row] = await rows(db, "SELECT *, detail::text AS said FROM audit_log ORDER BY id DESC LIMIT 1")
    assert (row["actor"], row["address"]) == ("operator:ayse", ADDRESS)
    return row["action"], row["subject"], json.loads(row["said"])


async def lines(db: Database) -> int:
    return int(await value(db, "SELECT count(*) FROM audit_log"))


async def user(db: Database, name: str = "mark") -> str:
    id_ = await value(db, "SELECT id FROM users WHERE username = $1", name)
    return f"/operator/customers/users/{id_}"


async def org(db: Database) -> str:
    id_ = await value(db, "SELECT id FROM organizations WHERE name = $1", ORG)
    return f"/operator/customers/organizations/{id_}"


async def member(db: Database, name: str = "mark") -> str:
    return f"{await org(db)}/members/{(await user(db, name)).rpartition('/')[2]}"


async def service(db: Database) -> str:
    return f"/operator/services/{await value(db, 'SELECT id FROM services')}"


async def the_carrier(db: Database) -> str:
    return f"/operator/carriers/{await value(db, 'SELECT id FROM carriers')}"


async def every_page(db: Database) -> list[str]:
    root = "/operator"
    its = [root, f"{root}?over=24h", f"{root}/customers", f"{root}/customers?q=mark&page=0"]
    its += [f"{root}/customers/organizations", f"{root}/customers/users/new"]
    its += [f"{root}/customers/organizations/new", await user(db), await org(db), await member(db)]
    at = await service(db)
    its += [f"{root}/services", f"{root}/services/new", at, f"{at}/prices", f"{at}/explain", f"{at}/headers"]
    at = await the_carrier(db)
    its += [f"{root}/carriers", f"{root}/carriers/new", at, f"{at}/settings", f"{at}/headers"]
    return [*its, f"{root}/search", f"{root}/search?q=mark", f"{root}/audit", f"{root}/account"]


# --- pages


async def test_every_page_is_there_in_both_languages_and_holds_no_style_and_no_script_of_its_own(
    db: Database, ayse: Browser
) -> None:
    for language in ("en", "tr"):
        ayse.http.cookies.set("ulak_language", language)
        for path in await every_page(db):
            page = await ayse.get(path)

            assert page.status_code == 200, (path, page.text[-2000:])
            assert not re.search(
                r"\sstyle=|<style|<script(?! src=\"/panel/assets/)|\son[a-z]+=", page.text
            ), path
            ids = re.findall(r'\sid="([^"]+)"', page.text)
            assert len(ids) == len(set(ids)), (path, sorted(ids))


async def test_whoever_is_not_signed_in_sees_none_of_it(db: Database) -> None:
    await found(db)
    async with browsing(db) as nobody:
        for path in await every_page(db):
            page = await nobody.get(path)
            assert (page.status_code, page.headers["location"][:17]) == (303, "/operator/sign-in"), path


async def test_a_customer_does_not_come_in_by_the_operators_door(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com", PASSWORD)
    async with browsing(db) as browser:
        assert (await browser.sign_in("/operator", "mark", PASSWORD)).status_code == 401
        await browser.sign_in("/panel", "mark", PASSWORD)
        assert (await browser.get("/operator/customers")).status_code == 303


async def test_addresses_that_lead_nowhere(db: Database, ayse: Browser) -> None:
    nothing = "01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e"
    for path in (
        *("/customers/users/x", f"/customers/users/{nothing}", f"/customers/organizations/{nothing}"),
        *("/services/x", f"/services/{nothing}", f"/services/{nothing}/explain", "/carriers/x"),
        *("/carriers/99999999999999999999", "/carriers/0/live", f"/search/messages/{nothing}"),
        *(f"/search/sendings/{nothing}", "/nowhere"),
    ):
        assert (await ayse.get(f"/operator{path}")).status_code == 404, path
    path = f"{await org(db)}/members/{nothing}"
    assert (await ayse.get(path)).status_code == 404


@pytest.mark.parametrize(
    "word",
    few_fast(
        ["\0", "x" * 5000, "%", HOSTILE, "-1", "9" * 30, "1e9", "\ud800".encode("utf-8", "surrogatepass")], 3
    ),
)
async def test_any_question_gets_a_page(db: Database, ayse: Browser, word: str) -> None:
    at = await service(db)
    for path, names in (
        ("/operator/customers", ("q", "page")),
        ("/operator/customers/organizations", ("q", "page")),
        ("/operator/search", ("q",)),
        ("/operator/audit", ("actor", "action", "subject", "text", "before")),
        (f"{at}/explain", ("user", "org")),
        (f"{at}/prices", ("page", "user", "org")),
        (f"{at}/headers", ("page",)),
        (await user(db), ("older",)),
        ("/operator", ("over",)),
    ):
        for name in names:
            page = await ayse.http.get(path, params={name: word})
            assert page.status_code in (200, 404), (path, name)
            assert "<script>alert" not in page.text


# --- customers


async def test_users_are_found_by_a_piece_of_their_name_or_address_and_by_pages(
    db: Database, ayse: Browser
) -> None:
    for k in range(60):
        await accounts.create_user(db, BY, f"user{k:02}", f"u{k}@{'acme' if k % 2 else 'other'}.example")
    await credit.add(db, BY, 7 * USD, "user01", None)

    first = text_of(await ayse.get("/operator/customers"))
    assert "62 users" in first
    assert "Page 1 of 2" in first
    assert "user59" in text_of(await ayse.get("/operator/customers?page=1"))
    acme = text_of(await ayse.get("/operator/customers?q=ACME"))
    assert "30 users" in acme
    assert "7.00 USD" in acme
    assert "user02" not in acme
    assert "Nobody fits." in text_of(await ayse.get("/operator/customers?q=nobody"))


async def test_organizations_are_listed_with_their_pool_and_members(db: Database, ayse: Browser) -> None:
    await credit.add(db, BY, 5 * USD, None, ORG)
    page = text_of(await ayse.get("/operator/customers/organizations?q=main"))
    assert "1 organization" in page
    assert f"{ORG} active 2 5.00 USD" in page


async def test_a_user_is_made_with_a_password_that_is_shown_once(db: Database, ayse: Browser) -> None:
    form = {"username": "ece", "email": "ece@example.com", "way": "made"}
    page = await ayse.post("/operator/customers/users/new", **form)

    made = re.search(r'id="secret">([^<]+)<', page.text)
    assert made
    assert await last_line(db) == ("user.create", "ece", {"email": "ece@example.com"})
    assert made[1] not in (await ayse.get(await user(db, "ece"))).text
    async with browsing(db) as browser:
        assert (await browser.sign_in("/panel", "ece", made[1])).status_code == 303


async def test_a_user_is_made_with_a_typed_password_or_none(db: Database, ayse: Browser) -> None:
    new = "/operator/customers/users/new"
    form = {"username": "ece", "email": "ece@example.com", "way": "typed", "password": PASSWORD}
    assert await ayse.done(new, **form) == "The user ece is made."
    async with browsing(db) as browser:
        assert (await browser.sign_in("/panel", "ece", PASSWORD)).status_code == 303
    await ayse.done(new, username="eda", email="eda@example.com", way="none", password="ignored")
    assert "none: cannot sign in" in text_of(await ayse.get(await user(db, "eda")))


@pytest.mark.parametrize(
    "wrong",
    few_fast(
        [
            {"username": ""},
            {"username": HOSTILE},
            {"username": "x" * 200},
            {"username": "mark"},
            {"email": "nobody"},
            {"email": HOSTILE},
            {"way": "typed", "password": "short"},
            {"way": "other"},
            {"way": ""},
        ],
        6,
    ),
)
async def test_a_user_that_cannot_be_keeps_what_was_typed(
    db: Database, ayse: Browser, wrong: dict[str, str]
) -> None:
    form = {"username": "ece", "email": "ece@example.com", "way": "none"} | wrong
    before = await lines(db)

    page = await ayse.post("/operator/customers/users/new", **form)

    assert page.status_code in (400, 409)
    assert reason(page)
    assert "<script>alert" not in page.text
    if form["email"] == "ece@example.com":
        assert 'value="ece@example.com"' in page.text
    assert "short" not in page.text
    assert await lines(db) == before


async def test_a_user_is_shut_out_and_let_in(db: Database, ayse: Browser) -> None:
    at = await user(db)
    assert "shut out" in await ayse.done(f"{at}/state", state="disabled")
    changed = {"before": {"state": "active"}, "after": {"state": "disabled"}}
    assert await last_line(db) == ("user.set-state", "mark", changed)
    assert await ayse.done(f"{at}/state", state="active") == "mark is let in again."
    assert await ayse.refused(f"{at}/state", state="gone") == "Choose one of what there is."


async def test_a_rate_is_set_shown_and_taken_back(db: Database, ayse: Browser) -> None:
    at = await user(db)

    assert await ayse.done(f"{at}/rate", rate="50") == "The rate is set."
    assert await last_line(db) == ("user.set-rate", "mark", {"before": {"rate": None}, "after": {"rate": 50}})
    assert 'value="50"' in (await ayse.get(at)).text
    assert (await ayse.post(f"{at}/rate", rate="often")).status_code == 400
    await ayse.done(f"{at}/rate", rate="")
    assert await value(db, "SELECT rate_per_second FROM users WHERE username = 'mark'") is None


async def test_another_password_is_shown_once_and_ends_sessions(db: Database, ayse: Browser) -> None:
    await accounts.create_user(db, BY, "ece", "ece@example.com", PASSWORD)
    async with browsing(db) as browser:
        await browser.sign_in("/panel", "ece", PASSWORD)
        assert (await browser.get("/panel")).status_code == 200

        page = await ayse.post(f"{await user(db, 'ece')}/password")

        assert await last_line(db) == ("user.set-password", "ece", {})
        assert (await browser.get("/panel")).status_code == 303
        made = re.search(r'id="secret">([^<]+)<', page.text)
        assert made
        assert (await browser.sign_in("/panel", "ece", made[1])).status_code == 303


async def test_a_second_factor_is_reset(db: Database, ayse: Browser) -> None:
    at = await user(db)
    assert "The second factor is off" in await ayse.done(f"{at}/second-factor")
    assert await last_line(db) == ("second-factor.reset", "mark", {"was_on": False})


async def test_credit_is_topped_up_and_corrected_with_a_note(db: Database, ayse: Browser) -> None:
    at = await user(db)
    form = {"way": "topup", "amount": "120.5", "note": "Invoice 17 <b>paid</b> 😀"}
    assert await ayse.done(f"{at}/credit", **form) == "Done. The credit holds 120.50 USD now."
    action, subject, detail = await last_line(db)
    assert (action, subject, detail["note"]) == ("credit.topup", "mark", form["note"])
    assert detail["before"] == {"balance": "0.000000"}
    assert detail["after"] == {"balance": "120.500000"}

    await ayse.done(f"{at}/credit", way="correction", amount="0.5", note="typed twice")
    action, _, detail = await last_line(db)
    assert (action, detail["after"]) == ("credit.correction", {"balance": "120.000000"})
    page = await ayse.get(at)
    assert "typed twice" in text_of(page)
    assert "operator:ayse" in text_of(page)
    assert "<b>paid</b>" not in page.text


WRONG_CREDIT: Final = [
    ({"amount": ""}, "is not an amount"),
    ({"amount": "0"}, "above 0"),
    ({"amount": "-5"}, "is not an amount"),
    ({"amount": "1e3"}, "is not an amount"),
    ({"amount": "9" * 30}, "more than"),
    ({"amount": HOSTILE}, "is not an amount"),
    ({"note": ""}, "Say why"),
    ({"note": "x" * 501}, "at most 500"),
    ({"note": "two\nlines"}, "on one line"),
    ({"way": ""}, "Choose one"),
    ({"way": "correction", "amount": "1000"}, "less than"),
]


@pytest.mark.parametrize(("wrong", "why"), few_fast(WRONG_CREDIT, 4))
async def test_credit_that_cannot_be_moved(
    db: Database, ayse: Browser, wrong: dict[str, str], why: str
) -> None:
    form = {"way": "topup", "amount": "5", "note": "typed before"} | wrong
    before = await lines(db)
    for at in (await user(db), await org(db)):
        page = await ayse.post(f"{at}/credit", **form)

        assert why in reason(page)
        assert page.status_code < 500
        if form["note"] == "typed before":
            assert 'value="typed before"' in page.text
    assert await lines(db) == before


async def test_a_key_is_revoked(db: Database, ayse: Browser) -> None:
    made = await accounts.create_key(db, BY, "mark", HOSTILE)
    at = await user(db)
    page = await ayse.get(at)
    assert made.key.prefix in page.text
    assert "<script>alert" not in page.text

    assert "revoked" in await ayse.done(f"{at}/keys/{made.key.id}/revoke")

    action, subject, detail = await last_line(db)
    assert (action, subject, detail["user"]) == ("key.revoke", str(made.key.id), "mark")
    other = f"{await user(db, 'lale')}/keys/{made.key.id}/revoke"
    assert (await ayse.post(other)).status_code == 404


async def test_an_operator_sees_what_a_customer_sees_and_changes_nothing(db: Database, ayse: Browser) -> None:
    answer = await ayse.post(f"{await user(db)}/look")

    assert answer.headers["location"] == "/panel"
    action, subject, _ = await last_line(db)
    assert (action, subject) == ("look-as", "mark")
    page = await ayse.get("/panel")
    assert "looking at mark" in page.text
    assert (await ayse.post("/panel/keys", name="mine")).status_code == 403
    assert (await ayse.get("/operator/customers")).status_code == 200
    assert (await ayse.post("/panel/sign-out")).status_code == 303
    assert (await ayse.get("/panel")).status_code == 303
    assert (await ayse.get("/operator/customers")).status_code == 200


# --- organizations


async def test_an_organization_is_made_with_any_printable_name(db: Database, ayse: Browser) -> None:
    for name in (HOSTILE, "n" * 200, "Çiğdem & Oğulları", "a/b?c#d", "' OR 1=1 --"):
        assert name in await ayse.done("/operator/customers/organizations/new", name=name)
        assert (await last_line(db))[:2] == ("org.create", name)
    page = await ayse.get("/operator/customers/organizations")
    assert "<script>alert" not in page.text
    for name in ("", "n" * 201, "Main Organization"):
        await ayse.refused("/operator/customers/organizations/new", name=name)
    at = f"/operator/customers/organizations/{await value(db, 'SELECT id FROM organizations WHERE name = $1', HOSTILE)}"
    await ayse.done(f"{at}/credit", way="topup", amount="5", note="n")
    await ayse.done(f"{at}/members", username="mark", permission=["organization.sms.read"])
    assert "<script>alert" not in (await ayse.get(at)).text


async def test_an_organization_is_closed_and_opened(db: Database, ayse: Browser) -> None:
    at = await org(db)
    assert "closed" in await ayse.done(f"{at}/state", state="inactive")
    changed = {"before": {"state": "active"}, "after": {"state": "inactive"}}
    assert await last_line(db) == ("org.set-state", ORG, changed)
    assert "open again" in await ayse.done(f"{at}/state", state="active")


async def test_a_pool_is_topped_up_and_handed_out(db: Database, ayse: Browser) -> None:
    at, one = await org(db), await member(db)
    assert await ayse.done(f"{at}/credit", way="topup", amount="50", note="May") == (
        "Done. The credit holds 50.00 USD now."
    )
    assert await ayse.done(f"{one}/credit", way="out", amount="20", note="") == (
        "Done. The member holds 20.00 USD, the pool 30.00 USD."
    )
    action, subject, detail = await last_line(db)
    assert (action, subject) == ("credit.handout", f"mark in {ORG}")
    assert detail["after"] == {"balance": "20.000000"}
    await ayse.done(f"{one}/credit", way="back", amount="5", note="too much")
    assert (await last_line(db))[0] == "credit.take-back"
    assert "less than" in await ayse.refused(f"{one}/credit", way="out", amount="1000", note="")
    assert "Choose one" in await ayse.refused(f"{one}/credit", way="x", amount="1", note="")
    assert "15.00 USD" in text_of(await ayse.get(at))


async def test_members_come_change_and_go(db: Database, ayse: Browser) -> None:
    await accounts.create_user(db, BY, "ece", "ece@example.com")
    at = await org(db)
    read = "organization.sms.read"

    assert await ayse.done(f"{at}/members", username="ece", permission=[read]) == "ece is a member now."
    action, subject, detail = await last_line(db)
    assert (action, subject, detail["after"]) == ("org.add-member", ORG, {"permissions": [read]})

    one = await member(db, "ece")
    await ayse.done(f"{one}/permissions", permission=["organization.users.read", read])
    action, _, detail = await last_line(db)
    assert (action, detail["before"]) == ("org.set-permissions", {"permissions": [read]})
    await ayse.done(f"{one}/permissions")
    assert "look at prices" in text_of(await ayse.get(at))
    await credit.add(db, BY, USD, "ece", ORG)
    assert "1.00 USD went back" in await ayse.done(f"{one}/remove")
    assert (await last_line(db))[0] == "org.remove-member"
    assert (await ayse.get(one)).status_code == 404


async def test_who_cannot_become_a_member(db: Database, ayse: Browser) -> None:
    at = await org(db)
    for name in ("", "nobody", HOSTILE, "x" * 200):
        assert "There is no user" in await ayse.refused(f"{at}/members", username=name)
    page = await ayse.post(f"{at}/members", username="lale", permission=["*"])
    assert page.status_code == 400
    assert 'value="lale"' in page.text
    assert (await ayse.post(f"{await member(db)}/permissions", permission=["*"])).status_code == 400


# --- services


SETTINGS: Final = {
    "price": "0.5",
    "billing": "segment",
    "route": "main",
    "sender": "ACME",
    "validity_minutes": "60",
    "fallback_seconds": "30",
    "unsure": "refund",
    "refund_not_sent": "on",
}


async def test_a_service_is_made_and_changed(db: Database, ayse: Browser) -> None:
    await carrier(db, "second")
    await carrier(db, "backup")
    new = "/operator/services/new"
    assert await ayse.done(new, name="Fast & <i>", **SETTINGS) == "The service Fast & <i> is made."
    assert (await last_line(db))[:2] == ("service.create", "Fast & <i>")

    at = await service(db)
    route = "main@70\r\nsecond@30\r\n\r\nbackup:90532,90533"
    changed = SETTINGS | {"route": route, "foreign_numbers": "on"}
    assert await ayse.done(at, **changed) == "BobSMS is changed."
    action, subject, detail = await last_line(db)
    assert (action, subject) == ("service.set", SERVICE)
    assert detail["before"]["price"] == "1.000000"
    assert detail["after"]["price"] == "0.500000"
    assert detail["after"]["route"] == ["main@70", "second@30", "backup:90532,90533"]
    assert "main 70 and second 30, then backup (numbers that begin with 90532, 90533)" in text_of(
        await ayse.get("/operator/services")
    )
    lines_before = await lines(db)
    await ayse.done(at, **changed)
    assert (await last_line(db))[2] == {"before": {}, "after": {}}
    assert await lines(db) == lines_before + 1


async def test_a_service_is_closed_and_opened(db: Database, ayse: Browser) -> None:
    at = await service(db)
    assert "closed" in await ayse.done(f"{at}/state", state="inactive")
    changed = {"before": {"state": "active"}, "after": {"state": "inactive"}}
    assert await last_line(db) == ("service.set", SERVICE, changed)
    assert "again" in await ayse.done(f"{at}/state", state="active")


@pytest.mark.parametrize(
    "wrong",
    few_fast(
        [
            *({"price": text} for text in ("", "-1", "abc", "9" * 40, "1,5")),
            *({"route": text} for text in ("", "nowhere", "main@9999", HOSTILE, "\n".join(["main"] * 21))),
            *({"validity_minutes": text} for text in ("", "0", "-1", "1.5", "9" * 20, "٣")),
            {"fallback_seconds": "0"},
            {"sender": "!"},
            {"sender": "x" * 200},
            {"billing": ""},
            {"unsure": "both"},
        ],
        6,
    ),
)
async def test_settings_that_a_service_cannot_have(
    db: Database, ayse: Browser, wrong: dict[str, str]
) -> None:
    before = await lines(db)
    for path in (await service(db), "/operator/services/new"):
        page = await ayse.post(path, name="Other", **(SETTINGS | {"sender": "TYPED"} | wrong))

        assert page.status_code in (400, 404)
        assert reason(page)
        assert "sender" in wrong or 'value="TYPED"' in page.text
    assert await lines(db) == before


async def test_a_service_needs_a_name_of_its_own(db: Database, ayse: Browser) -> None:
    for name in ("", SERVICE.lower(), "n" * 101):
        await ayse.refused("/operator/services/new", **SETTINGS, name=name)


async def test_prices_are_made_and_explained_step_by_step(db: Database, ayse: Browser) -> None:
    at = await service(db)
    rule = {"kind": "percent", "value": "-10", "user": "", "org": "", "from_volume": ""}
    assert "The rule is there" in await ayse.done(f"{at}/prices", **rule)
    action, subject, detail = await last_line(db)
    assert (action, subject, detail["after"]["value"]) == ("price.add", SERVICE, "-10 %")
    await ayse.done(f"{at}/prices", **(rule | {"org": ORG, "kind": "amount", "value": "0.05"}))
    await ayse.done(
        f"{at}/prices", **(rule | {"user": "mark", "kind": "fixed", "value": "0.3", "from_volume": "1000"})
    )
    later = rule | {"user": "mark", "starts": "2199-01-01T10:00", "value": "-50"}
    await ayse.done(f"{at}/prices", **later)
    await ayse.done(f"{at}/prices", **(rule | {"user": "mark", "ends": "2020-01-01T10:00", "value": "+50"}))

    page = text_of(await ayse.get(f"{at}/explain?user=mark&org={ORG}"))

    assert f"What mark pays in {ORG} 0.95 USD" in page
    for words in (
        "Price of the service 1.00",
        "Rule for everyone takes off 10 percent 0.90",
        "Rule of the organization adds 0.05 USD 0.95",
        "Rule of the user sets the price to 0.30 USD Does not count: it begins with 1,000 messages a month. 0.95",
        "takes off 50 percent Does not count yet: it starts on 1 Jan 2199 10:00.",
        "adds 50 percent Does not count any more: it ended on 1 Jan 2020 10:00.",
        "What is paid 0.95 USD",
    ):
        assert words in page
    assert "What anybody pays 0.90 USD" in text_of(await ayse.get(f"{at}/explain"))
    refused = await ayse.get(f"{at}/explain?user=nobody")
    assert refused.status_code == 404
    assert 'value="nobody"' in refused.text


async def test_a_rule_is_removed(db: Database, ayse: Browser) -> None:
    rule = await pricing.add(db, BY, service=SERVICE, kind="fixed", value=1)
    at = await service(db)
    assert "gone" in await ayse.done(f"{at}/prices/{rule.id}/remove")
    assert (await last_line(db))[:2] == ("price.remove", str(rule.id))
    assert (await ayse.post(f"{at}/prices/{rule.id}/remove")).status_code == 404
    assert (await ayse.post(f"{at}/prices/x/remove")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    few_fast(
        [
            *({"value": text} for text in ("", "x", "--1", "9" * 40, HOSTILE)),
            {"kind": "fixed", "value": "-1"},
            {"kind": "x"},
            {"user": "nobody"},
            {"org": HOSTILE},
            {"user": "mark", "org": ORG},
            *({"from_volume": text} for text in ("-1", "x", "9" * 15, "1.5")),
            *({"starts": text} for text in ("tomorrow", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00")),
            {"starts": "2026-01-02T00:00", "ends": "2026-01-01T00:00"},
        ],
        6,
    ),
)
async def test_a_rule_that_cannot_be(db: Database, ayse: Browser, wrong: dict[str, str]) -> None:
    before = await lines(db)
    page = await ayse.post(f"{await service(db)}/prices", **({"kind": "percent", "value": "-77"} | wrong))
    assert page.status_code in (400, 404)
    assert reason(page)
    assert "value" in wrong or 'value="-77"' in page.text
    assert await lines(db) == before


async def test_headers_of_customers(db: Database, ayse: Browser) -> None:
    await carriers.change(db, BY, "main", headers="approved")
    at = f"{await service(db)}/headers"

    assert await ayse.done(at, header="ACME", org=ORG, user="") == (
        f"{ORG} sends as ACME. It waits for main."
    )
    action, subject, detail = await last_line(db)
    assert (action, subject, detail["before"], detail["after"]) == ("sender.set", ORG, {}, {"header": "ACME"})
    await ayse.done(at, header="ACME2", org=ORG, user="")
    assert (await last_line(db))[2]["before"] == {"header": "ACME"}
    assert f"{ORG} ACME2 main" in text_of(await ayse.get(at))

    for wrong in ({"header": "!"}, {"org": ""}, {"user": "mark"}, {"org": "Nobody"}):
        form = {"header": "ACME", "org": ORG, "user": ""} | wrong
        await ayse.refused(at, **form)
    assert "no longer sends as ACME2" in await ayse.done(f"{at}/remove", org=ORG, user="")
    assert (await last_line(db))[0] == "sender.remove"
    assert "has no header" in await ayse.refused(f"{at}/remove", org=ORG, user="")


# --- carriers


CARRIER: Final = {
    "host": "smsc.example",
    "port": "2776",
    "system_id": "ulak2",
    "password": "hunter2",
    "system_type": "",
    "bind": "pair",
    "connections": "2",
    "window_max": "50",
    "throughput": "200",
    "tls": "off",
    "tls_ca": "",
    "turkish": "locking",
    "concatenation": "udh16",
    "reserve": "5",
    "headers": "approved",
    "message_ids": "hex_to_dec",
    "network_from": "tlv:0x1400",
    "statuses": "0x0401=retry",
    "ignore_case": "on",
}


async def test_a_carrier_is_made_and_changed_and_its_password_never_shown(
    db: Database, ayse: Browser
) -> None:
    assert (
        await ayse.done("/operator/carriers/new", name="second", **CARRIER) == "The carrier second is made."
    )
    assert (await last_line(db))[:2] == ("carrier.create", "second")

    at = await the_carrier(db)
    await ayse.done(f"{at}/settings", **(CARRIER | {"password": ""}))
    action, subject, detail = await last_line(db)
    assert (action, subject) == ("carrier.set", "main")
    assert detail["before"]["host"] == "127.0.0.1"
    assert detail["after"]["host"] == "smsc.example"
    assert detail["after"]["ignore_case"] is True
    assert "secrets" not in detail
    kept = [one.carrier for one in await carriers.listed(db) if one.carrier.name == "main"]
    assert carriers.password_of(kept[0], db.secrets) == "secret"
    await ayse.done(f"{at}/settings", **(CARRIER | {"password": "another"}))
    assert (await last_line(db))[2]["secrets"] == ["password"]
    for path in (at, f"{at}/settings", "/operator/carriers", "/operator/audit"):
        page = (await ayse.get(path)).text
        assert "another" not in page.replace("registered another", "")
        assert "hunter2" not in page


async def test_a_carrier_is_paused_and_resumed(db: Database, ayse: Browser) -> None:
    at = await the_carrier(db)
    assert "paused" in await ayse.done(f"{at}/state", state="paused")
    changed = {"before": {"state": "active"}, "after": {"state": "paused"}}
    assert await last_line(db) == ("carrier.set", "main", changed)
    assert "Resume" in (await ayse.get(at)).text
    assert "resumed" in await ayse.done(f"{at}/state", state="active")
    assert (await ayse.post(f"{at}/state", state="gone")).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    few_fast(
        [
            *({"host": text} for text in ("", " ")),
            *({"port": text} for text in ("", "0", "65536", "x", "9" * 20)),
            {"system_id": "x" * 16},
            {"system_id": "ü"},
            {"password": "x" * 9},
            {"window_max": "0"},
            {"throughput": "-1"},
            {"connections": "33"},
            {"reserve": "999"},
            {"network_from": HOSTILE},
            {"statuses": "0x45=maybe"},
            {"tls_ca": "no certificate"},
            {"tls_ca": "\x88 ışık"},
            {"tls_ca": "x" * 300_000},
            *(
                {name: "other"}
                for name in ("bind", "tls", "headers", "turkish", "concatenation", "message_ids")
            ),
        ],
        6,
    ),
)
async def test_settings_that_a_carrier_cannot_have(
    db: Database, ayse: Browser, wrong: dict[str, str]
) -> None:
    before = await lines(db)
    for path in (f"{await the_carrier(db)}/settings", "/operator/carriers/new"):
        page = await ayse.post(path, name="second", **(CARRIER | wrong))

        assert page.status_code == 400
        assert reason(page)
        assert "hunter2" not in page.text
        assert "host" in wrong or 'value="smsc.example"' in page.text
    assert await lines(db) == before


async def test_headers_that_a_carrier_has_registered(db: Database, ayse: Browser) -> None:
    at = f"{await the_carrier(db)}/headers"
    assert await ayse.done(at, header="ACME") == "main knows ACME."
    assert await last_line(db) == ("sender.approve", "ACME", {"carrier": "main"})
    assert "ACME" in text_of(await ayse.get(at))
    await ayse.refused(at, header=HOSTILE)
    assert await ayse.done(f"{at}/withdraw", header="ACME") == "main no longer knows ACME."
    assert (await last_line(db))[0] == "sender.withdraw"
    await ayse.refused(f"{at}/withdraw", header="ACME")


async def test_what_moves_is_sent_as_it_is_shown(db: Database, ayse: Browser) -> None:
    at = await the_carrier(db)
    for path, names in (
        ("/operator/live", {"tiles", "charts"}),
        ("/operator/carriers/live", {"carriers"}),
        (f"{at}/live?over=3h", {"figures", "charts"}),
    ):
        ayse.rooms.stopping.clear()
        asked = asyncio.create_task(ayse.get(path))
        await asyncio.sleep(0.4)
        ayse.rooms.stopping.set()
        data = re.search(r"^data: (.*)$", (await asked).text, re.MULTILINE)
        assert data
        assert set(json.loads(data[1])) == names


# --- search and the audit log


async def sent(db: Database, browser: Browser) -> dict[str, Any]:
    """A sending of mark's to two numbers, as the API answered it."""
    made = await accounts.create_key(db, BY, "mark")
    await credit.add(db, BY, 10 * USD, "mark", None)
    form = {
        "to": ["905551234567", "905551234568"],
        "message": f"Merhaba {HOSTILE}",
        "serviceId": (await service(db)).rpartition("/")[2],
    }
    async with browser.rooms.running():
        answer = await browser.http.post(
            "/v1/sms-sendings/simple", json=form, headers={"x-api-key": made.secret}
        )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_number_leads_to_its_messages_and_those_to_their_history(db: Database, ayse: Browser) -> None:
    await sent(db, ayse)

    page = await ayse.get("/operator/search?q=0555 123 45 67")
    assert "Messages to this number" in text_of(page)
    assert "<script>alert" not in page.text
    [path] = re.findall(r"/operator/search/messages/[0-9a-f-]{36}", page.text)
    page = await ayse.get(path)
    assert page.status_code == 200
    assert "accepted" in text_of(page)
    assert "<script>alert" not in page.text
    found = text_of(await ayse.get(f"/operator/search?q={path.rpartition('/')[2]}"))
    assert "A message has this id mark" in found
    [sending] = set(re.findall(r"/operator/search/sendings/[0-9a-f-]{36}", page.text))
    shown = await ayse.get(sending)
    assert shown.text.count("/operator/search/messages/") == 2
    assert "<script>alert" not in shown.text
    assert "A sending has this id" in text_of(
        await ayse.get(f"/operator/search?q={sending.rpartition('/')[2]}")
    )
    assert (await ayse.get(sending.replace("sendings", "messages"))).status_code == 404
    assert "sending -2.00" in text_of(await ayse.get(await user(db)))


async def test_a_history_is_told_in_the_readers_language(db: Database, ayse: Browser) -> None:
    await sent(db, ayse)
    page = await ayse.get("/operator/search?q=0555 123 45 67")
    [path] = re.findall(r"/operator/search/messages/[0-9a-f-]{36}", page.text)
    ayse.http.cookies.set("ulak_language", "tr")

    told = text_of(await ayse.get(path))

    assert "alıcı 905551234567, fiyat 1,00, kaynak api, son geçerlilik" in told
    assert "valid until" not in told


async def test_an_amount_is_typed_as_the_reader_writes_it(db: Database, ayse: Browser) -> None:
    at = f"{await user(db)}/credit"
    await ayse.refused(at, way="topup", amount="12,5", note="with a comma")
    ayse.http.cookies.set("ulak_language", "tr")

    assert "12,50" in await ayse.done(at, way="topup", amount="12,5", note="with a comma")
    assert "25,00" in await ayse.done(at, way="topup", amount="12.5", note="with a point")
    await ayse.refused(at, way="topup", amount="1.234,5", note="with both")


async def test_customers_are_found(db: Database, ayse: Browser) -> None:
    page = text_of(await ayse.get("/operator/search?q=MAIN"))
    assert ORG in page
    assert "mark@example.com" in text_of(await ayse.get("/operator/search?q=mark"))
    assert "Nothing fits." in text_of(await ayse.get("/operator/search?q=zzz"))


async def test_the_audit_log_shows_who_did_what_from_where(db: Database, ayse: Browser) -> None:
    await ayse.done(f"{await user(db)}/state", state="disabled")

    page = text_of(await ayse.get("/operator/audit?subject=mark&action=user.set-state"))
    assert f"operator:ayse {ADDRESS} let a user in or shut them out user.set-state mark" in page
    assert "State state : active → became shut out" in page
    assert "user.set-state" not in text_of(await ayse.get("/operator/audit?actor=cli:tests"))
    assert "org.create" in text_of(await ayse.get("/operator/audit?action=org"))
    assert "No line fits." in text_of(await ayse.get("/operator/audit?text=nowhere"))


async def test_the_audit_log_is_read_page_by_page(db: Database, ayse: Browser) -> None:
    for k in range(60):
        await accounts.create_user(db, BY, f"user{k:02}", f"u{k}@example.com")
    page = await ayse.get("/operator/audit?action=user")
    assert "user59" in page.text
    older = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert older
    page = await ayse.get(f"/operator/audit{older[1].replace('&amp;', '&')}")
    assert "user59" not in page.text
    assert "mark" in text_of(page)


# --- who may not


async def every_change(db: Database) -> list[tuple[str, dict[str, Any]]]:
    its, at, one, sold, line = (
        await user(db),
        await org(db),
        await member(db),
        await service(db),
        await the_carrier(db),
    )
    made = await accounts.create_key(db, BY, "mark")
    rule = await pricing.add(db, BY, service=SERVICE, kind="fixed", value=1)
    return [
        ("/operator/customers/users/new", {"username": "ece", "email": "e@example.com", "way": "none"}),
        ("/operator/customers/organizations/new", {"name": "Other"}),
        (f"{its}/state", {"state": "disabled"}),
        (f"{its}/password", {}),
        (f"{its}/second-factor", {}),
        (f"{its}/credit", {"way": "topup", "amount": "1", "note": "n"}),
        (f"{its}/keys/{made.key.id}/revoke", {}),
        (f"{its}/rate", {"rate": "5"}),
        (f"{its}/look", {}),
        (f"{at}/state", {"state": "inactive"}),
        (f"{at}/credit", {"way": "topup", "amount": "1", "note": "n"}),
        (f"{at}/members", {"username": "mark"}),
        (f"{one}/permissions", {}),
        (f"{one}/credit", {"way": "out", "amount": "1"}),
        (f"{one}/remove", {}),
        ("/operator/services/new", {"name": "Other", **SETTINGS}),
        (sold, SETTINGS),
        (f"{sold}/state", {"state": "inactive"}),
        (f"{sold}/prices", {"kind": "percent", "value": "5"}),
        (f"{sold}/prices/{rule.id}/remove", {}),
        (f"{sold}/headers", {"header": "ACME", "org": ORG}),
        (f"{sold}/headers/remove", {"org": ORG}),
        ("/operator/carriers/new", {"name": "second", **CARRIER}),
        (f"{line}/settings", CARRIER),
        (f"{line}/state", {"state": "paused"}),
        (f"{line}/headers", {"header": "ACME"}),
        (f"{line}/headers/withdraw", {"header": "ACME"}),
    ]


async def test_every_change_that_there_is_is_tried_here(db: Database) -> None:
    from ulak.edge.panel.operator.pages import PAGES

    await found(db)
    tried = len(await every_change(db))
    assert tried == len([page for page in PAGES if page.method == "POST"])


async def test_every_change_leaves_exactly_one_line(db: Database, ayse: Browser) -> None:
    changes = await every_change(db)
    put_back = {"state": {"state": "active"}}

    for path, form in changes:
        before = await lines(db)
        answer = await ayse.post(path, **form)
        assert answer.status_code < 400, (path, text_of(answer))
        assert await lines(db) == before + 1, path
        await last_line(db)
        if back := put_back.get(path.rpartition("/")[2]):
            await ayse.post(path, **back)


async def test_who_looks_for_messages_of_customers_leaves_a_line(db: Database, viewer: Browser) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    before = await lines(db)
    for path in ("/search", "/search?q=", "/customers", f"/search/messages/{nothing}"):
        await viewer.get(f"/operator{path}")
    assert await lines(db) == before

    await viewer.get("/operator/search?q=0555+000+00+07")

    assert await last_line(db) == ("message.find", "0555 000 00 07", {"found": 0})
    assert await lines(db) == before + 1


async def test_a_viewer_sees_everything_and_changes_nothing(db: Database, viewer: Browser) -> None:
    changes = await every_change(db)
    before = await lines(db)

    for path in await every_page(db):
        page = await viewer.get(path)
        assert page.status_code == 200
        if not path.endswith(("account",)):
            buttons = re.findall(
                r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL
            )
            pressed = [
                action for action, inside in buttons if "<button" in inside and "sign-out" not in action
            ]
            assert pressed == [], path
    searched = len(await rows(db, "SELECT FROM audit_log WHERE action = 'message.find'"))
    assert await lines(db) == before + searched
    for path, form in changes:
        page = await viewer.post(path, **form)
        assert page.status_code == 403, path
    assert await lines(db) == before + searched


async def test_a_form_of_somebody_else_changes_nothing(db: Database, ayse: Browser) -> None:
    changes = await every_change(db)
    before = await lines(db)

    for path, form in changes:
        for token in ("", "x", "é", ayse.token("/panel")):
            assert (await ayse.post(path, csrf=token, **form)).status_code == 403, path
        its = {"csrf": ayse.token(path), **form}
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert (await ayse.http.post(path, data=its, headers=headers)).status_code == 403, path
    assert await lines(db) == before


async def test_what_is_no_form(db: Database, ayse: Browser) -> None:
    path = "/operator/customers/users/new"
    for body, kind in (
        (b"{}", "application/json"),
        (b"\xff\xfe", "multipart/form-data"),
        (b"", "text/plain"),
    ):
        page = await ayse.http.post(path, content=body, headers={"content-type": kind})
        assert page.status_code in (400, 403)
    assert (await ayse.http.put(path)).status_code == 405
    assert (await ayse.post(path, username="\0", email="x", way="none")).status_code == 400


async def test_the_rest_is_said_where_it_was_done(db: Database, ayse: Browser) -> None:
    await groups.set_state(db, BY, ORG, "inactive")
    answer = await ayse.post(f"{await org(db)}/state", state="active")
    assert said(await ayse.get(answer.headers["location"])) == f"{ORG} is open again."
    assert said(await ayse.get(await org(db))) == ""
    assert await catalogue.list_services(db)

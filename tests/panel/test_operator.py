"""What operators do in the console, in a real browser, and what a customer sees of it."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.harness import User, await_completed
from tests.harness.browser import Visit
from tests.panel.conftest import PASSWORD, Shop

MESSAGE: Final = re.compile(r"/operator/search/messages/[0-9a-f-]{36}")


@pytest.fixture
def user(shop: Shop) -> User:
    return shop.customer()


@pytest_asyncio.fixture(loop_scope="session")
async def console(visit: Visit) -> Visit:
    """An operator's browser, on the first page of the console."""
    await visit.sign_in("ayse", PASSWORD, door="/operator")
    return visit


@pytest_asyncio.fixture(loop_scope="session")
async def theirs(browser: Browser, shop: Shop, user: User) -> AsyncIterator[Visit]:
    """The customer's own browser, on their first page."""
    async with Visit.begun(browser, shop.ulak.url) as its:
        await its.sign_in(user.username, PASSWORD)
        yield its


def card(visit: Visit, words: str) -> Locator:
    """A figure with these words below it."""
    return (
        visit.page.locator(".card").filter(has=visit.page.get_by_text(words, exact=True)).locator(".figure")
    )


async def leave(visit: Visit) -> None:
    """Sign out, by the menu at the top."""
    await visit.page.locator(".me summary").click()
    await visit.press("Sign out")


# coming in


async def test_an_operator_comes_in_by_their_own_door(visit: Visit, user: User) -> None:
    await visit.sign_in(user.username, PASSWORD, door="/operator")
    await expect(visit.page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")

    await visit.sign_in("ayse", PASSWORD, door="/operator")

    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Health")
    await expect(visit.page.locator("#tiles").get_by_role("status")).to_have_text("All is well.")
    await leave(visit)
    await visit.go("/operator/customers")
    assert "/operator/sign-in" in visit.page.url


# customers


async def test_a_top_up_is_in_the_customers_statement_with_its_note(
    console: Visit, theirs: Visit, user: User
) -> None:
    await console.go("/operator/customers")
    await console.fill(q=user.username)
    await console.press("Search")
    await console.press(user.username, role="link")
    await console.fill(amount="250.5", note="Invoice 2026-17")

    await console.press("Move credit")

    await expect(console.page.get_by_role("status")).to_have_text("Done. The credit holds 1,250.50 USD now.")
    await theirs.go("/panel/credit")
    await expect(theirs.page.locator(".figure")).to_have_text("1,250.50 USD")
    line = theirs.page.locator("tbody tr").first
    await expect(line).to_contain_text("Invoice 2026-17")
    await expect(line).to_contain_text("+250.50")


async def test_a_top_up_without_a_note_is_refused_and_what_was_typed_stays(
    console: Visit, shop: Shop, user: User
) -> None:
    await console.go(f"/operator/customers/users/{user.id}")
    await console.fill(amount="12,5", note="A comma")

    await console.press("Move credit")

    await expect(console.page.get_by_role("alert")).to_contain_text("is not an amount")
    await expect(console.page.locator("[name=note]")).to_have_value("A comma")
    assert shop.ulak.balance(user=user) == "1000.000000"


async def test_a_user_who_is_shut_out_is_out_at_once(console: Visit, theirs: Visit, user: User) -> None:
    await console.go(f"/operator/customers/users/{user.id}")

    await console.press("Shut out")

    await expect(console.page.locator("dd .status")).to_have_text("shut out")
    await theirs.go("/panel/keys")
    assert "/panel/sign-in" in theirs.page.url
    await theirs.fill(name=user.username, password=PASSWORD)
    await theirs.press("Sign in")
    await expect(theirs.page.get_by_role("alert")).to_be_visible()
    await console.press("Let in")
    await theirs.sign_in(user.username, PASSWORD)
    await expect(theirs.page.get_by_role("heading", level=1)).to_have_text(user.username)


async def test_who_looks_as_a_customer_sees_all_and_changes_nothing(
    console: Visit, shop: Shop, user: User
) -> None:
    shop.send(shop.ulak.as_user(user), text="What they sent")
    await console.go(f"/operator/customers/users/{user.id}")

    await console.press("See as this customer")

    banner = console.page.locator(".banner")
    await expect(banner).to_contain_text(f"You are looking at {user.username}'s panel as an operator.")
    await expect(console.page.locator("#sendings")).to_contain_text("What they sent")
    await console.go("/panel/keys")
    await console.fill(name="not theirs")
    await console.press("Make a key")
    await expect(console.page.get_by_role("alert")).to_be_visible()
    await console.go("/panel/send")
    await console.fill(to="905550007001", text="Not theirs")
    await console.press("Send")
    await expect(console.page.get_by_role("alert").first).to_be_visible()
    await console.go("/panel/keys")
    await expect(console.page.locator("tbody tr")).to_have_count(1)
    assert shop.ulak.balance(user=user) == "999.950000"
    await leave(console)
    await console.go("/panel")
    assert "/panel/sign-in" in console.page.url
    await console.go("/operator")
    await expect(console.page.get_by_role("heading", level=1)).to_have_text("Health")


# prices


async def test_a_customers_own_price_is_quoted_charged_and_explained(
    console: Visit, theirs: Visit, shop: Shop, user: User
) -> None:
    await theirs.go("/panel/send")
    await theirs.fill(to="905551120001, 905551120002", text="Before")
    await expect(theirs.page.locator("#cost")).to_have_text("0.10 USD")
    await console.go(f"/operator/services/{shop.service}/prices")
    await console.page.locator("[name=kind]").select_option("percent")
    await console.fill(user=user.username, value="-20")

    await console.press("Add the rule")

    row = console.page.locator("tbody tr").filter(has_text=user.username)
    await expect(row).to_contain_text("takes off 20 percent")
    await theirs.go("/panel/send")
    await theirs.fill(to="905551120001, 905551120002", text="After")
    await expect(theirs.page.locator("#cost")).to_have_text("0.08 USD")
    await theirs.press("Send")
    assert shop.ulak.balance(user=user) == "999.920000"
    await console.press("Explain a price", role="link")
    await console.fill(user=user.username)
    await console.press("Explain")
    await expect(console.page.locator(".steps li")).to_have_text(
        [
            re.compile(r"Price of the service\s*0\.05"),
            re.compile(r"Rule of the user\s+takes off 20 percent\s*0\.04"),
            re.compile(r"What is paid\s*0\.04 USD"),
        ]
    )
    await expect(console.page.locator(".figure")).to_have_text("0.04 USD")


# carriers


@pytest_asyncio.fixture(loop_scope="session")
async def paused(console: Visit, shop: Shop) -> AsyncIterator[Locator]:
    """The page of the only carrier, which an operator has paused; it is resumed in the end, come what may."""
    await console.go("/operator/carriers")
    await console.press("simulated", role="link")
    path = console.page.url.partition("/operator")[2]
    state = console.page.locator("#figures .status").first
    await expect(state).to_have_text("bound")
    await console.press("Pause")
    yield state
    shop.counter.post(f"{path}/state", state="active")


async def test_what_waits_for_a_paused_carrier_goes_out_once_it_is_resumed(
    console: Visit, paused: Locator, theirs: Visit, shop: Shop, user: User
) -> None:
    await expect(paused).to_have_text("paused")
    await console.page.evaluate("window.same = true")

    sending = shop.send(shop.ulak.as_user(user), to=30, text="It waits")

    await expect(card(console, "waiting")).to_have_text("30")
    await expect(card(console, "the oldest waits")).to_have_text(re.compile("[2-9] sec"))
    assert await console.page.evaluate("window.same"), "no page was loaded anew"
    await theirs.go(f"/panel/sendings/{sending}")
    await theirs.page.evaluate("window.same = true")
    await expect(theirs.page.locator("#messages .status.pending")).to_have_count(20)
    await console.press("Resume")
    await console.page.evaluate("window.same = true")
    await expect(theirs.page.locator("#state")).to_contain_text("Completed")
    await expect(theirs.page.locator("#messages .status.sent")).to_have_count(20)
    await expect(card(console, "waiting")).to_have_text("0")
    await expect(card(console, "the oldest waits")).to_have_text("–")
    await expect(paused).to_have_text("bound")
    for visit in (console, theirs):
        assert await visit.page.evaluate("window.same"), "no page was loaded anew"


# search


async def test_a_number_leads_to_the_history_of_its_message(console: Visit, shop: Shop, user: User) -> None:
    client = shop.ulak.as_user(user)
    sending = shop.send(client, to=2, failing=1, text="Where is it?")
    await_completed(client, sending)
    [number] = [
        item["to"]
        for item in client.get(f"/sms-sendings/{sending}").json()["data"]["items"]
        if item["to"].endswith("0901")
    ]
    await console.go("/operator/search")
    await console.fill(q=f"0{number[2:5]} {number[5:]}")

    await console.press("Search")

    row = console.page.locator("tbody tr").filter(has_text="Where is it?")
    await expect(row).to_contain_text(user.username)
    async with console.page.expect_navigation():
        await row.get_by_role("link").first.click()
    await console.measure()
    assert MESSAGE.search(console.page.url)
    events = console.page.locator("tbody tr")
    told = await events.locator("td:nth-child(2)").all_inner_texts()
    assert told == ["accepted", "submitted", "answered", "receipt", "ended", "refunded"]
    await expect(events.nth(3)).to_contain_text("not_sent")
    await expect(events.nth(5)).to_contain_text("0.05")
    await console.press("Türkçe", role="link")
    await expect(events.nth(2)).to_contain_text("operatör kabul etti")


# the audit log, and whoever only looks


async def test_the_audit_log_has_each_of_these_with_what_it_changed(
    console: Visit, shop: Shop, user: User
) -> None:
    its = f"/customers/users/{user.id}"
    shop.top_up(its, 50)
    shop.counter.post(
        f"/services/{shop.cheap}/prices",
        user=user.username,
        kind="fixed",
        value="0.03",
        **dict.fromkeys(("org", "from_volume", "starts", "ends"), ""),
    )
    shop.counter.post(f"{its}/state", state="disabled")
    shop.counter.post(f"{its}/state", state="active")

    for action, subject, told in (
        (
            "credit.topup",
            user.username,
            ["Credit balance: 1000.000000", "1050.000000", "Amount amount: 50.000000"],
        ),
        ("price.add", "Cheap", [f"User user: – →became {user.username}", "fixed price", "0.030000"]),
        ("user.set-state", user.username, ["State state: active →became shut out"]),
    ):
        await console.go("/operator/audit")
        await console.fill(actor="operator:ayse", action=action, subject=subject, text=user.username)
        await console.press("Show")
        lines = console.page.locator("main tbody tr").filter(has_text=told[-1])
        for words in ("operator:ayse", "127.0.0.1", action, *told):
            await expect(lines.first).to_contain_text(words)


async def test_a_viewer_reads_everything_and_finds_nothing_to_press(
    visit: Visit, shop: Shop, user: User
) -> None:
    org = shop.organization(user)
    await visit.sign_in("viewer", PASSWORD, door="/operator")
    await expect(visit.page.locator(".banner")).to_have_text(
        "You can look at everything here, and change nothing."
    )
    await visit.go("/operator/carriers")
    carrier = await visit.page.locator("tbody a").first.get_attribute("href")
    for path in (
        *(
            "/operator",
            "/operator/customers",
            f"/operator/customers/users/{user.id}",
            "/operator/customers/users/new",
        ),
        *("/operator/customers/organizations", f"/operator/customers/organizations/{org.id}"),
        f"/operator/customers/organizations/{org.id}/members/{user.id}",
        *("/operator/services", "/operator/services/new", f"/operator/services/{shop.service}"),
        *(f"/operator/services/{shop.service}/prices", f"/operator/services/{shop.service}/headers"),
        *(
            f"{carrier}",
            f"{carrier}/settings",
            f"{carrier}/headers",
            "/operator/carriers/new",
            "/operator/audit",
        ),
    ):
        assert await visit.go(path) == 200, path
        await expect(visit.page.locator("main form[method=post] button")).to_have_count(0)

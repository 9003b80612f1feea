"""Every page in a real browser: whoever cannot see, or sees little, can use it, in light and dark, wide and narrow."""

import pytest

from tests.harness import await_completed
from tests.harness.browser import Visit, assert_accessible
from tests.panel.conftest import PASSWORD, Shop


@pytest.mark.parametrize("door", ["/panel", "/operator"])
async def test_the_doors_are_accessible(visit: Visit, shop: Shop, door: str) -> None:
    await visit.go(f"{door}/sign-in")
    await assert_accessible(visit.page)

    await visit.fill(name="nobody", password="not a password")
    await visit.press("Sign in")
    await assert_accessible(visit.page)


async def test_a_customers_pages_are_accessible(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    org = shop.organization(user, *PERMISSIONS)
    client, theirs = shop.ulak.as_user(user), shop.ulak.as_user(user, org)
    sending = shop.send(client, to=4, failing=1, text="A long text, Sayın müşterimiz. " * 5)
    shop.send(theirs, to=2)
    for n in range(25):
        shop.send(client, text=f"Code {n}")
    await_completed(client, sending)
    await visit.sign_in(user.username, PASSWORD)
    pages = [
        *("/panel", "/panel/send", "/panel/sendings", f"/panel/sendings/{sending}", "/panel/credit"),
        *("/panel/keys", "/panel/developers", "/panel/account", "/panel/nowhere"),
        *(f"/panel/org/{org.id}", f"/panel/org/{org.id}/organization", f"/panel/org/{org.id}/credit?of=pool"),
        "/panel/sendings?text=Code&startDate=2020-01-01",
    ]
    for path in pages:
        await visit.go(path)
        await assert_accessible(visit.page)


async def test_what_follows_a_button_is_accessible(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    sending = shop.send(shop.ulak.as_user(user))
    await visit.sign_in(user.username, PASSWORD)

    await visit.go("/panel/account")
    await visit.press("Set up")
    await assert_accessible(visit.page)

    await visit.go("/panel/keys")
    await visit.fill(name="mine", addresses="10.0.0.0/8")
    await visit.press("Make a key")
    await assert_accessible(visit.page)

    await visit.go(f"/panel/sendings/{sending}")
    async with visit.page.expect_navigation():
        await visit.page.locator("#messages a").first.click()
    await visit.measure()
    await assert_accessible(visit.page)

    await visit.go("/panel/send")
    await visit.fill(to="905550000001, x, 905550000001", text="Merhaba")
    await visit.page.locator("#cost").wait_for()
    await assert_accessible(visit.page)

    for menu in await visit.page.locator("header details.menu summary").all():
        await menu.click()
    await assert_accessible(visit.page)


PERMISSIONS = (
    "organization.sms.read",
    "organization.sms.send",
    "organization.users.read",
    "organization.users.manage",
    "organization.credit.manage",
)

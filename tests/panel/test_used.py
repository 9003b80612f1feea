"""Last, since it takes a while until it is written down: when somebody's key was last used."""

import time

from playwright.async_api import expect

from tests.harness.browser import Visit
from tests.panel.conftest import PASSWORD, Shop

WRITTEN_SECONDS = 25


async def test_a_key_says_when_it_was_last_used(visit: Visit, shop: Shop) -> None:
    await visit.sign_in(shop.early.username, PASSWORD)
    row = visit.page.locator("tbody tr").first
    until = time.monotonic() + WRITTEN_SECONDS

    await visit.go("/panel/keys")
    while "never" in await row.inner_text() and time.monotonic() < until:
        await visit.page.wait_for_timeout(500)  # written every twenty seconds, and nothing says when
        await visit.go("/panel/keys")

    await expect(row).not_to_contain_text("never")

"""What the tests in a real browser share: one Chromium, one Ulak with people in it, and a carrier that takes its time.

Without Chromium they are skipped. All of them run in one worker, in one event loop, against one installation; each
test gets a browser context of its own, and where it changes somebody, a person of its own.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.harness import CarrierProcess, Installation, Organization, User
from tests.harness.browser import CHROMIUM, Visit, chromium

HERE: Final = Path(__file__).parent
PASSWORD: Final = "correct horse battery"


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this room: slow, in one worker and one loop, and skipped where there is no Chromium."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("panel"))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing"))


@dataclass
class Shop:
    """An installation with a carrier, two services, an operator, and customers as they are asked for."""

    ulak: Installation
    carrier: CarrierProcess
    service: str
    cheap: str
    early: User = field(init=False)
    """Somebody whose key was used before the first test."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def customer(self, credit: object = 1000) -> User:
        """Somebody with a password and credit of their own."""
        name = f"mark{next(self._numbers)}"
        made = self.ulak.cli(
            *("user", "create", name, "--email", f"{name}@example.com", "--password-stdin"),
            stdin=f"{PASSWORD}\n",
        )
        key = self.ulak.key(name)
        user = User(made["id"], name, made["email"], made["createdAt"], key["key"], key["id"])
        if credit:
            self.ulak.credit(credit, user=user)
        return user

    def organization(self, user: User, *permissions: str, credit: object = 100) -> Organization:
        """An organization of which they are a member."""
        org = self.ulak.organization(f"Organization {next(self._numbers)}", user, permissions=permissions)
        self.ulak.credit(credit, user=user, org=org)
        return org

    def send(self, client: httpx.Client, to: int = 1, text: str = "Merhaba", failing: int = 0) -> str:
        """A sending through the API; the last `failing` of its numbers are reported undelivered."""
        first = next(self._numbers)
        numbers = [f"9055{first:04d}{k:04d}" for k in range(to - failing)]
        numbers += [f"905{first:03d}{k:02d}0901" for k in range(failing)]
        answer = client.post(
            "/sms-sendings/simple", json={"to": numbers, "message": text, "serviceId": self.service}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"])


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with CarrierProcess(delay_ms=400, seed=5) as carrier, Installation() as ulak:
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        plain = ulak.service("BobSMS", "simulated", "0.05")
        cheap = ulak.service("Cheap", "simulated", "0.0325")
        operator = ("operator", "create")
        ulak.cli(*operator, "ayse", "--password-stdin", stdin=f"{PASSWORD}\n")
        ulak.cli(*operator, "viewer", "--role", "viewer", "--password-stdin", stdin=f"{PASSWORD}\n")
        shop = Shop(ulak, carrier, plain, cheap)
        shop.early = shop.customer()
        shop.send(ulak.as_user(shop.early))
        yield shop


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as its:
        yield its


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, shop: Shop) -> AsyncIterator[Visit]:
    async with Visit.begun(browser, shop.ulak.url) as its:
        yield its


@pytest_asyncio.fixture(loop_scope="session")
async def plain(browser: Browser, shop: Shop) -> AsyncIterator[Visit]:
    """A browser that runs no scripts."""
    async with Visit.begun(browser, shop.ulak.url, java_script_enabled=False) as its:
        yield its

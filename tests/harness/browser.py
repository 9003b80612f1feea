"""A real browser: Chromium without a window, in which every page is watched.

In: where Ulak listens, and what somebody does there. Out: Playwright's pages; and at the end of a visit everything that
should not have happened: errors on the console, violations of the policy, requests that failed or went to another host,
and pages that are wider than a telephone. `assert_accessible` asks axe about a page, in light and in dark, wide and
narrow. Nothing is ever fetched from outside: axe comes with the tests.
"""

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    async_playwright,
)

CHROMIUM: Final = shutil.which("chromium")
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
WAIT_MS: Final = 15_000
GRAVE: Final = ("serious", "critical")
EVERYTHING: Final = {"resultTypes": ["violations"]}
#: All that can be different in the dark.
COLOURS: Final = {**EVERYTHING, "runOnly": ["color-contrast"]}
#: What Chromium says of every answer above 399; answers are looked at themselves.
FAILED_TO_LOAD: Final = "Failed to load resource"


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser for many visits; they share nothing."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], headless=True
        )
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """One person at a browser of their own. `troubles` is what went wrong so far, by the page it happened on."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context, self.page, self.url = context, page, url
        self.troubles: list[str] = []
        self._host = urlsplit(url).netloc
        self._watch(page)

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, browser: Browser, url: str, **options: Any) -> AsyncIterator[Self]:
        """A visit with its own cookies; `options` are those of a Playwright context. Troubles fail it at its end."""
        context = await browser.new_context(base_url=url, **{"viewport": WIDE, "locale": "en-GB", **options})
        context.set_default_timeout(WAIT_MS)
        try:
            visit = cls(context, await context.new_page(), url)
            yield visit
            assert visit.troubles == [], "\n".join(visit.troubles)
        finally:
            await context.close()

    # what goes wrong

    def _watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._note(f"script failed: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _note(self, trouble: str) -> None:
        self.troubles.append(f"{self.page.url}: {trouble}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(FAILED_TO_LOAD):
            self._note(f"on the console: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != self._host:
            self._note(f"asked another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # which is a page that is left, or a file that is kept
            self._note(f"failed: {request.url} ({request.failure})")

    def _answered(self, response: Response) -> None:
        if response.status >= 500 or (
            response.status >= 400 and not response.request.is_navigation_request()
        ):
            self._note(f"{response.status} from {response.url}")

    # what somebody does

    async def go(self, path: str) -> int:
        """By the address bar; returns the status."""
        answer = await self.page.goto(path, wait_until="load")
        await self.measure()
        return answer.status if answer else 0

    async def press(self, name: str, *, role: Any = "button", exact: bool = True) -> None:
        """Press the first button or link of this name, and wait for the page that it leads to."""
        async with self.page.expect_navigation(wait_until="load"):
            await self.page.get_by_role(role, name=name, exact=exact).first.click()
        await self.measure()

    async def fill(self, **values: str) -> None:
        """Type into the fields of these names."""
        for name, value in values.items():
            await self.page.locator(f"[name={name}]:not([type=hidden])").first.fill(value)

    async def sign_in(self, name: str, password: str, door: str = "/panel") -> None:
        """By the door; whoever has a second factor is asked for it next."""
        await self.go(f"{door}/sign-in")
        await self.fill(name=name, password=password)
        await self.press("Sign in")

    async def text(self) -> str:
        """What stands on the page."""
        return await self.page.locator("body").inner_text()

    async def measure(self) -> None:
        """Whether the page fits a telephone."""
        before = self.page.viewport_size
        await self.page.set_viewport_size(NARROW)
        wide = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self._note(f"{wide} pixels too wide for a telephone: {await self.page.evaluate(WIDEST)}")
        if before:
            await self.page.set_viewport_size(before)

    async def save(self, name: str, path: Path) -> None:
        """Keep the file behind a link of this name."""
        async with self.page.expect_download() as download:
            await self.page.get_by_role("link", name=name, exact=True).first.click()
        await (await download.value).save_as(path)


#: The elements that stick out furthest, for the message.
WIDEST: Final = """() => [...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".table, pre, nav"))
  .slice(0, 3).map((element) => element.outerHTML.slice(0, 120)).join(" | ")"""


async def assert_accessible(page: Page) -> None:
    """Whatever axe finds serious or critical, in light and dark, wide and narrow, fails."""
    before = page.viewport_size
    found: list[str] = []
    for size in (WIDE, NARROW):
        await page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            results = await Axe().run(page, options=EVERYTHING if scheme == "light" else COLOURS)
            for one in results.response["violations"]:
                if one["impact"] in GRAVE:
                    nodes = "; ".join(
                        f"{node['html'][:160]} {node.get('failureSummary', '')[:220]}"
                        for node in one["nodes"][:3]
                    )
                    found.append(f"{scheme}, {size['width']} px: {one['id']}: {one['help']}: {nodes}")
    await page.emulate_media(color_scheme="light")
    if before:
        await page.set_viewport_size(before)
    assert found == [], f"{page.url}:\n" + "\n".join(found)

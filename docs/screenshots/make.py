"""`make screenshots`: the panel's main pages as pictures, from the demo, in Debian's Chromium.

Starts `ulak demo`, sends a campaign through the panel while it runs, and takes each page as a customer and an operator
see it. Everything it started is gone afterwards.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

HERE: Final = Path(__file__).parent
WIDE: Final = {"width": 1280, "height": 800}
NARROW: Final = {"width": 390, "height": 800}
TEXT: Final = "Sayın {isim}, siparişiniz bugün saat {saat} gibi kapınızda. Ulak Kargo"


@contextlib.contextmanager
def demo() -> Iterator[dict[str, str]]:
    """The demo's facts, for as long as the block lasts."""
    command = [sys.executable, "-m", "ulak", "demo", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def context(browser: Browser, size: Any, scheme: Any = "light", language: str = "en-GB") -> BrowserContext:
    """A browser of somebody's own."""
    return browser.new_context(
        viewport=size, color_scheme=scheme, locale=language, device_scale_factor=1, reduced_motion="reduce"
    )


def sign_in(page: Page, address: str, name: str, password: str) -> None:
    """Through the door."""
    page.goto(address)
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("button.primary")
    page.wait_for_selector("nav.main")


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture of what is shown, in 256 colours, which is a third of the size."""
    from PIL import Image

    path = HERE / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def customers(people: int) -> Path:
    """A file as a shop has it."""
    folder = Path(tempfile.mkdtemp(prefix="ulak-screenshots-"))
    names = ("Ayşe", "Ömer", "İpek", "Çağan", "Gül", "Umut", "Şirin", "Deniz")
    numbers = (*range(people), 901, 902)  # which the simulated carrier does not reach
    rows = [f"0555 {k // 1000:03d} {k % 1000:04d};{names[k % 8]};{9 + k % 9}:00" for k in numbers]
    path = folder / "musteriler.csv"
    path.write_text("\n".join(["telefon;isim;saat", *rows, "0212 555 00 00;Ev;12:00"]) + "\n", "utf-8")
    return path


def as_customer(browser: Browser, facts: dict[str, str]) -> None:
    """Sending from a file, and watching it."""
    page = context(browser, WIDE).new_page()
    sign_in(page, f"{facts['url']}/panel", facts["username"], facts["password"])
    page.goto(f"{facts['url']}/panel/send")
    page.click("summary:has-text('CSV')")
    file = customers(88)
    page.set_input_files("#file", file)
    page.click("button[value=file]")
    page.wait_for_selector("#column")
    page.fill("#text", TEXT)
    page.wait_for_selector("#cost")
    take(page, "send", whole=True)
    page.click("button[value=send]")
    page.wait_for_url("**/sendings/*")
    page.wait_for_selector("#state strong.good", timeout=30_000)
    page.reload()
    take(page, "sending")
    for name, path in (
        ("overview", ""),
        ("sendings", "/sendings"),
        ("credit", "/credit"),
        ("developers", "/developers"),
    ):
        page.goto(f"{facts['url']}/panel{path}")
        take(page, name)
    page.goto(f"{facts['url']}/panel/org/{facts['organizationId']}/organization")
    take(page, "organization")
    phone = context(browser, NARROW, "dark", "tr-TR").new_page()
    sign_in(phone, f"{facts['url']}/panel", facts["username"], facts["password"])
    take(phone, "overview-phone-dark-tr")
    shutil.rmtree(file.parent)


def as_operator(browser: Browser, facts: dict[str, str]) -> None:
    """The place from behind the counter."""
    page = context(browser, WIDE).new_page()
    sign_in(page, f"{facts['url']}/operator", facts["operator"], facts["operatorPassword"])
    page.wait_for_timeout(2500)  # until something has moved
    take(page, "operator-health")
    for name, path in (("operator-customers", "/customers"), ("operator-audit", "/audit")):
        page.goto(f"{facts['url']}/operator{path}")
        take(page, name)
    page.goto(f"{facts['url']}/operator/carriers")
    page.click("main table a")
    page.wait_for_selector("main h1")
    take(page, "operator-carrier")


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    with demo() as facts, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        as_customer(browser, facts)
        as_operator(browser, facts)
        browser.close()
    for path in sorted(HERE.glob("*.png")):
        print(f"{path.name}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()

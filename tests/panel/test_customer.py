"""What customers do in the panel, in a real browser: from the door to the last refund."""

import csv
import io
import re
import time
from pathlib import Path
from typing import Final

import httpx
import openpyxl
import pyotp
import pytest
from playwright.async_api import Browser, expect

from tests.harness import User, await_completed
from tests.harness.browser import Visit
from tests.panel.conftest import PASSWORD, Shop

MESSAGE_ID: Final = re.compile(r"[0-9a-f-]{36}")
COLUMNS: Final = ("to", "status", "message")


@pytest.fixture
def user(shop: Shop) -> User:
    return shop.customer()


@pytest.fixture
def client(shop: Shop, user: User) -> httpx.Client:
    return shop.ulak.as_user(user)


# coming in


async def test_a_wrong_password_says_so_and_the_right_one_leads_where_one_was_going(
    visit: Visit, user: User
) -> None:
    await visit.go("/panel/sendings?completed=true")
    await visit.fill(name=user.username, password="wrong")
    await visit.press("Sign in")
    await expect(visit.page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    await expect(visit.page.get_by_label("Username or e-mail")).to_have_value(user.username)

    await visit.fill(password=PASSWORD)
    await visit.press("Sign in")

    assert visit.page.url.endswith("/panel/sendings?completed=true")


async def test_a_second_factor_is_asked_for_once_it_is_on(visit: Visit, user: User) -> None:
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/account")
    await visit.press("Set up")
    secret = await visit.page.locator("code.key").inner_text()
    clock = pyotp.TOTP(secret)
    await visit.fill(code="000000")
    await visit.press("Turn on")
    await expect(visit.page.get_by_role("alert")).to_be_visible()
    await visit.press("Set up")
    clock = pyotp.TOTP(await visit.page.locator("code.key").inner_text())
    await visit.fill(code=clock.now())
    await visit.press("Turn on")
    await expect(visit.page.get_by_role("status")).to_contain_text("The second factor is on.")
    await visit.page.locator(".me summary").click()
    await visit.press("Sign out")

    await visit.sign_in(user.email, PASSWORD)
    assert visit.page.url.endswith("/panel/sign-in/code")
    await visit.go("/panel/keys")
    assert "/panel/sign-in" in visit.page.url, "half signed in is not signed in"
    await visit.sign_in(user.username, PASSWORD)
    await visit.fill(code="000000")
    await visit.press("Continue")
    await expect(visit.page.get_by_role("alert")).to_contain_text("That code does not fit.")
    await visit.fill(code=clock.at(int(time.time()) + 30))  # each is good once: the next one
    await visit.press("Continue")

    await expect(visit.page.get_by_role("heading", level=1)).to_have_text(user.username)


async def test_another_session_is_seen_and_ended(
    visit: Visit, browser: Browser, shop: Shop, user: User
) -> None:
    await visit.sign_in(user.username, PASSWORD)
    async with Visit.begun(browser, shop.ulak.url, user_agent="Somebody's old telephone") as other:
        await other.sign_in(user.username, PASSWORD)
        await visit.go("/panel/account")
        row = visit.page.get_by_role("row").filter(has_text="Somebody's old telephone")
        await expect(row).to_be_visible()

        async with visit.page.expect_navigation():
            await row.get_by_role("button", name="End").click()

        await expect(row).to_have_count(0)
        await other.go("/panel/account")
        assert "/panel/sign-in" in other.page.url


async def test_whoever_signs_out_is_out(visit: Visit, user: User) -> None:
    await visit.sign_in(user.username, PASSWORD)
    await visit.page.locator(".me summary").click()

    await visit.press("Sign out")

    await expect(visit.page.get_by_role("status")).to_have_text("You are signed out.")
    await visit.go("/panel")
    assert "/panel/sign-in" in visit.page.url
    await visit.page.go_back()
    assert user.username not in await visit.page.locator("body").inner_text()


# sendings


async def test_a_sending_moves_to_its_end_before_ones_eyes(
    visit: Visit, shop: Shop, user: User, client: httpx.Client
) -> None:
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel")
    await visit.page.evaluate("window.same = true")

    sending = shop.send(client, to=40, failing=3, text="It moves")
    row = visit.page.locator("#sendings tr").filter(has_text="It moves")
    await expect(row).to_be_visible()
    await expect(row.locator("td.good")).to_have_text("37")
    assert await visit.page.evaluate("window.same"), "no page was loaded anew"
    async with visit.page.expect_navigation():
        await row.get_by_role("link").click()
    await visit.measure()

    state = visit.page.locator("#state")
    await expect(state).to_contain_text("Completed")
    await expect(state.locator(".card").filter(has_text="refunded")).to_contain_text("0.15 USD")
    await expect(visit.page.locator("#messages .status.not_sent")).to_have_count(
        0
    )  # they stand on the last page
    await visit.page.locator("[name=status]").select_option("not_sent")
    await visit.press("Show")
    await expect(visit.page.locator("#messages tr")).to_have_count(3)
    await expect(visit.page.locator("#messages tr").first).to_contain_text("yes")
    assert shop.ulak.balance(user=user) == "998.150000"
    assert await_completed(client, sending)["stats"]["nOfRefunded"] == 3
    await visit.go("/panel")
    await expect(visit.page.locator("#credit")).to_have_text("998.15 USD")


async def test_a_sending_that_is_looked_at_moves_too(
    visit: Visit, shop: Shop, user: User, client: httpx.Client
) -> None:
    await visit.sign_in(user.username, PASSWORD)
    sending = shop.send(client, to=15, failing=2)
    await visit.go(f"/panel/sendings/{sending}")
    await visit.page.evaluate("window.same = true")

    await expect(visit.page.locator("#state")).to_contain_text("Completed")
    await expect(visit.page.locator("#messages .status.not_sent")).to_have_count(2)
    await expect(visit.page.locator("#messages .status.sent")).to_have_count(13)
    assert await visit.page.evaluate("window.same")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_an_export_holds_what_the_api_says(
    visit: Visit, shop: Shop, user: User, client: httpx.Client, tmp_path: Path, form: str
) -> None:
    sending = shop.send(client, to=12, failing=2, text='Ünlü "tırnak", virgül; =1+1')
    await_completed(client, sending)
    await visit.sign_in(user.username, PASSWORD)
    await visit.go(f"/panel/sendings/{sending}")

    await visit.save(f"Export {form.upper()}", tmp_path / f"sending.{form}")

    rows = rows_of(tmp_path / f"sending.{form}")
    assert sorted(rows) == sorted(as_the_api_has_them(client, sending))
    assert len(rows) == 12


def rows_of(path: Path) -> list[tuple[str, ...]]:
    """Number, status and text of each message in a file as the panel gives it."""
    if path.suffix == ".csv":
        table = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    else:
        book = openpyxl.load_workbook(path, read_only=True)
        table = [list(map(str, row)) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    names = [name.lower() for name in table[0]]
    return [tuple(dict(zip(names, row, strict=True))[name] for name in COLUMNS) for row in table[1:]]


def as_the_api_has_them(client: httpx.Client, sending: str) -> list[tuple[str, ...]]:
    """The same, asked of the API."""
    items = client.get(f"/sms-sendings/{sending}", params={"limit": 100}).json()["data"]["items"]
    return [(item["to"], item["status"], item["message"]) for item in items]


async def test_a_filtered_list_is_an_address_to_be_shared_and_to_come_back_to(
    visit: Visit, browser: Browser, shop: Shop, user: User, client: httpx.Client
) -> None:
    for n in range(23):
        shop.send(client, text=f"Kampanya {n}")
    last = shop.send(client, text="Something else")
    await_completed(client, last)
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/sendings")
    await visit.fill(text="kampanya")
    await visit.press("Show")
    await visit.press("Next", role="link")
    await expect(visit.page.locator("#sendings tr")).to_have_count(3)
    shared = visit.page.url
    async with visit.page.expect_navigation():
        await visit.page.locator("#sendings a").first.click()
    await visit.page.go_back()
    await expect(visit.page.locator("#sendings tr")).to_have_count(3)
    await visit.page.go_back()
    await expect(visit.page.locator("#sendings tr")).to_have_count(20)
    await expect(visit.page.locator("[name=text]")).to_have_value("kampanya")

    async with Visit.begun(browser, shop.ulak.url) as other:
        await other.go(shared.removeprefix(shop.ulak.url))
        await other.fill(name=user.username, password=PASSWORD)
        await other.press("Sign in")
        assert other.page.url == shared
        await expect(other.page.locator("#sendings tr")).to_have_count(3)


# keys, contexts, and how it looks


async def test_a_key_is_made_and_lets_a_program_in_until_it_is_revoked(
    visit: Visit, shop: Shop, user: User
) -> None:
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/keys")
    await visit.fill(name="from the panel")
    await visit.press("Make a key")
    secret = await visit.page.locator("#secret").inner_text()
    program = shop.ulak.client("/v1", {"x-api-key": secret})
    assert answer_to(program) == 200
    await visit.go("/panel/keys")
    assert await visit.page.locator("#secret").count() == 0, "it is shown once"
    row = visit.page.get_by_role("row").filter(has_text="from the panel")

    async with visit.page.expect_navigation():
        await row.get_by_role("button", name="Revoke").click()

    await expect(row).to_contain_text("revoked")
    assert answer_to(program) == 401


def answer_to(program: httpx.Client) -> int:
    """What becomes of somebody's program."""
    return program.get("/sms-sendings").status_code


async def test_a_member_changes_over_to_an_organization_and_finds_what_they_may_do_there(
    visit: Visit, shop: Shop, user: User
) -> None:
    reader = shop.organization(user, "organization.sms.read")
    sender = shop.organization(user, "organization.sms.send")
    shop.send(shop.ulak.as_user(user, sender), text="Theirs")
    await visit.sign_in(user.username, PASSWORD)
    menu = visit.page.get_by_role("navigation", name="Main")

    await visit.page.locator(".contexts summary").click()
    await visit.press(f"{reader.name} organization", role="link")
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text(reader.name)
    await expect(menu.get_by_role("link", name="Sendings")).to_be_visible()
    await expect(menu.get_by_role("link", name="Send", exact=True)).to_have_count(0)
    assert await visit.go(f"/panel/org/{reader.id}/send") == 403

    await visit.go(f"/panel/org/{sender.id}")
    await expect(menu.get_by_role("link", name="Sendings")).to_have_count(0)
    await expect(menu.get_by_role("link", name="Send", exact=True)).to_be_visible()
    assert "Theirs" not in await visit.text()
    assert await visit.go(f"/panel/org/{sender.id}/sendings") == 403
    await expect(visit.page.get_by_role("alert")).to_contain_text("You are not allowed to do this")
    await visit.press("To the first page", role="link")
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text(user.username)


async def test_who_looks_after_an_organization_adds_a_member_and_hands_out_credit(
    visit: Visit, shop: Shop, user: User
) -> None:
    every = ("sms.read", "sms.send", "users.read", "users.manage", "credit.manage")
    org = shop.organization(user, *(f"organization.{one}" for one in every))
    other = shop.customer()
    shop.ulak.credit(30, org=org)
    await visit.sign_in(user.username, PASSWORD)
    await visit.go(f"/panel/org/{org.id}/organization")

    await visit.page.get_by_label("Username").fill(other.username)
    await visit.press("Add")
    row = visit.page.get_by_role("row").filter(has_text=other.username)
    await row.locator("summary", has_text="Move credit").click()
    await row.get_by_label("Amount").fill("12.5")
    await row.get_by_label("Note").fill("for march")
    await row.get_by_role("button", name="Hand out").click()

    await expect(visit.page.get_by_role("status")).to_have_text("The credit is moved.")
    await expect(row).to_contain_text("12.50 USD")
    assert shop.ulak.balance(org=org, user=other) == "12.500000"
    assert shop.ulak.balance(org=org) == "17.500000"


async def test_language_and_appearance_are_kept(visit: Visit, user: User) -> None:
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/keys")

    await visit.press("Türkçe", role="link")
    assert await visit.page.locator("html").get_attribute("lang") == "tr"
    assert visit.page.url.endswith("/panel/keys")
    await visit.go("/panel/keys?theme=dark")
    dark = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    await visit.go("/panel/account?theme=light")
    light = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert dark == "rgb(18, 22, 20)"
    assert light == "rgb(245, 246, 244)"
    assert await visit.page.locator("html").get_attribute("lang") == "tr"


# without scripts


async def test_everything_but_what_moves_works_without_scripts(
    plain: Visit, shop: Shop, user: User, client: httpx.Client, tmp_path: Path
) -> None:
    sending = shop.send(client, to=3, failing=1, text="No scripts")
    await_completed(client, sending)
    await plain.sign_in(user.username, "wrong")
    await expect(plain.page.get_by_role("alert")).to_be_visible()
    await plain.sign_in(user.username, PASSWORD)
    assert "No scripts" in await plain.text()
    await plain.press("No scripts", role="link")
    await expect(plain.page.locator("#state")).to_contain_text("Completed")
    await expect(plain.page.locator("#messages .status.not_sent")).to_have_count(1)
    await plain.save("Export CSV", tmp_path / "plain.csv")
    assert len(rows_of(tmp_path / "plain.csv")) == 3
    await plain.go("/panel/keys")
    await plain.fill(name="plain")
    await plain.press("Make a key")
    await expect(plain.page.locator("#secret")).to_contain_text("ulak_")
    await plain.go("/panel/account")
    await plain.fill(password=PASSWORD, new_password="another one 2", new_password_again="another one 2")
    await plain.press("Change password")
    await expect(plain.page.get_by_role("status")).to_contain_text("Your password is changed")
    await plain.page.locator(".me summary").click()
    await plain.press("Sign out")
    await plain.sign_in(user.username, "another one 2")
    await expect(plain.page.get_by_role("heading", level=1)).to_have_text(user.username)


async def test_sending_works_without_scripts(plain: Visit, user: User) -> None:
    await plain.sign_in(user.username, PASSWORD)
    await plain.go("/panel/send")
    await plain.fill(to="905550009001\n905550009002", text="Without scripts")
    await plain.press("Check the price")
    await expect(plain.page.locator("#cost")).to_have_text("0.10 USD")

    await plain.press("Send")

    assert MESSAGE_ID.search(plain.page.url)
    await expect(plain.page.get_by_role("status")).to_have_text("Accepted and on its way.")

"""Sending from the panel, in a real browser: one number, a pasted list, a file whose columns fill the text."""

from pathlib import Path

from playwright.async_api import expect

from tests.harness.browser import Visit
from tests.panel.conftest import PASSWORD, Shop

ROWS = 1000


async def test_one_number_is_priced_while_one_types_and_sent(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.fill(to="905551110001", text="Merhaba")
    await expect(visit.page.locator("#cost")).to_have_text("0.05 USD")

    await visit.press("Send")

    await expect(visit.page.get_by_role("status")).to_have_text("Accepted and on its way.")
    await expect(visit.page.locator("#state")).to_contain_text("Completed")
    assert shop.ulak.balance(user=user) == "999.950000"


async def test_a_pasted_list_says_what_is_left_out_and_why(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.fill(to="0555 111 00 02\n+90 555 111 00 03, 905551110003\n12345\n", text="Liste")

    await expect(visit.page.locator("#valid")).to_have_text("2")
    await expect(visit.page.locator("#cost")).to_have_text("0.10 USD")
    await expect(visit.page.locator("#quote")).to_contain_text("repeated")
    await visit.press("Send")
    await expect(visit.page.locator("#messages tr")).to_have_count(2)


async def test_a_button_pressed_twice_sends_once(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.fill(to="905551110004", text="Once")

    await visit.page.get_by_role("button", name="Send", exact=True).dblclick()

    await expect(visit.page.locator("#state")).to_contain_text("Completed")
    await visit.go("/panel/sendings")
    await expect(visit.page.locator("#sendings tr")).to_have_count(1)
    assert shop.ulak.balance(user=user) == "999.950000"


async def test_too_little_credit_is_said_before_and_after_the_button(visit: Visit, shop: Shop) -> None:
    user = shop.customer(credit="0.05")
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.fill(to="905551110005, 905551110006", text="Dear")
    await expect(visit.page.locator("#quote")).to_contain_text("The credit is not enough.")

    await visit.press("Send")

    await expect(visit.page.get_by_role("alert").first).to_be_visible()
    assert shop.ulak.balance(user=user) == "0.050000"


async def test_a_file_fills_a_text_for_each_row_and_finishes_live(
    visit: Visit, shop: Shop, tmp_path: Path
) -> None:
    user = shop.customer()
    file = tmp_path / "müşteriler.csv"
    rows = [f"90555222{k:04d};Müşteri {k};{k % 7}" for k in range(ROWS)]
    file.write_text("phone;name;points\n" + "\n".join(rows) + "\n", "utf-8")
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.page.get_by_text("Send from a CSV file").click()
    await visit.page.locator("#file").set_input_files(file)
    await visit.press("Upload and go on")
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("müşteriler.csv")

    await visit.fill(text="Sayın {name}, {points} puanınız var.")
    await expect(visit.page.locator("#valid")).to_have_text("1,000")
    await visit.press("Send")
    await visit.page.evaluate("window.same = true")

    await expect(visit.page.locator("#state")).to_contain_text("Completed", timeout=60_000)
    await expect(visit.page.locator("#messages tr").first).to_contain_text("Sayın Müşteri 0, 0 puanınız var.")
    assert await visit.page.evaluate("window.same"), "no page was loaded anew"
    await expect(visit.page.locator("#state .card").filter(has_text="refunded")).to_contain_text("0.10 USD")
    assert shop.ulak.balance(user=user) == "950.100000", "numbers ending in 0901 and 0902 were refunded"


async def test_who_asks_too_often_is_told_and_priced_a_moment_later(visit: Visit, shop: Shop) -> None:
    user = shop.customer()
    shop.ulak.cli("user", "set-rate", user.username, "1")
    await visit.sign_in(user.username, PASSWORD)
    await visit.go("/panel/send")
    await visit.fill(to="905551110001", text="Merhaba")
    await expect(visit.page.locator("#cost")).to_have_text("0.05 USD")

    await visit.fill(to="905551110001, 905551110002")
    await expect(visit.page.locator("#quote")).to_contain_text("You may ask 1 times a second.")
    await expect(visit.page.locator("#cost")).to_have_text("0.10 USD")
    assert await visit.page.locator("#to").input_value() == "905551110001, 905551110002"
    assert ["429 from" in trouble for trouble in visit.troubles] == [True]
    visit.troubles.clear()

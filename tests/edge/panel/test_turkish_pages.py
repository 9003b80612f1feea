"""Every page as somebody reads it who chose Turkish: no English is left on it.

What people wrote is in Turkish here as well; codes, which are the same in every language, stand in <code>.
"""

import re
from typing import Final

import pytest

from tests.edge.panel.conftest import HOST, Browser, Town
from tests.edge.panel.test_languages import Words
from ulak.edge.panel.app import PAGES, paths

MARK: Final = "Çiğdem ışığı"

#: Words that are English and nothing else; "not", "on" and "in" are Turkish too.
ENGLISH: Final = frozenset(
    re.findall(
        r"\S+",
        """
        the of is are was were and or to for with your you this that from it its be been has have no yes never all any
        sent send sending sendings delivered failed message messages service services carrier carriers credit number
        numbers password sign make made new add change name state price charged refunded refund accepted completed
        customers customer user users active closed paused nothing here yet what who when why time text note amount
        balance since until show search save remove export page pages previous next older newer member members ended
        organization organizations key keys address addresses code session statement pool top-up correction
        operator header headers rule rules everyone health overview developers settings actions optional must there
        submitted receipt receipts waiting connections bound second seconds day days
        """,
    )
)
#: Whole ones: somewhere in an id there is a "be".
WORD: Final = re.compile(r"(?<!\w)[a-z]+(?:-[a-z]+)*(?!\w)")
#: Where codes stand between words: examples of what can be typed, how what carriers answer is written.
CODES: Final = {
    "/operator/audit": {"operator", "credit", "send", "read", "account"},  # scopes are the API's own words
    "/operator/carriers": {"text", "next", "message"},
}


@pytest.mark.parametrize("door", ["customer", "operator"])
async def test_no_english_is_left_on_a_turkish_page(town: Town, door: str) -> None:
    its = await town.hostile(MARK)
    ayse = await town.operator("ayşe")
    browser = await town.browser(ayse if door == "operator" else its.user)
    browser.client.cookies.set("ulak_language", "tr", domain=HOST, path="/")
    carriers = await _ids(town, "SELECT id FROM carriers")
    known = {
        "/users/{id}": its.user.id,
        "/organizations/{id}": its.org.id,
        "/services/{id}": its.ids["service"],
        "/carriers/{id}": carriers[0],
        "/search/messages/{id}": its.org_ids["messages"],
        "/search/sendings/{id}": its.org_ids["sendings"],
        "{user}": its.user.id,
    }
    seen = 0
    for page in PAGES[door]:
        for path in paths(door, page):
            if page.method != "GET" or path.endswith(("/live", ".{form}", ".csv")):
                continue
            own = its.org_ids if "{org}" in path else its.ids
            filled = path.replace("{org}", str(its.org.id)).replace("{message}", own["messages"])
            for part, value in known.items() if door == "operator" else ():
                filled = filled.replace(part, part.replace("{id}", str(value)).replace("{user}", str(value)))
            filled = filled.replace("/send/{id}", f"/send/{own['send']}")
            seen += await _is_turkish(browser, filled.replace("{id}", own["sendings"]))
    assert seen > 15


async def _ids(town: Town, statement: str) -> list[object]:
    async with town.db.reading() as tx:
        return [id_ for (id_,) in await tx.fetch(statement)]


async def _is_turkish(browser: Browser, path: str) -> bool:
    answer = await browser.get(path)
    if answer.status_code == 303:
        return False  # to a page that is looked at itself
    assert answer.status_code in (200, 404), f"{path}: {answer.status_code}"
    assert '<html lang="tr"' in answer.text, path
    said = " ".join(Words(answer.text).found).replace(f"text {MARK}", MARK).lower()
    codes = next((codes for start, codes in CODES.items() if path.startswith(start)), set())
    assert set(WORD.findall(said)) & ENGLISH - codes == set(), path
    return True

"""A short fuzz, with a seed that is not always the same and is printed; `make fuzz` runs long ones."""

import random
import warnings

import httpx
import pytest

from tests.fuzz import laws
from tests.fuzz.forms import Page
from tests.fuzz.fuzz import fuzz
from tests.fuzz.tally import Budget, Tally
from ulak.edge.panel.security import HEADERS

SECONDS = 6
"""Of all parts; each goes at least once round."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_whatever_is_sent_the_laws_hold() -> None:
    seed = random.randrange(1_000_000)
    print(f"make fuzz SEED={seed} SECONDS={SECONDS}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what schemathesis finds odd
        result = fuzz(seed, Budget(SECONDS), Tally())

    assert result.broken == []
    assert result.tally.inputs > 1000


@pytest.mark.parametrize(
    ("status", "changed", "html"),
    [
        (500, {}, ""),
        (303, {"location": "//evil.example"}, ""),
        (200, {"x-injected": "1"}, ""),
        (200, {"x-frame-options": ""}, ""),
        (200, {}, "<p><script>alert(1)</script>"),
        (200, {}, "<input value='' onmouseover='alert(1)'>"),
        (200, {}, "<a href='javascript:alert(1)'>"),
        (200, {}, "<!-- a -->"),
    ],
)
def test_a_page_that_is_not_ours_breaks_a_law(status: int, changed: dict[str, str], html: str) -> None:
    headers = {"content-type": "text/html", **HEADERS}
    fine = httpx.Response(200, headers=headers, text="<p>&lt;script&gt;alert(1)</p>")

    assert list(laws.of_the_panel(fine)) == []
    assert list(laws.of_the_panel(httpx.Response(status, headers=headers | changed, text=html)))


def test_a_form_is_sent_as_a_browser_would() -> None:
    html = (
        '<a href="?page=2">2</a><form method="post" action="/panel/x"><input type="hidden" name="csrf" value="t">'
        '<input name="to" required><select name="s"><option value="1"><option value="2" selected></select>'
        '<textarea name="text">Merhaba</textarea><input type="radio" name="r" value="a">'
        '<input type="radio" name="r" value="b" checked><input type="checkbox" name="c" value="on">'
        '<input type="file" name="file"><button name="intent" value="go"><button name="intent" value="stop"></form>'
    )

    page = Page(html, "/panel/y")
    [form] = page.forms

    assert sorted(form.pairs) == [
        *(("csrf", "t"), ("intent", "go"), ("r", "b"), ("s", "2"), ("text", "Merhaba"), ("to", "")),
    ]
    assert sorted(form.kinds) == ["c", "csrf", "file", "intent", "r", "s", "text", "to"]
    assert form.options["intent"] == ["go", "stop"]
    assert (form.files, form.required) == (["file"], {"to"})
    assert page.addresses == ["/panel/y?page=2", "/panel/x"]

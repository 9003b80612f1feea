"""Forms without files, read as a browser wrote them and as nobody would."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.edge.panel import forms

PIECES = ("%", "%4", "%C5%9F", "%0D%0A", "%zz", "+", "&", "=", "a", "\xe9")


@given(st.lists(st.sampled_from(PIECES)).map("".join), st.integers(3, 50))
def test_fields_are_what_the_standard_library_makes_of_them(text: str, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "STEP_BYTES", step)
        found = forms._fields(text.encode("ascii", "ignore"))

    text = text.encode("ascii", "ignore").decode()
    assert found.multi_items() == parse_qsl(text, keep_blank_values=True)


def test_more_fields_than_any_page_has_are_refused() -> None:
    with pytest.raises(ValueError, match="fields"):
        forms._fields(b"a=1&" * forms.FIELDS_MAX)

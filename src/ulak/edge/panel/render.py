"""Templates: one environment for each language, everything escaped, an unknown name an error."""

from datetime import tzinfo
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ulak.edge.panel import browsers, charts
from ulak.edge.panel.languages import NAMES, Language, language
from ulak.rules import phone

ROOT: Final = Path(str(resources.files("ulak.edge.panel")))


@lru_cache
def environment(code: str, zone: tzinfo) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
        auto_reload=False,
    )
    its = language(code, zone)
    made.globals |= {
        "_": its.say,
        "ngettext": its.say_many,
        "language": its,
        "languages": NAMES,
        "charts": charts,
        "translated": lambda words: [(name, its.say(text)) for name, text in words.items()],
    }
    made.filters |= _filters(its)
    return made


def _filters(its: Language) -> dict[str, Any]:
    return {
        "number": its.number,
        "percent": its.percent,
        "money": its.money,
        "exact": its.exact,
        "time": its.time,
        "moment": its.moment,
        "clock": its.clock,
        "day": its.day,
        "span": its.span,
        "sentence": its.sentence,
        "phone": phone.shown,
        "query": query,
        "browser": browsers.named,
    }


def query(values: dict[str, Any], **changes: Any) -> str:
    """A query string of what is not empty, with some values changed."""
    kept = {name: value for name, value in {**values, **changes}.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else "?"

"""The panel's languages: sentences, numbers, money and times as a reader expects them.

English is what stands in the templates and in the code; a translation is a file `locale/CODE.po`, read when the panel
is loaded. What a refusal says is translated by what it was made of (`rules.refusal.said`).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from io import BytesIO
from string import Formatter
from typing import Any, Final

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from ulak.rules.money import MICRO, Amount
from ulak.rules.refusal import Fault, Refused, Sentence

CODES: Final = ("en", "tr")
NAMES: Final = {"en": "English", "tr": "Türkçe"}
_ACCEPTED_LENGTH_MAX: Final = 200
_WEIGHT: Final = re.compile(r"(?:[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


def N_(text: str) -> str:  # noqa: N802 - the name by which translators' tools know it
    """Marks a text for translation where it is not shown yet."""
    return text


@dataclass(frozen=True)
class Language:
    """One language, and the time zone in which times are shown."""

    code: str
    zone: tzinfo
    locale: Locale
    translations: NullTranslations

    def say(self, text: str, **values: Any) -> str:
        """A sentence, with its `%(name)s` filled in."""
        found = self.translations.gettext(text)
        return found % values if values else found

    def say_many(self, one: str, many: str, n: int, **values: Any) -> str:
        """A sentence about `n` things; `%(n)s` is written as people do."""
        found = self.translations.ngettext(one, many, n)
        return found % {"n": self.number(n), **values}

    def sentence(self, text: str) -> str:
        """What a refusal says, in this language where it is known."""
        if isinstance(text, Sentence):
            template = self.translations.gettext(text.template)
            return _Values(self).vformat(template, (), text.values)
        return self.translations.gettext(text) if text else ""

    def refusal(self, refused: Refused) -> str:
        """Why something was refused."""
        return self.sentence(refused.message)

    def fault(self, fault: Fault) -> str:
        """What is wrong with a field."""
        return self.sentence(fault.message)

    def number(self, n: float) -> str:
        """With separators between thousands."""
        return str(numbers.format_decimal(n, locale=self.locale))

    def rate(self, per_second: float) -> str:
        """How often a second: to a tenth, and to a hundredth where it is less than once."""
        return str(numbers.format_decimal(per_second, "#,##0.#" if per_second >= 1 else "0.##", self.locale))

    def decimal(self, typed: str) -> str:
        """A number that somebody typed, with a point before its decimals: "12,5" where that is how it is written."""
        comma = self.locale.number_symbols["latn"]["decimal"] == ","
        return typed.replace(",", ".") if comma and "." not in typed else typed

    def percent(self, share: float) -> str:
        """A share of 1."""
        return str(
            numbers.format_percent(share, "#,##0.#%" if self.code == "en" else "%#,##0.#", self.locale)
        )

    def money(self, micros: int, currency: str = "", *, decimals: int = 2) -> str:
        """An amount with as many decimals as it needs, `decimals` at least."""
        from decimal import Decimal

        pattern = f"#,##0.{'0' * decimals}{'#' * (6 - decimals)}"
        amount = str(numbers.format_decimal(Decimal(micros) / MICRO, pattern, self.locale))
        return f"{amount} {currency}" if currency else amount

    def exact(self, micros: Fraction) -> str:
        """An amount in between, to twelve decimals where it has them."""
        from decimal import Decimal

        amount = Decimal(round(micros * MICRO)) / MICRO**2
        return str(numbers.format_decimal(amount, "#,##0.00##########", self.locale))

    def time(self, at: datetime | None) -> str:
        """To the second."""
        return "" if at is None else self._written(at, "medium")

    def moment(self, at: datetime | None) -> str:
        """To the minute."""
        return "" if at is None else self._written(at, "short")

    def _written(self, at: datetime, form: str) -> str:
        its = at.astimezone(self.zone)
        day = dates.format_date(its, "d MMM y", self.locale)
        return f"{day} {its:%H:%M:%S}" if form == "medium" else f"{day} {its:%H:%M}"

    def clock(self, at: datetime | None) -> str:
        """The time of day."""
        return "" if at is None else f"{at.astimezone(self.zone):%H:%M:%S}"

    def day(self, day: date) -> str:
        """A day."""
        return str(dates.format_date(day, "d MMM", self.locale))

    def span(self, seconds: float) -> str:
        """How long, in the one or two units that matter."""
        if round(seconds, 3) < 1:
            return f"{seconds * 1000:.0f} ms"
        whole = timedelta(seconds=round(seconds))
        if seconds < 60:
            return str(dates.format_timedelta(whole, "second", 1, format="short", locale=self.locale))
        return str(dates.format_timedelta(whole, "minute", 1, format="short", locale=self.locale))


class _Values(Formatter):
    """Fills a sentence's values in as a language writes them: sentences, amounts, times, numbers."""

    def __init__(self, its: Language) -> None:
        self._language = its

    def format_field(self, value: Any, form: str) -> str:
        """One value."""
        if isinstance(value, Sentence):
            return self._language.sentence(value)
        if isinstance(value, Amount):
            return self._language.money(value)
        if isinstance(value, datetime):
            return self._language.moment(value)
        return self._language.number(value) if form == "," else str(super().format_field(value, form))


@lru_cache
def language(code: str, zone: tzinfo) -> Language:
    """A language by its code."""
    return Language(code, zone, Locale(code), _translations(code))


@lru_cache
def _translations(code: str) -> NullTranslations:
    file = resources.files("ulak.edge.panel").joinpath("locale", f"{code}.po")
    if not file.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as opened:
        write_mo(compiled, read_po(opened, code))
    compiled.seek(0)
    return Translations(compiled)


def chosen(wanted: str | None, accepted: str) -> str:
    """The code to use: what somebody chose, else what their browser says first, else English."""
    if wanted in CODES:
        return wanted
    return next((code for code in _preferences(accepted[:_ACCEPTED_LENGTH_MAX]) if code in CODES), CODES[0])


def _preferences(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first; what cannot be read is left out."""
    found = []
    for k, part in enumerate(accepted.split(",")):
        tag, _, rest = part.partition(";")
        weight = _WEIGHT.fullmatch(rest.strip())
        if weight:
            found.append((-float(weight[1] or 1), k, tag.strip().partition("-")[0].lower()))
    return [code for weight, _, code in sorted(found) if weight < 0]

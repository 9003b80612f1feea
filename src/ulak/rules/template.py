"""Templates: one text with {placeholders}, filled for each row of a table.

In: what somebody wrote, the names of the columns, rows. Out: a text for each row that has one, clean and fit to be
sent, and a fault for each that has not. A placeholder is a column's name in braces, whatever its case (`text.fold`) and
the spaces around it; {{ and }} are the braces themselves. A name that is no column's is refused, with the one that was
probably meant. Nothing is ever looked up, computed or formatted: a value comes into the text as it stands in the row.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

from ulak.rules.refusal import Code, Refused, said
from ulak.rules.text import TEXT_MAX, clean, fault, fold

TEMPLATE_MAX: Final = 1000
"""Characters; a placeholder may be longer than what it stands for."""
FAULTS_MAX: Final = 20
"""Rows that are named; all of them are counted."""

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")

Reason = Literal["text_empty", "text_too_long", "text_unfit"]
"""Why a filled text cannot be sent (`text.fault`): nothing in it but spaces, more than 160 characters, or characters
that no text may hold."""


class RowFault(NamedTuple):
    """A row without a text: which one, counted from 0, why, and how long the text would be."""

    row: int
    reason: Reason
    characters: int


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows that were filled: `texts` and the `rows` they are of, counted from 0.

    `reasons` counts the rows without a text and `faults` names the first of them; `empty` counts, by the column's
    name, the rows in which a placeholder's value was empty.
    """

    texts: list[str]
    rows: list[int]
    reasons: Mapping[Reason, int]
    faults: tuple[RowFault, ...]
    empty: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Template:
    """A text taken apart: `names` are its placeholders in their order, each once, as they were written first; `pieces`
    its literal texts, and for each placeholder between them its place in `names`."""

    names: tuple[str, ...]
    pieces: tuple[str | int, ...]

    def on(self, columns: Sequence[str]) -> "Fillable":
        """The template for rows of these columns; refused with `invalid_value` when one of its names is no column's."""
        known: dict[str, int] = {}
        for place, column in enumerate(columns):
            known.setdefault(_folded(column), place)
        for name in self.names:
            if _folded(name) not in known:
                raise _unknown(name, columns, known)
        places = tuple(known[_folded(name)] for name in self.names)
        form = "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in self.pieces)
        order = tuple(places[piece] for piece in self.pieces if isinstance(piece, int))
        return Fillable(form, order, {place: columns[place] for place in places})


@dataclass(frozen=True, slots=True)
class Fillable:
    """A template that knows its columns: `form` has a %s for each cell of `order`; `used` are the columns it reads."""

    form: str
    order: tuple[int, ...]
    used: Mapping[int, str]

    def fill(self, row: Sequence[str]) -> str:
        """The text of a row, clean; whether it can be sent is for `rules.text.fault` to say."""
        return clean(self.form % tuple([row[place].strip() for place in self.order]))

    def fill_all(self, rows: Sequence[Sequence[str]]) -> Filled:
        """The texts of all rows."""
        texts, kept, reasons = list[str](), list[int](), Counter[Reason]()
        faults: list[RowFault] = []
        for n, row in enumerate(rows):
            text = self.fill(row)
            reason = why_not(text)
            if reason is None:
                texts.append(text)
                kept.append(n)
                continue
            reasons[reason] += 1
            if len(faults) < FAULTS_MAX:
                faults.append(RowFault(n, reason, len(text)))
        return Filled(texts, kept, reasons, tuple(faults), self._empty(rows))

    def _empty(self, rows: Sequence[Sequence[str]]) -> dict[str, int]:
        """In how many rows each of the columns has nothing."""
        counted = {name: [row[place].strip() for row in rows].count("") for place, name in self.used.items()}
        return {name: n for name, n in counted.items() if n}


def parse(template: str) -> Template:
    """A template taken apart; refused with `invalid_value` where a brace has no partner or no name in it."""
    if len(template) > TEMPLATE_MAX:
        raise _refused(
            "A text with placeholders has at most {most} characters, this has {n}.",
            most=TEMPLATE_MAX,
            n=len(template),
        )
    names: dict[str, tuple[int, str]] = {}
    pieces: list[str | int] = []
    for written, name in _taken_apart(template):
        if name is None:
            pieces.append(written)
        else:
            pieces.append(names.setdefault(_folded(name), (len(names), name))[0])
    return Template(tuple(name for _, name in names.values()), tuple(pieces))


def why_not(text: str) -> Reason | None:
    """Why a clean text cannot be sent, as a word; None when it can."""
    if fault(text) is None:
        return None
    if len(text) > TEXT_MAX:
        return "text_too_long"
    return "text_empty" if not text or text.isspace() else "text_unfit"


def _taken_apart(template: str) -> Iterator[tuple[str, str | None]]:
    """Literal texts with None, and placeholders with their names."""
    for found in _PIECE.finditer(template):
        written, name = found[0], found[1]
        if name is not None:
            if not name.strip():
                raise _refused("There is no column's name between {braces}.", braces="{}")
            yield written, " ".join(name.split())
        elif written in ("{", "}"):
            raise _refused(
                "The {brace} at character {place} has no partner; write {doubled} for the character itself.",
                brace=written,
                place=found.start() + 1,
                doubled=written * 2,
            )
        else:
            yield written[:1] if written in ("{{", "}}") else written, None


def _folded(name: str) -> str:
    return fold(clean(" ".join(name.split())))


def _unknown(name: str, columns: Sequence[str], known: Mapping[str, int]) -> Refused:
    near = get_close_matches(_folded(name), list(known), n=1)
    if near:
        return _refused(
            "There is no column {name}. Did you mean {near}?",
            name="{" + name + "}",
            near="{" + columns[known[near[0]]] + "}",
        )
    return _refused(
        "There is no column {name}; there are {columns}.",
        name="{" + name + "}",
        columns=", ".join("{" + column + "}" for column in columns[:10]) + ("…" if len(columns) > 10 else ""),
    )


def _refused(sentence: str, **values: object) -> Refused:
    return Refused(Code.INVALID_VALUE, said(sentence, **values))

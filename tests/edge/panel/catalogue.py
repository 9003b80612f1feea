"""Every text of the panel, found where it stands; `python -m tests.edge.panel.catalogue` (`make messages`) brings the
translations up to date.

In: the templates, and the Python whose sentences the panel shows. Out: catalogues, and `locale/*.po` rewritten in
place: sorted, new texts empty, those that are gone dropped, nothing guessed, and no dates or line numbers, so that a
diff shows what was said anew and nothing else. `pybabel` would do, but for sentences that are an argument of a refusal
within another call, and for the noise.
"""

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from ulak.edge.panel.languages import CODES
from ulak.edge.panel.render import ROOT

SOURCE: Final = ROOT.parents[1]
LOCALE: Final = ROOT / "locale"
TRANSLATED: Final = [code for code in CODES if code != "en"]

#: Which arguments of a call are texts; two are one text for one thing and for many.
CALLS: Final = {
    "N_": (0,),
    "say": (0,),
    "say_many": (0, 1),
    "said": (0,),
    "kept": (0,),
    "_refused": (0,),
    "Refused": (1,),
    "Fault": (1,),
}
#: The same where most sentences are for programs only.
PROGRAMS: Final = {"said": (0,)}

OPTIONS: Final = {
    "extensions": "jinja2.ext.do",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
}

Text = str | tuple[str, str]


@lru_cache
def texts() -> frozenset[Text]:
    """All there is to translate."""
    return frozenset(_written())


def _written() -> Iterator[Text]:
    for path in sorted(SOURCE.rglob("*.py")):
        room, *rest = path.relative_to(SOURCE).parts
        if room not in ("admin", "flow", "rules", "store", "edge") or rest[0] in ("cli", "carrier", "demo"):
            continue
        of_panel = room in ("admin", "flow", "rules") or rest[0] == "panel"
        yield from in_python(path.read_text("utf-8"), CALLS if of_panel else PROGRAMS)
    for path in sorted((ROOT / "templates").rglob("*.*")):
        yield from in_template(path)


def in_python(source: str, calls: dict[str, tuple[int, ...]]) -> Iterator[Text]:
    """The texts in some Python: arguments that are texts themselves, or one of two."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        places = calls.get(name, ())
        if not places or len(node.args) <= places[-1]:
            continue
        found = [list(_literals(node.args[place])) for place in places]
        if len(found) == 2:
            yield from zip(*found, strict=True)
        else:
            yield from found[0]


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def in_template(path: Path) -> Iterator[Text]:
    """The texts in a template."""
    with path.open("rb") as opened:
        for _, function, found, _ in babel_extract(opened, ("_", "gettext", "ngettext"), (), OPTIONS):
            if function == "ngettext":
                one, many, *_rest = found
                yield one, many
            else:
                text = found[0] if isinstance(found, tuple) else found
                if text:
                    yield text


def read(code: str) -> Catalog:
    """A translation as it stands."""
    path = LOCALE / f"{code}.po"
    if not path.is_file():
        return Catalog(code)
    with path.open("rb") as opened:
        return read_po(opened, code)


def comment(code: str) -> str:
    """What translators have written at the head of a file."""
    path = LOCALE / f"{code}.po"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    head = lines[: next((k for k, line in enumerate(lines) if not line.startswith("#")), 0)]
    return "\n".join(head)


def renewed(code: str) -> Catalog:
    """The translation with exactly the texts that there are now."""
    old = read(code)
    new = Catalog(code, header_comment=comment(code), fuzzy=False)
    for text in texts():
        key = text if isinstance(text, str) else text[0]
        known = old.get(key)
        is_same = known is not None and isinstance(known.id, tuple) == isinstance(text, tuple)
        new.add(text, known.string if known is not None and is_same else "")
    return new


def rendered(code: str) -> bytes:
    """The file of a translation, brought up to date."""
    new, head = renewed(code), comment(code)
    written = BytesIO(f"{head}\n".encode() if head else b"")
    written.seek(0, SEEK_END)
    written.write(_header(new).encode())
    write_po(written, new, width=110, omit_header=True, sort_output=True, ignore_obsolete=True)
    return written.getvalue()


def write(code: str) -> list[Text]:
    """Bring a translation up to date; returns what is still to be translated."""
    (LOCALE / f"{code}.po").write_bytes(rendered(code))
    return [message.id for message in read(code) if message.id and not _is_whole(message.string)]


def _header(catalog: Catalog) -> str:
    lines = (
        "Content-Type: text/plain; charset=utf-8",
        f"Plural-Forms: {catalog.plural_forms}",
        f"Language: {catalog.locale}",
    )
    return 'msgid ""\nmsgstr ""\n' + "".join(f'"{line}\\n"\n' for line in lines) + "\n"


def _is_whole(string: str | tuple[str, ...]) -> bool:
    return bool(string) and (isinstance(string, str) or all(string))


def main() -> None:
    """Bring every translation up to date, and say what is missing."""
    for code in TRANSLATED:
        missing = write(code)
        print(f"{code}: {len(texts())} texts, {len(missing)} to translate")
        for text in missing:
            print(f"  {text!r}")


if __name__ == "__main__":
    sys.exit(main())

"""Forms: what a browser sent, within its bounds, as text and files."""

import asyncio
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from ulak.edge.gate import Body
from ulak.edge.panel.languages import N_
from ulak.rules.refusal import Code, Refused, said

FIELDS_MAX: Final = 200
ENCODED: Final = "application/x-www-form-urlencoded"
THREAD_BYTES_MIN: Final = 64 * 1024
STEP_BYTES: Final = 64 * 1024
_WHOLE: Final = re.compile(r"[0-9]{1,15}")
TOKEN: Final = "csrf"  # noqa: S105 - the name of a field


class Values(dict[str, str]):
    """What was typed, by name; what was not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


class Form:
    """A form's fields; a field that is not there is empty."""

    def __init__(self, data: FormData) -> None:
        self._data = data

    def __getitem__(self, name: str) -> str:
        """A field without what stands around it."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """A field exactly as it was sent."""
        value = self._data.get(name, "")
        return value if isinstance(value, str) else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for value in self._data.getlist(name) if isinstance(value, str)]

    def given(self, name: str) -> str | None:
        """A field, or None where nothing was filled in."""
        return self[name] or None

    def file(self, name: str) -> UploadFile | None:
        """A file that was chosen."""
        value = self._data.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    async def close(self) -> None:
        """Let go of the file."""
        await self._data.close()

    @property
    def values(self) -> Values:
        """The text fields, to fill the form in again; without what is secret."""
        return Values(
            (name, value)
            for name, value in self._data.items()
            if isinstance(value, str) and name != TOKEN and "password" not in name
        )


def whole(form: Form, name: str, label: str) -> int:
    """A whole number that is not negative."""
    if not _WHOLE.fullmatch(form[name]):
        raise Refused(Code.INVALID_VALUE, said("{field}: write a whole number, like 60.", field=said(label)))
    return int(form[name])


def whole_or_none(form: Form, name: str, label: str) -> int | None:
    """The same where nothing may be filled in."""
    return whole(form, name, label) if form[name] else None


async def read(request: Request, body: Body, bytes_max: int) -> Form:
    """The form of a request, whose body has at most so many bytes; refused when it is none."""
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == ENCODED:
            data = await _decoded(await body.read())
        else:
            bounded = Request(request.scope, body.receive)
            data = await bounded.form(max_files=1, max_fields=FIELDS_MAX, max_part_size=bytes_max)
    except (MultiPartException, ValueError):
        raise Refused(Code.INVALID_VALUE, N_("The form cannot be read.")) from None
    form = Form(data)
    if any("\0" in value for value in form.values.values()):
        raise Refused(Code.INVALID_VALUE, N_("A field holds a character that cannot be kept."))
    return form


async def _decoded(raw: bytes) -> FormData:
    """The fields of a form without files; a long one takes its time, and holds up nobody else meanwhile."""
    return _fields(raw) if len(raw) <= THREAD_BYTES_MIN else await asyncio.to_thread(_fields, raw)


def _fields(raw: bytes) -> FormData:
    if raw.count(b"&") >= FIELDS_MAX:
        raise ValueError("too many fields")
    pairs = [pair.partition(b"=") for pair in raw.replace(b"+", b" ").split(b"&") if pair]
    return FormData([(_unquoted(name), _unquoted(value)) for name, _, value in pairs])


def _unquoted(value: bytes) -> str:
    """What was written with %XX, in steps that are short each, however long it is."""
    pieces, at = [], 0
    while at < len(value):
        end = at + STEP_BYTES
        cut = value.rfind(b"%", end - 2, end) if end < len(value) else -1
        end = end if cut < 0 else cut
        pieces.append(unquote_to_bytes(value[at:end]))
        at = end
    return b"".join(pieces).decode("utf-8", "replace")

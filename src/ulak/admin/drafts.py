"""Drafts: what somebody is about to send in the panel, from the upload to the button.

In: a table of numbers and what goes into their texts (`rules.table`), then the service, the text and the column of the
numbers as they are chosen. Out: the draft again, for its own user in its own context, and the one `Request` that both
the quote and the button are made of. A draft lasts a day, and a user has a few; nobody else sees it, and no audit line
is written, for nothing has happened yet.

Its id is the request's name (`store.idempotency`): however often the button is pressed, it is charged once and becomes
one sending. The name outlives the draft, so a draft that is still there cannot be sent twice.
"""

import asyncio
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from ulak.base.db import Database
from ulak.flow.accept import THREAD_RECIPIENTS_MIN, Request, now
from ulak.rules import ids, template
from ulak.rules.refusal import Code, Fault, Refused, said
from ulak.rules.stretches import milliseconds
from ulak.rules.table import LineFault, Reason, Table
from ulak.rules.tenancy import Context
from ulak.rules.text import clean, fault
from ulak.store import drafts, idempotency
from ulak.store.drafts import Head

KEPT: Final = idempotency.KEPT
"""Never longer than a name, or it could be sent again."""
DRAFTS_MAX: Final = 10
"""Of a user in a context; the oldest go."""
BODY_BYTES_MAX: Final = 32 * 1024 * 1024
"""Packed, before it is compressed."""
NAME_MAX: Final = 200
"""Characters."""
PATH: Final = "/panel/send"
"""Where the names of drafts stand among other requests'."""

_pack: Final = msgspec.msgpack.Encoder().encode
_row: Final = msgspec.msgpack.Decoder(list[str]).decode


class _Kept(msgspec.Struct):
    """A table whose rows are not unpacked yet."""

    columns: tuple[str, ...]
    has_header: bool
    rows: list[msgspec.Raw]
    lines: list[int]
    numbers_in: int | None
    reasons: dict[Reason, int]
    faults: tuple[LineFault, ...]
    encoding: str
    separator: str


_unpack: Final = msgspec.msgpack.Decoder(_Kept).decode


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft with its rows. `sending_id` is what it has become, when the button was pressed already."""

    who: Context
    head: Head
    table: Table
    sending_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A draft as a request, to be quoted or accepted; `rows` are the rows of the table that are in it, in its order.

    Where every row has its own text, `filled` says which rows have none; they are not in the request.
    """

    request: Request
    rows: list[int] | range
    filled: template.Filled | None


async def keep(
    db: Database, who: Context, table: Table, *, name: str, service_id: UUID | None = None, text: str = ""
) -> Draft:
    """Keep a table; refused with `payload_too_large` or `invalid_value`."""
    _check(text, table.numbers_in, table)
    body = await asyncio.to_thread(_packed, table)
    at = now()
    head = Head(
        id=ids.new_id(milliseconds(at)),
        name="".join(character for character in name if character.isprintable())[:NAME_MAX],
        service_id=service_id,
        text=text,
        numbers_in=table.numbers_in,
        n_rows=len(table.rows),
        created_at=at,
        expires_at=at + KEPT,
    )
    async with db.transaction() as tx:
        await drafts.add(tx, who, head, body)
        await drafts.leave_newest(tx, who, DRAFTS_MAX)
    return Draft(who, head, table)


async def all(db: Database, who: Context) -> list[Head]:
    """This user's drafts in this context, newest first."""
    async with db.reading() as tx:
        return await drafts.all(tx, who, now())


async def find(db: Database, who: Context, id_: UUID) -> Draft:
    """One of them; refused with `not_known` when there is none, another user's and another context's included."""
    at = now()
    async with db.moment() as tx:
        found = await drafts.find(tx, who, id_, at)
        claim = await idempotency.find(tx, request_name(who, id_), at)
    if found is None:
        raise _no_draft()
    head, body = found
    return Draft(who, head, await asyncio.to_thread(_unpacked, body), claim.sending_id if claim else None)


async def change(
    db: Database, draft: Draft, *, service_id: UUID | None, text: str, numbers_in: int | None
) -> Draft:
    """Write what was chosen; refused with `not_known` when it has gone meanwhile, `invalid_value` where it does not
    fit the table. A text that cannot be sent may be kept: it is not ready yet."""
    _check(text, numbers_in, draft.table)
    async with db.transaction() as tx:
        head = await drafts.change(
            tx, draft.who, draft.head.id, now(), service_id=service_id, text=text, numbers_in=numbers_in
        )
    if head is None:
        raise _no_draft()
    return Draft(draft.who, head, draft.table, draft.sending_id)


async def discard(db: Database, who: Context, id_: UUID) -> None:
    """Throw it away; one that is not there is no fault. What it has become stays."""
    async with db.transaction() as tx:
        await drafts.discard(tx, who, id_)


async def ready(draft: Draft) -> Ready:
    """The draft as what `Acceptance.quote` and `Acceptance.accept` take.

    Refused with `invalid_value` while the service or the column of the numbers is not chosen or a placeholder is no
    column's, `validation_failed` when the text cannot be sent, `no_valid_recipient` when no row has a text.
    """
    if draft.head.n_rows > THREAD_RECIPIENTS_MIN:
        return await asyncio.to_thread(_ready, draft)
    return _ready(draft)


def request_name(who: Context, id_: UUID) -> idempotency.Name:
    """What sending a draft is called."""
    return idempotency.Name(who.tenant_id, who.user_id, PATH, str(id_))


def is_personal(table: Table) -> bool:
    """Whether a text may have placeholders; where there is nothing but numbers, braces are just braces."""
    return len(table.columns) > 1


def _ready(draft: Draft) -> Ready:
    head, table = draft.head, draft.table
    if head.service_id is None or head.numbers_in is None:
        raise Refused(Code.INVALID_VALUE, "Choose the service, and the column that holds the numbers.")
    to, rows, filled = table.numbers(head.numbers_in), range(len(table.rows)), None
    texts: str | list[str]
    if is_personal(table) and (parsed := template.parse(head.text)).names:
        filled = parsed.on(table.columns).fill_all(table.rows)
        texts, to = filled.texts, [to[row] for row in filled.rows]
        if not texts:
            raise Refused(Code.NO_VALID_RECIPIENT, "No row has a text that can be sent.")
    else:
        texts = _one_text(head.text, table)
    request = Request(
        draft.who,
        head.service_id,
        to,
        texts,
        "panel",
        single=len(to) == 1,
        name=request_name(draft.who, head.id),
        body=_pack((head.id, head.service_id, head.numbers_in, head.text)),
    )
    return Ready(request, rows if filled is None else filled.rows, filled)


def _one_text(text: str, table: Table) -> str:
    """The text that everybody gets."""
    its = template.parse(text).on(()).fill(()) if is_personal(table) else clean(text)
    if wrong := fault(its):
        faults = (Fault("message", wrong),)
        raise Refused(Code.VALIDATION_FAILED, said("The text {wrong}.", wrong=wrong), faults=faults)
    return its


def _check(text: str, numbers_in: int | None, table: Table) -> None:
    if len(text) > template.TEMPLATE_MAX or "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        most = template.TEMPLATE_MAX
        raise Refused(
            Code.INVALID_VALUE, said("A text has at most {most} characters, none of them NUL.", most=most)
        )
    if numbers_in is not None and not 0 <= numbers_in < len(table.columns):
        raise Refused(Code.INVALID_VALUE, "There is no such column.")


def _packed(table: Table) -> bytes:
    packed = _pack(table)
    if len(packed) > BODY_BYTES_MAX:
        most = BODY_BYTES_MAX // 1024 // 1024
        raise Refused(
            Code.PAYLOAD_TOO_LARGE, said("The list is larger than {most} MiB; send it in parts.", most=most)
        )
    return zlib.compress(packed, 1)


def _unpacked(body: bytes) -> Table:
    """Row by row: unpacked in one step, a long one would hold up everything else, whatever thread it is in."""
    its = _unpack(zlib.decompress(body))
    rows = [_row(row) for row in its.rows]
    rest = (its.lines, its.numbers_in, its.reasons, its.faults, its.encoding, its.separator)
    return Table(its.columns, its.has_header, rows, *rest)


def _no_draft() -> Refused:
    return Refused(Code.NOT_KNOWN, "There is no such draft any more; begin again.")

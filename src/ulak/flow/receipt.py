"""Receipts: finding the message a carrier speaks of.

In: receipts as the link read them, keyed by the carrier's id of the part. Out: what ended (for `flow.settle`),
and what is kept because its message is not known yet. A receipt may come before the answer that names its
message: it is parked in the transaction that saw it and taken up by the one that writes the answer; should the
two miss each other, the sweep brings them together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ulak.base import metrics
from ulak.base.db import Tx
from ulak.flow import pulse
from ulak.flow.pulse import What
from ulak.rules.status import Status
from ulak.store import messages, receipts, submits
from ulak.store.messages import End, Key
from ulak.store.receipts import Receipt

#: What receipts are called in the pulse that only tell how far a message has come.
PROGRESS: Final = "progress"


@dataclass(frozen=True, slots=True)
class Matches:
    """What receipts come to: how each message ends, which receipts are new and whose, and those that said it again.

    `progress`: whether some of them only tell how far a message has come.
    """

    ends: dict[Key, End] = field(default_factory=dict)
    matched: list[tuple[Receipt, Key]] = field(default_factory=list)
    repeated: list[Receipt] = field(default_factory=list)
    progress: bool = False


async def match(
    tx: Tx, carrier_id: int, incoming: Sequence[Receipt], new_refs: Sequence[str], at: datetime
) -> Matches:
    """Find the messages of receipts that came now, and of parked ones that waited for `new_refs`.

    Those that match nothing are parked here.
    """
    parked = await receipts.claim(tx, carrier_id, new_refs) if new_refs else []
    known = [*parked, *incoming]
    if not known:
        return Matches()
    parts = await submits.find(tx, carrier_id, list({receipt.ref for receipt in known}))
    unmatched = [receipt for receipt in incoming if receipt.ref not in parts]
    if unmatched:
        await receipts.add(tx, carrier_id, unmatched, "unmatched", at)
    chosen = await _newest_open(tx, parts, at)
    ends, repeated = _ends((receipt, chosen[receipt.ref]) for receipt in known if receipt.ref in chosen)
    matched = [(receipt, _key(chosen[receipt.ref])) for receipt in incoming if receipt.ref in chosen]
    _count(carrier_id, "unmatched", len(unmatched))
    metrics.RECEIPTS_EARLY.labels(str(carrier_id)).inc(len(parked))
    for receipt in incoming:
        pulse.count(What.RECEIPTS, carrier_id=carrier_id, label=receipt.status or PROGRESS)
    pulse.count(What.UNMATCHED, len(unmatched), carrier_id=carrier_id)
    pulse.count(What.CLAIMED, len(parked), carrier_id=carrier_id)
    return Matches(ends, matched, repeated, any(receipt.status is None for receipt, _ in matched))


async def keep(tx: Tx, carrier_id: int, matches: Matches, ended_before: set[Key], at: datetime) -> None:
    """Keep the receipts that are new: those that said something, and those that came too late to."""
    if not matches.matched:
        return
    again = {id(receipt) for receipt in matches.repeated}
    late = [receipt for receipt, key in matches.matched if key in ended_before or id(receipt) in again]
    too_late = {id(receipt) for receipt in late}
    timely = [receipt for receipt, _ in matches.matched if id(receipt) not in too_late]
    if timely:
        await receipts.add(tx, carrier_id, timely, "matched", at)
    if late:
        await receipts.add(tx, carrier_id, late, "late", at)
    _count(carrier_id, "matched", len(timely))
    _count(carrier_id, "late", len(late))


async def _newest_open(
    tx: Tx, parts: dict[str, list[submits.Submit]], at: datetime
) -> dict[str, submits.Submit]:
    """The part each id means: where a carrier has used it more than once, the newest that is still open."""
    reused = [part for candidates in parts.values() if len(candidates) > 1 for part in candidates]
    if not reused:
        return {ref: candidates[0] for ref, candidates in parts.items()}
    ended = await messages.ended_before(tx, [_key(part) for part in reused], at)
    return {
        ref: next((part for part in reversed(candidates) if _key(part) not in ended), candidates[-1])
        for ref, candidates in parts.items()
    }


def _ends(
    matched: Iterable[tuple[Receipt, submits.Submit]],
) -> tuple[dict[Key, End], list[Receipt]]:
    """How each message ends after these receipts. The first word on a part counts, a second is a repeat."""
    ends: dict[Key, End] = {}
    repeated = []
    for receipt, part in matched:
        if receipt.status is None:
            continue
        key, bit = _key(part), 1 << part.part
        earlier = ends.get(key)
        if earlier is None:
            ends[key] = End(*key, bit, receipt.status, receipt.network)
        elif earlier.status is Status.SENT and not earlier.parts & bit:
            ends[key] = earlier._replace(parts=earlier.parts | bit, status=receipt.status)
        else:
            repeated.append(receipt)
    return ends, repeated


def _key(part: submits.Submit) -> Key:
    return Key(part.tenant_id, part.sending_id, part.position)


def _count(carrier_id: int, result: receipts.Result, n: int) -> None:
    """Count receipts that just came, each once: what becomes of an unmatched one later is counted by itself."""
    metrics.RECEIPTS.labels(str(carrier_id), result).inc(n)

"""Stretches of time: how a range is cut so that counting what happened in it is quick.

In: a range in Unix milliseconds, its end not included. Out: whole days, whole minutes beside them, and what is left at
its edges, none of it longer than a minute. Days and minutes are those of UTC. And where, in stretches that are
counted, the n-th is.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Where ranges without an end of their own end: the last day that a `datetime` can name.
LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


class Stretch(NamedTuple):
    """From a Unix millisecond up to another, not included."""

    first: int
    end: int


Counted = tuple[int, int, int]
"""A stretch, from its first millisecond up to its end, and how often something happened in it. There are thousands."""


class Cut(NamedTuple):
    """A range in pieces: at most one of days, and two each of minutes and of rests. Empty ones are left out."""

    days: list[Stretch]
    minutes: list[Stretch]
    rests: list[Stretch]


def milliseconds(at: datetime) -> int:
    """The Unix millisecond an instant lies in."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def instant(ms: int) -> datetime:
    """The instant at which a Unix millisecond begins."""
    return EPOCH + timedelta(milliseconds=ms)


def between(starts: datetime | None, ends: datetime | None) -> Stretch:
    """The milliseconds that begin between two instants, both included; None: no bound."""
    first = 0 if starts is None else max(0, -((EPOCH - starts) // timedelta(milliseconds=1)))
    end = LAST if ends is None else min(LAST, milliseconds(ends) + 1)
    return Stretch(first, max(first, end))


def cut(whole: Stretch) -> Cut:
    """A range in whole days, whole minutes and rests."""
    inner, rests = _whole(whole, MINUTE)
    if inner is None:
        return Cut([], [], rests)
    days, minutes = _whole(inner, DAY)
    return Cut([] if days is None else [days], minutes, rests)


def in_hours(whole: Stretch) -> tuple[Stretch | None, list[Stretch]]:
    """What of a range is whole hours (of UTC), and what is left before and after it."""
    return _whole(whole, HOUR)


def _whole(whole: Stretch, unit: int) -> tuple[Stretch | None, list[Stretch]]:
    """What of a stretch is made of whole units, and what is left before and after it."""
    first, end = -(-whole.first // unit) * unit, whole.end // unit * unit
    middle = Stretch(first, end) if first < end else None
    rests = [whole] if first > end else [Stretch(whole.first, first), Stretch(end, whole.end)]
    return middle, [rest for rest in rests if rest.first < rest.end]


def seek(newest_first: Iterable[Counted], offset: int) -> tuple[Counted, int] | None:
    """The stretch in which the one with `offset` newer ones is, and how many newer ones it has in there."""
    for counted in newest_first:
        if offset < counted[2]:
            return counted, offset
        offset -= counted[2]
    return None


def less(newest_first: Iterable[Counted], others: Mapping[int, int]) -> list[Counted]:
    """Counted stretches without so many others, which are among them, at each of these milliseconds; where it is the
    one a minute begins at, a stretch may begin within that minute."""
    if not others:
        return list(newest_first)
    left = sorted(others.items(), reverse=True)
    fewer = []
    for first, end, n in sorted(newest_first):
        while left and left[-1][0] < end:
            n -= left.pop()[1]
        fewer.append((first, end, n))
    return fewer[::-1]


def window(newest_first: Iterable[Counted], offset: int, limit: int) -> tuple[list[Stretch], int]:
    """The stretches in which those from `offset` on are, `limit` of them or as many as there are, and how many newer
    ones stand before them in there."""
    chosen: list[Stretch] = []
    wanted = offset + limit
    for first, end, n in newest_first:
        if wanted <= 0:
            break
        wanted -= n
        if not chosen and offset >= n:
            offset -= n
        elif n:
            chosen.append(Stretch(first, end))
    return chosen, offset

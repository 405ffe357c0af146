"""Topics onto connections, listings onto instruments, rows of a push onto facts: what every venue does the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from monitor.errors import FrameError
from monitor.facts import Fact, Instrument, Unread
from monitor.venues.base import ConnectionPlan, Topic, Venue
from monitor.venues.reading import Record

T = TypeVar("T")
ARGUMENT_OVERHEAD: Final = 3  # quotes and comma around a topic's name in a subscribe frame


def pack(
    venue: Venue, name: str, url: str, keys: Sequence[str], most: int, characters: int | None = None
) -> list[ConnectionPlan]:
    """Connections `name`-1, `name`-2, ... of at most `most` topics and `characters` of topic names each, in the given order."""
    parcels: list[list[Topic]] = []
    used = 0
    for key in keys:
        topic = venue.topic(key)
        if topic is None:
            raise ValueError(f"{venue.name} asks for a topic it does not know: {key}")
        size = len(key) + ARGUMENT_OVERHEAD
        if not parcels or len(parcels[-1]) >= most or (characters is not None and used + size > characters):
            parcels.append([])
            used = 0
        parcels[-1].append(topic)
        used += size
    return [ConnectionPlan(f"{name}-{at}", url, tuple(parcel)) for at, parcel in enumerate(parcels, start=1)]


def symbols_in_order(instruments: Iterable[Instrument]) -> list[str]:
    """Each symbol once, sorted: the same markets always share the same connections, whatever the settings' order."""
    return sorted({instrument.symbol for instrument in instruments})


def read_listing(rows: Sequence[Record], read: Callable[[Record], T]) -> list[T]:
    """Instruments of a listing's rows, or their margin tiers. One odd new listing must not cost the others: a row that cannot be read is left out.

    Raises:
        FrameError: none of several rows can be read: the format has changed, and "not listed" would be a wrong answer.
    """
    found: list[T] = []
    first_error: FrameError | None = None
    for row in rows:
        try:
            found.append(read(row))
        except FrameError as error:
            first_error = first_error or error
    if first_error is not None and not found and len(rows) > 1:
        raise first_error
    return found


def read_rows(rows: Sequence[Record], read: Callable[[Record], Iterable[Fact]]) -> list[Fact]:
    """Facts of the rows of a push or a reply. One odd row must not cost the others, nor go unnoticed: what is left out is said by an `Unread`.

    Raises:
        FrameError: none of the rows can be read.
    """
    found: list[Fact] = []
    refused: list[FrameError] = []
    for row in rows:
        try:
            found.extend(read(row))
        except FrameError as error:
            refused.append(error)
    if refused and len(refused) == len(rows):
        raise refused[0]
    return [*found, Unread(str(refused[0]), len(refused))] if refused else found

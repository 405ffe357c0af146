"""What a venue declares about its hot frames: where the facts stand, by mechanism, not by venue name.

A path is a tuple of object keys; the step `0` means "the only element of this array". The same declaration drives
the njit scanners (`engines.wire.book_scan`, `engines.wire.trade_scan`) and the plain path (`engines.wire.plain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Path = tuple[str | int, ...]

MILLISECOND = 1_000_000
MICROSECOND = 1_000
NANOSECOND = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One level as a JSON array: which element is the price and which the size; further elements are scalars and ignored.

    `quoted`: numbers are JSON strings ("1.20"); otherwise bare JSON numbers.
    """

    price: int = 0
    size: int = 1
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class IntegerField:
    """An integer in the header: `slot` of layout, `unit` multiplies it (milliseconds to ns). Bare or quoted; may be negative."""

    path: Path
    slot: int
    unit: int = 1
    required: bool = True


@dataclass(frozen=True, slots=True)
class BookGrammar:
    """Where a book frame (or a REST snapshot: the same grammar type) keeps what.

    `expects`: text that must stand at a path. `market`: paths whose text must equal the name passed at scan time.
    `kind`: the path and the texts that mean snapshot and delta; None: every frame is `default_kind`.
    """

    bids: Path
    asks: Path
    row: Row = field(default_factory=Row)
    integers: tuple[IntegerField, ...] = ()
    expects: Mapping[Path, str] = field(default_factory=dict)
    market: tuple[Path, ...] = ()
    kind: tuple[Path, str, str] | None = None  # (path, text of a snapshot, text of a delta)
    default_kind: int = 0
    sides_required: bool = True  # False: a missing side is an empty one


@dataclass(frozen=True, slots=True)
class TradeGrammar:
    """Where a trade frame keeps what. `rows` is the path of the array of trade objects, or of the single object."""

    rows: Path
    single: bool
    price: Path
    size: Path
    side: Path
    taker_buy: str | bool  # the value at `side` that means the taker bought
    taker_sell: str | bool
    time: Path
    time_unit: int = MILLISECOND
    identifier: Path | None = None  # numeric id (bare or quoted); None: the venue has no numeric id
    expects: Mapping[Path, str] = field(default_factory=dict)
    market: tuple[Path, ...] = ()  # paths from the frame's root
    row_market: tuple[Path, ...] = ()  # paths inside each row
    keep: Mapping[Path, tuple[str | bool, ...]] = field(
        default_factory=dict
    )  # row path -> values that count as flow; missing key: kept
    quoted: bool = True


# How a book stays in sequence. Named by mechanism; the venue module picks one and sets its parameters.
SequenceMechanism = Literal["range_with_previous", "counter", "linked"]


@dataclass(frozen=True, slots=True)
class SequenceRule:
    """A venue's continuity rule.

    range_with_previous: frames carry first/last/previous id; the seed is a REST snapshot with id L. Frames with last < L are
        dropped; the first applied one has first <= L <= last, or previous == L; then previous == last of the frame before.
    counter: last id goes up by exactly 1; the seed is the first snapshot on the stream; an id equal to `restart_id` is a
        service restart: the frame replaces the book whatever its label; smaller or equal ids are ignored.
    linked: previous must equal the last id; the seed is a snapshot on the stream; ids are not dense; a frame with
        last == previous and no levels is a keep-alive; last < previous with a right link is a legal sequence reset.
    """

    mechanism: SequenceMechanism
    restart_id: int | None = None

    @property
    def seeded_by_rest(self) -> bool:
        return self.mechanism == "range_with_previous"

"""What a venue declares about its hot frames: where the facts stand, by mechanism, not by venue name.

A path is a tuple of steps: a key of an object, `0` for the only element of an array, `Nth(k)` for element k of an array
that holds other things too. The same declaration drives the njit scanners (`engines.wire.book_scan`,
`engines.wire.trade_scan`) and the plain path (`engines.wire.plain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Nth:
    """A step in a path: element `index` of an array whose elements mean different things by their place."""

    index: int


Path = tuple[str | int | Nth, ...]

MILLISECOND = 1_000_000
MICROSECOND = 1_000
NANOSECOND = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One level: a JSON array (price, size, side and count are element numbers) or an object (all of them are keys). Whatever else it
    holds is scalar and ignored.

    quoted: numbers usually are JSON strings ("1.20"); otherwise bare JSON numbers. Both are read whatever it says: it picks the tight
        loop.
    side: the element or key that names the row's side, where one array holds rows of both; `bid`, `ask`: its two texts.
    signed: the size is above zero on a bid and below on an ask, where one array holds rows of both sides. Zero tells no side: such
        a row is refused.
    count: the element that is 0 in a row that deletes its level; the size then says nothing but the side.
    """

    price: int | str = 0
    size: int | str = 1
    quoted: bool = True
    side: int | str | None = None
    bid: str = ""
    ask: str = ""
    signed: bool = False
    count: int | str | None = None

    @property
    def tells_side(self) -> bool:
        return self.side is not None or self.signed


@dataclass(frozen=True, slots=True)
class IntegerField:
    """An integer in the header: `slot` of layout, `unit` multiplies it (milliseconds to ns). Bare or quoted; may be negative.

    rfc3339: the value is a time as text ("2026-04-07T14:30:00.123456Z"), which becomes ns; `unit` is not looked at.
    nullable: `null` means the same as a missing key (only where not required).
    """

    path: Path
    slot: int
    unit: int = 1
    required: bool = True
    rfc3339: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class BookGrammar:
    """Where a book frame (or a REST snapshot: the same grammar type) keeps what.

    bids, asks: paths of the arrays of rows; None: this kind of frame has none. Where the rows tell their side
        (`Row.tells_side`) both are the path of the one array.
    single: the path leads to one row, which tells its side, and not to an array of them; () as the path: the frame's own object is
        the row.
    `expects`: text that must stand at a path. `market`: paths whose text must equal the name passed at scan time.
    `kind`: the path and the values (texts or booleans) that mean snapshot and delta; None: every frame is `default_kind`.
    kind_required: False: where nothing stands at that path the frame is of `default_kind`.
    alternates: other forms a frame of the same topic may have (a snapshot unlike its changes), tried in order when this one
        refuses. Alternates of alternates are not looked at. `expects` should part them at the first key: then a try is cheap.
    """

    bids: Path | None
    asks: Path | None
    row: Row = field(default_factory=Row)
    integers: tuple[IntegerField, ...] = ()
    expects: Mapping[Path, str] = field(default_factory=dict)
    market: tuple[Path, ...] = ()
    kind: tuple[Path, str | bool, str | bool] | None = None  # (path, value of a snapshot, value of a delta)
    default_kind: int = 0
    sides_required: bool = True  # False: a missing side is an empty one
    single: bool = False
    kind_required: bool = True
    alternates: tuple[BookGrammar, ...] = ()


@dataclass(frozen=True, slots=True)
class TradeGrammar:
    """Where a trade frame keeps what. `rows` is the path of the array of trades (objects, or arrays with `Nth` paths), or of
    the single one (() for the frame's own object).

    side: None where `signed`: the size is above zero when the taker bought and below when it sold.
    rfc3339: the time is text ("2026-04-07T14:30:00.123456Z"); `time_unit` is then not looked at.
    ignore: root path -> values that mark a frame without flow (history after a subscription, a heartbeat): it counts as a frame
        with no trades. `list` among the values: any array there.
    """

    rows: Path
    single: bool
    price: Path
    size: Path
    side: Path | None
    taker_buy: str | bool
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
    signed: bool = False
    spellings: tuple[tuple[str, str], ...] = ()  # further (sell, buy) texts of the side
    rfc3339: bool = False
    ignore: Mapping[Path, tuple[str | type[list[object]], ...]] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[str | bool, ...]:
        """The values at `side`: sold at even places, bought at odd ones."""
        return (self.taker_sell, self.taker_buy, *(text for pair in self.spellings for text in pair))


# How a book stays in sequence. Named by mechanism; the venue module picks one and sets its parameters.
SequenceMechanism = Literal["range_with_previous", "range", "counter", "linked", "snapshots", "unsequenced"]


@dataclass(frozen=True, slots=True)
class SequenceRule:
    """A venue's continuity rule.

    range_with_previous: frames carry first/last/previous id; the seed is a REST snapshot with id L. Frames with last < L are
        dropped; the first applied one has first <= L <= last, or previous == L; then previous == last of the frame before.
    range: frames carry first and last id, dense over the book's changes: first == last of the frame before + 1. A frame that
        overlaps (first <= last + 1 <= its own last) applies too unless `strict`; one whose last is not newer is ignored; any
        other is a gap. Seeded by `seed`; over REST with id L: frames with last <= L are dropped, the next one has to hold L + 1.
        A delta whose last id is `restart_id` is a gap (the service restarted).
    counter: last id goes up by exactly 1; the seed is the first snapshot on the stream; an id equal to `restart_id` is a
        service restart: the frame replaces the book whatever its label; smaller or equal ids are ignored.
    linked: previous must equal the last id; the seed is a snapshot on the stream; ids are not dense; a frame with
        last == previous and no levels is a keep-alive; last < previous with a right link is a legal sequence reset.
        first_overlaps: the first frame after the snapshot may also have previous <= last id <= its own last.
    snapshots: every frame is the whole book; one whose EVENT_TIME is older than the last is ignored.
    unsequenced: the stream's frames carry no ids. After a snapshot every delta applies; a frame without levels is a keep-alive.
        That none is missing must be shown by a checksum or by the numbers of the whole connection.
    """

    mechanism: SequenceMechanism
    restart_id: int | None = None
    seed: Literal["stream", "rest"] = "stream"
    strict: bool = False
    first_overlaps: bool = False

    @property
    def seeded_by_rest(self) -> bool:
        return self.mechanism == "range_with_previous" or self.seed == "rest"


# Checksums of a book, by how their text is made.
#   digits: CRC32 (zlib, unsigned) over the top 10 asks, then the top 10 bids; of each level the price's digits without point and
#       leading zeros, then the size's; both at the grid's own number of decimals (Kraken spot v2).
#   tokens: CRC32 (signed) over the top 25: bid price, bid size, ask price, minus ask size, joined with ":"; numbers as JavaScript
#       prints them (Bitfinex).
Checksum = Literal["", "digits", "tokens"]

# What a book that stands crossed after a frame means.
#   lost: a fault of the stream or of ours: sync is lost.
#   uncross: the venue is only eventually consistent: older levels that the newest ones cross are hidden until they change (dYdX).
Crossing = Literal["lost", "uncross"]

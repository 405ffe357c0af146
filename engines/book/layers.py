"""What lies beyond the reach of a book, out of coarser books of the same market.

A layer's prices are rounded to n significant figures, bids down and asks up: a bid at p stands for the orders in [p, p + w), an
ask at p for those in (p - w, p], with w = 10^(floor(log10 price) - (n - 1)). From fine to coarse each layer adds what lies beyond the
known edge of the finer ones. The one bucket that this edge cuts gives what it holds more than is known inside; clamped at nothing,
because the books are not of the same moment. A bucket is spread over a few prices inside it, so that the edge of a band cuts it in
proportion; its lots are kept to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engines.book.growth import with_room
from engines.book.ladder import (
    NO_ROOM,
    clear,
    copy_levels,
    find_above,
    find_below,
    lots_at,
    set_level,
    verified_edge,
)
from engines.book.memory import FOREVER, OVERSIZED, REGIONS, VERIFIED_HIGH, VERIFIED_LOW, Block, new_block
from engines.kernel import I64, I64_1, borrowing_kernel
from engines.wire.layout import ASK, BID

if TYPE_CHECKING:
    from engines.book.live_book import LiveBook

Ints = npt.NDArray[np.int64]

# Prices a bucket is spread over: at most PIECES, and no more than make a piece as narrow as a FINENESS-th of the price (0.05%, half
# of the narrowest band): narrower buckets need no spreading, and every piece costs about 50 ns a second.
PIECES: Final = 8
FINENESS: Final = 2_000
# Ticks times multiple stay within int64 for every tick a ladder holds (2^30). No market has a step of so many digits.
MAX_MULTIPLE: Final = 10**9
NEEDS_ROOM: Final = -2


class Layer(NamedTuple):
    """A coarser book of the same market, on the same grid.

    significant_figures: to which its prices are rounded.
    fresh_ns: how old its last frame may be; None: any age, as long as the stream is in sync (streams of changes).
    """

    book: LiveBook
    significant_figures: int
    fresh_ns: int | None = None


@borrowing_kernel(I64(I64, I64, I64, I64))
def bucket_width(side: int, tick: int, figures: int, multiple: int) -> int:
    """Ticks in the bucket of a rounded price; at least 1. An ask at a power of ten stands for prices below it, of one digit less."""
    value = tick * multiple - side
    power = 1
    while power * 10 <= value:
        power *= 10
    for _ in range(figures - 1):
        power //= 10
    return max(power // multiple, 1)


@borrowing_kernel(I64(I64_1, I64, I64, I64))
def lots_between(block: Ints, side: int, low: int, high: int) -> int:
    """Sum of the lots from `low` to `high` (both included), level by level."""
    total = 0
    tick = find_above(block, side, low)
    while tick >= 0 and tick <= high:
        total += lots_at(block, side, tick)
        tick = find_above(block, side, tick + 1)
    return total


@borrowing_kernel(I64(I64_1, I64, I64, I64, I64))
def spread(block: Ints, side: int, low: int, high: int, lots: int) -> int:
    """Adds `lots` evenly over the ticks from `low` to `high` in a few pieces. Returns how many, or NEEDS_ROOM."""
    ticks = high - low + 1
    pieces = min(ticks, PIECES, ticks * FINENESS // (high + 1) + 1)
    each, rest = lots // pieces, lots % pieces
    for piece in range(pieces):
        part = each + rest * (piece + 1) // pieces - rest * piece // pieces
        if part == 0:
            continue
        tick = low + (2 * piece + 1) * ticks // (2 * pieces)
        if set_level(block, side, tick, lots_at(block, side, tick) + part) == NO_ROOM:
            return NEEDS_ROOM
    return pieces


@borrowing_kernel(I64(I64_1, I64_1, I64, I64, I64, I64))
def add_layer(joined: Ints, layer: Ints, side: int, figures: int, multiple: int, reach: int) -> int:
    """Adds what a layer's side holds beyond `reach`, the tick up to which `joined` knows every level.

    Returns:
        The tick up to which `joined` knows the side now, or NEEDS_ROOM (a part was added: start over).
    """
    known = verified_edge(layer, side)
    if known >= reach if side == BID else known <= reach:
        return reach
    tick = find_below(layer, BID, reach - 1) if side == BID else find_above(layer, ASK, reach + 1)
    while tick >= 0:
        lots = lots_at(layer, side, tick)
        width = bucket_width(side, tick, figures, multiple)
        low, high = (tick, tick + width - 1) if side == BID else (tick - width + 1, tick)
        if side == BID and high >= reach:
            lots -= lots_between(joined, BID, reach, high)
            high = reach - 1
        elif side == ASK and low <= reach:
            lots -= lots_between(joined, ASK, low, reach)
            low = reach + 1
        if lots > 0 and spread(joined, side, max(low, 0), high, lots) < 0:
            return NEEDS_ROOM
        tick = find_below(layer, BID, tick - 1) if side == BID else find_above(layer, ASK, tick + 1)
    return known


def join_layers(book: Block, layers: Sequence[tuple[Block, int]], multiple: int, joined: Block | None) -> Block | None:
    """The book up to its verified reach and the layers beyond it, as one block whose verified reach is that of the farthest.

    Args:
        layers: blocks and significant figures, fine to coarse.
        multiple: of the grid of prices.
        joined: a block of an earlier call to be used again, or None.

    Returns:
        None where quantities pass what a ladder holds.

    Raises:
        BookTooLarge: the levels pass what a block may hold.
    """
    if multiple > MAX_MULTIPLE:
        return None
    regions = int(max(book[REGIONS], *(layer[REGIONS] for layer, _ in layers)))
    if joined is None or joined[REGIONS] < regions:
        joined = new_block(regions)
    while not _joined(joined, book, layers, multiple):
        joined = with_room(joined)
    return joined if joined[OVERSIZED] == 0 else None


def _joined(joined: Block, book: Block, layers: Sequence[tuple[Block, int]], multiple: int) -> bool:
    """False: `joined` needs more room."""
    clear(joined)
    joined[OVERSIZED] = 0
    edges = [int(verified_edge(book, side)) for side in (BID, ASK)]
    if copy_levels(joined, book, BID, edges[BID], FOREVER) or copy_levels(joined, book, ASK, 0, edges[ASK]):
        return False
    for layer, figures in layers:
        for side in (BID, ASK):
            edges[side] = int(add_layer(joined, layer, side, figures, multiple, edges[side]))
            if edges[side] == NEEDS_ROOM:
                return False
    joined[VERIFIED_LOW], joined[VERIFIED_HIGH] = edges
    return True

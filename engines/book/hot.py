"""The fused path: one kernel call takes a frame's bytes to a changed, checked book."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.ladder import NO_ROOM, apply_levels, clear, erase, trim
from engines.book.mechanisms import step
from engines.book.memory import (
    BEST,
    BEYOND,
    BEYOND_SEEDED,
    CARRIED,
    COUNT,
    CROSSED,
    FOREVER,
    LAST_AT,
    MAX_REGIONS,
    OVERSIZED,
    RANGE_FACTOR,
    RANGE_LEAST,
    REGION_SHIFT,
    REGIONS,
    UNCROSSES,
    UPDATES,
    VERIFIED_HIGH,
    VERIFIED_LOW,
    WAS_FULL,
    WINDOW,
    WINDOW_EXCEEDED,
)
from engines.book.sequence import REPLACE, lose, seed
from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.book_scan import scan_book
from engines.wire.layout import (
    ASK,
    ASK_COUNT,
    BID,
    BID_COUNT,
    HEADER_SIZE,
    KEPT_LEVELS,
    LAST_ID,
    LOTS,
    MAX_LEVELS,
    OK,
    PRESENT,
    TICK,
)

Ints = npt.NDArray[np.int64]
Frame = npt.NDArray[np.uint8]

# What `take_frame`, `take_levels`, `store` and `load_snapshot` return: an Action, or one of these.
CROSSED_CODE: Final = 9
OVERSIZED_CODE: Final = 10
WANTS_RANGE: Final = 15  # lay out a longer directory, then `store` the same levels again as REPLACE
WANTS_ROOM: Final = 16  # + Action: grow the block, then `store` the same levels again with that action
SHORT_RANGE: Final = 32  # + Action: done; the ladder is to be laid out again, the price has moved up far
REFUSED_CODE: Final = 64  # + the scanner's REFUSED_* code


class Scratch:
    """Where a scanned frame lies between scanner and book: one for all books, as one array.

    header: int64[HEADER_SIZE]; levels: int64[2, MAX_LEVELS, 2] (both views into memory).
    """

    __slots__ = ("header", "levels", "memory")

    def __init__(self) -> None:
        self.memory: npt.NDArray[np.int64] = np.zeros(HEADER_SIZE + 4 * MAX_LEVELS, np.int64)
        self.header: npt.NDArray[np.int64] = self.memory[:HEADER_SIZE]
        self.levels: npt.NDArray[np.int64] = self.memory[HEADER_SIZE:].reshape(2, MAX_LEVELS, 2)


@borrowing_kernel(I64(I64_1, I64_3))
def wanted_regions(header: Ints, levels: Ints) -> int:
    """Directory entries a ladder needs to reach RANGE_FACTOR times the best price of these levels."""
    best = -1
    for row in range(header[ASK_COUNT]):
        if levels[ASK, row, LOTS] > 0 and (best < 0 or levels[ASK, row, TICK] < best):
            best = levels[ASK, row, TICK]
    if best < 0:
        for row in range(header[BID_COUNT]):
            if levels[BID, row, LOTS] > 0:
                best = max(best, levels[BID, row, TICK])
    return min((RANGE_FACTOR * (best + 1) >> REGION_SHIFT) + 1, MAX_REGIONS)


@borrowing_kernel(I64(I64_1, I64, I64, I64))
def settle(block: Ints, action: int, oversized: int, at: int) -> int:
    """After levels were stored: count, keep to the window, look whether the book is crossed. Returns a code."""
    block[LAST_AT] = at
    block[UPDATES] += 1
    if action == REPLACE:
        block[BEYOND_SEEDED] = block[BEYOND]
    if block[OVERSIZED] != oversized:
        lose(block)
        return OVERSIZED_CODE
    window = block[WINDOW]
    if window > 0:
        if block[COUNT] > window or block[COUNT + 1] > window:
            block[WINDOW_EXCEEDED] += 1
            trim(block)
        for side in range(2):
            if block[COUNT + side] >= window:
                block[WAS_FULL + side] = 1
            elif action == REPLACE:
                block[WAS_FULL + side] = 0
    bid, ask = block[BEST], block[BEST + 1]
    if bid >= ask >= 0 and block[CARRIED] > 0:
        # What was kept over a gap beyond the new snapshot may be gone since; what the stream says now is true.
        erase(block, ASK, max(block[VERIFIED_HIGH] + 1, ask), bid)
        erase(block, BID, ask, min(block[VERIFIED_LOW] - 1, bid))
        bid, ask = block[BEST], block[BEST + 1]
    if bid >= ask >= 0 and block[UNCROSSES] == 0:
        block[CROSSED] += 1
        lose(block)
        return CROSSED_CODE
    if min(bid, ask) < 0 and block[BEYOND] > block[BEYOND_SEEDED]:
        lose(block)  # the price has jumped off the ladder: only a new seed knows what is there
        return OVERSIZED_CODE
    regions = block[REGIONS]
    if RANGE_LEAST * max(bid, ask) >= regions << REGION_SHIFT and regions < MAX_REGIONS:
        return SHORT_RANGE + action
    return action


@borrowing_kernel(I64(I64_1, I64_1, I64_3, I64, I64))
def store(block: Ints, header: Ints, levels: Ints, action: int, at: int) -> int:
    """Puts a frame's levels into the book. WANTS_ROOM, WANTS_RANGE: nothing is lost, call again after growing."""
    oversized = block[OVERSIZED]
    if action == REPLACE:
        if wanted_regions(header, levels) > block[REGIONS]:
            return WANTS_RANGE
        clear(block)
        block[VERIFIED_LOW] = 0
        block[VERIFIED_HIGH] = FOREVER
        block[CARRIED] = 0
        if (header[PRESENT] >> KEPT_LEVELS) & 1 and header[KEPT_LEVELS] > 0:
            block[WINDOW] = header[KEPT_LEVELS]
    if apply_levels(block, header, levels) == NO_ROOM:
        return WANTS_ROOM + action
    return settle(block, action, oversized, at)


@borrowing_kernel(I64(I64_1, I64_1, I64_3, I64))
def take_levels(block: Ints, header: Ints, levels: Ints, at: int) -> int:
    """Sequence, then levels. Returns a code."""
    action = step(block, header)
    if action <= REPLACE:
        return store(block, header, levels, action, at)
    return action


@borrowing_kernel(I64(FRAME, READ_I64_1, I64_1, I64_1, I64))
def take_frame(frame: Frame, table: Ints, scratch: Ints, block: Ints, at: int) -> int:
    """Scan, sequence, apply, crossed check.

    Args:
        frame: uint8[n] (read-only), the bytes as received.
        table: int64[k] (read-only), the compiled grammar.
        scratch: int64, `Scratch.memory`; holds the scanned frame afterwards.
        block: int64, the book.
        at: receive time, ns.

    Returns:
        An Action that is done, or a code of this module.
    """
    header = scratch[:HEADER_SIZE]
    levels = scratch[HEADER_SIZE:].reshape((2, MAX_LEVELS, 2))
    refused = scan_book(frame, table, header, levels)
    if refused != OK:
        return REFUSED_CODE + refused
    return take_levels(block, header, levels, at)


@borrowing_kernel(I64(I64_1, I64_1, I64_3, I64, I64, I64))
def load_snapshot(block: Ints, header: Ints, levels: Ints, limit: int, keep: int, at: int) -> int:
    """Seeds the book with a REST snapshot: every bid from its lowest up and every ask up to its highest is known.

    Args:
        limit: levels a side that were asked for; a side with fewer is known completely. 0 = not known.
        keep: 1 = levels outside the snapshot stay (counted in CARRIED), 0 = they go.

    Returns:
        REPLACE, or CROSSED_CODE, OVERSIZED_CODE, WANTS_ROOM, WANTS_RANGE.
    """
    oversized = block[OVERSIZED]
    if wanted_regions(header, levels) > block[REGIONS]:
        return WANTS_RANGE
    low = FOREVER
    high = -1
    for row in range(header[BID_COUNT]):
        if levels[BID, row, LOTS] > 0:
            low = min(low, levels[BID, row, TICK])
    for row in range(header[ASK_COUNT]):
        if levels[ASK, row, LOTS] > 0:
            high = max(high, levels[ASK, row, TICK])
    if header[BID_COUNT] < limit:
        low = 0
    if header[ASK_COUNT] < limit:
        high = FOREVER
    if keep == 0:
        clear(block)
    else:
        erase(block, BID, low, FOREVER)
        erase(block, ASK, 0, high)
    block[CARRIED] = block[COUNT] + block[COUNT + 1]
    if apply_levels(block, header, levels) == NO_ROOM:
        return WANTS_ROOM + REPLACE
    block[VERIFIED_LOW] = low
    block[VERIFIED_HIGH] = high
    seed(block, header[LAST_ID])
    return settle(block, REPLACE, oversized, at)

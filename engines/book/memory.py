"""One book is one int64 array: sequence state, ladder header, two directories, and a pool of nodes that grows at its end.

One array because every array argument of a kernel call costs about 100 ns. Pointers are indices into it, so that growing
is a copy into a longer array.

    tick -> directory[tick >> 14] -> region[tick >> 8 & 63] -> super[tick >> 4 & 15] -> leaf[tick & 15] = lots

Every parent keeps for each child the sum of lots and the sum of lots * (tick - first tick of the parent), side by side, so
that a band is a handful of short runs over neighbouring numbers. Leaves of 16 ticks keep sparse, fine-tick books small.

Weighted sums are kept modulo 2^64: cheap coins in lots of 1e-8 pass it. They are read only where the lots they weigh are so few
that the true sum fits (`engines.book.sums.depth_to`), and there the remainder is the sum.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.int64]

# Slots 0..15 belong to the sequence machine (engines.book.sequence).
CAPACITY: Final = 16  # length of the block
TOP: Final = 17  # first slot never handed out
FREE_LEAF: Final = 18  # heads of the lists of emptied nodes, 0 = none
FREE_SUPER: Final = 19
FREE_REGION: Final = 20
REGIONS: Final = 21  # entries of a directory; ticks at or above REGIONS << REGION_SHIFT are beyond the ladder
DIRECTORY: Final = 22  # + side
COUNT: Final = 24  # + side: levels held
BEST: Final = 26  # + side: best tick, -1 = side empty
BEYOND: Final = 28  # levels not taken because they lie beyond the ladder
OVERSIZED: Final = 29  # levels not taken because their sums would not fit int64
VERIFIED_LOW: Final = 30  # every bid at or above is known ...
VERIFIED_HIGH: Final = 31  # ... and every ask at or below (windowed streams: from the window instead)
WINDOW: Final = 32  # levels a side the stream keeps, 0 = no window
KNOWN_TOP: Final = 33  # ticks above were beyond the ladder when their levels were told
UPDATES: Final = 34
CROSSED: Final = 35
LAST_AT: Final = 36  # time of the last frame applied
WINDOW_EXCEEDED: Final = 37  # frames after which a side held more levels than the window
CARRIED: Final = 38  # levels outside the last seed that were kept
BEYOND_SEEDED: Final = 39  # BEYOND when the seed had been stored
UNCROSSES: Final = 40  # 1 = a crossed book is uncrossed by the caller; it is no fault
WAS_FULL: Final = 42  # + side: 1 = the window has been full since the seed
LAST_SETTING: Final = 43
HEADER: Final = 64

LEAF_SHIFT: Final = 4
SUPER_SHIFT: Final = 8
REGION_SHIFT: Final = 14
LEAF_TICKS: Final = 1 << LEAF_SHIFT
SUPER_TICKS: Final = 1 << SUPER_SHIFT
REGION_TICKS: Final = 1 << REGION_SHIFT
SUPER_FAN: Final = 1 << (SUPER_SHIFT - LEAF_SHIFT)
REGION_FAN: Final = 1 << (REGION_SHIFT - SUPER_SHIFT)

# A node: [0] occupancy bits (or the link of the free list), then lots (leaf) or child pointers, lot sums, weighted sums.
CHILD: Final = 1
SUPER_LOTS: Final = CHILD + SUPER_FAN
SUPER_WEIGHTED: Final = SUPER_LOTS + SUPER_FAN
REGION_LOTS: Final = CHILD + REGION_FAN
REGION_WEIGHTED: Final = REGION_LOTS + REGION_FAN
LEAF_SIZE: Final = CHILD + LEAF_TICKS
SUPER_SIZE: Final = SUPER_WEIGHTED + SUPER_FAN
REGION_SIZE: Final = REGION_WEIGHTED + REGION_FAN
LEVEL_ROOM: Final = LEAF_SIZE + SUPER_SIZE + REGION_SIZE  # the most one new level can need

FOREVER: Final = 1 << 62  # a tick no ladder reaches: "no upper bound"
MAX_SUM: Final = 1 << 62  # lots of one region; a further level of SAFE_LOTS still fits int64
SAFE_LOTS: Final = 1 << 60  # of one level; 1.1e10 coins at the finest lot of any venue (1e-8)

# The ladder reaches RANGE_FACTOR times the best ask when it is laid out, and is laid out again when the price has moved so
# far that it reaches less than RANGE_LEAST times: every band up to 100% always lies inside.
RANGE_FACTOR: Final = 3
RANGE_LEAST: Final = 2
# 1.07e9 ticks (a price of 60,000 at a tick of 0.0001 needs 0.6e9): 3 MiB of directory. Ticks beyond are counted, not kept.
MAX_REGIONS: Final = 1 << 16
# 64 MiB, about 120,000 levels scattered one by one; the fullest known book has under 50,000. Beyond it the book starts afresh.
MAX_CAPACITY: Final = 1 << 23
FIRST_CAPACITY: Final = 1 << 14
ROOM_FACTOR: Final = 1.5

# Of a directory of n regions: n pointers, n lot sums, n weighted sums, one bit a region.
DIRECTORY_ARRAYS: Final = 3


def directory_size(regions: int) -> int:
    return DIRECTORY_ARRAYS * regions + (regions + 63) // 64


def new_block(regions: int, window: int = 0, capacity: int = FIRST_CAPACITY) -> Block:
    """An empty book whose ladder reaches `regions` regions; untouched pages of it take no memory."""
    first = HEADER + 2 * directory_size(regions)
    block = np.zeros(first + capacity, np.int64)
    block[CAPACITY] = block.shape[0]
    block[TOP] = first
    block[REGIONS] = regions
    block[DIRECTORY] = HEADER
    block[DIRECTORY + 1] = HEADER + directory_size(regions)
    block[BEST : BEST + 2] = -1
    block[VERIFIED_LOW] = FOREVER
    block[VERIFIED_HIGH] = -1
    block[WINDOW] = window
    block[KNOWN_TOP] = (regions << REGION_SHIFT) - 1
    return block

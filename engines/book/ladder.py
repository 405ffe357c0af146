"""The two sides of a book as sparse trees of ticks: set a level, find the next one, clear.

The shape is described in `engines.book.memory`. All kernels here take the book's block; `side` is BID or ASK.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.bits import highest_bit, lowest_bit, spot, with_product
from engines.book.memory import (
    BEST,
    BEYOND,
    CAPACITY,
    CHILD,
    COUNT,
    DIRECTORY,
    FREE_LEAF,
    FREE_REGION,
    FREE_SUPER,
    KNOWN_TOP,
    LEAF_SHIFT,
    LEAF_SIZE,
    LEVEL_ROOM,
    MAX_SUM,
    OVERSIZED,
    REGION_FAN,
    REGION_LOTS,
    REGION_SHIFT,
    REGION_SIZE,
    REGION_TICKS,
    REGION_WEIGHTED,
    REGIONS,
    SAFE_LOTS,
    SUPER_FAN,
    SUPER_LOTS,
    SUPER_SHIFT,
    SUPER_SIZE,
    SUPER_TICKS,
    SUPER_WEIGHTED,
    TOP,
    VERIFIED_HIGH,
    VERIFIED_LOW,
    WAS_FULL,
    WINDOW,
)
from engines.kernel import I64, I64_1, I64_2, I64_3, borrowing_kernel
from engines.wire.layout import ASK, BID, BID_COUNT, LOTS, TICK

Ints = npt.NDArray[np.int64]

STORED: Final = 0
NO_ROOM: Final = 1  # the pool is used up: grow the block and do the whole frame again (quantities are absolute)

ONE = np.int64(1)
ALL = np.int64(-1)
ALL_BUT_LOWEST = np.int64(-2)

REGION_MASK = REGION_FAN - 1
SUPER_MASK = SUPER_FAN - 1
LEAF_MASK = (1 << LEAF_SHIFT) - 1


@borrowing_kernel(I64(I64_1, I64, I64))
def take_node(block: Ints, free_list: int, size: int) -> int:
    """A zeroed node from a free list or from the top of the pool; the caller has made sure there is room."""
    node = block[free_list]
    if node != 0:
        block[free_list] = block[node]
        block[node] = 0
        return int(node)
    node = block[TOP]
    block[TOP] = node + size
    return int(node)


@borrowing_kernel(I64(I64_1, I64, I64))
def find_below(block: Ints, side: int, tick: int) -> int:
    """The highest level at or below `tick`, -1 if there is none."""
    regions = block[REGIONS]
    tick = min(tick, (regions << REGION_SHIFT) - 1)
    if tick < 0:
        return -1
    pointers = block[DIRECTORY + side]
    index = tick >> REGION_SHIFT
    region = block[pointers + index]
    if region != 0:
        child = (tick >> SUPER_SHIFT) & REGION_MASK
        node = block[region + CHILD + child]
        if node != 0:
            place = (tick >> LEAF_SHIFT) & SUPER_MASK
            leaf = block[node + CHILD + place]
            if leaf != 0:
                bits = block[leaf] & ~(ALL_BUT_LOWEST << (tick & LEAF_MASK))
                if bits != 0:
                    return ((tick >> LEAF_SHIFT) << LEAF_SHIFT) | highest_bit(bits)
            bits = block[node] & ~(ALL << place)
            if bits != 0:
                place = highest_bit(bits)
                leaf = block[node + CHILD + place]
                return ((tick >> SUPER_SHIFT) << SUPER_SHIFT) | (place << LEAF_SHIFT) | highest_bit(block[leaf])
        bits = block[region] & ~(ALL << child)
        if bits != 0:
            child = highest_bit(bits)
            node = block[region + CHILD + child]
            place = highest_bit(block[node])
            leaf = block[node + CHILD + place]
            return (index << REGION_SHIFT) | (child << SUPER_SHIFT) | (place << LEAF_SHIFT) | highest_bit(block[leaf])
    words = pointers + 3 * regions
    word = index >> 6
    bits = block[words + word] & ~(ALL << (index & 63))
    while bits == 0:
        word -= 1
        if word < 0:
            return -1
        bits = block[words + word]
    index = (word << 6) | highest_bit(bits)
    region = block[pointers + index]
    child = highest_bit(block[region])
    node = block[region + CHILD + child]
    place = highest_bit(block[node])
    leaf = block[node + CHILD + place]
    return (index << REGION_SHIFT) | (child << SUPER_SHIFT) | (place << LEAF_SHIFT) | highest_bit(block[leaf])


@borrowing_kernel(I64(I64_1, I64, I64))
def find_above(block: Ints, side: int, tick: int) -> int:
    """The lowest level at or above `tick`, -1 if there is none."""
    regions = block[REGIONS]
    tick = max(tick, 0)
    if tick >= regions << REGION_SHIFT:
        return -1
    pointers = block[DIRECTORY + side]
    index = tick >> REGION_SHIFT
    region = block[pointers + index]
    if region != 0:
        child = (tick >> SUPER_SHIFT) & REGION_MASK
        node = block[region + CHILD + child]
        if node != 0:
            place = (tick >> LEAF_SHIFT) & SUPER_MASK
            leaf = block[node + CHILD + place]
            if leaf != 0:
                bits = block[leaf] & (ALL << (tick & LEAF_MASK))
                if bits != 0:
                    return ((tick >> LEAF_SHIFT) << LEAF_SHIFT) | lowest_bit(bits)
            bits = block[node] & (ALL_BUT_LOWEST << place)
            if bits != 0:
                place = lowest_bit(bits)
                leaf = block[node + CHILD + place]
                return ((tick >> SUPER_SHIFT) << SUPER_SHIFT) | (place << LEAF_SHIFT) | lowest_bit(block[leaf])
        bits = block[region] & (ALL_BUT_LOWEST << child)
        if bits != 0:
            child = lowest_bit(bits)
            node = block[region + CHILD + child]
            place = lowest_bit(block[node])
            leaf = block[node + CHILD + place]
            return (index << REGION_SHIFT) | (child << SUPER_SHIFT) | (place << LEAF_SHIFT) | lowest_bit(block[leaf])
    words = pointers + 3 * regions
    last = (regions - 1) >> 6
    word = index >> 6
    bits = block[words + word] & (ALL_BUT_LOWEST << (index & 63))
    while bits == 0:
        word += 1
        if word > last:
            return -1
        bits = block[words + word]
    index = (word << 6) | lowest_bit(bits)
    region = block[pointers + index]
    child = lowest_bit(block[region])
    node = block[region + CHILD + child]
    place = lowest_bit(block[node])
    leaf = block[node + CHILD + place]
    return (index << REGION_SHIFT) | (child << SUPER_SHIFT) | (place << LEAF_SHIFT) | lowest_bit(block[leaf])


@borrowing_kernel(I64(I64_1, I64, I64))
def leaf_at(block: Ints, side: int, tick: int) -> int:
    """The leaf that holds a tick's cell, 0 where there is none."""
    if tick < 0 or tick >= block[REGIONS] << REGION_SHIFT:
        return 0
    region = block[block[DIRECTORY + side] + (tick >> REGION_SHIFT)]
    if region == 0:
        return 0
    node = block[region + CHILD + ((tick >> SUPER_SHIFT) & REGION_MASK)]
    if node == 0:
        return 0
    return int(block[node + CHILD + ((tick >> LEAF_SHIFT) & SUPER_MASK)])


@borrowing_kernel(I64(I64_1, I64, I64))
def lots_at(block: Ints, side: int, tick: int) -> int:
    """The lots at a tick, 0 where there is no level."""
    leaf = leaf_at(block, side, tick)
    return int(block[leaf + CHILD + (tick & LEAF_MASK)]) if leaf != 0 else 0


@borrowing_kernel(I64(I64_1, I64, I64, I64, I64, I64))
def drop_leaf(block: Ints, side: int, tick: int, region: int, node: int, leaf: int) -> int:
    """Hands an emptied leaf, and the parents this empties, back to the free lists. Returns how many nodes."""
    pointers = block[DIRECTORY + side]
    place = (tick >> LEAF_SHIFT) & SUPER_MASK
    block[node + CHILD + place] = 0
    block[node] &= ~(ONE << place)
    block[leaf] = block[FREE_LEAF]
    block[FREE_LEAF] = leaf
    if block[node] != 0:
        return 1
    child = (tick >> SUPER_SHIFT) & REGION_MASK
    block[region + CHILD + child] = 0
    block[region] &= ~(ONE << child)
    block[node] = block[FREE_SUPER]
    block[FREE_SUPER] = node
    if block[region] != 0:
        return 2
    index = tick >> REGION_SHIFT
    block[pointers + index] = 0
    block[pointers + 3 * block[REGIONS] + (index >> 6)] &= ~(ONE << (index & 63))
    block[region] = block[FREE_REGION]
    block[FREE_REGION] = region
    return 3


@borrowing_kernel(I64(I64_1, I64, I64, I64))
def set_level(block: Ints, side: int, tick: int, lots: int) -> int:
    """Sets a level to an absolute quantity; 0 deletes, also what is not there.

    Returns STORED or NO_ROOM (nothing changed). Levels the ladder cannot hold are counted in BEYOND or OVERSIZED.
    """
    regions = block[REGIONS]
    index = tick >> REGION_SHIFT
    if index >= regions or tick < 0:
        if lots > 0:
            block[BEYOND] += 1
        return STORED
    offset = tick & (REGION_TICKS - 1)
    if lots > SAFE_LOTS:
        block[OVERSIZED] += 1
        return STORED
    pointers = block[spot(DIRECTORY + side)]
    child = (tick >> SUPER_SHIFT) & REGION_MASK
    branch = (tick >> LEAF_SHIFT) & SUPER_MASK
    region = block[spot(pointers + index)]
    node = block[spot(region + CHILD + child)] if region != 0 else 0
    leaf = block[spot(node + CHILD + branch)] if node != 0 else 0
    if leaf == 0:
        if lots == 0:
            return STORED
        if block[CAPACITY] - block[TOP] < LEVEL_ROOM:
            return NO_ROOM
        if region == 0:
            region = take_node(block, FREE_REGION, REGION_SIZE)
            block[spot(pointers + index)] = region
            block[spot(pointers + 3 * regions + (index >> 6))] |= ONE << (index & 63)
        if node == 0:
            node = take_node(block, FREE_SUPER, SUPER_SIZE)
            block[spot(region + CHILD + child)] = node
            block[spot(region)] |= ONE << child
        leaf = take_node(block, FREE_LEAF, LEAF_SIZE)
        block[spot(node + CHILD + branch)] = leaf
        block[spot(node)] |= ONE << branch
    cell = tick & LEAF_MASK
    before = block[spot(leaf + CHILD + cell)]
    change = lots - before
    if change == 0:
        return STORED
    lot_sum = block[spot(pointers + regions + index)] + change
    if lot_sum > MAX_SUM:
        block[OVERSIZED] += 1
        if block[spot(leaf)] == 0:
            drop_leaf(block, side, tick, region, node, leaf)
        return STORED
    block[spot(pointers + regions + index)] = lot_sum
    slot = spot(pointers + 2 * regions + index)
    block[slot] = with_product(block[slot], change, offset)
    block[spot(region + REGION_LOTS + child)] += change
    slot = spot(region + REGION_WEIGHTED + child)
    block[slot] = with_product(block[slot], change, offset)
    block[spot(node + SUPER_LOTS + branch)] += change
    slot = spot(node + SUPER_WEIGHTED + branch)
    block[slot] = with_product(block[slot], change, tick & (SUPER_TICKS - 1))
    block[spot(leaf + CHILD + cell)] = lots
    # Whether a change sets, alters or deletes is a coin toss to the processor: no branch hangs on it.
    present = 1 if lots != 0 else 0
    bits = (block[spot(leaf)] & ~(ONE << cell)) | (present << cell)
    block[spot(leaf)] = bits
    block[spot(COUNT + side)] += present - (1 if before != 0 else 0)
    if bits == 0:
        drop_leaf(block, side, tick, region, node, leaf)
    best = block[spot(BEST + side)]
    if (tick >= best if side == BID else tick <= best) or best < 0:
        if present == 1:
            block[spot(BEST + side)] = tick
        elif tick == best:
            block[spot(BEST + side)] = find_below(block, BID, tick) if side == BID else find_above(block, ASK, tick)
    return STORED


@borrowing_kernel(I64(I64_1, I64_1, I64_3))
def apply_levels(block: Ints, header: Ints, levels: Ints) -> int:
    """Applies the levels of a scanned frame. Returns STORED, or NO_ROOM after a part of it."""
    for side in range(2):
        for row in range(header[BID_COUNT + side]):
            tick, lots = levels[spot(side), spot(row), TICK], levels[spot(side), spot(row), LOTS]
            if set_level(block, side, tick, lots) == NO_ROOM:
                return NO_ROOM
    return STORED


@borrowing_kernel(I64(I64_1))
def clear(block: Ints) -> int:
    """Empties both sides; room and range stay. Returns the slots zeroed."""
    first = block[DIRECTORY]
    last = block[TOP]
    for slot in range(first, last):
        block[slot] = 0
    regions = block[REGIONS]
    block[TOP] = block[DIRECTORY + ASK] + 3 * regions + ((regions + 63) >> 6)
    block[FREE_LEAF] = 0
    block[FREE_SUPER] = 0
    block[FREE_REGION] = 0
    block[COUNT] = 0
    block[COUNT + 1] = 0
    block[BEST] = -1
    block[BEST + 1] = -1
    block[VERIFIED_LOW] = 1 << 62
    block[VERIFIED_HIGH] = -1
    block[KNOWN_TOP] = (regions << REGION_SHIFT) - 1
    return int(last - first)


@borrowing_kernel(I64(I64_1, I64, I64, I64))
def erase(block: Ints, side: int, low: int, high: int) -> int:
    """Deletes the levels of a side from `low` to `high` (both included). Returns how many."""
    erased = 0
    tick = find_above(block, side, low)
    while tick >= 0 and tick <= high:
        set_level(block, side, tick, 0)
        erased += 1
        tick = find_above(block, side, tick)
    return erased


@borrowing_kernel(I64(I64_1, I64, I64_2))
def export_levels(block: Ints, side: int, rows: Ints) -> int:
    """Writes a side's levels into `rows` (int64[n, 2]: tick, lots), lowest tick first. Returns how many were written."""
    tick = find_above(block, side, 0)
    written = 0
    while tick >= 0 and written < rows.shape[0]:
        rows[written, 0] = tick
        rows[written, 1] = lots_at(block, side, tick)
        written += 1
        tick = find_above(block, side, tick + 1)
    return written


@borrowing_kernel(I64(I64_1, I64_1, I64, I64, I64))
def copy_levels(target: Ints, source: Ints, side: int, low: int, high: int) -> int:
    """Sets in `target` every level that `source` holds from `low` to `high`. Returns STORED or NO_ROOM."""
    tick = find_above(source, side, low)
    while tick >= 0 and tick <= high:
        if set_level(target, side, tick, lots_at(source, side, tick)) == NO_ROOM:
            return NO_ROOM
        tick = find_above(source, side, tick + 1)
    return STORED


@borrowing_kernel(I64(I64_1, I64_1, I64, I64, I64))
def differing(left: Ints, right: Ints, side: int, low: int, high: int) -> int:
    """How many ticks from `low` to `high` hold different lots in the two books."""
    count = 0
    tick = find_above(left, side, low)
    other = find_above(right, side, low)
    while True:
        if tick > high:
            tick = -1
        if other > high:
            other = -1
        if tick < 0 and other < 0:
            return count
        if tick == other:
            if lots_at(left, side, tick) != lots_at(right, side, other):
                count += 1
            tick = find_above(left, side, tick + 1)
            other = find_above(right, side, other + 1)
        elif other < 0 or 0 <= tick < other:
            count += 1
            tick = find_above(left, side, tick + 1)
        else:
            count += 1
            other = find_above(right, side, other + 1)


@borrowing_kernel(I64(I64_1, I64))
def verified_edge(block: Ints, side: int) -> int:
    """The farthest tick up to which every level of the side is known: 0 or more for bids, at most KNOWN_TOP for asks.

    Windowed streams: the worst level while the window is full; a side with fewer levels is known completely, unless it was full
    before: what comes after a level that is gone may not have been told yet.
    """
    window = block[WINDOW]
    if side == BID:
        if window == 0:
            return int(block[VERIFIED_LOW])
        if block[COUNT] < window and block[WAS_FULL] == 0:
            return 0
        return find_above(block, BID, 0)
    if window == 0:
        return int(min(block[VERIFIED_HIGH], block[KNOWN_TOP]))
    if block[COUNT + 1] < window and block[WAS_FULL + 1] == 0:
        return int(block[KNOWN_TOP])
    return int(min(find_below(block, ASK, (block[REGIONS] << REGION_SHIFT) - 1), block[KNOWN_TOP]))


@borrowing_kernel(I64(I64_1))
def trim(block: Ints) -> int:
    """Deletes the worst levels beyond the window: they have left it. Returns how many."""
    trimmed = 0
    while block[COUNT] > block[WINDOW]:
        set_level(block, BID, find_above(block, BID, 0), 0)
        trimmed += 1
    while block[COUNT + 1] > block[WINDOW]:
        set_level(block, ASK, find_below(block, ASK, (block[REGIONS] << REGION_SHIFT) - 1), 0)
        trimmed += 1
    return trimmed

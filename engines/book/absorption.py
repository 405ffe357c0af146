"""What one side of a book would absorb: coins resting between the mid and each of many drops, and how much of it is known.

The known part holds three kinds of levels, as far as each reaches: the verified book, beyond it a deep snapshot that still
counts, beyond that the levels learned from changes where the stream reports changes at any price (a lower bound). The whole is
the known part up to where every level is known (the reach); from there on the density of the outer half of the reach goes on
(models.md 4.1: extend with the last density), or the levels learned where they hold more.

"Drop" is the distance from the mid as a ratio, downwards for bids and upwards for asks.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.bits import highest_bit, lowest_bit, spot
from engines.book.depth import readable
from engines.book.ladder import ONE, verified_edge
from engines.book.memory import BEST, CHILD, DIRECTORY, LEAF_SHIFT, REGION_SHIFT, REGIONS, SUPER_SHIFT, SUPER_TICKS
from engines.book.sums import DEEP_FRESH, FLOOR_ALLOWED
from engines.kernel import F64, F64_1, I64, I64_1, READ_F64_1, borrowing_kernel
from engines.wire.layout import BID

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ON_EDGE: Final = 1e-9  # a level exactly on an edge is inside it (models.md 0)
UNKNOWN: Final = -1.0  # in place of a reach: the book cannot be read


@borrowing_kernel(I64(I64, F64, F64), inline=True)
def cell_edge(side: int, middle: float, drop: float) -> int:
    """The farthest tick within a drop of the mid (in ticks); one exactly on the edge is inside."""
    if side == BID:
        return math.ceil(middle * (1.0 - drop) * (1.0 - ON_EDGE))
    return math.floor(middle * (1.0 + drop) * (1.0 + ON_EDGE))


@borrowing_kernel(I64(I64_1, I64, I64, I64, READ_F64_1, F64_1, F64, F64, I64))
def add_levels(
    block: Ints,
    side: int,
    near: int,
    far: int,
    drops: Floats,
    cells: Floats,
    half_ticks: float,
    unit: float,
    inverse: int,
) -> int:
    """Adds the coins of the levels from `near` to `far` (both included) to the cell of the first drop that holds them.

    Args:
        drops: float64[n], ascending. cells: float64[n], added to; what lies beyond the last drop is left out.
        half_ticks: twice the mid, in ticks. unit: coins of a lot; inverse: coins of a lot at a price of one tick.

    Returns:
        How many levels were added.
    """
    last = drops.shape[0]
    cell = 0
    added = 0
    held = 0.0  # of the cell so far
    middle = 0.5 * half_ticks
    limit = cell_edge(side, middle, drops[0])
    regions = block[REGIONS]
    pointers = block[DIRECTORY + side]
    top = (regions << REGION_SHIFT) - 1
    step = -1 if side == BID else 1
    index = min(max(near, 0), top) >> REGION_SHIFT
    end = (min(max(far, 0), top) >> REGION_SHIFT) + step
    # The tree itself is walked, node by node: looking every level up from its top would cost three times as much.
    while index != end:
        region = block[spot(pointers + index)]
        above = 0 if region == 0 else block[spot(region)]
        while above != 0:
            child = highest_bit(above) if side == BID else lowest_bit(above)
            above &= ~(ONE << child)
            start = (index << REGION_SHIFT) | (child << SUPER_SHIFT)
            if start > near if side == BID else start + SUPER_TICKS <= near:
                continue
            node = block[spot(region + CHILD + child)]
            branches = block[spot(node)]
            while branches != 0:
                branch = highest_bit(branches) if side == BID else lowest_bit(branches)
                branches &= ~(ONE << branch)
                first = start | (branch << LEAF_SHIFT)
                leaf = block[spot(node + CHILD + branch)]
                bits = block[spot(leaf)]
                while bits != 0:
                    place = highest_bit(bits) if side == BID else lowest_bit(bits)
                    bits &= ~(ONE << place)
                    level = first | place
                    if (level > near if side == BID else level < near) or level == 0:
                        continue
                    if level < far if side == BID else level > far:
                        cells[cell] += held * unit
                        return added
                    while level < limit if side == BID else level > limit:
                        cells[cell] += held * unit
                        held = 0.0
                        cell += 1
                        if cell == last:
                            return added
                        limit = cell_edge(side, middle, drops[cell])
                    lots = float(block[spot(leaf + CHILD + place)])
                    held += lots / level if inverse else lots
                    added += 1
        index += step
    cells[cell] += held * unit
    return added


@borrowing_kernel(F64(I64, F64, I64))
def drop_of(side: int, half_ticks: float, tick: int) -> float:
    """The distance of a tick from the mid as a ratio, at least 0 and at most 1 for bids."""
    ratio = 1.0 - 2.0 * tick / half_ticks
    return max(0.0, min(1.0, ratio)) if side == BID else max(0.0, -ratio)


@borrowing_kernel(F64(READ_F64_1, F64_1, F64))
def level_at(drops: Floats, curve: Floats, drop: float) -> float:
    """A piecewise linear curve over the first of the drops, read at one drop; beyond its last value it is flat."""
    low, high = 0, curve.shape[0] - 1
    if drop >= drops[high]:
        return float(curve[high])
    while low < high:
        middle = (low + high) >> 1
        if drops[middle] < drop:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return float(curve[0])
    before = drops[low - 1]
    return float(curve[low - 1] + (curve[low] - curve[low - 1]) * (drop - before) / (drops[low] - before))


@borrowing_kernel(F64(I64_1, I64_1, I64, I64, READ_F64_1, F64, I64, F64_1, F64_1))
def absorption(
    block: Ints,
    deep: Ints,
    side: int,
    flags: int,
    drops: Floats,
    unit: float,
    inverse: int,
    known: Floats,
    whole: Floats,
) -> float:
    """Cumulative coins of one side up to each drop from the book's own mid. Source: models.md 1.1, 4.1, 4.5.

    Args:
        block: the book. deep: the book of a deep snapshot, looked at with DEEP_FRESH in `flags`. With FLOOR_ALLOWED levels beyond
            all that count as known, too.
        drops: float64[n], ascending, drops[0] = 0.
        unit: coins of a lot; inverse: coins of a lot at a price of one tick (lot unit / tick unit).
        known, whole: float64[n], written.

    Returns:
        The reach: the drop up to which every level is known. UNKNOWN: the book cannot be read, both curves are 0.
    """
    n = drops.shape[0]
    known[:] = 0.0
    whole[:] = 0.0
    if readable(block) == 0:
        return UNKNOWN
    half = float(block[BEST] + block[BEST + 1])
    if half <= 0.0:
        return UNKNOWN
    near = block[BEST + side]
    edge = verified_edge(block, side)
    add_levels(block, side, near, edge, drops, known, half, unit, inverse)
    step = -1 if side == BID else 1
    if flags & DEEP_FRESH:
        deep_edge = verified_edge(deep, side)
        if deep_edge < edge if side == BID else deep_edge > edge:
            add_levels(deep, side, edge + step, deep_edge, drops, known, half, unit, inverse)
            edge = deep_edge
    reach = drop_of(side, half, edge)
    complete = 0  # first drop beyond the reach
    running = 0.0
    while complete < n and drops[complete] <= reach * (1.0 + ON_EDGE):
        running += known[complete]
        known[complete] = running
        whole[complete] = running
        complete += 1
    if complete == n:
        return reach
    # The cell the reach ends in holds coins up to the reach itself.
    inside = running + known[complete]
    learned = known[complete:]
    if flags & FLOOR_ALLOWED:
        beyond = 0 if side == BID else (1 << 62)
        add_levels(block, side, edge + step, beyond, drops, known, half, unit, inverse)
    half_reach = 0.5 * reach
    inner = drops[complete - 1]  # drops[0] is 0, so that there is one
    if half_reach < inner:
        at_half = level_at(drops, known[:complete], half_reach)
    else:
        at_half = running + (inside - running) * (half_reach - inner) / (reach - inner) if reach > inner else running
    density = (inside - at_half) / (reach - half_reach) if reach > 0.0 else 0.0
    total = running
    for i in range(learned.shape[0]):
        total += learned[i]
        learned[i] = total
        whole[complete + i] = max(total, inside + density * (drops[complete + i] - reach))
    return reach

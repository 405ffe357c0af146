"""Sums over a book: depth up to a tick, seven bands of both sides at once, one over price, cost to trade.

Sums are integers: lots, and lots * (tick - reference), the reference being a tick near the mid so that the products stay
small. lots * tick is put together outside, where integers have no end.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import types

from engines.book.bits import spot
from engines.book.ladder import LEAF_MASK, REGION_MASK, SUPER_MASK, find_above, find_below, lots_at, verified_edge
from engines.book.memory import (
    BEST,
    CHILD,
    DIRECTORY,
    LEAF_SHIFT,
    LEAF_TICKS,
    REGION_FAN,
    REGION_LOTS,
    REGION_SHIFT,
    REGION_TICKS,
    REGION_WEIGHTED,
    REGIONS,
    SUPER_FAN,
    SUPER_LOTS,
    SUPER_SHIFT,
    SUPER_WEIGHTED,
)
from engines.kernel import F64, F64_2, I64, I64_1, I64_3, READ_F64_1, READ_I64_1, borrowing_kernel
from engines.wire.layout import ASK, BID

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SUMS = types.UniTuple(I64, 2)  # type: ignore[no-untyped-call]
FLOAT_SUMS = types.UniTuple(F64, 2)  # type: ignore[no-untyped-call]

# Columns of a band's row as `measure` writes it.
EDGE: Final = 0  # the farthest tick inside the band
BASIS: Final = 1
RAW_LOTS: Final = 2  # what the ladder holds, known or not
RAW_OFFSET: Final = 3  # sum of lots * (tick - reference)
LOTS_SUM: Final = 4  # what may be published, by the basis
OFFSET_SUM: Final = 5
VERIFIED: Final = 6  # 1 = the edge lies inside the verified reach
COLUMNS: Final = 8

NONE: Final = 0
LIVE: Final = 1
SNAPSHOT: Final = 2
FLOOR: Final = 3

# `measure` flags.
REFERENCE_BEST: Final = 1
FLOOR_ALLOWED: Final = 2
DEEP_FRESH: Final = 4

TOO_LARGE: Final = -1  # in place of a lot sum: the products might pass int64, the caller sums level by level
SUM_LIMIT: Final = 1 << 62

# Columns of a cost row.
VWAP: Final = 0  # ticks
WORST: Final = 1  # ticks
FILLED: Final = 2  # lots


@borrowing_kernel(SUMS(I64_1, I64, I64, I64))
def depth_to(block: Ints, side: int, edge: int, reference: int) -> tuple[int, int]:
    """(sum of lots, sum of lots * (tick - reference)) from the touch to `edge` (included).

    (TOO_LARGE, 0) when the second sum could pass int64. Otherwise no weighted sum looked at does either: it weighs no more lots.
    """
    best = block[BEST + side]
    if best < 0 or (edge > best if side == BID else edge < best):
        return 0, 0
    regions = block[REGIONS]
    edge = min(max(edge, 0), (regions << REGION_SHIFT) - 1)
    limit = SUM_LIMIT // (max(abs(edge - reference), abs(best - reference)) + REGION_TICKS)
    pointers = block[DIRECTORY + side]
    first = edge >> REGION_SHIFT
    last = best >> REGION_SHIFT
    lots = 0
    offset = 0
    if side == BID:
        low, high = first + 1, last + 1
    else:
        low, high = last, first
    for index in range(low, high):
        part = block[spot(pointers + regions + index)]
        lots += part
        if lots > limit:
            return TOO_LARGE, 0
        offset += block[spot(pointers + 2 * regions + index)] + part * ((index << REGION_SHIFT) - reference)
    region = block[spot(pointers + first)]
    if region == 0:
        return lots, offset
    child = (edge >> SUPER_SHIFT) & REGION_MASK
    low, high = (child + 1, REGION_FAN) if side == BID else (0, child)
    part = 0
    weighted = 0
    for slot in range(region + REGION_LOTS + low, region + REGION_LOTS + high):
        part += block[spot(slot)]
    for slot in range(region + REGION_WEIGHTED + low, region + REGION_WEIGHTED + high):
        weighted += int(block[spot(slot)])
    lots += part
    if lots > limit:
        return TOO_LARGE, 0
    offset += weighted + part * ((first << REGION_SHIFT) - reference)
    node = block[spot(region + CHILD + child)]
    if node == 0:
        return lots, offset
    branch = (edge >> LEAF_SHIFT) & SUPER_MASK
    low, high = (branch + 1, SUPER_FAN) if side == BID else (0, branch)
    part = 0
    weighted = 0
    for slot in range(node + SUPER_LOTS + low, node + SUPER_LOTS + high):
        part += block[spot(slot)]
    for slot in range(node + SUPER_WEIGHTED + low, node + SUPER_WEIGHTED + high):
        weighted += int(block[spot(slot)])
    lots += part
    if lots > limit:
        return TOO_LARGE, 0
    offset += weighted + part * (((edge >> SUPER_SHIFT) << SUPER_SHIFT) - reference)
    leaf = block[spot(node + CHILD + branch)]
    if leaf == 0:
        return lots, offset
    cell = edge & LEAF_MASK
    low, high = (cell, LEAF_TICKS) if side == BID else (0, cell + 1)
    start = edge - cell - reference
    for cell in range(low, high):
        part = block[spot(leaf + CHILD + cell)]
        lots += part
        if lots > limit:
            return TOO_LARGE, 0
        offset += part * (start + cell)
    return lots, offset


@borrowing_kernel(I64(I64, I64, I64, I64))
def band_edge(side: int, twice: int, numerator: int, denominator: int) -> int:
    """The farthest tick within numerator/denominator of a reference given in half ticks; a level on the edge is inside.

    bid: ceil(reference * (1 - x)), ask: floor(reference * (1 + x)), in whole numbers.
    """
    if side == BID:
        return -((-twice * (denominator - numerator)) // (2 * denominator))
    return (twice * (denominator + numerator)) // (2 * denominator)


@borrowing_kernel(I64(I64_1, I64_1, READ_I64_1, I64_3, I64, I64))
def measure_around(block: Ints, deep: Ints, bands: Ints, out: Ints, flags: int, around: int) -> int:
    """`measure` with edges around a price from outside: `around` is twice that price in ticks, 0 for the book's own."""
    best_bid = block[BEST]
    best_ask = block[BEST + 1]
    reference = (best_bid + best_ask) >> 1
    for side in range(2):
        twice = best_bid + best_ask
        if around > 0:
            twice = around
        elif flags & REFERENCE_BEST:
            twice = 2 * block[BEST + side]
        known = verified_edge(block, side)
        deep_known = verified_edge(deep, side) if flags & DEEP_FRESH else 0
        for band in range(out.shape[1]):
            edge = band_edge(side, twice, bands[2 * band], bands[2 * band + 1])
            lots, offset = depth_to(block, side, edge, reference)
            inside = edge >= known if side == BID else edge <= known
            basis = NONE
            total = 0
            weighted = 0
            if inside:
                basis = LIVE
                total, weighted = lots, offset
            elif flags & DEEP_FRESH and (edge >= deep_known if side == BID else edge <= deep_known):
                basis = SNAPSHOT
                near, near_offset = depth_to(block, side, known, reference)
                far, far_offset = depth_to(deep, side, edge, reference)
                hidden, hidden_offset = depth_to(deep, side, known, reference)
                if near < 0 or far < 0 or hidden < 0:
                    total = TOO_LARGE
                else:
                    total = near + far - hidden
                    weighted = near_offset + far_offset - hidden_offset
            elif flags & FLOOR_ALLOWED:
                basis = FLOOR
                total, weighted = lots, offset
            out[side, band, EDGE] = edge
            out[side, band, BASIS] = basis
            out[side, band, RAW_LOTS] = lots
            out[side, band, RAW_OFFSET] = offset
            out[side, band, LOTS_SUM] = total
            out[side, band, OFFSET_SUM] = weighted
            out[side, band, VERIFIED] = 1 if inside else 0
    return int(reference)


@borrowing_kernel(I64(I64_1, I64_1, READ_I64_1, I64_3, I64))
def measure(block: Ints, deep: Ints, bands: Ints, out: Ints, flags: int) -> int:
    """Both sides' sums within every band.

    Args:
        block: the live book; both sides must hold levels.
        deep: the book of the last deep snapshot (only looked at with DEEP_FRESH).
        bands: int64[2 n]: numerator and denominator of each band.
        out: int64[2, n, COLUMNS], written.
        flags: REFERENCE_BEST | FLOOR_ALLOWED | DEEP_FRESH.

    Returns:
        The reference tick the offsets are measured from.
    """
    return measure_around(block, deep, bands, out, flags, 0)


@borrowing_kernel(F64(I64_1, I64, I64, I64))
def lots_over_tick(block: Ints, side: int, near: int, far: int) -> float:
    """Sum of lots / tick over the levels from `near` to `far` (both included), nearest first: the base sum of inverse contracts."""
    total = 0.0
    if side == BID:
        tick = find_below(block, BID, near)
        while tick > 0 and tick >= far:
            total += lots_at(block, BID, tick) / tick
            tick = find_below(block, BID, tick - 1)
        return total
    tick = find_above(block, ASK, near)
    while tick >= 0 and tick <= far:
        if tick > 0:
            total += lots_at(block, ASK, tick) / tick
        tick = find_above(block, ASK, tick + 1)
    return total


@borrowing_kernel(FLOAT_SUMS(I64_1, I64, I64, I64))
def walked_sums(block: Ints, side: int, near: int, far: int) -> tuple[float, float]:
    """(lots, lots * tick) over the levels from `near` to `far` (both included), level by level: sums of any size, not quite exact."""
    lots = 0.0
    lot_ticks = 0.0
    tick = find_below(block, BID, near) if side == BID else find_above(block, ASK, near)
    while tick >= 0 and (tick >= far if side == BID else tick <= far):
        part = float(lots_at(block, side, tick))
        lots += part
        lot_ticks += part * tick
        tick = find_below(block, BID, tick - 1) if side == BID else find_above(block, ASK, tick + 1)
    return lots, lot_ticks


@borrowing_kernel(I64(I64_1, I64, READ_F64_1, F64_2, I64))
def cost(block: Ints, side: int, targets: Floats, out: Floats, inverse: int) -> int:
    """Walks one side from the touch until each target is filled, the last level partly.

    Args:
        side: BID for selling, ASK for buying.
        targets: float64[n], ascending; lots * ticks to trade (linear), or lots (inverse).
        out: float64[n, 3]: vwap and worst price in ticks, lots filled; NaN where the known levels do not hold the target.
        inverse: 1 = sizes are quote amounts: the price is the harmonic mean.

    Returns:
        How many targets could be filled.
    """
    known = verified_edge(block, side)
    tick = block[BEST + side]
    filled = 0.0  # lots in whole levels so far
    paid = 0.0  # of lots * ticks (linear), of lots / ticks (inverse)
    target = 0
    while target < targets.shape[0] and tick > 0:
        if tick < known if side == BID else tick > known:
            break
        lots = lots_at(block, side, tick)
        amount = float(lots) if inverse else float(lots) * tick
        reached = filled if inverse else paid
        while target < targets.shape[0] and targets[target] <= reached + amount:
            rest = targets[target] - reached
            if inverse:
                out[target, VWAP] = targets[target] / (paid + rest / tick)
                out[target, FILLED] = targets[target]
            else:
                out[target, FILLED] = filled + rest / tick
                out[target, VWAP] = targets[target] / out[target, FILLED]
            out[target, WORST] = tick
            target += 1
        filled += lots
        paid += lots / tick if inverse else amount
        tick = find_below(block, BID, tick - 1) if side == BID else find_above(block, ASK, tick + 1)
    done = target
    while target < targets.shape[0]:
        out[target, VWAP] = np.nan
        out[target, WORST] = np.nan
        out[target, FILLED] = np.nan
        target += 1
    return done

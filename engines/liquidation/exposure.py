"""The cohorts of one market as arrays, and one interval of the map (models.md 3.2, 3.3).

Coordinates. Everything runs over one price coordinate y: y = price for linear contracts, y = 1/price for inverse ones, where an
inverse short is what a linear long is: liquidated when y falls (models.md 2.4 with cum = 0 is 2.1 in 1/price). Side FALLING is
liquidated when y falls, RISING when it rises.

A cohort is kept by its liquidation coordinate without funding, L0 = y_entry multiplier - index weight: for one bucket a constant
shift of log entry, and the order of L0 is the order of liquidation whatever funding did. LP = L0 + index weight, multiplier =
(1 -/+ 1/l)/(1 -/+ mmr), weight = 1/(1 -/+ mmr).

State, K levered buckets, N = BINS:
  quantity float64[2K, N]  of row side*K + bucket, in units of the side's scale; ring over bins of log L0, slot = bin & (N - 1)
  moment   float64[2K, N]  sum of quantity x (log L0 - centre of the bin): a bin remembers the mean of what it holds
  extent   int64[2K, 2]    lowest and highest occupied bin; empty when the first is larger
  totals   float64[2K]     sum of the row, in units of the scale
  window   int64[2]        lowest bin of the side's ring
  ledger   float64[LEDGER] the slots below
Decay and voluntary closings take the same share of every levered cohort of a side, so they only move its scale.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, F64_2, I64, I64_1, I64_2, kernel

FALLING, RISING = 0, 1
BINS: Final = 2048  # x 5 bps: liquidation prices down to 0.36 and up to 2.8 times the price; a power of two
MARGIN: Final = 64  # bins kept on the wrong side of the price, for the part of funding that is not folded in
FOLD_AT: Final = 0.02  # of the price: funding beyond it is folded into the bins
RENORMALISE_AT: Final = 1e-9

SCALE, UNLEVERED, FUNDING, INDEX, OPEN_INTEREST, FALLEN = 0, 2, 4, 5, 6, 7  # SCALE and UNLEVERED: one slot a side
LEDGER: Final = 8

DT, DOI, BUYS, SELLS, VWAP, LOW, HIGH, FUNDING_PAID, TILT_FALLING, FACTOR_FALLING, FACTOR_RISING = range(11)
INTERVAL: Final = 11
LIQUIDATED, CLOSED, OPENED = 0, 2, 4  # slots of the flows, one a side
FLOWS: Final = 6

STEPPED, EXHAUSTED = 0, 1


@kernel(types.void(F64_2, F64_2, I64_2, F64_1, I64_1, F64_1, I64, I64, F64, F64, F64))
def place(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    side: int,
    row: int,
    coordinate: float,
    amount: float,
    width: float,
) -> None:
    """Adds `amount` (true units) with liquidation coordinate L0; what lies outside the ring is counted and joins bucket 1."""
    if amount <= 0.0:
        return
    bin_index = 0
    log_coordinate = 0.0
    inside = coordinate > 0.0
    if inside:
        log_coordinate = math.log(coordinate)
        bin_index = math.floor(log_coordinate / width)
        inside = window[side] <= bin_index < window[side] + quantity.shape[1]
    if not inside:
        ledger[UNLEVERED + side] += amount
        ledger[FALLEN] += amount
        return
    slot = bin_index & (quantity.shape[1] - 1)
    stored = amount / ledger[SCALE + side]
    quantity[row, slot] += stored
    moment[row, slot] += stored * (log_coordinate - (bin_index + 0.5) * width)
    totals[row] += stored
    if extent[row, 0] > extent[row, 1]:
        extent[row, 0] = bin_index
        extent[row, 1] = bin_index
    else:
        extent[row, 0] = min(extent[row, 0], bin_index)
        extent[row, 1] = max(extent[row, 1], bin_index)


@kernel(types.void(F64_2, F64_2, I64_2, F64_1, I64_1, F64_1, I64, F64, F64))
def slide(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    side: int,
    coordinate: float,
    width: float,
) -> None:
    """Moves the side's ring with the price; bins that leave it are counted and join bucket 1."""
    bins = quantity.shape[1]
    at = math.floor(math.log(coordinate) / width)
    bottom = at + MARGIN - bins + 1 if side == FALLING else at - MARGIN
    if bottom == window[side]:
        return
    window[side] = bottom
    levered = quantity.shape[0] // 2
    for row in range(side * levered, (side + 1) * levered):
        lowest = extent[row, 0]
        highest = extent[row, 1]
        gone = 0.0
        while lowest <= highest and lowest < bottom:
            slot = lowest & (bins - 1)
            gone += quantity[row, slot]
            quantity[row, slot] = 0.0
            moment[row, slot] = 0.0
            lowest += 1
        while lowest <= highest and highest >= bottom + bins:
            slot = highest & (bins - 1)
            gone += quantity[row, slot]
            quantity[row, slot] = 0.0
            moment[row, slot] = 0.0
            highest -= 1
        extent[row, 0] = lowest
        extent[row, 1] = highest
        if gone > 0.0:
            ledger[UNLEVERED + side] += gone * ledger[SCALE + side]
            ledger[FALLEN] += gone * ledger[SCALE + side]
            totals[row] = max(0.0, totals[row] - gone) if lowest <= highest else 0.0


@kernel(F64(F64_2, F64_2, I64_2, F64_1, F64_1, I64, I64, F64, F64, F64, BOOL, BOOL, F64_1))
def cross(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    ledger: NDArray[np.float64],
    side: int,
    row: int,
    reach: float,
    weight: float,
    width: float,
    inverse: bool,
    remove: bool,
    base: NDArray[np.float64],
) -> float:
    """The row's quantity (contract units) that a move to coordinate `reach` liquidates; removed when asked.

    A bin goes as a whole, by the mean of what it holds, nearest first, so only bins that are touched cost. base[0] gets the same
    in base coins: for inverse contracts each contract is worth y coins at its liquidation price.
    """
    bins = quantity.shape[1]
    lowest = extent[row, 0]
    highest = extent[row, 1]
    shift = ledger[INDEX] * weight
    crossed = 0.0
    coins = 0.0
    while lowest <= highest:
        at = highest if side == FALLING else lowest
        slot = at & (bins - 1)
        held = quantity[row, slot]
        if held > 0.0:
            liquidation = math.exp((at + 0.5) * width + moment[row, slot] / held) + shift
            if (side == FALLING and liquidation < reach) or (side == RISING and liquidation > reach):
                break
            crossed += held
            coins += held * liquidation if inverse else held
            if remove:
                quantity[row, slot] = 0.0
                moment[row, slot] = 0.0
        if side == FALLING:
            highest -= 1
        else:
            lowest += 1
    if remove:
        extent[row, 0] = lowest
        extent[row, 1] = highest
        totals[row] = max(0.0, totals[row] - crossed) if lowest <= highest else 0.0
    base[0] = coins * ledger[SCALE + side]
    return float(crossed * ledger[SCALE + side])


@kernel(types.void(F64_2, F64_2, I64_2, F64_1, F64_1, I64, F64))
def renormalise(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    ledger: NDArray[np.float64],
    side: int,
    factor: float,
) -> None:
    """Multiplies the side's bins by `factor` and sums its rows anew, at scale 1; factor 0 empties it."""
    bins = quantity.shape[1]
    levered = quantity.shape[0] // 2
    for row in range(side * levered, (side + 1) * levered):
        total = 0.0
        for at in range(extent[row, 0], extent[row, 1] + 1):
            slot = at & (bins - 1)
            quantity[row, slot] *= factor
            moment[row, slot] *= factor
            total += quantity[row, slot]
        totals[row] = total
        if total == 0.0:
            extent[row, 0] = 1
            extent[row, 1] = 0
    ledger[SCALE + side] = 1.0


@kernel(types.void(F64_2, F64_2, I64_2, F64_1, I64_1, F64_1, F64_1, F64))
def fold(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    weights: NDArray[np.float64],
    width: float,
) -> None:
    """Folds the funding index into the bins, so that L0 stays near LP and the ring stays around the price. Rare: O(bins)."""
    bins = quantity.shape[1]
    levered = quantity.shape[0] // 2
    held = np.empty(bins)
    offset = np.empty(bins)
    for row in range(quantity.shape[0]):
        side = row // levered
        shift = ledger[INDEX] * weights[side]
        lowest = extent[row, 0]
        highest = extent[row, 1]
        for at in range(lowest, highest + 1):
            slot = at & (bins - 1)
            held[slot] = quantity[row, slot]
            offset[slot] = moment[row, slot]
            quantity[row, slot] = 0.0
            moment[row, slot] = 0.0
        totals[row] = 0.0
        extent[row, 0] = 1
        extent[row, 1] = 0
        for at in range(lowest, highest + 1):
            slot = at & (bins - 1)
            if held[slot] > 0.0:
                coordinate = math.exp((at + 0.5) * width + offset[slot] / held[slot]) + shift
                amount = held[slot] * ledger[SCALE + side]
                place(quantity, moment, extent, totals, window, ledger, side, row, coordinate, amount, width)
    ledger[INDEX] = 0.0

"""Reading the map: cumulative liquidations over the price coordinate (models.md 3.2, 4.1). State: `engines.liquidation.exposure`."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, F64_2, I64, I64_1, I64_2, kernel
from engines.liquidation.exposure import INDEX, RISING, SCALE


@kernel(types.void(F64_2, F64_2, I64_2, I64_1, F64_1, F64_1, F64_1, F64, BOOL, F64_2))
def cumulate(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    weights: NDArray[np.float64],
    survival: NDArray[np.float64],
    width: float,
    inverse: bool,
    curves: NDArray[np.float64],
) -> None:
    """curves float64[4, 2N+1]: expected falling, expected rising, raw falling, raw rising, in base coins, at half bins.

    Edge j of a side lies at log y = (window + j/2) width; FALLING holds what lies above it, RISING what lies below it. A cohort
    bin is spread over the two half bins around its mean, mean preserved: a bin's width, so that curves have no 5 bps steps.
    """
    bins = quantity.shape[1]
    halves = 2 * bins
    levered = quantity.shape[0] // 2
    curves[:, :] = 0.0
    for side in range(2):
        for bucket in range(levered):
            row = side * levered + bucket
            eta = survival[bucket + 1]
            lowest = extent[row, 0]
            # log LP = log L0 + log(1 + index weight/L0), to the third order: |index weight/L0| stays under 2-3%.
            funding = ledger[INDEX] * weights[side] * math.exp(-(lowest + 0.5) * width)
            step = math.exp(-width)
            for at in range(lowest, extent[row, 1] + 1):
                slot = at & (bins - 1)
                held = quantity[row, slot]
                if held > 0.0:
                    shift = funding * (1.0 - funding * (0.5 - funding / 3.0))
                    # In half bins, from the centre of the lowest one.
                    position = 2 * (at - window[side]) + 0.5 + 2.0 * (moment[row, slot] / held + shift) / width
                    position = (
                        min(position, halves - 1.000001) if position >= 0.0 else 0.0
                    )  # also for what is no number
                    left = int(position)
                    held *= ledger[SCALE + side]
                    right = (position - left) * held
                    curves[side, left] += eta * (held - right)
                    curves[side, left + 1] += eta * right
                    curves[side + 2, left] += held - right
                    curves[side + 2, left + 1] += right
                funding *= step
    for line in range(4):
        side = line % 2
        coins = math.exp((window[side] + 0.25) * width) if inverse else 1.0
        grow = math.exp(0.5 * width) if inverse else 1.0
        if side == RISING:
            total = 0.0
            for j in range(halves + 1):
                here = curves[line, j] * coins
                curves[line, j] = total
                total += here
                coins *= grow
        else:
            coins *= grow ** (halves - 1)
            total = 0.0
            curves[line, halves] = 0.0
            for j in range(halves - 1, -1, -1):
                total += curves[line, j] * coins
                curves[line, j] = total
                coins /= grow


@kernel(F64(F64_1, F64))
def value_at(curve: NDArray[np.float64], position: float) -> float:
    """The curve at a position in half bins from its lowest edge, linear between edges, flat beyond."""
    last = curve.shape[0] - 1
    if position <= 0.0:
        return float(curve[0])
    if position >= last:
        return float(curve[last])
    left = int(position)
    return float(curve[left] + (position - left) * (curve[left + 1] - curve[left]))


@kernel(types.void(F64_1, I64, F64, F64, F64, F64, F64, F64_1, F64, F64_1))
def read_curve(
    curve: NDArray[np.float64],
    bottom: int,
    width: float,
    sign: float,
    log_reference: float,
    log_start: float,
    direction: float,
    moves: NDArray[np.float64],
    scale: float,
    out: NDArray[np.float64],
) -> None:
    """out[i] = scale x what lies between the start and reference x (1 + direction x moves[i]); never negative.

    sign: +1 for linear contracts, -1 for inverse ones, whose coordinate is 1/price. direction: -1 down, +1 up.
    """
    begin = value_at(curve, 2.0 * (sign * log_start / width - bottom))
    for i in range(moves.shape[0]):
        factor = 1.0 + direction * moves[i]
        log_price = log_reference + math.log(factor) if factor > 1e-12 else log_reference - 27.0
        out[i] = scale * max(0.0, value_at(curve, 2.0 * (sign * log_price / width - bottom)) - begin)

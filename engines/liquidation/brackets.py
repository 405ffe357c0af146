"""Maintenance margin brackets (models.md 2.2).

Three arrays float64[n], lowest bracket first: `floors` (where a bracket begins, the first at 0; the last one has no end), `rates`
(maintenance margin ratio, a fraction) and `deductions` (Binance `cum`, Bybit MM deduction: what is taken off size x rate). With the
deductions of `deductions_from` brackets are marginal and the requirement is continuous, convex and rising; with zeros in their
place the whole position takes the rate of its bracket (OKX), and the requirement jumps.
The unit of a size is the caller's: quote currency, or coins where the margin is in coins.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, READ_F64_1, kernel


@kernel(F64_1(READ_F64_1, READ_F64_1))
def deductions_from(floors: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The deductions that make the margin continuous: cum_1 = 0, cum_k = cum_(k-1) + floor_k (rate_k - rate_(k-1))."""
    deductions = np.zeros(floors.shape[0])
    for k in range(1, floors.shape[0]):
        deductions[k] = deductions[k - 1] + floors[k] * (rates[k] - rates[k - 1])
    return deductions


@kernel(I64(F64, READ_F64_1))
def bracket_of(size: float, floors: NDArray[np.float64]) -> int:
    """The bracket of a size; one that lies on an edge is still in the lower. -1: the size is NaN or negative, or there is no bracket."""
    if not size >= 0.0 or floors.shape[0] == 0:
        return -1
    k = 0
    while k + 1 < floors.shape[0] and size > floors[k + 1]:
        k += 1
    return k


@kernel(F64(F64, READ_F64_1, READ_F64_1, READ_F64_1))
def maintenance(
    size: float, floors: NDArray[np.float64], rates: NDArray[np.float64], deductions: NDArray[np.float64]
) -> float:
    """Maintenance margin of a size with marginal brackets: size x rate - deduction. NaN where `bracket_of` has none."""
    k = bracket_of(size, floors)
    return math.nan if k < 0 else size * rates[k] - deductions[k]


@kernel(F64(F64, READ_F64_1, READ_F64_1))
def maintenance_whole(size: float, floors: NDArray[np.float64], rates: NDArray[np.float64]) -> float:
    """Maintenance margin where the whole position takes the rate of its bracket. NaN where `bracket_of` has none."""
    k = bracket_of(size, floors)
    return math.nan if k < 0 else size * rates[k]

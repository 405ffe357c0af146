"""The branching ratio n from counts (models.md 4.6): Hardiman and Bouchaud, online, and corrected for finite windows.

Two warnings, both measured: a feed that censors (one event a second) halves n, and a Poisson process whose rate alternates looks critical.
So n is for complete feeds only, its change says more than its value, and n alone decides nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, kernel
from engines.liquidation.grid import PAIR


@kernel(F64(F64, F64))
def branching_of(mean: float, variance: float) -> float:
    """n = 1 - sqrt(mean / variance) of counts in long windows, at least 0; NaN where nothing happened."""
    if not (mean > 0.0 and variance >= 0.0):
        return math.nan
    return max(0.0, 1.0 - math.sqrt(mean / variance)) if variance > 0.0 else 0.0


@kernel(F64(F64_1))
def branching_of_counts(counts: NDArray[np.float64]) -> float:
    """The same of counts float64[k] with the unbiased variance; NaN for fewer than two."""
    k = counts.shape[0]
    if k < 2:
        return math.nan
    mean = counts.sum() / k
    variance = 0.0
    for i in range(k):
        variance += (counts[i] - mean) ** 2
    return branching_of(mean, variance / (k - 1))


@kernel(PAIR(F64, F64, F64, F64))
def update_counts(mean: float, variance: float, count: float, kept: float) -> tuple[float, float]:
    """Exponentially weighted (mean, variance) after one more count; `kept`: share of the past that stays, l."""
    deviation = count - mean
    return mean + (1.0 - kept) * deviation, kept * (variance + (1.0 - kept) * deviation * deviation)


@kernel(F64(F64, F64, F64))
def fano(n: float, beta: float, window: float) -> float:
    """Variance over mean of counts in windows of `window` seconds, exponential kernel; inf at n >= 1."""
    if n >= 1.0:
        return math.inf
    k2, c = 1.0 / (1.0 - n) ** 2, beta * (1.0 - n) * window
    return k2 + (1.0 - k2) * (-math.expm1(-c) / c) if c > 0.0 else 1.0


@kernel(F64(F64, F64, F64))
def branching_of_fano(ratio: float, beta: float, window: float) -> float:
    """n whose `fano` is this variance over mean: the estimate without the bias of short windows; 0 at or below 1, NaN for NaN."""
    if math.isnan(ratio) or not (beta > 0.0 and window > 0.0):
        return math.nan
    if ratio <= 1.0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if fano(middle, beta, window) < ratio:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)

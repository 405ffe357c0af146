"""Acute baseline: an exponentially weighted seasonal model of log depth (models.md 1.6), many series at once.

A series is one market's side, band and basis: a market is compared only with its own history on the same basis.
State arrays have one row a series: `mean` float64[n], `seasonal` float64[n, 168], `samples` int64[n].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, F64_2, I64, I64_1, kernel

HOURS_A_WEEK = 168
_HOUR_NS = 3_600_000_000_000
_EPOCH_HOUR_OF_WEEK = 72  # 1970-01-01 was a Thursday; bin 0 is Monday 00:00 UTC


def hour_of_week(at: int) -> int:
    """The seasonal bin of a time in ns: 0 is Monday 00:00-01:00 UTC."""
    return (at // _HOUR_NS + _EPOCH_HOUR_OF_WEEK) % HOURS_A_WEEK


def smoothing(step_seconds: float, half_life_seconds: float) -> float:
    """The weight of one step for a half-life: alpha = 1 - 2^(-dt/H)."""
    return -math.expm1(-math.log(2.0) * step_seconds / half_life_seconds)


@kernel(F64(F64, I64, I64, F64_1, F64_2, I64_1, F64, F64))
def update_series(
    depth: float,
    row: int,
    bin_index: int,
    mean: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    samples: NDArray[np.int64],
    alpha_mean: float,
    alpha_seasonal: float,
) -> float:
    """One observation: returns depth over its baseline BEFORE the update, then moves the baseline.

    A new series starts at its first observation (ratio NaN), and until it has 1/alpha samples it is the plain mean of log
    depth, so that it does not hang on the first one. `depth` must be positive. The seasonal bins keep sum zero.
    """
    y = math.log(depth)
    if samples[row] == 0:
        mean[row] = y
        samples[row] = 1
        return math.nan
    e = y - mean[row] - seasonal[row, bin_index]
    weight = max(alpha_mean, 1.0 / (samples[row] + 1.0))
    mean[row] += weight * e
    samples[row] += 1
    if alpha_seasonal > 0.0:
        bins = seasonal.shape[1]
        seasonal[row, bin_index] += alpha_seasonal * e
        shift = alpha_seasonal * e / bins  # the mean of the bins after this step: they summed to zero before
        for i in range(bins):
            seasonal[row, i] -= shift
        mean[row] += shift
    return math.exp(e)


@kernel(F64(F64, I64, I64, F64_1, F64_2, I64_1))
def ratio_to_series(
    depth: float,
    row: int,
    bin_index: int,
    mean: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    samples: NDArray[np.int64],
) -> float:
    """Depth over its baseline without moving it (baselines are frozen under stress); NaN for an empty series."""
    if samples[row] == 0:
        return math.nan
    return math.exp(math.log(depth) - mean[row] - seasonal[row, bin_index])


def level_of_series(
    row: int, bin_index: int, mean: NDArray[np.float64], seasonal: NDArray[np.float64], samples: NDArray[Any]
) -> float:
    """The baseline itself, in the unit of depth; NaN for an empty series."""
    if samples[row] == 0:
        return math.nan
    return math.exp(float(mean[row]) + float(seasonal[row, bin_index]))


@kernel(I64(F64_1, I64_1, I64, F64_1, F64_2, I64_1, F64, F64, BOOL, F64_1))
def update_many(
    depths: NDArray[np.float64],
    rows: NDArray[np.int64],
    bin_index: int,
    mean: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    samples: NDArray[np.int64],
    alpha_mean: float,
    alpha_seasonal: float,
    frozen: bool,
    ratios: NDArray[np.float64],
) -> int:
    """`update_series` for every known depth of one step; a frozen step only reads. Returns how many were positive."""
    used = 0
    for i in range(rows.shape[0]):
        ratios[i] = math.nan
        if not depths[i] > 0.0:  # unknown (NaN) or empty: no observation
            continue
        used += 1
        if frozen:
            ratios[i] = ratio_to_series(depths[i], rows[i], bin_index, mean, seasonal, samples)
        else:
            ratios[i] = update_series(
                depths[i], rows[i], bin_index, mean, seasonal, samples, alpha_mean, alpha_seasonal
            )
    return used

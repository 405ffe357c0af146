"""What is believed about leverage before anything was seen: buckets, mixes, and what funding and account ratios say (models.md 3.4, 13).

A mix is float64[n], a share for each leverage bucket, sum 1; the first bucket is 1 (unlevered, hedged or maker: never liquidated).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, kernel

BUCKETS: Final = (1.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)
TAKER_MIX: Final = (0.15, 0.15, 0.15, 0.22, 0.12, 0.08, 0.09, 0.04)
MAKER_MIX: Final = (0.85, 0.06, 0.04, 0.03, 0.01, 0.01, 0.0, 0.0)
SURVIVAL: Final = 0.5  # eta0: the share of a crossed cohort that is believed to be liquidated
TRANSFER_SHARE: Final = 0.10  # rho
HALF_LIFE_SECONDS: Final = 72 * 3600.0
TILT: Final = 0.25  # theta
TILT_CAP: Final = 1.5  # of |theta z|


def tilt_exponent(funding_z: float, theta: float = TILT, cap: float = TILT_CAP) -> float:
    """theta z of the longs, bounded; the shorts take the opposite sign. An unknown z (NaN) tilts nothing."""
    if not math.isfinite(funding_z):
        return 0.0
    return min(cap, max(-cap, theta * funding_z))


def levered_factors(long_short_ratio: float) -> tuple[float, float]:
    """(longs, shorts): what the levered share of each side is multiplied with, from the account ratio r of the venue.

    Longs and shorts hold the same open interest, so r > 1 says that the longs are many and small. Unknown or impossible: (1, 1).
    """
    if not (math.isfinite(long_short_ratio) and long_short_ratio > 0.0):
        return 1.0, 1.0
    return 2.0 * long_short_ratio / (1.0 + long_short_ratio), 2.0 / (1.0 + long_short_ratio)


@kernel(types.void(F64_1, F64_1, F64_1, F64, F64, F64, F64_1))
def side_mix(
    leverage: NDArray[np.float64],
    taker: NDArray[np.float64],
    maker: NDArray[np.float64],
    taker_share: float,
    exponent: float,
    factor: float,
    out: NDArray[np.float64],
) -> None:
    """The mix of a side's new positions: takers tilted by leverage^exponent, makers as they are, then the levered share x factor.

    The levered share ends at 1 at most; all arrays float64[n].
    """
    n = leverage.shape[0]
    tilted = 0.0
    for i in range(n):
        out[i] = taker[i] if exponent == 0.0 else taker[i] * leverage[i] ** exponent
        tilted += out[i]
    levered = 0.0
    for i in range(n):
        out[i] = taker_share * out[i] / tilted + (1.0 - taker_share) * maker[i]
        if i > 0:
            levered += out[i]
    if factor != 1.0 and levered > 0.0:
        wanted = min(1.0, factor * levered)
        for i in range(1, n):
            out[i] *= wanted / levered
        out[0] = 1.0 - wanted


def tilted_mix(mix: NDArray[np.float64], leverage: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A taker mix under funding: pi_l proportional to pi0_l l^(theta z)."""
    out = np.empty(len(mix))
    side_mix(leverage, mix, mix, 1.0, exponent, 1.0, out)
    return out


def feasible_mix(mix: tuple[float, ...], buckets: tuple[float, ...], maintenance_rate: float) -> tuple[float, ...]:
    """The same mix where a bucket whose initial margin 1/l does not exceed maintenance joins the next lower one.

    Nobody can open such a position: it would be liquidated at once.
    """
    shares = list(mix)
    for i in range(len(shares) - 1, 0, -1):
        if 1.0 / buckets[i] <= maintenance_rate:
            shares[i - 1] += shares[i]
            shares[i] = 0.0
    return tuple(shares)

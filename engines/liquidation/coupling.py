"""Forced selling that goes from asset to asset through prices and shared collateral (models.md 4.3). Matrices of a few assets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def gain_matrix(
    liquidation_density: NDArray[np.float64], betas: NDArray[np.float64], depth_density: NDArray[np.float64]
) -> NDArray[np.float64]:
    """G[i, j] = lambda_i(0) beta_ij / b_j: selling in i that one unit of selling in j forces, in matching units (US dollars).

    Densities float64[n] per unit of drop at the price, betas float64[n, n] of i's price to j's. NaN where nobody stands in j.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = liquidation_density[:, None] * betas / depth_density[None, :]
    gain[:, ~(depth_density > 0.0)] = math.nan
    return gain


def spectral_radius(gain: NDArray[np.float64]) -> float:
    """rho(G): at 1 and above selling sustains itself. NaN where an entry is unknown."""
    if not np.isfinite(gain).all():
        return math.nan
    return float(np.abs(np.linalg.eigvals(gain)).max())


def total_forced(gain: NDArray[np.float64], shock: NDArray[np.float64]) -> NDArray[np.float64]:
    """(I - G)^-1 u: all selling a shock float64[n] leads to, itself included.

    inf for every asset at rho(G) >= 1 (also one the shock does not reach: this is a bound), NaN where an entry is unknown.
    """
    radius = spectral_radius(gain)
    if math.isnan(radius):
        return np.full(len(shock), math.nan)
    if radius >= 1.0:
        return np.full(len(shock), math.inf)
    return np.asarray(np.linalg.solve(np.eye(len(shock)) - gain, shock), np.float64)

"""Bankruptcy prices, the insurance fund, and the liquidation map's multipliers (models.md 2.5). Sides and units as in `price`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, READ_F64_1, kernel
from engines.liquidation.price import difference, price_or_none, sensible


@kernel(F64(I64, F64, F64, F64))
def linear(side: int, quantity: float, entry: float, margin: float) -> float:
    """BP = EP - s M/q, where the margin is gone; isolated: EP (1 - s/L). NaN: no price above 0 takes all of it."""
    if not sensible(side, quantity, entry, 0.0):
        return math.nan
    return price_or_none(difference(entry, side * margin / quantity), 1.0)


@kernel(F64(I64, F64, F64, F64))
def inverse(side: int, value: float, entry: float, margin: float) -> float:
    """BP = U / (U/EP + s M), margin in coins; isolated: EP L / (L + s)."""
    if not sensible(side, value, entry, 0.0):
        return math.nan
    return price_or_none(value, value / entry + side * margin)


@kernel(F64(I64, F64, F64, F64))
def fund_flow(side: int, quantity: float, fill: float, bankrupt: float) -> float:
    """What one liquidation executed at `fill` (its average price) gives the insurance fund, or takes: s q (f - BP), quote currency."""
    return side * quantity * (fill - bankrupt)


@kernel(F64(I64, F64, F64, F64))
def fund_flow_inverse(side: int, value: float, fill: float, bankrupt: float) -> float:
    """The same in coins: s U (1/BP - 1/f). NaN where a price is not above 0."""
    if not fill > 0.0 or not bankrupt > 0.0:
        return math.nan
    return side * value * (1.0 / bankrupt - 1.0 / fill)


@kernel(F64(F64, READ_F64_1, F64_1, F64_1))
def waterfall(
    fund: float, flows: NDArray[np.float64], balances: NDArray[np.float64], uncovered: NDArray[np.float64]
) -> float:
    """Flows float64[n] through the fund, in order; returns what is left of it.

    balances float64[n]: the fund after each flow, never below 0. uncovered float64[n]: what it could not pay, which auto-deleveraging
    takes off the book. A flow that is NaN changes nothing and leaves NaN in `uncovered`.
    """
    for i in range(flows.shape[0]):
        if math.isnan(flows[i]):
            uncovered[i] = math.nan
        else:
            fund += flows[i]
            uncovered[i] = max(0.0, -fund)
            fund = max(0.0, fund)
        balances[i] = fund
    return fund


@kernel(F64(I64, F64, F64))
def multiplier(side: int, leverage: float, rate: float) -> float:
    """Liquidation price over entry price of an isolated linear position in the lowest bracket: (1 - s/L) / (1 - s mmr)."""
    if not sensible(side, 1.0, 1.0, rate) or not leverage > 0.0:
        return math.nan
    return price_or_none(1.0 - side / leverage, 1.0 - side * rate)

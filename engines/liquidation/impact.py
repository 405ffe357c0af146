"""Sanity bounds for what lies beyond the visible book (models.md 4.5). They differ by an order of magnitude: bounds, not figures."""

from __future__ import annotations

import math


def square_root(sold_usd: float, volume_usd: float, daily_volatility: float, prefactor: float = 1.0) -> float:
    """I = Y sigma_d sqrt(Q / V_d) as a ratio of price (Donier and Bonart 2015); NaN without a volume."""
    if not (volume_usd > 0.0 and sold_usd >= 0.0):
        return math.nan
    return prefactor * daily_volatility * math.sqrt(sold_usd / volume_usd)


def invariance(sold_usd: float, volume_usd: float, daily_volatility: float) -> float:
    """Change of the log price by Kyle-Obizhaeva invariance (Review of Finance 2023); NaN without a volume."""
    if not (volume_usd > 0.0 and sold_usd >= 0.0 and daily_volatility >= 0.0):
        return math.nan
    pace: float = (volume_usd / 40e6) ** (1.0 / 3.0) * (daily_volatility / 0.02) ** (4.0 / 3.0)
    return 5.00e-4 * pace * sold_usd / (0.01 * volume_usd)


def linear(sold_usd: float, depth_1pct_usd: float) -> float:
    """The 1% depth extended for ever; NaN without a depth."""
    return 0.01 * sold_usd / depth_1pct_usd if depth_1pct_usd > 0.0 else math.nan

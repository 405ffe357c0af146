"""Where volume was traded in the last days: what an exposure map starts from (models.md 3.3)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.facts import Candles

Floats = NDArray[np.float64]
# An hour's volume is spread evenly over its range: a candle tells no more.
PIECES: Final = 8


class Profile(NamedTuple):
    """ratios float64[n]: prices over the last close; weights float64[n].

    sigma_1h: standard deviation of the hourly log returns, None with too few hours. day: traded in the last 24 hours, in the unit of the
        candles, None with fewer.
    """

    ratios: Floats
    weights: Floats
    sigma_1h: float | None = None
    day: float | None = None


AT_THE_PRICE: Final = Profile(np.ones(1), np.ones(1))
LEAST_HOURS: Final = 24
HOURS_A_DAY: Final = 24
_HOUR_NS: Final = 3_600_000_000_000


def profile_of(candles: Candles) -> Profile | None:
    """None when no hour can be used."""
    rows = np.array([(float(row.low), float(row.high), float(row.volume)) for row in candles.rows], np.float64)
    close = float(candles.rows[-1].close)
    low, high, volume = rows.T
    usable = (low > 0) & (high >= low) & (volume > 0) & np.isfinite(rows).all(axis=1)
    if not usable.any() or not close > 0:
        return None
    places = (np.arange(PIECES) + 0.5) / PIECES
    prices = low[usable, None] + (high - low)[usable, None] * places
    weights = np.repeat(volume[usable] / PIECES, PIECES)
    return Profile(prices.ravel() / close, weights, _hourly_sigma(candles), _last_day(candles))


def _last_day(candles: Candles) -> float | None:
    hours = candles.rows[-HOURS_A_DAY - 1 : -1]  # the last one may still be running
    return math.fsum(hour.volume for hour in hours) if len(hours) == HOURS_A_DAY else None


def _hourly_sigma(candles: Candles) -> float | None:
    """Of closes an hour apart; the last candle may still be running and is left out."""
    closed = candles.rows[:-1]
    returns = [
        np.log(after.close / before.close)
        for before, after in pairwise(closed)
        if after.open_time - before.open_time == _HOUR_NS and before.close > 0 and after.close > 0
    ]
    if len(returns) < LEAST_HOURS:
        return None
    sigma = float(np.sqrt(np.mean(np.square(returns))))
    return sigma if 0 < sigma < 1 else None

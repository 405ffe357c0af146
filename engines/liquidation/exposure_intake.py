"""What an interval must be before the map takes it in (models.md 3.3, 3.4), and its place in the map's coordinates."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import exposure as state
from engines.liquidation.exposure_types import Interval, MapParameters, Reason
from engines.liquidation.priors import levered_factors, tilt_exponent

# What a price and an amount may be: beyond it nothing is a market, and logarithms and sums would leave float64.
MIN_PRICE: Final = 1e-15
MAX_PRICE: Final = 1e15
MAX_AMOUNT: Final = 1e30


def is_price(value: float) -> bool:
    """False for NaN, too."""
    return MIN_PRICE <= value <= MAX_PRICE


def read_interval(given: Interval, parameters: MapParameters, into: NDArray[np.float64]) -> Reason:
    """Fills `into` float64[INTERVAL] (coordinates, sides as `engines.liquidation.exposure` has them), or says what is wrong with it."""
    if not 0.0 <= given.dt_seconds < math.inf:
        return Reason.BAD_TIME
    if not MIN_PRICE <= given.low <= given.high <= MAX_PRICE:
        return Reason.BAD_PRICE
    if not abs(given.open_interest_change) <= MAX_AMOUNT:
        return Reason.NO_OPEN_INTEREST
    if not (0.0 <= given.taker_buy <= MAX_AMOUNT and 0.0 <= given.taker_sell <= MAX_AMOUNT):
        return Reason.BAD_VOLUME
    volume, price = given.taker_buy + given.taker_sell, given.vwap
    if volume == 0.0:
        if given.open_interest_change != 0.0:
            return Reason.NO_VOLUME
        if math.isnan(price):
            price = math.sqrt(given.low) * math.sqrt(given.high)
    if not is_price(price):
        return Reason.BAD_PRICE
    paid_at = given.funding_price if given.funding_price == given.funding_price else price
    if not (math.isfinite(given.funding_rate) and abs(given.funding_rate) < 1.0 and is_price(paid_at)):
        return Reason.BAD_FUNDING
    inverse = parameters.inverse
    exponent = tilt_exponent(given.funding_z, parameters.tilt, parameters.tilt_cap)
    longs, shorts = levered_factors(given.long_short_ratio)
    into[state.DT] = given.dt_seconds
    into[state.DOI] = given.open_interest_change
    into[state.VWAP] = 1.0 / price if inverse else price
    into[state.LOW] = 1.0 / given.high if inverse else given.low
    into[state.HIGH] = 1.0 / given.low if inverse else given.high
    into[state.BUYS] = given.taker_sell if inverse else given.taker_buy
    into[state.SELLS] = given.taker_buy if inverse else given.taker_sell
    into[state.FUNDING_PAID] = -given.funding_rate / paid_at if inverse else given.funding_rate * paid_at
    into[state.TILT_FALLING] = -exponent if inverse else exponent
    into[state.FACTOR_FALLING] = shorts if inverse else longs
    into[state.FACTOR_RISING] = longs if inverse else shorts
    return Reason.OK

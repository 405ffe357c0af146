"""What goes into the map of one market and what comes out of one interval (models.md 3.2-3.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import priors


class Position(StrEnum):
    """The side of a position, and of the liquidations the map speaks of: longs are liquidated by a fall, shorts by a rise."""

    LONG = "long"
    SHORT = "short"


class Reason(StrEnum):
    """Why an interval or a first filling left the map as it was; OK when it did not."""

    OK = "ok"
    NOT_SEEDED = "not_seeded"
    BAD_TIME = "bad_time"  # dt negative or not a number
    BAD_PRICE = "bad_price"  # a price missing, not positive, or low above high
    BAD_VOLUME = "bad_volume"  # taker volume missing or negative
    NO_VOLUME = "no_volume"  # open interest changed without a trade
    BAD_FUNDING = "bad_funding"
    NO_OPEN_INTEREST = "no_open_interest"  # missing, or not positive where it must be
    OPEN_INTEREST_EXHAUSTED = "open_interest_exhausted"  # more closed than there was
    NO_PROFILE = "no_profile"  # no usable price or weight to start from


@dataclass(frozen=True, slots=True)
class MapParameters:
    """Assumptions about one market. ValueError for what cannot be one (settings are read once, before anything runs)."""

    maintenance_rate: float
    buckets: tuple[float, ...] = priors.BUCKETS
    taker_mix: tuple[float, ...] = priors.TAKER_MIX
    maker_mix: tuple[float, ...] = priors.MAKER_MIX
    transfer_share: float = priors.TRANSFER_SHARE  # rho
    half_life_seconds: float = priors.HALF_LIFE_SECONDS  # of a levered position's stay in its bucket
    survival: tuple[float, ...] = ()  # eta by bucket; empty: the prior for all
    # Liquidated whatever the buckets say, of the open interest: distance x (rate + curvature x distance / 1%).
    diffuse_rate: float = 0.0
    diffuse_curvature: float = 0.0
    bin_width: float = 5e-4  # of log price
    inverse: bool = False
    tilt: float = priors.TILT
    tilt_cap: float = priors.TILT_CAP

    def __post_init__(self) -> None:
        n = len(self.buckets)
        ascending = all(low < high for low, high in zip(self.buckets, self.buckets[1:], strict=False))
        if n < 2 or self.buckets[0] != 1.0 or not ascending:
            raise ValueError(f"leverage buckets must ascend from 1: {self.buckets}")
        for name, mix in (("taker", self.taker_mix), ("maker", self.maker_mix)):
            if len(mix) != n or not all(0.0 <= share <= 1.0 for share in mix) or abs(sum(mix) - 1.0) > 1e-6:
                raise ValueError(f"the {name} mix must be {n} shares of sum 1: {mix}")
        if not self.survival:
            object.__setattr__(self, "survival", (priors.SURVIVAL,) * n)
        if len(self.survival) != n or not all(0.0 <= eta <= 1.0 for eta in self.survival):
            raise ValueError(f"survival must be {n} probabilities: {self.survival}")
        if not 0.0 <= self.maintenance_rate < 0.5:
            raise ValueError(f"maintenance rate must be in [0, 0.5): {self.maintenance_rate}")
        if not 0.0 <= self.transfer_share <= 1.0:
            raise ValueError(f"transfer share must be in [0, 1]: {self.transfer_share}")
        if not (math.isfinite(self.half_life_seconds) and self.half_life_seconds > 0.0):
            raise ValueError(f"half-life must be positive: {self.half_life_seconds}")
        if not all(0.0 <= rate < math.inf for rate in (self.diffuse_rate, self.diffuse_curvature)):
            raise ValueError(f"diffuse rates must not be negative: {self.diffuse_rate}, {self.diffuse_curvature}")
        if (
            not 4e-4 <= self.bin_width <= 1e-2
        ):  # below, the ring of bins would not reach the liquidation prices of low leverage
            raise ValueError(f"bin width must be in [4e-4, 1e-2]: {self.bin_width}")


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened to one market between two looks at its open interest.

    Quantities in base coins, for inverse contracts in USD contracts. `open_interest_change`: hand in the venue's figure minus
    `ExposureMap.open_interest`, so that a refused interval is made up for by the next one. Low and high are of the mark price.
    `funding_rate` is what longs paid to shorts in this interval (0 between payments) and `funding_price` the mark it was paid
    at (NaN: the vwap). Without any trade `vwap` may be NaN. The last two are priors, NaN when unknown.
    """

    dt_seconds: float
    open_interest_change: float
    taker_buy: float
    taker_sell: float
    vwap: float
    low: float
    high: float
    funding_rate: float = 0.0
    funding_price: float = math.nan
    funding_z: float = math.nan
    long_short_ratio: float = math.nan


@dataclass(frozen=True, slots=True)
class Flows:
    """One interval as the map explains it, in the unit of its open interest; all zero unless `reason` is OK.

    `crossed_*` float64[buckets]: what the move crossed by bucket before survival, base coins (X of models.md 3.5).
    """

    reason: Reason
    longs_liquidated: float
    shorts_liquidated: float
    longs_closed: float
    shorts_closed: float
    longs_opened: float
    shorts_opened: float
    crossed_longs: NDArray[np.float64]
    crossed_shorts: NDArray[np.float64]

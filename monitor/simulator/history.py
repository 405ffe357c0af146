"""What a simulated market traded before the scenario began: a week of hours that ends at the price it starts with.

An asset moves alike on all its venues, as it does in the scenario; what was traded is each market's own. Both come from the seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

import numpy as np

from monitor.simulator.specs import AssetSpec, MarketSpec

HOURS: Final = 300  # as many as a venue gives at once
HOUR_MS: Final = 3_600_000
LIVELY: Final = 3.0  # a week holds more than the calm of a scenario's first minutes
TRADE_USD: Final = 3_200.0  # mean of the takers' orders in calm
BUSY_SIGMA: Final = 0.8  # of the log of an hour's volume
BOUGHT: Final = (0.42, 0.58)  # the share of it that takers bought


@dataclass(frozen=True, slots=True)
class Hour:
    """Prices in ticks, quantities in lots. number: hours since 1970."""

    number: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    bought: int


@dataclass(frozen=True, slots=True)
class Past:
    """Closes in USD per coin, the last one is the start price; wicks and volumes of the same hours."""

    closes: Sequence[float]
    wicks: Sequence[tuple[float, float]]  # how far beyond open and close the hour went, down and up, as fractions
    usd: Sequence[float]
    bought: Sequence[float]  # shares


def past_of(spec: MarketSpec, asset: AssetSpec, seed: np.random.SeedSequence) -> Past:
    """`seed`: of the market; its world's entropy moves the asset."""
    shared = np.random.SeedSequence(seed.entropy, spawn_key=(crc32(asset.name.encode()),))
    walk, own = (np.random.Generator(np.random.PCG64(each)) for each in (shared, seed))
    sigma = asset.volatility * math.sqrt(3600) * LIVELY
    steps = walk.standard_normal(HOURS) * sigma
    closes = asset.price * np.exp(-np.concatenate((np.cumsum(steps[::-1])[::-1], [0.0])))
    wicks = np.abs(own.standard_normal((HOURS, 2))) * sigma * 0.5
    mean = spec.trades_per_second * 3600 * TRADE_USD
    usd = mean * np.exp(BUSY_SIGMA * own.standard_normal(HOURS) - BUSY_SIGMA**2 / 2)
    down_up = [(float(down), float(up)) for down, up in wicks]
    return Past(closes.tolist(), down_up, usd.tolist(), own.uniform(*BOUGHT, HOURS).tolist())


def hours(spec: MarketSpec, past: Past, last: float, begun: int, now: int) -> list[Hour]:
    """The past, oldest first, and the hours since: `begun` and `now` are hours since 1970, `last` the price now.

    Of the hours since the scenario began only the price is kept: they stand at it, with a usual volume.
    """
    found = [_hour(spec, past, at, begun - HOURS + 1 + at) for at in range(HOURS)]
    tick = max(1, round(last / spec.tick_usd))
    typical = found[-1]
    for number in range(begun + 1, now + 1):
        found.append(replace(typical, number=number, open=tick, high=tick, low=tick, close=tick))
    running = found[-1]
    found[-1] = replace(running, close=tick, high=max(running.high, tick), low=min(running.low, tick))
    return found[-HOURS:]


def _hour(spec: MarketSpec, past: Past, at: int, number: int) -> Hour:
    open_, close = (max(1, round(past.closes[at + part] / spec.tick_usd)) for part in (0, 1))
    down, up = past.wicks[at]
    lots = max(1, int(past.usd[at] / spec.worth(close * spec.tick_usd)))
    return Hour(
        number=number,
        open=open_,
        high=math.ceil(max(open_, close) * (1 + up)),
        low=max(1, math.floor(min(open_, close) * (1 - down))),
        close=close,
        lots=lots,
        bought=int(lots * past.bought[at]),
    )

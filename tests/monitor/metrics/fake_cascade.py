"""Made-up liquidation models for the tests of metrics, web and deploy: the worked book of models.md 4.1, a map that moves with time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.cascade_views import (
    AbsorbingBook,
    Arbitrage,
    CascadeCurves,
    CascadeFigures,
    CascadeSide,
    CascadeView,
    Direction,
    ExposureColumn,
    ExposureMarket,
    ExposureView,
    HawkesView,
    Jump,
    MapScoreView,
)

NOW = 1_700_000_000_123_456_789
MINUTE = 60_000_000_000
BINS, BIN_RATIO = 40, 0.005
PRICE = 60_123.45
DROPS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.10)
ABSORBED = (0.0, 400.0, 900.0, 1700.0, 2300.0, 3600.0, 6000.0, 8000.0)
FORCED = (0.0, 60.0, 250.0, 900.0, 2000.0, 3000.0, 3600.0, 3900.0)
# Clusters of positions: the price at which they would be closed over the price now, USD, width.
LONGS = ((0.992, 4e6, 0.002), (0.978, 34e6, 0.004), (0.955, 11e6, 0.006), (0.93, 72e6, 0.008), (0.88, 20e6, 0.02))
SHORTS = ((1.007, 3e6, 0.002), (1.021, 18e6, 0.004), (1.042, 47e6, 0.006), (1.08, 29e6, 0.01), (1.15, 12e6, 0.02))


def jump(price: float = PRICE, **changes: Any) -> Jump:
    """The first jump of example 4.1."""
    scale = price / 70_000
    made = Jump(800.0, 55_734_000.0 * scale, 0.009, 0.02, 16 / 300, 2166.666667, 144_300_000.0 * scale, 0.82)
    return made._replace(**changes)


def figures(price: float = PRICE) -> dict[Any, CascadeFigures]:
    """Example 4.1 at half, once and twice the map: no jump; one that lands; one that nothing in range stops."""
    first = jump(price)
    endless = jump(
        price,
        ignition_base=400.0,
        ignition_usd=399.0 * price,
        direct_ratio=0.005,
        distance_ratio=0.01,
        landing_ratio=None,
        forced_base=7300.0,
        forced_usd=6800.0 * price,
    )
    moves = {"binance_usdm:BTCUSDT": 0.0044, "okx_swap:BTC-USDT-SWAP": 0.0049}
    tied = Arbitrage(0.0005, 801.0, moves, 225.9, 1.177, 8.8, True)
    return {
        "low": CascadeFigures(0.075, None, None, tied),
        "base": CascadeFigures(0.15, first, first, tied),
        "high": CascadeFigures(0.3, endless, endless, None),
    }


def nothing_in_range() -> dict[Any, CascadeFigures]:
    return {scale: CascadeFigures(gain, None, None, None) for scale, gain in (("low", 0.02), ("base", 0.04), ("high", 0.08))}  # fmt: skip


def curves(nodes: int = 401) -> CascadeCurves:
    drops = np.linspace(0.0, 0.10, nodes)
    absorbed, forced = np.interp(drops, DROPS, ABSORBED), np.interp(drops, DROPS, FORCED)
    known = np.minimum(absorbed, 3_000.0)
    sides: tuple[Direction, Direction] = ("down", "up")
    return CascadeCurves(
        drops, dict.fromkeys(sides, absorbed), dict.fromkeys(sides, known), dict.fromkeys(sides, forced)
    )


def _bins(price: float, now: float, spent: float) -> tuple[np.ndarray, np.ndarray]:
    """USD by bin of distance from `price`; `spent`: how much of the clusters was built up by then."""
    steps = (np.arange(BINS) + 0.5) * BIN_RATIO
    sides = []
    for sign, clusters in ((-1, LONGS), (1, SHORTS)):
        at = price * (1 + sign * steps)
        usd = np.zeros(BINS)
        for place, size, width in clusters:
            usd += size * spent * np.exp(-(((at / now - place) / width) ** 2))
        usd[usd < 5_000] = 0.0
        sides.append(usd)
    return sides[0], sides[1]


def history(price: float = PRICE, columns: int = 180, at: int = NOW) -> tuple[ExposureColumn, ...]:
    """A fall of 4% with two waves on it, a column a minute; the ninetieth minute to the hundredth are missing."""
    out = []
    for minute in range(columns, 0, -1):
        if 90 <= minute < 100:
            continue
        share = minute / columns
        then = price * (1 + 0.04 * share + 0.006 * math.sin(9 * share) + 0.0015 * math.sin(61 * share))
        long, short = _bins(then, price, 1.0 - 0.6 * share)
        out.append(ExposureColumn(at - minute * MINUTE, then, long, short))
    return tuple(out)


def score(**changes: Any) -> MapScoreView:
    return MapScoreView(412, 0.6245, 0.61, 0.93)._replace(**changes)


def exposure_market(venue: str = "binance_usdm", market: str = "BTCUSDT", **changes: Any) -> ExposureMarket:
    made = ExposureMarket(
        venue, market, 5_123_456_789.5, "calibrated", "", "venue", "sampled", (0.0, 0.42, 0.4, 0.37, 0.31, 0.3, 0.22, 0.2), score()
    )  # fmt: skip
    return replace(made, **changes)


def exposure(price: float = PRICE, **changes: Any) -> ExposureView:
    """A calibrated map of three markets, one of which takes no part."""
    sides = dict(zip(("long", "short"), _bins(price, price, 1.0), strict=True))
    within = {
        (position, f"{percent}%"): float(usd[: percent * 2].sum())
        for position, usd in sides.items()
        for percent in (1, 2, 5, 10)
    }
    made = ExposureView(
        state="calibrated",
        reason="",
        bin_ratio=BIN_RATIO,
        bins_usd={position: tuple(float(x) for x in usd) for position, usd in sides.items()},
        within_usd=within,
        coverage_ratio=0.91,
        score=score(),
        markets=(
            exposure_market(),
            exposure_market(
                "okx_swap",
                "BTC-USDT-SWAP",
                open_interest_usd=2.2e9,
                state="indicative",
                reason="31 of 100 intervals scored",
                score=score(intervals=31, slope=2.4),
            ),
            exposure_market(
                "bybit_linear",
                "BTCUSDT",
                open_interest_usd=None,
                state="unknown",
                reason="no open interest yet",
                score=MapScoreView(0, None, None, None),
            ),
        ),
        history=history(price),
    )
    return replace(made, **changes)


def indicative(price: float = PRICE) -> ExposureView:
    """A map that did not beat the null map, so that the null map drives."""
    return exposure(
        price,
        state="indicative",
        reason="no better than the null map",
        score=score(intervals=57, deviance_ratio=1.2, rank_correlation=0.08, slope=None),
        coverage_ratio=0.64,
    )


def cascade(price: float | None = PRICE, **changes: Any) -> CascadeView:
    """Calibrated, a cascade in range downwards, none upwards, one book left out."""
    worth = price or PRICE
    made = CascadeView(
        at=NOW,
        price_usd=price,
        reason="",
        sides={
            "down": CascadeSide("down", figures(worth), 0.82),
            "up": CascadeSide("up", nothing_in_range(), 0.31),
        },
        exposure=exposure(worth),
        books=(
            AbsorbingBook("binance_usdm", "BTCUSDT", "", 0.021, 0.019),
            AbsorbingBook("okx_swap", "BTC-USDT-SWAP", "", 0.05, None),
            AbsorbingBook("bybit_linear", "BTCUSDT", "resyncing after a gap", None, None),
        ),
        sigma_1h_ratio=0.0142,
        net_sold_usd=8_400_000.0,
        forced_usd={("long", "observed"): 12_000_000.0, ("short", "observed"): 0.0},
        hawkes=HawkesView(0.4, 0.7, {"bybit_linear": (0.4, 0.7), "binance_usdm": (1.1, None)}),
        curves=curves(),
    )
    return replace(made, **changes)


def unknown(reason: str = "no verified book") -> CascadeView:
    """Nothing is known, and why."""
    return cascade(
        None, reason=reason, sides={}, exposure=None, books=(), sigma_1h_ratio=None, net_sold_usd=None, forced_usd={},
        hawkes=HawkesView(None, None, {}), curves=None,
    )  # fmt: skip

"""The liquidation model as JSON: /api/v1/assets/{asset}/cascade and /exposure. Unknown is null; curves are thinned, never rounded."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from monitor.cascade_views import (
    DIRECTIONS,
    SCALINGS,
    Arbitrage,
    CascadeCurves,
    CascadeFigures,
    CascadeSide,
    CascadeView,
    Direction,
    ExposureMarket,
    ExposureView,
    Jump,
    MapScoreView,
)
from monitor.views import AssetView
from monitor.web.times import rfc3339

Json = dict[str, Any]
CURVE_POINTS: Final = 250  # of the curves sent: every few nodes, the last one always


def cascade_json(asset: AssetView) -> Json:
    """What a sale (and a purchase) would set off at each scaling of the map, the books it rests on, and the curves."""
    view = asset.cascade
    if view is None:
        return {
            "asset": asset.asset,
            "at": rfc3339(asset.at),
            "reason": "not computed yet",
            "sides": {},
            "curves": None,
        }
    return {
        "asset": asset.asset,
        **cascade_row(view),
        "books": [
            {
                "venue": book.venue,
                "market": book.market,
                "used": not book.reason,
                "reason": book.reason,
                "reach_ratio": {"bid": book.bid_reach_ratio, "ask": book.ask_reach_ratio},
            }
            for book in view.books
        ],
        "hawkes": {
            "intensity": view.hawkes.intensity,
            "branching_ratio": view.hawkes.branching,
            "venues": {
                name: {"intensity": intensity, "branching_ratio": branching}
                for name, (intensity, branching) in view.hawkes.venues.items()
            },
        },
        "curves": None if view.curves is None else {d: _curves(view.curves, d) for d in DIRECTIONS if d in view.sides},
    }


def cascade_row(view: CascadeView) -> Json:
    """Without books and curves: what the page shows of an asset every second."""
    return {
        "at": rfc3339(view.at),
        "price_usd": view.price_usd,
        "reason": view.reason,
        "sides": {direction: _side(side, view.sigma_1h_ratio) for direction, side in view.sides.items()},
        "map": {
            "state": view.exposure.state if view.exposure is not None else "unknown",
            "reason": view.exposure.reason if view.exposure is not None else view.reason,
            "driven_by": "map" if view.map_driven else "null map",
        },
        "sigma_1h_ratio": view.sigma_1h_ratio,
        "net_sold_5m_usd": view.net_sold_usd,
    }


def _side(side: CascadeSide, sigma: float | None) -> Json:
    return {
        "observed_ratio": side.observed_ratio,
        "indicative": side.indicative,
        "scales": {
            scale: _figures(figures, sigma) | {"scaling": SCALINGS[scale]} for scale, figures in side.figures.items()
        },
    }


def _figures(figures: CascadeFigures, sigma: float | None) -> Json:
    return {
        "gain": figures.gain,
        "first": _jump(figures.first, sigma),
        "largest": _jump(figures.largest, sigma),
        "arbitrage": _arbitrage(figures.arbitrage),
    }


def _jump(jump: Jump | None, sigma: float | None) -> Json | None:
    """`distance_sigmas`: in standard deviations of an hour."""
    if jump is None:
        return None
    return jump._asdict() | {"distance_sigmas": jump.distance_ratio / sigma if sigma else None}


def _arbitrage(found: Arbitrage | None) -> Json | None:
    return None if found is None else found._asdict() | {"moves": dict(found.moves)}


def _curves(curves: CascadeCurves, direction: Direction) -> Json:
    """Points [move ratio, coins]."""
    n = len(curves.drops)
    chosen = np.unique(np.append(np.arange(0, n, max(1, n // CURVE_POINTS)), n - 1))
    return {
        "move_ratio": curves.drops[chosen].tolist(),
        "absorption_base": curves.absorption[direction][chosen].tolist(),
        "known_base": curves.known[direction][chosen].tolist(),
        "liquidations_base": curves.liquidations[direction][chosen].tolist(),
    }


def exposure_json(asset: AssetView) -> Json:
    """Where positions would be liquidated, by distance from the price, with how far that can be believed."""
    view = asset.cascade
    exposure = view.exposure if view is not None else None
    missing = "not computed yet" if view is None else "no market of the asset tells its open interest"
    head = {"asset": asset.asset, "at": rfc3339(asset.at), "price_usd": asset.price_usd}
    if exposure is None:
        return head | {"state": "unknown", "reason": missing, "bins": None}
    columns = [
        {
            "at": rfc3339(column.at),
            "price_usd": column.price_usd,
            "long": column.long_usd,
            "short": column.short_usd,
        }
        for column in exposure.history
    ]
    return head | exposure_row(exposure) | {"markets": [_market(m) for m in exposure.markets], "history": columns}


def exposure_row(exposure: ExposureView) -> Json:
    """Without the markets."""
    within: dict[str, dict[str, float]] = {}
    for (position, distance), usd in exposure.within_usd.items():
        within.setdefault(position, {})[distance] = usd
    return {
        "state": exposure.state,
        "reason": exposure.reason,
        "bin_ratio": exposure.bin_ratio,
        "bins": {position: list(usd) for position, usd in exposure.bins_usd.items()},
        "within_usd": within,
        "coverage_ratio": exposure.coverage_ratio,
        "score": _score(exposure.score),
    }


def _score(score: MapScoreView) -> Json:
    return score._asdict()


def _market(market: ExposureMarket) -> Json:
    return {
        "venue": market.venue,
        "market": market.market,
        "open_interest_usd": market.open_interest_usd,
        "state": market.state,
        "reason": market.reason,
        "tiers_source": market.tiers_source,
        "liquidation_coverage": market.coverage,
        "survival": list(market.survival),
        "score": _score(market.score),
    }

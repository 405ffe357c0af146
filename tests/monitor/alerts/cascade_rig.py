"""Liquidation models for rules: one direction, as much of it known as is said."""

from __future__ import annotations

from typing import Any

from alert_views import START, asset

from monitor.cascade_views import (
    SCALINGS,
    AbsorbingBook,
    Arbitrage,
    CascadeFigures,
    CascadeSide,
    CascadeView,
    ExposureView,
    HawkesView,
    Jump,
    MapScoreView,
)

BOOKS = (
    AbsorbingBook("binance_usdm", "BTCUSDT", "", 0.02, 0.02),
    AbsorbingBook("okx_swap", "BTC-USDT-SWAP", "gap", None, None),
)
SCORE = MapScoreView(60, 0.8, 0.4, 1.1)


def jump(
    distance: float = 0.02,
    sale: float = 20e6,
    forced: float = 150e6,
    landing: float | None = 0.053,
    observed: float = 0.8,
) -> Jump:
    return Jump(sale / 70_000, sale, distance * 0.45, distance, landing, forced / 68_000, forced, observed)


def exposure(state: Any = "calibrated", reason: str = "") -> ExposureView:
    return ExposureView(state, reason, 0.005, {}, {}, 1.0, SCORE, ())


def cascade(first: Jump | None, observed: float = 0.8, **changes: Any) -> CascadeView:
    arbitrage = Arbitrage(5e-4, 300.0, {"binance_usdm:BTCUSDT": 0.05}, 40.0, 1.4, 8.8, True)
    figures = {scale: CascadeFigures(0.6 * scaling, first, None, arbitrage) for scale, scaling in SCALINGS.items()}
    values: dict[str, Any] = {
        "at": START, "price_usd": 70_000.0, "reason": "", "sides": {"down": CascadeSide("down", figures, observed)},
        "exposure": exposure(), "books": BOOKS, "sigma_1h_ratio": 0.01, "net_sold_usd": 0.0, "forced_usd": {},
        "hawkes": HawkesView(None, None, {}), "curves": None,
    }  # fmt: skip
    return CascadeView(**{**values, **changes})


def facing(view: CascadeView | None) -> dict[str, Any]:
    """A service whose only asset stands before this."""
    return {"assets": (asset(cascade=view),)}

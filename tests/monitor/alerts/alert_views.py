"""Small read models for rules, with everything unknown unless said."""

from __future__ import annotations

from typing import Any

from monitor.views import AssetDepth, AssetView, ConnectionView, MarketView, Quality, ServiceView, VenueView

SECOND = 1_000_000_000
START = 1_760_000_000 * SECOND


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def market(venue: str = "binance_usdm", symbol: str = "BTCUSDT", asset: str = "BTC", **changes: Any) -> MarketView:
    values: dict[str, Any] = {
        "venue": venue, "market": symbol, "asset": asset, "quote": "USDT", "contract_type": "linear", "verified": True,
        "reason": "", "at": START, "last_update": START, "mid_price": 60_000.0, "spread_ratio": 0.0001, "best_bid": 1.0,
        "best_ask": 1.1, "reach_ratio": {"bid": 0.02, "ask": 0.02}, "depth": (), "slippage_ratio": {},
        "imbalance_1pct": None, "withdrawal_share": None, "liquidation_coverage": "complete", "open_interest_usd": None,
        "mark_price": None, "index_price": None, "funding_rate_8h_ratio": None, "funding_interval_seconds": None,
        "counters": {}, "resyncs": {}, "silent": {},
    }  # fmt: skip
    return MarketView(**{**values, **changes})


def venue(name: str = "binance_usdm", **changes: Any) -> VenueView:
    values: dict[str, Any] = {
        "venue": name, "halted": "", "clock_offset_seconds": 0.0, "lag_seconds": 0.01, "rest_weight_used_ratio": 0.1,
        "connections": (ConnectionView(name, 0, True, "/ws", 3),), "reconnects": {}, "channels": {}, "refused": (),
        "faults": (),
    }  # fmt: skip
    return VenueView(**{**values, **changes})


def depth(usd: float = 8e6, acute: float | None = 1.0, chronic: float | None = None, coverage: float | None = 1.0,
          side: Any = "bid") -> AssetDepth:  # fmt: skip
    return AssetDepth(side, "1%", usd, ("binance_usdm",), coverage, acute, chronic)


def asset(name: str = "BTC", figures: tuple[AssetDepth, ...] = (), **changes: Any) -> AssetView:
    values: dict[str, Any] = {
        "asset": name, "at": START, "price_usd": 60_000.0, "depth": figures, "depth_ref_price": (), "regime": "normal",
        "regime_since": START, "score": None, "liquidated_usd": {}, "liquidated_60s_usd": {}, "refill_ratio": {},
        "quality": Quality(0.9, 1.0, 3, 3, ()), "markets": ("binance_usdm:BTCUSDT",),
    }  # fmt: skip
    return AssetView(**{**values, **changes})


def service(seconds: float = 0.0, **changes: Any) -> ServiceView:
    values: dict[str, Any] = {"at": at(seconds), "markets": (market(),), "assets": (asset(),), "venues": (venue(),)}
    return ServiceView(**{**values, **changes})

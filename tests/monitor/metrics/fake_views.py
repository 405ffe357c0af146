"""Made-up read models for the tests of metrics, web and reference: plausible figures, no hub behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import fake_cascade

from monitor.metrics.table import market_counter_keys
from monitor.views import (
    AlertView,
    AssetDepth,
    AssetView,
    ConnectionView,
    DepthFigure,
    FxView,
    MarketView,
    Quality,
    ServiceView,
    VenueView,
)

BANDS = ("0.1%", "0.25%", "0.5%", "1%", "2%", "5%", "10%")
NOTIONALS = (10_000, 100_000, 500_000, 1_000_000, 10_000_000)
NOW = 1_700_000_000_123_456_789


def market(
    venue: str = "binance_usdm", name: str = "BTCUSDT", asset: str = "BTC", price: float = 60_123.45, **changes: Any
) -> MarketView:
    """A verified market with every figure known. USD figures differ from one another, so that a swap shows."""
    coverage = changes.pop("liquidation_coverage", "sampled")
    depth = tuple(
        DepthFigure(
            side=side,
            band=band,
            usd=(1_234_567.891 + lean) * (step + 1) * (price % 7 + 1),
            base=(1_234_567.891 + lean) * (step + 1) / price,
            basis="live" if step < 3 else "snapshot" if step < 5 else "floor",
        )
        for side, lean in (("bid", 0.0), ("ask", 98_765.4321))
        for step, band in enumerate(BANDS)
    )
    made = MarketView(
        venue=venue,
        market=name,
        asset=asset,
        quote="USDT",
        contract_type="linear",
        verified=True,
        reason="",
        at=NOW,
        last_update=NOW - 50_000_000,
        mid_price=price,
        spread_ratio=1.6632e-06,
        best_bid=price - 0.05,
        best_ask=price + 0.05,
        reach_ratio={"bid": 0.00312, "ask": 0.00298},
        depth=depth,
        slippage_ratio={
            (side, n): n / 3.1e10 + lean for side, lean in (("sell", 1e-6), ("buy", 2e-6)) for n in NOTIONALS
        },
        imbalance_1pct=0.0413,
        withdrawal_share=0.25,
        liquidation_coverage=coverage,
        open_interest_usd=5_123_456_789.5,
        mark_price=price * 1.0001,
        index_price=price * 0.9999,
        funding_rate_8h_ratio=0.0001,
        funding_interval_seconds=28_800,
        counters={key: float(index) for index, key in enumerate(market_counter_keys(coverage))},
        resyncs={"gap": 0, "start": 1},
        silent={"book": False, "trades": False, "liquidations": False},
    )
    return replace(made, **changes)


def unverified(venue: str, name: str, asset: str, reason: str) -> MarketView:
    """A market whose book is not there: nothing is known but its counters."""
    return market(
        venue, name, asset, verified=False, reason=reason, last_update=None, mid_price=None, spread_ratio=None, best_bid=None,
        best_ask=None, reach_ratio={"bid": None, "ask": None}, depth=(), slippage_ratio={}, imbalance_1pct=None,
        withdrawal_share=None, open_interest_usd=None, mark_price=None, index_price=None, funding_rate_8h_ratio=None,
        funding_interval_seconds=None,
    )  # fmt: skip


def asset(
    name: str = "BTC",
    price: float | None = 60_123.45,
    markets: tuple[str, ...] = ("binance_usdm:BTCUSDT",),
    **changes: Any,
) -> AssetView:
    depth = tuple(
        AssetDepth(
            side=side,
            band=band,
            usd=(5_100_000.0 + lean) * (step + 1),
            venues=markets,
            coverage_ratio=0.97,
            acute_ratio=0.62 + lean / 1e7,
            chronic_ratio=None if step > 4 else 0.81,
        )
        for side, lean in (("bid", 0.0), ("ask", 400_000.0))
        for step, band in enumerate(BANDS)
    )
    made = AssetView(
        asset=name,
        at=NOW,
        price_usd=price,
        depth=depth,
        depth_ref_price=depth,
        regime="watch",
        regime_since=NOW - 90_000_000_000,
        score=0.8,
        liquidated_usd={("long", "observed"): 12_000_000.0, ("short", "observed"): 0.0},
        liquidated_60s_usd={"long": 2_500_000.0, "short": 0.0},
        refill_ratio={1: 0.4, 10: 0.8},
        quality=Quality(0.9, 0.97, 2, 3, ("bybit_linear:BTCUSDT book resyncing",)),
        markets=markets,
    )
    return replace(made, **changes)


def alert(
    kind: str = "liquidation_burst", severity: str = "critical", subject: str = "long", **payload: Any
) -> AlertView:
    body: dict[str, object] = {
        "schema": "undertow.alert.v1",
        "id": f"01HF{kind[:3].upper()}{subject.upper()}",
        "sequence": 1,
        "transition": "opened",
        "asset": "BTC",
        "kind": kind,
        "subject": subject,
        "severity": severity,
        "opened_at": "2023-11-14T22:13:20.000000Z",
        "at": "2023-11-14T22:13:20.000000Z",
        "summary": "$12.0M of BTC longs liquidated in 60 s, 14 times the usual.",
        **payload,
    }
    return AlertView(str(body["id"]), 1, "BTC", kind, subject, severity, body)


def venue(name: str = "binance_usdm", **changes: Any) -> VenueView:
    counts = {"messages": 1_000, "bytes": 250_000, "parse_errors": 0, "fallback_frames": 2}
    made = VenueView(
        venue=name,
        halted="",
        clock_offset_seconds=0.012,
        lag_seconds=0.003,
        rest_weight_used_ratio=0.11,
        connections=(ConnectionView(name, 0, True, "/stream", 6), ConnectionView(name, 1, True, "/stream", 2)),
        reconnects={"planned": 0, "network": 1},
        channels={"book": counts, "trades": counts, "liquidations": {"messages": 3}},
        refused=(),
        faults=(),
    )
    return replace(made, **changes)


def service(**changes: Any) -> ServiceView:
    """Two assets on three venues, one book resyncing, two alerts open."""
    made = ServiceView(
        at=NOW,
        markets=(
            market("binance_usdm", "BTCUSDT"),
            market("okx_swap", "BTC-USDT-SWAP", price=60_120.1, liquidation_coverage="sampled"),
            unverified("bybit_linear", "BTCUSDT", "BTC", "resyncing after a gap"),
            market("binance_usdm", "ETHUSDT", "ETH", price=3_012.34),
        ),
        assets=(
            asset(
                "BTC",
                markets=("binance_usdm:BTCUSDT", "okx_swap:BTC-USDT-SWAP", "bybit_linear:BTCUSDT"),
                cascade=fake_cascade.cascade(),
            ),
            asset("ETH", 3_012.34, markets=("binance_usdm:ETHUSDT",), regime="normal"),
        ),
        venues=(venue("binance_usdm"), venue("okx_swap"), venue("bybit_linear")),
        alerts=(alert(), alert("depth_drought", "warning", "all", summary="Bids within 1% of BTC are 38% of usual.")),
        fx=(FxView("USDT", 1.0, "assumed"),),
        alert_totals={("BTC", "liquidation_burst", "opened"): 1, ("BTC", "depth_drought", "opened"): 1},
    )
    return replace(made, **changes)


def crowd(markets: int) -> ServiceView:
    """Many markets, for figures of cost: 78 series each."""
    return service(
        markets=tuple(market("binance_usdm", f"C{i}USDT", f"C{i}", price=1.0 + i * 1.37) for i in range(markets)),
        alerts=(),
    )

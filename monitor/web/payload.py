"""The read model as JSON: what /api/v1 answers. Unknown is null, times are RFC 3339 in UTC with microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from monitor.clock import SECOND
from monitor.facts import MarginTiers
from monitor.tiers import tiers_source
from monitor.views import AlertView, AssetDepth, AssetView, DepthFigure, MarketView, ServiceView, Side, VenueView
from monitor.web.cascade_payload import cascade_row, exposure_row
from monitor.web.times import rfc3339

Json = dict[str, Any]


def encode(payload: object) -> bytes:
    """JSON text. NaN and infinities, which JSON does not have, become null."""
    return orjson.dumps(payload, option=orjson.OPT_SERIALIZE_NUMPY)


def _figure(figure: DepthFigure) -> Json:
    return {
        "side": figure.side,
        "band": figure.band,
        "usd": figure.usd,
        "base": figure.base,
        "basis": figure.basis,
    }


def _nested(figures: Mapping[Any, float]) -> dict[str, dict[str, float]]:
    """A mapping by pairs {(a, b): x} as {"a": {"b": x}}."""
    out: dict[str, dict[str, float]] = {}
    for (outer, inner), value in figures.items():
        out.setdefault(outer, {})[str(inner)] = value
    return out


def market_row(market: MarketView) -> Json:
    """What a row of the page shows of a market."""
    return {
        "venue": market.venue,
        "market": market.market,
        "asset": market.asset,
        "quote": market.quote,
        "contract_type": market.contract_type,
        "verified": market.verified,
        "reason": market.reason,
        "last_update": rfc3339(market.last_update),
        "age_seconds": None if market.last_update is None else (market.at - market.last_update) / SECOND,
        "cadence_seconds": market.cadence_seconds,
        "mid_price": market.mid_price,
        "spread_ratio": market.spread_ratio,
        "reach_ratio": _sides(market.reach_ratio),
        "snapshot_reach_ratio": _sides(market.snapshot_reach_ratio),
        "layers": [
            {
                "significant_figures": layer.significant_figures,
                "reason": layer.reason,
                "last_update": rfc3339(layer.last_update),
                "reach_ratio": _sides(layer.reach_ratio),
                "resyncs": dict(layer.resyncs),
            }
            for layer in market.layers
        ],
        "depth": [_figure(figure) for figure in market.depth],
        "liquidation_coverage": market.liquidation_coverage,
        "open_interest_usd": market.open_interest_usd,
        "funding_rate_8h_ratio": market.funding_rate_8h_ratio,
        "funding_interval_seconds": market.funding_interval_seconds,
        "silent": sorted(channel for channel, silent in market.silent.items() if silent),
    }


def market_json(market: MarketView) -> Json:
    """Everything known of a market."""
    return {
        **market_row(market),
        "at": rfc3339(market.at),
        "best_bid": market.best_bid,
        "best_ask": market.best_ask,
        "slippage_ratio": _nested(market.slippage_ratio),
        "imbalance_1pct": market.imbalance_1pct,
        "withdrawal_share": market.withdrawal_share,
        "mark_price": market.mark_price,
        "index_price": market.index_price,
        "contract_size": market.contract_size,
        "unit_multiplier": market.unit_multiplier,
        "margin_tiers": None if market.margin_tiers is None else _tiers(market.margin_tiers),
        "closings": [
            {"kind": c.kind, "position": c.position, "count": c.prints, "usd": c.usd} for c in market.closings
        ],
        "counters": dict(market.counters),
        "resyncs": dict(market.resyncs),
    }


def _sides(ratios: Mapping[Side, float | None]) -> Json:
    return {"bid": ratios.get("bid"), "ask": ratios.get("ask")}


def _tiers(tiers: MarginTiers) -> Json:
    """Maintenance margin by position size. Ratios are fractions; `floor` and `cap` are in `unit`."""
    return {
        "source": tiers_source(tiers),
        "unit": tiers.unit,
        "whole": tiers.whole,
        "tiers": [
            {
                "floor": float(tier.floor),
                "cap": _number(tier.cap),
                "maintenance_ratio": float(tier.maintenance_ratio),
                "max_leverage": _number(tier.max_leverage),
                "deduction": _number(tier.deduction),
            }
            for tier in tiers.tiers
        ],
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _asset_depth(depth: AssetDepth) -> Json:
    return {
        "side": depth.side,
        "band": depth.band,
        "usd": depth.usd,
        "venues": list(depth.venues),
        "coverage_ratio": depth.coverage_ratio,
        "acute_ratio": depth.acute_ratio,
        "chronic_ratio": depth.chronic_ratio,
    }


def asset_row(asset: AssetView) -> Json:
    """What a card of the page shows of an asset."""
    return {
        "asset": asset.asset,
        "price_usd": asset.price_usd,
        "depth": [_asset_depth(depth) for depth in asset.depth],
        "regime": asset.regime,
        "regime_since": rfc3339(asset.regime_since),
        "liquidated_60s_usd": dict(asset.liquidated_60s_usd),
        "cascade": None if asset.cascade is None else cascade_row(asset.cascade),
        "exposure": None
        if asset.cascade is None or asset.cascade.exposure is None
        else exposure_row(asset.cascade.exposure),
        "quality": {
            "confidence": asset.quality.confidence,
            "coverage_ratio": asset.quality.coverage_ratio,
            "books": {"verified": asset.quality.books_verified, "configured": asset.quality.books_configured},
            "degraded": list(asset.quality.degraded),
        },
    }


def asset_json(asset: AssetView, view: ServiceView) -> Json:
    """Everything known of an asset, its markets and its open alerts included."""
    return {
        **asset_row(asset),
        "at": rfc3339(asset.at),
        "depth_ref_price": [_asset_depth(depth) for depth in asset.depth_ref_price],
        "score": asset.score,
        "liquidated_usd": _nested(asset.liquidated_usd),
        "refill_ratio": {str(seconds): ratio for seconds, ratio in asset.refill_ratio.items()},
        "markets": [market_json(market) for market in view.markets if market.asset == asset.asset],
        "alerts": alerts_json([alert for alert in view.alerts if alert.asset == asset.asset]),
    }


def alerts_json(alerts: Sequence[AlertView]) -> list[Json]:
    """Open alerts, each the payload of its last transition."""
    return [dict(alert.payload) for alert in alerts]


def venue_json(venue: VenueView) -> Json:
    return {
        "venue": venue.venue,
        "halted": venue.halted,
        "lag_seconds": venue.lag_seconds,
        "clock_offset_seconds": venue.clock_offset_seconds,
        "rest_weight_used_ratio": venue.rest_weight_used_ratio,
        "connections": [
            {"connection": c.connection, "connected": c.connected, "path": c.url_path, "topics": c.topics}
            for c in venue.connections
        ],
        "reconnects": dict(venue.reconnects),
        "refused": [{"symbol": symbol, "reason": reason} for symbol, reason in venue.refused],
        "faults": list(venue.faults),
        "notices": [
            {
                "text": notice.text,
                "begins": rfc3339(notice.begins),
                "ends": rfc3339(notice.ends),
                "disruptive": notice.disruptive,
                "symbol": notice.symbol,
            }
            for notice in venue.notices
        ],
    }


def markets_json(view: ServiceView) -> Json:
    return {
        "at": rfc3339(view.at),
        "markets": [market_json(market) for market in view.markets],
        "venues": [venue_json(venue) for venue in view.venues],
        "fx": [{"currency": rate.currency, "rate_usd": rate.rate_usd, "source": rate.source} for rate in view.fx],
    }


def overview_json(view: ServiceView, instance: str) -> Json:
    """All the page shows, in one answer."""
    return {
        "at": rfc3339(view.at),
        "instance": instance,
        "assets": [asset_row(asset) for asset in view.assets],
        "markets": [market_row(market) for market in view.markets],
        "venues": [venue_json(venue) for venue in view.venues],
        "alerts": alerts_json(view.alerts),
        "fx": [{"currency": rate.currency, "rate_usd": rate.rate_usd, "source": rate.source} for rate in view.fx],
    }


def readiness(view: ServiceView) -> tuple[bool, Json]:
    """Ready once a configured market has a verified book, and not while none has; with the reason of each market."""
    verified = sum(market.verified for market in view.markets)
    if verified:
        reason = ""
    elif view.markets:
        reason = "no configured market has a verified book"
    else:
        reason = "no market is running yet"
    return bool(verified), {
        "ready": bool(verified),
        "reason": reason,
        "verified": verified,
        "configured": len(view.markets),
        "markets": [
            {"venue": m.venue, "market": m.market, "asset": m.asset, "verified": m.verified, "reason": m.reason}
            for m in view.markets
        ],
        "refused": [
            {"venue": venue.venue, "market": symbol, "reason": reason}
            for venue in view.venues
            for symbol, reason in venue.refused
        ],
        "halted": [{"venue": venue.venue, "reason": venue.halted} for venue in view.venues if venue.halted],
    }

"""Read model to payloads: what an alert, a regime and a venue look like to a subscriber. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Final

from monitor.alerts.payloads import (
    BookCount,
    CascadeFigures,
    CascadeRange,
    ConnectionCount,
    DepthPoint,
    FeedMarket,
    FeedPayload,
    FeedState,
    MarketFigures,
    QualityFigures,
    RefusedMarket,
    RegimePayload,
    rfc3339,
)
from monitor.cascade_views import MAP_SCALES, CascadeView, Jump
from monitor.views import AssetView, ConnectionView, MarketView, Regime, Side, VenueView

MAX_DEGRADED: Final = 32  # lines in one payload; a venue of hundreds of markets may be out
NOTHING_KNOWN: Final = MarketFigures(None, None, None, None, None, None, None)


def market_figures(view: AssetView | None) -> MarketFigures:
    """The asset as it stands; everything null when there is none."""
    if view is None:
        return NOTHING_KNOWN
    bid = next((d for d in view.depth if d.side == "bid" and d.band == "1%"), None)
    ask = next((d for d in view.depth if d.side == "ask" and d.band == "1%"), None)
    return MarketFigures(
        price_usd=_known(view.price_usd),
        bid_depth_1pct_usd=_known(bid.usd) if bid else None,
        ask_depth_1pct_usd=_known(ask.usd) if ask else None,
        depth_baseline_ratio=_known(bid.acute_ratio) if bid else None,
        liquidated_long_usd_60s=_known(view.liquidated_60s_usd.get("long")),
        liquidated_short_usd_60s=_known(view.liquidated_60s_usd.get("short")),
        cascade=cascade_range(view.cascade),
    )


def cascade_range(view: CascadeView | None) -> CascadeRange | None:
    """What a sale would set off, downwards, at each scaling; None while that is not known."""
    side = view.sides.get("down") if view is not None else None
    if side is None:
        return None
    low, base, high = (_figures(side.figures[scale].first) for scale in MAP_SCALES)
    return CascadeRange(base=base, low=low, high=high, observed_ratio=_share(side.observed_ratio))


def _figures(jump: Jump | None) -> CascadeFigures:
    if jump is None:
        return CascadeFigures(None, None, None, None)
    return CascadeFigures(jump.distance_ratio, jump.ignition_usd, jump.landing_ratio, jump.forced_usd)


def quality_figures(view: AssetView | None, degraded: Iterable[str] = ()) -> QualityFigures:
    """Quality of one asset's figures, with what weakens this very statement put first."""
    if view is None:
        return QualityFigures(0.0, None, BookCount(0, 0), bounded(degraded))
    quality = view.quality
    return QualityFigures(
        _share(quality.confidence) or 0.0,
        _share(quality.coverage_ratio),
        BookCount(quality.books_verified, quality.books_configured),
        bounded((*degraded, *quality.degraded)),
    )


def service_quality(markets: Sequence[MarketView], degraded: Iterable[str] = ()) -> QualityFigures:
    """Quality of a statement about the whole market: the share of books that are verified."""
    verified = sum(market.verified for market in markets)
    share = verified / len(markets) if markets else None
    return QualityFigures(1.0, share, BookCount(verified, len(markets)), bounded(degraded))


def bounded(lines: Iterable[str]) -> tuple[str, ...]:
    """Each line once, in order, and a last line that counts what does not fit."""
    unique = tuple(dict.fromkeys(lines))
    if len(unique) <= MAX_DEGRADED:
        return unique
    return (*unique[: MAX_DEGRADED - 1], f"and {len(unique) - MAX_DEGRADED + 1} more")


def regime_payload(view: AssetView, instance: str) -> RegimePayload | None:
    """None while the asset has no regime: there is nothing to say, and nothing false is said."""
    if view.regime is None:
        return None
    depth: dict[Side, dict[str, DepthPoint]] = {"bid": {}, "ask": {}}
    for figure in view.depth:
        if isfinite(figure.usd):
            depth[figure.side][figure.band] = DepthPoint(
                figure.usd, _known(figure.coverage_ratio), _known(figure.acute_ratio), _known(figure.chronic_ratio)
            )
    return RegimePayload(
        schema="undertow.regime.v1",
        instance=instance,
        asset=view.asset,
        at=rfc3339(view.at),
        regime=view.regime,
        since=None if view.regime_since is None else rfc3339(view.regime_since),
        score=_known(view.score),
        price_usd=_known(view.price_usd),
        depth=depth,
        cascade=cascade_range(view.cascade),
        quality=quality_figures(view),
    )


def feed_payload(venue: VenueView, markets: Sequence[MarketView], instance: str, at: int) -> FeedPayload:
    """`markets`: those of this venue."""
    books = tuple(
        FeedMarket(m.market, m.asset, m.verified, m.reason, tuple(sorted(c for c, mute in m.silent.items() if mute)))
        for m in markets
    )
    return FeedPayload(
        schema="undertow.feed.v1",
        instance=instance,
        venue=venue.venue,
        at=rfc3339(at),
        state=feed_state(venue, markets),
        halted=venue.halted or None,
        connections=ConnectionCount(*standing(venue.connections)),
        books=BookCount(sum(market.verified for market in markets), len(markets)),
        lag_seconds=_known(venue.lag_seconds),
        clock_offset_seconds=_known(venue.clock_offset_seconds),
        markets=books,
        refused=tuple(RefusedMarket(symbol, reason) for symbol, reason in venue.refused),
        faults=bounded(venue.faults),
    )


def feed_state(venue: VenueView, markets: Sequence[MarketView]) -> FeedState:
    """The worst that holds: halted, down (nothing connected), degraded (something missing), running."""
    if venue.halted:
        return "halted"
    connected, planned = standing(venue.connections)
    if not connected:
        return "down"
    whole = connected == planned
    well = all(market.verified and not any(market.silent.values()) for market in markets)
    return "running" if whole and well and not venue.refused and not venue.faults else "degraded"


def standing(connections: Iterable[ConnectionView]) -> tuple[int, int]:
    """(connected, planned): a lost socket and the one that replaced it count once, by the name of their plan."""
    plans: dict[str, bool] = {}
    for connection in connections:
        plan = connection.name or f"#{connection.connection}"
        plans[plan] = plans.get(plan, False) or connection.connected
    return sum(plans.values()), len(plans)


def feed_signature(payload: FeedPayload) -> object:
    """What makes a change worth telling at once; lag and times alone are not."""
    return (payload.state, payload.halted, payload.connections, payload.markets, payload.refused, payload.faults)


def regime_of(view: AssetView | None) -> Regime | None:
    return view.regime if view is not None else None


def _known(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _share(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else min(1.0, max(0.0, value))

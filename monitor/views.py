"""The read model: what metrics, HTTP, the page and alert rules see. Plain values, made by the hub, never changed after.

Unknown is None, never zero. USD unless a name says otherwise; ratios 0..1; times integer ns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.cascade_views import CascadeView
from monitor.facts import MarginTiers

Basis = Literal["live", "snapshot", "floor"]
Side = Literal["bid", "ask"]
Regime = Literal["normal", "watch", "stressed", "cascade", "recovery"]


# The two that are made by the thousand every second are named tuples: a frozen dataclass takes three times as long to make.
class DepthFigure(NamedTuple):
    """Depth of one side within one band. Exists only where one of the bases holds."""

    side: Side
    band: str  # as configured: "1%"
    usd: float
    base: float
    basis: Basis


class LayerView(NamedTuple):
    """A coarse stream of a market, which feeds its depth beyond the reach of the book (basis `snapshot`)."""

    significant_figures: int
    reason: str  # why it is left out, "" when it counts
    last_update: int | None
    reach_ratio: Mapping[Side, float | None]
    resyncs: Mapping[str, int]


class Closings(NamedTuple):
    """Positions that were closed by force outside the market, since start: they are no liquidation orders."""

    kind: str  # deleveraging, takeover
    position: str
    prints: int
    usd: float | None  # None: the worth of one of them is not known


@dataclass(frozen=True, slots=True)
class MarketView:
    venue: str
    market: str
    asset: str
    quote: str
    contract_type: str
    verified: bool
    reason: str  # why it is not verified, "" when it is
    at: int
    last_update: int | None  # receive time of the last book update
    mid_price: float | None  # quote currency per coin
    spread_ratio: float | None
    best_bid: float | None
    best_ask: float | None
    reach_ratio: Mapping[Side, float | None]
    depth: tuple[DepthFigure, ...]
    slippage_ratio: Mapping[tuple[Literal["sell", "buy"], int], float]  # absent where the book cannot fill it
    imbalance_1pct: float | None
    withdrawal_share: float | None  # W of models 1.5, bids within 1%, last minute
    liquidation_coverage: str
    open_interest_usd: float | None
    mark_price: float | None
    index_price: float | None
    funding_rate_8h_ratio: float | None
    funding_interval_seconds: int | None
    counters: Mapping[str, float]  # see MarketCounters in monitor.market
    resyncs: Mapping[str, int]  # by reason
    silent: Mapping[str, bool]  # by channel
    liquidations_heard: bool = True  # a connection stands on which its liquidations would come
    # How far its `snapshot` figures go: of a deep snapshot or of coarse streams. May be less than `reach_ratio`.
    snapshot_reach_ratio: Mapping[Side, float | None] = field(default_factory=dict)
    cadence_seconds: float | None = None  # of a book of snapshots alone; None: it is kept up change by change
    margin_tiers: MarginTiers | None = None
    contract_size: float = 1.0  # base coins in a contract, of an inverse one quote units
    unit_multiplier: int = 1  # coins in one unit of the market's base; the prices here are per coin
    closings: tuple[Closings, ...] = ()
    layers: tuple[LayerView, ...] = ()


class AssetDepth(NamedTuple):
    """Depth of one side and band, summed over the venues whose figure is known."""

    side: Side
    band: str
    usd: float
    venues: tuple[str, ...]
    coverage_ratio: float | None  # share of the baseline depth that is known now
    acute_ratio: float | None  # against the acute baseline, matched venues and bases
    chronic_ratio: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    confidence: float
    coverage_ratio: float | None
    books_verified: int
    books_configured: int
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssetView:
    asset: str
    at: int
    price_usd: float | None
    depth: tuple[AssetDepth, ...]
    depth_ref_price: tuple[AssetDepth, ...]  # around one common price (models 1.2 ref_price)
    regime: Regime | None  # None: no verified book yet
    regime_since: int | None
    score: float | None
    liquidated_usd: Mapping[tuple[str, str], float]  # (position, estimate) -> total since start
    liquidated_60s_usd: Mapping[str, float]  # position -> last 60 s, observed
    refill_ratio: Mapping[int, float]  # tau seconds -> RR after the last sweep (models 1.5)
    quality: Quality
    markets: tuple[str, ...]  # "venue:market"
    cascade: CascadeView | None = None


@dataclass(frozen=True, slots=True)
class ConnectionView:
    venue: str
    connection: int
    connected: bool
    url_path: str
    topics: int
    name: str = ""  # of its plan: what a reconnected socket has in common with the lost one


class NoticeView(NamedTuple):
    """What a venue announced, until it is over."""

    text: str
    begins: int | None  # None: at once, or the venue does not say
    ends: int | None  # None: until the venue says otherwise
    disruptive: bool  # books, trades or trading suffer: a fault once it has begun
    symbol: str  # the one market it is about, or how the symbols of those it is about begin; "": the venue


@dataclass(frozen=True, slots=True)
class VenueView:
    venue: str
    halted: str  # reason, "" when running
    clock_offset_seconds: float | None
    lag_seconds: float | None
    rest_weight_used_ratio: float | None
    connections: tuple[ConnectionView, ...]
    reconnects: Mapping[str, int]  # by reason
    channels: Mapping[str, Mapping[str, int]]  # channel -> messages, bytes, parse_errors, fallback_frames
    refused: tuple[tuple[str, str], ...]  # (symbol, reason) of refused markets
    faults: tuple[str, ...]
    notices: tuple[NoticeView, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertView:
    """One open alert: the payload of its last transition (contract: alert payload)."""

    id: str
    sequence: int
    asset: str
    kind: str
    subject: str
    severity: str
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FxView:
    currency: str
    rate_usd: float
    source: str  # venue name or "assumed"


@dataclass(frozen=True, slots=True)
class ServiceView:
    at: int
    markets: tuple[MarketView, ...] = ()
    assets: tuple[AssetView, ...] = ()
    venues: tuple[VenueView, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    fx: tuple[FxView, ...] = ()
    alert_totals: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  # (asset, kind, transition)

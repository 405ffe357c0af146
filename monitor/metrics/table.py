"""Every metric of Undertow: name, type, help, labels. Rendering and docs/reference/metrics.md come from here, nothing else is exported.

Keys of `MarketView.counters` are the metric names without the prefix; a label that is not venue, market or asset follows
after a bar, as in "trades_total|buy" (`market_counter_keys`). A counter that exists starts at 0; a venue whose liquidation
coverage is `none` has no liquidation keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PREFIX = "undertow_"

Kind = Literal["gauge", "counter", "histogram"]

# Where the figures come from. market, asset, venue, alert, fx: a part of the ServiceView; process: monitor.metrics.process.
Source = Literal["market", "asset", "venue", "alert", "fx", "process"]

MARKET = ("venue", "market", "asset")  # the labels of every series about one market


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` has no prefix; `arrives` names what brings a metric that is in the contract and not exported yet."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    source: Source
    arrives: str = ""

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def exported(self) -> bool:
        return not self.arrives

    @property
    def family(self) -> str:
        """The OpenMetrics family name: a counter's series end in _total, its family does not."""
        return self.full_name.removesuffix("_total") if self.kind == "counter" else self.full_name


DETECTOR = "the detector"
RELOAD = "reloading settings while running"

# What a label can say. Labels never hold prices, ids or error texts.
LABELS: Mapping[str, str] = {
    "asset": "the coin in upper case (BTC); MARKET for the whole market",
    "band": "distance from mid as configured in engine.bands (1%)",
    "basis": "live, snapshot or floor",
    "baseline": "acute or chronic",
    "channel": "book, trades, liquidations, ticker, status, other",
    "connection": "small index of the socket within its venue",
    "contract_type": "spot, linear or inverse",
    "coverage": "complete, sampled, inferred or none",
    "currency": "a quote currency other than the dollar: USDT, USDC, EUR",
    "distance": "distance from the current price",
    "estimate": "observed, low, base or high",
    "kind": "the kind of alert",
    "market": "the venue's own symbol",
    "notional_usd": "size of the order, as configured in engine.slippage_usd",
    "numba": "version of numba",
    "position": "long or short: the position that was closed",
    "python": "version of Python",
    "quote": "quote currency",
    "reason": "one of a short closed set",
    "regime": "normal, watch, stressed, cascade or recovery",
    "scale": "low, base or high",
    "severity": "watch, warning or critical",
    "side": "bid or ask of a book; sell or buy of a trade or an order; down or up of a cascade",
    "source": "the venue a rate comes from, settings where it is fixed there, or assumed",
    "transition": "opened, escalated, eased or closed",
    "venue": "the venue's name",
    "version": "version of Undertow",
}

METRICS: tuple[Metric, ...] = (
    # -- one market. The order is the order of importance: what engine.max_series cuts off is cut from the end.
    Metric("book_verified", "gauge", "1 while the book is in unbroken sync, not crossed and its socket live; else 0.", MARKET, "market"),
    Metric("mid_price", "gauge", "Middle of best bid and best ask in the quote currency.", MARKET, "market"),
    Metric("spread_ratio", "gauge", "Best ask less best bid, as a share of mid.", MARKET, "market"),
    Metric("book_last_update_timestamp_seconds", "gauge", "Receive time of the last book update.", MARKET, "market"),
    Metric("liquidation_coverage", "gauge", "1: how much of its liquidations the venue publishes.", (*MARKET, "coverage"), "market"),
    Metric("liquidations_total", "counter", "Liquidation prints, by the position that was closed.", (*MARKET, "position"), "market"),
    Metric("liquidated_usd_total", "counter", "USD value of liquidation prints, as far as the venue publishes them.", (*MARKET, "position"), "market"),
    Metric("trades_total", "counter", "Trades, by the side of the taker.", (*MARKET, "side"), "market"),
    Metric("trade_volume_usd_total", "counter", "USD value of trades, by the side of the taker.", (*MARKET, "side"), "market"),
    Metric("book_updates_total", "counter", "Book updates applied.", MARKET, "market"),
    Metric("book_gaps_total", "counter", "Breaks in the venue's book sequence.", MARKET, "market"),
    Metric("book_crossed_total", "counter", "Times the book stood crossed.", MARKET, "market"),
    Metric("book_resyncs_total", "counter", "Times the book was built anew, by reason.", (*MARKET, "reason"), "market"),
    Metric("feed_silent", "gauge", "1 while a channel has been silent for longer than is normal for it; else 0.", (*MARKET, "channel"), "market"),
    Metric("open_interest_usd", "gauge", "Open interest, one side counted.", MARKET, "market"),
    Metric("mark_price", "gauge", "The venue's mark price in the quote currency.", MARKET, "market"),
    Metric("funding_rate_8h_ratio", "gauge", "Funding rate of the running period, scaled to 8 hours.", MARKET, "market"),
    Metric("funding_interval_seconds", "gauge", "Length of the funding period.", MARKET, "market"),
    Metric("market_info", "gauge", "1: what kind of market this is.", (*MARKET, "quote", "contract_type"), "market"),
    Metric("book_reach_ratio", "gauge", "How far from mid the book is verified.", (*MARKET, "side"), "market"),
    Metric("depth_usd", "gauge", "Resting orders within a band of mid in USD; absent where nothing vouches for the whole band.", (*MARKET, "side", "band"), "market"),
    Metric("depth_basis", "gauge", "1: what vouches for the depth figure. live: inside the verified reach; snapshot: outer part from a full snapshot; floor: a lower bound from changes seen.", (*MARKET, "side", "band", "basis"), "market"),
    Metric("slippage_ratio", "gauge", "What an order of this size would lose against mid; absent where the known book cannot fill it.", (*MARKET, "side", "notional_usd"), "market"),
    Metric("depth_base", "gauge", "Resting orders within a band of mid in coins; absent where nothing vouches for the whole band.", (*MARKET, "side", "band"), "market"),
    # -- one asset, over its venues
    Metric("asset_depth_usd", "gauge", "Depth of one side and band, summed over the venues whose figure is known.", ("asset", "side", "band"), "asset"),
    Metric("asset_depth_baseline_ratio", "gauge", "Depth against its own history, same venues and bases on both sides.", ("asset", "side", "band", "baseline"), "asset"),
    Metric("asset_coverage_ratio", "gauge", "Share of the baseline depth that is known now.", ("asset", "side", "band"), "asset"),
    Metric("asset_liquidated_usd_total", "counter", "USD value of liquidations over all venues: observed, or estimated for venues that publish a sample.", ("asset", "position", "estimate"), "asset"),
    Metric("regime", "gauge", "1 for the regime the asset is in, 0 for the others; absent before the first verified book.", ("asset", "regime"), "asset"),
    Metric("stress_score", "gauge", "Detector statistic over its alarm threshold; 1 is the alarm.", ("asset",), "asset", DETECTOR),
    Metric("detector_false_alarm_ratio", "gauge", "Realised over targeted false alarms, 14 days.", ("asset",), "asset", DETECTOR),
    Metric("cascade_gain", "gauge", "Forced selling set off by one more unit of selling, at the current price.", ("asset", "side", "scale"), "asset"),
    Metric("cascade_distance_ratio", "gauge", "Drop at which a cascade runs away; +Inf when none is in range.", ("asset", "side", "scale"), "asset"),
    Metric("cascade_ignition_usd", "gauge", "Sale that sets off a runaway cascade.", ("asset", "side", "scale"), "asset"),
    Metric("cascade_landing_ratio", "gauge", "Drop at which the cascade stops.", ("asset", "side", "scale"), "asset"),
    Metric("cascade_forced_usd", "gauge", "Extra forced selling from ignition to landing.", ("asset", "side", "scale"), "asset"),
    Metric("cascade_observed_ratio", "gauge", "Share of the absorption up to the landing that rests on known depth.", ("asset", "side"), "asset"),
    Metric("liquidation_exposure_usd", "gauge", "Estimated positions that would be liquidated within a distance.", ("asset", "position", "distance"), "asset"),
    Metric("liquidation_exposure_bin_usd", "gauge", "Estimated positions to be liquidated in one of 40 bins of 0.5%.", ("asset", "position", "distance"), "asset"),
    Metric("exposure_map_calibrated", "gauge", "1 while the exposure map beats the null map out of sample and drives the cascade; 0: it is indicative, the null map does.", ("asset",), "asset"),
    Metric("exposure_map_intervals", "gauge", "Intervals with liquidations the map was scored on, old ones fading.", ("asset",), "asset"),
    Metric("exposure_map_deviance_ratio", "gauge", "Out-of-sample deviance of the map over that of the null map; below 1 it is better.", ("asset",), "asset"),
    Metric("exposure_map_rank_correlation", "gauge", "Rank correlation of predicted and seen liquidations, -1 to 1.", ("asset",), "asset"),
    Metric("exposure_map_slope", "gauge", "Slope of seen on predicted liquidations; 0.5 to 2 is accepted.", ("asset",), "asset"),
    Metric("exposure_map_coverage_ratio", "gauge", "Share of the known open interest that the map holds.", ("asset",), "asset"),
    Metric("volatility_1h_ratio", "gauge", "Standard deviation of an hour's return.", ("asset",), "asset"),
    Metric("net_sold_5m_usd", "gauge", "Takers' sales less purchases of the last five minutes, all markets; negative: bought.", ("asset",), "asset"),
    Metric("liquidation_intensity", "gauge", "Liquidations a second, self-excitation included.", ("asset",), "asset"),
    Metric("liquidation_branching_ratio", "gauge", "Liquidations one liquidation sets off, from complete feeds only; never a reason for an alert by itself.", ("asset",), "asset"),
    # -- alerts
    Metric("alert_open", "gauge", "1 while an alert of this kind and severity is open.", ("asset", "kind", "severity"), "alert"),
    Metric("alerts_total", "counter", "Transitions of alerts.", ("asset", "kind", "transition"), "alert"),
    # -- feeds
    Metric("feed_messages_total", "counter", "Frames received.", ("venue", "channel"), "venue"),
    Metric("feed_bytes_total", "counter", "Bytes of frames received.", ("venue", "channel"), "venue"),
    Metric("feed_parse_errors_total", "counter", "Frames refused because they are not what their channel promises.", ("venue", "channel"), "venue"),
    Metric("feed_fallback_frames_total", "counter", "Frames the fast scanner handed to the plain parser.", ("venue", "channel"), "venue"),
    Metric("feed_connected", "gauge", "1 while the socket is connected; else 0.", ("venue", "connection"), "venue"),
    Metric("feed_reconnects_total", "counter", "Reconnects, by reason.", ("venue", "reason"), "venue"),
    Metric("feed_lag_seconds", "histogram", "Receive time less venue time, above the venue's rolling minimum.", ("venue",), "process"),
    Metric("feed_clock_offset_seconds", "gauge", "Rolling minimum of receive time less venue time: the clocks' offset plus the shortest way.", ("venue",), "venue"),
    Metric("rest_weight_used_ratio", "gauge", "Share of the venue's REST limit in use.", ("venue",), "venue"),
    Metric("fx_rate_usd", "gauge", "USD for one unit of a quote currency.", ("currency", "source"), "fx"),
    # -- this process
    Metric("processing_seconds", "histogram", "From frame received to state changed.", ("venue", "channel"), "process"),
    Metric("alert_latency_seconds", "histogram", "From frame received to the broker's acknowledgement of the alert it raised.", (), "process"),
    Metric("event_loop_lag_seconds", "histogram", "How late the event loop wakes a task whose time has come.", (), "process"),
    Metric("mqtt_connected", "gauge", "1 while connected to the broker, else 0; absent when MQTT is off.", (), "process"),
    Metric("outbox_alerts", "gauge", "Alert transitions that wait for the broker's acknowledgement.", (), "process"),
    Metric("outbox_oldest_timestamp_seconds", "gauge", "When the oldest of them was raised; absent while none waits.", (), "process"),
    Metric("mqtt_publish_failures_total", "counter", "Publishes the broker refused or did not acknowledge, by reason.", ("reason",), "process"),
    Metric("config_reload_success", "gauge", "1 when the last reload of the settings worked; else 0.", (), "process", RELOAD),
    Metric("config_reload_timestamp_seconds", "gauge", "When the settings were last loaded.", (), "process", RELOAD),
    Metric("jit_compilations_total", "counter", "Functions compiled while running; stays at its value once the service is ready.", (), "process"),
    Metric("series_dropped_total", "counter", "Series left out of scrapes because engine.max_series was reached, summed over scrapes.", (), "process"),
    Metric("build_info", "gauge", "1: the versions that run.", ("version", "python", "numba"), "process"),
)  # fmt: skip

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def exported(name: str) -> Metric:
    """The metric of this name (without prefix). Raises KeyError when the table does not hold it or it is not exported yet."""
    metric = BY_NAME[name]
    if not metric.exported:
        raise KeyError(f"{name} comes with {metric.arrives}")
    return metric


# The one extra label of the counters in MarketView.counters, with its values in order.
COUNTER_PARTS: Mapping[str, tuple[str, ...]] = {
    "liquidations_total": ("long", "short"),
    "liquidated_usd_total": ("long", "short"),
    "trades_total": ("buy", "sell"),
    "trade_volume_usd_total": ("buy", "sell"),
    "book_updates_total": (),
    "book_gaps_total": (),
    "book_crossed_total": (),
}
LIQUIDATION_COUNTERS = ("liquidations_total", "liquidated_usd_total")


def market_counter_keys(coverage: str) -> tuple[str, ...]:
    """Keys `MarketView.counters` holds for a market of a venue with this liquidation coverage, each from 0 on."""
    keys: list[str] = []
    for name, parts in COUNTER_PARTS.items():
        if coverage == "none" and name in LIQUIDATION_COUNTERS:
            continue
        keys += [f"{name}|{part}" for part in parts] or [name]
    return tuple(keys)

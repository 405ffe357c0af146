"""The table of metrics: the contract's names, types and labels, and nothing sloppy in it."""

from __future__ import annotations

import re

import pytest

from monitor.metrics.histogram import ALERT_LATENCY_BOUNDS, FEED_LAG_BOUNDS, LOOP_LAG_BOUNDS, PROCESSING_BOUNDS
from monitor.metrics.table import BY_NAME, COUNTER_PARTS, LABELS, METRICS, Metric, exported, market_counter_keys

# The contract, written down a second time: name -> (type, labels beside asset where the series is about a market).
CONTRACT = """
market_info gauge venue,market,quote,contract_type
depth_usd gauge venue,market,side,band
depth_base gauge venue,market,side,band
depth_basis gauge venue,market,side,band,basis
book_reach_ratio gauge venue,market,side
mid_price gauge venue,market
spread_ratio gauge venue,market
slippage_ratio gauge venue,market,side,notional_usd
book_verified gauge venue,market
book_last_update_timestamp_seconds gauge venue,market
book_updates_total counter venue,market
book_gaps_total counter venue,market
book_crossed_total counter venue,market
book_resyncs_total counter venue,market,reason
trades_total counter venue,market,side
trade_volume_usd_total counter venue,market,side
liquidations_total counter venue,market,position
liquidated_usd_total counter venue,market,position
liquidation_coverage gauge venue,market,coverage
open_interest_usd gauge venue,market
mark_price gauge venue,market
funding_rate_8h_ratio gauge venue,market
funding_interval_seconds gauge venue,market
fx_rate_usd gauge currency,source
asset_depth_usd gauge asset,side,band
asset_depth_baseline_ratio gauge asset,side,band,baseline
asset_coverage_ratio gauge asset,side,band
asset_liquidated_usd_total counter asset,position,estimate
cascade_gain gauge asset,side,scale
cascade_distance_ratio gauge asset,side,scale
cascade_ignition_usd gauge asset,side,scale
cascade_landing_ratio gauge asset,side,scale
cascade_forced_usd gauge asset,side,scale
cascade_observed_ratio gauge asset,side
liquidation_exposure_usd gauge asset,position,distance
liquidation_exposure_bin_usd gauge asset,position,distance
exposure_map_calibrated gauge asset
exposure_map_intervals gauge asset
exposure_map_deviance_ratio gauge asset
exposure_map_rank_correlation gauge asset
exposure_map_slope gauge asset
exposure_map_coverage_ratio gauge asset
volatility_1h_ratio gauge asset
net_sold_5m_usd gauge asset
liquidation_intensity gauge asset
liquidation_branching_ratio gauge asset
stress_score gauge asset
regime gauge asset,regime
detector_false_alarm_ratio gauge asset
alert_open gauge asset,kind,severity
alerts_total counter asset,kind,transition
feed_messages_total counter venue,channel
feed_bytes_total counter venue,channel
feed_parse_errors_total counter venue,channel
feed_fallback_frames_total counter venue,channel
feed_connected gauge venue,connection
feed_reconnects_total counter venue,reason
feed_silent gauge venue,market,channel
feed_lag_seconds histogram venue
feed_clock_offset_seconds gauge venue
rest_weight_used_ratio gauge venue
processing_seconds histogram venue,channel
alert_latency_seconds histogram
event_loop_lag_seconds histogram
mqtt_connected gauge
outbox_alerts gauge
outbox_oldest_timestamp_seconds gauge
mqtt_publish_failures_total counter reason
config_reload_success gauge
config_reload_timestamp_seconds gauge
jit_compilations_total counter
series_dropped_total counter
build_info gauge version,python,numba
"""


def test_the_table_is_the_contract() -> None:
    expected = {}
    for line in CONTRACT.strip().splitlines():
        name, kind, *labels = line.split()
        expected[name] = (kind, set(labels[0].split(",")) if labels else set())
    for name, (_, labels) in expected.items():
        if {"venue", "market"} <= labels:
            labels.add("asset")
        assert name in BY_NAME
    assert {m.name: (m.kind, set(m.labels)) for m in METRICS} == expected


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_row_is_sound(metric: Metric) -> None:
    assert re.fullmatch(r"undertow_[a-z][a-z0-9_]*", metric.full_name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert (metric.kind == "histogram") <= metric.name.endswith("_seconds")
    assert metric.help.endswith(".")
    assert '"' not in metric.help
    assert "\\" not in metric.help
    assert set(metric.labels) <= set(LABELS)
    assert len(set(metric.labels)) == len(metric.labels)
    if metric.source == "market":
        assert metric.labels[:3] == ("venue", "market", "asset")


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(METRICS)


def test_what_later_parts_bring_is_named_and_cannot_be_exported() -> None:
    coming = {metric.name for metric in METRICS if not metric.exported}
    assert coming == {
        name
        for name in BY_NAME
        if name.startswith("config_reload_") or name in {"stress_score", "detector_false_alarm_ratio"}
    }
    for name in coming:
        with pytest.raises(KeyError, match="comes with"):
            exported(name)
    with pytest.raises(KeyError):
        exported("something_else")


def test_counter_keys_follow_the_coverage() -> None:
    keys = market_counter_keys("sampled")
    assert "trades_total|buy" in keys
    assert "liquidated_usd_total|short" in keys
    assert "book_gaps_total" in keys
    none = market_counter_keys("none")
    assert set(keys) - set(none) == {
        f"{name}|{position}"
        for name in ("liquidations_total", "liquidated_usd_total")
        for position in ("long", "short")
    }
    for name, parts in COUNTER_PARTS.items():
        assert len(BY_NAME[name].labels) == (4 if parts else 3)


@pytest.mark.parametrize("bounds", [PROCESSING_BOUNDS, ALERT_LATENCY_BOUNDS, LOOP_LAG_BOUNDS, FEED_LAG_BOUNDS])
def test_histogram_bounds_ascend_and_are_few(bounds: tuple[int, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) <= 14

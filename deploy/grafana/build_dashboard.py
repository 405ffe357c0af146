"""The dashboard of deploy/compose.yaml, made from this file: `python deploy/grafana/build_dashboard.py`.

A test regenerates it, looks every metric up in the table of what is exported, and runs every query on a real Prometheus.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from panels import SOURCE, Json, Panel, Query, Row, build, colour_of, mapping, thresholds

TARGET = Path(__file__).parent / "dashboards" / "undertow.json"
ASSET = 'asset="$asset"'
RATE = "[$__rate_interval]"

SIDES = [colour_of("/bid|long|sell/", "green"), colour_of("/ask|short|buy/", "red")]
YES_NO = mapping({1: ("verified", "green"), 0: ("not verified", "red")})
REGIMES = {0: "normal", 1: "watch", 2: "stressed", 3: "cascade", 4: "recovery"}
REGIME_COLOURS = ("green", "yellow", "orange", "red", "blue")
USD, RATIO, SECONDS = "currencyUSD", "percentunit", "s"
BASIS_POINTS = "suffix: bp"


def quantile(q: float, metric: str, *by: str) -> str:
    labels = ", ".join(("le", *by))
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{RATE})))"


def depth_of_markets(side: str) -> str:
    selector = f'{{{ASSET}, band="$band", side="{side}"}}'
    return f"undertow_depth_usd{selector} * on (venue, market, asset, side, band) group_left (basis) undertow_depth_basis{selector}"


REGIME = " or ".join(f'{code} * undertow_regime{{{ASSET}, regime="{name}"}}' for code, name in REGIMES.items())

NOW = Row(
    "Now",
    (
        Panel(
            "Regime",
            (Query(f"sum by (asset) ({REGIME})", "{{asset}}"),),
            "none",
            "What the detector makes of the asset. Absent before the first verified book.",
            kind="state-timeline",
            width=12,
            height=5,
            defaults={
                "mappings": mapping(
                    {code: (name, colour) for (code, name), colour in zip(REGIMES.items(), REGIME_COLOURS, strict=True)}
                )
            },
        ),
        Panel(
            "Bids against usual",
            (Query(f'undertow_asset_depth_baseline_ratio{{{ASSET}, side="bid", band="$band"}}', "{{baseline}}"),),
            RATIO,
            "Bid depth now over its own history on the same venues and bases. acute: the last hours; chronic: the last weeks.",
            kind="stat",
            width=4,
            height=5,
            defaults={"decimals": 0, "thresholds": thresholds((None, "red"), (0.4, "orange"), (0.7, "green"))},
        ),
        Panel(
            "Books verified",
            (Query(f"avg by (asset) (undertow_book_verified{{{ASSET}}})", "{{asset}}"),),
            RATIO,
            "Share of this asset's books that are in unbroken sync. What is not verified counts nowhere.",
            kind="stat",
            width=4,
            height=5,
            defaults={"decimals": 0, "thresholds": thresholds((None, "red"), (0.5, "orange"), (1, "green"))},
        ),
        Panel(
            "Alerts open",
            (Query("sum(undertow_alert_open) or vector(0)", "open"),),
            "none",
            "Of every asset.",
            kind="stat",
            width=4,
            height=5,
            defaults={"decimals": 0, "thresholds": thresholds((None, "green"), (1, "orange"))},
        ),
        Panel(
            "Open alerts",
            (Query("undertow_alert_open == 1", instant=True),),
            "none",
            "Empty: nothing is open. The alerts themselves, with their evidence, are on MQTT and under /api/v1/alerts.",
            kind="table",
            width=12,
            height=6,
            transformations=(
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True},
                        "indexByName": {"severity": 0, "asset": 1, "kind": 2, "instance": 3},
                    },
                },
            ),
        ),
        Panel(
            "Alert transitions",
            (Query(f"sum by (kind, transition) (increase(undertow_alerts_total{RATE}))", "{{kind}} {{transition}}"),),
            "none",
            kind="timeseries",
            width=12,
            height=6,
            custom={"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}},
        ),
    ),
)

PRICE = Row(
    "Price and depth",
    (
        Panel(
            "Mid and mark price",
            (
                Query(f"undertow_mid_price{{{ASSET}}}", "{{venue}} {{market}} mid"),
                Query(f"undertow_mark_price{{{ASSET}}}", "{{venue}} {{market}} mark"),
            ),
            "none",
            "In the market's quote currency.",
            overrides=(
                {
                    "matcher": {"id": "byRegexp", "options": "/ mark$/"},
                    "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}}],
                },
            ),
        ),
        Panel(
            "Depth within $band, all venues",
            (Query(f'undertow_asset_depth_usd{{{ASSET}, band="$band"}}', "{{side}}"),),
            USD,
            "Sum over the venues whose figure is known. Read it with the coverage beside it.",
            overrides=SIDES,
        ),
        Panel(
            "Depth within $band against usual",
            (
                Query(f'undertow_asset_depth_baseline_ratio{{{ASSET}, band="$band"}}', "{{side}} {{baseline}}"),
                Query(f'undertow_asset_coverage_ratio{{{ASSET}, band="$band"}}', "{{side}} coverage"),
            ),
            RATIO,
            "1 is usual. coverage: the share of the usual depth that is known now; a ratio with little coverage says little.",
            overrides=(
                {
                    "matcher": {"id": "byRegexp", "options": "/coverage/"},
                    "properties": [{"id": "custom.lineStyle", "value": {"fill": "dot", "dash": [2, 4]}}],
                },
            ),
        ),
        *(
            Panel(
                f"{name} within $band by market",
                (Query(depth_of_markets(side), "{{venue}} {{market}} ({{basis}})"),),
                USD,
                "live: inside the verified reach. snapshot: the outer part comes from a full snapshot. floor: a lower bound, from "
                "changes seen. Absent where nothing vouches for the whole band.",
                width=12,
            )
            for name, side in (("Bids", "bid"), ("Asks", "ask"))
        ),
        Panel(
            "Verified reach",
            (Query(f"undertow_book_reach_ratio{{{ASSET}}}", "{{venue}} {{market}} {{side}}"),),
            RATIO,
            "How far from mid each book is verified.",
        ),
        Panel(
            "Spread",
            (Query(f"1e4 * undertow_spread_ratio{{{ASSET}}}", "{{venue}} {{market}}"),),
            BASIS_POINTS,
        ),
        Panel(
            "Cost of selling $notional USD",
            (
                Query(
                    f'1e4 * undertow_slippage_ratio{{{ASSET}, side="sell", notional_usd="$notional"}}',
                    "{{venue}} {{market}}",
                ),
            ),
            BASIS_POINTS,
            "What a market order of this size would lose against mid. Absent where the known book cannot fill it.",
        ),
    ),
)

LIQUIDATIONS = Row(
    "Liquidations and positions",
    (
        Panel(
            "Liquidated a second",
            (
                Query(
                    f"sum by (position, coverage) (rate(undertow_liquidated_usd_total{{{ASSET}}}{RATE})"
                    f" * on (venue, market, asset) group_left (coverage) undertow_liquidation_coverage{{{ASSET}}})",
                    "{{position}} ({{coverage}})",
                ),
            ),
            USD,
            "The position that was closed. sampled: the venue publishes a part (at most one a second), so the truth is higher.",
            width=12,
            overrides=SIDES,
            custom={"fillOpacity": 20},
        ),
        Panel(
            "Liquidated in the last hour, all venues",
            (
                Query(
                    f'increase(undertow_asset_liquidated_usd_total{{{ASSET}, estimate="observed"}}[1h])', "{{position}}"
                ),
            ),
            USD,
            "As far as the venues publish it.",
            width=12,
            overrides=SIDES,
        ),
        Panel(
            "Open interest", (Query(f"undertow_open_interest_usd{{{ASSET}}}", "{{venue}} {{market}}"),), USD, "One side counted."
        ),
        Panel(
            "Funding, scaled to 8 hours",
            (Query(f"1e4 * undertow_funding_rate_8h_ratio{{{ASSET}}}", "{{venue}} {{market}}"),),
            BASIS_POINTS,
            "Positive: longs pay.",
        ),
        Panel(
            "Taker volume a second",
            (Query(f"sum by (side) (rate(undertow_trade_volume_usd_total{{{ASSET}}}{RATE}))", "{{side}}"),),
            USD,
            overrides=[colour_of("/buy/", "green"), colour_of("/sell/", "red")],
        ),
    ),
)  # fmt: skip

SCALE_LINES = tuple(
    {
        "matcher": {"id": "byRegexp", "options": f"/\\b{scale}$/"},
        "properties": [
            {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}},
            {"id": "custom.lineStyle", "value": style},
            {"id": "custom.lineWidth", "value": width},
        ],
    }
    for scale, colour, style, width in (
        ("low", "blue", {"fill": "dash", "dash": [8, 6]}, 1),
        ("base", "text", {"fill": "solid"}, 2),
        ("high", "orange", {"fill": "dot", "dash": [2, 5]}, 1),
    )
)
BESIDE = {  # what the figures of a panel are compared with
    "matcher": {"id": "byRegexp", "options": "/^(an hour|net sold)/"},
    "properties": [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "purple"}},
        {"id": "custom.fillOpacity", "value": 12},
    ],
}
CALIBRATED = mapping({1: ("calibrated", "green"), 0: ("indicative", "orange")})
LIMITS: dict[str, Any] = {"thresholdsStyle": {"mode": "dashed"}}


def exposure_rows(position: str, sign: str) -> Query:
    """A series a bin, named by its far edge in percent of the price; what is below the price is negative."""
    bins = f'undertow_liquidation_exposure_bin_usd{{{ASSET}, position="{position}"}}'
    return Query(f'sum by (row) (label_replace({bins}, "row", "{sign}$1", "distance", "(.+)%"))', "{{row}}")


def cascade(metric: str, side: str) -> Query:
    """Finite figures only: +Inf says that there is no cascade in range, and would break the axis."""
    return Query(f'undertow_cascade_{metric}{{{ASSET}, side="{side}"}} < Inf', "{{scale}}")


MODEL = Row(
    "Liquidation model",
    (
        Panel(
            "Where positions would be liquidated",
            (exposure_rows("long", "-"), exposure_rows("short", "")),
            USD,
            "USD in bands of 0.5% by their distance from the price of each moment, in percent: longs below zero, shorts above. Estimated from "
            "open interest, trades and leverage habits; how far it can be believed is told beside it.",
            kind="heatmap",
            width=24,
            height=11,
            options={
                "cellValues": {"unit": USD},
                "yAxis": {"axisPlacement": "left", "axisLabel": "% from the price", "reverse": False},
            },
        ),
        Panel(
            "Exposure map",
            (Query(f"undertow_exposure_map_calibrated{{{ASSET}}}", "{{asset}}"),),
            "none",
            "calibrated: out of sample it beats open interest spread evenly, and drives the cascade. indicative: that even spread drives it.",
            kind="stat",
            width=4,
            defaults={"mappings": CALIBRATED},
        ),
        Panel(
            "Intervals scored",
            (Query(f"undertow_exposure_map_intervals{{{ASSET}}}", "{{asset}}"),),
            "none",
            "Intervals with liquidations the map was scored on; old ones fade.",
            kind="stat",
            width=4,
            defaults={"decimals": 0},
        ),
        Panel(
            "Marks of the map",
            (
                Query(f"undertow_exposure_map_deviance_ratio{{{ASSET}}}", "deviance over null map"),
                Query(f"undertow_exposure_map_slope{{{ASSET}}}", "slope"),
                Query(f"undertow_exposure_map_rank_correlation{{{ASSET}}}", "rank correlation"),
                Query(f"undertow_exposure_map_coverage_ratio{{{ASSET}}}", "share of open interest"),
            ),
            "none",
            "Out of sample. Deviance below 1 beats the null map (dashed). The slope of seen on predicted is accepted from 0.5 to 2. "
            "Absent while too little was scored.",
            defaults={"thresholds": thresholds((None, "transparent"), (1, "orange")), "min": 0},
            custom=LIMITS,
        ),
        Panel(
            "Depth seen on the way",
            (Query(f"undertow_cascade_observed_ratio{{{ASSET}}}", "{{side}}"),),
            RATIO,
            "Share of the absorption up to the landing that rests on known depth. Below one half (dashed) the figures are indicative and raise no "
            "alert.",
            defaults={"thresholds": thresholds((None, "transparent"), (0.5, "orange")), "min": 0, "max": 1},
            custom=LIMITS,
            overrides=[colour_of("/down/", "red"), colour_of("/up/", "green")],
        ),
        Panel(
            "Drop at which a cascade runs away",
            (
                cascade("distance_ratio", "down"),
                Query(f"undertow_volatility_1h_ratio{{{ASSET}}}", "an hour's standard deviation"),
            ),
            RATIO,
            "From there on forced selling feeds itself, with half the exposure map (low), the whole (base) and twice of it (high). No line: none "
            "in range, or not known. A line inside the shaded standard deviation of an hour is within an ordinary hour's reach.",
            overrides=(*SCALE_LINES, BESIDE),
        ),
        Panel(
            "Sale that sets a cascade off",
            (
                cascade("ignition_usd", "down"),
                Query(f"undertow_net_sold_5m_usd{{{ASSET}}} > 0", "net sold in 5 min"),
            ),
            USD,
            "Beside what takers sold, net, in the last five minutes. No line: none in range, or not known.",
            overrides=(*SCALE_LINES, BESIDE),
        ),
        Panel(
            "Forced selling from ignition to landing",
            (cascade("forced_usd", "down"),),
            USD,
            "On top of the sale that sets it off. Where nothing in range stops it, what is forced down to the end of the range.",
            overrides=SCALE_LINES,
        ),
        Panel(
            "Gain at the price",
            (
                Query(f'undertow_cascade_gain{{{ASSET}, side="down"}}', "down {{scale}}"),
                Query(f'undertow_cascade_gain{{{ASSET}, side="up"}}', "up {{scale}}"),
            ),
            "none",
            "Forced units that one more unit sets off. From 1 on (dashed) it sustains itself.",
            width=12,
            defaults={"thresholds": thresholds((None, "transparent"), (1, "red")), "min": 0},
            custom=LIMITS,
        ),
        Panel(
            "Liquidated a second, by estimate",
            (
                Query(
                    f"sum by (position, estimate) (rate(undertow_asset_liquidated_usd_total{{{ASSET}}}{RATE}))",
                    "{{position}} {{estimate}}",
                ),
            ),
            USD,
            "observed: as the venues publish it. low, base, high: with what venues that publish a sample leave out, estimated.",
            width=12,
        ),
    ),
)

FEEDS = Row(
    "Feeds",
    (
        Panel(
            "Books",
            (Query("min by (venue, market) (undertow_book_verified)", "{{venue}} {{market}}"),),
            "none",
            kind="state-timeline",
            width=12,
            height=10,
            defaults={"mappings": YES_NO},
        ),
        Panel(
            "Time since the last book update",
            (Query("time() - undertow_book_last_update_timestamp_seconds", "{{venue}} {{market}}"),),
            SECONDS,
            width=12,
            height=10,
        ),
        Panel(
            "Gaps and resyncs",
            (
                Query(f"sum by (venue) (increase(undertow_book_gaps_total{RATE}))", "{{venue}} gap"),
                Query(f"sum by (venue, reason) (increase(undertow_book_resyncs_total{RATE}))", "{{venue}} resync: {{reason}}"),
                Query(f"sum by (venue) (increase(undertow_book_crossed_total{RATE}))", "{{venue}} crossed"),
            ),
            "none",
            custom={"drawStyle": "bars", "fillOpacity": 60},
        ),
        Panel(
            "Lag, 99th percentile",
            (Query(quantile(0.99, "undertow_feed_lag_seconds", "venue"), "{{venue}}"),),
            SECONDS,
            "Receive time less venue time, above the venue's rolling minimum. Beyond 5 s the books are unreadable.",
        ),
        Panel(
            "Silent channels",
            (Query("sum by (venue, channel) (undertow_feed_silent)", "{{venue}} {{channel}}"),),
            "none",
            "Subscribed, acknowledged, and longer without a word than is normal for the channel.",
        ),
        Panel(
            "Sockets and reconnects",
            (
                Query("sum by (venue) (undertow_feed_connected)", "{{venue}} connected"),
                Query(f"sum by (venue, reason) (increase(undertow_feed_reconnects_total{RATE}))", "{{venue}} reconnect: {{reason}}"),
            ),
            "none",
        ),
        Panel(
            "Frames a second",
            (Query(f"sum by (venue, channel) (rate(undertow_feed_messages_total{RATE}))", "{{venue}} {{channel}}"),),
            "none",
        ),
        Panel(
            "Frames refused, and read the slow way",
            (
                Query(f"sum by (venue, channel) (increase(undertow_feed_parse_errors_total{RATE}))", "{{venue}} {{channel}} refused"),
                Query(f"sum by (venue, channel) (increase(undertow_feed_fallback_frames_total{RATE}))", "{{venue}} {{channel}} slow"),
            ),
            "none",
        ),
        Panel(
            "Clock offset",
            (Query("undertow_feed_clock_offset_seconds", "{{venue}}"),),
            SECONDS,
            "Rolling minimum of receive time less venue time: the clocks' difference plus the shortest way.",
        ),
        Panel(
            "REST limit in use",
            (Query("undertow_rest_weight_used_ratio", "{{venue}}"),),
            RATIO,
        ),
        Panel(
            "Bytes a second",
            (Query(f"sum by (venue) (rate(undertow_feed_bytes_total{RATE}))", "{{venue}}"),),
            "Bps",
        ),
    ),
)  # fmt: skip

SERVICE = Row(
    "Service",
    (
        Panel(
            "Frame to state",
            (
                Query(quantile(0.5, "undertow_processing_seconds", "channel"), "{{channel}} median"),
                Query(quantile(0.99, "undertow_processing_seconds", "channel"), "{{channel}} 99%"),
            ),
            SECONDS,
        ),
        Panel(
            "Event loop lag",
            (
                Query(quantile(0.5, "undertow_event_loop_lag_seconds"), "median"),
                Query(quantile(0.99, "undertow_event_loop_lag_seconds"), "99%"),
            ),
            SECONDS,
        ),
        Panel(
            "Frame to acknowledged alert",
            (Query(quantile(0.99, "undertow_alert_latency_seconds"), "99%"),),
            SECONDS,
            "Only where alerts were published in the interval.",
        ),
        Panel(
            "Outbox",
            (
                Query("undertow_outbox_alerts", "waiting"),
                Query("undertow_mqtt_connected", "connected"),
                Query(f"sum by (reason) (increase(undertow_mqtt_publish_failures_total{RATE}))", "failed: {{reason}}"),
            ),
            "none",
            "Alert transitions that wait for the broker's acknowledgement.",
        ),
        Panel(
            "Oldest undelivered alert",
            (Query("(time() - undertow_outbox_oldest_timestamp_seconds) or 0 * undertow_outbox_alerts", "age"),),
            SECONDS,
        ),
        Panel(
            "Must stay at zero",
            (
                Query("increase(undertow_jit_compilations_total[1h])", "compiled while running, 1 h"),
                Query("increase(undertow_series_dropped_total[1h])", "series dropped, 1 h"),
            ),
            "none",
        ),
        Panel(
            "Scrape",
            (Query('scrape_duration_seconds{job="undertow"}', "{{instance}}"),),
            SECONDS,
            width=8,
            height=6,
        ),
        Panel(
            "Series",
            (Query('scrape_samples_scraped{job="undertow"}', "{{instance}}"),),
            "none",
            width=8,
            height=6,
        ),
        Panel(
            "Versions",
            (Query("undertow_build_info", instant=True),),
            "none",
            kind="table",
            width=8,
            height=6,
            transformations=(
                {
                    "id": "organize",
                    "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True}},
                },
            ),
        ),
    ),
)


def _variable(name: str, label: str, query: str, current: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 3,
        "multi": False,
        "includeAll": False,
        "current": {"text": current, "value": current},
        "options": [],
    }


def dashboard() -> Json:
    variables: list[Any] = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}, "options": []},
        _variable("asset", "Asset", "label_values(undertow_book_verified, asset)", "BTC"),
        _variable("band", "Band", 'label_values(undertow_asset_depth_usd{asset="$asset"}, band)', "1%"),
        _variable("notional", "Order, USD", 'label_values(undertow_slippage_ratio{asset="$asset"}, notional_usd)', "1000000"),
    ]  # fmt: skip
    return {
        "uid": "undertow",
        "title": "Undertow",
        "description": "Verified depth, liquidations, the liquidation model and alerts. Made by deploy/grafana/build_dashboard.py; changes belong there.",
        "tags": ["undertow"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "fiscalYearStartMonth": 0,
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": variables},
        "panels": build((NOW, PRICE, LIQUIDATIONS, MODEL, FEEDS, SERVICE)),
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")

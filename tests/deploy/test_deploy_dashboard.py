"""The dashboard: regenerated and compared, its structure, its metrics, and every query on a real Prometheus."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build_dashboard
import pytest
from web_site import Prometheus

from monitor.metrics.cascade import bin_name
from monitor.metrics.table import METRICS

Panel = dict[str, Any]

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards" / "undertow.json"
DASHBOARD = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[Panel] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
UNITS = {"none", "s", "Bps", "currencyUSD", "percentunit", "suffix: bp"}
VARIABLES = {"$asset": "BTC", "$band": "1%", "$notional": "1000000", "$__rate_interval": "20s"}


def queries() -> Iterator[tuple[Panel, dict[str, Any]]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel, target


def test_the_file_is_what_the_builder_makes() -> None:
    made = "python deploy/grafana/build_dashboard.py"
    assert FILE.read_text(encoding="utf-8") == build_dashboard.text(), f"out of date: {made}"


def test_ids_and_places() -> None:
    everything = DASHBOARD["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in everything]
    assert len(set(titles)) == len(titles)
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        assert place["h"] > 0
    for one, other in itertools.combinations([panel["gridPos"] for panel in everything], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_a_file_that_grafana_provisions() -> None:
    assert DASHBOARD["uid"] == "undertow"
    assert "id" not in DASHBOARD
    assert "__inputs" not in DASHBOARD
    assert DASHBOARD["schemaVersion"] == 41
    known = {f"${variable['name']}" for variable in DASHBOARD["templating"]["list"]}
    assert known == {"$datasource", "$asset", "$band", "$notional"}
    for panel, target in queries():
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"] == target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        used = set(re.findall(r"\$[A-Za-z_]+", target["expr"] + panel["title"]))
        assert used <= known | {"$__rate_interval"}
        assert len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])


def test_every_metric_is_exported_and_every_label_is_its_own() -> None:
    exported = {metric.full_name: metric for metric in METRICS if metric.exported}
    seen = set()
    for _, target in queries():
        for name, selector in re.findall(r"\b(undertow_[a-z0-9_]+)(\{[^}]*\})?", target["expr"]):
            metric = exported[re.sub("_(bucket|sum|count)$", "", name)]
            seen.add(metric.name)
            labels = {*metric.labels, "le"}
            assert set(re.findall(r"(\w+)=~?\"", selector)) <= labels, target["expr"]
    # What the first dashboard must show.
    assert {
        "mid_price", "asset_depth_usd", "asset_depth_baseline_ratio", "asset_coverage_ratio", "depth_usd", "depth_basis",
        "spread_ratio", "slippage_ratio", "liquidated_usd_total", "liquidation_coverage", "regime", "alert_open",
        "open_interest_usd", "funding_rate_8h_ratio", "book_verified", "book_gaps_total", "book_resyncs_total",
        "feed_lag_seconds", "feed_silent", "processing_seconds", "event_loop_lag_seconds", "alert_latency_seconds",
        "outbox_alerts", "mqtt_connected", "jit_compilations_total",
        "liquidation_exposure_bin_usd", "cascade_distance_ratio", "cascade_ignition_usd", "cascade_forced_usd", "cascade_gain",
        "cascade_observed_ratio", "volatility_1h_ratio", "net_sold_5m_usd", "exposure_map_calibrated", "exposure_map_intervals",
        "exposure_map_deviance_ratio", "exposure_map_slope", "asset_liquidated_usd_total",
    } <= seen  # fmt: skip


async def test_on_a_real_prometheus(deployed_prometheus: Prometheus) -> None:
    """One Prometheus for all of it: its first scrape takes 5 s to come."""
    await every_query_finds_something(deployed_prometheus)
    await the_recording_rules_run(deployed_prometheus)
    # A query that is wrong, or names what is not there, would have been found.
    with pytest.raises(AssertionError):
        await deployed_prometheus.query("sum by (venue) (undertow_depth_usd")
    assert not await deployed_prometheus.query("undertow_depth_eur")


async def every_query_finds_something(deployed_prometheus: Prometheus) -> None:
    empty = []
    for panel, target in queries():
        expression = target["expr"]
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        if target["instant"]:
            found = await deployed_prometheus.get("/api/v1/query", query=expression)
        else:
            now = time.time()
            span = {"start": f"{now - 5:.3f}", "end": f"{now:.3f}", "step": "1"}
            found = await deployed_prometheus.get("/api/v1/query_range", query=expression, **span)
        if not found["result"]:
            empty.append(f"{panel['title']}: {expression}")
        for series in found["result"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert label in series["metric"], f"{panel['title']}: {label} is not on {series['metric']}"
    assert not empty
    for variable in DASHBOARD["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]
        values = await deployed_prometheus.query(f"count by ({label}) ({metric.replace('$asset', 'BTC')})")
        assert variable["current"]["value"] in {dict(labels)[label] for labels in values}


def test_the_rows_of_the_heat_map_are_named_by_numbers() -> None:
    """Grafana sorts rows by their names only where every one of them is a number."""
    [panel] = [panel for panel in PANELS if panel["type"] == "heatmap"]
    assert [target["legendFormat"] for target in panel["targets"]] == ["{{row}}", "{{row}}"]
    below, above = (
        re.findall(r'label_replace\(.*, "row", "(.*)", "distance", "(.*)"\)', t["expr"]) for t in panel["targets"]
    )
    named = [
        float(re.sub(pattern, replaced.replace("$", "\\"), bin_name(0.005, number)))
        for [(replaced, pattern)] in (below, above)
        for number in range(40)
    ]
    assert sorted(named) == pytest.approx([n / 2 for n in range(-40, 41) if n])


async def the_recording_rules_run(deployed_prometheus: Prometheus) -> None:
    verified = await deployed_prometheus.until("asset:undertow_book_verified:ratio", bool)
    assert verified[frozenset({("asset", "ETH")})] == 1.0
    for name in (
        "asset_side_band:undertow_asset_depth_usd:avg5m",
        "asset_position:undertow_liquidated_usd:rate1m",
        "venue:undertow_feed_lag_seconds:p99_5m",
        "venue_channel:undertow_processing_seconds:p99_5m",
    ):
        await deployed_prometheus.until(f"count({name})", bool)
    failing = await deployed_prometheus.get("/api/v1/rules")
    assert [rule["lastError"] for group in failing["groups"] for rule in group["rules"] if rule.get("lastError")] == []

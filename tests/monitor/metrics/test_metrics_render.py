"""A scrape: right numbers under right labels in both formats, absent where unknown, bounded, and nothing outside the table."""

from __future__ import annotations

import math
import re
import shutil
import statistics
import subprocess
import time
from dataclasses import replace

import fake_views as fake
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.metrics.process import ProcessMetrics
from monitor.metrics.render import Renderer
from monitor.metrics.table import BY_NAME, METRICS, PREFIX
from monitor.metrics.text import Format, accepted_format, number
from monitor.views import ServiceView

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def full_process() -> ProcessMetrics:
    process = ProcessMetrics()
    process.processing.labels("binance_usdm", "book").observe(42_000)
    process.feed_lag.labels("binance_usdm").observe(3_000_000)
    process.alert_latency.observe(9_000_000)
    process.mqtt_connected = True
    process.mqtt_publish_failures["not_authorized"] += 2
    process.outbox_alerts = 3
    process.outbox_oldest = fake.NOW
    return process


def scrape(view: ServiceView, form: Format = Format.TEXT, renderer: Renderer | None = None) -> str:
    return (renderer or Renderer(ProcessMetrics())).render(view, form).decode()


def samples(text: str, form: Format = Format.TEXT) -> Samples:
    families = (parse_text if form is Format.TEXT else parse_openmetrics)(text)
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"written twice: {key}"
            found[key] = sample.value
    return found


def names(text: str) -> set[str]:
    return {re.split(r"[ {]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((PREFIX + name, frozenset(labels.items())))


BTC = {"venue": "binance_usdm", "market": "BTCUSDT", "asset": "BTC"}
LOST = {"venue": "bybit_linear", "market": "BTCUSDT", "asset": "BTC"}


@pytest.mark.parametrize("form", Format)
def test_figures_of_a_market(form: Format) -> None:
    view = fake.service()
    found = samples(scrape(view, form), form)
    btc = view.markets[0]
    assert value(found, "book_verified", **BTC) == 1
    assert value(found, "mid_price", **BTC) == btc.mid_price
    assert value(found, "spread_ratio", **BTC) == btc.spread_ratio
    assert value(found, "book_last_update_timestamp_seconds", **BTC) == pytest.approx(1_700_000_000.073, abs=1e-3)
    assert value(found, "open_interest_usd", **BTC) == btc.open_interest_usd
    assert value(found, "mark_price", **BTC) == btc.mark_price
    assert value(found, "funding_rate_8h_ratio", **BTC) == btc.funding_rate_8h_ratio
    assert value(found, "funding_interval_seconds", **BTC) == 28_800
    assert value(found, "market_info", **BTC, quote="USDT", contract_type="linear") == 1
    assert value(found, "liquidation_coverage", **BTC, coverage="sampled") == 1
    assert value(found, "feed_silent", **BTC, channel="book") == 0
    assert value(found, "book_resyncs_total", **BTC, reason="start") == 1
    for side in ("bid", "ask"):
        assert value(found, "book_reach_ratio", **BTC, side=side) == btc.reach_ratio[side]
    for d in btc.depth:
        where = {**BTC, "side": d.side, "band": d.band}
        assert value(found, "depth_usd", **where) == d.usd
        assert value(found, "depth_base", **where) == d.base
        assert value(found, "depth_basis", **where, basis=d.basis) == 1
    assert sum(name == "undertow_depth_basis" and BTC.items() <= dict(labels).items() for name, labels in found) == 14
    for (side, notional), ratio in btc.slippage_ratio.items():
        assert value(found, "slippage_ratio", **BTC, side=side, notional_usd=str(notional)) == ratio
    for key, count in btc.counters.items():
        name, _, part = key.partition("|")
        label = dict(zip(BY_NAME[name].labels[3:], [part], strict=False))
        assert value(found, name, **BTC, **label) == count


@pytest.mark.parametrize("form", Format)
def test_figures_of_assets_alerts_feeds_and_process(form: Format) -> None:
    renderer = Renderer(full_process())
    found = samples(scrape(fake.service(), form, renderer), form)
    bid = {"asset": "BTC", "side": "bid", "band": "1%"}
    assert value(found, "asset_depth_usd", **bid) == 20_400_000
    assert value(found, "asset_depth_baseline_ratio", **bid, baseline="acute") == 0.62
    assert value(found, "asset_depth_baseline_ratio", **{**bid, "band": "10%"}, baseline="chronic") is None
    assert value(found, "asset_coverage_ratio", **bid) == 0.97
    assert value(found, "asset_liquidated_usd_total", asset="BTC", position="long", estimate="observed") == 12_000_000
    assert value(found, "asset_liquidated_usd_total", asset="BTC", position="short", estimate="observed") == 0
    assert value(found, "regime", asset="BTC", regime="watch") == 1
    assert value(found, "regime", asset="BTC", regime="cascade") == 0
    assert value(found, "alert_open", asset="BTC", kind="depth_drought", severity="warning") == 1
    assert value(found, "alerts_total", asset="BTC", kind="liquidation_burst", transition="opened") == 1
    assert value(found, "alerts_total", asset="BTC", kind="liquidation_burst", transition="closed") == 0
    assert value(found, "feed_messages_total", venue="okx_swap", channel="trades") == 1000
    assert value(found, "feed_parse_errors_total", venue="okx_swap", channel="liquidations") == 0
    assert value(found, "feed_connected", venue="okx_swap", connection="1") == 1
    assert value(found, "feed_reconnects_total", venue="okx_swap", reason="network") == 1
    assert value(found, "feed_clock_offset_seconds", venue="okx_swap") == 0.012
    assert value(found, "rest_weight_used_ratio", venue="okx_swap") == 0.11
    assert value(found, "fx_rate_usd", currency="USDT", source="assumed") == 1
    bucket = {"venue": "binance_usdm", "channel": "book"}
    assert value(found, "processing_seconds_bucket", **bucket, le="2e-05") == 0
    assert value(found, "processing_seconds_bucket", **bucket, le="5e-05") == 1
    assert value(found, "processing_seconds_bucket", **bucket, le="+Inf") == 1
    assert value(found, "processing_seconds_sum", **bucket) == pytest.approx(42e-6)
    assert value(found, "alert_latency_seconds_count") == 1
    assert value(found, "mqtt_connected") == 1
    assert value(found, "mqtt_publish_failures_total", reason="not_authorized") == 2
    assert value(found, "outbox_alerts") == 3
    assert value(found, "outbox_oldest_timestamp_seconds") == pytest.approx(fake.NOW / 1e9)
    assert value(found, "series_dropped_total") == 0
    assert not any(name.endswith("_created") for name, _ in found)


def test_everything_exported_is_in_the_table_and_all_of_the_table_is_exported() -> None:
    process = full_process()
    counter = process.count_compilations()
    try:
        text = scrape(fake.service(), renderer=Renderer(process))
    finally:
        counter.close()
    exported = {re.sub(r"_(bucket|count|sum)$", "", name) if name not in base_names() else name for name in names(text)}
    assert exported == {metric.full_name for metric in METRICS if metric.exported}
    for name in names(text):
        assert re.fullmatch(r"undertow_[a-z][a-z0-9_]*", name)


def base_names() -> set[str]:
    return {metric.full_name for metric in METRICS}


def test_labels_are_those_of_the_table() -> None:
    text = scrape(fake.service(), renderer=Renderer(full_process()))
    kinds = {}
    for family in parse_text(text):
        for sample in family.samples:
            name = re.sub(r"_(bucket|count|sum)$", "", sample.name) if family.type == "histogram" else sample.name
            metric = BY_NAME[name.removeprefix(PREFIX)]
            assert set(sample.labels) - {"le"} == set(metric.labels)
            kinds[metric.name] = family.type
    assert all(BY_NAME[name].kind == kind for name, kind in kinds.items())


def test_alert_counters_begin_at_zero() -> None:
    found = samples(scrape(fake.service(alerts=(), alert_totals={})))
    assert value(found, "alerts_total", asset="ETH", kind="depth_drought", transition="opened") == 0
    assert value(found, "alerts_total", asset="MARKET", kind="feed_fault", transition="closed") == 0
    assert value(found, "alerts_total", asset="ETH", kind="feed_fault", transition="opened") is None
    assert value(found, "alerts_total", asset="ETH", kind="cascade_risk", transition="opened") == 0
    assert value(found, "alerts_total", asset="ETH", kind="market_stress", transition="opened") is None


def test_what_comes_twice_is_written_once() -> None:
    twice = fake.venue("okx_swap")
    view = fake.service(venues=(twice, twice), alerts=(fake.alert(subject="long"), fake.alert(subject="short")))
    found = samples(scrape(view))
    assert value(found, "feed_connected", venue="okx_swap", connection="0") == 1
    assert value(found, "alert_open", asset="BTC", kind="liquidation_burst", severity="critical") == 1


def test_unknown_is_absent() -> None:
    found = samples(scrape(fake.service()))
    there = {name for name, labels in found if LOST.items() <= dict(labels).items()}
    known = {"book_verified", "liquidation_coverage", "market_info", "feed_silent", "book_resyncs_total"} | {
        name for name in BY_NAME if name in {key.split("|")[0] for key in fake.market().counters}
    }
    assert there == {PREFIX + name for name in known}
    assert value(found, "book_verified", **LOST) == 0
    off = samples(scrape(ServiceView(at=1)))
    assert {name for name, _ in off} >= {"undertow_build_info", "undertow_series_dropped_total"}
    assert not {"undertow_mqtt_connected", "undertow_outbox_alerts", "undertow_regime"} & {name for name, _ in off}


def test_a_venue_without_liquidations_has_no_liquidation_counters() -> None:
    view = fake.service(markets=(fake.market("kucoin_futures", "XBTUSDTM", liquidation_coverage="none"),))
    text = scrape(view)
    assert (
        'undertow_liquidation_coverage{venue="kucoin_futures",market="XBTUSDTM",asset="BTC",coverage="none"} 1' in text
    )
    assert "undertow_liquidations_total" not in text
    assert "undertow_liquidated_usd_total" not in text


def test_series_go_with_the_market_and_with_the_figure() -> None:
    renderer = Renderer(ProcessMetrics())
    view = fake.service()
    assert "BTC-USDT-SWAP" in scrape(view, renderer=renderer)
    cached = renderer.cached_prefixes
    gone = replace(view, markets=view.markets[:1])
    assert "BTC-USDT-SWAP" not in scrape(gone, renderer=renderer)
    assert renderer.cached_prefixes < cached / 2
    blind = replace(view, markets=(replace(view.markets[0], mid_price=None, depth=view.markets[0].depth[:3]),))
    found = samples(scrape(blind, renderer=renderer))
    assert value(found, "mid_price", **BTC) is None
    assert value(found, "depth_usd", **BTC, side="bid", band="0.5%") is not None
    assert value(found, "depth_usd", **BTC, side="bid", band="1%") is None
    assert value(found, "depth_basis", **BTC, side="bid", band="1%", basis="snapshot") is None


def test_the_prefix_cache_is_bounded_for_one_market() -> None:
    renderer = Renderer(ProcessMetrics())
    most = 0
    for i in range(60):
        market = fake.market(resyncs={f"reason{i}_{j}": 1 for j in range(50)})
        scrape(fake.service(markets=(market,)), renderer=renderer)
        most = max(most, renderer.cached_prefixes)
    assert most < 1_200


def test_a_market_listed_twice_is_written_once() -> None:
    market = fake.market()
    found = samples(scrape(fake.service(markets=(market, market))))
    assert value(found, "book_verified", **BTC) == 1


def test_the_cap_cuts_the_end_of_the_market_block_and_counts() -> None:
    process = ProcessMetrics()
    whole = samples(scrape(fake.crowd(20)))
    capped = Renderer(process, max_series=900)
    found = samples(scrape(fake.crowd(20), renderer=capped))
    assert len(found) == 900
    assert found.keys() <= whole.keys()
    assert value(found, "series_dropped_total") == len(whole) - 900
    assert sum(name == "undertow_book_verified" for name, _ in found) == 20
    assert not any(name == "undertow_depth_base" for name, _ in found)
    assert value(found, "regime", asset="BTC", regime="watch") == 1
    again = samples(scrape(fake.crowd(20), renderer=capped))
    assert value(again, "series_dropped_total") == 2 * (len(whole) - 900)


LABEL_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(name=LABEL_TEXT, reason=LABEL_TEXT, form=st.sampled_from(Format))
def test_any_text_survives_as_a_label(name: str, reason: str, form: Format) -> None:
    market = fake.market("v", name, "A", resyncs={reason: 7})
    found = samples(scrape(fake.service(markets=(market,)), form), form)
    assert value(found, "book_resyncs_total", venue="v", market=name, asset="A", reason=reason) == 7


@given(figure=st.floats(), form=st.sampled_from(Format))
def test_any_float_survives_as_a_value(figure: float, form: Format) -> None:
    found = samples(scrape(fake.service(markets=(fake.market(mid_price=figure),)), form), form)
    got = value(found, "mid_price", **BTC)
    assert got is not None
    assert got == figure or (math.isnan(got) and math.isnan(figure))


def test_numbers_as_the_formats_want_them() -> None:
    written = [number(x) for x in (math.inf, -math.inf, math.nan, 5, 0.1, 1e-9, 1e300, True)]
    assert written == ["+Inf", "-Inf", "NaN", "5", "0.1", "1e-09", "1e+300", "1.0"]
    assert [number(x) for x in (np.float64(2.5), np.int64(3), np.float64("nan"))] == ["2.5", "3.0", "NaN"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/plain;version=0.0.4", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format.OPENMETRICS,
        ),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=x, text/plain", Format.TEXT),
    ],
)
def test_the_accept_header_decides(accept: str, form: Format) -> None:
    assert accepted_format(accept) is form


def test_openmetrics_has_its_forms() -> None:
    text = scrape(fake.service(), Format.OPENMETRICS)
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    assert "# TYPE undertow_trades counter" in text
    assert "# TYPE undertow_trades_total counter" in scrape(fake.service())
    assert "# EOF" not in scrape(fake.service())


def test_promtool_finds_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is needed: apt-get install prometheus"
    text = scrape(fake.service(), renderer=Renderer(full_process()))
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_ten_thousand_series_cost_a_fraction_of_the_stock_client() -> None:
    view = fake.crowd(130)
    renderer = Renderer(ProcessMetrics(), max_series=10**6)
    count = len(names_of_all(scrape(view, renderer=renderer)))
    assert count > 10_000
    registry = CollectorRegistry()
    stock = Gauge(
        "depth_usd", "The same number of series.", ["venue", "market", "asset", "side", "band"], registry=registry
    )
    for market in view.markets:
        for i in range(count // 130):
            stock.labels(market.venue, market.market, market.asset, "bid", str(i)).set(market.depth[i % 14].usd)
    ours = statistics.median(_timed(lambda: renderer.render(view)) for _ in range(7))
    theirs = statistics.median(_timed(lambda: generate_latest(registry)) for _ in range(5))
    print(f"\n{count} series: ours {ours * 1e3:.1f} ms, stock client {theirs * 1e3:.1f} ms")
    assert ours < theirs / 2.5


def names_of_all(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun

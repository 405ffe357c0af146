"""Everything that is not about one market, as families of the stock Prometheus client: some hundred series, rendered by it.

Families are made from the table only (`_family`), so nothing outside it can be exported.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from monitor.alerts.payloads import MARKET, Change
from monitor.alerts.settings import AlertsSettings
from monitor.clock import SECOND
from monitor.feed.reasons import HALT_STATUS, Reason
from monitor.metrics import cascade
from monitor.metrics.histogram import Histogram
from monitor.metrics.markets import BREATH_SECONDS
from monitor.metrics.process import ProcessMetrics
from monitor.metrics.table import exported
from monitor.views import AssetView, FxView, Regime, ServiceView, VenueView

REGIMES: tuple[str, ...] = get_args(Regime)
TRANSITIONS: tuple[str, ...] = get_args(Change)
RAISED = tuple(AlertsSettings.model_fields)  # a kind has settings once there is a rule for it
WHOLE_MARKET_KIND = "feed_fault"  # raised under MARKET and not under an asset
NO_RECONNECTS = {reason.value: 0 for reason in Reason if reason not in HALT_STATUS.values()}  # counters start at 0
FEED_COUNTERS = {  # metric -> key in VenueView.channels
    "feed_messages_total": "messages",
    "feed_bytes_total": "bytes",
    "feed_parse_errors_total": "parse_errors",
    "feed_fallback_frames_total": "fallback_frames",
}

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
Samples = Iterable[tuple[Sequence[str], float | None]]


def _family(name: str, samples: Samples) -> GaugeMetricFamily | CounterMetricFamily:
    """A gauge or counter of the table. A sample whose figure is None is absent; of two with the same labels the first counts,
    since one series written twice would make Prometheus refuse the whole scrape.
    """
    metric = exported(name)
    kind = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}[metric.kind]
    family: GaugeMetricFamily | CounterMetricFamily = kind(metric.full_name, metric.help, labels=metric.labels)
    written: set[tuple[str, ...]] = set()
    for labels, value in samples:
        key = tuple(labels)
        if value is not None and key not in written:
            written.add(key)
            family.add_metric(key, value)
    return family


def _histogram(name: str, children: Iterable[tuple[Sequence[str], Histogram]]) -> HistogramMetricFamily:
    metric = exported(name)
    if metric.kind != "histogram":
        raise TypeError(f"{name} is a {metric.kind}")
    family = HistogramMetricFamily(metric.full_name, metric.help, labels=metric.labels)
    for labels, histogram in children:
        buckets, total = histogram.buckets()
        family.add_metric([*labels], buckets, total)
    return family


def _assets(assets: Sequence[AssetView]) -> Iterable[Family]:
    depth = [(asset.asset, figure) for asset in assets for figure in asset.depth]
    yield _family("asset_depth_usd", (((asset, d.side, d.band), d.usd) for asset, d in depth))
    yield _family(
        "asset_depth_baseline_ratio",
        (
            ((asset, d.side, d.band, baseline), ratio)
            for asset, d in depth
            for baseline, ratio in (("acute", d.acute_ratio), ("chronic", d.chronic_ratio))
        ),
    )
    yield _family("asset_coverage_ratio", (((asset, d.side, d.band), d.coverage_ratio) for asset, d in depth))
    yield _family(
        "asset_liquidated_usd_total",
        (
            ((asset.asset, position, estimate), usd)
            for asset in assets
            for (position, estimate), usd in asset.liquidated_usd.items()
        ),
    )
    for name in cascade.READERS:
        yield _family(name, cascade.samples(name, assets))
    yield _family(
        "regime",
        (
            ((asset.asset, regime), 1 if regime == asset.regime else 0)
            for asset in assets
            if asset.regime is not None
            for regime in REGIMES
        ),
    )


def _alerts(view: ServiceView) -> Iterable[Family]:
    # Two subjects of one kind and severity are one series.
    yield _family("alert_open", (((alert.asset, alert.kind, alert.severity), 1) for alert in view.alerts))
    totals = dict(view.alert_totals)
    # From 0 on for all that can be raised, so that the first alert is an increase.
    kinds = dict.fromkeys((asset.asset, kind) for asset in view.assets for kind in RAISED if kind != WHOLE_MARKET_KIND)
    kinds[MARKET, WHOLE_MARKET_KIND] = None
    kinds.update(dict.fromkeys((asset, kind) for asset, kind, _ in totals))
    yield _family(
        "alerts_total",
        (
            ((asset, kind, transition), totals.get((asset, kind, transition), 0))
            for asset, kind in kinds
            for transition in TRANSITIONS
        ),
    )


def _venues(venues: Sequence[VenueView]) -> Iterable[Family]:
    for name, key in FEED_COUNTERS.items():
        yield _family(
            name,
            (
                ((venue.venue, channel), counts.get(key, 0))
                for venue in venues
                for channel, counts in venue.channels.items()
            ),
        )
    yield _family(
        "feed_connected",
        (((v.venue, str(c.connection)), int(c.connected)) for v in venues for c in v.connections),
    )
    yield _family(
        "feed_reconnects_total",
        (
            ((venue.venue, reason), count)
            for venue in venues
            for reason, count in {**NO_RECONNECTS, **venue.reconnects}.items()
        ),
    )
    yield _family("feed_clock_offset_seconds", (((venue.venue,), venue.clock_offset_seconds) for venue in venues))
    yield _family("rest_weight_used_ratio", (((venue.venue,), venue.rest_weight_used_ratio) for venue in venues))


def _fx(rates: Sequence[FxView]) -> Iterable[Family]:
    yield _family("fx_rate_usd", (((rate.currency, rate.source), rate.rate_usd) for rate in rates))


def _flag(value: bool | None) -> float | None:
    return None if value is None else int(value)


def _process(process: ProcessMetrics) -> Iterable[Family]:
    yield _histogram("processing_seconds", process.processing.items())
    yield _histogram("feed_lag_seconds", process.feed_lag.items())
    yield _histogram("alert_latency_seconds", [((), process.alert_latency)])
    yield _histogram("event_loop_lag_seconds", [((), process.event_loop_lag)])
    yield _family("mqtt_connected", [((), _flag(process.mqtt_connected))])
    yield _family("outbox_alerts", [((), process.outbox_alerts)])
    oldest = process.outbox_oldest
    yield _family("outbox_oldest_timestamp_seconds", [((), None if oldest is None else oldest / SECOND)])
    failures = process.mqtt_publish_failures.copy()
    yield _family("mqtt_publish_failures_total", (((reason,), count) for reason, count in failures.items()))
    compilations = process.jit_compilations
    yield _family("jit_compilations_total", [((), None if compilations is None else compilations.count)])
    yield _family("build_info", [(process.versions, 1)])


def service_families(view: ServiceView, process: ProcessMetrics) -> list[Family]:
    """Every family with at least one sample, of this view and the process registry, but for series_dropped_total."""
    parts = (_assets(view.assets), _alerts(view), _venues(view.venues), _fx(view.fx), _process(process))
    return [family for part in parts for family in part if family.samples]


def dropped_family(dropped: int) -> Family:
    """series_dropped_total, which is known only once the market block is rendered."""
    return _family("series_dropped_total", [((), dropped)])


class Families(Collector):
    """Families that are ready. The stock client renders one after another as they come, with a breath between for the loop."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        for family in self._families:
            yield family
            time.sleep(BREATH_SECONDS)

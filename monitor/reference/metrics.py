"""metrics.md from the table of metrics."""

from __future__ import annotations

from monitor.metrics.table import LABELS, METRICS, Metric, Source
from monitor.reference.text import code, page, table

SECTIONS: tuple[tuple[Source, str], ...] = (
    ("market", "One market"),
    ("asset", "One asset, over its venues"),
    ("alert", "Alerts"),
    ("venue", "Feeds"),
    ("fx", "Currencies"),
    ("process", "This process"),
)

INTRODUCTION = """
Served at `/metrics` as Prometheus text 0.0.4 or OpenMetrics 1.0, whichever the scraper asks for. USD are US dollars, ratios are
0..1, times are seconds. A figure that is not known is absent, never 0: alert on `absent()` or on `undertow_book_verified`, and
compute ages as `time() - x`. Counters start at 0 with the process. A venue that publishes no liquidations has no liquidation
counters. The series of a market vanish when it leaves the settings or the venue.

`engine.max_series` caps the series of one scrape. What is beyond is left out, from the end of the first table below, and counted in
`undertow_series_dropped_total`; series about assets, feeds and the process always come.
"""


def metrics_page() -> str:
    parts = [INTRODUCTION]
    for source, title in SECTIONS:
        rows = [_row(metric) for metric in METRICS if metric.source == source and metric.exported]
        parts.append(f"## {title}\n\n" + table(("metric", "type", "labels", "what it says"), rows))
    coming = [(*_row(metric), metric.arrives) for metric in METRICS if not metric.exported]
    parts.append(
        "## Not exported yet\n\nThese names are reserved. Nothing is exported under them until what computes them is there.\n\n"
        + table(("metric", "type", "labels", "what it will say", "comes with"), coming)
    )
    used = {label for metric in METRICS for label in metric.labels}
    labels = [(code(label), said) for label, said in LABELS.items() if label in used]
    parts.append("## Labels\n\nLabels never hold prices, ids or error texts.\n\n" + table(("label", "values"), labels))
    return page("Metrics", *parts)


def _row(metric: Metric) -> tuple[str, str, str, str]:
    return code(metric.full_name), metric.kind, ", ".join(code(label) for label in metric.labels), metric.help

"""One scrape: the market block of our own renderer, the rest from the stock client, as text or OpenMetrics."""

from __future__ import annotations

import zlib

from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as text_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest

from monitor.metrics.markets import MarketRenderer
from monitor.metrics.process import ProcessMetrics
from monitor.metrics.stock import Families, dropped_family, service_families
from monitor.metrics.text import Format
from monitor.views import ServiceView

DEFAULT_MAX_SERIES = 20_000
GZIP_LEVEL = 1  # 2.8 ms for 10,000 series where level 9 takes 22, for a body a tenth larger
GZIP_WINDOW = 31  # zlib's way of saying gzip framing with the largest window


class Renderer:
    """Turns a ServiceView into the body of a scrape. One thread at a time; takes no clock and touches nothing of the loop.

    At most `max_series` series of markets, less those of assets, feeds and the process, which always come whole.
    """

    def __init__(self, process: ProcessMetrics, max_series: int = DEFAULT_MAX_SERIES) -> None:
        self._process = process
        self._max_series = max_series
        self._markets = MarketRenderer()

    @property
    def cached_prefixes(self) -> int:
        return self._markets.cached_prefixes

    def render(self, view: ServiceView, form: Format = Format.TEXT) -> bytes:
        """The whole body. What the cap leaves out is counted in series_dropped_total of this same body."""
        families = service_families(view, self._process)
        others = sum(len(family.samples) for family in families) + 1
        markets, _, dropped = self._markets.render(view.markets, form, max(0, self._max_series - others))
        self._process.series_dropped += dropped
        families.append(dropped_family(self._process.series_dropped))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Families(families))
        rest: bytes = text_latest(registry) if form is Format.TEXT else openmetrics_latest(registry)  # type: ignore[no-untyped-call]
        return markets.encode() + rest


def compress(body: bytes) -> bytes:
    """gzip without a time stamp; releases the interpreter while it works."""
    worker = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    return worker.compress(body) + worker.flush()

"""Figures about this process, fed where they arise: latencies, event-loop lag, MQTT, outbox, compilations, versions."""

from __future__ import annotations

import asyncio
import platform
import time
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numba
from numba.core import event

from monitor.clock import MILLISECOND
from monitor.metrics.histogram import (
    ALERT_LATENCY_BOUNDS,
    FEED_LAG_BOUNDS,
    LOOP_LAG_BOUNDS,
    PROCESSING_BOUNDS,
    Histogram,
    HistogramFamily,
)

COMPILE_EVENT = "numba:compile"  # not raised when a function is loaded from the cache
LOOP_PROBE_INTERVAL = 100 * MILLISECOND  # ten looks a second cost 0.02% of a core and see every stall of 100 ms


class ProcessMetrics:
    """The process-level registry. The loop writes, a scrape reads. Gauges that are None are absent.

    mqtt_connected: None while MQTT is off. outbox_oldest: time (ns) the oldest waiting transition was raised, None when none waits.
    """

    def __init__(self) -> None:
        self.processing = HistogramFamily(PROCESSING_BOUNDS)  # labels: venue, channel
        self.feed_lag = HistogramFamily(FEED_LAG_BOUNDS)  # label: venue
        self.alert_latency = Histogram(ALERT_LATENCY_BOUNDS)
        self.event_loop_lag = Histogram(LOOP_LAG_BOUNDS)
        self.mqtt_connected: bool | None = None
        self.mqtt_publish_failures: Counter[str] = Counter()  # by reason, a short closed set
        self.outbox_alerts: int | None = None
        self.outbox_oldest: int | None = None
        self.jit_compilations: CompilationCounter | None = None
        self.series_dropped = 0  # written by the renderer
        self.versions = VERSIONS

    def count_compilations(self) -> CompilationCounter:
        """Begin to count numba compilations of this process; once. Close the counter when the service ends."""
        if self.jit_compilations is None:
            self.jit_compilations = CompilationCounter()
        return self.jit_compilations

    def forget_venue(self, venue: str) -> None:
        """Remove the series of a venue that is no longer run."""
        self.processing.remove(venue)
        self.feed_lag.remove(venue)


class _CompileListener(event.Listener):
    """Counts every compilation, also those of helpers that a compilation sets off."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, event: Any) -> None:
        self.count += 1

    def on_end(self, event: Any) -> None:
        pass


class CompilationCounter:
    """Compilations since it was made, told by numba itself."""

    def __init__(self) -> None:
        self._listener = _CompileListener()
        event.register(COMPILE_EVENT, self._listener)  # type: ignore[no-untyped-call]

    @property
    def count(self) -> int:
        return self._listener.count

    def close(self) -> None:
        event.unregister(COMPILE_EVENT, self._listener)  # type: ignore[no-untyped-call]


def _versions() -> tuple[str, str, str]:
    """The labels of build_info: Undertow, Python, numba."""
    try:
        ours = version("undertow")
    except PackageNotFoundError:  # run from a source tree that was never installed
        ours = "unknown"
    return ours, platform.python_version(), numba.__version__


VERSIONS = _versions()  # read from disk once, at import


async def probe_loop_lag(process: ProcessMetrics, interval: int = LOOP_PROBE_INTERVAL) -> None:
    """Sleep `interval` ns again and again and observe by how much each wake-up was late. Runs until cancelled.

    Measured with the monotonic clock: uvloop's own loop.time() is taken once per turn and would hide the very lag.
    """
    seconds = interval / 1e9
    while True:
        begun = time.monotonic_ns()
        await asyncio.sleep(seconds)
        process.event_loop_lag.observe(max(0, time.monotonic_ns() - begun - interval))

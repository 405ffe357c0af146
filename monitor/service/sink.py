"""Between the feed and the hub: records what comes in, measures how long the hub takes. The loop's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from monitor.capture.recorder import Recorder
from monitor.events import Command, Event
from monitor.hub import Hub
from monitor.metrics.process import ProcessMetrics


class Sink:
    """The feed's sink of a live service. Recording comes first, so that what broke the hub is in the recording."""

    def __init__(self, hub: Hub, process: ProcessMetrics, recorder: Recorder | None) -> None:
        self._hub = hub
        self._process = process
        self._recorder = recorder
        self.refresh: Callable[[], None] | None = None  # called before each second's view is made

    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        if self._recorder is not None:
            self._recorder.frame(venue, connection, data, at)
        started = time.perf_counter_ns()
        hub = self._hub
        commands = hub.on_frame(venue, connection, data, at)
        self._process.processing.labels(venue, hub.last_channel).observe(time.perf_counter_ns() - started)
        if hub.last_lag is not None:
            self._process.feed_lag.labels(venue).observe(hub.last_lag)
        return commands

    def on_event(self, event: Event) -> Sequence[Command]:
        if self._recorder is not None:
            self._recorder.write(event)
        return self._hub.on_event(event)

    def on_tick(self, at: int) -> Sequence[Command]:
        if self.refresh is not None:
            self.refresh()
        return self._hub.on_tick(at)

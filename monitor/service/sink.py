"""Between the feed and the hub: records what comes in, measures how long the hub takes. The loop's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from monitor.capture.recorder import Recorder
from monitor.events import Command, Event
from monitor.facts import Channel
from monitor.hub import Hub
from monitor.metrics.histogram import Histogram
from monitor.metrics.process import ProcessMetrics


class Sink:
    """The feed's sink of a live service. Recording comes first, so that what broke the hub is in the recording."""

    def __init__(self, hub: Hub, process: ProcessMetrics, recorder: Recorder | None) -> None:
        self._hub = hub
        self._process = process
        self._recorder = recorder
        self._children: dict[tuple[str, Channel], tuple[Histogram, Histogram]] = {}  # (processing, lag)
        self.refresh: Callable[[], None] | None = None  # called before each second's view is made

    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        if self._recorder is not None:
            self._recorder.frame(venue, connection, data, at)
        started = time.perf_counter_ns()
        hub = self._hub
        commands = hub.on_frame(venue, connection, data, at)
        took = time.perf_counter_ns() - started
        children = self._children.get((venue, hub.last_channel)) or self._keep(venue, hub.last_channel)
        children[0].observe(took)
        if hub.last_lag is not None:
            children[1].observe(hub.last_lag)
        return commands

    def _keep(self, venue: str, channel: Channel) -> tuple[Histogram, Histogram]:
        process = self._process
        kept = self._children[venue, channel] = (
            process.processing.labels(venue, channel),
            process.feed_lag.labels(venue),
        )
        return kept

    def on_event(self, event: Event) -> Sequence[Command]:
        if self._recorder is not None:
            self._recorder.write(event)
        return self._hub.on_event(event)

    def on_tick(self, at: int) -> Sequence[Command]:
        if self.refresh is not None:
            self.refresh()
        return self._hub.on_tick(at)

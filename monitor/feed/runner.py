"""Runs all venues of one process: events to the sink, commands from it, a tick a second, a clean stop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import structlog

from monitor.clock import SECOND, Clock
from monitor.events import Command, Event
from monitor.feed.options import FeedSink, VenueOptions
from monitor.feed.trail import trail
from monitor.feed.transport import OnFrame
from monitor.feed.venue_feed import VenueFeed
from monitor.venues.base import Venue

log = structlog.get_logger("monitor.feed")


class FeedRunner:
    """Executes the feed. `run` returns after `stop`, or when cancelled; both close every socket within two seconds.

    A frame goes from the socket to `sink.on_frame` in one step: no queue, no task switch. What the sink raises is logged and
    counted (`sink_errors`); a frame that makes it raise ends that connection, which then reconnects.
    """

    def __init__(
        self, venues: Sequence[tuple[Venue, VenueOptions]], sink: FeedSink, clock: Clock, *, seed: int = 0
    ) -> None:
        self._venues = tuple(venues)
        self._sink = sink
        self._clock = clock
        self._seed = seed
        self._stopping = asyncio.Event()
        self._feeds: dict[str, VenueFeed] = {}
        self.sink_errors = 0

    async def run(self) -> None:
        context = await asyncio.to_thread(ssl.create_default_context)  # reads the CA bundle: not in the loop
        for venue, options in self._venues:
            self._feeds[venue.name] = VenueFeed(
                venue, options, self._clock, self.emit, self._receiver, self._seed, context
            )
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(feed.run(), name=f"feed:{name}") for name, feed in self._feeds.items()]
            running.append(tasks.create_task(self._tick(), name="feed:tick"))
            await self._stopping.wait()
            for task in running:
                task.cancel()

    def stop(self) -> None:
        self._stopping.set()

    def emit(self, event: Event) -> None:
        """Hands `event` to the sink and executes what it asks for."""
        try:
            self.execute(self._sink.on_event(event))
        except Exception as error:
            self.sink_failed(type(event).__name__, error)

    def execute(self, commands: Sequence[Command]) -> None:
        """Executes commands in order, without waiting; those for a venue or connection that is gone are dropped."""
        for command in commands:
            feed = self._feeds.get(command.venue)
            if feed is not None:
                feed.execute(command)

    # -- for metrics and views
    def rest_weight_used_ratio(self, venue: str) -> float | None:
        """Share of the venue's REST limit in use now; None for a venue that does not run."""
        feed = self._feeds.get(venue)
        return None if feed is None else feed.rest.budget.used_ratio(self._clock.now())

    @property
    def task_deaths(self) -> int:
        return sum(feed.task_deaths for feed in self._feeds.values())

    def _receiver(self, venue: str, connection: int) -> OnFrame:
        on_frame = self._sink.on_frame
        now = self._clock.now
        execute = self.execute

        def receive(data: bytes) -> None:
            commands = on_frame(venue, connection, data, now())
            if commands:
                execute(commands)

        return receive

    async def _tick(self) -> None:
        while True:
            now = self._clock.now()
            await asyncio.sleep((SECOND - now % SECOND) / SECOND)
            try:
                self.execute(self._sink.on_tick(self._clock.now()))
            except Exception as error:
                self.sink_failed("tick", error)

    def sink_failed(self, what: str, error: Exception) -> None:
        """Count what the sink raised, and say so: also for work it does between the calls."""
        self.sink_errors += 1
        if (
            self.sink_errors & (self.sink_errors - 1) == 0
        ):  # 1st, 2nd, 4th, ...: a sink that always raises must not fill the disk
            log.error("sink_failed", on=what, errors=self.sink_errors, error=trail(error))

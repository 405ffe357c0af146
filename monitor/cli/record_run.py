"""Recording without a service: the feed, the hub that tells it what to ask for, and the recorder in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.settings import AlertsSettings
from monitor.capture.recorder import Recorder, RecorderStats
from monitor.cli.console import err, line
from monitor.cli.loop import stop_event
from monitor.clock import Clock
from monitor.errors import RecordingError
from monitor.feed.runner import FeedRunner
from monitor.hub import Hub
from monitor.metrics.process import ProcessMetrics
from monitor.service.seeds import fresh_seeds
from monitor.service.sink import Sink
from monitor.service.wiring import hub_options, venue_options
from monitor.venues.registry import VENUES

if TYPE_CHECKING:
    from rich.status import Status

    from monitor.alerts.payloads import LiquidationPayload
    from monitor.config import Settings
    from monitor.views import ServiceView

log = structlog.get_logger("record")

STATUS_SECONDS = 1.0  # between two looks at the counts, on a terminal


class _NoOutlet:
    """What the hub concludes goes nowhere."""

    def transitions(self, transitions: Sequence[Transition]) -> None:
        pass

    def liquidation(self, payload: LiquidationPayload) -> None:
        pass

    def second(self, view: ServiceView) -> None:
        pass


async def run_record(settings: Settings, out: Path, seconds: float | None) -> None:
    """Until asked to stop, or `seconds`. Raises RecordingError: `out` cannot be written, now or at the end."""
    stopping = stop_event()
    loop = asyncio.get_running_loop()
    hub = Hub(hub_options(settings), AlertEngine(_no_alerts(), settings.instance.name), _NoOutlet())
    runner: FeedRunner

    def rotated() -> None:
        loop.call_soon_threadsafe(lambda: runner.execute(fresh_seeds(hub)))

    recorder = Recorder(
        out,
        settings.recording.max_total_gib,
        instance=settings.instance.name,
        on_rotate=rotated,
    )
    recorder.check()
    async with AsyncExitStack() as stack:
        recorder.start()
        stack.push_async_callback(asyncio.to_thread, recorder.close)
        options = venue_options(settings)
        runner = FeedRunner(
            [(VENUES[name], option) for name, option in options.items()],
            Sink(hub, ProcessMetrics(), recorder),
            Clock(),
        )
        if seconds is not None:
            loop.call_later(seconds, stopping.set)
        log.info("recording", directory=str(out), venues=list(options))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.run(), name="feed")
            status = tasks.create_task(_status(recorder), name="status")
            await stopping.wait()
            runner.stop()
            status.cancel()
    _report(recorder.stats)


def _no_alerts() -> AlertsSettings:
    """Every kind switched off."""
    off: dict[str, Any] = {kind: {"enabled": False} for kind in AlertsSettings.model_fields}
    return AlertsSettings.model_validate(off)


async def _status(recorder: Recorder) -> None:
    """One living line on a terminal, nothing elsewhere."""
    console = err()
    if not console.is_terminal:
        return
    status: Status
    with console.status("waiting for the first frame") as status:
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            status.update(_counts(recorder.stats))


def _counts(stats: RecorderStats) -> str:
    return f"{stats.events_written:,} events, {stats.bytes_written / 1e6:,.1f} MB in {stats.files_opened} files"


def _report(stats: RecorderStats) -> None:
    console = err()
    line(console, f"recorded {_counts(stats)}")
    if stats.frames_dropped:
        line(console, ("left out: ", "yellow"), f"{stats.frames_dropped:,} frames; each hole stands in the recording")
    if stats.error:
        raise RecordingError(stats.error)

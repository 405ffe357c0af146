"""A recording through the same hub as a live run: no network, no state file, no broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import AlertPayload, LiquidationPayload
from monitor.capture.recording_set import RecordingSet
from monitor.clock import SECOND
from monitor.config import Settings
from monitor.digest import ReplayDigest
from monitor.errors import RecordingError
from monitor.events import FrameReceived
from monitor.hub import Hub
from monitor.service.wiring import hub_options
from monitor.views import ServiceView

TAIL: Final = 1 * SECOND  # after the last event the second it lies in is run to its end


@dataclass(slots=True)
class ReplayReport:
    """What a replay saw."""

    frames: int = 0
    events: int = 0
    start: int = 0
    end: int = 0
    elapsed_seconds: float = 0.0
    transitions: int = 0
    liquidations: int = 0
    digest: str = ""
    notices: list[str] = field(default_factory=list)


class _Outlet:
    def __init__(
        self,
        report: ReplayReport,
        digest: ReplayDigest | None,
        alerts: IO[bytes] | None,
        on_alert: Callable[[AlertPayload], None] | None,
        on_second: Callable[[ServiceView], None] | None,
    ) -> None:
        self._report = report
        self._digest = digest
        self._alerts = alerts
        self._on_alert = on_alert
        self._on_second = on_second
        self.hub: Hub | None = None

    def transitions(self, transitions: Sequence[Transition]) -> None:
        self._report.transitions += len(transitions)
        if self._digest is not None:
            self._digest.add_transitions(transitions)
        for transition in transitions:
            if self._alerts is not None:
                self._alerts.write(transition.body + b"\n")
            if self._on_alert is not None:
                self._on_alert(transition.payload)

    def liquidation(self, payload: LiquidationPayload) -> None:
        self._report.liquidations += 1

    def second(self, view: ServiceView) -> None:
        if self._digest is not None and self.hub is not None:
            self._digest.add_second(self.hub, view.at)
        if self._on_second is not None:
            self._on_second(view)


def replay(
    paths: Sequence[Path],
    settings: Settings,
    *,
    speed: float | None = None,
    digest: bool = False,
    alerts_out: Path | None = None,
    on_alert: Callable[[AlertPayload], None] | None = None,
    on_second: Callable[[ServiceView], None] | None = None,
    on_hub: Callable[[Hub], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Feed recordings to a fresh hub.

    Args:
        paths: recordings, in any order.
        settings: thresholds, bands and rates; its venues, broker and state file play no part.
        speed: times real time; None: as fast as it goes.
        digest: whether to compute it.
        alerts_out: file for one alert payload a line.
        on_alert, on_second, on_hub: for whoever watches.
        progress: called with the bytes read so far.

    Raises:
        RecordingError: a recording cannot be read, or `alerts_out` cannot be written.
    """
    recordings = RecordingSet.open(paths)
    report = ReplayReport(start=recordings.start, end=recordings.end, notices=list(recordings.notices))
    hasher = ReplayDigest() if digest else None
    try:
        out = alerts_out.open("wb") if alerts_out is not None else None
    except OSError as error:
        raise RecordingError(f"{alerts_out}: cannot be written: {error.strerror}") from None
    outlet = _Outlet(report, hasher, out, on_alert, on_second)
    hub = outlet.hub = Hub(hub_options(settings), AlertEngine(settings.alerts, settings.instance.name), outlet)
    if on_hub is not None:
        on_hub(hub)
    began = time.monotonic()
    last = recordings.start
    try:
        for event in recordings.events(progress=progress):
            if speed is not None:
                ahead = (event.at - recordings.start) / SECOND / speed - (time.monotonic() - began)
                if ahead > 0.001:
                    time.sleep(ahead)
            last = event.at
            report.events += 1
            if isinstance(event, FrameReceived):
                report.frames += 1
                hub.on_frame(event.venue, event.connection, event.data, event.at)
            else:
                hub.on_event(event)
        hub.on_tick(last + TAIL)
    finally:
        if out is not None:
            out.close()
    report.elapsed_seconds = time.monotonic() - began
    if hasher is not None:
        report.digest = hasher.hexdigest()
    return report

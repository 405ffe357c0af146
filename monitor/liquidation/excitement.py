"""Self-excitation of liquidations by venue and over the asset (models.md 4.6): shown, and never by itself a reason for an alert.

n comes from complete feeds only: a feed of one print a second halves it. Half of the events are taken as excited (n = 0.5) in the
intensity; its level is the rate of the last minutes, so that a quiet asset has an intensity near 0.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engines.liquidation.tracker import HawkesTracker, TrackerSettings
from monitor.cascade_views import HawkesView
from monitor.clock import SECOND

RATE_SECONDS: Final = 900  # models.md 13: window
DECAY: Final = 0.5  # beta a second
EXCITED: Final = 0.5  # the n of the intensity
MAX_PRINTS: Final = 20_000  # of the window, one venue; a busier one has its rate from these
SETTINGS: Final = TrackerSettings(mu=0.0, alpha=EXCITED * DECAY, beta=DECAY, window_seconds=RATE_SECONDS)
COMPLETE: Final = "complete"


class _Venue:
    def __init__(self, *, complete: bool) -> None:
        self.tracker = HawkesTracker(complete=complete, settings=SETTINGS)
        self._times: deque[int] = deque(maxlen=MAX_PRINTS)

    def printed(self, at: int) -> None:
        self.tracker.event(at)
        self._times.append(at)

    def intensity(self, at: int) -> float:
        """Events a second: what comes from outside, and what the last events set off."""
        while self._times and self._times[0] <= at - RATE_SECONDS * SECOND:
            self._times.popleft()
        rate = len(self._times) / RATE_SECONDS
        return (1.0 - EXCITED) * rate + self.tracker.intensity(at)


class Excitement:
    """One asset's. Mutable; its model alone writes it."""

    def __init__(self) -> None:
        self._venues: dict[str, _Venue] = {}
        self._whole = _Venue(complete=True)  # of the complete feeds together
        self._told = False

    def printed(self, venue: str, coverage: str, at: int) -> None:
        found = self._venues.get(venue)
        if found is None:
            found = self._venues[venue] = _Venue(complete=coverage == COMPLETE)
        found.printed(at)
        if coverage == COMPLETE:
            self._told = True
            self._whole.printed(at)

    def view(self, at: int) -> HawkesView:
        if not self._venues:
            return HawkesView(None, None, {})
        venues = {name: (each.intensity(at), each.tracker.counted(at)) for name, each in self._venues.items()}
        return HawkesView(
            intensity=sum(intensity for intensity, _ in venues.values() if intensity is not None),
            branching=self._whole.tracker.counted(at) if self._told else None,
            venues=venues,
        )

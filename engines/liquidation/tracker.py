"""Self-excitation of one venue's liquidations as they come: O(1) an event, n only where the feed is complete (models.md 4.6)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from engines.liquidation import hawkes
from engines.liquidation.branching import branching_of, branching_of_fano, update_counts

_SECOND_NS: Final = 1_000_000_000
MAX_EVENTS: Final = 4_096  # kept for the fit; a busier window is fitted on its last events
MAX_EMPTY_SLOTS: Final = 10_000  # a longer silence begins afresh
BETA_RANGE: Final = (0.02, 20.0)  # a second


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """mu and alpha per second, beta per second: of the intensity, as fitted before (0.1-1 for beta).

    slot_seconds: counts are taken over such slots; kept: share of the past a slot leaves; min_slots before n is given.
    window_seconds: of the fit.
    """

    mu: float = 0.1
    alpha: float = 0.2
    beta: float = 0.5
    slot_seconds: int = 60
    kept: float = 0.9
    min_slots: int = 10
    window_seconds: int = 900


class HawkesTracker:
    """One venue and asset. `complete`: the venue publishes every liquidation; without that, n is None, never a number.

    Times are ns; an event earlier than the last one counts as simultaneous with it.
    """

    def __init__(self, *, complete: bool, settings: TrackerSettings | None = None) -> None:
        self._complete = complete
        self._settings = settings or TrackerSettings()
        self._excitement = 0.0
        self._last: int | None = None
        self._first = 0  # time of the first event
        self._times: deque[tuple[int, float]] = deque(maxlen=MAX_EVENTS)
        self._slot: int | None = None
        self._in_slot = 0
        self._slots = 0
        self._mean = self._variance = 0.0

    def event(self, at_ns: int, weight: float = 1.0) -> None:
        """One liquidation with its mark. A mark that is not a positive number counts as none."""
        if not 0.0 < weight < math.inf:
            return
        if self._last is not None:
            at_ns = max(at_ns, self._last)
        self._first = self._first or at_ns
        self._close(at_ns)
        self._excitement = self._decayed(at_ns) + weight
        self._last = at_ns
        self._in_slot += 1
        self._times.append((at_ns, weight))

    def intensity(self, at_ns: int) -> float:
        """Events a second expected at this time."""
        return self._settings.mu + self._settings.alpha * self._decayed(at_ns)

    def counted(self, at_ns: int) -> float | None:
        """n from the counts of the slots that have ended; None on an incomplete feed or before `min_slots`."""
        if not self._known(at_ns):
            return None
        n = float(branching_of(self._mean, self._variance))
        return None if math.isnan(n) else n

    def corrected(self, at_ns: int) -> float | None:
        """The same without the bias of short slots, for the beta of the settings."""
        if not self._known(at_ns) or self._mean <= 0.0:
            return None
        beta, window = self._settings.beta, float(self._settings.slot_seconds)
        return float(branching_of_fano(self._variance / self._mean, beta, window))

    def fitted(self, at_ns: int) -> float | None:
        """n by maximum likelihood over the window; None on an incomplete feed or with fewer than hawkes.MIN_FITTED events."""
        if not self._complete:
            return None
        if not self._times:
            return None
        # Before the first event nobody looked: that it was silent then is not known.
        begin = max(at_ns - self._settings.window_seconds * _SECOND_NS, self._first)
        recent = [(t, w) for t, w in self._times if begin <= t <= at_ns]
        if len(self._times) == MAX_EVENTS and recent and self._times[0][0] > begin:
            begin = recent[0][0]  # older ones of the window are gone
        times = np.array([(t - begin) / _SECOND_NS for t, _ in recent], np.float64)
        marks = np.array([w for _, w in recent], np.float64)
        found = np.empty(hawkes.FIT_COLUMNS)
        end = (at_ns - begin) / _SECOND_NS
        used = hawkes.fit(times, marks, end, *BETA_RANGE, np.empty(len(times)), found)
        return float(found[hawkes.FIT_BRANCHING]) if used else None

    def _known(self, at_ns: int) -> bool:
        if not self._complete:
            return False
        self._close(at_ns)
        return self._slots >= self._settings.min_slots

    def _decayed(self, at_ns: int) -> float:
        if self._last is None:
            return 0.0
        return float(hawkes.decayed(self._excitement, (at_ns - self._last) / _SECOND_NS, self._settings.beta))

    def _close(self, at_ns: int) -> None:
        """Count the slots that ended before `at_ns`, empty ones too. The first one is partial and counts for nothing."""
        slot = at_ns // (self._settings.slot_seconds * _SECOND_NS)
        if self._slot is None:
            self._slot, self._in_slot, self._slots = slot, 0, -1
            return
        if slot - self._slot > MAX_EMPTY_SLOTS:
            self._slot, self._in_slot, self._slots = slot, 0, -1
            return
        while self._slot < slot:
            if self._slots == 0:
                self._mean, self._variance = float(self._in_slot), float(max(self._in_slot, 1))
            elif self._slots > 0:
                self._mean, self._variance = update_counts(
                    self._mean, self._variance, float(self._in_slot), self._settings.kept
                )
            self._slots += 1
            self._in_slot = 0
            self._slot += 1

"""The regime of an asset: the part of the state machine (models.md 5.5) that depth alone can move.

Stressed, cascade and recovery need the detector's score; until it is there an asset is normal or on watch, or has no regime
at all because no book of it is verified. The detector replaces this module's `DepthRegime` in the hub, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.views import Regime

WATCH_BELOW = 0.5  # R <= 0.5 ...
WATCH_SECONDS = 60  # ... for 60 s
NORMAL_ABOVE = 0.6  # R > 0.6 ...
NORMAL_SECONDS = 120  # ... for 120 s
WATCH_DWELL_SECONDS = 10
BLIND_SECONDS = 10  # with no verified book this long, "normal" is not known any more


@dataclass(slots=True)
class DepthRegime:
    """One asset's regime. `step` is called once a second with the acute 1% bid depth ratio R, None when unknown.

    "For k s" means k consecutive ticks; counters reset on every transition. Degraded data does not de-escalate, but nobody
    can call a market normal whose last verified book is gone: then there is no regime until one is back.
    """

    regime: Regime | None = None
    since: int | None = None
    _low: int = 0
    _high: int = 0
    _dwell: int = 0
    _blind: int = 0

    def step(self, ratio: float | None, readable: bool, at: int) -> Regime | None:
        if self.regime is None:
            if readable:
                self._move("normal", at)
            return self.regime
        self._dwell += 1
        self._blind = 0 if readable else self._blind + 1
        if self.regime == "normal" and self._blind >= BLIND_SECONDS:
            self._blind = 0
            self.regime = self.since = None
            return None
        self._low = self._low + 1 if ratio is not None and ratio <= WATCH_BELOW else 0
        self._high = self._high + 1 if ratio is not None and ratio > NORMAL_ABOVE else 0
        if self.regime == "normal" and self._low >= WATCH_SECONDS:
            self._move("watch", at)
        elif self.regime == "watch" and self._high >= NORMAL_SECONDS and self._dwell >= WATCH_DWELL_SECONDS:
            self._move("normal", at)
        return self.regime

    def restore(self, regime: Regime, since: int) -> None:
        """Carry a regime over a restart. One that depth alone cannot leave again is taken as watch."""
        self.regime, self.since = regime if regime == "normal" else "watch", since

    def _move(self, regime: Regime, at: int) -> None:
        self.regime, self.since = regime, at
        self._low = self._high = self._dwell = 0

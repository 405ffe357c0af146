"""Venue clock offset and lag: how late a frame is, above the least delay seen lately, so that a skewed clock is an offset and not a fault."""

from __future__ import annotations

from collections import deque

from monitor.clock import SECOND

BUCKET = 10 * SECOND  # minima are kept per bucket ...
HISTORY = 600 * SECOND  # ... for this long: a clock drifts little in ten minutes, and a queue rarely lasts as long
BOUND = 5 * SECOND  # default: later than this and a book is history
ENTER_FRAMES = 2  # one frame with an odd venue time is not a lagging connection
RECOVER_HOLD = 1 * SECOND  # lag must stay under half the bound this long


class ClockOffset:
    """The rolling minimum of (receive - venue time) over HISTORY, in integer ns: transit plus the difference of the clocks.

    One per venue, shared by its connections, so that a connection that opens already late does not set its own zero.
    O(1) amortised: a deque of per-bucket minima that only rises.
    """

    __slots__ = ("_last", "_least", "_minima", "_until")

    def __init__(self) -> None:
        self._minima: deque[tuple[int, int]] = deque()  # (bucket, minimum), both rising
        self._least = 0  # the first of them
        self._last = 0  # the last of them ...
        self._until = 0  # ... and the end of its bucket

    @property
    def value(self) -> int | None:
        """ns; None before the first frame."""
        return self._least if self._minima else None

    def observe(self, at: int, delay: int) -> int:
        """Takes one delay in; returns the minimum that holds now."""
        if at < self._until and delay >= self._last:
            return self._least  # the common frame: no new bucket, no new minimum
        minima = self._minima
        bucket = at // BUCKET
        while minima and minima[-1][1] >= delay:
            minima.pop()
        minima.append((bucket, delay))
        oldest = bucket - HISTORY // BUCKET
        while minima[0][0] <= oldest:
            minima.popleft()
        self._last = delay
        self._until = (bucket + 1) * BUCKET
        self._least = minima[0][1]
        return self._least


class LagGauge:
    """Lag of one connection, and whether it is `behind`: beyond the bound, with hysteresis on the way back.

    A venue clock that is set back while we run looks like a queue until the old minima leave (HISTORY): the two cannot be told apart.
    """

    __slots__ = ("_above", "_bound", "_calm_since", "_offset", "behind", "lag")

    def __init__(self, offset: ClockOffset, bound: int = BOUND) -> None:
        self._offset = offset
        self._bound = bound
        self._above = 0
        self._calm_since: int | None = None
        self.behind = False
        self.lag: int | None = None  # ns, of the last frame

    def observe(self, at: int, venue_time: int) -> int:
        """Lag in ns of a frame received at `at` that the venue stamped `venue_time`; never negative."""
        delay = at - venue_time
        lag = delay - self._offset.observe(at, delay)
        self.lag = lag
        if lag > self._bound:
            self._calm_since = None
            self._above += 1
            if self._above >= ENTER_FRAMES:
                self.behind = True
        elif self.behind:
            self._recover(at, lag)
        else:
            self._above = 0
        return lag

    def _recover(self, at: int, lag: int) -> None:
        if lag * 2 > self._bound:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = at
        elif at - self._calm_since >= RECOVER_HOLD:
            self.behind = False
            self._above = 0
            self._calm_since = None

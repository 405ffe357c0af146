"""When to connect again: full jitter between attempts of one socket, one budget of connects per venue address."""

from __future__ import annotations

from random import Random

from monitor.clock import MILLISECOND, SECOND
from monitor.feed.window import SpendWindow

BASE_DELAY = SECOND // 2  # ceiling of the first delay; doubles with each failure
DELAY_CAP = 60 * SECOND  # a venue that is away for an hour is asked once a minute
LEAST_DELAY = 100 * MILLISECOND  # full jitter alone may draw zero: never a tight loop
HEALTHY_AFTER = 60 * SECOND  # a connection that lived this long starts again from the first delay
CONNECT_SHARE = 0.5  # of the venue's connects per window: other programs share the address
CONNECT_SPACING = (
    50 * MILLISECOND
)  # between two connects to one address, so that a full reconnect is a ramp and not a wall


class Backoff:
    """Delays between the attempts of one socket: uniform in (LEAST_DELAY, min(cap, base * 2^failures)), from a seeded generator.

    AWS architecture blog, "Exponential Backoff And Jitter": full jitter empties a crowd fastest for the work it causes.
    """

    __slots__ = ("_failures", "_random")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    @property
    def failures(self) -> int:
        return self._failures

    def next_delay(self) -> int:
        """Nanoseconds to wait before the next attempt; counts one failure."""
        ceiling = min(DELAY_CAP, BASE_DELAY << min(self._failures, 16))
        self._failures += 1
        return LEAST_DELAY + int(self._random.random() * (ceiling - LEAST_DELAY))

    def lived(self, duration: int) -> None:
        """A connection lasted `duration` ns. Short lives keep the count, so that connect-and-drop loops slow down too."""
        if duration >= HEALTHY_AFTER:
            self._failures = 0


class ConnectBudget:
    """Reserves connect times at one address: spaced, and within the venue's connects per window."""

    __slots__ = ("_last", "_window")

    def __init__(self, connects: int, window_seconds: float) -> None:
        self._window = SpendWindow(max(1, int(connects * CONNECT_SHARE)), max(1, int(window_seconds * SECOND)))
        self._last = -CONNECT_SPACING

    def reserve(self, at: int) -> int:
        """The time, not before `at`, at which the caller may connect. The time is spent, whether used or not."""
        when = self._window.free_at(max(at, self._last + CONNECT_SPACING))
        self._window.used(when)
        self._window.spend(when)
        self._last = when
        return when

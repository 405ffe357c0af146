"""The one clock, at the edge: wall time at start, carried on by the monotonic counter so that it never steps back."""

from __future__ import annotations

import time

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock:
    """Receive time in integer ns since the epoch, strictly monotone within the process."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset

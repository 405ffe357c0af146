"""At most so much in any stretch of time: the one rule behind every limit a venue sets."""

from __future__ import annotations

from collections import deque


class SpendWindow:
    """Allows `limit` units in any `window` ns, counted over a sliding window, which is stricter than the venue's fixed one.

    Times must not step back. What is spent at t no longer counts at t + window.
    """

    __slots__ = ("_spent", "_total", "limit", "window")

    def __init__(self, limit: int, window: int) -> None:
        if limit < 1 or window < 1:
            raise ValueError("a window needs a positive limit and a positive length")
        self.limit = limit
        self.window = window
        self._spent: deque[tuple[int, int]] = deque()
        self._total = 0

    def used(self, at: int) -> int:
        """Units that still count at `at`."""
        spent = self._spent
        gone = at - self.window
        while spent and spent[0][0] <= gone:
            self._total -= spent.popleft()[1]
        return self._total

    def fits(self, at: int, amount: int = 1) -> bool:
        return self.used(at) + amount <= self.limit

    def spend(self, at: int, amount: int = 1) -> None:
        self._spent.append((at, amount))
        self._total += amount

    def free_at(self, at: int, amount: int = 1) -> int:
        """The earliest time, not before `at`, at which `amount` fits (or the window is empty, for an amount beyond the limit)."""
        total = self.used(at)
        when = at
        for spent_at, spent in self._spent:
            if total + amount <= self.limit:
                break
            total -= spent
            when = spent_at + self.window
        return when

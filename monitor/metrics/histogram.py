"""A histogram cheap enough for the hot path: one bisect and two additions, no lock, no label lookup.

One thread observes (the event loop), another may read: a read copies the bucket list in one step and derives the count from
it, so a reader never sees a count that disagrees with the buckets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from monitor.clock import MILLISECOND, SECOND

MICROSECOND = 1_000

# A frame takes 5 us to some ms; beyond 1 s the loop is stuck and the exact figure no longer matters.
PROCESSING_BOUNDS = tuple(
    us * MICROSECOND for us in (5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000, 100_000, 1_000_000)
)
# Wire to acknowledged alert: a loopback broker takes a millisecond, a broker that was away takes minutes.
ALERT_LATENCY_BOUNDS = tuple(
    ms * MILLISECOND for ms in (1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000)
)
# uvloop's timers tick in milliseconds, so the lowest bucket holds its rounding.
LOOP_LAG_BOUNDS = tuple(
    us * MICROSECOND for us in (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
)
# Venue clocks count milliseconds; 5 s is where books are called unreadable.
FEED_LAG_BOUNDS = tuple(ms * MILLISECOND for ms in (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 30_000))


class Histogram:
    """Counts of durations (ns) in fixed buckets; `bounds` are inclusive upper bounds, ascending."""

    __slots__ = ("_counts", "_total", "bounds")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError("bounds ascend and are not empty")
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0

    def observe(self, duration: int) -> None:
        """Count one duration in ns."""
        self._counts[bisect_left(self.bounds, duration)] += 1
        self._total += duration

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets as (upper bound in seconds as text, count), the last being +Inf; and the sum in seconds."""
        counts, total = self._counts.copy(), self._total
        cumulative, rows = 0, []
        for bound, count in zip(self.bounds, counts, strict=False):
            cumulative += count
            rows.append((repr(bound / SECOND), float(cumulative)))
        rows.append(("+Inf", float(cumulative + counts[-1])))
        return rows, total / SECOND


class HistogramFamily:
    """Histograms of one metric by label values. Keep the child that `labels` returns: the lookup is not for the hot path."""

    __slots__ = ("_children", "bounds")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self._children: dict[tuple[str, ...], Histogram] = {}

    def labels(self, *values: str) -> Histogram:
        """The histogram of these label values, in the order of the table; made at first use."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = Histogram(self.bounds)
        return child

    def remove(self, *values: str) -> None:
        """Forget every child whose labels start with `values`, so that a venue that left takes its series along."""
        for key in [key for key in self._children if key[: len(values)] == values]:
            del self._children[key]

    def items(self) -> Iterator[tuple[tuple[str, ...], Histogram]]:
        """Children in the order of their first use; safe against a child being added meanwhile."""
        return iter(list(self._children.items()))

"""Process-level figures: histograms against a plain count, compilations as numba tells them, the loop's lag."""

from __future__ import annotations

import asyncio
import os
import time

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.histogram import LOOP_LAG_BOUNDS, Histogram, HistogramFamily
from monitor.metrics.process import ProcessMetrics, probe_loop_lag


@given(
    bounds=st.lists(st.integers(1, 10**12), min_size=1, max_size=14, unique=True).map(sorted),
    seen=st.lists(st.integers(0, 10**13), max_size=50),
)
def test_buckets_are_cumulative_counts(bounds: list[int], seen: list[int]) -> None:
    histogram = Histogram(tuple(bounds))
    for duration in [*seen, *bounds]:
        histogram.observe(duration)
    buckets, total = histogram.buckets()
    assert [float(le) for le, _ in buckets] == pytest.approx([b / 1e9 for b in bounds] + [float("inf")])
    everything = [*seen, *bounds]
    assert [count for _, count in buckets] == [sum(d <= b for d in everything) for b in bounds] + [len(everything)]
    assert total == pytest.approx(sum(everything) / 1e9)


@pytest.mark.parametrize("bounds", [(), (2, 1), (1, 1)])
def test_bounds_must_ascend(bounds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        Histogram(bounds)


def test_a_venue_that_left_takes_its_series_along() -> None:
    family = HistogramFamily((1, 2))
    kept = family.labels("okx_swap", "book")
    family.labels("binance_usdm", "book")
    family.labels("binance_usdm", "trades")
    assert family.labels("okx_swap", "book") is kept
    family.remove("binance_usdm")
    assert [labels for labels, _ in family.items()] == [("okx_swap", "book")]


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing compiles with the compiler switched off"
)
def test_compilations_are_counted_and_calls_are_not() -> None:
    process = ProcessMetrics()
    counter = process.count_compilations()
    assert process.count_compilations() is counter
    try:
        kernel = numba.njit(lambda x: x + 1)
        assert counter.count == 0
        kernel(1)
        once = counter.count
        assert once >= 1
        kernel(2)
        assert counter.count == once
        kernel(2.5)
        assert counter.count > once
    finally:
        counter.close()
    before = counter.count
    numba.njit(lambda x: x + 2)(1)
    assert counter.count == before


class Announcing(Histogram):
    """Says when something was observed."""

    __slots__ = ("observed",)

    def __init__(self) -> None:
        super().__init__(LOOP_LAG_BOUNDS)
        self.observed = asyncio.Event()

    def observe(self, duration: int) -> None:
        super().observe(duration)
        self.observed.set()


async def test_a_blocked_loop_shows() -> None:
    process = ProcessMetrics()
    histogram = process.event_loop_lag = Announcing()
    probe = asyncio.create_task(probe_loop_lag(process, 1_000_000))
    try:
        await histogram.observed.wait()
        histogram.observed.clear()
        time.sleep(0.03)  # noqa: ASYNC251 - the stall under test
        await histogram.observed.wait()
    finally:
        probe.cancel()
    buckets = dict(histogram.buckets()[0])
    assert buckets["+Inf"] - buckets["0.02"] == 1

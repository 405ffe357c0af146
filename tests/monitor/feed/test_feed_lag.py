"""Clock offset and lag: a skewed clock is an offset, a queue is a lag."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import MILLISECOND, SECOND
from monitor.feed.lag import BUCKET, HISTORY, ClockOffset, LagGauge

START = 1_700_000_000 * SECOND


@pytest.mark.parametrize("skew", [1270 * MILLISECOND, -1270 * MILLISECOND, -3600 * SECOND, 0])
def test_a_skewed_clock_is_an_offset_and_not_a_fault(skew: int) -> None:
    gauge = LagGauge(offset := ClockOffset())
    random = Random("transit")
    for frame in range(20_000):
        at = START + frame * 50 * MILLISECOND
        transit = int(random.uniform(20, 60) * MILLISECOND)
        assert 0 <= gauge.observe(at, at - transit - skew) <= 40 * MILLISECOND
    assert not gauge.behind
    assert offset.value == pytest.approx(skew + 20 * MILLISECOND, abs=MILLISECOND)


def test_a_growing_queue_is_found_and_left_with_hysteresis() -> None:
    gauge = LagGauge(ClockOffset())
    at = START
    behind: list[tuple[int, int]] = []
    for lag in [*range(0, 8000, 100), *range(8000, 0, -100), *[100] * 15]:
        at += 100 * MILLISECOND
        was = gauge.behind
        gauge.observe(at, at - lag * MILLISECOND)
        if gauge.behind != was:
            behind.append((lag, gauge.behind))
    assert behind == [(5200, True), (1500, False)]  # two frames beyond 5 s; a second under 2.5 s


def test_one_odd_venue_time_is_not_a_lagging_connection() -> None:
    gauge = LagGauge(ClockOffset())
    for frame in range(100):
        at = START + frame * SECOND
        gauge.observe(at, at - (3600 * SECOND if frame % 10 == 5 else 0))
        assert not gauge.behind


def test_a_connection_that_opens_late_does_not_set_its_own_zero() -> None:
    offset = ClockOffset()
    good, late = LagGauge(offset), LagGauge(offset)
    good.observe(START, START - 30 * MILLISECOND)
    for frame in range(3):
        at = START + frame * MILLISECOND
        assert late.observe(at, at - 9 * SECOND) == 9 * SECOND - 30 * MILLISECOND
    assert late.behind
    assert not good.behind


def test_the_bound_is_a_setting() -> None:
    gauge = LagGauge(ClockOffset(), bound=SECOND)
    gauge.observe(START, START)
    for frame in range(2):
        gauge.observe(START + frame, START + frame - 2 * SECOND)
    assert gauge.behind


@given(st.lists(st.tuples(st.integers(0, 40 * SECOND), st.integers(-(10**12), 10**12)), min_size=1, max_size=300))
def test_the_rolling_minimum_equals_the_plain_one(steps: list[tuple[int, int]]) -> None:
    offset = ClockOffset()
    at = 0
    seen: list[tuple[int, int]] = []
    for wait, delay in steps:
        at += wait
        seen.append((at // BUCKET, delay))
        held = [value for bucket, value in seen if bucket > at // BUCKET - HISTORY // BUCKET]
        assert offset.observe(at, delay) == min(held)
        assert offset.value == min(held)
    assert len(offset._minima) <= HISTORY // BUCKET + 1
    assert all(earlier[1] < later[1] for earlier, later in pairwise(offset._minima))


def test_an_old_minimum_leaves_when_its_bucket_is_ten_minutes_back() -> None:
    offset = ClockOffset()
    offset.observe(0, 5)
    for bucket in range(1, HISTORY // BUCKET):
        assert offset.observe(bucket * BUCKET, 9) == 5
    assert offset.observe(HISTORY, 9) == 9

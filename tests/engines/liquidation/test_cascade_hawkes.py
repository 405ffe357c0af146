"""Models 4.6: worked numbers, twins, the fit, the tracker, and the two measured warnings in small."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from cascade_twins import REL
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.liquidation import branching, hawkes
from engines.liquidation import tracker as tracker_module
from engines.liquidation.tracker import HawkesTracker, TrackerSettings

TIMES = np.array([0.0, 0.4, 0.5, 1.7, 1.8, 1.85, 3.0])
MARKS = np.array([1.0, 0.5, 2.0, 1.0, 3.0, 0.2, 1.0])
SECOND = 1_000_000_000
MODEL = (0.5, 0.8, 1.6, 4.0)


def test_example_4_6() -> None:
    found = np.empty(8)
    assert hawkes.intensities(TIMES, np.ones(7), *MODEL, found) == 8
    want = [0.5, 0.921833939, 1.5411782, 0.769929543, 1.41173381, 2.08012947, 0.878006035, 0.737835317]
    assert found == pytest.approx(want, rel=REL)
    assert hawkes.compensator(TIMES, np.ones(7), *MODEL) == pytest.approx(5.35135293, rel=REL)
    assert hawkes.log_likelihood(TIMES, np.ones(7), *MODEL) == pytest.approx(-5.00765244, rel=REL)


def test_example_4_6_with_marks() -> None:
    found = np.empty(8)
    hawkes.intensities(TIMES, MARKS, *MODEL, found)
    assert found[6] == pytest.approx(1.01934351, rel=REL)
    assert hawkes.compensator(TIMES, MARKS, *MODEL) == pytest.approx(6.18351821, rel=REL)
    assert hawkes.log_likelihood(TIMES, MARKS, *MODEL) == pytest.approx(-5.26557649, rel=REL)
    assert hawkes.branching(0.8, 1.6, MARKS.mean()) == pytest.approx(0.621428571, rel=REL)
    assert hawkes.amplification(0.5) == 2.0
    assert hawkes.amplification(1.0) == math.inf
    assert math.isnan(hawkes.branching(1.0, 0.0))


def test_example_4_6_counts() -> None:
    counts = np.array([3, 5, 2, 9, 14, 1, 0, 4, 22, 6], float)
    assert counts.mean() == pytest.approx(6.6)
    assert counts.var(ddof=1) == pytest.approx(46.2666667, rel=REL)
    assert branching.branching_of_counts(counts) == pytest.approx(0.622307934, rel=REL)
    mean, variance, found = 5.0, 10.0, []
    for count in (4.0, 6.0, 20.0, 35.0, 12.0):
        mean, variance = branching.update_counts(mean, variance, count, 0.9)
        found.append(branching.branching_of(mean, variance))
    assert found == pytest.approx([0.265797095, 0.222600571, 0.515109862, 0.690939748, 0.670825806], rel=REL)


def test_example_4_6_finite_windows() -> None:
    for window, want in ((10.0, 37.4200647), (60.0, 83.5408994), (300.0, 96.7)):
        assert branching.fano(0.9, 1.0, window) == pytest.approx(want, rel=REL)
    assert 1 - math.sqrt(1 / branching.fano(0.9, 1.0, 10.0)) == pytest.approx(0.83652636, rel=REL)


@given(st.floats(0.001, 0.98), st.floats(0.01, 10), st.floats(0.1, 1000))
def test_the_correction_finds_its_n(n: float, beta: float, window: float) -> None:
    assert branching.branching_of_fano(branching.fano(n, beta, window), beta, window) == pytest.approx(n, abs=1e-5)


def test_nothing_to_count() -> None:
    assert math.isnan(branching.branching_of_counts(np.array([3.0])))
    assert math.isnan(branching.branching_of_counts(np.zeros(5)))
    assert branching.branching_of_counts(np.full(5, 3.0)) == 0.0  # more regular than chance
    assert branching.branching_of_fano(0.5, 1.0, 60.0) == 0.0
    assert math.isnan(branching.branching_of_fano(math.nan, 1.0, 60.0))
    assert branching.fano(1.0, 1.0, 60.0) == math.inf


EVENTS = st.lists(st.tuples(st.floats(0.01, 50), st.floats(0.1, 5)), min_size=1, max_size=12)


@given(EVENTS, st.floats(0.01, 2), st.floats(0, 2), st.floats(0.05, 5), st.floats(0, 20))
def test_recursions_equal_the_sums(
    events: list[tuple[float, float]], mu: float, alpha: float, beta: float, rest: float
) -> None:
    times, marks = np.cumsum([gap for gap, _ in events]), np.array([w for _, w in events])
    end = float(times[-1]) + rest

    def rate(t: float) -> float:
        return mu + sum(alpha * w * math.exp(-beta * (t - s)) for s, w in zip(times, marks, strict=True) if s < t)

    found = np.empty(len(times) + 1)
    hawkes.intensities(times, marks, mu, alpha, beta, end, found)
    assert found[:-1] == pytest.approx([rate(t) for t in times], rel=1e-9)
    # The integral piece by piece: between events the rate decays to mu.
    edges = [0.0, *times.tolist(), end]
    area = 0.0
    for a, b in itertools.pairwise(edges):
        after = sum(alpha * w * math.exp(-beta * (a - s)) for s, w in zip(times, marks, strict=True) if s <= a)
        area += mu * (b - a) + after * (1 - math.exp(-beta * (b - a))) / beta
    assert hawkes.compensator(times, marks, mu, alpha, beta, end) == pytest.approx(area, rel=1e-9)
    want = sum(math.log(rate(t)) for t in times) - area
    assert hawkes.log_likelihood(times, marks, mu, alpha, beta, end) == pytest.approx(want, rel=1e-9, abs=1e-9)


def born(seed: int, n: float, beta: float, mu: float, end: float) -> np.ndarray:
    """A process by its family tree: immigrants, and a Poisson number of children each, exponentially later."""
    rng = np.random.default_rng(seed)
    parents = rng.uniform(0, end, rng.poisson(mu * end))
    everybody = [parents]
    while len(parents):
        parents = np.repeat(parents, rng.poisson(n, len(parents)))
        parents = parents + rng.exponential(1 / beta, len(parents))
        parents = parents[parents < end]
        everybody.append(parents)
    return np.sort(np.concatenate(everybody))


def fitted(times: np.ndarray, end: float, marks: np.ndarray | None = None) -> tuple[int, np.ndarray]:
    found = np.empty(hawkes.FIT_COLUMNS)
    marks = np.ones(len(times)) if marks is None else marks
    return hawkes.fit(times, marks, end, 0.02, 20.0, np.empty(len(times)), found), found


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_at_the_maximum(seed: int) -> None:
    times, marks = born(seed, 0.6, 0.8, 0.3, 300.0), None
    if seed == 2:
        marks = np.random.default_rng(seed).uniform(0.5, 1.5, len(times))
    used, found = fitted(times, 300.0, marks)
    marks = np.ones(len(times)) if marks is None else marks
    assert used == len(times)
    mu, alpha, beta = found[:3]
    best = hawkes.log_likelihood(times, marks, mu, alpha, beta, 300.0)
    assert found[hawkes.FIT_LOG_LIKELIHOOD] == pytest.approx(best, rel=1e-9)
    assert found[hawkes.FIT_BRANCHING] == pytest.approx(hawkes.branching(alpha, beta, marks.mean()))
    for f in (0.9, 0.97, 1.03, 1.1):
        for other in ((mu * f, alpha, beta), (mu, alpha * f, beta), (mu, alpha, beta * f), (mu, alpha * f, beta * f)):
            assert hawkes.log_likelihood(times, marks, *other, 300.0) < best
    # At the maximum the model expects as many events as there are.
    assert hawkes.compensator(times, marks, mu, alpha, beta, 300.0) == pytest.approx(len(times), rel=1e-5)


@pytest.mark.parametrize("n", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("beta", [0.02, 0.5, 20.0])
def test_the_slope_is_zero_at_the_fit_or_points_out_of_bounds(n: float, beta: float) -> None:
    times = born(11, n, 0.7, 0.3, 300.0)
    marks = np.random.default_rng(1).pareto(2.5, len(times)) + 0.1
    excitement = np.empty(len(times))
    mu, alpha, _ = hawkes.fit_given_beta(times, marks, beta, 300.0, excitement)
    rate = mu + alpha * excitement
    along_mu = (1 / rate).sum() - 300.0
    along_alpha = (excitement / rate).sum() + (marks * np.expm1(-beta * (300.0 - times))).sum() / beta
    assert abs(along_mu) * mu < 1e-6 * len(times)
    assert abs(along_alpha) * alpha < 1e-6 * len(times)
    assert alpha > 0.0 or along_alpha <= 0.0


def test_a_fit_without_enough_is_none() -> None:
    assert fitted(TIMES, 4.0)[0] == 0
    assert np.isnan(fitted(TIMES, 4.0)[1]).all()
    many = np.linspace(0, 10, 30)
    for end, times in ((0.0, many), (5.0, many), (math.nan, many), (20.0, many[::-1].copy()), (20.0, many * np.nan)):
        assert fitted(times, end)[0] == 0
    assert fitted(many, 20.0, np.full(30, math.nan))[0] == 0
    used, found = fitted(many, 10.0)  # as regular as a clock: nothing excites anything
    assert used == 30
    assert found[hawkes.FIT_BRANCHING] < 0.05


def counted(times: np.ndarray, end: float, window: float = 60.0) -> float:
    return float(branching.branching_of_counts(np.histogram(times, np.arange(0, end + 1, window))[0].astype(float)))


def test_warning_one_a_feed_that_censors_hides_most_of_it() -> None:
    end = 20_000.0
    times = born(7, 0.8, 1.0, 0.2, end)
    kept = times[np.unique(times.astype(int), return_index=True)[1]]  # one event a second
    assert counted(times, end) == pytest.approx(0.79, abs=0.05)
    assert counted(kept, end) < 0.6
    assert counted(kept, end) < counted(times, end) - 0.2


def test_warning_two_a_changing_rate_looks_critical() -> None:
    rng = np.random.default_rng(3)
    end, half_hour = 8 * 3600.0, 1800.0
    times = np.sort(rng.uniform(0, end, rng.poisson(5 * end)))
    quiet = (times // half_hour % 2 == 0) & (rng.random(len(times)) < 0.8)  # 1 a second, then 5
    assert counted(times[~quiet], end) == pytest.approx(0.89, abs=0.04)
    assert counted(times[times < half_hour], half_hour) < 0.3  # the same, while its rate stands still


# -- the tracker
def test_the_tracker_has_the_intensity_of_the_sums() -> None:
    tracker = HawkesTracker(complete=True, settings=TrackerSettings(mu=0.5, alpha=0.8, beta=1.6))
    assert tracker.intensity(0) == 0.5
    for time, mark in zip(TIMES, MARKS, strict=True):
        tracker.event(round(time * SECOND), mark)
    found = np.empty(8)
    hawkes.intensities(TIMES, MARKS, *MODEL, found)
    assert tracker.intensity(4 * SECOND) == pytest.approx(found[7])
    before = tracker.intensity(3 * SECOND)
    tracker.event(2 * SECOND, 1.0)  # late: counts as now
    assert tracker.intensity(3 * SECOND) == pytest.approx(before + 0.8)
    for mark in (math.nan, 0.0, -1.0, math.inf):
        tracker.event(3 * SECOND, mark)
    assert tracker.intensity(3 * SECOND) == pytest.approx(before + 0.8)


def test_n_is_the_online_estimate_of_the_slots() -> None:
    tracker = HawkesTracker(complete=True, settings=TrackerSettings(min_slots=6))
    counts = (7, 3, 0, 9, 20, 2, 4, 11)
    for slot, count in enumerate((5, *counts)):  # the first one is partial
        for k in range(count):
            tracker.event((slot * 60 + 3 * k) * SECOND)
    assert tracker.counted(5 * 60 * SECOND) is not None
    mean, variance = 7.0, 7.0
    for count in counts[1:]:
        mean, variance = branching.update_counts(mean, variance, float(count), 0.9)
    at = 9 * 60 * SECOND
    assert tracker.counted(at) == pytest.approx(branching.branching_of(mean, variance))
    assert tracker.corrected(at) == pytest.approx(branching.branching_of_fano(variance / mean, 0.5, 60.0))
    assert tracker.corrected(at) >= tracker.counted(at)  # type: ignore[operator]


def test_no_n_from_an_incomplete_feed_or_too_early() -> None:
    censored, young = HawkesTracker(complete=False), HawkesTracker(complete=True)
    for k in range(200):
        censored.event(k * 10 * SECOND)
    young.event(0)
    at = 2000 * SECOND
    assert censored.counted(at) is None
    assert censored.corrected(at) is None
    assert censored.fitted(at) is None
    assert censored.intensity(at) > 0.1
    assert young.counted(120 * SECOND) is None
    assert young.fitted(120 * SECOND) is None
    assert HawkesTracker(complete=True).counted(at) is None


def test_a_long_silence_begins_afresh() -> None:
    tracker = HawkesTracker(complete=True, settings=TrackerSettings(min_slots=2))
    for k in range(300):
        tracker.event(k * SECOND)
    assert tracker.counted(300 * SECOND) is not None
    assert tracker.counted(10**9 * SECOND) is None


def test_the_fit_over_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_module, "MAX_EVENTS", 800)
    times = born(5, 0.7, 1.0, 0.4, 1200.0)
    tracker = HawkesTracker(complete=True, settings=TrackerSettings(window_seconds=600))
    for time in times:
        tracker.event(round(time * SECOND))
    last = times[times >= 600.0] - 600.0
    assert tracker.fitted(1200 * SECOND) == pytest.approx(fitted(last, 600.0)[1][hawkes.FIT_BRANCHING], rel=1e-3)
    calm = np.cumsum(np.random.default_rng(1).exponential(0.1, 900))
    for time in calm:
        tracker.event(round((1200 + time) * SECOND))
    n = tracker.fitted(round((1200 + calm[-1]) * SECOND))
    assert n is not None
    assert n < 0.2  # nothing excites anything, and what came before it has been dropped


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 10**12), st.floats(allow_nan=True, allow_infinity=True)), max_size=40))
def test_the_tracker_takes_anything(events: list[tuple[int, float]]) -> None:
    tracker = HawkesTracker(complete=True)
    for at, mark in events:
        tracker.event(at, mark)
    now = 10**12
    assert tracker.intensity(now) >= 0.1
    for n in (tracker.counted(now), tracker.corrected(now), tracker.fitted(now)):
        assert n is None or n >= 0.0

"""Worked numbers of models.md 1.5, 1.6 and the properties behind them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.depth import baseline, matched, resilience

REL = 1e-6


def _state(rows: int, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(rows), np.zeros((rows, bins)), np.zeros(rows, np.int64)


def test_example_1_6a_smoothing_and_plain_mean() -> None:
    assert baseline.smoothing(3600, 7 * 86400) == pytest.approx(0.00411737634, rel=REL)
    alpha = baseline.smoothing(1, 24)  # 1-h steps, half-life 24 h
    mean, ratios = 8.0, []
    for sample in (8.2, 7.9, 6.5, 5.0):
        ratios.append(sample / mean)
        mean += alpha * (sample - mean)
    assert ratios == pytest.approx([1.025, 0.986797695, 0.812227425, 0.628148105], rel=REL)
    assert mean == pytest.approx(7.87564342, rel=REL)


def test_example_1_6b_two_seasonal_bins() -> None:
    mean, seasonal, samples = _state(1, 2)
    mean[0], samples[0] = math.log(7.0), 10**9  # settled: no start-up weight
    seasonal[0] = (0.1, -0.1)
    ratios = [
        baseline.update_series(depth, 0, i % 2, mean, seasonal, samples, 0.1, 0.05)
        for i, depth in enumerate((8.0, 6.0, 8.4, 5.8, 5.0))
    ]
    assert ratios == pytest.approx([1.03409991, 0.944118285, 1.08658769, 0.912941002, 0.64461664], rel=REL)
    assert mean[0] == pytest.approx(1.88702093, rel=REL)
    assert seasonal[0, 0] == pytest.approx(0.0956515492, rel=REL)


def test_example_1_6c_matched_venues() -> None:
    ratio, coverage = matched.matched_ratio([3.1, 1.4, None], [4.0, 1.5, 2.5])
    assert ratio == pytest.approx(0.818181818, rel=REL)
    assert coverage == pytest.approx(0.6875, rel=REL)


def test_nothing_known_is_nan_not_zero() -> None:
    assert all(math.isnan(x) for x in matched.matched_ratio([None], [None]))
    ratio, coverage = matched.matched_ratio([None], [2.0])
    assert math.isnan(ratio)
    assert coverage == 0.0


def test_example_1_5_refill() -> None:
    depth = np.array([2.0, 3.30, 4.35, 5.10, 5.78, 6.25])
    deficit = 8.0 - depth
    phi, kappa = resilience.decay_rate_ar1(deficit, 1.0)
    assert phi == pytest.approx(0.781856004, rel=REL)
    assert kappa == pytest.approx(0.246084694, rel=REL)
    assert resilience.half_life(kappa) == pytest.approx(2.81670172, rel=REL)
    kappa_ols, start = resilience.decay_rate_ols(deficit, 1.0)
    assert kappa_ols == pytest.approx(0.246882879, rel=REL)
    assert resilience.half_life(kappa_ols) == pytest.approx(2.80759517, rel=REL)
    assert start == pytest.approx(6.00857536, rel=REL)
    assert resilience.refill_ratio(8.0, 2.0, 6.25) == pytest.approx(0.708333333, rel=REL)
    assert resilience.refill_speed(2.0e6, 6.25e6, 5.0) == pytest.approx(850_000, rel=REL)


def test_example_1_5_flows() -> None:
    assert resilience.depth_change(1.5e6, 2.4e6, 0.9e6, 0.3e6) == pytest.approx(-1_500_000)
    assert resilience.withdrawal_share(2.4e6, 0.9e6) == pytest.approx(0.727272727, rel=REL)
    assert math.isnan(resilience.withdrawal_share(0.0, 0.0))


def _twin(depths: list[float], bins: list[int], alpha: float, alpha_s: float, n_bins: int) -> tuple[list[float], float]:
    """The formulas of 1.6, written again over Python lists."""
    mu, s, n, ratios = 0.0, [0.0] * n_bins, 0, []
    for depth, b in zip(depths, bins, strict=True):
        y = math.log(depth)
        if n == 0:
            mu, n = y, 1
            ratios.append(math.nan)
            continue
        e = y - mu - s[b]
        mu += max(alpha, 1 / (n + 1)) * e
        n += 1
        s[b] += alpha_s * e
        m = sum(s) / n_bins
        s = [x - m for x in s]
        mu += m
        ratios.append(math.exp(e))
    return ratios, mu


@given(
    st.lists(st.tuples(st.floats(1e-3, 1e9), st.integers(0, 6)), min_size=1, max_size=60),
    st.floats(1e-6, 0.5),
    st.floats(0.0, 0.5),
)
def test_update_equals_its_twin(rows: list[tuple[float, int]], alpha: float, alpha_s: float) -> None:
    mean, seasonal, samples = _state(1, 7)
    got = [baseline.update_series(d, 0, b, mean, seasonal, samples, alpha, alpha_s) for d, b in rows]
    want, mu = _twin([d for d, _ in rows], [b for _, b in rows], alpha, alpha_s, 7)
    assert got == pytest.approx(want, rel=1e-9, nan_ok=True)
    assert mean[0] == pytest.approx(mu, rel=1e-9, abs=1e-9)
    assert abs(seasonal[0].sum()) < 1e-6


@given(st.floats(1e-3, 1e9), st.integers(2, 50))
def test_constant_depth_has_ratio_one(depth: float, steps: int) -> None:
    mean, seasonal, samples = _state(1, 168)
    for _ in range(steps):
        baseline.update_series(depth, 0, 5, mean, seasonal, samples, 1e-5, 1e-4)
    assert baseline.ratio_to_series(depth, 0, 5, mean, seasonal, samples) == pytest.approx(1.0)
    assert baseline.level_of_series(0, 5, mean, seasonal, samples) == pytest.approx(depth)


def test_hour_of_week() -> None:
    monday = 1_770_000_000 // 604800 * 604800 + 4 * 86400  # a Monday 00:00 UTC: the epoch was a Thursday
    assert baseline.hour_of_week(monday * 10**9) == 0
    assert baseline.hour_of_week(monday * 10**9 - 1) == 167
    assert baseline.hour_of_week(0) == 72

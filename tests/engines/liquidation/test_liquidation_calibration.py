"""De-censoring, survival and acceptance: worked numbers of models.md 3.5, and the properties behind them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.liquidation import acceptance, calibration, censoring
from engines.liquidation.acceptance import MapScore, Verdict
from engines.liquidation.calibration import NullRate, OnlineSurvival, fit_survival
from engines.liquidation.censoring import NOTHING_KNOWN, Rule

REL = 1e-6
X = np.array([(120, 300, 80), (400, 60, 10), (90, 200, 500), (30, 500, 260)], float)
Y = np.array([150.0, 240.0, 140.0, 190.0])
COINS = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))


# -- de-censoring
def test_example_3_5_censoring() -> None:
    rate = censoring.arrival_rate(0.6, 1.0)
    assert rate == pytest.approx(0.916290732, rel=REL)
    assert censoring.uncensored_rate(Rule.LATEST, 0.6, 25_000, 1.0) == pytest.approx(22907.268297, rel=REL)
    assert censoring.mean_size(Rule.LARGEST, 32_000, rate, 1.0) == pytest.approx(25850.107987, rel=REL)
    assert censoring.uncensored_rate(Rule.LARGEST, 0.6, 32_000, 1.0) == pytest.approx(23686.214366, rel=REL)
    assert censoring.ein(2.0) == pytest.approx(1.31926336, rel=REL)


@given(st.floats(1e-9, 60.0))
def test_ein_is_the_integral(z: float) -> None:
    """Ein(z) = integral over 0..z of (1 - e^-t)/t, by Gauss-Legendre; both branches and where they meet."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = z * (nodes + 1) / 2
    assert censoring.ein(z) == pytest.approx(float(weights @ (-np.expm1(-t) / t)) * z / 2, rel=1e-10)


def test_exponential_integral_known_values() -> None:
    assert censoring.exponential_integral(1.0) == pytest.approx(0.21938393439552029, rel=1e-13)
    assert censoring.exponential_integral(5.0) == pytest.approx(0.001148295591275326, rel=1e-12)
    assert math.isnan(censoring.exponential_integral(0.0))
    assert censoring.exponential_integral(1e4) == 0.0


@pytest.mark.parametrize(("rule", "rate"), [(Rule.LATEST, 0.9), (Rule.LARGEST, 0.9), (Rule.LARGEST, 2.5)])
def test_both_rules_recover_a_simulated_rate(rule: Rule, rate: float) -> None:
    random = np.random.default_rng(5)
    counts = random.poisson(rate, 40_000)
    shown, total = [], 0.0
    for count in counts[counts > 0].tolist():
        sizes = random.exponential(1000.0, count)
        total += float(sizes.sum())
        shown.append(float(sizes[-1] if rule is Rule.LATEST else sizes.max()))
    found = censoring.uncensor(len(shown), sum(shown), 40_000, 1.0, rule)
    assert not found.capped
    assert found.low == pytest.approx(sum(shown))
    assert found.base == pytest.approx(total, rel=0.02)


def test_a_burst_is_an_interval_by_other_views() -> None:
    shown = 60 * 25_000.0
    alone = censoring.uncensor(60, shown, 60, 1.0, Rule.LATEST)
    assert alone.capped
    assert (alone.low, alone.base, alone.high) == (shown, shown * censoring.DEFAULT_CAP, shown * censoring.DEFAULT_CAP)
    # 4 M by open interest, 3 M by the complete feeds: the cap is only a bound.
    both = censoring.uncensor(60, shown, 60, 1.0, Rule.LATEST, 4e6, 1.5e6, 2.0)
    assert (both.low, both.base, both.high) == (shown, 4e6, shown * censoring.DEFAULT_CAP)
    more = censoring.uncensor(60, shown, 60, 1.0, Rule.LATEST, 9e6)
    assert (more.base, more.high) == (9e6, 9e6)
    # Outside a burst the rule decides, and the checks widen the interval.
    quiet = censoring.uncensor(6, 6000.0, 60, 1.0, Rule.LATEST, 50_000.0)
    assert quiet.low == 6000.0
    assert quiet.base == pytest.approx(-math.log(0.9) * 60 * 1000)
    assert quiet.high == 50_000.0


def test_silence_and_nonsense() -> None:
    assert censoring.uncensor(0, 0.0, 60, 1.0, Rule.LATEST) == censoring.Estimate(0.0, 0.0, 0.0, False)
    assert censoring.uncensor(0, 0.0, 60, 1.0, Rule.LATEST, math.nan, 500.0, 2.0).high == 1000.0
    for prints, shown, window, slot in [(-1, 5.0, 60, 1), (3, math.nan, 60, 1), (0, 5.0, 60, 1), (3, 5.0, 60, 0)]:
        assert censoring.uncensor(prints, shown, window, slot, Rule.LATEST) is NOTHING_KNOWN
    assert math.isnan(censoring.arrival_rate(1.5, 1.0))
    assert math.isnan(censoring.arrival_rate(math.nan, 1.0))


@given(st.integers(0, 200), st.floats(1.0, 1e9), st.sampled_from(list(Rule)), *[st.floats()] * 3)
def test_an_estimate_is_ordered(prints: int, shown: float, rule: Rule, drop: float, other: float, ratio: float) -> None:
    found = censoring.uncensor(prints, shown if prints else 0.0, 100.0, 1.0, rule, drop, other, ratio)
    assert 0.0 <= found.low <= found.base <= found.high < math.inf


# -- survival
def test_example_3_5_survival() -> None:
    start = np.full(3, 0.3)
    assert fit_survival(X, Y, start, 1) == pytest.approx([0.411593556, 0.260692925, 0.212053675], rel=REL)
    assert fit_survival(X, Y, start, 10) == pytest.approx([0.543995939, 0.268133572, 0.103083545], rel=REL)
    assert fit_survival(X, Y, start, 20_000) == pytest.approx([0.54280629, 0.298614227, 0.0659681109], rel=REL)
    online = OnlineSurvival(np.full(3, 10.0), 0.3, 0.95)
    for x, y in zip(X[:2], Y[:2], strict=True):
        online.update(x, float(y))
    assert online.survival == pytest.approx([0.461092336, 0.335698885, 0.322166619], rel=REL)


@settings(max_examples=50)
@given(st.lists(st.tuples(*[COINS] * 3), min_size=1, max_size=6), st.data())
def test_em_against_its_formula_and_its_sum(rows: list[tuple[float, ...]], data: st.DataObject) -> None:
    y = data.draw(st.lists(COINS, min_size=len(rows), max_size=len(rows)))
    found = fit_survival(np.array(rows), np.array(y), np.full(3, 0.4), 2)
    eta = [0.4, 0.4, 0.4]
    for _ in range(2):
        predicted = [sum(x * e for x, e in zip(row, eta, strict=True)) for row in rows]
        eta = [
            e * sum(r[i] * v / p for r, v, p in zip(rows, y, predicted, strict=True) if p > 0) / sum(r[i] for r in rows)
            if sum(r[i] for r in rows) > 0
            else e
            for i, e in enumerate(eta)
        ]
    assert found.tolist() == pytest.approx(eta, rel=1e-9, abs=1e-9)
    possible = sum(v for row, v in zip(rows, y, strict=True) if sum(x * e for x, e in zip(row, eta, strict=True)) > 0)
    if all(e > 0 for e in eta):
        assert float((np.array(rows) @ found).sum()) == pytest.approx(possible, rel=1e-9, abs=1e-9)


def test_em_finds_what_made_the_data() -> None:
    true = np.array([0.7, 0.05, 0.3])
    assert fit_survival(X, X @ true, np.full(3, 0.5), 5_000) == pytest.approx(true, rel=1e-4)


def test_unknown_intervals_teach_nothing() -> None:
    with_holes = fit_survival(
        np.vstack([X, [[math.nan, 1, 1]], X[:1]]), np.array([*Y, 5.0, math.nan]), np.full(3, 0.3), 5
    )
    assert with_holes == pytest.approx(fit_survival(X, Y, np.full(3, 0.3), 5))
    online = OnlineSurvival(np.full(3, 10.0))
    before = online.dump()
    for x, y in [(X[0], math.nan), (X[0], -1.0), (np.zeros(3), 5.0), (np.full(3, math.nan), 5.0)]:
        online.update(x, y)
    assert online.dump() == before
    assert math.isnan(online.predict(np.full(3, math.nan)))


def test_survival_is_predicted_before_it_is_learned_and_stored() -> None:
    online, again = OnlineSurvival(np.full(3, 10.0), 0.3, 0.95), OnlineSurvival(np.full(3, 10.0))
    first = online.predict(X[0])
    assert first == pytest.approx(150.0)
    online.update(X[0], 300.0)
    assert online.predict(X[0]) > first
    again.load(json.loads(json.dumps(online.dump())))
    np.testing.assert_array_equal(again.survival, online.survival)
    for stored in ({}, {"a": [1.0], "b": [1.0]}, {"a": [1, 1, math.nan], "b": [1, 1, 1]}, {"a": 3, "b": None}):
        with pytest.raises(ValueError, match="stored survival"):
            again.load(stored)


def test_survival_never_divides_by_what_was_forgotten() -> None:
    online = OnlineSurvival(np.full(2, 1.0), 0.5, 0.5)
    for _ in range(2000):
        online.update(np.array([1.0, 0.0]), 0.25)
    assert online.survival == pytest.approx([0.25, 0.5])


def test_diffuse_rates_are_learned_beside_survival() -> None:
    random, true = np.random.default_rng(4), np.array([0.02, 0.4, 0.05])
    x = np.stack(
        [
            calibration.with_diffuse(
                np.array([0.0, random.exponential(50)]), 1000.0, 100.0, 100.0 - 4 * random.uniform()
            )
            for _ in range(200)
        ]
    )
    assert fit_survival(x, x @ true, np.full(3, 0.1), 5000) == pytest.approx(true, rel=1e-3)
    assert calibration.with_diffuse(np.array([0.0, 7.0]), 1000.0, 100.0, 98.0) == pytest.approx([20.0, 7.0, 40.0])
    assert calibration.with_diffuse(np.array([0.0, 7.0]), 1000.0, 100.0, 110.0) == pytest.approx([100.0, 7.0, 750.0])


def test_null_rate() -> None:
    assert calibration.null_crossed(1000.0, 100.0, 98.0) == pytest.approx(20.0)
    assert calibration.null_crossed(1000.0, 100.0, 102.0) == pytest.approx(20.0)
    assert math.isnan(calibration.null_crossed(math.nan, 100.0, 98.0))
    null = NullRate(0.1, 20.0, 0.5)
    assert null.predict(20.0) == pytest.approx(2.0)
    null.update(20.0, 8.0)
    assert null.rate == pytest.approx((0.5 * 2 + 8) / (0.5 * 20 + 20))
    null.update(0.0, 5.0)
    null.update(5.0, math.nan)
    assert null.rate == pytest.approx(0.3)
    out = np.empty(3)
    null.liquidations(1000.0, np.array([0.0, 0.1, 9.0]), out)
    assert out == pytest.approx([0.0, 30.0, 1000.0])


# -- acceptance
@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_rank_correlation_against_its_definition(pairs: list[tuple[int, int]]) -> None:
    columns = [list(column) for column in zip(*pairs, strict=True)]
    ranked = [[sum(o < v for o in c) + (sum(o == v for o in c) + 1) / 2 for v in c] for c in columns]
    means = [sum(r) / len(r) for r in ranked]
    a, b = ([v - m for v in r] for r, m in zip(ranked, means, strict=True))
    norm = math.sqrt(sum(v * v for v in a) * sum(v * v for v in b))
    found = acceptance.rank_correlation(*(np.array(c, float) for c in columns))
    if norm == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sum(x * y for x, y in zip(a, b, strict=True)) / norm, abs=1e-12)


def test_measures() -> None:
    assert acceptance.poisson_deviance(5.0, 5.0) == 0.0
    assert acceptance.poisson_deviance(0.0, 3.0) == 6.0
    assert acceptance.poisson_deviance(4.0, 2.0) == pytest.approx(2 * (4 * math.log(2) - 2))
    assert acceptance.poisson_deviance(1.0, 0.0) == math.inf
    assert math.isnan(acceptance.poisson_deviance(math.nan, 1.0))
    x = np.array([1.0, 2.0, 4.0, 8.0])
    assert acceptance.calibration_slope(3 * x + 5, x) == pytest.approx(3.0)
    assert math.isnan(acceptance.calibration_slope(x, np.ones(4)))
    assert math.isnan(acceptance.calibration_slope(x, np.zeros(4)))
    assert acceptance.total_variation(np.array([0, 1, 2.0]), np.array([0, 5, 10.0])) == 0.0
    assert acceptance.total_variation(np.array([0, 1, 1.0]), np.array([0, 0, 7.0])) == 1.0
    assert math.isnan(acceptance.total_variation(np.zeros(3), np.arange(3.0)))


def scored(count: int, level: float = 1.0, slope: float = 1.0, swapped: bool = False) -> MapScore:
    made, random = MapScore(), np.random.default_rng(2)
    for _ in range(count):
        true = float(random.gamma(1.0, 100.0))
        said = level * (100.0 + slope * (true - 100.0))
        made.add(float(random.poisson(true)) + 0.01, *((100.0, max(said, 0.0)) if swapped else (max(said, 0.0), 100.0)))
    return made


def test_verdicts() -> None:
    good = scored(300).score()
    assert good.verdict is Verdict.CALIBRATED
    assert good.deviance_ratio < 0.2
    assert good.rank_correlation > 0.9
    assert good.slope == pytest.approx(1.0, abs=0.1)
    assert scored(0).score().verdict is Verdict.INDICATIVE
    for made, word in (
        (scored(49), "only 49 of 50"),
        (scored(300, swapped=True), "no better"),
        (scored(300, level=0.45), "times the predicted"),
        (scored(300, slope=0.4), "as fast"),
    ):
        found = made.score()
        assert found.verdict is Verdict.INDICATIVE
        assert word in found.reason


def test_score_takes_no_nonsense_and_is_stored() -> None:
    made, again = scored(80), MapScore()
    before = made.dump()
    assert not made.add(math.nan, 1.0, 1.0)
    assert not made.add(1.0, -1.0, 1.0)
    assert made.add(0.0, 0.0, 0.0)
    assert made.dump() == before
    again.load(json.loads(json.dumps(before)))
    assert again.score() == made.score()
    for stored in ({}, {**before, "sums": [1.0]}, {**before, "pairs": [[1.0]]}, {**before, "events": -1}):
        with pytest.raises(ValueError, match="stored score"):
            again.load(stored)
    assert again.score() == made.score()
    # A prediction of zero where something happened costs much, not infinity.
    made.add(50.0, 0.0, 10.0)
    assert math.isfinite(made.score().deviance_ratio)

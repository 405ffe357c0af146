"""The map of one market: worked numbers of models.md 3.3 and 3.4, the cohort twin, and what must hold whatever comes."""

from __future__ import annotations

import json
import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_twin import CohortMap
from numba import config

from engines.liquidation import exposure, priors
from engines.liquidation.exposure_map import ExposureMap
from engines.liquidation.exposure_types import Flows, Interval, MapParameters, Position, Reason

REL = 1e-6
LONG, SHORT = Position.LONG, Position.SHORT
EXAMPLE = MapParameters(
    maintenance_rate=0.005,
    buckets=(1.0, 10.0, 25.0, 50.0),
    taker_mix=(0.2, 0.4, 0.25, 0.15),
    maker_mix=(0.8, 0.15, 0.05, 0.0),
    survival=(0.6,) * 4,
)
STEPS = (
    Interval(3600, 500, 3000, 2000, 70500, 70300, 70800),
    Interval(3600, -300, 1500, 2500, 69800, 69500, 70400, 0.0001),
    Interval(3600, -900, 2000, 6000, 68500, 67400, 69600),
)
DEFAULT = MapParameters(maintenance_rate=0.005)
INVERSE = replace(DEFAULT, inverse=True)
QUIET = Interval(300, 0.0, 50.0, 50.0, 70000.0, 69900.0, 70100.0)


def seeded(
    parameters: MapParameters = DEFAULT, open_interest: float = 10_000.0, price: float = 70_000.0
) -> ExposureMap:
    made = ExposureMap(parameters)
    assert made.seed(open_interest, np.array([price]), np.ones(1), price) is Reason.OK
    return made


def cumulative(of: ExposureMap, side: Position, reference: float, moves: list[float], **how: object) -> list[float]:
    out = np.empty(len(moves))
    assert of.liquidations(side, reference, np.array(moves), out, **how)  # type: ignore[arg-type]
    return out.tolist()


# -- worked numbers
def flows_of(flows: Flows) -> list[float]:
    return list(astuple(flows)[1:7])


def test_example_3_3() -> None:
    twin, real = CohortMap(EXAMPLE), seeded(EXAMPLE)
    twin.seed(10_000, [70_000], [1], 70_000)
    table = [
        (0, 0, 225, 225, 725, 725, 10_500),
        (0, 0, 485, 485, 185, 185, 10_200),
        (1347.754214, 0, 0, 1255, 447.754214, 355, 9300),
    ]
    for interval, row in zip(STEPS, table, strict=True):
        expected = twin.step(interval)
        assert [*expected.liquidated, *expected.closed, *expected.opened, twin.open_interest] == pytest.approx(
            row, rel=REL
        )
        assert [*flows_of(real.step(interval)), real.open_interest] == pytest.approx(row, rel=REL)
    longs = [6381.255135, 2834.275218, 67.6788642, 16.790783]
    shorts = [4743.332235, 2502.219351, 1367.987309, 686.461104]
    assert twin.by_bucket(0) == pytest.approx(longs, rel=REL)
    assert twin.by_bucket(1) == pytest.approx(shorts, rel=REL)
    assert real.by_bucket(LONG) == pytest.approx(longs, rel=REL)
    assert real.by_bucket(SHORT) == pytest.approx(shorts, rel=REL)
    assert real.funding_index == pytest.approx(6.98, rel=REL)
    drops, exposures = [0.01, 0.03, 0.05, 0.10], [39.6942258, 84.4696472, 84.4696472, 2918.744865]
    assert [twin.liquidations(0, 68_000, 68_000 * (1 - x), raw=True) for x in drops] == pytest.approx(
        exposures, rel=REL
    )
    assert cumulative(real, LONG, 68_000, drops, raw=True) == pytest.approx(exposures, rel=REL)
    assert cumulative(real, LONG, 68_000, drops) == pytest.approx([0.6 * x for x in exposures], rel=REL)


@pytest.mark.parametrize("funding", [0.0, 21.0])
def test_example_3_4_funding_moves_liquidation_prices(funding: float) -> None:
    only25 = MapParameters(0.005, (1.0, 25.0), (0.0, 1.0), (0.0, 1.0))
    real = seeded(only25)
    real.step(replace(QUIET, taker_buy=0.0, taker_sell=0.0, funding_rate=funding / 70_000, dt_seconds=0.0))
    price = 67_558.79397 if funding else 67_537.688442
    assert real.crossed_by_bucket(LONG, price * (1 + 1e-8))[1] == 0.0
    assert real.crossed_by_bucket(LONG, price * (1 - 1e-8))[1] == pytest.approx(10_000)


def test_example_3_4_tilt_and_ratio() -> None:
    mix, buckets = np.array(EXAMPLE.taker_mix), np.array(EXAMPLE.buckets)
    tilted = priors.tilted_mix(mix, buckets, priors.tilt_exponent(1.5))
    assert tilted == pytest.approx([0.0759038769, 0.359992916, 0.317249886, 0.246853321], rel=REL)
    assert priors.levered_factors(2.2) == pytest.approx((1.375, 0.625), rel=REL)
    assert priors.tilt_exponent(100.0) == 1.5
    assert priors.tilt_exponent(math.nan) == 0.0
    assert priors.levered_factors(math.nan) == priors.levered_factors(-1.0) == (1.0, 1.0)


def test_infeasible_leverage_joins_the_next_bucket() -> None:
    assert priors.feasible_mix((0.2, 0.4, 0.25, 0.15), (1, 10, 25, 50), 0.02) == pytest.approx((0.2, 0.4, 0.4, 0.0))
    real = seeded(replace(EXAMPLE, maintenance_rate=0.05))
    assert real.by_bucket(LONG)[2:].tolist() == [0.0, 0.0]


# -- against the cohort twin
@st.composite
def histories(draw: st.DrawFn, inverse: bool) -> tuple[float, list[Interval]]:
    """Entries at least two bins apart, so that every bin holds one cohort and both sides must agree to rounding."""
    unit = 70_000.0 if inverse else 1.0
    open_interest = 10_000.0 * unit
    grid = draw(st.lists(st.integers(-60, 60), min_size=1, max_size=8, unique=True))
    steps = []
    current = open_interest
    for at in grid:
        price = 70_000 * math.exp(0.0012 * at)
        change = draw(st.floats(-0.3, 0.3)) * current
        current += change
        buys, sells = (draw(st.floats(0.0, 0.5)) * current + 1.0 for _ in range(2))
        steps.append(
            Interval(
                draw(st.sampled_from([0.0, 300.0, 86_400.0])),
                change,
                buys,
                sells,
                price,
                price * (1 - draw(st.floats(0.0, 0.12))),
                price * (1 + draw(st.floats(0.0, 0.12))),
                funding_z=draw(st.sampled_from([math.nan, -3.0, 0.5, 9.0])),
                long_short_ratio=draw(st.sampled_from([math.nan, 0.4, 2.2])),
            )
        )
    return open_interest, steps


def assert_agree(parameters: MapParameters, open_interest: float, steps: list[Interval]) -> None:
    twin, real = CohortMap(parameters), ExposureMap(parameters)
    prices, weights = [66_000.0, 70_050.0, 73_000.0], [1.0, 2.0, 0.5]
    twin.seed(open_interest, prices, weights, 70_000)
    real.seed(open_interest, np.array(prices), np.array(weights), 70_000)
    tiny = 1e-9 * open_interest
    for interval in steps:
        expected, flows = twin.step(interval), real.step(interval)
        assert flows.reason is Reason.OK
        wanted = [*expected.liquidated, *expected.closed, *expected.opened]
        assert flows_of(flows) == pytest.approx(wanted, rel=1e-9, abs=tiny)
        for crossed, of in ((flows.crossed_longs, expected.crossed[0]), (flows.crossed_shorts, expected.crossed[1])):
            assert crossed.tolist() == pytest.approx([of.get(x, 0.0) for x in parameters.buckets], rel=1e-9, abs=tiny)
    for side, index in ((LONG, 0), (SHORT, 1)):
        assert real.by_bucket(side).tolist() == pytest.approx(twin.by_bucket(index), rel=1e-9, abs=tiny)
        far = 0.4 if side is LONG else 2.5
        coins = tiny / (70_000 if parameters.inverse else 1)
        found = cumulative(real, side, 70_000, [abs(1 - far)])
        # A lone cohort next to the reference may be spread across it: up to half of what is within a bin of it.
        wanted_coins = [twin.liquidations(index, 70_000 * (1 + nudge), 70_000 * far) for nudge in (-4e-4, 4e-4)]
        assert min(wanted_coins) * (1 - 5e-4) - coins <= found[0] <= max(wanted_coins) * (1 + 5e-4) + coins


@settings(max_examples=60)
@given(histories(inverse=False))
def test_linear_agrees_with_the_cohorts(history: tuple[float, list[Interval]]) -> None:
    assert_agree(DEFAULT, *history)


@settings(max_examples=40)
@given(histories(inverse=True))
def test_inverse_agrees_with_the_cohorts(history: tuple[float, list[Interval]]) -> None:
    assert_agree(INVERSE, *history)


@pytest.mark.parametrize("parameters", [DEFAULT, INVERSE], ids=["linear", "inverse"])
def test_a_month_of_bins_stays_near_the_cohorts(parameters: MapParameters) -> None:
    """Many cohorts a bin, funding on: a bin goes as a whole, so one interval differs by up to 5 bps of reach."""
    unit = 70_000.0 if parameters.inverse else 1.0
    random = np.random.default_rng(7)
    twin, real = CohortMap(parameters), ExposureMap(parameters)
    entries = 70_000 * np.exp(np.linspace(-0.05, 0.05, 41))
    twin.seed(10_000 * unit, entries.tolist(), [1] * 41, 70_000)
    real.seed(10_000 * unit, entries, np.ones(41), 70_000)
    price, sums = 70_000.0, np.zeros((2, 2))
    for i in range(180):
        price *= math.exp(random.normal(0, 0.012))
        reach = abs(random.normal(0, 0.01, 2))
        buys, sells = random.uniform(100, 2000, 2) * unit
        change = float(random.normal(0, 0.02)) * real.open_interest
        interval = Interval(
            14_400, change, buys, sells, price, price * (1 - reach[0]), price * (1 + reach[1]),
            0.0005 if i % 2 else 0.0, price, random.normal(), math.exp(random.normal(0, 0.3)),
        )  # fmt: skip
        flows, expected = real.step(interval), twin.step(interval)
        sums += [[flows.longs_liquidated, flows.shorts_liquidated], expected.liquidated]
    assert sums[0] == pytest.approx(sums[1], rel=0.01)
    assert real.funding_index == pytest.approx(twin.funding, rel=1e-9)
    for side, index in ((LONG, 0), (SHORT, 1)):
        moves, coins = [0.02, 0.05, 0.1, 0.2], real.open_interest / (price if parameters.inverse else 1.0)
        sign = -1 if side is LONG else 1
        expected_curve = [twin.liquidations(index, price, price * (1 + sign * x)) for x in moves]
        assert cumulative(real, side, price, moves) == pytest.approx(expected_curve, abs=1e-3 * coins)


# -- what must always hold
@pytest.mark.parametrize("parameters", [DEFAULT, INVERSE], ids=["linear", "inverse"])
def test_longs_equal_shorts_equal_open_interest_for_ever(parameters: MapParameters) -> None:
    random = np.random.default_rng(11)
    real, price = seeded(parameters, 1e6), 70_000.0
    steps = 1_500 if config.DISABLE_JIT else 20_000 if parameters.inverse else 100_000
    normal, uniform = random.normal(size=(steps, 2)), random.uniform(size=(steps, 4))
    for i in range(steps):
        price *= math.exp(0.004 * normal[i, 0])
        current = real.open_interest
        change = max(0.02 * normal[i, 1] * current, -0.9 * current) + (1000.0 if current < 1e4 else 0.0)
        a, b, c, d = uniform[i].tolist()
        flows = real.step(
            Interval(300.0 * a, change, a * current, b * current, price, price * (1 - 0.02 * c), price * (1 + 0.02 * d),
                     0.0002 * (a - 0.3), price)
        )  # fmt: skip
        if flows.reason is not Reason.OK or i % 50 == 0:
            assert flows.reason is Reason.OK
            assert real.open_interest == pytest.approx(current + change, rel=1e-9)
            assert real.longs == pytest.approx(real.open_interest, rel=1e-9)
            assert real.shorts == pytest.approx(real.open_interest, rel=1e-9)
    for side in (LONG, SHORT):
        held = real.by_bucket(side)
        assert held.min() >= 0.0
        # The bins themselves, not the running totals.
        rest = cumulative(real, side, price, [1.0 if side is LONG else 9.0], raw=True)
        if not parameters.inverse:
            assert rest[0] == pytest.approx(held[1:].sum(), rel=1e-6)


ANY = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 70_000.0, 1e300, 5e-324, math.nan]))
PRICE = st.one_of(ANY, st.floats(60_000, 80_000))


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(
            Interval, ANY, st.one_of(ANY, st.floats(-1e4, 1e4)), ANY, ANY, PRICE, PRICE, PRICE, ANY, ANY, ANY, ANY
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_comes_degrades(intervals: list[Interval], inverse: bool) -> None:
    real = seeded(INVERSE if inverse else DEFAULT)
    for interval in intervals:
        before = real.dump()
        flows = real.step(interval)
        if flows.reason is not Reason.OK:
            assert real.dump() == before
            assert flows_of(flows) == [0.0] * 6
        assert all(math.isfinite(x) and x >= 0.0 for x in flows_of(flows))
        assert real.longs == pytest.approx(real.open_interest, rel=1e-9)
        assert real.shorts == pytest.approx(real.open_interest, rel=1e-9)
        for side in (LONG, SHORT):
            assert np.isfinite(real.by_bucket(side)).all()
            assert np.isfinite(real.profile(side, 70_000)).all()
    assert real.step(QUIET).reason is Reason.OK


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dt_seconds": -1.0}, Reason.BAD_TIME),
        ({"dt_seconds": math.nan}, Reason.BAD_TIME),
        ({"low": 0.0}, Reason.BAD_PRICE),
        ({"low": 70_200.0}, Reason.BAD_PRICE),
        ({"vwap": math.nan}, Reason.BAD_PRICE),
        ({"vwap": -1.0}, Reason.BAD_PRICE),
        ({"open_interest_change": math.nan}, Reason.NO_OPEN_INTEREST),
        ({"open_interest_change": -10_001.0}, Reason.OPEN_INTEREST_EXHAUSTED),
        ({"taker_buy": -1.0}, Reason.BAD_VOLUME),
        ({"taker_sell": math.nan}, Reason.BAD_VOLUME),
        ({"taker_buy": 0.0, "taker_sell": 0.0, "open_interest_change": 5.0}, Reason.NO_VOLUME),
        ({"funding_rate": math.nan}, Reason.BAD_FUNDING),
        ({"funding_rate": 0.1, "funding_price": 0.0}, Reason.BAD_FUNDING),
    ],
)
def test_refusals_are_named_and_change_nothing(change: dict[str, float], reason: Reason) -> None:
    real = seeded()
    before = real.dump()
    assert real.step(replace(QUIET, **change)).reason is reason
    assert real.dump() == before


def test_seed_refusals_and_the_unknown() -> None:
    real = ExposureMap(DEFAULT)
    out = np.zeros(2)
    assert real.step(QUIET).reason is Reason.NOT_SEEDED
    assert not real.liquidations(LONG, 70_000, np.array([0.0, 0.1]), out)
    assert np.isnan(out).all()
    assert np.isnan(real.profile(SHORT, 70_000)).all()
    assert np.isnan(real.crossed_by_bucket(LONG, 60_000)).all()
    one = np.ones(1)
    assert real.seed(0.0, 70_000 * one, one, 70_000) is Reason.NO_OPEN_INTEREST
    assert real.seed(math.nan, 70_000 * one, one, 70_000) is Reason.NO_OPEN_INTEREST
    assert real.seed(1.0, 70_000 * one, one, math.nan) is Reason.BAD_PRICE
    assert real.seed(1.0, 70_000 * one, 0 * one, 70_000) is Reason.NO_PROFILE
    assert real.seed(1.0, math.nan * one, one, 70_000) is Reason.NO_PROFILE
    assert not real.seeded
    assert real.seed(1.0, 70_000 * one, one, 70_000) is Reason.OK
    assert not real.liquidations(LONG, math.nan, np.array([0.0, 0.1]), out)


def test_seeded_cohorts_past_liquidation_are_not_there() -> None:
    real = ExposureMap(EXAMPLE)
    real.seed(100.0, np.array([100.0]), np.ones(1), 95.0)  # 25x and 50x longs of 100 would be gone
    assert real.by_bucket(LONG) == pytest.approx([72.5, 27.5, 0, 0])
    assert real.by_bucket(SHORT) == pytest.approx([50, 27.5, 15, 7.5])


def test_everything_closed_and_opened_again() -> None:
    real = seeded()
    assert real.step(replace(QUIET, open_interest_change=-10_000.0)).reason is Reason.OK
    assert real.longs == real.shorts == real.open_interest == 0.0
    assert cumulative(real, LONG, 70_000, [0.5]) == [0.0]
    assert real.step(replace(QUIET, open_interest_change=50.0)).longs_opened == pytest.approx(50.0)
    assert real.longs == pytest.approx(50.0)


def test_crossed_by_bucket_is_what_the_step_crosses() -> None:
    real = seeded()
    real.step(replace(QUIET, vwap=71_000.0, open_interest_change=500.0))
    ahead = real.crossed_by_bucket(LONG, 66_500.0), real.crossed_by_bucket(SHORT, 73_000.0)
    flows = real.step(replace(QUIET, low=66_500.0, high=73_000.0))
    assert ahead[0].sum() > 0.0
    assert ahead[1].sum() > 0.0
    np.testing.assert_array_equal(ahead[0], flows.crossed_longs)
    np.testing.assert_array_equal(ahead[1], flows.crossed_shorts)


# -- the curve
def busy(parameters: MapParameters = DEFAULT) -> ExposureMap:
    unit = 70_000.0 if parameters.inverse else 1.0
    random = np.random.default_rng(3)
    real = ExposureMap(parameters)
    prices = 70_000 * np.exp(np.arange(-200, 201) * 5e-4)
    real.seed(1e4 * unit, prices, np.exp(-((np.arange(-200, 201) / 80) ** 2)), 70_000)
    for _ in range(40):
        price = 70_000 * math.exp(random.normal(0, 0.01))
        real.step(
            Interval(300, random.normal(0, 50) * unit, 90 * unit, 110 * unit, price, price * 0.998, price * 1.002, 1e-5)
        )
    return real


@pytest.mark.parametrize("parameters", [DEFAULT, INVERSE], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", list(Position))
def test_curve(parameters: MapParameters, side: Position) -> None:
    real = busy(parameters)
    real.survival = np.linspace(0.2, 0.9, 8)
    moves = np.linspace(0.0, 0.2, 801)
    out, raw, cut = np.empty(801), np.empty(801), np.empty(801)
    real.liquidations(side, 70_000, moves, out)
    real.liquidations(side, 70_000, moves, raw, raw=True)
    assert out[0] == 0.0
    assert out[-1] > 0.0
    assert np.all(np.diff(out) >= 0.0)
    assert np.all(raw >= out)
    # Smooth: no node of 2.5 bps holds a lump.
    assert np.diff(out).max() < 0.02 * out[-1]
    real.liquidations(side, 70_000, moves, cut, scale=2.0)
    assert cut == pytest.approx(2 * out)
    # A mark that has been 3% away takes with it what lay within 3%.
    sign = -1 if side is LONG else 1
    real.liquidations(side, 70_000, moves, cut, crossed=70_000 * (1 + sign * 0.03))
    at = int(np.searchsorted(moves, 0.03))
    assert cut == pytest.approx(np.maximum(0.0, out - out[at]), abs=1e-6 * out[-1])
    # The same coins seen through other windows.
    assert real.profile(side, 70_000).sum() == pytest.approx(out[-1])
    edges = np.sort(70_000 * (1 + sign * moves))
    assert real.between(side, edges).sum() == pytest.approx(out[-1])
    crossed = real.crossed_by_bucket(side, 70_000 * (1 + sign * 0.2))
    assert crossed.sum() == pytest.approx(raw[-1], rel=2e-3)
    assert crossed @ real.survival == pytest.approx(out[-1], rel=2e-3)


def test_curve_follows_a_step_and_a_new_survival() -> None:
    real = busy()
    before = real.profile(LONG, 70_000)
    real.survival = np.full(8, 0.25)
    assert real.profile(LONG, 70_000) == pytest.approx(before / 2)
    real.step(replace(QUIET, low=66_000.0))
    assert real.profile(LONG, 70_000)[:8].sum() < 0.2 * before[:8].sum()
    real.survival = np.array([math.nan] * 4 + [7.0] * 4)
    assert real.survival.tolist() == [0.25] * 4 + [1.0] * 4
    with pytest.raises(ValueError, match="8 values"):
        real.survival = np.ones(3)


@pytest.mark.parametrize("parameters", [DEFAULT, INVERSE], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", list(Position))
def test_diffuse_part_is_open_interest_over_distance(parameters: MapParameters, side: Position) -> None:
    real, moves = busy(parameters), [0.0, 0.02, 0.1]
    without = np.array(cumulative(real, side, 70_000, moves))
    raw = cumulative(real, side, 70_000, moves, raw=True)
    real.diffuse = (0.05, 0.01)
    coins = real.open_interest / (70_000 if parameters.inverse else 1)
    # 2%: 0.02 x (0.05 + 0.01 x 2); 10%: the square goes on along its tangent at 5%, 0.05 x (0.2 - 0.05) / 0.01 = 0.75.
    parts = [0.0, 0.0014, 0.005 + 0.0075]
    assert cumulative(real, side, 70_000, moves) - without == pytest.approx([part * coins for part in parts])
    assert cumulative(real, side, 70_000, moves, raw=True) == raw
    at = 70_000 * (0.98 if side is Position.LONG else 1.02)
    assert cumulative(real, side, 70_000, moves, crossed=at)[1] == pytest.approx(0.0, abs=1e-6 * coins)
    for impossible in (math.nan, -1.0, math.inf):
        real.diffuse = (0.1, impossible)
        assert real.diffuse == (0.05, 0.01)
    real.adopt(np.array([0.02, *[0.3] * 7, 0.03]))
    assert real.diffuse == (0.02, 0.03)
    assert real.survival.tolist() == [0.5, *[0.3] * 7]


def test_price_that_runs_away_takes_the_ring_along() -> None:
    real = seeded()
    for price in (140_000.0, 400_000.0, 20_000.0, 70_000.0):
        assert (
            real.step(replace(QUIET, vwap=price, low=price, high=price, open_interest_change=100.0)).reason is Reason.OK
        )
        assert real.longs == pytest.approx(real.open_interest)
        assert real.shorts == pytest.approx(real.open_interest)
    assert real.fallen > 0.0


def test_long_funding_is_folded_without_moving_anything() -> None:
    only10 = MapParameters(0.005, (1.0, 10.0), (0.0, 1.0), (0.0, 1.0), half_life_seconds=1e12)
    real, twin = seeded(only10), CohortMap(only10)
    twin.seed(10_000, [70_000], [1], 70_000)
    for _ in range(100):
        interval = replace(QUIET, taker_buy=0.0, taker_sell=0.0, funding_rate=0.0005)
        real.step(interval)
        twin.step(interval)
    price = twin.liquidation_price(1, twin.sides[0][-1])
    assert price > 66_000  # from 63,317
    assert real.crossed_by_bucket(LONG, price * (1 + 1e-7))[1] == 0.0
    assert real.crossed_by_bucket(LONG, price * (1 - 1e-7))[1] == pytest.approx(10_000)


def test_decay_far_beyond_the_scale_renormalises() -> None:
    real = seeded(replace(DEFAULT, half_life_seconds=300.0))
    for _ in range(200):
        real.step(replace(QUIET, taker_buy=900.0))
    assert real.longs == pytest.approx(10_000)
    assert 0.0 < real.by_bucket(LONG)[1:].sum() < 200


# -- storing
@pytest.mark.parametrize("parameters", [DEFAULT, INVERSE], ids=["linear", "inverse"])
def test_dump_and_load(parameters: MapParameters) -> None:
    real, again = busy(parameters), ExposureMap(parameters)
    real.survival, real.diffuse = np.linspace(0.1, 0.8, 8), (0.01, 0.02)
    again.load(json.loads(json.dumps(real.dump())))
    for side in (LONG, SHORT):
        assert again.by_bucket(side) == pytest.approx(real.by_bucket(side), rel=1e-6)
        assert again.profile(side, 70_000) == pytest.approx(real.profile(side, 70_000), rel=1e-3, abs=1e-3)
    low = replace(QUIET, low=67_000.0)
    assert flows_of(again.step(low)) == pytest.approx(flows_of(real.step(low)), rel=1e-4)
    assert again.longs == pytest.approx(again.open_interest, rel=1e-9)
    assert len(json.dumps(real.dump())) < 200_000


def test_load_refuses_what_does_not_fit() -> None:
    real = busy()
    good = real.dump()
    before = json.dumps(good)
    with pytest.raises(ValueError, match="another shape"):
        ExposureMap(EXAMPLE).load(good)
    with pytest.raises(ValueError, match="another shape"):
        ExposureMap(INVERSE).load(good)
    row = good["rows"][0]
    spoiled = [
        {},
        {**good, "form": 2},
        {**good, "ledger": good["ledger"][:-1]},
        {**good, "ledger": [math.nan, *good["ledger"][1:]]},
        {**good, "ledger": [0.0, *good["ledger"][1:]]},
        {**good, "rows": good["rows"][1:]},
        {**good, "rows": [[row[0], row[1] + 1, *row[2:]], *good["rows"][1:]]},
        {**good, "rows": [[row[0] + 5000, row[1] + 5000, *row[2:]], *good["rows"][1:]]},
        {**good, "rows": [[row[0], row[1], "!", row[3]], *good["rows"][1:]]},
        {**good, "rows": [[row[0], row[1], row[3], row[2]], *good["rows"][1:]]},
        {**good, "window": [0.5, 1]},
        {**good, "survival": [2.0] * 8},
        {**good, "diffuse": [-1.0, 0.0]},
        {**good, "seeded": "yes"},
    ]
    for stored in spoiled:
        with pytest.raises(ValueError, match=r"stored|another"):
            real.load(stored)
    assert json.dumps(real.dump()) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"buckets": (2.0, 3.0)},
        {"buckets": (1.0, 5.0, 3.0)},
        {"taker_mix": (1.0,)},
        {"maker_mix": (0.5,) * 8},
        {"survival": (2.0,) * 8},
        {"maintenance_rate": math.nan},
        {"transfer_share": -0.1},
        {"half_life_seconds": 0.0},
        {"diffuse_curvature": math.nan},
        {"bin_width": 0.0},
    ],
)
def test_parameters_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        MapParameters(**{"maintenance_rate": 0.005, **wrong})  # type: ignore[arg-type]


def test_margin_of_the_ring_is_wider_than_what_is_not_folded() -> None:
    assert exposure.MARGIN * 5e-4 > exposure.FOLD_AT / (1 - 0.05) + 0.001

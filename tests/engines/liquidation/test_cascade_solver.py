"""One side in one call: what it puts together, what it leaves out, and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cascade_twins import P0, B, L, X
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from engines.liquidation import arbitrage, cascade, curves, reasons, solve
from engines.liquidation.solver import BASE, CascadeSolver, SideResult, SolveSettings
from engines.liquidation.what_if import WHAT_IF_DIRECT, WHAT_IF_FORCED, WHAT_IF_LANDING, WHAT_IF_MULTIPLIER

SPLIT, MAPS = np.array([0.7, 0.3]), np.array([0.4, 0.6])
BOOKS, MAP = np.outer(SPLIT, B), np.outer(MAPS, L)
SOLVER = CascadeSolver(X)


def side(
    books: np.ndarray = BOOKS,
    maps: np.ndarray = MAP,
    known: np.ndarray | None = None,
    price: float = P0,
    sign: int = curves.DOWN,
    shares: np.ndarray = SPLIT,
    settings: SolveSettings | None = None,
) -> SideResult:
    given_settings = settings or SolveSettings(reference_base=300.0, tolerance=1e-12, max_rounds=2000)
    return SOLVER.side(sign, price, books, books if known is None else known, maps, shares, shares, given_settings)


def no_figures(result: SideResult) -> bool:
    return bool(np.isnan(result.scales).all() and np.isnan(result.landings).all() and math.isnan(result.observed_ratio))


def test_the_example_by_venue_is_the_example() -> None:
    result = side()
    assert result.code == reasons.OK
    assert not np.isnan(result.scales).any()
    low, base, high = result.scales
    assert low[cascade.IGNITIONS] == 0
    assert low[solve.SALE_BASE] == 300
    assert base[cascade.IGNITION_BASE] == pytest.approx(800)
    assert base[cascade.IGNITION_USD] == pytest.approx(55_734_000)
    assert base[cascade.LANDING_RATIO] == pytest.approx(0.16 / 3)
    assert base[solve.SALE_BASE] == pytest.approx(800.8)
    assert base[solve.POOLED_MULTIPLIER] == pytest.approx((800.8 + L[5] + 0.0033466666 / 0.03 * 600) / 800.8)
    assert high[cascade.IGNITION_BASE] == pytest.approx(400)
    assert high[cascade.LANDING_RATIO] == math.inf


def test_arbitrage_lies_between_one_market_and_none() -> None:
    result = side()
    for row, landings in zip(result.scales, result.landings, strict=True):
        assert row[solve.ARB_CODE] == arbitrage.SETTLED
        assert landings.max() - landings.min() <= 5e-4 + 1e-9
        assert landings == pytest.approx(np.full(2, row[solve.POOLED_LANDING]), abs=1e-3)
        assert row[solve.ARB_MULTIPLIER] == pytest.approx(row[solve.POOLED_MULTIPLIER], rel=0.05)
        assert row[solve.ISOLATED_VENUE] == 1  # three of ten coins stand there, and six of ten that are forced
        assert row[solve.ISOLATED_WORST] > row[solve.ISOLATED_MULTIPLIER] >= 1.0
    alone = side(settings=SolveSettings(reference_base=300.0, band=math.inf, tolerance=1e-12, max_rounds=2000))
    row = alone.scales[BASE]
    assert row[solve.ARB_MULTIPLIER] == pytest.approx(row[solve.ISOLATED_MULTIPLIER], rel=1e-6)
    one = side(settings=SolveSettings(reference_base=300.0, band=0.0, tolerance=1e-12, max_rounds=2000))
    row = one.scales[BASE]
    assert row[solve.ARB_MULTIPLIER] == pytest.approx(row[solve.POOLED_MULTIPLIER], rel=1e-6)


def test_one_venue() -> None:
    result = side(B[None, :], L[None, :], shares=np.ones(1))
    row = result.scales[BASE]
    assert row[solve.ARB_VOLUME] == 0
    assert result.landings[BASE, 0] == pytest.approx(row[solve.POOLED_LANDING])
    assert row[solve.ISOLATED_WORST] == pytest.approx(row[solve.POOLED_MULTIPLIER])


def test_the_observed_part_of_the_absorption() -> None:
    known = np.minimum(BOOKS, BOOKS[:, 3:4])  # seen as far as 2%
    result = side(known=known)
    landing = result.scales[BASE, cascade.LANDING_RATIO]
    assert result.observed_ratio == pytest.approx(1700 / np.interp(landing, X, B))
    assert result.observed[0] == pytest.approx(1700 / 8000)  # no ignition: all of the range
    assert result.observed[2] == pytest.approx(1700 / 8000)  # no landing in it either
    assert side().observed_ratio == 1.0


def test_upwards_the_same_curves_cost_more() -> None:
    up, down = side(sign=curves.UP).scales[BASE], side().scales[BASE]
    assert up[cascade.IGNITION_BASE] == down[cascade.IGNITION_BASE]
    assert up[cascade.IGNITION_USD] == pytest.approx(2 * 800 * P0 - down[cascade.IGNITION_USD])


@pytest.mark.parametrize("bad", [math.nan, -1.0, math.inf])
@pytest.mark.parametrize("which", ["books", "maps", "known"])
def test_a_venue_that_is_not_sound_is_left_out_and_named(which: str, bad: float) -> None:
    whole = {"books": BOOKS, "maps": MAP, "known": BOOKS}
    broken = whole[which].copy()
    broken[1, 7] = bad
    result = side(**{**whole, which: broken})
    assert result.venue_codes.tolist() == [reasons.OK, reasons.BAD_CURVE]
    assert result.code == reasons.OK
    assert not np.isnan(result.scales).any()
    assert np.isnan(result.landings[:, 1]).all()
    only = side(BOOKS[:1], MAP[:1], shares=np.ones(1))
    assert np.array_equal(result.scales, only.scales)


def test_named_reasons() -> None:
    nothing = np.zeros_like(BOOKS)
    assert side(nothing).code == reasons.NO_DEPTH
    assert no_figures(side(nothing))
    calm = side(maps=nothing)
    assert calm.code == reasons.NO_LIQUIDATIONS
    assert not np.isnan(calm.scales).any()
    assert calm.scales[:, cascade.GAIN].tolist() == [0, 0, 0]
    assert calm.scales[:, solve.ARB_MULTIPLIER] == pytest.approx([1, 1, 1])
    for price in (0.0, -1.0, math.nan, math.inf):
        assert side(price=price).code == reasons.BAD_PRICE
        assert no_figures(side(price=price))
    broken = BOOKS * np.nan
    assert side(broken).code == reasons.BAD_CURVE
    assert no_figures(side(broken))
    for wrong in (SolveSettings(band=-1.0), SolveSettings(index_weight=2.0), SolveSettings(max_volume=math.nan)):
        assert side(settings=wrong).code == reasons.BAD_SETTINGS
        assert no_figures(side(settings=wrong))
    assert side(shares=np.array([math.nan, 1.0])).code == reasons.BAD_SETTINGS
    assert side(shares=np.array([-1.0, 1.0])).code == reasons.BAD_SETTINGS
    assert side(shares=np.zeros(2)).code == reasons.OK  # nobody knows where: the same on each
    assert set(reasons.NAMES) == {v for k, v in vars(reasons).items() if k.isupper() and isinstance(v, int)}
    with pytest.raises(ValueError, match="ascends"):
        CascadeSolver(np.array([0.0, 0.1, 0.1]))


def test_a_book_in_which_any_sale_ignites() -> None:
    result = side(maps=10 * BOOKS)
    assert result.code == reasons.OK
    assert result.scales[BASE, cascade.IGNITION_BASE] == 0.0
    assert result.scales[BASE, solve.SALE_BASE] == pytest.approx(
        3.0
    )  # a hundredth of the reference: of nothing there is no multiplier
    assert not np.isnan(result.scales).any()


def test_what_if_on_a_result() -> None:
    code, found = SOLVER.what_if(curves.DOWN, P0, side(), 801.0)
    assert code == reasons.OK
    assert found[BASE, WHAT_IF_DIRECT] == pytest.approx(0.00901)
    assert found[BASE, WHAT_IF_LANDING] == pytest.approx(0.05335)
    assert found[BASE, WHAT_IF_FORCED] == pytest.approx(3067)
    assert found[BASE, WHAT_IF_MULTIPLIER] == pytest.approx(4.8289638)
    code, found = SOLVER.what_if(curves.DOWN, P0, side(), 1e6)
    assert code == reasons.NOT_ABSORBED
    assert found[BASE, WHAT_IF_LANDING] == math.inf
    assert found[BASE, WHAT_IF_FORCED] == pytest.approx(3900)
    for sale in (0.0, -1.0, math.nan):
        code, found = SOLVER.what_if(curves.DOWN, P0, side(), sale)
        assert code == reasons.BAD_SALE
        assert np.isnan(found).all()
    assert SOLVER.what_if(curves.DOWN, P0, side(0 * BOOKS), 1.0)[0] == reasons.NO_DEPTH


@how(max_examples=40)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0, 40), st.sampled_from([curves.DOWN, curves.UP]))
def test_whatever_the_market_no_nan_and_what_must_hold(venues: int, seed: int, size: float, sign: int) -> None:
    rng = np.random.default_rng(seed)
    books = np.cumsum(rng.exponential(50, (venues, 8)) * (rng.random((venues, 8)) < 0.8), axis=1)
    maps = np.cumsum(rng.exponential(size, (venues, 8)), axis=1)
    books[:, 0] = maps[:, 0] = 0.0
    shares = rng.random(venues)
    result = side(
        books, maps, books * 0.5, sign=sign, shares=shares, settings=SolveSettings(noise_base=5.0, index_weight=0.5)
    )
    if result.code >= reasons.FIRST_WITHOUT_FIGURES:
        assert books[:, -1].sum() == 0
        return
    assert not np.isnan(result.scales).any()
    assert not np.isnan(result.landings).any()
    assert result.observed_ratio == pytest.approx(0.5)
    for row in result.scales:
        assert row[solve.POOLED_MULTIPLIER] >= 1
        assert row[solve.ARB_MULTIPLIER] >= 1 - 1e-9
        assert row[solve.ISOLATED_MULTIPLIER] >= 1
        if row[cascade.IGNITIONS] > 0:
            assert row[cascade.DIRECT_RATIO] <= row[cascade.RUNAWAY_RATIO] + 1e-12 <= row[cascade.LANDING_RATIO]
            assert row[cascade.FORCED_BASE] > 5
            assert row[solve.POOLED_LANDING] >= min(row[cascade.LANDING_RATIO], X[-1]) - 1e-9
    distances = result.scales[:, cascade.RUNAWAY_RATIO]
    assert distances[2] <= distances[1] or distances[2] == math.inf or result.scales[1, cascade.FORCED_BASE] < 50

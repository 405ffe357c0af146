"""Curves, first passage, ignition and shocks against their twins, and what models 4.1 says must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cascade_twins import B, L, X, at, curve_pairs, first, iterate_sale, iterate_shock, proceeds, slope_at_end
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engines.liquidation import cascade, curves, refill, shock

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]
CLOSE = 1e-9


@given(curve_pairs(), st.floats(-0.01, 0.5), st.floats(-10, 8000))
def test_curves_equal_their_twins(pair: Pair, where: float, coins: float) -> None:
    x, b, _ = pair
    slope = slope_at_end(x, b)
    assert curves.last_density(x, b) == slope
    assert curves.value_at(x, b, where, slope) == pytest.approx(at(x, b, where, slope), rel=CLOSE, abs=1e-9)
    assert curves.inverse(x, b, coins, slope) == pytest.approx(first(x, b, coins, slope), rel=CLOSE)
    back = curves.value_at(x, b, curves.inverse(x, b, coins, slope), slope)
    assert back == pytest.approx(max(coins, 0.0), rel=1e-6, abs=1e-6) or slope == 0.0


@settings(max_examples=50)
@given(curve_pairs(), st.floats(0, 0.4), st.floats(0, 1.3), st.sampled_from([curves.DOWN, curves.UP]))
def test_worth_equals_its_twin_and_has_an_inverse(pair: Pair, start: float, length: float, sign: int) -> None:
    x, b, _ = pair
    slope = slope_at_end(x, b)
    found = curves.worth(x, b, start, start + length, slope, 100.0, sign)
    assert found == pytest.approx(proceeds(x, b, start, start + length, slope, 100.0, sign), rel=1e-6, abs=1e-6)
    usd = curves.worth(x, b, 0.0, length, slope, 100.0, sign)
    coins = curves.coins_worth(x, b, usd * 0.999, slope, 100.0, sign)
    assert coins <= curves.value_at(x, b, length, slope) * (1 + 1e-9)
    again = curves.worth(x, b, 0.0, curves.inverse(x, b, coins, slope), slope, 100.0, sign)
    assert again == pytest.approx(usd * 0.999, rel=1e-6, abs=1e-6)


def test_a_book_that_pays_no_more() -> None:
    density = curves.last_density(X, B)
    most = curves.worth(X, B, 0.0, 1.0, density, 100.0, curves.DOWN)  # down to a price of zero
    assert curves.coins_worth(X, B, most * 1.001, density, 100.0, curves.DOWN) == math.inf
    assert curves.coins_worth(X, B, most * 0.999, density, 100.0, curves.DOWN) < math.inf
    flat = np.array([0.0, 1.0, 1.0])
    assert curves.coins_worth(X[:3], flat, 1e9, 0.0, 100.0, curves.UP) == math.inf
    assert curves.coins_worth(X, B, 0.0, density, 100.0, curves.DOWN) == 0.0


@given(curve_pairs(), st.floats(0.1, 2000), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_first_passage_is_where_the_iteration_ends(pair: Pair, sale: float, scale: float) -> None:
    x, b, forced = pair
    found = cascade.first_passage(x, b, forced, scale, sale)
    net = np.empty(len(x))
    count = cascade.net_absorption(b, forced, scale, net)
    assert found == cascade.passage(x, net, count, curves.last_density(x, b), sale)
    assert found == pytest.approx(iterate_sale(x, b, scale * forced, sale), rel=1e-6)
    if found < math.inf:  # all is absorbed, and nothing smaller would do
        slope = slope_at_end(x, b)
        assert at(x, b, found, slope) - scale * at(x, forced, found) == pytest.approx(sale, rel=1e-9)


@given(curve_pairs(), st.floats(0.1, 2000), st.floats(1.0, 1.5), st.floats(0.01, 100.0))
def test_what_must_hold_of_first_passage(pair: Pair, sale: float, more: float, c: float) -> None:
    x, b, forced = pair
    drop = cascade.first_passage(x, b, forced, 1.0, sale)
    assert cascade.first_passage(x, b, forced, 1.0, sale * more) >= drop
    assert cascade.first_passage(x, b, forced, more, sale) >= drop
    assert cascade.first_passage(x, b * more, forced, 1.0, sale) <= drop * (1 + 1e-12)
    assert cascade.multiplier(sale, curves.value_at(x, forced, drop, 0.0)) >= 1.0
    scaled = cascade.first_passage(x, b * c, forced * c, 1.0, sale * c)
    net = b - forced
    assume(all(abs(h - sale) > 1e-6 * sale for h in net))  # else rounding decides on which side of a jump it is
    assert scaled == pytest.approx(drop, rel=1e-6)


@given(curve_pairs(), st.sampled_from([0.5, 1.0, 2.0]))
def test_jumps_are_where_first_passage_jumps(pair: Pair, scale: float) -> None:
    x, b, forced = pair
    rows, net = np.empty((len(x) // 2 + 1, cascade.JUMP_COLUMNS)), np.empty(len(x))
    count = cascade.jumps(x, b, forced, scale, 0.0, net, rows)
    ignitions = rows[:count, cascade.JUMP_IGNITION].tolist()
    assert ignitions == sorted(ignitions)
    # Every whole number of coins is a place where something may change: between them the drop moves without a jump.
    seen = []
    slope = slope_at_end(x, b)
    for height in sorted({0.0, *(float(h) for h in net if h >= 0)}):
        before = first(x, net, height, slope)
        after = first(x, net, height + 1e-7, slope)
        if height > net.max() - 1e-9:  # nothing in range exceeds it
            after = math.inf if before < x[-1] else before
        added = scale * (at(x, forced, min(after, x[-1])) - at(x, forced, min(before, x[-1])))
        if added > 1e-3 and after > before + 1e-6:
            seen.append((height, before, after, added))
    assert count == len(seen)
    for row, (height, start, landing, added) in zip(rows, seen, strict=False):
        assert row[cascade.JUMP_IGNITION] == pytest.approx(height, abs=1e-6)
        assert row[cascade.JUMP_START] == pytest.approx(start, abs=1e-6)
        assert row[cascade.JUMP_LANDING] == pytest.approx(landing, abs=1e-6)
        assert row[cascade.JUMP_FORCED] == pytest.approx(added, abs=1e-2)


def test_first_and_largest_jump_and_the_two_floors() -> None:
    x = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    b = np.array([0.0, 100.0, 200.0, 400.0, 500.0, 600.0, 2000.0])
    forced = np.array([0.0, 0.0, 110.0, 110.0, 110.0, 700.0, 700.0])  # H: 0 100 90 290 390 -100 1300
    net, rows, found = np.empty(7), np.empty((4, cascade.JUMP_COLUMNS)), np.empty(cascade.CASCADE_COLUMNS)

    def go(noise: float, floor: float) -> np.ndarray:
        cascade.assess(x, b, forced, 1000.0, curves.DOWN, 1.0, noise, floor, 0.01, net, rows, found)
        return found

    both = go(0.0, 0.0)
    assert both[cascade.IGNITIONS] == 2
    assert both[cascade.IGNITION_BASE] == 100
    assert both[cascade.FORCED_BASE] == 110
    assert both[cascade.LARGEST_IGNITION_BASE] == 390
    assert both[cascade.LARGEST_FORCED_BASE] == 590
    quiet = go(110.0, 0.0)
    assert quiet[cascade.IGNITIONS] == 1
    assert quiet[cascade.IGNITION_BASE] == 390
    poor = go(0.0, 590_000.0)  # 590 coins below 1000 US dollars each are worth less
    assert poor[cascade.IGNITION_BASE] == 100
    assert poor[cascade.LARGEST_IGNITION_BASE] == math.inf
    assert poor[cascade.LARGEST_FORCED_USD] == 0.0


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_are_no_overrun(rows: int) -> None:
    kept = np.empty((rows, cascade.JUMP_COLUMNS))
    assert cascade.jumps(X, B / 2, L, 2.0, 0.0, np.empty(8), kept) == rows


def test_any_sale_ignites() -> None:
    found = np.empty(cascade.CASCADE_COLUMNS)
    rows, net = np.empty((5, 4)), np.empty(8)
    assert cascade.assess(X, B, L, 100.0, curves.UP, 10.0, 0.0, 0.0, 0.005, net, rows, found)
    assert found[cascade.IGNITION_BASE] == found[cascade.RUNAWAY_RATIO] == found[cascade.IGNITION_USD] == 0.0
    assert found[cascade.GAIN] == pytest.approx(1.5)
    assert not np.isnan(found).any()


@given(curve_pairs(), st.floats(0.0001, 0.3), st.sampled_from([0.5, 1.0, 2.0]))
def test_shocks_end_where_the_iteration_ends(pair: Pair, given_shock: float, scale: float) -> None:
    x, b, forced = pair
    size = shock.headroom_size(len(x))
    places, level = np.empty(size), np.empty(size)
    count = shock.headroom(x, b, forced, scale, places, level)
    assert count <= size
    assert np.all(np.diff(places[:count]) >= 0)
    assume(all(abs(k - given_shock) > 1e-6 for k in level[:count]))
    found = shock.shock_passage(places, level, count, given_shock)
    assert found >= given_shock * (1 - 1e-12)
    assert found == pytest.approx(iterate_shock(x, b, scale * forced, given_shock), rel=1e-6)


@given(curve_pairs(solid=True), st.sampled_from([0.5, 1.0, 2.0]))
def test_shocks_jump_where_the_rows_say(pair: Pair, scale: float) -> None:
    x, b, forced = pair
    size = shock.headroom_size(len(x))
    places, level, rows = np.empty(size), np.empty(size), np.empty((size, cascade.JUMP_COLUMNS))
    count = shock.headroom(x, b, forced, scale, places, level)
    for row in rows[: shock.shock_jumps(places, level, count, rows)]:
        below = shock.shock_passage(places, level, count, row[shock.JUMP_SHOCK] - 1e-9)
        above = shock.shock_passage(places, level, count, row[shock.JUMP_SHOCK] + 1e-9)
        assert below <= row[cascade.JUMP_START] + 1e-6
        if row[cascade.JUMP_LANDING] < math.inf:
            assert above >= row[cascade.JUMP_LANDING] - 1e-6
        else:
            assert above > x[-1]


def test_unknown_in_unknown_out() -> None:
    nan = math.nan
    assert math.isnan(curves.value_at(X, B, nan, 1.0))
    assert math.isnan(curves.inverse(X, B, nan, 1.0))
    assert math.isnan(curves.coins_worth(X, B, nan, 1.0, 1.0, 1))
    assert math.isnan(cascade.first_passage(X, B, L, 1.0, nan))
    assert math.isnan(cascade.multiplier(0.0, 1.0))
    assert cascade.first_passage(X, np.zeros(8), L, 1.0, 1.0) == math.inf
    assert not curves.is_grid(np.array([0.0]))
    assert not curves.is_grid(np.array([0.0, 0.1, 0.1]))
    assert not curves.is_grid(np.array([0.01, 0.1]))
    for bad in ([0.0, nan], [0.0, 2.0, 1.0], [1.0, 2.0], [0.0, math.inf], [0.0, nan, 3.0]):
        assert not curves.is_curve(np.array(bad))
    assert curves.is_curve(B)


def test_prices_of_drops() -> None:
    assert curves.price_at(100.0, curves.DOWN, 0.25) == 75.0
    assert curves.price_at(100.0, curves.UP, 0.25) == 125.0
    for none in (1.0, math.inf, math.nan):
        assert curves.price_at(100.0, curves.DOWN, none) is None
    assert curves.price_at(100.0, curves.UP, math.inf) is None


def test_curves_from_pieces_and_from_grids_of_their_own() -> None:
    built = curves.cumulative(X, np.array([0.02, 0.0, 0.005, 0.0051, 0.2]), np.array([5.0, 1.0, 2.0, 4.0, 100.0]))
    assert built.tolist() == [0, 3, 7, 12, 12, 12, 12, 12]
    x, b, forced = curves.common_grid(X, B, np.array([0.0, 0.007, 0.2]), np.array([0.0, 10.0, 20.0]))
    assert curves.is_grid(x)
    assert len(x) == 10
    assert b[-1] == pytest.approx(8000 + 0.1 * curves.last_density(X, B))
    assert np.interp(X, x, b) == pytest.approx(B)
    assert forced[x == 0.007] == 10


@settings(max_examples=50)
@given(
    curve_pairs(solid=True),
    st.lists(st.floats(0, 400), min_size=1, max_size=12),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.1, 500) | st.just(math.inf),
    st.floats(0, 1),
)
def test_the_run_over_time_equals_its_twin(
    pair: Pair, sales: list[float], kappa: float, theta: float, cap: float, w: float
) -> None:
    x, b, forced = pair
    assume(sum(sales) > 0)
    slope = slope_at_end(x, b)
    c = p = m = u = done = drop = 0.0
    want = []
    for sale in sales:
        u += at(x, forced, m) - done
        done = at(x, forced, m)
        e = min(u, cap * 2.0)
        u -= e
        after = c * math.exp(-kappa * 2.0)
        c = after + e + sale
        p += theta * max(0.0, first(x, b, c, slope) - first(x, b, after, slope))
        drop = p + (1 - theta) * first(x, b, c, slope)
        m = max(m, m + w * (drop - m))
        want.append(drop)
    drops, found = np.empty(len(sales)), np.empty(refill.SIMULATED_COLUMNS)
    refill.simulate(x, b, forced, 1.0, np.array(sales), 2.0, kappa, theta, cap, w, drops, found)
    assert drops == pytest.approx(want, rel=1e-7, abs=1e-12)
    assert found[refill.SIMULATED_FORCED] == pytest.approx(done, rel=1e-7, abs=1e-9)
    assert found[refill.SIMULATED_WAITING] == pytest.approx(u, rel=1e-6, abs=1e-6)

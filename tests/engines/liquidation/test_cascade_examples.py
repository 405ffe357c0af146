"""Worked numbers of models 4.1 to 4.5."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cascade_twins import P0, REL, B, L, X

from engines.liquidation import cascade, coupling, curves, impact, refill, shock
from engines.liquidation.arbitrage import BOUND, ROUNDS, SETTLED, SETTLED_COLUMNS, VOLUME, settle
from engines.liquidation.grid import cells_of
from engines.liquidation.reasons import OK


def assessed(absorption: np.ndarray, scale: float = 1.0) -> np.ndarray:
    net, rows, found = np.empty(8), np.empty((5, cascade.JUMP_COLUMNS)), np.empty(cascade.CASCADE_COLUMNS)
    cascade.assess(X, absorption, L, P0, curves.DOWN, scale, 0.0, 25e6, 0.005, net, rows, found)
    return found


@pytest.mark.parametrize(
    ("sale", "direct", "drop", "forced", "multiplier"),
    [
        (200, 0.0025, 0.00294117647, 35.2941176, 1.17647059),
        (500, 0.006, 0.00758064516, 158.064516, 1.31612903),
        (799, 0.00899, 0.0199333333, 895.666667, 2.12098456),
        (801, 0.00901, 0.05335, 3067, 4.8289638),
        (1200, 0.01375, 0.06, 3200, 3.66666667),
    ],
)
def test_example_4_1_mode_a(sale: float, direct: float, drop: float, forced: float, multiplier: float) -> None:
    assert curves.inverse(X, B, sale, curves.last_density(X, B)) == pytest.approx(direct, rel=REL)
    found = cascade.first_passage(X, B, L, 1.0, sale)
    assert found == pytest.approx(drop, rel=REL)
    assert curves.value_at(X, L, found, 0.0) == pytest.approx(forced, rel=REL)
    assert cascade.multiplier(sale, curves.value_at(X, L, found, 0.0)) == pytest.approx(multiplier, rel=REL)


def test_example_4_1_gains() -> None:
    found = np.empty(7)
    assert cascade.gains(X, B, L, found) == 7
    assert found == pytest.approx([0.15, 0.38, 0.8125, 1.83333333, 0.769230769, 0.25, 0.15], rel=REL)
    assert cascade.gain_at_price(X, B, L, 0.005) == pytest.approx(0.15)


def test_example_4_1_ignition() -> None:
    found = assessed(B)
    assert found[cascade.IGNITIONS] == 1
    assert found[cascade.IGNITION_BASE] == pytest.approx(800, rel=REL)
    assert found[cascade.IGNITION_USD] == pytest.approx(55_734_000, rel=REL)
    assert found[cascade.DIRECT_RATIO] == pytest.approx(0.009, rel=REL)
    assert found[cascade.RUNAWAY_RATIO] == pytest.approx(0.02, rel=REL)
    assert found[cascade.LANDING_RATIO] == pytest.approx(0.0533333333, rel=REL)
    assert found[cascade.FORCED_BASE] == pytest.approx(2166.666667, rel=REL)
    assert found[cascade.LARGEST_FORCED_BASE] == found[cascade.FORCED_BASE]
    usd = 1100 * 0.975 + 1000 * 0.96 + 600 / 9 * (1 - (0.05 + 0.16 / 3) / 2)  # segment by segment
    assert found[cascade.FORCED_USD] == pytest.approx(P0 * usd, rel=REL)


@pytest.mark.parametrize(("scale", "ignition", "start"), [(1.5, 525, 0.01), (2.0, 400, 0.01)])
def test_example_4_1_a_larger_map(scale: float, ignition: float, start: float) -> None:
    found = assessed(B, scale)
    assert found[cascade.IGNITION_BASE] == pytest.approx(ignition, rel=REL)
    assert found[cascade.RUNAWAY_RATIO] == pytest.approx(start, rel=REL)


def test_example_4_1_a_smaller_map_and_half_a_book() -> None:
    none = assessed(B, 0.5)
    assert none[cascade.IGNITIONS] == 0
    assert none[cascade.RUNAWAY_RATIO] == math.inf
    assert none[cascade.FORCED_BASE] == none[cascade.FORCED_USD] == 0.0
    half = assessed(B / 2)
    assert half[cascade.IGNITION_BASE] == pytest.approx(200, rel=REL)
    assert half[cascade.RUNAWAY_RATIO] == pytest.approx(0.01, rel=REL)
    assert half[cascade.LANDING_RATIO] == math.inf  # the book goes on and would absorb it at 0.102, outside the range
    assert half[cascade.FORCED_BASE] == 3650  # all there is beyond the run-away


def test_example_4_1_mode_b() -> None:
    at, level = np.empty(shock.headroom_size(8)), np.empty(shock.headroom_size(8))
    count = shock.headroom(X, B, L, 1.0, at, level)
    for given, drop, ratio, forced in (
        (0.005, 0.00642857143, 1.28571429, 114.285714),
        (0.009, 0.0171428571, 1.9047619, 714.285714),
        (0.012, 0.054, 4.5, 3080),
        (0.015, 0.0583333333, 3.88888889, 3166.666667),
    ):
        found = shock.shock_passage(at, level, count, given)
        assert found == pytest.approx(drop, rel=REL)
        assert found / given == pytest.approx(ratio, rel=REL)
        assert curves.value_at(X, L, found, 0.0) == pytest.approx(forced, rel=REL)
    rows = np.empty((5, cascade.JUMP_COLUMNS))
    assert shock.shock_jumps(at, level, count, rows) == 1
    assert rows[0, shock.JUMP_SHOCK] == pytest.approx(0.01, rel=REL)
    assert rows[0, cascade.JUMP_START] == pytest.approx(0.02, rel=REL)
    assert rows[0, cascade.JUMP_LANDING] == pytest.approx(0.0511111111, rel=REL)


@pytest.mark.parametrize(
    ("band", "most", "w", "drops", "sales", "volume", "multiplier"),
    [
        (0.0, math.inf, 0, (0.00441176471, 0.00441176471), (21.1764706, 331.764706), 225.882353, 1.17647059),
        (0.002, math.inf, 0, (0.00406849315, 0.00606849315), (19.5287671, 360.361644), 208.306849, 1.26630137),
        (0.005, math.inf, 0, (0.00369863014, 0.00869863014), (17.7534247, 420.328767), 189.369863, 1.46027397),
        (math.inf, math.inf, 0, (0, 0.108), (0, 2640), 0, 8.8),
        (1.0, math.inf, 0, (0, 0.108), (0, 2640), 0, 8.8),
        (0.002, 50, 0, (0.0009765625, 0.106333333), None, 50, 8.815625),
        (0.002, math.inf, 1, (0.00377837838, 0.00577837838), None, None, 1.18313514),
    ],
)
def test_example_4_2(
    band: float,
    most: float,
    w: float,
    drops: tuple[float, ...],
    sales: tuple[float, ...] | None,
    volume: float | None,
    multiplier: float,
) -> None:
    cells, per_unit = cells_of(X)
    books, maps = np.outer([0.7, 0.3], B), np.outer([0.4, 0.6], L)
    own, weights = np.array([0.0, 300.0]), np.array([0.6, 0.4])
    hints, found_drops, found_sales = np.zeros(2, np.int64), np.zeros(2), np.zeros(2)
    found = np.empty(SETTLED_COLUMNS)
    code = settle(
        X, cells, per_unit, books, maps, np.arange(2), 1.0, own, weights, w, band, most, 1.0, 1e-13, 500, hints,
        found_drops, found_sales, found,
    )  # fmt: skip
    assert code == SETTLED
    assert found[ROUNDS] < 60
    assert found_drops == pytest.approx(drops, rel=REL)
    assert found_sales.sum() / 300 == pytest.approx(multiplier, rel=REL)
    if sales is not None:
        assert found_sales == pytest.approx(sales, rel=REL)
    if volume is not None:
        assert found[VOLUME] == pytest.approx(volume, rel=REL)
    assert found[BOUND] == (most == 50)


def test_example_4_3() -> None:
    gain = np.array([[0.55, 0.10], [0.35, 0.60]])
    assert coupling.spectral_radius(gain) == pytest.approx(0.763745861, rel=REL)
    total = coupling.total_forced(gain, np.array([100.0, 0.0]))
    assert total == pytest.approx([275.862069, 241.37931], rel=REL)
    assert total.sum() / 100 == pytest.approx(5.17241379, rel=REL)


def test_coupling_at_and_beyond_its_edge() -> None:
    built = coupling.gain_matrix(np.array([10.0, 20.0]), np.array([[1.0, 0.5], [2.0, 1.0]]), np.array([40.0, 50.0]))
    assert built == pytest.approx(np.array([[0.25, 0.1], [1.0, 0.4]]))
    assert np.all(np.isinf(coupling.total_forced(np.eye(2), np.ones(2))))
    nobody = coupling.gain_matrix(np.ones(2), np.ones((2, 2)), np.array([1.0, 0.0]))
    assert math.isnan(coupling.spectral_radius(nobody))
    assert np.all(np.isnan(coupling.total_forced(nobody, np.ones(2))))


@pytest.mark.parametrize(
    ("kappa", "fifth", "deepest", "end", "forced", "multiplier"),
    [
        (0.02, 0.012413805, 0.015214728, 0.00643618667, 580.349262, 1.64483251),
        (0.3, 0.00765136638, 0.00904255952, 0.00353639926, 158.89752, 1.1765528),
    ],
)
def test_example_4_4(kappa: float, fifth: float, deepest: float, end: float, forced: float, multiplier: float) -> None:
    sales, drops, found = np.zeros(120), np.empty(120), np.empty(refill.SIMULATED_COLUMNS)
    sales[:3] = 300
    assert refill.simulate(X, B, L, 1.0, sales, 1.0, kappa, 0.3, 200.0, 0.5, drops, found) == OK
    assert drops[4] == pytest.approx(fifth, rel=REL)
    assert found == pytest.approx([deepest, end, forced, 0.0, multiplier], rel=REL, abs=1e-9)


def test_example_4_4_without_time_is_mode_a() -> None:
    sales, drops, found = np.zeros(200), np.empty(200), np.empty(refill.SIMULATED_COLUMNS)
    sales[0] = 500
    assert refill.simulate(X, B, L, 1.0, sales, 1.0, 0.0, 0.0, math.inf, 1.0, drops, found) == OK
    assert drops[-1] == pytest.approx(0.00758064516, rel=REL)
    assert refill.effective_gain(1.0, 0.25, 4.0) == pytest.approx(0.632120559, rel=REL)
    assert refill.effective_gain(11 / 6, 0.25, 4.0) == pytest.approx(1.15888769, rel=REL)
    assert refill.effective_gain(1.5, 0.0, 4.0) == 1.5


def test_example_4_5() -> None:
    assert impact.square_root(5e9, 30e9, 0.04) == pytest.approx(0.0163299316, rel=REL)
    assert impact.invariance(5e9, 30e9, 0.04) == pytest.approx(0.190785707, rel=REL)
    assert impact.linear(250e6, 100e6) == pytest.approx(0.025, rel=REL)
    for unknown in (impact.square_root(1, 0, 1), impact.invariance(1, math.nan, 1), impact.linear(1, 0)):
        assert math.isnan(unknown)


def test_the_nodes_of_the_service() -> None:
    x = curves.drop_nodes()
    assert len(x) == curves.NODES == 2000
    assert curves.is_grid(x)
    assert np.diff(x).min() == pytest.approx(0.25e-4)
    assert np.diff(x).max() == pytest.approx(2.5e-4)
    for part in (0.005, 0.05, 0.1, 0.19975):
        assert part in x

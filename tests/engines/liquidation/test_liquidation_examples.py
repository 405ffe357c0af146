"""Worked numbers of models.md 2.1 to 2.7."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engines.liquidation import adl, bankruptcy, brackets, partial, price, variants

LONG, SHORT = 1, -1
FLOORS = np.array([0.0, 50e3, 250e3, 1e6, 10e6])
RATES = np.array([0.005, 0.01, 0.025, 0.05, 0.10])
CUM = np.array([0.0, 250.0, 4000.0, 29000.0, 529000.0])
NONE = np.zeros(5)


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-6)


def exact(value: float, digits: int) -> object:
    """As many decimals as the example prints."""
    return pytest.approx(value, abs=0.51 * 10.0**-digits)


@pytest.mark.parametrize(
    ("quantity", "entry", "rate", "cum", "maintenance", "pnl", "expected"),
    [
        (3683.979, 1456.84, 0.10, 135365, 0, 0, 1114.784964),
        (109.488, 32481.98, 0.025, 16300, 0, 0, 18778.725932),
        (3683.979, 1456.84, 0.10, 135365, 71200.81144, -56354.57, 1153.256465),
        (109.488, 32481.98, 0.025, 16300, 356512.508, -448192.89, 26316.893309),
    ],
)
def test_example_2_1_one_way(
    quantity: float, entry: float, rate: float, cum: float, maintenance: float, pnl: float, expected: float
) -> None:
    found = price.linear(LONG, quantity, entry, 1535443.01, maintenance, pnl, rate, cum, 0.0)
    assert found == exact(expected, 6)


def test_example_2_1_hedge_mode() -> None:
    legs = [np.array(x, float) for x in ((1, -1), (3, 1), (70000, 72000), (0.01, 0.01), (250, 50))]
    assert price.hedged(20000.0, 0.0, 0.0, *legs, 0.0) == exact(60051.020408, 6)


def test_example_2_2_deductions_and_requirement() -> None:
    assert brackets.deductions_from(FLOORS, RATES) == pytest.approx(CUM)
    assert brackets.maintenance(1.1e6, FLOORS, RATES, CUM) == near(26000)
    assert brackets.maintenance_whole(1.1e6, FLOORS, RATES) == near(55000)
    # The venue's own example for coins: 50 BTC x (5% - 2.5%) + 0.56.
    coins = brackets.deductions_from(np.array([0.0, 50.0]), np.array([0.025, 0.05]))
    assert coins[1] + 0.56 == near(1.81)


@pytest.mark.parametrize(
    ("side", "quantity", "entry", "leverage", "expected", "rate", "at_entry", "bankrupt"),
    [
        (LONG, 10, 110000, 20, 106947.368421, 0.05, 106947.368421, 104500),
        (LONG, 10, 101000, 10, 92820.512821, 0.025, 92631.578947, 90900),
        (SHORT, 2, 70000, 25, 72202.970297, 0.01, 72202.970297, 72800),
        (SHORT, 13, 75000, 20, 77124.542125, 0.05, 77129.45591, 78750),
        (LONG, 0.5, 70000, 100, 69648.241206, 0.005, 69648.241206, 69300),
    ],
)
def test_example_2_2_the_bracket_at_the_liquidation_price(
    side: int,
    quantity: float,
    entry: float,
    leverage: float,
    expected: float,
    rate: float,
    at_entry: float,
    bankrupt: float,
) -> None:
    wallet = quantity * entry / leverage
    found, k = price.bracketed(False, side, quantity, entry, wallet, FLOORS, RATES, CUM, 0.0, math.nan)
    assert found == exact(expected, 6)
    assert RATES[k] == rate
    # The usual mistake: the bracket of the entry.
    wrong = brackets.bracket_of(quantity * entry, FLOORS)
    assert price.linear(side, quantity, entry, wallet, 0.0, 0.0, RATES[wrong], CUM[wrong], 0.0) == exact(at_entry, 6)
    assert bankruptcy.linear(side, quantity, entry, wallet) == near(bankrupt)


def test_a_requirement_that_jumps() -> None:
    """Long 10 @110000, 20x: the whole position at 2.5% is safe under 100000 (1M of notional), at 5% it is not."""
    args = (False, LONG, 10.0, 110000.0, 55000.0, FLOORS, RATES, NONE, 0.0)
    assert price.bracketed(*args, 110000.0) == (pytest.approx(104500 / 0.95), 3)
    # Seen from just under the edge: coming up to it ends the position.
    deep = (False, LONG, 10.0, 103000.0, 60000.0, FLOORS, RATES, NONE, 0.0)
    assert price.bracketed(*deep, 99900.0) == (pytest.approx(100000.0), 3)
    assert price.bracketed(*deep, 97600.0) == (pytest.approx(97000 / 0.975), 2)
    assert price.bracketed(*deep, 102500.0) == (pytest.approx(97000 / 0.95), 3)
    # A short that would be closed neither below the edge nor above it is closed at the edge.
    short = (False, SHORT, 10.0, 95000.0, 85000.0, FLOORS, RATES, NONE, 0.0)
    assert price.bracketed(*short, 95000.0) == (pytest.approx(100000.0), 3)


def test_example_2_3_bybit_at_entry_and_at_mark() -> None:
    assert variants.bybit_linear_at_entry(LONG, 1.0, 20000.0, 50.0, 0.005, 0.0, 0.0) == near(19700)
    assert variants.bybit_linear_at_entry(SHORT, 1.0, 20000.0, 50.0, 0.005, 0.0, 0.0) == near(20300)
    assert variants.bybit_linear_at_entry(LONG, 2.0, 20000.0, 50.0, 0.005, 0.0, 100.0) == near(19650)
    assert variants.bybit_linear_at_entry(LONG, 2.0, 20000.0, 50.0, 0.005, 40.0, 0.0) == near(19680)
    assert price.linear(LONG, 1.0, 20000.0, 400.0, 0.0, 0.0, 0.005, 0.0, 0.0) == exact(19698.492462, 6)
    assert price.linear(SHORT, 1.0, 20000.0, 400.0, 0.0, 0.0, 0.005, 0.0, 0.0) == exact(20298.507463, 6)


def test_example_2_3_okx_with_the_fee_inside() -> None:
    assert price.linear(LONG, 1.0, 70000.0, 7000.0, 0.0, 0.0, 0.004, 0.0, 0.0005) == exact(63284.781517, 6)
    assert price.linear(SHORT, 1.0, 70000.0, 7000.0, 0.0, 0.0, 0.004, 0.0, 0.0005) == exact(76655.052265, 6)


def test_example_2_3_phemex() -> None:
    assert variants.phemex_margin(LONG, 500.0, 0.4, 5.0, 0.0006) == near(40.096)
    assert variants.phemex(LONG, 500.0, 0.4, 5.0, 0.01, 0.0006) == near(0.323234283)


def test_example_2_3_hyperliquid() -> None:
    found = variants.hyperliquid(LONG, 2.0, 70000.0, 9000.0, 0.0125, 0.0)
    assert found == exact(66329.113924, 6)
    # The wallet behind an account value of 9000 at a mark 1000 under the entry: identical to 2.1.
    assert price.linear(LONG, 2.0, 71000.0, 11000.0, 0.0, 0.0, 0.0125, 0.0, 0.0) == near(found)


def test_example_2_4_inverse() -> None:
    assert variants.bybit_inverse_at_entry(SHORT, 60000.0, 50000.0, 10.0, 0.005) == exact(55248.618785, 6)
    assert price.inverse(SHORT, 60000.0, 50000.0, 0.12, 0.0, 0.0, 0.005, 0.0, 0.0) == exact(55277.777778, 6)
    assert price.inverse(LONG, 60000.0, 50000.0, 0.12, 0.0, 0.0, 0.005, 0.0, 0.0) == exact(45681.818182, 6)


def test_example_2_4_old_bybit_cross() -> None:
    assert variants.bybit_cross_bankruptcy(LONG, 10000.0, 8000.0, 0.5, 0.00075) == exact(5718.571429, 6)
    found = variants.bybit_cross_at_entry(LONG, 10000.0, 8000.0, 0.5, 0.005, 0.00075)
    assert found == exact(5739.083528, 6)
    assert math.ceil(found / 0.5) * 0.5 == 5739.5  # as the venue shows it


def test_example_2_5_bankruptcy_and_fund() -> None:
    value = 1000.0
    assert bankruptcy.inverse(LONG, value, 7890.08, value / 7890.08 / 50) == exact(7735.372549, 6)
    flows = np.array(
        [bankruptcy.fund_flow(LONG, 2.0, 62500.0, 63000.0), bankruptcy.fund_flow(LONG, 1.0, 61400.0, 61000.0)]
    )
    balances, uncovered = np.empty(2), np.empty(2)
    assert bankruptcy.waterfall(1e6, flows, balances, uncovered) == near(999400)
    assert balances == pytest.approx([999000, 999400])
    assert uncovered == pytest.approx([0, 0])
    assert bankruptcy.waterfall(400.0, np.array([-1000.0, math.nan, 50.0]), balances := np.empty(3), left := np.empty(3)) == 50.0  # fmt: skip
    assert list(balances) == [0.0, 0.0, 50.0]
    assert list(left) == pytest.approx([600.0, math.nan, 0.0], nan_ok=True)


MULTIPLIERS = {
    2: (0.502512563, 1.49253731),
    3: (0.67001675, 1.32669983),
    5: (0.804020101, 1.19402985),
    10: (0.904522613, 1.09452736),
    20: (0.954773869, 1.04477612),
    25: (0.964824121, 1.03482587),
    50: (0.984924623, 1.01492537),
    100: (0.994974874, 1.00497512),
    125: (0.996984925, 1.00298507),
}


@pytest.mark.parametrize("leverage", MULTIPLIERS)
def test_example_2_5_multipliers(leverage: int) -> None:
    for side, expected in zip((LONG, SHORT), MULTIPLIERS[leverage], strict=True):
        assert bankruptcy.multiplier(side, float(leverage), 0.005) == pytest.approx(expected, rel=1e-8)


def test_example_2_6_the_smallest_slice() -> None:
    f = partial.fraction_to_restore(30000.0, 1.2e6, 0.05, 29000.0, 0.008)
    assert f == near(0.0198412698)
    assert 30000 - f * 1.2e6 * 0.008 == near(29809.52381)
    assert (1 - f) * 1.2e6 * 0.05 - 29000 == near(29809.52381)
    assert partial.fraction_to_restore(5000.0, 1.2e6, 0.05, 29000.0, 0.008) == near(0.515873016)
    assert partial.fraction_to_restore(5000.0, 1.2e6, 0.05, 29000.0, 0.05) == 1.0
    assert partial.fraction_to_restore(32000.0, 1.2e6, 0.05, 29000.0, 0.05) == 0.0
    assert math.isnan(partial.fraction_to_restore(math.nan, 1.2e6, 0.05, 29000.0, 0.008))
    assert math.isnan(partial.fraction_to_restore(5000.0, 0.0, 0.05, 0.0, 0.008))


def test_what_goes_to_the_book_at_once() -> None:
    assert partial.release_of("binance_usdm").at_once == 1.0
    assert partial.release_of("okx_swap").at_once == 0.5
    assert partial.release_of("bybit_inverse").at_once == 0.7
    assert partial.release_of("hyperliquid") == partial.Release(0.2)
    assert partial.release_of("gate_usdt") == partial.OTHERWISE


def test_example_2_7_scores_and_queue() -> None:
    rows = [(5000, 10000, 900), (5000, 4000, 700), (200, 100, 60), (-50, 900, 40)]
    scores = np.array([adl.binance_score(*map(float, row)) for row in rows])
    assert scores == pytest.approx([0.03, 0.0972222222, 0.4, 0.0], rel=1e-6)
    assert list(adl.queue(scores)) == [2, 1, 0, 3]
    assert adl.classic_score(SHORT, 70000.0, 65000.0, 77000.0) == near(0.386904762)
    assert adl.classic_score(SHORT, 70000.0, 72000.0, 77000.0) == near(-2000 / 70000 / (72000 / 5000))
    assert adl.hyperliquid_score(LONG, 60000.0, 65000.0, 130000.0, 20000.0) == near(7.04166667)
    assert adl.hyperliquid_score(SHORT, 65000.0, 60000.0, 130000.0, 20000.0) == near(7.04166667)
    assert adl.hyperliquid_score(SHORT, 60000.0, 65000.0, 130000.0, 20000.0) == 0.0


def test_example_2_7_the_queue_overshoots() -> None:
    profits = np.array([500.0, 600.0, 400.0])
    haircuts = np.empty(3)
    assert adl.greedy_haircuts(900.0, profits, haircuts) == (1100.0, 0.0)
    assert list(haircuts) == [500.0, 600.0, 0.0]
    assert adl.pro_rata_rate(900.0, profits) == near(0.6)
    assert adl.greedy_haircuts(2000.0, profits, haircuts) == (1500.0, 500.0)
    assert adl.pro_rata_rate(2000.0, profits) == 1.0
    assert math.isnan(adl.pro_rata_rate(900.0, np.array([-1.0, math.nan])))

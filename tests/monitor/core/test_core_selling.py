"""Net selling of five minutes, and how far an hour goes, against plain sums."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import SECOND
from monitor.liquidation.flow import HourlyVolatility, NetSelling, RobustScore

START = 1_760_000_000 * SECOND


@given(st.integers(0, 2**32), st.integers(301, 340))
def test_net_selling_is_the_sum_of_five_minutes(seed: int, length: int) -> None:
    seconds = np.random.default_rng(seed).uniform(0, 1e6, (length, 2)).tolist()
    net, bought, sold = NetSelling(), 0.0, 0.0
    for number, (buys, sells) in enumerate(seconds):
        bought, sold = bought + buys, sold + sells
        found = net.step({"a:b": (bought, sold)}, START + number * SECOND)
        assert (found is None) == (number < 300)
        if found is not None:
            plain = math.fsum(s - b for b, s in seconds[number - 299 : number + 1])
            assert found == pytest.approx(plain, rel=1e-6, abs=1e-2)


def test_totals_that_begin_anew_and_new_markets_are_no_sales() -> None:
    net = NetSelling()
    for number in range(301):
        net.step({"a:b": (5e6, 9e6)}, START + number * SECOND)
    assert net.step({"a:b": (0.0, 100.0), "c:d": (7e6, 0.0)}, START + 301 * SECOND) == 0.0
    assert net.step({"a:b": (0.0, 350.0), "c:d": (7e6, 50.0)}, START + 302 * SECOND) == 300.0


def test_volatility_of_a_random_walk() -> None:
    generator, volatility, price = np.random.default_rng(5), HourlyVolatility(), 60_000.0
    found = []
    for second in range(6 * 3600):
        price *= math.exp(0.0001 * generator.standard_normal())
        ratio = volatility.step(price, START + second * SECOND)
        if second > 3600 and ratio is not None:
            found.append(ratio)
    assert statistics.mean(found) == pytest.approx(0.0001 * math.sqrt(3600), rel=0.15)


def test_volatility_is_not_known_at_once_and_not_of_a_hole() -> None:
    volatility = HourlyVolatility()
    for minute in range(10):
        assert volatility.step(60_000.0 * (1.001 if minute % 2 else 1.0), START + minute * 60 * SECOND) is None
    known = volatility.step(60_000.0, START + 600 * SECOND)
    assert known == pytest.approx(math.log(1.001) * math.sqrt(60), rel=1e-9)
    assert volatility.step(None, START + 660 * SECOND) == known
    assert volatility.step(45_000.0, START + 5_000 * SECOND) == known  # the fall of a hole is no minute's return
    assert volatility.step(0.0, START + 5_060 * SECOND) == known


@pytest.mark.parametrize("saved", [None, [], [1.0], [-1.0, 5.0], [math.nan, 5.0], ["a", 1], [1e-6, -3.0]])
def test_saved_volatility_that_makes_no_sense_is_left(saved: object) -> None:
    volatility = HourlyVolatility()
    assert not volatility.load(saved)
    assert volatility.ratio is None


def test_volatility_survives_a_restart() -> None:
    first = HourlyVolatility()
    for minute in range(20):
        first.step(60_000.0 + minute * 40, START + minute * 60 * SECOND)
    second = HourlyVolatility()
    assert second.load(first.dump())
    assert second.ratio == first.ratio is not None


def test_a_figure_is_unusual_against_its_own_past() -> None:
    generator, score = np.random.default_rng(9), RobustScore()
    for _ in range(480):
        assert math.isnan(score.score(0.0002))
        score.learn(0.0001 + 0.00002 * generator.standard_normal(), 60.0)
    assert score.score(0.0001 + 3 * 0.00002) == pytest.approx(3.0, rel=0.15)
    again = RobustScore()
    assert again.load(score.dump())
    assert again.score(0.00004) == score.score(0.00004)
    still = RobustScore()
    for _ in range(600):
        still.learn(0.0001, 60.0)
        assert math.isnan(still.score(0.0001))  # nothing ever moved: nothing is unusual
    hole = RobustScore()
    hole.learn(0.0001, 60.0)
    hole.learn(0.0002, 10 * 3600.0)
    assert math.isnan(hole.score(0.0003))  # a hole is no history
    for wrong in (None, [1.0], [math.nan, 1.0, 1.0], [0.0, -1.0, 5.0]):
        assert not RobustScore().load(wrong)


def test_trades_that_are_not_heard_are_no_selling_of_nothing() -> None:
    net = NetSelling()
    for number in range(301):
        net.step({"a:b": (5e6 + number, 9e6), "c:d": (1e6, 1e6)}, START + number * SECOND)
    assert net.step({"a:b": (5.1e6, 9e6), "c:d": (1e6, 1e6)}, START + 301 * SECOND, ["c:d"]) is not None  # a small one
    assert net.step({"a:b": (5.1e6, 9e6), "c:d": (1e6, 1e6)}, START + 302 * SECOND, ["a:b"]) is None
    assert net.step({"a:b": (5.1e6, 9e6), "c:d": (1e6, 1e6)}, START + 600 * SECOND) is None  # the hole is in the window
    assert net.step({"a:b": (5.1e6, 9e6), "c:d": (1e6, 1e6)}, START + 603 * SECOND) is not None

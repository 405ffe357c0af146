"""What must hold of every position and every set of brackets; kernels against plain twins."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engines.liquidation import adl, bankruptcy, brackets, partial, price, variants

Sets = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def bracket_sets(draw: st.DrawFn, most: int = 6) -> Sets:
    """Floors that rise from 0, rates that rise, and the deductions by the definition of an integral over marginal rates."""
    count = draw(st.integers(1, most))
    widths = draw(st.lists(st.integers(1, 5000), min_size=count - 1, max_size=count - 1))
    steps = draw(st.lists(st.integers(1, 60), min_size=count, max_size=count))
    floors, rates = [0], [steps[0]]
    for width, step in zip(widths, steps[1:], strict=True):
        floors.append(floors[-1] + width * 1000)
        rates.append(rates[-1] + step)
    shares = [Fraction(rate, 1000) for rate in rates]
    deductions = [
        floor * share - integral(Fraction(floor), floors, shares) for floor, share in zip(floors, shares, strict=True)
    ]
    return np.array(floors, float), np.array(shares, float), np.array(deductions, float)


def integral(size: Fraction, floors: list[int], rates: list[Fraction]) -> Fraction:
    """Each slice of a position at the rate of its own bracket."""
    total = Fraction(0)
    for floor, cap, rate in zip(floors, [*floors[1:], None], rates, strict=True):
        top = size if cap is None else min(size, Fraction(cap))
        total += max(Fraction(0), top - floor) * rate
    return total


sides = st.sampled_from((1, -1))
sizes = st.floats(0.01, 3e7)
entries = st.floats(0.01, 1e5)
leverages = st.one_of(st.floats(1.01, 125.0), st.just(1.0))  # just above 1 only rounding would be compared
fees = st.sampled_from((0.0, 0.0005))


@settings(max_examples=60)
@given(bracket_sets(), st.lists(st.integers(0, 40_000_000), min_size=3, max_size=3))
def test_the_requirement_is_an_integral_rising_continuous_and_convex(found: Sets, at: list[int]) -> None:
    floors, rates, deductions = found
    assert brackets.deductions_from(floors, rates) == pytest.approx(deductions, rel=1e-9, abs=1e-6)
    exact = [Fraction(round(rate * 1000), 1000) for rate in rates]
    whole = [int(floor) for floor in floors]
    for size in at:
        due = brackets.maintenance(float(size), floors, rates, deductions)
        assert due == pytest.approx(float(integral(Fraction(size), whole, exact)), rel=1e-9, abs=1e-6)
        assert brackets.maintenance_whole(float(size), floors, rates) >= due - 1e-6
    low, middle, high = (brackets.maintenance(float(size), floors, rates, deductions) for size in sorted(at))
    assert low <= middle + 1e-6
    assert middle <= high + 1e-6
    a, b, c = sorted(at)
    assert middle * (c - a) <= low * (c - b) + high * (b - a) + 1e-3 * max(1, c)
    for k, edge in enumerate(floors[1:]):
        assert edge * rates[k] - deductions[k] == pytest.approx(edge * rates[k + 1] - deductions[k + 1], abs=1e-6)


@given(bracket_sets(), st.floats(0, 4e7))
def test_bracket_of_is_the_bracket_that_holds_the_size(found: Sets, size: float) -> None:
    floors = found[0]
    k = brackets.bracket_of(size, floors)
    assert size <= floors[k + 1] if k + 1 < len(floors) else True
    assert size > floors[k] or k == 0
    assert [brackets.bracket_of(edge, floors) for edge in floors] == [0, *range(len(floors) - 1)]


def test_no_bracket_is_said() -> None:
    floors = np.array([0.0, 10.0])
    for size in (math.nan, -1.0):
        assert brackets.bracket_of(size, floors) == -1
        assert math.isnan(brackets.maintenance(size, floors, floors, floors))
        assert math.isnan(brackets.maintenance_whole(size, floors, floors))
    assert brackets.bracket_of(1.0, np.empty(0)) == -1


def _position(inverted: bool, size: float, entry: float, leverage: float) -> tuple[float, float]:
    """Quantity (or value in US dollars) and isolated margin of a position worth `size` at its entry, in its margin's unit."""
    return (size * entry, size / leverage) if inverted else (size / entry, size / leverage)


def _equity(inverted: bool, side: int, quantity: float, entry: float, balance: float, at: float) -> float:
    gain = quantity * (1 / entry - 1 / at) if inverted else quantity * (at - entry)
    return balance + side * gain


@settings(max_examples=60)
@given(bracket_sets(), st.booleans(), sides, sizes, entries, leverages, fees)
@example((np.array([0.0]), np.array([0.005]), np.array([0.0])), True, 1, 1.0, 100.0, 1.0, 0.0)
def test_the_price_is_where_equity_meets_the_requirement_of_the_bracket_there(
    found: Sets, inverted: bool, side: int, size: float, entry: float, leverage: float, fee: float
) -> None:
    quantity, balance = _position(inverted, size, entry, leverage)
    at, k = price.bracketed(inverted, side, quantity, entry, balance, *found, fee, math.nan)
    floors, rates, deductions = found
    if math.isnan(at):
        # A long without leverage has nothing to lose but its coins; an inverse short's coins cover every rise.
        assert leverage == pytest.approx(1.0)
        assert k == -1
        return
    worth = quantity / at if inverted else quantity * at
    due = worth * fee + brackets.maintenance(worth, floors, rates, deductions)
    equity = _equity(inverted, side, quantity, entry, balance, at)
    assert equity == pytest.approx(due, rel=1e-6, abs=1e-7 * size)
    assert floors[k] * (1 - 1e-8) <= worth
    assert k == len(floors) - 1 or worth <= floors[k + 1] * (1 + 1e-8)
    # Safe on the better side of it, gone on the other: there is no second one.
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        p = at * factor
        worth = quantity / p if inverted else quantity * p
        left = _equity(inverted, side, quantity, entry, balance, p) - worth * fee
        assert (left > brackets.maintenance(worth, floors, rates, deductions)) == ((factor > 1) == (side > 0))


@given(bracket_sets(4), st.booleans(), sides, sizes, entries, leverages, st.floats(0.3, 3.0))
def test_with_a_requirement_that_jumps_it_is_the_nearest_end_of_safety(
    found: Sets, inverted: bool, side: int, size: float, entry: float, leverage: float, moved: float
) -> None:
    floors, rates, _ = found
    quantity, balance = _position(inverted, size, entry, leverage)
    mark = entry * moved
    at, k = price.bracketed(inverted, side, quantity, entry, balance, floors, rates, np.zeros(len(floors)), 0.0, mark)

    def safe(p: float) -> bool:
        worth = quantity / p if inverted else quantity * p
        return _equity(inverted, side, quantity, entry, balance, p) > brackets.maintenance_whole(worth, floors, rates)

    if math.isnan(at):
        assert k == -1
        assert (
            len({safe(entry * factor) for factor in (0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 100.0)}) == 1 or leverage < 1.0001
        )
        return
    assert safe(at * (1 - 1e-7)) != safe(at * (1 + 1e-7))
    low, high = min(at, mark), max(at, mark)
    if (high - low) / mark > 1e-6:  # nothing changes on the way from the mark to it
        between = np.linspace(low, high, 23)[1:-1]
        assert len({safe(float(p)) for p in between}) == 1


@settings(max_examples=60)
@given(
    sides,
    sizes,
    entries,
    leverages,
    st.floats(0.001, 0.3),
    st.floats(0.5, 2.0),
    st.floats(0, 1e4),
    st.floats(-1e4, 1e4),
)
def test_closed_forms_equal_their_twins(
    side: int, quantity: float, entry: float, leverage: float, rate: float, moved: float, other: float, pnl: float
) -> None:
    """Twins over exact fractions: solve equity = requirement as a line in p (linear) or in 1/p (inverse)."""
    q, ep, r = Fraction(quantity), Fraction(entry), Fraction(rate)
    wallet = Fraction(quantity * entry / leverage)
    balance = wallet - Fraction(other) + Fraction(pnl)
    # balance + s q (p - ep) - q p r = 0
    line = (balance - side * q * ep) / -(side * q - q * r)
    _same(price.linear(side, quantity, entry, float(wallet), other, pnl, rate, 0.0, 0.0), line, quantity * entry)
    # coins: balance + s U (1/ep - y) - U r y = 0 with y = 1/p
    coins = Fraction(quantity / entry / leverage) - Fraction(other / entry**2) + Fraction(pnl / entry**2)
    y = (coins + side * q / ep) / (q * (side + r))
    found = price.inverse(
        side, quantity, entry, quantity / entry / leverage, other / entry**2, pnl / entry**2, rate, 0.0, 0.0
    )
    assume(abs(y) * ep > Fraction(1, 10**6))
    _same(found, 1 / y, 1.0)
    if leverage == 1.0:
        return  # a long's price is then nothing but rounding
    # From the mark: the same price as from the entry.
    mark = entry * moved
    account = quantity * entry / leverage + side * quantity * (mark - entry)
    there = variants.hyperliquid(side, quantity, mark, account, rate, 0.0)
    here = price.linear(side, quantity, entry, quantity * entry / leverage, 0.0, 0.0, rate, 0.0, 0.0)
    assert there == pytest.approx(here, rel=1e-6, abs=1e-6 * entry, nan_ok=True)


def _same(found: float, exact: Fraction, scale: float) -> None:
    if math.isnan(found):
        assert exact <= scale * 1e-9 + 1e-9
    else:
        assert found == pytest.approx(float(exact), rel=1e-6, abs=1e-9 * scale)


@given(sides, sizes, entries, leverages, st.floats(0.001, 0.005))
def test_one_leg_of_a_hedge_is_a_position_and_equal_legs_have_no_price(
    side: int, quantity: float, entry: float, leverage: float, rate: float
) -> None:
    wallet = quantity * entry / leverage
    alone = price.linear(side, quantity, entry, wallet, 0.0, 0.0, rate, 0.0, 0.0)
    legs = [np.array(x, float) for x in ((side, -side), (quantity, 0.0), (entry, 0.0), (rate, rate), (0.0, 0.0))]
    assert price.hedged(wallet, 0.0, 0.0, *legs, 0.0) == pytest.approx(alone, rel=1e-9, nan_ok=True)
    both = [np.array(x, float) for x in ((1, -1), (quantity, quantity), (entry, entry), (rate, rate), (0.0, 0.0))]
    found = price.hedged(wallet, 0.0, 0.0, *both, 0.0)
    assert found == pytest.approx(entry / leverage / (2 * rate), rel=1e-6)  # only the growing requirement is left


@given(sides, sizes, entries, leverages, st.floats(0.001, 0.005))
def test_nobody_is_liquidated_after_being_bankrupt(
    side: int, size: float, entry: float, leverage: float, rate: float
) -> None:
    for inverted in (False, True):
        quantity, margin = _position(inverted, size, entry, leverage)
        solve, gone = (price.inverse, bankruptcy.inverse) if inverted else (price.linear, bankruptcy.linear)
        lp = solve(side, quantity, entry, margin, 0.0, 0.0, rate, 0.0, 0.0)
        bp = gone(side, quantity, entry, margin)
        if not math.isnan(lp) and not math.isnan(bp):
            assert side * (lp - bp) >= -1e-9 * entry
            assert _equity(inverted, side, quantity, entry, margin, bp) == pytest.approx(
                0.0, abs=1e-7 * margin * leverage
            )
    if leverage > 1.001:
        assert bankruptcy.multiplier(side, leverage, rate) * entry == pytest.approx(
            price.linear(side, size, entry, size * entry / leverage, 0.0, 0.0, rate, 0.0, 0.0)
        )


@given(bracket_sets(1), st.floats(-1e5, 1e6), st.floats(1.0, 1e7), st.floats(0.0, 0.1))
def test_the_slice_restores_the_margin_and_a_smaller_one_does_not(
    found: Sets, equity: float, notional: float, cost: float
) -> None:
    rate = float(found[1][0])
    f = partial.fraction_to_restore(equity, notional, rate, 0.0, cost)
    assert 0.0 <= f <= 1.0

    def missing(share: float) -> float:
        return (1 - share) * notional * rate - (equity - share * notional * cost)

    if f < 1.0:
        assert missing(f) <= 1e-6 * notional
    if f > 0.0:
        assert missing(0.99 * f) > -1e-9 * notional


@given(st.lists(st.floats(-100, 1000), min_size=1, max_size=12), st.floats(0, 5000))
def test_the_queue_overshoots_by_less_than_its_last_position(profits: list[float], deficit: float) -> None:
    haircuts = np.empty(len(profits))
    taken, left = adl.greedy_haircuts(deficit, np.array(profits), haircuts)
    positive = [max(0.0, each) for each in profits]
    assert taken == pytest.approx(sum(haircuts))
    assert taken + left >= deficit - 1e-9
    assert left == pytest.approx(max(0.0, deficit - sum(positive)))
    closed = [each for each in haircuts if each > 0]
    if closed and left == 0.0:
        assert taken - deficit < closed[-1] + 1e-9
    if sum(positive) > 0:
        rate = adl.pro_rata_rate(deficit, np.array(profits))
        assert rate * sum(positive) == pytest.approx(min(deficit, sum(positive)))


@given(st.lists(st.one_of(st.floats(-5, 5), st.just(math.nan)), max_size=12))
def test_the_queue_is_sorted_and_stable(scores: list[float]) -> None:
    order = [int(i) for i in adl.queue(np.array(scores))]
    known = [i for i in order if not math.isnan(scores[i])]
    assert sorted(order) == list(range(len(scores)))
    assert order[: len(known)] == known
    for a, b in pairwise(known):
        assert scores[a] > scores[b] or (scores[a] == scores[b] and a < b)


@given(st.floats(0, 1e6), st.lists(st.floats(-1e5, 1e5), max_size=10))
def test_the_fund_never_pays_what_it_has_not(fund: float, flows: list[float]) -> None:
    balances, uncovered = np.empty(len(flows)), np.empty(len(flows))
    left = bankruptcy.waterfall(fund, np.array(flows), balances, uncovered)
    assert left == pytest.approx(fund + sum(flows) + sum(uncovered), abs=1e-6)
    assert all(balance >= 0 for balance in balances)
    assert all(rest == 0 or balance == 0 for rest, balance in zip(uncovered, balances, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_bad_input_has_no_price(bad: float) -> None:
    one = np.array([0.0, 5.0]), np.array([0.005, 0.01]), np.array([0.0, 0.025])
    for found in (
        price.linear(1, bad, 100.0, 10.0, 0.0, 0.0, 0.005, 0.0, 0.0),
        price.linear(1, 1.0, bad, 10.0, 0.0, 0.0, 0.005, 0.0, 0.0),
        price.inverse(-1, bad, 100.0, 0.1, 0.0, 0.0, 0.005, 0.0, 0.0),
        price.inverse(-1, 1.0, bad, 0.1, 0.0, 0.0, 0.005, 0.0, 0.0),
        price.bracketed(False, 1, bad, 100.0, 10.0, *one, 0.0, math.nan)[0],
        price.bracketed(True, 1, 1.0, bad, 10.0, *one, 0.0, math.nan)[0],
        variants.bybit_linear_at_entry(1, bad, 100.0, 10.0, 0.005, 0.0, 0.0),
        variants.bybit_inverse_at_entry(1, 1.0, bad, 10.0, 0.005),
        variants.bybit_cross_at_entry(1, 1.0, bad, 10.0, 0.005, 0.0),
        variants.phemex(1, bad, 1.0, 10.0, 0.005, 0.0),
        variants.hyperliquid(1, bad, 1.0, 10.0, 0.005, 0.0),
        bankruptcy.linear(1, bad, 1.0, 0.1),
        bankruptcy.inverse(1, 1.0, bad, 0.1),
        adl.classic_score(1, bad if bad < 1 or math.isnan(bad) else math.nan, 1.0, 2.0),
    ):
        assert math.isnan(found)
    assert math.isnan(price.linear(0, 1.0, 100.0, 10.0, 0.0, 0.0, 0.005, 0.0, 0.0))
    assert math.isnan(price.linear(1, 1.0, 100.0, 10.0, 0.0, 0.0, 1.0, 0.0, 0.0))
    assert math.isnan(price.linear(1, 1.0, 100.0, math.nan, 0.0, 0.0, 0.005, 0.0, 0.0))
    assert math.isnan(price.linear(1, 1.0, 100.0, 100.0, 0.0, 0.0, 0.005, 0.0, 0.0))  # no leverage
    assert math.isnan(bankruptcy.multiplier(1, 1.0, 0.005))
    assert math.isnan(bankruptcy.fund_flow_inverse(1, 1.0, 0.0, 5.0))
    assert bankruptcy.fund_flow_inverse(1, 1000.0, 50.0, 40.0) == pytest.approx(5.0)
    assert math.isnan(adl.binance_score(math.nan, 1.0, 1.0))
    assert math.isnan(adl.hyperliquid_score(1, 1.0, 2.0, 1.0, 0.0))
    assert price.bracketed(False, 1, 1.0, 100.0, 10.0, *[np.empty(0)] * 3, 0.0, math.nan)[1] == -1

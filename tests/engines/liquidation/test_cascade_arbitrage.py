"""Several venues: places on the grid, levels and the outer loop against their twins; its two ends are known exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cascade_twins import B, L, X, at, level
from hypothesis import assume, given
from hypothesis import settings as how
from hypothesis import strategies as st

from engines.liquidation import arbitrage, cascade, curves
from engines.liquidation.arbitrage import NOT_ABSORBED, NOT_SETTLED, SETTLED, SETTLED_COLUMNS
from engines.liquidation.grid import cells_of, drop_of, locate

Market = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def markets(draw: Any, most_venues: int = 4) -> Market:
    """(x, books, maps, own sales); bids stand everywhere, and no venue's gain exceeds 0.8, so that the loop ends soon."""
    n, venues = draw(st.integers(2, 7)), draw(st.integers(1, most_venues))
    steps = draw(st.lists(st.integers(1, 40), min_size=n - 1, max_size=n - 1))
    pieces = st.lists(st.integers(10, 60), min_size=n - 1, max_size=n - 1)
    books = np.array([np.cumsum([0.0, *draw(pieces)]) for _ in range(venues)])
    shares = st.lists(st.floats(0, 0.8), min_size=n - 1, max_size=n - 1)
    maps = np.array([np.cumsum([0.0, *(np.diff(b) * draw(shares))]) for b in books])
    own = np.array(draw(st.lists(st.floats(0, 80), min_size=venues, max_size=venues)))
    return np.cumsum([0, *steps]) / 1000, books, maps, own


def settled(
    market: Market, band: float, most: float, w: float = 0.0, weights: np.ndarray | None = None, rounds: int = 500
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    x, books, maps, own = market
    venues = len(own)
    drops, sales, found = np.zeros(venues), np.zeros(venues), np.empty(SETTLED_COLUMNS)
    weights = np.full(venues, 1 / venues) if weights is None else weights
    code = arbitrage.settle(
        x, *cells_of(x), books, maps, np.arange(venues), 1.0, own, weights, w, band, most, 1.0, 1e-13, rounds,
        np.zeros(venues, np.int64), drops, sales, found,
    )  # fmt: skip
    return code, drops, sales, found


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.lists(st.floats(0, 3), min_size=1, max_size=5))
def test_places_are_found_on_any_grid(steps: list[int], wanted: list[float]) -> None:
    x = np.cumsum([0, *steps]) / 1000
    cells, per_unit = cells_of(x)
    for where in [*(w * float(x[-1]) for w in wanted), *x.tolist(), *np.nextafter(x[1:], 0).tolist()]:
        i, part = locate(x, cells, per_unit, where)
        assert i == min(np.searchsorted(x, where, side="right") - 1, len(x) - 2)
        assert x[int(i)] + part * (x[int(i) + 1] - x[int(i)]) == pytest.approx(where, rel=1e-12, abs=1e-15)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=12), st.lists(st.floats(-1, 120), min_size=1, max_size=8))
def test_remembered_places_change_nothing(rises: list[int], asked: list[float]) -> None:
    curve = np.cumsum([0.0, *rises])
    x = np.arange(len(curve)) / 100
    hints = np.zeros(1, np.int64)
    for coins in asked:
        want = min(1.0, curves.inverse(x, curve, coins, curves.last_density(x, curve)))
        assert drop_of(x, curve[None, :], 0, coins, hints, 1.0) == pytest.approx(want, rel=1e-12)


@how(max_examples=40)
@given(markets(), st.sampled_from([0.0, 1e-4, 2e-3, 0.01]), st.sampled_from([math.inf, 0.0, 1.0, 20.0]))
def test_levels_equal_their_twin(market: Market, band: float, most: float) -> None:
    x, books, _, sales = market
    venues = len(sales)
    drops, found = np.zeros(venues), np.zeros(SETTLED_COLUMNS)
    code = arbitrage.level_out(
        x, *cells_of(x), books, np.arange(venues), sales, band, most, 1.0, np.zeros(venues, np.int64), drops, found
    )
    want, volume = level(x, list(books), sales.tolist(), band, most)
    assert drops == pytest.approx(want, abs=1e-8)
    assert found[arbitrage.VOLUME] == pytest.approx(volume, abs=1e-6 * max(1.0, sales.sum()))
    assert code == (NOT_ABSORBED if max(want) >= 1.0 else SETTLED)
    if code == SETTLED:  # coins are conserved
        slopes = [curves.last_density(x, b) for b in books]
        held = sum(at(x, b, d, s) for b, d, s in zip(books, drops, slopes, strict=True))
        assert held == pytest.approx(sales.sum(), rel=1e-9, abs=1e-9)
        if found[arbitrage.BOUND]:
            assert found[arbitrage.VOLUME] == most
            assert drops.max() - drops.min() >= band - 1e-12
        else:
            assert drops.max() - drops.min() <= band + 1e-9 or found[arbitrage.VOLUME] == 0.0 == most


@how(max_examples=30)
@given(
    markets(3), st.sampled_from([0.0, 1e-3, 0.01]), st.sampled_from([math.inf, 5.0]), st.sampled_from([0.0, 0.5, 1.0])
)
def test_the_loop_ends_at_rest_by_its_twin(market: Market, band: float, most: float, w: float) -> None:
    x, books, maps, own = market
    assume(own.sum() > 1)
    code, drops, sales, found = settled(market, band, most, w)
    assume(code == SETTLED)
    want, _ = level(x, list(books), sales.tolist(), band, most)
    assert drops == pytest.approx(want, abs=1e-7)
    index = sum(want) / len(want)
    forced = [at(x, m, w * index + (1 - w) * d) for m, d in zip(maps, want, strict=True)]
    assert sales == pytest.approx(own + forced, rel=1e-6, abs=1e-6)
    assert found[arbitrage.TOTAL_SALES] == pytest.approx(sales.sum())


@how(max_examples=50)
@given(markets())
def test_no_band_is_one_market_and_no_arbitrage_is_many(market: Market) -> None:
    x, books, maps, own = market
    assume(own.sum() > 1)
    code, drops, sales, _ = settled(market, 0.0, math.inf)
    pooled = cascade.first_passage(x, books.sum(axis=0), maps.sum(axis=0), 1.0, own.sum())
    assume(pooled < 1.0)
    assert code == SETTLED
    assert drops == pytest.approx(np.full(len(own), pooled), rel=1e-7)
    assert sales.sum() == pytest.approx(own.sum() + at(x, maps.sum(axis=0), pooled), rel=1e-7)
    _, alone, _, _ = settled(market, math.inf, math.inf)
    want = [min(1.0, cascade.first_passage(x, b, m, 1.0, q)) for b, m, q in zip(books, maps, own, strict=True)]
    assert alone == pytest.approx(want, rel=1e-7)
    _, stopped, _, found = settled(market, 0.0, 0.0)
    assert stopped == pytest.approx(want, rel=1e-7)
    assert found[arbitrage.VOLUME] == 0.0


def test_a_venue_without_bids_is_carried_by_arbitrage_or_not_at_all() -> None:
    books, maps = np.array([B, np.zeros(8)]), np.array([0 * L, 0 * L])
    market = (X, books, maps, np.array([0.0, 300.0]))
    code, drops, _, found = settled(market, 0.002, math.inf)
    assert code == SETTLED
    assert drops == pytest.approx([0.00375, 0.00575])
    assert found[arbitrage.VOLUME] == pytest.approx(300)
    code, drops, _, _ = settled(market, 0.002, 50.0)
    assert code == NOT_ABSORBED
    assert drops == pytest.approx([0.000625, 1.0])
    code, drops, _, _ = settled((X, 0 * books, maps, np.array([10.0, 10.0])), 0.002, math.inf)
    assert code == NOT_ABSORBED
    assert drops == pytest.approx([1.0, 1.0])


def test_too_few_rounds_are_said() -> None:
    code, drops, sales, found = settled((X, np.array([B]), np.array([L]), np.array([801.0])), 0.0, math.inf, rounds=5)
    assert code == NOT_SETTLED
    assert found[arbitrage.ROUNDS] == 5
    assert sales[0] < 801 + 3067
    assert np.isfinite(drops).all()

"""Curves of absorption against sums over the plain list of levels."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from book_captures import BINANCE_FRAME, LINKED, RANGE, levels_of, scale
from hypothesis import given
from hypothesis import strategies as st

from engines.book.bands import BandSet, Side
from engines.book.live_book import LiveBook
from engines.book.worth import Worth

GRID = scale("0.5", "0.001")
MIDDLE = 10_000
DROPS = np.concatenate([np.linspace(0, 0.05, 26), np.linspace(0.06, 0.4, 18)])
Rows = list[tuple[int, int]]

sizes = st.integers(1, 10**7)
bids = st.dictionaries(st.integers(100, MIDDLE - 1), sizes, min_size=1, max_size=60)
asks = st.dictionaries(st.integers(MIDDLE + 1, 2 * MIDDLE), sizes, min_size=1, max_size=60)
worths = st.sampled_from(
    [
        Worth(GRID),
        Worth(GRID, contract_size=Decimal("0.01"), unit_multiplier=1000),
        Worth(GRID, inverse=True, contract_size=Decimal(100)),
    ]
)


def from_stream(bids: Rows, asks: Rows, worth: Worth | None = None, **changed: Any) -> LiveBook:
    book = LiveBook(
        scale=GRID, market="X", grammar=BINANCE_FRAME, rule=LINKED, changes_at_any_price=False, worth=worth, **changed
    )
    book.levels(*levels_of(bids, asks, last=10, previous=-1, kind=1), 0)
    return book


def from_rest(bids: Rows, asks: Rows, worth: Worth, settled: bool, learned: Rows) -> LiveBook:
    book = LiveBook(
        scale=GRID, market="X", grammar=BINANCE_FRAME, rule=RANGE, changes_at_any_price=True,
        floor_settle_ns=0 if settled else 10**18, worth=worth,
    )  # fmt: skip
    book.snapshot(*levels_of(bids, asks, last=10), 1)
    book.levels(*levels_of(learned, [], first=10, last=11, previous=9), 2)
    return book


def curves(book: LiveBook, side: Side, at: int = 2) -> tuple[float | None, np.ndarray, np.ndarray]:
    known, whole = np.full(len(DROPS), np.nan), np.full(len(DROPS), np.nan)
    return book.absorption(side, DROPS, at, known, whole), known, whole


def coins(worth: Worth, tick: int, lots: int) -> float:
    unit = worth.lot_unit * worth.unit_multiplier
    return lots * unit / (tick * worth.tick_unit) if worth.inverse else lots * unit


def twin(rows: Rows, worth: Worth, middle: float, sign: int) -> list[float]:
    """Level by level; a level exactly on an edge is inside."""
    total = []
    for drop in DROPS.tolist():
        edge = middle * (1 - sign * drop)
        inside = [(t, lots) for t, lots in rows if (t >= edge * (1 - 1e-9) if sign > 0 else t <= edge * (1 + 1e-9))]
        total.append(sum(coins(worth, tick, lots) for tick, lots in inside))
    return total


@given(bids, asks, worths)
def test_a_book_known_to_the_end_is_its_levels(bids: dict[int, int], asks: dict[int, int], worth: Worth) -> None:
    book = from_stream(list(bids.items()), list(asks.items()), worth)  # the stream's snapshot is the whole book
    middle = (max(bids) + min(asks)) / 2
    for side, rows, sign in (("bid", bids, 1), ("ask", asks, -1)):
        reach, known, whole = curves(book, side)  # type: ignore[arg-type]
        expected = twin(list(rows.items()), worth, middle, sign)
        assert known == pytest.approx(expected, rel=1e-9)
        assert whole == pytest.approx(expected, rel=1e-9)
        assert reach is not None
        assert reach >= DROPS[-1]


@given(
    st.dictionaries(st.integers(100_000, 399_999), sizes, min_size=1, max_size=40),
    st.dictionaries(st.integers(400_001, 560_000), sizes, min_size=1, max_size=40),
)
def test_levels_in_many_regions_are_found(bids: dict[int, int], asks: dict[int, int]) -> None:
    book = from_stream(list(bids.items()), list(asks.items()))
    middle = (max(bids) + min(asks)) / 2
    for side, rows, sign in (("bid", bids, 1), ("ask", asks, -1)):
        _, known, _ = curves(book, side)  # type: ignore[arg-type]
        assert known == pytest.approx(twin(list(rows.items()), Worth(GRID), middle, sign), rel=1e-9)


@given(bids, asks, worths, st.booleans())
def test_beyond_the_reach_the_last_density_goes_on(
    bids: dict[int, int], asks: dict[int, int], worth: Worth, settled: bool
) -> None:
    learned = [(50, 3_000_000), (90, 7)]
    book = from_rest(list(bids.items()), list(asks.items()), worth, settled, learned)
    middle = (max(bids) + min(asks)) / 2
    reach, known, whole = curves(book, "bid")
    assert reach == pytest.approx(1 - min(bids) / middle, rel=1e-9)
    seen = sorted(bids.items()) + (learned if settled else [])
    assert known == pytest.approx(twin(seen, worth, middle, 1), rel=1e-9)
    assert (whole >= known * (1 - 1e-12)).all()
    assert (np.diff(whole) >= -1e-9 * whole[-1]).all()
    inside = reach >= DROPS
    assert (whole[inside] == known[inside]).all()


def test_the_density_is_that_of_the_outer_half() -> None:
    # 1 lot a tick down to 1%, then 3 lots a tick down to 2%, and nothing known beyond.
    rows = [(9_999 - i, 1000 if i < 100 else 3000) for i in range(200)]
    book = from_rest(rows, [(10_001, 1000)], Worth(GRID), False, [])
    reach, known, whole = curves(book, "bid")
    assert reach == pytest.approx(0.02)
    at_reach = known[10]  # the node at 2%
    assert at_reach == pytest.approx(100 * 1 + 100 * 3, rel=0.01)
    assert whole[20] == pytest.approx(at_reach + 600, rel=0.02)  # 2% further: 200 ticks of 3 coins
    assert known[20] == at_reach


def test_a_reach_within_the_first_drop_has_a_density_too() -> None:
    """10 coins down to 0.1%, where the first drop is 0.2%: 10,000 coins per unit go on."""
    book = from_rest([(9_995, 4_000), (9_990, 6_000)], [(10_005, 1000)], Worth(GRID), False, [])
    reach, known, whole = curves(book, "bid")
    assert reach == pytest.approx(0.001)
    assert known[1] == 10.0
    assert whole[1] == pytest.approx(20.0)
    assert whole[-1] == pytest.approx(10_000 * DROPS[-1])


def test_a_deep_snapshot_is_known_until_it_is_old() -> None:
    book = from_rest([(9_999, 5), (9_900, 7)], [(10_001, 5)], Worth(GRID), False, [])
    book.deep(*levels_of([(9_999, 9), (9_900, 9), (9_500, 40), (9_000, 50)], [(10_001, 5)], last=12), 2)
    reach, known, _ = curves(book, "bid", at=3)
    assert reach == pytest.approx(0.1)
    assert known[-1] == pytest.approx(0.001 * (5 + 7 + 40 + 50))  # inside its reach the book itself counts
    old, known, whole = curves(book, "bid", at=62 * 10**9)
    assert old == pytest.approx(0.01)
    assert known[-1] == pytest.approx(0.012)
    assert whole[-1] > known[-1]


def test_what_cannot_be_read_absorbs_nothing_known() -> None:
    book = from_stream([(9_999, 5)], [])
    reach, known, whole = curves(book, "bid")
    assert reach is None
    assert not known.any()
    assert not whole.any()


def test_the_curve_agrees_with_the_bands() -> None:
    rows = [(9_999 - 7 * i, 10 + i) for i in range(900)]
    book = from_stream(rows, [(10_001 + 5 * i, 20 + i) for i in range(900)])
    depth = {(side, band): base for side, band, _, base, _ in book.depth(BandSet(["1%", "2%", "5%"]), 2, 1.0) or ()}
    for side in ("bid", "ask"):
        _, known, _ = curves(book, side)  # type: ignore[arg-type]
        for band, node in (("1%", 5), ("2%", 10), ("5%", 25)):
            assert known[node] == pytest.approx(depth[side, band], rel=1e-12)  # type: ignore[index]

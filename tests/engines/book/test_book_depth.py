"""Depth in coins and USD from one kernel call, against the exact sums of `bands` and `bands_around`, which take another way."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from book_captures import BINANCE_FRAME, LINKED, RANGE, levels_of, scale
from hypothesis import given
from hypothesis import strategies as st

from engines.book.bands import BandReport, BandSet
from engines.book.live_book import LiveBook
from engines.book.worth import Worth

GRID = scale("0.5", "0.001")
BANDS = BandSet(["5%", "0.1%", "1%", "30%", "100%"])  # not in order, and with one down to zero
FX = 1.0625
MIDDLE = 10_000

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


def stream_book(bids: Rows, asks: Rows, worth: Worth | None = None, **changed: Any) -> LiveBook:
    book = LiveBook(
        scale=GRID, market="X", grammar=BINANCE_FRAME, rule=LINKED, changes_at_any_price=False, worth=worth, **changed
    )
    book.levels(*levels_of(bids, asks, last=10, previous=-1, kind=1), 0)
    return book


def rest_book(bids: Rows, asks: Rows, worth: Worth, settled: bool) -> LiveBook:
    """Seeded over REST, and with one bid and one ask learned beyond the snapshot's reach."""
    book = LiveBook(
        scale=GRID, market="X", grammar=BINANCE_FRAME, rule=RANGE, changes_at_any_price=True,
        floor_settle_ns=0 if settled else 10**18, worth=worth,
    )  # fmt: skip
    book.snapshot(*levels_of(bids, asks, last=10), 1)
    book.levels(*levels_of([(50, 3)], [(3 * MIDDLE, 5)], first=10, last=11, previous=9), 2)
    return book


def same(book: LiveBook, report: BandReport | None, around: float | None = None) -> None:
    depth = book.depth(BANDS, 2, FX, around)
    if report is None:
        assert depth is None
        return
    assert depth is not None
    known = [figure for figure in (*report.bid, *report.ask) if figure.published is not None]
    rows = list(depth)
    assert [row[:2] + row[4:] for row in rows] == [(figure.side, figure.band, figure.basis) for figure in known]
    for (_, _, usd, base, _), figure in zip(rows, known, strict=True):
        assert figure.published is not None
        assert usd == pytest.approx(book.worth.usd(figure.published, FX), rel=1e-12)
        assert base == pytest.approx(book.worth.base(figure.published), rel=1e-12)
    assert sum(math.isnan(value) for value in depth.figures[:, 0]) == 2 * len(BANDS) - len(rows)


@given(bids, asks, bids, asks, worths, st.booleans(), st.floats(10, 3 * MIDDLE))
def test_a_window_with_and_without_a_deep_snapshot(
    bids: dict[int, int], asks: dict[int, int], more_bids: dict[int, int], more_asks: dict[int, int], worth: Worth,
    deep: bool, around: float,
) -> None:  # fmt: skip
    book = stream_book(list(bids.items()), list(asks.items()), worth, window=min(len(bids), len(asks)))
    if deep:
        book.deep(*levels_of(list(more_bids.items()), list(more_asks.items())), 1)
    same(book, book.bands(BANDS, 2))
    same(book, book.bands_around(BANDS, around, 2), around)


@given(bids, asks, worths, st.booleans(), st.floats(10, 3 * MIDDLE))
def test_levels_learned_beyond_the_snapshot(
    bids: dict[int, int], asks: dict[int, int], worth: Worth, settled: bool, around: float
) -> None:
    book = rest_book(list(bids.items()), list(asks.items()), worth, settled)
    assert book.readable == (book.reason == "")
    same(book, book.bands(BANDS, 2))
    same(book, book.bands_around(BANDS, around, 2), around)


def test_sums_too_large_for_the_kernel_are_still_exact() -> None:
    huge = 1 << 46
    book = stream_book([(MIDDLE - 1, huge), (9_000, huge)], [(MIDDLE + 1, huge), (15_000, huge)])
    assert book.readable
    report = book.bands(BANDS, 2)
    assert report is not None
    same(book, report)
    same(book, book.bands_around(BANDS, 9_500.25, 2), 9_500.25)


def test_nothing_is_said_of_a_book_that_cannot_be_read() -> None:
    for book in (stream_book([(10, 1)], []), stream_book([], [(10, 1)])):
        assert (book.readable, book.reason) == (False, "one_sided")
        assert book.depth(BANDS, 2, FX) is None
        assert all(math.isnan(ratio) for ratio in book.slippage("sell", [1.0, 2.0]))
    lost = stream_book([(9, 1)], [(10, 1)])
    lost.disconnected(3)
    assert lost.depth(BANDS, 3, FX) is None
    assert stream_book([(9, 1)], [(10, 1)]).depth(BANDS, 2, FX, around=0.0) is None


@given(bids, asks, worths, st.lists(st.floats(0.001, 1e9), max_size=6))
def test_slippage_is_that_of_the_cost(
    bids: dict[int, int], asks: dict[int, int], worth: Worth, notionals: list[float]
) -> None:
    book = stream_book(list(bids.items()), list(asks.items()), worth)
    for wanted in (notionals, sorted(notionals)):
        for action in ("sell", "buy"):
            expected = [cost.slippage for cost in book.cost(action, wanted)]  # type: ignore[arg-type]
            assert book.slippage(action, wanted) == pytest.approx(expected, rel=1e-12, nan_ok=True)  # type: ignore[arg-type]

"""What book streams publish, against dictionaries: each kind read back by the rule its venues state."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.wire.scale import Grid
from monitor.simulator.order_book import SimulatedBook
from monitor.simulator.streams import (
    BucketStream,
    DiffStream,
    SnapshotStream,
    WindowStream,
    bucket_units,
    singles,
    standing,
)

LOW, SIZE = 7_000, 300
Sides = tuple[dict[int, int], dict[int, int]]
QUOTES = st.lists(
    st.tuples(st.sampled_from((1, -1)), st.dictionaries(st.integers(0, SIZE - 1), st.integers(0, 9), max_size=12)),
    min_size=1,
    max_size=8,
)


def quote(book: SimulatedBook, sign: int, wanted: dict[int, int]) -> None:
    indices = np.array(sorted(wanted), dtype=np.int64)
    book.quote(sign, indices, np.array([wanted[i] for i in sorted(wanted)], dtype=np.int64))


def filled() -> SimulatedBook:
    book = SimulatedBook(LOW, LOW + SIZE - 1)
    quote(book, 1, {i: 1 + i % 5 for i in range(0, 148, 2)})
    quote(book, -1, {i: 1 + i % 4 for i in range(152, SIZE, 3)})
    book.take_touched()
    return book


def truth(book: SimulatedBook, depth: int | None = None) -> Sides:
    found = []
    for sign in (1, -1):
        indices = book.top(sign, depth or book.size).tolist()
        found.append({LOW + i: abs(int(book.lots[i])) for i in indices})
    return found[0], found[1]


def apply(sides: Sides, changes) -> None:
    for side, rows in zip(sides, (changes.bids, changes.asks), strict=True):
        for tick, lots in rows:
            if lots:
                side[tick] = lots
            else:
                side.pop(tick, None)


@settings(max_examples=60, deadline=None)
@given(QUOTES, st.integers(3, 40))
def test_a_window_without_word_of_what_leaves_is_right_for_a_client_that_cuts(quotes, depth: int) -> None:
    book = filled()
    stream = WindowStream(book, depth, tells_leaving=False)
    sides: Sides = ({}, {})
    apply(sides, stream.levels())
    for sign, wanted in quotes:
        quote(book, sign, wanted)
        before = truth(book, depth)
        changes = stream.flush()
        apply(sides, changes)
        for side, worst in ((sides[0], min), (sides[1], max)):
            while len(side) > depth:
                del side[worst(side)]
        assert sides == before
        # A deletion is of a level that is gone, and not of one that was pushed out.
        everything = truth(book)
        for side, rows in zip(everything, (changes.bids, changes.asks), strict=True):
            assert all(lots or tick not in side for tick, lots in rows)


@settings(max_examples=60, deadline=None)
@given(QUOTES, st.integers(3, 40))
def test_a_window_that_tells_and_whole_snapshots_are_the_best_levels(quotes, depth: int) -> None:
    book = filled()
    window, whole = WindowStream(book, depth), SnapshotStream(book, depth)
    sides: Sides = ({}, {})
    apply(sides, window.levels())
    for sign, wanted in quotes:
        quote(book, sign, wanted)
        apply(sides, window.flush())
        assert sides == truth(book, depth)
        rows = whole.flush()
        assert (dict(rows.bids), dict(rows.asks)) == sides
        assert rows.bids == sorted(rows.bids)
        assert rows.best_first[0][0][0] == LOW + book.best_bid


@settings(max_examples=60, deadline=None)
@given(QUOTES)
def test_single_levels_make_the_same_book_and_never_cross_it_on_the_way(quotes) -> None:
    book = filled()
    stream = DiffStream(book)
    sides = truth(book)
    for sign, wanted in quotes:
        quote(book, sign, wanted)
        stream.collect(book.take_touched())
        for sign_of_row, tick, lots in singles(stream.flush()):
            side = sides[0] if sign_of_row > 0 else sides[1]
            if lots:
                side[tick] = lots
            else:
                side.pop(tick, None)
            assert not sides[0] or not sides[1] or max(sides[0]) < min(sides[1])
        assert sides == truth(book)


def rounded(price: Decimal, figures: int, up: bool) -> Decimal:
    """The twin: a price at so many significant figures, by decimal arithmetic alone."""
    width = Decimal(10) ** (price.adjusted() - figures + 1)
    down = price // width * width
    return down if down == price or not up else down + width


@settings(max_examples=60, deadline=None)
@given(QUOTES, st.sampled_from(["1", "0.5", "0.1", "0.01"]), st.integers(2, 5), st.integers(2, 30))
def test_buckets_hold_what_rounds_to_them(quotes, tick: str, figures: int, depth: int) -> None:
    book = filled()
    stream = BucketStream(book, Grid.from_step(tick), figures, depth)
    published: Sides = ({}, {})
    for sign, wanted in quotes:
        quote(book, sign, wanted)
        expected: list[dict[Decimal, int]] = []
        for side, up in zip(truth(book), (False, True), strict=True):
            sums: dict[Decimal, int] = {}
            for level, lots in side.items():
                price = rounded(level * Decimal(tick), figures, up)
                sums[price] = sums.get(price, 0) + lots
            expected.append(dict(sorted(sums.items(), reverse=not up)[:depth]))
        rows = stream.levels()
        assert {t * Decimal(tick): lots for t, lots in rows.bids} == expected[0]
        assert {t * Decimal(tick): lots for t, lots in rows.asks} == expected[1]
        apply(published, stream.flush())
        assert published == (dict(rows.bids), dict(rows.asks))
        assert stream.published() == rows
    assert not stream.flush()


def test_a_bucket_is_ten_times_as_wide_beyond_a_power_of_ten() -> None:
    assert bucket_units(np.array([9_999, 10_000, 99_999, 100_000, 7]), 4).tolist() == [1, 10, 10, 100, 1]


@pytest.mark.parametrize(
    "make", [lambda book: WindowStream(book, 20), lambda book: SnapshotStream(book, 20), DiffStream]
)
def test_a_crossed_bid_comes_once_and_is_taken_back(make) -> None:
    book = filled()
    stream = make(book)
    sides = truth(book, 20)
    whole = isinstance(stream, SnapshotStream)
    stream.cross()
    crossed = []
    for round_ in range(3):
        quote(book, 1, {10 + round_: 50})
        if isinstance(stream, DiffStream):
            stream.collect(book.take_touched())
        changes = stream.flush()
        if whole:
            sides = ({}, {})
        apply(sides, changes)
        crossed.append(max(sides[0]) >= min(sides[1]))
    assert crossed == [True, False, False]


def test_standing_levels_are_all_of_them_or_the_best() -> None:
    book = filled()
    assert (dict(standing(book).bids), dict(standing(book).asks)) == truth(book)
    assert len(standing(book, 5).asks) == 5

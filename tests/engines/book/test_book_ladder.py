"""The ladder against dictionaries: any order of changes, any distance, growth of pool and range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from book_captures import levels_of
from book_twins import PlainBook
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book import memory
from engines.book.bits import highest_bit, lowest_bit
from engines.book.growth import copy_into, with_range, with_room
from engines.book.ladder import (
    NO_ROOM,
    apply_levels,
    clear,
    differing,
    erase,
    export_levels,
    find_above,
    find_below,
    lots_at,
    set_level,
    trim,
)
from engines.book.sums import (
    COLUMNS,
    EDGE,
    RAW_LOTS,
    RAW_OFFSET,
    TOO_LARGE,
    band_edge,
    cost,
    depth_to,
    measure,
    walked_sums,
)

REGION = memory.REGION_TICKS
# Ticks that share leaves, supers and regions, and ticks that share nothing.
TICK = st.one_of(
    st.integers(0, 40),
    st.integers(REGION - 20, REGION + 20),
    st.integers(0, 70 * REGION),
    st.sampled_from([0, 15, 16, 255, 256, REGION - 1, 63 * REGION, 64 * REGION, 64 * REGION - 1]),
)
LOTS = st.one_of(st.just(0), st.integers(1, 50), st.integers(1, 10**12))
CHANGE = st.tuples(st.integers(0, 1), TICK, LOTS)


def small_block(regions: int = 71) -> memory.Block:
    return memory.new_block(regions, capacity=memory.LEVEL_ROOM)


def put(block: memory.Block, side: int, tick: int, lots: int) -> memory.Block:
    while set_level(block, side, tick, lots) == NO_ROOM:
        block = with_room(block)
    return block


def check(block: memory.Block, book: PlainBook) -> None:
    for side in (0, 1):
        plain = book.side(side)
        assert block[memory.COUNT + side] == len(plain)
        assert block[memory.BEST + side] == book.best(side)
        rows = np.zeros((len(plain) + 1, 2), np.int64)
        assert export_levels(block, side, rows) == len(plain)
        assert [tuple(row) for row in rows[: len(plain)].tolist()] == sorted(plain.items())


@settings(max_examples=150, deadline=None)
@given(st.lists(CHANGE, max_size=120), st.lists(TICK, min_size=1, max_size=8))
def test_any_changes_leave_what_a_dictionary_holds(changes: list[tuple[int, int, int]], probes: list[int]) -> None:
    block, book = small_block(), PlainBook()
    for side, tick, lots in changes:
        block = put(block, side, tick, lots)
        book.apply(*([(tick, lots)], [])[:: -1 if side else 1])
    check(block, book)
    for probe in probes:
        for side in (0, 1):
            plain = book.side(side)
            assert lots_at(block, side, probe) == plain.get(probe, 0)
            assert find_below(block, side, probe) == max((t for t in plain if t <= probe), default=-1)
            assert find_above(block, side, probe) == min((t for t in plain if t >= probe), default=-1)
            edge = Fraction(probe)
            if plain:
                lots, offset = depth_to(block, side, probe, 1000)
                total, weighted = book.sums(side, edge)
                if lots != TOO_LARGE:
                    assert (lots, offset + 1000 * lots) == (total, weighted)
    wider = with_range(block, 200)
    check(wider, book)
    assert differing(block, wider, 0, 0, memory.FOREVER) == 0
    emptied = wider.copy()
    erased = erase(emptied, 0, probes[0], probes[-1])
    assert erased == len([t for t in book.bids if probes[0] <= t <= probes[-1]])
    assert differing(wider, emptied, 0, 0, memory.FOREVER) == erased
    emptied = copy_into(emptied, wider, 0, 0, memory.FOREVER)
    check(emptied, book)
    clear(emptied)
    check(emptied, PlainBook())


def test_nodes_are_handed_back() -> None:
    block = small_block()
    rng = np.random.default_rng(20261122)
    tops = []
    for _ in range(20):
        ticks = rng.integers(0, 71 * REGION, 50)
        for tick in ticks:
            block = put(block, 0, int(tick), 5)
        tops.append(int(block[memory.TOP]))
        for tick in ticks:
            block = put(block, 0, int(tick), 0)
        assert block[memory.COUNT] == 0
        # the first parent's first node: no trace of sums is left
        first = int(block[memory.DIRECTORY])
        assert not block[first : int(block[memory.DIRECTORY + 1])].any()
    assert max(tops[10:]) <= max(tops[:10]) * 1.3


def test_levels_beyond_the_ladder_are_counted_and_never_counted_in() -> None:
    block = small_block(regions=2)
    put(block, 0, 2 * REGION, 7)
    put(block, 1, 999_999_999, 7)
    put(block, 1, 999_999_999, 0)
    assert block[memory.BEYOND] == 2
    check(block, PlainBook())


def test_quantities_that_would_break_the_sums_are_refused() -> None:
    block = put(small_block(), 0, 5, 2**60 + 1)
    assert block[memory.OVERSIZED] == 1
    check(block, PlainBook())
    block = put(block, 0, 1, 2**60)
    block = put(block, 0, REGION - 1, 2**60)  # weighted by its place it is beyond int64
    assert block[memory.OVERSIZED] == 1
    check(block, PlainBook({1: 2**60, REGION - 1: 2**60}))
    assert depth_to(block, 0, 2, 0)[0] == TOO_LARGE  # the caller sums level by level
    lots, lot_ticks = walked_sums(block, 0, 10 * REGION, 2)
    assert (lots, lot_ticks) == (2**60, 2**60 * (REGION - 1))
    block = put(block, 0, 2, 2**60)
    block = put(block, 0, 3, 2**60)
    block = put(block, 0, 4, 1)  # five of them are more than a region may hold
    assert block[memory.OVERSIZED] == 2
    block = put(block, 0, 2, 0)
    block = put(block, 0, 3, 0)
    block = put(block, 0, REGION - 1, 0)
    block = put(block, 0, 1, 0)
    block = put(block, 0, 3, 2**46)
    assert depth_to(block, 0, 0, 0) == (2**46, 3 * 2**46)  # what went beyond has left no trace


HUGE = st.one_of(st.just(0), st.integers(1, 2**59), st.integers(1, 50))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TICK, HUGE), max_size=40), st.lists(TICK, min_size=1, max_size=8))
def test_sums_that_fit_are_exact_whatever_went_beyond(changes: list[tuple[int, int]], probes: list[int]) -> None:
    block, book = small_block(), PlainBook()
    for tick, lots in changes:
        before = int(block[memory.OVERSIZED])
        block = put(block, 0, tick, lots)
        if block[memory.OVERSIZED] == before:
            book.apply([(tick, lots)], [])
    for probe in probes:
        lots, lot_ticks = book.sums(0, Fraction(probe))
        kernel_lots, offset = depth_to(block, 0, probe, 1000)
        if kernel_lots != TOO_LARGE:
            assert (kernel_lots, offset + 1000 * kernel_lots) == (lots, lot_ticks)
        walked = walked_sums(block, 0, book.best(0), probe)
        assert walked == pytest.approx((lots, lot_ticks), rel=1e-12)


def test_bits() -> None:
    for bit in range(64):
        word = np.int64(1) << np.int64(bit)
        assert lowest_bit(word) == highest_bit(word) == bit
    assert (lowest_bit(np.int64(-1)), highest_bit(np.int64(-1))) == (0, 63)


def test_trim_takes_the_worst() -> None:
    block = small_block()
    block[memory.WINDOW] = 3
    for tick in range(100, 106):
        block = put(block, 0, tick, 1)
        block = put(block, 1, tick + 10, 1)
    assert trim(block) == 6
    check(block, PlainBook({105: 1, 104: 1, 103: 1}, {110: 1, 111: 1, 112: 1}))


BANDS = [(1, 1000), (1, 400), (1, 200), (1, 100), (1, 50), (1, 20), (1, 10)]


@st.composite
def books(draw: st.DrawFn) -> tuple[PlainBook, int]:
    mid = draw(st.sampled_from([20, 700, 61_800, 618_000, 6_180_000]))
    spread = draw(st.sampled_from([3, 50, mid // 50 + 2, mid // 4 + 2]))
    bids = draw(st.dictionaries(st.integers(1, spread), st.integers(1, 10**9), min_size=1, max_size=40))
    asks = draw(st.dictionaries(st.integers(1, spread), st.integers(1, 10**9), min_size=1, max_size=40))
    far = draw(st.dictionaries(st.integers(mid * 2, mid * 3), st.integers(1, 10**9), max_size=3))
    asks = {mid + d: q for d, q in asks.items()} | far
    return PlainBook({max(mid - d, 0): q for d, q in bids.items()}, asks), mid


def filled(book: PlainBook, mid: int) -> memory.Block:
    block = memory.new_block(3 * mid // REGION + 2, capacity=memory.LEVEL_ROOM)
    header, levels = levels_of(list(book.bids.items()), list(book.asks.items()))
    while apply_levels(block, header, levels) == NO_ROOM:
        block = with_room(block)
    block[memory.VERIFIED_LOW], block[memory.VERIFIED_HIGH] = 0, memory.FOREVER
    return block


@settings(max_examples=150, deadline=None)
@given(books(), st.booleans())
def test_bands_equal_the_twin(made: tuple[PlainBook, int], best: bool) -> None:
    book, mid = made
    block = filled(book, mid)
    out = np.zeros((2, len(BANDS), COLUMNS), np.int64)
    reference = measure(block, block, np.array(BANDS, np.int64).reshape(-1), out, int(best))
    for side in (0, 1):
        for index, (numerator, denominator) in enumerate(BANDS):
            edge = book.edge(side, Fraction(numerator, denominator), best)
            lots, weighted = book.sums(side, edge)
            row = out[side, index].tolist()
            assert (row[RAW_LOTS], row[RAW_OFFSET] + reference * row[RAW_LOTS]) == (lots, weighted)
            assert row[EDGE] == (edge.__floor__() if side else edge.__ceil__())


@settings(max_examples=150, deadline=None)
@given(books(), st.lists(st.integers(1, 10**12), min_size=1, max_size=5))
def test_cost_equals_the_twin(made: tuple[PlainBook, int], targets: list[int]) -> None:
    book, mid = made
    block = filled(book, mid)
    targets = sorted(targets)
    for side in (0, 1):
        out = np.zeros((len(targets), 3))
        done = cost(block, side, np.array(targets, np.float64), out, 0)
        for target, (vwap, worst, lots) in zip(targets, out.tolist(), strict=True):
            expected = book.cost(side, Fraction(target))
            if expected is None:
                assert np.isnan([vwap, worst, lots]).all()
            else:
                assert vwap == pytest.approx(float(expected[0]), rel=1e-12)
                assert worst == expected[1]
                assert lots * vwap == pytest.approx(target, rel=1e-12)
        assert done == sum(book.cost(side, Fraction(target)) is not None for target in targets)


@given(st.integers(2, 10**9), st.fractions(Fraction(1, 10**5), 1, max_denominator=10**7))
def test_an_edge_is_exact(twice: int, band: Fraction) -> None:
    reference = Fraction(twice, 2)
    assert band_edge(0, twice, band.numerator, band.denominator) == (reference * (1 - band)).__ceil__()
    assert band_edge(1, twice, band.numerator, band.denominator) == (reference * (1 + band)).__floor__()

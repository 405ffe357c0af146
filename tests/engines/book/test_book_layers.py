"""Coarse books beyond the reach of a fine one: buckets, edges, exact sums, age."""

from __future__ import annotations

import random
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import pairwise

import numpy as np
import pytest
from book_captures import BINANCE_FRAME, levels_of, scale
from book_twins import PlainBook
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book.bands import BandSet
from engines.book.ladder import export_levels
from engines.book.layers import MAX_MULTIPLE, PIECES, Layer, bucket_width, join_layers, spread
from engines.book.live_book import LiveBook
from engines.book.memory import COUNT, VERIFIED_HIGH, VERIFIED_LOW, new_block
from engines.book.outcome import Outcome
from engines.wire.grammar import SequenceRule
from engines.wire.layout import ASK, BID, EVENT_TIME
from engines.wire.scale import Grid, Scale

SECOND = 1_000_000_000
SNAPSHOTS = SequenceRule("snapshots")
GRID = scale("1", "0.001")
Side = dict[int, int]


def whole(bids: Side, asks: Side, *, at: int = 1, window: int | None = None, grid: Scale = GRID) -> LiveBook:
    book = LiveBook(
        scale=grid,
        market="X",
        grammar=BINANCE_FRAME,
        rule=SNAPSHOTS,
        changes_at_any_price=False,
        window=window,
    )
    assert frame(book, bids, asks, at) is Outcome.REPLACED
    return book


def frame(book: LiveBook, bids: Side, asks: Side, at: int) -> Outcome:
    header, levels = levels_of(sorted(bids.items(), reverse=True), sorted(asks.items()))
    header[EVENT_TIME] = at
    return book.levels(header, levels, at)


def rounded(side: int, tick: int, figures: int, multiple: int = 1) -> int:
    """The tick under which a stream of so many figures shows an order: bids down, asks up."""
    context = Context(prec=figures, rounding=ROUND_CEILING if side else ROUND_FLOOR)
    shown = context.create_decimal(Decimal(tick * multiple))
    return max(int(shown) // multiple, 1)


def coarse(side: int, levels: Side, figures: int, keep: int) -> Side:
    """The best `keep` buckets."""
    buckets: Side = {}
    for tick, lots in levels.items():
        place = rounded(side, tick, figures)
        buckets[place] = buckets.get(place, 0) + lots
    return dict(sorted(buckets.items(), reverse=not side)[:keep])


def exported(block: np.ndarray, side: int) -> Side:
    rows = np.zeros((int(block[COUNT + side]), 2), np.int64)
    export_levels(block, side, rows)
    return dict(rows.tolist())


@given(st.integers(0, 1), st.integers(1, 10**8), st.integers(1, 6), st.sampled_from([1, 5, 50]))
def test_a_bucket_holds_the_prices_that_are_rounded_to_it(side: int, tick: int, figures: int, multiple: int) -> None:
    place = rounded(side, tick, figures, multiple)
    if rounded(side, place, figures, multiple) != place:
        return  # the rounded price is none of the grid
    width = bucket_width(side, place, figures, multiple)
    inside = range(place - width + 1, place + 1) if side else range(place, place + width)
    assert tick in inside
    for end in (inside[0], inside[-1]):
        assert rounded(side, end, figures, multiple) == place
    outside = inside[0] - 1 if side else inside[-1] + 1
    if outside > 0:
        assert rounded(side, outside, figures, multiple) != place


def test_an_ask_at_a_power_of_ten_stands_for_the_narrower_bucket_below() -> None:
    assert bucket_width(BID, 1000, 2, 1) == 100
    assert bucket_width(ASK, 1000, 2, 1) == 10
    assert bucket_width(ASK, 1100, 2, 1) == 100
    assert bucket_width(BID, 84_100, 3, 1) == 100
    assert bucket_width(BID, 9, 5, 1) == 1


@given(st.integers(0, 1), st.integers(1, 16_000), st.integers(0, 300), st.integers(1, 10**12))
def test_a_bucket_is_spread_evenly_and_to_the_last_lot(side: int, low: int, more: int, lots: int) -> None:
    block = new_block(1, capacity=1 << 16)
    high = min(low + more, 16_383)
    pieces = spread(block, side, low, high, lots)
    assert 1 <= pieces <= min(PIECES, high - low + 1)
    levels = exported(block, side)
    assert sum(levels.values()) == lots
    assert all(low <= tick <= high for tick in levels)
    if lots >= pieces:
        assert len(levels) == pieces
        assert max(levels.values()) - min(levels.values()) <= 1
        width = (high - low + 1) / pieces
        assert all(width - 1 <= far - near <= width + 1 for near, far in pairwise(sorted(levels)))
    assert spread(block, side, low, high, lots) == pieces  # once more: added, not set
    assert sum(exported(block, side).values()) == 2 * lots


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(3, 40), st.integers(3, 30), st.sampled_from([(4, 3), (4,), (3, 2), (4, 3, 2)])
)
def test_joined_books_hold_every_lot_up_to_every_bucket(
    seed: int, fine: int, keep: int, layers: tuple[int, ...]
) -> None:
    rng = random.Random(seed)
    mid = rng.choice([995, 9_990, 20_000, 84_143, 100_000])
    truth = PlainBook()
    for _ in range(400):
        distance = 1 + int(rng.expovariate(1 / (mid / 40)))
        side = rng.randrange(2)
        tick = mid + distance if side else mid - distance
        if tick > 0:
            truth.side(side)[tick] = rng.randint(1, 10**6)
    best = [dict(sorted(truth.side(side).items(), reverse=not side)[:fine]) for side in (BID, ASK)]
    book = whole(best[BID], best[ASK], window=fine)
    shown = {figures: [coarse(side, truth.side(side), figures, keep) for side in (BID, ASK)] for figures in layers}
    used = [(whole(sides[BID], sides[ASK], window=keep).block, figures) for figures, sides in shown.items()]
    joined = join_layers(book.block, used, 1, None)
    assert joined is not None
    reach = [min(best[BID]), max(best[ASK])]
    for side in (BID, ASK):
        held, real = exported(joined, side), truth.side(side)

        def beyond(tick: int, edge: int, side: int = side) -> bool:
            return tick > edge if side else tick < edge

        assert {t: q for t, q in held.items() if not beyond(t, reach[side])} == best[side]
        known = reach[side]
        for figures in layers:
            edge = (max if side else min)(shown[figures][side])
            for place in shown[figures][side]:
                if beyond(place, known):  # a boundary between buckets: all inside must be there, to the last lot
                    assert sum(q for t, q in held.items() if not beyond(t, place)) == sum(
                        q for t, q in real.items() if not beyond(t, place)
                    )
            known = edge if beyond(edge, known) else known
        complete = any(len(shown[figures][side]) < keep for figures in layers) or len(best[side]) < fine
        if not complete:
            assert joined[VERIFIED_HIGH if side else VERIFIED_LOW] == known
            assert not any(beyond(tick, known) for tick in held)


def test_a_bucket_that_holds_less_than_the_finer_book_knows_adds_nothing() -> None:
    book = whole({84_143: 500, 84_133: 600}, {84_144: 5, 84_150: 5}, window=2)
    layer = whole({84_100: 900, 84_000: 70}, {84_200: 7, 84_300: 70}, window=2)
    joined = join_layers(book.block, [(layer.block, 3)], 1, None)
    assert joined is not None
    assert sum(q for t, q in exported(joined, BID).items() if t >= 84_100) == 1_100
    assert sum(exported(joined, BID).values()) == 1_170
    assert sum(exported(joined, ASK).values()) == 80  # 10 known, 0 of the first bucket's 7, and 70


def test_steps_of_absurd_size_are_left_alone() -> None:
    book = whole({99: 5}, {101: 5})
    assert join_layers(book.block, [(book.block, 3)], MAX_MULTIPLE + 1, None) is None


BANDS = BandSet(["0.1%", "1%", "2%"])


def of(book: LiveBook, at: int) -> list[tuple[str | None, int | None]]:
    report = book.bands(BANDS, at)
    assert report is not None
    depth = book.depth(BANDS, at, 1.0)
    assert depth is not None
    told = {(side, band): basis for side, band, _, _, basis in depth}
    for figure in report.bid + report.ask:
        assert told.get((figure.side, figure.band)) == figure.basis
    return [(figure.basis, figure.published and figure.published.lots) for figure in report.bid]


def test_layers_are_snapshot_figures_until_the_first_is_too_old() -> None:
    book = whole({100_000: 1, 99_901: 2}, {100_001: 1, 100_101: 2}, at=10 * SECOND, window=2)
    assert of(book, 10 * SECOND) == [("snapshot", 3), (None, None), (None, None)]
    near = whole({99_000: 40, 98_900: 50}, {102_000: 7, 103_000: 8}, at=8 * SECOND, window=2)
    far = whole({99_000: 41, 98_000: 60}, {110_000: 70, 120_000: 8}, at=9 * SECOND, window=2)
    layers = [Layer(far, 2, 16 * SECOND), Layer(near, 3, 16 * SECOND)]  # in any order
    assert book.set_layers(layers, 10 * SECOND) is Outcome.REPLACED
    assert of(book, 10 * SECOND) == [
        ("snapshot", 3),
        ("snapshot", 43),
        ("snapshot", 93 + 60 - 50),
    ]  # the far bucket holds the 50 too
    assert book.deep_reach("bid", 10 * SECOND) == pytest.approx(2_000.5 / 100_000.5)
    assert of(book, 24 * SECOND)[2] == ("snapshot", 103)
    assert of(book, 24 * SECOND + 1)[2] == (None, None)
    assert book.deep_reach("bid", 24 * SECOND + 1) is None
    # the near one is too old by now: what it said is left out
    assert book.set_layers(layers, 24 * SECOND + 1) is Outcome.REPLACED
    assert [basis for basis, _ in of(book, 25 * SECOND)] == ["snapshot"] * 3
    assert of(book, 25 * SECOND)[2] == ("snapshot", 3 + 41 - 2 + 60)
    assert book.set_layers(layers, 25 * SECOND + 1) is Outcome.IGNORED
    assert of(book, 25 * SECOND)[2][0] == "snapshot"
    assert of(book, 25 * SECOND + 1)[2] == (None, None)


def test_layers_that_cannot_be_used() -> None:
    book = whole({100_000: 1}, {100_001: 1}, at=SECOND, window=1)
    layer = whole({99_000: 40}, {102_000: 7}, at=SECOND, window=1)
    layer.disconnected(SECOND)
    other = whole({9_900: 40}, {10_200: 7}, at=SECOND, window=1, grid=Scale(Grid(0, 10), GRID.size))
    late = whole({99_000: 40}, {102_000: 7}, at=3 * SECOND, window=1)  # of a time to come
    assert book.set_layers([Layer(layer, 3), Layer(other, 3), Layer(late, 3)], 2 * SECOND) is Outcome.IGNORED
    assert book.set_layers([], 2 * SECOND) is Outcome.IGNORED
    assert book.set_layers([Layer(late, 3)], 3 * SECOND) is Outcome.REPLACED
    assert of(book, 63 * SECOND)[1][0] == "snapshot"  # without an age of its own: as long as any deep snapshot
    assert of(book, 63 * SECOND + 1)[1][0] is None
    book.disconnected(4 * SECOND)
    assert book.set_layers([Layer(late, 3)], 4 * SECOND) is Outcome.IGNORED


def test_a_moving_book_leaves_no_hole_before_the_layers() -> None:
    book = whole({100_000: 1, 99_950: 2, 99_900: 4}, {100_001: 1, 100_101: 2, 100_102: 1}, at=SECOND, window=3)
    layer = whole({99_000: 1_007, 98_000: 50}, {101_000: 107, 102_000: 8}, at=SECOND, window=2)
    book.set_layers([Layer(layer, 2)], SECOND)
    frame(book, {100_010: 8, 100_005: 8, 100_000: 1}, {100_011: 1, 100_101: 2, 100_102: 1}, SECOND + 1)
    # 99,950 and 99,900 have left the window; what the layers were joined to still says them
    assert of(book, SECOND + 1)[2] == ("snapshot", 17 + 6 + (1_007 - 6) + 50)


def test_layers_that_are_gone_say_nothing_and_a_snapshot_over_rest_is_none_of_them() -> None:
    book = whole({100_000: 1}, {100_001: 1}, at=SECOND, window=1)
    layer = whole({99_000: 40}, {102_000: 7}, at=SECOND, window=1)
    book.set_layers([Layer(layer, 3)], SECOND)
    successor = whole({100_000: 1}, {100_001: 1}, at=SECOND, window=1)
    successor.adopt(book, SECOND)
    for each in (book, successor):
        assert of(each, SECOND)[1][0] == "snapshot"
        each.drop_layers()
        assert of(each, SECOND)[1][0] is None
    book.deep(*levels_of([(99_000, 40)], [(102_000, 7)]), SECOND)
    book.drop_layers()
    assert of(book, SECOND)[1][0] == "snapshot"

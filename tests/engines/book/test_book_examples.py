"""models.md 1.1 - 1.4: the worked numbers at 1e-6, and the properties."""

from __future__ import annotations

import itertools
from decimal import Decimal
from math import isnan

import pytest
from book_captures import BINANCE_FRAME, BINANCE_SNAPSHOT, RANGE, levels_of, scale
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book.bands import BandFigure, BandSet, Side, parse_band
from engines.book.live_book import LiveBook
from engines.book.worth import RawSums, Worth, imbalance, microprice
from engines.wire.scale import Scale

A_BIDS = "69995x1.2 69980x0.8 69900x2.5 69650x4 69300x6 69295.05x3 69000x10 68600x12 66500x20"
A_ASKS = "70005x0.9 70040x1.5 70200x2.2 70600x3.8 70700x5 70705.05x2.5 71400x9"
B_BIDS, B_ASKS = "70015x0.5 69900x1.1 69330x2 69319x1 68000x5", "70025x0.4 70100x1 70720x2 70721x1 72000x4"
C_BIDS, C_ASKS = "69990x50000 69500x150000 69294x80000", "70000x40000 70300x120000 70700x90000"
FX = 0.9992


def units(text: str, grid: Scale) -> list[tuple[int, int]]:
    rows = []
    for row in text.split():
        price, size = (Decimal(part) for part in row.split("x"))
        rows.append((int(price / grid.price.step), int(size / grid.size.step)))
    return rows


def seeded(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], grid: Scale, worth: Worth | None = None
) -> LiveBook:
    book = LiveBook(
        scale=grid,
        market="X",
        grammar=BINANCE_FRAME,
        rule=RANGE,
        changes_at_any_price=True,
        snapshot_grammar=BINANCE_SNAPSHOT,
        worth=worth,
    )
    book.snapshot(*levels_of(bids, asks, last=10), 1)
    book.levels(*levels_of([], [], first=10, last=11, previous=9), 2)
    assert book.readable
    return book


def venue(bids: str, asks: str, tick: str, lot: str, inverse: bool = False) -> LiveBook:
    grid = scale(tick, lot)
    return seeded(units(bids, grid), units(asks, grid), grid, Worth(grid, inverse=inverse))


@pytest.fixture(scope="module")
def venue_a() -> LiveBook:
    return venue(A_BIDS, A_ASKS, "0.01", "0.1")


def figures(book: LiveBook, band: str, reference: str = "mid") -> tuple[BandFigure, BandFigure]:
    report = book.bands(BandSet([band]), 3, reference)  # type: ignore[arg-type]
    assert report is not None
    return report.bid[0], report.ask[0]


@pytest.mark.parametrize(
    ("band", "reference", "bid_base", "bid_usd", "ask_base", "ask_usd"),
    [
        ("0.1%", "mid", 2, 139866.0176, 2.4, 167930.0484),
        ("0.5%", "mid", 8.5, 592853.3376, 4.6, 322246.4964),
        ("1%", "mid", 14.5, 1008320.6976, 13.4, 943529.0724),
        ("2%", "mid", 39.5, 2728028.97948, 24.9, 1762236.2073),
        ("5%", "mid", 59.5, 4056964.97948, 24.9, 1762236.2073),
        ("1%", "best", 17.5, 1216039.53948, 15.9, 1120150.2873),
    ],
)
def test_example_1_1(
    venue_a: LiveBook, band: str, reference: str, bid_base: float, bid_usd: float, ask_base: float, ask_usd: float
) -> None:
    bid, ask = figures(venue_a, band, reference)
    worth = venue_a.worth
    assert worth.base(bid.raw) == pytest.approx(bid_base, rel=1e-6)
    assert worth.usd(bid.raw, FX) == pytest.approx(bid_usd, rel=1e-6)
    assert worth.base(ask.raw) == pytest.approx(ask_base, rel=1e-6)
    assert worth.usd(ask.raw, FX) == pytest.approx(ask_usd, rel=1e-6)
    assert venue_a.mid == pytest.approx(70000, rel=1e-12)


def test_example_1_1_truncation(venue_a: LiveBook) -> None:
    bid, ask = figures(venue_a, "5%")
    assert (bid.truncated, ask.truncated) == (False, True)
    assert (bid.basis, ask.basis) == ("live", None)
    assert bid.published == bid.raw
    assert ask.published is None
    at_edge = figures(venue_a, "1%")
    assert at_edge[0].edge == 6930000
    assert at_edge[1].edge == 7070000


def test_example_1_2_venues(venue_a: LiveBook) -> None:
    b = venue(B_BIDS, B_ASKS, "1", "0.1")
    c = venue(C_BIDS, C_ASKS, "1", "1", inverse=True)
    expected = {
        b: (3.6, 250557.5, 3.4, 239550),
        c: (2.87266115, 200000, 2.2783987, 160000),
    }
    totals = [0.0] * 4
    for book, numbers in (*expected.items(), (venue_a, None)):
        bid, ask = figures(book, "1%")
        fx = FX if book is venue_a else 1.0
        worth = book.worth
        made = (worth.base(bid.raw), worth.usd(bid.raw, fx), worth.base(ask.raw), worth.usd(ask.raw, fx))
        if numbers is not None:
            assert made == pytest.approx(numbers, rel=1e-6)
        totals = [total + part for total, part in zip(totals, made, strict=True)]
    assert totals == pytest.approx([20.9726612, 1458878.1976, 19.0783987, 1343079.0724], rel=1e-6)
    assert imbalance(totals[1], totals[3]) == pytest.approx(0.0413279412, rel=1e-6)


@pytest.mark.parametrize(
    ("action", "notional", "base", "vwap", "worst", "slippage", "impact"),
    [
        ("sell", 100_000, 1.42872249, 69992.598668, 69980, 0.000105733318, 0.000285714286),
        ("sell", 500_000, 7.16004307, 69831.982145, 69650, 0.00240025506, 0.005),
        ("sell", 1_000_000, 14.3682828, 69597.739128, 69300, 0.00574658389, 0.01),
        ("buy", 500_000, 7.11410057, 70282.953596, 70600, 0.00404219423, 0.00857142857),
        ("buy", 1_000_000, 14.1879989, 70482.103126, 70705.05, 0.00688718751, 0.0100721429),
    ],
)
def test_example_1_3(
    venue_a: LiveBook,
    action: str,
    notional: float,
    base: float,
    vwap: float,
    worst: float,
    slippage: float,
    impact: float,
) -> None:
    (cost,) = venue_a.cost(action, [notional])  # type: ignore[arg-type]
    assert cost == pytest.approx((notional, vwap, worst, slippage, impact, base), rel=1e-6)


def test_example_1_3_not_fillable_and_best(venue_a: LiveBook) -> None:
    too_much, half = venue_a.cost("sell", [10_000_000, 500_000], "best")
    assert all(isnan(value) for value in too_much[1:])
    assert half.slippage == pytest.approx(0.00232899285, rel=1e-6)


def test_example_1_4(venue_a: LiveBook) -> None:
    bid, ask = figures(venue_a, "1%")
    worth = venue_a.worth
    assert imbalance(worth.quote(bid.raw), worth.quote(ask.raw)) == pytest.approx(0.0331949857, rel=1e-6)
    top = venue_a.top()
    assert top is not None
    assert imbalance(top.bid_lots, top.ask_lots) == pytest.approx(0.142857143, rel=1e-6)
    micro = microprice(worth.price(top.bid_tick), top.bid_lots, worth.price(top.ask_tick), top.ask_lots)
    assert micro == pytest.approx(70000.714286, rel=1e-6)
    assert imbalance(0, 0) is None


def test_inverse_cost_is_the_harmonic_mean() -> None:
    c = venue(C_BIDS, C_ASKS, "1", "1", inverse=True)
    (cost,) = c.cost("sell", [100_000])
    base = 50_000 / 69_990 + 50_000 / 69_500
    assert cost.base == pytest.approx(base, rel=1e-12)
    assert cost.vwap == pytest.approx(100_000 / base, rel=1e-12)
    assert cost.worst == 69_500


def test_worth_of_contracts() -> None:
    grid = scale("0.1", "0.01")
    okx = Worth(grid, contract_size=Decimal("0.01"))
    sums = RawSums(lots=150, lot_ticks=150 * 600_000)  # 1.5 contracts at 60,000
    assert okx.base(sums) == pytest.approx(0.015, rel=1e-12)
    assert okx.usd(sums, 0.5) == pytest.approx(450, rel=1e-12)
    thousand = Worth(scale("0.0000001", "1"), unit_multiplier=1000)
    sums = RawSums(lots=5, lot_ticks=5 * 120_000)  # 5 units of 1000 coins at 0.012
    assert thousand.base(sums) == pytest.approx(5000, rel=1e-12)
    assert thousand.quote(sums) == pytest.approx(0.06, rel=1e-12)
    with pytest.raises(ValueError, match="lots / tick"):
        Worth(grid, inverse=True).base(sums)


# -- properties of 1.1 and 1.3

GRID = scale("0.1", "0.001")
SIDE_ROWS = st.dictionaries(st.integers(1, 4000), st.integers(1, 10**7), min_size=1, max_size=30)
NAMES = ["0.1%", "0.25%", "0.5%", "1%", "2%", "5%", "10%"]
PROPERTY = settings(max_examples=40, deadline=None)


def both(bids: dict[int, int], asks: dict[int, int], price: int = 1, size: int = 1) -> LiveBook:
    mid = 40_000 * price
    return seeded(
        [(mid - d * price, q * size) for d, q in bids.items()],
        [(mid + d * price, q * size) for d, q in asks.items()],
        GRID,
    )


def raws(book: LiveBook) -> dict[Side, list[RawSums]]:
    report = book.bands(BandSet(NAMES), 3)
    assert report is not None
    return {"bid": [figure.raw for figure in report.bid], "ask": [figure.raw for figure in report.ask]}


@PROPERTY
@given(SIDE_ROWS, SIDE_ROWS, st.integers(2, 9))
def test_depth_grows_with_the_band_and_scales(bids: dict[int, int], asks: dict[int, int], factor: int) -> None:
    plain, larger, dearer = (raws(both(bids, asks, *by)) for by in ((1, 1), (1, factor), (factor, 1)))
    for side, sums in plain.items():
        for narrow, wide in itertools.pairwise(sums):
            assert narrow.lots <= wide.lots
            assert narrow.lot_ticks <= wide.lot_ticks
        for before, after in zip(sums, larger[side], strict=True):
            assert (after.lots, after.lot_ticks) == (factor * before.lots, factor * before.lot_ticks)
        for before, after in zip(sums, dearer[side], strict=True):
            assert (after.lots, after.lot_ticks) == (before.lots, factor * before.lot_ticks)


@PROPERTY
@given(SIDE_ROWS, SIDE_ROWS, st.integers(1, 4000), st.integers(1, 10**7))
def test_adding_a_level_never_lowers_depth(bids: dict[int, int], asks: dict[int, int], where: int, lots: int) -> None:
    where = max(where, min(bids))  # a better bid would move the mid, and with it the bands
    before = raws(both(bids, asks))
    after = raws(both(bids | {where: bids.get(where, 0) + lots}, asks))
    for old, new in zip(before["bid"], after["bid"], strict=True):
        assert new.lots >= old.lots
        assert new.lot_ticks >= old.lot_ticks


@PROPERTY
@given(SIDE_ROWS, SIDE_ROWS, st.lists(st.floats(1, 1e7), min_size=2, max_size=6, unique=True))
def test_slippage_grows_with_size_and_stays_below_the_worst(
    bids: dict[int, int], asks: dict[int, int], notionals: list[float]
) -> None:
    book = both(bids, asks)
    for action in ("sell", "buy"):
        made = book.cost(action, sorted(notionals))  # type: ignore[arg-type]
        known = [cost for cost in made if not isnan(cost.vwap)]
        assert made[: len(known)] == known  # what cannot be filled is larger than what can
        for small, large in itertools.pairwise(known):
            assert small.slippage <= large.slippage + 1e-12
        for cost in known:
            assert cost.slippage <= cost.impact + 1e-12


@pytest.mark.parametrize("text", ["1", "", "%", "0%", "-1%", "101%", "1e999%", "nan%", "0.0000001%", "1/0%"])
def test_bands_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="a band"):
        parse_band(text)

"""Markets of one asset together: matched ratios, coverage, refill, regime; and the small parts money is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from core_rig import (
    BINANCE,
    BYBIT,
    OKX,
    SECOND,
    Rig,
    at,
    binance_change,
    binance_snapshot,
    bybit_book,
    instrument,
    okx_book,
)

from engines.book.bands import BandSet
from engines.book.live_book import LiveBook
from engines.wire.layout import ASK_COUNT, BID_COUNT, HEADER_SIZE, KIND, KIND_SNAPSHOT, LAST_ID
from monitor.asset import MAX_PRINTS, Asset, LiquidationWindow
from monitor.baselines import Baselines
from monitor.facts import Instrument
from monitor.fx import FxRates
from monitor.grids import worth_of
from monitor.money import coins, notional_usd, price_per_coin
from monitor.refill import RefillWatch
from monitor.regime import DepthRegime
from monitor.views import AssetDepth, AssetView, Basis, DepthFigure, MarketView

REL = 1e-6
MONDAY = 1_780_272_000 * SECOND


def view(venue: str, bid_usd: float | None, basis: Basis = "live", verified: bool = True, **changes: Any) -> MarketView:
    depth = () if bid_usd is None else (DepthFigure("bid", "1%", bid_usd, bid_usd / 60_000, basis),)
    values: dict[str, Any] = {
        "venue": venue, "market": "BTC", "asset": "BTC", "quote": "USDT", "contract_type": "linear", "verified": verified,
        "reason": "" if verified else "gap", "at": MONDAY, "last_update": MONDAY, "mid_price": 60_000.0 if verified else None,
        "spread_ratio": None, "best_bid": None, "best_ask": None, "reach_ratio": {}, "depth": depth, "slippage_ratio": {},
        "imbalance_1pct": None, "withdrawal_share": None, "liquidation_coverage": "complete", "open_interest_usd": None,
        "mark_price": None, "index_price": None, "funding_rate_8h_ratio": None, "funding_interval_seconds": None,
        "counters": {}, "resyncs": {}, "silent": {},
    }  # fmt: skip
    return MarketView(**{**values, **changes})


class Together:
    """An asset of a few markets, second by second."""

    def __init__(self) -> None:
        self.baselines = Baselines(warmup_seconds=5)
        self.asset = Asset("BTC", ("1%",), self.baselines)
        self.now = MONDAY

    def step(self, *markets: MarketView, prices: Mapping[str, float] | None = None) -> AssetView:
        frozen = [f"{m.venue}:{m.market}" for m in markets] if self.asset.frozen else []
        self.baselines.observe(self.asset.observations(markets), self.now, frozen)
        found = self.asset.step(markets, self.now, prices or {}, {})
        self.now += SECOND
        return found

    def run(self, seconds: int, *markets: MarketView) -> AssetView:
        for _ in range(seconds):
            found = self.step(*markets)
        return found


def headline(found: AssetView) -> AssetDepth:
    (depth,) = [d for d in found.depth if (d.side, d.band) == ("bid", "1%")]
    return depth


# -- ratios
def test_example_1_6c_a_venue_that_is_down_is_never_counted_as_zero() -> None:
    together = Together()
    together.run(10, view("a", 4.0e6), view("b", 1.5e6), view("c", 2.5e6))
    found = headline(together.step(view("a", 3.1e6), view("b", 1.4e6), view("c", None, verified=False)))
    # The step that asks has moved the young baselines by an eleventh already.
    base = [4.0e6 ** (10 / 11) * 3.1e6 ** (1 / 11), 1.5e6 ** (10 / 11) * 1.4e6 ** (1 / 11), 2.5e6]
    assert found.acute_ratio == pytest.approx((3.1e6 + 1.4e6) / (base[0] + base[1]), rel=1e-4)
    assert found.coverage_ratio == pytest.approx((base[0] + base[1]) / sum(base), rel=1e-4)
    assert found.acute_ratio is not None
    assert found.acute_ratio > 0.8  # counted as zero it would be 0.56
    assert found.venues == ("a:BTC", "b:BTC")
    assert found.usd == pytest.approx(4.5e6)
    assert found.chronic_ratio is None


def test_a_venue_coming_back_comes_back_into_both_sums() -> None:
    together = Together()
    together.run(10, view("a", 4e6), view("b", 4e6))
    gone = headline(together.run(3, view("a", 4e6), view("b", None, verified=False)))
    assert gone.coverage_ratio == pytest.approx(0.5)
    assert gone.acute_ratio == pytest.approx(1.0)
    back = headline(together.step(view("a", 4e6), view("b", 4e6)))
    assert (back.coverage_ratio, back.acute_ratio) == (pytest.approx(1.0), pytest.approx(1.0))


def test_another_basis_is_another_quantity_and_says_nothing_of_the_ratio() -> None:
    together = Together()
    together.run(10, view("a", 4e6), view("b", 2e6))
    floored = headline(together.step(view("a", 4e6), view("b", 0.5e6, "floor")))
    assert floored.usd == pytest.approx(4.5e6)
    # b has no history as floor: its lower figure must not look like a fall.
    assert floored.acute_ratio == pytest.approx(1.0)
    together.run(10, view("a", 4e6), view("b", 0.5e6, "floor"))
    assert headline(together.step(view("a", 4e6), view("b", 0.5e6, "floor"))).acute_ratio == pytest.approx(1.0)
    assert headline(together.step(view("a", 4e6), view("b", 2e6, "live"))).acute_ratio == pytest.approx(1.0)


def test_nothing_known_is_absent_and_not_zero() -> None:
    together = Together()
    found = together.step(view("a", None, verified=False))
    assert found.depth == ()
    assert (found.price_usd, found.regime, found.quality.coverage_ratio) == (None, None, None)
    assert found.quality.confidence == 0.0
    assert found.quality.degraded == ("a:BTC gap",)
    cold = together.step(view("a", 1e6))
    assert headline(cold).acute_ratio is None
    assert headline(cold).coverage_ratio is None
    assert cold.quality.confidence == 1.0


def test_quality_counts_books_and_takes_the_worse_of_share_and_coverage() -> None:
    together = Together()
    together.run(10, view("a", 9e6), view("b", 1e6))
    found = together.step(view("a", None, verified=False), view("b", 1e6)).quality
    assert (found.books_verified, found.books_configured) == (1, 2)
    assert found.coverage_ratio == pytest.approx(0.1)
    assert found.confidence == pytest.approx(0.1)


def test_baselines_stand_still_under_stress() -> None:
    together = Together()
    together.run(10, view("a", 4e6))
    together.asset.regime.regime = "stressed"
    assert together.asset.frozen
    assert headline(together.run(200, view("a", 1e6))).acute_ratio == pytest.approx(0.25)


def test_the_price_is_the_median_of_verified_books() -> None:
    together = Together()
    assert together.step(view("a", 1e6), prices={"a:BTC": 61.0, "b:BTC": 60.0, "c:BTC": 90.0}).price_usd == 61.0


# -- models.md 1.2 through the book
VENUE_A = (
    "69995x1.2 69980x0.8 69900x2.5 69650x4 69300x6 69295.05x3 69000x10 68600x12 66500x20",
    "70005x0.9 70040x1.5 70200x2.2 70600x3.8 70700x5 70705.05x2.5 71400x9",
)
VENUE_B = ("70015x0.5 69900x1.1 69330x2 69319x1 68000x5", "70025x0.4 70100x1 70720x2 70721x1 72000x4")
VENUE_C = ("69990x50000 69500x150000 69294x80000", "70000x40000 70300x120000 70700x90000")
GRIDS = {
    "A": instrument(BINANCE, tick_size=Decimal("0.05"), lot_size=Decimal("0.1")),
    "B": instrument(BYBIT, quote="USD", tick_size=Decimal("1"), lot_size=Decimal("0.1")),
    "C": instrument(OKX, "BTC-USD-SWAP", quote="USD", contract_type="inverse", tick_size=Decimal("1"),
                    lot_size=Decimal("1"), contract_size=Decimal("1")),
}  # fmt: skip
FX = {"A": 0.9992, "B": 1.0, "C": 1.0}


def book_of(sides: tuple[str, str], market: Instrument) -> LiveBook:
    import numpy as np

    from monitor.venues.registry import VENUES

    topic = VENUES[BYBIT].topic("orderbook.1000.BTCUSDT")
    assert topic is not None
    assert topic.book is not None
    scale = market.scale
    book = LiveBook(scale=scale, market="X", grammar=topic.book, rule=VENUES[BYBIT].book.sequence,
                    changes_at_any_price=False, worth=worth_of(market, scale))  # fmt: skip
    header, levels = np.zeros(HEADER_SIZE, np.int64), np.zeros((2, 20, 2), np.int64)
    header[KIND], header[LAST_ID] = KIND_SNAPSHOT, 1
    for side, text in enumerate(sides):
        rows = [row.split("x") for row in text.split()]
        header[(BID_COUNT, ASK_COUNT)[side]] = len(rows)
        for i, (price, size) in enumerate(rows):
            levels[side, i] = (int(Decimal(price) / scale.price.step), int(Decimal(size) / scale.size.step))
    book.levels(header, levels, 1)
    assert book.readable
    return book


def test_example_1_2_own_mid_and_one_common_price() -> None:
    bands = BandSet(["1%"])
    own, common = {"bid": 0.0, "ask": 0.0}, {"bid": 0.0, "ask": 0.0}
    base = 0.0
    for name, sides in (("A", VENUE_A), ("B", VENUE_B), ("C", VENUE_C)):
        book = book_of(sides, GRIDS[name])
        report = book.bands(bands, 1)
        around = book.bands_around(bands, 70_005 / FX[name] / book.worth.tick_unit, 1)
        assert report is not None
        assert around is not None
        for side in ("bid", "ask"):
            (figure,), (other,) = report.side(side), around.side(side)  # type: ignore[arg-type]
            assert figure.published is not None
            assert other.published is not None
            own[side] += book.worth.usd(figure.published, FX[name])
            common[side] += book.worth.usd(other.published, FX[name])
            if side == "bid":
                base += book.worth.base(figure.published)
    assert own == {"bid": pytest.approx(1_458_878.1976, rel=REL), "ask": pytest.approx(1_343_079.0724, rel=REL)}
    assert base == pytest.approx(20.9726612, rel=REL)
    assert common["bid"] == pytest.approx(1_112_729.8376, rel=REL)


def test_example_1_2_through_the_hub() -> None:
    """Venues A and B as books of the hub: own mid, and the median of the mids as the common price."""
    rig = Rig(bands=("1%", "5%"), fx_fixed={"USDT": 0.9992})
    rows = {
        name: [[(row.split("x")[0], row.split("x")[1]) for row in text.split()] for text in sides]
        for name, sides in (("A", VENUE_A), ("B", VENUE_B))
    }
    rig.list(0, BINANCE, GRIDS["A"])
    rig.list(0, BYBIT, GRIDS["B"])
    rig.connect(0, BINANCE)
    rig.connect(0, BYBIT)
    rig.frame(0, BINANCE, binance_change(5, 10, 4))
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(10, *rows["A"]))
    rig.frame(0, BINANCE, binance_change(11, 12, 10))
    rig.frame(0, BYBIT, bybit_book(1, *rows["B"], snapshot=True))
    rig.tick(1)
    asset = rig.asset_view()
    own = {(d.side, d.band): d.usd for d in asset.depth}
    assert own["bid", "1%"] == pytest.approx(1_008_320.6976 + 250_557.5, rel=REL)
    assert own["ask", "1%"] == pytest.approx(943_529.0724 + 239_550, rel=REL)
    assert own["bid", "5%"] == pytest.approx(4_056_964.97948 + 250_557.5 + 69_319 + 5 * 68_000, rel=REL)
    assert asset.price_usd == pytest.approx((70_000 * 0.9992 + 70_020) / 2)
    common = (70_000 * 0.9992 + 70_020) / 2
    want = 0.0
    for name, (bids, _) in rows.items():
        edge = common / FX[name] * 0.99
        want += sum(float(p) * float(q) * FX[name] for p, q in bids if float(p) >= edge)
    (found,) = [d for d in asset.depth_ref_price if (d.side, d.band) == ("bid", "1%")]
    assert found.usd == pytest.approx(want, rel=REL)
    assert (found.acute_ratio, found.coverage_ratio) == (None, None)
    assert [(v.currency, v.rate_usd, v.source) for v in rig.hub.view.fx] == [("USDT", 0.9992, "settings")]


def test_books_far_from_the_common_price_are_measured_from_it() -> None:
    """In a dislocation one venue's whole near book lies beyond the common price's edge, another's above it."""
    rig = Rig(bands=("1%",))
    rig.begin(BYBIT, 50_000)
    rig.begin(BINANCE, 60_000)
    rig.begin(OKX, 60_100)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100))
    rig.tick(2)
    asset = rig.asset_view()
    assert asset.price_usd == pytest.approx(60_000)
    own = {d.side: d for d in asset.depth}
    assert len(own["bid"].venues) == 3
    ref = {d.side: d for d in asset.depth_ref_price}
    by_venue = {v: f for v in (BYBIT, BINANCE, OKX) for f in [rig.market(v).depth_around(60_000, at(2), 1.0)]}
    assert {f.side: f.usd for f in by_venue[BYBIT]}["bid"] == 0  # nobody bids there within 1% of 60,000
    assert {f.side: f.usd for f in by_venue[BYBIT]}["ask"] == pytest.approx(sum(50_000 + 0.1 * i for i in range(1, 51)))
    assert ref["bid"].usd == pytest.approx(
        sum({f.side: f.usd for f in figures}["bid"] for figures in by_venue.values())
    )


# -- fx
def test_dollar_coins_are_taken_at_par_and_said_to_be_assumed() -> None:
    rates = FxRates({"eur": 1.1})
    assert (rates.rate("USD"), rates.rate("USDT"), rates.rate("USDC"), rates.rate("EUR")) == (1.0, 1.0, 1.0, 1.1)
    assert rates.rate("KRW") is None
    assert [(v.currency, v.rate_usd, v.source) for v in rates.views()] == [
        ("EUR", 1.1, "settings"),
        ("USDC", 1.0, "assumed"),
        ("USDT", 1.0, "assumed"),
    ]
    assert FxRates({}).views() == ()


def test_an_unknown_rate_leaves_dollars_out_and_keeps_the_book() -> None:
    rig = Rig()
    rig.list(0, BYBIT, instrument(BYBIT, quote="BRL"))
    rig.connect(0, BYBIT)
    rig.seed(BYBIT)
    rig.tick(1)
    market = rig.market_view(BYBIT)
    assert (market.verified, market.mid_price) == (True, 60_000.0)
    assert (market.depth, market.slippage_ratio, market.imbalance_1pct, market.open_interest_usd) == (
        (),
        {},
        None,
        None,
    )
    assert rig.asset_view().price_usd is None
    assert rig.asset_view().depth == ()
    assert rig.hub.view.fx == ()


# -- money
def test_what_contracts_are_worth() -> None:
    linear = instrument(BINANCE)
    swap = instrument(OKX)
    pepe = instrument(BINANCE, "1000PEPEUSDT", "PEPE", unit_multiplier=1000)
    inverse = instrument(OKX, "BTC-USD-SWAP", contract_type="inverse", contract_size=Decimal(100), quote="USD")
    rows = [
        (linear, "0.5", "60000", 1.0, 30_000.0, 0.5, 60_000.0),
        (linear, "0.5", "60000", 0.9992, 29_976.0, 0.5, 60_000.0),
        (swap, "8.55", "82655.7", 1.0, 7_067.06235, 0.0855, 82_655.7),  # 0.01 BTC a contract
        (pepe, "20", "0.0123", 1.0, 0.246, 20_000.0, 0.0000123),
        (inverse, "7", "50000", 1.0, 700.0, 0.014, 50_000.0),
        (inverse, "7", "25000", 1.0, 700.0, 0.028, 25_000.0),  # its face, whatever the price
    ]
    for market, quantity, price, fx, usd, base, per_coin in rows:
        size, value = Decimal(quantity), Decimal(price)
        assert notional_usd(market, size, value, fx) == pytest.approx(usd, rel=1e-12)
        assert coins(market, size, value) == pytest.approx(base, rel=1e-12)
        assert price_per_coin(market, float(value)) == pytest.approx(per_coin, rel=1e-12)


def test_units_of_a_thousand_coins_in_the_views() -> None:
    rig = Rig(bands=("1%",))
    pepe = instrument(
        BYBIT, "1000PEPEUSDT", "PEPE", unit_multiplier=1000, tick_size=Decimal("0.0000001"), lot_size=Decimal(100)
    )
    rig.list(0, BYBIT, pepe)
    rig.connect(0, BYBIT, 0, "orderbook.1000.1000PEPEUSDT")
    rig.frame(
        0, BYBIT, bybit_book(1, [("0.0122999", "5000")], [("0.0123001", "7000")], snapshot=True, symbol="1000PEPEUSDT")
    )
    rig.tick(1)
    market = rig.market_view(BYBIT, "1000PEPEUSDT")
    assert market.mid_price == pytest.approx(0.0000123)
    (bid,) = [f for f in market.depth if f.side == "bid"]
    assert bid.base == pytest.approx(5_000_000)
    assert bid.usd == pytest.approx(0.0122999 * 5000)
    assert rig.asset_view("PEPE").price_usd == pytest.approx(0.0000123)
    (ref,) = [d for d in rig.asset_view("PEPE").depth_ref_price if d.side == "bid"]
    assert ref.usd == pytest.approx(0.0122999 * 5000)


# -- refill
def run_refill(
    depths: Sequence[float | None], sources: Sequence[tuple[str, ...]] | None = None
) -> list[dict[int, float]]:
    watch = RefillWatch()
    return [dict(watch.step(d, sources[i] if sources else ("a",))) for i, d in enumerate(depths)]


def test_example_1_5_refill_ratio_five_seconds_after_the_sweep() -> None:
    found = run_refill([8.0, 8.0, 2.0, 3.30, 4.35, 5.10, 5.78, 6.25, 6.3])
    assert found[2] == {}
    assert found[3] == {1: pytest.approx((3.30 - 2) / 6)}
    assert found[6] == found[3]
    assert found[7] == {1: pytest.approx((3.30 - 2) / 6), 5: pytest.approx(0.708333333, rel=REL)}
    assert found[8] == found[7]


def test_every_horizon_comes_once_and_stays_until_the_next_sweep() -> None:
    found = run_refill([10.0, 5.0, *[7.5] * 200])
    assert found[-1] == {1: 0.5, 5: 0.5, 30: 0.5, 120: 0.5}
    again = run_refill([10.0, 5.0, *[7.5] * 200, 5.0, 6.0])
    assert again[-2] == {}
    assert again[-1] == {1: pytest.approx(0.4)}


def test_a_slow_fall_is_no_sweep() -> None:
    assert run_refill([10.0 * 0.9**i for i in range(60)])[-1] == {}
    assert run_refill([10.0, 8.0])[-1] == {}  # exactly a fifth is not more than a fifth


def test_a_sweep_that_goes_on_into_the_next_second_is_measured_from_before_it() -> None:
    found = run_refill([10.0, 6.0, 2.0, 6.0])
    assert found[-1] == {1: pytest.approx(0.5)}


def test_another_set_of_figures_starts_over() -> None:
    """A venue going away, or another basis, looks like a sweep and is none."""
    ab, a, floor = ("a live", "b live"), ("a live",), ("a floor",)
    assert run_refill([10.0, 4.0, 5.0], [ab, a, a])[-1] == {}
    assert run_refill([10.0, 4.0, 5.0], [a, floor, floor])[-1] == {}
    assert run_refill([10.0, None, 4.0, 5.0])[-1] == {}
    together = Together()
    together.run(3, view("a", 10e6))
    together.step(view("a", 4e6, "floor"))
    assert together.step(view("a", 5e6, "floor")).refill_ratio == {}
    together.step(view("a", 2e6, "floor"))
    assert together.step(view("a", 3.5e6, "floor")).refill_ratio == {1: pytest.approx(0.5)}


# -- the regime of depth alone
def regimes(ratios: Sequence[float | None]) -> list[str | None]:
    regime = DepthRegime()
    return [regime.step(ratio, True, i * SECOND) for i, ratio in enumerate(ratios)]


def test_no_regime_before_a_book_can_be_read() -> None:
    regime = DepthRegime()
    assert regime.step(0.1, False, 1) is None
    assert regime.step(None, True, 2) == "normal"
    assert regime.since == 2


def test_a_market_nobody_can_read_is_not_called_normal() -> None:
    regime = DepthRegime()
    assert regime.step(1.0, True, 0) == "normal"
    for second in range(1, 10):
        assert regime.step(None, False, second) == "normal"  # an ordinary resync
    assert regime.step(None, False, 10) is None
    assert (regime.step(None, False, 11), regime.since) == (None, None)
    assert (regime.step(None, True, 12), regime.since) == ("normal", 12)
    watch = DepthRegime("watch", 0)
    for second in range(60):
        watch.step(None, False, second)
    assert watch.regime == "watch"  # degraded data does not ease


def test_watch_after_sixty_seconds_below_a_half_and_normal_after_two_minutes_above() -> None:
    found = regimes([1.0, *[0.5] * 59, 0.51, *[0.5] * 60])
    assert found[-2:] == ["normal", "watch"]
    assert set(found[:-1]) == {"normal"}
    back = regimes([1.0, *[0.5] * 60, *[0.61] * 119, 0.6, *[0.61] * 120])
    assert back[60:180] == ["watch"] * 120
    assert back[-2:] == ["watch", "normal"]


def test_what_is_not_known_neither_raises_nor_lowers() -> None:
    assert set(regimes([1.0, *[0.4, None] * 200])) == {"normal"}
    assert regimes([1.0, *[0.5] * 60, *([0.9] * 100 + [None]) * 5])[-1] == "watch"


def test_a_restored_regime_that_depth_cannot_leave_is_a_watch() -> None:
    """Stressed froze the baselines: kept for ever without the detector that may end it, nothing would ever move again."""
    for regime in ("watch", "stressed", "cascade", "recovery"):
        depth = DepthRegime()
        depth.restore(regime, 5)  # type: ignore[arg-type]
        assert (depth.regime, depth.since) == ("watch", 5)
    depth = DepthRegime()
    depth.restore("normal", 7)
    assert (depth.step(1.0, False, 8), depth.since) == ("normal", 7)


# -- the minute of liquidations
def test_the_minute_holds_the_last_sixty_seconds_to_the_cent() -> None:
    window = LiquidationWindow()
    for i in range(100):
        window.add(i * SECOND, "long" if i % 2 else "short", 0.1)
    assert window.totals(99 * SECOND) == {"long": pytest.approx(3.0), "short": pytest.approx(3.0)}
    assert window.totals(99 * SECOND)["long"] == 3.0  # cents, no rounding that builds up
    assert window.totals(159 * SECOND) == {"long": 0.0, "short": 0.0}


def test_more_prints_than_are_kept_leave_early_and_are_counted() -> None:
    window = LiquidationWindow()
    for _ in range(MAX_PRINTS + 7):
        window.add(SECOND, "long", 1.0)
    assert window.overflowed == 7
    assert window.totals(SECOND) == {"long": float(MAX_PRINTS), "short": 0.0}


def test_okx_contracts_in_the_asset() -> None:
    rig = Rig(bands=("1%",))
    rig.list(0, OKX)
    rig.connect(0, OKX)
    rig.frame(0, OKX, okx_book(1, -1, [("59999.9", "300")], [("60000.1", "100")], snapshot=True))
    rig.tick(1)
    (bid,) = [d for d in rig.asset_view().depth if d.side == "bid"]
    assert bid.usd == pytest.approx(59_999.9 * 3)

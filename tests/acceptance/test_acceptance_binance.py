"""Six real minutes of Binance USD-M through the whole hub: no gap, the venue's own best prices, every band as a Decimal book says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from acceptance_rig import PERCENTS, SIDES, PlainBook, figures, lines_of, market_of, settings, watched_replay

from engines.book.bands import BandSet
from engines.book.live_book import LiveBook
from monitor.hub import Hub
from monitor.views import ServiceView

KEY = ("binance_usdm", "BTCUSDT")
TICK, LOT = Decimal("0.1"), Decimal("0.001")
BANDS = BandSet([f"{percent}%" for percent in PERCENTS])
EVERY = 4  # seconds between two comparisons with the Decimal book


@dataclass
class Watch:
    """Follows a replay with a book of its own."""

    floor: bool  # whether levels learned from changes are published at once
    plain: PlainBook = field(default_factory=PlainBook)
    seeded: int = 0  # id of the snapshot
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    last: int = 0
    tickers: dict[int, dict[str, str]] = field(default_factory=dict)  # since the last change, by id
    tops: int = 0
    compared: int = 0
    unverified: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)
    offsets: set[float] = field(default_factory=set)
    seconds: int = 0
    views: list[ServiceView] = field(default_factory=list)

    def seed(self, snapshot: dict[str, list[list[str]]], last: int, waiting: list[bytes]) -> None:
        self.seeded = last
        self.plain.replace(snapshot["bids"], snapshot["asks"])
        self.low, self.high = Decimal(snapshot["bids"][-1][0]), Decimal(snapshot["asks"][-1][0])
        for frame in waiting:
            self.apply(frame)

    def apply(self, frame: bytes) -> None:
        data = orjson.loads(frame)["data"]
        if data["u"] >= self.seeded:
            self.plain.apply(data["b"], data["a"])
            self.last = data["u"]

    def after_frame(self, hub: Hub, data: bytes, at: int) -> None:
        book = hub.markets[KEY].book
        assert book is not None
        if b'"depthUpdate"' in data[:80]:
            if self.seeded:
                self.apply(data)
                assert book.last_id == self.last
                self.compare_top(book, self.tickers.get(self.last))
                self.tickers.clear()
        elif b'"bookTicker"' in data[:80]:
            said = orjson.loads(data)["data"]
            self.tickers[said["u"]] = said  # most come before the change of the same id
            if said["u"] == book.last_id:
                self.compare_top(book, said)

    def compare_top(self, book: LiveBook, said: dict[str, str] | None) -> None:
        top = book.top()
        if top is None or said is None:
            return
        ours = (top.bid_tick * TICK, top.bid_lots * LOT, top.ask_tick * TICK, top.ask_lots * LOT)
        assert ours == tuple(Decimal(said[key]) for key in "bBaA")
        self.tops += 1

    def on_second(self, hub: Hub, view: ServiceView) -> None:
        self.seconds += 1
        self.views.append(view)
        if not self.seeded:
            return
        (venue,) = view.venues
        market = market_of(view, "BTCUSDT")
        assert venue.faults == ()
        assert market.reason != "behind"
        if venue.clock_offset_seconds is not None and venue.lag_seconds is not None:
            self.offsets.add(venue.clock_offset_seconds)
            assert 0 <= venue.lag_seconds < 1.0
        book = hub.markets[KEY].book
        assert book is not None
        assert market.verified is book.readable
        if not market.verified:
            self.unverified[market.reason] += 1
            assert market.depth == ()
            if market.reason == "moved beyond snapshot":
                assert self.plain.best(0) < self.low or self.plain.best(1) > self.high
            return
        if self.seconds % EVERY == 0:
            self.compare(book, view)

    def compare(self, book: LiveBook, view: ServiceView) -> None:
        market = market_of(view, "BTCUSDT")
        report = book.bands(BANDS, view.at)
        assert report is not None
        assert market.mid_price == pytest.approx(float(self.plain.mid), rel=1e-12)
        published = figures(market)
        for side, name in enumerate(SIDES):
            depths = self.plain.depths(side)
            for figure, percent, (base, quote) in zip(report.side(name), PERCENTS, depths, strict=True):
                assert figure.raw.lots * LOT == base
                assert figure.raw.lot_ticks * LOT * TICK == quote
                edge = self.plain.edge(side, percent)
                inside = edge <= self.high if side else edge >= self.low
                shown = published.pop((name, f"{percent}%"), None)
                if not inside and not self.floor:
                    assert shown is None
                    self.bases["absent"] += 1
                    continue
                assert shown is not None
                assert shown[0] == pytest.approx(float(base), rel=1e-12)
                assert shown[1] == pytest.approx(float(quote), rel=1e-12)
                assert shown[2] == ("live" if inside else "floor")
                self.bases[shown[2]] += 1
        assert published == {}
        (asset,) = view.assets
        assert {(d.side, d.band): d.usd for d in asset.depth} == {(f.side, f.band): f.usd for f in market.depth}
        self.compared += 1


def run(recording: Path, capture: Path, *, floor: bool) -> tuple[Watch, Hub]:
    watch = Watch(floor)
    waiting: list[bytes] = []
    snapshot: bytes = b""
    for _, raw in lines_of(capture):
        if raw.startswith(b'{"lastUpdateId"'):
            snapshot = raw
            break
        if b'"depthUpdate"' in raw[:80]:
            waiting.append(raw)
    said = orjson.loads(snapshot)

    def after_frame(hub: Hub, data: bytes, at: int) -> None:
        book = hub.markets[KEY].book
        # The reply is no frame: it has been taken when the book has a seed.
        if not watch.seeded and book is not None and not book.unseeded:
            watch.seed(said, said["lastUpdateId"], waiting)
        watch.after_frame(hub, data, at)

    options = settings(floor_settle="0s") if floor else settings()
    report, hub = watched_replay([recording], options, after_frame=after_frame, on_second=watch.on_second)
    assert report.frames == 93_953
    return watch, hub


@pytest.fixture(scope="module")
def settled(binance_recording: Path, binance_capture: Path) -> tuple[Watch, Hub]:
    return run(binance_recording, binance_capture, floor=False)


def test_no_gaps_and_the_venues_own_best_prices(settled: tuple[Watch, Hub]) -> None:
    watch, hub = settled
    market = market_of(hub.view, "BTCUSDT")
    assert market.counters["book_gaps_total"] == 0
    assert market.counters["book_crossed_total"] == 0
    assert market.counters["book_updates_total"] > 6_500
    assert market.resyncs == {}
    assert watch.tops > 500
    assert set(watch.unverified) <= {"moved beyond snapshot"}
    assert watch.seconds == 346


def test_bands_equal_a_decimal_book_and_obey_their_basis(settled: tuple[Watch, Hub]) -> None:
    watch, _ = settled
    assert watch.compared > 60
    # 1,000 levels of BTC reach well under 1%: nothing is said beyond, for half an hour.
    assert watch.bases["live"] > 100
    assert watch.bases["absent"] > 400
    assert set(watch.bases) == {"live", "absent"}


def test_a_clock_1_27_s_behind_is_an_offset_and_not_a_fault(settled: tuple[Watch, Hub]) -> None:
    watch, _ = settled
    assert all(-1.30 < offset < -1.25 for offset in watch.offsets)
    assert min(watch.offsets) == pytest.approx(-1.27, abs=0.02)


def test_learned_levels_are_published_at_once_where_the_settings_say_so(
    binance_recording: Path, binance_capture: Path
) -> None:
    watch, hub = run(binance_recording, binance_capture, floor=True)
    assert watch.compared > 60
    assert set(watch.bases) == {"live", "floor"}
    assert sum(watch.bases.values()) == watch.compared * 14
    figure = figures(market_of(hub.view, "BTCUSDT"))["bid", "10%"]
    assert figure[2] == "floor"


def test_trades_equal_an_independent_count(settled: tuple[Watch, Hub], binance_capture: Path) -> None:
    count: Counter[str] = Counter()
    volume = {"buy": Decimal(0), "sell": Decimal(0)}
    left_out = 0
    for _, raw in lines_of(binance_capture):
        if b'"e":"trade"' not in raw[:80]:
            continue
        trade = orjson.loads(raw)["data"]
        if trade["X"] not in ("MARKET", "RPI"):
            left_out += 1
            continue
        side = "sell" if trade["m"] else "buy"
        count[side] += 1
        volume[side] += Decimal(trade["p"]) * Decimal(trade["q"])
    _, hub = settled
    counters = market_of(hub.view, "BTCUSDT").counters
    for side in ("buy", "sell"):
        assert counters[f"trades_total|{side}"] == count[side]
        assert counters[f"trade_volume_usd_total|{side}"] == pytest.approx(float(volume[side]), rel=1e-9)
    assert sum(count.values()) + left_out == 21_313
    assert sum(count.values()) > 21_000
    (venue,) = hub.view.venues
    assert venue.channels["trades"]["messages"] == 21_313
    assert all(counts["parse_errors"] == counts["fallback_frames"] == 0 for counts in venue.channels.values())

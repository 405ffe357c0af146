"""A market across connections: hand-over without an unverified second, new listings, trades and liquidations counted once, silence."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from itertools import pairwise

import pytest
from core_rig import (
    BINANCE,
    BYBIT,
    MS,
    OKX,
    START,
    Rig,
    at,
    binance_change,
    binance_force_order,
    binance_mark,
    binance_snapshot,
    binance_trade,
    bybit_book,
    bybit_liquidation,
    figures,
    instrument,
    ladder,
    okx_book,
    okx_deep,
    plan,
)

from monitor.events import Fetch, VenueHalted
from monitor.facts import Instrument, InstrumentChanged, Liquidation
from monitor.market import Market, MarketOptions
from monitor.prints import LIQUIDATION_MAX_AGE, SEEN_LIQUIDATIONS
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import RestRequest
from monitor.venues.registry import VENUES

OPTIONS = MarketOptions(bands=("1%",), slippage_usd=(1000,), floor_settle=0)
SNAPSHOT = RestRequest("snapshot", "u", 20, "BTCUSDT")


# -- hand-over
class Stream:
    """One Binance market, pushed to every connection that carries it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.last = 100

    def push(self, seconds: float, *connections: int, bids: list[tuple[str, str]] | None = None) -> None:
        frame = binance_change(self.last + 1, self.last + 2, self.last, bids or [], time=at(seconds))
        for connection in connections:
            self.rig.frame(seconds, BINANCE, frame, connection)
        self.last += 2


def handed_over() -> tuple[Rig, Stream, list[int]]:
    """A book with learned levels moves to a second connection; a third of a second between two frames."""
    rig = Rig(floor_settle=10.0, bands=("0.1%", "10%"))
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    bids, asks = ladder(60_000, 1000)
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, bids, asks))
    stream = Stream(rig)
    now = 0.0
    stream.push(0.1, 0, bids=[("58000.0", "5")])
    while now < 15:
        now += 1 / 3
        stream.push(now, 0)
    assert figures(rig.market_view())["bid", "10%"][1] == "floor"
    rig.connect(now, BINANCE, 1)
    closed: list[int] = []
    snapshot_id = 0
    while now < 20:
        now += 1 / 3
        stream.push(now, *([0, 1] if not closed else [1]))
        if not snapshot_id:
            (request,) = rig.fetches(BINANCE)
            snapshot_id = stream.last
            rig.reply(now, BINANCE, request, binance_snapshot(snapshot_id, bids, asks))
        if rig.hub.view.at >= at(20) or not closed:
            closed += rig.closes(BINANCE)
            if closed:
                rig.drop(now, BINANCE, closed[0], "succeeded")
    while now < 25:
        now += 1 / 3
        stream.push(now, 1)
    return rig, stream, closed


def test_a_planned_move_has_no_unverified_second_and_keeps_what_was_learned() -> None:
    rig, _, closed = handed_over()
    assert closed == [0]
    assert rig.market().active == 1
    assert rig.market().books.keys() == {1}
    views = [view.markets[0] for view in rig.outlet.seconds if view.at > at(1)]
    assert [m.reason for m in views if not m.verified] == []
    late = [m for m in views if m.at > at(11)]
    assert len(late) >= 13
    inner = sum(float(price) for price, _ in ladder(60_000, 1000)[0])
    assert {figures(m)["bid", "10%"][1] for m in late} == {"floor"}
    assert [figures(m)["bid", "10%"][0] for m in late] == pytest.approx([inner + 58_000 * 5] * len(late))
    assert {connection.connection for connection in rig.venue_view().connections} == {1}


def test_no_counter_falls_back_in_a_planned_move() -> None:
    """A counter that falls is a restart to whoever reads it: everything would be counted twice."""
    rig, stream, _ = handed_over()
    for name in ("book_updates_total", "book_gaps_total", "book_crossed_total"):
        counts = [view.markets[0].counters[name] for view in rig.outlet.seconds if view.markets]
        assert counts == sorted(counts), name
    assert rig.market_view().resyncs == {}  # a planned move is no loss of sync
    assert rig.market_view().counters["book_updates_total"] >= (stream.last - 100) // 2
    assert rig.venue_view().reconnects == {"succeeded": 1}


def test_the_successor_takes_over_when_the_old_connection_dies_first() -> None:
    rig = Rig(bands=("0.1%", "10%"))
    rig.begin(BINANCE)
    stream = Stream(rig)
    stream.push(0.5, 0, bids=[("58000.0", "5")])
    rig.connect(1, BINANCE, 1)
    stream.push(1.1, 0, 1)
    rig.reply(1.2, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(stream.last, *ladder(60_000, 1000)))
    stream.push(1.3, 0, 1)
    assert rig.market().ready(1)
    rig.drop(1.4, BINANCE, 0)
    rig.tick(2)
    view = rig.market_view()
    assert (view.verified, rig.market().active) == (True, 1)
    assert figures(view)["bid", "10%"][0] == pytest.approx(
        sum(float(p) for p, _ in ladder(60_000, 1000)[0]) + 58_000 * 5
    )
    assert view.resyncs == {"disconnected": 1}


def test_a_deep_snapshot_goes_over_with_the_market() -> None:
    rig = Rig(bands=("10%",))
    rig.list(0, OKX)
    rig.connect(0, OKX, 0)
    bids, asks = ladder(60_000, 400, "100")
    snapshot = okx_book(1, -1, bids, asks, snapshot=True)
    rig.frame(0, OKX, snapshot)
    rig.tick(1)
    rig.reply(1, OKX, rig.fetches(OKX, "deep")[0], okx_deep([*bids, ("50000.0", "1")], [*asks, ("70000.0", "1")]))
    rig.connect(1.2, OKX, 1)
    rig.frame(1.3, OKX, snapshot, 1)
    rig.tick(2)
    assert rig.market(OKX).active == 1
    assert figures(rig.market_view(OKX))["bid", "10%"][1] == "snapshot"


def test_a_market_that_neither_connection_can_read_does_not_hold_the_others() -> None:
    rig = Rig()
    rig.list(0, BYBIT, instrument(BYBIT), instrument(BYBIT, "OLDUSDT", "OLD"))
    keys = ("orderbook.1000.BTCUSDT", "orderbook.1000.OLDUSDT")
    for connection, seconds in ((0, 0.0), (1, 1.0)):
        rig.connect(seconds, BYBIT, connection, *keys)
        rig.seed(BYBIT, seconds=seconds, connection=connection)
        rig.frame(seconds, BYBIT, bybit_book(5, [("1.0", "1")], snapshot=True, symbol="OLDUSDT"), connection)
    rig.take()
    rig.tick(3)
    assert rig.market_view(BYBIT, "OLDUSDT").reason == "one sided"
    assert rig.closes(BYBIT) == [0]
    assert rig.market(BYBIT).active == 1
    # Asked for once; again when nobody did it.
    asked = []
    for second in range(4, 30):
        rig.frame(second, BYBIT, bybit_book(97 + second, time=at(second)), 1)
        rig.tick(second)
        asked += [second] * len(rig.closes(BYBIT))
    assert asked == [12, 22]


def test_a_market_only_the_old_connection_can_read_holds_the_move() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.connect(1, BYBIT, 1)
    rig.frame(1, BYBIT, bybit_book(5, [("1.0", "1")], snapshot=True), 1)
    rig.take()
    rig.tick(3)
    assert rig.closes(BYBIT) == []
    assert rig.market(BYBIT).active == 0
    rig.seed(BYBIT, seconds=3.5, connection=1)
    rig.tick(4)
    assert rig.closes(BYBIT) == [0]


def test_a_lost_connection_rests_its_book_and_the_next_one_takes_it_over() -> None:
    rig = Rig(bands=("0.1%", "10%"))
    rig.begin(BINANCE)
    stream = Stream(rig)
    stream.push(0.5, 0, bids=[("58000.0", "5")])
    rig.tick(1)
    before = rig.market_view().counters["book_updates_total"]
    rig.drop(1.5, BINANCE)
    rig.tick(2)
    view = rig.market_view()
    assert (view.verified, view.reason, view.depth) == (False, "not connected", ())
    assert view.counters["book_updates_total"] == before
    rig.connect(3, BINANCE, 0)
    stream.last += 50
    stream.push(3.1, 0)
    rig.reply(3.2, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(stream.last, *ladder(60_000, 1000)))
    stream.push(3.3, 0)
    rig.tick(4)
    view = rig.market_view()
    assert view.verified
    # 1.5 s away: what was learned beyond the snapshot is kept, as a lower bound.
    assert figures(view)["bid", "10%"] == (
        pytest.approx(sum(float(p) for p, _ in ladder(60_000, 1000)[0]) + 58_000 * 5), "floor",
    )  # fmt: skip
    assert view.counters["book_updates_total"] == before + 3  # the snapshot counts as one
    assert view.resyncs == {"disconnected": 1}


# -- listings
def test_a_new_tick_starts_the_book_over_and_keeps_the_counts() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.connect(0.2, BYBIT, 1, "publicTrade.BTCUSDT", name="facts")
    rig.tick(1)
    rig.take()
    rig.list(2, BYBIT, instrument(BYBIT, tick_size=Decimal("0.01")))
    assert len(rig.sends(BYBIT)) == 0  # asked for with the next frame or second
    rig.tick(3)
    assert (rig.market_view(BYBIT).verified, rig.market_view(BYBIT).reason) == (False, "regrid")
    assert len(rig.sends(BYBIT)) == 1
    rig.answer(3.4, BYBIT)
    rig.frame(3.5, BYBIT, bybit_book(9, [("59999.99", "2")], [("60000.01", "3")], snapshot=True))
    rig.frame(
        3.6,
        BYBIT,
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"T":1780000003000,"s":"BTCUSDT","S":"Sell","v":"0.5","p":"59999.99","i":"x","BT":false}]}',
        1,
    )
    rig.tick(4)
    view = rig.market_view(BYBIT)
    assert (view.verified, view.mid_price, view.best_bid) == (True, pytest.approx(60_000), pytest.approx(59_999.99))
    assert view.counters["book_updates_total"] == 2
    assert view.counters["trade_volume_usd_total|sell"] == pytest.approx(59_999.99 / 2)
    assert rig.venue_view(BYBIT).channels["trades"]["fallback_frames"] == 0


def test_the_same_listing_again_changes_nothing() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    book = rig.market(BYBIT).book
    rig.list(1, BYBIT)
    rig.tick(2)
    assert rig.market_view(BYBIT).verified
    assert rig.market(BYBIT).book is book
    assert rig.market_view(BYBIT).resyncs == {}


def test_a_listing_that_confirms_what_the_frames_showed_does_not_start_over_again() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.frame(1, BYBIT, bybit_book(9, [("59999.95", "2")], [("60000.05", "3")], snapshot=True))
    rig.list(2, BYBIT, instrument(BYBIT, tick_size=Decimal("0.05")))
    rig.tick(3)
    assert rig.market_view(BYBIT).verified
    assert rig.market_view(BYBIT).resyncs == {"regrid": 1}


def test_a_new_contract_size_is_never_mixed_with_the_old() -> None:
    """Read on, every dollar would be wrong by that factor."""
    rig = Rig(bands=("1%",))
    rig.begin(OKX)
    rig.tick(1)
    before = figures(rig.market_view(OKX))["bid", "1%"][0]
    rig.list(2, OKX, instrument(OKX, contract_size=Decimal("0.1")))
    rig.tick(3)
    assert (rig.market_view(OKX).verified, rig.market_view(OKX).depth) == (False, ())
    rig.answer(3.5, OKX)
    rig.seed(OKX, seconds=4)
    rig.tick(5)
    assert figures(rig.market_view(OKX))["bid", "1%"][0] == pytest.approx(10 * before)


def test_a_new_listing_while_nothing_is_connected() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.tick(1)
    rig.drop(1.5, BYBIT)
    rig.list(2, BYBIT, instrument(BYBIT, tick_size=Decimal("0.01")))
    rig.connect(3, BYBIT)
    rig.frame(3, BYBIT, bybit_book(9, [("59999.99", "2")], [("60000.01", "3")], snapshot=True))
    rig.tick(4)
    view = rig.market_view(BYBIT)
    assert view.verified
    assert view.counters["book_updates_total"] == 2  # also of the book that was given up
    assert view.resyncs == {"disconnected": 1}


def test_a_market_that_does_not_trade_is_named() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    market = rig.market(BYBIT)
    market.take(InstrumentChanged("BTCUSDT", False, "PreLaunch", START), START)
    rig.tick(1)
    assert (rig.market_view(BYBIT).verified, rig.market_view(BYBIT).reason) == (False, "PreLaunch")
    market.take(InstrumentChanged("BTCUSDT", None, "", START), START)
    market.take(InstrumentChanged("BTCUSDT", True, "Trading", START), START)
    rig.tick(2)
    assert rig.market_view(BYBIT).verified
    rig.list(3, BYBIT, instrument(BYBIT, trading=False, status=""))
    rig.tick(4)
    assert rig.market_view(BYBIT).reason == "not trading"


# -- trades
def trade_lane(
    venue: str = BINANCE, key: str = "btcusdt@aggTrade", market: Instrument | None = None
) -> tuple[TradeLane, TradeTally]:
    market = market or instrument(venue)
    topic = VENUES[venue].topic(key)
    assert topic is not None
    tally = TradeTally()
    return TradeLane(market, topic, market.scale, tally), tally


def test_trades_are_counted_by_taker_with_their_dollars() -> None:
    lane, tally = trade_lane()
    assert lane.frame(binance_trade(7, "60000.0", "0.5", sold=True, time=at(1)), 0.9992) == at(1)
    lane.frame(binance_trade(8, "60000.1", "0.25", sold=False, time=at(2)), 0.9992)
    assert tally.count == {"buy": 1, "sell": 1}
    assert tally.volume_usd == {"buy": pytest.approx(60_000.1 / 4 * 0.9992), "sell": pytest.approx(30_000 * 0.9992)}
    lane.frame(binance_trade(9, "60000.0", "1", sold=True), None)  # the rate is not known: counted, not valued
    assert tally.count["sell"] == 2
    assert tally.volume_usd["sell"] == pytest.approx(30_000 * 0.9992)


def test_the_plain_path_counts_the_same() -> None:
    lane, tally = trade_lane()
    frame = binance_trade(7, "60000.0", "0.5", sold=True).replace(b'"p":', b'"\\u0070":')
    lane.frame(frame, 1.0)
    assert tally.volume_usd["sell"] == pytest.approx(30_000)
    assert sum(lane.fallbacks.values()) == 1


@pytest.mark.parametrize(("price", "size", "usd"), [("60000.05", "0.5", 30_000.025), ("60000.1", "0.0005", 30.00005)])
def test_a_print_off_the_grid_is_counted_on_a_grid_of_its_own(price: str, size: str, usd: float) -> None:
    """A changed tick shows in the trades before the listing is read again; the next frame is on the listed grid again."""
    lane, tally = trade_lane()
    lane.frame(binance_trade(7, price, size, sold=True), 1.0)
    assert tally.volume_usd["sell"] == pytest.approx(usd)
    lane.frame(binance_trade(8, "60000.0", "1", sold=False), 1.0)
    assert tally.volume_usd["buy"] == pytest.approx(60_000)


def test_a_trade_nobody_can_read_is_an_error_and_counts_nothing() -> None:
    from monitor.errors import FrameError

    lane, tally = trade_lane()
    frame = binance_trade(7, "60000.0", "0.5", sold=True)
    for bad in (frame[:-5], frame.replace(b'"0.5"', b'"x"'), frame.replace(b'"60000.0"', b'"60000.05"').replace(b'"0.5"', b'"1_0"'),
                frame.replace(b'"60000.0"', b'"1e-40"'), frame.replace(b'"60000.0"', b"null")):  # fmt: skip
        with pytest.raises(FrameError, match="trades of BTCUSDT: "):
            lane.frame(bad, 1.0)
    assert tally.count == {"buy": 0, "sell": 0}


def test_inverse_trades_are_worth_their_face() -> None:
    market = instrument(
        OKX, "BTC-USD-SWAP", contract_type="inverse", contract_size=Decimal(100), lot_size=Decimal(1), quote="USD"
    )
    lane, tally = trade_lane(OKX, "trades:BTC-USD-SWAP", market)
    row = b'{"instId":"BTC-USD-SWAP","tradeId":"5","px":"60000.1","sz":"7","side":"sell","ts":"1780000000000"}'
    lane.frame(b'{"arg":{"channel":"trades","instId":"BTC-USD-SWAP"},"data":[%s]}' % row, 1.0)
    assert tally.volume_usd["sell"] == pytest.approx(700)


def test_while_two_connections_carry_the_trades_each_is_counted_once() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0, "btcusdt@aggTrade", name="market")

    def trade(seconds: float, number: int, *connections: int) -> None:
        for connection in connections:
            rig.frame(seconds, BINANCE, binance_trade(number, "60000.0", "1", sold=True, time=at(seconds)), connection)

    for number in range(1, 11):
        trade(number / 10, number, 0)
    rig.connect(1.05, BINANCE, 1, "btcusdt@aggTrade", name="market")
    for number in range(11, 21):
        trade(number / 10, number, 0, 1)
    trade(2.05, 21, 0)
    trade(2.06, 22, 0)
    rig.drop(2.1, BINANCE, 0, "succeeded")
    # The new connection was a little behind: what it repeats now was counted.
    trade(2.2, 21, 1)
    trade(2.3, 22, 1)
    trade(2.4, 23, 1)
    trade(2.5, 24, 1)
    rig.tick(3)
    assert rig.market_view().counters["trades_total|sell"] == 24
    # Ids that begin anew are no repetition once one connection is left.
    trade(3.1, 1, 1)
    trade(3.2, 2, 1)
    rig.tick(4)
    assert rig.market_view().counters["trades_total|sell"] == 26


def test_two_streams_of_the_same_trades_on_one_connection_count_once() -> None:
    """Captures hold `trade` beside `aggTrade`."""
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0, "btcusdt@aggTrade", "btcusdt@trade", "btcusdt@depth@0ms", "btcusdt@depth@100ms")
    frame = binance_trade(5, "60000.0", "1", sold=True)
    rig.frame(0.1, BINANCE, frame)
    rig.frame(0.1, BINANCE, frame.replace(b"aggTrade", b"trade").replace(b'"a":5', b'"t":5,"X":"MARKET"'))
    rig.tick(1)
    assert rig.market_view().counters["trades_total|sell"] == 1
    assert list(rig.market().books) == [0]
    assert rig.market().books[0].topic.key == "btcusdt@depth@0ms"


# -- liquidations
def liquidation(time: int = START, position: str = "long", quantity: str = "1", price: str = "60000") -> Liquidation:
    return Liquidation("BTCUSDT", position, Decimal(quantity), Decimal(price), "bankruptcy", time, "complete")  # type: ignore[arg-type]


def test_the_second_connections_copy_is_no_second_liquidation() -> None:
    market = Market(VENUES[BYBIT], instrument(BYBIT), OPTIONS)
    assert market.liquidated(liquidation(), START, 0, 1.0, 0) == 60_000
    assert market.liquidated(liquidation(), START, 1, 1.0, 0) is None
    assert market.liquidated(liquidation(), START, 0, 1.0, 0) == 60_000  # two equal ones on one connection are two
    assert market.liquidated(liquidation(), START, 1, 1.0, 0) is None
    assert market.liquidated(liquidation(quantity="2"), START, 1, 1.0, 0) == 120_000
    assert market.liquidated(liquidation(quantity="2"), START, 0, 1.0, 0) is None
    assert market.prints.dropped == 3


def test_what_is_remembered_of_liquidations_is_bounded() -> None:
    market = Market(VENUES[BYBIT], instrument(BYBIT), OPTIONS)
    for i in range(3 * SEEN_LIQUIDATIONS):
        assert market.liquidated(liquidation(price=str(i + 1)), START, 0, 1.0, 0) is not None
    assert len(market.prints.seen) == SEEN_LIQUIDATIONS
    assert market.liquidated(liquidation(price=str(3 * SEEN_LIQUIDATIONS)), START, 1, 1.0, 0) is None


def test_the_past_replayed_after_a_subscription_is_no_news() -> None:
    market = Market(VENUES[BYBIT], instrument(BYBIT), OPTIONS)
    late = START + LIQUIDATION_MAX_AGE
    assert market.liquidated(liquidation(), late, 0, 1.0, 0) is not None
    assert market.liquidated(liquidation(quantity="3"), late + 1, 0, 1.0, 0) is None
    # A venue whose clock is an hour behind ours: every print looks an hour old and none is.
    hour = 3600 * 1_000_000_000
    assert market.liquidated(liquidation(quantity="4"), START + hour, 0, 1.0, hour) is not None
    assert market.liquidated(liquidation(quantity="5"), START + hour + LIQUIDATION_MAX_AGE + 1, 0, 1.0, hour) is None


def test_an_unknown_rate_counts_the_print_and_says_no_dollars() -> None:
    rig = Rig()
    rig.list(0, BYBIT, instrument(BYBIT, quote="BRL"))
    rig.connect(0, BYBIT, 0, "allLiquidation.BTCUSDT", name="facts")
    rig.frame(1, BYBIT, bybit_liquidation("Buy", "60000", "2", time=at(1)))
    rig.tick(2)
    market = Market(VENUES[BYBIT], instrument(BYBIT), OPTIONS)
    assert math.isnan(market.liquidated(liquidation(), START, 0, None, 0) or 0.0)
    view = rig.market_view(BYBIT)
    assert view.counters["liquidations_total|long"] == 1
    assert not [key for key in view.counters if "usd" in key]  # nothing is known in dollars, not even zero
    (payload,) = rig.outlet.prints
    assert (payload.notional_usd, payload.quantity_base) == (None, 2.0)
    assert rig.asset_view().liquidated_60s_usd == {"short": 0.0}
    rig.tick(62)
    assert rig.asset_view().liquidated_60s_usd == {"long": 0.0, "short": 0.0}  # the print has left the minute
    rig.drop(63, BYBIT, 0)
    rig.tick(64)
    assert rig.asset_view().liquidated_60s_usd == {}  # nobody would tell us


def test_liquidations_of_two_connections_through_the_hub() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    frame = binance_force_order("BTCUSDT", "SELL", "60000.0", "0.5", time=at(1))
    for connection in (0, 1):
        rig.connect(0, BINANCE, connection, "btcusdt@forceOrder", name="market")
        rig.frame(1, BINANCE, frame, connection)
    rig.frame(1.5, BINANCE, binance_force_order("BTCUSDT", "BUY", "60001.0", "0.25", time=at(1.4)), 1)
    rig.tick(2)
    view = rig.market_view()
    assert (view.counters["liquidations_total|long"], view.counters["liquidations_total|short"]) == (1, 1)
    estimates = ("observed", "low", "base", "high")  # what a sampled feed hid follows with the minute
    expected = {"long": 30_000.0, "short": 15_000.25}
    assert rig.asset_view().liquidated_usd == {(p, e): usd for p, usd in expected.items() for e in estimates}
    assert [payload.position for payload in rig.outlet.prints] == ["long", "short"]


def test_what_a_new_connection_repeats_of_the_past_is_no_news() -> None:
    """OKX: the first message after subscribing can be a replay of the recent past; the slot of the lost socket is used again."""
    rig = Rig()
    rig.list(0, BYBIT)
    frame = bybit_liquidation("Buy", "60000", "2", time=at(1))
    rig.connect(0, BYBIT, 0, "allLiquidation.BTCUSDT", name="facts")
    rig.frame(1, BYBIT, frame)
    rig.drop(2, BYBIT, 0)
    rig.connect(3, BYBIT, 0, "allLiquidation.BTCUSDT", name="facts")
    rig.frame(4, BYBIT, frame)
    rig.frame(5, BYBIT, bybit_liquidation("Buy", "60000", "2", time=at(5)))
    rig.tick(6)
    assert rig.market_view(BYBIT).counters["liquidations_total|long"] == 2


# -- why a book is not verified
def test_a_late_connection_is_behind_until_it_has_caught_up() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    for i in range(1, 4):
        rig.frame(i, BYBIT, bybit_book(100 + i, time=at(i)))
    rig.tick(3)
    assert rig.market_view(BYBIT).verified
    for i in range(4, 12):
        rig.frame(i, BYBIT, bybit_book(100 + i, time=at(i - 7 if i > 5 else i)))
    rig.tick(11)
    view = rig.market_view(BYBIT)
    assert (view.verified, view.reason, view.depth) == (False, "behind", ())
    assert rig.venue_view(BYBIT).lag_seconds == pytest.approx(7, abs=0.1)
    for i in range(12, 16):
        rig.frame(i, BYBIT, bybit_book(100 + i, time=at(i)))
    rig.tick(15)
    assert rig.market_view(BYBIT).verified
    assert rig.market_view(BYBIT).resyncs == {}


def test_the_bound_of_lag_is_the_venues() -> None:
    rig = Rig(lag_bound={BYBIT: 20 * 1_000_000_000})
    rig.begin(BYBIT)
    rig.frame(1, BYBIT, bybit_book(101, time=at(1)))
    for i in range(2, 6):
        rig.frame(i, BYBIT, bybit_book(100 + i, time=at(i - 7)))
    rig.tick(5)
    assert rig.market_view(BYBIT).verified


def test_a_halted_venue_is_unverified_by_name_until_it_connects_again() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.event(VenueHalted(at(1), BYBIT, "http_403", at(601)))
    rig.tick(2)
    assert rig.market_view(BYBIT).reason == "venue halted: http_403"
    assert rig.venue_view(BYBIT).halted == "http_403"
    rig.frame(600, BYBIT, bybit_book(101, time=at(600)))
    assert rig.hub.view.venues[0].halted == "http_403"
    rig.tick(602)
    assert rig.venue_view(BYBIT).halted == ""
    rig.event(VenueHalted(at(603), BYBIT, "http_451", None))
    rig.tick(100_000)
    assert rig.market_view(BYBIT).reason == "venue halted: http_451"
    rig.connect(100_001, BYBIT, 1)
    rig.tick(100_002)
    assert rig.venue_view(BYBIT).halted == ""


def test_silence_is_said_by_market_and_channel_on_every_connection() -> None:
    """Books and tickers come on sockets of their own: either can go silent alone."""
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0)
    rig.connect(0, BINANCE, 1, "btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@forceOrder", name="market")
    rig.seed(BINANCE)
    last = 100
    for second in range(1, 60):
        rig.frame(second, BINANCE, binance_change(last + 1, last + 2, last, time=at(second)))
        last += 2
        if second < 20:
            rig.frame(second, BINANCE, binance_mark("60000.0", time=at(second)), 1)
        rig.frame(second, BINANCE, b'{"result":null,"id":1}', 1)
    rig.tick(59)
    view = rig.market_view()
    assert view.silent == {"book": False, "trades": False, "ticker": True, "liquidations": False}
    assert view.verified  # its book lives
    assert view.mark_price == 60_000
    for second in range(60, 100):
        rig.frame(second, BINANCE, binance_mark("60000.0", time=at(second)), 1)
    rig.tick(99)
    view = rig.market_view()
    assert view.silent == {"book": True, "trades": False, "ticker": False, "liquidations": False}
    assert (view.verified, view.reason) == (False, "silent")


def test_figures_that_nobody_confirms_any_more_become_unknown() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0, "btcusdt@markPrice@1s", name="market")
    rig.frame(1, BINANCE, binance_mark("60000.0", time=at(1)), 0)
    rig.tick(61)
    assert rig.market_view().mark_price == 60_000
    rig.tick(63)
    view = rig.market_view()
    assert (view.mark_price, view.index_price, view.funding_rate_8h_ratio) == (None, None, None)
    rig.frame(64, BINANCE, binance_mark("61000.0", time=at(64)), 0)
    rig.tick(65)
    assert rig.market_view().mark_price == 61_000


def test_one_of_several_topics_of_a_channel_being_silent_is_enough() -> None:
    rig = Rig()
    rig.begin(OKX)
    rig.connect(
        0, OKX, 1, "mark-price:BTC-USDT-SWAP", "funding-rate:BTC-USDT-SWAP", "open-interest:BTC-USDT-SWAP", name="facts"
    )
    rig.frame(
        1,
        OKX,
        b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","markPx":"60000","ts":"1780000001000"}]}',
        1,
    )
    for second in range(2, 50):
        rig.frame(second, OKX, okx_book(100 + second, 98 + second + 1 if second > 2 else 100, time=at(second)))
        rig.frame(
            second,
            OKX,
            b'{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","fundingRate":"0.0001","fundingTime":"1780000100000","nextFundingTime":"1780014500000","ts":"%d"}]}'
            % (at(second) // MS),
            1,
        )
    rig.tick(49)
    view = rig.market_view(OKX)
    assert view.silent["ticker"] is True
    assert view.funding_interval_seconds == 14_400
    assert view.funding_rate_8h_ratio == pytest.approx(0.0002)


# -- polls and other facts
def test_open_interest_is_asked_for_in_its_cadence_and_valued_at_the_mark() -> None:
    rig = Rig()
    rig.begin(BINANCE)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100))
    asked = []
    for second in range(1, 95):
        rig.tick(second)
        for command in rig.take():
            if isinstance(command, Fetch) and command.request.key == "open_interest":
                asked.append(second)
                request = command.request
    assert [b - a for a, b in pairwise(asked)] == [30] * (len(asked) - 1)
    assert len(asked) >= 3
    body = b'{"symbol":"BTCUSDT","openInterest":"1000.5","time":1780000000000}'
    for bad in (b"<html>", b"{}", b'{"symbol":"ETHUSDT","openInterest":"1","time":1780000000000}'):
        rig.reply(95, BINANCE, request, bad)
    rig.reply(95, BINANCE, request, b"", "HTTP 502")
    assert rig.hub.states[BINANCE].poll_errors == {"open_interest": 4}
    rig.tick(96)
    assert rig.market_view().open_interest_usd is None
    rig.reply(97, BINANCE, request, body)
    rig.frame(97.5, BINANCE, binance_change(103, 104, 102, time=at(97.5)))
    rig.tick(98)
    assert rig.market_view().open_interest_usd == pytest.approx(1000.5 * 60_000)
    rig.connect(99, BINANCE, 1, "btcusdt@markPrice@1s", name="market")
    rig.frame(99, BINANCE, binance_mark("61000.0", time=at(99)), 1)
    rig.tick(100)
    assert rig.market_view().open_interest_usd == pytest.approx(1000.5 * 61_000)
    # No socket, no questions.
    rig.drop(101, BINANCE, 0)
    rig.drop(101, BINANCE, 1)
    rig.take()
    rig.tick(200)
    assert rig.take() == []


def test_slippage_is_in_dollars_and_absent_where_the_book_cannot_fill_it() -> None:
    rig = Rig(fx_fixed={"USDT": 0.5})
    rig.begin(BYBIT, size="0.02")
    rig.tick(1)
    view = rig.market_view(BYBIT)
    # 1,000 dollars are 2,000 quote units: two levels of 1,200.
    base = 2000 / ((59_999.9 * 0.02 + (2000 - 59_999.9 * 0.02)) / 60_000)
    assert base > 0
    first = 59_999.9 * 0.02
    vwap = 2000 / (0.02 + (2000 - first) / 59_999.8)
    assert view.slippage_ratio["sell", 1_000] == pytest.approx((60_000 - vwap) / 60_000, rel=1e-6)
    assert ("sell", 100_000) not in view.slippage_ratio
    assert ("buy", 1_000) in view.slippage_ratio


def test_a_plan_of_another_stream_does_not_inherit_the_resting_book() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.tick(1)
    rig.drop(1.5, BYBIT)
    rig.connect(2, BYBIT, 0, "orderbook.50.BTCUSDT")
    bids, asks = ladder(60_000, 50)
    rig.frame(2, BYBIT, bybit_book(1, bids, asks, snapshot=True).replace(b"orderbook.1000", b"orderbook.50"))
    rig.tick(3)
    view = rig.market_view(BYBIT)
    assert view.verified
    assert view.counters["book_updates_total"] == 2
    # A full window of 50: nothing is known beyond it (of 1,000 it would be the whole side).
    assert view.reach_ratio["bid"] == pytest.approx(5 / 60_000, rel=1e-3)
    assert plan(BYBIT).topics[0].window in (None, 1000)


def test_a_planned_move_verifies_no_level_that_is_gone() -> None:
    """The new connection carried a level over a gap of its own; the old one saw it go, and lends its reach to the new one."""
    from typing import ClassVar

    from monitor.venues.base import BookPolicy
    from monitor.venues.binance_usdm import BinanceUsdm

    class Narrow(BinanceUsdm):
        book: ClassVar[BookPolicy] = dataclasses.replace(BinanceUsdm.book, snapshot_levels=5)

    rig = Rig(venues={**VENUES, BINANCE: Narrow()})
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0)
    stream = Stream(rig)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    low = [("59990.0", "1"), ("59980.0", "1"), ("59970.0", "1"), ("59960.0", "1"), ("59950.0", "1")]
    asks = [("60010.0", "1"), ("60020.0", "1"), ("60030.0", "1"), ("60040.0", "1"), ("60050.0", "1")]
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, low, asks))
    high = [("60000.0", "1"), ("59999.0", "1"), ("59998.0", "1"), ("59997.0", "1")]
    stream.push(0.1, 0, bids=high)
    rig.connect(0.2, BINANCE, 1)
    stream.push(0.3, 0, 1)
    rig.reply(0.4, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(stream.last, [*high, low[0]], asks))
    stream.push(0.5, 0, 1, bids=[("59985.0", "3")])
    stream.push(0.6, 0, bids=[("59985.0", "0")])  # the new connection loses this one
    stream.push(0.7, 0, 1)
    assert rig.market().books[1].book.reason == "gap"
    rig.reply(0.8, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(stream.last, [*high, low[0]], asks))
    stream.push(0.9, 0, 1)
    assert rig.market().books[1].book.counters["carried"] > 0
    rig.tick(1)
    assert rig.market().active == 1
    book = rig.market().book
    assert book is not None
    assert book.reach("bid") == pytest.approx((60_005 - 59_950) / 60_005)
    assert [tick for tick, _ in book.levels_of("bid").tolist()] == [
        599_500,
        599_600,
        599_700,
        599_800,
        599_900,
        599_970,
        599_980,
        599_990,
        600_000,
    ]


def test_what_one_of_two_connections_still_carries_is_not_silent() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    for connection in (0, 1):
        rig.connect(0, BINANCE, connection, "btcusdt@markPrice@1s", name="market")
        rig.frame(0.5, BINANCE, binance_mark("60000.0", time=at(0.5)), connection)
    for second in range(1, 30):
        rig.frame(second, BINANCE, binance_mark("60000.0", time=at(second)), 1)
        rig.frame(second, BINANCE, b'{"result":null,"id":7}', 0)
    rig.tick(30)
    assert rig.hub.states[BINANCE].links[0].session.is_silent("btcusdt@markPrice@1s")
    assert rig.market_view().silent == {"ticker": False}


@pytest.mark.parametrize("moved", [False, True])
def test_bids_that_went_while_nobody_looked_were_not_cancelled(moved: bool) -> None:
    """Another book of the market (a new connection's) is no change of the old one."""
    rig = Rig()
    rig.begin(BYBIT)
    for i in range(1, 10):
        rig.frame(i / 4, BYBIT, bybit_book(100 + i, time=at(i / 4)))
    if moved:
        rig.connect(2.3, BYBIT, 1)
    else:
        rig.drop(2.3, BYBIT)
        rig.connect(2.4, BYBIT)
    bids, asks = ladder(60_000, 50)
    rig.frame(2.5, BYBIT, bybit_book(500, bids[:20], asks, snapshot=True, time=at(2.5)), int(moved))
    for i in range(12, 40):
        rig.frame(i / 4, BYBIT, bybit_book(489 + i, time=at(i / 4)), int(moved))
    rig.tick(11)
    assert rig.market(BYBIT).active == int(moved)
    assert rig.market_view(BYBIT).verified
    assert rig.market_view(BYBIT).withdrawal_share is None
    # And what goes while somebody looks is.
    rig.frame(11.1, BYBIT, bybit_book(529, [(bids[3][0], "0")], time=at(11.1)), int(moved))
    for i in range(1, 8):
        rig.frame(11.1 + i / 4, BYBIT, bybit_book(529 + i, time=at(11.1 + i / 4)), int(moved))
    rig.tick(13)
    assert rig.market_view(BYBIT).withdrawal_share == 1.0

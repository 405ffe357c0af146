"""Kraken Futures: every captured frame, and what each must come to."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hot_frames import read_book, read_trades
from kraken_frames import Lane, nautilus, tardis
from kraken_stream import book_frames

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import (
    Channel,
    Fact,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    VenueNotice,
)
from monitor.money import coins, notional_usd
from monitor.venues.base import Acked, ErrorSaid, Refused, RestRequest, Topic
from monitor.venues.kraken_futures import BOOK, SNAPSHOT, TRADES, KrakenFutures

VENUE = KrakenFutures()
MS = 1_000_000
LISTING = RestRequest("instruments", "https://futures.kraken.com/derivatives/api/v3/instruments", 1)
STATUS, TIERS = (poll.request for poll in VENUE.venue_polls([]))


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None
    return found


def facts_of(frame: bytes) -> list[Fact]:
    key = VENUE.slow_frame_key(frame)
    assert key is not None
    assert VENUE.frame_key(frame) in (None, key.encode())
    return VENUE.parse(topic(key), frame)


def of_kind(found: list[Fact], kind: type[Fact]) -> Fact:
    (one,) = [fact for fact in found if isinstance(fact, kind)]
    return one


# -- single messages
def test_nautilus_messages(shared_data: Path) -> None:
    frames = {name: frame for name, frame in nautilus(shared_data).items() if name.startswith("ws_futures")}
    assert len(frames) == 6
    for name in ("book_delta", "book_snapshot", "book_snapshot_with_zero_qty"):
        assert VENUE.frame_key(frames[f"ws_futures_{name}.json"]) == b"book:PI_XBTUSD"
    for name in ("trade", "trade_snapshot"):
        assert VENUE.frame_key(frames[f"ws_futures_{name}.json"]) == b"trade:PI_XBTUSD"
    assert VENUE.frame_key(frames["ws_futures_ticker.json"]) == b"ticker:PI_XBTUSD"

    delta = read_book(BOOK, frames["ws_futures_book_delta.json"], "PI_XBTUSD")
    assert (delta.kind, delta.bids, delta.asks) == (layout.KIND_DELTA, [], [(Decimal(34981), Decimal(0))])
    assert (delta.header[layout.LAST_ID], delta.header[layout.EVENT_TIME]) == (326094134, 1612269953629 * MS)
    whole = read_book(SNAPSHOT, frames["ws_futures_book_snapshot.json"], "PI_XBTUSD")
    assert whole.kind == layout.KIND_SNAPSHOT
    assert whole.header[layout.LAST_ID] == 326072249
    assert whole.bids == [(Decimal("34892.5"), Decimal(6385)), (Decimal(34892), Decimal(10924))]
    assert whole.asks == [(Decimal("34911.5"), Decimal(20598)), (Decimal(34912), Decimal(2300))]
    lane = Lane(VENUE, "book:PI_XBTUSD", "0.5", "1")
    assert lane.take(frames["ws_futures_book_snapshot_with_zero_qty.json"]) is Outcome.REPLACED
    assert lane.levels() == ([(69785, 6385), (69783, 100)], [(69824, 2300)]), "rows of no quantity are no levels"

    (sold,) = read_trades(TRADES, frames["ws_futures_trade.json"], "PI_XBTUSD")
    assert (sold.side, sold.size, sold.price, sold.kept) == (layout.SELL, Decimal(15000), Decimal("34969.5"), True)
    assert (sold.identifier, sold.time) == (653355, 1612266317519 * MS)
    assert read_trades(TRADES, frames["ws_futures_trade_snapshot.json"], "PI_XBTUSD") == [], "history is no flow"

    at = 1676393235406 * MS
    assert facts_of(frames["ws_futures_ticker.json"]) == [
        MarkPrice("PI_XBTUSD", Decimal("21979.68641534714"), at),
        IndexPrice("PI_XBTUSD", Decimal("21984.54"), at),
        Funding("PI_XBTUSD", Decimal("-0.000001380384722222"), 1676394000000 * MS, 3600, at),
        OpenInterest("PI_XBTUSD", Decimal("30072580.0"), None, at),
        InstrumentChanged("PI_XBTUSD", True, "trading", at),
    ]


def test_tardis_messages(shared_data: Path) -> None:
    frames = tardis(shared_data, "map cryptofacilities messages")
    kinds = Counter[str]()
    for frame in frames:
        key = VENUE.slow_frame_key(frame)
        assert key is not None
        cheap = VENUE.frame_key(frame)
        assert cheap in (None, key.encode())
        kinds[key.partition(":")[0]] += 1
        symbol = key.partition(":")[2]
        if key.startswith("book"):
            read_book(SNAPSHOT if b"book_snapshot" in frame else BOOK, frame, symbol)
        elif key.startswith("trade"):
            assert len(read_trades(TRADES, frame, symbol)) == 1
        else:
            assert len(VENUE.parse(topic(key), frame)) >= 4
    assert kinds == {"ticker": 7, "book": 4, "trade": 4}

    old, *_ = (frame for frame in frames if b"FI_LTCUSD_190426" in frame)
    book = read_book(BOOK, old, "FI_LTCUSD_190426")
    assert layout.EVENT_TIME not in book.header, "frames of 2019 told no time"
    bid = next(frame for frame in frames if b'"seq":361432' in frame)
    assert read_book(BOOK, bid, "PI_LTCUSD").bids == [(Decimal("64.24"), Decimal(0))]


def test_tardis_liquidations_closed_the_position_of_the_other_side(shared_data: Path) -> None:
    forced = [frame for frame in tardis(shared_data, "map cryptofacilities messages") if b'"liquidation"' in frame]
    assert [facts_of(frame) for frame in forced] == [
        [Liquidation("PI_XRPUSD", "long", Decimal(12000), Decimal("0.1736"), "fill", 1593561965283 * MS, "complete")],
        [Liquidation("PI_ETHUSD", "short", Decimal(250), Decimal("231.6"), "fill", 1593620853613 * MS, "complete")],
    ]
    for frame, symbol in zip(forced, ("PI_XRPUSD", "PI_ETHUSD"), strict=True):
        (print_,) = read_trades(TRADES, frame, symbol)
        assert print_.kept, "it took from the book: it is flow"
        assert any(mark in frame for mark in topic(f"trade:{symbol}").facts_when)


def test_tardis_tickers(shared_data: Path) -> None:
    frames = [frame for frame in tardis(shared_data, "map cryptofacilities messages") if b'"ticker"' in frame]
    dated = facts_of(next(frame for frame in frames if b"FI_ETHUSD_190426" in frame))
    assert not any(isinstance(fact, Funding) for fact in dated), "a dated product has no funding"
    assert of_kind(dated, OpenInterest) == OpenInterest("FI_ETHUSD_190426", Decimal(393129), None, 1554076798897 * MS)
    fresh = facts_of(next(frame for frame in frames if b"PF_SUIUSD" in frame))
    assert of_kind(fresh, Funding) == Funding("PF_SUIUSD", Decimal(0), None, 3600, 1683116402169 * MS)
    assert of_kind(fresh, InstrumentChanged) == InstrumentChanged("PF_SUIUSD", False, "post only", 1683116402169 * MS)
    coins_cash = facts_of(next(frame for frame in frames if b"PI_BCHUSD" in frame))
    assert of_kind(coins_cash, Funding) == Funding(
        "PI_BCHUSD", Decimal("-0.000015670191666667"), 1680307200000 * MS, 3600, 1680307198986 * MS
    )


def test_a_price_of_zero_is_none() -> None:
    frame = (
        b'{"time":1683116402169,"product_id":"PF_SUIUSD","feed":"ticker","index":0,"markPrice":0.0,"suspended":true}'
    )
    assert facts_of(frame) == [InstrumentChanged("PF_SUIUSD", False, "suspended", 1683116402169 * MS)]


def test_nautilus_replies(shared_data: Path) -> None:
    replies = {name: body for name, body in nautilus(shared_data).items() if name.startswith("http_futures")}
    assert len(replies) == 8
    for name, body in replies.items():
        if "candles" not in name:
            VENUE.check_reply(LISTING, 200, {}, body)
    inverse, ether, pepe, share = VENUE.parse_instruments(LISTING, replies["http_futures_instruments.json"])[0]
    assert inverse == Instrument(
        "kraken_futures", "PI_XBTUSD", "BTC", "USD", "BTC", "inverse", Decimal("0.5"), Decimal(1), Decimal(1),
        status="trading", funding_interval_seconds=3600,
    )  # fmt: skip
    assert ether == Instrument(
        "kraken_futures", "PF_ETHUSD", "ETH", "USD", "USD", "linear", Decimal("0.1"), Decimal("0.001"), Decimal(1),
        status="trading", funding_interval_seconds=3600,
    )  # fmt: skip
    assert (pepe.asset, pepe.tick_size, pepe.lot_size, pepe.unit_multiplier) == (
        "PEPE",
        Decimal("1E-10"),
        Decimal(1000),
        1,
    )
    assert (pepe.scale.price.decimals, pepe.scale.size.multiple) == (10, 1000)
    assert (share.symbol, share.asset) == ("PF_AAPLxUSD", "AAPLx")
    (alone,), _ = VENUE.parse_instruments(LISTING, replies["http_futures_instrument_no_fee_schedule.json"])
    assert alone == ether
    for name in sorted(
        set(replies) - {"http_futures_instruments.json", "http_futures_instrument_no_fee_schedule.json"}
    ):
        with pytest.raises(FrameError, match="instruments is missing"):  # endpoints we do not ask
            VENUE.parse_instruments(LISTING, replies[name])


def test_margin_tiers_of_the_listing(shared_data: Path) -> None:
    found = VENUE.parse_poll(TIERS, nautilus(shared_data)["http_futures_instruments.json"])
    assert [fact.symbol for fact in found if isinstance(fact, MarginTiers)] == [
        "PI_XBTUSD", "PF_ETHUSD", "PF_PEPEUSD", "PF_AAPLxUSD",
    ]  # fmt: skip
    assert found[0] == MarginTiers(
        "PI_XBTUSD",
        (
            MarginTier(Decimal(0), Decimal(500000), Decimal("0.01"), Decimal(50)),
            MarginTier(Decimal(500000), None, Decimal("0.02"), Decimal(25)),
        ),
        "contracts",
        whole=True,
        venue_time=0,
    )
    assert isinstance(found[1], MarginTiers)
    assert (found[1].unit, found[1].tiers[0].cap) == ("quote", Decimal(2_000_000))


# -- units
def test_a_quantity_is_coins_or_dollars() -> None:
    def instrument(symbol: str, kind: str, precision: int) -> Instrument:
        row = {
            "symbol": symbol, "type": kind, "tickSize": 0.5, "contractSize": 1, "tradeable": True, "base": "XBT",
            "quote": "USD", "contractValueTradePrecision": precision,
        }  # fmt: skip
        (found,), _ = VENUE.parse_instruments(LISTING, orjson.dumps({"result": "success", "instruments": [row]}))
        return found

    linear, inverse = instrument("PF_XBTUSD", "flexible_futures", 4), instrument("PI_XBTUSD", "futures_inverse", 0)
    assert linear.asset == inverse.asset == "BTC"
    quantity, price = Decimal("0.0113"), Decimal(90771)
    assert notional_usd(linear, quantity, price, 1.0) == pytest.approx(1025.71, abs=0.01)
    assert coins(linear, quantity, price) == pytest.approx(0.0113)
    assert notional_usd(inverse, Decimal(15000), Decimal("34969.5"), 1.0) == 15000
    assert coins(inverse, Decimal(15000), Decimal("34969.5")) == pytest.approx(15000 / 34969.5)
    dated = instrument("FI_XBTUSD_261225", "futures_inverse", 0)
    assert dated.funding_interval_seconds is None
    assert instrument("pf_xbtusd", "flexible_futures", 4) == linear, "some replies are in lower case"


def test_what_is_no_future_of_ours_is_left_out() -> None:
    row = {
        "symbol": "PF_XBTUSD", "type": "flexible_futures", "tickSize": 1, "contractSize": 1, "tradeable": False, "base": "BTC",
        "quote": "USD", "contractValueTradePrecision": 4,
    }  # fmt: skip
    rows = [
        row,
        {**row, "type": "options"},
        {**row, "type": "unheard of"},
        {**row, "tradeable": None},
        {"symbol": "IN_XBTUSD"},
    ]
    found, _ = VENUE.parse_instruments(LISTING, orjson.dumps({"result": "success", "instruments": rows}))
    assert [(each.symbol, each.trading, each.status) for each in found] == [("PF_XBTUSD", False, "suspended")]


# -- prints
def forced(kind: str, side: str = "sell", feed: str = "trade") -> bytes:
    return (
        f'{{"feed":"{feed}","product_id":"PF_XBTUSD","uid":"a","side":"{side}","type":"{kind}","seq":42,"time":1612269657781,'
        f'"qty":0.5,"price":35000}}'
    ).encode()


@pytest.mark.parametrize(
    ("kind", "means", "flow"),
    [
        ("fill", None, True),
        ("block", None, False),
        ("liquidation", "liquidation", True),
        ("termination", "takeover", False),
        ("assignment", "takeover", False),
    ],
)
def test_kinds_of_prints(kind: str, means: str | None, flow: bool) -> None:
    frame = forced(kind)
    (trade,) = read_trades(TRADES, frame, "PF_XBTUSD")
    assert trade.kept is flow
    marked = any(mark in frame for mark in topic("trade:PF_XBTUSD").facts_when)
    assert marked is (means is not None)
    found = facts_of(frame)
    assert [fact.kind for fact in found if isinstance(fact, Liquidation)] == ([] if means is None else [means])


def test_history_holds_no_liquidations() -> None:
    frame = b'{"feed":"trade_snapshot","product_id":"PF_XBTUSD","trades":[%s]}' % forced("liquidation")
    assert VENUE.frame_key(frame) == b"trade:PF_XBTUSD"
    assert facts_of(frame) == []
    assert read_trades(TRADES, frame, "PF_XBTUSD") == []


# -- the book
def test_a_number_left_out_is_a_gap_in_the_same_frame() -> None:
    frames = book_frames("PF_XBTUSD", 40)
    lane = Lane(VENUE, "book:PF_XBTUSD", "1", "0.0001")
    assert lane.take(frames[0]) is Outcome.REPLACED
    for frame in frames[1:]:
        assert lane.take(frame) is Outcome.APPLIED
        assert lane.take(frame) is Outcome.IGNORED, "a number twice"
    truth = lane.levels()
    for lost in range(1, 39):
        again = Lane(VENUE, "book:PF_XBTUSD", "1", "0.0001")
        for frame in frames[:lost]:
            again.take(frame)
        assert again.take(frames[lost + 1]) is Outcome.GAP
        assert not again.book.readable
        for frame in (frames[0], *frames[1:]):
            again.take(frame)
        assert again.levels() == truth
    assert lane.plain == 0, "both forms of frame are scanned"


def test_the_book_is_known_completely() -> None:
    lane = Lane(VENUE, "book:PI_XBTUSD", "0.5", "1")
    lane.take(
        b'{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":1,"seq":7,"tickSize":null,"bids":[{"price":100.5,"qty":3}],'
        b'"asks":[{"price":101,"qty":4}]}'
    )
    assert lane.levels() == ([(201, 3)], [(202, 4)])
    assert lane.book.readable
    assert lane.book.reach("bid") == 1.0, "there is nothing below the last bid"


# -- what we say and hear
def test_a_subscription_is_about_one_feed_and_many_products() -> None:
    names = ("PF_ETHUSD", "PF_XBTUSD")
    markets = [
        Instrument("kraken_futures", name, "X", "USD", "USD", "linear", Decimal(1), Decimal(1)) for name in names
    ]
    books, trades, tickers = VENUE.connections(markets)
    assert orjson.loads(VENUE.subscribe(books.topics, 7)) == {
        "event": "subscribe",
        "feed": "book",
        "product_ids": [*names],
    }
    assert orjson.loads(VENUE.unsubscribe(trades.topics, 8)) == {
        "event": "unsubscribe", "feed": "trade", "product_ids": [*names],
    }  # fmt: skip
    assert orjson.loads(VENUE.subscribe(tickers.topics, 9))["feed"] == "ticker"
    with pytest.raises(ValueError, match="several feeds"):
        VENUE.subscribe([*books.topics, *tickers.topics], 1)


def test_answers() -> None:
    assert VENUE.control(b'{"event":"info","version":1}') == []
    assert VENUE.control(b'{"feed":"heartbeat","time":1785076800123}') == []
    assert VENUE.control(b'{"event":"subscribed","feed":"book","product_ids":["PF_XBTUSD","PF_ETHUSD"]}') == [
        Acked(keys=("book:PF_XBTUSD", "book:PF_ETHUSD"))
    ]
    assert VENUE.control(b'{"event":"unsubscribed","feed":"book","product_ids":["PF_XBTUSD"]}') == [
        Acked(keys=("book:PF_XBTUSD",), unsubscribed=True)
    ]
    assert VENUE.control(b'{"event":"subscribed_failed","feed":"book","product_ids":["PF_X"]}') == [
        Refused("subscribed_failed", None, ("book:PF_X",))
    ]
    (refused,) = VENUE.control(b'{"event":"alert","message":"Couldn\'t subscribe to invalid product `NOT_REAL`"}')
    assert isinstance(refused, Refused)
    assert {"book:NOT_REAL", "trade:NOT_REAL", "ticker:NOT_REAL"} <= set(refused.keys), "its feed is not told"
    assert VENUE.control(b'{"event":"error","message":"Invalid feed"}') == [ErrorSaid("Invalid feed")]


def test_the_feed_of_a_ticker_stands_behind_its_figures() -> None:
    lite = b'{"time":1785076800123,"product_id":"PF_XBTUSD","bid":1.0,"feed":"ticker_lite"}'
    assert VENUE.frame_key(lite) is None
    assert VENUE.slow_frame_key(lite) == "ticker_lite:PF_XBTUSD"
    assert topic("ticker_lite:PF_XBTUSD").channel is Channel.OTHER
    assert VENUE.parse(topic("ticker_lite:PF_XBTUSD"), lite) == []


# -- polls
def test_products_under_stress_are_named_until_the_polls_stop_saying_so() -> None:
    calm = {
        "tradeable": "PI_XBTUSD", "experiencingDislocation": False, "priceDislocationDirection": None,
        "experiencingExtremeVolatility": False, "extremeVolatilityInitialMarginMultiplier": 1,
    }  # fmt: skip
    wild = {
        "tradeable": "pf_xbtusd", "experiencingDislocation": True, "priceDislocationDirection": "BELOW_LOWER_BOUND",
        "experiencingExtremeVolatility": True, "extremeVolatilityInitialMarginMultiplier": 3,
    }  # fmt: skip
    body = {"result": "success", "instrumentStatus": [calm, wild], "serverTime": "2026-11-22T00:34:37.524Z"}
    found = VENUE.parse_poll(STATUS, orjson.dumps(body))
    at = 1795307677_524_000_000
    assert found == [
        VenueNotice(
            "PF_XBTUSD price is dislocated: below lower bound", True, at, at + 60_000 * MS, at, "dislocation PF_XBTUSD", "PF_XBTUSD"
        ),
        VenueNotice(
            "PF_XBTUSD is in extreme volatility: initial margin x 3", True, at, at + 60_000 * MS, at, "volatility PF_XBTUSD",
            "PF_XBTUSD",
        ),
    ]  # fmt: skip
    with pytest.raises(FrameError, match="serverTime"):
        VENUE.parse_poll(STATUS, b'{"result":"success","instrumentStatus":[]}')


def test_errors() -> None:
    with pytest.raises(RetryLater, match="apiLimitExceeded"):
        VENUE.check_reply(LISTING, 200, {}, b'{"result":"error","error":"apiLimitExceeded"}')
    with pytest.raises(VenueError, match="notFound"):
        VENUE.check_reply(LISTING, 404, {}, b'{"result":"error","error":"notFound"}')
    VENUE.check_reply(
        LISTING, 200, {}, b'{"serverTime":"2026-11-22T00:34:37.524Z","instruments":[],"result":"success"}'
    )

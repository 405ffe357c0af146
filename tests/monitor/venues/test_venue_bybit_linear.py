"""Bybit linear by its page: batches, refusals that take a batch down, tickers as deltas, listing by pages, error codes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import orjson
import pytest
from hot_frames import read_book, read_trades
from venue_forms import poll_of, sample_instruments

from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    Instrument,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    Unread,
    VenueNotice,
)
from monitor.venues.base import Acked, ErrorSaid, Pong, Refused, RestRequest, Topic
from monitor.venues.bybit_linear import BybitLinear

VENUE = BybitLinear()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


# -- sockets
def test_topics_of_a_market() -> None:
    books, cold = VENUE.connections(sample_instruments(VENUE, 1))
    assert books.url == cold.url == "wss://stream.bybit.com/v5/public/linear"
    assert [topic.key for topic in books.topics] == ["orderbook.1000.BTCUSDT"]
    assert [topic.key for topic in cold.topics] == [
        "publicTrade.BTCUSDT", "tickers.BTCUSDT", "allLiquidation.BTCUSDT"
    ]  # fmt: skip


def test_the_characters_of_all_topics_of_a_connection_stay_within_the_venues_limit() -> None:
    instruments = [
        replace(instrument, symbol=f"A{number:028d}")
        for number, instrument in enumerate(sample_instruments(VENUE, 300))
    ]
    for plan in VENUE.connections(instruments):
        args = orjson.dumps([topic.key for topic in plan.topics])
        assert len(args) <= 21_000


def test_subscribe_and_unsubscribe_as_documented() -> None:
    topics = [known("orderbook.1000.BTCUSDT"), known("publicTrade.BTCUSDT")]
    assert orjson.loads(VENUE.subscribe(topics, 12)) == {
        "req_id": "12",
        "op": "subscribe",
        "args": ["orderbook.1000.BTCUSDT", "publicTrade.BTCUSDT"],
    }
    assert orjson.loads(VENUE.unsubscribe(topics, 13))["op"] == "unsubscribe"
    assert VENUE.limits.ping.text is not None
    assert orjson.loads(VENUE.limits.ping.text)["op"] == "ping"


@pytest.mark.parametrize(
    ("key", "channel"),
    [
        ("orderbook.50.BTCUSDT", Channel.BOOK),
        ("orderbook.200.BTCUSDT", Channel.BOOK),
        ("orderbook.500.XRPUSDT", Channel.BOOK),
        ("orderbook.1000.BTC-27MAR26", Channel.BOOK),
        ("publicTrade.BTCPERP", Channel.TRADES),
        ("tickers.BTCUSDT", Channel.TICKER),
        ("allLiquidation.BTCUSDT", Channel.LIQUIDATIONS),
        ("orderbook.1.BTCUSDT", Channel.OTHER),
        ("orderbook.rpi.BTCUSDT", Channel.OTHER),
        ("orderbook.full.BTCUSDT", Channel.OTHER),  # not served for contracts yet
        ("kline.5.BTCUSDT", Channel.OTHER),
    ],
)
def test_keys(key: str, channel: Channel) -> None:
    topic = known(key)
    assert topic.channel is channel
    assert topic.symbols == (key.rpartition(".")[2],)
    depth = key.split(".")[1]
    assert topic.window == (int(depth) if channel is Channel.BOOK else None)
    assert VENUE.frame_key(orjson.dumps({"topic": key, "type": "delta"})) == key.encode()
    late = orjson.dumps({"type": "delta", "data": {}, "topic": key})
    assert VENUE.frame_key(late) is None
    assert VENUE.slow_frame_key(late) == key


@pytest.mark.parametrize("key", ["liquidation.BTCUSDT", "trade.BTCUSDT", "orderbook.25.BTCUSDT", "tickers.", "BTCUSDT"])
def test_retired_and_unknown_keys(key: str) -> None:
    assert VENUE.topic(key) is None


# -- grammars
def book_frame(kind: str, update: int) -> bytes:
    return (
        b'{"topic":"orderbook.50.BTCUSDT","type":"%s","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],'
        b'"a":[["16611.00","0"]],"u":%d,"seq":7961638724},"cts":1672304484976}' % (kind.encode(), update)
    )


def test_book_frames_of_the_page() -> None:
    grammar = known("orderbook.50.BTCUSDT").book
    assert grammar is not None
    snapshot = read_book(grammar, book_frame("snapshot", 18521288), "BTCUSDT")
    assert snapshot.kind == layout.KIND_SNAPSHOT
    assert snapshot.header == {
        layout.LAST_ID: 18521288,
        layout.CROSS_ID: 7961638724,
        layout.EVENT_TIME: 1672304484978 * NS,
        layout.ENGINE_TIME: 1672304484976 * NS,
    }
    assert snapshot.asks == [(Decimal(16611), Decimal(0))]
    assert read_book(grammar, book_frame("delta", 1), "BTCUSDT").kind == layout.KIND_DELTA
    assert VENUE.book.sequence.restart_id == 1
    with pytest.raises(WireError):
        read_book(grammar, book_frame("update", 5), "BTCUSDT")
    with pytest.raises(WireError):
        read_book(grammar, book_frame("delta", 5), "ETHUSDT")


def test_trades_of_the_page_without_block_trades() -> None:
    grammar = known("publicTrade.BTCUSDT").trades
    assert grammar is not None
    row = orjson.loads(
        b'{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
        b'"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"RPI":false,"seq":1783284617}'
    )
    rows = [row, row | {"S": "Sell", "BT": True}, {key: row[key] for key in row if key != "BT"}]
    frame = orjson.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1672304486868, "data": rows})
    trades = read_trades(grammar, frame, "BTCUSDT")
    assert [(trade.side, trade.kept) for trade in trades] == [
        (layout.BUY, True),
        (layout.SELL, False),
        (layout.BUY, True),
    ]
    with pytest.raises(WireError):
        read_trades(grammar, frame, "ETHUSDT")


# -- control
FAILED = '"success":false,"conn_id":"c","op":"subscribe"'


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ('{"success":true,"ret_msg":"","conn_id":"c","req_id":"7","op":"subscribe"}', [Acked(7)]),
        ('{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"7","op":"subscribe"}', [Acked(7)]),
        (
            '{"success":true,"ret_msg":"","conn_id":"c","req_id":"8","op":"unsubscribe"}',
            [Acked(8, unsubscribed=True)],
        ),
        ('{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}', [Pong()]),
        ('{"op":"pong","args":["1672916271846"]}', [Pong()]),
        (
            f'{{"req_id":"7","ret_msg":"error:handler not found,topic:orderbook.500.BTCUSDT",{FAILED}}}',
            [
                Refused(
                    "error:handler not found,topic:orderbook.500.BTCUSDT",
                    7,
                    ("orderbook.500.BTCUSDT",),
                    whole_batch=True,
                )
            ],
        ),
        (
            f'{{"req_id":"7","ret_msg":"error:already subscribed,topic:tickers.BTCUSDT",{FAILED}}}',
            [
                Acked(keys=("tickers.BTCUSDT",)),
                Refused("error:already subscribed,topic:tickers.BTCUSDT", 7, whole_batch=True),
            ],
        ),
        (f'{{"req_id":"7","ret_msg":"args size >10",{FAILED}}}', [Refused("args size >10", 7)]),
        (f'{{"req_id":"","ret_msg":"error:invalid op",{FAILED}}}', [ErrorSaid("error:invalid op")]),
        (
            # nautilus' fixture: no req_id
            f'{{"ret_msg":"Invalid topic: invalid.topic.BTCUSDT",{FAILED}}}',
            [Refused("Invalid topic: invalid.topic.BTCUSDT", None, ("invalid.topic.BTCUSDT",), whole_batch=True)],
        ),
    ],
)
def test_control_frames(frame: str, said: object) -> None:
    assert VENUE.frame_key(frame.encode()) is None
    assert VENUE.slow_frame_key(frame.encode()) is None
    assert VENUE.control(frame.encode()) == said


# -- facts
def ticker(kind: str, **data: object) -> bytes:
    return orjson.dumps(
        {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT"} | data, "cs": 1, "ts": 1790134712383}
    )


def test_a_ticker_delta_says_only_what_changed_and_open_interest_is_one_sided() -> None:
    at = 1790134712383 * NS
    topic = known("tickers.BTCUSDT")
    full = ticker(
        "snapshot", markPrice="86716.30", indexPrice="86756.70", openInterest="60500.1", openInterestValue="5250990127.10",
        singleOpenInterest="30250.05", singleOpenInterestValue="2625495106.91", fundingRate="-0.0001",
        nextFundingTime="1790150400000", fundingIntervalHour="8", bid1Price="86716.2",
    )  # fmt: skip
    assert VENUE.parse(topic, full) == [
        MarkPrice("BTCUSDT", Decimal("86716.30"), at),
        IndexPrice("BTCUSDT", Decimal("86756.70"), at),
        Funding("BTCUSDT", Decimal("-0.0001"), 1790150400000 * NS, 8 * 3600, at),
        OpenInterest("BTCUSDT", Decimal("30250.05"), None, at),
    ]
    assert VENUE.parse(topic, ticker("delta", bid1Price="1", openInterest="60500.1")) == []
    assert VENUE.parse(topic, ticker("delta", fundingRate="0.0002")) == [
        Funding("BTCUSDT", Decimal("0.0002"), None, None, at)
    ]
    # A value follows from quantity and price: no fact of its own. "" and "0" say that there is none.
    assert VENUE.parse(topic, ticker("delta", singleOpenInterestValue="5", fundingRate="", markPrice="")) == []
    assert VENUE.parse(topic, ticker("delta", fundingRate="0", nextFundingTime="0")) == [
        Funding("BTCUSDT", Decimal(0), None, None, at)
    ]


@pytest.mark.parametrize("wrong", [{"markPrice": "0"}, {"markPrice": 5.5}, {"fundingRate": "x"}, {"symbol": "ETHUSDT"}])
def test_a_wrong_ticker_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FrameError, match=r"^bybit_linear ticker BTCUSDT: "):
        VENUE.parse(known("tickers.BTCUSDT"), ticker("delta", **wrong))


@pytest.mark.parametrize(("side", "position"), [("Buy", "long"), ("Sell", "short")])
def test_the_side_of_a_liquidation_is_the_positions(side: str, position: str) -> None:
    row = {"T": 1739502302929, "s": "ROSEUSDT", "S": side, "v": "20000", "p": "0.04499"}
    topic = known("allLiquidation.ROSEUSDT")
    frame = orjson.dumps({"topic": topic.key, "type": "snapshot", "ts": 1739502303204, "data": [row]})
    (fact,) = VENUE.parse(topic, frame)
    assert isinstance(fact, Liquidation)
    assert (fact.position, fact.price_kind, fact.coverage) == (position, "bankruptcy", "complete")
    for changes in ({"S": "buy"}, {"s": "BTCUSDT"}, {"v": "0"}, {"p": "0"}, {"T": -1}):
        with pytest.raises(FrameError):
            VENUE.parse(topic, orjson.dumps({"data": [row | changes]}))


# -- listing
def row(symbol: str, base: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": base, "quoteCoin": "USDT",
        "settleCoin": "USDT", "priceFilter": {"tickSize": "0.10"}, "fundingInterval": 480,
        "lotSizeFilter": {"qtyStep": "0.001", "minNotionalValue": "5"},
    } | changes  # fmt: skip


def page(*rows: object, cursor: str | None = "") -> bytes:
    result = {"category": "linear", "list": rows, "nextPageCursor": cursor}
    return orjson.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1})


def test_the_listing_is_read_page_by_page() -> None:
    (first,) = VENUE.instrument_requests(["BTCUSDT"])
    assert first.url.endswith("/v5/market/instruments-info?category=linear&limit=1000")
    found, second = VENUE.parse_instruments(
        first, page(row("BTCUSDT", "BTC"), row("1000PEPEUSDT", "1000PEPE", fundingInterval=240), cursor="a%b&c=d")
    )
    assert second is not None
    assert second.url == first.url + "&cursor=a%25b%26c%3Dd"
    more, third = VENUE.parse_instruments(
        second, page(row("SHIB1000USDT", "SHIB1000", status="PreLaunch"), cursor=None)
    )
    assert third is None
    assert [(i.symbol, i.asset, i.unit_multiplier, i.trading, i.funding_interval_seconds) for i in found + more] == [
        ("BTCUSDT", "BTC", 1, True, 28_800),
        ("1000PEPEUSDT", "PEPE", 1000, True, 14_400),
        ("SHIB1000USDT", "SHIB", 1000, False, 28_800),
    ]
    with pytest.raises(FrameError, match="repeats"):
        VENUE.parse_instruments(second, page(cursor="a%b&c=d"))
    (future,), _ = VENUE.parse_instruments(
        first, page(row("BTC-27MAR26", "BTC", contractType="LinearFutures", fundingInterval=0))
    )
    assert isinstance(future, Instrument)
    assert future.funding_interval_seconds is None
    assert (future.tick_size, future.lot_size) == (Decimal("0.10"), Decimal("0.001"))


# -- margin tiers and status
def test_margin_tiers_are_slices_of_value_in_usdt() -> None:
    poll = poll_of(VENUE, sample_instruments(VENUE, 1)[0], "margin_tiers")
    assert poll.request.url == "https://api.bybit.com/v5/market/risk-limit?category=linear&symbol=BTCUSDT"
    rows = [
        {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": "2000000", "maintenanceMargin": "0.005", "initialMargin": "0.01",
         "isLowestRisk": 1, "maxLeverage": "100.00", "mmDeduction": ""},
        {"id": 2, "symbol": "BTCUSDT", "riskLimitValue": "2600000", "maintenanceMargin": "0.0056", "initialMargin": "0.0111",
         "isLowestRisk": 0, "maxLeverage": "90.00", "mmDeduction": "1200"},
    ]  # fmt: skip
    body = orjson.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": 1672054488010})
    assert VENUE.parse_poll(poll.request, body) == [
        MarginTiers(
            "BTCUSDT",
            (
                MarginTier(Decimal(0), Decimal(2_000_000), Decimal("0.005"), Decimal(100)),
                MarginTier(Decimal(2_000_000), Decimal(2_600_000), Decimal("0.0056"), Decimal(90), Decimal(1200)),
            ),
            unit="quote",
            whole=False,
            venue_time=1672054488010 * NS,
        )
    ]


def test_a_notice_keeps_its_key_from_announcement_to_end_and_others_products_are_left_out() -> None:
    (poll,) = VENUE.venue_polls([])
    row = {
        "id": "4d95", "title": "Upgrade", "state": "scheduled", "begin": "1751596902000", "end": "", "serviceTypes": [5],
        "product": [1, 2], "maintainType": 1, "env": 1,
    }  # fmt: skip
    rows = [row, row | {"state": "completed", "end": "1751597011000"}, row | {"product": [2]}]
    body = orjson.dumps({"retCode": 0, "retMsg": "", "result": {"list": rows}, "time": 1751858399649})
    announced, over = VENUE.parse_poll(poll.request, body)
    assert isinstance(announced, VenueNotice)
    assert isinstance(over, VenueNotice)
    assert announced.key == over.key == "4d95"
    assert (announced.disruptive, over.disruptive) == (True, False)
    assert (announced.ends, over.ends) == (None, 1751597011000 * NS)


def test_an_incident_without_an_end_or_a_title_is_a_notice_and_an_odd_row_costs_no_other() -> None:
    (poll,) = VENUE.venue_polls([])
    row = {
        "id": "4d95", "title": "", "state": "ongoing", "begin": "1751596902000", "end": "0", "serviceTypes": [5],
        "product": [1, 2], "maintainType": 3, "env": 1,
    }  # fmt: skip
    body = orjson.dumps({"retCode": 0, "result": {"list": [row, row | {"state": None}]}, "time": 1751858399649})
    notice, unread = VENUE.parse_poll(poll.request, body)
    assert isinstance(notice, VenueNotice)
    assert (notice.text, notice.disruptive, notice.ends) == ("maintenance without a title (ongoing)", True, None)
    assert isinstance(unread, Unread)


def test_an_odd_liquidation_costs_the_others_nothing() -> None:
    row = {"T": 1739502302929, "s": "ROSEUSDT", "S": "Buy", "v": "20000", "p": "0.04499"}
    topic = known("allLiquidation.ROSEUSDT")
    frame = orjson.dumps({"topic": topic.key, "type": "snapshot", "ts": 1739502303204, "data": [row | {"v": "0"}, row]})
    kept, unread = VENUE.parse(topic, frame)
    assert isinstance(kept, Liquidation)
    assert isinstance(unread, Unread)


# -- replies
REQUEST = RestRequest("instruments", "https://api.bybit.com/v5/market/instruments-info", 1, "BTCUSDX")


def test_error_codes() -> None:
    VENUE.check_reply(REQUEST, 200, {}, page())
    VENUE.check_reply(REQUEST, 200, {}, b'{"retMsg":"OK","retCode":0,"result":{}}')
    with pytest.raises(VenueError, match=r"BTCUSDX.*10001 params error") as caught:
        VENUE.check_reply(REQUEST, 200, {}, b'{"retCode":10001,"retMsg":"params error: symbol invalid","result":{}}')
    assert type(caught.value) is VenueError
    for code in (10006, 10016, 10000):
        with pytest.raises(RetryLater) as later:
            VENUE.check_reply(REQUEST, 200, {}, orjson.dumps({"retCode": code, "retMsg": "Too many visits!"}))
        assert later.value.seconds == 5
    with pytest.raises(VenueStopped) as stopped:
        VENUE.check_reply(REQUEST, 403, {}, b"access too frequent")
    assert stopped.value.seconds == 600, "the venue asks for at least ten minutes"

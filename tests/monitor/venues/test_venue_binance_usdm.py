"""Binance USD-M by its page: routes, keys, control frames, listing, polls, error codes."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hot_frames import read_book, read_trades
from venue_forms import poll_of

from engines.wire import layout
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarkPrice,
    OpenInterest,
)
from monitor.venues.base import Acked, ErrorSaid, Refused, RestRequest, ShutdownAnnounced, Topic
from monitor.venues.binance_usdm import BinanceUsdm

VENUE = BinanceUsdm()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def wrapped(stream: str, data: object) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def symbol_row(symbol: str, base: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "pair": symbol, "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": base,
        "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "1"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "1"},
        ],
    } | changes  # fmt: skip


def listing(*rows: object, funding: list[object] | None = None) -> list[Instrument]:
    first = VENUE.instrument_requests(["BTCUSDT"])[0]
    assert first.url == "https://fapi.binance.com/fapi/v1/fundingInfo"
    nothing, second = VENUE.parse_instruments(first, orjson.dumps(funding or []))
    assert nothing == []
    assert second is not None
    assert second.url == "https://fapi.binance.com/fapi/v1/exchangeInfo"
    found, end = VENUE.parse_instruments(second, orjson.dumps({"timezone": "UTC", "symbols": rows}))
    assert end is None
    return found


# -- routes
def test_books_go_on_public_and_everything_else_on_market() -> None:
    instruments = listing(symbol_row("ETHUSDT", "ETH"), symbol_row("BTCUSDT", "BTC"))
    public, market = VENUE.connections(instruments)
    assert public.url == "wss://fstream.binance.com/public/stream"
    assert [topic.key for topic in public.topics] == ["btcusdt@depth@100ms", "ethusdt@depth@100ms"]
    assert market.url == "wss://fstream.binance.com/market/stream"
    assert [topic.key for topic in market.topics] == [
        "!contractInfo",
        "btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@forceOrder",
        "ethusdt@aggTrade", "ethusdt@markPrice@1s", "ethusdt@forceOrder",
    ]  # fmt: skip


def test_a_silent_wrong_route_is_noticed_on_each_socket() -> None:
    """A wrong route is acknowledged and silent: some topic of every socket must be due soon."""
    for plan in VENUE.connections(listing(symbol_row("BTCUSDT", "BTC"))):
        assert min(topic.silence_seconds or 1e9 for topic in plan.topics) <= 30


def test_subscribe_and_unsubscribe_as_documented() -> None:
    topics = [known("btcusdt@depth@100ms"), known("ethusdt@depth@100ms")]
    assert orjson.loads(VENUE.subscribe(topics, 1)) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@depth@100ms", "ethusdt@depth@100ms"],
        "id": 1,
    }
    assert orjson.loads(VENUE.unsubscribe(topics[:1], 2))["method"] == "UNSUBSCRIBE"


# -- keys
@pytest.mark.parametrize(
    ("key", "channel"),
    [
        ("btcusdt@depth", Channel.BOOK),
        ("btcusdt@depth@0ms", Channel.BOOK),
        ("btcusdt@depth@100ms", Channel.BOOK),
        ("btcusdt@depth@250ms", Channel.BOOK),
        ("btcusdt@depth@500ms", Channel.BOOK),
        ("btcusdt@trade", Channel.TRADES),
        ("btcusdt@aggTrade", Channel.TRADES),
        ("btcusdt@markPrice", Channel.TICKER),
        ("btcusdt@markPrice@1s", Channel.TICKER),
        ("btcusdt@forceOrder", Channel.LIQUIDATIONS),
        ("btcusdt@bookTicker", Channel.OTHER),
        ("btcusdt@kline_1m", Channel.OTHER),
        ("btcusdt@depth20@100ms", Channel.OTHER),  # a partial book is no change of the book
        ("btcusdt@rpiDepth@500ms", Channel.OTHER),
        ("!forceOrder@arr", Channel.LIQUIDATIONS),
        ("!contractInfo", Channel.STATUS),
        ("!markPrice@arr@1s", Channel.OTHER),
        ("raw:btcusdt@depth", Channel.BOOK),
        ("raw:btcusdt@forceOrder", Channel.LIQUIDATIONS),
        ("币安人生usdt@depth@100ms", Channel.BOOK),
    ],
)
def test_keys_found_live_and_in_captures(key: str, channel: Channel) -> None:
    topic = known(key)
    assert topic.channel is channel
    name = key.removeprefix("raw:").partition("@")[0]
    assert topic.symbols == (() if name.startswith("!") else (name.upper(),))
    frame = orjson.dumps({"stream": key, "data": {}})
    assert VENUE.frame_key(frame) == key.encode()


@pytest.mark.parametrize(
    "key", ["BTCUSDT@depth", "btcusdt@depth@1s", "btcusdt", "@depth", "!userData", "btcusdt@depthSnapshot"]
)
def test_unknown_keys(key: str) -> None:
    assert VENUE.topic(key) is None


def test_the_cheap_look_gives_up_where_it_could_be_wrong() -> None:
    assert VENUE.frame_key(b'{"stream":"btc\\u0075sdt@depth","data":{}}') is None
    assert VENUE.slow_frame_key(b'{"stream":"btc\\u0075sdt@depth","data":{}}') == "btcusdt@depth"
    assert VENUE.frame_key(b'{"data":{},"stream":"btcusdt@depth"}') is None
    assert VENUE.slow_frame_key(b'{"data":{},"stream":"btcusdt@depth"}') == "btcusdt@depth"
    assert VENUE.frame_key(b'{"stream":"' + b"x" * 500) is None
    assert VENUE.frame_key(b'{"result":null,"id":1}') is None


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"e": "depthUpdate", "s": "BTCUSDT"}, "raw:btcusdt@depth"),
        ({"e": "aggTrade", "s": "BTCUSDT"}, "raw:btcusdt@aggTrade"),
        ({"e": "trade", "s": "BTCUSDT"}, "raw:btcusdt@trade"),
        ({"e": "markPriceUpdate", "s": "BTCUSDT"}, "raw:btcusdt@markPrice"),
        ({"e": "forceOrder", "o": {"s": "BTCUSDT"}}, "raw:btcusdt@forceOrder"),
        ({"e": "kline", "s": "BTCUSDT", "k": {"i": "1m"}}, "raw:btcusdt@kline_1m"),
        ({"e": "bookTicker", "s": "BTCUSDT"}, "raw:btcusdt@bookTicker"),
        ({"e": "contractInfo", "s": "BTCUSDT"}, "raw:!contractInfo"),
        ({"e": "serverShutdown", "E": 1}, None),
        ({"e": "forceOrder", "o": 5}, None),
        ({"e": ["trade"], "s": "BTCUSDT"}, None),
    ],
)
def test_frames_without_the_envelope(event: object, key: str | None) -> None:
    frame = orjson.dumps(event)
    assert VENUE.frame_key(frame) is None
    assert VENUE.slow_frame_key(frame) == key
    if key is not None:
        known(key)


# -- grammars, on the page's examples
def test_the_documented_change_reads_alike_in_both_forms() -> None:
    data = orjson.loads(
        b'{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","ps":"BTCUSDT","st":1,"U":157,"u":160,"pu":149,'
        b'"b":[["0.0024","10"]],"a":[["0.0026","100"]]}'
    )
    enveloped, raw = known("btcusdt@depth@100ms"), known("raw:btcusdt@depth")
    assert enveloped.book is not None
    assert raw.book is not None
    book = read_book(enveloped.book, wrapped("btcusdt@depth@100ms", data), "BTCUSDT")
    assert book == read_book(raw.book, orjson.dumps(data), "BTCUSDT")
    assert book.kind == layout.KIND_DELTA
    assert book.header == {
        layout.FIRST_ID: 157,
        layout.LAST_ID: 160,
        layout.PREVIOUS_ID: 149,
        layout.EVENT_TIME: 123456789 * NS,
        layout.ENGINE_TIME: 123456788 * NS,
    }
    assert (book.bids, book.asks) == ([(Decimal("0.0024"), Decimal(10))], [(Decimal("0.0026"), Decimal(100))])


def test_the_documented_snapshot() -> None:
    body = (
        b'{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],'
        b'"asks":[["4.00000200","12.00000000"]]}'
    )
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    book = read_book(grammar, body, "BTCUSDT")
    assert book.kind == layout.KIND_SNAPSHOT
    assert book.header[layout.LAST_ID] == 1027024
    request = VENUE.snapshot_request(listing(symbol_row("BTCUSDT", "BTC"))[0])
    assert request == RestRequest(
        "snapshot", "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20, "BTCUSDT"
    )
    VENUE.check_reply(request, 200, {}, body)


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("MARKET", True),
        ("RPI", True),
        ("INSURANCE_FUND", False),
        ("ADL", False),
        ("NA", False),
        ("", False),
        (None, True),
    ],
)
def test_only_market_prints_of_the_raw_stream_are_flow(word: str | None, kept: bool) -> None:
    topic = known("btcusdt@trade")
    assert topic.trades is not None
    data = {"e": "trade", "E": 2, "T": 1, "s": "BTCUSDT", "t": 9, "p": "5", "q": "1", "m": False}
    frame = wrapped(topic.key, data if word is None else data | {"X": word})
    (trade,) = read_trades(topic.trades, frame, "BTCUSDT")
    assert (trade.kept, trade.side, trade.identifier) == (kept, layout.BUY, 9)


# -- control
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b'{"result":null,"id":1}', Acked(1)),
        (b'{"id":1000,"result":null}', Acked(1000)),
        (b'{"result":["btcusdt@depth"],"id":3}', Acked(3)),
        (b'{"code":2,"msg":"Invalid request: x","id":5}', Refused("2 Invalid request: x", 5)),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":6}', Refused("3 Invalid JSON", 6)),
        (b'{"code":0,"msg":"Unknown property"}', ErrorSaid("0 Unknown property")),
        (b'{"error":{"code":1,"msg":"no\\nlines"},"id":null}', ErrorSaid("1 no\\nlines")),
        (b'{"e":"serverShutdown","E":1770123456789}', ShutdownAnnounced("serverShutdown")),
        (
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
            ShutdownAnnounced("serverShutdown"),
        ),
    ],
)
def test_control_frames(frame: bytes, said: object) -> None:
    assert VENUE.frame_key(frame) is None
    assert VENUE.slow_frame_key(frame) is None
    assert VENUE.control(frame) == [said]


# -- facts
def test_mark_price_of_the_page() -> None:
    data = orjson.loads(
        b'{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",'
        b'"P":"11784.25641265","r":"0.00038167","ap":"11794.15000000","T":1562306400000,"st":1}'
    )
    at = 1562305380000 * NS
    facts = VENUE.parse(known("btcusdt@markPrice@1s"), wrapped("btcusdt@markPrice@1s", data))
    assert facts == [
        MarkPrice("BTCUSDT", Decimal("11794.15000000"), at),
        IndexPrice("BTCUSDT", Decimal("11784.62659091"), at),
        Funding("BTCUSDT", Decimal("0.00038167"), 1562306400000 * NS, None, at),
    ]
    delivery = wrapped("x", data | {"r": "", "T": 0})
    assert not any(isinstance(fact, Funding) for fact in VENUE.parse(known("btcusdt@markPrice"), delivery))
    with pytest.raises(FrameError, match=r"binance_usdm ticker ETHUSDT: s is not ETHUSDT: 'BTCUSDT'"):
        VENUE.parse(known("ethusdt@markPrice@1s"), wrapped("ethusdt@markPrice@1s", data))


def test_listing_changes_of_our_universe() -> None:
    data = {"e": "contractInfo", "E": 1669356423908, "s": "IOTAUSDT", "ct": "PERPETUAL", "cs": "PRE_SETTLE", "st": 1}
    at = 1669356423908 * NS
    topic = known("!contractInfo")
    assert VENUE.parse(topic, wrapped(topic.key, data)) == [InstrumentChanged("IOTAUSDT", False, "PRE_SETTLE", at)]
    back = wrapped(topic.key, data | {"cs": "TRADING"})
    assert VENUE.parse(topic, back) == [InstrumentChanged("IOTAUSDT", True, "TRADING", at)]
    assert VENUE.parse(topic, wrapped(topic.key, data | {"s": "BTCUSD_PERP", "st": 2})) == []


def test_open_interest_is_polled() -> None:
    (instrument,) = listing(symbol_row("BTCUSDT", "BTC"))
    poll = poll_of(VENUE, instrument, "open_interest")
    assert poll.request.url == "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT"
    assert (poll.request.weight, poll.request.key) == (1, "open_interest")
    body = b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}'
    VENUE.check_reply(poll.request, 200, {}, body)
    assert VENUE.parse_poll(poll.request, body) == [
        OpenInterest("BTCUSDT", Decimal("10659.509"), None, 1589437530011 * NS)
    ]
    with pytest.raises(FrameError, match="symbol"):
        VENUE.parse_poll(poll.request, body.replace(b"BTCUSDT", b"ETHUSDT"))


@pytest.mark.parametrize(
    "changes",
    [
        {"S": "sell"}, {"S": None}, {"z": "0"}, {"z": "-1"}, {"z": "1e31"}, {"z": 0.014}, {"ap": "NaN"}, {"ap": "0", "p": "0"},
        {"T": 0}, {"T": "x"}, {"T": 10**19}, {"s": "ETHUSDT"}, {"s": 5}, {"X": None},
    ],
)  # fmt: skip
def test_a_liquidation_that_does_not_add_up_is_refused(changes: dict[str, object]) -> None:
    order = {"s": "BTCUSDT", "S": "SELL", "p": "9910", "ap": "9910", "X": "FILLED", "z": "0.014", "T": 1568014460893}
    topic = known("btcusdt@forceOrder")

    def parse(order: object) -> list[object]:
        return list(VENUE.parse(topic, wrapped(topic.key, {"e": "forceOrder", "E": 1, "o": order})))

    assert isinstance(parse(order)[0], Liquidation)
    with pytest.raises(FrameError, match=r"^binance_usdm liquidations BTCUSDT: "):
        parse(order | changes)


# -- listing
def test_the_listing_with_units_status_and_funding_interval() -> None:
    found = listing(
        symbol_row("BTCUSDT", "BTC"),
        symbol_row("1000PEPEUSDT", "1000PEPE"),
        symbol_row("1MBABYDOGEUSDT", "1MBABYDOGE"),
        symbol_row("1INCHUSDT", "1INCH", status="SETTLING"),
        symbol_row("BTCUSDT_261225", "BTC", contractType="CURRENT_QUARTER"),
        symbol_row("TSLAUSDT", "TSLA", contractType="TRADIFI_PERPETUAL"),
        symbol_row("BTCUSDC", "BTC", quoteAsset="USDC", marginAsset="USDC"),
        funding=[
            {"symbol": "1000PEPEUSDT", "adjustedFundingRateCap": "0.025", "fundingIntervalHours": 4},
            {"symbol": "TSLAUSDT", "fundingIntervalHours": 0},
        ],
    )
    rows = [(i.symbol, i.asset, i.unit_multiplier, i.quote, i.trading, i.funding_interval_seconds) for i in found]
    assert rows == [
        ("BTCUSDT", "BTC", 1, "USDT", True, 28_800),
        ("1000PEPEUSDT", "PEPE", 1000, "USDT", True, 14_400),
        ("1MBABYDOGEUSDT", "BABYDOGE", 1_000_000, "USDT", True, 28_800),
        ("1INCHUSDT", "1INCH", 1, "USDT", False, 28_800),
        ("BTCUSDT_261225", "BTC", 1, "USDT", True, None),
        ("TSLAUSDT", "TSLA", 1, "USDT", True, None),  # said, but of no sense: unknown
        ("BTCUSDC", "BTC", 1, "USDC", True, 28_800),
    ]
    assert found[3].status == "SETTLING"
    btc = found[0]
    assert (btc.tick_size, btc.lot_size, btc.contract_size) == (Decimal("0.10"), Decimal("0.001"), Decimal(1))
    assert (btc.venue, btc.settle, btc.contract_type) == ("binance_usdm", "USDT", "linear")
    assert (btc.scale.price.decimals, btc.scale.price.multiple) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": []},
        {"filters": 7},
        {"baseAsset": ""},
        {"status": None},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "0"}]},
    ],
)
def test_one_unreadable_row_costs_no_other_market(changes: dict[str, object]) -> None:
    (btc,) = listing(symbol_row("ODDUSDT", "ODD", **changes), symbol_row("BTCUSDT", "BTC"))
    assert btc.symbol == "BTCUSDT"
    with pytest.raises(FrameError, match=r"^binance_usdm instruments ODD1USDT: "):
        listing(symbol_row("ODD1USDT", "ODD", **changes), symbol_row("ODD2USDT", "ODD", **changes))


def test_a_listing_that_is_none_is_refused() -> None:
    first = VENUE.instrument_requests([])[0]
    _, second = VENUE.parse_instruments(first, b"[]")
    assert second is not None
    for request, body in ((first, b"{}"), (first, b"[1]"), (second, b"[]"), (second, b'{"symbols":{}}')):
        with pytest.raises(FrameError):
            VENUE.parse_instruments(request, body)


# -- replies
def test_error_codes() -> None:
    request = VENUE.snapshot_request(listing(symbol_row("ODDUSDT", "ODD"))[0])
    assert request is not None
    with pytest.raises(VenueError, match=r"ODDUSDT.*-1121 Invalid symbol") as caught:
        VENUE.check_reply(request, 400, {}, b'{"code":-1121,"msg":"Invalid symbol."}')
    assert type(caught.value) is VenueError
    with pytest.raises(VenueError):
        VENUE.check_reply(request, 200, {}, b' {"code":-1121,"msg":"Invalid symbol."}')
    for code in (-1003, -1007):
        with pytest.raises(RetryLater) as later:
            VENUE.check_reply(request, 400, {}, orjson.dumps({"code": code, "msg": "later"}))
        assert later.value.seconds == 60
    with pytest.raises(VenueStopped, match="banned") as stopped:
        VENUE.check_reply(request, 418, {"retry-after": "120"}, b'{"code":-1003,"msg":"banned"}')
    assert stopped.value.seconds == 120

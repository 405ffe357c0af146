"""Binance spot by its page: streams, keys, control frames, listing, status polls, error codes."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hot_frames import read_book, read_trades

from engines.wire import layout
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import Channel, Instrument, InstrumentChanged, VenueNotice
from monitor.venues.base import Acked, ErrorSaid, Refused, RestRequest, ShutdownAnnounced, Topic
from monitor.venues.binance_spot import MAINTENANCE, BinanceSpot

VENUE = BinanceSpot()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def wrapped(stream: str, data: object) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def row(symbol: str, base: str, quote: str = "USDT", **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "stepSize": "0.00001000"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
    } | changes  # fmt: skip


def listing(*rows: object) -> list[Instrument]:
    (request,) = VENUE.instrument_requests(["BTCUSDT"])
    assert request.url == "https://api.binance.com/api/v3/exchangeInfo?showPermissionSets=false"
    assert request.weight == 20
    found, more = VENUE.parse_instruments(request, orjson.dumps({"timezone": "UTC", "symbols": rows}))
    assert more is None
    return found


# -- sockets
def test_book_and_trades_of_each_market_on_one_address_without_routes() -> None:
    (plan,) = VENUE.connections(listing(row("ETHUSDT", "ETH"), row("BTCUSDT", "BTC")))
    assert plan.url == "wss://stream.binance.com:9443/stream"
    assert [topic.key for topic in plan.topics] == [
        "btcusdt@depth@100ms", "btcusdt@aggTrade", "ethusdt@depth@100ms", "ethusdt@aggTrade",
    ]  # fmt: skip
    assert plan.encoding == "text"


def test_an_acknowledged_stream_that_stays_silent_is_noticed_within_a_minute() -> None:
    assert all(topic.silence_seconds == 60 for topic in [known("btcusdt@depth@100ms")])
    assert known("btcusdt@aggTrade").silence_seconds is None


def test_the_venue_allows_half_the_pace_of_futures() -> None:
    assert VENUE.limits.frames_per_second == 5
    assert (VENUE.limits.ping.text, VENUE.limits.ping.interval_seconds) == (None, 20)
    assert VENUE.limits.rest_weight == 6000
    assert VENUE.limits.lifetime_seconds == 86_400


@pytest.mark.parametrize(
    ("key", "channel"),
    [
        ("btcusdt@depth", Channel.BOOK),
        ("btcusdt@depth@100ms", Channel.BOOK),
        ("raw:ethbtc@depth", Channel.BOOK),
        ("btcusdt@trade", Channel.TRADES),
        ("btcusdt@aggTrade", Channel.TRADES),
        ("1000satsusdt@aggTrade", Channel.TRADES),
        ("btcusdt@bookTicker", Channel.OTHER),
        ("btcusdt@ticker_1h", Channel.OTHER),
        ("btcusdt@kline_1m", Channel.OTHER),
        ("btcusdt@depth20@100ms", Channel.OTHER),
        ("btcusdt@avgPrice", Channel.OTHER),
        ("btcusdt@blockTrade", Channel.OTHER),
        ("!ticker@arr", Channel.OTHER),
        ("!miniTicker@arr", Channel.OTHER),
    ],
)
def test_keys(key: str, channel: Channel) -> None:
    topic = known(key)
    assert topic.channel is channel
    name = key.removeprefix("raw:").partition("@")[0]
    assert topic.symbols == (() if name.startswith("!") else (name.upper(),))


@pytest.mark.parametrize(
    "key",
    [
        "BTCUSDT@depth", "btcusdt", "@depth", "btcusdt@depth@0ms", "btcusdt@depth@500ms",
        "btcusdt@forceOrder", "btcusdt@markPrice", "!forceOrder@arr", "!contractInfo",  # futures only
    ],
)  # fmt: skip
def test_unknown_keys(key: str) -> None:
    assert VENUE.topic(key) is None


# -- grammars
def test_the_documented_change_and_snapshot() -> None:
    data = orjson.loads(
        b'{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}'
    )
    topic, raw = known("bnbbtc@depth@100ms"), known("raw:bnbbtc@depth")
    assert topic.book is not None
    assert raw.book is not None
    book = read_book(topic.book, wrapped(topic.key, data), "BNBBTC")
    assert book == read_book(raw.book, orjson.dumps(data), "BNBBTC")
    assert book.kind == layout.KIND_DELTA
    assert book.header == {layout.FIRST_ID: 157, layout.LAST_ID: 160, layout.EVENT_TIME: 1672515782136 * NS}
    assert (book.bids, book.asks) == ([(Decimal("0.0024"), Decimal(10))], [(Decimal("0.0026"), Decimal(100))])
    body = b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}'
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    snapshot = read_book(grammar, body, "BNBBTC")
    assert (snapshot.kind, snapshot.header) == (layout.KIND_SNAPSHOT, {layout.LAST_ID: 1027024})
    request = VENUE.snapshot_request(listing(row("BTCUSDT", "BTC"))[0])
    assert request == RestRequest(
        "snapshot", "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000", 50, "BTCUSDT"
    )
    VENUE.check_reply(request, 200, {}, body)


@pytest.mark.parametrize(("maker", "side"), [(True, layout.SELL), (False, layout.BUY)])
def test_the_buyer_as_maker_means_that_the_taker_sold(maker: bool, side: int) -> None:
    topic = known("bnbbtc@aggTrade")
    assert topic.trades is not None
    data = {
        "e": "aggTrade",
        "E": 2,
        "s": "BNBBTC",
        "a": 12345,
        "p": "0.001",
        "q": "100",
        "f": 100,
        "l": 105,
        "T": 1672515782136,
    }
    (trade,) = read_trades(topic.trades, wrapped(topic.key, {**data, "m": maker, "M": True}), "BNBBTC")
    assert (trade.side, trade.size, trade.identifier, trade.time) == (side, Decimal(100), 12345, 1672515782136 * NS)


# -- control
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b'{"result":null,"id":1}', Acked(1)),
        (b'{"error":{"code":3,"msg":"Invalid JSON: x"},"id":6}', Refused("3 Invalid JSON: x", 6)),
        (b'{"code":2,"msg":"Invalid request: x","id":5}', Refused("2 Invalid request: x", 5)),
        (b'{"error":{"code":0,"msg":"Unknown property"},"id":null}', ErrorSaid("0 Unknown property")),
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


# -- listing
def test_the_listing_with_units_and_status() -> None:
    found = listing(
        row("BTCUSDT", "BTC"),
        row("1000SATSUSDT", "1000SATS"),
        row("1MBABYDOGEUSDT", "1MBABYDOGE"),
        row("1INCHUSDT", "1INCH", status="BREAK"),
        row("ETHBTC", "ETH", "BTC", status="CANCEL_ONLY"),
        row("USDTUSD", "USDT", "USD"),
        row("EURUSDC", "EUR", "USDC", status="HALT"),
    )
    assert [(i.symbol, i.asset, i.unit_multiplier, i.quote, i.settle, i.trading, i.status) for i in found] == [
        ("BTCUSDT", "BTC", 1, "USDT", "USDT", True, "TRADING"),
        ("1000SATSUSDT", "SATS", 1000, "USDT", "USDT", True, "TRADING"),
        ("1MBABYDOGEUSDT", "BABYDOGE", 1_000_000, "USDT", "USDT", True, "TRADING"),
        ("1INCHUSDT", "1INCH", 1, "USDT", "USDT", False, "BREAK"),
        ("ETHBTC", "ETH", 1, "BTC", "BTC", False, "CANCEL_ONLY"),
        ("USDTUSD", "USDT", 1, "USD", "USD", True, "TRADING"),
        ("EURUSDC", "EUR", 1, "USDC", "USDC", False, "HALT"),
    ]
    assert all((i.contract_type, i.contract_size, i.funding_interval_seconds) == ("spot", 1, None) for i in found)
    assert (found[0].tick_size, found[0].lot_size) == (Decimal("0.01"), Decimal("0.00001"))


def test_one_unreadable_row_costs_no_other_market() -> None:
    (btc,) = listing(row("ODDUSDT", "ODD", filters=[]), row("BTCUSDT", "BTC"))
    assert btc.symbol == "BTCUSDT"
    with pytest.raises(FrameError, match=r"^binance_spot instruments ODD1USDT: "):
        listing(row("ODD1USDT", "ODD", status=None), row("ODD2USDT", "ODD", status=None))


# -- polls
def test_a_spot_market_has_no_figures_of_its_own_to_poll_and_no_margin() -> None:
    (btc,) = listing(row("BTCUSDT", "BTC"))
    assert [poll.request.key for poll in VENUE.polls(btc)] == ["candles"]
    assert VENUE.documented_tiers(btc) is None
    assert VENUE.liquidation_coverage == "none"


def test_the_status_of_all_markets_is_asked_in_parts() -> None:
    instruments = listing(*(row(f"C{number}USDT", f"C{number}") for number in range(250)))
    system, *parts = VENUE.venue_polls(instruments)
    assert system.request.url == "https://api.binance.com/sapi/v1/system/status"
    assert [poll.request.key for poll in parts] == [f"status:{number}" for number in range(4)]
    asked = [orjson.loads(parse_qs(urlsplit(poll.request.url).query)["symbols"][0]) for poll in parts]
    assert [len(names) for names in asked] == [63, 63, 63, 61]
    assert sorted(name for names in asked for name in names) == sorted(i.symbol for i in instruments)
    assert all(poll.request.weight == 20 and poll.interval_seconds == 120 for poll in parts)
    assert [poll.request.key for poll in VENUE.venue_polls([])] == ["system"]


def test_a_name_that_is_gone_costs_few_others_their_status() -> None:
    """-1121 is the answer to all names of its request."""
    for count, most in ((1, 1), (4, 1), (20, 5), (100, 25), (2000, 100), (5000, 100)):
        _, *parts = VENUE.venue_polls(listing(*(row(f"C{number}USDT", f"C{number}") for number in range(count))))
        asked = [orjson.loads(parse_qs(urlsplit(poll.request.url).query)["symbols"][0]) for poll in parts]
        assert max(len(names) for names in asked) == most
        assert sum(len(names) for names in asked) == count


def test_a_halt_becomes_a_fact_of_its_market() -> None:
    (_, poll) = VENUE.venue_polls(listing(row("BTCUSDT", "BTC")))
    body = orjson.dumps(
        {"serverTime": 1565246363776, "symbols": [row("BTCUSDT", "BTC", status="HALT"), row("ETHUSDT", "ETH")]}
    )
    at = 1565246363776 * NS
    assert VENUE.parse_poll(poll.request, body) == [
        InstrumentChanged("BTCUSDT", False, "HALT", at),
        InstrumentChanged("ETHUSDT", True, "TRADING", at),
    ]
    with pytest.raises(FrameError, match="serverTime"):
        VENUE.parse_poll(poll.request, b'{"symbols":[]}')


def test_maintenance_of_the_whole_venue_stands_until_it_is_normal_again() -> None:
    system = VENUE.venue_polls([])[0].request
    assert VENUE.parse_poll(system, b'{"status":1,"msg":"system maintenance"}') == [
        VenueNotice(MAINTENANCE, True, None, None, 0)
    ]
    assert VENUE.parse_poll(system, b'{"status":0,"msg":"normal"}') == [VenueNotice(MAINTENANCE, False, None, 0, 0)]
    for body in (b'{"status":2,"msg":"?"}', b'{"msg":"normal"}', b"[]"):
        with pytest.raises(FrameError, match="binance_spot system"):
            VENUE.parse_poll(system, body)


def test_error_codes() -> None:
    (request,) = VENUE.instrument_requests([])
    with pytest.raises(VenueError, match=r"-1121 Invalid symbol"):
        VENUE.check_reply(request, 400, {}, b'{"code":-1121,"msg":"Invalid symbol."}')
    with pytest.raises(RetryLater) as later:
        VENUE.check_reply(request, 429, {"retry-after": "5"}, b'{"code":-1003,"msg":"Too many requests"}')
    assert later.value.seconds == 5

"""OKX swaps by their page: arguments as keys, one ack each, notices, contracts, the deep book, error codes."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hot_frames import read_book, read_trades
from venue_forms import poll_of, sample_instruments

from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    Unread,
    VenueNotice,
)
from monitor.venues.base import Acked, ErrorSaid, PingAsked, Pong, Refused, RestRequest, ShutdownAnnounced, Topic
from monitor.venues.okx_swap import OkxSwap

VENUE = OkxSwap()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def data_frame(key: str, *rows: object, **more: object) -> bytes:
    (arg,) = orjson.loads(VENUE.subscribe([known(key)], 1))["args"]
    return orjson.dumps({"arg": arg} | more | {"data": rows})


# -- sockets
def test_topics_of_a_market_and_of_the_venue() -> None:
    books, cold = VENUE.connections(sample_instruments(VENUE, 1))
    assert books.url == cold.url == "wss://ws.okx.com:8443/ws/v5/public"
    assert [topic.key for topic in books.topics] == ["books:BTC-USDT-SWAP"]
    assert [topic.key for topic in cold.topics] == [
        "liquidation-orders:SWAP",
        "status",
        "instruments:SWAP",
        "trades:BTC-USDT-SWAP",
        "mark-price:BTC-USDT-SWAP",
        "funding-rate:BTC-USDT-SWAP",
        "open-interest:BTC-USDT-SWAP",
        "index-tickers:BTC-USDT",
    ]


def test_fewer_than_thirty_deep_books_a_connection() -> None:
    plans = VENUE.connections(sample_instruments(VENUE, 60))
    assert max(sum(topic.channel is Channel.BOOK for topic in plan.topics) for plan in plans) < 30


def test_subscribe_as_documented() -> None:
    topics = [
        known(key) for key in ("books:BTC-USDT-SWAP", "liquidation-orders:SWAP", "status", "index-tickers:BTC-USDT")
    ]
    assert orjson.loads(VENUE.subscribe(topics, 9)) == {
        "id": "9",
        "op": "subscribe",
        "args": [
            {"channel": "books", "instId": "BTC-USDT-SWAP"},
            {"channel": "liquidation-orders", "instType": "SWAP"},
            {"channel": "status"},
            {"channel": "index-tickers", "instId": "BTC-USDT"},
        ],
    }
    long = [known(f"mark-price:{'X' * 20}-USDT-SWAP")] * VENUE.limits.topics_per_frame
    assert len(VENUE.subscribe(long, 10**9)) < 4_096


@pytest.mark.parametrize(
    ("key", "channel", "symbols"),
    [
        ("books:BTC-USDT-SWAP", Channel.BOOK, ("BTC-USDT-SWAP",)),
        ("trades:BTC-USDT-SWAP", Channel.TRADES, ("BTC-USDT-SWAP",)),
        ("liquidation-orders:SWAP", Channel.LIQUIDATIONS, ()),
        ("liquidation-orders:FUTURES", Channel.LIQUIDATIONS, ()),
        ("mark-price:BTC-USDT-SWAP", Channel.TICKER, ("BTC-USDT-SWAP",)),
        ("index-tickers:BTC-USD", Channel.TICKER, ("BTC-USD-SWAP",)),
        ("status", Channel.STATUS, ()),
        ("instruments:SWAP", Channel.STATUS, ()),
        ("tickers:BTC-USDT-SWAP", Channel.OTHER, ("BTC-USDT-SWAP",)),
        ("books5:BTC-USDT-SWAP", Channel.OTHER, ("BTC-USDT-SWAP",)),
        ("bbo-tbt:BTC-USDT-SWAP", Channel.OTHER, ("BTC-USDT-SWAP",)),
    ],
)
def test_keys(key: str, channel: Channel, symbols: tuple[str, ...]) -> None:
    topic = known(key)
    assert (topic.channel, topic.symbols) == (channel, symbols)
    frame = data_frame(key)
    assert VENUE.frame_key(frame) == key.encode()
    assert VENUE.slow_frame_key(frame) == key


def test_the_cheap_look_takes_data_frames_only() -> None:
    arg = b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},'
    assert VENUE.frame_key(arg + b'"action":"update","data":[]}') == b"books:BTC-USDT-SWAP"
    for frame in (
        arg + b'"event":"subscribe"}',
        b'{"arg":{"instId":"BTC-USDT-SWAP","channel":"books"},"data":[]}',
        b'{"arg":{"channel":"books","instId":"BTC\\u002dUSDT"},"data":[]}',
        b'{"arg": {"channel":"books","instId":"BTC-USDT-SWAP"},"data":[]}',
        b"pong",
    ):
        assert VENUE.frame_key(frame) is None
    swapped = b'{"arg":{"instId":"BTC-USDT-SWAP","channel":"books"},"data":[]}'
    assert VENUE.slow_frame_key(swapped) == "books:BTC-USDT-SWAP"


# -- grammars
SNAPSHOT = (
    b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["67500.2","1.20","0","3"]],'
    b'"bids":[["67500.1","0.95","0","4"]],"ts":"1785096000123","checksum":0,"prevSeqId":-1,"seqId":450001}]}'
)


def test_book_frames_of_the_page() -> None:
    grammar = known("books:BTC-USDT").book
    assert grammar is not None
    snapshot = read_book(grammar, SNAPSHOT, "BTC-USDT")
    assert snapshot.kind == layout.KIND_SNAPSHOT
    assert snapshot.header == {
        layout.LAST_ID: 450001,
        layout.PREVIOUS_ID: -1,
        layout.EVENT_TIME: 1785096000123 * NS,
    }
    assert snapshot.bids == [(Decimal("67500.1"), Decimal("0.95"))]
    keep_alive = (
        SNAPSHOT.replace(b"snapshot", b"update")
        .replace(b'[["67500.2","1.20","0","3"]]', b"[]")
        .replace(b'[["67500.1","0.95","0","4"]]', b"[]")
        .replace(b'"prevSeqId":-1', b'"prevSeqId":450001')
    )
    book = read_book(grammar, keep_alive, "BTC-USDT")
    assert (book.kind, book.bids, book.asks) == (layout.KIND_DELTA, [], [])
    assert book.header[layout.PREVIOUS_ID] == book.header[layout.LAST_ID]
    with pytest.raises(WireError):
        read_book(grammar, SNAPSHOT, "ETH-USDT")
    with pytest.raises(WireError):
        read_book(grammar, SNAPSHOT.replace(b'"books"', b'"books-rpi"'), "BTC-USDT")


def test_the_deep_book_has_the_count_in_another_column() -> None:
    market = sample_instruments(VENUE, 1)[0]
    request = VENUE.deep_request(market)
    assert request == RestRequest(
        "deep", "https://www.okx.com/api/v5/market/books-full?instId=BTC-USDT-SWAP&sz=5000", 2, "BTC-USDT-SWAP"
    )
    body = (
        b'{"code":"0","msg":"","data":[{"asks":[["67500.2","12","3"],["67600","5","1"]],"bids":[["67500.1","9.5","4"]],'
        b'"ts":"1785096000123"}]}'
    )
    VENUE.check_reply(request, 200, {}, body)
    assert VENUE.book.deep_grammar is not None
    book = read_book(VENUE.book.deep_grammar, body, "BTC-USDT-SWAP")
    assert book.kind == layout.KIND_SNAPSHOT
    assert book.asks == [(Decimal("67500.2"), Decimal(12)), (Decimal(67600), Decimal(5))]
    assert book.header == {layout.EVENT_TIME: 1785096000123 * NS}
    with pytest.raises(WireError):
        read_book(VENUE.book.deep_grammar, b'{"code":"51001","msg":"no","data":[]}', "BTC-USDT-SWAP")


def test_trades_of_the_page() -> None:
    grammar = known("trades:BTC-USDT-SWAP").trades
    assert grammar is not None
    row = {
        "instId": "BTC-USDT-SWAP", "tradeId": "130639474", "px": "42219.9", "sz": "12", "side": "buy", "ts": "1630048897897",
        "count": "3", "source": "0", "seqId": 1234,
    }  # fmt: skip
    trades = read_trades(grammar, data_frame("trades:BTC-USDT-SWAP", row, row | {"side": "sell"}), "BTC-USDT-SWAP")
    assert [(t.side, t.size, t.identifier, t.kept) for t in trades] == [
        (layout.BUY, Decimal(12), 130639474, True),
        (layout.SELL, Decimal(12), 130639474, True),
    ]
    with pytest.raises(WireError):
        read_trades(grammar, data_frame("trades:BTC-USDT-SWAP", row | {"instId": "ETH-USDT-SWAP"}), "BTC-USDT-SWAP")


# -- control
NOT_THERE = "Wrong URL or channel:books,instId:BTC-USDX-SWAP doesn't exist. Please use the correct URL."


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"pong", Pong()),
        (b"ping", PingAsked("pong")),
        (
            b'{"id":"1","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"a4d3ae55"}',
            Acked(keys=("books:BTC-USDT-SWAP",)),
        ),
        (b'{"event":"subscribe","arg":{"channel":"status"},"connId":"a"}', Acked(keys=("status",))),
        (
            b'{"event":"unsubscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"},"connId":"a"}',
            Acked(keys=("liquidation-orders:SWAP",), unsubscribed=True),
        ),
        (
            orjson.dumps({"event": "error", "code": "60018", "msg": NOT_THERE, "connId": "a"}),
            Refused("60018 " + NOT_THERE[:74] + "...", None, ("books:BTC-USDX-SWAP",)),
        ),
        (
            b'{"id":"5","event":"error","code":"60012","msg":"Illegal request: {\\"args\\":[{\\"channel\\":\\"x\\",'
            b'\\"instId\\":\\"Y\\"}]}"}',
            Refused('60012 Illegal request: {"args":[{"channel":"x","instId":"Y"}]}', 5, ("x:Y",)),
        ),
        (b'{"id":"5","event":"error","code":"60012","msg":"Illegal request"}', Refused("60012 Illegal request", 5)),
        (
            b'{"id":"5","event":"error","code":"60014","msg":"Requests too frequent"}',
            Refused("60014 Requests too frequent", 5, whole_batch=True),
        ),
        (b'{"event":"error","code":"60014","msg":"slow down"}', ErrorSaid("60014 slow down")),
        (b'{"event":"error","code":"60005","msg":"idle"}', ErrorSaid("60005 idle")),
        (
            b'{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a"}',
            ShutdownAnnounced("64008 The connection will soon be closed"),
        ),
        (
            b'{"event":"channel-conn-count-error","channel":"orders","connCount":"30"}',
            ErrorSaid("channel-conn-count-error"),
        ),
    ],
)
def test_control_frames(frame: bytes, said: object) -> None:
    assert VENUE.frame_key(frame) is None
    assert VENUE.slow_frame_key(frame) is None
    assert VENUE.control(frame) == [said]


# -- facts
def test_cold_channels_of_the_page() -> None:
    at = 1785096000123 * NS
    rows = {
        "mark-price:BTC-USDT-SWAP": (
            {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "42310.6", "ts": "1785096000123"},
            MarkPrice("BTC-USDT-SWAP", Decimal("42310.6"), at),
        ),
        "index-tickers:BTC-USDT": (
            {"instId": "BTC-USDT", "idxPx": "42300", "high24h": "1", "ts": "1785096000123"},
            IndexPrice("BTC-USDT-SWAP", Decimal(42300), at),
        ),
        "open-interest:BTC-USDT-SWAP": (
            {"instId": "BTC-USDT-SWAP", "oi": "2216113.01", "oiCcy": "22161.1301", "oiUsd": "9", "ts": "1785096000123"},
            OpenInterest("BTC-USDT-SWAP", Decimal("2216113.01"), None, at),
        ),
        "funding-rate:BTC-USDT-SWAP": (
            {
                "instId": "BTC-USDT-SWAP", "fundingRate": "0.0001", "fundingTime": "1785110400000", "nextFundingRate": "",
                "nextFundingTime": "1785139200000", "ts": "1785096000123", "method": "current_period",
            },
            Funding("BTC-USDT-SWAP", Decimal("0.0001"), 1785110400000 * NS, 8 * 3600, at),
        ),
    }  # fmt: skip
    for key, (row, fact) in rows.items():
        assert VENUE.parse(known(key), data_frame(key, row)) == [fact]
        with pytest.raises(FrameError, match="instId"):
            VENUE.parse(known(key), data_frame(key, row | {"instId": "ETH-USDT-SWAP"}))
        with pytest.raises(FrameError, match="ts"):
            VENUE.parse(known(key), data_frame(key, {name: row[name] for name in row if name != "ts"}))


@pytest.mark.parametrize(("next_time", "seconds"), [("1785124800000", 4 * 3600), ("", None), ("1785110400000", None)])
def test_the_funding_interval_is_the_time_to_the_next_one(next_time: str, seconds: int | None) -> None:
    row = {
        "instId": "X-USDT-SWAP",
        "fundingRate": "-0.00375",
        "fundingTime": "1785110400000",
        "nextFundingTime": next_time,
        "ts": "1785096000123",
    }
    (fact,) = VENUE.parse(known("funding-rate:X-USDT-SWAP"), data_frame("funding-rate:X-USDT-SWAP", row))
    assert isinstance(fact, Funding)
    assert fact.interval_seconds == seconds


STATUS = {
    "begin": "1672823400000", "end": "1672825980000", "href": "", "preOpenBegin": "", "scheDesc": "", "serviceType": "0",
    "state": "scheduled", "system": "unified", "title": "WebSocket upgrade", "maintType": "1", "env": "1", "ts": "1672826038470",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "disruptive"),
    [
        ({}, True),
        ({"state": "ongoing"}, True),
        ({"state": "completed"}, False),
        ({"state": "canceled"}, False),
        ({"serviceType": "5"}, True),
        ({"serviceType": "11"}, False),
    ],
)
def test_maintenance_notices(changes: dict[str, str], disruptive: bool) -> None:
    row = STATUS | changes
    text = f"WebSocket upgrade ({row['state']})"
    times = (1672823400000 * NS, 1672825980000 * NS, 1672826038470 * NS)
    facts = VENUE.parse(known("status"), data_frame("status", row))
    # Whatever the venue says of it next has the same key.
    assert facts == [VenueNotice(text, disruptive, *times, key="WebSocket upgrade")]


def test_notices_about_the_demo_are_not_ours_and_open_ends_are_unknown() -> None:
    assert VENUE.parse(known("status"), data_frame("status", STATUS | {"env": "2"})) == []
    (fact,) = VENUE.parse(known("status"), data_frame("status", STATUS | {"end": ""}))
    assert isinstance(fact, VenueNotice)
    assert fact.ends is None


def test_a_suspended_listing() -> None:
    key = "instruments:SWAP"
    frame = data_frame(
        key, {"instId": "BTC-USDT-SWAP", "state": "suspend"}, {"instId": "ETH-USDT-SWAP", "state": "live"}
    )
    assert VENUE.parse(known(key), frame) == [
        InstrumentChanged("BTC-USDT-SWAP", False, "suspend", 0),
        InstrumentChanged("ETH-USDT-SWAP", True, "live", 0),
    ]


def test_a_new_listing_with_empty_fields_costs_the_others_nothing() -> None:
    key = "instruments:SWAP"
    halted = {"instId": "BTC-USDT-SWAP", "state": "suspend"}
    fact = InstrumentChanged("BTC-USDT-SWAP", False, "suspend", 0)
    assert VENUE.parse(known(key), data_frame(key, {"instId": "NEW-USDT-SWAP", "state": ""}, halted)) == [fact]
    found = VENUE.parse(known(key), data_frame(key, {"instId": "", "state": "preopen"}, halted))
    assert found == [fact, Unread("okx_swap status: instId is not a text: ''", 1)], "left out, and said so"


def test_an_odd_liquidation_costs_the_others_nothing() -> None:
    key = "liquidation-orders:SWAP"
    print_ = {"bkPx": "0.007831", "posSide": "short", "side": "buy", "sz": "13", "ts": "1692266434010"}
    row = {"details": [print_, {**print_, "sz": ""}], "instId": "IOST-USDT-SWAP"}
    kept, unread = VENUE.parse(known(key), data_frame(key, row))
    assert isinstance(kept, Liquidation)
    assert isinstance(unread, Unread)
    with pytest.raises(FrameError, match="sz"):
        VENUE.parse(known(key), data_frame(key, {**row, "details": [{**print_, "sz": ""}]}))


# -- listing
def row(symbol: str, family: str, **changes: object) -> dict[str, object]:
    return {
        "instType": "SWAP", "instId": symbol, "instFamily": family, "uly": family, "ctType": "linear", "ctVal": "0.01",
        "ctValCcy": family.partition("-")[0], "ctMult": "1", "settleCcy": "USDT", "tickSz": "0.1", "lotSz": "0.01",
        "minSz": "0.01", "state": "live",
    } | changes  # fmt: skip


def test_the_listing_in_contracts() -> None:
    (request,) = VENUE.instrument_requests([])
    assert request.url == "https://www.okx.com/api/v5/public/instruments?instType=SWAP"
    body = orjson.dumps(
        {
            "code": "0",
            "data": [
                row("BTC-USDT-SWAP", "BTC-USDT"),
                row(
                    "BTC-USD-SWAP", "BTC-USD", ctType="inverse", ctVal="100", ctValCcy="USD", settleCcy="BTC", lotSz="1"
                ),
                row("SHIB-USDT-SWAP", "SHIB-USDT", ctVal="1000", ctMult="1000", state="suspend"),
                row("NEW-USDT-SWAP", "NEW-USDT", tickSz="", ctVal="", state="preopen"),
                row("ODD-USDT-SWAP", "ODD-USDT", ctValCcy="USDT"),
            ],
        }
    )
    found, more = VENUE.parse_instruments(request, body)
    assert more is None
    assert [(i.symbol, i.contract_type, i.contract_size, i.quote, i.settle, i.trading) for i in found] == [
        ("BTC-USDT-SWAP", "linear", Decimal("0.01"), "USDT", "USDT", True),
        ("BTC-USD-SWAP", "inverse", Decimal(100), "USD", "BTC", True),
        ("SHIB-USDT-SWAP", "linear", Decimal(1_000_000), "USDT", "USDT", False),
        # NEW has no tick yet. A contract in another currency, as ODD's, would make every size wrong: it is not listed.
    ]
    assert [i.funding_interval_seconds for i in found] == [None] * 3


# -- margin tiers
SWAP = Instrument("okx_swap", "BTC-USDT-SWAP", "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.01"))
FIRST = {"tier": "1", "minSz": "0", "maxSz": "500", "mmr": "0.004", "imr": "0.01", "maxLever": "100"}
SECOND = {"tier": "2", "minSz": "501", "maxSz": "1000.5", "mmr": "0.005", "imr": "0.0125", "maxLever": "80"}


def tiers_body(*rows: dict[str, str]) -> bytes:
    return orjson.dumps(
        {"code": "0", "msg": "", "data": [{"instFamily": "BTC-USDT", "uly": "BTC-USDT"} | row for row in rows]}
    )


def test_margin_tiers_are_in_contracts_and_hold_for_the_whole_position() -> None:
    poll = poll_of(VENUE, SWAP, "margin_tiers")
    assert poll.request.url == (
        "https://www.okx.com/api/v5/public/position-tiers?instType=SWAP&tdMode=cross&instFamily=BTC-USDT"
    )
    (tiers,) = VENUE.parse_poll(poll.request, tiers_body(SECOND, FIRST))
    assert tiers == MarginTiers(
        "BTC-USDT-SWAP",
        (
            MarginTier(Decimal(0), Decimal(500), Decimal("0.004"), Decimal(100)),
            MarginTier(Decimal(500), Decimal("1000.5"), Decimal("0.005"), Decimal(80)),
        ),
        unit="contracts",
        whole=True,
        venue_time=0,
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [FIRST, FIRST],
        [FIRST, SECOND | {"minSz": "400"}],
        [FIRST | {"instFamily": "ETH-USDT"}],
        [FIRST | {"mmr": ""}],
    ],
)
def test_tiers_that_are_none(rows: list[dict[str, str]]) -> None:
    poll = poll_of(VENUE, SWAP, "margin_tiers")
    with pytest.raises(FrameError, match=r"^okx_swap margin_tiers BTC-USDT-SWAP: "):
        VENUE.parse_poll(poll.request, tiers_body(*rows))


# -- replies
def test_error_codes() -> None:
    request = RestRequest("deep", "https://www.okx.com/x", 2, "BTC-USDX-SWAP")
    VENUE.check_reply(request, 200, {}, b'{"msg":"","code":"0","data":[]}')
    with pytest.raises(VenueError, match=r"BTC-USDX-SWAP.*51001 Instrument") as caught:
        VENUE.check_reply(request, 200, {}, b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}')
    assert type(caught.value) is VenueError
    for status, code in ((200, "50011"), (200, "50026"), (400, "50011")):
        with pytest.raises(RetryLater) as later:
            VENUE.check_reply(request, status, {}, orjson.dumps({"code": code, "msg": "Too Many Requests"}))
        assert later.value.seconds == 2

"""Coinbase: every captured frame, and what each must come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import pytest
from captured_books import CapturedBook, DictBook
from hot_frames import read_book, read_trades
from venue_forms import lines, nautilus_messages, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import Channel, Instrument, InstrumentChanged
from monitor.feed.numbers import ConnectionNumbers
from monitor.venues.base import Acked, ErrorSaid, Refused, RestRequest, Topic
from monitor.venues.coinbase import BOOK, HEARTBEATS, TRADES, Coinbase
from monitor.venues.coinbase_parts import CUT_BYTES

VENUE = Coinbase()
LISTING = RestRequest("instruments", "https://api.coinbase.com/api/v3/brokerage/market/products?product_type=SPOT", 1)
POLL = RestRequest("poll", LISTING.url, 1, key="status")


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None
    return found


def advanced(*events: object, number: int = 7, channel: str = "l2_data") -> bytes:
    head = {"channel": channel, "client_id": "", "timestamp": "2026-08-24T22:34:13.813379Z", "sequence_num": number}
    return orjson.dumps({**head, "events": list(events)})


def row(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "event_time": "2026-08-24T22:34:13.7Z", "price_level": price, "new_quantity": size}


def event(kind: str, *rows: dict[str, str], product: str = "BTC-USD") -> dict[str, object]:
    return {"type": kind, "product_id": product, "updates": list(rows)}


# -- the capture of August 2026
def captured(shared_data: Path) -> list[bytes]:
    return (shared_data / "tickvault-fixtures-2026-08-24" / "coinbase_advanced_l2_data.jsonl").read_bytes().splitlines()


def test_the_capture_has_every_number_of_its_connection_and_the_book_is_right(shared_data: Path) -> None:
    numbers, truth, other = ConnectionNumbers(), DictBook(), []
    book = CapturedBook(VENUE, "level2:BTC-USD", "0.01", "0.00000001")
    for at, frame in enumerate(captured(shared_data)):
        assert VENUE.connection_sequence(frame) == at
        assert numbers.takes(at)
        assert list(VENUE.split(frame)) == [frame]
        key = VENUE.slow_frame_key(frame)
        assert VENUE.frame_key(frame) == (None if key is None else key.encode()), "every head is told cheaply"
        if key is None:
            other += VENUE.control(frame)
            continue
        book.take(frame, at)
        rows = orjson.loads(frame)["events"][0]["updates"]
        truth.take(*([[r["price_level"], r["new_quantity"]] for r in rows if r["side"] == s] for s in ("bid", "offer")))
        assert book.sides() == truth.sides
    assert other == [Acked(keys=("level2:BTC-USD",), only=True)], "its number is of the same count"
    assert book.outcomes == {"REPLACED": 1, "APPLIED": 6, "KEEPALIVE": 4}, "none was left to the plain path"
    assert book.book.counters["gaps"] == book.book.counters["crossed"] == 0
    assert book.book.level_counts == (15, 16)
    assert (max(truth.bids), min(truth.asks)) == (Decimal("78856.05"), Decimal("78856.06"))


def test_a_lost_frame_of_the_capture_shows_in_the_next_one_whatever_it_was(shared_data: Path) -> None:
    frames = captured(shared_data)
    for lost in range(1, len(frames) - 1):
        numbers = ConnectionNumbers()
        for frame in frames[:lost]:
            assert numbers.takes(VENUE.connection_sequence(frame))
        assert not numbers.takes(VENUE.connection_sequence(frames[lost + 1]))
        assert numbers.broken


# -- the capture of April 2021: the Exchange feed, whose books have no numbers, and whose trades are as today
def exchange(shared_data: Path) -> Iterator[bytes]:
    for found in lines(shared_data / "cryptofeed-samples" / "coinbase_pro.jsonl.gz"):
        if found["k"] == "recv":
            yield str(found["raw"]).encode()


def test_trades_of_the_exchange_feed_name_the_makers_side(shared_data: Path) -> None:
    """Beside the book as it stood when each trade came: what was sold by the maker was bought at the ask, without an exception."""
    seen, books, numbers = Counter[str](), dict[str, DictBook](), dict[str, int]()
    at_touch = Counter[str]()
    for frame in exchange(shared_data):
        message = orjson.loads(frame)
        key = VENUE.slow_frame_key(frame)
        cheap = VENUE.frame_key(frame)
        assert cheap is None or cheap.decode() == key
        assert VENUE.connection_sequence(frame) is None
        assert list(VENUE.split(frame)) == [frame]
        seen[message["type"]] += 1
        symbol = message.get("product_id", "")
        if key is None:
            (ack,) = VENUE.control(frame)
            assert isinstance(ack, Acked)
            assert (ack.only, ack.request_id) == (True, None)
            seen["acked"] = len(ack.keys)
        elif message["type"] in ("match", "last_match"):
            trades = read_trades(TRADES, frame, symbol)
            number = message["trade_id"]
            assert number == numbers.get(symbol, number - 1) + 1, "a trade is missing"
            numbers[symbol] = number
            assert cheap == f"matches:{symbol}".encode()
            if message["type"] == "last_match":
                assert trades == [], "history"
                continue
            (trade,) = trades
            assert (trade.price, trade.size) == (Decimal(message["price"]), Decimal(message["size"]))
            assert trade.identifier == number
            assert trade.side == {"sell": layout.BUY, "buy": layout.SELL}[message["side"]]
            bids, asks = books[symbol].sides
            if trade.price >= min(asks):
                at_touch["bought" if trade.side == layout.BUY else "wrong"] += 1
            elif trade.price <= max(bids):
                at_touch["sold" if trade.side == layout.SELL else "wrong"] += 1
        else:
            assert topic(key).channel is Channel.OTHER, "a book without numbers is none for us"
            assert VENUE.parse(topic(key), frame) == []
            if message["type"] == "snapshot":
                books[symbol] = DictBook()
                books[symbol].take(message["bids"], message["asks"])
            elif message["type"] == "l2update":
                for side, price, size in message["changes"]:
                    levels = books[symbol].bids if side == "buy" else books[symbol].asks
                    levels.pop(Decimal(price), None)
                    if Decimal(size):
                        levels[Decimal(price)] = Decimal(size)
    assert seen == {
        "l2update": 9719, "match": 97, "last_match": 10, "snapshot": 10, "ticker": 107, "subscriptions": 3, "acked": 30
    }  # fmt: skip
    assert at_touch["wrong"] == 0
    assert at_touch["bought"] > 20
    assert at_touch["sold"] > 20


# -- single messages
def test_nautilus_messages(shared_data: Path) -> None:
    frames = nautilus_messages(shared_data, "coinbase")
    assert len(frames) == 13
    snapshot = read_book(BOOK, frames["ws_l2_data_snapshot.json"], "BTC-USD")
    assert snapshot.kind == layout.KIND_SNAPSHOT
    assert snapshot.bids == [
        (Decimal("68900.00"), Decimal("1.5")), (Decimal("68899.5"), Decimal("0.75")), (Decimal("68899"), Decimal("2.3")),
    ]  # fmt: skip
    assert snapshot.asks == [
        (Decimal("68901"), Decimal("0.5")), (Decimal("68901.5"), Decimal("1.2")), (Decimal("68902"), Decimal("0.8")),
    ]  # fmt: skip
    assert snapshot.header[layout.EVENT_TIME] == 1_775_572_200_123_456_000
    change = read_book(BOOK, frames["ws_l2_data_update.json"], "BTC-USD")
    assert (change.kind, change.bids, change.asks) == (
        layout.KIND_DELTA,
        [(Decimal("68900"), Decimal("2"))],
        [(Decimal("68901"), Decimal(0))],
    )
    assert VENUE.connection_sequence(frames["ws_l2_data_update.json"]) == 1
    assert VENUE.frame_key(frames["ws_l2_data_update.json"]) == b"level2:BTC-USD"
    acked = VENUE.control(frames["ws_subscriptions.json"])
    assert acked == [Acked(keys=("level2:BTC-USD", "market_trades:BTC-USD", "market_trades:ETH-USD"), only=True)]
    assert VENUE.control(frames["ws_heartbeats.json"]) == []
    assert VENUE.connection_sequence(frames["ws_heartbeats.json"]) == 0
    for name in ("ticker", "candles", "market_trades"):  # the side of market_trades is disputed: not used
        frame = frames[f"ws_{name}.json"]
        assert VENUE.slow_frame_key(frame) == name
        assert VENUE.connection_sequence(frame) is not None, "it counts all the same"
        assert VENUE.parse(topic(name), frame) == []


def test_nautilus_replies(shared_data: Path) -> None:
    replies = nautilus_messages(shared_data, "coinbase")
    VENUE.check_reply(LISTING, 200, {}, replies["http_products.json"])
    found, following = VENUE.parse_instruments(LISTING, replies["http_products.json"])
    assert following is None
    assert found == [  # BTC-USDC is the same book's other name
        Instrument("coinbase", "BTC-USD", "BTC", "USD", "USD", "spot", Decimal("0.01"), Decimal("0.00000001"), status="online")
    ]  # fmt: skip
    assert VENUE.parse_poll(POLL, replies["http_products.json"]) == [InstrumentChanged("BTC-USD", True, "online", 0)]
    assert VENUE.parse_instruments(LISTING, replies["http_products_future.json"]) == ([], None), "no spot"
    others = ("candles", "product", "product_book", "ticker")
    for name in others:  # endpoints we do not ask
        with pytest.raises(FrameError, match="products is missing"):
            VENUE.parse_instruments(LISTING, replies[f"http_{name}.json"])


def test_tardis_messages_of_the_exchange_feed(shared_data: Path) -> None:
    match, *others = tardis_messages(shared_data, "map coinbase messages")
    (trade,) = read_trades(TRADES, match, "ETC-GBP")
    assert (trade.side, trade.price, trade.size) == (layout.SELL, Decimal("4.978"), Decimal("0.97133855"))
    assert (trade.identifier, trade.time) == (216544, 1_564_617_603_816_000_000)
    assert Counter(str(VENUE.slow_frame_key(frame)).partition(":")[0] for frame in others) == {
        "level2_batch": 5,
        "ticker": 3,
    }
    for frame in others:
        assert VENUE.parse(topic(str(VENUE.slow_frame_key(frame))), frame) == []


def test_the_closed_international_exchange_is_refused(shared_data: Path) -> None:
    old = tardis_messages(shared_data, "map coinbase-international messages")
    assert len(old) == 8
    for frame in old:
        assert VENUE.frame_key(frame) is None
        assert VENUE.slow_frame_key(frame) is None
        assert VENUE.connection_sequence(frame) is None
        with pytest.raises(FrameError, match="unknown frame"):
            VENUE.control(frame)


# -- parts of a frame
def test_each_event_is_a_frame_of_its_own() -> None:
    frame = advanced(
        event("update", row("bid", "100.1", "2")),
        event("update", row("offer", "20.5", "0"), product="ETH-USD"),
        event("snapshot", product="SOL-USD"),
    )
    first, second, third = VENUE.split(frame)
    assert [VENUE.connection_sequence(part) for part in (frame, first, second, third)] == [7, 7, 7, 7]
    assert [VENUE.frame_key(part) for part in (first, second)] == [b"level2:BTC-USD", b"level2:ETH-USD"]
    assert read_book(BOOK, first, "BTC-USD").bids == [(Decimal("100.1"), Decimal(2))]
    assert read_book(BOOK, second, "ETH-USD").asks == [(Decimal("20.5"), Decimal(0))]
    assert VENUE.slow_frame_key(third) == "level2:SOL-USD"
    with pytest.raises(WireError):
        read_book(BOOK, third, "SOL-USD")
    with pytest.raises(FrameError):
        VENUE.split(frame[:-3])


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_snapshot_is_not_a_book_and_an_empty_change_is_a_sign_of_life(blank: str) -> None:
    update = advanced(event("update"))
    assert list(VENUE.split(update)) == [update]
    book = CapturedBook(VENUE, "level2:BTC-USD", "0.1", "0.001")
    whole = advanced(event("snapshot", row("bid", "100.1", "2"), row("offer", "100.2", "1")))
    assert book.take(whole) is Outcome.REPLACED
    assert book.take(update) is Outcome.KEEPALIVE
    assert book.book.readable
    (empty,) = VENUE.split(advanced(event("snapshot")).replace(b'"updates":[]', f'"updates":{blank}[{blank}]'.encode()))
    assert VENUE.slow_frame_key(empty) == "level2:BTC-USD", "the book hears of it"
    with pytest.raises(WireError, match="empty snapshot is no book"):
        book.take(empty)


def rows_of(count: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    draw = np.random.default_rng(20261122)
    steps = np.cumsum(draw.integers(1, 300, size=(2, count)), axis=1)
    bids = [row("bid", f"{(8_000_000 - at) / 100:.2f}", f"0.{at % 997 + 1:08d}") for at in steps[0].tolist()]
    asks = [row("offer", f"{(8_000_000 + at) / 100:.2f}", f"0.{at % 997 + 1:08d}") for at in steps[1].tolist()]
    return bids, asks


def test_a_snapshot_of_megabytes_is_cut_and_gives_the_same_book() -> None:
    bids, asks = rows_of(21_000)
    frame = advanced(event("snapshot", *bids, *asks))
    assert len(frame) > 4 << 20
    parts = VENUE.split(frame)
    assert len(parts) > 5
    assert all(len(part) < CUT_BYTES + 1_000 for part in parts)
    assert [orjson.loads(part)["events"][0]["type"] for part in parts] == ["snapshot"] + ["update"] * (len(parts) - 1)
    assert [r for part in parts for r in orjson.loads(part)["events"][0]["updates"]] == [*bids, *asks]
    assert {VENUE.frame_key(part) for part in parts} == {b"level2:BTC-USD"}
    book = CapturedBook(VENUE, "level2:BTC-USD", "0.01", "0.00000001")
    outcomes = [book.take(part) for part in parts]
    assert outcomes == [Outcome.REPLACED] + [Outcome.APPLIED] * (len(parts) - 1)
    assert book.outcomes["plainly"] == 0
    assert book.book.readable
    assert book.sides() == tuple(
        {Decimal(r["price_level"]): Decimal(r["new_quantity"]) for r in side} for side in (bids, asks)
    )
    small = CapturedBook(VENUE, "level2:BTC-USD", "0.01", "0.00000001")
    small.take(advanced(event("snapshot", *bids[:1_000], *asks[:1_000])))
    assert [book.book.reach(side) for side in ("bid", "ask")] == [small.book.reach(side) for side in ("bid", "ask")]


# -- what we say and hear
def test_one_channel_a_message_for_books_and_named_channels_for_trades() -> None:
    found = VENUE.parse_instruments(LISTING, listing("ETH-USD", "BTC-USD"))[0]
    books, trades = VENUE.connections(found)
    assert books.url == "wss://advanced-trade-ws.coinbase.com"
    assert trades.url == "wss://ws-feed.exchange.coinbase.com"
    assert VENUE.greeting(books) == [HEARTBEATS] == ['{"type":"subscribe","channel":"heartbeats"}']
    assert VENUE.greeting(trades) == []
    assert orjson.loads(VENUE.subscribe(books.topics, 7)) == {
        "type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "level2",
    }  # fmt: skip
    assert orjson.loads(VENUE.unsubscribe(books.topics[:1], 8)) == {
        "type": "unsubscribe", "product_ids": ["BTC-USD"], "channel": "level2",
    }  # fmt: skip
    assert orjson.loads(VENUE.subscribe(trades.topics, 9)) == {
        "type": "subscribe",
        "channels": [
            {"name": "matches", "product_ids": ["BTC-USD", "ETH-USD"]},
            {"name": "heartbeat", "product_ids": ["BTC-USD", "ETH-USD"]},
        ],
    }
    with pytest.raises(ValueError, match="several channels"):
        VENUE.subscribe([*books.topics, *trades.topics], 1)


def test_answers() -> None:
    none_left = advanced({"subscriptions": {}}, channel="subscriptions")
    assert VENUE.control(none_left) == [Acked(only=True)]
    assert VENUE.connection_sequence(none_left) == 7
    assert VENUE.control(b'{"type":"subscriptions","channels":[]}') == [Acked(only=True)]
    wrong = b'{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}'
    said = "Failed to subscribe: BTC-XYZ is not a valid product"
    assert VENUE.control(wrong) == [Refused(said, None, ("matches:BTC-XYZ", "heartbeat:BTC-XYZ"), whole_batch=True)]
    locked = b'{"type":"error","message":"Failed to subscribe","reason":"level2, level3, and full channels now require authentication."}'
    (answer,) = VENUE.control(locked)
    assert isinstance(answer, ErrorSaid)
    assert VENUE.control(b'{"type":"error","message":"rate limit exceeded"}') == [ErrorSaid("rate limit exceeded")]
    for odd in (
        b'{"type":"subscriptions","channels":[{"name":"matches","product_ids":"BTC-USD"}]}',
        none_left.replace(b"{}", b"[]"),
    ):
        with pytest.raises(FrameError):
            VENUE.control(odd)


def test_a_maker_who_bought_was_sold_to() -> None:
    frame = (
        b'{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66","taker_order_id":"132fb6ae",'
        b'"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"%s"}'
    )
    for side, taker in ((b"sell", layout.BUY), (b"buy", layout.SELL)):
        (trade,) = read_trades(TRADES, frame % side, "BTC-USD")
        assert (trade.side, trade.price, trade.size, trade.identifier) == (
            taker,
            Decimal("400.23"),
            Decimal("5.23512"),
            10,
        )
        assert trade.time == 1_415_348_367_028_459_000
        assert VENUE.frame_key(frame % side) == b"matches:BTC-USD"
        with pytest.raises(WireError):
            read_trades(TRADES, frame % side, "BTC-EUR")


# -- listing and REST
def listing(*symbols: str, **others: object) -> bytes:
    rows = [
        {
            "product_id": symbol,
            "base_currency_id": symbol.partition("-")[0],
            "quote_currency_id": symbol.partition("-")[2],
            "price_increment": "0.01",
            "quote_increment": "0.001",
            "base_increment": "0.00000001",
            "status": "online",
            "alias": "",
            **others,
        }
        for symbol in symbols
    ]
    return orjson.dumps({"products": rows})


@pytest.mark.parametrize(
    ("flag", "trading"),
    [
        ("trading_disabled", False),
        ("is_disabled", False),
        ("cancel_only", False),
        ("post_only", False),
        ("auction_mode", False),
        ("limit_only", True),  # limit orders meet
        ("view_only", True),  # a word about who asks
    ],
)
def test_halts(flag: str, trading: bool) -> None:
    body = listing("BTC-USD", **{flag: True})
    (market,), _ = VENUE.parse_instruments(LISTING, body)
    assert (market.trading, market.status) == (trading, "online" if trading else flag)
    assert VENUE.parse_poll(POLL, body) == [InstrumentChanged("BTC-USD", trading, market.status, 0)]


def test_the_grid_is_the_price_increment_and_currencies_are_markets() -> None:
    found, _ = VENUE.parse_instruments(LISTING, listing("USDT-USD", "1INCH-USD", "1000SATS-USD"))
    assert [(each.asset, each.quote, each.unit_multiplier) for each in found] == [
        ("USDT", "USD", 1), ("1INCH", "USD", 1), ("SATS", "USD", 1000),
    ]  # fmt: skip
    assert found[0].tick_size == Decimal("0.01"), "not the quote increment"
    assert VENUE.parse_instruments(LISTING, listing("BTC-USDC", alias="BTC-USD")) == ([], None)
    (market,), _ = VENUE.parse_instruments(LISTING, listing("OLD-USD", status="delisted"))
    assert not market.trading


def test_errors_of_replies() -> None:
    with pytest.raises(RetryLater):
        VENUE.check_reply(LISTING, 429, {}, b'{"message":"Public rate limit exceeded"}')
    with pytest.raises(VenueError, match="NOT_FOUND"):
        VENUE.check_reply(LISTING, 404, {}, b'{"error":"NOT_FOUND","message":"valid product_id is required"}')

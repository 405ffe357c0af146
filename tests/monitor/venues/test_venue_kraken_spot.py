"""Kraken spot: every captured frame, and what each must come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hot_frames import read_book, read_trades
from kraken_frames import Lane, nautilus, tardis
from venue_forms import lines

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import Channel, InstrumentChanged, VenueNotice
from monitor.venues.base import Acked, ErrorSaid, Pong, Refused, RestRequest, Topic
from monitor.venues.kraken_spot import BOOK, TRADES, KrakenSpot

VENUE = KrakenSpot()
CAPTURE = "kraken-v2-book-2026-09-12/kraken_v2_book_btcusd.jsonl"
LISTING = RestRequest("instruments", "https://api.kraken.com/0/public/AssetPairs", 1)
POLL = RestRequest("poll", "https://api.kraken.com/0/public/SystemStatus", 1, key="status")


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None
    return found


# -- the capture of September 2026: ten levels a side
def captured(shared_data: Path) -> list[bytes]:
    return (shared_data / CAPTURE).read_bytes().splitlines()


def ten_levels() -> Lane:
    return Lane(VENUE, "book:BTC/USD", "0.1", "0.00000001", window=10)


def test_the_capture_has_every_checksum_right(shared_data: Path) -> None:
    lane, kinds = ten_levels(), Counter[str]()
    for number, frame in enumerate(captured(shared_data)):
        key = VENUE.slow_frame_key(frame)
        cheap = VENUE.frame_key(frame)
        assert cheap is None or cheap.decode() == key
        assert (cheap is not None) == (key == "book:BTC/USD"), "books are told by their heads"
        kinds[str(key)] += 1
        if key == "book:BTC/USD":
            assert lane.take(frame, number) is (Outcome.REPLACED if kinds[key] == 1 else Outcome.APPLIED)
            assert read_book(BOOK, frame, "BTC/USD").kind == (
                layout.KIND_SNAPSHOT if kinds[key] == 1 else layout.KIND_DELTA
            )
        elif key == "status":
            (notice,) = VENUE.parse(topic(key), frame)
            assert isinstance(notice, VenueNotice)
            assert not notice.disruptive
            assert notice.ends is not None, "online is the end of any other state"
        else:
            kinds[str(VENUE.control(frame))] += 1
    assert kinds == {
        "book:BTC/USD": 78,
        "status": 1,
        "None": 9,
        "[]": 8,  # heartbeats
        str([Acked(keys=("book:BTC/USD",))]): 1,
    }
    counters = lane.book.counters
    assert (counters["checksums"], counters["checksum_mismatch"], counters["gaps"], counters["crossed"]) == (
        78,
        0,
        0,
        0,
    )
    assert lane.book.readable
    assert lane.book.level_counts == (10, 10)
    bids, asks = lane.levels()
    assert (bids[0][0], asks[0][0]) == (773626, 773627)
    assert (lane.fast, lane.plain) == (78, 0)


def test_a_lost_frame_of_the_capture_shows_in_the_next_one_or_never_mattered(shared_data: Path) -> None:
    """Whatever single update is lost: the next frame's checksum differs, or the book is the same as if it had come."""
    frames = [frame for frame in captured(shared_data) if VENUE.frame_key(frame) == b"book:BTC/USD"]
    truth, whole = [], ten_levels()
    for frame in frames:
        whole.take(frame)
        truth.append(whole.levels())
    reasons = Counter[str]()
    for lost in range(1, len(frames) - 1):
        lane = ten_levels()
        for frame in frames[:lost]:
            lane.take(frame)
        outcome = lane.take(frames[lost + 1])
        if outcome.needs_recovery:
            reasons[lane.book.reason] += 1
            assert not lane.book.readable
            assert lane.take(frames[lost]) is Outcome.IGNORED, "only a snapshot helps"
            assert lane.take(frames[0]) is Outcome.REPLACED
        else:
            assert lane.levels() == truth[lost + 1]
    assert reasons == {"checksum": 64, "crossed": 1}


def test_the_documentations_vector() -> None:
    asks = (
        "45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660 45291.8/1.54553491 "
        "45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"
    )
    bids = (
        "45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586 45279.0/0.07990000 "
        "45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"
    )

    def rows(text: str) -> str:
        pairs = [row.split("/") for row in text.split()]
        return ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in pairs)

    def frame(checksum: int) -> bytes:
        return (
            f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USD","bids":[{rows(bids)}],"asks":[{rows(asks)}],'
            f'"checksum":{checksum}}}]}}'
        ).encode()

    lane = Lane(VENUE, "book:BTC/USD", "0.1", "0.00000001")
    assert lane.take(frame(3310070434)) is Outcome.REPLACED
    assert lane.book.counters["checksums"] == 1
    assert lane.take(frame(3310070435)) is Outcome.CHECKSUM
    assert lane.book.reason == "checksum"


def test_the_same_price_twice_in_a_message_the_last_one_counts(shared_data: Path) -> None:
    twice = next(frame for frame in captured(shared_data) if frame.count(b'"price":77362.8,') == 3)
    book = read_book(BOOK, twice, "BTC/USD")
    assert book.bids == [(Decimal("77362.8"), Decimal(size)) for size in ("0.05251592", "0.01093915", "0.00000065")]


# -- single messages
def test_nautilus_messages(shared_data: Path) -> None:
    frames = nautilus(shared_data)
    book = read_book(BOOK, frames["ws_book_snapshot.json"], "BTC/USD")
    assert book.kind == layout.KIND_SNAPSHOT
    assert book.bids == [
        (Decimal("105944.2"), Decimal("0.136")),
        (Decimal("105935.4"), Decimal("0.024")),
        (Decimal("105920.1"), Decimal("0.052")),
    ]
    assert (book.header[layout.CHECKSUM], book.header[layout.EVENT_TIME]) == (2439117997, 1696613755440295000)
    update = read_book(BOOK, frames["ws_book_update.json"], "BTC/USD")
    assert (update.kind, update.bids, update.asks) == (layout.KIND_DELTA, [(Decimal("105944.2"), Decimal("0.25"))], [])
    lane = Lane(VENUE, "book:BTC/USD", "0.1", "0.00000001")
    assert lane.take(frames["ws_book_snapshot.json"]) is Outcome.CHECKSUM, (
        "made by hand: the checksum is another pair's"
    )

    bought, sold = read_trades(TRADES, frames["ws_trade_update.json"], "BTC/USD")
    assert (bought.price, bought.size, bought.side) == (Decimal("105944.2"), Decimal("0.00027625"), layout.BUY)
    assert (bought.identifier, bought.time, bought.kept) == (10218208, 1696613755440295000, True)
    assert (sold.price, sold.size, sold.side) == (Decimal("105910.5"), Decimal("0.00012460"), layout.SELL)

    unused = [name for name in frames if name.startswith(("ws_l3", "ws_ohlc", "ws_ticker"))]
    assert len(unused) == 7
    for name in unused:
        key = VENUE.slow_frame_key(frames[name])
        assert key is not None
        assert topic(key).channel is Channel.OTHER
        assert VENUE.parse(topic(key), frames[name]) == []
    assert VENUE.control(frames["ws_pong.json"]) == [Pong()]
    assert VENUE.control(frames["ws_subscribe_response.json"]) == [Acked(keys=("ticker:BTC/USD",))]


def test_nautilus_replies(shared_data: Path) -> None:
    replies = {name: body for name, body in nautilus(shared_data).items() if name.startswith("http_")}
    ours = [name for name in replies if not name.startswith("http_futures")]
    assert len(ours) == 8
    for name in ours:
        VENUE.check_reply(LISTING, 200, {}, replies[name])
    (pair,), following = VENUE.parse_instruments(LISTING, replies["http_asset_pairs.json"])
    assert following is None
    assert (pair.symbol, pair.asset, pair.quote, pair.settle, pair.contract_type) == (
        "BTC/USDT",
        "BTC",
        "USDT",
        "USDT",
        "spot",
    )
    assert (pair.tick_size, pair.lot_size, pair.contract_size) == (Decimal("0.1"), Decimal("0.00000001"), Decimal(1))
    assert (pair.trading, pair.status, pair.funding_interval_seconds) == (True, "online", None)
    assert (pair.scale.price.decimals, pair.scale.size.decimals) == (1, 8)
    (share,), _ = VENUE.parse_instruments(LISTING, replies["http_asset_pairs_tokenized.json"])
    assert (share.symbol, share.asset) == ("AAPLx/USD", "AAPLx")
    (online,) = VENUE.parse_poll(POLL, replies["http_system_status.json"])
    assert isinstance(online, VenueNotice)
    assert (online.text, online.disruptive, online.halts) == ("Kraken spot is online", False, False)
    for name in ("http_ohlc.json", "http_trades.json", "http_server_time.json"):
        with pytest.raises(FrameError):  # endpoints we do not ask: their bodies are no listing
            VENUE.parse_instruments(LISTING, replies[name])
    for name in ("http_order_book.json", "http_ticker.json"):
        assert VENUE.parse_instruments(LISTING, replies[name]) == ([], None)


def test_tardis_messages_of_v2(shared_data: Path) -> None:
    history, trade, shares, unchecked, *tickers = tardis(shared_data, "map kraken v2 messages")
    assert read_trades(TRADES, history, "BTC/USD") == [], "the last trades are no flow"
    (bought,) = read_trades(TRADES, trade, "BTC/USD")
    assert (bought.side, bought.price, bought.identifier) == (layout.BUY, Decimal("100.1"), 123)
    assert VENUE.frame_key(shares) == b"book:AAPLx/USD"
    assert read_book(BOOK, shares, "AAPLx/USD").asks == [(Decimal("200.1"), Decimal("0.8"))]
    with pytest.raises(WireError, match="checksum"):  # a change that cannot be verified is refused
        read_book(BOOK, unchecked, "BTC/USD")
    assert [VENUE.slow_frame_key(frame) for frame in tickers] == ["ticker:BTC/USD", "ticker:ANETx/USD"]


def test_the_retired_v1_is_refused(shared_data: Path) -> None:
    """Version 1 sent arrays and events; a connection to it must not pass for one that works."""
    old = tardis(shared_data, "map kraken messages")
    rows = lines(shared_data / "cryptofeed-samples" / "kraken_v1.jsonl.gz")
    old += [str(row["raw"]).encode() for row in rows if row["k"] == "recv"]
    refused = Counter[str]()
    for frame in old:
        assert VENUE.frame_key(frame) is None
        assert VENUE.slow_frame_key(frame) is None
        with pytest.raises(FrameError) as error:
            VENUE.control(frame)
        refused[str(error.value).removeprefix("kraken_spot control: ").partition(":")[0]] += 1
    assert refused == {"the frame is not an object": 4313, "unknown frame": 125}


# -- what we say and hear
def test_a_subscription_is_about_one_channel_and_many_pairs() -> None:
    books, trades, pairs = VENUE.connections(
        [*VENUE.parse_instruments(LISTING, listing(("XBT/USD", 1), ("XDG/USD", 7)))[0]]
    )
    assert orjson.loads(VENUE.subscribe(books.topics, 7)) == {
        "method": "subscribe",
        "params": {"channel": "book", "symbol": ["BTC/USD", "DOGE/USD"], "depth": 1000, "snapshot": True},
        "req_id": 7,
    }
    assert orjson.loads(VENUE.unsubscribe(books.topics[:1], 8)) == {
        "method": "unsubscribe",
        "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000},
        "req_id": 8,
    }
    assert orjson.loads(VENUE.subscribe(trades.topics, 9))["params"] == {
        "channel": "trade", "symbol": ["BTC/USD", "DOGE/USD"], "snapshot": True,
    }  # fmt: skip
    assert orjson.loads(VENUE.subscribe(pairs.topics, 1))["params"] == {"channel": "instrument", "snapshot": True}
    status = [each for each in pairs.topics if each.key == "status"]
    assert VENUE.subscribe(status, 2) == '{"method":"ping"}', "the status comes by itself"
    with pytest.raises(ValueError, match="several channels"):
        VENUE.subscribe([*books.topics, *trades.topics], 1)


def said(**members: object) -> bytes:
    return orjson.dumps({"method": "subscribe", "req_id": 4, **members})


def test_answers() -> None:
    result = {"channel": "book", "symbol": "BTC/USD", "depth": 1000}
    assert VENUE.control(said(result=result, success=True)) == [Acked(keys=("book:BTC/USD",))]
    left = said(method="unsubscribe", result=result, success=True)
    assert VENUE.control(left) == [Acked(keys=("book:BTC/USD",), unsubscribed=True)]
    unknown = said(success=False, error="Currency pair not supported BTC/XYZ", symbol="BTC/XYZ")
    keys = ("book:BTC/XYZ", "trade:BTC/XYZ")
    assert VENUE.control(unknown) == [Refused("Currency pair not supported BTC/XYZ", 4, keys)]
    assert VENUE.control(said(success=False, error="Book depth not supported")) == [
        Refused("Book depth not supported", 4)
    ]
    twice = said(success=False, error="Already subscribed", symbol="BTC/USD")
    assert VENUE.control(twice) == [Acked(keys=("book:BTC/USD", "trade:BTC/USD"))], "it lives"
    hurried = said(success=False, error="Exceeded msg rate")
    assert VENUE.control(hurried) == [Refused("Exceeded msg rate", 4, whole_batch=True)], "no topic is at fault"
    assert VENUE.control(b'{"error":"Exceeded msg rate"}') == [ErrorSaid("Exceeded msg rate")], "of no request"
    assert VENUE.control(b'{"channel":"heartbeat"}') == []


def test_states_of_the_engine_take_each_others_place() -> None:
    def status(state: str) -> VenueNotice:
        frame = orjson.dumps({"channel": "status", "type": "update", "data": [{"system": state, "api_version": "v2"}]})
        assert VENUE.slow_frame_key(frame) == "status"
        (notice,) = VENUE.parse(topic("status"), frame)
        assert isinstance(notice, VenueNotice)
        return notice

    halt, online = status("maintenance"), status("online")
    assert (halt.disruptive, halt.ends, halt.text) == (True, None, "Kraken spot is maintenance")
    assert (online.disruptive, online.key) == (False, halt.key)
    assert online.ends is not None
    assert status("something_new").disruptive


@pytest.mark.parametrize("state", ["maintenance", "cancel_only", "post_only", "online"])
def test_the_polled_state_of_the_engine_is_that_of_the_stream(state: str) -> None:
    """Nothing is matched unless the engine is online: a book of resting orders is no market then."""
    frame = orjson.dumps({"channel": "status", "type": "update", "data": [{"system": state, "api_version": "v2"}]})
    (told,) = VENUE.parse(topic("status"), frame)
    body = orjson.dumps({"error": [], "result": {"status": state, "timestamp": "2026-11-22T00:17:10Z"}})
    (polled,) = VENUE.parse_poll(POLL, body)
    assert isinstance(polled, VenueNotice)
    assert replace(polled, venue_time=0) == told
    assert polled.halts == polled.disruptive == (state != "online")


def test_announcements_end_when_they_are_not_repeated() -> None:
    body = orjson.dumps(
        {
            "error": [],
            "result": {
                "status": "online",
                "timestamp": "2026-11-22T00:17:10Z",
                "upcoming_maintenance": [{"phase": "imminent_5m"}],
                "emergency": [{"services": ["spot_trading"]}],
            },
        }
    )
    _, soon, now = VENUE.parse_poll(POLL, body)
    assert isinstance(soon, VenueNotice)
    assert isinstance(now, VenueNotice)
    assert (soon.disruptive, now.disruptive) == (False, True)
    assert soon.text == 'Kraken upcoming maintenance: {"phase":"imminent_5m"}'
    assert soon.venue_time == 1795306630_000_000_000
    assert soon.ends == soon.venue_time + 180_000_000_000


def test_halts_of_pairs() -> None:
    frame = (
        b'{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC","status":"enabled"}],"pairs":['
        b'{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","price_increment":0.1,"qty_increment":1e-08},'
        b'{"symbol":"EUR/USD","base":"EUR","quote":"USD","status":"cancel_only"},'
        b'{"symbol":"ETH/USD","base":"ETH","quote":"USD","status":"limit_only"}]}}'
    )
    assert VENUE.slow_frame_key(frame) == "instrument"
    assert VENUE.parse(topic("instrument"), frame) == [
        InstrumentChanged("BTC/USD", True, "online", 0),
        InstrumentChanged("EUR/USD", False, "cancel_only", 0),
        InstrumentChanged("ETH/USD", True, "limit_only", 0),
    ]


# -- listing and REST
def listing(*pairs: tuple[str, int], **others: object) -> bytes:
    rows = {
        name.replace("/", ""): {
            "wsname": name,
            "pair_decimals": decimals,
            "lot_decimals": 8,
            "status": "online",
            **others,
        }
        for name, decimals in pairs
    }
    return orjson.dumps({"error": [], "result": rows})


def test_names_of_the_listing_are_the_streams_own() -> None:
    found, _ = VENUE.parse_instruments(
        LISTING, listing(("XBT/USD", 1), ("ETH/XBT", 5), ("XDG/EUR", 7), ("USDT/USD", 5))
    )
    assert [(each.symbol, each.asset, each.quote) for each in found] == [
        ("BTC/USD", "BTC", "USD"),
        ("ETH/BTC", "ETH", "BTC"),
        ("DOGE/EUR", "DOGE", "EUR"),
        ("USDT/USD", "USDT", "USD"),
    ]
    assert all(each.contract_type == "spot" and each.trading for each in found)


def test_coins_that_kept_a_name_another_coin_has_elsewhere() -> None:
    pairs = ("LUNA/USD", 8), ("LUNA2/EUR", 4), ("UST/USD", 5), ("REP/USD", 3), ("REPV2/USD", 3)
    found, _ = VENUE.parse_instruments(LISTING, listing(*pairs))
    assert [(each.symbol, each.asset) for each in found] == [
        ("LUNA/USD", "LUNC"),
        ("LUNA2/EUR", "LUNA"),
        ("UST/USD", "USTC"),
        ("REP/USD", "REPV1"),
        ("REPV2/USD", "REP"),
    ]


def test_the_grid_has_the_digits_of_the_wire_however_coarse_the_tick() -> None:
    (pair,), _ = VENUE.parse_instruments(LISTING, listing(("ABC/USD", 3), tick_size="0.01"))
    assert pair.scale.price.decimals == 3, "the checksum is over 1.230, not 1.23"
    (halted,), _ = VENUE.parse_instruments(LISTING, listing(("ABC/USD", 3), status="cancel_only"))
    assert not halted.trading
    found, _ = VENUE.parse_instruments(LISTING, listing(("ABC/USD", 3), ("BAD/USD", -1), ("NOPAIR", 2)))
    assert [each.symbol for each in found] == ["ABC/USD"]


@pytest.mark.parametrize("said", ["EAPI:Rate limit exceeded", "EService:Unavailable", "EGeneral:Temporary lockout"])
def test_busy_means_later(said: str) -> None:
    with pytest.raises(RetryLater, match=said):
        VENUE.check_reply(LISTING, 200, {}, orjson.dumps({"error": [said]}))


def test_other_errors_are_errors() -> None:
    with pytest.raises(VenueError, match="Unknown asset pair"):
        VENUE.check_reply(LISTING, 200, {}, b'{"error":["EQuery:Unknown asset pair"]}')
    with pytest.raises(VenueError):
        VENUE.check_reply(LISTING, 200, {}, b'{"what":"ever"}')

"""Bybit spot by its page: the full book seeded over REST, u = 1, acks that repeat the operation; and every real frame of it there is."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from captured_books import CapturedBook, DictBook, bybit_rows
from hot_frames import Trade, read_book, read_trades
from venue_forms import nautilus_messages, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError
from monitor.facts import Channel, VenueNotice
from monitor.venues.base import Acked, Refused, RestRequest, Topic
from monitor.venues.bybit_spot import BybitSpot

VENUE = BybitSpot()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


# -- sockets
def test_topics_of_a_market() -> None:
    (plan,) = VENUE.connections(sample_instruments(VENUE, 1))
    assert plan.url == "wss://stream.bybit.com/v5/public/spot"
    assert [topic.key for topic in plan.topics] == ["orderbook.full.BTCUSDT", "publicTrade.BTCUSDT"]
    assert VENUE.limits.topics_per_frame == 10, "spot refuses an eleventh: args size >10"


@pytest.mark.parametrize(
    ("key", "channel", "window"),
    [
        ("orderbook.full.BTCUSDT", Channel.BOOK, None),
        ("orderbook.50.BTCUSDT", Channel.BOOK, 50),
        ("orderbook.200.BTCUSDT", Channel.BOOK, 200),
        ("orderbook.1000.BTCUSDT", Channel.BOOK, 1000),
        ("publicTrade.BTCUSDC", Channel.TRADES, None),
        ("orderbook.1.BTCUSDT", Channel.OTHER, None),
        ("orderbook.rpi.BTCUSDT", Channel.OTHER, None),
        ("tickers.BTCUSDT", Channel.OTHER, None),
    ],
)
def test_keys(key: str, channel: Channel, window: int | None) -> None:
    topic = known(key)
    assert (topic.channel, topic.window, topic.symbols) == (channel, window, (key.rpartition(".")[2],))
    # Windows are seeded by the stream and count; the full book waits for a snapshot over REST.
    assert (topic.policy is None) == (window is None)
    if topic.policy is not None:
        assert not topic.policy.sequence.seeded_by_rest


@pytest.mark.parametrize("key", ["allLiquidation.BTCUSDT", "orderbook.25.BTCUSDT", "orderbook.full.", "depth.BTCUSDT"])
def test_what_spot_does_not_have(key: str) -> None:
    assert VENUE.topic(key) is None


def test_an_ack_of_spot_repeats_the_operation_and_an_eleventh_topic_is_refused_whole() -> None:
    ack = b'{"success":true,"ret_msg":"subscribe","conn_id":"d9avrao7pl3bpiuoku0g-7tmms","req_id":"7","op":"subscribe"}'
    assert VENUE.control(ack) == [Acked(7)]
    said = b'{"success":false,"ret_msg":"args size >10","conn_id":"c","req_id":"8","op":"subscribe"}'
    assert VENUE.control(said) == [Refused("args size >10", 8)]


# -- the full book
def delta(u: int, *, bids: str = "", asks: str = "", seq: int = 0, kind: str = "delta") -> bytes:
    return (
        f'{{"topic":"orderbook.full.BTCUSDT","ts":1784103477732,"type":"{kind}","data":{{"s":"BTCUSDT","b":[{bids}],"a":[{asks}],'
        f'"u":{u},"seq":{seq or u * 7}}},"cts":1784103477730}}'
    ).encode()


def snapshot(u: int, *, bids: str, asks: str) -> bytes:
    return (
        f'{{"retCode":0,"retMsg":"OK","result":{{"s":"BTCUSDT","a":[{asks}],"b":[{bids}],"ts":1784103578352,"u":{u},'
        f'"seq":{u * 7},"cts":1784103578350}},"retExtInfo":{{}},"time":1784103579732}}'
    ).encode()


SEED = snapshot(
    439925, bids='["62998.1","0.396837"],["0.1","10"]', asks='["62998.2","0.198738"],["10000000000","0.0001"]'
)


def full_book() -> CapturedBook:
    return CapturedBook(VENUE, "orderbook.full.BTCUSDT", "0.1", "0.000001")


def test_a_frame_and_a_snapshot_of_the_page() -> None:
    grammar = known("orderbook.full.BTCUSDT").book
    assert grammar is not None
    frame = delta(278547, bids='["62998","2342.47"],["62997.9","0"]', seq=1501100579)
    book = read_book(grammar, frame, "BTCUSDT")
    assert (book.kind, book.bids) == (
        layout.KIND_DELTA,
        [(Decimal(62998), Decimal("2342.47")), (Decimal("62997.9"), Decimal(0))],
    )
    assert book.header == {
        layout.FIRST_ID: 278547,
        layout.LAST_ID: 278547,
        layout.CROSS_ID: 1501100579,
        layout.EVENT_TIME: 1784103477732 * NS,
        layout.ENGINE_TIME: 1784103477730 * NS,
    }
    assert VENUE.book.snapshot_grammar is not None
    seed = read_book(VENUE.book.snapshot_grammar, SEED, "BTCUSDT")
    assert (seed.kind, seed.header[layout.LAST_ID]) == (layout.KIND_SNAPSHOT, 439925)
    assert seed.header[layout.EVENT_TIME] == 1784103578352 * NS
    assert seed.asks[1] == (Decimal(10_000_000_000), Decimal("0.0001"))
    for wrong in (frame.replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'), delta(5, kind="snapshot")):
        with pytest.raises(WireError):
            read_book(grammar, wrong, "BTCUSDT")


def test_the_request_of_the_seed() -> None:
    market = sample_instruments(VENUE, 1)[0]
    url = "https://api.bybit.com/v5/market/full_orderbook?category=spot&symbol=BTCUSDT"
    assert VENUE.snapshot_request(market) == RestRequest("snapshot", url, 1, "BTCUSDT")


def test_frames_wait_for_the_snapshot_and_join_it_by_u() -> None:
    book = full_book()
    for u, bid in ((439924, "1"), (439925, "2"), (439926, "3"), (439927, "4")):
        assert book.take(delta(u, bids=f'["62998","{bid}"]')) in (Outcome.BUFFERED, Outcome.NEED_SNAPSHOT)
    assert not book.book.readable
    assert book.seed(SEED) is Outcome.REPLACED
    bids, asks = book.sides()
    assert bids[Decimal(62998)] == 4, "the frames after the snapshot's u, and only those, were applied"
    assert asks[Decimal("62998.2")] == Decimal("0.198738")
    assert book.take(delta(439928, bids='["62998","0"]', asks='["62999.5","0.5"]')) is Outcome.APPLIED
    bids, asks = book.sides()
    assert Decimal(62998) not in bids
    assert asks[Decimal("62999.5")] == Decimal("0.5"), "changes at any price are learned"
    assert book.take(delta(439928)) is Outcome.IGNORED
    assert book.take(delta(439927)) is Outcome.IGNORED
    assert book.book.readable


def test_a_hole_in_u_is_found_in_the_frame_that_shows_it() -> None:
    book = full_book()
    book.take(delta(439925))
    assert book.seed(SEED) is Outcome.HELD, "the page: equal `u` and equal `seq`, then go on"
    assert book.take(delta(439926)) is Outcome.APPLIED
    assert book.take(delta(439928)).needs_recovery
    assert not book.book.readable
    assert book.book.reason == "gap"


def test_a_snapshot_older_than_the_frames_kept_is_asked_again() -> None:
    book = full_book()
    book.take(delta(439927))
    assert book.seed(SEED) is Outcome.NEED_SNAPSHOT
    newer = snapshot(439927, bids='["62990","1"]', asks='["62991","1"]')
    assert book.seed(newer) in (Outcome.HELD, Outcome.REPLACED)
    assert book.take(delta(439928)) in (Outcome.APPLIED, Outcome.REPLACED)
    assert book.book.readable


def test_a_snapshot_from_before_a_restart_is_asked_again_although_its_u_fits() -> None:
    book = full_book()
    for u in range(2, 60):
        book.take(delta(u, seq=5000 + u))
    stale = snapshot(55, bids='["90.0","1"]', asks='["130.0","1"]')  # seq 385
    assert book.seed(stale) is Outcome.NEED_SNAPSHOT
    assert not book.book.readable


def test_u_of_one_starts_over_with_a_new_snapshot() -> None:
    book = full_book()
    book.take(delta(439925))
    book.seed(SEED)
    book.take(delta(439926))
    assert book.book.readable
    assert book.take(delta(1)).needs_recovery
    assert not book.book.readable
    assert book.take(delta(2, asks='["50001","1"]')) in (Outcome.BUFFERED, Outcome.NEED_SNAPSHOT)
    again = snapshot(1, bids='["50000","1"]', asks='["50002","1"]')
    assert book.seed(again) is Outcome.REPLACED
    assert book.book.readable
    bids, asks = book.sides()
    assert bids == {Decimal(50000): Decimal(1)} or max(bids) == 50000
    assert min(asks) == 50001


# -- what is listed
def spot_row(symbol: str, base: str, quote: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "baseCoin": base, "quoteCoin": quote, "innovation": "0", "status": "Trading", "marginTrading": "utaOnly",
        "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderAmt": "5"},
        "priceFilter": {"tickSize": "0.1"},
    } | changes  # fmt: skip


def test_the_listing_is_one_page_and_its_lot_is_the_base_precision() -> None:
    (request,) = VENUE.instrument_requests([])
    assert request.url.endswith("/v5/market/instruments-info?category=spot&limit=1000")
    rows = [
        spot_row("BTCUSDT", "BTC", "USDT"),
        spot_row("USDTEUR", "USDT", "EUR"),
        spot_row("ETHBTC", "ETH", "BTC", status="PreLaunch"),
    ]
    body = orjson.dumps({"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": rows}, "time": 1})
    found, more = VENUE.parse_instruments(request, body)
    assert more is None
    assert [(i.symbol, i.asset, i.quote, i.settle, i.contract_type, i.trading) for i in found] == [
        ("BTCUSDT", "BTC", "USDT", "USDT", "spot", True),
        ("USDTEUR", "USDT", "EUR", "EUR", "spot", True),
        ("ETHBTC", "ETH", "BTC", "BTC", "spot", False),
    ]
    assert (found[0].tick_size, found[0].lot_size, found[0].contract_size) == (
        Decimal("0.1"),
        Decimal("0.000001"),
        Decimal(1),
    )


# -- status
def status(**changes: object) -> bytes:
    row = {
        "id": "4d95b2a0", "title": "Spot upgrade", "state": "ongoing", "begin": "1751596902000", "end": "1751597011000",
        "href": "", "serviceTypes": [2, 3, 4, 5], "product": [1, 2], "uidSuffix": [], "maintainType": 1, "env": 1,
    }  # fmt: skip
    return orjson.dumps({"retCode": 0, "retMsg": "", "result": {"list": [row | changes]}, "time": 1751858399649})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("Spot upgrade (ongoing)", True)),
        ({"serviceTypes": [1]}, ("Spot upgrade (ongoing)", True)),
        ({"serviceTypes": [2, 4]}, ("Spot upgrade (ongoing)", False)),  # orders and accounts only
        ({"state": "completed"}, ("Spot upgrade (completed)", False)),
        ({"state": "scheduled", "end": ""}, ("Spot upgrade (scheduled)", True)),
        ({"product": [1]}, None),  # futures
        ({"env": 2}, None),  # the demo
        ({"env": "1", "product": []}, ("Spot upgrade (ongoing)", True)),
    ],
)
def test_maintenance_of_spot(changes: dict[str, object], expected: tuple[str, bool] | None) -> None:
    (poll,) = VENUE.venue_polls([])
    assert poll.request.url == "https://api.bybit.com/v5/system/status"
    found = VENUE.parse_poll(poll.request, status(**changes))
    if expected is None:
        assert found == []
        return
    ends = None if changes.get("end") == "" else 1751597011000 * NS
    assert found == [VenueNotice(*expected, 1751596902000 * NS, ends, 1751858399649 * NS, key="4d95b2a0")]
    frame = orjson.dumps(
        {"topic": "system.status", "ts": 1751858399649, "data": orjson.loads(status(**changes))["result"]["list"]}
    )
    assert VENUE.parse(known("system.status"), frame) == found


# -- every real frame
def test_tickvault_2026_08_24_each_frame_into_a_live_book(shared_data: Path) -> None:
    path = shared_data / "tickvault-fixtures-2026-08-24" / "bybit_v5_spot_orderbook50.jsonl"
    ack, *frames = path.read_bytes().splitlines()
    assert VENUE.control(ack) == [Acked()]  # asked without a req_id: nothing to match it with
    assert len(frames) == 9
    book, plain = CapturedBook(VENUE, "orderbook.50.BTCUSDT", "0.1", "0.000001"), DictBook()
    for frame in frames:
        assert VENUE.frame_key(frame) == b"orderbook.50.BTCUSDT"
        book.take(frame)
        plain.take(*bybit_rows(frame))
        assert book.book.readable
        assert book.sides() == plain.sides
        assert (len(plain.bids), len(plain.asks)) == (50, 50)
    assert book.outcomes == {"REPLACED": 1, "APPLIED": 8}, "no gap, and none handed to the plain path"
    assert (max(plain.bids), min(plain.asks)) == (Decimal("78715"), Decimal("78715.1"))
    # The same frames with one missing.
    torn = CapturedBook(VENUE, "orderbook.50.BTCUSDT", "0.1", "0.000001")
    taken = [torn.take(frame) for frame in frames[:4] + frames[5:]]
    assert taken[4].needs_recovery
    assert not torn.book.readable


def test_tardis_spot_messages_of_2023(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map bybit spot messages")
    keys = [VENUE.slow_frame_key(message) for message in messages]
    current = [message for message, key in zip(messages, keys, strict=True) if key and VENUE.topic(key)]
    channels = [known(VENUE.slow_frame_key(message) or "").channel for message in current]
    assert [str(channel) for channel in channels] == ["trades", "trades", "other", "other", "book", "book"]
    assert len(messages) == 11
    for message, key in zip(messages, keys, strict=True):  # the other five are of the retired spot protocols
        if message not in current:
            assert key is None or VENUE.topic(key) is None
    grammar = known("publicTrade.BTCUSDT").trades
    assert grammar is not None
    trades = read_trades(grammar, current[0], "BTCUSDT")
    assert trades[0] == Trade(Decimal("28165.38"), Decimal("0.041732"), layout.SELL, 1680652847524 * NS, 0, True)
    assert {trade.side for trade in trades} == {layout.SELL}
    (single,) = read_trades(grammar, current[1], "BTCUSDC")
    assert (single.side, single.size) == (layout.BUY, Decimal("0.00433"))
    book = CapturedBook(VENUE, "orderbook.50.BTCUSDT", "0.01", "0.000001")
    assert [book.take(frame) for frame in current[4:]] == [Outcome.REPLACED, Outcome.APPLIED]
    headers = [read_book(book.grammar, frame, "BTCUSDT").header[layout.LAST_ID] for frame in current[4:]]
    assert all(after == before + 1 for before, after in pairwise(headers))


def test_nautilus_listings_of_spot(shared_data: Path) -> None:
    bybit = nautilus_messages(shared_data, "bybit")
    (request,) = VENUE.instrument_requests([])
    listed, more = VENUE.parse_instruments(request, bybit["http_get_instruments_spot.json"])
    assert more is None
    assert [(i.symbol, i.tick_size, i.lot_size, i.settle, i.trading) for i in listed] == [
        ("BTCUSDT", Decimal("0.1"), Decimal("0.0001"), "USDT", True),
        ("ETHUSDT", Decimal("0.01"), Decimal("0.00001"), "USDT", True),
    ]
    (stock,), _ = VENUE.parse_instruments(request, bybit["http_get_instruments_spot_xstocks.json"])
    assert (stock.symbol, stock.asset) == ("AAPLUSDT", "AAPL")
    with pytest.raises(FrameError, match="basePrecision is missing"):  # linear rows are of another listing
        VENUE.parse_instruments(request, bybit["http_get_instruments_linear.json"])

"""Bitget USDT perpetuals by its page: sides, units, the link of its ids; and every real frame there is."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from captured_books import CapturedBook
from hot_frames import read_book, read_trades
from venue_forms import FORMS, lines, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    InstrumentChanged,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    Unread,
)
from monitor.venues.base import Acked, ErrorSaid, Refused, Topic
from monitor.venues.bitget_usdt import BitgetUsdt

VENUE = BitgetUsdt()
GOOD = dict(FORMS["bitget_usdt"].GOOD)
MS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def book(action: str, seq: int, pseq: int, bids: object = (), asks: object = ()) -> bytes:
    arg = {"instType": "usdt-futures", "topic": "books", "symbol": "BTCUSDT"}
    data = {"a": asks, "b": bids, "seq": seq, "pseq": pseq, "ts": "1789456512452", "maxdepth": "1000"}
    return orjson.dumps({"action": action, "arg": arg, "data": [data], "ts": 1789456512454})


# -- liquidations
@pytest.mark.parametrize(("side", "position"), [("buy", "long"), ("sell", "short")])
def test_the_side_is_the_positions_and_the_amount_is_in_dollars(side: str, position: str) -> None:
    """`buy` is a long that was liquidated; 40,000 USDT at 80,000 are half a coin."""
    frame = GOOD["liquidation"].replace(b'"side":"buy"', f'"side":"{side}"'.encode())
    assert VENUE.parse(known("liquidation"), frame) == [
        Liquidation(
            symbol="BTCUSDT",
            position=position,  # type: ignore[arg-type]
            quantity=Decimal("0.5"),
            price=Decimal(80000),
            price_kind="bankruptcy",
            venue_time=1_789_456_512_162 * MS,
            coverage="sampled",
        )
    ]


def test_one_push_may_hold_several_markets() -> None:
    message = orjson.loads(GOOD["liquidation"])
    message["data"].append({**message["data"][0], "symbol": "ETHUSDT", "side": "sell"})
    found = VENUE.parse(known("liquidation"), orjson.dumps(message))
    assert [(fact.symbol, fact.position) for fact in found if isinstance(fact, Liquidation)] == [
        ("BTCUSDT", "long"),
        ("ETHUSDT", "short"),
    ]


def test_an_odd_row_costs_the_others_nothing() -> None:
    message = orjson.loads(GOOD["liquidation"])
    message["data"].append({**message["data"][0], "amount": "0"})
    print_, unread = VENUE.parse(known("liquidation"), orjson.dumps(message))
    assert isinstance(print_, Liquidation)
    assert unread == Unread("bitget_usdt liquidations: amount is not positive: '0'", 1)


def test_what_is_pushed_first_is_of_the_past() -> None:
    assert VENUE.parse(known("liquidation"), GOOD["liquidation"].replace(b'"update"', b'"snapshot"')) == []


# -- ticker
def test_a_ticker_tells_four_figures() -> None:
    at = 1_789_456_512_454 * MS
    assert VENUE.parse(known("ticker:BTCUSDT"), GOOD["ticker:BTCUSDT"]) == [
        MarkPrice("BTCUSDT", Decimal("77231.5"), at),
        IndexPrice("BTCUSDT", Decimal(77250), at),
        Funding("BTCUSDT", Decimal("0.0001"), 1_789_459_200_000 * MS, None, at),
        OpenInterest("BTCUSDT", Decimal("30123.5"), None, at),
    ]


def test_noughts_of_a_new_market_are_no_prices() -> None:
    message = orjson.loads(GOOD["ticker:BTCUSDT"])
    message["data"][0] |= {"markPrice": "0", "indexPrice": "0", "nextFundingTime": "0"}
    at = 1_789_456_512_454 * MS
    assert VENUE.parse(known("ticker:BTCUSDT"), orjson.dumps(message)) == [
        Funding("BTCUSDT", Decimal("0.0001"), None, None, at),
        OpenInterest("BTCUSDT", Decimal("30123.5"), None, at),
    ]


def test_a_ticker_of_another_market_is_refused() -> None:
    with pytest.raises(FrameError, match="ETHUSDT"):
        VENUE.parse(known("ticker:ETHUSDT"), GOOD["ticker:BTCUSDT"])


# -- trades
def test_history_is_no_flow_and_the_side_is_the_takers() -> None:
    trades = known("publicTrade:BTCUSDT").trades
    assert trades is not None
    (print_,) = read_trades(trades, GOOD["publicTrade:BTCUSDT"], "BTCUSDT")
    assert (print_.price, print_.size, print_.side) == (Decimal("77230.1"), Decimal("0.0118"), layout.BUY)
    assert print_.identifier == 1260903622036942849
    assert read_trades(trades, GOOD["publicTrade:BTCUSDT"].replace(b'"update"', b'"snapshot"'), "BTCUSDT") == []


# -- book
def test_pseq_must_be_the_seq_before() -> None:
    live = CapturedBook(VENUE, "books:BTCUSDT", "0.1", "0.0001")
    assert live.take(book("snapshot", 100, 0, [["77230.1", "1"]], [["77230.2", "2"]])) is Outcome.REPLACED
    assert live.take(book("update", 140, 100, [["77230", "3"]])) is Outcome.APPLIED
    assert live.take(book("update", 180, 150)) is Outcome.GAP


def test_the_first_update_may_reach_back_behind_the_snapshot() -> None:
    """The page's wording for the first one: pseq <= the snapshot's seq <= seq."""
    live = CapturedBook(VENUE, "books:BTCUSDT", "0.1", "0.0001")
    live.take(book("snapshot", 100, 0, [["77230.1", "1"]], [["77230.2", "2"]]))
    assert live.take(book("update", 120, 90, [["77230", "3"]])) is Outcome.APPLIED
    assert live.take(book("update", 130, 110)) is Outcome.GAP


def test_an_update_that_links_to_nothing_is_a_reset_by_the_server() -> None:
    live = CapturedBook(VENUE, "books:BTCUSDT", "0.1", "0.0001")
    live.take(book("snapshot", 100, 0, [["77230.1", "1"]], [["77230.2", "2"]]))
    assert live.take(book("update", 140, 0, [["77230", "3"]])) is Outcome.GAP


def test_ids_beyond_a_double_stay_exact() -> None:
    live = CapturedBook(VENUE, "books:BTCUSDT", "0.1", "0.0001")
    big = 2**53 + 1
    live.take(book("snapshot", big, 0, [["77230.1", "1"]], [["77230.2", "2"]]))
    assert live.take(book("update", big + 2, big)) is Outcome.APPLIED
    assert live.book.last_id == big + 2


# -- listing, tiers
def test_the_listing_is_of_perpetuals_and_a_lot_is_the_multiplier() -> None:
    message = orjson.loads(GOOD["rest:instruments"])
    row = message["data"][0]
    message["data"] += [
        {**row, "symbol": "BTCUSDTH27", "type": "delivery"},
        {**row, "symbol": "1000PEPEUSDT", "baseCoin": "1000PEPE", "status": "offline"},
    ]
    (request,) = VENUE.instrument_requests([])
    assert request.url == "https://api.bitget.com/api/v3/market/instruments?category=USDT-FUTURES"
    (btc, pepe), following = VENUE.parse_instruments(request, orjson.dumps(message))
    assert following is None
    assert (btc.tick_size, btc.lot_size, btc.contract_size) == (Decimal("0.1"), Decimal("0.0001"), Decimal(1))
    assert (btc.asset, btc.quote, btc.trading, btc.funding_interval_seconds) == ("BTC", "USDT", True, 28_800)
    assert (pepe.asset, pepe.unit_multiplier, pepe.trading, pepe.status) == ("PEPE", 1000, False, "offline")


def test_tiers_are_values_in_quote_and_hold_for_the_whole_position() -> None:
    (poll,) = VENUE.polls(sample_instruments(VENUE, 1)[0])
    assert poll.request.url.endswith("/position-tier?category=USDT-FUTURES&symbol=BTCUSDT")
    assert VENUE.parse_poll(poll.request, GOOD["rest:poll"]) == [
        MarginTiers(
            "BTCUSDT",
            (MarginTier(Decimal(0), Decimal(150000), Decimal("0.004"), Decimal(125)),),
            "quote",
            whole=True,
            venue_time=1_789_456_512_162 * MS,
        )
    ]


def test_a_halted_market_is_noticed_without_a_channel_for_it() -> None:
    (poll,) = VENUE.venue_polls([])
    for status, trades in {
        "online": True,
        "limit_open": True,  # orders are restricted, the book lives
        "limit_close": True,
        "listed": False,
        "offline": False,
        "restrictedAPI": False,
    }.items():
        body = GOOD["rest:instruments"].replace(b'"online"', f'"{status}"'.encode())
        assert VENUE.parse_poll(poll.request, body) == [
            InstrumentChanged("BTCUSDT", trades, status, 1_789_456_512_162 * MS)
        ]


# -- control
def test_answers() -> None:
    ack = b'{"event":"subscribe","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"},"connId":"1"}'
    assert VENUE.control(ack) == [Acked(keys=("books:BTCUSDT",))]
    (refused,) = VENUE.control(FORMS["bitget_usdt"].REFUSAL)
    assert isinstance(refused, Refused)
    assert refused.keys == ("books:NOPEUSDT",)
    assert VENUE.control(b'{"event":"error","code":30006,"msg":"request too many","connId":"1"}') == [
        ErrorSaid("30006 request too many")
    ]


def test_a_market_that_is_not_ascii_is_subscribed_and_only_its_tiers_are_unknown() -> None:
    symbol = "牛来USDT"
    assert re.fullmatch(VENUE.symbol_pattern, symbol)
    topic = known(f"books:{symbol}")
    assert symbol in VENUE.subscribe([topic], 1)
    frame = GOOD["books:BTCUSDT"].replace(b"BTCUSDT", symbol.encode())
    assert VENUE.frame_key(frame) == topic.key.encode()
    (market,) = sample_instruments(VENUE, 1)
    assert VENUE.polls(type(market)(**{**{f: getattr(market, f) for f in market.__slots__}, "symbol": symbol})) == []  # type: ignore[attr-defined]


def test_subscribe_frames_stay_under_the_venues_bytes_and_never_hold_many_books() -> None:
    for plan in VENUE.connections(sample_instruments(VENUE, 300)):
        for at in range(0, len(plan.topics), VENUE.limits.topics_per_frame):
            batch = plan.topics[at : at + VENUE.limits.topics_per_frame]
            assert len(orjson.dumps(orjson.loads(VENUE.subscribe(batch, 1))["args"])) <= 4096
            assert sum(topic.channel is Channel.BOOK for topic in batch) <= 10


# -- real frames
def test_every_v3_message_of_tardis_is_read_once_it_is_of_this_family(shared_data: Path) -> None:
    """They are of spot: as they stand they are another family's, and refused. With the family changed their form is ours."""
    found = Counter[str]()
    for frame in tardis_messages(shared_data, "map bitget v3 messages"):
        assert VENUE.frame_key(frame) is None
        assert VENUE.slow_frame_key(frame) is None
        with pytest.raises(FrameError, match="unknown frame"):
            VENUE.control(frame)
        ours = frame.replace(b'"instType":"spot"', b'"instType":"usdt-futures"')
        key = VENUE.frame_key(ours)
        assert key is not None
        assert key.decode() == VENUE.slow_frame_key(ours)
        topic = known(key.decode())
        action = orjson.loads(ours)["action"]
        found[f"{topic.channel} {action}"] += 1
        if topic.book is not None:
            read = read_book(topic.book, ours, "BTCUSDT")
            row = orjson.loads(ours)["data"][0]
            assert read.header[layout.LAST_ID] == row["seq"]
            assert read.header[layout.PREVIOUS_ID] == row["pseq"]
            assert read.bids == [(Decimal(p), Decimal(s)) for p, s in row["b"]]
            assert read.kind == (layout.KIND_SNAPSHOT if action == "snapshot" else layout.KIND_DELTA)
        elif topic.trades is not None:
            prints = read_trades(topic.trades, ours, "BTCUSDT")
            assert [(p.price, p.side) for p in prints] == (
                [(Decimal("76671.22"), layout.SELL)] if action == "update" else []
            )
        else:
            assert VENUE.parse(topic, ours) == []
    assert found == {
        "trades update": 1, "trades snapshot": 1, "book snapshot": 1, "book update": 1, "other snapshot": 1,
    }  # fmt: skip


@pytest.mark.parametrize("test", ["map bitget messages", "map bitget-futures messages"])
def test_messages_of_the_classic_protocol_are_refused(shared_data: Path, test: str) -> None:
    """v2 names its channels otherwise (`channel`, `instId`); its acks are not ours either."""
    for frame in tardis_messages(shared_data, test):
        assert VENUE.frame_key(frame) is None
        assert VENUE.slow_frame_key(frame) is None or VENUE.topic(VENUE.slow_frame_key(frame) or "") is None


def test_the_capture_of_the_v1_protocol_is_refused_line_by_line(shared_data: Path) -> None:
    """Spot of 2022, with a CRC that is gone from today's protocol."""
    refused = 0
    for line in lines(shared_data / "cryptofeed-samples" / "bitget_v1_spot.jsonl.gz"):
        if line["k"] != "recv":
            continue
        frame = str(line["raw"]).encode()
        if frame == b"pong":
            continue
        assert VENUE.frame_key(frame) is None
        key = VENUE.slow_frame_key(frame)
        assert key is None or VENUE.topic(key) is None
        refused += 1
    assert refused > 600


def test_the_depth_of_a_market_is_what_its_frames_say() -> None:
    """Many markets have 200 or 500 levels: a full side of 200 is not all there is."""
    live = CapturedBook(VENUE, "books:BTCUSDT", "0.1", "0.0001")
    bids = [[f"{100 - n / 10:.1f}", "1"] for n in range(200)]
    asks = [[f"{100.1 + n / 10:.1f}", "1"] for n in range(150)]
    live.take(book("snapshot", 100, 0, bids, asks).replace(b'"maxdepth":"1000"', b'"maxdepth":"200"'))
    assert live.book.reach("bid") == pytest.approx(0.2, abs=0.001), "up to the last level it holds"
    assert (live.book.reach("ask") or 0) > 1, "fewer than the market keeps: that is all of them"

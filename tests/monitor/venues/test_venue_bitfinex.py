"""Bitfinex: real frames and what they must come to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import orjson
import pytest
from bitfinex_capture import Capture
from hot_frames import Book, read_book, read_trades
from venue_forms import lines

from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.facts import (
    Channel,
    Fact,
    Funding,
    Instrument,
    Liquidation,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    Unread,
    VenueNotice,
)
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.prints import Prints
from monitor.venues.base import Acked, ConnectionPlan, ErrorSaid, Pong, Refused, RestRequest, ShutdownAnnounced, Topic
from monitor.venues.bitfinex import BEAT, BOOK, CHECKSUM, SNAPSHOT, TRADES, Bitfinex

VENUE = Bitfinex()
PERPETUAL, PAIR = "tBTCF0:USTF0", "tBTCUSD"
LISTING = VENUE.instrument_requests([])[0]
MS = 1_000_000


def topic_of(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None
    return topic


def book_of(frame: bytes) -> Book:
    """Read by the one of the book's forms that the frame has."""
    assert BOOK.alternates == (CHECKSUM, BEAT, SNAPSHOT)
    body = orjson.loads(frame)[1]
    special = {"cs": CHECKSUM, "hb": BEAT}.get(body) if isinstance(body, str) else None
    return read_book(special or (SNAPSHOT if isinstance(body[0], list) else BOOK), frame, PAIR)


def tardis_messages(shared_data: Path, test: str) -> list[bytes]:
    rows = lines(shared_data / "tardis-node-messages" / "messages.jsonl.gz")
    return [orjson.dumps(row["msg"]) for row in rows if row["test"] == test]


def facts_of(key: str, frame: bytes) -> list[Fact]:
    return VENUE.parse(topic_of(key), frame)


# -- listing
def ticker(symbol: str, price: float, low: float) -> list[object]:
    return [symbol, price, 1, price, 1, 0, 0, price, 100, price, low]


def listed(*rows: list[object]) -> dict[str, Instrument]:
    found, following = VENUE.parse_instruments(LISTING, orjson.dumps(rows))
    assert following is None
    return {market.symbol: market for market in found}


@pytest.mark.parametrize(
    ("symbol", "asset", "multiplier", "quote", "kind"),
    [
        ("tBTCF0:USTF0", "BTC", 1, "USDT", "linear"),
        ("tETHF0:BTCF0", "ETH", 1, "BTC", "linear"),
        ("tBVIVF0:USTF0", "BVIV", 1, "USDT", "linear"),
        ("tBTCUSD", "BTC", 1, "USD", "spot"),
        ("tBTCUST", "BTC", 1, "USDT", "spot"),
        ("tUSTUSD", "USDT", 1, "USD", "spot"),
        ("tUDCUSD", "USDC", 1, "USD", "spot"),
        ("tDOGE:USD", "DOGE", 1, "USD", "spot"),
        ("tIOTETH", "IOTA", 1, "ETH", "spot"),
        ("tALGF0:USTF0", "ALGO", 1, "USDT", "linear"),
        ("t1INCH:USD", "1INCH", 1, "USD", "spot"),
        ("t1000PEPEF0:USTF0", "PEPE", 1000, "USDT", "linear"),
    ],
)
def test_names_are_the_usual_ones(symbol: str, asset: str, multiplier: int, quote: str, kind: str) -> None:
    market = listed(ticker(symbol, 2.5, 2.4))[symbol]
    assert (market.asset, market.unit_multiplier, market.quote, market.settle) == (asset, multiplier, quote, quote)
    assert market.contract_type == kind
    assert market.contract_size == 1
    assert market.funding_interval_seconds == (28_800 if kind == "linear" else None)
    assert market.trading


@pytest.mark.parametrize(
    ("price", "low", "tick"),
    [(86704, 85900, "0.1"), (100100, 99990, "0.1"), (2100.5, 2050, "0.01"), (0.9995, 0.9989, "0.000001"), (4.12e-06, 4e-06, "1E-11")],
)  # fmt: skip
def test_the_grid_is_one_decimal_finer_than_the_lowest_price_of_the_day(price: float, low: float, tick: str) -> None:
    market = listed(ticker(PERPETUAL, price, low))[PERPETUAL]
    assert (market.tick_size, market.lot_size) == (Decimal(tick), Decimal("0.00000001"))


def test_currencies_to_lend_paper_markets_and_markets_without_a_price_are_left_out() -> None:
    lent = ["fUSD", 0.0001, 0.0002, 30, 1, 0.0003, 2, 1, 0, 0, 0.0002, 1, 0.0003, 0.0001, None, None, 1]
    rows = (lent, ticker("tTESTBTCF0:TESTUSDTF0", 60400, 60000), ticker("tNEWUSD", 0, 0), ticker(PAIR, 86000, 85000))
    assert list(listed(*rows)) == [PAIR]


# -- books
def test_one_level_a_frame_and_the_whole_book_at_first() -> None:
    whole = book_of(b"[759362,[[86704,1,0.03460649],[86701,2,0.07296393],[86719,2,-0.03483509]],1]")
    assert (whole.kind, whole.header[layout.LAST_ID]) == (layout.KIND_SNAPSHOT, 1)
    assert whole.bids == [(Decimal(86704), Decimal("0.03460649")), (Decimal(86701), Decimal("0.07296393"))]
    assert whole.asks == [(Decimal(86719), Decimal("0.03483509"))]
    change = book_of(b"[759362,[86719,2,-0.03483509],2]")
    assert (change.kind, change.bids, change.asks) == (layout.KIND_DELTA, [], [(Decimal(86719), Decimal("0.03483509"))])


def test_without_orders_a_level_is_gone_and_its_size_only_tells_the_side() -> None:
    bid, ask = (book_of(b"[288922,[86644,0,%d],3]" % side) for side in (1, -1))
    assert (bid.bids, bid.asks) == ([(Decimal(86644), Decimal(0))], [])
    assert (ask.bids, ask.asks) == ([], [(Decimal(86644), Decimal(0))])


def test_a_checksum_and_a_heartbeat_hold_no_levels() -> None:
    found = book_of(b'[759362,"cs",-1330055495,4]')
    assert (found.bids, found.asks, found.header[layout.CHECKSUM]) == ([], [], -1330055495)
    beat = book_of(b'[765277,"hb",5]')
    assert (beat.bids, beat.asks) == ([], [])


@pytest.mark.parametrize(
    "frame",
    [b"[759362,[86719,2,-0.03483509]]", b'[759362,"cs",1330055495]', b"[759362,[[86704,1,0.1],[86719,2,-0.1]]]"],
)
def test_a_frame_of_a_book_without_a_number_is_refused(frame: bytes) -> None:
    """The flags were not taken: nothing would show what is missing."""
    with pytest.raises(WireError):
        book_of(frame)


def test_coarse_books_are_layers_of_four_and_three_figures() -> None:
    keys = [
        topic.key
        for plan in VENUE.connections(list(listed(ticker(PERPETUAL, 86704, 86000)).values()))
        for topic in plan.topics
    ]
    assert keys == [
        "status:liq:global", f"book:P0:250:{PERPETUAL}", f"book:P1:250:{PERPETUAL}", f"book:P2:250:{PERPETUAL}",
        f"trades:{PERPETUAL}", f"status:deriv:{PERPETUAL}",
    ]  # fmt: skip
    assert [topic_of(key).significant_figures for key in keys[1:4]] == [None, 4, 3]
    assert topic_of(f"book:P0:100:{PERPETUAL}").window == 100
    for unknown in (
        f"book:R0:250:{PERPETUAL}",
        f"book:P0:250:{PERPETUAL}:",
        "book:P0:30:tBTCUSD",
        "943592",
        "status:deriv:",
        "fUSD",
    ):
        assert VENUE.topic(unknown) is None or unknown.endswith(":")


def test_a_subscription_is_one_frame_with_all_it_wants() -> None:
    (greeting,) = VENUE.greeting(ConnectionPlan("all-1", "wss://x", ()))
    assert greeting == '{"event":"conf","flags":196608}'
    asked = [
        VENUE.subscribe([topic_of(key)], 1)
        for key in (f"book:P1:250:{PERPETUAL}", f"trades:{PAIR}", "status:liq:global")
    ]
    assert asked == [
        '{"event":"subscribe","channel":"book","symbol":"tBTCF0:USTF0","prec":"P1","freq":"F0","len":"250"}',
        '{"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}',
        '{"event":"subscribe","channel":"status","key":"liq:global"}',
    ]
    left = replace(topic_of(f"trades:{PAIR}"), alias="943592")
    assert VENUE.unsubscribe([left], 2) == '{"event":"unsubscribe","chanId":943592}'


# -- trades
def test_a_trade_counts_when_it_is_executed_and_not_again_when_it_is_confirmed() -> None:
    (sold,) = read_trades(TRADES, b'[17470,"te",[401597395,1574694478808,-0.005,7245.3],5]', PAIR)
    assert (sold.price, sold.size, sold.side, sold.identifier) == (Decimal("7245.3"), Decimal("0.005"), -1, 401597395)
    assert sold.time == 1574694478808 * MS
    for quiet in (
        b'[17470,"tu",[401597395,1574694478808,0.005,7245.3],6]',
        b'[17470,"hb",7]',
        b"[17470,[[401597395,1574694478808,1,7245.3]],1]",
    ):
        assert read_trades(TRADES, quiet, PAIR) == []


# -- numbers and names of a connection
@pytest.mark.parametrize(
    ("frame", "number"),
    [
        (b"[288922,[86644,0,1],3]", 3),
        (b'[765277,"hb",18]', 18),
        (b'[759362,"cs",-1330055495,17]', 17),
        (b"[759362,[[86704,1,0.1],[86719,2,-0.1]],1]", 1),
        (b"[288922,[86644,0,1]]", None),
        (b"[17470,[],2]", 2),
        (b'{"event":"pong","ts":1511545528111,"cid":1}', None),
        (b"[1,", None),
        (b"", None),
    ],
)
def test_the_last_element_of_an_array_is_its_number(frame: bytes, number: int | None) -> None:
    assert VENUE.connection_sequence(frame) == number


def test_a_channel_s_number_stands_for_its_topic_until_it_is_left() -> None:
    topic = topic_of(f"trades:{PAIR}")
    session = ConnectionSession(VENUE, 0, ConnectionPlan("all-1", "wss://x", (topic,)), 0, 1)
    assert session.start(0) == [
        '{"event":"conf","flags":196608}',
        '{"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}',
    ]
    frame = b'[17470,"te",[401597395,1574694478808,0.005,7245.3],%d]'
    assert session.route(b'[17470,"hb",1]', 1) is None, "heartbeats are known to come before the name"
    assert (
        session.route(b'{"event":"subscribed","channel":"trades","chanId":17470,"symbol":"tBTCUSD","pair":"BTCUSD"}', 2)
        is None
    )
    assert session.route(frame % 2, 3) == topic
    session.resubscribe(topic, 4)
    assert [action.text for action in session.drain(4 * 10**9)] == ['{"event":"unsubscribe","chanId":17470}']  # type: ignore[union-attr]
    assert session.route(b'{"event":"unsubscribed","status":"OK","chanId":17470}', 5 * 10**9) is None
    assert session.route(frame % 3, 6 * 10**9) is None
    assert session.unknown_keys == 2


def test_a_jump_of_the_numbers_breaks_the_connection_and_old_ones_are_dropped() -> None:
    topic = topic_of(f"trades:{PAIR}")
    session = ConnectionSession(VENUE, 0, ConnectionPlan("all-1", "wss://x", (topic,)), 0, 1)
    session.route(b'{"event":"subscribed","channel":"trades","chanId":17470,"symbol":"tBTCUSD"}', 1)
    beats = [session.route(b'[17470,"hb",%d]' % number, 2) for number in (7, 8, 8, 7, 9, 11, 12)]
    assert beats == [topic, topic, None, None, topic, None, None]
    assert (session.broken, session.old_frames) == (True, 2)


# -- control frames
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b'{"event":"info","version":2,"serverId":"fb5877a3"}', []),
        (b'{"event":"conf","status":"OK","flags":196608}', []),
        (b'{"event":"conf","status":"FAILED"}', [ErrorSaid('flags refused: {"event":"conf","status":"FAILED"}')]),
        (b'{"event":"pong","ts":1511545528111,"cid":1234}', [Pong()]),
        (b'{"event":"info","code":20051,"msg":"Stopping"}', [ShutdownAnnounced("20051 Stopping")]),
        (b'{"event":"info","code":20061,"msg":"Resume"}', [ShutdownAnnounced("20061 Resume")]),
        (
            b'{"event":"subscribed","channel":"book","chanId":943592,"symbol":"tBTCF0:USTF0","prec":"P0","freq":"F0","len":"250","pair":"BTCF0:USTF0"}',
            [Acked(keys=("book:P0:250:tBTCF0:USTF0",), alias="943592")],
        ),
        (
            b'{"event":"subscribed","channel":"book","chanId":943592,"symbol":"tBTCF0:USTF0","prec":"P1","freq":"F0","len":"25","pair":"BTCF0:USTF0"}',
            [Acked(keys=("book:P1:25:tBTCF0:USTF0", "book:P1:250:tBTCF0:USTF0"), alias="943592")],
        ),
        (b'{"event":"subscribed","channel":"status","chanId":91684,"key":"liq:global"}', [Acked(keys=("status:liq:global",), alias="91684")]),
        (b'{"event":"unsubscribed","status":"OK","chanId":943592}', [Acked(unsubscribed=True, alias="943592")]),
        (b'{"event":"error","msg":"unsubscribe: invalid","code":10400,"chanId":7}', [Acked(unsubscribed=True, alias="7")]),
        (
            b'{"channel":"trades","symbol":"tNOPE","event":"error","msg":"symbol: invalid","code":10300,"pair":"NOPE"}',
            [Refused("10300 symbol: invalid", None, ("trades:tNOPE",))],
        ),
        (
            b'{"channel":"status","key":"deriv:tBTCF0:USTF0","event":"error","msg":"subscribe: limit","code":10305}',
            [Refused("10305 subscribe: limit", None, ("status:deriv:tBTCF0:USTF0",))],
        ),
        (b'{"channel":"trades","symbol":"tBTCUSD","event":"error","msg":"subscribe: dup","code":10301}', [ShutdownAnnounced("10301 subscribe: dup")]),
        (b'{"event":"error","msg":"unknown event","code":10000}', [ErrorSaid("10000 unknown event")]),
    ],
)  # fmt: skip
def test_control_frames(frame: bytes, said: list[object]) -> None:
    assert VENUE.slow_frame_key(frame) is None
    assert VENUE.control(frame) == said


PAGE_ACK = b'{"event":"subscribed","channel":"book","chanId":943592,"symbol":"tBTCF0:USTF0","prec":"P0","freq":"F0","len":"25","pair":"BTCF0:USTF0"}'


def test_an_acknowledgement_that_tells_another_length_is_of_the_book_that_was_asked_for() -> None:
    asked = topic_of(f"book:P0:250:{PERPETUAL}")
    session = ConnectionSession(VENUE, 0, ConnectionPlan("all-1", "wss://x", (asked,)), 0, 1)
    session.start(0)
    assert session.route(PAGE_ACK, 1) is None
    assert session.phase(asked.key) is Phase.ACKED
    assert session.route(b"[943592,[[86704,1,0.03460649],[86719,2,-0.03483509]],1]", 2) == asked
    assert session.duplicate_acks == session.unknown_keys == 0


def test_a_refusal_that_tells_another_length_is_of_the_book_that_was_asked_for() -> None:
    asked = topic_of(f"book:P0:250:{PERPETUAL}")
    session = ConnectionSession(VENUE, 0, ConnectionPlan("all-1", "wss://x", (asked,)), 0, 1)
    session.start(0)
    session.route(
        b'{"channel":"book","symbol":"tBTCF0:USTF0","prec":"P0","len":"25","event":"error","msg":"symbol: invalid","code":10300}',
        1,
    )
    assert session.phase(asked.key) is Phase.REFUSED


@pytest.mark.parametrize(
    ("frame", "halts"),
    [
        (b'{"event":"info","version":2,"serverId":"fb5877a3","platform":{"status":1}}', False),
        (b'{"event":"info","version":2,"serverId":"fb5877a3","platform":{"status":0}}', True),
        (b'{"event":"info","code":20060,"msg":"Entering maintenance"}', True),
    ],
)
def test_maintenance_is_heard_on_the_socket_too_and_no_order_is_matched_in_it(frame: bytes, *, halts: bool) -> None:
    assert VENUE.slow_frame_key(frame) == "info"
    (notice,) = facts_of("info", frame)
    assert isinstance(notice, VenueNotice)
    assert (notice.halts, notice.disruptive, notice.ends is None) == (halts, halts, halts)
    platform = VENUE.venue_polls([])[0].request
    (polled,) = VENUE.parse_poll(platform, b"[1]")
    assert isinstance(polled, VenueNotice)
    assert notice.key == polled.key, "either one ends what the other began"


# -- facts
STATUS = (
    b"[759363,[1790133734000,null,86710.46123944,86670.5,null,62210384.95685668,null,1790150400000,0.00015317,3873,null,0,null,null,86676.3172,"
    b"null,null,8851.89352831,null,null,null,0.0005,0.0025],9]"
)


def test_a_contract_s_status() -> None:
    at = 1790133734000 * MS
    assert facts_of(f"status:deriv:{PERPETUAL}", STATUS) == [
        MarkPrice(PERPETUAL, Decimal("86676.3172"), at),
        Funding(PERPETUAL, Decimal(0), 1790150400000 * MS, 28_800, at),
        OpenInterest(PERPETUAL, Decimal("8851.89352831"), None, at),
    ]
    assert facts_of(f"status:deriv:{PERPETUAL}", b'[759363,"hb",9]') == []


def liquidation(**changes: object) -> bytes:
    row = {
        "kind": "pos",
        "id": 142397657,
        "at": 1574697680828,
        "4": None,
        "symbol": PERPETUAL,
        "amount": -2.62932,
        "entry": 91.58,
        "8": None,
    }
    row |= {"match": 0, "sold": 1, "11": None, "price": 112.27} | changes
    return orjson.dumps([91684, [list(row.values())], 7])


@pytest.mark.parametrize("match", [0, 1])
def test_a_row_is_of_its_position_whatever_it_says_of_itself(match: int) -> None:
    """Sources disagree on which IS_MATCH is the trigger; the page's own row has 1."""
    (short,) = facts_of("status:liq:global", liquidation(match=match))
    assert short == Liquidation(
        PERPETUAL, "short", Decimal("2.62932"), Decimal("112.27"), "order", 1574697680828 * MS, "complete",
        identifier="142397657",
    )  # fmt: skip
    (long,) = facts_of("status:liq:global", liquidation(amount=0.5, at=1574697680828.75))
    assert isinstance(long, Liquidation)
    assert (long.position, long.quantity, long.venue_time) == ("long", Decimal("0.5"), 1574697680828 * MS)


def test_of_the_rows_of_a_position_the_first_one_counts() -> None:
    prints = Prints()
    at = 1574697680828 * MS
    rows = [liquidation(match=1), liquidation(match=0, amount=-9.5, price=None), liquidation(id=7, match=0)]
    told = [fact for row in rows for fact in facts_of("status:liq:global", row) if isinstance(fact, Liquidation)]
    assert [prints.is_news(fact, at, 1, 0) for fact in told] == [True, False, True]
    assert [prints.is_news(fact, at, 2, 0) for fact in told] == [False] * 3, "nor again on another connection"
    assert prints.dropped == 4


def test_a_row_that_cannot_be_read_does_not_cost_the_others() -> None:
    rows = [orjson.loads(liquidation(id=number, amount=amount))[1][0] for number, amount in ((1, 2), (2, 0), (3, -2))]
    found = facts_of("status:liq:global", orjson.dumps([91684, [*rows, "odd"], 7]))
    assert [fact.identifier for fact in found if isinstance(fact, Liquidation)] == ["1", "3"]
    (unread,) = (fact for fact in found if isinstance(fact, Unread))
    assert unread.rows == 2


def test_a_trigger_without_a_price_is_worth_the_mark() -> None:
    (found,) = facts_of("status:liq:global", liquidation(price=None))
    assert isinstance(found, Liquidation)
    assert (found.price_kind, found.price) == ("mark", Decimal("91.58"))


def test_what_the_system_took_over_met_no_order() -> None:
    (found,) = facts_of("status:liq:global", liquidation(sold=0))
    assert isinstance(found, Liquidation)
    assert found.kind == "takeover"


def test_margin_positions_of_pairs_are_not_those_of_contracts() -> None:
    assert facts_of("status:liq:global", liquidation(symbol=PAIR)) == []
    assert facts_of("status:liq:global", b"[91684,[],7]") == []


@pytest.mark.parametrize(
    "wrong", [{"amount": 0}, {"match": 2}, {"kind": "neg"}, {"at": None}, {"symbol": 7}, {"entry": -1, "price": None}]
)
def test_a_row_that_is_not_as_promised_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FrameError, match="bitfinex liquidations"):
        facts_of("status:liq:global", liquidation(**wrong))


def test_polls() -> None:
    platform, tiers = (
        poll.request for poll in VENUE.venue_polls(list(listed(ticker(PERPETUAL, 86704, 86000)).values()))
    )
    (works,), (rests,) = (VENUE.parse_poll(platform, body) for body in (b"[1]", b"[0]"))
    assert isinstance(works, VenueNotice)
    assert isinstance(rests, VenueNotice)
    assert (works.disruptive, rests.disruptive, rests.text) == (False, True, "Bitfinex is in maintenance")
    assert works.key == rests.key
    margins = '[null,null,null,"0.00004","100",null,null,null,{},{}]'
    row, none, paper = margins.format(0.01, 0.005), margins.format("null", "null"), margins.format(0.01, 0.005)
    body = f'[[["BTCF0:USTF0",{row}],["ETHF0:USTF0",{none}],["TESTBTCF0:TESTUSDTF0",{paper}]]]'.encode()
    (found,) = VENUE.parse_poll(tiers, body)
    assert isinstance(found, MarginTiers)
    (tier,) = found.tiers
    assert (found.symbol, tier.maintenance_ratio, tier.cap) == (PERPETUAL, Decimal("0.005"), None)
    assert tier.max_leverage == 100
    assert [poll.request.key for poll in VENUE.venue_polls(list(listed(ticker(PAIR, 86704, 86000)).values()))] == [
        "platform"
    ]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"error":"ERR_RATE_LIMIT"}', RetryLater),
        (429, b'{"error":"ERR_RATE_LIMIT"}', RetryLater),
        (500, b'["error",10020,"symbol: invalid"]', RetryLater),
        (503, b'["error",20060,"maintenance"]', RetryLater),
        (200, b'["error",10020,"symbol: invalid"]', VenueError),
        (451, b"", VenueStopped),
    ],
)
def test_refusals_over_rest(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        VENUE.check_reply(RestRequest("poll", "https://api-pub.bitfinex.com/v2/x", 1), status, {}, body)
    VENUE.check_reply(LISTING, 200, {}, b"[[]]")


# -- captures
def test_the_capture_from_the_listing_to_the_books(shared_data: Path) -> None:
    """One connection of 2021 with numbers and without checksums: those are made of the raw tokens after each frame."""
    capture = Capture(VENUE, shared_data)
    capture.run()
    assert (capture.frames, capture.session.old_frames, capture.session.broken) == (1693, 0, False)
    assert capture.session.unknown_keys == 2, "two heartbeats before their channel's name"
    assert capture.session.duplicate_acks + capture.session.errors_said == 0
    assert len(capture.lanes) == 7
    assert capture.book_frames == 1612
    assert capture.checksums == sum(lane.book.counters["checksums"] for lane in capture.lanes.values()) > 1590
    for lane in capture.lanes.values():
        assert lane.book.readable
        counters = lane.book.counters
        assert (counters["gaps"], counters["crossed"], counters["checksum_mismatch"], counters["window_exceeded"]) == (
            0,
            0,
            0,
            0,
        )
    assert capture.books_equal()
    assert (capture.trades, capture.trade_frames) == (0, 21)


BOOK_ROWS, TRADE_ROWS = ("book", "raw_book"), ("trades",)


def test_every_single_message_is_read_or_of_no_use(shared_data: Path) -> None:
    spot = tardis_messages(shared_data, "map bitfinex messages")
    contracts = tardis_messages(shared_data, "map bitfinex derivatives messages")
    assert (len(spot), len(contracts)) == (15, 20)
    named = {b"89": "trades:tBTCUSD", b"6957": "trades:tETHUSD", b"23916": f"trades:{PERPETUAL}", b"23925": "trades:tBTCDOMF0:USTF0",
             b"23918": f"book:P0:250:{PERPETUAL}", b"12778": f"status:deriv:{PERPETUAL}", b"23928": f"status:deriv:{PERPETUAL}",
             b"907": "status:liq:global", b"386841": "status:liq:global"}  # fmt: skip
    unknown, books, trades, facts = [], [], [], []
    for frame in (*spot, *contracts):
        key = VENUE.frame_key(frame)
        if key is None:
            (ack,) = VENUE.control(frame)
            assert isinstance(ack, Acked)
            named.setdefault(ack.alias.encode(), ack.keys[0])
    for frame in (*spot, *contracts):
        key = VENUE.frame_key(frame)
        topic = VENUE.topic(named.get(key, "")) if key is not None else None
        if key is not None and topic is None:
            unknown.append(frame)
        elif topic is not None and topic.channel is Channel.BOOK:
            books.append(book_of(frame))
        elif topic is not None and topic.channel is Channel.TRADES:
            trades.append(read_trades(TRADES, frame, topic.symbols[0]))
        elif topic is not None:
            facts.append(VENUE.parse(topic, frame))
    # The ticker, a currency to lend, a book by orders: channels that are not ours.
    assert [orjson.loads(frame)[0] for frame in unknown] == [94952, 129136, 23917]
    assert [(len(book.bids), len(book.asks)) for book in books] == [(1, 2), (0, 1), (0, 1), (1, 0), (0, 0), (1, 0)]
    assert [trade.side for each in trades for trade in each] == [1, 1]
    assert [trade.price for each in trades for trade in each] == [Decimal("10087.98969503"), Decimal("9135.5")]
    assert [[type(fact).__name__ for fact in each] for each in facts] == [
        [], [], ["Funding"], ["MarkPrice", "Funding"], ["MarkPrice", "Funding"], ["MarkPrice", "Funding"],
        ["MarkPrice", "Funding", "OpenInterest"], ["Liquidation"], [], ["Liquidation"], ["Liquidation"], ["Liquidation"], ["Liquidation"],
    ]  # fmt: skip
    first, *_, last = (fact for each in facts for fact in each if isinstance(fact, Liquidation))
    assert (first.position, first.quantity, first.price_kind) == ("long", Decimal("0.00268657"), "order")
    assert first.price == 9080
    assert (last.symbol, last.position, last.quantity, last.price_kind) == (
        "tETHF0:USTF0",
        "short",
        Decimal("8.6007"),
        "mark",
    )


def test_the_page_s_vector_of_a_checksum() -> None:
    assert crc32(b"6000:1:6100:-3:5900:2:6200:-4") == 1756193398

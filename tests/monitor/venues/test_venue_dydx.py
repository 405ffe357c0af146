"""dYdX: every captured frame, what each must come to, and what tells that one is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hot_frames import read_book, read_trades
from kraken_frames import Lane
from venue_forms import FORMS, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError, VenueError
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
    Position,
    VenueNotice,
)
from monitor.feed.faults import FaultKind
from monitor.feed.numbers import ConnectionNumbers
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.venues.base import Acked, ConnectionPlan, ErrorSaid, Pong, Refused, RestRequest, Topic
from monitor.venues.dydx import CHANGES, SNAPSHOT, TRADES, Dydx

VENUE = Dydx()
SECOND = 1_000_000_000
LISTING = VENUE.instrument_requests([])[0]
MARKETS, TIERS = (poll.request for poll in VENUE.venue_polls([]))
HEAD = '"connection_id":"004a1efa-21bb-4b19-a2e9-a8ffadd6dc53","message_id":'


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None
    return found


def facts_of(frame: bytes) -> list[Fact]:
    key = VENUE.slow_frame_key(frame)
    assert key is not None
    assert VENUE.frame_key(frame) in (None, key.encode())
    return VENUE.parse(topic(key), frame)


def subscribed(number: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> bytes:
    sides = [[{"price": price, "size": size} for price, size in side] for side in (bids, asks)]
    contents = orjson.dumps({"bids": sides[0], "asks": sides[1]}).decode()
    return (
        f'{{"type":"subscribed",{HEAD}{number},"channel":"v4_orderbook","id":"BTC-USD","contents":{contents}}}'.encode()
    )


def changed(number: int, channel: str = "v4_orderbook", **contents: Any) -> bytes:
    said = orjson.dumps(contents).decode()
    return f'{{"type":"channel_data",{HEAD}{number},"id":"BTC-USD","channel":"{channel}","version":"1.0.0","contents":{said}}}'.encode()


def trade(kind: str, side: str = "SELL") -> dict[str, str]:
    return {
        "id": "0165e5e40000000200000002", "side": side, "size": "2.5", "price": "59900", "type": kind,
        "createdAt": "2024-08-23T00:00:01.250Z", "createdAtHeight": "23455252",
    }  # fmt: skip


# -- captured frames
def test_tardis_messages(shared_data: Path) -> None:
    frames = tardis_messages(shared_data, "map dydx-v4 messages")
    keys = Counter[str]()
    for frame in frames:
        key = VENUE.frame_key(frame)
        assert key is not None, "every real head is told cheaply"
        assert VENUE.slow_frame_key(frame) == key.decode()
        number = orjson.loads(frame)["message_id"]
        assert VENUE.connection_sequence(frame) == (number if b"v4_orderbook" in frame else None)
        keys[key.decode()] += 1
    assert keys == {
        "v4_trades:AVAX-USD": 1, "v4_trades:BTC-USD": 1, "v4_orderbook:GRT-USD": 2, "v4_orderbook:EGLD-USD": 1, "v4_markets": 3,
    }  # fmt: skip
    avax, btc, grt, grt_change, egld, listed, trading, oracle = frames

    whole = read_book(SNAPSHOT, grt, "GRT-USD")
    assert (whole.kind, whole.header[layout.CROSS_ID]) == (layout.KIND_SNAPSHOT, 7)
    assert (whole.bids, whole.asks) == ([(Decimal("0.1547"), Decimal(35520))], [(Decimal("0.155"), Decimal(3220))])
    deletion = read_book(CHANGES, grt_change, "GRT-USD")
    assert (deletion.kind, deletion.bids, deletion.asks) == (layout.KIND_DELTA, [(Decimal("11.21"), Decimal(0))], [])
    assert read_book(CHANGES, egld, "EGLD-USD").asks == [(Decimal("66.12"), Decimal(0))]

    (bought,) = read_trades(TRADES, avax, "AVAX-USD")
    assert (bought.side, bought.price, bought.size) == (layout.BUY, Decimal("25.22"), Decimal("79.2"))
    assert (bought.time, bought.identifier, bought.kept) == (1724371198855 * 10**6, 0, True)
    bought, forced = read_trades(TRADES, btc, "BTC-USD")
    assert (bought.side, bought.price, bought.size) == (layout.BUY, Decimal(60397), Decimal("0.002"))
    assert (forced.side, forced.kept) == (layout.SELL, True), "it took from the book: it is flow"
    assert any(mark in btc for mark in topic("v4_trades:BTC-USD").facts_when)
    assert not any(mark in avax for mark in topic("v4_trades:AVAX-USD").facts_when)
    assert facts_of(btc) == [
        Liquidation("BTC-USD", "long", Decimal("3.9"), Decimal("22.87"), "fill", 1722756890628 * 10**6, "complete")
    ]

    assert facts_of(listed) == [
        InstrumentChanged("BTC-USD", True, "ACTIVE", 0),
        Funding("BTC-USD", Decimal("0.00001351666666666667"), None, 3600, 0),
        OpenInterest("BTC-USD", Decimal("648.2389"), None, 0),
        MarkPrice("BTC-USD", Decimal("60387.51779"), 0),
        IndexPrice("BTC-USD", Decimal("60387.51779"), 0),
        InstrumentChanged("ETH-USD", True, "ACTIVE", 0),
        Funding("ETH-USD", Decimal("0.00001051666666666667"), None, 3600, 0),
        OpenInterest("ETH-USD", Decimal("15395.279"), None, 0),
        MarkPrice("ETH-USD", Decimal("2623.2521"), 0),
        IndexPrice("ETH-USD", Decimal("2623.2521"), 0),
    ]
    assert facts_of(trading) == [OpenInterest("ETH-USD", Decimal("15398.406"), None, 0)], "only what changed"
    at = 1724371254301 * 10**6
    assert facts_of(oracle) == [
        MarkPrice("ETH-USD", Decimal("2623.3521"), at), IndexPrice("ETH-USD", Decimal("2623.3521"), at),
    ]  # fmt: skip


def test_tardis_messages_of_the_retired_api_are_of_no_topic(shared_data: Path) -> None:
    """dYdX v3 was another exchange with channels of its own; it closed in October 2024."""
    frames = tardis_messages(shared_data, "map dydx messages")
    assert len(frames) == 11
    for frame in frames:
        assert VENUE.frame_key(frame) is None
        key = VENUE.slow_frame_key(frame)
        assert key is None or VENUE.topic(key) is None
        assert VENUE.connection_sequence(frame) is None
        with pytest.raises(FrameError, match="unknown frame"):
            VENUE.control(frame)


# -- the book
def lane() -> Lane:
    return Lane(VENUE, "v4_orderbook:BTC-USD", "1", "0.0001")


def test_a_book_begins_with_its_confirmation_and_its_changes_are_absolute() -> None:
    book = lane()
    assert book.take(changed(1, bids=[["43240", "1"]])) is Outcome.IGNORED, "before the snapshot there is no book"
    assert book.take(subscribed(2, [("43240", "1.5"), ("43238", "0")], [("43250", "1.2")])) is Outcome.REPLACED
    assert book.levels() == ([(43240, 15000)], [(43250, 12000)]), "rows of no size are no levels"
    assert (
        book.take(changed(3, bids=[["43240.0", "2.0"]], asks=[["43250.0", "0.0"], ["43251", "3"]])) is Outcome.APPLIED
    )
    assert book.levels() == ([(43240, 20000)], [(43251, 30000)]), "the text of a price may differ"
    assert book.take(changed(4, asks=[["43251", "0"]])) is Outcome.APPLIED
    assert book.take(changed(5)) is Outcome.KEEPALIVE
    assert book.levels() == ([(43240, 20000)], [])
    assert (book.fast, book.plain) == (5, 0)


def test_of_two_levels_that_cross_the_older_is_not_looked_at_and_comes_back() -> None:
    book = lane()
    book.take(subscribed(1, [("99", "1"), ("98", "1")], [("101", "1"), ("103", "2")]))
    assert book.take(changed(2, bids=[["102", "0.5"]])) is Outcome.APPLIED
    assert book.book.readable
    assert book.levels() == ([(102, 5000), (99, 10000), (98, 10000)], [(103, 20000)])
    assert book.take(changed(3, bids=[["102", "0"]])) is Outcome.APPLIED
    assert book.levels() == ([(99, 10000), (98, 10000)], [(101, 10000), (103, 20000)])
    assert book.book.counters["uncrossed"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        changed(2, bids=[["43240", "-1"]]),
        changed(2, bids=[["43240"]]),
        changed(2, channel="v4_trades", bids=[["43240", "1"]]),
        changed(2, bids=[["43240", "1"]]).replace(b'"message_id":2,', b""),
        changed(2, bids=[["43240", "1"]]).replace(b"BTC-USD", b"ETH-USD"),
        changed(2, bids=[["43240", "1"]]).replace(b"channel_data", b"channel_batch_data"),
    ],
    ids=["negative", "short row", "channel", "no number", "market", "batch"],
)
def test_books_that_are_refused(frame: bytes) -> None:
    book = lane()
    book.take(subscribed(1, [("43240", "1.5")], [("43250", "1.2")]))
    assert book.take(frame) is Outcome.REFUSED


# -- numbers
def test_a_missing_message_of_a_book_s_connection_shows_in_the_next_one() -> None:
    numbers = ConnectionNumbers()

    def takes(frame: bytes) -> bool:
        return numbers.takes(VENUE.connection_sequence(frame))

    assert takes(f'{{"type":"connected",{HEAD}0}}'.encode())
    assert takes(subscribed(1, [], []))
    assert takes(changed(2, bids=[["1", "1"]]))
    assert takes(changed(3, asks=[["2", "1"]]))
    assert not takes(changed(3, asks=[["2", "1"]]))
    assert numbers.old == 1
    gone = f'{{"type":"unsubscribed",{HEAD}4,"channel":"v4_orderbook","id":"BTC-USD"}}'.encode()
    assert takes(gone)
    assert takes(subscribed(5, [], []))
    assert not takes(changed(7, bids=[["1", "1"]]))
    assert numbers.broken


def test_numbers_are_found_wherever_they_stand_and_only_those_of_books_count() -> None:
    turned = orjson.dumps(dict(reversed(orjson.loads(changed(12, bids=[["1", "1"]])).items())))
    assert VENUE.frame_key(turned) is None
    assert VENUE.slow_frame_key(turned) == "v4_orderbook:BTC-USD"
    assert VENUE.connection_sequence(turned) == 12
    assert VENUE.connection_sequence(FORMS["dydx"].REFUSAL) == 1
    assert VENUE.connection_sequence(changed(12, channel="v4_trades", trades=[])) is None
    assert VENUE.connection_sequence(b'{"type":"error","message":"Internal error","message_id":9}') is None


def test_each_book_has_a_connection_of_its_own_and_other_channels_keep_to_their_limit() -> None:
    """Numbers of confirmations are taken before their time: with a second live topic they come out of order."""
    plans = VENUE.connections(sample_instruments(VENUE, 70))
    books = [plan for plan in plans if plan.topics[0].channel is Channel.BOOK]
    assert [len(plan.topics) for plan in books] == [1] * 70
    trades = [plan for plan in plans if plan.topics[0].channel is Channel.TRADES]
    assert [len(plan.topics) for plan in trades] == [32, 32, 6]
    (rest,) = (plan for plan in plans if plan not in books and plan not in trades)
    assert [each.key for each in rest.topics] == ["v4_markets", "v4_block_height"]
    assert VENUE.limits.topics_per_frame == 1
    assert VENUE.book.refresh_seconds == 600


# -- trades
def test_history_is_neither_flow_nor_news() -> None:
    frame = changed(1, channel="v4_trades", trades=[trade("LIQUIDATED")]).replace(b"channel_data", b"subscribed")
    assert read_trades(TRADES, frame, "BTC-USD") == []
    assert facts_of(frame) == []


@pytest.mark.parametrize(("side", "position"), [("SELL", "long"), ("BUY", "short")])
def test_forced_trades_closed_the_position_of_the_other_side(side: str, position: Position) -> None:
    frame = changed(
        2, channel="v4_trades", trades=[trade(kind, side) for kind in ("LIMIT", "LIQUIDATED", "DELEVERAGED")]
    )
    liquidated = Liquidation(
        "BTC-USD",
        position,
        Decimal("2.5"),
        Decimal(59900),
        "fill",
        1724371201250 * 10**6,
        "complete",
    )
    assert facts_of(frame) == [liquidated, replace(liquidated, price_kind="bankruptcy", kind="deleveraging")]
    kept = [each.kept for each in read_trades(TRADES, frame, "BTC-USD")]
    assert kept == [True, True, False], "a deleveraging is agreed outside the book"
    for kind in ("LIQUIDATED", "DELEVERAGED"):
        alone = changed(2, channel="v4_trades", trades=[trade(kind)])
        assert any(mark in alone for mark in topic("v4_trades:BTC-USD").facts_when)


def test_a_forced_trade_of_no_side_is_refused() -> None:
    frame = changed(2, channel="v4_trades", trades=[trade("LIQUIDATED", "NONE")])
    with pytest.raises(FrameError, match=r"dydx trades BTC-USD: side is not one of SELL, BUY"):
        facts_of(frame)


# -- figures
def test_a_pause_is_told_and_batches_are_read_too() -> None:
    paused = {"trading": {"BTC-USD": {"status": "PAUSED", "nextFundingRate": "-0.0001"}}}
    oracle = {"oraclePrices": {"ETH-USD": {"oraclePrice": "2600.5", "effectiveAt": "2024-08-23T00:00:54.301Z"}}}
    frame = orjson.dumps(
        {"type": "channel_batch_data", "message_id": 3, "channel": "v4_markets", "contents": [paused, oracle]}
    )
    assert facts_of(frame)[:2] == [
        InstrumentChanged("BTC-USD", False, "PAUSED", 0), Funding("BTC-USD", Decimal("-0.0001"), None, 3600, 0),
    ]  # fmt: skip
    assert facts_of(frame)[2:] == [
        MarkPrice("ETH-USD", Decimal("2600.5"), 1724371254301 * 10**6),
        IndexPrice("ETH-USD", Decimal("2600.5"), 1724371254301 * 10**6),
    ]


def test_one_odd_market_does_not_cost_the_others_their_figures() -> None:
    listed = {
        "BTC-USD": {"status": "ACTIVE"},
        "ODD-USD": {"status": 7},
        "NEW-USD": {"status": "INITIALIZING", "oraclePrice": None},
    }
    frame = orjson.dumps(
        {"type": "subscribed", "message_id": 3, "channel": "v4_markets", "contents": {"markets": listed}}
    )
    assert facts_of(frame) == [
        InstrumentChanged("BTC-USD", True, "ACTIVE", 0),
        InstrumentChanged("NEW-USD", False, "INITIALIZING", 0),
    ]


BLOCK = (
    '{"type":"channel_data",%s9,"id":"v4_block_height","channel":"v4_block_height","version":"1.0.0",'
    '"contents":{"blockHeight":"%s","time":"2024-08-23T00:00:54.301Z"}}'
)


def test_each_block_puts_off_that_the_chain_stands() -> None:
    frame = (BLOCK % (HEAD, "12345679")).encode()
    assert VENUE.frame_key(frame) == b"v4_block_height"
    block = 1724371254301 * 10**6
    standstill = VenueNotice(
        "dYdX Chain: no block after 12345679 for 10 s", True, block + 10 * SECOND, None, block, key="chain", halts=True,
        put_off=True,
    )  # fmt: skip
    assert facts_of(frame) == [standstill]
    first = frame.replace(b"channel_data", b"subscribed").replace(b"blockHeight", b"height")
    assert facts_of(first) == [standstill]


@pytest.mark.parametrize(
    "wrong", [BLOCK % (HEAD, "x"), (BLOCK % (HEAD, "1")).replace("2024-08-23T00:00:54.301Z", "now")]
)
def test_a_block_without_a_height_or_a_time_puts_off_nothing(wrong: str) -> None:
    with pytest.raises(FrameError, match="dydx ticker"):
        facts_of(wrong.encode())


def test_a_quiet_book_is_no_dead_connection() -> None:
    """Each has a connection of its own: nothing but the book's changes comes on it."""
    quiet = topic("v4_orderbook:BTC-USD")
    assert quiet.silence_seconds is not None
    assert VENUE.book.refresh_seconds is not None
    assert quiet.silence_seconds > 2 * VENUE.book.refresh_seconds
    session = ConnectionSession(VENUE, 0, ConnectionPlan("book-1", "wss://x", (quiet,)), 0, 1)
    session.start(0)
    assert session.route(subscribed(1, [("43240", "1.5")], [("43250", "1.2")]), SECOND) == quiet
    for second in range(2, 900):
        assert session.tick(second * SECOND) == []
    assert session.faults() == ()


@pytest.mark.parametrize("names", [{"channel": "v4_orderbook", "id": "BTC-USD"}, {}])
def test_the_venue_s_own_trouble_is_soon_asked_past(names: dict[str, str]) -> None:
    book = topic("v4_orderbook:BTC-USD")
    session = ConnectionSession(VENUE, 0, ConnectionPlan("book-1", "wss://x", (book,)), 0, 1)
    fetching = "Internal error, could not fetch data for subscription: v4_orderbook."
    asked = [0] if session.start(0) else []
    for tenth in range(1, 400):
        at = tenth * SECOND // 10
        if session.phase(book.key) is Phase.ASKED:
            session.route(error(fetching, **names).replace(b'"message_id":1', b'"message_id":%d' % len(asked)), at)
        asked += [tenth] * len(session.tick(at))
    assert asked == [0, 11, 32, 333], "after one second and two, and every thirty once it is named"
    assert [(fault.kind, fault.detail) for fault in session.faults()] == [(FaultKind.NEVER_ACKED, fetching)]
    session.route(subscribed(len(asked) + 1, [("43240", "1.5")], [("43250", "1.2")]), 40 * SECOND)
    assert session.faults() == ()


# -- control frames
def test_subscriptions_are_asked_and_answered_one_by_one() -> None:
    assert VENUE.subscribe([topic("v4_orderbook:BTC-USD")], 7) == (
        '{"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD","batched":false}'
    )
    assert VENUE.subscribe([topic("v4_markets")], 7) == '{"type":"subscribe","channel":"v4_markets","batched":false}'
    assert (
        VENUE.unsubscribe([topic("v4_trades:BTC-USD")], 8)
        == '{"type":"unsubscribe","channel":"v4_trades","id":"BTC-USD"}'
    )
    with pytest.raises(ValueError, match="too many values"):
        VENUE.subscribe([topic("v4_trades:BTC-USD"), topic("v4_trades:ETH-USD")], 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"type":"connected",{HEAD}0}}', []),
        (f'{{"type":"pong",{HEAD}4,"id":1}}', [Pong()]),
        (
            f'{{"type":"unsubscribed",{HEAD}4,"channel":"v4_orderbook","id":"BTC-USD"}}',
            [Acked(keys=("v4_orderbook:BTC-USD",), unsubscribed=True)],
        ),
        (f'{{"type":"unsubscribed",{HEAD}4,"channel":"v4_markets"}}', [Acked(keys=("v4_markets",), unsubscribed=True)]),
    ],
)
def test_control_frames(text: str, said: list[object]) -> None:
    assert VENUE.frame_key(text.encode()) is None
    assert VENUE.slow_frame_key(text.encode()) is None
    assert VENUE.control(text.encode()) == said


def error(message: str, **members: str) -> bytes:
    return orjson.dumps({"type": "error", "message": message, "connection_id": "x", "message_id": 1, **members})


def test_errors() -> None:
    live = error("Invalid subscribe message: already subscribed (v4_orderbook-BTC-USD)")
    assert VENUE.control(live) == [Acked(keys=("v4_orderbook:BTC-USD",))]
    unknown = "Invalid subscription id for channel: (v4_trades-FLY,raydium,8x5V-USD)"
    assert VENUE.control(error(unknown)) == [Refused(unknown, None, ("v4_trades:FLY,raydium,8x5V-USD",))]
    full = "Per-connection subscription limit reached for v4_trades (limit=32)."
    assert VENUE.control(error(full, channel="v4_trades", id="BTC-USD")) == [
        Refused(full, None, ("v4_trades:BTC-USD",))
    ]
    assert VENUE.control(error(full)) == [ErrorSaid(full)]
    # Nobody's fault: asked again.
    fetching = "Internal error, could not fetch data for subscription: v4_orderbook."
    assert VENUE.control(error(fetching, channel="v4_orderbook", id="BTC-USD")) == [
        Refused(fetching, None, ("v4_orderbook:BTC-USD",), passing=True)
    ]
    assert VENUE.control(error(fetching)) == [Refused(fetching, in_order=True, passing=True)]
    assert VENUE.control(b'{"message":"Rate limited"}') == [ErrorSaid("Rate limited")]
    many = "Too many subscribe attempts for channel v4_orderbook-BTC-USD. Please  reconnect and try again."
    assert VENUE.control(error(many, channel="v4_orderbook", id="BTC-USD")) == [ErrorSaid(many[:80] + "...")]
    assert VENUE.control(error("Invalid channel: v4_nothing")) == [ErrorSaid("Invalid channel: v4_nothing")]
    strange = "Invalid subscription id for channel: (v4_nothing-BTC-USD)"
    assert VENUE.control(error(strange)) == [ErrorSaid(strange)]


# -- REST
def listing(**changes: object) -> bytes:
    """The page's row of 2025-12-08."""
    row = {
        "clobPairId": "0", "ticker": "BTC-USD", "status": "ACTIVE", "oraclePrice": "89919.2", "nextFundingRate": "0.00000254545454545455",
        "initialMarginFraction": "0.02", "maintenanceMarginFraction": "0.012", "openInterest": "381.7348", "tickSize": "1",
        "stepSize": "0.0001", "marketType": "CROSS",
    }  # fmt: skip
    row |= changes  # type: ignore[arg-type]
    return orjson.dumps({"markets": {str(row["ticker"]): row}})


def listed(**changes: object) -> list[Instrument]:
    return VENUE.parse_instruments(LISTING, listing(**changes))[0]


def test_instruments() -> None:
    assert listed() == [
        Instrument(
            venue="dydx", symbol="BTC-USD", asset="BTC", quote="USD", settle="USDC", contract_type="linear", tick_size=Decimal(1),
            lot_size=Decimal("0.0001"), trading=True, status="ACTIVE", funding_interval_seconds=3600,
        )
    ]  # fmt: skip
    (paused,) = listed(status="CANCEL_ONLY")
    assert (paused.trading, paused.status) == (False, "CANCEL_ONLY")
    (new,) = listed(ticker="FLY,raydium,8x5VqbHA8D7NkD52uNuS5nnt-USD", tickSize="0.000001", stepSize="10")
    assert (new.asset, new.symbol) == ("FLY", "FLY,raydium,8x5VqbHA8D7NkD52uNuS5nnt-USD")
    assert listed(ticker="BTC-EUR") == [], "not priced in dollars"
    assert listed(tickSize="0") == []
    two = orjson.loads(listing(status=1))["markets"] | orjson.loads(listing(ticker="A-USD", stepSize=None))["markets"]
    with pytest.raises(FrameError, match="dydx instruments BTC-USD: status is not a text"):
        VENUE.parse_instruments(LISTING, orjson.dumps({"markets": two}))


def test_polls() -> None:
    assert VENUE.parse_poll(TIERS, listing()) == [
        MarginTiers(
            "BTC-USD", (MarginTier(Decimal(0), None, Decimal("0.012"), Decimal(50)),), "quote", whole=True, venue_time=0
        )
    ]
    assert VENUE.parse_poll(MARKETS, listing()) == [
        InstrumentChanged("BTC-USD", True, "ACTIVE", 0),
        Funding("BTC-USD", Decimal("0.00000254545454545455"), None, 3600, 0),
        OpenInterest("BTC-USD", Decimal("381.7348"), None, 0),
        MarkPrice("BTC-USD", Decimal("89919.2"), 0),
        IndexPrice("BTC-USD", Decimal("89919.2"), 0),
    ]


def test_replies_that_are_errors() -> None:
    VENUE.check_reply(LISTING, 200, {}, listing())
    with pytest.raises(VenueError, match="HTTP 400"):
        VENUE.check_reply(
            RestRequest("poll", "https://x", 1, key="markets"), 400, {}, b'{"errors":[{"msg":"ticker must be valid"}]}'
        )


def test_the_facts_have_a_date() -> None:
    assert VENUE.checked == date(2026, 11, 22)
    assert VENUE.liquidation_coverage == "complete"

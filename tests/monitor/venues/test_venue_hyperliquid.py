"""Hyperliquid: every captured frame, and what each must come to."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from captured_books import CapturedBook, DictBook
from hot_frames import read_book, read_trades
from venue_forms import lines, nautilus_messages, sample_instruments

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import (
    Channel,
    Fact,
    Funding,
    IndexPrice,
    Instrument,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    VenueNotice,
)
from monitor.money import coins, notional_usd
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import Acked, ErrorSaid, Refused, RestRequest, Topic
from monitor.venues.hyperliquid import VAULTS, Hyperliquid
from monitor.venues.hyperliquid_topics import BOOK, TRADES

VENUE = Hyperliquid()
MS = 1_000_000
(LISTING,) = VENUE.instrument_requests([])
STATUS, TIERS = (poll.request for poll in VENUE.venue_polls([]))
BTC = Instrument("hyperliquid", "BTC", "BTC", "USDC", "USDC", "linear", Decimal("0.1"), Decimal("0.00001"))
VAULT = VAULTS[0]
LOSER = "0x360878d351f05975e25f1807a27895e1e5e004fb"


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None
    return found


def keyed(frame: bytes) -> str:
    key = VENUE.slow_frame_key(frame)
    assert key is not None
    assert VENUE.frame_key(frame) in (None, key.encode())
    return key


def captured(shared_data: Path) -> Iterator[tuple[int, bytes]]:
    """(receive time in ns, frame) of 26 seconds of BTC, of the plain streams of January 2025."""
    path = shared_data / "hftbacktest-hyperliquid-2025-01-26" / "hyperliquid_btcusd_20250126.gz"
    with gzip.open(path) as file:
        for line in file:
            at, _, frame = line.partition(b" ")
            if frame.strip():
                yield int(at), frame.strip()


# -- the raw capture
def test_every_book_of_the_capture_is_the_whole_book(shared_data: Path) -> None:
    live, times = CapturedBook(VENUE, "l2Book.default:BTC", "0.1", "0.00001"), []
    for at, frame in captured(shared_data):
        if keyed(frame) != "l2Book:BTC":
            continue
        assert live.take(frame, at) is Outcome.REPLACED
        data = orjson.loads(frame)["data"]
        bids, asks = ([[row["px"], row["sz"]] for row in side] for side in data["levels"])
        assert (len(bids), len(asks)) == (20, 20)
        truth = DictBook()
        truth.take(bids, asks)
        assert live.sides() == truth.sides
        assert live.book.readable
        times.append(data["time"])
        assert 0 < at // MS - data["time"] < 1_000
    assert len(times) == 46
    assert times == sorted(times)
    assert live.outcomes == {"REPLACED": 46}, "none was left to the plain path"


def test_old_books_of_the_capture_change_nothing(shared_data: Path) -> None:
    frames = [frame for _, frame in captured(shared_data) if keyed(frame) == "l2Book:BTC"]
    live = CapturedBook(VENUE, "l2Book.default:BTC", "0.1", "0.00001")
    old = 0
    for before, frame in pairwise(frames):
        live.take(frame)
        sides = live.sides()
        if orjson.loads(before)["data"]["time"] < orjson.loads(frame)["data"]["time"]:
            old += 1
            assert live.take(before) is Outcome.IGNORED
            assert live.sides() == sides
    assert old == 44, "two subscriptions overlap at the beginning: one moment comes twice"


def test_a_few_levels_are_no_whole_side(shared_data: Path) -> None:
    """Beyond its last level the book is unknown: the reach ends there."""
    live = CapturedBook(VENUE, "l2Book.default:BTC", "0.1", "0.00001")
    live.take(next(frame for _, frame in captured(shared_data) if keyed(frame) == "l2Book:BTC"))
    for side in ("bid", "ask"):
        reach = live.book.reach(side)
        assert reach is not None
        assert 0 < reach < 0.001


def test_the_trades_of_the_capture_begin_with_old_ones(shared_data: Path) -> None:
    frames = [frame for _, frame in captured(shared_data) if keyed(frame) == "trades:BTC"]
    trades = [read_trades(TRADES, frame, "BTC") for frame in frames]
    assert [len(each) for each in trades] == [30, 1, 1, 1, 1, 1, 7, 21, 1]
    assert [trade.identifier for trade in trades[0]] == [0] * 30, "ids do not grow: they say nothing"
    first, last = trades[0][0], trades[-1][0]
    assert (first.side, first.price, first.size) == (layout.BUY, Decimal(105056), Decimal("0.00219"))
    assert (last.side, last.price, last.time) == (layout.BUY, Decimal(105051), 1737918868066 * MS)

    tally = TradeTally()
    lane = TradeLane(BTC, topic("trades:BTC"), BTC.scale, tally)
    for frame in frames:
        lane.frame(frame, 1.0)
    fresh = [trade for batch in trades[1:] for trade in batch]
    sides = Counter("buy" if trade.side == layout.BUY else "sell" for trade in fresh)
    assert tally.count == sides == {"buy": 4, "sell": 30}
    assert tally.volume_usd["sell"] == pytest.approx(
        sum(float(t.price * t.size) for t in fresh if t.side == layout.SELL)
    )
    rows = [row for frame in frames for row in orjson.loads(frame)["data"]]
    lane.frame(orjson.dumps({"channel": "trades", "data": rows}), 1.0)
    assert tally.count == sides, "what a new subscription repeats is not counted twice"
    assert not lane.fallbacks


# -- single messages
def test_tardis_messages(shared_data: Path) -> None:
    rows = lines(shared_data / "tardis-node-messages" / "messages.jsonl.gz")
    frames = [orjson.dumps(row["msg"]) for row in rows if row["test"] == "map hyperliquid messages"]
    by_key = {keyed(frame): frame for frame in frames}
    assert Counter(keyed(frame).partition(":")[0] for frame in frames) == {
        "trades": 4, "l2Book": 2, "activeAssetCtx": 1, "activeSpotAssetCtx": 1, "bbo": 2,
    }  # fmt: skip
    for frame in frames:
        if keyed(frame).startswith("trades"):
            for trade in read_trades(TRADES, frame, keyed(frame).partition(":")[2]):
                assert trade.side == (layout.BUY if b'"B"' in frame else layout.SELL)
    assert sum(len(read_trades(TRADES, frame, "BTC")) for frame in frames if keyed(frame) == "trades:BTC") == 4
    banana = read_book(BOOK, by_key["l2Book:BANANA"], "BANANA")
    assert banana.kind == layout.KIND_SNAPSHOT
    assert banana.header == {layout.EVENT_TIME: 1730160007687 * MS}
    assert banana.bids == [(Decimal("59.8"), Decimal("3.4")), (Decimal("59.778"), Decimal("1.6"))]
    assert banana.asks == [(Decimal("59.811"), Decimal("2.9")), (Decimal("59.832"), Decimal("17.6"))]
    empty = CapturedBook(VENUE, "l2Book.fast:SHIA", "0.000001", "1")
    empty.take(by_key["l2Book:SHIA"])
    assert not empty.book.readable or empty.book.top() is None, "the book of a delisted coin has no price"
    with pytest.raises(WireError):
        read_book(BOOK, by_key["l2Book:BANANA"], "SHIA")

    assert VENUE.parse(topic("activeAssetCtx:MOODENG"), by_key["activeAssetCtx:MOODENG"]) == [
        MarkPrice("MOODENG", Decimal("0.19963"), 0),
        Funding("MOODENG", Decimal("0.00004863"), None, 3600, 0),
        OpenInterest("MOODENG", Decimal("18617460.0"), None, 0),
        IndexPrice("MOODENG", Decimal("0.1995"), 0),
    ]
    for key in ("activeSpotAssetCtx:@2", "bbo:@162", "bbo:BTC"):
        assert topic(key).channel is Channel.OTHER
        assert VENUE.parse(topic(key), by_key[key]) == []


def test_nautilus_messages(shared_data: Path) -> None:
    found = nautilus_messages(shared_data, "hyperliquid")
    assert len(found) == 10
    for name in ("ws_allmids.json", "ws_all_dexs_asset_ctxs.json"):
        assert topic(keyed(found[name])).channel is Channel.OTHER
    listed, following = VENUE.parse_instruments(LISTING, found["http_meta_perp_sample.json"])
    assert following is None
    assert [(each.symbol, each.lot_size, each.tick_size, each.trading) for each in listed] == [
        ("BTC", Decimal("0.00001"), Decimal("0.1"), True),
        ("ETH", Decimal("0.0001"), Decimal("0.01"), True),
        ("ATOM", Decimal("0.01"), Decimal("0.0001"), True),
    ]
    with pytest.raises(FrameError, match="marginTableId is missing"):  # written before there were tables
        VENUE.parse_poll(TIERS, found["http_meta_perp_sample.json"])
    refused = {
        "http_all_perp_metas_non_usdc_collateral.json": "not an object",  # all dexes: only the first one is asked for
        "http_funding_history.json": "not an object",
        "http_recent_trades_btc.json": "not an object",
        "http_l2_book_btc.json": "universe is missing",
        "http_l2_book_snapshot.json": "universe is missing",
    }
    for name, reason in refused.items():
        with pytest.raises(FrameError, match=reason):
            VENUE.parse_instruments(LISTING, found[name])
    assert VENUE.parse_instruments(LISTING, found["http_spot_meta_non_usdc_collateral.json"])[0] == []
    # No envelope: this is only the inside of a frame, which no socket sends.
    assert VENUE.slow_frame_key(found["ws_book_data.json"]) is None
    with pytest.raises(FrameError, match="unknown frame"):
        VENUE.control(found["ws_book_data.json"])
    whole = b'{"channel":"l2Book","data":%s}' % found["ws_book_data.json"]
    book = read_book(BOOK, whole, "BTC")
    assert book.bids[0] == (Decimal("98450.50"), Decimal("2.5"))
    assert len(book.bids) == len(book.asks) == 5


# -- instruments and margin
META: dict[str, Any] = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "kPEPE", "szDecimals": 0, "maxLeverage": 10, "marginTableId": 10, "onlyIsolated": True},
        {"name": "MATIC", "szDecimals": 1, "maxLeverage": 20, "marginTableId": 20, "isDelisted": True},
        {"name": "ODD", "szDecimals": 7, "maxLeverage": 3, "marginTableId": 99},
    ],
    "marginTables": [
        [56, {"description": "tiered 40x", "marginTiers": [
            {"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20}]}],
    ],
    "collateralToken": 0,
}  # fmt: skip


def test_a_listing() -> None:
    bitcoin, pepe, matic = VENUE.parse_instruments(LISTING, orjson.dumps(META))[0]
    assert bitcoin == Instrument(
        "hyperliquid", "BTC", "BTC", "USDC", "USDC", "linear", Decimal("0.1"), Decimal("0.00001"), status="trading",
        funding_interval_seconds=3600,
    )  # fmt: skip
    assert (pepe.asset, pepe.unit_multiplier, pepe.tick_size, pepe.lot_size) == (
        "PEPE",
        1000,
        Decimal("0.000001"),
        Decimal(1),
    )
    assert (matic.trading, matic.status) == (False, "delisted")
    assert notional_usd(pepe, Decimal(10), Decimal("0.004"), 1.0) == pytest.approx(0.04), "sizes are thousands of coins"
    assert coins(pepe, Decimal(10), Decimal("0.004")) == 10_000
    with pytest.raises(FrameError, match="another dex"):
        VENUE.parse_instruments(LISTING, orjson.dumps({**META, "collateralToken": 360}))


def test_margin_is_half_of_the_initial_one_and_continuous() -> None:
    found = VENUE.parse_poll(TIERS, orjson.dumps(META))
    assert found == [
        MarginTiers(
            "BTC",
            (
                MarginTier(Decimal(0), Decimal(150_000_000), Decimal("0.0125"), Decimal(40), Decimal(0)),
                MarginTier(Decimal(150_000_000), None, Decimal("0.025"), Decimal(20), Decimal(1_875_000)),
            ),
            "quote",
            whole=False,
            venue_time=0,
        ),
        MarginTiers(
            "kPEPE",
            (MarginTier(Decimal(0), None, Decimal("0.05"), Decimal(10), Decimal(0)),),
            "quote",
            whole=False,
            venue_time=0,
        ),
    ], "a table below 50 is one tier of that leverage"
    assert isinstance(found[0], MarginTiers)
    edge = Decimal(150_000_000)
    below, above = (edge * tier.maintenance_ratio - (tier.deduction or 0) for tier in found[0].tiers)
    assert below == above == 1_875_000


# -- what is subscribed
def markets(count: int) -> list[Instrument]:
    return sample_instruments(VENUE, count)


@pytest.mark.parametrize(
    ("count", "figures"),
    [(1, (3, 2, 4, 5)), (134, (3, 2, 4, 5)), (150, (3, 2, 4)), (180, (3, 2)), (200, (3,)), (300, ())],
)
def test_an_address_holds_a_thousand_subscriptions(count: int, figures: tuple[int, ...]) -> None:
    plans = VENUE.connections(markets(count))
    assert sum(len(plan.topics) for plan in plans) <= 950
    assert len(plans) <= 8, "of 10 sockets"
    assert (
        tuple(dict.fromkeys(t.significant_figures for p in plans for t in p.topics if t.significant_figures)) == figures
    )
    vaults = [t.key for p in plans for t in p.topics if t.channel is Channel.LIQUIDATIONS]
    assert vaults == [f"userFills:{vault}" for vault in VAULTS]


@pytest.mark.parametrize(
    ("count", "trades", "contexts"), [(314, 314, 314), (331, 331, 280), (471, 471, 0), (600, 342, 0), (1200, 0, 0)]
)
def test_beyond_the_subscriptions_of_an_address_the_last_names_go_without(
    count: int, trades: int, contexts: int
) -> None:
    names = [f"C{number:04}" for number in range(count)]
    plans = VENUE.connections([replace(BTC, symbol=name) for name in reversed(names)])
    topics = [topic for plan in plans for topic in plan.topics]
    assert len(topics) == 950
    by_channel = {
        channel: sorted(topic.symbols[0] for topic in topics if topic.channel is channel)
        for channel in (Channel.BOOK, Channel.TRADES, Channel.TICKER)
    }
    assert by_channel[Channel.BOOK] == names[:942]
    assert by_channel[Channel.TRADES] == names[:trades]
    assert by_channel[Channel.TICKER] == names[:contexts]
    assert sum(topic.channel is Channel.LIQUIDATIONS for topic in topics) == len(VAULTS)


def test_no_socket_carries_two_streams_of_one_book() -> None:
    for plan in VENUE.connections(markets(60)):
        books = [symbol for topic in plan.topics if topic.channel is Channel.BOOK for symbol in topic.symbols]
        assert len(books) == len(set(books)), "their frames could not be told apart"


def test_delisted_coins_are_left_out() -> None:
    delisted = Instrument(
        "hyperliquid", "MATIC", "MATIC", "USDC", "USDC", "linear", Decimal(1), Decimal(1), trading=False
    )
    assert VENUE.connections([delisted]) == []
    assert VENUE.connections([BTC, delisted]) == VENUE.connections([BTC])


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("l2Book.fast:BTC", {"type": "l2Book", "coin": "BTC", "fast": True}),
        ("l2Book.default:BTC", {"type": "l2Book", "coin": "BTC"}),
        ("l2Book.3:BTC", {"type": "l2Book", "coin": "BTC", "nSigFigs": 3}),
        ("trades:kPEPE", {"type": "trades", "coin": "kPEPE"}),
        ("activeAssetCtx:BTC", {"type": "activeAssetCtx", "coin": "BTC"}),
        (f"userFills:{VAULT}", {"type": "userFills", "user": VAULT}),
    ],
)
def test_one_subscription_a_frame(key: str, asked: dict[str, Any]) -> None:
    for method, ask in (("subscribe", VENUE.subscribe), ("unsubscribe", VENUE.unsubscribe)):
        assert orjson.loads(ask([topic(key)], 1)) == {"method": method, "subscription": asked}
        with pytest.raises(ValueError, match="one subscription"):
            ask([topic(key), topic("trades:ETH")], 1)


def test_only_the_acknowledgement_says_which_book_it_is() -> None:
    said = b'{"channel":"subscriptionResponse","data":{"method":"%s","subscription":{"type":"l2Book","coin":"BTC",%s}}}'
    fast, three = b'"nSigFigs":null,"mantissa":null,"fast":true', b'"nSigFigs":3,"mantissa":null,"fast":false'
    assert VENUE.control(said % (b"subscribe", fast)) == [Acked(keys=("l2Book.fast:BTC",), alias="l2Book:BTC")]
    assert VENUE.control(said % (b"subscribe", three)) == [Acked(keys=("l2Book.3:BTC",), alias="l2Book:BTC")]
    assert VENUE.control(said % (b"unsubscribe", three)) == [
        Acked(keys=("l2Book.3:BTC",), unsubscribed=True, alias="l2Book:BTC")
    ]
    assert VENUE.topic("l2Book:BTC") is None, "frames that nobody asked for are nobody's book"
    with pytest.raises(FrameError, match="nothing we ask"):
        VENUE.control(said % (b"subscribe", b'"nSigFigs":5,"mantissa":2'))


def test_errors_repeat_what_was_asked() -> None:
    asked = {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": None}

    def error(said: str) -> list[Any]:
        return list(VENUE.control(orjson.dumps({"channel": "error", "data": said})))

    text = orjson.dumps(asked).decode()
    assert error(f"Already subscribed: {text}") == [Acked(keys=("l2Book.4:BTC",), alias="l2Book:BTC")]
    assert error(f"Already unsubscribed: {text}") == [
        Acked(keys=("l2Book.4:BTC",), unsubscribed=True, alias="l2Book:BTC")
    ]
    (refused,) = error(
        f'Error parsing JSON into valid websocket request: {{"method":"subscribe","subscription":{text}}}'
    )
    assert isinstance(refused, Refused)
    assert refused.keys == ("l2Book.4:BTC",)
    for said in ("Cannot track more than 10 total users.", "Error parsing JSON into valid websocket request: {"):
        assert error(said) == [ErrorSaid(said)]


# -- liquidations
def fill(**changed: Any) -> dict[str, Any]:
    forced = {"liquidatedUser": LOSER, "markPx": "66607.0", "method": "market"}
    return {
        "coin": "BTC", "px": "66653.0", "sz": "0.001", "side": "A", "time": 1781528065899, "startPosition": "-0.0213",
        "dir": "Open Short", "closedPnl": "0.0", "hash": "0xe29f", "oid": 55030848197, "crossed": False, "fee": "0.009997",
        "tid": 745210434703679, "liquidation": forced, "feeToken": "USDC", **changed,
    }  # fmt: skip


def heard(*fills: dict[str, Any], user: str = VAULT, **more: Any) -> list[Fact]:
    frame = orjson.dumps({"channel": "userFills", "data": {"user": user, "fills": list(fills), **more}})
    assert keyed(frame) == f"userFills:{user.lower()}"
    return VENUE.parse(topic(f"userFills:{user.lower()}"), frame)


def test_what_a_vault_sold_a_short_had_to_buy() -> None:
    assert heard(fill()) == [
        Liquidation("BTC", "short", Decimal("0.001"), Decimal("66653.0"), "fill", 1781528065899 * MS, "inferred")
    ]
    (bought,) = heard(fill(side="B", dir="Open Long"))
    assert isinstance(bought, Liquidation)
    assert bought.position == "long"


def test_kinds_of_closings() -> None:
    backstop = {"liquidatedUser": LOSER, "markPx": "66607.0", "method": "backstop"}
    kinds = [
        (fill(), "liquidation"),
        (fill(liquidation=backstop), "takeover"),
        (fill(dir="Auto-Deleveraging"), "deleveraging"),
    ]
    for each, kind in kinds:
        (found,) = heard(each)
        assert isinstance(found, Liquidation)
        assert found.kind == kind
    with pytest.raises(FrameError, match="method is not one of"):
        heard(fill(liquidation={**backstop, "method": "novel"}))


def test_ordinary_fills_and_past_ones_are_no_liquidations() -> None:
    ordinary = fill()
    del ordinary["liquidation"]
    assert heard(ordinary, fill(liquidation=None)) == []
    assert heard(fill(), isSnapshot=True) == [], "the batch that begins a subscription is the past"
    assert len(heard(fill(), ordinary, fill(), isSnapshot=False)) == 2


def test_a_vault_s_own_liquidation_is_told_by_itself_alone() -> None:
    own = {"liquidatedUser": VAULT, "markPx": "1.0", "method": "market"}
    (closed,) = heard(fill(side="A", liquidation=own))
    assert isinstance(closed, Liquidation)
    assert closed.position == "long", "its order sold: it was long"
    assert heard(fill(side="B", liquidation=own), user=VAULTS[1]) == [], "the other side of the same fill"


def test_the_account_is_the_one_that_was_asked_for() -> None:
    frame = orjson.dumps({"channel": "userFills", "data": {"user": VAULTS[1], "fills": [fill()]}})
    with pytest.raises(FrameError, match="another account"):
        VENUE.parse(topic(f"userFills:{VAULT}"), frame)


# -- polls
def test_a_special_status_is_a_notice_until_the_polls_stop_saying_so() -> None:
    at = 1783730719629 * MS
    assert VENUE.parse_poll(STATUS, b'{"specialStatuses":null,"time":1783730719629}') == [
        VenueNotice("Hyperliquid is in no special status", False, None, at, at, "special status")
    ]
    text = 'Hyperliquid is in a special status: ["halted"]'
    assert VENUE.parse_poll(STATUS, b'{"specialStatuses":["halted"],"time":1783730719629}') == [
        VenueNotice(text, True, None, at + 60_000 * MS, at, "special status", halts=True)
    ]
    with pytest.raises(FrameError, match="specialStatuses is missing"):
        VENUE.parse_poll(STATUS, b'{"time":1783730719629}')


def test_replies() -> None:
    VENUE.check_reply(LISTING, 200, {}, orjson.dumps(META))
    VENUE.check_reply(STATUS, 200, {}, b'{"specialStatuses":null,"time":1783730719629}')
    with pytest.raises(RetryLater):
        VENUE.check_reply(LISTING, 429, {}, b"null")
    with pytest.raises(FrameError, match="Failed to deserialize"):
        VENUE.check_reply(LISTING, 422, {}, b"Failed to deserialize the JSON body into the target type")
    with pytest.raises(VenueError):
        VENUE.check_reply(LISTING, 200, {}, b'{"error":"no"}')
    asked = RestRequest("instruments", "https://api.hyperliquid.xyz/info", 20, body='{"type":"meta"}')
    assert VENUE.instrument_requests(["BTC"]) == [asked], "a POST"

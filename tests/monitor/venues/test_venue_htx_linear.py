"""HTX linear swaps by the venue's page: two protocols, versions, contracts; and every real frame of it there is."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from captured_books import CapturedBook
from hot_frames import Trade, read_book, read_trades
from venue_forms import GOOD, lines, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from engines.wire.grammar import TradeGrammar
from monitor.errors import FrameError, RetryLater, VenueError
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
    Unread,
    VenueNotice,
)
from monitor.grids import worth_of
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import Acked, ErrorSaid, PingAsked, Refused, RestRequest, ShutdownAnnounced, Topic
from monitor.venues.htx_linear import HtxLinear

VENUE = HtxLinear()
WORDS = GOOD["htx_linear"]
MS = 1_000_000
BTC_BOOK = "market.BTC-USDT.depth.size_150.high_freq"
LISTING = VENUE.instrument_requests([])[0]
POLLS = {poll.request.key: poll.request for poll in VENUE.venue_polls([])}


@cache
def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


@cache
def trades_of(key: str) -> TradeGrammar:
    grammar = known(key).trades
    assert grammar is not None
    return grammar


def facts_of(frame: bytes) -> list[Fact]:
    key = VENUE.slow_frame_key(frame)
    assert key is not None
    assert VENUE.frame_key(frame) in (None, key.encode())
    return VENUE.parse(known(key), frame)


def book(event: str, version: int, bids: list[Any], asks: list[Any]) -> bytes:
    tick = {"asks": asks, "bids": bids, "ch": BTC_BOOK, "event": event, "id": 7, "mrid": 7, "ts": 1790134831749}
    return orjson.dumps({"ch": BTC_BOOK, "ts": 1790134831753, "tick": {**tick, "version": version}})


def listed(**fields: object) -> list[Instrument]:
    body = orjson.loads(WORDS["rest:instruments"])
    body["data"][0].update(fields)
    return VENUE.parse_instruments(LISTING, orjson.dumps(body))[0]


# -- the book
def test_versions_go_up_by_one_empty_changes_too() -> None:
    live = CapturedBook(VENUE, BTC_BOOK, "0.1", "1")
    assert live.take(book("snapshot", 100, [[86859.8, 6172], [86848.5, 3]], [[86859.9, 817]])) is Outcome.REPLACED
    assert live.take(book("update", 101, [[86853.4, 2], [86848.5, 0]], [])) is Outcome.APPLIED
    assert live.take(book("update", 102, [], [])) is not Outcome.GAP
    assert live.sides() == (
        {Decimal("86859.8"): Decimal(6172), Decimal("86853.4"): Decimal(2)},
        {Decimal("86859.9"): Decimal(817)},
    )
    assert live.take(book("update", 102, [[1.5, 9]], [])) is Outcome.IGNORED, "twice"
    assert live.take(book("update", 104, [[86859.8, 1]], [])) is Outcome.GAP
    assert not live.book.readable
    assert live.take(book("update", 105, [], [])) is not Outcome.APPLIED, "no change counts before a snapshot"
    assert live.take(book("snapshot", 106, [[86850, 1]], [[86851, 2]])) is Outcome.REPLACED
    assert live.book.readable
    assert live.outcomes["plainly"] == 0


def test_a_second_subscription_brings_a_snapshot_whose_version_goes_on() -> None:
    live = CapturedBook(VENUE, BTC_BOOK, "0.1", "1")
    live.take(book("snapshot", 100, [[86859.8, 6172]], [[86859.9, 817]]))
    live.take(book("update", 101, [[86859.8, 6000]], []))
    assert live.take(book("snapshot", 102, [[86859.7, 5]], [[86859.9, 817]])) is Outcome.REPLACED
    assert live.take(book("update", 103, [], [[86859.9, 0], [86860, 1]])) is Outcome.APPLIED
    assert live.sides() == ({Decimal("86859.7"): Decimal(5)}, {Decimal("86860.0"): Decimal(1)})


def test_the_frames_of_the_page() -> None:
    grammar = known(BTC_BOOK).book
    assert grammar is not None
    delta = read_book(grammar, WORDS[BTC_BOOK], "BTC-USDT")
    assert (delta.kind, delta.asks) == (layout.KIND_DELTA, [])
    assert delta.bids == [(Decimal("86853.4"), Decimal(2)), (Decimal("86848.5"), Decimal(0))]
    assert delta.header[layout.LAST_ID] == 1789895280798
    assert delta.header[layout.EVENT_TIME] == 1790134831873 * MS
    assert delta.header[layout.ENGINE_TIME] == 1790134831871 * MS
    with pytest.raises(WireError):
        read_book(grammar, WORDS[BTC_BOOK].replace(b"BTC-USDT", b"ETH-USDT"), "ETH-USDT")


def test_what_a_contract_is_worth() -> None:
    (btc,) = listed()
    assert btc == Instrument(
        "htx_linear", "BTC-USDT", "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal(1), Decimal("0.001"),
        status="trading", funding_interval_seconds=8 * 3600,
    )  # fmt: skip
    worth = worth_of(btc, btc.scale)
    # 2 contracts at 13073.3: the page's own print says 26.1466 USDT.
    assert worth.lot_tick_unit * 2 * 130733 == pytest.approx(26.1466)
    (pepe,) = listed(symbol="1000PEPE", contract_code="1000PEPE-USDT", contract_size=100, price_tick=1e-7)
    assert (pepe.asset, pepe.unit_multiplier, pepe.tick_size) == ("PEPE", 1000, Decimal("1E-7"))


def test_what_is_listed_and_no_market_of_ours() -> None:
    good = orjson.loads(WORDS["rest:instruments"])["data"][0]
    rows = [
        good,
        {**good, "symbol": "AAPL", "contract_code": "AAPL-USDT", "tradfi_labels": ["stock"]},
        {**good, "contract_code": "BTC-USDT-261225", "business_type": "futures"},
        {**good, "symbol": "SOL", "contract_code": "SOL-USDT", "contract_status": 3, "settlement_period": None},
        {**good, "symbol": "币", "contract_code": "币-USDT", "contract_status": 5},
        {**good, "contract_size": 0},
    ]
    found, more = VENUE.parse_instruments(LISTING, orjson.dumps({"status": "ok", "data": rows, "ts": 1}))
    assert more is None
    assert [(each.symbol, each.trading, each.status) for each in found] == [
        ("BTC-USDT", True, "trading"),
        ("SOL-USDT", False, "suspended"),
        ("币-USDT", False, "status 5"),
    ]
    assert found[1].funding_interval_seconds is None
    chinese = VENUE.connections(found[2:])
    assert chinese[0].topics[0].symbols == ("币-USDT",)
    assert VENUE.topic("market.BTC-USDT-261225.trade.detail") is None
    assert VENUE.topic("market.BTC-USD.trade.detail") is None, "coin-margined contracts are another family"


# -- what we say and hear
def test_three_sockets_of_gzip_and_one_topic_a_frame() -> None:
    market, notices, prices = VENUE.connections(sample_instruments(VENUE, 1))
    assert [plan.encoding for plan in (market, notices, prices)] == ["gzip"] * 3
    assert [plan.url.rpartition("/")[2] for plan in (market, notices, prices)] == [
        "linear-swap-ws", "linear-swap-notification", "ws_index",
    ]  # fmt: skip
    assert [orjson.loads(VENUE.subscribe([topic], 7)) for topic in market.topics] == [
        {"sub": BTC_BOOK, "data_type": "incremental", "id": "7"},
        {"sub": "market.BTC-USDT.trade.detail", "id": "7"},
    ]
    assert orjson.loads(VENUE.unsubscribe(market.topics[:1], 8)) == {"unsub": BTC_BOOK, "id": "8"}
    assert [orjson.loads(VENUE.subscribe([topic], 9)) for topic in notices.topics] == [
        {"op": "sub", "cid": "9", "topic": name}
        for name in ("public.*.liquidation_orders", "public.*.contract_info", "public.BTC-USDT.funding_rate")
    ]
    assert [topic.key for topic in prices.topics] == [
        "market.BTC-USDT.mark_price.1min", "market.BTC-USDT.index.1min",
    ]  # fmt: skip
    assert known("market.BTC-USDT.trade.detail").repeats_past


@pytest.mark.parametrize(
    ("frame", "means"),
    [
        (b'{"ping":1790134831961}', PingAsked('{"pong":1790134831961}')),
        (b'{"op":"ping","ts":"1790135117894"}', PingAsked('{"op":"pong","ts":"1790135117894"}')),
        (b'{"op":"ping","ts":1790135117894}', PingAsked('{"op":"pong","ts":1790135117894}')),
        (b'{"id":"3","status":"ok","subbed":"market.BTC-USDT.bbo","ts":1}', Acked(3)),
        (b'{"id":null,"status":"ok","subbed":"market.BTC-USDT.bbo","ts":1}', Acked(keys=("market.BTC-USDT.bbo",))),
        (b'{"id":"3","status":"ok","unsubbed":"market.BTC-USDT.bbo","ts":1}', Acked(3, unsubscribed=True)),
        (b'{"op":"sub","cid":"5","topic":"public.*.liquidation_orders","ts":1,"err-code":0}', Acked(5)),
        (b'{"op":"unsub","cid":"5","topic":"public.*.liquidation_orders","err-code":0}', Acked(5, unsubscribed=True)),
        # We have it: as good as an acknowledgement.
        (b'{"op":"sub","cid":"6","topic":"a","err-code":2014,"err-msg":"Repeated subscription"}', Acked(6)),
        (b'{"op":"sub","cid":"6","topic":"a","err-code":2011,"err-msg":"no"}', Refused("2011 no", 6)),
        (
            b'{"op":"sub","topic":"public.BTC-USDT.funding_rate","err-code":2011,"err-msg":"no"}',
            Refused("2011 no", keys=("public.BTC-USDT.funding_rate",)),
        ),
        (
            b'{"status":"error","ts":1,"err-code":"bad-request","err-msg":"invalid topic market.NOPE-USDT.trade.detail"}',
            Refused("bad-request invalid topic market.NOPE-USDT.trade.detail", keys=("market.NOPE-USDT.trade.detail",)),
        ),
        (
            b'{"status":"error","ts":1,"err-code":"bad-request","err-msg":"not json, is not json string"}',
            ErrorSaid("bad-request not json, is not json string"),
        ),
        (b'{"op":"close","ts":1}', ShutdownAnnounced('{"op":"close","ts":1}')),
        (b'{"op":"error","ts":1}', ShutdownAnnounced('{"op":"error","ts":1}')),
    ],
)
def test_control_frames(frame: bytes, means: object) -> None:
    assert VENUE.frame_key(frame) is None
    assert VENUE.slow_frame_key(frame) is None
    assert VENUE.control(frame) == [means]


def test_a_repeated_leave_is_no_success() -> None:
    frame = b'{"op":"unsub","cid":"6","topic":"a","err-code":2014,"err-msg":"Repeated"}'
    assert VENUE.control(frame) == [Refused("2014 Repeated", 6)]


# -- facts
@pytest.mark.parametrize("key", ["public.*.liquidation_orders", "public.*.contract_info"])
def test_an_odd_row_costs_the_others_nothing(key: str) -> None:
    message = orjson.loads(WORDS[key])
    message["data"].append({"contract_code": "X-USDT"})
    *kept, unread = VENUE.parse(known(key), orjson.dumps(message))
    assert kept == VENUE.parse(known(key), WORDS[key])
    assert isinstance(unread, Unread)
    assert unread.rows == 1


def test_figures() -> None:
    at = 1790135117894 * MS
    assert facts_of(WORDS["public.BTC-USDT.funding_rate"]) == [
        Funding("BTC-USDT", Decimal("0.000064355479737646"), 1790150400000 * MS, None, at)
    ]
    nought = WORDS["public.BTC-USDT.funding_rate"].replace(b"0.000064355479737646", b"0E-18")
    (fact,) = facts_of(nought)
    assert isinstance(fact, Funding)
    assert fact.rate == 0
    small = WORDS["public.BTC-USDT.funding_rate"].replace(b"0.000064355479737646", b"-3.1000000000E-8")
    assert [fact.rate for fact in facts_of(small) if isinstance(fact, Funding)] == [Decimal("-3.1E-8")]
    tiny = WORDS["market.BTC-USDT.mark_price.1min"].replace(b"86859.7", b"9.8E-7")
    assert [fact.price for fact in facts_of(tiny) if isinstance(fact, MarkPrice)] == [Decimal("9.8E-7")]
    assert facts_of(WORDS["market.BTC-USDT.mark_price.1min"]) == [
        MarkPrice("BTC-USDT", Decimal("86859.7"), 1790134832001 * MS)
    ]
    assert facts_of(WORDS["market.BTC-USDT.index.1min"]) == [
        IndexPrice("BTC-USDT", Decimal("86881.55"), 1790134832003 * MS)
    ]
    assert facts_of(WORDS["public.*.contract_info"]) == [
        InstrumentChanged("SOL-USDT", False, "suspended", 1790135117300 * MS)
    ]
    with pytest.raises(FrameError, match="ch is not"):
        VENUE.parse(known("market.ETH-USDT.mark_price.1min"), WORDS["market.BTC-USDT.mark_price.1min"])


def test_polls() -> None:
    at = 1790134831953 * MS
    assert VENUE.parse_poll(POLLS["open_interest"], WORDS["rest:poll:open_interest"]) == [
        OpenInterest("BTC-USDT", Decimal(3063121), None, at)
    ]
    assert VENUE.parse_poll(POLLS["margin_tiers"], WORDS["rest:poll:margin_tiers"]) == [
        MarginTiers(
            "BTC-USDT",
            (
                MarginTier(Decimal(0), Decimal(10000), Decimal("0.005"), Decimal(100)),
                MarginTier(Decimal(10000), None, Decimal("0.01"), Decimal(100)),
            ),
            "contracts",
            whole=True,
            venue_time=at,
        )
    ]
    (down,) = VENUE.parse_poll(POLLS["status"], WORDS["rest:poll:status"])
    text = "HTX USDT perpetuals are in maintenance"
    assert down == VenueNotice(text, True, None, 1790140000000 * MS, 0, key="heartbeat")
    up = orjson.loads(WORDS["rest:poll:status"])
    up["data"]["linear_swap_heartbeat"] = 1
    (over,) = VENUE.parse_poll(POLLS["status"], orjson.dumps(up))
    assert isinstance(over, VenueNotice)
    assert (over.disruptive, over.ends, over.key) == (False, 0, "heartbeat"), "the notice has ended"


@pytest.mark.parametrize(
    ("ladders", "why"),
    [([], "begin"), ([{"min_size": 5, "max_size": 9, "adjust_factor": 0.5}], "begin")],
)
def test_tiers_with_a_hole_are_none(ladders: list[object], why: str) -> None:
    row = {"contract_code": "BTC-USDT", "list": [{"lever_rate": 100, "ladders": ladders}]}
    body = orjson.dumps({"status": "ok", "data": [row, row], "ts": 1790134831953})
    with pytest.raises(FrameError, match=why):
        VENUE.parse_poll(POLLS["margin_tiers"], body)


def test_the_highest_leverage_has_the_word() -> None:
    ladder = [{"min_size": 0, "max_size": None, "adjust_factor": 0.2}]
    tables = [{"lever_rate": leverage, "ladders": ladder} for leverage in (1, 20, 5)]
    row = {"contract_code": "BTC-USDT", "list": tables}
    body = orjson.dumps({"status": "ok", "data": [row], "ts": 1790134831953})
    (found,) = VENUE.parse_poll(POLLS["margin_tiers"], body)
    assert isinstance(found, MarginTiers)
    assert found.tiers == (MarginTier(Decimal(0), None, Decimal("0.01"), Decimal(20)),)


def test_errors_come_with_http_200() -> None:
    request = RestRequest("poll", "https://api.hbdm.com/x", 1, "BTC-USDT")
    VENUE.check_reply(request, 200, {}, WORDS["rest:poll:open_interest"])
    VENUE.check_reply(request, 200, {}, b'{"ts":1,"status":"ok"}')
    with pytest.raises(RetryLater):
        VENUE.check_reply(request, 200, {}, b'{"status":"error","err_code":1032,"err_msg":"too often","ts":1}')
    with pytest.raises(VenueError, match="1014 unknown contract"):
        VENUE.check_reply(request, 200, {}, b'{"status":"error","err_code":1014,"err_msg":"unknown contract","ts":1}')
    with pytest.raises(VenueError, match="invalid-parameter"):
        VENUE.check_reply(request, 200, {}, b'{"status":"error","err-code":"invalid-parameter","err-msg":"a","ts":1}')


# -- real frames
TICKS = {"GRT-USDT": "0.00001", "SNX-USDT": "0.0001", "BTT-USDT": "1E-8", "SOS-USDT": "1E-8", "ACH-USDT": "0.00001"}


def test_the_capture_of_2022(shared_data: Path) -> None:
    """Whole books (`step0`) and trades of thirty seconds; every frame has a place, every book comes to what the frame says."""
    books: dict[str, CapturedBook] = {}
    last: dict[str, int] = {}
    kinds = Counter[str]()
    sold: dict[str, list[Trade]] = {}
    for row in lines(shared_data / "cryptofeed-samples" / "htx_swap_linear.jsonl.gz"):
        raw = str(row["raw"])
        if row["k"] == "open":
            assert raw == VENUE.connections(sample_instruments(VENUE, 1))[0].url
            continue
        if row["k"] == "send":
            kinds["sent"] += 1
            continue
        frame = raw.encode()
        name = VENUE.slow_frame_key(frame)
        assert VENUE.frame_key(frame) == (None if name is None else name.encode())
        if name is None:
            (said,) = VENUE.control(frame)
            kinds[type(said).__name__] += 1
            continue
        topic = known(name)
        kinds[topic.channel] += 1
        (symbol,) = topic.symbols
        if topic.channel is Channel.TRADES:
            sold.setdefault(symbol, []).extend(read_trades(trades_of(name), frame, symbol))
            continue
        live = books.setdefault(symbol, CapturedBook(VENUE, name, TICKS[symbol], "1"))
        older = orjson.loads(frame)["ts"] < last.get(symbol, 0)
        outcome = live.take(frame)
        assert outcome is (Outcome.IGNORED if older else Outcome.REPLACED)
        if not older:
            last[symbol] = orjson.loads(frame)["ts"]
            tick = orjson.loads(frame)["tick"]
            step = Decimal(TICKS[symbol])
            bids, asks = ({Decimal(str(p)).quantize(step): Decimal(q) for p, q in tick[s]} for s in ("bids", "asks"))
            assert live.sides() == (bids, asks)
    assert kinds == {"sent": 16, "Acked": 10, "PingAsked": 6, "trades": 13, "book": 1588}
    assert sum(live.outcomes["REPLACED"] for live in books.values()) == 1587
    assert sum(live.outcomes["IGNORED"] for live in books.values()) == 1, "the venue's clock went back by 7 ms"
    assert sum(live.outcomes["plainly"] for live in books.values()) == 0
    assert {symbol: len(trades) for symbol, trades in sold.items()} == {
        "GRT-USDT": 2, "SNX-USDT": 8, "BTT-USDT": 1, "SOS-USDT": 4, "ACH-USDT": 2,
    }  # fmt: skip
    (old,) = sold["BTT-USDT"]
    assert (old.price, old.size, old.side) == (Decimal("0.00000202"), Decimal(2), layout.SELL)
    assert old.time == 1645287034907 * MS, "forty minutes before the subscription"


def test_of_the_capture_only_trades_after_subscribing_count(shared_data: Path) -> None:
    """The first frame of each market is from before: 9 minutes of the ones that trade, 40 minutes of one that does not."""
    tallies: dict[str, TradeTally] = {}
    lanes: dict[str, TradeLane] = {}
    asked = 1645289384_689 * MS
    fresh = Counter[str]()
    for row in lines(shared_data / "cryptofeed-samples" / "htx_swap_linear.jsonl.gz"):
        frame = str(row["raw"]).encode()
        key = VENUE.slow_frame_key(frame) if row["k"] == "recv" else None
        if key is None or known(key).channel is not Channel.TRADES:
            continue
        (symbol,) = known(key).symbols
        if symbol not in lanes:
            market = Instrument("htx_linear", symbol, "X", "USDT", "USDT", "linear", Decimal(TICKS[symbol]), Decimal(1))
            tallies[symbol] = TradeTally()
            lanes[symbol] = TradeLane(market, known(key), market.scale, tallies[symbol])
        lanes[symbol].frame(frame, 1.0)
        fresh[symbol] += sum(trade["ts"] * MS > asked for trade in orjson.loads(frame)["tick"]["data"])
    assert {symbol: sum(tally.count.values()) for symbol, tally in tallies.items()} == dict(fresh)
    assert sum(fresh.values()) == 12
    assert fresh["BTT-USDT"] == 0


def test_tardis_messages(shared_data: Path) -> None:
    """Of 2020 to 2022. What is made up by tardis (`generated`) has no topic of the venue's."""
    frames = tardis_messages(shared_data, "map huobi-dm-linear-swap, messages")
    assert len(frames) == 11
    acks = [VENUE.control(frame)[0] for frame in frames if VENUE.slow_frame_key(frame) is None]
    assert acks == [Acked(3), Acked(1)]
    found: dict[str, list[bytes]] = {}
    for frame in frames:
        if (key := VENUE.slow_frame_key(frame)) is not None:
            found.setdefault(key, []).append(frame)
    assert {key: None if VENUE.topic(key) is None else known(key).channel for key in found} == {
        "market.EOS-USDT.trade.detail": Channel.TRADES,
        "market.ETC-USDT.depth.size_150.high_freq": Channel.BOOK,
        "market.BTC-USDT.basis.1min.close": Channel.OTHER,
        "market.BTC-USDT.open_interest": None,
        "public.BTC-USDT.funding_rate": Channel.TICKER,
        "public.*.liquidation_orders": Channel.LIQUIDATIONS,
        "market.BTC-USDT.bbo": Channel.OTHER,
        "market.BTC-USDT.trade.detail": Channel.TRADES,
    }
    first, second = (
        read_trades(trades_of("market.EOS-USDT.trade.detail"), frame, "EOS-USDT")[0]
        for frame in found["market.EOS-USDT.trade.detail"]
    )
    assert first == Trade(Decimal("3.2639"), Decimal(6), layout.BUY, 1606780814931 * MS, 2918913650000)
    assert second.size == 30
    key = "market.ETC-USDT.depth.size_150.high_freq"
    grammar = known(key).book
    assert grammar is not None
    delta = read_book(grammar, found[key][0], "ETC-USDT")
    assert (delta.kind, delta.bids, delta.header[layout.LAST_ID]) == (layout.KIND_DELTA, [], 27290512)
    assert delta.asks == [(Decimal("6.7918"), Decimal(118)), (Decimal("6.7941"), Decimal(0))]
    assert facts_of(found["public.BTC-USDT.funding_rate"][0]) == [
        Funding("BTC-USDT", Decimal("0.000100000000000000"), 1606780800000 * MS, None, 1606780803260 * MS)
    ]
    assert facts_of(found["public.*.liquidation_orders"][0]) == [
        Liquidation("BTC-USDT", "long", Decimal(227), Decimal("23350.5"), "order", 1608226502284 * MS, "sampled")
    ]
    # A print of 2022 without a direction: whose it was nobody can tell.
    with pytest.raises(WireError, match="side"):
        read_trades(trades_of("market.BTC-USDT.trade.detail"), found["market.BTC-USDT.trade.detail"][0], "BTC-USDT")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("map huobi messages", {"foreign topic": 22, "Acked": 1, "refused": 1}),
        ("map huobi-dm, messages", {"foreign topic": 6, "Liquidation": 3, "InstrumentChanged": 5}),
        ("map huobi-dm-swap, messages", {"foreign topic": 7, "Acked": 2, "Liquidation": 2}),
        ("map huobi-dm-options, messages", {"foreign topic": 6}),
    ],
)
def test_other_families_are_no_topics_of_ours(shared_data: Path, test: str, expected: dict[str, int]) -> None:
    """Spot, coin-margined and options have sockets of their own: their words are the same, their names are not.

    The one refused is an answer to a request for a book of the spot market (`rep`), which we never make.
    """
    kinds = Counter[str]()
    for frame in tardis_messages(shared_data, test):
        key = VENUE.slow_frame_key(frame)
        assert VENUE.frame_key(frame) in (None, None if key is None else key.encode())
        if key is not None and VENUE.topic(key) is None:
            kinds["foreign topic"] += 1
            continue
        try:
            found = VENUE.control(frame) if key is None else VENUE.parse(known(key), frame)
        except FrameError:
            kinds["refused"] += 1
            continue
        for fact in found:
            kinds[type(fact).__name__] += 1
            symbol = getattr(fact, "symbol", "")
            assert not symbol.endswith("-USDT"), "nobody takes it for a market of ours"
    assert kinds == expected


def test_liquidations_of_2026(shared_data: Path) -> None:
    rows = list(lines(shared_data / "liquidation-frames-2026" / "frames.jsonl"))
    mine = [str(row["raw"]).encode() for row in rows if str(row["venue"]).startswith("htx")]
    assert len(mine) == 2
    liquidation, ping = mine
    assert VENUE.frame_key(liquidation) == b"public.*.liquidation_orders"
    assert facts_of(liquidation) == [
        Liquidation("ETH-USDT", "short", Decimal(500), Decimal("2446.26"), "order", 1789670297212 * MS, "sampled")
    ]
    (ether,) = listed(symbol="ETH", contract_code="ETH-USDT", contract_size=0.01, price_tick=0.01)
    row = orjson.loads(liquidation)["data"][0]
    assert float(ether.contract_size) * 500 == row["amount"]
    assert worth_of(ether, ether.scale).lot_tick_unit * 500 * 244626 == pytest.approx(row["trade_turnover"])
    assert VENUE.control(ping) == [PingAsked('{"op":"pong","ts":"1789676447110"}')]


def test_the_side_of_the_order_closes_the_other_side() -> None:
    (fact,) = facts_of(WORDS["public.*.liquidation_orders"])
    assert isinstance(fact, Liquidation)
    assert (fact.position, fact.quantity, fact.coverage) == ("long", Decimal(12), "sampled"), "the order sold"

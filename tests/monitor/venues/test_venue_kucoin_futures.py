"""KuCoin Futures by its page: two sockets, ranges that join, lots of coins or dollars; and the only real frames there are, of its spot side."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from captured_books import CapturedBook
from hot_frames import read_book, read_trades
from venue_forms import FORMS, lines, sample_instruments

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from engines.wire.grammar import BookGrammar, IntegerField, SequenceRule
from monitor.errors import FrameError, RetryLater, VenueError
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    VenueNotice,
)
from monitor.venues.base import Acked, BookPolicy, ErrorSaid, Pong, Refused, RestRequest, Topic
from monitor.venues.kucoin_futures import KucoinFutures

VENUE = KucoinFutures()
GOOD = dict(FORMS["kucoin_futures"].GOOD)
MS = 1_000_000
MARKET = Instrument("kucoin_futures", "XBTUSDTM", "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal(1))
BTC = "obu:XBTUSDTM"
TICKER = "/contract/instrument:XBTUSDTM"
# In the venue's documented form: a whole book names its market right behind the levels, a change further on.
WHOLE = (
    b'{"T":"obu.FUTURES","dp":"increment@10ms","t":"snapshot","P":1790114460671676191,"d":{"a":[["2749.69","96"],["2749.7","102"]],'
    b'"b":[["2749.68","277"],["2749.61","45"]],"s":"ETHUSDTM","C":1736604716203,"M":1790114460661000000,"O":1736604716203}}'
)


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def book(kind: str, first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> bytes:
    data = {"a": asks, "b": bids, "C": last, "s": "XBTUSDTM", "M": 1790114459839000000, "O": first}
    return orjson.dumps({"T": "obu.FUTURES", "dp": "increment@10ms", "t": kind, "P": 1790114459840641662, "d": data})


def begun(last: int = 100) -> CapturedBook:
    live = CapturedBook(VENUE, BTC, "0.1", "1")
    whole = book("snapshot", last, last, [["85973.3", "16236"]], [["85973.4", "12"]])
    assert live.take(whole) is Outcome.REPLACED
    return live


def polled(key: str) -> RestRequest:
    polls = (*VENUE.polls(MARKET), *VENUE.venue_polls([MARKET]))
    return next(poll.request for poll in polls if poll.request.key == key)


# -- book
def test_the_whole_book_then_ranges_that_join() -> None:
    live = begun()
    assert live.take(book("delta", 101, 105, [["85973.3", "0"], ["85973.2", "7"]], [])) is Outcome.APPLIED
    assert live.take(book("delta", 106, 106, [], [["85980", "1"]])) is Outcome.APPLIED
    assert live.sides() == (
        {Decimal("85973.2"): Decimal(7)},
        {Decimal("85973.4"): Decimal(12), Decimal("85980.0"): Decimal(1)},
    )
    assert live.take(book("delta", 108, 109, [], [["85980", "2"]])) is Outcome.GAP
    assert live.outcomes["plainly"] == 0


def test_what_overlaps_applies_and_what_is_old_does_not() -> None:
    live = begun()
    assert live.take(book("delta", 99, 102, [["85970", "3"]], [])) is Outcome.APPLIED
    assert live.take(book("delta", 101, 102, [["85970", "9"]], [])) is Outcome.IGNORED
    assert live.sides()[0][Decimal("85970.0")] == 3


def test_changes_before_the_whole_book_mean_nothing() -> None:
    live = CapturedBook(VENUE, BTC, "0.1", "1")
    assert live.take(book("delta", 90, 95, [["85000", "1"]], [])) is Outcome.IGNORED
    assert not live.book.readable
    assert live.take(book("snapshot", 100, 100, [["85973.3", "5"]], [["85973.4", "12"]])) is Outcome.REPLACED
    assert live.sides()[0] == {Decimal("85973.3"): Decimal(5)}


def test_times_are_in_ns_and_the_market_is_found_at_the_end() -> None:
    topic = known("obu:ETHUSDTM")
    assert VENUE.frame_key(WHOLE) == b"obu:ETHUSDTM"
    assert VENUE.slow_frame_key(WHOLE) == "obu:ETHUSDTM"
    assert topic.book is not None
    whole = read_book(topic.book, WHOLE, "ETHUSDTM")
    assert whole.kind == layout.KIND_SNAPSHOT
    assert whole.header == {
        layout.FIRST_ID: 1736604716203,
        layout.LAST_ID: 1736604716203,
        layout.ENGINE_TIME: 1790114460661000000,
        layout.EVENT_TIME: 1790114460671676191,
    }
    assert whole.bids == [(Decimal("2749.68"), Decimal(277)), (Decimal("2749.61"), Decimal(45))]
    change = read_book(topic.book, GOOD[BTC], "XBTUSDTM")
    assert (change.kind, change.bids[1]) == (layout.KIND_DELTA, (Decimal("85887.1"), Decimal(0)))
    assert VENUE.frame_key(GOOD[BTC]) == BTC.encode()


def test_another_depth_is_not_the_book() -> None:
    topic = known(BTC)
    assert topic.book is not None
    with pytest.raises(WireError, match="dp"):
        read_book(topic.book, GOOD[BTC].replace(b"increment@10ms", b"50"), "XBTUSDTM")


def test_a_body_of_500_levels_is_routed_without_reading_it() -> None:
    levels = [[f"{85_973 - n * 0.1:.1f}", str(n + 1)] for n in range(500)]
    frame = book("snapshot", 1, 1, levels, [["86000", "1"]])
    assert VENUE.frame_key(frame) == BTC.encode()
    spaced = orjson.dumps(orjson.loads(frame), option=orjson.OPT_INDENT_2)
    assert VENUE.frame_key(spaced) is None
    assert VENUE.slow_frame_key(spaced) == BTC


def test_the_deep_book_is_of_1000_levels_with_bare_sizes() -> None:
    request = VENUE.deep_request(MARKET)
    assert request is not None
    assert request.url == "https://api-futures.kucoin.com/api/v1/level2/snapshot?symbol=XBTUSDTM"
    body = {"sequence": 120, "symbol": "XBTUSDTM", "bids": [["85973.3", 56], [80000.5, 15]], "asks": [["85973.4", 3]]}
    frame = orjson.dumps({"code": "200000", "data": {**body, "ts": 1790114459840641662}})
    assert VENUE.book.deep_grammar is not None
    read = read_book(VENUE.book.deep_grammar, frame, "XBTUSDTM")
    assert read.bids == [(Decimal("85973.3"), Decimal(56)), (Decimal("80000.5"), Decimal(15))]
    assert read.header[layout.LAST_ID] == 120
    live = begun()
    assert live.book.deep_body(frame, 0) is Outcome.REPLACED


# -- trades, ticker
def test_the_side_is_the_takers_and_sizes_are_lots() -> None:
    grammar = known("trade:XBTUSDTM").trades
    assert grammar is not None
    frame = GOOD["trade:XBTUSDTM"]
    assert VENUE.frame_key(frame) == b"trade:XBTUSDTM"
    (bought,) = read_trades(grammar, frame, "XBTUSDTM")
    assert (bought.side, bought.price, bought.size) == (layout.BUY, Decimal("85973.3"), Decimal(12))
    assert (bought.time, bought.identifier, bought.kept) == (1790114459839000000, 1905973690439, True)
    changed = (
        frame.replace(b'"buy"', b'"sell"').replace(b'"1905973690439"', b"1905973690440").replace(b"false", b"true")
    )
    (sold,) = read_trades(grammar, changed, "XBTUSDTM")
    assert (sold.side, sold.identifier, sold.kept) == (layout.SELL, 1905973690440, True)


@pytest.mark.parametrize(("word", "side"), [("Buy", layout.BUY), ("SELL", layout.SELL), ("Sell", layout.SELL)])
def test_the_case_of_a_side_may_vary(word: str, side: int) -> None:
    grammar = known("trade:XBTUSDTM").trades
    assert grammar is not None
    (found,) = read_trades(grammar, GOOD["trade:XBTUSDTM"].replace(b'"buy"', f'"{word}"'.encode()), "XBTUSDTM")
    assert found.side == side


def test_mark_and_index_come_from_the_older_socket_and_funding_from_the_listing() -> None:
    at = 1_790_113_097_000 * MS
    assert VENUE.parse(known(TICKER), GOOD[TICKER]) == [
        MarkPrice("XBTUSDTM", Decimal("86201.79"), at),
        IndexPrice("XBTUSDTM", Decimal("86248.81"), at),
    ]
    rate = {"granularity": 60000, "fundingRate": 0.000053, "timestamp": 1705708800000}
    said = {"topic": TICKER, "type": "message", "subject": "funding.rate", "data": rate}
    assert VENUE.parse(known(TICKER), orjson.dumps(said)) == []
    with pytest.raises(FrameError, match="subject"):
        VENUE.parse(known(TICKER), orjson.dumps({**said, "subject": "nothing"}))
    with pytest.raises(FrameError, match="topic"):
        VENUE.parse(known("/contract/instrument:ETHUSDTM"), GOOD[TICKER])
    older = {name: orjson.loads(GOOD[TICKER])[name] for name in ("data", "subject", "topic", "type")}
    assert VENUE.frame_key(orjson.dumps(older)) is None
    assert VENUE.slow_frame_key(orjson.dumps(older)) == TICKER, "in the order of earlier years"


def test_the_listing_gives_open_interest_in_lots_and_the_rate_as_sent() -> None:
    assert VENUE.parse_poll(polled("figures"), GOOD["rest:instruments"]) == [
        InstrumentChanged("XBTUSDTM", True, "Open", 0),
        OpenInterest("XBTUSDTM", Decimal(11481754), None, 0),
        Funding("XBTUSDTM", Decimal("-0.000076"), 1_790_121_600_000 * MS, 28_800, 0),
    ]
    for text in (b"0.000053", b"1E-7", b"-0.003", b"0", b"0.00012345678901234"):
        body = GOOD["rest:instruments"].replace(b"-7.6E-5", text)
        (*_, funding) = VENUE.parse_poll(polled("figures"), body)
        assert isinstance(funding, Funding)
        assert funding.rate == Decimal(text.decode())
    halted, *_ = VENUE.parse_poll(polled("figures"), GOOD["rest:instruments"].replace(b'"Open"', b'"CancelOnly"'))
    assert halted == InstrumentChanged("XBTUSDTM", False, "CancelOnly", 0)


# -- listing, tiers, status
def listed(**changed: object) -> list[Instrument]:
    (row,) = orjson.loads(GOOD["rest:instruments"])["data"]
    (request,) = VENUE.instrument_requests([])
    body = orjson.dumps({"code": "200000", "data": [{**row, **changed}]})
    return VENUE.parse_instruments(request, body)[0]


def test_a_lot_is_coins_or_a_dollar_and_xbt_is_bitcoin() -> None:
    (linear,) = listed()
    assert (linear.asset, linear.quote, linear.settle, linear.contract_type) == ("BTC", "USDT", "USDT", "linear")
    assert (linear.contract_size, linear.lot_size, linear.tick_size) == (Decimal("0.001"), Decimal(1), Decimal("0.1"))
    assert (linear.trading, linear.funding_interval_seconds) == (True, 28_800)
    inverse_row = {
        "symbol": "XBTUSDM",
        "isInverse": True,
        "multiplier": -1,
        "quoteCurrency": "USD",
        "settleCurrency": "XBT",
    }
    (inverse,) = listed(**inverse_row)
    assert (inverse.asset, inverse.quote, inverse.settle) == ("BTC", "USD", "BTC")
    assert (inverse.contract_type, inverse.contract_size) == ("inverse", Decimal(1))
    (many,) = listed(symbol="1000BONKUSDTM", baseCurrency="1000BONK", tickSize=1e-7, multiplier=100)
    assert (many.asset, many.unit_multiplier, many.tick_size) == ("BONK", 1000, Decimal("0.0000001"))


def test_contracts_before_their_market_are_left_out_and_odd_ones_refused() -> None:
    assert listed(marketStage="PRE_MARKET") == []
    assert listed(type="FFXXXX") == []
    (halted,) = listed(status="Paused")
    assert not halted.trading
    for wrong in ({"multiplier": -0.001}, {"multiplier": 0}, {"isInverse": True}, {"isInverse": None}):
        assert listed(**wrong) == [], wrong


def test_risk_limits_are_quote_currency_or_coins() -> None:
    levels = (
        MarginTier(Decimal(0), Decimal(100_000), Decimal("0.004"), Decimal(125)),
        MarginTier(Decimal(100_000), Decimal(500_000), Decimal("0.005"), Decimal(100)),
    )
    body = GOOD["rest:poll:tiers"]
    assert VENUE.parse_poll(polled("margin_tiers"), body) == [MarginTiers("XBTUSDTM", levels, "quote", True, 0)]
    inverse = Instrument("kucoin_futures", "XBTUSDM", "BTC", "USD", "BTC", "inverse", Decimal("0.1"), Decimal(1))
    (poll,) = VENUE.polls(inverse)
    (tiers,) = VENUE.parse_poll(poll.request, body.replace(b"XBTUSDTM", b"XBTUSDM"))
    assert isinstance(tiers, MarginTiers)
    assert tiers.unit == "base"
    with pytest.raises(FrameError, match="symbol"):
        VENUE.parse_poll(poll.request, body)
    with pytest.raises(FrameError, match="join"):
        VENUE.parse_poll(polled("margin_tiers"), body.replace(b'"minRiskLimit":100000', b'"minRiskLimit":200000'))


def test_a_venue_that_only_lets_orders_be_cancelled_is_stress_until_it_opens() -> None:
    body = GOOD["rest:poll:status"]
    (shut,) = VENUE.parse_poll(polled("status"), body.replace(b'"open"', b'"cancelonly"').replace(b'""', b'"upgrade"'))
    assert shut == VenueNotice("KuCoin Futures is cancelonly: upgrade", True, None, None, 0, key="service")
    (opened,) = VENUE.parse_poll(polled("status"), body)
    assert isinstance(opened, VenueNotice)
    assert (opened.disruptive, opened.ends, opened.key) == (False, 1, "service")


def test_errors_come_with_http_200() -> None:
    request = polled("status")
    with pytest.raises(RetryLater) as later:
        VENUE.check_reply(request, 200, {}, GOOD["rest:error"])
    assert later.value.seconds == 30
    with pytest.raises(VenueError, match="200003"):
        VENUE.check_reply(request, 200, {}, b'{"code":"200003","msg":"Invalid symbol"}')
    VENUE.check_reply(request, 200, {}, GOOD["rest:poll:status"])


# -- sockets
def test_only_the_older_socket_asks_for_a_token() -> None:
    plans = {plan.name: plan for plan in VENUE.connections(sample_instruments(VENUE, 3))}
    assert [(name, plan.address is not None) for name, plan in plans.items()] == [
        ("books-1", False), ("trades-1", False), ("tickers-1", True),
    ]  # fmt: skip
    assert plans["books-1"].url == "wss://x-push-futures.kucoin.com"
    tickers = plans["tickers-1"]
    assert tickers.address is not None
    assert (tickers.address.purpose, tickers.address.body) == ("address", "{}")
    address = VENUE.address(tickers, GOOD["rest:address"])
    split = urlsplit(address)
    assert (split.scheme, split.hostname, split.path) == ("wss", "ws-api-futures.kucoin.com", "/")
    assert parse_qs(split.query) == {"token": ["2neAiuYv.rIAVDSL657g7mnAiHkH5aA=="], "connectId": ["tickers-1"]}
    for wrong in (b"[]", b"wss:", b'"token":""'):
        body = GOOD["rest:address"]
        broken = {b"[]": b'{"code":"200000","data":{"token":"t","instanceServers":[]}}',
                  b"wss:": body.replace(b"wss:", b"http:"), b'"token":""': body.replace(b"2neAiuYv.rIAVDSL657g7mnAiHkH5aA==", b"")}[wrong]  # fmt: skip
        with pytest.raises(FrameError):
            VENUE.address(tickers, broken)


def test_a_frame_asks_for_one_topic_in_the_words_of_its_socket() -> None:
    assert orjson.loads(VENUE.subscribe([known(BTC)], 4)) == {
        "id": "4",
        "action": "SUBSCRIBE",
        "channel": "obu",
        "tradeType": "FUTURES",
        "symbol": "XBTUSDTM",
        "depth": "increment@10ms",
    }
    trades = orjson.loads(VENUE.unsubscribe([known("trade:XBTUSDTM")], 5))
    assert (trades["action"], trades["channel"], "depth" in trades) == ("UNSUBSCRIBE", "trade", False)
    assert orjson.loads(VENUE.subscribe([known(TICKER)], 6)) == {
        "id": "6",
        "type": "subscribe",
        "topic": TICKER,
        "privateChannel": False,
        "response": True,
    }
    with pytest.raises(ValueError, match="one topic"):
        VENUE.subscribe([known(BTC), known("trade:XBTUSDTM")], 7)
    for topic in (known(BTC), known(TICKER)):
        assert topic.first_seconds == 15, "what does not exist is acknowledged and silent"


def test_answers_of_both_sockets() -> None:
    assert VENUE.control(b'{"sessionId":"e8e4","message":"welcome","pingInterval":18000}') == []
    assert VENUE.control(b'{"id":"tickers-1","type":"welcome"}') == []
    assert VENUE.control(b'{"id":"18","result":true}') == [Acked(18)]
    assert VENUE.control(b'{"id":"18","type":"ack"}') == [Acked(18)]
    assert VENUE.control(b'{"id":"18","result":false,"message":"invalid request data"}') == [
        Refused("invalid request data", 18)
    ]
    assert VENUE.control(b'{"id":"28","type":"error","code":404,"data":"topic does not exist"}') == [
        Refused("404 topic does not exist", 28)
    ]
    assert VENUE.control(b'{"id":"0","type":"error","code":400,"data":"ping timeout"}') == [
        ErrorSaid("400 ping timeout")
    ]
    assert [VENUE.control(frame) for frame in FORMS["kucoin_futures"].PONGS] == [[Pong()], [Pong()]]


def test_no_liquidations_are_made_up() -> None:
    assert VENUE.liquidation_coverage == "none"
    plans = VENUE.connections(sample_instruments(VENUE, 3))
    topics = [topic for plan in plans for topic in plan.topics]
    assert not any(topic.channel is Channel.LIQUIDATIONS or topic.facts_when for topic in topics)


# -- real frames
class _Spot(KucoinFutures):
    """The spot side's changes of 2021, on the same older socket and by the same kind of rule, seeded over REST."""

    change = BookGrammar(
        bids=("data", "changes", "bids"),
        asks=("data", "changes", "asks"),
        integers=(
            IntegerField(("data", "sequenceStart"), layout.FIRST_ID),
            IntegerField(("data", "sequenceEnd"), layout.LAST_ID),
        ),
        expects={("subject",): "trade.l2update"},
        market=(("data", "symbol"),),
    )
    seed = BookGrammar(
        bids=("data", "bids"),
        asks=("data", "asks"),
        integers=(IntegerField(("data", "sequence"), layout.LAST_ID),),
        expects={("code",): "200000"},
        default_kind=layout.KIND_SNAPSHOT,
    )
    book = BookPolicy(
        SequenceRule("range", seed="rest"),
        changes_at_any_price=True,
        window=None,
        snapshot_grammar=seed,
        snapshot_levels=100_000,
    )

    def topic(self, key: str) -> Topic | None:
        return Topic(key, Channel.BOOK, (key.partition(":")[2],), 60, book=self.change)


def test_the_capture_of_the_spot_side_joins_end_to_end(shared_data: Path) -> None:
    """No frame of the futures has been captured. These are of the same older socket: its manners are read by this module, its topics are
    none of ours, and its books join by the same rule: 3853 changes of nine markets, no gap."""
    rows = [
        row
        for row in lines(shared_data / "cryptofeed-samples" / "kucoin_spot.jsonl.gz")
        if row["k"] in ("recv", "http")
    ]
    finest: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    changes: dict[int, bytes] = {}
    said = Counter[str]()
    for at, row in enumerate(rows):
        message = orjson.loads(str(row["raw"]))
        subject = message.get("subject", message.get("type", "rest"))
        said[subject] += 1
        if row["k"] == "recv":
            frame = str(row["raw"]).encode()
            key = VENUE.slow_frame_key(frame)
            assert VENUE.frame_key(frame) is None
            if key is None:
                assert VENUE.control(frame) == ([] if message["type"] == "welcome" else [Acked(1)])
            else:
                assert key == message["topic"]
                assert VENUE.topic(key) is None, "not a market of ours"
        if subject == "trade.l2update":
            symbol, sides = message["data"]["symbol"], message["data"]["changes"]
            for side in sides.values():  # a price of 0 only moves the sequence on
                side[:] = [level for level in side if level[0] != "0"]
            changes[at] = orjson.dumps(message)
        elif subject == "rest":
            symbol, sides = parse_qs(urlsplit(str(row["url"])).query)["symbol"][0], message["data"]
        else:
            continue
        for price, size, *_ in (*sides["bids"], *sides["asks"]):
            for which, number in enumerate((price, size)):
                finest[symbol][which] = max(finest[symbol][which], len(number.partition(".")[2]))
    spot = _Spot()
    books = {
        symbol: CapturedBook(spot, f"/market/level2:{symbol}", *(str(Decimal(1).scaleb(-places)) for places in grid))
        for symbol, grid in finest.items()
    }
    for at, row in enumerate(rows):
        if at in changes:
            books[orjson.loads(changes[at])["data"]["symbol"]].take(changes[at])
        elif row["k"] == "http":
            symbol = parse_qs(urlsplit(str(row["url"])).query)["symbol"][0]
            outcome = books[symbol].seed(str(row["raw"]).encode())
            assert outcome in (Outcome.REPLACED, Outcome.HELD), (symbol, outcome)
    assert said == {
        "welcome": 1, "ack": 13, "trade.ticker": 830, "trade.l2update": 3853, "rest": 9, "trade.l3match": 18,
        "trade.candles.add": 5, "trade.candles.update": 1,
    }  # fmt: skip
    totals = Counter[str]()
    for live in books.values():
        totals.update(live.outcomes)
        assert live.book.counters["gaps"] == 0
        assert live.book.in_sync
    # What came before a snapshot is kept (the first of each market asks for it); of that, what the snapshot holds already is dropped.
    assert totals == {"APPLIED": 3805, "IGNORED": 39, "NEED_SNAPSHOT": 9}, (
        "no gap, none crossed, every frame by the scanner"
    )

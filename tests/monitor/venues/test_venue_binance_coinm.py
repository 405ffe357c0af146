"""Binance COIN-M by its page and by captured messages: inverse units, merged streams, brackets, listing, polls."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from binance_books import Driven
from hot_frames import read_book, read_trades
from venue_forms import lines, poll_of, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError, VenueError
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
)
from monitor.money import notional_usd
from monitor.venues.base import Acked, RestRequest, Topic
from monitor.venues.binance_coinm import BinanceCoinm
from monitor.venues.binance_futures import coin_margined
from monitor.venues.binance_usdm import BinanceUsdm

VENUE, USDM = BinanceCoinm(), BinanceUsdm()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def wrapped(stream: str, data: object) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def row(symbol: str, base: str, face: int = 10, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "pair": symbol.split("_", maxsplit=1)[0], "contractType": "PERPETUAL", "contractStatus": "TRADING",
        "contractSize": face, "baseAsset": base, "quoteAsset": "USD", "marginAsset": base, "equalQtyPrecision": 4,
        "pricePrecision": 1, "maintMarginPercent": "2.5000",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.1", "minPrice": "1"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1"},
        ],
    } | changes  # fmt: skip


def listing(*rows: object, funding: list[object] | None = None) -> list[Instrument]:
    (first,) = VENUE.instrument_requests(["BTCUSD_PERP"])
    assert first.url == "https://dapi.binance.com/dapi/v1/fundingInfo"
    _, second = VENUE.parse_instruments(first, orjson.dumps(funding or []))
    assert second is not None
    assert second.url == "https://dapi.binance.com/dapi/v1/exchangeInfo"
    return VENUE.parse_instruments(second, orjson.dumps({"symbols": rows}))[0]


# -- listing
def test_contracts_are_worth_us_dollars_and_settle_in_the_coin() -> None:
    found = listing(
        row("BTCUSD_PERP", "BTC", 100),
        row("ETHUSD_PERP", "ETH"),
        row("BTCUSD_261225", "BTC", 100, contractType="CURRENT_QUARTER"),
        row("OLDUSD_PERP", "OLD", contractStatus="SETTLING"),
        row("BNBUSD_261225", "BNB", contractType="CURRENT_QUARTER_DELIVERING", contractStatus="DELIVERING"),
        funding=[{"symbol": "ETHUSD_PERP", "fundingIntervalHours": 4}],
    )
    rows = [(i.symbol, i.asset, i.settle, i.contract_size, i.trading, i.funding_interval_seconds) for i in found]
    assert rows == [
        ("BTCUSD_PERP", "BTC", "BTC", 100, True, 28_800),
        ("ETHUSD_PERP", "ETH", "ETH", 10, True, 14_400),
        ("BTCUSD_261225", "BTC", "BTC", 100, True, None),
        ("OLDUSD_PERP", "OLD", "OLD", 10, False, 28_800),
        ("BNBUSD_261225", "BNB", "BNB", 10, False, None),
    ]
    assert all((i.contract_type, i.quote, i.lot_size) == ("inverse", "USD", 1) for i in found)
    assert found[3].status == "SETTLING"


@pytest.mark.parametrize("changes", [{"contractSize": None}, {"contractSize": 0}, {"contractStatus": None}])
def test_a_contract_of_unknown_worth_is_no_market(changes: dict[str, object]) -> None:
    (btc,) = listing(row("ODDUSD_PERP", "ODD", **changes), row("BTCUSD_PERP", "BTC", 100))
    assert btc.symbol == "BTCUSD_PERP"


# -- sockets
def test_one_address_with_the_index_of_each_perpetuals_pair() -> None:
    (plan,) = VENUE.connections(listing(row("BTCUSD_PERP", "BTC", 100), row("BTCUSD_261225", "BTC", 100)))
    assert plan.url == "wss://dstream.binance.com/stream"
    assert [topic.key for topic in plan.topics] == [
        "!contractInfo",
        "btcusd_261225@depth@100ms", "btcusd_261225@aggTrade", "btcusd_261225@markPrice@1s", "btcusd_261225@forceOrder",
        "btcusd_perp@depth@100ms", "btcusd_perp@aggTrade", "btcusd_perp@markPrice@1s", "btcusd_perp@forceOrder",
        "btcusd@indexPrice@1s",
    ]  # fmt: skip
    assert [topic.symbols for topic in plan.topics[-2:]] == [("BTCUSD_PERP",), ("BTCUSD_PERP",)]


@pytest.mark.parametrize(
    ("key", "channel", "symbols"),
    [
        ("btcusd_perp@depth@0ms", Channel.BOOK, ("BTCUSD_PERP",)),
        ("btcusd_200925@trade", Channel.TRADES, ("BTCUSD_200925",)),
        ("btcusd_perp@markPrice", Channel.TICKER, ("BTCUSD_PERP",)),
        ("btcusd@indexPrice", Channel.TICKER, ("BTCUSD_PERP",)),
        ("raw:btcusd@indexPrice", Channel.TICKER, ("BTCUSD_PERP",)),
        ("btcusd@markPrice@1s", Channel.OTHER, ("BTCUSD",)),  # all contracts of the pair in one array
        ("!forceOrder@arr", Channel.LIQUIDATIONS, ()),
        ("!contractInfo", Channel.STATUS, ()),
        ("btcusd_perp@bookTicker", Channel.OTHER, ("BTCUSD_PERP",)),
    ],
)
def test_keys(key: str, channel: Channel, symbols: tuple[str, ...]) -> None:
    topic = known(key)
    assert (topic.channel, topic.symbols) == (channel, symbols)


@pytest.mark.parametrize("key", ["btcusd@forceOrder", "btcusd_perp@indexPrice@1s", "BTCUSD_PERP@depth", "!bookticker"])
def test_unknown_keys(key: str) -> None:
    assert VENUE.topic(key) is None


def test_snapshot_with_its_symbol_and_pair() -> None:
    body = (
        b'{"lastUpdateId":16769853,"symbol":"BTCUSD_PERP","pair":"BTCUSD","E":1591250106370,"T":1591250106368,'
        b'"bids":[["9638.0","431"]],"asks":[["9638.2","12"]]}'
    )
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    book = read_book(grammar, body, "BTCUSD_PERP")
    assert book.header[layout.LAST_ID] == 16769853
    request = VENUE.snapshot_request(listing(row("BTCUSD_PERP", "BTC", 100))[0])
    assert request == RestRequest(
        "snapshot", "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000", 20, "BTCUSD_PERP"
    )


# -- liquidations, merged
FIXTURE = (
    b'{"e":"forceOrder","E":1591154240950,"o":{"s":"BTCUSD_200925","ps":"BTCUSD","S":"SELL","o":"LIMIT","f":"IOC","q":"1",'
    b'"p":"9425.5","ap":"9496.5","X":"FILLED","l":"1","z":"1","T":1591154240949},"st":1}'
)


def test_the_venues_own_example_with_the_wrong_universe_is_ours_by_its_symbol() -> None:
    at = 1591154240949 * NS
    wanted = [Liquidation("BTCUSD_200925", "long", Decimal(1), Decimal("9496.5"), "average", at, "sampled")]
    assert VENUE.slow_frame_key(FIXTURE) == "raw:btcusd_200925@forceOrder"
    assert VENUE.parse(known("raw:btcusd_200925@forceOrder"), FIXTURE) == wanted
    merged = wrapped("!forceOrder@arr", orjson.loads(FIXTURE))
    assert VENUE.parse(known("!forceOrder@arr"), merged) == wanted
    usdm = USDM.topic("!forceOrder@arr")
    assert usdm is not None
    assert USDM.parse(usdm, merged) == []


@pytest.mark.parametrize(
    ("symbol", "universe", "ours"),
    [
        ("BTCUSD_PERP", None, True),
        ("BTCUSD_PERP", 1, True),
        ("BNBUSD_210625", None, True),  # a base that ends in B
        ("ETHUSD_261225", 2, True),
        ("SOMETHING", 2, True),
        ("BTCUSDT", None, False),
        ("BTCUSDT", 1, False),
        ("BTCUSDT_261225", 1, False),
        ("BTCBUSD_210129", None, False),  # margined in the retired coin BUSD
        ("ETHBTC", 1, False),
    ],
)
def test_each_event_of_a_merged_stream_belongs_to_exactly_one_of_the_two(
    symbol: str, universe: int | None, ours: bool
) -> None:
    order = {"s": symbol, "S": "BUY", "p": "5", "ap": "5", "X": "FILLED", "z": "2", "T": 1568014460893}
    data: dict[str, object] = {"e": "forceOrder", "E": 1, "o": order}
    if universe is not None:
        data["st"] = universe
    frame = wrapped("!forceOrder@arr", data)
    counts = []
    for venue in (VENUE, USDM):
        topic = venue.topic("!forceOrder@arr")
        assert topic is not None
        counts.append(len(venue.parse(topic, frame)))
    assert counts == ([1, 0] if ours else [0, 1])
    assert coin_margined(symbol, data) is ours


def test_usd_of_a_liquidation_is_contracts_times_their_face_whatever_the_price() -> None:
    (btc,) = listing(row("BTCUSD_PERP", "BTC", 100))
    for price in (20_000.0, 100_000.0):
        assert notional_usd(btc, Decimal(3), price, 1.0) == 300.0


# -- ticker
def test_mark_price_of_a_perpetual_and_the_index_of_its_pair() -> None:
    at = 1562305380000 * NS
    data = {
        "e": "markPriceUpdate",
        "E": 1562305380000,
        "s": "BTCUSD_PERP",
        "p": "11794.15",
        "P": "1",
        "r": "0.0003",
        "T": 1562306400000,
    }
    topic = known("btcusd_perp@markPrice@1s")
    assert VENUE.parse(topic, wrapped(topic.key, data)) == [
        MarkPrice("BTCUSD_PERP", Decimal("11794.15"), at),
        Funding("BTCUSD_PERP", Decimal("0.0003"), 1562306400000 * NS, None, at),
    ]
    # The form of 2026 carries the index too.
    assert IndexPrice("BTCUSD_PERP", Decimal("11790"), at) in VENUE.parse(
        topic, wrapped(topic.key, {**data, "i": "11790"})
    )
    index = known("btcusd@indexPrice@1s")
    said = {"e": "indexPriceUpdate", "E": 1562305380000, "i": "BTCUSD", "p": "11790.5"}
    assert VENUE.parse(index, wrapped(index.key, said)) == [IndexPrice("BTCUSD_PERP", Decimal("11790.5"), at)]
    with pytest.raises(FrameError, match="binance_coinm ticker BTCUSD_PERP: i is not BTCUSD"):
        VENUE.parse(index, wrapped(index.key, {**said, "i": "ETHUSD"}))


# -- brackets
BRACKETS = (
    b'{"stream":"!contractInfo","data":{"e":"contractInfo","E":1669356423908,"s":"ADAUSD_PERP","ps":"ADAUSD","ct":"PERPETUAL",'
    b'"dt":4133404800000,"ot":1569398400000,"cs":"TRADING","bks":[{"bs":2,"bnf":5000,"bnc":2.5e4,"mmr":0.025,"cf":75.0,"mi":11,"ma":20},'
    b'{"bs":1,"bnf":0,"bnc":5000,"mmr":0.01,"cf":0,"mi":21,"ma":50}],"st":2}}'
)


def test_brackets_of_a_changed_listing_lowest_first_in_the_base_coin() -> None:
    at = 1669356423908 * NS
    assert VENUE.parse(known("!contractInfo"), BRACKETS) == [
        InstrumentChanged("ADAUSD_PERP", True, "TRADING", at),
        MarginTiers(
            "ADAUSD_PERP",
            (
                MarginTier(Decimal(0), Decimal(5000), Decimal("0.01"), Decimal(50), Decimal(0)),
                MarginTier(Decimal(5000), Decimal(25000), Decimal("0.025"), Decimal(20), Decimal("75.0")),
            ),
            "base",
            whole=False,
            venue_time=at,
        ),
    ]
    usdm = USDM.topic("!contractInfo")
    assert usdm is not None
    assert USDM.parse(usdm, BRACKETS) == []
    mine = BRACKETS.replace(b"ADAUSD_PERP", b"ADAUSDT").replace(b'"st":2', b'"st":1')
    tiers = USDM.parse(usdm, mine)[1]
    assert isinstance(tiers, MarginTiers)
    assert (tiers.symbol, tiers.unit) == ("ADAUSDT", "quote")
    for damage in ((b'"mmr":0.01', b'"mmr":-0.01'), (b'"bnc":5000', b'"bnc":0'), (b'"ma":50', b'"ma":"x"')):
        with pytest.raises(FrameError, match="status"):
            VENUE.parse(known("!contractInfo"), BRACKETS.replace(*damage))


def test_documented_brackets_carry_the_date_of_their_source() -> None:
    btc, eth = listing(row("BTCUSD_PERP", "BTC", 100), row("ETHUSD_PERP", "ETH"))
    tiers = VENUE.documented_tiers(btc)
    assert tiers is not None
    assert tiers.documented is not None
    assert tiers.documented.isoformat() == "2026-09-17"
    assert [(t.floor, t.cap, t.maintenance_ratio, t.max_leverage) for t in tiers.tiers] == [
        (0, 50, Decimal("0.004"), 125)
    ]
    assert VENUE.documented_tiers(eth) is None  # its page shows none


def test_the_copied_brackets_of_usdm_equal_the_captured_ones(shared_data: Path) -> None:
    with gzip.open(shared_data / "margin-tiers" / "binance_leverage_tiers_2026-04.json.gz") as file:
        captured = orjson.loads(file.read())
    for symbol, key in (("BTCUSDT", "BTC/USDT:USDT"), ("ETHUSDT", "ETH/USDT:USDT")):
        market = Instrument("binance_usdm", symbol, "X", "USDT", "USDT", "linear", Decimal(1), Decimal(1))
        tiers = USDM.documented_tiers(market)
        assert tiers is not None
        ours = [
            [float(v or 0) for v in (t.floor, t.cap, t.maintenance_ratio, t.max_leverage, t.deduction)]
            for t in tiers.tiers
        ]
        keys = ("notionalFloor", "notionalCap", "maintMarginRatio", "initialLeverage", "cum")
        assert ours == [[float(each["info"][name]) for name in keys] for each in captured[key]]
    other = Instrument("binance_usdm", "SOLUSDT", "SOL", "USDT", "USDT", "linear", Decimal(1), Decimal(1))
    assert USDM.documented_tiers(other) is None


# -- open interest
def test_open_interest_is_polled_in_contracts() -> None:
    (btc,) = listing(row("BTCUSD_PERP", "BTC", 100))
    poll = poll_of(VENUE, btc, "open_interest")
    assert poll.request.url == "https://dapi.binance.com/dapi/v1/openInterest?symbol=BTCUSD_PERP"
    body = b'{"symbol":"BTCUSD_PERP","pair":"BTCUSD","openInterest":"15004","contractType":"PERPETUAL","time":1591261042378}'
    VENUE.check_reply(poll.request, 200, {}, body)
    assert VENUE.parse_poll(poll.request, body) == [
        OpenInterest("BTCUSD_PERP", Decimal(15004), None, 1591261042378 * NS)
    ]
    assert notional_usd(btc, Decimal(15004), 80_000.0, 1.0) == 1_500_400.0


# -- captured messages
def test_every_captured_message_has_a_place(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map binance delivery messages")
    outcomes = []
    for message in messages:
        key = VENUE.slow_frame_key(message)
        if key is None:
            assert VENUE.control(message) == [Acked(1000)]
            outcomes.append("control")
            continue
        topic = VENUE.topic(key)
        if topic is None:
            outcomes.append("unknown topic")
            continue
        outcomes.append(str(topic.channel))
        if topic.channel is Channel.OTHER:
            assert VENUE.parse(topic, message) == []
    assert outcomes == [
        "control",
        "unknown topic",  # @depthSnapshot: tardis' own wrapping of the REST reply
        "book", "ticker", "ticker", "book", "other",
        "unknown topic",  # @openInterest: the same
        "trades", "liquidations", "trades", "other",
    ]  # fmt: skip


def test_captured_facts(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map binance delivery messages")
    # 2020: no index, funding or next time in the frame of a delivery contract.
    at = 1592265602000 * NS
    assert VENUE.parse(known("btcusd_200925@markPrice@1s"), messages[3]) == [
        MarkPrice("BTCUSD_200925", Decimal("9501.15723333"), at)
    ]
    assert VENUE.parse(known("btcusd@indexPrice@1s"), messages[4]) == [
        IndexPrice("BTCUSD_PERP", Decimal("9429.39675000"), 1592265601001 * NS)
    ]
    assert VENUE.parse(known("btcusd_200925@forceOrder"), messages[9]) == [
        Liquidation("BTCUSD_200925", "long", Decimal(3), Decimal("9352.7"), "average", 1594622954021 * NS, "sampled")
    ]
    interest = orjson.dumps(orjson.loads(messages[7])["data"])
    request = RestRequest("poll", "https://dapi.binance.com/x", 1, "BTCUSD_200925", "open_interest")
    assert VENUE.parse_poll(request, interest) == [
        OpenInterest("BTCUSD_200925", Decimal(15279), None, 1592265372706 * NS)
    ]
    trades = known("btcusd_200925@trade").trades
    assert trades is not None
    (trade,) = read_trades(trades, messages[8], "BTCUSD_200925")
    assert (trade.price, trade.size, trade.side, trade.identifier, trade.kept) == (
        Decimal("9504.9"), Decimal(1), layout.BUY, 173906, True,
    )  # fmt: skip
    adl = known("etcusdt@trade").trades  # a USD-margined fill by deleveraging among them
    assert adl is not None
    (fill,) = read_trades(adl, messages[10], "ETCUSDT")
    assert not fill.kept


def test_the_captured_book_joins_its_snapshot_by_the_link_and_breaks_where_messages_are_left_out(
    shared_data: Path,
) -> None:
    messages = tardis_messages(shared_data, "map binance delivery messages")
    driven = Driven(VENUE, "btcusd_200925@depth@0ms", "0.1", "1")
    assert driven.frame(messages[2], 1) is Outcome.NEED_SNAPSHOT
    assert driven.seed(orjson.dumps(orjson.loads(messages[1])["data"]), 2) is Outcome.REPLACED
    assert driven.book.last_id == 37471292
    bids, _ = driven.levels()
    assert bids == {Decimal("9504.8"): 181, Decimal("9498.9"): 13}
    # The next message of the selection was sent 29 ids later: a gap, found in the same frame.
    assert driven.frame(messages[5], 3) is Outcome.GAP
    assert driven.book.counters["gaps"] == 1
    assert not driven.book.readable
    assert driven.tally.plainly == 0


def test_frames_of_2026_for_the_other_universe_give_nothing(shared_data: Path) -> None:
    merged = [
        row
        for row in lines(shared_data / "liquidation-frames-2026" / "frames.jsonl")
        if "!forceOrder" in str(row["raw"])
    ]
    assert len(merged) == 2
    for frame in merged:
        assert VENUE.parse(known("!forceOrder@arr"), str(frame["raw"]).encode()) == []


# -- brackets with a key
LISTED = (
    b'[{"symbol":"BTCUSD_PERP","notionalCoef":1.5,"brackets":['
    b'{"bracket":2,"initialLeverage":100,"qtyCap":100,"qtylFloor":50,"maintMarginRatio":0.005,"cum":0.05},'
    b'{"bracket":1,"initialLeverage":125,"qtyCap":50,"qtylFloor":0,"maintMarginRatio":0.004,"cum":0.0}]}]'
)


def test_brackets_that_take_a_key_are_listed_in_coins() -> None:
    (btc,) = listing(row("BTCUSD_PERP", "BTC", 100))
    (poll,) = VENUE.signed_polls(btc)
    assert poll.request.url == "https://dapi.binance.com/dapi/v2/leverageBracket?symbol=BTCUSD_PERP"
    assert VENUE.needs_signature(poll.request)
    assert not any(VENUE.needs_signature(other.request) for other in VENUE.polls(btc))
    VENUE.check_reply(poll.request, 200, {}, LISTED)
    tiers = MarginTiers(
        "BTCUSD_PERP",
        (
            MarginTier(Decimal(0), Decimal(50), Decimal("0.004"), Decimal(125), Decimal("0.0")),
            MarginTier(Decimal(50), Decimal(100), Decimal("0.005"), Decimal(100), Decimal("0.05")),
        ),
        "base",
        whole=False,
        venue_time=0,
    )
    assert VENUE.parse_poll(poll.request, LISTED) == [tiers]
    assert VENUE.parse_poll(poll.request, LISTED[1:-1]) == [tiers]  # one symbol without the array
    usdm = (
        LISTED.replace(b"qtylFloor", b"notionalFloor").replace(b"qtyCap", b"notionalCap").replace(b"USD_PERP", b"USDT")
    )
    (found,) = USDM.parse_poll(poll.request, usdm)
    assert isinstance(found, MarginTiers)
    assert (found.symbol, found.unit) == ("BTCUSDT", "quote")
    for damage in (
        (b'"qtylFloor":50', b'"qtylFloor":60'),
        (b'"qtyCap":50', b'"qtyCap":0'),
        (b'"maintMarginRatio":0.004', b'"maintMarginRatio":0'),
        (b'"cum":0.05', b'"cum":null'),
        (b'"symbol":"BTCUSD_PERP"', b'"symbol":""'),
    ):
        with pytest.raises(FrameError, match="leverage_bracket"):
            VENUE.parse_poll(poll.request, LISTED.replace(*damage))
    for empty in (b"5", b'["x"]', b'[{"symbol":"BTCUSD_PERP","brackets":[]}]'):
        with pytest.raises(FrameError):
            VENUE.parse_poll(poll.request, empty)
    refused = b'{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
    with pytest.raises(VenueError, match="HTTP 401, -2015 Invalid API-key"):
        VENUE.check_reply(poll.request, 401, {}, refused)

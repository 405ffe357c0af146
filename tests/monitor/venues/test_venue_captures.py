"""Every captured frame of the three venues: read to facts or integers, known and unused, or refused for a stated reason."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hot_frames import Book, Trade, read_book, read_trades
from venue_forms import lines, nautilus_messages, tardis_messages

from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError
from monitor.facts import Channel, Fact, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest
from monitor.venues.base import Acked, Control, Topic, Venue
from monitor.venues.registry import VENUES

BINANCE, BYBIT, OKX = (VENUES[name] for name in ("binance_usdm", "bybit_linear", "okx_swap"))
NS = 1_000_000


def read(venue: Venue, frame: bytes) -> tuple[Topic | None, Book | list[Trade] | list[Fact] | list[Control]]:
    """What the service does with a frame: the cheap key, else the slow one, else control."""
    cheap = venue.frame_key(frame)
    key = venue.slow_frame_key(frame)
    assert cheap is None or cheap.decode() == key, "the cheap look and the parse must agree"
    if key is None:
        return None, venue.control(frame)
    topic = venue.topic(key)
    if topic is None:
        raise FrameError(f"unknown topic {key}")
    if topic.book is not None:
        return topic, read_book(topic.book, frame, topic.symbols[0])
    if topic.trades is not None:
        return topic, read_trades(topic.trades, frame, topic.symbols[0])
    return topic, venue.parse(topic, frame)


def outcome(venue: Venue, frame: bytes) -> str:
    """One word for each frame of a capture, to count."""
    try:
        topic, said = read(venue, frame)
    except FrameError as error:
        return "unknown topic" if "unknown topic" in str(error) else "refused"
    except WireError as error:
        return f"{error.path}: {error.reason}"
    if topic is None:
        return "control"
    if topic.channel is Channel.OTHER:
        assert said == []
    return str(topic.channel)


# -- hftbacktest: 93,954 lines of Binance USD-M, 2024
def test_hftbacktest_usdm(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    last = trade_id = None
    with gzip.open(shared_data / "hftbacktest-binance-2024-08-08" / "usdm_btcusdt_20240808.gz", "rb") as file:
        for line in file:
            frame = line.split(b" ", 1)[1].rstrip()
            cheap = BINANCE.frame_key(frame)
            counts[str(cheap)] += 1
            if cheap == b"btcusdt@depth@0ms":
                _, book = read(BINANCE, frame)
                assert isinstance(book, Book)
                assert book.kind == layout.KIND_DELTA
                assert last is None or book.header[layout.PREVIOUS_ID] == last
                last = book.header[layout.LAST_ID]
                assert book.header[layout.FIRST_ID] <= last
            elif cheap == b"btcusdt@trade" and counts[str(cheap)] % 10 == 1:
                _, trades = read(BINANCE, frame)
                (trade,) = trades
                assert isinstance(trade, Trade)
                assert trade.kept
                assert trade_id is None or trade.identifier == trade_id + 10, "ids have no gap"
                trade_id = trade.identifier
            elif cheap is None:
                seed = read_book(BINANCE.book.snapshot_grammar, frame, "BTCUSDT")  # type: ignore[arg-type]
                assert seed.kind == layout.KIND_SNAPSHOT
                assert seed.header == {
                    layout.LAST_ID: 5123107852948,
                    layout.EVENT_TIME: 1723161256501 * NS,
                    layout.ENGINE_TIME: 1723161256493 * NS,
                }
                assert (len(seed.bids), len(seed.asks)) == (1000, 1000)
                assert seed.bids[0] == (Decimal("61800.20"), Decimal("2.909"))
    assert counts == {
        "b'btcusdt@depth@0ms'": 6551,
        "b'btcusdt@bookTicker'": 66089,
        "b'btcusdt@trade'": 21313,
        "None": 1,
    }
    ticker = BINANCE.topic("btcusdt@bookTicker")
    assert ticker is not None
    assert ticker.channel is Channel.OTHER


# -- cryptofeed: Binance USD-M 2021, all frames
def test_cryptofeed_binance_usdm(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    last: dict[str, int] = {}
    for row in lines(shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"):
        frame = str(row["raw"]).encode()
        if row["k"] == "http":
            seed = read_book(BINANCE.book.snapshot_grammar, frame, "")  # type: ignore[arg-type]
            assert seed.header[layout.LAST_ID] > 600_000_000_000
            counts["snapshot"] += 1
        elif row["k"] == "recv":
            topic, said = read(BINANCE, frame)
            assert topic is not None
            counts[str(topic.channel)] += 1
            if isinstance(said, Book):
                (symbol,) = topic.symbols
                assert last.get(symbol) in (None, said.header[layout.PREVIOUS_ID])
                last[symbol] = said.header[layout.LAST_ID]
    assert counts == {"snapshot": 4, "book": 764, "trades": 91, "other": 613 + 67}
    assert set(last) == {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}


# -- cryptofeed: OKX 2022, before seqId existed
def test_cryptofeed_okx_books_are_of_a_retired_format_and_the_rest_reads(shared_data: Path) -> None:
    counts: Counter[str] = Counter(
        outcome(OKX, str(row["raw"]).encode())
        for row in lines(shared_data / "cryptofeed-samples" / "okx_v5.jsonl.gz")
        if row["k"] == "recv"
    )
    retired = "data[0].seqId: missing"
    assert counts[retired] == 290
    assert set(counts) == {retired, "trades", "other", "control"}
    assert sum(counts.values()) == 410 == 290 + counts["trades"] + counts["other"] + counts["control"]


def test_cryptofeed_okx_acks_come_one_for_each_argument(shared_data: Path) -> None:
    keys = [
        said.keys
        for row in lines(shared_data / "cryptofeed-samples" / "okx_v5.jsonl.gz")
        if row["k"] == "recv" and '"event"' in str(row["raw"])
        for said in OKX.control(str(row["raw"]).encode())
        if isinstance(said, Acked) and not said.unsubscribed
    ]
    assert len(keys) == 3 + 6 + 9  # cryptofeed asked three times, each time with more
    assert keys[-3:] == [("books:BTC-USD-220527",), ("books:UNI-USD-SWAP",), ("books:BTC-USDT",)]


def test_cryptofeed_bybit_v2_is_a_retired_protocol_and_wholly_refused(shared_data: Path) -> None:
    counts: Counter[str] = Counter(
        outcome(BYBIT, str(row["raw"]).encode())
        for row in lines(shared_data / "cryptofeed-samples" / "bybit_v2_linear.jsonl.gz")
        if row["k"] == "recv"
    )
    # Its acks carry the request instead of an `op`; its topics are trade.X and orderBookL2_25.X.
    assert set(counts) == {"unknown topic", "refused"}
    assert counts["unknown topic"] > 3252


# -- tickvault: OKX and Bybit of August 2026
def test_tickvault_okx_updates_link(shared_data: Path) -> None:
    books = []
    for row in (
        (shared_data / "tickvault-fixtures-2026-08-24" / "okx_v5_books_updates_only.jsonl").read_bytes().splitlines()
    ):
        topic, book = read(OKX, row)
        assert topic is not None
        assert topic.key == "books:BTC-USDT"
        assert isinstance(book, Book)
        books.append(book)
    assert [book.kind for book in books] == [layout.KIND_DELTA] * 6
    assert books[0].header == {
        layout.LAST_ID: 80274874876,
        layout.PREVIOUS_ID: 80274874800,
        layout.EVENT_TIME: 1787612486207 * NS,
    }
    assert books[0].asks[0] == (Decimal("78722.3"), Decimal("0.33039492"))
    for before, after in pairwise(books):
        assert after.header[layout.PREVIOUS_ID] == before.header[layout.LAST_ID]


def test_tickvault_bybit_spot_speaks_the_same_book_grammar(shared_data: Path) -> None:
    frames = (
        (shared_data / "tickvault-fixtures-2026-08-24" / "bybit_v5_spot_orderbook50.jsonl").read_bytes().splitlines()
    )
    assert BYBIT.control(frames[0]) == [Acked()]  # asked without a req_id: nothing to match it with
    books = [read(BYBIT, frame)[1] for frame in frames[1:]]
    assert all(isinstance(book, Book) for book in books)
    assert [book.kind for book in books if isinstance(book, Book)] == [layout.KIND_SNAPSHOT] + [layout.KIND_DELTA] * 8
    counters = [book.header[layout.LAST_ID] for book in books if isinstance(book, Book)]
    assert counters == list(range(counters[0], counters[0] + 9))
    assert isinstance(books[0], Book)
    assert books[0].bids[0] == (Decimal(78715), Decimal("1.271882"))


# -- nautilus: Bybit linear, 500 levels, 2024
def test_nautilus_bybit_orderbook_500(shared_data: Path) -> None:
    path = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    with gzip.open(path, "rb") as file:
        frames = file.read().splitlines()
    books = []
    for frame in frames:
        topic, book = read(BYBIT, frame)
        assert topic is not None
        assert topic.key == "orderbook.500.XRPUSDT"
        assert isinstance(book, Book)
        books.append(book)
    assert len(books) == 50
    assert books[0].kind == layout.KIND_SNAPSHOT
    assert (len(books[0].bids), len(books[0].asks)) == (500, 500)
    for before, after in pairwise(books):
        assert after.kind == layout.KIND_DELTA
        assert after.header[layout.LAST_ID] == before.header[layout.LAST_ID] + 1
        assert after.header[layout.CROSS_ID] > before.header[layout.CROSS_ID]
        assert after.header[layout.ENGINE_TIME] <= after.header[layout.EVENT_TIME]


# -- nautilus: fixtures of single messages (shapes, not market truth)
BINANCE_FIXTURES = {
    "agg_trade_stream.json": "trades",
    "book_ticker_stream.json": "other",
    "depth_update_stream.json": "book",
    "kline_stream_closed.json": "other",
    "kline_stream_open.json": "other",
    "liquidation_stream.json": "liquidations",
    "mark_price_stream.json": "ticker",
    "ticker_stream.json": "other",
    "trade_stream.json": "trades",
}
BYBIT_FIXTURES = {
    "ws_kline.json": "other",
    "ws_orderbook_delta.json": "other",  # depth 1: a best bid and ask, snapshots only since 2025
    "ws_orderbook_snapshot.json": "other",
    "ws_public_trade.json": "unknown topic",  # trade.linear.BTCUSDT: hand-made, no such topic
    "ws_subscription_ack.json": "control",
    "ws_subscription_failure.json": "control",
    "ws_ticker_linear.json": "ticker",
    "ws_ticker_option.json": "ticker",
}
OKX_FIXTURES = {
    "ws_bbo_tbt.json": "other",
    "ws_books_snapshot.json": "book",
    "ws_books_update.json": "book",
    "ws_candle.json": "other",
    "ws_funding_rate.json": "ticker",
    "ws_instruments.json": "status",
    "ws_opt_summary.json": "refused",  # the data alone, without its frame
    "ws_tickers.json": "other",
    "ws_trades.json": "trades",
}


@pytest.mark.parametrize(
    ("venue", "source", "table"),
    [(BINANCE, "binance", BINANCE_FIXTURES), (BYBIT, "bybit", BYBIT_FIXTURES), (OKX, "okx", OKX_FIXTURES)],
    ids=["binance", "bybit", "okx"],
)
def test_nautilus_stream_fixtures(shared_data: Path, venue: Venue, source: str, table: dict[str, str]) -> None:
    messages = nautilus_messages(shared_data, source)
    streams = {
        name
        for name in messages
        if name.startswith("ws_") or name.endswith(("stream.json", "_closed.json", "_open.json"))
    }
    assert streams == set(table)
    assert {name: outcome(venue, messages[name]) for name in table} == table


def test_nautilus_facts(shared_data: Path) -> None:
    at = 1673272861686 * NS
    _, facts = read(BYBIT, nautilus_messages(shared_data, "bybit")["ws_ticker_linear.json"])
    assert facts == [
        MarkPrice("BTCUSDT", Decimal("17217.33"), at),
        IndexPrice("BTCUSDT", Decimal("17227.36"), at),
        Funding("BTCUSDT", Decimal("-0.000212"), 1673280000000 * NS, 8 * 3600, at),
        # openInterest counts both sides and singleOpenInterest is not here: unknown
    ]
    _, facts = read(OKX, nautilus_messages(shared_data, "okx")["ws_funding_rate.json"])
    at = 1744590349506 * NS
    assert facts == [Funding("BTC-USDT-SWAP", Decimal("0.0001"), at, 28_800, at)]
    _, facts = read(BINANCE, nautilus_messages(shared_data, "binance")["mark_price_stream.json"])
    at = 1562305380000 * NS
    assert facts == [
        MarkPrice("BTCUSDT", Decimal("11794.15000000"), at),
        IndexPrice("BTCUSDT", Decimal("11784.62659091"), at),
        Funding("BTCUSDT", Decimal("0.00038167"), 1562306400000 * NS, None, at),
    ]
    _, facts = read(BINANCE, nautilus_messages(shared_data, "binance")["liquidation_stream.json"])
    at = 1568014460893 * NS
    assert facts == [
        Liquidation("BTCUSDT", "long", Decimal("0.014"), Decimal("9910.12345678"), "average", at, "sampled")
    ]


def test_nautilus_okx_book_frames_link(shared_data: Path) -> None:
    messages = nautilus_messages(shared_data, "okx")
    _, snapshot = read(OKX, messages["ws_books_snapshot.json"])
    _, update = read(OKX, messages["ws_books_update.json"])
    assert isinstance(snapshot, Book)
    assert isinstance(update, Book)
    assert (snapshot.kind, update.kind) == (layout.KIND_SNAPSHOT, layout.KIND_DELTA)
    assert snapshot.header[layout.PREVIOUS_ID] == -1
    assert update.header[layout.PREVIOUS_ID] == snapshot.header[layout.LAST_ID] == 123456
    assert layout.CHECKSUM not in snapshot.header, "fixed to 0 since 2026-06-23: not read"


def test_nautilus_listings(shared_data: Path) -> None:
    okx = nautilus_messages(shared_data, "okx")
    request = OKX.instrument_requests([])[0]
    listed, more = OKX.parse_instruments(request, okx["http_get_instruments_swap.json"])
    assert more is None
    rows = [
        (i.symbol, i.asset, i.quote, i.settle, i.contract_type, i.contract_size, i.lot_size, i.trading) for i in listed
    ]
    assert rows == [
        ("BTC-USD-SWAP", "BTC", "USD", "BTC", "inverse", Decimal(100), Decimal(1), True),
        ("ETH-USDT-SWAP", "ETH", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.01"), True),
        ("BTC-USDT-SWAP", "BTC", "USDT", "USDT", "linear", Decimal("0.01"), Decimal("0.01"), True),
    ]
    bybit = nautilus_messages(shared_data, "bybit")
    request = BYBIT.instrument_requests([])[0]
    listed, more = BYBIT.parse_instruments(request, bybit["http_get_instruments_linear.json"])
    assert more is None
    assert [(i.symbol, i.tick_size, i.lot_size, i.trading) for i in listed] == [
        ("BTCUSDT", Decimal("0.5"), Decimal("0.001"), True),
        ("ETHUSDT", Decimal("0.05"), Decimal("0.01"), True),
    ]
    (stock,), _ = BYBIT.parse_instruments(request, bybit["http_get_instruments_linear_symbol_type.json"])
    assert (stock.symbol, stock.asset, stock.funding_interval_seconds) == ("TSLAUSDT", "TSLA", 8 * 3600)
    for body in (bybit["http_get_instruments_linear.json"], bybit["http_get_orderbook.json"]):
        BYBIT.check_reply(request, 200, {}, body)
    OKX.check_reply(OKX.instrument_requests([])[0], 200, {}, okx["http_get_order_book.json"])


# -- tardis: one message of each kind, through the years
def test_tardis_binance_futures(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map binance futures messages")
    outcomes = [outcome(BINANCE, message) for message in messages]
    assert outcomes == [
        "data.a: missing",  # 2019: before aggTrade had its id
        "other", "ticker", "other", "trades", "book",
        "unknown topic",  # btcusdt@depthSnapshot: tardis' own wrapping of the REST reply
        "book",
        "unknown topic",  # btcusdt@openInterest: the same
        "ticker", "trades", "trades", "liquidations", "ticker", "other",
    ]  # fmt: skip
    _, facts = read(BINANCE, messages[2])  # 2019: no index price yet
    at = 1569888003001 * NS
    assert facts == [
        MarkPrice("BTCUSDT", Decimal("8291.34697815"), at),
        Funding("BTCUSDT", Decimal("0.00010000"), 1569916800000 * NS, None, at),
    ]
    (plain,), (fund,), (market,) = (read(BINANCE, messages[number])[1] for number in (4, 10, 11))
    assert isinstance(plain, Trade)
    assert isinstance(fund, Trade)
    assert isinstance(market, Trade)
    assert (plain.kept, plain.side) == (True, layout.BUY)  # 2019: before `X`
    assert (fund.kept, fund.side) == (False, layout.SELL)  # the insurance fund is no flow
    assert (market.kept, market.side) == (True, layout.SELL)
    _, facts = read(BINANCE, messages[12])  # 2020-03-13
    at = 1584059031421 * NS
    assert facts == [Liquidation("BTCUSDT", "short", Decimal("0.014"), Decimal("4706.04"), "average", at, "sampled")]
    _, facts = read(BINANCE, messages[13])  # a delivery contract: no funding
    at = 1609830121004 * NS
    assert facts == [
        MarkPrice("BTCBUSD_210129", Decimal("31799.27730000"), at),
        IndexPrice("BTCBUSD_210129", Decimal("31307.03400000"), at),
    ]


def test_tardis_binance_coin_margined_liquidation_is_not_ours(shared_data: Path) -> None:
    (frame,) = [m for m in tardis_messages(shared_data, "map binance delivery messages") if b"forceOrder" in m]
    merged = frame.replace(b"btcusd_200925@forceOrder", b"!forceOrder@arr")
    assert read(BINANCE, merged)[1] == []
    adl = [m for m in tardis_messages(shared_data, "map binance delivery messages") if b'"ADL"' in m]
    _, (trade,) = read(BINANCE, adl[0])
    assert isinstance(trade, Trade)
    assert not trade.kept


def test_tardis_bybit(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    for message in tardis_messages(shared_data, "map bybit messages"):
        counts[outcome(BYBIT, message)] += 1
    # Refused is the ack of v2, which has a `request` in place of `op`. Unknown are the topics of v2 (orderBookL2_25,
    # instrument_info, trade, liquidation) and the sampled `liquidation` of early v5: retired.
    assert counts == {
        "unknown topic": 39,
        "refused": 1,
        "trades": 2,
        "book": 2,
        "other": 3,
        "ticker": 5,
        "liquidations": 2,
    }


def test_tardis_bybit_v5_facts(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map bybit messages")
    (liquidation, _) = [m for m in messages if b"allLiquidation" in m]
    at = 1740480207110 * NS
    assert read(BYBIT, liquidation)[1] == [
        Liquidation("PIPPINUSDT", "short", Decimal(2846), Decimal("0.02456"), "bankruptcy", at, "complete")
    ]
    deltas = [m for m in messages if b'"tickers.BTCUSD"' in m and b'"delta"' in m]
    at = 1680673822776 * NS
    assert read(BYBIT, deltas[0])[1] == [Funding("BTCUSD", Decimal("0.0001"), None, None, at)]
    trades = [read(BYBIT, m)[1] for m in messages if b'"publicTrade.LTCUSDT"' in m]
    assert trades == [[Trade(Decimal("94.53"), Decimal("0.4"), layout.BUY, 1680688979983 * NS, 0, True)]]


def test_tardis_okx_swap(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map okex-swap messages")
    version_5 = [m for m in messages if b'"arg"' in m]
    # v3 ("table": ...) is a retired protocol.
    assert {outcome(OKX, m) for m in messages if b'"table"' in m} == {"refused"}
    assert [outcome(OKX, m) for m in version_5] == [
        "other",  # books-l2-tbt: needs a login
        "refused",  # funding-rate without a time of its own: 2021's format
        "trades", "other", "ticker", "ticker", "ticker",
        "refused",
        "other", "other", "other",
    ]  # fmt: skip
    _, facts = read(OKX, version_5[4])
    assert facts == [IndexPrice("WNCG-USDT-SWAP", Decimal("2.1675"), 1640131290649 * NS)]
    _, facts = read(OKX, version_5[5])
    assert facts == [MarkPrice("WNCG-USDT-SWAP", Decimal("2.1729"), 1640131259180 * NS)]
    _, facts = read(OKX, version_5[6])
    assert facts == [OpenInterest("WNCG-USDT-SWAP", Decimal(644195), None, 1640131258756 * NS)]


def test_tardis_okx_futures_liquidations_and_funding(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map okex-futures messages")
    orders = [m for m in messages if b'"liquidation-orders"' in m]
    at = 1680173247614 * NS
    assert [read(OKX, m)[1] for m in orders] == [
        [Liquidation("XRP-USD-230929", "short", Decimal(39), Decimal("0.55205"), "bankruptcy", at, "sampled")]
    ] * 2
    # "generated": tardis' own wrapping of the old REST poll, not a channel.
    assert {outcome(OKX, m) for m in messages if b'"liquidations"' in m} == {"unknown topic"}
    (funding,) = [m for m in tardis_messages(shared_data, "map okex-futures X-Perp messages") if b"funding-rate" in m]
    _, (fact,) = read(OKX, funding)
    assert isinstance(fact, Funding)
    assert (fact.rate, fact.interval_seconds) == (Decimal("-0.0004270396398519"), 8 * 3600)


# -- Binance Data Processor: TRXUSDT 2025, a CSV of the raw trade stream
def test_binance_trade_stream_keeps_market_prints_only(shared_data: Path) -> None:
    topic = BINANCE.topic("trxusdt@trade")
    assert topic is not None
    assert topic.trades is not None
    folder = shared_data / "binance-data-processor-usdm-trxusdt"
    kept: Counter[tuple[str, bool]] = Counter()
    name = "test_positive_binance_trade_stream_usd_m_futures_trxusdt_04-03-2025.csv.gz"
    with gzip.open(folder / name, "rt") as file:
        for row in csv.DictReader(file):
            data = {
                "e": "trade", "E": int(row["EventTime"]), "T": int(row["TransactionTime"]), "s": row["Symbol"],
                "t": int(row["TradeId"]), "p": row["Price"], "q": row["Quantity"],
                "X": row["XUnknownParameter"] or "NA", "m": row["IsBuyerMarketMaker"] == "1",
            }  # fmt: skip
            (trade,) = read_trades(topic.trades, orjson.dumps({"stream": row["Stream"], "data": data}), "TRXUSDT")
            kept[str(data["X"]), trade.kept] += 1
            assert trade.side == (layout.SELL if data["m"] else layout.BUY)
    assert kept[("MARKET", True)] >= 9_999
    assert all(flag == (word == "MARKET") for word, flag in kept)


# -- the aggTrade of 2026 among the liquidation frames
def test_aggregate_trade_of_2026(shared_data: Path) -> None:
    rows = list(lines(shared_data / "liquidation-frames-2026" / "frames.jsonl"))
    topic, trades = read(BINANCE, str(rows[10]["raw"]).encode())
    assert topic is not None
    assert topic.key == "btcusdt@aggTrade"
    at = 1791391081874 * NS
    assert trades == [Trade(Decimal("83434.40"), Decimal("0.016"), layout.SELL, at, 3478018549, True)]

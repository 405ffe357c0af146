"""Every captured frame of Binance spot: books verified end to end, trades without a hole, single messages read or refused."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from binance_books import DictBook, Driven, compact, hftbacktest, unzipped
from hot_frames import read_book, read_trades
from venue_forms import lines, nautilus_messages, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError, VenueError
from monitor.facts import Channel
from monitor.venues.base import RestRequest
from monitor.venues.binance_spot import BinanceSpot

VENUE = BinanceSpot()
STEADY = (Outcome.APPLIED, Outcome.IGNORED)
WAITING = (Outcome.NEED_SNAPSHOT, Outcome.BUFFERED)


def replay(driven: Driven, frame: bytes, at: int, *, seeded: bool) -> None:
    assert driven.frame(frame, at) in (STEADY if seeded else WAITING)


def test_hftbacktest_btcusdt(shared_data: Path) -> None:
    """Eleven minutes in two files that join: no gap, the venue's own best prices, trade ids without a hole."""
    # The listed lot was 0.00001 by then; an order at 200,000 of before its change still stands with 25.426189.
    driven = Driven(VENUE, "btcusdt@depth@100ms", "0.01", "0.000001")
    plain = DictBook()
    waiting: list[dict[str, object]] = []
    counts: Counter[str] = Counter()
    seeded = False
    seed_id = tops = 0
    trade_id: int | None = None
    ticker: dict[str, str] = {}
    topic = VENUE.topic("btcusdt@trade")
    assert topic is not None
    assert topic.trades is not None
    for name in ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"):
        for at, raw in hftbacktest(shared_data, name):
            key = VENUE.frame_key(raw)
            counts[str(key)] += 1
            if key == b"btcusdt@depth@100ms":
                replay(driven, raw, at, seeded=seeded)
                data = orjson.loads(raw)["data"]
                if not seeded:
                    waiting.append(data)
                    continue
                if data["u"] > seed_id:
                    plain.apply(data["b"], data["a"])
                # The last ticker within this change's ids is the book as it stood at its end, or before: only an exact id compares.
                # Once the price has left the capture's one snapshot of 1,000 levels, nothing is said of it.
                if ticker and ticker["u"] == data["u"] and driven.top() is not None:
                    assert driven.top() == tuple(Decimal(ticker[field]) for field in "bBaA")
                    tops += 1
            elif key == b"btcusdt@bookTicker":
                ticker = orjson.loads(raw)["data"]
                if seeded and driven.book.last_id == ticker["u"]:  # type: ignore[comparison-overlap]
                    assert driven.top() == tuple(Decimal(ticker[field]) for field in "bBaA")
                    tops += 1
            elif key == b"btcusdt@trade":
                number = int(raw[raw.index(b'"t":') + 4 :].split(b",", 1)[0])
                assert trade_id is None or number == trade_id + 1
                trade_id = number
                if counts[str(key)] % 25 == 1:
                    (trade,) = read_trades(topic.trades, raw, "BTCUSDT")
                    assert trade.identifier == number
                    assert trade.kept
                    assert trade.side == (layout.SELL if b'"m":true' in raw else layout.BUY)
            else:
                assert key is None
                assert driven.seed(raw, at) is Outcome.REPLACED
                snapshot = orjson.loads(raw)
                seed_id = snapshot["lastUpdateId"]
                plain.apply(snapshot["bids"], snapshot["asks"])
                for data in waiting:
                    if int(str(data["u"])) > seed_id:
                        plain.apply(data["b"], data["a"])  # type: ignore[arg-type]
                seeded = True
    assert counts == {
        "b'btcusdt@depth@100ms'": 3451 + 3044,
        "b'btcusdt@bookTicker'": 28040 + 45134,
        "b'btcusdt@trade'": 9757 + 10147,
        "None": 1,
    }
    book = driven.book
    assert book.in_sync  # readable as long as the price stood within the 1,000 levels of the snapshot
    for counter in ("gaps", "crossed", "refused", "mismatch", "stale_snapshots"):
        assert book.counters[counter] == 0, counter
    assert (driven.tally.frames, driven.tally.plainly) == (6495, 0)
    assert tops > 500
    bids, asks = driven.levels()
    edge = 3 * Decimal(61_800)  # the ladder keeps what is within reach of the price
    assert bids == plain.bids
    assert {price: size for price, size in asks.items() if price < edge} == {
        price: size for price, size in plain.asks.items() if price < edge
    }


GRIDS = {
    "NKNUSDT": ("0.00001", "0.1"),
    "BLZETH": ("0.00000001", "1"),
    "LRCBTC": ("0.00000001", "1"),
    "RUNEEUR": ("0.001", "0.1"),
}


def test_cryptofeed_four_markets(shared_data: Path) -> None:
    """Half a minute of 2021: the snapshots come after the first changes, and all four bridge."""
    books = {symbol: Driven(VENUE, f"{symbol.lower()}@depth@100ms", *grid) for symbol, grid in GRIDS.items()}
    plain = {symbol: DictBook() for symbol in books}
    seeds: dict[str, int] = {}
    waiting: dict[str, list[dict[str, object]]] = {symbol: [] for symbol in books}
    counts: Counter[str] = Counter()
    trade_ids: dict[str, int] = {}
    for row in lines(shared_data / "cryptofeed-samples" / "binance_spot.jsonl.gz"):
        raw, at = str(row["raw"]).encode(), int(float(str(row["t"])) * 1e9)
        if row["k"] == "http":
            symbol = str(row["url"]).split("symbol=")[1].split("&")[0]
            counts["http"] += 1
            request = RestRequest("snapshot", str(row["url"]), 50, symbol)
            VENUE.check_reply(request, 200, {}, raw)
            assert books[symbol].seed(raw, at) in (Outcome.REPLACED, Outcome.HELD)
            snapshot = orjson.loads(raw)
            seeds[symbol] = snapshot["lastUpdateId"]
            plain[symbol].apply(snapshot["bids"], snapshot["asks"])
            for data in waiting[symbol]:
                if int(str(data["u"])) > seeds[symbol]:
                    plain[symbol].apply(data["b"], data["a"])  # type: ignore[arg-type]
        elif row["k"] == "recv":
            key = VENUE.slow_frame_key(raw)
            assert key is not None
            assert VENUE.frame_key(raw) == key.encode()
            topic = VENUE.topic(key)
            assert topic is not None
            counts[str(topic.channel)] += 1
            (symbol,) = topic.symbols
            if topic.book is not None:
                replay(books[symbol], raw, at, seeded=symbol in seeds)
                data = orjson.loads(raw)["data"]
                if symbol not in seeds:
                    waiting[symbol].append(data)
                elif data["u"] > seeds[symbol]:
                    plain[symbol].apply(data["b"], data["a"])
            elif topic.trades is not None:
                (trade,) = read_trades(topic.trades, raw, symbol)
                assert trade_ids.get(symbol) in (None, trade.identifier - 1)
                trade_ids[symbol] = trade.identifier
            else:
                assert VENUE.parse(topic, raw) == []
    assert (counts["http"], counts["book"]) == (4, 177)
    assert set(seeds) == set(GRIDS)
    for symbol, driven in books.items():
        assert driven.book.readable, (symbol, driven.book.reason)
        for counter in ("gaps", "crossed", "refused", "stale_snapshots"):
            assert driven.book.counters[counter] == 0, (symbol, counter)
        assert driven.tally.plainly == 0
        bids, asks = driven.levels()
        middle = max(bids)
        assert bids == plain[symbol].bids
        assert {p: s for p, s in asks.items() if p < 3 * middle} == {
            p: s for p, s in plain[symbol].asks.items() if p < 3 * middle
        }


def test_an_hour_of_ethbtc(shared_data: Path) -> None:
    """November 2020, changes each second, without the stream's envelope."""
    folder = "deep-orderbook-binance-spot-2020-11-01"
    driven = Driven(VENUE, "raw:ethbtc@depth", "0.000001", "0.001")
    plain = DictBook()
    updates = json.loads(unzipped(shared_data, folder, "ETHBTC_2020-11-01T09-00-00_update.json.gz"))
    snapshot = json.loads(unzipped(shared_data, folder, "ETHBTC_2020-11-01T09-00-00_snapshot.json.gz"))
    assert len(updates) == 3600
    seed_id = snapshot["lastUpdateId"]
    for number, data in enumerate(updates):
        frame = compact(data)
        assert VENUE.frame_key(frame) is None
        if number % 100 == 0:
            assert VENUE.slow_frame_key(frame) == "raw:ethbtc@depth"
        if number == 2:
            assert driven.seed(compact(snapshot), data["E"] * 1_000_000) is Outcome.REPLACED
            plain.apply(snapshot["bids"], snapshot["asks"])
            for early in updates[:2]:
                if early["u"] > seed_id:
                    plain.apply(early["b"], early["a"])
        replay(driven, frame, data["E"] * 1_000_000, seeded=number >= 2)
        if number >= 2 and data["u"] > seed_id:
            plain.apply(data["b"], data["a"])
    assert driven.book.readable
    for counter in ("gaps", "crossed", "refused", "stale_snapshots"):
        assert driven.book.counters[counter] == 0, counter
    assert (driven.tally.frames, driven.tally.plainly) == (3600, 0)
    bids, asks = driven.levels()
    assert bids == plain.bids
    assert {p: s for p, s in asks.items() if p < Decimal("0.08")} == {
        p: s for p, s in plain.asks.items() if p < Decimal("0.08")
    }


@pytest.mark.parametrize(("symbol", "count"), [("ETHBTC", 1736), ("BTCUSDT", 18_054), ("ETHUSDT", 4_700)])
def test_aggregate_trades_of_the_same_hour(shared_data: Path, symbol: str, count: int) -> None:
    name = f"{symbol}_2020-11-01T09-00-00_trades.json.gz"
    rows = json.loads(unzipped(shared_data, "deep-orderbook-binance-spot-2020-11-01", name))
    assert len(rows) == count
    topic = VENUE.topic(f"raw:{symbol.lower()}@aggTrade")
    assert topic is not None
    assert topic.trades is not None
    for number, row in enumerate(rows):
        assert row["a"] == rows[0]["a"] + number
        if number % 10:
            continue
        (trade,) = read_trades(topic.trades, compact(row), symbol)
        assert trade.identifier == row["a"]
        assert (trade.price, trade.size) == (Decimal(row["p"]), Decimal(row["q"]))
        assert trade.side == (layout.SELL if row["m"] else layout.BUY)
        assert trade.time == row["T"] * 1_000_000


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "ETHBTC"])
def test_snapshots_of_the_same_hour(shared_data: Path, symbol: str) -> None:
    name = f"{symbol}_2020-11-01T09-00-00_snapshot.json.gz"
    body = unzipped(shared_data, "deep-orderbook-binance-spot-2020-11-01", name)
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    book = read_book(grammar, body, symbol)  # written with spaces: both paths read it
    said = json.loads(body)
    assert book.header == {layout.LAST_ID: said["lastUpdateId"]}
    assert book.bids == [(Decimal(price), Decimal(size)) for price, size in said["bids"]]
    assert book.asks == [(Decimal(price), Decimal(size)) for price, size in said["asks"]]
    assert book.bids[0][0] < book.asks[0][0]


# -- single messages
def test_tardis(shared_data: Path) -> None:
    outcomes = []
    books: dict[str, list[tuple[int, int]]] = {}
    for message in tardis_messages(shared_data, "map binance messages"):
        key = VENUE.slow_frame_key(message)
        assert key is not None
        topic = VENUE.topic(key)
        if topic is None:
            outcomes.append("unknown topic")
            continue
        outcomes.append(str(topic.channel))
        (symbol,) = topic.symbols
        if topic.book is not None:
            book = read_book(topic.book, message, symbol)
            books.setdefault(symbol, []).append((book.header[layout.FIRST_ID], book.header[layout.LAST_ID]))
        elif topic.trades is not None:
            (trade,) = read_trades(topic.trades, message, symbol)
            assert trade.side == (layout.SELL if b'"m":true' in message else layout.BUY)
            assert trade.kept
        else:
            assert VENUE.parse(topic, message) == []
    assert outcomes == [
        "trades", "trades", "other", "other",
        "unknown topic",  # @depthSnapshot: tardis' own wrapping of the REST reply
        "book", "book", "book",
        "unknown topic",
        "book",
    ]  # fmt: skip
    assert books == {
        "BTCUSDC": [(16084252, 16084253)],
        "GNTBTC": [
            (41603407, 41603413),
            (41603414, 41603418),
            (41603417, 41603419),
        ],  # the last one overlaps: a re-made example
    }


def test_tardis_snapshots_are_the_rest_body(shared_data: Path) -> None:
    bodies = [
        orjson.dumps(orjson.loads(message)["data"])
        for message in tardis_messages(shared_data, "map binance messages")
        if b"depthSnapshot" in message
    ]
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    assert [read_book(grammar, body, "").header[layout.LAST_ID] for body in bodies] == [16084251, 41603417]


def test_an_overlapping_change_joins_the_snapshot_and_the_chain_as_documented(shared_data: Path) -> None:
    """Tardis' messages in order: a change that holds the snapshot's id + 1 joins; one that overlaps the last is applied."""
    driven = Driven(VENUE, "gntbtc@depth", "0.00000001", "1")
    messages = [m for m in tardis_messages(shared_data, "map binance messages") if b"gntbtc" in m]
    outcomes = [driven.frame(m, 1) for m in messages[:2]]
    assert outcomes == [Outcome.NEED_SNAPSHOT, Outcome.BUFFERED]
    assert driven.seed(orjson.dumps(orjson.loads(messages[2])["data"]), 2) is Outcome.REPLACED
    assert driven.book.last_id == 41603418
    assert driven.frame(messages[3], 3) is Outcome.APPLIED
    bids, asks = driven.levels()
    assert bids[Decimal("0.00002246")] == 375  # of the change after the snapshot, not the snapshot's 370
    assert Decimal("0.00002258") in asks
    assert driven.book.counters["gaps"] == 0


def test_tardis_other_products_are_not_ours(shared_data: Path) -> None:
    """Options trade names like DOGE-231006-0.06-C, the closed chain exchange had streams without a symbol."""
    for test in ("map binance-european-options messages", "map binance dex messages"):
        for message in tardis_messages(shared_data, test):
            key = VENUE.slow_frame_key(message)
            topic = VENUE.topic(key) if key is not None else None
            assert topic is None or topic.channel is Channel.OTHER or not topic.symbols[0].isalnum(), key


NAUTILUS = {
    "avg_price_response.json": "other",
    "book_ticker_response.json": "other",
    "depth_response.json": "snapshot",
    "exchange_info_response.json": "listing",
    "klines_response.json": "other",
    "ping_response.json": "other",
    "server_time_response.json": "other",
    "ticker_24hr_response.json": "other",
    "ticker_price_response.json": "other",
    "trades_response.json": "other",
}


def test_nautilus_replies(shared_data: Path) -> None:
    """Replies to requests we do not make are neither a listing nor a snapshot."""
    rest = {name: raw for name, raw in nautilus_messages(shared_data, "binance").items() if "response" in name}
    assert set(rest) == set(NAUTILUS)
    listing = VENUE.instrument_requests([])[0]
    grammar = VENUE.book.snapshot_grammar
    assert grammar is not None
    for name, body in rest.items():
        VENUE.check_reply(listing, 200, {}, body)
        match NAUTILUS[name]:
            case "snapshot":
                book = read_book(grammar, body, "")
                assert (book.header[layout.LAST_ID], len(book.bids), len(book.asks)) == (1027024, 1, 1)
            case "listing":
                # Its only row has no filters: without tick and lot there is no market.
                assert VENUE.parse_instruments(listing, body) == ([], None)
            case _:
                with pytest.raises(ValueError, match=r"missing|not an object|shape"):
                    read_book(grammar, body, "")
                with pytest.raises(FrameError):
                    VENUE.parse_instruments(listing, body)


def test_an_error_reply_is_none_of_these() -> None:
    with pytest.raises(VenueError, match="-1121"):
        VENUE.check_reply(VENUE.instrument_requests([])[0], 400, {}, b'{"code":-1121,"msg":"Invalid symbol."}')

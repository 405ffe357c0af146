"""OKX spot by its page: base coins, the books channel and the deep book; and every real frame of it there is."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from captured_books import CapturedBook, DictBook, okx_rows
from hot_frames import Trade, read_book, read_trades
from venue_forms import lines, nautilus_messages, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError
from monitor.facts import Channel, InstrumentChanged, VenueNotice
from monitor.venues.base import Acked, Topic
from monitor.venues.okx_spot import OkxSpot

VENUE = OkxSpot()
NS = 1_000_000


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def spot_frames(shared_data: Path, name: str) -> list[bytes]:
    return (shared_data / "tickvault-fixtures-2026-08-24" / name).read_bytes().splitlines()


# -- sockets
def test_topics_of_a_market_and_of_the_venue() -> None:
    books, cold = VENUE.connections(sample_instruments(VENUE, 1))
    assert books.url == cold.url == "wss://ws.okx.com:8443/ws/v5/public"
    assert [topic.key for topic in books.topics] == ["books:BTC-USDT"]
    assert [topic.key for topic in cold.topics] == ["status", "instruments:SPOT", "trades:BTC-USDT"]


@pytest.mark.parametrize("symbol", ["BTC-USDT", "USDT-USD", "1INCH-EUR", "ETH-BTC"])
def test_symbols_of_spot(symbol: str) -> None:
    assert re.fullmatch(VENUE.symbol_pattern, symbol)


@pytest.mark.parametrize("symbol", ["BTC-USDT-SWAP", "BTC-USD-260327", "BTCUSDT", "btc-usdt"])
def test_symbols_of_other_classes(symbol: str) -> None:
    assert not re.fullmatch(VENUE.symbol_pattern, symbol)


@pytest.mark.parametrize("key", ["liquidation-orders:MARGIN", "mark-price:BTC-USDT", "funding-rate:BTC-USDT", "books:"])
def test_what_spot_does_not_have(key: str) -> None:
    assert VENUE.topic(key) is None


def test_the_deep_book_is_asked_as_for_swaps_and_its_sizes_are_coins() -> None:
    request = VENUE.deep_request(sample_instruments(VENUE, 1)[0])
    assert request is not None
    assert request.url == "https://www.okx.com/api/v5/market/books-full?instId=BTC-USDT&sz=5000"
    assert VENUE.book.deep_grammar is not None
    body = b'{"code":"0","msg":"","data":[{"asks":[["67500.2","1.2","3"]],"bids":[],"ts":"1785096000123"}]}'
    assert read_book(VENUE.book.deep_grammar, body, "BTC-USDT").asks == [(Decimal("67500.2"), Decimal("1.2"))]


# -- listing and status
def test_the_listing_is_in_coins_and_has_no_contracts() -> None:
    (request,) = VENUE.instrument_requests([])
    assert request.url == "https://www.okx.com/api/v5/public/instruments?instType=SPOT"
    common = {
        "instType": "SPOT",
        "instFamily": "",
        "settleCcy": "",
        "ctVal": "",
        "ctMult": "",
        "ctType": "",
        "state": "live",
    }
    rows = [
        common | {"instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1", "lotSz": "0.00000001"},
        common | {"instId": "USDT-USD", "baseCcy": "USDT", "quoteCcy": "USD", "tickSz": "0.0001", "lotSz": "0.01"},
        common
        | {"instId": "NEW-USDT", "baseCcy": "NEW", "quoteCcy": "USDT", "tickSz": "", "lotSz": "", "state": "preopen"},
        common
        | {"instId": "OLD-USDT", "baseCcy": "OLD", "quoteCcy": "USDT", "tickSz": "1", "lotSz": "1", "state": "suspend"},
    ]
    found, more = VENUE.parse_instruments(request, orjson.dumps({"code": "0", "data": rows}))
    assert more is None
    assert [(i.symbol, i.asset, i.quote, i.settle, i.contract_type, i.contract_size, i.trading) for i in found] == [
        ("BTC-USDT", "BTC", "USDT", "USDT", "spot", Decimal(1), True),
        ("USDT-USD", "USDT", "USD", "USD", "spot", Decimal(1), True),
        ("OLD-USDT", "OLD", "USDT", "USDT", "spot", Decimal(1), False),
    ]


def test_status_and_listing_changes_come_as_on_swaps() -> None:
    notice = (
        b'{"arg":{"channel":"status"},"data":[{"begin":"1672823400000","end":"1672825980000","serviceType":"0","state":"ongoing",'
        b'"title":"WebSocket upgrade","env":"1","ts":"1672826038470"}]}'
    )
    assert VENUE.parse(known("status"), notice) == [
        VenueNotice(
            "WebSocket upgrade (ongoing)", True, 1672823400000 * NS, 1672825980000 * NS, 1672826038470 * NS, "WebSocket upgrade"
        )
    ]  # fmt: skip
    halted = b'{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT","state":"suspend"}]}'
    assert VENUE.parse(known("instruments:SPOT"), halted) == [InstrumentChanged("BTC-USDT", False, "suspend", 0)]


# -- every real frame
def test_tickvault_2026_08_24_links_and_goes_into_a_live_book(shared_data: Path) -> None:
    """The capture lacks the snapshot: one is put before it that holds what its first update links to."""
    frames = spot_frames(shared_data, "okx_v5_books_updates_only.jsonl")
    assert len(frames) == 6
    headers = [read_book(known("books:BTC-USDT").book, frame, "BTC-USDT").header for frame in frames]  # type: ignore[arg-type]
    for before, after in pairwise(headers):
        assert after[layout.PREVIOUS_ID] == before[layout.LAST_ID]
        assert after[layout.EVENT_TIME] > before[layout.EVENT_TIME]
    deleted = [
        (side, row) for frame in frames for side, rows in zip("ba", okx_rows(frame), strict=True) for row in rows
    ]
    asks = {row[0] for side, row in deleted if side == "a" and row[1] == "0"}
    bids = {row[0] for side, row in deleted if side == "b" and row[1] == "0"}

    def rows(prices: set[str]) -> str:
        return ",".join(f'["{price}","9","0","1"]' for price in sorted(prices, key=Decimal))

    seed = (
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{'
        f'"asks":[{rows(asks)}],"bids":[{rows(bids)}],"ts":"1787612486107","checksum":0,"prevSeqId":-1,'
        f'"seqId":{headers[0][layout.PREVIOUS_ID]}}}]}}'
    ).encode()
    book, plain = CapturedBook(VENUE, "books:BTC-USDT", "0.1", "0.00000001"), DictBook()
    for frame in (seed, *frames):
        assert VENUE.frame_key(frame) == b"books:BTC-USDT"
        book.take(frame)
        for side, changes in zip((plain.bids, plain.asks), okx_rows(frame), strict=True):
            for price, size, *_ in changes:
                side.pop(Decimal(price), None)
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
        assert book.book.readable
        assert book.sides() == plain.sides
    assert book.outcomes == {"REPLACED": 1, "APPLIED": 6}, "no gap, and none handed to the plain path"
    torn = CapturedBook(VENUE, "books:BTC-USDT", "0.1", "0.00000001")
    taken = [torn.take(frame) for frame in (seed, *frames[:2], *frames[3:])]
    assert taken[3].needs_recovery
    assert not torn.book.readable


def test_cryptofeed_spot_of_2022_is_of_a_retired_book_format_and_its_trades_read(shared_data: Path) -> None:
    refused, trades, acks = 0, [], []
    for row in lines(shared_data / "cryptofeed-samples" / "okx_v5.jsonl.gz"):
        frame = str(row["raw"]).encode()
        if row["k"] != "recv":
            continue
        key = VENUE.slow_frame_key(frame)
        if key == "books:BTC-USDT":
            with pytest.raises(WireError, match="seqId"):  # numbers came later; in 2022 there was a checksum
                read_book(known(key).book, frame, "BTC-USDT")  # type: ignore[arg-type]
            refused += 1
        elif key == "trades:BTC-USDT":
            trades += read_trades(known(key).trades, frame, "BTC-USDT")  # type: ignore[arg-type]
        elif key is None:
            acks += [
                said for said in VENUE.control(frame) if isinstance(said, Acked) and said.keys == ("books:BTC-USDT",)
            ]
    assert refused > 50
    assert trades[0] == Trade(Decimal(30236), Decimal("0.0002"), layout.BUY, 1652459224818 * NS, 338476307, True)
    assert [trade.identifier for trade in trades] == sorted({trade.identifier for trade in trades})
    assert len(acks) == 1


def test_tardis_spot_messages(shared_data: Path) -> None:
    messages = tardis_messages(shared_data, "map okex messages")
    retired = [m for m in messages if b'"table"' in m]  # v3
    assert len(retired) == 7
    for message in retired:
        assert VENUE.slow_frame_key(message) is None
        with pytest.raises(FrameError):
            VENUE.control(message)
    current = [m for m in messages if b'"table"' not in m]
    keys = [VENUE.slow_frame_key(m) for m in current]
    assert keys[0] is None
    assert VENUE.control(current[0]) == [Acked(keys=("trades:BTC-USDT",))]
    assert [str(known(key).channel) for key in keys if key] == ["trades", "other", "other", "other", "other"]
    (trade,) = read_trades(known("trades:CRV-USDT").trades, current[1], "CRV-USDT")  # type: ignore[arg-type]
    assert trade == Trade(Decimal("3.973"), Decimal("13.491146"), layout.BUY, 1639999319938 * NS, 21300150, True)


def test_nautilus_fixtures_of_spot(shared_data: Path) -> None:
    okx = nautilus_messages(shared_data, "okx")
    book = CapturedBook(VENUE, "books:BTC-USDT", "0.01", "0.00000001")
    taken = [book.take(okx["ws_books_snapshot.json"]), book.take(okx["ws_books_update.json"])]
    assert taken == [Outcome.REPLACED, Outcome.APPLIED]
    bids, asks = book.sides()
    assert (max(bids), min(asks), asks[Decimal("8476.98")]) == (Decimal("8476.97"), Decimal("8476.98"), Decimal(415))
    assert layout.CHECKSUM not in read_book(book.grammar, okx["ws_books_update.json"], "BTC-USDT").header
    (trade,) = read_trades(known("trades:BTC-USD").trades, okx["ws_trades.json"], "BTC-USD")  # type: ignore[arg-type]
    assert (trade.side, trade.size, trade.price) == (layout.BUY, Decimal("0.12060306"), Decimal("42219.9"))
    channels = {
        name: str(known(VENUE.slow_frame_key(okx[name]) or "").channel)
        for name in ("ws_bbo_tbt.json", "ws_candle.json", "ws_tickers.json", "ws_instruments.json")
    }
    assert channels == {
        "ws_bbo_tbt.json": "other",
        "ws_candle.json": "other",
        "ws_tickers.json": "other",
        "ws_instruments.json": "status",
    }
    (request,) = VENUE.instrument_requests([])
    listed, _ = VENUE.parse_instruments(request, okx["http_get_instruments_spot.json"])
    assert [(i.symbol, i.tick_size, i.lot_size) for i in listed[:2]] == [
        ("BTC-USD", Decimal("0.1"), Decimal("0.00000001")),
        ("ETH-USD", Decimal("0.01"), Decimal("0.000001")),
    ]
    assert all(i.quote == "USD" and i.contract_type == "spot" for i in listed)
    with pytest.raises(FrameError):
        VENUE.parse_instruments(request, okx["http_get_instruments_swap.json"])  # contracts are no spot pairs
    assert known("books:BTC-USDT").channel is Channel.BOOK

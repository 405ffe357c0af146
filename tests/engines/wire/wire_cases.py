"""Grammars like those of three venues, and ways to read one frame on both paths. Shared by the tests of engines.wire."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.wire.book_scan import CompiledBookGrammar, compile_book_grammar, scan_book
from engines.wire.decimal_text import read_units
from engines.wire.errors import WireError
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Row, TradeGrammar
from engines.wire.layout import (
    BID_COUNT,
    CHECKSUM,
    CROSS_ID,
    ENGINE_TIME,
    EVENT_TIME,
    FIRST_ID,
    HEADER_SIZE,
    KIND_SNAPSHOT,
    LAST_ID,
    OK,
    PREVIOUS_ID,
    REFUSAL_NAMES,
    TRADE_SIZE,
)
from engines.wire.plain import plain_book, plain_trades
from engines.wire.scale import Grid, Scale
from engines.wire.trade_scan import CompiledTradeGrammar, compile_trade_grammar, scan_trades

CAPACITY = 2_000


def scale(tick: str, lot: str) -> Scale:
    return Scale(price=Grid.from_step(tick), size=Grid.from_step(lot))


BINANCE = BookGrammar(
    bids=("data", "b"),
    asks=("data", "a"),
    integers=(
        IntegerField(("data", "U"), FIRST_ID),
        IntegerField(("data", "u"), LAST_ID),
        IntegerField(("data", "pu"), PREVIOUS_ID),
        IntegerField(("data", "E"), EVENT_TIME, MILLISECOND),
        IntegerField(("data", "T"), ENGINE_TIME, MILLISECOND),
    ),
    expects={("data", "e"): "depthUpdate"},
    market=(("data", "s"),),
)
BINANCE_REST = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    integers=(
        IntegerField(("lastUpdateId",), LAST_ID),
        IntegerField(("E",), EVENT_TIME, MILLISECOND, required=False),
        IntegerField(("T",), ENGINE_TIME, MILLISECOND, required=False),
    ),
    default_kind=KIND_SNAPSHOT,
)
BYBIT = BookGrammar(
    bids=("data", "b"),
    asks=("data", "a"),
    integers=(
        IntegerField(("data", "u"), LAST_ID),
        IntegerField(("data", "seq"), CROSS_ID),
        IntegerField(("ts",), EVENT_TIME, MILLISECOND),
        IntegerField(("cts",), ENGINE_TIME, MILLISECOND, required=False),
    ),
    market=(("data", "s"),),
    kind=(("type",), "snapshot", "delta"),
)
OKX = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(
        IntegerField(("data", 0, "seqId"), LAST_ID),
        IntegerField(("data", 0, "prevSeqId"), PREVIOUS_ID),
        IntegerField(("data", 0, "ts"), EVENT_TIME, MILLISECOND),
        IntegerField(("data", 0, "checksum"), CHECKSUM, required=False),
    ),
    expects={("arg", "channel"): "books"},
    market=(("arg", "instId"),),
    kind=(("action",), "snapshot", "update"),
)
# Before 2022-06 OKX sent no sequence.
OKX_2022 = replace(
    OKX, integers=tuple(replace(field, required=field.slot in (EVENT_TIME, CHECKSUM)) for field in OKX.integers)
)
OKX_FULL = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(IntegerField(("data", 0, "ts"), EVENT_TIME, MILLISECOND),),
    expects={("code",): "0"},
    default_kind=KIND_SNAPSHOT,
)
# No venue of the first three: bare numbers, size before price, two slots from one field, sides that may be absent.
BARE = BookGrammar(
    bids=("book", "buy"),
    asks=("book", "sell"),
    row=Row(price=2, size=1, quoted=False),
    integers=(IntegerField(("at",), EVENT_TIME, MILLISECOND), IntegerField(("at",), LAST_ID)),
    sides_required=False,
)

BINANCE_TRADE = TradeGrammar(
    rows=("data",),
    single=True,
    price=("p",),
    size=("q",),
    side=("m",),
    taker_buy=False,
    taker_sell=True,
    time=("T",),
    identifier=("t",),
    expects={("data", "e"): "trade"},
    market=(("data", "s"),),
    keep={("X",): ("MARKET", "RPI")},
)
BINANCE_AGGREGATE = TradeGrammar(
    rows=("data",),
    single=True,
    price=("p",),
    size=("q",),
    side=("m",),
    taker_buy=False,
    taker_sell=True,
    time=("T",),
    identifier=("a",),
    expects={("data", "e"): "aggTrade"},
    market=(("data", "s"),),
)
BYBIT_TRADE = TradeGrammar(
    rows=("data",),
    single=False,
    price=("p",),
    size=("v",),
    side=("S",),
    taker_buy="Buy",
    taker_sell="Sell",
    time=("T",),
    row_market=(("s",),),
    keep={("BT",): (False,)},
)
OKX_TRADE = TradeGrammar(
    rows=("data",),
    single=False,
    price=("px",),
    size=("sz",),
    side=("side",),
    taker_buy="buy",
    taker_sell="sell",
    time=("ts",),
    identifier=("tradeId",),
    expects={("arg", "channel"): "trades"},
    market=(("arg", "instId"),),
    row_market=(("instId",),),
)

Facts = tuple[list[int], list[list[int]], list[list[int]]]


class BookPaths:
    """Both ways to read the book frames of one market. A reading is the facts, or the name of the refusal."""

    def __init__(self, grammar: BookGrammar, grid: Scale, market: str, capacity: int = CAPACITY) -> None:
        self.compiled: CompiledBookGrammar = compile_book_grammar(grammar, grid, market)
        self.header = np.zeros(HEADER_SIZE, np.int64)
        self.levels = np.zeros((2, capacity, 2), np.int64)

    def _facts(self) -> Facts:
        bids, asks = (self.levels[side, : self.header[BID_COUNT + side]].tolist() for side in range(2))
        return self.header.tolist(), bids, asks

    def _soil(self) -> None:
        self.header[:] = -7
        self.levels[:, :8] = -7

    def scan(self, frame: bytes) -> Facts | str:
        self._soil()
        code = scan_book(np.frombuffer(frame, np.uint8), self.compiled.table, self.header, self.levels)
        return self._facts() if code == OK else REFUSAL_NAMES[code]

    def plain(self, frame: bytes) -> Facts | str:
        self._soil()
        one = self.compiled
        try:
            plain_book(one.grammar, one.scale, one.market, frame, self.header, self.levels)
        except WireError as error:
            return error.reason
        return self._facts()


class TradePaths:
    """The same for trades."""

    def __init__(self, grammar: TradeGrammar, grid: Scale, market: str, capacity: int = 64) -> None:
        self.compiled: CompiledTradeGrammar = compile_trade_grammar(grammar, grid, market)
        self.trades = np.zeros((capacity, TRADE_SIZE), np.int64)

    def scan(self, frame: bytes) -> list[list[int]] | str:
        self.trades[:] = -7
        count = scan_trades(np.frombuffer(frame, np.uint8), self.compiled.table, self.trades)
        rows: list[list[int]] = self.trades[: max(count, 0)].tolist()
        return rows if count >= 0 else REFUSAL_NAMES[-count]

    def plain(self, frame: bytes) -> list[list[int]] | str:
        self.trades[:] = -7
        one = self.compiled
        try:
            count = plain_trades(one.grammar, one.scale, one.market, frame, self.trades)
        except WireError as error:
            return error.reason
        rows: list[list[int]] = self.trades[:count].tolist()
        return rows


@dataclass(frozen=True)
class Case:
    """A frame in a venue's own spelling, and the paths that read it."""

    name: str
    frame: bytes
    paths: BookPaths | TradePaths


def cases() -> list[Case]:
    """One short frame of every kind: what the fuzzers cut and flip."""
    btc = scale("0.1", "0.001")
    return [
        Case(
            "binance",
            b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT",'
            b'"ps":"BTCUSDT","st":1,"U":5123107832006,"u":5123107837557,"pu":5123107831937,'
            b'"b":[["58710.20","0.014"],["61496.50","10.010"],["61510.90","0.000"]],"a":[["61800.30","3.330"]]}}',
            BookPaths(BINANCE, btc, "BTCUSDT"),
        ),
        Case(
            "binance snapshot",
            b'{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],'
            b'"asks":[["4.20000000","12.00000000"],["4.30000000","1.5"]]}',
            BookPaths(BINANCE_REST, btc, "BTCUSDT"),
        ),
        Case(
            "bybit",
            b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT",'
            b'"b":[["30247.20","30.028"],["30240","0"]],"a":[["30248.7","0"]],"u":177400507,"seq":66544703342},'
            b'"cts":1687940967464}',
            BookPaths(BYBIT, btc, "BTCUSDT"),
        ),
        Case(
            "okx",
            b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["67500.2","1.20","0",'
            b'"3"],["67500.4","0","0","0"]],"bids":[["67500.1","0.95","0","4"]],"ts":"1785096000123","checksum":-855196043,'
            b'"prevSeqId":-1,"seqId":450001}]}',
            BookPaths(OKX, scale("0.1", "0.01"), "BTC-USDT-SWAP"),
        ),
        Case(
            "bare numbers",
            b'{"at": 1785096000123, "note": "d\xc3\xa9p\xc3\xb4t \xf0\x9f\x8c\x8a", "ok": true, "no": null, "x": -1.50,\n'
            b' "book": {"buy": [[0, 30, 1750.5], [1, 0.25, 0.5]], "sell": []}}',
            BookPaths(BARE, scale("0.5", "0.25"), ""),
        ),
        Case(
            "binance trade",
            b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT",'
            b'"t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}',
            TradePaths(BINANCE_TRADE, btc, "BTCUSDT"),
        ),
        Case(
            "bybit trades",
            b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT",'
            b'"S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,'
            b'"RPI":false,"seq":1783284617},{"T":1672304486866,"s":"BTCUSDT","S":"Sell","v":"2","p":"16578","BT":true}]}',
            TradePaths(BYBIT_TRADE, btc, "BTCUSDT"),
        ),
        Case(
            "okx trade",
            b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474",'
            b'"px":"42219.9","sz":"12","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}',
            TradePaths(OKX_TRADE, scale("0.1", "0.01"), "BTC-USDT-SWAP"),
        ),
    ]


def lines(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield from (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()


def cryptofeed_frames(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """(kind, url, frame) of a cryptofeed sample."""
    for line in lines(path):
        entry: dict[str, Any] = json.loads(line)
        yield entry["k"], entry.get("url", ""), entry["raw"].encode()


def mutations(frame: bytes, stride: int) -> Iterator[bytes]:
    """Every `stride`-th of the frames that differ from this one in one byte (all other values of it)."""
    number = 0
    for position in range(len(frame)):
        for change in range(1, 256):
            if number % stride == 0:
                yield frame[:position] + bytes([frame[position] ^ change]) + frame[position + 1 :]
            number += 1


def digest(stride: int = 97) -> str:
    """One hash over every reading of the scanners, of good frames, cut ones and broken ones."""
    total = hashlib.sha256()
    for case in cases():
        for frame in (case.frame, *mutations(case.frame, stride)):
            total.update(repr(case.paths.scan(frame)).encode())
        for cut in range(1, len(case.frame), 5):
            total.update(repr(case.paths.scan(case.frame[:cut])).encode())
    for text in (
        "0",
        "00012.340",
        "9223372036854775807",
        "9223372036854775808",
        "0.000000000000000001",
        "1.5",
        "99.999",
    ):
        raw = np.frombuffer(text.encode() + b'"', np.uint8)
        for decimals, multiple in ((0, 1), (1, 5), (3, 1), (18, 1), (0, 10)):
            total.update(repr(tuple(int(part) for part in read_units(raw, 0, decimals, multiple))).encode())
    return total.hexdigest()

"""Every real frame: the scanner reads it, and reads what the plain path reads."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from wire_cases import (
    BINANCE,
    BINANCE_AGGREGATE,
    BINANCE_REST,
    BINANCE_TRADE,
    BYBIT,
    OKX,
    OKX_2022,
    OKX_TRADE,
    BookPaths,
    TradePaths,
    cryptofeed_frames,
    lines,
    scale,
)

from engines.wire.layout import (
    ENGINE_TIME,
    EVENT_TIME,
    FIRST_ID,
    KIND,
    KIND_DELTA,
    KIND_SNAPSHOT,
    LAST_ID,
    PREVIOUS_ID,
    TRADE_ID,
    TRADE_KEPT,
    TRADE_LOTS,
    TRADE_SIDE,
    TRADE_TICK,
    TRADE_TIME,
)


def steps(rows: list[list[str]]) -> tuple[str, str]:
    """A grid that fits these rows: as many decimals as the venue writes."""
    finest = [min((Decimal(row[column]).as_tuple().exponent for row in rows), default=0) for column in range(2)]
    return str(Decimal(1).scaleb(int(finest[0]))), str(Decimal(1).scaleb(int(finest[1])))


def decimal_rows(rows: list[list[str]], tick: str, lot: str) -> list[list[int]]:
    return [[int(Decimal(row[0]) / Decimal(tick)), int(Decimal(row[1]) / Decimal(lot))] for row in rows]


@pytest.fixture(scope="module")
def binance_day(shared_data: Path) -> list[bytes]:
    path = shared_data / "hftbacktest-binance-2024-08-08" / "usdm_btcusdt_20240808.gz"
    return [line.split(b" ", 1)[1] for line in lines(path)]


def test_binance_depth(binance_day: list[bytes]) -> None:
    paths = BookPaths(BINANCE, scale("0.1", "0.001"), "BTCUSDT")
    frames = [frame for frame in binance_day if b'"e":"depthUpdate"' in frame]
    assert len(frames) == 6551
    previous = None
    for frame in frames:
        facts = paths.scan(frame)
        assert not isinstance(facts, str), (facts, frame)
        header, bids, asks = facts
        assert facts == paths.plain(frame)
        data = json.loads(frame)["data"]
        assert bids == decimal_rows(data["b"], "0.1", "0.001")
        assert asks == decimal_rows(data["a"], "0.1", "0.001")
        assert (header[FIRST_ID], header[LAST_ID], header[PREVIOUS_ID]) == (data["U"], data["u"], data["pu"])
        assert header[EVENT_TIME] == data["E"] * 10**6
        assert header[ENGINE_TIME] == data["T"] * 10**6
        assert previous in (None, header[PREVIOUS_ID])
        previous = header[LAST_ID]


def test_binance_snapshot(binance_day: list[bytes]) -> None:
    (frame,) = [frame for frame in binance_day if b'"lastUpdateId"' in frame]
    paths = BookPaths(BINANCE_REST, scale("0.1", "0.001"), "BTCUSDT")
    facts = paths.scan(frame)
    assert not isinstance(facts, str)
    assert (len(facts[1]), len(facts[2]), facts[0][KIND]) == (1000, 1000, KIND_SNAPSHOT)
    assert facts == paths.plain(frame)


def test_binance_trades(binance_day: list[bytes]) -> None:
    paths = TradePaths(BINANCE_TRADE, scale("0.1", "0.001"), "BTCUSDT")
    frames = [frame for frame in binance_day if b'"e":"trade"' in frame]
    assert len(frames) == 21313
    identifier = None
    kept = 0
    for frame in frames:
        facts = paths.scan(frame)
        assert not isinstance(facts, str), (facts, frame)
        assert facts == paths.plain(frame)
        (trade,) = facts
        data = json.loads(frame)["data"]
        assert trade[TRADE_TICK] == Decimal(data["p"]) * 10
        assert trade[TRADE_LOTS] == Decimal(data["q"]) * 1000
        assert trade[TRADE_SIDE] == (-1 if data["m"] else 1)
        assert trade[TRADE_TIME] == data["T"] * 10**6
        assert trade[TRADE_KEPT] == int(data["X"] == "MARKET")
        assert identifier in (None, trade[TRADE_ID] - 1)
        identifier = trade[TRADE_ID]
        kept += trade[TRADE_KEPT]
    assert kept == 21313


def test_cryptofeed_binance(shared_data: Path) -> None:
    frames = list(cryptofeed_frames(shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"))
    grids: dict[str, tuple[str, str]] = {}
    snapshots = deltas = trades = 0
    for kind, url, frame in frames:
        if kind == "http" and "/depth" in url:
            snapshot = json.loads(frame)
            symbol = url.split("symbol=")[1].split("&")[0]
            grids[symbol] = steps(snapshot["bids"] + snapshot["asks"])
    assert sorted(grids) == ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"]
    rest = {symbol: BookPaths(BINANCE_REST, scale(*grid), symbol) for symbol, grid in grids.items()}
    books = {symbol: BookPaths(BINANCE, scale(*grid), symbol) for symbol, grid in grids.items()}
    tape = {symbol: TradePaths(BINANCE_AGGREGATE, scale(*grid), symbol) for symbol, grid in grids.items()}
    for kind, url, frame in frames:
        paths: BookPaths | TradePaths
        if kind == "http" and "/depth" in url:
            paths = rest[url.split("symbol=")[1].split("&")[0]]
            snapshots += 1
        elif kind == "recv" and b'"e":"depthUpdate"' in frame:
            paths = books[json.loads(frame)["data"]["s"]]
            deltas += 1
        elif kind == "recv" and b'"e":"aggTrade"' in frame:
            paths = tape[json.loads(frame)["data"]["s"]]
            trades += 1
        else:
            continue
        facts = paths.scan(frame)
        assert not isinstance(facts, str), (facts, frame)
        assert facts == paths.plain(frame)
    assert (snapshots, deltas) == (4, 764)
    assert trades == 91


def test_cryptofeed_okx(shared_data: Path) -> None:
    frames = [
        frame
        for kind, _, frame in cryptofeed_frames(shared_data / "cryptofeed-samples" / "okx_v5.jsonl.gz")
        if kind == "recv"
    ]
    grids: dict[str, list[list[str]]] = {}
    for frame in frames:
        message: dict[str, Any] = json.loads(frame)
        if message.get("action") == "snapshot":
            data = message["data"][0]
            grids.setdefault(message["arg"]["instId"], []).extend(data["bids"] + data["asks"])
    fine = {market: scale(*(str(Decimal(step) / 1000) for step in steps(rows))) for market, rows in grids.items()}
    books = {market: BookPaths(OKX_2022, grid, market) for market, grid in fine.items()}
    tape = {market: TradePaths(OKX_TRADE, grid, market) for market, grid in fine.items()}
    kinds = {KIND_SNAPSHOT: 0, KIND_DELTA: 0}
    trades = 0
    for frame in frames:
        message = json.loads(frame)
        channel = message.get("arg", {}).get("channel") if "data" in message else None
        if channel == "books":
            book = books[message["arg"]["instId"]]
            facts = book.scan(frame)
            assert not isinstance(facts, str), (facts, frame)
            assert facts == book.plain(frame)
            kinds[facts[0][KIND]] += 1
        elif channel == "trades":
            trade = tape[message["arg"]["instId"]]
            rows = trade.scan(frame)
            assert not isinstance(rows, str), (rows, frame)
            assert rows == trade.plain(frame)
            trades += len(rows)
    assert kinds == {KIND_SNAPSHOT: 3, KIND_DELTA: 287}
    assert trades > 10


def test_bybit_500(shared_data: Path) -> None:
    path = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    paths = BookPaths(BYBIT, scale("0.0001", "1"), "XRPUSDT")
    readings = []
    for frame in lines(path):
        facts = paths.scan(frame)
        assert not isinstance(facts, str), (facts, frame)
        assert facts == paths.plain(frame)
        readings.append(facts)
    assert len(readings) == 50
    assert [facts[0][KIND] for facts in readings] == [KIND_SNAPSHOT] + [KIND_DELTA] * 49
    assert (len(readings[0][1]), len(readings[0][2])) == (500, 500)
    ids = [facts[0][LAST_ID] for facts in readings]
    assert ids == list(range(ids[0], ids[0] + 50))


def test_tickvault(shared_data: Path) -> None:
    folder = shared_data / "tickvault-fixtures-2026-08-24"
    bybit = BookPaths(BYBIT, scale("0.1", "0.000001"), "BTCUSDT")
    okx = BookPaths(OKX, scale("0.1", "0.00000001"), "BTC-USDT")
    read = 0
    links: list[tuple[int, int]] = []
    for name, paths in (("bybit_v5_spot_orderbook50.jsonl", bybit), ("okx_v5_books_updates_only.jsonl", okx)):
        for frame in lines(folder / name):
            if b'"data"' not in frame:
                continue
            facts = paths.scan(frame)
            assert not isinstance(facts, str), (facts, frame)
            assert facts == paths.plain(frame)
            read += 1
            if paths is okx:
                links.append((facts[0][PREVIOUS_ID], facts[0][LAST_ID]))
    assert read == 9 + 6
    assert [previous for previous, _ in links[1:]] == [last for _, last in links[:-1]]

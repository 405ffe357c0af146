"""Frames straight from the source, read by an independent reader: minutes of scenario without a gap, equal to the truth."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_reader import BookReader, true_levels

from engines.wire.scale import Grid
from monitor.simulator.market_model import STEP_MS
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario
from monitor.simulator.specs import NumberText

EPOCH = 1_770_285_600_000_000_000


def make(name: str = "cascade", seed: int = 9, **named) -> ScenarioSource:
    return ScenarioSource(scenario(name), seed=seed, epoch_ns=EPOCH, **named)


@given(
    st.integers(0, 10**12),
    st.sampled_from(["0.1", "0.01", "0.5", "5", "0.00000001", "10"]),
    st.integers(0, 3),
    st.booleans(),
)
def test_numbers_are_written_exactly(units: int, step: str, more: int, trimmed: bool) -> None:
    grid = Grid.from_step(step)
    text = NumberText(grid, grid.decimals + more, trimmed)(units)
    assert Decimal(text) == units * Decimal(step)
    assert "e" not in text.lower()
    if trimmed and "." in text:
        assert not text.endswith(("0", "."))


def test_books_follow_their_venues_rules_through_a_cascade_and_end_equal_to_the_truth() -> None:
    source = make()
    keys = {
        ("binance_usdm", "btcusdt@depth@100ms"): "BTCUSDT",
        ("binance_usdm", "ethusdt@depth"): "ETHUSDT",
        ("binance_usdm", "btcusdt@depth@500ms"): "BTCUSDT",
        ("bybit_linear", "orderbook.1000.BTCUSDT"): "BTCUSDT",
        ("bybit_linear", "orderbook.200.ETHUSDT"): "ETHUSDT",
        ("bybit_linear", "orderbook.50.BTCUSDT"): "BTCUSDT",
        ("okx_swap", "books:BTC-USDT-SWAP"): "BTC-USDT-SWAP",
        ("okx_swap", "books:ETH-USDT-SWAP"): "ETH-USDT-SWAP",
    }
    readers = {key: BookReader(key[0], look_every=25) for key in keys}
    for key, reader in readers.items():
        for opening in source.opening(*key):
            reader.frame(opening)
    for step in range(int(56_000 / STEP_MS)):
        for frame in source.step():
            reader = readers.get((frame.venue, frame.key))
            if reader is not None:
                reader.frame(frame.data)
        if step == 37:  # between two pushes, with changes already buffered
            for (venue, key), symbol in keys.items():
                if venue == "binance_usdm":
                    reply = source.rest(venue, "/fapi/v1/depth", {"symbol": symbol, "limit": "1000"})
                    assert reply is not None
                    readers[venue, key].snapshot_reply(reply.body)
        if step % 50 == 0:
            for (venue, key), reader in readers.items():
                if venue == "bybit_linear":
                    assert max(len(reader.bids), len(reader.asks)) <= int(key.split(".")[1])
                if venue == "okx_swap":
                    assert max(len(reader.bids), len(reader.asks)) <= 400
    for (venue, key), reader in readers.items():
        assert (reader.gaps, reader.crossed, reader.ignored) == (0, 0, 0), key
        assert reader.frames > 90
        market = source.world.markets[venue, keys[venue, key]]
        if venue == "binance_usdm":
            assert reader.joined
            assert min(reader.bids) < reader.lowest_of_snapshot  # learned from changes beyond the snapshot
            for side, sign in ((reader.bids, 1), (reader.asks, -1)):
                truth = true_levels(market, sign)
                assert all(truth.get(price) == size for price, size in side.items())
        else:
            depth = 400 if venue == "okx_swap" else int(key.split(".")[1])
            assert reader.bids == true_levels(market, 1, depth)
            assert reader.asks == true_levels(market, -1, depth)


def test_a_binance_snapshot_bridges_at_any_moment() -> None:
    source = make("calm", venues=("binance_usdm",), assets=("ETH",))
    frames = []
    for step in range(40):
        frames += [f.data for f in source.step() if f.key == "ethusdt@depth@100ms"]
        reader = BookReader("binance_usdm")
        for data in frames:
            reader.frame(data)
        reply = source.rest("binance_usdm", "/fapi/v1/depth", {"symbol": "ETHUSDT", "limit": "1000"})
        assert reply is not None
        reader.snapshot_reply(reply.body)
        for later in range(4):
            for frame in source.step():
                if frame.key == "ethusdt@depth@100ms":
                    frames.append(frame.data)
                    reader.frame(frame.data)
            assert later >= 0
        assert reader.joined
        assert reader.gaps == 0, step


def test_the_first_binance_snapshot_of_btc_reaches_well_under_one_percent() -> None:
    reply = make().rest("binance_usdm", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "1000"})
    assert reply is not None
    bids = orjson.loads(reply.body)["bids"]
    assert len(bids) == 1000
    assert 0.001 < 1 - float(bids[-1][0]) / float(bids[0][0]) < 0.006


def test_okx_has_a_deep_book_over_rest() -> None:
    source = make()
    reply = source.rest("okx_swap", "/api/v5/market/books-full", {"instId": "BTC-USDT-SWAP", "sz": "5000"})
    assert reply is not None
    (book,) = orjson.loads(reply.body)["data"]
    assert len(book["bids"]) == 5000
    assert all(len(row) == 3 for row in book["asks"])
    assert float(book["bids"][-1][0]) < 0.97 * float(book["bids"][0][0])


def test_liquidation_prints_mean_what_the_venues_say() -> None:
    source = make(seed=5, assets=("BTC",))
    binance, okx, bybit, truth = [], [], [], Counter()
    for _ in range(int(66_000 / STEP_MS)):
        for frame in source.step():
            if frame.key == "btcusdt@forceOrder":
                binance.append(orjson.loads(frame.data))
            elif frame.key == "liquidation-orders:SWAP":
                okx += orjson.loads(frame.data)["data"]
            elif frame.key == "allLiquidation.BTCUSDT":
                bybit.append(orjson.loads(frame.data))
        truth["bybit"] += sum(p.filled for p in source.world.markets["bybit_linear", "BTCUSDT"].liquidations)
    assert len(binance) > 5
    times = [frame["E"] for frame in binance]
    assert all(later - earlier >= 1000 for earlier, later in pairwise(times)), "at most one a second"
    assert {frame["o"]["S"] for frame in binance} == {"SELL"}  # the order's side: longs are closed
    for frame in binance:
        order = frame["o"]
        assert Decimal(order["l"]) <= Decimal(order["z"]) <= Decimal(order["q"])
        assert Decimal(order["ap"]) >= Decimal(order["p"])  # filled no worse than the bankruptcy price
        assert (order["X"] == "FILLED") == (order["z"] == order["q"])
    events = [event for frame in bybit for event in frame["data"]]
    assert {event["S"] for event in events} == {"Buy"}  # the position's side: longs
    assert sum(Decimal(event["v"]) for event in events) == truth["bybit"] * Decimal("0.001")  # complete
    assert any(len(frame["data"]) > 1 for frame in bybit)
    assert {(row["details"][0]["side"], row["details"][0]["posSide"]) for row in okx} == {("sell", "long")}
    by_contract = {
        name: [int(r["details"][0]["ts"]) for r in okx if r["instId"] == name] for name in {r["instId"] for r in okx}
    }
    for stamps in by_contract.values():
        assert len(stamps) <= 100


def test_open_interest_of_bybit_counts_both_sides_and_single_one() -> None:
    source = make("calm")
    (opening,) = source.opening("bybit_linear", "tickers.BTCUSDT")
    data = orjson.loads(opening)["data"]
    assert Decimal(data["openInterest"]) == 2 * Decimal(data["singleOpenInterest"])
    market = source.world.markets["bybit_linear", "BTCUSDT"]
    assert Decimal(data["singleOpenInterest"]) == market.ledger.open_interest * Decimal("0.001")
    deltas = [orjson.loads(f.data) for _ in range(40) for f in source.step() if f.key == "tickers.BTCUSDT"]
    assert deltas
    assert all(d["type"] == "delta" and len(d["data"]) < len(data) for d in deltas)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        source, hash_ = make(seed=seed), hashlib.sha256()
        for _ in range(int(4_000 / STEP_MS)):
            for frame in source.step():
                hash_.update(frame.venue.encode() + frame.key.encode() + frame.data)
        return hash_.hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_listening_does_not_change_what_others_get() -> None:
    quiet, heard = make("calm"), make("calm")
    for key in ("orderbook.50.BTCUSDT", "orderbook.1.ETHUSDT"):
        heard.opening("bybit_linear", key)
    heard.opening("binance_usdm", "btcusdt@depth")
    for _ in range(40):
        plain = [(f.key, f.data) for f in quiet.step()]
        assert [pair for pair in ((f.key, f.data) for f in heard.step()) if pair in plain] == plain


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_the_venues_clocks_follow_real_time_whatever_the_speed(speed: float) -> None:
    source = make("calm", speed=speed)
    stamps = [orjson.loads(f.data)["E"] for f in source.advance(2_000_000_000) if f.key == "btcusdt@markPrice@1s"]
    assert source.world.now_ms == 2000 * speed
    assert stamps[-1] == EPOCH // 1_000_000 + 2000
    assert len(stamps) == 2 * speed


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40))
def test_unknown_topics_are_not_known(text: str) -> None:
    source = make_once()
    for venue in ("binance_usdm", "bybit_linear", "okx_swap"):
        assert not source.knows(venue, "x" + text)


_once: list[ScenarioSource] = []


def make_once() -> ScenarioSource:
    if not _once:
        _once.append(make("calm"))
    return _once[0]

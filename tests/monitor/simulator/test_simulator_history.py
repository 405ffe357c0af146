"""The simulated past: from the seed alone, ending at the price the scenario begins with, in each venue's limits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import orjson
import pytest

from monitor.simulator.history import HOURS
from monitor.simulator.positions import Ledger
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario
from monitor.simulator.specs import ASSETS

EPOCH = 1_770_285_600_000_000_000 + 25 * 60 * 1_000_000_000  # within an hour
HOUR = EPOCH // 3_600_000_000_000
VENUES = ("binance_usdm", "bybit_linear", "bybit_inverse", "okx_swap", "coinbase", "hyperliquid", "gate_usdt")


def make(seed: int = 9, venues: tuple[str, ...] = VENUES, epoch: int = EPOCH) -> ScenarioSource:
    return ScenarioSource(scenario("cascade"), seed=seed, epoch_ns=epoch, venues=venues, assets=("BTC", "ETH"))


SOURCE = make()


def ask(venue: str, path: str, query: Mapping[str, str]) -> tuple[int, object]:
    reply = SOURCE.rest(venue, path, query)
    assert reply is not None
    return reply.status, orjson.loads(reply.body)


def test_the_past_is_of_the_seed_alone_and_ends_at_the_start_price() -> None:
    one, same, other = (make(seed, ("binance_usdm", "coinbase")).world.markets for seed in (9, 9, 10))
    for key, market in one.items():
        hours = market.hours(HOUR, HOUR)
        assert hours == same[key].hours(HOUR, HOUR)
        assert hours != other[key].hours(HOUR, HOUR)
        assert len(hours) == HOURS
        start = ASSETS[market.spec.asset].price / market.spec.tick_usd
        assert hours[-1].close == pytest.approx(start, abs=1)
        for before, after in pairwise(hours):
            assert after.number == before.number + 1
            assert after.open == before.close
        for hour in hours:
            assert 0 < hour.low <= min(hour.open, hour.close) <= max(hour.open, hour.close) <= hour.high
            assert 0 < hour.bought < hour.lots
    usdm, coinbase = (one["binance_usdm", "BTCUSDT"], one["coinbase", "BTC-USD"])
    ours, theirs = ([h.close * m.spec.tick_usd for h in m.hours(HOUR, HOUR)] for m in (usdm, coinbase))
    assert ours == pytest.approx(theirs, rel=1e-4), "an asset has one price"


def test_asking_for_the_past_does_not_change_what_comes() -> None:
    asked, left = make(), make()
    for market in asked.world.markets.values():
        market.hours(HOUR, HOUR)
    ends = []
    for source in (asked, left):
        frames = [(frame.key, frame.data) for _ in range(3) for frame in source.advance(source.next_due())]
        ends.append(frames)
    assert ends[0] == ends[1]
    assert ends[0]


def test_hours_that_pass_stand_at_the_price_of_the_moment() -> None:
    market = make(venues=("binance_usdm",)).world.markets["binance_usdm", "BTCUSDT"]
    before = market.hours(HOUR, HOUR)
    market.last *= 0.9
    fallen = round(market.last / market.spec.tick_usd)
    running = market.hours(HOUR, HOUR)[-1]
    assert (running.close, running.low) == (fallen, min(before[-1].low, fallen))
    assert running.high == before[-1].high
    later = market.hours(HOUR, HOUR + 3)
    assert len(later) == HOURS
    assert [hour.number for hour in later[-4:]] == [HOUR, HOUR + 1, HOUR + 2, HOUR + 3]
    assert [hour.close for hour in later[-3:]] == [fallen] * 3
    assert later[-4] == before[-1]


@pytest.mark.parametrize(
    ("venue", "path", "query", "said"),
    [
        ("binance_usdm", "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "2000"}, "limit"),
        ("binance_usdm", "/fapi/v1/klines", {"symbol": "NOSUCH", "interval": "1h"}, "Invalid symbol"),
        ("binance_usdm", "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "2h"}, "Invalid interval"),
        ("bybit_linear", "/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "7"}, "period"),
        ("bybit_linear", "/v5/market/kline", {"category": "spot", "symbol": "BTCUSDT", "interval": "60"}, "Category"),
        ("okx_swap", "/api/v5/market/candles", {"instId": "BTC-USDT-SWAP", "bar": "1H", "limit": "301"}, "error"),
        ("okx_swap", "/api/v5/market/candles", {"instId": "BTC-USDT", "bar": "1H"}, "does not exist"),
        ("coinbase", "/products/BTC-USD/candles", {"granularity": "7"}, "granularity"),
        (
            "gate_usdt",
            "/api/v4/futures/usdt/candlesticks",
            {"contract": "BTC_USDT", "interval": "1h", "limit": "0"},
            "limit",
        ),
    ],
)
def test_what_the_venue_would_refuse_is_refused(venue: str, path: str, query: Mapping[str, str], said: str) -> None:
    assert said in orjson.dumps(ask(venue, path, query)[1]).decode()


def test_a_limit_is_kept_and_the_order_is_the_venue_s() -> None:
    _, rows = ask("binance_usdm", "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "5"})
    assert isinstance(rows, list)
    assert [row[0] for row in rows] == [(HOUR - 4 + at) * 3_600_000 for at in range(5)]
    _, reply = ask("okx_swap", "/api/v5/market/candles", {"instId": "BTC-USDT-SWAP", "bar": "1H", "limit": "2"})
    assert isinstance(reply, dict)
    assert [(row[0], row[8]) for row in reply["data"]] == [
        (str(HOUR * 3_600_000), "0"),
        (str((HOUR - 1) * 3_600_000), "1"),
    ]


def test_hyperliquid_answers_no_candles_without_a_range() -> None:
    asked = {"type": "candleSnapshot", "req": '{"coin":"BTC","interval":"1h"}'}
    assert SOURCE.rest("hyperliquid", "/info", asked) is None


def test_accounts_are_counted_one_each_whatever_their_size() -> None:
    ledger = Ledger(SOURCE.world.markets["binance_usdm", "BTCUSDT"].ledger._rng)
    assert ledger.holders(1) == ledger.holders(-1) == 1
    for lots in (1, 1_000, 5):
        ledger.open(1, lots, 100.0, 10.0)
    ledger.open(-1, 1_006, 100.0, 10.0)
    assert (ledger.holders(1), ledger.holders(-1)) == (4, 2)
    ledger.trigger(1.0, 0)  # the longs go to the engine, which holds them until they are sold
    assert (ledger.holders(1), ledger.holders(-1)) == (4, 2)
    ledger.engine.clear()
    assert ledger.holders(1) == 1

"""A week of hours and the accounts' long/short ratio, over REST: what the replies of each venue that has them come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from venue_forms import GOOD, poll_of, sample_instruments

from monitor.errors import FrameError
from monitor.facts import Candle, Candles, Fact, Instrument, LongShortRatio, Unread
from monitor.venues.base import RestRequest
from monitor.venues.candles import CANDLES, HOUR, HOURS
from monitor.venues.registry import VENUES

FIRST, SECOND = 1_770_285_600_000_000_000, 1_770_289_200_000_000_000  # on the hour
# (volume, what takers bought) of the two hours of the good reply, in the venue's size unit.
REPLY = "rest:history:candles"
COINS = ((812.345, None), (10.5, None))
VOLUMES: dict[str, tuple[tuple[float, float | None], ...]] = {
    "binance_usdm": ((812.345, 401.2), (10.5, 0.0)),
    "binance_spot": ((812.345, 401.2), (10.5, 0.0)),
    "binance_coinm": ((812_345.0, 401_200.0), (10_500.0, 0.0)),  # contracts, not the coins beside them
    "bybit_linear": COINS,
    "bybit_inverse": ((59_308_112.0, None), (10.5, None)),  # dollars
    "bybit_spot": COINS,
    "okx_swap": ((81_234.5, None), (10.5, None)),  # contracts
    "okx_spot": COINS,
    "hyperliquid": COINS,
    "gate_usdt": ((812_345.5, None), (10.0, None)),  # contracts
    "coinbase": COINS,
    "kraken_futures": COINS,
    "deribit": ((59_308_110.0, None), (766_160.0, None)),  # an inverse contract: dollars, which stand as cost
}
WITH_CANDLES = pytest.mark.parametrize("name", VOLUMES)
RATIOS = {
    "binance_usdm": (Decimal("0.6622") / Decimal("0.3378"), 1_591_261_042_378_000_000),
    "bybit_linear": (Decimal("0.5777") / Decimal("0.4223"), 1_695_772_800_000_000_000),
    "bybit_inverse": (Decimal("0.5777") / Decimal("0.4223"), 1_695_772_800_000_000_000),
    "okx_swap": (Decimal("1.3702"), FIRST),
}


def market_of(name: str) -> Instrument:
    return sample_instruments(VENUES[name], 1)[0]


def asked(name: str, key: str = CANDLES, at: int = FIRST + 1) -> RestRequest:
    venue = VENUES[name]
    return venue.dated_request(poll_of(venue, market_of(name), key).request, at)


def read(name: str, body: bytes, key: str = CANDLES) -> list[Fact]:
    request = asked(name, key)
    VENUES[name].check_reply(request, 200, {}, body)
    return VENUES[name].parse_poll(request, body)


def test_whoever_has_candles_is_in_here() -> None:
    venues = {name: market_of(name) for name in VENUES}
    having = {n for n, m in venues.items() if CANDLES in {poll.request.key for poll in VENUES[n].polls(m)}}
    assert having == set(VOLUMES)


@WITH_CANDLES
def test_a_good_reply_is_two_hours_in_order(name: str) -> None:
    (told,) = read(name, GOOD[name][REPLY])
    (one, bought), (two, bought_then) = VOLUMES[name]
    assert told == Candles(
        market_of(name).symbol,
        (
            Candle(FIRST, 72_950.1, 73_100.5, 73_010.0, one, bought),
            Candle(SECOND, 72_990.0, 73_020.0, 73_015.5, two, bought_then),
        ),
        SECOND,
    )


@WITH_CANDLES
def test_a_week_is_asked_for_seldom_and_lightly(name: str) -> None:
    poll = poll_of(VENUES[name], market_of(name), CANDLES)
    assert poll.request.purpose == "history"
    assert poll.interval_seconds == 6 * 3600
    limits = VENUES[name].limits
    # Of a third of the venue's budget, which is ours, all of sixty markets is asked for within some minutes.
    assert 60 * poll.request.weight <= 0.3 * limits.rest_weight / limits.rest_window_seconds * 300


@pytest.mark.parametrize(
    ("name", "start", "end", "unit"),
    [
        ("kraken_futures", "from", "to", 10**9),
        ("deribit", "start_timestamp", "end_timestamp", 10**6),
        ("hyperliquid", "startTime", "endTime", 10**6),
    ],
)
def test_where_a_range_is_due_it_is_the_last_168_hours(name: str, start: str, end: str, unit: int) -> None:
    for at in (FIRST, FIRST + HOUR - 1):
        request = asked(name, at=at)
        said: dict[str, Any] = {key: value[0] for key, value in parse_qs(urlsplit(request.url).query).items()}
        if request.body is not None:
            said = orjson.loads(request.body)["req"]
            assert (said["coin"], said["interval"]) == ("BTC", "1h")
        assert int(said[start]) * unit == FIRST - (HOURS - 1) * HOUR
        assert (int(said[end]) + 1) * unit == FIRST + HOUR
    tiers = RestRequest("poll", "https://x/y", 1, None, "status")
    assert VENUES[name].dated_request(tiers, FIRST) is tiers


def hyperliquid(*rows: dict[str, object]) -> list[Fact]:
    good = {"t": FIRST // 10**6, "c": "10", "h": "11", "l": "9", "v": "1"}
    return read("hyperliquid", orjson.dumps([{**good, **row} for row in rows]))


def test_only_the_newest_week_is_kept_each_hour_once() -> None:
    rows = [{"t": (FIRST + number * HOUR) // 10**6, "v": str(number)} for number in range(400)]
    (told,) = hyperliquid(*rows[::-1], {**rows[399], "v": "7.5"})
    assert isinstance(told, Candles)
    assert [row.open_time for row in told.rows] == [FIRST + number * HOUR for number in range(232, 400)]
    assert told.rows[-1].volume == 7.5
    assert told.venue_time == told.rows[-1].open_time


def test_a_market_that_has_not_traded_has_no_candles() -> None:
    assert hyperliquid() == []
    assert read("deribit", b'{"jsonrpc":"2.0","result":{"status":"no_data"},"usOut":1790133840000100}') == []


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"l": "0"}, "l is not positive"),
        ({"c": "12"}, "closes at 12, outside of 9 to 11"),
        ({"c": "8"}, "closes at 8, outside of 9 to 11"),
        ({"v": "-1"}, "volume is -1"),
        ({"v": None}, "v is not a decimal"),
        ({"v": "NaN"}, "v is not a decimal"),
        ({"t": 0}, "t is not a time"),
        ({"h": ""}, "h is not a decimal"),
    ],
)
def test_an_odd_row_does_not_cost_the_others_and_alone_it_is_an_error(odd: dict[str, object], reason: str) -> None:
    told, unread = hyperliquid({}, odd, {**odd, "n": 1})
    assert isinstance(told, Candles)
    assert len(told.rows) == 1
    assert isinstance(unread, Unread)
    assert unread.rows == 2
    assert reason in unread.reason
    with pytest.raises(FrameError, match=rf"^hyperliquid candles BTC: .*{reason}"):
        hyperliquid(odd)


@WITH_CANDLES
def test_what_are_no_candles_is_refused_by_name(name: str) -> None:
    around: dict[str, Any] = {"result": {"symbol": market_of(name).symbol, "status": "ok"}, "time": 1_770_290_000_000}
    for body in (b"{}", b'{"data":{}}', b"[5]", b"[[]]", b'[["1"]]', orjson.dumps(around)):
        with pytest.raises(FrameError, match=rf"^{name} candles {market_of(name).symbol}: "):
            VENUES[name].parse_poll(asked(name), body)


def test_a_candle_of_another_market_is_refused() -> None:
    body = GOOD["bybit_linear"][REPLY].replace(b"BTCUSDT", b"ETHUSDT")
    with pytest.raises(FrameError, match="symbol is not BTCUSDT"):
        read("bybit_linear", body)


def test_takers_cannot_have_bought_more_than_there_was() -> None:
    body = GOOD["binance_usdm"][REPLY].replace(b'"401.2"', b'"812.4"')
    _, unread = read("binance_usdm", body)
    assert isinstance(unread, Unread)
    assert "volume is 812.345, bought 812.4" in unread.reason


def test_linear_contracts_of_deribit_are_counted_in_coins() -> None:
    venue = VENUES["deribit"]
    request = RestRequest("history", "https://x/y", 500, "BTC_USDC-PERPETUAL", CANDLES)
    (told,) = venue.parse_poll(request, GOOD["deribit"][REPLY])
    assert isinstance(told, Candles)
    assert [row.volume for row in told.rows] == [812.345, 0.1]
    short = GOOD["deribit"][REPLY].replace(b"[812.345,0.1]", b"[812.345]")
    with pytest.raises(FrameError, match="not columns of one length"):
        venue.parse_poll(request, short)


# -- accounts
@pytest.mark.parametrize("name", RATIOS)
def test_the_ratio_is_of_accounts_that_are_long_to_those_that_are_short(name: str) -> None:
    ratio, at = RATIOS[name]
    told = read(name, GOOD[name]["rest:poll:long_short_ratio"], "long_short_ratio")
    assert told == [LongShortRatio(market_of(name).symbol, ratio, at)]


@pytest.mark.parametrize("name", RATIOS)
def test_the_ratio_s_address(name: str) -> None:
    poll = poll_of(VENUES[name], market_of(name), "long_short_ratio")
    assert (
        poll.request.url
        == {
            "binance_usdm": "https://fapi.binance.com/futures/data/globalLongShortAccountRatio?symbol=BTCUSDT&period=5m&limit=1",
            "bybit_linear": "https://api.bybit.com/v5/market/account-ratio?category=linear&symbol=BTCUSDT&period=5min&limit=1",
            "bybit_inverse": "https://api.bybit.com/v5/market/account-ratio?category=inverse&symbol=BTCUSD&period=5min&limit=1",
            "okx_swap": "https://www.okx.com/api/v5/rubik/stat/contracts/long-short-account-ratio-contract?instId=BTC-USDT-SWAP&period=5m&limit=1",
        }[name]
    )
    assert poll.interval_seconds == (900 if name == "okx_swap" else 300)


@pytest.mark.parametrize(
    ("name", "was", "is_now", "reason"),
    [
        ("binance_usdm", b'"0.3378"', b'"0"', "shortAccount is not positive"),
        ("binance_usdm", b'"BTCUSDT"', b'"ETHUSDT"', "symbol is not BTCUSDT"),
        ("bybit_linear", b'"0.4223"', b'""', "sellRatio is not a decimal"),
        ("bybit_inverse", b'"BTCUSD"', b'"ETHUSD"', "symbol is not BTCUSD"),
        ("okx_swap", b'"1.3702"', b'"-1"', "ratio is not positive"),
        ("okx_swap", b'["1770285600000","1.3702"]', b'["1770285600000"]', "not an array of times and ratios"),
    ],
)
def test_what_is_no_ratio_is_refused_by_name(name: str, was: bytes, is_now: bytes, reason: str) -> None:
    body = GOOD[name]["rest:poll:long_short_ratio"]
    assert was in body
    with pytest.raises(FrameError, match=rf"^{name} long_short_ratio .*{reason}"):
        read(name, body.replace(was, is_now), "long_short_ratio")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("binance_usdm", "BTCUSDT_261225"), ("bybit_linear", "BTCPERP"), ("bybit_inverse", "BTCUSDH27")],
)
def test_of_contracts_whose_accounts_nobody_counts_it_is_not_asked(name: str, symbol: str) -> None:
    market = market_of(name)
    other = Instrument(name, symbol, "BTC", market.quote, market.settle, market.contract_type, Decimal(1), Decimal(1))
    keys = [poll.request.key for poll in VENUES[name].polls(other)]
    assert "long_short_ratio" not in keys
    assert CANDLES in keys


def test_a_market_without_counted_accounts_has_no_ratio() -> None:
    assert read("binance_usdm", b"[]", "long_short_ratio") == []
    assert read("okx_swap", b'{"code":"0","msg":"","data":[]}', "long_short_ratio") == []

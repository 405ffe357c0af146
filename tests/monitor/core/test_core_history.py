"""What is asked for of the past, and who is long: kept by the market, disturbed by no failure, forgotten when nobody confirms it."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from core_rig import BINANCE, MS, SECOND, Rig, at, binance_change, instrument
from made_up_venue import MadeUp, connect, frame, listed

from monitor.events import Fetch
from monitor.facts import Candles, LongShortRatio
from monitor.figures import Figures
from monitor.polls import INTERVALS_KEPT, RETRY_FIRST
from monitor.venues.base import Poll, RestRequest
from monitor.venues.candles import CANDLES, CANDLES_SECONDS

RATIO = "long_short_ratio"
RATIO_KEPT = INTERVALS_KEPT * 300


def begun() -> Rig:
    rig = Rig()
    rig.begin(BINANCE)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100))
    rig.tick(1)
    return rig


def asked(rig: Rig, key: str) -> list[RestRequest]:
    return [c.request for c in rig.take() if isinstance(c, Fetch) and c.request.key == key]


def hours(*closes: str) -> bytes:
    return orjson.dumps([[at(3600 * n) // MS, c, c, c, c, "5", 0, "0", 1, "2", "0", "0"] for n, c in enumerate(closes)])


def ratio(long: str, short: str) -> bytes:
    row = {"symbol": "BTCUSDT", "longAccount": long, "shortAccount": short, "timestamp": at(0) // MS}
    return orjson.dumps([row])


def test_the_past_is_asked_for_once_and_kept_until_it_is_told_anew() -> None:
    rig = begun()
    (request,) = asked(rig, CANDLES)
    assert request.purpose == "history"
    assert rig.market().candles is None
    rig.reply(2, BINANCE, request, hours("100", "101"))
    candles = rig.market().candles
    assert isinstance(candles, Candles)
    assert [row.close for row in candles.rows] == [100.0, 101.0]
    for second in (3, 600, CANDLES_SECONDS):
        rig.tick(second)
        rig.list(second, BINANCE, instrument())  # the listing is read again now and then
    assert asked(rig, CANDLES) == []
    rig.tick(CANDLES_SECONDS + 1)
    (request,) = asked(rig, CANDLES)
    rig.reply(CANDLES_SECONDS + 2, BINANCE, request, hours("102"))
    assert rig.market().candles is not candles


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[[]]", b'[["x"]]'])
def test_a_past_that_does_not_come_is_asked_for_again_later_and_later_and_disturbs_nothing(body: bytes) -> None:
    rig = begun()
    (request,) = asked(rig, CANDLES)
    before = rig.market_view()
    rig.reply(2, BINANCE, request, body, "" if body else "HTTP 502")
    rig.tick(3)
    after = rig.market_view()
    assert after.verified
    assert (after.mid_price, after.counters, after.resyncs) == (before.mid_price, before.counters, before.resyncs)
    retry = RETRY_FIRST // SECOND
    rig.tick(2 + retry - 1)
    assert asked(rig, CANDLES) == []
    rig.tick(2 + retry)
    (request,) = asked(rig, CANDLES)
    rig.reply(2 + retry, BINANCE, request, body, "" if body else "HTTP 502")
    rig.tick(2 + 3 * retry - 1)
    assert asked(rig, CANDLES) == []
    rig.tick(2 + 3 * retry)
    assert len(asked(rig, CANDLES)) == 1
    assert rig.hub.states[BINANCE].poll_errors == {CANDLES: 2}
    assert rig.market().candles is None


def test_what_could_not_be_read_of_it_is_counted_and_the_rest_is_kept() -> None:
    rig = begun()
    (request,) = asked(rig, CANDLES)
    rig.reply(2, BINANCE, request, hours("100", "0"))
    candles = rig.market().candles
    assert candles is not None
    assert len(candles.rows) == 1
    assert rig.hub.states[BINANCE].poll_errors == {CANDLES: 1}


def test_a_request_goes_out_with_the_times_its_venue_wants() -> None:
    class Dated(MadeUp):
        def polls(self, listed: object) -> list[Poll]:
            return [Poll(RestRequest("history", "https://made.up/past", 1, "X", CANDLES), 3600)]

        def dated_request(self, request: RestRequest, at: int) -> RestRequest:
            return RestRequest(request.purpose, f"{request.url}?to={at}", 1, request.symbol, request.key)

    venue = Dated()
    rig = Rig(venues={venue.name: venue})
    rig.list(0, venue.name, listed(venue))
    connect(rig, 0, venue, 0, "trade.X")
    rig.frame(0.5, venue.name, frame("trade.X", rows=[[at(0.5) // MS, 100.0, 3.0]]))
    rig.tick(1)
    (request,) = asked(rig, CANDLES)
    assert request.url == f"https://made.up/past?to={at(1)}"


def test_who_is_long_stands_for_three_polls() -> None:
    rig = begun()
    (request,) = asked(rig, RATIO)
    figures = rig.market().figures
    assert figures.long_short_ratio is None
    rig.reply(2, BINANCE, request, ratio("0.6875", "0.3125"))
    assert figures.long_short_ratio == pytest.approx(2.2, rel=1e-12)
    rig.reply(100, BINANCE, request, ratio("0.5", "0"))
    assert rig.hub.states[BINANCE].poll_errors == {RATIO: 1}
    rig.tick(2 + RATIO_KEPT)
    rig.market_view()
    assert figures.long_short_ratio == pytest.approx(2.2, rel=1e-12)
    rig.tick(3 + RATIO_KEPT)
    rig.market_view()
    assert figures.long_short_ratio is None, "unknown, not as it was"


def test_a_ratio_is_no_ticker_s_and_lives_without_one() -> None:
    figures = Figures(instrument())
    figures.heard(at(0))
    figures.take(LongShortRatio("BTCUSDT", Decimal("1.25"), at(0)), at(900))
    figures.forget_old(at(899))  # the ticker has been silent for long
    assert figures.long_short_ratio == 1.25
    figures.forget_old(at(901))
    assert figures.long_short_ratio is None

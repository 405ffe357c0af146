"""The liquidation model of an asset: what it says, what it does with bad input, and what survives a restart."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquidation_rig import INVERSE, START, TIERS, Market, book, candles, numbers, reading, sound

from engines.liquidation.exposure_types import Position
from monitor.cascade_views import CascadeView
from monitor.clock import SECOND
from monitor.liquidation.exposure import SUDDEN_RATE
from monitor.liquidation.model import AssetModel
from monitor.liquidation.pool import Volume
from monitor.liquidation.reading import MarketReading
from monitor.web.cascade_payload import cascade_row, exposure_row


def run(model: AssetModel, market: Market, prices: list[float], start: int = 0, **changes: Any) -> CascadeView:
    """One price a second."""
    view = None
    for number, price in enumerate(prices, start):
        view = model.second([market.second(price, **changes)], price, START + number * SECOND)
    assert view is not None
    return view


def held(view: CascadeView) -> float:
    assert view.exposure is not None
    return view.exposure.within_usd["long", "10%"]


# -- what it says
def test_a_market_with_a_book_and_open_interest_is_solved_both_ways() -> None:
    model = AssetModel()
    view = run(model, Market(), [70_000.0] * 61)
    assert view.reason == ""
    assert set(view.sides) == {"down", "up"}
    assert view.exposure is not None
    assert view.exposure.state == "indicative"
    assert "of 50 intervals" in view.exposure.reason
    assert not view.map_driven
    assert view.exposure.markets[0].tiers_source == "venue"
    assert held(view) > view.exposure.within_usd["long", "1%"] > 0
    base = view.sides["down"].figures["base"]
    low, high = view.sides["down"].figures["low"], view.sides["down"].figures["high"]
    assert low.gain * 2 == pytest.approx(base.gain) == pytest.approx(high.gain / 2)
    # The null map until it is calibrated: open interest evenly over distance, over the book's density.
    assert base.gain == pytest.approx(SUDDEN_RATE * 50_000 * 0.7 / 90_000, rel=1e-3)  # Bybit sends 0.7 of it at once
    assert base.first is None
    assert view.sides["down"].observed_ratio == pytest.approx(0.05 / 0.19975, rel=1e-3)
    assert view.sides["down"].indicative
    assert sound(view)


def test_thin_bids_under_a_crowd_ignite() -> None:
    """A book that thins out where positions are many: first passage jumps, and the figures fit each other."""
    thin = book()
    thin.whole[:] = 30_000 * np.minimum(thin.whole[0] / 90_000, 0.02) + 1_000 * np.maximum(
        thin.whole[0] / 90_000 - 0.02, 0
    )
    thin.known[:] = thin.whole
    view = run(AssetModel(), Market(curves=thin), [70_000.0] * 3)
    first = view.sides["down"].figures["base"].first
    assert first is not None
    assert first.distance_ratio == pytest.approx(0.02, rel=1e-2)
    forced_before = SUDDEN_RATE * 50_000 * 0.7 * first.distance_ratio
    assert first.ignition_base == pytest.approx(30_000 * first.distance_ratio - forced_before, rel=1e-2)
    assert first.direct_ratio < first.distance_ratio
    assert first.landing_ratio is None  # nothing below stops it
    assert view.sides["down"].observed_ratio == 1.0
    up = view.sides["up"].figures["base"].first
    assert up is not None
    assert up.ignition_usd > up.ignition_base * 70_000  # bought at rising prices


def test_open_interest_is_held_by_both_sides_after_every_minute() -> None:
    model, market = AssetModel(), Market()
    generator, price, interest = np.random.default_rng(3), 70_000.0, 50_000.0
    for second in range(600):
        price *= math.exp(0.0004 * generator.standard_normal())
        interest += float(generator.normal(0, 20))
        model.second([market.second(price, open_interest=interest)], price, START + second * SECOND)
    made = model.exposures["bybit_linear:BTCUSDT"].map
    assert made is not None
    assert made.longs == pytest.approx(made.open_interest, rel=1e-9) == pytest.approx(made.shorts, rel=1e-9)
    assert made.open_interest == pytest.approx(interest, rel=0.01)  # of the last whole minute


def test_what_the_price_crossed_is_out_at_once() -> None:
    model, market = AssetModel(), Market()
    run(model, market, [70_000.0] * 5)
    before = held(run(model, market, [70_000.0], 5))
    view = run(model, market, [68_000.0, 70_000.0], 6)  # down and back within the minute
    assert view.exposure is not None
    assert view.exposure.within_usd["long", "2%"] == pytest.approx(0.0, abs=1e-6)
    assert held(view) < before


def test_an_inverse_market_counts_in_coins() -> None:
    market = reading(
        venue="bybit_inverse", market="BTCUSD", contract_type="inverse", open_interest=3.5e9, instrument=INVERSE
    )
    model = AssetModel()
    for second in range(3):
        view = model.second([market], 70_000.0, START + second * SECOND)
    assert view.exposure is not None
    assert view.exposure.markets[0].open_interest_usd == 3.5e9
    assert view.sides["down"].figures["base"].gain == pytest.approx(SUDDEN_RATE * 50_000 * 0.7 / 90_000, rel=1e-3)


def test_the_day_is_worth_what_was_traded_on_every_market() -> None:
    inverse = reading(
        venue="bybit_inverse", market="BTCUSD", contract_type="inverse", open_interest=3.5e9, instrument=INVERSE
    )
    view = AssetModel().second([Market().second(70_000.0), inverse], 70_000.0, START)
    assert view.day_volume_usd == pytest.approx(
        24 * 1_000 * 70_000 + 24 * 1_000
    )  # coins here, dollars of contracts there


def test_a_spot_book_absorbs_and_forces_nothing() -> None:
    spot = reading(venue="bybit_spot", contract_type="spot", open_interest=None, coverage="none", candles=None)
    alone = run(AssetModel(), Market(), [70_000.0] * 3)
    model = AssetModel()
    view = model.second([Market().second(70_000.0), spot], 70_000.0, START)
    assert view.sides["down"].figures["base"].gain == pytest.approx(alone.sides["down"].figures["base"].gain / 2)
    assert len(view.books) == 2


# -- estimates
def test_sampled_prints_are_a_lower_bound_and_complete_ones_are_not() -> None:
    model = AssetModel()
    complete, sampled = Market(), Market(venue="binance_usdm", coverage="sampled")
    for second in range(181):
        price = 70_000.0
        forced = 2.0 if second % 2 else 0.0
        readings = [complete.second(price, forced=forced), sampled.second(price, forced=forced)]
        printed = {"long": 2 * 2.0 * ((second + 1) // 2) * price, "short": 0.0}
        view = model.second(readings, price, START + second * SECOND, printed)
    low, base, high = (view.forced_usd["long", name] for name in ("low", "base", "high"))
    assert low == printed["long"] < base <= high
    assert view.forced_usd["short", "high"] == 0.0
    # Half of the slots showed a print: ln 2 arrivals a second instead of half of one.
    assert base - low == pytest.approx(180 * 2.0 * (math.log(2) - 0.5) * 70_000, rel=0.05)


def test_a_feed_that_was_not_heard_teaches_nothing() -> None:
    model, market = AssetModel(), Market()
    run(model, market, [70_000.0] * 30)
    run(model, market, [69_000.0] * 40, 30, heard=False, forced=5.0)
    assert model.exposures["bybit_linear:BTCUSDT"].score.events == 0


def test_a_map_that_predicts_what_happens_is_calibrated_and_drives() -> None:
    """Liquidations come as the true survival of 0.2 says; the null map does not know where the crowd stands."""
    model, market = AssetModel(), Market()
    price, second, generator = 70_000.0, 0, np.random.default_rng(1)
    view = run(model, market, [price] * 61)
    second = 61
    for _ in range(260):
        exposure = model.exposures["bybit_linear:BTCUSDT"]
        made = exposure.map
        assert made is not None
        price *= 1 + (0.004 * generator.standard_normal())
        forced = 0.2 * float(np.nansum(made.crossed_by_bucket(Position.LONG, min(price, exposure._low))))
        for part in range(6):
            readings = [market.second(price, bought=50.0, sold=50.0, forced=forced if part == 0 else 0.0)]
            view = model.second(readings, price, START + second * SECOND)
            second += 10
    assert view.exposure is not None
    assert view.exposure.state == "calibrated", view.exposure.reason
    assert view.exposure.score.deviance_ratio is not None
    assert view.exposure.score.deviance_ratio < 1
    assert view.map_driven
    assert view.exposure.reason == ""
    assert len(view.exposure.history) == 240


@pytest.mark.parametrize("coverage", ["complete", "sampled"])
def test_a_fall_that_was_not_heard_teaches_that_nothing_is_known(coverage: str) -> None:
    model, market = AssetModel(), Market(coverage=coverage)
    run(model, market, [70_000.0] * 61)
    before = model.exposures["bybit_linear:BTCUSDT"].survival
    falling = [70_000.0 * (1 - 0.05 * i / 300) for i in range(300)]
    run(model, market, falling, 61, heard=False)
    assert model.exposures["bybit_linear:BTCUSDT"].survival == before
    run(
        model, market, [falling[-1] * (1 - 0.05 * i / 300) for i in range(300)], 361
    )  # heard, and nobody was liquidated
    assert model.exposures["bybit_linear:BTCUSDT"].survival != before


def test_a_wrong_mark_does_not_empty_the_map_and_a_real_one_does() -> None:
    model, market = AssetModel(), Market()
    whole = held(run(model, market, [70_000.0] * 5))
    assert held(run(model, market, [700.0, 70_000.0], 5)) == pytest.approx(whole, rel=1e-6)
    view = run(model, market, [60_000.0] * 6, 7)  # it stands: a real fall
    assert view.exposure is not None
    assert view.exposure.within_usd["long", "10%"] != pytest.approx(whole, rel=0.1)


def test_one_absurd_funding_rate_does_no_harm() -> None:
    model, market = AssetModel(), Market()
    run(model, market, [70_000.0] * 30)
    run(model, market, [70_000.0], 30, funding_8h=3e5)
    view = run(model, market, [70_000.0] * 60, 31)
    assert view.exposure is not None
    assert view.exposure.markets[0].reason.startswith("only 0 of 50")


def test_open_interest_that_is_lost_is_missing_from_the_coverage() -> None:
    model = AssetModel()
    small, large = Market(), Market(venue="binance_usdm", open_interest=450_000.0)
    for second in range(3):
        model.second([small.second(70_000.0), large.second(70_000.0)], 70_000.0, START + second * SECOND)
    for second in range(3, 700):
        readings = [small.second(70_000.0), large.second(70_000.0, open_interest=None)]
        view = model.second(readings, 70_000.0, START + second * SECOND)
    assert view.exposure is not None
    assert view.exposure.coverage_ratio == pytest.approx(0.1)


def test_volume_of_an_inverse_market_is_counted_as_it_comes() -> None:
    """20 bn dollars of contracts traded before: neither a second without a price nor a price that moves is volume."""
    volume = Volume()
    for second in range(600):
        price = None if second == 300 else 70_000.0 * (1 + 0.001 * (second % 7))
        each = reading(
            contract_type="inverse",
            instrument=INVERSE,
            mid=price,
            mark=price,
            bought=1e10 + 7_000.0 * second,
            sold=1e10,
        )
        volume.step([each], START + second * SECOND)
    assert volume.a_minute == pytest.approx(6.0, rel=0.02)  # 7,000 dollars a second are a tenth of a coin


# -- bad input
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"open_interest": None}, "has not told the open interest"),
        ({"open_interest": 0.0}, "not positive"),
        ({"open_interest": -5.0}, "not positive"),
        ({"open_interest": math.nan}, "not positive"),
        ({"mark": None, "reason": "gap"}, "no book of the asset is verified"),
        ({"mark": 0.0}, "no mark price"),
        ({"curves": book(0.0)}, "no depth"),
        ({"candles": None}, "waiting for the venue's candles"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], said: str) -> None:
    model = AssetModel()
    view = run(model, Market(**changes), [70_000.0] * 3)
    assert said in view.reason
    assert view.sides == {}
    assert sound(view)


def test_without_candles_the_price_of_now_stands_in_after_a_minute() -> None:
    model = AssetModel()
    view = run(model, Market(candles=None), [70_000.0] * 65)
    assert view.reason == ""
    assert model.exposures["bybit_linear:BTCUSDT"].usable


def test_a_map_waits_a_minute_for_the_venue_to_say_its_tiers() -> None:
    model, market = AssetModel(), Market(tiers=replace(TIERS, assumed=True))
    assert "margin tiers" in run(model, market, [70_000.0] * 59).reason
    view = run(model, market, [70_000.0] * 3, 59)
    assert view.exposure is not None
    assert view.exposure.markets[0].tiers_source == "assumed"


def test_a_profile_is_borrowed_from_another_market_of_the_asset() -> None:
    model = AssetModel()
    spot = reading(
        venue="binance_spot", contract_type="spot", open_interest=None, coverage="none", candles=candles(1.0)
    )
    model.second([Market(candles=None).second(70_000.0), spot], 70_000.0, START)
    made = model.exposures["bybit_linear:BTCUSDT"]
    assert made.usable
    assert made.map is not None
    edges = np.linspace(50_000, 70_000, 11)
    assert (made.map.between(Position.LONG, edges) > 0).sum() > 3  # spread as the week was, not at one price


def test_open_interest_that_stops_coming_is_named_and_comes_back() -> None:
    model, market = AssetModel(), Market()
    run(model, market, [70_000.0] * 61)
    view = run(model, market, [70_000.0] * 610, 61, open_interest=None)
    assert view.sides == {}
    assert "no open interest for ten minutes" in view.reason
    view = run(model, market, [70_000.0] * 61, 671)
    assert view.reason == ""
    assert view.sides


def test_a_book_that_cannot_be_read_is_left_out_by_name() -> None:
    model = AssetModel()
    other = reading(venue="okx_swap", market="BTC-USDT-SWAP", reason="gap", curves=book(readable=False))
    view = model.second([Market().second(70_000.0), other], 70_000.0, START)
    assert [(each.venue, each.reason) for each in view.books] == [("bybit_linear", ""), ("okx_swap", "gap")]


unknown = st.sampled_from([None, 0.0, -1.0, math.nan, math.inf, 1e-300, 1e300])
readings = st.fixed_dictionaries(
    {},
    optional={
        "open_interest": unknown | st.floats(1, 1e6),
        "mark": unknown | st.floats(60_000, 80_000),
        "mid": st.none() | st.floats(1e-9, 1e9),
        "fx": st.sampled_from([None, 1.0, 0.999]),
        "funding_8h": unknown | st.floats(-0.5, 0.5),
        "long_short_ratio": unknown | st.floats(0.1, 10),
        "bought": st.floats(0, 1e9),
        "sold": st.floats(0, 1e9),
        "paid": st.floats(0, 1e13),
        "coverage": st.sampled_from(["complete", "sampled", "inferred", "none"]),
        "heard": st.booleans(),
        "reason": st.sampled_from(["", "", "", "gap"]),
        "candles": st.sampled_from([None, candles(), candles(0.5, 0.9)]),
        "curves": st.sampled_from([book(), book(0.0), book(1e-9), book(1e15, 0.0)]),
    },
)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.lists(readings, min_size=1, max_size=3), st.sampled_from([1, 60, 61, 4000])), max_size=6))
def test_no_input_makes_it_fail_or_say_what_is_no_number(seconds: list[tuple[list[dict[str, Any]], int]]) -> None:
    model, at = AssetModel(), START
    for changes, step in seconds:
        made: list[MarketReading] = []
        for number, change in enumerate(changes):
            each = reading(**{**change, "venue": ("bybit_linear", "okx_swap", "binance_usdm")[number]})
            made.append(each._replace(reason="no rate for USDT") if each.fx is None and not each.reason else each)
        view = model.second(made, 70_000.0, at)
        assert sound(view), [number for number in numbers(view) if math.isnan(number)]
        cascade_row(view)
        if view.exposure is not None:
            exposure_row(view.exposure)
        at += step * SECOND


# -- across restarts
def test_the_map_survives_a_restart() -> None:
    model, market = AssetModel(), Market()
    before = run(model, market, [70_000.0 + 20 * (i % 60) for i in range(300)])
    saved = json.loads(json.dumps(model.dump()()))
    again = AssetModel()
    assert again.load(saved)
    view = run(again, Market(), [before.price_usd or 0.0] * 2, 330)
    assert held(view) == pytest.approx(held(before), rel=0.02)
    made, old = again.exposures["bybit_linear:BTCUSDT"].map, model.exposures["bybit_linear:BTCUSDT"].map
    assert made is not None
    assert old is not None
    assert made.open_interest == old.open_interest
    assert again.dump()()["volatility"] == saved["volatility"]


def test_what_waits_for_its_market_is_saved_again() -> None:
    model = AssetModel()
    run(model, Market(), [70_000.0] * 3)
    saved = json.loads(json.dumps(model.dump()()))
    saved["markets"]["okx_swap:BTC-USDT-SWAP"] = saved["markets"]["bybit_linear:BTCUSDT"]
    again = AssetModel()
    assert again.load(saved)
    run(again, Market(), [70_000.0] * 3)
    assert set(again.dump()()["markets"]) == {"bybit_linear:BTCUSDT", "okx_swap:BTC-USDT-SWAP"}


def test_the_hole_of_a_restart_is_one_interval_that_teaches_nothing() -> None:
    model = AssetModel()
    run(model, Market(), [70_000.0] * 61)
    saved = json.loads(json.dumps(model.dump()()))
    again = AssetModel()
    assert again.load(saved)
    run(again, Market(), [65_000.0] * 61, 3 * 3600)
    exposure = again.exposures["bybit_linear:BTCUSDT"]
    assert exposure.survival == pytest.approx(model.exposures["bybit_linear:BTCUSDT"].survival, rel=1e-6)
    assert exposure.map is not None
    assert exposure.map.between(Position.LONG, np.linspace(65_500, 69_500, 9)).sum() == pytest.approx(0.0, abs=1e-3)


def test_a_saved_map_that_is_old_or_spoilt_is_not_taken() -> None:
    model = AssetModel()
    run(model, Market(), [70_000.0] * 61)
    saved = json.loads(json.dumps(model.dump()()))
    late = AssetModel()
    assert late.load(saved)
    view = run(late, Market(), [70_000.0] * 3, 25 * 3600)
    assert view.sides
    assert late.exposures["bybit_linear:BTCUSDT"].map is not None
    spoilt = json.loads(json.dumps(saved))
    spoilt["markets"]["bybit_linear:BTCUSDT"]["map"] = {"quantity": "?"}
    other = AssetModel()
    assert other.load(spoilt)
    assert run(other, Market(), [70_000.0] * 3).sides
    for wrong in (None, [], {}, {"markets": []}, {"markets": {}, "score": {"sums": "x"}}):
        assert not AssetModel().load(wrong)

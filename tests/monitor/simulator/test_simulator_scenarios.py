"""What each scenario promises happens in its world; and what it does not promise does not."""

from __future__ import annotations

import time
from functools import cache

import pytest

from monitor.errors import SettingsError
from monitor.simulator.market_model import STEP_MS
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import SCENARIOS, scenario
from monitor.simulator.truth import WorldTruth

Sample = dict[str, float]


@cache
def run(name: str, seconds: int, seed: int = 5) -> list[Sample]:
    """The asset world of BTC once a second."""
    source = ScenarioSource(scenario(name), seed=seed, epoch_ns=0, assets=("BTC",))
    truth, samples = WorldTruth(source), []
    for second in range(seconds):
        for _ in range(1000 // STEP_MS):
            source.turn()
        samples.append(
            {
                "second": second + 1,
                "price": source.world.assets["BTC"].index,
                "bid": truth.asset_depth_usd("BTC", "bid", 0.01),
                "ask": truth.asset_depth_usd("BTC", "ask", 0.01),
                "long": truth.liquidated_usd("long", asset="BTC"),
                "short": truth.liquidated_usd("short", asset="BTC"),
                "bid_10": truth.asset_depth_usd("BTC", "bid", 0.1),
            }
        )
    return samples


def test_every_scenario_is_registered_with_a_description_and_ends_calmly() -> None:
    assert list(SCENARIOS) == ["calm", "slow_bleed", "vacuum", "patient_seller", "cascade", "short_squeeze", "outage"]
    for each in SCENARIOS.values():
        assert each.description
        assert each.phases[0].name == "calm"
        assert each.phases[-1].name in ("calm", "heal")
        assert not each.phases[-1].down
        number, phase, _, inside = each.at(each.seconds + 1)  # it begins again
        assert (number, phase.name, inside) == (len(each.phases), "calm", pytest.approx(1))
    with pytest.raises(SettingsError, match="calm, slow_bleed"):
        scenario("crash")


def test_calm_stays_calm() -> None:
    samples = run("calm", 60)
    start = samples[0]
    assert all(abs(s["price"] / start["price"] - 1) < 0.01 for s in samples)
    assert all(0.7 < s["bid"] / start["bid"] < 1.3 for s in samples)
    assert samples[-1]["long"] + samples[-1]["short"] < 2e6
    assert start["bid_10"] > 3 * start["bid"]  # the outer bands exist


def test_cascade_liquidates_many_millions_within_90_seconds_and_the_bids_are_gone() -> None:
    samples = run("cascade", 95)
    start = samples[0]
    assert samples[39]["long"] < 1e7  # not before the large sale
    assert samples[89]["long"] > 5e7
    assert min(s["bid"] for s in samples) < 0.35 * start["bid"]
    low = min(s["price"] for s in samples) / start["price"] - 1
    assert -0.2 < low < -0.03
    assert samples[-1]["short"] < 0.02 * samples[-1]["long"]


def test_a_cascade_heals() -> None:
    source = ScenarioSource(scenario("cascade"), seed=5, epoch_ns=0, assets=("BTC",), venues=("binance_usdm",))
    truth = WorldTruth(source)
    start = truth.asset_depth_usd("BTC", "bid", 0.01)
    for _ in range(int(scenario("cascade").seconds * 1000 / STEP_MS)):
        source.turn()
    assert truth.asset_depth_usd("BTC", "bid", 0.01) > 0.7 * start
    assert truth.mid("binance_usdm", "BTCUSDT") > 0.96 * 73_000
    assert truth.liquidated_usd("long") > 1e7


def test_short_squeeze_is_the_mirror() -> None:
    samples = run("short_squeeze", 95)
    assert samples[-1]["short"] > 5e7
    assert samples[-1]["long"] < 0.02 * samples[-1]["short"]
    assert max(s["price"] for s in samples) > 1.03 * samples[0]["price"]
    assert min(s["ask"] for s in samples) < 0.35 * samples[0]["ask"]


def test_vacuum_takes_the_bids_and_hardly_the_price() -> None:
    samples = run("vacuum", 55)
    start = samples[0]
    assert min(s["bid"] for s in samples) < 0.4 * start["bid"]
    assert min(s["ask"] for s in samples) > 0.5 * start["ask"]
    assert all(abs(s["price"] / start["price"] - 1) < 0.02 for s in samples)
    assert samples[-1]["long"] < 2e7


def test_slow_bleed_slides_for_minutes_with_thinning_books() -> None:
    samples = run("slow_bleed", 130)
    fall = samples[-1]["price"] / samples[0]["price"] - 1
    assert -0.08 < fall < -0.004
    assert samples[-1]["bid"] < 0.8 * samples[0]["bid"]
    half = samples[79]["price"] / samples[0]["price"] - 1
    assert fall < half < -0.001  # slow: half way at half time, roughly


def test_the_patient_seller_moves_btc_without_liquidations() -> None:
    samples = run("patient_seller", 100)
    assert samples[-1]["price"] < 0.999 * samples[0]["price"]
    assert samples[-1]["long"] < 2e7
    assert min(s["bid"] for s in samples) > 0.4 * samples[0]["bid"]


def test_an_outage_stops_one_venue_and_only_that() -> None:
    source = ScenarioSource(scenario("outage"), seed=1, epoch_ns=0, assets=("ETH",))
    seen: dict[str, set[str]] = {}
    for _ in range(int(100_000 / STEP_MS)):
        for frame in source.step():
            seen.setdefault(source.phase, set()).add(frame.venue)
    assert seen["outage"] == {"binance_usdm", "okx_swap"}
    assert seen["falling"] == seen["return"] == {"binance_usdm", "bybit_linear", "okx_swap"}


def test_the_world_leaves_the_machine_alone() -> None:
    source = ScenarioSource(scenario("cascade"), seed=1, epoch_ns=0)
    begin = time.process_time()
    for _ in range(200):
        for _frame in source.step():
            pass
    spent = (time.process_time() - begin) / (200 * STEP_MS / 1000)
    assert spent < 0.5, f"{spent:.0%} of a core; the goal is 15%, the bound is for a loaded machine"

"""The traps of Binance's page over real sockets: silence after an acknowledgement, merged streams, announced ends, halted markets."""

from __future__ import annotations

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.binance_spot_frames import BinanceSpotFrames
from monitor.venues.binance_spot import MAINTENANCE


def writer(rig: Rig) -> BinanceSpotFrames:
    found = rig.sim.scenario_source.writers["binance_spot"]
    assert isinstance(found, BinanceSpotFrames)
    return found


@pytest.mark.parametrize(("venue", "market"), [("binance_spot", "BTCUSDT"), ("binance_coinm", "BTCUSD_PERP")])
def test_a_stream_that_is_acknowledged_and_never_speaks_is_named_and_asked_for_again(venue: str, market: str) -> None:
    with Rig(venue, assets=("BTC",)) as rig:
        fault = rig.order("silence", channel="book", market=market)
        key = f"{market.lower()}@depth@100ms"
        longest = rig.module.topic(key)
        assert longest is not None
        assert longest.silence_seconds is not None
        with pytest.raises(AssertionError):
            rig.start(seconds=2)
        rig.until(
            lambda: any(key in said and "silent" in said for said in rig.venue_view().faults),
            longest.silence_seconds + 30,
        )
        assert not rig.readable(market)
        rig.sim.faults.clear(fault.number)
        rig.until(rig.all_verified, 200)
        asked = [text for text in rig.sent if key in text and orjson.loads(text)["method"] == "SUBSCRIBE"]
        assert len(asked) >= 2
        assert rig.true_at(market, 1.0)


def test_spot_says_before_it_goes_and_the_book_never_stops() -> None:
    with Rig("binance_spot", assets=("BTC",)) as rig:
        rig.start()
        rig.order("shutdown_notice")
        rig.until(lambda: rig.connects >= 2, 60)
        for _ in range(50):
            rig.step(100)
            assert rig.readable("BTCUSDT")
        rig.until(lambda: len(rig.ends()) >= 1, 120)
        assert rig.readable("BTCUSDT")
        assert rig.true_at("BTCUSDT", 1.0)
        assert rig.view("BTCUSDT").resyncs.get("disconnected", 0) == 0


def test_a_halted_market_and_maintenance_of_the_venue_are_facts_within_two_minutes() -> None:
    with Rig("binance_spot", assets=("USDT",)) as rig:
        rig.start()
        writer(rig).statuses["USDTUSD"] = "HALT"
        writer(rig).maintenance = True
        rig.until(lambda: any(MAINTENANCE in said for said in rig.venue_view().faults), 90)
        rig.until(lambda: "HALT" in rig.view("USDTUSD").reason, 130)
        assert not rig.view("USDTUSD").verified
        assert rig.readable("USDTUSD"), "the book stands; the market does not trade"
        writer(rig).statuses.clear()
        writer(rig).maintenance = False
        rig.until(lambda: rig.all_verified() and not rig.venue_view().faults, 250)


def test_the_other_universe_on_coinms_merged_streams_counts_nowhere_and_brackets_become_the_markets_tiers() -> None:
    with Rig("binance_coinm", assets=("BTC",)) as rig:
        rig.start()
        documented = rig.view("BTCUSD_PERP").margin_tiers
        assert documented is not None
        assert documented.documented is not None
        rig.step(31_000)
        pushed = rig.view("BTCUSD_PERP").margin_tiers
        assert pushed is not None
        assert pushed.documented is None, "what the venue says wins over its documentation"
        assert [(tier.floor, tier.cap) for tier in pushed.tiers] == [(0, 50), (50, 100)]
        counters = rig.view("BTCUSD_PERP").counters
        assert counters["liquidations_total|long"] == rig.truth["BTCUSD_PERP"].liquidations["long"] == 0
        assert rig.venue_view().channels["status"]["parse_errors"] == 0


def test_a_liquidation_of_inverse_contracts_is_worth_their_face() -> None:
    with Rig("binance_coinm", assets=("BTC",)) as rig:
        rig.start()
        rig.force("BTCUSD_PERP", 1, 300_000.0)
        rig.until(lambda: rig.outlet.prints, 20)
        rig.step(3000)
        assert rig.outlet.prints
        for each in rig.outlet.prints:
            assert (each.position, each.coverage, each.price_kind) == ("long", "sampled", "average")
            contracts = each.notional_usd / 100
            assert contracts == pytest.approx(round(contracts))
            assert each.quantity_base == pytest.approx(each.notional_usd / float(each.price), rel=1e-9)
        counted = rig.view("BTCUSD_PERP").counters["liquidated_usd_total|long"]
        assert 0 < counted <= rig.truth["BTCUSD_PERP"].liquidated_usd["long"]

"""Which margin tiers of a market count, and how they become the arrays of the engine."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from core_rig import Rig
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_venue import MadeUp, Polled, connect, listed, tiers

from engines.liquidation.brackets import maintenance
from monitor.events import Fetch
from monitor.facts import Instrument, MarginTier, MarginTiers
from monitor.hub import HubOptions
from monitor.margin import brackets_of, first_rate
from monitor.market import Market, MarketOptions
from monitor.tiers import assumed_tiers, from_venue, known_tiers, tiers_source
from monitor.venues.base import Credentials, RestRequest
from monitor.venues.registry import VENUES
from monitor.web.payload import market_json

PLAIN, POLLED = MadeUp(), Polled()
FROM_FILE = replace(tiers("X", "0.02"), file="tiers.toml")
OPTIONS = MarketOptions(bands=("1%",), slippage_usd=(), floor_settle=0)


def source(market: Market) -> str:
    told = market_json(market.view(10**18, 1.0, None, ""))["margin_tiers"]
    return "none" if told is None else str(told["source"])


# -- precedence
def test_the_venue_wins_over_the_file_over_documentation_over_the_assumption() -> None:
    options = replace(OPTIONS, tiers={(PLAIN.name, "X"): FROM_FILE})
    assert source(Market(PLAIN, listed(PLAIN, "X"), OPTIONS)) == "assumed"
    assert source(Market(POLLED, listed(POLLED, "X"), OPTIONS)) == "documented 2026-09-01"
    market = Market(POLLED, listed(POLLED, "X"), options)
    assert source(market) == "file tiers.toml"
    market.take(tiers("X", "0.03"), 1)
    assert source(market) == "venue"
    market.relist(listed(POLLED, "X"), 2)
    market.take(tiers("X", "0.01", date(2026, 1, 1)), 3)  # what is older never comes back
    assert source(market) == "venue"
    other = Market(POLLED, listed(POLLED, "Y"), options)
    assert source(other) == "documented 2026-09-01"
    other.relist(listed(POLLED, "Y", contract_type="spot"), 1)
    assert source(other) == "none"


def test_spot_has_no_tiers_and_sources_are_told_apart() -> None:
    spot = listed(PLAIN, contract_type="spot")
    assert known_tiers(PLAIN, spot, {(PLAIN.name, "X"): FROM_FILE}) is None
    assert tiers_source(replace(FROM_FILE, documented=date(2026, 4, 1))) == "file tiers.toml of 2026-04-01"
    assert not from_venue(replace(FROM_FILE, documented=date(2026, 4, 1)))
    assert not from_venue(None)
    assumed = assumed_tiers(listed(PLAIN, contract_type="inverse"))
    assert (assumed.unit, assumed.tiers[0].maintenance_ratio, assumed.tiers[0].cap) == ("base", Decimal("0.005"), None)


# -- with a key
def binance(symbol: str = "BTCUSDT") -> Instrument:
    return Instrument("binance_usdm", symbol, "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))


REPLY = b"""[{"symbol":"BTCUSDT","notionalCoef":1.5,"brackets":[
{"bracket":2,"initialLeverage":50,"notionalCap":50000,"notionalFloor":10000,"maintMarginRatio":0.01,"cum":35.0},
{"bracket":1,"initialLeverage":75,"notionalCap":10000,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0.0}]}]"""


def keyed_rig(*keyed: str) -> Rig:
    rig = Rig()
    market = replace(rig.hub._options.market, keyed=frozenset(keyed))
    rig.hub._options = HubOptions(market=market)
    rig.list(0, "binance_usdm", binance())
    rig.connect(0, "binance_usdm")
    rig.tick(1)
    return rig


def asked(rig: Rig) -> list[RestRequest]:
    return [c.request for c in rig.take() if isinstance(c, Fetch) and c.request.key == "leverage_bracket"]


def test_brackets_that_take_a_key_are_asked_for_only_with_one() -> None:
    assert asked(keyed_rig()) == []
    rig = keyed_rig("binance_usdm")
    (request,) = asked(rig)
    # What the hub asks for, and a recording holds, is the plain question.
    assert request.url == "https://fapi.binance.com/fapi/v1/leverageBracket?symbol=BTCUSDT"
    rig.tick(2)
    assert rig.market_view().margin_tiers.file == ""
    assert source(rig.market()) == "documented 2026-04-01"
    rig.reply(2.5, "binance_usdm", request, REPLY)
    assert source(rig.market()) == "venue"
    assert [t.maintenance_ratio for t in rig.market()._tiers.tiers] == [Decimal("0.0065"), Decimal("0.01")]
    for second in (3, 1800, 3599):
        rig.tick(second)
        assert asked(rig) == []
    rig.list(3599.5, "binance_usdm", binance())
    rig.tick(3601)
    assert len(asked(rig)) == 1


def test_a_recorded_reply_counts_in_a_replay_that_has_no_key() -> None:
    (request,) = asked(keyed_rig("binance_usdm"))
    rig = keyed_rig()
    rig.reply(2, "binance_usdm", request, REPLY)
    assert source(rig.market()) == "venue"


def test_a_refused_key_leaves_the_documented_brackets_and_is_tried_again() -> None:
    rig = keyed_rig("binance_usdm")
    (request,) = asked(rig)
    rig.reply(2, "binance_usdm", request, b"", "binance_usdm poll BTCUSDT: HTTP 401, -2015 Invalid API-key")
    assert source(rig.market()) == "documented 2026-04-01"
    rig.tick(63)
    assert len(asked(rig)) == 1
    assert rig.hub.states["binance_usdm"].poll_errors == {"leverage_bracket": 1}


def test_credentials_do_not_show() -> None:
    shown = repr(Credentials("the-key", "the-secret")) + str(Credentials("the-key", "the-secret"))
    assert "the-" not in shown


# -- arrays
def tier(floor: str, cap: str | None, ratio: str, deduction: str | None = None) -> MarginTier:
    return MarginTier(
        Decimal(floor), None if cap is None else Decimal(cap), Decimal(ratio), None, None if deduction is None else Decimal(deduction)
    )  # fmt: skip


STEPS = (tier("0", "100", "0.01"), tier("100", "500", "0.02"), tier("500", None, "0.05"))


def made(unit: Any, *, whole: bool = False, steps: tuple[MarginTier, ...] = STEPS) -> MarginTiers:
    return MarginTiers("X", steps, unit, whole, 0)


def market(**changes: Any) -> Instrument:
    return listed(PLAIN, **changes)


def test_quote_brackets_of_a_linear_market_are_its_value() -> None:
    found = brackets_of(made("quote"), market())
    assert list(found.floors) == [0, 100, 500]
    assert list(found.caps) == [100, 500, math.inf]
    assert list(found.deductions) == pytest.approx([0, 1, 16])
    assert (found.measure, found.whole, found.source, first_rate(found)) == ("value", False, "venue", 0.01)
    assert found.valued_at(7.0) is found
    assert found.of_position(3.0) is found


def test_given_deductions_are_kept_and_missing_ones_follow() -> None:
    steps = (tier("0", "100", "0.01"), tier("100", "500", "0.02", "1.01"), tier("500", None, "0.05"))
    assert list(brackets_of(made("quote", steps=steps), market()).deductions) == pytest.approx([0, 1.01, 16.01])
    assert list(brackets_of(made("quote", whole=True, steps=steps), market()).deductions) == [0, 0, 0]


def test_contracts_and_coins_of_a_linear_market_go_by_size() -> None:
    found = brackets_of(made("contracts", whole=True), market(contract_size=Decimal("0.01")))
    assert list(found.floors) == pytest.approx([0, 1, 5])
    assert found.measure == "size"
    mine = found.of_position(2.0)
    assert (list(mine.floors), list(mine.rates), list(mine.deductions), mine.measure) == ([0], [0.02], [0], "value")
    assert list(found.valued_at(60_000.0).floors) == pytest.approx([0, 60_000, 300_000])
    marginal = brackets_of(made("base"), market()).of_position(200.0)
    assert marginal.rates[0] * 200 == pytest.approx(100 * 0.01 + 100 * 0.02)
    assert list(brackets_of(made("base"), market()).of_position(0.0).rates) == [0.01]


def test_inverse_markets_count_coins_or_dollars() -> None:
    inverse = market(contract_type="inverse", contract_size=Decimal(10))
    coins = brackets_of(made("base"), inverse)
    assert (coins.measure, list(coins.floors)) == ("value", [0, 100, 500])
    dollars = brackets_of(made("contracts"), inverse)
    assert (dollars.measure, list(dollars.floors)) == ("size", [0, 1000, 5000])
    assert list(dollars.valued_at(50.0).floors) == pytest.approx([0, 20, 100])
    assert dollars.valued_at(0.0) is dollars  # no price, no worth


@settings(max_examples=40)
@given(st.floats(0.1, 3000), st.floats(0.01, 1e5), st.booleans(), st.booleans())
def test_by_size_and_valued_at_a_price_ask_the_same_margin(
    size: float, price: float, inverse: bool, whole: bool
) -> None:
    """The requirement of a position at a price does not depend on the way it is looked up."""
    instrument = market(contract_type="inverse" if inverse else "linear", contract_size=Decimal(1))
    table = brackets_of(made("contracts", whole=whole), instrument)
    worth = size / price if inverse else size * price
    mine, there = table.of_position(size), table.valued_at(price)
    assert worth * mine.rates[0] == pytest.approx(
        maintenance(worth, there.floors, there.rates, there.deductions), rel=1e-6
    )


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "no tiers"),
        ((tier("5", None, "0.01"),), "do not rise from 0"),
        ((tier("0", "5", "0.01"), tier("0", None, "0.02")), "do not rise from 0"),
        ((tier("0", None, "0"),), "a ratio is not between 0 and 1"),
        ((tier("0", None, "1"),), "a ratio is not between 0 and 1"),
    ],
)
def test_tiers_of_no_sense_are_replaced_and_named(steps: tuple[MarginTier, ...], reason: str) -> None:
    found = brackets_of(made("quote", steps=steps), market())
    assert found.source.startswith("assumed (venue: ")
    assert reason in found.source
    assert list(found.rates) == [0.005]


@pytest.mark.parametrize("venue", [v for v in VENUES.values() if v.contract_types != ("spot",)], ids=lambda v: v.name)
def test_the_tiers_of_every_venue_become_arrays(venue: Any) -> None:
    kind = "inverse" if venue.contract_types[0] == "inverse" else "linear"
    instrument = Instrument(venue.name, venue.symbol_example, "BTC", "USDT", "USDT", kind, Decimal(1), Decimal(1))
    found = brackets_of(known_tiers(venue, instrument, {}), instrument)
    assert found.source.split()[0] in ("documented", "assumed")
    assert 0 < first_rate(found) < 0.1


def test_connected_markets_show_the_source_in_the_payload() -> None:
    rig = Rig(venues={PLAIN.name: PLAIN})
    rig.list(0, PLAIN.name, listed(PLAIN, "X"))
    connect(rig, 0, PLAIN, 0, "trade.X")
    rig.tick(1)
    told = market_json(rig.market_view(PLAIN.name, "X"))
    assert told["margin_tiers"] == {
        "source": "assumed",
        "unit": "quote",
        "whole": True,
        "tiers": [{"floor": 0.0, "cap": None, "maintenance_ratio": 0.005, "max_leverage": None, "deduction": None}],
    }
    assert (told["contract_size"], told["unit_multiplier"]) == (1.0, 1)

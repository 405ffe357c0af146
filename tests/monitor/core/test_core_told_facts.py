"""Facts that come with trades, for a whole venue, over REST or out of a page: closings, tiers, open interest, marks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from core_rig import MS, SECOND, START, Rig, at
from made_up_venue import MadeUp, Polled, connect, frame, listed

from monitor.events import Fetch
from monitor.facts import Liquidation, LiquidationKind, VenueNotice
from monitor.figures import FACTS_KEPT
from monitor.polls import POLLED_KEPT, RETRY_FIRST
from monitor.prints import SEEN_LIQUIDATIONS, Prints
from monitor.venue_state import MAX_NOTICES, VenueState
from monitor.venues.base import RestRequest
from monitor.web.payload import market_json, markets_json, rfc3339

VENUE = MadeUp()
NAME = VENUE.name
ANSWERED = b'{"done":1}'  # to the first request of a connection


def begun(*symbols: str) -> Rig:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, *(listed(VENUE, s) for s in symbols or ("X",)))
    connect(rig, 0, VENUE, 0, *(f"trade.{s}" for s in symbols or ("X",)))
    return rig


def print_of(
    kind: LiquidationKind, seconds: float, size: float = -2.0, price: float = 100.0, symbol: str = "X"
) -> bytes:
    time = at(seconds)
    return frame(
        f"trade.{symbol}",
        rows=[[time // MS, price, size], [time // MS, 100.5, 1.0]],
        closed=[[time, price, size, kind]],
    )


# -- liquidations among the trades
def test_a_liquidation_among_the_trades_is_both() -> None:
    rig = begun()
    rig.frame(0.5, NAME, frame("trade.X", rows=[[START // MS, 100.0, 3.0]]))
    rig.frame(0.6, NAME, print_of("liquidation", 0.6))
    rig.tick(1)
    view = rig.market_view(NAME, "X")
    assert view.counters["trades_total|buy"] == 2
    assert view.counters["trades_total|sell"] == 1
    assert view.counters["liquidations_total|long"] == 1
    assert view.counters["liquidated_usd_total|long"] == 200.0
    assert view.closings == ()
    assert view.liquidations_heard
    assert rig.asset_view("BTC").liquidated_60s_usd == {"long": 200.0, "short": 0.0}
    (payload,) = rig.outlet.prints
    assert (payload.coverage, payload.quantity_base, payload.notional_usd) == ("inferred", 2.0, 200.0)


def test_liquidations_among_the_trades_are_heard_from_the_acknowledgement_on() -> None:
    rig = begun()
    rig.tick(1)
    assert not rig.market_view(NAME, "X").liquidations_heard
    assert rig.asset_view("BTC").liquidated_60s_usd == {}  # unknown is no zero
    rig.frame(1.5, NAME, ANSWERED)
    rig.tick(2)
    assert rig.market_view(NAME, "X").liquidations_heard
    assert rig.asset_view("BTC").liquidated_60s_usd == {"long": 0.0, "short": 0.0}


@pytest.mark.parametrize("kind", ["deleveraging", "takeover"])
def test_what_met_no_order_of_the_book_is_counted_apart(kind: LiquidationKind) -> None:
    rig = begun()
    rig.frame(0.5, NAME, print_of(kind, 0.5))
    rig.frame(0.6, NAME, print_of(kind, 0.6, size=-1.0))
    rig.tick(1)
    view = rig.market_view(NAME, "X")
    assert view.counters["liquidations_total|long"] == 0
    assert view.counters["liquidated_usd_total|long"] == 0.0
    assert [tuple(closing) for closing in view.closings] == [(kind, "long", 2, 300.0)]
    assert rig.asset_view("BTC").liquidated_60s_usd == {"long": 0.0, "short": 0.0}
    assert rig.outlet.prints == []
    assert rig.outlet.moves == []
    assert market_json(view)["closings"] == [{"kind": kind, "position": "long", "count": 2, "usd": 300.0}]


def test_no_alert_comes_of_a_takeover_however_large_and_an_inferred_one_says_so() -> None:
    rig = begun()
    rig.frame(0.5, NAME, print_of("takeover", 0.5, size=-10_000_000.0))
    rig.tick(2)
    assert rig.outlet.moves == []
    rig.frame(2.5, NAME, print_of("liquidation", 2.5, size=-10_000_000.0))
    (opened,) = rig.outlet.moves
    payload = opened.payload
    assert payload.kind == "liquidation_burst"
    assert payload.evidence["coverage"].value == "inferred"
    assert "liquidations are inferred, not reported" in payload.quality.degraded
    assert "at least" in payload.summary


def test_the_same_print_on_two_connections_is_one_whatever_its_kind() -> None:
    rig = begun()
    connect(rig, 0.1, VENUE, 1, "trade.X")
    for connection in (0, 1):
        rig.frame(0.5, NAME, print_of("deleveraging", 0.5), connection)
        rig.frame(0.5, NAME, print_of("liquidation", 0.5), connection)
    rig.tick(1)
    view = rig.market_view(NAME, "X")
    assert view.counters["liquidations_total|long"] == 1
    assert [tuple(closing) for closing in view.closings] == [("deleveraging", "long", 1, 200.0)]


def test_a_print_among_trades_waits_for_the_rest_of_the_second() -> None:
    """The rest of a second reads what liquidations change: it is finished before one is taken."""
    rig = begun()
    rig.hub.on_rest = lambda: None
    rig.frame(0.5, NAME, frame("trade.X", rows=[[START // MS, 100.0, 3.0]]))
    rig.tick(1)
    assert rig.hub.view.at < at(1)
    rig.frame(1.2, NAME, frame("trade.X", rows=[[START // MS, 100.0, 3.0]]))
    assert rig.hub.view.at < at(1)  # a trade may pass
    rig.frame(1.3, NAME, print_of("liquidation", 1.3))
    assert rig.hub.view.at == at(1)
    assert rig.asset_view("BTC").liquidated_60s_usd["long"] == 0.0


# -- a ticker of the whole venue
def test_a_mark_of_a_venue_wide_topic_fades_market_by_market() -> None:
    rig = begun("X", "Y")
    connect(rig, 0, VENUE, 1, "mark", name="marks")
    both = {"X": "100", "Y": "7"}
    rig.frame(0.5, NAME, frame("mark", marks=both, interest={"X": "5", "Y": "50"}, t=START), 1)
    rig.tick(1)
    assert [rig.market_view(NAME, s).mark_price for s in "XY"] == [100.0, 7.0]
    assert [rig.market_view(NAME, s).open_interest_usd for s in "XY"] == [500.0, 350.0]
    kept = FACTS_KEPT // SECOND
    for second in range(10, kept + 10, 10):
        rig.frame(second, NAME, frame("mark", marks={"Y": "8"}, t=START), 1)
    rig.tick(kept + 2)
    assert [rig.market_view(NAME, s).mark_price for s in "XY"] == [None, 8.0]
    assert [rig.market_view(NAME, s).open_interest_usd for s in "XY"] == [None, 400.0]


# -- polls
POLLED = Polled()
TIERS, INTEREST = "tiers", "interest"


def polled(*symbols: str) -> Rig:
    rig = Rig(venues={NAME: POLLED})
    rig.list(0, NAME, *(listed(POLLED, s) for s in symbols))
    connect(rig, 0, POLLED, 0, *(f"trade.{s}" for s in symbols))
    return rig


def asked(rig: Rig, key: str) -> list[RestRequest]:
    return [c.request for c in rig.take() if isinstance(c, Fetch) and c.request.key == key]


def answer(rig: Rig, seconds: float, request: RestRequest, **body: Any) -> None:
    rig.reply(seconds, NAME, request, json.dumps(body).encode())


def test_one_request_brings_the_tiers_of_all_markets() -> None:
    rig = polled("X", "Y")
    rig.tick(1)
    documented = market_json(rig.market_view(NAME, "X"))["margin_tiers"]
    assert documented == {
        "source": "documented 2026-09-01",
        "unit": "quote",
        "whole": False,
        "tiers": [{"floor": 0.0, "cap": None, "maintenance_ratio": 0.01, "max_leverage": 100.0, "deduction": None}],
    }
    (request,) = asked(rig, TIERS)  # once for the venue
    assert request.symbol is None
    answer(rig, 1.5, request, tiers={"X": "0.005", "NOBODY": "0.1"}, notices=["maintenance at noon"])
    rig.tick(2)
    document = {m["market"]: m["margin_tiers"] for m in markets_json(rig.hub.view)["markets"]}
    assert document["X"]["source"] == "venue"
    assert document["X"]["tiers"][0]["maintenance_ratio"] == 0.005
    assert document["Y"]["source"] == "documented 2026-09-01"
    assert rig.venue_view(NAME).faults == ("maintenance at noon",)
    for second in range(3, 30):
        rig.tick(second)
    assert asked(rig, TIERS) == []
    # Listed again, with a market less: what the venue told stands, and nothing is asked for before its time.
    for second in (30, 32):
        rig.list(second, NAME, listed(POLLED, "X"))
        rig.tick(second + 1)
        assert market_json(rig.market_view(NAME, "X"))["margin_tiers"]["source"] == "venue"
        assert asked(rig, TIERS) == []


@pytest.mark.parametrize("again", ["XZ", "XY", "XYZ"])
def test_a_market_listed_later_or_anew_does_not_wait_hours_for_what_one_request_tells_of_all(again: str) -> None:
    rig = polled("X", "Y")
    rig.tick(1)
    (request,) = asked(rig, TIERS)
    answer(rig, 1.5, request, tiers={"X": "0.005", "Y": "0.006"})
    rig.list(30, NAME, listed(POLLED, "X"))
    rig.tick(31)
    assert asked(rig, TIERS) == []
    rig.list(60, NAME, *(listed(POLLED, s) for s in again))
    rig.tick(61)
    (request,) = asked(rig, TIERS)
    answer(rig, 61.5, request, tiers=dict.fromkeys(again, "0.007"))
    for second in range(62, 120):
        rig.tick(second)
        rig.list(second + 0.5, NAME, *(listed(POLLED, s) for s in again))
    assert asked(rig, TIERS) == []
    for symbol in again:
        assert market_json(rig.market_view(NAME, symbol))["margin_tiers"]["tiers"][0]["maintenance_ratio"] == 0.007


def test_a_failed_poll_of_hours_is_asked_for_again_soon_at_doubling_distance() -> None:
    rig = polled("X")
    when = []
    for second in range(1, 2_000):
        rig.tick(second)
        for request in asked(rig, TIERS):
            when.append(second)
            if len(when) < 4:
                rig.reply(second, NAME, request, b"", "HTTP 500")
            elif len(when) == 4:
                rig.reply(second, NAME, request, b"no JSON")
            else:
                answer(rig, second, request, tiers={"X": "0.005"})
    retry = RETRY_FIRST // SECOND
    assert when == [1, 1 + retry, 1 + 3 * retry, 1 + 7 * retry, 1 + 15 * retry]
    assert rig.hub.states[NAME].poll_errors == {TIERS: 4}
    assert market_json(rig.market_view(NAME, "X"))["margin_tiers"]["source"] == "venue"


def test_figures_of_polls_fade_by_themselves_and_not_with_the_ticker() -> None:
    rig = polled("X")
    connect(rig, 0, POLLED, 1, "mark.X", name="marks")
    rig.tick(1)
    (request,) = asked(rig, INTEREST)
    answer(rig, 1.5, request, interest={"X": "5"})
    rig.frame(1.6, NAME, frame("mark.X", marks={"X": "100"}, t=START), 1)
    rig.tick(2)
    assert rig.market_view(NAME, "X").open_interest_usd == 500.0
    rig.frame(290, NAME, frame("mark.X", marks={"X": "100"}, t=START), 1)
    rig.tick(301)
    assert rig.market_view(NAME, "X").open_interest_usd == 500.0
    rig.tick(2 + POLLED_KEPT // SECOND)
    assert rig.market_view(NAME, "X").mark_price == 100.0
    assert rig.market_view(NAME, "X").open_interest_usd is None


def test_open_interest_of_a_ticker_stands_with_it_although_other_things_are_polled() -> None:
    """Margin tiers are polled by the hour: that says nothing about a figure that streams only when it changes."""
    rig = polled("X")
    connect(rig, 0, POLLED, 1, "mark.X", name="marks")
    rig.frame(0.5, NAME, frame("mark.X", marks={"X": "100"}, interest={"X": "5"}, t=START), 1)
    for second in range(20, 2 * POLLED_KEPT // SECOND, 20):
        rig.frame(second, NAME, frame("mark.X", marks={"X": "100"}, t=START), 1)
        rig.tick(second + 1)
        assert rig.market_view(NAME, "X").open_interest_usd == 500.0, second


def test_a_venue_without_connection_or_markets_is_not_asked() -> None:
    rig = Rig(venues={NAME: POLLED})
    rig.list(0, NAME, listed(POLLED))
    rig.tick(5)
    assert [c for c in rig.take() if isinstance(c, Fetch)] == []
    connect(rig, 5.5, POLLED, 0, "trade.X")
    rig.tick(6)
    assert len(asked(rig, TIERS)) == 1


def test_announced_downtime_is_told_at_once_and_a_fault_when_it_begins() -> None:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, listed(VENUE))
    state = rig.hub.states[NAME]
    state.notice(VenueNotice("upgrade", True, at(100), at(200), at(0)))
    state.notice(VenueNotice("upcoming maintenance", False, None, at(300), at(0)))
    state.notice(VenueNotice("X stands still", True, None, None, at(0), symbol="X"))
    rig.tick(1)
    view = rig.venue_view(NAME)
    assert view.faults == ("X stands still",)
    assert [tuple(notice) for notice in view.notices] == [
        ("upgrade", at(100), at(200), True, ""),
        ("upcoming maintenance", None, at(300), False, ""),
        ("X stands still", None, None, True, "X"),
    ]
    (document,) = markets_json(rig.hub.view)["venues"]
    assert document["notices"][0] == {
        "text": "upgrade", "begins": rfc3339(at(100)), "ends": rfc3339(at(200)), "disruptive": True, "symbol": "",
    }  # fmt: skip
    assert document["notices"][1]["begins"] is None
    rig.tick(99)
    assert rig.venue_view(NAME).faults == ("X stands still",)
    rig.tick(100)
    assert rig.venue_view(NAME).faults == ("upgrade", "X stands still")
    rig.tick(201)
    assert rig.venue_view(NAME).faults == ("X stands still",)
    assert [notice.text for notice in rig.venue_view(NAME).notices] == ["upcoming maintenance", "X stands still"]


def test_a_flood_of_what_is_over_does_not_push_out_what_stands() -> None:
    """Some venues begin a status subscription with a line for everything that is well."""
    state = VenueState(MadeUp())
    state.notice(VenueNotice("matching halted", True, None, None, at(0)))
    for number in range(2 * MAX_NOTICES):
        state.notice(VenueNotice("unlocked", False, None, 0, at(1), key=f"index {number}"))
    assert state.faults() == ("matching halted",)
    state.notice(VenueNotice("index 7 locked", True, None, None, at(2), key="index 7"))
    state.notice(VenueNotice("unlocked", False, None, 0, at(3), key="index 7"))
    assert state.faults() == ("matching halted",)


def test_what_is_announced_begins_by_the_venue_s_clock() -> None:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, listed(VENUE))
    state = rig.hub.states[NAME]
    state.offset.observe(at(0), 30 * SECOND)  # ours is half a minute fast
    state.notice(VenueNotice("upgrade", True, at(100), None, at(0), halts=True))
    rig.tick(129)
    assert (rig.venue_view(NAME).faults, state.stopped("X", at(129))) == ((), "")
    rig.tick(130)
    assert (rig.venue_view(NAME).faults, state.stopped("X", at(130))) == (("upgrade",), "upgrade")


def test_what_is_put_off_as_long_as_all_is_well_is_told_once_it_has_begun() -> None:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, listed(VENUE))
    state = rig.hub.states[NAME]
    for second in range(3):
        state.notice(VenueNotice("it stands", True, at(second + 10), None, at(second), key="life", put_off=True))
    rig.tick(11)
    assert rig.venue_view(NAME).notices == ()
    rig.tick(12)
    (notice,) = rig.venue_view(NAME).notices
    assert (notice.text, rig.venue_view(NAME).faults) == ("it stands", ("it stands",))


def test_identifiers_of_prints_are_remembered_within_a_bound_and_also_those_of_the_past() -> None:
    prints = Prints()

    def told(number: int, seconds: float = 100) -> bool:
        fact = Liquidation(
            "X", "long", Decimal(number), Decimal(7), "fill", at(seconds), "complete", identifier=f"{number}"
        )
        return prints.is_news(fact, at(100), 0, 0)

    assert not told(0, seconds=0), "it is of the past"
    assert not told(0), "and so is what follows of it"
    assert all(told(number) for number in range(1, SEEN_LIQUIDATIONS + 5))
    assert not told(SEEN_LIQUIDATIONS)
    assert len(prints._named) == SEEN_LIQUIDATIONS

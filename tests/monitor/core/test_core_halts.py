"""A venue that says it matches no orders: its books, as tidy as they may be, are no market until it is over."""

from __future__ import annotations

from dataclasses import replace

import orjson
from core_rig import BYBIT, Rig, at, instrument
from made_up_venue import MadeUp

from monitor.facts import VenueNotice
from monitor.venue_state import MAX_NOTICES, VenueState

DERIBIT = "deribit"
HALT = VenueNotice("matching is halted", True, None, None, at(0), "engine", halts=True)


def test_a_halt_of_the_venue_takes_its_books_out_while_it_stands() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.tick(1)
    assert rig.market_view(BYBIT).verified
    rig.hub.states[BYBIT].notice(replace(HALT, begins=at(3), ends=at(5)))
    seen = {}
    for second in range(2, 8):
        rig.tick(second)
        view = rig.hub.view.markets[0]
        seen[second] = (view.verified, view.reason)
        assert (view.mid_price is not None) == view.verified
    halted = (False, "halted: matching is halted")
    assert seen == {2: (True, ""), 3: halted, 4: halted, 5: halted, 6: (True, ""), 7: (True, "")}


def test_a_halt_of_one_market_is_its_own() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    state = rig.hub.states[BYBIT]
    state.notice(replace(HALT, symbol="ETHUSDT"))
    state.notice(replace(HALT, key="disruptive only", halts=False))
    rig.tick(1)
    assert rig.hub.view.markets[0].verified
    state.notice(replace(HALT, symbol="BTCUSDT"))
    rig.tick(2)
    assert rig.hub.view.markets[0].reason == "halted: matching is halted"
    state.notice(replace(HALT, symbol="BTCUSDT", disruptive=False, halts=False, ends=0))
    rig.tick(3)
    assert rig.hub.view.markets[0].verified


def test_a_lock_of_a_price_index_reaches_the_dated_futures_too() -> None:
    names = ("BTC-PERPETUAL", "BTC-25DEC26", "BTC_USDC-PERPETUAL")
    rig = Rig()
    rig.list(0, DERIBIT, *(instrument(DERIBIT, name) for name in names))
    rig.connect(0, DERIBIT, 0, "platform_state")

    def lock(index: str, *, locked: bool) -> bytes:
        data = {"locked": locked, "price_index": index, "reasons": []}
        params = {"channel": "platform_state", "data": data}
        return orjson.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})

    rig.frame(1, DERIBIT, lock("btc_usd", locked=True))
    rig.frame(1, DERIBIT, lock("doge_usdc", locked=True))
    rig.tick(2)
    reasons = [view.reason for view in rig.hub.view.markets]
    assert reasons == ["halted: price index btc_usd is locked"] * 2 + ["not connected"]
    (notice,) = rig.hub.view.venues[0].notices
    assert notice.symbol == "BTC-", "of a market nobody watches nothing is kept"
    rig.frame(3, DERIBIT, lock("btc_usd", locked=False))
    rig.tick(4)
    assert [view.reason for view in rig.hub.view.markets] == ["not connected"] * 3


def test_announcements_do_not_push_out_a_halt() -> None:
    state = VenueState(MadeUp())
    state.notice(HALT)
    for number in range(2 * MAX_NOTICES):
        state.notice(VenueNotice(f"maintenance {number}", True, None, None, at(0)))
    assert len(state.notices) == MAX_NOTICES
    assert state.stopped("X", at(1)) == "matching is halted"

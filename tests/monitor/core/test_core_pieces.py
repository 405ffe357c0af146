"""A second's work in pieces, with frames in between, comes to what it comes to at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from random import Random

import pytest
from core_rig import BINANCE, BOOK_KEY, BYBIT, Rig, at, binance_force_order, bybit_book, bybit_liquidation, instrument

from monitor.service import collection

SECONDS = 12
STEPS = 20  # a second


def run(rig: Rig, pause: Callable[[], None]) -> str:
    """A little market history with liquidations right after the turn of a second; everything that came out of it."""
    rig.list(0, BYBIT, instrument(BYBIT), instrument(BYBIT, "ETHUSDT", "ETH"))
    rig.connect(0, BYBIT, 0, BOOK_KEY[BYBIT], "allLiquidation.BTCUSDT")
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0, BOOK_KEY[BINANCE], "btcusdt@forceOrder")
    rig.seed(BINANCE)
    rig.seed(BYBIT)
    for step in range(1, SECONDS * STEPS):
        seconds = step / STEPS
        size = str(1 + step * 7 % 5)
        bids, asks = [(f"{59_999 - step % 9}.0", size)], [(f"{60_001 + step % 7}.0", size)]
        rig.frame(seconds, BYBIT, bybit_book(100 + step, bids, asks, time=at(seconds)))
        pause()
        if step % (2 * STEPS) == 1:  # prints while the rest of a second is outstanding
            rig.frame(seconds, BYBIT, bybit_liquidation("Buy", "60000", f"{step}", time=at(seconds)))
            rig.frame(seconds, BINANCE, binance_force_order("BTCUSDT", "SELL", "60000", f"{step}", time=at(seconds)))
            pause()
    rig.drop(SECONDS, BYBIT)
    rig.tick(SECONDS + 1)
    rig.hub.conclude()
    outlet = rig.outlet
    moves = [(m.payload, m.received_at) for m in outlet.moves]
    assert len(outlet.seconds) == SECONDS + 2
    assert moves
    assert outlet.prints
    return repr((moves, outlet.prints, outlet.seconds))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pauses_change_nothing(seed: int) -> None:
    at_once = run(Rig(), lambda: None)
    chance = Random(seed)
    rig = Rig()
    waiting: list[int] = []
    rig.hub.on_rest = lambda: waiting.append(1)

    def pause() -> None:
        if waiting and chance.random() < 0.5:
            rig.hub.conclude(pieces=chance.randint(1, 2))

    assert run(rig, pause) == at_once
    assert len(waiting) == SECONDS + 2


def test_the_rest_of_a_second_is_in_pieces_and_ends() -> None:
    rig = Rig()
    rig.hub.on_rest = lambda: None
    rig.begin(BYBIT)
    rig.tick(1)
    assert rig.hub.view.at < at(1)  # that of the second before
    pieces = 1
    while rig.hub.conclude(pieces=1):
        pieces += 1
    assert pieces >= 3
    assert rig.hub.view.at == at(1)
    assert not rig.hub.conclude()


async def test_collections_are_rare_while_it_runs_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    frozen = gc.get_freeze_count()
    with collection.seldom():
        assert gc.get_threshold()[0] == collection.YOUNG
        here = gc.get_freeze_count()
        assert here > frozen
        kept = [[number] for number in range(1000)]
        await collection.settle(lambda: True)
        assert gc.get_freeze_count() >= here + len(kept)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0

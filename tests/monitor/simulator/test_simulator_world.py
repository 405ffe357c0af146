"""The simulated order book, the positions and the world: invariants that hold whatever happens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.simulator.conditions import CALM, Conditions
from monitor.simulator.market_model import World
from monitor.simulator.order_book import SimulatedBook
from monitor.simulator.positions import Account, Ledger, bankruptcy_price, liquidation_price

SIZE = 400
ORDERS = st.lists(
    st.one_of(
        st.tuples(
            st.just("quote"),
            st.sampled_from((1, -1)),
            st.dictionaries(st.integers(-5, SIZE + 5), st.integers(0, 50), max_size=8),
        ),
        st.tuples(st.just("take"), st.sampled_from((1, -1)), st.tuples(st.integers(0, 300), st.integers(-5, SIZE + 5))),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ORDERS)
def test_the_book_agrees_with_a_dictionary_and_never_crosses(orders) -> None:
    book = SimulatedBook(1000, 1000 + SIZE - 1)
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for kind, sign, what in orders:
        own, other = (bids, asks) if sign > 0 else (asks, bids)
        if kind == "quote":
            indices = np.array(sorted(what), dtype=np.int64)
            book.quote(sign, indices, np.array([what[i] for i in sorted(what)], dtype=np.int64))
            for index, lots in what.items():
                crosses = (index >= min(asks, default=SIZE)) if sign > 0 else (index <= max(bids, default=-1))
                if 0 <= index < SIZE and not crosses:
                    own.pop(index, None)
                    if lots:
                        own[index] = lots
        else:
            lots, limit = what
            fills = book.take(sign, lots, limit)
            expected = []
            for index in sorted(other, reverse=sign < 0):
                if lots == 0 or (index > limit if sign > 0 else index < limit):
                    break
                filled = min(lots, other[index])
                expected.append((index, filled))
                other[index] -= filled
                lots -= filled
                if not other[index]:
                    del other[index]
            assert fills == expected
        assert book.best_bid == max(bids, default=-1)
        assert book.best_ask == min(asks, default=SIZE)
        assert book.best_bid < book.best_ask
        for side, levels in ((1, bids), (-1, asks)):
            top = book.top(side, 5).tolist()
            assert top == sorted(levels, reverse=side > 0)[:5]
            assert {int(i): abs(int(book.lots[i])) for i in book.top(side, SIZE)} == levels


CONDITIONS = st.builds(
    Conditions,
    bid_appetite=st.floats(0, 2),
    ask_appetite=st.floats(0, 2),
    withdraw_bids=st.floats(0, 1),
    withdraw_asks=st.floats(0, 1),
    taker_rate=st.floats(0, 5),
    taker_bias=st.floats(-1, 1),
    seller_usd=st.floats(0, 3e7),
    buyer_usd=st.floats(0, 3e7),
    patient_usd=st.floats(0, 2e6),
    volatility=st.floats(0, 20),
    drift=st.floats(-0.002, 0.002),
    new_long_usd=st.floats(0, 3e7),
    new_short_usd=st.floats(0, 3e7),
    leverage=st.floats(5, 120),
)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.lists(CONDITIONS, min_size=1, max_size=3))
def test_longs_equal_shorts_and_quantity_is_conserved_in_any_weather(seed: int, weather) -> None:
    world = World(seed=seed, assets=("BTC",), venues=("binance_usdm", "okx_swap"))
    for conditions in weather:
        for _ in range(25):
            before = {key: market.book.lots.copy() for key, market in world.markets.items()}
            liquidated = {key: dict(m.liquidated_lots) for key, m in world.markets.items()}
            world.step({"BTC": conditions})
            for key, market in world.markets.items():
                book, ledger = market.book, market.ledger
                assert ledger.longs == ledger.shorts == ledger.open_interest
                assert book.best_bid < book.best_ask
                # Every print is a fill in the book by the engine, on the right side, and counted once.
                for sign in (1, -1):
                    printed = sum(p.filled for p in market.liquidations if p.sign == sign)
                    assert market.liquidated_lots[sign] - liquidated[key][sign] == printed
                    traded = sum(t.lots for t in market.trades if t.side == -sign)
                    assert printed <= traded
                touched = {code // 2 for code in book.take_touched().tolist()}
                changed = np.flatnonzero(before[key] != book.lots)
                assert set(changed.tolist()) <= touched, "a change nobody would publish"


def test_liquidation_prices_are_those_of_the_models_page() -> None:
    # models.md 2.2 and 2.5: long 0.5 @70000 at 100x, mmr 0.5%; multipliers of the table.
    assert liquidation_price(1, 70_000, 100) == pytest.approx(69648.241206, rel=1e-9)
    assert bankruptcy_price(1, 70_000, 100) == pytest.approx(69_300)
    assert liquidation_price(1, 1, 20) == pytest.approx(0.954773869, rel=1e-8)
    assert liquidation_price(-1, 1, 20) == pytest.approx(1.04477612, rel=1e-8)


def test_a_triggered_position_goes_to_the_engine_whole_and_only_then() -> None:
    ledger = Ledger(np.random.default_rng(1))
    ledger.open(1, 100, 70_000, 20)
    ledger.accounts[Account.MAKERS] -= 100
    price = liquidation_price(1, 70_000, 20)
    assert ledger.trigger(price + 1, 0) == []
    assert ledger.liquidatable(1, price - 1, price + 1) == 100
    (taken,) = ledger.trigger(price, 0)
    assert (taken.sign, taken.lots, taken.bankruptcy) == (1, 100, pytest.approx(66_500))
    assert ledger.longs == ledger.shorts == 100  # still open until it is filled


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    def run(seed: int) -> list[tuple[float, int, int]]:
        world = World(seed=seed)
        for _ in range(60):
            world.step()
        return [(m.mid, m.ledger.open_interest, int(np.abs(m.book.lots).sum())) for m in world.markets.values()]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_venues_stay_together_by_arbitrage() -> None:
    world = World(seed=2)
    for _ in range(400):
        world.step({"BTC": CALM})
    for asset in world.assets.values():
        mids = [market.mid for market in asset.markets]
        assert max(mids) / min(mids) - 1 < 0.002


def test_spot_markets_have_no_positions_and_inverse_ones_count_usd() -> None:
    venues = ("bybit_inverse", "bybit_spot", "kraken_spot")
    world = World(seed=4, assets=("BTC", "XRP", "USDT"), venues=venues)
    weather = Conditions(new_long_usd=2e7, new_short_usd=2e7, leverage=90.0, volatility=5.0, seller_usd=5e6)
    for _ in range(60):
        world.step({"BTC": weather, "USDT": CALM})
    for market in world.markets.values():
        spec, ledger = market.spec, market.ledger
        assert ledger.longs == ledger.shorts
        if spec.kind == "spot":
            assert not market.liquidations
            assert market.liquidated_lots == {1: 0, -1: 0}
            assert not ledger.engine
        else:
            assert spec.worth(market.mid) == spec.lot_quote == spec.worth(2 * market.mid)
            assert ledger.open_interest * spec.worth(market.mid) > 0.5 * spec.open_interest_usd
            with pytest.raises(ValueError, match="worth USD"):
                _ = spec.lot_base
    pair = world.markets["kraken_spot", "USDT/USD"]
    assert pair.mid == pytest.approx(0.9995, rel=0.001)
    assert world.markets["bybit_inverse", "BTCUSD"].mid == pytest.approx(
        world.markets["bybit_spot", "BTCUSDT"].mid, rel=0.003
    )


def test_a_multiplied_market_trades_a_thousand_coins_at_a_time() -> None:
    world = World(seed=4, assets=("PEPE",), venues=("bybit_linear",))
    (market,) = world.markets.values()
    for _ in range(20):
        world.step()
    assert market.spec.coin == "1000PEPE"
    assert market.mid == pytest.approx(0.000_004, rel=0.01)
    assert float(market.spec.price_text(market.book.low + market.book.best_bid)) == pytest.approx(0.004, rel=0.01)
    assert market.spec.worth(market.mid) == pytest.approx(float(market.spec.lot_size) * 0.004, rel=0.01)

"""Rates of quote currencies: configured, told by a verified pair against the dollar, assumed, unknown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from core_rig import SECOND, Rig, at
from hypothesis import given
from hypothesis import strategies as st
from made_up_venue import BOOK_LEVELS, MadeUp, book, connect, listed

from monitor.digest import ReplayDigest
from monitor.fx import KEPT, MUCH_TIGHTER, FxRates, Pair


class Other(MadeUp):
    name = "other"


HERE, THERE = MadeUp(), Other()


def pair_of(venue: MadeUp, coin: str) -> Any:
    return listed(
        venue, f"{coin}USD", coin, contract_type="spot", tick_size=Decimal("0.0001"), lot_size=Decimal("0.01")
    )


def quotes(mid: float, spread: float = 0.0002) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    bids = [(f"{mid - spread / 2 - i / 10_000:.4f}", "100") for i in range(BOOK_LEVELS)]
    return bids, [(f"{mid + spread / 2 + i / 10_000:.4f}", "100") for i in range(BOOK_LEVELS)]


def begun(*coins: str, **options: Any) -> Rig:
    """A market quoted in each of the coins, on one venue, and both venues with a pair of each against the dollar."""
    rig = Rig(venues={HERE.name: HERE, THERE.name: THERE}, **options)
    quoted = [listed(HERE, f"BTC{coin}", "BTC", quote=coin) for coin in coins]
    rig.list(0, HERE.name, *quoted, *(pair_of(HERE, coin) for coin in coins))
    rig.list(0, THERE.name, *(pair_of(THERE, coin) for coin in coins))
    connect(rig, 0, HERE, 0, *(f"book.BTC{coin}" for coin in coins), *(f"book.{coin}USD" for coin in coins))
    connect(rig, 0, THERE, 0, *(f"book.{coin}USD" for coin in coins))
    bids = [(f"{100 - i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
    asks = [(f"{100.2 + i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
    for coin in coins:
        rig.frame(0, HERE.name, book(f"book.BTC{coin}", 1, bids, asks, full=True))
    return rig


def say(rig: Rig, seconds: float, venue: MadeUp, coin: str, mid: float, spread: float = 0.0002) -> None:
    rig.frame(seconds, venue.name, book(f"book.{coin}USD", 1, *quotes(mid, spread), full=True))


def told(rig: Rig) -> dict[str, tuple[float, str]]:
    return {view.currency: (pytest.approx(view.rate_usd), view.source) for view in rig.hub.view.fx}


def depth(rig: Rig, market: str = "BTCUSDT") -> float:
    """USD of the bids within 1%."""
    return next(f.usd for f in rig.market_view(HERE.name, market).depth if f.side == "bid" and f.band == "1%")


def test_a_verified_pair_tells_the_rate_from_the_next_second_on() -> None:
    rig = begun("USDT", "EUR")
    rig.tick(1)
    assert told(rig) == {"USDT": (1.0, "assumed")}
    assert rig.market_view(HERE.name, "BTCEUR").depth == ()  # nobody knows what a euro is worth
    at_par = depth(rig)
    say(rig, 1.2, HERE, "USDT", 0.9990)
    say(rig, 1.2, HERE, "EUR", 1.1000)
    rig.tick(2)
    assert told(rig) == {"USDT": (0.9990, HERE.name), "EUR": (1.1, HERE.name)}
    assert depth(rig) == pytest.approx(at_par * 0.999)
    assert depth(rig, "BTCEUR") == pytest.approx(at_par * 1.1)
    assert rig.asset_view("BTC").price_usd == pytest.approx(100.1 * (0.999 + 1.1) / 2)
    # The pair itself is worth what it says, in dollars.
    assert rig.market_view(HERE.name, "USDTUSD").mid_price == pytest.approx(0.999)


def test_the_tightest_pair_is_taken_and_kept_while_it_is_good() -> None:
    rig = begun("USDT")
    say(rig, 0.1, HERE, "USDT", 0.9990, spread=0.0010)
    say(rig, 0.1, THERE, "USDT", 0.9980, spread=0.0002)
    rig.tick(1)
    assert told(rig) == {"USDT": (0.9980, THERE.name)}
    say(rig, 1.1, HERE, "USDT", 0.9990, spread=0.0002)
    say(rig, 1.1, THERE, "USDT", 0.9981, spread=0.0006)
    rig.tick(2)
    assert told(rig) == {"USDT": (0.9981, THERE.name)}  # no flapping
    rig.drop(2.5, THERE.name)
    rig.tick(3)
    assert told(rig) == {"USDT": (0.9990, HERE.name)}
    connect(rig, 3.5, THERE, 0, "book.USDTUSD")
    say(rig, 3.5, THERE, "USDT", 0.9980)
    rig.tick(4)
    assert told(rig) == {"USDT": (0.9990, HERE.name)}


def test_a_lost_source_counts_for_a_minute() -> None:
    rig = begun("USDT", "GBP")
    say(rig, 0.5, THERE, "USDT", 0.9980)
    say(rig, 0.5, THERE, "GBP", 1.25)
    rig.tick(1)
    rig.drop(1.5, THERE.name)
    for second in range(2, 70):
        rig.tick(second)
        if second <= 61:  # verified for the last time in the first second
            assert told(rig) == {"USDT": (0.998, THERE.name), "GBP": (1.25, THERE.name)}, second
        else:
            assert told(rig) == {"USDT": (1.0, "assumed")}, second
            assert rig.market_view(HERE.name, "BTCGBP").depth == ()


def test_a_verified_pair_in_which_nothing_happens_is_as_good_as_new() -> None:
    rig = begun("USDT", "GBP")
    say(rig, 0.5, THERE, "USDT", 0.9980)
    say(rig, 0.5, THERE, "GBP", 1.25)
    for second in range(1, 3 * KEPT // SECOND):
        rig.tick(second)
        assert told(rig) == {"USDT": (0.998, THERE.name), "GBP": (1.25, THERE.name)}, second


def test_a_source_much_wider_than_another_is_left() -> None:
    rig = begun("USDT")
    say(rig, 0.5, HERE, "USDT", 0.9550, spread=0.0090)
    rig.tick(1)
    assert told(rig) == {"USDT": (0.955, HERE.name)}  # the only one there is
    say(rig, 1.5, THERE, "USDT", 0.9998)
    rig.tick(2)
    assert told(rig) == {"USDT": (0.9998, THERE.name)}


def chosen(rates: FxRates, *sources: tuple[str, float, float]) -> str:
    """The source of EUR after a second with these: venue, mid, spread."""
    rates.update([Pair("EUR", venue, "m", mid, spread, 0) for venue, mid, spread in sources], at(1))
    rates.rate("EUR")
    (view,) = rates.views()
    return view.source


def test_a_source_that_most_others_contradict_is_left_and_not_come_back_to() -> None:
    rates = FxRates({})
    assert chosen(rates, ("A", 1.10, 0.0001)) == "A"
    # Two that disagree: nobody can say which one is wrong.
    assert chosen(rates, ("A", 1.10, 0.0001), ("B", 1.17, 0.0002)) == "A"
    everyone = (("A", 1.10, 0.0001), ("B", 1.17, 0.0002), ("C", 1.1701, 0.0003))
    assert chosen(rates, *everyone) == "B"
    assert chosen(FxRates({}), *everyone) == "B"  # also not as the first one, although it is the tightest
    assert chosen(rates, ("A", 1.1702, 0.0001), *everyone[1:]) == "B"
    # What spreads explain contradicts nobody.
    assert chosen(rates, ("A", 1.1702, 0.0001), ("B", 1.1697, 0.0003), ("C", 1.1701, 0.0002)) == "B"
    # Two against two: no majority.
    split = (("A", 1.10, 0.0001), ("B", 1.17, 0.0002), ("C", 1.17, 0.0002), ("D", 1.10, 0.0001))
    assert chosen(rates, *split) == "B"


def test_a_configured_number_wins() -> None:
    rig = begun("USDT", "EUR", fx_fixed={"usdt": 0.97})
    for coin in ("USDT", "EUR"):
        say(rig, 0.5, HERE, coin, 1.1)
    rig.tick(1)
    assert told(rig) == {"USDT": (0.97, "settings"), "EUR": (1.1, HERE.name)}


@pytest.mark.parametrize(
    "change",
    [{"contract_type": "linear"}, {"quote": "EUR"}, {"asset": "USDC"}, {"trading": False}],
)
def test_what_is_no_spot_pair_against_the_dollar_tells_nothing(change: dict[str, Any]) -> None:
    rig = Rig(venues={HERE.name: HERE})
    rig.list(0, HERE.name, listed(HERE, "BTCUSDT", "BTC", quote="USDT"), replace(pair_of(HERE, "USDT"), **change))
    connect(rig, 0, HERE, 0, "book.BTCUSDT", "book.USDTUSD")
    say(rig, 0, HERE, "USDT", 0.9)
    rig.tick(1)
    assert told(rig)["USDT"] == (1.0, "assumed")


def test_a_pair_too_wide_tells_nothing() -> None:
    rig = begun("USDT")
    say(rig, 0.5, HERE, "USDT", 0.9, spread=0.02)
    rig.tick(1)
    assert told(rig) == {"USDT": (1.0, "assumed")}


def test_trades_and_figures_between_two_seconds_are_counted_at_one_rate_and_replay_to_the_same() -> None:
    def run() -> tuple[str, str]:
        rig = begun("USDT")
        digest = ReplayDigest()
        for second in range(1, 30):
            say(
                rig,
                second - 0.5,
                HERE if second % 3 else THERE,
                "USDT",
                0.99 + second / 10_000,
                0.0002 * (second % 4 + 1),
            )
            rig.tick(second)
            digest.add_second(rig.hub, at(second))
        return digest.hexdigest(), repr(rig.outlet.seconds)

    assert run() == run()


# -- the rule itself, against its plain reading
def near_the_middle(pair: Pair, pairs: list[Pair]) -> bool:
    def middle(values: list[float]) -> float:
        ordered = sorted(values)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    mid = middle([p.mid for p in pairs])
    return abs(pair.mid - mid) <= (pair.spread + middle([p.spread for p in pairs])) * mid


@given(
    st.lists(
        st.tuples(
            st.integers(1, 40),
            st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(0, 30), st.integers(1, 9)), max_size=4, unique_by=lambda p: p[0]),
        ),
        max_size=25,
    )
)  # fmt: skip
def test_rates_equal_their_twin(steps: list[tuple[int, list[tuple[str, int, int]]]]) -> None:
    rates = FxRates({})
    now = 1_000 * SECOND
    source: tuple[str, int, float] | None = None  # venue, time of its price, price
    for wait, seen in steps:
        now += wait * SECOND
        pairs = [Pair("EUR", v, "m", 1 + m / 1_000, s / 1_000, 0) for v, m, s in seen]
        rates.update(pairs, now)
        if pairs:
            sound = [p for p in pairs if len(pairs) < 3 or near_the_middle(p, pairs)] or pairs
            best = sorted(sound, key=lambda p: p.spread)[0]
            mine = [p for p in sound if source is not None and p.venue == source[0]]
            chosen = mine[0] if mine and mine[0].spread <= MUCH_TIGHTER * best.spread else best
            source = (chosen.venue, now, chosen.mid)
        if source is not None and now - source[1] > KEPT:
            source = None
        rate = rates.rate("EUR")
        assert rate == (None if source is None else source[2])
        assert [(v.rate_usd, v.source) for v in rates.views()] == ([] if source is None else [(source[2], source[0])])

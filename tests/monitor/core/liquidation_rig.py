"""Readings made by hand, and a walk over everything a view says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from monitor.clock import SECOND
from monitor.facts import Candle, Candles, Instrument, MarginTier, MarginTiers
from monitor.liquidation.reading import DROPS, BookCurves, MarketReading
from monitor.prints import POSITIONS, Forced

START = 1_760_000_040 * SECOND  # a whole minute
INSTRUMENT = Instrument("bybit_linear", "BTCUSDT", "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))
INVERSE = Instrument("bybit_inverse", "BTCUSD", "BTC", "USD", "BTC", "inverse", Decimal("0.5"), Decimal(1), Decimal(1))


TIERS = MarginTiers("BTCUSDT", (MarginTier(Decimal(0), None, Decimal("0.005")),), "quote", False, 0)


def candles(price: float = 70_000.0, spread: float = 0.02, hourly: float = 0.0) -> Candles:
    """A week around the price, whose closes go up and down by `hourly`."""
    rows = tuple(
        Candle(
            START - hour * 3600 * SECOND,
            price * (1 - spread),
            price * (1 + spread),
            price * (1 + hourly * (hour % 2)),
            1_000.0,
            500.0,
        )
        for hour in range(168, 0, -1)
    )
    return Candles("BTCUSDT", rows, rows[-1].open_time)


def book(density: float = 90_000.0, reach: float = 0.05, readable: bool = True) -> BookCurves:
    """`density` coins per unit of drop on both sides, known down to `reach`."""
    made = BookCurves()
    if readable:
        made.whole[:] = density * DROPS
        made.known[:] = density * np.minimum(DROPS, reach)
        made.reach = [reach, reach]
    return made


def reading(**changes: Any) -> MarketReading:
    values: dict[str, Any] = {
        "venue": "bybit_linear", "market": "BTCUSDT", "contract_type": "linear", "reason": "", "fx": 1.0, "mid": 70_000.0,
        "mark": 70_000.0, "open_interest": 50_000.0, "funding_8h": 0.0001, "long_short_ratio": None, "bought": 0.0, "sold": 0.0,
        "paid": 0.0, "bought_usd": 0.0, "sold_usd": 0.0, "forced": dict.fromkeys(POSITIONS, Forced()),
        "coverage": "complete", "heard": True, "trades_heard": True, "tiers": TIERS, "candles": candles(), "instrument": INSTRUMENT, "curves": book(),
    }  # fmt: skip
    made = MarketReading(**{**values, **changes})
    return made if not made.reason else made._replace(mid=None)


class Market:
    """One market over time: totals that only grow."""

    def __init__(self, **fixed: Any) -> None:
        self._fixed = fixed
        self._sums = dict.fromkeys(("bought", "sold", "paid"), 0.0)
        self._forced = dict.fromkeys(POSITIONS, Forced())

    def second(
        self, price: float, bought: float = 5.0, sold: float = 5.0, forced: float = 0.0, **changes: Any
    ) -> MarketReading:
        """`forced`: coins of longs liquidated in this second."""
        sums = self._sums
        sums["bought"] += bought
        sums["sold"] += sold
        sums["paid"] += (bought + sold) * price
        if forced:
            prints, size, slots = self._forced["long"]
            self._forced = self._forced | {"long": Forced(prints + 1, size + forced, slots + 1)}
        values = {"mid": price, "mark": price, "bought_usd": sums["bought"] * price, "sold_usd": sums["sold"] * price}
        return reading(**{**values, **sums, "forced": self._forced, **self._fixed, **changes})


def numbers(value: Any) -> Iterator[float]:
    """Every float in a view, arrays included."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, np.ndarray):
        yield from value.ravel().tolist()
    elif isinstance(value, dict):
        for each in value.values():
            yield from numbers(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from numbers(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name))


def sound(value: Any) -> bool:
    """No figure is NaN. A gain may be infinite: where nothing absorbs."""
    return not any(math.isnan(number) for number in numbers(value))

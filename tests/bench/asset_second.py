"""One second of an asset on twelve venues: books read, maps fed, both cascades solved; once a minute the maps are stepped too."""

from __future__ import annotations

import statistics
import time
from decimal import Decimal
from typing import Final

import numpy as np

from engines.book.live_book import LiveBook
from monitor.clock import SECOND
from monitor.facts import Candle, Candles, Instrument, MarginTier, MarginTiers
from monitor.liquidation.model import AssetModel
from monitor.liquidation.reading import BookCurves, MarketReading
from monitor.prints import POSITIONS, Forced
from tests.bench.figures import Figure

VENUES: Final = 12
MINUTES: Final = 5
PRICE: Final = 61_800.0
SECOND_US: Final = 5_000.0
START: Final = 1_760_000_040 * SECOND


def asset_figures(book: LiveBook) -> list[Figure]:
    """`book`: 5,000 levels a side, every venue's."""
    random, model = np.random.default_rng(20261122), AssetModel()
    markets = [_market(number) for number in range(VENUES)]
    totals = np.zeros(VENUES)
    ordinary: list[float] = []
    minutes: list[float] = []
    price = PRICE
    for second in range(60 * MINUTES):
        price *= float(np.exp(random.normal(0, 1e-4)))
        totals += random.uniform(0, 3, VENUES)
        at = START + second * SECOND
        readings = [_at(m, float(t), price) for m, t in zip(markets, totals, strict=True)]
        begun = time.perf_counter()
        for reading in readings:
            reading.curves.read(book, at)
        model.second(readings, price, at)
        took = (time.perf_counter() - begun) * 1e6
        if second > 60:
            (minutes if second % 60 == 0 else ordinary).append(took)
    assert all(exposure.usable for exposure in model.exposures.values())
    return [
        Figure("asset_second", f"asset second: {VENUES} venues", statistics.median(ordinary), "us", SECOND_US),
        Figure(
            "asset_minute",
            f"asset second: {VENUES} venues, maps stepped too",
            statistics.median(minutes),
            "us",
            SECOND_US,
        ),
    ]


def _market(number: int) -> MarketReading:
    venue, inverse = f"venue_{number}", number % 4 == 3
    quote = "USD" if inverse else "USDT"
    instrument = Instrument(
        venue, "BTC", "BTC", quote, quote, "inverse" if inverse else "linear", Decimal("0.1"), Decimal("0.001")
    )
    rows = tuple(
        Candle(START - hour * 3600 * SECOND, PRICE * 0.98, PRICE * 1.02, PRICE, 1e3, None) for hour in range(168, 0, -1)
    )
    tiers = MarginTiers("BTC", (MarginTier(Decimal(0), None, Decimal("0.005")),), "quote", False, 0)
    return MarketReading(
        venue=venue, market="BTC", contract_type=instrument.contract_type, reason="", fx=1.0, mid=PRICE, mark=PRICE,
        open_interest=5e4 * (PRICE if inverse else 1.0), funding_8h=1e-4, long_short_ratio=1.2, bought=0.0, sold=0.0, paid=0.0,
        bought_usd=0.0, sold_usd=0.0, forced=dict.fromkeys(POSITIONS, Forced()), coverage="complete", heard=True, trades_heard=True, tiers=tiers,
        candles=Candles("BTC", rows, rows[-1].open_time), instrument=instrument, curves=BookCurves(),
    )  # fmt: skip


def _at(market: MarketReading, traded: float, price: float) -> MarketReading:
    return market._replace(
        mid=price,
        mark=price,
        bought=traded,
        sold=1.1 * traded,
        paid=2.1 * traded * price,
        bought_usd=traded * price,
        sold_usd=1.1 * traded * price,
    )

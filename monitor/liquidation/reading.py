"""What one market brings to the liquidation model at the end of a second: read at that moment, worked on later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.book.live_book import LiveBook
from engines.liquidation.curves import drop_nodes
from monitor.facts import Candles, ContractType, Coverage, Instrument, MarginTiers, Position
from monitor.prints import Forced

Floats = NDArray[np.float64]
DROPS: Final[Floats] = drop_nodes()
BIDS, ASKS = 0, 1
LEAST_PRICE, MOST_PRICE = 1e-15, 1e15  # of one coin; outside of it is an error of the venue, or of us


class BookCurves:
    """What both sides of a book absorb within each of DROPS, in coins. Written anew every second.

    known, whole: float64[2, n], bids first. reach: the drop up to which every level is known, None: the book was not readable.
    """

    __slots__ = ("known", "reach", "whole")

    def __init__(self) -> None:
        self.known = np.zeros((2, len(DROPS)))
        self.whole = np.zeros((2, len(DROPS)))
        self.reach: list[float | None] = [None, None]

    def read(self, book: LiveBook, at: int) -> None:
        for number, side in enumerate(("bid", "ask")):
            self.reach[number] = book.absorption(side, DROPS, at, self.known[number], self.whole[number])  # type: ignore[arg-type]


class MarketReading(NamedTuple):
    """Totals run since start. Sizes are coins, of inverse contracts quote units; prices are per coin in the quote currency.

    reason: why the book takes no part, "" when it does. curves: read only while it does.
    """

    venue: str
    market: str
    contract_type: ContractType
    reason: str
    fx: float | None
    mid: float | None
    mark: float | None
    open_interest: float | None
    funding_8h: float | None
    long_short_ratio: float | None
    bought: float
    sold: float
    paid: float
    bought_usd: float
    sold_usd: float
    forced: Mapping[Position, Forced]
    coverage: Coverage
    heard: bool  # a liquidation of the market would reach us now
    trades_heard: bool  # likewise a trade, and its worth in dollars is known
    tiers: MarginTiers | None
    candles: Candles | None
    instrument: Instrument
    curves: BookCurves

    @property
    def price(self) -> float | None:
        """What liquidations go by: the mark, or the mid where the venue tells none; None for what is no price."""
        price = self.mark if self.mark is not None else self.mid
        return price if price is not None and LEAST_PRICE < price < MOST_PRICE else None

    @property
    def name(self) -> str:
        return f"{self.venue}:{self.market}"

    @property
    def leveraged(self) -> bool:
        return self.contract_type != "spot"

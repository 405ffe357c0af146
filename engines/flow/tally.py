"""Sums over the trades of one frame, by taker side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64_1, I64, I64_2, kernel
from engines.wire.layout import TRADE_ID, TRADE_KEPT, TRADE_LOTS, TRADE_SIDE, TRADE_TICK

# Slots of the sums; lots and lots*tick are whole numbers held in floats (exact below 2**53, then rounded: volume figures only).
BUY_COUNT, BUY_LOTS, BUY_VALUE, SELL_COUNT, SELL_LOTS, SELL_VALUE = range(6)
TALLY_SIZE = 6


@kernel(I64(I64_2, I64, I64, F64_1))
def tally_trades(trades: NDArray[np.int64], count: int, after_id: int, sums: NDArray[np.float64]) -> int:
    """Adds the kept trades with an id above `after_id` (those without an id always) to `sums`; returns the largest id seen.

    trades: int64[capacity, TRADE_SIZE]; sums: float64[TALLY_SIZE], added to, value in lots * tick.
    """
    largest = after_id
    for i in range(count):
        identifier = trades[i, TRADE_ID]
        if identifier != 0:
            if identifier <= after_id:
                continue
            largest = max(largest, identifier)
        if trades[i, TRADE_KEPT] == 0:
            continue
        lots = trades[i, TRADE_LOTS]
        at = BUY_COUNT if trades[i, TRADE_SIDE] > 0 else SELL_COUNT
        sums[at] += 1.0
        sums[at + 1] += float(lots)
        sums[at + 2] += float(lots) * float(trades[i, TRADE_TICK])
    return largest

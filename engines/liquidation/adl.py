"""Auto-deleveraging: who is closed first, and how far a queue of whole positions overshoots (models.md 2.7)."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, I64_1, READ_F64_1, kernel

TAKEN = types.UniTuple(F64, 2)  # type: ignore[no-untyped-call]


@kernel(F64(F64, F64, F64))
def binance_score(pnl: float, wallet: float, maintenance: float) -> float:
    """PnL% x margin ratio: max(0, UPNL) / max(1, WB), times MM / (WB + UPNL) where that is above 0, else 0."""
    equity = wallet + pnl
    if math.isnan(equity) or math.isnan(maintenance):
        return math.nan
    return max(0.0, pnl) / max(1.0, wallet) * (maintenance / equity if equity > 0.0 else 0.0)


@kernel(F64(I64, F64, F64, F64))
def classic_score(side: int, entry: float, mark: float, bankrupt: float) -> float:
    """BitMEX and older Bybit: PnL% x effective leverage in profit, PnL% / effective leverage in loss.

    Effective leverage = |mark value| / |mark value - bankrupt value|; NaN where mark and bankruptcy price are one, or a price is
    not above 0.
    """
    gap = abs(mark - bankrupt)
    if not entry > 0.0 or not mark > 0.0 or not gap > 0.0:
        return math.nan
    pnl = side * (mark - entry) / entry
    leverage = mark / gap
    return pnl * leverage if pnl > 0.0 else pnl / leverage


@kernel(F64(I64, F64, F64, F64, F64))
def hyperliquid_score(side: int, entry: float, mark: float, notional: float, account_value: float) -> float:
    """(mark / entry) x (notional / account value) of a long, entry / mark of a short (our reading); 0 without a profit."""
    if not entry > 0.0 or not mark > 0.0 or not account_value > 0.0:
        return math.nan
    gain = mark / entry if side > 0 else entry / mark
    return gain * notional / account_value if gain > 1.0 else 0.0


@kernel(I64_1(READ_F64_1))
def queue(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the positions, highest score first; equal ones in the order they came, unknown ones (NaN) last."""
    keys = np.empty(scores.shape[0])
    for i in range(scores.shape[0]):
        keys[i] = math.inf if math.isnan(scores[i]) else -scores[i]
    return np.argsort(keys, kind="mergesort").astype(np.int64)


@kernel(TAKEN(F64, READ_F64_1, F64_1))
def greedy_haircuts(deficit: float, profits: NDArray[np.float64], haircuts: NDArray[np.float64]) -> tuple[float, float]:
    """Whole positions from the head of the queue until their profits cover the deficit.

    profits, haircuts: float64[n] in queue order. Returns the sum of the haircuts and what of the deficit nobody covered.
    """
    taken = 0.0
    for i in range(profits.shape[0]):
        haircuts[i] = max(0.0, profits[i]) if taken < deficit and not math.isnan(profits[i]) else 0.0
        taken += haircuts[i]
    return taken, max(0.0, deficit - taken)


@kernel(F64(F64, READ_F64_1))
def pro_rata_rate(deficit: float, profits: NDArray[np.float64]) -> float:
    """The share of every profit that would cover the deficit, 1 at most; NaN where there is no profit."""
    total = 0.0
    for i in range(profits.shape[0]):
        if profits[i] > 0.0:
            total += profits[i]
    if not total > 0.0:
        return math.nan
    return 1.0 if deficit >= total else max(0.0, deficit) / total

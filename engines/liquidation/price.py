"""Liquidation prices (models.md 2.1, 2.2, 2.4): where equity at the mark price meets the maintenance requirement.

`side` is 1 for a long, -1 for a short. `wallet` is the isolated margin, or the balance of a cross account, whose other contracts
come in as their maintenance margin and unrealised P&L (0 when isolated). `fee` is the taker fee where the venue's requirement holds
it, else 0. Linear: `quantity` in base coins, money in the quote currency. Inverse: `value` is contracts x their size in US dollars,
money in coins. NaN everywhere means that no price above 0 liquidates the position, or that the input makes no sense (NaN, a quantity
or an entry that is not positive, a rate and fee of 1 or more together, which no venue has).
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, I64, READ_F64_1, kernel

PRICED = types.Tuple((F64, I64))  # type: ignore[no-untyped-call]
ROUNDING = 1e-12  # of two figures: a smaller difference of them is none
EDGE = 1e-9  # relative: a root that rounding moved over the edge of its bracket is still its root (models.md 0)


@kernel(F64(F64, F64))
def price_or_none(numerator: float, denominator: float) -> float:
    """Their ratio where that is a price, else NaN."""
    if denominator == 0.0:  # plain Python would raise
        return math.nan
    found = numerator / denominator
    return found if 0.0 < found < math.inf else math.nan


@kernel(F64(F64, F64))
def difference(a: float, b: float) -> float:
    """a - b; 0 where only rounding is left of them: a position without leverage must not get a price of 1e-16."""
    return 0.0 if abs(a - b) <= ROUNDING * (abs(a) + abs(b)) else a - b


@kernel(BOOL(I64, F64, F64, F64))
def sensible(side: int, quantity: float, entry: float, share: float) -> bool:
    """Whether a position of this side, size and entry with a requirement of `share` of its value is one."""
    return abs(side) == 1 and 0.0 < quantity < math.inf and 0.0 < entry < math.inf and 0.0 <= share < 1.0


@kernel(F64(I64, F64, F64, F64, F64, F64, F64, F64, F64))
def linear(
    side: int,
    quantity: float,
    entry: float,
    wallet: float,
    other_maintenance: float,
    other_pnl: float,
    rate: float,
    deduction: float,
    fee: float,
) -> float:
    """LP = (WB - TMM1 + UPNL1 + cum - s q EP) / (q (mmr + fee) - s q), within one bracket."""
    if not sensible(side, quantity, entry, rate + fee):
        return math.nan
    balance = wallet - other_maintenance + other_pnl
    return price_or_none(difference(balance + deduction, side * quantity * entry), quantity * (rate + fee - side))


@kernel(F64(F64, F64, F64, READ_F64_1, READ_F64_1, READ_F64_1, READ_F64_1, READ_F64_1, F64))
def hedged(
    wallet: float,
    other_maintenance: float,
    other_pnl: float,
    sides: NDArray[np.float64],
    quantities: NDArray[np.float64],
    entries: NDArray[np.float64],
    rates: NDArray[np.float64],
    deductions: NDArray[np.float64],
    fee: float,
) -> float:
    """The common price of several legs of one linear contract (hedge mode), arrays float64[legs], each with its bracket.

    LP = (WB - TMM1 + UPNL1 + sum cum - sum s q EP) / (sum q (mmr + fee) - sum s q). A leg of quantity 0 counts for nothing.
    """
    above = wallet - other_maintenance + other_pnl
    gross = abs(wallet) + abs(other_maintenance) + abs(other_pnl)
    below = 0.0
    for i in range(sides.shape[0]):
        if quantities[i] == 0.0:
            continue
        if not sensible(int(sides[i]), quantities[i], entries[i], rates[i] + fee):
            return math.nan
        above += deductions[i] - sides[i] * quantities[i] * entries[i]
        gross += abs(deductions[i]) + quantities[i] * entries[i]
        below += quantities[i] * (rates[i] + fee - sides[i])
    if abs(above) <= ROUNDING * gross:  # nothing but rounding is left
        above = 0.0
    return price_or_none(above, below)


@kernel(F64(I64, F64, F64, F64, F64, F64, F64, F64, F64))
def inverse(
    side: int,
    value: float,
    entry: float,
    wallet: float,
    other_maintenance: float,
    other_pnl: float,
    rate: float,
    deduction: float,
    fee: float,
) -> float:
    """LP = U (mmr + fee + s) / (WB - TMM1 + UPNL1 + cum + s U/EP), within one bracket."""
    if not sensible(side, value, entry, rate + fee):
        return math.nan
    balance = wallet - other_maintenance + other_pnl
    return price_or_none(value * (rate + fee + side), difference(balance + deduction, -side * value / entry))


@kernel(F64(BOOL, I64, F64, F64, F64, F64, F64, F64))
def cushion(
    inverted: bool,
    side: int,
    quantity: float,
    entry: float,
    balance: float,
    share: float,
    deduction: float,
    price: float,
) -> float:
    """Equity less requirement at a price, in one bracket; `share` is its rate plus the fee. Not above 0: liquidated."""
    if inverted:
        return balance + side * quantity * (1.0 / entry - 1.0 / price) - (quantity * share / price - deduction)
    return balance + side * quantity * (price - entry) - (quantity * price * share - deduction)


@kernel(PRICED(BOOL, I64, F64, F64, F64, READ_F64_1, READ_F64_1, READ_F64_1, F64, F64))
def bracketed(
    inverted: bool,
    side: int,
    quantity: float,
    entry: float,
    balance: float,
    floors: NDArray[np.float64],
    rates: NDArray[np.float64],
    deductions: NDArray[np.float64],
    fee: float,
    mark: float,
) -> tuple[float, int]:
    """The liquidation price with the bracket that is valid AT it, and that bracket's number; (NaN, -1) when there is none.

    quantity: base coins, or where `inverted` the value in US dollars; balance: WB - TMM1 + UPNL1. Brackets as in
    `engines.liquidation.brackets`, counted in the position's value at the price: quantity x price, or value / price in coins.
    Marginal brackets give one price at most. Where the requirement jumps at an edge (zeros as deductions: the whole position
    takes its bracket's rate), prices may be several, and one may be the edge itself: the nearest to `mark` (NaN: to the entry).
    """
    best, bracket = math.nan, -1
    near = mark if mark > 0.0 else entry
    last = floors.shape[0] - 1
    for k in range(last + 1):
        if inverted:
            found = inverse(side, quantity, entry, balance, 0.0, 0.0, rates[k], deductions[k], fee)
        else:
            found = linear(side, quantity, entry, balance, 0.0, 0.0, rates[k], deductions[k], fee)
        if found > 0.0:
            size = quantity / found if inverted else quantity * found
            inside = size >= floors[k] * (1.0 - EDGE) and (k == last or size <= floors[k + 1] * (1.0 + EDGE))
            if inside and not abs(found - near) >= abs(best - near):
                best, bracket = found, k
        if k == last or not floors[k + 1] > 0.0 or not sensible(side, quantity, entry, rates[k + 1] + fee):
            continue
        # Safe on one side of the edge and not on the other: the edge itself liquidates.
        edge = quantity / floors[k + 1] if inverted else floors[k + 1] / quantity
        below = cushion(inverted, side, quantity, entry, balance, rates[k] + fee, deductions[k], edge)
        above = cushion(inverted, side, quantity, entry, balance, rates[k + 1] + fee, deductions[k + 1], edge)
        if (below > 0.0) != (above > 0.0) and not abs(edge - near) >= abs(best - near):
            best, bracket = edge, k if below <= 0.0 else k + 1
    return best, bracket

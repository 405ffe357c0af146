"""What single venues do otherwise (models.md 2.3, 2.4). Sides, units and NaN as in `engines.liquidation.price`.

Nothing is here of venues that only put the closing fee inside (OKX): that is the `fee` of `price.linear` and `price.inverse`.
"""

from __future__ import annotations

import math

from engines.kernel import F64, I64, kernel
from engines.liquidation.price import linear, price_or_none, sensible


@kernel(F64(I64, F64, F64, F64, F64, F64, F64))
def bybit_linear_at_entry(
    side: int, quantity: float, entry: float, leverage: float, rate: float, deduction: float, extra: float
) -> float:
    """Bybit's older pages value the margin at the entry: LP = EP -/+ (IM - MM + extra) / q, IM = q EP / L, MM = q EP mmr - cum."""
    if not sensible(side, quantity, entry, rate) or not leverage > 0.0:
        return math.nan
    worth = quantity * entry
    room = worth / leverage - (worth * rate - deduction) + extra
    return price_or_none(entry - side * room / quantity, 1.0)


@kernel(F64(I64, F64, F64, F64, F64))
def bybit_inverse_at_entry(side: int, value: float, entry: float, leverage: float, rate: float) -> float:
    """The same for coins: LP = U / (PV +/- (IM - MM)), PV = U / EP."""
    if not sensible(side, value, entry, rate) or not leverage > 0.0:
        return math.nan
    worth = value / entry
    return price_or_none(value, worth + side * (worth / leverage - worth * rate))


@kernel(F64(I64, F64, F64, F64, F64))
def bybit_cross_bankruptcy(side: int, value: float, entry: float, balance: float, fee: float) -> float:
    """Old Bybit cross margin: where the balance and the loss are gone and the closing fee is paid. BP = U (1 + s fee) / (PV + s balance)."""
    if not sensible(side, value, entry, fee):
        return math.nan
    return price_or_none(value * (1.0 + side * fee), value / entry + side * balance)


@kernel(F64(I64, F64, F64, F64, F64, F64))
def bybit_cross_at_entry(side: int, value: float, entry: float, balance: float, rate: float, fee: float) -> float:
    """Old Bybit cross margin: LP = U / (PV + s (balance - PV mmr - fee U / BP))."""
    bankrupt = bybit_cross_bankruptcy(side, value, entry, balance, fee)
    if not sensible(side, value, entry, rate) or not bankrupt > 0.0:
        return math.nan
    worth = value / entry
    return price_or_none(value, worth + side * (balance - worth * rate - fee * value / bankrupt))


@kernel(F64(I64, F64, F64, F64, F64))
def phemex_margin(side: int, quantity: float, entry: float, leverage: float, fee: float) -> float:
    """Phemex: the margin of a position holds the fee of closing it at its bankruptcy price. q EP / L + q EP (1 - s/L) fee."""
    if not sensible(side, quantity, entry, fee) or not leverage > 0.0:
        return math.nan
    worth = quantity * entry
    return worth / leverage + worth * (1.0 - side / leverage) * fee


@kernel(F64(I64, F64, F64, F64, F64, F64))
def phemex(side: int, quantity: float, entry: float, leverage: float, rate: float, fee: float) -> float:
    """Phemex, isolated: the fee is in the margin and in the requirement."""
    margin = phemex_margin(side, quantity, entry, leverage, fee)
    return linear(side, quantity, entry, margin, 0.0, 0.0, rate, 0.0, fee)


@kernel(F64(I64, F64, F64, F64, F64, F64))
def hyperliquid(side: int, quantity: float, mark: float, account_value: float, rate: float, deduction: float) -> float:
    """Hyperliquid, from the mark: LP = mark - s (account value - requirement at the mark) / q / (1 - l s).

    rate: l of the bracket that is valid at the liquidation price. Equals `price.linear`, solved from the mark.
    """
    if not sensible(side, quantity, mark, rate):
        return math.nan
    available = account_value - (quantity * mark * rate - deduction)
    return price_or_none(mark - side * available / quantity / (1.0 - rate * side), 1.0)

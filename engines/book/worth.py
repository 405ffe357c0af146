"""What raw ladder sums are worth: base coins, quote currency and US dollars. Lossy on purpose: the rim of the integers.

    spot, linear   quote = sum(lots * tick) * lot * tick size * contract size,   base = sum(lots) * lot * contract size * multiplier
    inverse        quote = sum(lots) * lot * contract size,                      base = sum(lots / tick) * lot * contract size / tick size * multiplier

Source: models.md 1.1 (inverse: base = S / p, USD = S; contract multipliers are applied first); `multiplier` is the coins in
one unit of the symbol's base (1000 for 1000PEPEUSDT: its price is that of 1000 coins).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from engines.wire.scale import Scale


class RawSums(NamedTuple):
    """Sums over levels: lots, lots * tick, and (inverse markets only) lots / tick."""

    lots: int
    lot_ticks: int
    lots_per_tick: float | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """The units of one market.

    contract_size: base coins per contract (spot: 1), or quote units per contract when `inverse`.
    """

    scale: Scale
    inverse: bool = False
    contract_size: Decimal = Decimal(1)
    unit_multiplier: int = 1
    lot_unit: float = field(init=False)  # base coins of a lot before the multiplier; inverse: quote units of a lot
    lot_tick_unit: float = field(init=False)  # quote units of one lot * tick
    tick_unit: float = field(init=False)  # quote units of a tick

    def __post_init__(self) -> None:
        lot = self.scale.size.step * self.contract_size
        object.__setattr__(self, "lot_unit", float(lot))
        object.__setattr__(self, "lot_tick_unit", float(lot * self.scale.price.step))
        object.__setattr__(self, "tick_unit", self.scale.price.unit_lossy)

    @property
    def size_unit(self) -> float:
        """What open interest and traded sizes are counted in, of one lot: coins; inverse: quote units."""
        return self.lot_unit if self.inverse else self.lot_unit * self.unit_multiplier

    def quote(self, sums: RawSums) -> float:
        """Quote currency."""
        return sums.lots * self.lot_unit if self.inverse else sums.lot_ticks * self.lot_tick_unit

    def base(self, sums: RawSums) -> float:
        """Base coins (not units of 1000).

        Raises:
            ValueError: an inverse market, and the sums were made without lots / tick.
        """
        if not self.inverse:
            return sums.lots * self.lot_unit * self.unit_multiplier
        if sums.lots_per_tick is None:
            raise ValueError("an inverse market needs the sum of lots / tick")
        return sums.lots_per_tick * self.lot_unit / self.tick_unit * self.unit_multiplier

    def usd(self, sums: RawSums, fx: float) -> float:
        """US dollars; `fx` is USD per unit of the quote currency."""
        return self.quote(sums) * fx

    def price(self, ticks: float) -> float:
        """Quote currency per unit of the symbol's base, as the venue writes prices."""
        return ticks * self.tick_unit

    def target(self, notional: float) -> float:
        """An order of `notional` quote units in what `sums.cost` walks: lots * ticks, or lots when inverse."""
        return notional / (self.lot_unit if self.inverse else self.lot_tick_unit)


def imbalance(bid: float, ask: float) -> float | None:
    """(bid - ask) / (bid + ask), in [-1, 1]; None without depth. Source: models.md 1.4."""
    total = bid + ask
    return (bid - ask) / total if total > 0 else None


def microprice(bid_price: float, bid_size: float, ask_price: float, ask_size: float) -> float:
    """(q_ask * P_bid + q_bid * P_ask) / (q_ask + q_bid). Source: models.md 1.4 (Stoikov 2018)."""
    return (ask_size * bid_price + bid_size * ask_price) / (ask_size + bid_size)

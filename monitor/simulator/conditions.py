"""What a scenario sets: the conditions on one asset at a moment. Everything else emerges from the market model."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Conditions:
    """Rates are per second of scenario time; USD figures are summed over the asset's venues.

    bid_appetite, ask_appetite: market makers' target depth against the calm profile.
    withdraw_bids, withdraw_asks: share of the levels within `withdraw_ratio` cancelled each second.
    taker_bias: -1 every taker sells, +1 every taker buys. taker_rate multiplies their number.
    seller_usd, buyer_usd: a large working order, sent in slices at any price within 0.5% of the touch.
    patient_usd: a large sale that only ever takes what stands near the best bid.
    drift: of the fair price (log, per second). pull: how fast the fair price returns to its start (share per second).
    new_long_usd, new_short_usd: leveraged positions opened against positions without leverage.
    leverage: typical leverage of new positions.
    """

    bid_appetite: float = 1.0
    ask_appetite: float = 1.0
    withdraw_bids: float = 0.0
    withdraw_asks: float = 0.0
    withdraw_ratio: float = 0.02
    taker_rate: float = 1.0
    taker_bias: float = 0.0
    seller_usd: float = 0.0
    buyer_usd: float = 0.0
    patient_usd: float = 0.0
    volatility: float = 1.0
    drift: float = 0.0
    pull: float = 0.0
    new_long_usd: float = 0.0
    new_short_usd: float = 0.0
    leverage: float = 20.0

    def blend(self, after: Conditions, share: float) -> Conditions:
        """Between these conditions (share 0) and `after` (share 1)."""
        mixed = {}
        for each in fields(self):
            here, there = getattr(self, each.name), getattr(after, each.name)
            mixed[each.name] = here + (there - here) * share
        return replace(self, **mixed)


CALM = Conditions()

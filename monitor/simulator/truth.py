"""The truth about the simulated world, for assertions: what a perfect observer would see."""

from __future__ import annotations

import math
from typing import Any, Literal

from monitor.simulator.market import Market
from monitor.simulator.scenario_source import PhaseStart, ScenarioSource

Side = Literal["bid", "ask"]
Position = Literal["long", "short"]


class WorldTruth:
    """Reads a scenario source; USD with 1 USDT = 1 USD."""

    def __init__(self, source: ScenarioSource) -> None:
        self._source = source

    @property
    def elapsed_seconds(self) -> float:
        """Scenario time."""
        return self._source.world.now_ms / 1000

    @property
    def phase(self) -> str:
        return self._source.phase

    @property
    def phases(self) -> tuple[PhaseStart, ...]:
        return tuple(self._source.phases)

    def market(self, venue: str, symbol: str) -> Market:
        return self._source.world.markets[venue, symbol]

    def mid(self, venue: str, symbol: str) -> float:
        return self.market(venue, symbol).mid

    def depth(self, venue: str, symbol: str, side: Side, ratio: float) -> tuple[float, float]:
        """(base coins, USD) resting within `ratio` of the mid; levels exactly on the edge are inside (models.md 1.1)."""
        market = self.market(venue, symbol)
        sign = 1 if side == "bid" else -1
        edge = market.mid * (1 - sign * ratio) / market.spec.tick_usd
        tick = math.ceil(edge * (1 - 1e-9)) if sign > 0 else math.floor(edge * (1 + 1e-9))
        indices, lots = market.book.within(sign, tick - market.book.low)
        prices = (indices + market.book.low) * market.spec.tick_usd
        if market.spec.kind == "inverse":
            usd = lots * market.spec.lot_quote
            return float((usd / prices).sum()), float(usd.sum())
        base = lots * market.spec.lot_base
        return float(base.sum()), float((base * prices).sum())

    def asset_depth_usd(self, asset: str, side: Side, ratio: float) -> float:
        return sum(self.depth(m.spec.venue, m.spec.symbol, side, ratio)[1] for m in self._markets(asset))

    def liquidated_usd(self, position: Position, *, asset: str | None = None, venue: str | None = None) -> float:
        """What the liquidation engines sold or bought in the books, at fill prices."""
        sign = 1 if position == "long" else -1
        return sum(m.liquidated_usd[sign] for m in self._markets(asset) if venue in (None, m.spec.venue))

    def open_interest_usd(self, venue: str, symbol: str) -> float:
        market = self.market(venue, symbol)
        return market.ledger.open_interest * market.spec.worth(market.mid) if market.spec.leveraged else 0.0

    def as_dict(self) -> dict[str, Any]:
        markets = [
            {
                "venue": venue,
                "market": symbol,
                "mid_price": market.mid,
                "mark_price": market.mark,
                "open_interest_usd": self.open_interest_usd(venue, symbol),
                "bid_depth_1pct_usd": self.depth(venue, symbol, "bid", 0.01)[1],
                "ask_depth_1pct_usd": self.depth(venue, symbol, "ask", 0.01)[1],
                "liquidated_long_usd": market.liquidated_usd[1],
                "liquidated_short_usd": market.liquidated_usd[-1],
            }
            for (venue, symbol), market in self._source.world.markets.items()
        ]
        return {
            "scenario": self._source.scenario.name,
            "phase": self.phase,
            "elapsed_seconds": self.elapsed_seconds,
            "markets": markets,
        }

    def _markets(self, asset: str | None) -> list[Market]:
        return [m for m in self._source.world.markets.values() if asset in (None, m.spec.asset)]

"""The state of a process: venues, markets, assets, rates. The hub and its parts share one."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.asset import Asset
from monitor.baselines import Baselines
from monitor.fx import FxRates
from monitor.market import Market
from monitor.venue_state import VenueState


@dataclass(slots=True)
class Holdings:
    """Mutable; the hub alone writes it."""

    baselines: Baselines
    fx: FxRates
    states: dict[str, VenueState] = field(default_factory=dict)
    markets: dict[tuple[str, str], Market] = field(default_factory=dict)  # by venue and symbol
    assets: dict[str, Asset] = field(default_factory=dict)

    def markets_of(self, venue: str) -> list[Market]:
        return [market for (name, _), market in self.markets.items() if name == venue]

"""Frames and REST bodies of Bybit inverse: sizes are US dollars, open interest too, margin tiers count coins and percent."""

from __future__ import annotations

from typing import ClassVar

from monitor.simulator.protocols.bybit_linear_frames import BybitFrames
from monitor.simulator.protocols.bybit_linear_listing import Tier, listed
from monitor.simulator.specs import Size, market_spec

VENUE = "bybit_inverse"
# fmt: off
MARKETS = (
    market_spec(VENUE, "BTC", "BTCUSD", tick="0.1", lot="1", kind="inverse", quote="USD", price_places=2, size=Size(9e6, 6.0e8, 4.0, 120.0)),
    market_spec(VENUE, "ETH", "ETHUSD", tick="0.01", lot="1", kind="inverse", quote="USD", size=Size(5e6, 3.0e8, 3.0, 90.0)),
    market_spec(VENUE, "XRP", "XRPUSD", tick="0.0001", lot="1", kind="inverse", quote="USD", size=Size(2e6, 1.0e8, 2.0, 60.0)),
)
# fmt: on


class BybitInverseFrames(BybitFrames):
    venue: ClassVar[str] = VENUE
    category: ClassVar[str] = "inverse"
    # As the venue's page shows them: coins, percent, and no deduction.
    tiers: ClassVar[tuple[Tier, ...]] = (
        ("150", "0.5", "1", "100.00", ""),
        ("300", "1", "2", "50.00", ""),
    )

    def _listing(self) -> list[dict[str, object]]:
        return [
            listed(symbol, each.spec.asset, each.spec.price_text(1), each.spec.size_text(1), "USD", "InversePerpetual")
            for symbol, each in self.markets.items()
        ]

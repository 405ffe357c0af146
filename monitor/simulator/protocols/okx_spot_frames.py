"""Frames and REST bodies of OKX spot. Sizes are base coins; there is no mark price, funding, open interest or liquidation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from monitor.simulator.market import Market
from monitor.simulator.protocols.frames import Keyed
from monitor.simulator.protocols.okx_swap_frames import OkxFrames
from monitor.simulator.specs import MINOR, Size, market_spec

VENUE = "okx_spot"
CHANNELS = ("books", "trades")
SILENT = ("status", "instruments:SPOT")
# fmt: off
MARKETS = (
    market_spec(VENUE, "BTC", "BTC-USDT", tick="0.1", lot="0.00000001", kind="spot", trimmed=True, size=Size(9e6, 0.0, 6.0, 140.0)),
    market_spec(VENUE, "ETH", "ETH-USDT", tick="0.01", lot="0.000001", kind="spot", trimmed=True, size=Size(5e6, 0.0, 4.0, 110.0)),
    market_spec(VENUE, "SOL", "SOL-USD", tick="0.01", lot="0.000001", kind="spot", quote="USD", trimmed=True, size=Size(1e6, 0.0, 2.0, 40.0)),
    market_spec("okx_spot", "XRP", "XRP-USDT", tick="0.0001", lot="0.000001", kind="spot", trimmed=True, size=MINOR),
    market_spec("okx_spot", "DOGE", "DOGE-USDT", tick="0.00001", lot="0.000001", kind="spot", trimmed=True, size=MINOR),
)
# fmt: on


class OkxSpotFrames(OkxFrames):
    venue: ClassVar[str] = VENUE
    kind: ClassVar[str] = "SPOT"

    def knows(self, key: str) -> bool:
        channel, _, which = key.partition(":")
        return key in SILENT or (channel in CHANNELS and which in self.markets)

    def _figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        yield from ()

    def _liquidations(self, symbol: str, market: Market) -> Iterator[Keyed]:
        yield from ()

    def _listing(self) -> list[dict[str, str]]:
        return [
            {
                "instType": "SPOT",
                "instId": symbol,
                "instFamily": "",
                "uly": "",
                "baseCcy": each.spec.asset,
                "quoteCcy": each.spec.quote,
                "settleCcy": "",
                "ctVal": "",
                "ctMult": "",
                "ctValCcy": "",
                "ctType": "",
                "tickSz": str(each.spec.tick_size),
                "lotSz": f"{each.spec.lot_size:f}",
                "minSz": "0.00001",
                "lever": "10",
                "state": "live",
                "ruleType": "normal",
                "listTime": "1548133413000",
                "expTime": "",
            }
            for symbol, each in self.markets.items()
        ]

"""Frames and REST bodies of Binance USD-M, written from simulated markets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from monitor.simulator.market import Market
from monitor.simulator.protocols.binance_frames import as_json
from monitor.simulator.protocols.binance_futures_frames import BinanceFuturesFrames, contract_row
from monitor.simulator.protocols.binance_usdm import ACCOUNT_RATIO
from monitor.simulator.protocols.frames import next_funding
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, Size, market_spec

MARKETS = (
    market_spec(
        "binance_usdm", "BTC", "BTCUSDT", tick="0.1", lot="0.001", price_places=2, size=Size(55e6, 7.0e9, 24.0, 320.0)
    ),
    market_spec("binance_usdm", "ETH", "ETHUSDT", tick="0.01", lot="0.001", size=Size(30e6, 4.0e9, 14.0, 260.0)),
    market_spec("binance_usdm", "SOL", "SOLUSDT", tick="0.01", lot="0.01", size=SMALL),
    market_spec("binance_usdm", "XRP", "XRPUSDT", tick="0.0001", lot="0.1", size=SMALL),
    market_spec("binance_usdm", "DOGE", "DOGEUSDT", tick="0.00001", lot="1", size=SMALL),
    market_spec("binance_usdm", "BNB", "BNBUSDT", tick="0.01", lot="0.01", size=MINOR),
)


def _row(
    symbol: str, contract: str, status: str, base: str, tick: str, lot: str, quote: str = "USDT"
) -> dict[str, object]:
    pair = symbol.split("_", maxsplit=1)[0]
    return {**contract_row(symbol, pair, contract, base, quote, quote, tick, lot), "status": status}


class BinanceUsdmFrames(BinanceFuturesFrames):
    venue: ClassVar[str] = "binance_usdm"
    api = "/fapi/v1"
    universe = 1
    adjusted: ClassVar[Mapping[str, int]] = {"1000PEPEUSDT": 4, "ETHUSDT": 8}
    others = (
        _row("1000PEPEUSDT", "PERPETUAL", "TRADING", "1000PEPE", "0.0000001", "1"),
        _row("BTCUSDT_261225", "CURRENT_QUARTER", "TRADING", "BTC", "0.1", "0.001"),
        _row("OLDUSDT", "PERPETUAL", "SETTLING", "OLD", "0.0001", "1"),
        _row("TSLAUSDT", "TRADIFI_PERPETUAL", "TRADING", "TSLA", "0.01", "0.01"),
    )

    def pair(self, symbol: str) -> str:
        return symbol

    def mark(self, symbol: str, market: Market) -> str:
        now = self.stamp
        mark, index = market.mark * market.spec.multiplier, market.index * market.spec.multiplier
        return (
            f'{{"e":"markPriceUpdate","E":{now},"s":"{symbol}","p":"{mark:.8f}","i":"{index:.8f}",'
            f'"P":"{index:.8f}","r":"{market.funding_rate:.8f}","ap":"{mark:.8f}","T":{next_funding(now)},"st":1}}'
        )

    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path != ACCOUNT_RATIO:
            return super().rest(path, query)
        symbol = query.get("symbol", "")
        if symbol not in self.markets or query.get("period") != "5m":  # the only one simulated
            return as_json([])
        share = self.long_share(symbol)
        row = {
            "longAccount": f"{share:.4f}",
            "shortAccount": f"{1 - share:.4f}",
            "timestamp": self.stamp // 300_000 * 300_000,
        }
        return as_json([{"symbol": symbol, "longShortRatio": f"{share / (1 - share):.4f}", **row}])

    def listed(self, symbol: str, market: Market) -> Mapping[str, object]:
        spec = market.spec
        return _row(symbol, "PERPETUAL", "TRADING", spec.coin, spec.price_text(1), spec.size_text(1), spec.quote)

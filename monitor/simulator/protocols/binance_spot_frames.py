"""Frames and REST bodies of Binance spot: ids of changes are dense (`U` = `u` before + 1), eight decimals everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.protocols.binance_frames import BinanceFrames, as_json, invalid_symbol
from monitor.simulator.protocols.binance_spot import SYSTEM_STATUS
from monitor.simulator.protocols.frames import VenueClock
from monitor.simulator.source import RestReply
from monitor.simulator.specs import CURRENCY, MINOR, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes

VENUE = "binance_spot"


def _spot(asset: str, symbol: str, tick: str, lot: str, size: Size, quote: str = "USDT") -> MarketSpec:
    return market_spec(
        VENUE, asset, symbol, tick=tick, lot=lot, kind="spot", quote=quote, price_places=8, size_places=8, size=size
    )


MARKETS = (
    _spot("BTC", "BTCUSDT", "0.1", "0.00001", Size(30e6, 0.0, 16.0, 240.0)),
    _spot("ETH", "ETHUSDT", "0.01", "0.0001", Size(16e6, 0.0, 9.0, 180.0)),
    _spot("USDT", "USDTUSD", "0.0001", "1", CURRENCY, quote="USD"),
    _spot("SOL", "SOLUSDT", "0.01", "0.001", MINOR),
    _spot("BNB", "BNBUSDT", "0.01", "0.001", MINOR),
    _spot("XRP", "XRPUSDT", "0.0001", "0.1", MINOR),
    _spot("DOGE", "DOGEUSDT", "0.00001", "1", MINOR),
)


def _row(symbol: str, base: str, quote: str, status: str, tick: str, lot: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000.00000000", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        ],
        "permissions": [],
        "permissionSets": [],
    }


class BinanceSpotFrames(BinanceFrames):
    venue: ClassVar[str] = VENUE
    api = "/api/v3"
    cadences: ClassVar[Mapping[str, int]] = {"depth@100ms": 100, "depth": 1000}
    depth_limits = (5, 10, 20, 50, 100, 500, 1000, 5000)
    market_streams = ("aggTrade", "bookTicker")
    others = (
        _row("1000SATSUSDT", "1000SATS", "USDT", "TRADING", "0.00000001", "1.00000000"),
        _row("OLDUSDT", "OLD", "USDT", "BREAK", "0.00010000", "1.00000000"),
        _row("ETHBTC", "ETH", "BTC", "CANCEL_ONLY", "0.00001000", "0.00010000"),
    )

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self.statuses: dict[str, str] = {}  # of markets that do not trade
        self.maintenance = False

    # -- streams
    def change(self, symbol: str, before: int, last: int, changes: Changes) -> str:
        return (
            f'{{"e":"depthUpdate","E":{self.stamp},"s":"{symbol}","U":{before + 1},"u":{last},'
            f'"b":[{self.rows(symbol, changes.bids)}],"a":[{self.rows(symbol, changes.asks)}]}}'
        )

    def trade(self, symbol: str, number: int, trade: Trade) -> str:
        spec = self.markets[symbol].spec
        return (
            f'{{"e":"aggTrade","E":{self.stamp},"s":"{symbol}","a":{number},"p":"{spec.price_text(trade.tick)}",'
            f'"q":"{spec.size_text(trade.lots)}","f":{number},"l":{number},"T":{self.clock.at(trade.at_ms)},'
            f'"m":{"true" if trade.side < 0 else "false"},"M":true}}'
        )

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path != SYSTEM_STATUS:
            return super().rest(path, query)
        return as_json(
            {"status": 1, "msg": "system maintenance"} if self.maintenance else {"status": 0, "msg": "normal"}
        )

    def exchange_info(self, query: Mapping[str, str]) -> RestReply:
        """Of all markets, or of those in `symbols`: one that does not exist fails the whole request."""
        if "symbols" not in query:
            return super().exchange_info(query)
        every = {str(row["symbol"]): row for row in self.others}
        every |= {symbol: dict(self.listed(symbol, market)) for symbol, market in self.markets.items()}
        wanted = orjson.loads(query["symbols"])
        if not all(symbol in every for symbol in wanted):
            return invalid_symbol()
        return as_json({"timezone": "UTC", "serverTime": self.stamp, "symbols": [every[symbol] for symbol in wanted]})

    def listed(self, symbol: str, market: Market) -> Mapping[str, object]:
        spec = market.spec
        status = self.statuses.get(symbol, "TRADING")
        return _row(symbol, spec.coin, spec.quote, status, spec.price_text(1), spec.size_text(1))

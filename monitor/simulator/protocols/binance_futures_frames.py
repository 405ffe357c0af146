"""What the writers of Binance's two futures markets share: liquidations as a sample, mark price, open interest, funding settings.

`st` says whose an event is on the merged all-market streams: 1 USD-margined, 2 coin-margined.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from monitor.simulator.market import LiquidationPrint, Market, Trade
from monitor.simulator.protocols.binance_frames import BinanceFrames, as_json, invalid_symbol
from monitor.simulator.protocols.frames import Keyed, Standing, VenueClock, next_funding
from monitor.simulator.source import RestReply
from monitor.simulator.streams import Changes

SAMPLE_MS = 1000  # at most one liquidation a symbol in this time: the largest
MERGED_LIQUIDATIONS = "!forceOrder@arr"
LISTINGS = "!contractInfo"


class BinanceFuturesFrames(BinanceFrames):
    """adjusted: symbols whose funding interval (hours) is listed apart."""

    universe: ClassVar[int]
    adjusted: ClassVar[Mapping[str, int]] = {}
    cadences: ClassVar[Mapping[str, int]] = {"depth@100ms": 100, "depth": 250, "depth@500ms": 500}
    depth_limits = (5, 10, 20, 50, 100, 500, 1000)
    market_streams = ("aggTrade", "markPrice", "markPrice@1s", "forceOrder", "bookTicker")

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._sample: dict[str, LiquidationPrint] = {}
        self._sampled_at = dict.fromkeys(self.markets, -SAMPLE_MS)

    @abstractmethod
    def pair(self, symbol: str) -> str:
        """The pair an event names beside the symbol."""

    # -- streams
    def knows(self, key: str) -> bool:
        return key in (LISTINGS, MERGED_LIQUIDATIONS) or super().knows(key)

    def figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        lower = symbol.lower()
        for print_ in market.liquidations:
            held = self._sample.get(symbol)
            if held is None or print_.filled * print_.average > held.filled * held.average:
                self._sample[symbol] = print_
        if symbol in self._sample and self.now_ms - self._sampled_at[symbol] >= SAMPLE_MS:
            self._sampled_at[symbol] = self.now_ms
            frame = self._force_order(symbol, self._sample.pop(symbol))
            yield lower + "@forceOrder", frame
            yield MERGED_LIQUIDATIONS, frame
        if self.now_ms % 1000 == 0:
            frame = self.mark(symbol, market).encode()
            yield lower + "@markPrice@1s", frame
            if self.now_ms % 3000 == 0:
                yield lower + "@markPrice", frame

    @abstractmethod
    def mark(self, symbol: str, market: Market) -> str: ...

    def change(self, symbol: str, before: int, last: int, changes: Changes) -> str:
        """Ids are not dense: the first one of an event is somewhere above the last one before."""
        now, first = self.stamp, before + 1 + before % 7
        return (
            f'{{"e":"depthUpdate","E":{now},"T":{now - 1},"s":"{symbol}","ps":"{self.pair(symbol)}","st":{self.universe},'
            f'"U":{min(first, last)},"u":{last},"pu":{before},'
            f'"b":[{self.rows(symbol, changes.bids)}],"a":[{self.rows(symbol, changes.asks)}]}}'
        )

    def ticker(self, symbol: str, figures: str) -> str:
        now = self.stamp
        tail = f'"T":{now - 1},"E":{now},"ps":"{self.pair(symbol)}","st":{self.universe}'
        return f'{{"e":"bookTicker",{figures},{tail}}}'

    def trade(self, symbol: str, number: int, trade: Trade) -> str:
        spec = self.markets[symbol].spec
        quantity = spec.size_text(trade.lots)
        return (
            f'{{"e":"aggTrade","E":{self.stamp},"a":{number},"s":"{symbol}","p":"{spec.price_text(trade.tick)}",'
            f'"q":"{quantity}","nq":"{quantity}","f":{number},"l":{number},"T":{self.clock.at(trade.at_ms)},'
            f'"m":{"true" if trade.side < 0 else "false"},"st":{self.universe}}}'
        )

    def _force_order(self, symbol: str, print_: LiquidationPrint) -> bytes:
        spec = self.markets[symbol].spec
        size, tick = spec.size_text, spec.tick_usd
        return (
            f'{{"e":"forceOrder","E":{self.stamp},"o":{{"s":"{symbol}","S":"{"SELL" if print_.sign > 0 else "BUY"}",'
            f'"o":"LIMIT","f":"IOC","q":"{size(print_.wanted)}","p":"{spec.price_text(round(print_.bankruptcy / tick))}",'
            f'"ap":"{spec.price_text(round(print_.average / tick))}",'
            f'"X":"{"FILLED" if print_.filled == print_.wanted else "PARTIALLY_FILLED"}","l":"{size(print_.last)}",'
            f'"z":"{size(print_.filled)}","T":{self.clock.at(print_.at_ms)},"ps":"{self.pair(symbol)}","st":{self.universe}}}}}'
        ).encode()

    # -- REST
    def figure(self, name: str, symbol: str) -> RestReply | None:
        if name == "fundingInfo":
            return as_json([_adjusted(each, hours) for each, hours in self.adjusted.items()])
        if name not in ("openInterest", "premiumIndex"):
            return None
        if symbol not in self.markets and (symbol or name == "openInterest"):
            return invalid_symbol()
        if name == "openInterest":
            return as_json(self.interest(symbol, self.markets[symbol]))
        return as_json(self._premium(symbol) if symbol else [self._premium(each) for each in self.markets])

    def interest(self, symbol: str, market: Market) -> dict[str, object]:
        said = market.spec.size_text(market.ledger.open_interest)
        return {"openInterest": said, "symbol": symbol, "time": self.stamp}

    def snapshot_head(self, symbol: str) -> str:
        return f',"E":{self.stamp},"T":{self.stamp - 1}'

    @classmethod
    def standing_reply(cls, path: str, query: Mapping[str, str], book: Standing) -> RestReply | None:
        most, now = max(cls.depth_limits), book.time_ms
        head = {"lastUpdateId": book.last_id, "E": now, "T": now}
        return as_json({**head, "bids": book.bids[:most], "asks": book.asks[:most]})

    def _premium(self, symbol: str) -> dict[str, object]:
        market, now = self.markets[symbol], self.stamp
        return {
            "symbol": symbol,
            "markPrice": f"{market.mark * market.spec.multiplier:.8f}",
            "indexPrice": f"{market.index * market.spec.multiplier:.8f}",
            "estimatedSettlePrice": f"{market.index * market.spec.multiplier:.8f}",
            "lastFundingRate": f"{market.funding_rate:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": next_funding(now),
            "time": now,
        }


def contract_row(
    symbol: str, pair: str, contract: str, base: str, quote: str, margin: str, tick: str, lot: str
) -> dict[str, object]:
    """What both listings say alike."""
    return {
        "symbol": symbol,
        "pair": pair,
        "contractType": contract,
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": margin,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "underlyingType": "COIN",
        "liquidationFee": "0.012500",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "stepSize": lot, "minQty": lot, "maxQty": "1000"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK"],
    }


def _adjusted(symbol: str, hours: int) -> dict[str, object]:
    return {
        "symbol": symbol,
        "adjustedFundingRateCap": "0.025",
        "adjustedFundingRateFloor": "-0.025",
        "fundingIntervalHours": hours,
    }

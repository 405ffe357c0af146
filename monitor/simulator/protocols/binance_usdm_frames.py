"""Frames and REST bodies of Binance USD-M, written from simulated markets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import Keyed, VenueClock, VenueFrames, next_funding
from monitor.simulator.source import RestReply
from monitor.simulator.streams import Changes, DiffStream, Row

CADENCES_MS = {"depth@100ms": 100, "depth": 250, "depth@500ms": 500}
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
SAMPLE_MS = 1000  # at most one liquidation a symbol in this time: the largest
MARKET_STREAMS = ("aggTrade", "markPrice", "markPrice@1s", "forceOrder")
SILENT = ("!contractInfo",)
MERGED_LIQUIDATIONS = "!forceOrder@arr"
FIRST_ID = 9_000_000_000_000
# Listed besides the simulated markets, so that a client meets what it must leave out.
OTHERS = (
    ("1000PEPEUSDT", "PERPETUAL", "TRADING", "1000PEPE", "0.0000001", "1"),
    ("BTCUSDT_261225", "CURRENT_QUARTER", "TRADING", "BTC", "0.1", "0.001"),
    ("OLDUSDT", "PERPETUAL", "SETTLING", "OLD", "0.0001", "1"),
    ("TSLAUSDT", "TRADIFI_PERPETUAL", "TRADING", "TSLA", "0.01", "0.01"),
)


class _Depth:
    """One symbol's change stream at one cadence."""

    __slots__ = ("book", "every", "last")

    def __init__(self, market: Market, every: int, last: int) -> None:
        self.book, self.every, self.last = DiffStream(market.book), every, last


class BinanceFrames(VenueFrames):
    venue: ClassVar[str] = "binance_usdm"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._ids = dict.fromkeys(self.markets, FIRST_ID)
        self._depth = {
            symbol: {"depth@100ms": _Depth(market, 100, FIRST_ID)} for symbol, market in self.markets.items()
        }
        self._trade_ids = dict.fromkeys(self.markets, 3_000_000_000)
        self._sample: dict[str, LiquidationPrint] = {}
        self._sampled_at = dict.fromkeys(self.markets, -SAMPLE_MS)

    # -- streams
    def knows(self, key: str) -> bool:
        if key in SILENT or key == MERGED_LIQUIDATIONS:
            return True
        name, _, stream = key.partition("@")
        known = name.upper() in self.markets and name == name.lower()
        return known and (stream in CADENCES_MS or stream in MARKET_STREAMS or stream == "bookTicker")

    def opening(self, key: str) -> list[bytes]:
        name, _, stream = key.partition("@")
        symbol = name.upper()
        if stream in CADENCES_MS and symbol in self.markets and stream not in self._depth[symbol]:
            self._depth[symbol][stream] = _Depth(self.markets[symbol], CADENCES_MS[stream], self._ids[symbol])
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            lower = symbol.lower()
            yield from self._trades(symbol, lower, market)
            changed = touched[symbol]
            if len(changed):
                self._ids[symbol] += 20 + 3 * len(changed)
                yield lower + "@bookTicker", self._ticker(symbol, market)
            for name, depth in self._depth[symbol].items():
                depth.book.collect(changed)
                if now_ms % depth.every == 0:
                    changes = depth.book.flush()
                    if changes:
                        yield f"{lower}@{name}", self._update(symbol, depth, changes)
            yield from self._liquidations(symbol, lower, market)
            if now_ms % 1000 == 0:
                frame = self._mark(symbol, market)
                yield lower + "@markPrice@1s", frame
                if now_ms % 3000 == 0:
                    yield lower + "@markPrice", frame

    def cross(self, symbol: str) -> None:
        for depth in self._depth[symbol].values():
            depth.book.cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """The venue says nothing; the chain simply breaks."""
        self._ids[symbol] += 1_000_000
        for depth in self._depth[symbol].values():
            depth.last = self._ids[symbol]
        return []

    def _update(self, symbol: str, depth: _Depth, changes: Changes) -> bytes:
        now, last, first = self.stamp, self._ids[symbol], depth.last + 1 + depth.last % 7
        before, depth.last = depth.last, last
        return (
            f'{{"e":"depthUpdate","E":{now},"T":{now - 1},"s":"{symbol}","ps":"{symbol}","st":1,"U":{first},"u":{last},'
            f'"pu":{before},"b":[{self._rows(symbol, changes.bids)}],"a":[{self._rows(symbol, changes.asks)}]}}'
        ).encode()

    def _rows(self, symbol: str, rows: Sequence[Row]) -> str:
        spec = self.markets[symbol].spec
        price, size = spec.price_text, spec.size_text
        return ",".join([f'["{price(tick)}","{size(lots)}"]' for tick, lots in rows])

    def _ticker(self, symbol: str, market: Market) -> bytes:
        spec, book, now = market.spec, market.book, self.stamp
        bid, ask = book.best_bid, min(book.best_ask, book.size - 1)
        return (
            f'{{"e":"bookTicker","u":{self._ids[symbol]},"s":"{symbol}","b":"{spec.price_text(book.low + bid)}",'
            f'"B":"{spec.size_text(abs(int(book.lots[bid])))}","a":"{spec.price_text(book.low + ask)}",'
            f'"A":"{spec.size_text(abs(int(book.lots[ask])))}","T":{now - 1},"E":{now},"ps":"{symbol}","st":1}}'
        ).encode()

    def _trades(self, symbol: str, lower: str, market: Market) -> Iterator[Keyed]:
        spec, now = market.spec, self.stamp
        for trade in market.trades:
            self._trade_ids[symbol] += 1
            number, quantity = self._trade_ids[symbol], spec.size_text(trade.lots)
            yield (
                lower + "@aggTrade",
                (
                    f'{{"e":"aggTrade","E":{now},"a":{number},"s":"{symbol}","p":"{spec.price_text(trade.tick)}",'
                    f'"q":"{quantity}","nq":"{quantity}","f":{number},"l":{number},"T":{self.clock.at(trade.at_ms)},'
                    f'"m":{"true" if trade.side < 0 else "false"},"st":1}}'
                ).encode(),
            )

    def _liquidations(self, symbol: str, lower: str, market: Market) -> Iterator[Keyed]:
        for print_ in market.liquidations:
            held = self._sample.get(symbol)
            if held is None or print_.filled * print_.average > held.filled * held.average:
                self._sample[symbol] = print_
        if symbol in self._sample and self.now_ms - self._sampled_at[symbol] >= SAMPLE_MS:
            self._sampled_at[symbol] = self.now_ms
            frame = self._force_order(symbol, self._sample.pop(symbol))
            yield lower + "@forceOrder", frame
            yield MERGED_LIQUIDATIONS, frame

    def _force_order(self, symbol: str, print_: LiquidationPrint) -> bytes:
        spec = self.markets[symbol].spec
        size, tick = spec.size_text, spec.tick_usd
        return (
            f'{{"e":"forceOrder","E":{self.stamp},"o":{{"s":"{symbol}","S":"{"SELL" if print_.sign > 0 else "BUY"}",'
            f'"o":"LIMIT","f":"IOC","q":"{size(print_.wanted)}","p":"{spec.price_text(round(print_.bankruptcy / tick))}",'
            f'"ap":"{spec.price_text(round(print_.average / tick))}",'
            f'"X":"{"FILLED" if print_.filled == print_.wanted else "PARTIALLY_FILLED"}","l":"{size(print_.last)}",'
            f'"z":"{size(print_.filled)}","T":{self.clock.at(print_.at_ms)},"ps":"{symbol}","st":1}}}}'
        ).encode()

    def _mark(self, symbol: str, market: Market) -> bytes:
        now = self.stamp
        return (
            f'{{"e":"markPriceUpdate","E":{now},"s":"{symbol}","p":"{market.mark:.8f}","i":"{market.index:.8f}",'
            f'"P":"{market.index:.8f}","r":"{market.funding_rate:.8f}","ap":"{market.mark:.8f}","T":{next_funding(now)},"st":1}}'
        ).encode()

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        match path:
            case "/fapi/v1/ping":
                return RestReply(200, b"{}")
            case "/fapi/v1/time":
                return as_json({"serverTime": self.stamp})
            case "/fapi/v1/exchangeInfo":
                return as_json(self._exchange_info())
            case "/fapi/v1/fundingInfo":
                return as_json(
                    [_adjusted("1000PEPEUSDT", 4), *(_adjusted(s, 8) for s in self.markets if s == "ETHUSDT")]
                )
            case "/fapi/v1/depth" | "/fapi/v1/openInterest":
                symbol = query.get("symbol", "")
                if symbol not in self.markets:
                    return as_json({"code": -1121, "msg": "Invalid symbol."}, 400)
                return (
                    self._book(symbol, query.get("limit", "500")) if path.endswith("depth") else self._interest(symbol)
                )
            case "/fapi/v1/premiumIndex":
                symbol = query.get("symbol", "")
                if symbol and symbol not in self.markets:
                    return as_json({"code": -1121, "msg": "Invalid symbol."}, 400)
                return as_json(self._premium(symbol) if symbol else [self._premium(each) for each in self.markets])
        return None

    def _book(self, symbol: str, limit: str) -> RestReply:
        if not limit.isdigit() or int(limit) not in DEPTH_LIMITS:
            return as_json({"code": -4021, "msg": f"'{limit}' is not valid depth limit."}, 400)
        book, now = self.markets[symbol].book, self.stamp
        sides = [
            self._rows(symbol, [(book.low + i, abs(int(book.lots[i]))) for i in book.top(sign, int(limit)).tolist()])
            for sign in (1, -1)
        ]
        return RestReply(
            200,
            f'{{"lastUpdateId":{self._ids[symbol]},"E":{now},"T":{now - 1},"bids":[{sides[0]}],"asks":[{sides[1]}]}}'.encode(),
        )

    def _interest(self, symbol: str) -> RestReply:
        market = self.markets[symbol]
        return as_json(
            {
                "openInterest": market.spec.size_text(market.ledger.open_interest),
                "symbol": symbol,
                "time": self.stamp,
            }
        )

    def _premium(self, symbol: str) -> dict[str, object]:
        market, now = self.markets[symbol], self.stamp
        return {
            "symbol": symbol,
            "markPrice": f"{market.mark:.8f}",
            "indexPrice": f"{market.index:.8f}",
            "estimatedSettlePrice": f"{market.index:.8f}",
            "lastFundingRate": f"{market.funding_rate:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": next_funding(now),
            "time": now,
        }

    def _exchange_info(self) -> dict[str, object]:
        rows = [
            listed(s, "PERPETUAL", "TRADING", m.spec.asset, m.spec.price_text(1), m.spec.size_text(1))
            for s, m in self.markets.items()
        ]
        rows += [listed(*other) for other in OTHERS]
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}
        return {
            "timezone": "UTC",
            "serverTime": self.stamp,
            "rateLimits": [limit],
            "exchangeFilters": [],
            "symbols": rows,
        }


def listed(
    symbol: str, contract: str, status: str, base: str, tick: str, lot: str, quote: str = "USDT"
) -> dict[str, object]:
    return {
        "symbol": symbol,
        "pair": symbol.split("_", maxsplit=1)[0],
        "contractType": contract,
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": status,
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
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


def as_json(value: object, status: int = 200) -> RestReply:
    return RestReply(status, orjson.dumps(value))

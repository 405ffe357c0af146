"""Frames and REST bodies of Bitget USDT perpetuals (v3), written from simulated markets. Sizes are coins, liquidations quote amounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.bitget_usdt import rest_body
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, Standing, VenueClock, VenueFrames, next_funding
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream

LEVELS = 1000
BOOK_MS = 50
TICKER_MS = 100
SAMPLE_MS = 1_000  # at most one liquidation a symbol and side in this time: the largest
FIRST_ID = 427_583_461_144
STEP_OF_IDS = 4_800
HISTORY = 5  # trades that a new subscriber gets as a snapshot
PER_MARKET = ("books", "publicTrade", "ticker")
LIQUIDATION = "liquidation"
# Value, maintenance ratio, leverage.
TIERS = (("0", "150000", "0.004", "125"), ("150000", "1000000", "0.005", "100"), ("1000000", "3000000", "0.01", "50"))
# fmt: off
MARKETS = (
    market_spec("bitget_usdt", "BTC", "BTCUSDT", tick="0.1", lot="0.0001", trimmed=True, size=Size(18e6, 2.2e9, 8.0, 170.0)),
    market_spec("bitget_usdt", "ETH", "ETHUSDT", tick="0.01", lot="0.01", trimmed=True, size=Size(9e6, 1.1e9, 5.0, 150.0)),
    market_spec("bitget_usdt", "PEPE", "1000PEPEUSDT", tick="0.0000001", lot="1", multiplier=1000, trimmed=True, size=SMALL),
    market_spec("bitget_usdt", "SOL", "SOLUSDT", tick="0.01", lot="0.1", trimmed=True, size=MINOR),
    market_spec("bitget_usdt", "XRP", "XRPUSDT", tick="0.0001", lot="1", trimmed=True, size=MINOR),
)
# fmt: on


class BitgetFrames(VenueFrames):
    venue: ClassVar[str] = "bitget_usdt"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._windows = {symbol: WindowStream(market.book, LEVELS) for symbol, market in self.markets.items()}
        self._ids = dict.fromkeys(self.markets, FIRST_ID)
        self._prints: dict[tuple[str, int], LiquidationPrint] = {}
        self._history: dict[str, list[dict[str, str]]] = {symbol: [] for symbol in self.markets}
        self._trade = 1_432_912_488_536_195_072

    # -- streams
    def knows(self, key: str) -> bool:
        topic, _, symbol = key.partition(":")
        return key == LIQUIDATION or (topic in PER_MARKET and symbol in self.markets)

    def opening(self, key: str) -> list[bytes]:
        topic, _, symbol = key.partition(":")
        match topic:
            case "books":
                return [self._book(symbol, "snapshot", self._windows[symbol].levels(), 0)]
            case "publicTrade":
                return [self._said("snapshot", topic, symbol, self._history[symbol])] if self._history[symbol] else []
            case "ticker":
                return [self._ticker(self.markets[symbol])]
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            if market.trades:
                yield f"publicTrade:{symbol}", self._trades(symbol, market)
            if now_ms % BOOK_MS == 0 and (changes := self._windows[symbol].flush()):
                before = self._ids[symbol]
                self._ids[symbol] += STEP_OF_IDS + len(touched[symbol])
                yield f"books:{symbol}", self._book(symbol, "update", changes, before)
            if now_ms % TICKER_MS == 0:
                yield f"ticker:{symbol}", self._ticker(market)
            for each in market.liquidations:
                kept = self._prints.get((symbol, each.sign))
                if kept is None or each.filled > kept.filled:
                    self._prints[symbol, each.sign] = each
        if now_ms % SAMPLE_MS == 0 and self._prints:
            yield LIQUIDATION, self._liquidations()

    def _said(self, action: str, topic: str, symbol: str, data: Sequence[Mapping[str, object]]) -> bytes:
        arg = {"instType": "usdt-futures", "topic": topic} | ({"symbol": symbol} if symbol else {})
        return orjson.dumps({"action": action, "arg": arg, "data": data, "ts": self.stamp})

    def _book(self, symbol: str, action: str, rows: Changes, before: int) -> bytes:
        return (
            f'{{"action":"{action}","arg":{{"instType":"usdt-futures","topic":"books","symbol":"{symbol}"}},"data":[{{'
            f'"a":[{self._rows(symbol, rows.asks)}],"b":[{self._rows(symbol, rows.bids[::-1])}],'
            f'"seq":{self._ids[symbol]},"pseq":{before},"ts":"{self.stamp - 2}","maxdepth":"{LEVELS}"}}],"ts":{self.stamp}}}'
        ).encode()

    def _rows(self, symbol: str, rows: Sequence[Row]) -> str:
        spec = self.markets[symbol].spec
        return ",".join([f'["{spec.price_text(t)}","{spec.size_text(q)}"]' for t, q in rows])

    def _trades(self, symbol: str, market: Market) -> bytes:
        spec, rows = market.spec, []
        for trade in market.trades:
            self._trade += 1
            rows.append(
                {
                    "i": str(self._trade),
                    "p": spec.price_text(trade.tick),
                    "v": spec.size_text(trade.lots),
                    "S": "buy" if trade.side > 0 else "sell",
                    "T": str(self.clock.at(trade.at_ms)),
                    "L": str(self._trade + 1),
                    "isRPI": "no",
                }
            )
        self._history[symbol] = (self._history[symbol] + rows)[-HISTORY:]
        return self._said("update", "publicTrade", symbol, rows)

    def _ticker(self, market: Market) -> bytes:
        spec, interest = market.spec, market.ledger.open_interest

        def price(value: float) -> str:
            return spec.price_text(round(value / spec.tick_usd))

        row = {
            "lastPrice": price(market.last),
            "markPrice": price(market.mark),
            "indexPrice": price(market.index),
            "fundingRate": f"{market.funding_rate:.8f}",
            "nextFundingTime": str(next_funding(self.stamp)),
            "openInterest": spec.size_text(interest),
        }
        return self._said("snapshot", "ticker", spec.symbol, [row])

    def _liquidations(self) -> bytes:
        rows = []
        for (symbol, sign), each in self._prints.items():
            spec = self.markets[symbol].spec
            text = spec.price_text(round(each.bankruptcy / spec.tick_usd))
            rows.append(
                {
                    "symbol": symbol,
                    "side": "buy" if sign > 0 else "sell",  # of the position
                    "price": text,
                    "amount": f"{float(text) * each.filled * float(spec.lot_size):.6f}",  # quote currency
                    "ts": str(self.clock.at(each.at_ms)),
                }
            )
        self._prints.clear()
        return self._said("update", LIQUIDATION, "", rows)

    def cross(self, symbol: str) -> None:
        self._windows[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """A reset by the server: an update that links to nothing (pseq 0)."""
        self._ids[symbol] += STEP_OF_IDS
        return [(f"books:{symbol}", self._book(symbol, "update", Changes([], []), 0))]

    # -- a recording
    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        ids = {"seq": book.last_id, "pseq": 0, "ts": str(book.time_ms), "maxdepth": str(LEVELS)}
        data = {"a": book.asks, "b": book.bids, **ids}
        arg = {"instType": "usdt-futures", "topic": "books", "symbol": book.symbol}
        return [orjson.dumps({"action": "snapshot", "arg": arg, "data": [data], "ts": book.time_ms})]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        symbol = query.get("symbol", "")
        if path not in ("/api/v3/market/instruments", "/api/v3/market/position-tier"):
            return None
        if query.get("category") != "USDT-FUTURES":
            return self._error("40034", "Parameter category error")
        if symbol and symbol not in self.markets:
            return self._error("40034", f"Parameter {symbol} does not exist")
        if path.endswith("position-tier"):
            if not symbol:
                return self._error("40019", "Parameter symbol cannot be empty")
            rows = [
                {"tier": str(at), "minTierValue": low, "maxTierValue": high, "leverage": leverage, "mmr": ratio}
                for at, (low, high, ratio, leverage) in enumerate(TIERS, 1)
            ]
            return self._reply(rows)
        rows = [
            listed(s, market.spec.coin, market.spec.price_text(1), market.spec.size_text(1))
            for s, market in self.markets.items()
            if symbol in ("", s)
        ]
        if self.lists_others and not symbol:
            rows.append(listed("SIMUSDT", "SIM", "0.001", "1", status="offline"))
            rows.append({**listed("BTCUSDT", "BTC", "0.1", "0.001"), "symbol": "BTCUSDTH27", "type": "delivery"})
        return self._reply(rows)

    def _reply(self, data: object) -> RestReply:
        return RestReply(200, rest_body("00000", "success", data, self.stamp))

    def _error(self, code: str, text: str) -> RestReply:
        return RestReply(400, rest_body(code, text, None, self.stamp))


def listed(symbol: str, base: str, tick: str, lot: str, status: str = "online") -> dict[str, str]:
    return {
        "symbol": symbol,
        "category": "USDT-FUTURES",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "priceMultiplier": tick,
        "quantityMultiplier": lot,
        "pricePrecision": str(len(tick.partition(".")[2])),
        "quantityPrecision": str(len(lot.partition(".")[2])),
        "minOrderQty": lot,
        "status": status,
        "type": "perpetual",
        "symbolType": "crypto",
        "fundInterval": str(FUNDING_HOURS),
        "maxLeverage": "125",
        "isRwa": "NO",
    }

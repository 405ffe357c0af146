"""Frames and REST bodies of dYdX's indexer, written from simulated markets. What the socket adds (its name, a number) is the front's.

A change is told one side at a time, bids first, so that the book may stand crossed in between. Trades are told with their block, about
once a second, and all have its time.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, Standing, TextRow, VenueClock, VenueFrames
from monitor.simulator.source import RestReply
from monitor.simulator.specs import SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import DiffStream, Row, standing

BLOCK_MS = 1_000
FIGURES_MS = 5_000  # funding and open interest
HISTORY = 100  # trades that begin a subscription, newest first
FIRST_HEIGHT = 63_000_000
ADDED = re.compile(rb'"connection_id":"[^"]*","message_id":\d+,')

MARKETS = (
    market_spec("dydx", "BTC", "BTC-USD", tick="1", lot="0.0001", quote="USD", size=SMALL),
    market_spec("dydx", "ETH", "ETH-USD", tick="0.1", lot="0.001", quote="USD", size=Size(3e6, 1e8, 3.0, 80.0)),
    market_spec("dydx", "SOL", "SOL-USD", tick="0.01", lot="0.1", quote="USD", size=Size(1e6, 2e7, 1.5, 40.0)),
)


class DydxFrames(VenueFrames):
    venue: ClassVar[str] = "dydx"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._books = {symbol: DiffStream(market.book) for symbol, market in self.markets.items()}
        self._fresh: dict[str, list[tuple[Trade, str]]] = {
            symbol: [] for symbol in self.markets
        }  # of the running block
        self._history: dict[str, deque[str]] = {symbol: deque(maxlen=HISTORY) for symbol in self.markets}
        self._fills = 0
        self._height = FIRST_HEIGHT
        self._made = self._moment  # when the block of that height was

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, symbol = key.partition(":")
        return key in ("v4_markets", "v4_block_height") or (
            channel in ("v4_orderbook", "v4_trades") and symbol in self.markets
        )

    def opening(self, key: str) -> list[bytes]:
        channel, _, symbol = key.partition(":")
        if channel == "v4_orderbook":
            return [self._book(symbol)]
        if channel == "v4_trades":
            rows = ",".join(reversed(self._history[symbol]))
            return [_subscribed(channel, symbol, f'{{"trades":[{rows}]}}')]
        if channel == "v4_markets":
            return [_subscribed(channel, "", _text({"markets": self._listed()}))]
        return [_subscribed(channel, "", _text({"height": str(self._height), "time": self._made}))]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            spec, stream = market.spec, self._books[symbol]
            forced = {each.order for each in market.liquidations}
            self._fresh[symbol] += [
                (trade, "LIQUIDATED" if trade.order in forced else "LIMIT") for trade in market.trades
            ]
            stream.collect(touched[symbol])
            changes = stream.flush()
            for side, rows in zip(("bids", "asks"), changes.best_first, strict=True):
                if rows:
                    yield (
                        f"v4_orderbook:{symbol}",
                        _data("v4_orderbook", symbol, f'{{"{side}":[{_pairs(spec, rows)}]}}'),
                    )
        if now_ms % BLOCK_MS == 0:
            yield from self._block()

    def _block(self) -> Iterator[Keyed]:
        self._height += 1
        self._made = self._moment
        height = {"blockHeight": str(self._height), "time": self._made}
        yield "v4_block_height", _data("v4_block_height", "", _text(height))
        for symbol in self.markets:
            rows = [self._trade(self.markets[symbol].spec, trade, kind) for trade, kind in self._fresh[symbol]]
            self._fresh[symbol].clear()
            self._history[symbol].extend(rows)
            if rows:
                yield f"v4_trades:{symbol}", _data("v4_trades", symbol, f'{{"trades":[{",".join(rows)}]}}')
        told = {"effectiveAt": self._moment, "effectiveAtHeight": str(self._height), "marketId": 0}
        prices = {symbol: {"oraclePrice": _price(market), **told} for symbol, market in self.markets.items()}
        yield "v4_markets", _data("v4_markets", "", _text({"oraclePrices": prices}))
        if self.now_ms % FIGURES_MS == 0:
            figures = {symbol: _figures(market) for symbol, market in self.markets.items()}
            yield "v4_markets", _data("v4_markets", "", _text({"trading": figures}))

    def cross(self, symbol: str) -> None:
        self._books[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """A restart of the indexer ends its sockets (the fault `disconnect`); of anything behind it nothing is told."""
        return []

    def _book(self, symbol: str) -> bytes:
        market = self.markets[symbol]
        price, size = market.spec.price_text, market.spec.size_text
        rows = standing(market.book).best_first
        bids, asks = ([(price(tick), size(lots)) for tick, lots in side] for side in rows)
        return snapshot_frame(symbol, bids, asks)

    def _trade(self, spec: MarketSpec, trade: Trade, kind: str) -> str:
        self._fills += 1
        return (
            f'{{"id":"{self._height:016x}{self._fills:08x}","side":"{"BUY" if trade.side > 0 else "SELL"}",'
            f'"size":"{spec.size_text(trade.lots)}","price":"{spec.price_text(trade.tick)}","type":"{kind}",'
            f'"createdAt":"{self._moment}","createdAtHeight":"{self._height}"}}'
        )

    @property
    def _moment(self) -> str:
        now = datetime.fromtimestamp(self.stamp // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{now}.{self.stamp % 1000:03d}Z"

    # -- serving a recording
    @classmethod
    def recorded(cls, key: str, data: bytes) -> tuple[str, bytes]:
        return key, ADDED.sub(b"", data, count=1)

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        return [snapshot_frame(book.symbol, book.bids, book.asks)] if key.startswith("v4_orderbook:") else []

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path == "/v4/perpetualMarkets":
            return RestReply(200, _text({"markets": self._listed()}).encode())
        if path == "/v4/height":
            return RestReply(200, _text({"height": str(self._height), "time": self._moment}).encode())
        symbol = path.removeprefix("/v4/orderbooks/perpetualMarket/")
        if symbol not in self.markets:
            return None
        return RestReply(200, self._book(symbol).partition(b'"contents":')[2][:-1])

    def _listed(self) -> dict[str, object]:
        rows: dict[str, object] = {symbol: _listing(market) for symbol, market in self.markets.items()}
        if self.lists_others:
            market = next(iter(self.markets.values()))
            for name, status in (
                ("LUNA-USD", "FINAL_SETTLEMENT"),
                ("FLY,raydium,8x5VqbHA8D7NkD52uNuS5nnt-USD", "ACTIVE"),
            ):
                rows[name] = {**_listing(market), "ticker": name, "status": status}
        return rows


def snapshot_frame(symbol: str, bids: Sequence[TextRow], asks: Sequence[TextRow]) -> bytes:
    sides = [",".join([f'{{"price":"{price}","size":"{size}"}}' for price, size in side]) for side in (bids, asks)]
    return _subscribed("v4_orderbook", symbol, f'{{"bids":[{sides[0]}],"asks":[{sides[1]}]}}')


def _subscribed(channel: str, symbol: str, contents: str) -> bytes:
    name = f'"id":"{symbol}",' if symbol else ""
    return f'{{"type":"subscribed","channel":"{channel}",{name}"contents":{contents}}}'.encode()


def _data(channel: str, symbol: str, contents: str) -> bytes:
    name = f'"id":"{symbol}",' if symbol else ""
    return f'{{"type":"channel_data",{name}"channel":"{channel}","version":"1.0.0","contents":{contents}}}'.encode()


def _pairs(spec: MarketSpec, rows: Sequence[Row]) -> str:
    return ",".join(f'["{spec.price_text(tick)}","{spec.size_text(lots)}"]' for tick, lots in rows)


def _price(market: Market) -> str:
    return f"{market.index:.7f}".rstrip("0").rstrip(".")


def _figures(market: Market) -> dict[str, object]:
    return {
        "nextFundingRate": f"{market.funding_rate / FUNDING_HOURS:.20f}",
        "openInterest": market.spec.size_text(market.ledger.open_interest),
        "trades24H": 63_065,
    }


def _listing(market: Market) -> dict[str, object]:
    spec = market.spec
    return {
        "clobPairId": "0",
        "ticker": spec.symbol,
        "status": "ACTIVE",
        "oraclePrice": _price(market),
        "priceChange24H": "701.10762",
        "volume24H": "247500844.6834",
        **_figures(market),
        "initialMarginFraction": "0.02",
        "maintenanceMarginFraction": "0.012",
        "atomicResolution": -10,
        "quantumConversionExponent": -9,
        "tickSize": str(spec.tick_size),
        "stepSize": str(spec.lot_size),
        "stepBaseQuantums": 1_000_000,
        "subticksPerTick": 100_000,
        "marketType": "CROSS",
        "openInterestLowerCap": "0",
        "openInterestUpperCap": "0",
        "baseOpenInterest": "782.0931",
        "defaultFundingRate1H": "0",
    }


def _text(value: object) -> str:
    return orjson.dumps(value).decode()

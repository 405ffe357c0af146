"""Frames and REST bodies of Kraken Futures, written from simulated markets.

One level a book frame, and each frame moves the product's `seq` by one. PF sizes are coins, PI sizes are dollars. Liquidations stand
among the trades as `type`: the side is that of the forced order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, Standing, TextRow, VenueClock, VenueFrames
from monitor.simulator.protocols.histories import between, kraken_futures
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, DiffStream, singles, standing

TICKER_MS = 1_000  # at most one a second and product
HOUR_MS = 3_600_000
HISTORY = 100  # trades that begin a subscription, newest first
FIRST_SEQ, FIRST_TRADE = 326_072_249, 653_355
BASE = "/derivatives/api/v3"
CHARTS = "/api/charts/v1/trade/"

MARKETS = (
    market_spec("kraken_futures", "BTC", "PF_XBTUSD", tick="1", lot="0.0001", quote="USD", size=SMALL),
    market_spec("kraken_futures", "ETH", "PF_ETHUSD", tick="0.1", lot="0.001", quote="USD", size=Size(3e6, 2e8, 3.0, 80.0)),
    market_spec("kraken_futures", "BTC", "PI_XBTUSD", tick="2.5", lot="1", kind="inverse", quote="USD", size=Size(4e6, 1e8, 1.5, 40.0)),
    market_spec("kraken_futures", "SOL", "PF_SOLUSD", tick="0.01", lot="0.01", quote="USD", size=MINOR),
    market_spec("kraken_futures", "XRP", "PF_XRPUSD", tick="0.00001", lot="1", quote="USD", size=MINOR),
)  # fmt: skip


class KrakenFuturesFrames(VenueFrames):
    venue: ClassVar[str] = "kraken_futures"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._books = {symbol: DiffStream(market.book) for symbol, market in self.markets.items()}
        self._seqs = dict.fromkeys(self.markets, FIRST_SEQ)
        self._trades = dict.fromkeys(self.markets, FIRST_TRADE)
        self._history: dict[str, deque[str]] = {symbol: deque(maxlen=HISTORY) for symbol in self.markets}

    # -- streams
    def knows(self, key: str) -> bool:
        feed, _, symbol = key.partition(":")
        return feed in ("book", "trade", "ticker") and symbol in self.markets

    def opening(self, key: str) -> list[bytes]:
        feed, _, symbol = key.partition(":")
        market = self.markets[symbol]
        if feed == "book":
            return [self._snapshot(market.spec, standing(market.book))]
        if feed == "ticker":
            return [self._ticker(market)]
        rows = ",".join(reversed(self._history[symbol]))
        return [f'{{"feed":"trade_snapshot","product_id":"{symbol}","trades":[{rows}]}}'.encode()]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            forced = {each.order for each in market.liquidations}
            for trade in market.trades:
                row = self._trade(market.spec, trade, forced=trade.order in forced)
                self._history[symbol].append(row)
                yield f"trade:{symbol}", row.encode()
            self._books[symbol].collect(touched[symbol])
            for sign, tick, lots in singles(self._books[symbol].flush()):
                yield f"book:{symbol}", self._delta(market.spec, sign, tick, lots)
            if now_ms % TICKER_MS == 0:
                yield f"ticker:{symbol}", self._ticker(market)

    def cross(self, symbol: str) -> None:
        self._books[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: the products begin at another number."""
        self._seqs[symbol] += 1_000_000
        return []

    def _snapshot(self, spec: MarketSpec, rows: Changes) -> bytes:
        price, size = spec.price_text, spec.size_text
        bids, asks = ([(price(tick), size(lots)) for tick, lots in side] for side in rows.best_first)
        return snapshot_frame(spec.symbol, bids, asks, self._seqs[spec.symbol], self.stamp)

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("book:"):
            return []
        return [snapshot_frame(book.symbol, book.bids, book.asks, book.last_id, book.time_ms)]

    def _delta(self, spec: MarketSpec, sign: int, tick: int, lots: int) -> bytes:
        self._seqs[spec.symbol] += 1
        return (
            f'{{"feed":"book","product_id":"{spec.symbol}","side":"{"buy" if sign > 0 else "sell"}",'
            f'"seq":{self._seqs[spec.symbol]},"price":{spec.price_text(tick)},"qty":{spec.size_text(lots)},'
            f'"timestamp":{self.stamp}}}'
        ).encode()

    def _trade(self, spec: MarketSpec, trade: Trade, *, forced: bool) -> str:
        self._trades[spec.symbol] += 1
        number = self._trades[spec.symbol]
        return (
            f'{{"feed":"trade","product_id":"{spec.symbol}","uid":"{UUID(int=number)}",'
            f'"side":"{"buy" if trade.side > 0 else "sell"}","type":"{"liquidation" if forced else "fill"}","seq":{number},'
            f'"time":{self.clock.at(trade.at_ms)},"qty":{spec.size_text(trade.lots)},"price":{spec.price_text(trade.tick)}}}'
        )

    def _ticker(self, market: Market) -> bytes:
        spec, book, now = market.spec, market.book, self.stamp
        hourly = market.funding_rate / FUNDING_HOURS
        money = hourly / market.mark if spec.kind == "inverse" else hourly * market.mark
        bid, ask = max(0, book.best_bid), min(book.best_ask, book.size - 1)
        row = {
            "time": now,
            "product_id": spec.symbol,
            "funding_rate": money,
            "funding_rate_prediction": money,
            "relative_funding_rate": hourly,
            "relative_funding_rate_prediction": hourly,
            "next_funding_rate_time": (now // HOUR_MS + 1) * HOUR_MS,
            "feed": "ticker",
            "bid": market.price(bid),
            "ask": market.price(ask),
            "dtm": 0,
            "leverage": "50x",
            "index": market.index,
            "last": market.last,
            "suspended": False,
            "tag": "perpetual",
            "pair": f"{spec.symbol[3:-3]}:USD",
            "openInterest": market.ledger.open_interest * float(spec.lot_size),
            "markPrice": market.mark,
            "maturityTime": 0,
            "post_only": False,
        }
        return orjson.dumps(row)

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        specs = [market.spec for market in self.markets.values()]
        if path == f"{BASE}/instruments":
            return self._reply(instruments=[_listed(spec) for spec in specs])
        if path == f"{BASE}/instruments/status":
            return self._reply(instrumentStatus=[_calm(spec) for spec in specs])
        if path == f"{BASE}/tickers":
            return self._reply(tickers=[orjson.loads(self._ticker(market)) for market in self.markets.values()])
        symbol, _, resolution = path.removeprefix(CHARTS).partition("/")
        if symbol in self.markets and resolution == "1h":  # the only one simulated
            rows = between(self.hours(symbol), query, "from", "to", 1000)
            candles = kraken_futures(self.markets[symbol].spec, rows or [])
            return RestReply(200, orjson.dumps({"candles": candles, "more_candles": False}))
        return None

    def _reply(self, **members: object) -> RestReply:
        now = datetime.fromtimestamp(self.stamp // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return RestReply(
            200, orjson.dumps({"result": "success", "serverTime": f"{now}.{self.stamp % 1000:03d}Z", **members})
        )


def snapshot_frame(symbol: str, bids: Sequence[TextRow], asks: Sequence[TextRow], seq: int, now_ms: int) -> bytes:
    sides = [",".join([f'{{"price":{price},"qty":{size}}}' for price, size in side]) for side in (bids, asks)]
    return (
        f'{{"feed":"book_snapshot","product_id":"{symbol}","timestamp":{now_ms},"seq":{seq},"tickSize":null,'
        f'"bids":[{sides[0]}],"asks":[{sides[1]}]}}'
    ).encode()


def _listed(spec: MarketSpec) -> dict[str, object]:
    inverse = spec.kind == "inverse"
    threshold, second = ("contracts", 500_000) if inverse else ("numNonContractUnits", 2_000_000.0)
    return {
        "symbol": spec.symbol,
        "type": "futures_inverse" if inverse else "flexible_futures",
        "tickSize": float(spec.tick_size),
        "contractSize": float(spec.contract_size),
        "tradeable": True,
        "impactMidSize": 1000.0,
        "maxPositionSize": 75_000_000.0 if inverse else 16_000.0,
        "marginLevels": [
            {threshold: 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
            {threshold: second, "initialMargin": 0.04, "maintenanceMargin": 0.02},
        ],
        "fundingRateCoefficient": 24,
        "maxRelativeFundingRate": 0.0025,
        "contractValueTradePrecision": spec.size_text.places,
        "postOnly": False,
        "base": spec.coin,
        "quote": spec.quote,
        "pair": f"{spec.coin}:{spec.quote}",
    }


def _calm(spec: MarketSpec) -> dict[str, object]:
    return {
        "tradeable": spec.symbol,
        "experiencingDislocation": False,
        "priceDislocationDirection": None,
        "experiencingExtremeVolatility": False,
        "extremeVolatilityInitialMarginMultiplier": 1,
    }

"""Frames and REST bodies of Bybit spot: the full book as changes at any price, and its snapshot of at most 10,000 levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from monitor.simulator.market import Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.bybit_linear_frames import BybitFrames
from monitor.simulator.protocols.bybit_spot import FULL_BOOK
from monitor.simulator.protocols.frames import Keyed, VenueClock
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, Size, market_spec
from monitor.simulator.streams import Changes, DiffStream, standing

FULL = "orderbook.full."
FULL_MS = 200
FULL_LEVELS = 10_000
FIRST_ID = 439_000
VENUE = "bybit_spot"
# fmt: off
MARKETS = (
    market_spec(VENUE, "BTC", "BTCUSDT", tick="0.1", lot="0.000001", kind="spot", trimmed=True, size=Size(12e6, 0.0, 8.0, 160.0)),
    market_spec(VENUE, "ETH", "ETHUSDT", tick="0.01", lot="0.00001", kind="spot", trimmed=True, size=Size(7e6, 0.0, 5.0, 120.0)),
    market_spec(VENUE, "SOL", "SOLUSDC", tick="0.01", lot="0.001", kind="spot", quote="USDC", trimmed=True, size=Size(1e6, 0.0, 2.0, 40.0)),
    market_spec("bybit_spot", "XRP", "XRPUSDT", tick="0.0001", lot="0.01", kind="spot", trimmed=True, size=MINOR),
)
# fmt: on


class BybitSpotFrames(BybitFrames):
    venue: ClassVar[str] = VENUE
    category: ClassVar[str] = "spot"
    always: ClassVar[tuple[int, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (
        "/v5/market/instruments-info",
        "/v5/market/tickers",
        "/v5/market/kline",
        FULL_BOOK,
    )

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._full = {symbol: DiffStream(market.book) for symbol, market in self.markets.items()}
        self._updates = dict.fromkeys(self.markets, FIRST_ID)
        self._sequences = dict.fromkeys(self.markets, 0)  # `seq` of the last change published
        self._owed: dict[str, list[bytes]] = {symbol: [] for symbol in self.markets}  # changes a snapshot showed first

    # -- streams
    def knows(self, key: str) -> bool:
        if key.startswith(FULL):
            return key.removeprefix(FULL) in self.markets
        return not key.startswith("allLiquidation") and super().knows(key)

    def opening(self, key: str) -> list[bytes]:
        """The full book's stream has no snapshot of its own."""
        return [] if key.startswith(FULL) else super().opening(key)

    def _books(self, symbol: str, touched: Ints) -> Iterator[Keyed]:
        yield from super()._books(symbol, touched)
        for data in self._owed[symbol]:
            yield FULL + symbol, data
        self._owed[symbol].clear()
        self._full[symbol].collect(touched)
        if self.now_ms % FULL_MS == 0 and (changes := self._full[symbol].flush()):
            self._updates[symbol] += 1
            yield FULL + symbol, self._delta(symbol, changes)

    def cross(self, symbol: str) -> None:
        super().cross(symbol)
        self._full[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """u = 1 and nothing in it: whoever holds a book asks for a new snapshot."""
        self._updates[symbol] = 1
        return [*super().restart(symbol), (FULL + symbol, self._delta(symbol, Changes([], [])))]

    def _delta(self, symbol: str, changes: Changes) -> bytes:
        self._sequences[symbol] = self._sequence
        bids, asks = (self._rows(symbol, side) for side in changes.best_first)
        return (
            f'{{"topic":"{FULL}{symbol}","ts":{self.stamp},"type":"delta","data":{{"s":"{symbol}","b":[{bids}],"a":[{asks}],'
            f'"u":{self._updates[symbol]},"seq":{self._sequence}}},"cts":{self.stamp - 2}}}'
        ).encode()

    def _figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        """A spot ticker says last price and volume only, whole each time."""
        if self.now_ms % 50 == 0 and market.trades:
            yield f"tickers.{symbol}", self._ticker_frame(symbol, "snapshot", self._ticker(market))

    def _ticker(self, market: Market) -> dict[str, str]:
        spec = market.spec
        return {
            "symbol": spec.symbol,
            "lastPrice": spec.price_text(round(market.last / spec.tick_usd)),
            "usdIndexPrice": "",
        }

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        symbol = query.get("symbol", "")
        if path == FULL_BOOK and query.get("category") == self.category and symbol in self.markets:
            return self._full_book(symbol)
        return super().rest(path, query)

    def _full_book(self, symbol: str) -> RestReply:
        """A state the stream passes through: what was not pushed yet gets a frame of its own, which comes with the next step."""
        if changes := self._full[symbol].flush():
            self._updates[symbol] += 1
            self._owed[symbol].append(self._delta(symbol, changes))
        rows, spec = standing(self.markets[symbol].book, FULL_LEVELS), self.markets[symbol].spec
        bids, asks = (
            [[spec.price_text(tick), spec.size_text(lots)] for tick, lots in side] for side in rows.best_first
        )
        now = self.stamp
        ids = {"ts": now, "u": self._updates[symbol], "seq": self._sequences[symbol], "cts": now - 2}
        return self._reply({"s": symbol, "b": bids, "a": asks, **ids})

    def _listing(self) -> list[dict[str, object]]:
        return [
            {
                "symbol": symbol,
                "baseCoin": each.spec.asset,
                "quoteCoin": each.spec.quote,
                "innovation": "0",
                "status": "Trading",
                "marginTrading": "utaOnly",
                "lotSizeFilter": {"basePrecision": each.spec.size_text(1), "minOrderAmt": "5"},
                "priceFilter": {"tickSize": each.spec.price_text(1)},
            }
            for symbol, each in self.markets.items()
        ]

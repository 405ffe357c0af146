"""Frames and REST bodies of Kraken spot, written from simulated markets. Sizes are coins, numbers are bare JSON numbers.

Each book message carries a CRC32 over the best ten levels of each side as they stand after it: asks from the best up, bids from the
best down, of each level price and quantity as written, without point and leading zeros. What falls out of the subscribed depth is
not deleted, what comes back into it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from zlib import crc32

import orjson

from monitor.simulator.market import Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import Keyed, Standing, TextRow, VenueClock, VenueFrames
from monitor.simulator.protocols.kraken_spot import DEPTHS, OLD, book_key
from monitor.simulator.source import RestReply
from monitor.simulator.specs import CURRENCY, MIDDLE, MINOR, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream

BOOK_MS = 100
CHECKED = 10  # levels a side under the checksum
HISTORY = 50  # trades that begin a subscription
REST_LEVELS = 500
FIRST_TRADE = 10_218_000

MARKETS = (
    market_spec("kraken_spot", "BTC", "BTC/USD", tick="0.1", lot="0.00000001", kind="spot", quote="USD", size=MIDDLE),
    market_spec("kraken_spot", "ETH", "ETH/USD", tick="0.01", lot="0.00000001", kind="spot", quote="USD",
                size=Size(9e6, 0.0, 6.0, 120.0)),
    market_spec("kraken_spot", "USDT", "USDT/USD", tick="0.00001", lot="0.00000001", kind="spot", quote="USD", size=CURRENCY),
    market_spec("kraken_spot", "USDC", "USDC/USD", tick="0.0001", lot="0.00000001", kind="spot", quote="USD", size=CURRENCY),
    market_spec("kraken_spot", "EUR", "EUR/USD", tick="0.00001", lot="0.00000001", kind="spot", quote="USD", size=CURRENCY),
    market_spec("kraken_spot", "SOL", "SOL/USD", tick="0.01", lot="0.00000001", kind="spot", quote="USD", size=MINOR),
    market_spec("kraken_spot", "XRP", "XRP/USD", tick="0.00001", lot="0.00000001", kind="spot", quote="USD", size=MINOR),
)  # fmt: skip


class KrakenSpotFrames(VenueFrames):
    venue: ClassVar[str] = "kraken_spot"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        usual = DEPTHS[-1]
        self._windows = {symbol: {usual: _window(market, usual)} for symbol, market in self.markets.items()}
        self._history: dict[str, deque[str]] = {symbol: deque(maxlen=HISTORY) for symbol in self.markets}
        self._numbers = dict.fromkeys(self.markets, FIRST_TRADE)

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, symbol = key.partition(":")
        if key == "instrument":
            return True
        books = ("book", *(f"book-{depth}" for depth in DEPTHS[:-1]))
        return symbol in self.markets and (channel == "trade" or channel in books)

    def opening(self, key: str) -> list[bytes]:
        channel, _, symbol = key.partition(":")
        if channel == "instrument":
            pairs = [_pair(market.spec) for market in self.markets.values()]
            return [orjson.dumps({"channel": channel, "type": "snapshot", "data": {"assets": [], "pairs": pairs}})]
        if channel == "trade":
            return [self._trades(self._history[symbol], "snapshot")] if self._history[symbol] else []
        depth = int(channel.partition("-")[2] or DEPTHS[-1])
        windows = self._windows[symbol]
        if depth not in windows:
            windows[depth] = _window(self.markets[symbol], depth)
        return [self._book(symbol, depth, "snapshot", windows[depth].levels())]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            rows = [
                self._trade(symbol, market.spec, trade.tick, trade.lots, trade.side, trade.at_ms)
                for trade in market.trades
            ]
            if rows:
                self._history[symbol].extend(rows)
                yield f"trade:{symbol}", self._trades(rows, "update")
            if now_ms % BOOK_MS == 0:
                for depth, window in self._windows[symbol].items():
                    if changes := window.flush():
                        yield book_key(symbol, depth), self._book(symbol, depth, "update", changes)

    def cross(self, symbol: str) -> None:
        for window in self._windows[symbol].values():
            window.cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: sockets are cut, and the status stands on the new ones."""
        return []

    def _book(self, symbol: str, depth: int, kind: str, rows: Changes) -> bytes:
        spec, standing = self.markets[symbol].spec, self._windows[symbol][depth].levels()
        checked = checksum(_texts(spec, standing.asks[:CHECKED]), _texts(spec, standing.bids[: -CHECKED - 1 : -1]))
        bids, asks = (_texts(spec, side) for side in rows.best_first)
        return book_frame(symbol, kind, bids, asks, checked, self.stamp)

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("book"):
            return []
        checked = checksum(book.asks[:CHECKED], book.bids[:CHECKED])
        return [book_frame(book.symbol, "snapshot", book.bids, book.asks, checked, book.time_ms)]

    def _trade(self, symbol: str, spec: MarketSpec, tick: int, lots: int, side: int, at_ms: int) -> str:
        self._numbers[symbol] += 1
        return (
            f'{{"symbol":"{symbol}","side":"{"buy" if side > 0 else "sell"}","price":{spec.price_text(tick)},'
            f'"qty":{spec.size_text(lots)},"ord_type":"market","trade_id":{self._numbers[symbol]},'
            f'"timestamp":"{rfc3339(self.clock.at(at_ms))}"}}'
        )

    def _trades(self, rows: Sequence[str], kind: str) -> bytes:
        return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'.encode()

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        match path.removeprefix("/0/public/"):
            case "AssetPairs":
                return _result({_old_name(spec): _listed(spec) for spec in (m.spec for m in self.markets.values())})
            case "SystemStatus":
                said = {"status": "online", "timestamp": rfc3339(self.stamp // 1000 * 1000).replace(".000000", "")}
                return _result({**said, "upcoming_maintenance": [], "emergency": []})
            case "Time":
                return _result({"unixtime": self.stamp // 1000})
            case "Depth":
                return self._depth(query)
        return None

    def _depth(self, query: Mapping[str, str]) -> RestReply:
        spec = next((m.spec for m in self.markets.values() if _old_name(m.spec) == query.get("pair")), None)
        count = query.get("count", "100")
        if spec is None or not count.isdigit() or not 1 <= int(count) <= REST_LEVELS:
            return RestReply(200, b'{"error":["EQuery:Unknown asset pair"]}')
        bids, asks = self._windows[spec.symbol][DEPTHS[-1]].levels().best_first
        now = self.stamp // 1000
        sides = [[[spec.price_text(t), spec.size_text(q), now] for t, q in side[: int(count)]] for side in (asks, bids)]
        return _result({_old_name(spec): {"asks": sides[0], "bids": sides[1]}})


def checksum(asks: Sequence[TextRow], bids: Sequence[TextRow]) -> int:
    """CRC32 of the best levels' digits, asks before bids, each from the touch outwards."""
    digits = [text.replace(".", "").lstrip("0") for row in (*asks, *bids) for text in row]
    return crc32("".join(digits).encode())


def book_frame(
    symbol: str, kind: str, bids: Sequence[TextRow], asks: Sequence[TextRow], checked: int, now_ms: int
) -> bytes:
    sides = [",".join([f'{{"price":{price},"qty":{size}}}' for price, size in side]) for side in (bids, asks)]
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{sides[0]}],"asks":[{sides[1]}],'
        f'"checksum":{checked},"timestamp":"{rfc3339(now_ms)}"}}]}}'
    ).encode()


def rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}000Z"


def _window(market: Market, depth: int) -> WindowStream:
    return WindowStream(market.book, depth, tells_leaving=False)


def _texts(spec: MarketSpec, rows: Sequence[Row]) -> list[TextRow]:
    price, size = spec.price_text, spec.size_text
    return [(price(tick), size(lots)) for tick, lots in rows]


def _old_name(spec: MarketSpec) -> str:
    return f"{OLD.get(spec.coin, spec.coin)}{spec.quote}"


def _listed(spec: MarketSpec) -> dict[str, object]:
    coin = OLD.get(spec.coin, spec.coin)
    return {
        "altname": _old_name(spec),
        "wsname": f"{coin}/{spec.quote}",
        "aclass_base": "currency",
        "base": f"X{coin}",
        "quote": f"Z{spec.quote}",
        "pair_decimals": spec.price_text.places,
        "lot_decimals": spec.size_text.places,
        "ordermin": "0.00005",
        "tick_size": str(spec.tick_size),
        "status": "online",
    }


def _pair(spec: MarketSpec) -> dict[str, object]:
    return {
        "symbol": spec.symbol,
        "base": spec.coin,
        "quote": spec.quote,
        "status": "online",
        "price_precision": spec.price_text.places,
        "price_increment": float(spec.tick_size),
        "qty_precision": spec.size_text.places,
        "qty_increment": float(spec.lot_size),
        "marginable": True,
        "has_index": True,
    }


def _result(result: object) -> RestReply:
    return RestReply(200, orjson.dumps({"error": [], "result": result}))

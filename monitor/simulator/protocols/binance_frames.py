"""What the writers of Binance's three markets share: books as changes at any price, aggregate trades, REST snapshots, recordings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import Keyed, Standing, VenueClock, VenueFrames
from monitor.simulator.protocols.histories import binance, newest
from monitor.simulator.source import RestReply
from monitor.simulator.streams import Changes, DiffStream, Row

FIRST_ID = 9_000_000_000_000
FIRST_TRADE = 3_000_000_000
USUAL_DEPTH = "depth@100ms"
RAW = "raw:"


class Depth:
    """One symbol's change stream at one cadence."""

    __slots__ = ("book", "every", "last")

    def __init__(self, market: Market, every: int, last: int) -> None:
        self.book, self.every, self.last = DiffStream(market.book), every, last


class BinanceFrames(VenueFrames):
    """api: path before `depth` and the like. cadences: ms between frames of each depth stream. others: rows of the listing that are
    no simulated markets, so that a client meets what it must leave out."""

    api: ClassVar[str]
    cadences: ClassVar[Mapping[str, int]]
    depth_limits: ClassVar[tuple[int, ...]]
    market_streams: ClassVar[tuple[str, ...]]
    others: ClassVar[tuple[Mapping[str, object], ...]]

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self.ids = dict.fromkeys(self.markets, FIRST_ID)
        self._depth = {symbol: {USUAL_DEPTH: Depth(market, 100, FIRST_ID)} for symbol, market in self.markets.items()}
        self._trade_ids = dict.fromkeys(self.markets, FIRST_TRADE)

    # -- streams
    def knows(self, key: str) -> bool:
        name, _, stream = key.partition("@")
        known = name.upper() in self.markets and name == name.lower()
        return known and (stream in self.cadences or stream in self.market_streams)

    def opening(self, key: str) -> list[bytes]:
        name, _, stream = key.partition("@")
        symbol = name.upper()
        if stream in self.cadences and symbol in self.markets and stream not in self._depth[symbol]:
            self._depth[symbol][stream] = Depth(self.markets[symbol], self.cadences[stream], self.ids[symbol])
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            lower = symbol.lower()
            for trade in market.trades:
                self._trade_ids[symbol] += 1
                yield f"{lower}@aggTrade", self.trade(symbol, self._trade_ids[symbol], trade).encode()
            changed = touched[symbol]
            if len(changed):
                self.ids[symbol] += 20 + 3 * len(changed)
                yield lower + "@bookTicker", self._ticker(symbol, market)
            for name, depth in self._depth[symbol].items():
                depth.book.collect(changed)
                if now_ms % depth.every == 0 and (changes := depth.book.flush()):
                    self.ids[symbol] += depth.last == self.ids[symbol]  # a fault's phantom moves the ids too
                    before, depth.last = depth.last, self.ids[symbol]
                    yield f"{lower}@{name}", self.change(symbol, before, depth.last, changes).encode()
            yield from self.figures(symbol, market)

    def cross(self, symbol: str) -> None:
        for depth in self._depth[symbol].values():
            depth.book.cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """The venue says nothing; the chain simply breaks."""
        self.ids[symbol] += 1_000_000
        for depth in self._depth[symbol].values():
            depth.last = self.ids[symbol]
        return []

    @abstractmethod
    def change(self, symbol: str, before: int, last: int, changes: Changes) -> str:
        """A change of the book: ids above `before`, up to `last`."""

    @abstractmethod
    def trade(self, symbol: str, number: int, trade: Trade) -> str:
        """An aggregate trade. `m`: the buyer was the maker, so the taker sold."""

    def figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        """What a market says besides book and trades."""
        return iter(())

    def ticker(self, symbol: str, figures: str) -> str:
        """The best bid and ask, whose id and figures are written already."""
        return f"{{{figures}}}"

    def rows(self, symbol: str, rows: Sequence[Row]) -> str:
        spec = self.markets[symbol].spec
        price, size = spec.price_text, spec.size_text
        return ",".join([f'["{price(tick)}","{size(lots)}"]' for tick, lots in rows])

    def _ticker(self, symbol: str, market: Market) -> bytes:
        spec, book = market.spec, market.book
        bid, ask = book.best_bid, min(book.best_ask, book.size - 1)
        figures = (
            f'"u":{self.ids[symbol]},"s":"{symbol}","b":"{spec.price_text(book.low + bid)}",'
            f'"B":"{spec.size_text(abs(int(book.lots[bid])))}","a":"{spec.price_text(book.low + ask)}",'
            f'"A":"{spec.size_text(abs(int(book.lots[ask])))}"'
        )
        return self.ticker(symbol, figures).encode()

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        name = path.removeprefix(self.api + "/")
        if name == path:
            return None
        if name == "ping":
            return RestReply(200, b"{}")
        if name == "time":
            return as_json({"serverTime": self.stamp})
        if name == "exchangeInfo":
            return self.exchange_info(query)
        symbol = query.get("symbol", "")
        if name == "depth":
            return self._book(symbol, query.get("limit", "500")) if symbol in self.markets else invalid_symbol()
        if name == "klines":
            return self._candles(symbol, query) if symbol in self.markets else invalid_symbol()
        return self.figure(name, symbol)

    def _candles(self, symbol: str, query: Mapping[str, str]) -> RestReply:
        if query.get("interval") != "1h":  # the only one simulated
            return as_json({"code": -1120, "msg": "Invalid interval."}, 400)
        rows = newest(self.hours(symbol), query.get("limit", ""), 1000, 500)
        if rows is None:
            return as_json({"code": -1130, "msg": "Data sent for parameter 'limit' is not valid."}, 400)
        return as_json(binance(self.markets[symbol].spec, rows))

    def figure(self, name: str, symbol: str) -> RestReply | None:
        """A figure of one market ("": of all); None: no such address."""
        return None

    @abstractmethod
    def listed(self, symbol: str, market: Market) -> Mapping[str, object]:
        """A row of the listing."""

    def exchange_info(self, query: Mapping[str, str]) -> RestReply:
        rows = [*(self.listed(symbol, market) for symbol, market in self.markets.items()), *self.others]
        return as_json({"timezone": "UTC", "serverTime": self.stamp, "exchangeFilters": [], "symbols": rows})

    def _book(self, symbol: str, limit: str) -> RestReply:
        if not limit.isdigit() or int(limit) not in self.depth_limits:
            return as_json({"code": -4021, "msg": f"'{limit}' is not valid depth limit."}, 400)
        book = self.markets[symbol].book
        bids, asks = (
            self.rows(symbol, [(book.low + i, abs(int(book.lots[i]))) for i in book.top(sign, int(limit)).tolist()])
            for sign in (1, -1)
        )
        head = f'"lastUpdateId":{self.ids[symbol]}{self.snapshot_head(symbol)}'
        return RestReply(200, f'{{{head},"bids":[{bids}],"asks":[{asks}]}}'.encode())

    def snapshot_head(self, symbol: str) -> str:
        """Members of a snapshot between its id and its rows."""
        return ""

    # -- a recording
    @classmethod
    def recorded(cls, key: str, data: bytes) -> tuple[str, bytes]:
        """Keys of frames recorded without the envelope begin with "raw:"."""
        if key.startswith(RAW):
            return key.removeprefix(RAW), data
        start = data.find(b'"data":')
        if data.startswith(b'{"stream":') and start > 0 and data.endswith(b"}}"):
            return key, data[start + 7 : -1]
        return key, data

    @classmethod
    def same_book(cls, key: str) -> str:
        return key.split("@", maxsplit=1)[0] + "@depth" if "@depth" in key else ""

    @classmethod
    def standing_reply(cls, path: str, query: Mapping[str, str], book: Standing) -> RestReply | None:
        most = max(cls.depth_limits)
        return as_json({"lastUpdateId": book.last_id, "bids": book.bids[:most], "asks": book.asks[:most]})


def invalid_symbol() -> RestReply:
    return as_json({"code": -1121, "msg": "Invalid symbol."}, 400)


def as_json(value: object, status: int = 200) -> RestReply:
    return RestReply(status, orjson.dumps(value))
